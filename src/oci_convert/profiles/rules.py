"""The rules that profiles are made of: each finds the places of an image that a target refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from oci_convert.profiles.content import Content, Place
from oci_convert.spec.media_types import Compression, Family, Kind, families, look_up

__all__ = ["RULES", "Finder"]

Finder = Callable[[Content, Any], Iterator[tuple[str, str]]]
"""Gives a place and what is there, for everything that is refused."""

_DESCRIPTOR: Final = {
    *("mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"),
}
_PLATFORM: Final = {"architecture", "os", "os.version", "os.features", "variant", "features"}
_OCI: Final = {
    *("schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests"),
    *("subject", "annotations"),
}
_EMPTY: Final = "application/vnd.oci.empty.v1+json"


def _family(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """Media types of another family than ``value``; artifacts are in none."""
    wanted = Family(value)
    for place in content.places():
        known = families(place.media_type)
        if place.role != "subject" and known and wanted not in known:
            yield f"{place.where}.mediaType", place.media_type
        stated = None if place.document is None else place.document.get("mediaType")
        if stated and stated != place.media_type and wanted not in families(str(stated)):
            yield f"{place.where}.mediaType", str(stated)


def _mixed(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """Descriptors of one family in a document of the other; ``value``: only in those of one."""
    for place in content.places():
        if place.parent is None or place.role == "subject":
            continue
        known, around = families(place.media_type), families(place.parent.media_type)
        if value is not None and Family(value) not in around:
            continue
        if known and around and not known & around:
            yield f"{place.where}.mediaType", place.media_type


def _index(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    for place in content.places():
        if place.kind is Kind.INDEX and place.parent is None:
            yield place.where, "an index"


def _nested_index(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    for place in content.places():
        if place.kind is Kind.INDEX and place.parent is not None and place.role == "manifests":
            yield place.where, "an index inside an index"


def _compression(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """Layers that are compressed in another way than those of ``value``."""
    wanted = {Compression(name) for name in value}
    for place in _layers(content):
        found = content.packed.get(place.digest) or _stated(place)
        if found is not None and found not in wanted:
            yield place.where, f"a layer in {found.value}"


def _label(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """Layers whose media type says another compression than their bytes.

    ``value``: of these media types only, where others are looked into.
    """
    for place in _layers(content):
        if value is not None and place.media_type not in value:
            continue
        found, stated = content.packed.get(place.digest), _stated(place)
        if found is not None and stated is not None and found is not stated:
            yield f"{place.where}.mediaType", f"{stated.value}, and its bytes are {found.value}"


def _stated(place: Place) -> Compression | None:
    meaning = look_up(place.media_type)
    return None if meaning is None else meaning.cell.compression


def _layers(content: Content) -> Iterator[Place]:
    for place in content.places():
        meaning = look_up(place.media_type)
        if place.role == "layers" and meaning is not None and meaning.cell.kind is Kind.LAYER:
            yield place


def _members(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    """Members that the OCI specification does not have."""
    for place in content.places():
        yield from _strange(place.where, place.entry, _DESCRIPTOR)
        platform = place.entry.get("platform")
        if isinstance(platform, dict):
            yield from _strange(f"{place.where}.platform", platform, _PLATFORM)
        if place.document is not None:
            yield from _strange(place.where, place.document, _OCI)


def _strange(where: str, value: Mapping[str, Any], known: set[str]) -> Iterator[tuple[str, str]]:
    yield from (
        (f"{where}.{name}", "a member that it does not know") for name in value.keys() - known
    )


def _no_media_type(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """Documents without ``mediaType``: all of them, or those of the types ``value``."""
    for place in content.places():
        if place.document is None or "mediaType" in place.document:
            continue
        if value is None or place.media_type in value:
            yield place.where, "no mediaType"


def _media_type(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """What is of one of the types ``value``."""
    for place in content.places():
        if place.role != "subject" and place.media_type in value:
            yield f"{place.where}.mediaType", place.media_type


def _digest(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """Digests of other algorithms than those of ``value``."""
    for place in content.places():
        algorithm = content.algorithms.get(place.digest, place.digest.partition(":")[0])
        if place.role != "subject" and algorithm not in value:
            yield f"{place.where}.digest", f"a digest of {algorithm}"


def _encrypted(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    for place in _layers(content):
        meaning = look_up(place.media_type)
        if meaning is not None and meaning.cell.encrypted:
            yield place.where, "an encrypted layer"


def _parameters(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    for place in content.places():
        if ";" in place.media_type:
            yield f"{place.where}.mediaType", place.media_type


def _subject(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    for place in content.places():
        if place.document is not None and "subject" in place.document:
            yield f"{place.where}.subject", "a subject"


def _data(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    for place in content.places():
        if "data" in place.entry:
            yield f"{place.where}.data", "embedded data"


def _artifact_type(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    """Members that came with OCI 1.1."""
    for place in content.places():
        if place.document is not None and "artifactType" in place.document:
            yield f"{place.where}.artifactType", "an artifactType"
        if "artifactType" in place.entry:
            yield f"{place.where}.artifactType", "an artifactType"
        if place.media_type == _EMPTY:
            yield f"{place.where}.mediaType", _EMPTY


def _config(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """Configs of other types than those of images, and those that ``value`` allows."""
    for place in content.places():
        meaning = look_up(place.media_type)
        image = meaning is not None and meaning.cell.kind is Kind.CONFIG
        if place.role == "config" and not image and place.media_type not in (value or ()):
            yield f"{place.where}.mediaType", place.media_type


def _not_an_image(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    """Manifests without an index that are no images, and refer to none."""
    for place in content.places():
        above = place.parent
        if place.role == "config" and above is not None and above.role == "images":
            meaning = look_up(place.media_type)
            if meaning is None or meaning.cell.kind is not Kind.CONFIG:
                yield above.where, "an artifact, not an image"


def _layer_type(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """What stands for a layer of an image and is none; ``value``: only what is of these types."""
    for place in content.places():
        above = place.parent
        if place.role == "layers" and above is not None and above.role == "images":
            meaning = look_up(place.media_type)
            image = meaning is not None and meaning.cell.kind is Kind.LAYER
            if not image and (value is None or place.media_type in value):
                yield f"{place.where}.mediaType", place.media_type


def _mixed_config(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """Configs of another family than their manifest, which is one of ``value``."""
    for place in content.places():
        if place.role == "config" and place.parent is not None:
            known, around = families(place.media_type), families(place.parent.media_type)
            if known and Family(value) in around and not known & around:
                yield f"{place.where}.mediaType", place.media_type


def _attestation(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    for place in content.places():
        if place.role == "manifests" and place.attests:
            yield place.where, "an attestation"


def _annotations(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    """Annotations in documents of Docker."""
    for place in content.places():
        parent = place.parent or place
        if "annotations" in place.entry and Family.DOCKER in families(parent.media_type):
            yield f"{place.where}.annotations", "annotations"
        own = place.document or {}
        if "annotations" in own and Family.DOCKER in families(place.media_type):
            yield f"{place.where}.annotations", "annotations"


def _layer_count(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    for place in content.places():
        count = len((place.document or {}).get("layers") or ())
        if count > value:
            yield place.where, f"{count} layers"


def _layer_size(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """Layers of more bytes than ``value``."""
    for place in _layers(content):
        size = int(place.entry.get("size", 0))
        if size > value:
            yield place.where, f"a layer of {size} bytes"


def _document_size(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    for place in content.places():
        if place.raw is not None and len(place.raw) > value:
            yield place.where, f"{len(place.raw)} bytes"


def _schema1(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    yield from ((where, "a manifest of schema 1") for where in content.schema1)


def _foreign(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    """Foreign layers that are not there."""
    for place in content.places():
        meaning = look_up(place.media_type)
        foreign = meaning is not None and not meaning.cell.distributable
        if foreign and place.digest in content.absent:
            yield place.where, "a foreign layer that is not there"


def _urls(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    """Layers that are said to be elsewhere, too."""
    for place in content.places():
        if place.role == "layers" and place.entry.get("urls"):
            yield f"{place.where}.urls", "an address of a layer"


def _complete(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """Anything else that is not there; ``value``: only what is named so, as ``layers``."""
    for place in content.places():
        if place.role == "subject" or (value is not None and place.role not in value):
            continue
        meaning = look_up(place.media_type)
        foreign = meaning is not None and not meaning.cell.distributable
        if not foreign and place.digest in content.absent:
            yield place.where, "something that is not there"


def _platform(content: Content, value: Any) -> Iterator[tuple[str, str]]:
    """Entries for other systems than those of ``value``."""
    for place in content.places():
        platform = place.entry.get("platform")
        found = platform.get("os") if isinstance(platform, dict) else None
        if found is not None and found not in value and not place.attests:
            yield f"{place.where}.platform", f"an image for {found}"


def _no_platform(content: Content, _: Any) -> Iterator[tuple[str, str]]:
    for place in content.places():
        if place.role == "manifests" and not place.entry.get("platform"):
            yield place.where, "an entry without a platform"


RULES: Final[Mapping[str, Finder]] = {
    "family": _family,
    "mixed-families": _mixed,
    "index": _index,
    "nested-index": _nested_index,
    "compression": _compression,
    "wrong-label": _label,
    "unknown-members": _members,
    "no-media-type": _no_media_type,
    "media-type": _media_type,
    "digest": _digest,
    "encrypted": _encrypted,
    "parameters": _parameters,
    "subject": _subject,
    "data": _data,
    "oci-1.1": _artifact_type,
    "config-type": _config,
    "mixed-config": _mixed_config,
    "not-an-image": _not_an_image,
    "layer-type": _layer_type,
    "attestation": _attestation,
    "docker-annotations": _annotations,
    "layers": _layer_count,
    "layer-size": _layer_size,
    "document-size": _document_size,
    "schema1": _schema1,
    "absent-foreign": _foreign,
    "urls": _urls,
    "absent": _complete,
    "platform": _platform,
    "no-platform": _no_platform,
}
"""What a rule of a profile may look for."""
