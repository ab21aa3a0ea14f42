"""What a document is: by its descriptor, else by its own ``mediaType``, else by its shape.

A media type that only its case or parameters keep from being a known one is that one. A descriptor
whose media type is empty, generic or unknown leaves the word to the document: a manifest that
nobody recognises would be carried without its layers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from oci_convert.documents.strict_json import Object
from oci_convert.errors import DocumentError
from oci_convert.spec.media_types import (
    SCHEMA1,
    SCHEMA1_SIGNED,
    Cell,
    Family,
    Kind,
    document_type,
    families,
    meant,
    name_of,
)

__all__ = ["Identity", "identify", "misspelled", "resembles_document"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a document is."""

    media_type: str
    """The media type that it has in the table."""
    fault: tuple[str, str] | None = None
    """What is wrong with the names it goes by: the code of a finding, and its message."""


_PARTICULAR: Final = re.compile(r"[a-z]+/(?:vnd|prs|x)\.[a-z0-9][a-z0-9!#$&^_.+-]*", re.IGNORECASE)
"""Media types of the vendor, personal and private trees of RFC 6838."""
_REMEDY: Final = "one of them is wrong; fetch the image again, or ask its producer to fix it"


def identify(root: Object, described: str | None, where: str) -> Identity | None:
    """What ``root`` is, which its descriptor calls ``described``; ``None`` if it is no document.

    Raises :class:`DocumentError` (``contradictory-media-type``) where descriptor and body exclude
    each other.
    """
    stated = _stated(root, where)
    own = None if stated is None else document_type(stated)
    listed = None if described is None else document_type(described)
    itself, listing = f"the media type is {stated}", f"the descriptor says {described}"
    if listed is not None:
        if stated is not None and own != listed:
            raise _contradiction(itself, listing, where)
        return Identity(listed, misspelled(described, stated))
    elsewhere = described is not None and meant(described) is not None
    if own is not None:
        if elsewhere:
            raise _contradiction(itself, listing, where)
        return Identity(own, _unlisted(own, described, stated))
    if described is None:
        shape = _shape(root) if stated is None else None
        return None if shape is None else Identity(shape)
    if not resembles_document(root.value) or (stated is not None and _is_particular(stated)):
        return None
    shape = _shape(root)
    if shape is None or stated is not None or elsewhere:
        shaped = f"the document has the fields of {shape or 'another one'}"
        raise _contradiction(listing if stated is None else itself, shaped, where)
    return Identity(shape, _unlisted(shape, described, None))


def resembles_document(value: Mapping[str, Any]) -> bool:
    """Whether the members of a JSON object are those of a manifest or an index.

    In any case, as Go reads ``Manifests`` as ``manifests``. An image config has a ``config``, too,
    but that is no descriptor.
    """
    members = {name.casefold(): member for name, member in value.items()}
    listed, config = members.get("manifests"), members.get("config")
    if isinstance(listed, list):
        return not listed or any(map(_has_digest, listed))
    return isinstance(members.get("fslayers"), list) or _has_digest(config)


def _has_digest(value: Any) -> bool:
    return isinstance(value, dict) and any(name.casefold() == "digest" for name in value)


def _is_particular(media_type: str) -> bool:
    """Whether somebody has given the media type to one kind of thing, here or elsewhere."""
    return meant(media_type) is not None or _PARTICULAR.fullmatch(media_type) is not None


def _stated(root: Object, where: str) -> str | None:
    """The own ``mediaType`` of a document; an empty one says nothing."""
    stated = root.value.get("mediaType") or None
    if stated is not None and not isinstance(stated, str):
        raise DocumentError("mediaType must be a string", code="invalid-document", where=where)
    return stated


def _shape(root: Object) -> str | None:
    """The media type of a document that states none, from its fields."""
    config = root.get("config")
    if "manifests" in root.members:
        return name_of(Cell(Kind.INDEX), Family.OCI)
    if isinstance(config, Object):
        docker = families(str(config.value.get("mediaType"))) == {Family.DOCKER}
        return name_of(Cell(Kind.MANIFEST), Family.DOCKER if docker else Family.OCI)
    if "fsLayers" in root.members:
        return SCHEMA1_SIGNED if "signatures" in root.members else SCHEMA1
    return None


def _contradiction(one: str, other: str, where: str) -> DocumentError:
    return DocumentError(
        f"{one}, but {other}",
        code="contradictory-media-type",
        where=where,
        remedy=_REMEDY,
    )


def misspelled(*spellings: str | None) -> tuple[str, str] | None:
    """The fault of names that mean a media type of the table and are spelled in another way."""
    for name in spellings:
        known = None if name is None else meant(name)
        if known is not None and known != name:
            message = f"the media type {name!r} is misspelled: read as {known}"
            return "misspelled-media-type", message
    return None


def _unlisted(media_type: str, described: str | None, stated: str | None) -> tuple[str, str] | None:
    """The fault of a descriptor, if there is one, that does not say what the document is."""
    if described is None:
        return misspelled(stated)
    by = "its mediaType" if stated else "its fields"
    said = f"says {described!r}" if described else "has no media type"
    return "mislabelled-document", f"the descriptor {said}; by {by}, this is {media_type}"
