"""A look at a blob that no media type vouches for: whether it is a document, and what it names.

Cheap where there is nothing to see: of what does not begin as a JSON object, only the head is read.
"""

from __future__ import annotations

from typing import NamedTuple

from oci_convert.documents.document import Slot
from oci_convert.documents.opaque import begins_object, look_inside, named_blobs
from oci_convert.errors import DocumentError, Settle
from oci_convert.limits import limits, raised_by
from oci_convert.spec.media_types import meant, names_blobs
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Source

__all__ = ["Look", "look_at", "refuse_large"]


class Look(NamedTuple):
    """What a blob is."""

    media_type: str | None = None
    """Its type in the table, if it is a manifest or an index."""
    named: tuple[Slot, ...] = ()
    """Else what it names and the store has."""
    remark: tuple[str, str] | None = None
    """What is worth telling of it: the code of a finding, and its message."""


def look_at(
    source: Source, descriptor: Descriptor, where: str, settle: Settle, *, listed: bool
) -> Look:
    """Look at a blob that is there; ``listed``: a manifest may stand in its place.

    ``settle`` is that of :func:`read_document`. Raises :class:`DocumentError` where nobody can tell
    what it is or names, and :class:`BlobError` for a blob that is not what its digest says.
    """
    if not (listed or names_blobs(descriptor.media_type)):
        return Look()
    if not begins_object(source.head(descriptor)):
        return Look(remark=_opaque(descriptor))
    refuse_large(descriptor, where)
    if listed:
        # Not verified yet: the digest of schema 1 is not that of its bytes.
        raw = b"".join(source.stream(descriptor))
        found = look_inside(raw, descriptor.media_type, where, settle)
        if found is not None:
            return Look(found.media_type, (), found.fault)
    named = named_blobs(b"".join(source.read(descriptor, where)), where)
    here = tuple(slot for slot in named if source.size_of(slot.descriptor.name) is not None)
    return Look(None, here, _opaque(descriptor, len(named), len(here)))


def refuse_large(descriptor: Descriptor, where: str) -> None:
    """Refuse what is too large to be a document."""
    if descriptor.size > limits().document_size:
        raise DocumentError(
            f"the document has {descriptor.size} bytes, more than the limit of "
            f"{limits().document_size}",
            code="document-too-large",
            where=where,
            remedy=raised_by("document_size"),
        )


def _opaque(descriptor: Descriptor, named: int = 0, here: int = 0) -> tuple[str, str] | None:
    """The remark on a blob that is no document, unless its media type says that it is a leaf."""
    if not named and meant(descriptor.media_type) is not None:
        return None
    message = f"{descriptor.digest} is neither a manifest nor an index"
    if named:
        message += f"; it names {named} {'blob' if named == 1 else 'blobs'}"
    if here < named:
        message += f", of which {here} {'is' if here == 1 else 'are'} here"
    return "opaque-blob", message
