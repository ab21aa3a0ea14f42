"""Images that targets differ about, each with layers of its own, so that none helps another."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Final

from oci_convert import Compression, check
from oci_convert.errors import OciConvertError
from oci_convert.limits import limited
from oci_convert.spec.media_types import Family
from support.images import (
    DOCKER,
    DOCKER_CONFIG,
    DOCKER_LAYER,
    EMPTY,
    OCI,
    OCI_CONFIG,
    OCI_LAYER,
    Blob,
    Image,
    Layer,
    attestation,
    cosign_signature,
    digest_of,
    docker_image,
    image_list,
    layer,
    manifest,
    oci_image,
    write_layout,
)

__all__ = ["FOREIGN", "IMAGES", "edited", "far", "fits", "relabelled"]

OCI_PLAIN: Final = f"{OCI}layer.v1.tar"
DOCKER_ZSTD: Final = f"{DOCKER}image.rootfs.diff.tar.zstd"
FOREIGN: Final = f"{DOCKER}image.rootfs.foreign.diff.tar.gzip"
NONDISTRIBUTABLE: Final = f"{OCI}layer.nondistributable.v1.tar+gzip"
MIB: Final = 1 << 20


def edited(image: Image, **members: object) -> Image:
    """The image with other members in its root; ``None`` takes one away."""
    body = {name: value for name, value in {**image.json, **members}.items() if value is not None}
    raw = json.dumps(body).encode()
    digest = digest_of(raw)
    blobs, documents = (
        {name: data for name, data in found.items() if data != image.manifest} | {digest: raw}
        for found in (image.blobs, image.documents)
    )
    return replace(image, manifest=raw, blobs=blobs, documents=documents)


def relabelled(image: Image, old: str, new: str) -> Image:
    """The image with one media type in its manifest written as another one."""
    return edited(image, **json.loads(image.manifest.replace(old.encode(), new.encode())))


def far(image: Image, media_type: str, url: str = "https://example.com/l") -> Image:
    """The image with its layer elsewhere."""
    first = {**image.json["layers"][0], "mediaType": media_type}
    elsewhere = edited(image, layers=[{**first, "urls": [url]}])
    return elsewhere.without(image.layers[0].digest)


def _called(text: str, compression: Compression, media_type: str) -> Layer:
    return layer(text, compression, media_type=media_type)


def _with_data(image: Image) -> Image:
    data = base64.b64encode(image.config).decode()
    return edited(image, config={**image.json["config"], "data": data})


_ABSENT: Final = oci_image([layer("absent entry")], platform="linux/arm64")
_NOTE: Final = manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"note")])
IMAGES: Final[dict[str, Image]] = {
    "an OCI image": oci_image([layer("one")]),
    "a Docker image": docker_image([layer("two")]),
    "an OCI index": image_list([oci_image([layer("a")])]),
    "a Docker list": image_list([docker_image([layer("c")])]),
    "a nested index": image_list([image_list([oci_image([layer("n")])])]),
    "an index with an attestation": image_list(
        [oci_image([layer("at")]), attestation(oci_image([layer("at")]))]
    ),
    "an index with an artifact": image_list(
        [
            oci_image([layer("ia")]),
            _NOTE.with_entry(platform={"os": "unknown", "architecture": "unknown"}),
        ]
    ),
    "a Docker manifest in an OCI index": image_list([docker_image([layer("dm")])], Family.OCI),
    "an entry without a platform": image_list([oci_image([layer("ep")]).with_entry(platform=None)]),
    "an entry that is not there": image_list([oci_image([layer("here")]), _ABSENT]).without(
        _ABSENT.digest
    ),
    "an artifact": _NOTE,
    "a Helm chart": manifest(
        Blob("application/vnd.cncf.helm.config.v1+json", b'{"name":"x"}'),
        [Blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart")],
    ),
    "a signature of cosign": cosign_signature(oci_image([layer("signed")])),
    "a subject": edited(
        oci_image([layer("sb")]), subject=oci_image([layer("sb")]).descriptor.triple()
    ),
    "an artifactType": edited(oci_image([layer("ty")]), artifactType="application/vnd.example.x"),
    "embedded data": _with_data(oci_image([layer("em")])),
    "a member that nobody knows": edited(oci_image([layer("mk")]), extra=1),
    "annotations in Docker": edited(docker_image([layer("an")]), annotations={"a": "b"}),
    "a manifest of 5 MB": edited(oci_image([layer("5m")]), annotations={"a": "x" * 5 * MIB}),
    "no mediaType in OCI": edited(oci_image([layer("d")]), mediaType=None),
    "no mediaType in Docker": edited(docker_image([layer("e")]), mediaType=None),
    "no mediaType in an OCI index": edited(image_list([oci_image([layer("ni")])]), mediaType=None),
    "no mediaType in a Docker list": edited(
        image_list([docker_image([layer("nd")])]), mediaType=None
    ),
    "a Docker layer in OCI": relabelled(oci_image([layer("f")]), OCI_LAYER, DOCKER_LAYER),
    "a Docker config in OCI": relabelled(oci_image([layer("g")]), OCI_CONFIG, DOCKER_CONFIG),
    "an OCI layer in Docker": relabelled(docker_image([layer("h")]), DOCKER_LAYER, OCI_LAYER),
    "a plain layer": oci_image([layer("pl", Compression.NONE)]),
    "zstd in OCI": oci_image([layer("z", Compression.ZSTD)]),
    "zstd in Docker": docker_image([layer("i", Compression.ZSTD)]),
    "zstd called gzip in OCI": oci_image([_called("zg", Compression.ZSTD, OCI_LAYER)]),
    "zstd called gzip in Docker": docker_image([_called("zd", Compression.ZSTD, DOCKER_LAYER)]),
    "zstd called plain": oci_image([_called("zp", Compression.ZSTD, OCI_PLAIN)]),
    "gzip called plain in OCI": oci_image([_called("gp", Compression.GZIP, OCI_PLAIN)]),
    "gzip called plain in Docker": docker_image(
        [_called("gd", Compression.GZIP, f"{DOCKER}image.rootfs.diff.tar")]
    ),
    "plain called gzip": oci_image([_called("pg", Compression.NONE, OCI_LAYER)]),
    "bzip2 called gzip": docker_image([_called("bz", Compression.BZIP2, DOCKER_LAYER)]),
    "xz called gzip": docker_image([_called("xz", Compression.XZ, DOCKER_LAYER)]),
    "a media type with parameters": oci_image([layer("pa", media_type=f"{OCI_LAYER}; a=b")]),
    "a layer of an unknown type": oci_image(
        [layer("un", media_type="application/vnd.example.layer.tar+gzip")]
    ),
    "a layer by sha512": oci_image([layer("by", algorithm="sha512")]),
    "125 layers": oci_image([layer(f"deep {i}") for i in range(125)]),
    "126 layers": oci_image([layer(f"deeper {i}") for i in range(126)]),
    "a layer that is not there": oci_image([layer("gone", present=False)]),
    "a foreign layer of Docker that is not there": far(docker_image([layer("fa")]), FOREIGN),
    "a foreign layer of OCI that is not there": far(oci_image([layer("fb")]), NONDISTRIBUTABLE),
    "a foreign layer of Docker that is there": docker_image([layer("ft", foreign=True)]),
    "a foreign layer of OCI that is there": oci_image([layer("ot", foreign=True)]),
    "a foreign layer of OCI that is there and elsewhere": oci_image(
        [layer("oe", foreign=True, more={"urls": ["https://example.com/l"]})]
    ),
}


def fits(image: Image, profile: str, folder: Path) -> bool:
    """What ``check`` says of an image, put into ``folder``."""
    write_layout({"app": image}, folder)
    try:
        with limited(document_size=8 * MIB):
            return check(f"oci:{folder}:app", profile).fits
    except OciConvertError:
        return False
