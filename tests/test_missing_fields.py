"""Fields that the specifications require of documents, and that are not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from oci_convert import Memory, RefusedError, convert, verify
from support.images import (
    EMPTY,
    OCI_CONFIG,
    Blob,
    Image,
    digest_of,
    docker_image,
    image_list,
    manifest,
    minimal_config,
    oci_image,
)
from support.runs import store


def with_config(change: Callable[[dict[str, Any]], object]) -> Image:
    config = json.loads(minimal_config([]))
    change(config)
    return manifest(Blob(OCI_CONFIG, json.dumps(config).encode()), [])


def without(image: Image, name: str) -> Image:
    body = {key: value for key, value in image.json.items() if key != name}
    raw = json.dumps(body).encode()
    blobs = {digest: data for digest, data in image.blobs.items() if digest != image.digest}
    return replace(image, manifest=raw, blobs={**blobs, digest_of(raw): raw})


MISSING: dict[str, tuple[Image, str, str]] = {
    "layers": (
        without(with_config(lambda _: None), "layers"),
        "missing-field",
        "it has no layers, as a manifest must",
    ),
    "manifests": (
        without(image_list([oci_image()]), "manifests"),
        "missing-field",
        "it has no manifests, as an index must",
    ),
    "artifactType": (
        manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"note")]),
        "missing-field",
        "it has no artifactType, as a manifest with an empty config must",
    ),
    "mediaType of a Docker manifest": (
        without(docker_image(), "mediaType"),
        "missing-field",
        "it has no mediaType, as documents of Docker must",
    ),
    "mediaType of a Docker list": (
        without(image_list([docker_image()]), "mediaType"),
        "missing-field",
        "it has no mediaType, as documents of Docker must",
    ),
    "platform of an entry": (
        image_list([docker_image()], manifests=[docker_image().descriptor.triple()]),
        "missing-field",
        "it has no platform, as entries of a Docker list must",
    ),
    "os and architecture of a platform": (
        image_list([oci_image().with_entry(platform={"os": "", "architecture": ""})]),
        "missing-field",
        "its platform lacks os and architecture",
    ),
    "rootfs": (with_config(lambda it: it.pop("rootfs")), "config-problem", "rootfs is missing"),
    "rootfs, null": (
        with_config(lambda it: it.update(rootfs=None)),
        "config-problem",
        "rootfs is missing",
    ),
    "diff_ids": (
        with_config(lambda it: it["rootfs"].pop("diff_ids")),
        "config-problem",
        "rootfs.diff_ids is missing",
    ),
}


@pytest.mark.parametrize(("image", "code", "message"), MISSING.values(), ids=MISSING)
def test_it_is_told_by_verify_and_convert_and_refused_by_strict(
    image: Image, code: str, message: str
) -> None:
    source, to = store(app=image), "docker" if "docker" in image.media_type else "oci"
    for findings in (verify(source).findings, convert(source, Memory(), to=to).findings):
        assert (code, message) in {(it.code, it.message) for it in findings}
    target = Memory()
    with pytest.raises(RefusedError) as refused:
        convert(source, target, to=to, strict=True)
    assert refused.value.code in (code, "platform-mismatch")
    assert target.files == {}


@pytest.mark.parametrize(
    "image",
    [
        oci_image(),
        docker_image(),
        image_list([oci_image()]),
        image_list([docker_image().with_entry(platform={"os": "linux", "architecture": "amd64"})]),
        manifest(Blob(EMPTY, b"{}"), [], artifactType="text/plain"),
    ],
)
def test_what_is_complete_is_told_nothing(image: Image) -> None:
    source = store(app=image)
    found = [*verify(source).findings, *convert(source, Memory(), to="oci").findings]
    assert not {it.code for it in found} & {"missing-field", "config-problem"}
