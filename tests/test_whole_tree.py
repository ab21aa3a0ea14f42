"""What a tree can hold, in every mixture: no name of the other family stays, and names survive."""

from __future__ import annotations

import itertools
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from oci_convert import Compression, Memory, Report, convert, verify
from oci_convert.spec.media_types import Family
from support.images import (
    DOCKER,
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    EMPTY,
    OCI,
    OCI_CONFIG,
    REF_NAME,
    Blob,
    Image,
    Layer,
    archive_of,
    docker_image,
    image_list,
    layout_files,
    manifest,
    oci_image,
    referrer,
    tar_of,
    write_files,
)

TAR = tar_of({"app": "1"})
LAYERS = {
    name: Layer(TAR, packed, foreign=foreign, media_type=prefix + label)
    for name, (packed, foreign, prefix, label) in {
        "docker plain": (Compression.NONE, False, DOCKER, "image.rootfs.diff.tar"),
        "docker gzip": (Compression.GZIP, False, DOCKER, "image.rootfs.diff.tar.gzip"),
        "docker zstd": (Compression.ZSTD, False, DOCKER, "image.rootfs.diff.tar.zstd"),
        "docker foreign": (Compression.GZIP, True, DOCKER, "image.rootfs.foreign.diff.tar.gzip"),
        "docker foreign plain": (
            Compression.NONE,
            True,
            DOCKER,
            "image.rootfs.foreign.diff.tar",
        ),
        "oci plain": (Compression.NONE, False, OCI, "layer.v1.tar"),
        "oci gzip": (Compression.GZIP, False, OCI, "layer.v1.tar+gzip"),
        "oci zstd": (Compression.ZSTD, False, OCI, "layer.v1.tar+zstd"),
        "oci foreign": (Compression.GZIP, True, OCI, "layer.nondistributable.v1.tar+gzip"),
        "oci foreign plain": (Compression.NONE, True, OCI, "layer.nondistributable.v1.tar"),
    }.items()
}
MIXTURES = list(
    itertools.product(
        ("docker", "oci"),
        (DOCKER_CONFIG, OCI_CONFIG),
        LAYERS,
        (None, Family.DOCKER, Family.OCI),
        ("docker", "oci"),
    )
)


def mixed(label: str, config: str, layer: str, index: Family | None) -> Image:
    make = docker_image if label == "docker" else oci_image
    image = make([LAYERS[layer], Layer(tar_of({"top": "2"}))], config_type=config)
    return image if index is None else image_list([image], index)


def media_types(memory: Memory) -> set[str]:
    """Every media type in a layout, wherever it stands."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("mediaType"), str):
                found.add(value["mediaType"])
            for member in value.values():
                walk(member)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    for name, data in memory.files.items():
        if name != "index.json" and data.startswith(b"{"):
            walk(json.loads(data))
    (entry,) = json.loads(memory.files["index.json"])["manifests"]
    return found | {entry["mediaType"]}


@pytest.mark.parametrize(
    ("manifest", "config", "layer", "index", "to"),
    MIXTURES,
    ids=[
        f"{m} manifest, {'docker' if c is DOCKER_CONFIG else 'oci'} config, {name}, in {i} to {to}"
        for m, c, name, i, to in MIXTURES
    ],
)
def test_no_media_type_of_the_other_family_stays(
    manifest: str, config: str, layer: str, index: Family | None, to: str
) -> None:
    target = Memory()
    convert(Memory(layout_files({"app": mixed(manifest, config, layer, index)})), target, to=to)
    other = OCI if to == "docker" else DOCKER
    assert [name for name in media_types(target) if name.startswith(other)] == []
    assert verify(target).sound


FULL = "io.containerd.image.name"
NAMES: dict[str, tuple[dict[str, str], str | None]] = {
    "none at all": ({}, None),
    "a tag alone": ({REF_NAME: "1"}, None),
    "a short reference": ({REF_NAME: "app:1"}, "docker.io/library/app:1"),
    "a full reference": ({REF_NAME: "example.com/app:1"}, "example.com/app:1"),
    "containerd's alone": ({FULL: "docker.io/library/app:1"}, "docker.io/library/app:1"),
    "a tag beside containerd's": (
        {REF_NAME: "1", FULL: "example.com:5000/x/app:1"},
        "example.com:5000/x/app:1",
    ),
    "a reference beside containerd's": (
        {REF_NAME: "app:2", FULL: "docker.io/library/app:1"},
        "docker.io/library/app:1",
    ),
    "a digest for a name": ({REF_NAME: f"example.com/app@sha256:{'0' * 64}"}, None),
}


@pytest.mark.parametrize(("annotations", "tag"), NAMES.values(), ids=NAMES.keys())
def test_each_way_of_naming_gives_its_repo_tag(
    annotations: dict[str, str], tag: str | None, tmp_path: Path
) -> None:
    files = layout_files({"": docker_image().with_entry(annotations=annotations or None)})
    report = convert(Memory(files), f"docker-archive:{tmp_path}/app.tar")
    with tarfile.open(tmp_path / "app.tar") as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        (row,) = json.load(file)
    assert row["RepoTags"] == ([tag] if tag else None)
    told = "no-repository-name" in [finding.code for finding in report.findings]
    assert told == (tag is None)


def test_several_names_of_several_images_survive_there_and_back(tmp_path: Path) -> None:
    one, two = docker_image(), docker_image([Layer(TAR)])
    names = {f"example.com/one:{i}": one for i in range(3)} | {"example.com/two:1": two}
    write_files(layout_files(names), tmp_path / "in")
    convert(f"oci:{tmp_path}/in", f"docker-archive:{tmp_path}/all.tar", to="docker")
    report = convert(f"docker-archive:{tmp_path}/all.tar", f"oci:{tmp_path}/out", to="docker")
    assert {image.name: image.new.digest for image in report.images} == {
        name: image.digest for name, image in names.items()
    }


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def test_embedded_data_that_docker_has_no_room_for_is_told() -> None:
    image = oci_image([Layer(TAR, more={"data": _base64(Layer(TAR).data)})])
    target = Memory()
    report = convert(Memory(layout_files({"app": image})), target, to="docker")
    assert "data-removed" in codes(report)
    assert b'"data"' not in b"".join(target.files.values())


def test_a_config_of_2016_is_called_what_it_is() -> None:
    image = docker_image(config_type="application/octet-stream")
    report = convert(Memory(layout_files({"app": image})), Memory(), to="oci")
    assert "config-type-corrected" in codes(report)
    assert report.digest_map[image.json["config"]["digest"]].media_type == OCI_CONFIG


def test_a_link_to_what_is_not_converted_is_told() -> None:
    gone = docker_image([Layer(tar_of({"gone": "1"}))])
    index = image_list([docker_image()], Family.DOCKER, subject=gone.descriptor.triple())
    report = convert(Memory(layout_files({"app": index})), Memory(), to="oci")
    assert "subject-not-carried" in codes(report)


CHART = manifest(Blob(EMPTY, b"{}"), [Blob("application/vnd.example.chart", b"chart")])
NO_SUBJECTS = {
    "an artifact": CHART,
    "an image of a layer that Docker has no type for": oci_image(
        [Layer(TAR, media_type="application/x-odd")]
    ),
    "an index of neither": image_list([CHART]),
}


@pytest.mark.parametrize("keep_extensions", [False, True])
@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("name", NO_SUBJECTS)
def test_an_image_comes_along_whatever_becomes_of_its_subject(
    name: str, listed: bool, keep_extensions: bool
) -> None:
    subject = NO_SUBJECTS[name]
    image = oci_image(subject=subject.descriptor.triple())
    images = {"image": image, "subject": subject, "other": oci_image(platform="linux/arm64")}
    files = layout_files({"all": image_list(images.values())} if listed else images)
    target = Memory()
    report = convert(Memory(files), target, to="docker", keep_extensions=keep_extensions)
    assert verify(target).sound
    new = report.digest_map[image.digest]
    made = json.loads(target.files[f"blobs/{new.digest.replace(':', '/')}"])
    assert new.media_type == DOCKER_MANIFEST
    if keep_extensions:
        assert made["subject"]["digest"] == subject.digest
    assert ("subject" in made) is ("subject-not-carried" in codes(report)) is keep_extensions
    assert subject.digest not in report.digest_map


def test_an_image_comes_along_whose_subject_is_here_in_part(tmp_path: Path) -> None:
    """As in an archive of Docker 29, where that is no fault."""
    subject = oci_image([Layer(tar_of({"subject": "1"}))], platform="linux/arm64")
    image = oci_image(subject=subject.descriptor.triple())
    index = image_list([image, subject]).without(subject.layers[0].digest)
    named = [image.json["config"], *image.json["layers"]]
    config, *layers = (f"blobs/{it['digest'].replace(':', '/')}" for it in named)
    row = {"Config": config, "RepoTags": ["app:1"], "Layers": layers}
    files = {**layout_files({"app:1": index}), "manifest.json": json.dumps([row]).encode()}
    (tmp_path / "app.tar").write_bytes(archive_of(files))
    for to in ("oci", "docker"):
        target = Memory()
        report = convert(tmp_path / "app.tar", target, to=to)
        assert image.digest in report.digest_map
        assert verify(target).sound


def test_a_cache_in_an_index_is_carried_as_it_is() -> None:
    cache = manifest(Blob("application/vnd.buildkit.cacheconfig.v0", b"{}"), [], family=Family.OCI)
    index = image_list([docker_image(), cache, referrer(docker_image())])
    target = Memory()
    report = convert(Memory(layout_files({"app": index})), target, to="oci")
    assert report.digest_map[cache.digest].digest == cache.digest
    assert verify(target).sound


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()
