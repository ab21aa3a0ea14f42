"""The rows of ``manifest.json`` in the spellings of other writers than Docker."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import DocumentError, convert, inspect
from oci_convert.spec.digest import Digest
from oci_convert.stores.docker_archive import DockerArchiveSource
from support import archives
from support.archives import Members, Saved, archive, compact, in_memory
from support.images import LAYERS, write_files

SAVED = Saved()
MEMBERS = ("Config", "RepoTags", "Layers", "LayerSources")


def spelled(members: Members, spell: Callable[[str], str], **more: Any) -> Members:
    """An archive whose rows name their members in another case."""
    raw = members["manifest.json"]
    assert isinstance(raw, bytes)
    rows = [{spell(name): value for name, value in row.items()} | more for row in json.loads(raw)]
    return {**members, "manifest.json": compact(rows)}


def jib(name: str) -> str:
    """As Jib spells a name: ``repoTags``."""
    return name[0].lower() + name[1:]


WRITERS: dict[str, Callable[[Saved], Members]] = {
    "classic": archives.docker_20,
    "windows": archives.windows,
    "podman": archives.podman,
    "packed layers": archives.crane,
    "with a layout": archives.docker_25,
}


@pytest.mark.parametrize("spell", [jib, str.lower, str.upper, str.swapcase])
@pytest.mark.parametrize("writer", WRITERS)
def test_rows_mean_the_same_in_any_case(writer: str, spell: Callable[[str], str]) -> None:
    members = WRITERS[writer](SAVED)
    usual = DockerArchiveSource(in_memory(members), "app")
    other = DockerArchiveSource(in_memory(spelled(members, spell)), "app")
    assert other.roots() == usual.roots()
    assert other.roots()


@pytest.mark.parametrize("family", ["docker", "oci"])
@pytest.mark.parametrize("target", ["oci:{}", "docker-archive:{}.tar", "oci-archive:{}.tar"])
def test_an_archive_of_jib_converts_as_one_of_docker(
    tmp_path: Path, target: str, family: str
) -> None:
    usual = archives.crane(SAVED)
    write_files({"docker.tar": archive(usual), "jib.tar": archive(spelled(usual, jib))}, tmp_path)
    reports = []
    for name in ("docker", "jib"):
        destination = target.format(tmp_path / f"to-{name}")
        reports.append(convert(tmp_path / f"{name}.tar", destination, to=family, fsync=False))
        (image,) = inspect(destination).images
        assert image.name == "docker.io/library/app:1"
    docker, jibs = ([row.new for row in report.map] for report in reports)
    assert docker == jibs
    assert Digest.of(SAVED.config) in [new and new.digest for new in jibs]  # the image ID


@pytest.mark.parametrize("tags", [..., None, [], [""]], ids=["absent", "null", "empty", "nothing"])
@pytest.mark.parametrize("name", ["RepoTags", "repoTags"])
def test_tags_may_be_absent_or_null(name: str, tags: object) -> None:
    members = archives.docker_20(Saved(None))
    rows = json.loads(bytes(members["manifest.json"]))  # type: ignore[arg-type]  # it is no link
    del rows[0]["RepoTags"]
    if tags is not ...:
        rows[0][name] = tags
    (root,) = DockerArchiveSource(
        in_memory({**members, "manifest.json": compact(rows)}), "app"
    ).roots()
    assert root.name is None


@pytest.mark.parametrize("name", ["Layers", "layers"])
def test_layers_that_are_null_are_none(name: str) -> None:
    bare = Saved(layers=())
    members = archives.docker_20(bare)
    rows = json.loads(bytes(members["manifest.json"]))  # type: ignore[arg-type]  # it is no link
    del rows[0]["Layers"]
    rows[0][name] = None
    (root,) = DockerArchiveSource(
        in_memory({**members, "manifest.json": compact(rows)}), "app"
    ).roots()
    assert root.name == "docker.io/library/app:1"


def test_members_that_nobody_knows_are_passed_over() -> None:
    members = spelled(archives.docker_20(SAVED), str, Comment="x", comment=7, created=None)
    assert DockerArchiveSource(in_memory(members), "app").roots()


@given(name=st.sampled_from(MEMBERS), data=st.data())
def test_of_two_spellings_of_one_member_neither_counts(name: str, data: st.DataObject) -> None:
    other = "".join(data.draw(st.sampled_from((letter.lower(), letter.upper()))) for letter in name)
    row: dict[str, Any] = {"Config": "c.json", "RepoTags": None, "Layers": [], "LayerSources": {}}
    text = compact([row])[1:-2] + b"," + compact({other: row[name]})[1:]
    members: Members = {"manifest.json": b"[" + text + b"]", "c.json": SAVED.config}
    source = DockerArchiveSource(in_memory(members), "app")
    ((error, _),) = source.faults
    (root,) = source.roots()
    assert root.faults == (error,)
    assert error.code == ("duplicate-member" if other == name else "ambiguous-document")


def test_documents_with_a_digest_are_still_read_in_one_spelling_only(tmp_path: Path) -> None:
    """What vouches for their bytes does not vouch for what readers make of them."""
    config = json.loads(SAVED.config)
    config["Rootfs"] = config.pop("rootfs")
    members = archives.docker_20(SAVED)
    rows = json.loads(bytes(members["manifest.json"]))  # type: ignore[arg-type]  # it is no link
    write_files({"app.tar": archive({**members, rows[0]["Config"]: compact(config)})}, tmp_path)
    with pytest.raises(DocumentError, match="only by case"):
        convert(tmp_path / "app.tar", tmp_path / "layout", to="oci", fsync=False)
    assert len(LAYERS) == len(config["Rootfs"]["diff_ids"])


@pytest.mark.parametrize("extracted", [False, True])
def test_layers_may_be_named_from_the_root_of_the_archive(
    tmp_path: Path, *, extracted: bool
) -> None:
    """As buildpacks do: ``/sha256:….tar``."""
    members = {name: it for name, it in archives.crane(SAVED).items() if isinstance(it, bytes)}
    (row,) = json.loads(members.pop("manifest.json"))
    layers = row["Layers"]
    rooted = {f"/{name}" if name in layers else name: data for name, data in members.items()}
    rooted["manifest.json"] = compact([row | {"Layers": [f"/{name}" for name in layers]}])
    if extracted:
        write_files({name.lstrip("/"): data for name, data in rooted.items()}, tmp_path / "app")
    else:
        (tmp_path / "app").write_bytes(archive(rooted))
    (found,) = inspect(f"docker-archive:{tmp_path}/app").images
    (usual,) = DockerArchiveSource(in_memory(archives.crane(SAVED)), "app").roots()
    assert found.descriptor.digest == usual.descriptor.digest
    assert convert(f"docker-archive:{tmp_path}/app", tmp_path / "new", to="oci").images
