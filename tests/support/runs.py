"""Conversions in memory, what is asked of their results, and images that are worth converting."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import zstandard

from oci_convert.conversion.convert import convert
from oci_convert.report import Change, Report
from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores.memory import Memory
from support.images import (
    DOCKER,
    DOCKER_CONFIG,
    DOCKER_LAYER,
    EMPTY,
    LAYERS,
    OCI,
    OCI_CONFIG,
    OCI_LAYER,
    Blob,
    Image,
    attestation,
    digest_of,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
)

NONE, GZIP, ZSTD = Compression.NONE, Compression.GZIP, Compression.ZSTD


def store(**images: Image) -> Memory:
    """A layout in memory; an image called ``_`` has no name."""
    return Memory(layout_files({"" if name == "_" else name: it for name, it in images.items()}))


def blobs(target: Memory) -> dict[str, bytes]:
    """The blobs of a layout by digest."""
    prefix = "blobs/"
    return {
        name.removeprefix(prefix).replace("/", ":"): data
        for name, data in target.files.items()
        if name.startswith(prefix)
    }


def run(image: Image, to: str, **options: Any) -> tuple[Report, Memory]:
    """``image`` converted in memory."""
    target = Memory()
    return convert(store(app=image), target, to=to, **options), target


def top(report: Report, target: Memory) -> Any:
    """The first converted document, parsed."""
    return json.loads(blobs(target)[report.images[0].new.digest])


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def changes(report: Report) -> set[Change]:
    return {row.change for row in report.map}


def entries(report: Report, target: Memory) -> list[Any]:
    found: list[Any] = top(report, target)["manifests"]
    return found


def platforms(*names: str, make: Callable[..., Image] = oci_image) -> list[Image]:
    """Images that differ in their platform and their last layer."""
    return [make([layer("base"), layer(name)], platform=name) for name in names]


def unpacked(data: bytes) -> bytes:
    """The tar in a layer, by the codecs of others."""
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    return data


def assert_sound(image: Any, target: Memory) -> None:
    """Every layer of a manifest has its digest, its size, its label, and holds its ``diff_id``."""
    stored = blobs(target)
    config = json.loads(stored[image["config"]["digest"]])
    for described, diff_id in zip(image["layers"], config["rootfs"]["diff_ids"], strict=True):
        data = stored[described["digest"]]
        assert digest_of(data) == described["digest"]
        assert len(data) == described["size"]
        assert digest_of(unpacked(data)) == diff_id
        suffix = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}.get(data[:2], "tar")
        assert described["mediaType"].endswith(suffix)


BASE, SHARED = layer("base", size=300_000), layer("shared")
FIVE = (BASE, SHARED, layer("plain", NONE), replace(SHARED, compression=NONE), layer("top"))
"""Five layers; one of them (gzip) is there as a plain tar, too."""


MISLABELLED = {
    "gzip as zstd": (
        oci_image([layer("x", GZIP, media_type=f"{OCI}layer.v1.tar+zstd")]),
        OCI_LAYER,
    ),
    "gzip as tar": (oci_image([layer("x", GZIP, media_type=f"{OCI}layer.v1.tar")]), OCI_LAYER),
    "tar as gzip": (
        docker_image([layer("x", NONE, media_type=DOCKER_LAYER)]),
        f"{OCI}layer.v1.tar",
    ),
    "zstd as gzip": (
        docker_image([layer("x", ZSTD, media_type=DOCKER_LAYER)]),
        f"{OCI}layer.v1.tar+zstd",
    ),
}


def docker_attested() -> Image:
    image = docker_image()
    return image_list([image, attestation(image, Family.DOCKER)])


AT_HOME = {
    "annotations of docker": (docker_image(annotations={"a": "b"}), "docker"),
    "data of docker": (
        docker_image(
            [replace(LAYERS[0], more={"data": base64.b64encode(LAYERS[0].data).decode()})]
        ),
        "docker",
    ),
    "octets of docker": (docker_image(config_type="application/octet-stream"), "docker"),
    "zstd of docker": (docker_image([layer("z", ZSTD)]), "docker"),
    "attestations of docker": (docker_attested(), "docker"),
    "lists of lists of docker": (image_list([image_list([docker_image()])]), "docker"),
    "a plugin": (
        manifest(
            Blob(f"{DOCKER}plugin.v1+json", b"{}"),
            [LAYERS[0].blob(Family.DOCKER)],
            family=Family.DOCKER,
        ),
        "docker",
    ),
    "no platform": (image_list([oci_image().with_entry(platform=None)]), "oci"),
    "no media type": (oci_image(stated=False), "oci"),
    "all packings": (oci_image([layer("n", NONE), layer("g"), layer("z", ZSTD)]), "oci"),
    "attestations": (image_list([oci_image(), attestation(oci_image())]), "oci"),
    "nested": (image_list([image_list([oci_image()], annotations={"a": "b"})]), "oci"),
    "an artifact": (
        manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"hello")], artifactType="text/plain"),
        "oci",
    ),
    "a layer that is encrypted": (
        manifest(
            Blob(OCI_CONFIG, minimal_config([layer("a")])), [Blob(f"{OCI_LAYER}+encrypted", b"??")]
        ),
        "oci",
    ),
    "a foreign layer": (
        oci_image([layer("f", foreign=True, more={"urls": ["https://example.com"]})]),
        "oci",
    ),
}


def everything() -> Image:
    """An index with much in it that has to be told."""
    amd64, arm64 = platforms("linux/amd64", "linux/arm64")
    odd = oci_image(
        [layer("z", ZSTD), layer("x", media_type=f"{OCI}layer.v1.tar")],
        annotations={"a": "b"},
        platform="linux/s390x",
    )
    return image_list([amd64, attestation(amd64), image_list([arm64]), odd], annotations={"c": "d"})


IMAGE = docker_image([layer("base", size=10_000), layer("zstd", ZSTD)])


def without_member(image: Image, name: str) -> Image:
    return _rewritten(image, {key: value for key, value in image.json.items() if key != name})


def _rewritten(image: Image, body: Any) -> Image:
    raw = json.dumps(body).encode()
    own = {digest_of(raw): raw}
    left = {digest: data for digest, data in image.blobs.items() if digest != image.digest}
    return replace(image, manifest=raw, blobs={**left, **own}, documents=own)


def embedded(image: Image) -> Image:
    data = base64.b64encode(image.config).decode()
    return _rewritten(image, {**image.json, "config": {**image.json["config"], "data": data}})


UNRETURNABLE = {
    "annotations": (oci_image(annotations={"a": "b"}), "docker"),
    "no media type": (oci_image(stated=False), "docker"),
    "no layers": (_rewritten(oci_image([]), {**oci_image([]).json, "layers": None}), "docker"),
    "without layers": (without_member(oci_image([]), "layers"), "docker"),
    "data": (embedded(oci_image()), "docker"),
    "octets": (docker_image(config_type="application/octet-stream"), "oci"),
    "a wrong label": (
        docker_image([layer("x", NONE, media_type=DOCKER_LAYER)]),
        "oci",
    ),
    "a list": (
        image_list(
            [oci_image(annotations={"a": "b"}), oci_image([layer("x")])], annotations={"c": "d"}
        ),
        "docker",
    ),
    "a platform": (image_list([oci_image().with_entry(platform=None)]), "docker"),
    "lists of lists": (
        image_list([image_list([docker_image()], stated=False)], stated=False),
        "oci",
    ),
    "types of both families": (
        manifest(Blob(DOCKER_CONFIG, IMAGE.config), [LAYERS[0].blob(Family.OCI)]),
        "oci",
    ),
}


def attested(make: Callable[..., Image] = oci_image) -> tuple[Image, Image, Image]:
    image = make()
    family = Family.OCI if make is oci_image else Family.DOCKER
    speaking = attestation(image, family)
    return image, speaking, image_list([image, speaking])
