"""Blobs that no media type vouches for: what they are, and which other blobs they name.

Whatever stands where a manifest may stand is looked into. If it is a manifest, it is read as one.
If it is not, but holds descriptors, then what these name belongs to it and travels with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pydantic import ValidationError

from oci_convert.documents.document import (
    DOCUMENT_MEMBERS,
    Role,
    Slot,
    read_object,
    settle_variants,
)
from oci_convert.documents.identity import Identity, identify, resembles_document
from oci_convert.documents.json_reader import Array, Object, Value
from oci_convert.errors import DocumentError, Settle, refuse
from oci_convert.spec.media_types import OCTET_STREAM
from oci_convert.spec.models import Descriptor

__all__ = ["begins_object", "look_inside", "named_blobs"]

_OBJECT: Final = re.compile(rb'(?:\xef\xbb\xbf)?[ \t\r\n]*\{[ \t\r\n]*["}]')
_NAMES: Final = (b"digest", b"fslayers", b"manifests", b"mediatype", b"\\u")
"""What at least one of stands in anything that names a blob, in lower case."""


def begins_object(head: bytes) -> bool:
    """Whether a blob that begins with ``head`` may be a JSON object."""
    return _OBJECT.match(head) is not None


def look_inside(raw: bytes, described: str, where: str, settle: Settle = refuse) -> Identity | None:
    """What ``raw`` is if it is a manifest or an index, whatever its descriptor calls it.

    ``settle`` is that of :func:`read_document`. Raises :class:`DocumentError` where that cannot be
    told: for what might name blobs and is no sound JSON, or can be read in two ways.
    """
    root = _object(raw, where, settle)
    if root is None:
        return None
    if resembles_document(root.value):
        settle_variants(root.value, DOCUMENT_MEMBERS, where, settle)
    elif not isinstance(root.value.get("mediaType", ""), str):
        return None
    return identify(root, described, where, settle)


def named_blobs(raw: bytes, where: str) -> tuple[Slot, ...]:
    """Every descriptor in a blob that is no document of a known kind, each once.

    A ``subject`` is no part of what speaks of it.
    """
    root = _object(raw, where)
    if root is None:
        return ()
    found: dict[tuple[str, str, int], Slot] = {}
    for value, descriptor in _descriptors(root, "subject"):
        key = (descriptor.media_type, descriptor.digest, descriptor.size)
        if key not in found:
            found[key] = Slot(Role.BLOB, len(found), descriptor, value)
    return tuple(found.values())


def _object(raw: bytes, where: str, settle: Settle = refuse) -> Object | None:
    if not begins_object(raw):
        return None
    try:
        return read_object(raw, where, settle=settle)[1]
    except DocumentError:
        lower = raw.lower()
        if any(name in lower for name in _NAMES):
            raise
        return None


def _descriptors(value: Value, without: str = "") -> Iterator[tuple[Object, Descriptor]]:
    if isinstance(value, Array):
        for item in value.items:
            yield from _descriptors(item)
    elif isinstance(value, Object):
        descriptor = _descriptor(value)
        if descriptor is not None:
            yield value, descriptor
        for name, member in value.members.items():
            if name != without:
                yield from _descriptors(member.value)


def _descriptor(value: Object) -> Descriptor | None:
    """The blob that an object describes, if it does: what counts is digest and size."""
    if "digest" not in value.value or "size" not in value.value:
        return None
    media_type = value.value.get("mediaType")
    try:
        return Descriptor(
            media_type=media_type if isinstance(media_type, str) else OCTET_STREAM,
            digest=value.value["digest"],
            size=value.value["size"],
        )
    except ValidationError:
        return None
