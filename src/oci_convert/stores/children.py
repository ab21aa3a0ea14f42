"""What an index of a store lists, as an image of its own: chosen by its digest."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from oci_convert.documents.document import Document, Role, read_document
from oci_convert.errors import DocumentError, OciConvertError
from oci_convert.limits import limits
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Kind, look_up
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import unpinned
from oci_convert.stores.base import Root, Source

__all__ = ["child_root"]


def child_root(source: Source, ref: str) -> Root | None:
    """The image that a digest names, if an index of the store lists it, however deep.

    It has no name, but the platform that the index gives it. An index that cannot be read is passed
    over: whoever wants it will be told.
    """
    try:
        wanted = Digest(unpinned(ref)[1] or ref.removeprefix("@"))
    except DocumentError:
        return None
    waiting = deque(root.descriptor for root in source.roots())
    seen: set[str] = set()
    while waiting and len(seen) < limits().nodes:
        descriptor = waiting.popleft()
        document = None if descriptor.digest in seen else _index(source, descriptor)
        seen.add(descriptor.digest)
        for slot in () if document is None else document.slots:
            if slot.role is Role.ENTRY:
                if slot.descriptor.digest == wanted:
                    return Root(slot.descriptor.model_copy(update={"annotations": None}))
                waiting.append(slot.descriptor)
    return None


def _index(source: Source, descriptor: Descriptor) -> Document | None:
    meaning = look_up(descriptor.media_type)
    if meaning is None or meaning.cell.kind is not Kind.INDEX:
        return None
    if descriptor.size > limits().document_size:
        return None
    with suppress(OciConvertError, OSError):
        raw = b"".join(source.read(descriptor, source.label))
        return read_document(raw, descriptor.media_type)
    return None
