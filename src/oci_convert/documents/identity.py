"""What a document is: by its descriptor, else by its own ``mediaType``, else by its shape.

A media type that only its case or parameters keep from being a known one is that one. A descriptor
whose media type is empty, generic or unknown leaves the word to the document: a manifest that
nobody recognises would be carried without its layers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from oci_convert.documents.json_reader import Array, Object, Value
from oci_convert.errors import DocumentError, Settle, refuse
from oci_convert.spec.media_types import (
    SCHEMA1,
    SCHEMA1_SIGNED,
    SPELLINGS,
    Cell,
    Family,
    Kind,
    document_type,
    families,
    meant,
    name_of,
)

__all__ = ["Identity", "identify", "misspelled", "resembles_document"]


class Identity(NamedTuple):
    """What a document is."""

    media_type: str
    """The media type that it has in the table."""
    fault: tuple[str, str] | None = None
    """What is wrong with the names it goes by: the code of a finding, and its message."""


_PARTICULAR: Final = r"(?i)[a-z]+/(?:vnd|prs|x)\.[a-z0-9][a-z0-9!#$&^_.+-]*"
"""Media types of the vendor, personal and private trees of RFC 6838."""
_REMEDY: Final = "one of them is wrong; fetch the image again, or ask its producer to fix it"


def identify(
    root: Object, described: str | None, where: str, settle: Settle = refuse
) -> Identity | None:
    """What ``root`` is, which its descriptor calls ``described``; ``None`` if it is no document.

    Where descriptor and body exclude each other (``contradictory-media-type``), the shape of the
    document and the types of what it names may decide which one is right: ``settle`` then says
    whether reading goes on. Raises :class:`DocumentError` where they do not.
    """
    stated = _stated(root, where, settle)
    own = None if stated is None else document_type(stated)
    listed = None if described is None else document_type(described)
    elsewhere = described is not None and meant(described) is not None
    if (stated is not None and own != listed) if listed else (own is not None and elsewhere):
        error = _contradiction(
            f"the media type is {stated}, but the descriptor says {described}",
            where,
            described,
            stated,
        )
        return _decided(root, (own, listed), error, settle)
    if listed is not None:
        shape = _shape(root) if stated is None else None
        if shape not in (None, SCHEMA1, SCHEMA1_SIGNED) and _lacks_fields(root, listed):
            error = _misshapen(described, stated, shape, where)
            return _decided(root, (shape, listed), error, settle)
        return Identity(listed, misspelled(described, stated))
    if own is not None:
        return Identity(own, _unlisted(own, described, stated))
    if described is None:
        shape = None if stated is not None else _shape(root)
        return None if shape is None else Identity(shape)
    return _by_shape(root, described, stated, where, settle)


def _by_shape(
    root: Object, described: str, stated: str | None, where: str, settle: Settle
) -> Identity | None:
    """What ``root`` is if neither its descriptor nor its own name is that of a document."""
    if not resembles_document(root.value) or (stated is not None and _is_particular(stated)):
        return None
    shape = _shape(root)
    if shape is not None and stated is None and meant(described) is None:
        return Identity(shape, _unlisted(shape, described, None))
    error = _misshapen(described, stated, shape, where)
    return _decided(root, (shape,), error, settle)


def _lacks_fields(root: Object, media_type: str) -> bool:
    """Whether a document has none of the fields that one of this type must have."""
    is_index = SPELLINGS[media_type].cell.kind is Kind.INDEX
    own = ("manifests",) if is_index else ("config", "layers")
    return not any(name in root.value for name in own)


def _decided(
    root: Object, claims: tuple[str | None, ...], error: DocumentError, settle: Settle
) -> Identity:
    """The one of contradicting ``claims`` that fits the document: by its shape, else by the types
    of what it names.
    """
    kind = Kind.INDEX if "manifests" in root.value else Kind.MANIFEST
    known = {claim for claim in claims if claim is not None}
    fitting = {claim for claim in known if SPELLINGS[claim].cell.kind is kind}
    if len(fitting) > 1:
        agreed = _agreed(root, kind)
        fitting = {claim for claim in fitting if families(claim) & agreed}
    if len(fitting) != 1:
        raise error
    (right,) = fitting
    settle(error, f"its content is that of {right}")
    return Identity(right)


def _agreed(root: Object, kind: Kind) -> frozenset[Family]:
    """The families that know everything that a document names, as far as a table knows it."""
    member = root.get("manifests" if kind is Kind.INDEX else "layers")
    named = [root.get("config"), *(member.items if isinstance(member, Array) else ())]
    known = [found for found in map(_families_of, named) if found]
    # What names nothing that a table knows is an artifact, and Docker has only images.
    unknown = Family if kind is Kind.INDEX else (Family.OCI, Family.OCI_RC2)
    return frozenset.intersection(*known) if known else frozenset(unknown)


def _families_of(descriptor: Value | None) -> frozenset[Family]:
    """The families that know the media type of what a document names."""
    value = descriptor.value if isinstance(descriptor, Object) else {}
    return families(str(value.get("mediaType")))


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
    return meant(media_type) is not None or re.fullmatch(_PARTICULAR, media_type) is not None


def _stated(root: Object, where: str, settle: Settle) -> str | None:
    """The own ``mediaType`` of a document; an empty one says nothing."""
    stated = root.value.get("mediaType") or None
    if stated is not None and not isinstance(stated, str):
        error = DocumentError("mediaType must be a string", code="invalid-document", where=where)
        settle(error, "")
        return None
    return stated


def _shape(root: Object) -> str | None:
    """The media type of a document that states none, from its fields."""
    config = root.get("config")
    if "manifests" in root.value:
        return name_of(Cell(Kind.INDEX), Family.OCI)
    if isinstance(config, Object):
        docker = families(str(config.value.get("mediaType"))) == {Family.DOCKER}
        return name_of(Cell(Kind.MANIFEST), Family.DOCKER if docker else Family.OCI)
    if "fsLayers" in root.value:
        return SCHEMA1_SIGNED if "signatures" in root.value else SCHEMA1
    return None


def _misshapen(
    described: str | None, stated: str | None, shape: str | None, where: str
) -> DocumentError:
    named = f"the descriptor says {described}" if stated is None else f"the media type is {stated}"
    message = f"{named}, but the document has the fields of {shape or 'another one'}"
    return _contradiction(message, where, stated or described, shape)


def _contradiction(
    message: str, where: str, expected: str | None, actual: str | None
) -> DocumentError:
    return DocumentError(
        message,
        code="contradictory-media-type",
        where=where,
        remedy=_REMEDY,
        expected=expected,
        actual=actual,
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
