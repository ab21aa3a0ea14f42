"""Small images, made in memory: the same bytes everywhere, whatever codecs are installed.

Layers are packed without being compressed, byte by byte as the formats say.
"""

from __future__ import annotations

import binascii
import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from oci_convert.documents.document import type_of
from oci_convert.documents.json_reader import compact
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import (
    OCTET_STREAM,
    Cell,
    Compression,
    Family,
    Kind,
    families,
    name_of,
)
from oci_convert.spec.models import Descriptor, PlatformLike
from oci_convert.spec.names import annotations_for, called
from oci_convert.spec.platforms import platform_of
from oci_convert.stores.base import Root, Sink, SinkOptions, SinkStore
from oci_convert.stores.opening import SinkLike, sink_store
from oci_convert.text.brief import Brief

__all__ = [
    "SmallImage",
    "attestation",
    "docker_image",
    "fill",
    "image_index",
    "oci_image",
    "packed",
    "referrer",
    "tar_of",
    "write_images",
]

_HELLO: Final[Mapping[str, str | bytes]] = {"etc/": "", "etc/motd": "hello\n"}
_EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"
_IN_TOTO: Final = "application/vnd.in-toto+json"
_PREDICATE: Final = "https://slsa.dev/provenance/v1"

Files = Mapping[str, str | bytes]
"""The files of a layer; a name that ends in a slash is a directory."""
S = TypeVar("S", bound=SinkLike)


@dataclass(frozen=True, repr=False)
class SmallImage(Brief):
    """A manifest or an index, and everything below it."""

    descriptor: Descriptor
    """What names it, as an entry of an index does: with its platform, if it has one."""
    blobs: Mapping[str, bytes]
    """Every blob by its digest; a document stands behind what it names."""
    documents: Mapping[str, bytes]
    """The manifests and indexes among them."""

    @property
    def digest(self) -> Digest:
        """The digest of the manifest or index."""
        return self.descriptor.name

    @property
    def raw(self) -> bytes:
        """The bytes of the manifest or index."""
        return self.documents[self.digest]


def docker_image(
    *layers: Files,
    platform: PlatformLike = "linux/amd64",
    compression: Compression | str = Compression.GZIP,
    **config: Any,
) -> SmallImage:
    """A Docker image: the files of each layer, and with ``config`` what it runs with (``Env=…``).

    Without layers there is one that says hello. ``compression`` is one that has a media type.
    """
    return _image(Family.DOCKER, layers, platform, Compression(compression), config, {})


def oci_image(
    *layers: Files,
    platform: PlatformLike = "linux/amd64",
    compression: Compression | str = Compression.GZIP,
    annotations: Mapping[str, str] | None = None,
    **config: Any,
) -> SmallImage:
    """The same as an OCI image, whose manifest may have annotations."""
    more = {"annotations": dict(annotations)} if annotations else {}
    return _image(Family.OCI, layers, platform, Compression(compression), config, more)


def image_index(*images: SmallImage, annotations: Mapping[str, str] | None = None) -> SmallImage:
    """An index of images; a Docker manifest list if the first of them is Docker's."""
    docker = bool(images) and families(images[0].descriptor.media_type) == {Family.DOCKER}
    body: dict[str, Any] = {"manifests": [_dumped(image.descriptor) for image in images]}
    if annotations:
        body["annotations"] = dict(annotations)
    blobs = {digest: data for image in images for digest, data in image.blobs.items()}
    documents = {digest: data for image in images for digest, data in image.documents.items()}
    own = _document(Kind.INDEX, Family.DOCKER if docker else Family.OCI, body, blobs)
    return replace(own, documents={**documents, **own.documents})


def attestation(image: SmallImage) -> SmallImage:
    """What BuildKit puts into an index beside ``image``: a manifest around an in-toto statement."""
    algorithm, _, encoded = image.digest.partition(":")
    statement = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": _PREDICATE,
        "subject": [{"name": "_", "digest": {algorithm: encoded}}],
        "predicate": {},
    }
    raw, unknown = compact(statement).encode(), "unknown/unknown"
    layer = _descriptor(_IN_TOTO, raw, annotations={"in-toto.io/predicate-type": _PREDICATE})
    config = _config(unknown, [Digest.of(raw)], {})
    made = _manifest(Family.OCI, _config_type(Family.OCI), config, [(layer, raw)])
    names = {
        "vnd.docker.reference.digest": str(image.digest),
        "vnd.docker.reference.type": "attestation-manifest",
    }
    return _entered(made, annotations=names, platform=_platform(unknown))


def referrer(
    subject: SmallImage, data: bytes, artifact_type: str = "application/spdx+json"
) -> SmallImage:
    """An artifact that refers to ``subject``, such as an SBOM."""
    layer = _descriptor(artifact_type, data)
    more = {"artifactType": artifact_type, "subject": subject.descriptor.triple()}
    return _manifest(Family.OCI, _EMPTY_TYPE, b"{}", [(layer, data)], **more)


# -- into a store -------------------------------------------------------------------------------


def write_images(images: Mapping[str, SmallImage], store: S) -> S:
    """Write images by their names into a store, which is returned; one without a name is ``""``.

    >>> memory = write_images({"app:1": docker_image()}, Memory())  # doctest: +SKIP
    """
    target: SinkStore = sink_store(store)
    with target.sink(SinkOptions(target.default_family or Family.OCI)) as sink:
        if len(images) > 1 and not sink.capabilities.many_images:
            raise ValueError(f"{target} holds one image, and not {len(images)}")
        try:
            sink.begin()
            for image in images.values():
                fill(sink, image)
            roots = [
                Root(image.descriptor, annotations_for(name) if name else {})
                for name, image in images.items()
            ]
            sink.commit(roots)
        except BaseException:
            sink.abort()
            raise
    return store


def _root(image: SmallImage, name: str) -> Root:
    annotations = annotations_for(name) if name else {}
    return Root(image.descriptor, annotations, called(annotations))


def fill(sink: Sink, image: SmallImage) -> None:
    """Put every blob of ``image``, the documents last, as a conversion does."""
    for digest in sorted(image.blobs, key=image.documents.__contains__):
        data, document = image.blobs[digest], digest in image.documents
        media_type = type_of(data) if document else OCTET_STREAM
        expected = _descriptor(media_type, data, digest=digest)
        sink.put([data], digest, expected=expected, document=document)


# -- documents ----------------------------------------------------------------------------------


def _image(
    family: Family,
    layers: Sequence[Files],
    platform: PlatformLike,
    compression: Compression,
    config: Mapping[str, Any],
    more: Mapping[str, Any],
) -> SmallImage:
    tars = [tar_of(files) for files in layers or (_HELLO,)]
    media_type = str(name_of(Cell(Kind.LAYER, compression), family))
    blobs = [packed(tar, compression) for tar in tars]
    made = _manifest(
        family,
        _config_type(family),
        _config(platform, [Digest.of(tar) for tar in tars], config),
        [(_descriptor(media_type, blob), blob) for blob in blobs],
        **more,
    )
    return _entered(made, platform=_platform(platform))


def _config_type(family: Family) -> str:
    return str(name_of(Cell(Kind.CONFIG), family))


def _config(platform: PlatformLike, diff_ids: Sequence[str], config: Mapping[str, Any]) -> bytes:
    described = {
        **_platform(platform),
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [str(diff_id) for diff_id in diff_ids]},
    }
    return compact(described).encode()


def _platform(platform: PlatformLike) -> dict[str, Any]:
    return platform_of(platform).model_dump(mode="json")


def _manifest(
    family: Family,
    config_type: str,
    config: bytes,
    layers: Iterable[tuple[Descriptor, bytes]],
    **more: Any,
) -> SmallImage:
    described = _descriptor(config_type, config)
    layers = list(layers)
    body = {
        "config": described.triple(),
        "layers": [_dumped(layer) for layer, _ in layers],
        **more,
    }
    blobs = {str(layer.digest): data for layer, data in layers}
    return _document(Kind.MANIFEST, family, body, {**blobs, str(described.digest): config})


def _document(
    kind: Kind, family: Family, body: Mapping[str, Any], blobs: Mapping[str, bytes]
) -> SmallImage:
    media_type = str(name_of(Cell(kind), family))
    raw = compact({"schemaVersion": 2, "mediaType": media_type, **body}).encode()
    descriptor = _descriptor(media_type, raw)
    own = {str(descriptor.digest): raw}
    return SmallImage(descriptor, {**blobs, **own}, own)


def _descriptor(media_type: str, data: bytes, **more: Any) -> Descriptor:
    digest = more.pop("digest", None) or Digest.of(data)
    return Descriptor(media_type=media_type, digest=digest, size=len(data), **more)


def _entered(image: SmallImage, **more: Any) -> SmallImage:
    """The image with what the entry of an index says beside its descriptor."""
    entry = Descriptor.model_validate({**image.descriptor.triple(), **more})
    return replace(image, descriptor=entry)


def _dumped(descriptor: Descriptor) -> Any:
    return descriptor.model_dump(mode="json", by_alias=True, exclude_unset=True)


# -- layers -------------------------------------------------------------------------------------


def tar_of(files: Files) -> bytes:
    """A tar of files; the same bytes everywhere."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name.rstrip("/"))
            member.mode = 0o755 if name.endswith("/") or data.startswith(b"#!") else 0o644
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        end = archive.offset
    # Two empty blocks end a tar; Python fills it up to the 10 KiB of a tape's record.
    return buffer.getvalue()[: end + 1024]


def packed(data: bytes, compression: Compression) -> bytes:
    """``data`` in a container of that format, as it is."""
    if compression is Compression.GZIP:
        return _gzip(data)
    if compression is Compression.ZSTD:
        return _zstd(data)
    if compression is Compression.NONE:
        return data
    raise ValueError(f"no media type knows layers in {compression}")


def _gzip(data: bytes) -> bytes:
    """RFC 1952 around the stored blocks of RFC 1951; the header is that of Go's writer."""
    parts = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"]
    for block, last in _blocks(data, 0xFFFF):
        length = len(block).to_bytes(2, "little")
        parts += (bytes([last]), length, bytes(byte ^ 0xFF for byte in length), block)
    parts += (binascii.crc32(data).to_bytes(4, "little"), (len(data) % 2**32).to_bytes(4, "little"))
    return b"".join(parts)


def _zstd(data: bytes) -> bytes:
    """RFC 8878: a frame without size and checksum, a window of 128 KiB, and raw blocks."""
    parts = [b"\x28\xb5\x2f\xfd\x00\x38"]
    for block, last in _blocks(data, 128 * 1024):
        parts += ((len(block) << 3 | last).to_bytes(3, "little"), block)
    return b"".join(parts)


def _blocks(data: bytes, size: int) -> list[tuple[bytes, bool]]:
    starts = range(0, max(len(data), 1), size)
    return [(data[start : start + size], start + size >= len(data)) for start in starts]
