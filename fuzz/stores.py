"""Stores to begin with, as files by name: every kind that is read, each small and sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from base import ROOT
from oci_convert.spec.media_types import Compression, Family
from support import archives, schema1
from support.images import (
    DOCKER_CONFIG,
    OCI_CONFIG,
    OCI_LAYER,
    Layer,
    Spelling,
    attestation,
    cosign_signature,
    cosign_tag,
    dir_files,
    docker_image,
    files_below,
    image_list,
    layer,
    layout_files,
    oci_image,
    rc2_files,
    referrer,
)
from support.runs import everything

__all__ = ["DIRECTORIES", "LAYOUTS", "SAVED", "archive_of_testdata", "documents", "layers"]

_LARGEST: Final = 4096
_ODD: Final = (
    b"null",
    b' [ 1.50 , -0, 1e400 ,"\\ud83d\\ude00", "\\u00e9\xc3\xa9" ]\r\n',
    b'{"a":{"b":[{},[]]},"mediaType":"a\\u002Bb"}',
    b"[" * 64 + b"]" * 64,
)

_IMAGE: Final = docker_image([layer("base"), layer("app")], platform="linux/arm64")
_OTHER: Final = oci_image([layer("base"), layer("plain", Compression.NONE)], Spelling.DOTNET)
_ATTESTED: Final = image_list([_IMAGE, attestation(_IMAGE, Family.DOCKER)])
_SIGNED: Final = {"app:1": _OTHER, cosign_tag(_OTHER): cosign_signature(_OTHER)}


def _packed(compression: Compression) -> Layer:
    """A layer in a compression that no media type has."""
    return layer("odd", compression, media_type=OCI_LAYER)


LAYOUTS: Final[Mapping[str, Mapping[str, bytes]]] = {
    "a Docker image": layout_files({"app": _IMAGE}),
    "an OCI image": layout_files({"app": _OTHER}),
    "a zstd layer": layout_files({"app": oci_image([layer("z", Compression.ZSTD)])}),
    "bzip2 and xz": layout_files(
        {"": oci_image([_packed(Compression.BZIP2), _packed(Compression.XZ)])}
    ),
    "two images": layout_files({"app": _IMAGE, "b:1": _OTHER}),
    "a list with an attestation": layout_files({"app": _ATTESTED}),
    "much that has to be told": layout_files({"app": everything()}),
    "a referrer": layout_files({"app": _OTHER, "": referrer(_OTHER)}),
    "a signature": layout_files(_SIGNED),
    "sha512": layout_files({"app": docker_image(algorithm="sha512")}),
    "a foreign layer": layout_files(
        {"app": docker_image([layer("f", foreign=True, present=False, more={"urls": ["u"]})])}
    ),
    "rc2": rc2_files({"v1": _OTHER}),
}
"""OCI layouts, also of what is no OCI image."""

DIRECTORIES: Final[Mapping[str, Mapping[str, bytes]]] = {
    "a Docker image": dir_files(_IMAGE),
    "a list": dir_files(_ATTESTED),
    "an OCI image": dir_files(_OTHER),
    "schema 1": schema1.dir_files(schema1.sign(schema1.pretty(schema1.body()))),
}
"""Directories as containers/image has them."""

_SAVED: Final = archives.Saved(layers=(layer("base"), layer("app"), layer("base")))
SAVED: Final[Mapping[str, archives.Members]] = {
    "Docker 20": archives.docker_20(_SAVED, archives.Saved(tags=None)),
    "Windows": archives.windows(_SAVED),
    "podman": archives.podman(_SAVED),
    "crane": archives.crane(_SAVED),
    "crane --format legacy": archives.crane_legacy(_SAVED),
    "Docker 25": archives.docker_25(_SAVED, archives.Saved(tags=("b:1", "b:2"))),
    "Docker 25.0": archives.docker_25(_SAVED, order=lambda layers: layers[::-1]),
    "containerd": archives.containerd(_SAVED, oci_image(platform="linux/arm64")),
    "regctl": archives.regctl(_SAVED),
    "before Docker 1.10": {**schema1.saved({"app": {"1": f"{3:064x}"}}, schema1.STEPS)},
    "an OCI archive": {**LAYOUTS["two images"]},
}
"""The members of archives."""


@cache
def documents() -> tuple[bytes, ...]:
    """Distinct JSON documents, none of them large."""
    return tuple(dict.fromkeys(raw for raw in _documents() if len(raw) <= _LARGEST))


def _documents() -> Iterator[bytes]:
    yield from _ODD
    stores = [*LAYOUTS.values(), *DIRECTORIES.values(), *SAVED.values()]
    for files in (files_below(ROOT / "testdata"), *stores):
        for data in files.values():
            if isinstance(data, bytes) and data.startswith((b"{", b"[")):
                yield data
    for config_type in (DOCKER_CONFIG, OCI_CONFIG):
        yield oci_image(config_type=config_type, annotations={"a": "b"}).manifest


def layers() -> Iterator[tuple[Compression, bytes]]:
    """A layer in every packing."""
    for compression in Compression:
        yield compression, layer("fuzz", compression).data
        yield compression, b"".join(layer(text, compression).data for text in ("a", "b"))


def archive_of_testdata() -> bytes:
    """The archive that ``docker save`` made."""
    return (ROOT / "testdata" / "docker-save.tar").read_bytes()
