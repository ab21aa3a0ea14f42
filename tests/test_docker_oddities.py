"""Odd things that versions of Docker and other tools write: told once, and carried rightly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oci_convert import convert, inspect
from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores.docker_archive import DockerArchiveSource
from support import archives
from support.archives import Members, Saved, archive, compact, in_memory
from support.images import (
    LAYERS,
    OCI_CONFIG,
    Blob,
    docker_image,
    image_list,
    layer,
    manifest,
    minimal_config,
    write_layout,
)

# -- rows that stand twice ----------------------------------------------------------------------

WRITERS: dict[str, Callable[[Saved], Members]] = {
    "without a layout": archives.docker_20,
    "with a layout": archives.docker_25,
    "of containerd": archives.containerd,
    "of regctl": archives.regctl,
}


def repeated(members: Members, *more: dict[str, Any]) -> Members:
    """An archive whose rows stand twice, with some others."""
    raw = members["manifest.json"]
    assert isinstance(raw, bytes)
    rows = json.loads(raw)
    return {**members, "manifest.json": compact([*rows, *rows, *more])}


@pytest.mark.parametrize("tags", [("app:1",), ("app:1", "app:2"), None], ids=["one", "two", "none"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_row_that_stands_twice_is_one_image(name: str, tags: tuple[str, ...] | None) -> None:
    members = WRITERS[name](Saved(tags))
    once = DockerArchiveSource(in_memory(members), "app").roots()
    assert DockerArchiveSource(in_memory(repeated(members)), "app").roots() == once


def test_rows_of_one_name_and_other_layers_are_both_there() -> None:
    first, second = Saved(("app:1",)), Saved(("app:1",), (layer("other"),))
    members = archives.docker_20(first, second)
    assert len(DockerArchiveSource(in_memory(members), "app").roots()) == 2


def test_names_are_not_doubled_in_a_target(tmp_path: Path) -> None:
    members = repeated(archives.docker_25(Saved(("app:1", "app:2"))))
    (tmp_path / "app.tar").write_bytes(archive(members))
    for target in (f"oci:{tmp_path}/layout", f"docker-archive:{tmp_path}/new.tar"):
        convert(tmp_path / "app.tar", target, fsync=False)
        names = [image.name for image in inspect(target).images]
        assert names == ["docker.io/library/app:1", "docker.io/library/app:2"]


# -- a platform where Docker's schema has none --------------------------------------------------

BLOBS = [each.blob(Family.OCI) for each in LAYERS]
PLATFORM = {"architecture": "amd64", "os": "linux"}


@pytest.mark.parametrize("platform", [PLATFORM, {**PLATFORM, "variant": "v2"}, None])
def test_the_platform_of_a_config_goes_and_is_told(platform: object, tmp_path: Path) -> None:
    config = Blob(OCI_CONFIG, minimal_config(LAYERS), {"platform": platform})
    source = write_layout({"app": manifest(config, BLOBS)}, tmp_path / "layout")
    report = convert(f"oci:{source}", f"dir:{tmp_path}/new", to="docker", fsync=False)
    written = json.loads((tmp_path / "new" / "manifest.json").read_bytes())
    assert "platform" not in written["config"]
    told = [finding for finding in report.findings if finding.code == "platform-removed"]
    assert [finding.where for finding in told] == ["images[0].config"] * bool(platform)
    assert not any("None" in finding.message for finding in report.findings)
    kept = convert(
        f"oci:{source}", f"dir:{tmp_path}/kept", to="docker", keep_extensions=True, fsync=False
    )
    assert "platform-removed" not in [finding.code for finding in kept.findings]
    written = json.loads((tmp_path / "kept" / "manifest.json").read_bytes())
    assert written["config"]["platform"] == platform


def test_the_platform_of_a_config_stays_where_nothing_changes(tmp_path: Path) -> None:
    config = Blob(OCI_CONFIG, minimal_config(LAYERS), {"platform": PLATFORM})
    image = manifest(config, BLOBS)
    source = write_layout({"app": image}, tmp_path / "layout")
    report = convert(f"oci:{source}", f"oci:{tmp_path}/new", fsync=False)
    assert report.images[0].new.digest == image.digest
    assert not report.findings


def test_the_platforms_of_entries_stay(tmp_path: Path) -> None:
    source = write_layout({"app": image_list([docker_image()])}, tmp_path / "layout")
    report = convert(f"oci:{source}", f"oci:{tmp_path}/new", fsync=False)
    back = convert(f"oci:{tmp_path}/new", f"dir:{tmp_path}/back", to="docker", fsync=False)
    assert "platform-removed" not in [it.code for it in (*report.findings, *back.findings)]


# -- zstd under Docker's unofficial name --------------------------------------------------------

ZSTD = docker_image([layer("z", Compression.ZSTD)])
CODE = "unofficial-media-type"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"to": "docker"}, True),
        ({"to": "docker", "compress": "keep"}, True),
        ({"to": "docker", "compress": "gzip"}, False),
        ({"to": "oci"}, False),
    ],
)
@pytest.mark.parametrize("listed", [False, True])
def test_a_zstd_layer_that_stays_one_of_docker_is_told(
    options: dict[str, Any], told: bool, listed: bool, tmp_path: Path
) -> None:
    image = image_list([ZSTD]) if listed else ZSTD
    source = write_layout({"app": image}, tmp_path / "layout")
    report = convert(f"oci:{source}", f"oci:{tmp_path}/new", fsync=False, **options)
    assert [finding.code for finding in report.findings].count(CODE) == told
    if told:
        assert report.images[0].new.digest == image.digest


def test_what_is_official_is_not_told(tmp_path: Path) -> None:
    for number, compression in enumerate((Compression.NONE, Compression.GZIP)):
        image = docker_image([layer("x", compression)])
        source = write_layout({"app": image}, tmp_path / f"{number}")
        report = convert(f"oci:{source}", f"dir:{tmp_path}/new-{number}", to="docker", fsync=False)
        assert CODE not in [finding.code for finding in report.findings]
