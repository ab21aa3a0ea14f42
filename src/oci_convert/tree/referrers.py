"""Companions of an image: what speaks of it without being part of it.

Referrers (documents with a ``subject``, image-spec ``manifest.md``), the referrers tag schema
(``sha256-<hex>``, distribution-spec), cosign's tags (``sha256-<hex>.sig`` and the like) and the
``signature-N`` files of ``dir:`` directories. They are found here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from oci_convert.documents.document import Document, Role, read_document
from oci_convert.errors import OciConvertError
from oci_convert.limits import limits
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Kind, look_up
from oci_convert.spec.names import REF_NAME
from oci_convert.stores.base import Root, Source
from oci_convert.tree.reader import Node

__all__ = ["Companion", "Sorted", "Spoken", "companions_of", "sort_out", "tag_of"]

_TAG: Final = re.compile(r"(?P<algorithm>sha256|sha512)-(?P<hex>[0-9a-f]{64,128})(?P<kind>\.\w+)?")
_SIGNATURE: Final = re.compile(
    r"application/vnd\.dev\.(?:sigstore|cosign)\..+"
    r"|application/vnd\.cncf\.notary\..+"
    r"|application/vnd\.dsse\.envelope.*"
)
"""Types of signed statements: they speak of the digest that they were made for."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a root of a store says of another one."""

    subject: str
    """The digest that it speaks of."""
    signature: bool
    """Whether it is signed, so that nothing in it may be re-pointed."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A companion and its tree."""

    root: Root
    node: Node
    spoken: Spoken


def tag_of(root: Root) -> tuple[str, str] | None:
    """The digest in a tag such as ``sha256-<hex>.sig``, and what follows it: ``.sig``, if any."""
    match = _TAG.fullmatch(root.annotations.get(REF_NAME, ""))
    if match is None:
        return None
    return f"{match['algorithm']}:{match['hex']}", match["kind"] or ""


@dataclass
class Sorted:
    """The roots of a store, sorted by what they may be for each other."""

    images: list[Root] = field(default_factory=list)
    others: list[tuple[Root, Spoken]] = field(default_factory=list)
    """What speaks of something, which need not be there."""
    known: dict[Digest, bytes] = field(default_factory=dict)
    """The top documents, which were read for this and need not be read again."""


def sort_out(source: Source, roots: Sequence[Root]) -> Sorted:
    """Tell the images among ``roots`` from what may speak of them.

    Of each root only the top document is read; one that cannot be read is left to be found out by
    whoever wants it.
    """
    found = Sorted()
    for root in roots:
        spoken = _spoken(source, root, found.known)
        if spoken is None:
            found.images.append(root)
        else:
            found.others.append((root, spoken))
    return found


def companions_of(
    digests: set[str],
    others: list[tuple[Root, Spoken]],
    read: Callable[[Root, str], Node],
) -> tuple[list[Companion], list[tuple[Root, Spoken]]]:
    """What speaks of ``digests``, also in a chain, and what speaks of something else.

    ``read`` reads the tree of a root, under the place it is given. A companion stands behind what
    it speaks of.
    """
    found: list[Companion] = []
    known = set(digests)
    left = others
    while True:
        near = [(root, spoken) for root, spoken in left if spoken.subject in known]
        left = [(root, spoken) for root, spoken in left if spoken.subject not in known]
        if not near:
            return found, left
        for root, spoken in near:
            word = "signatures" if spoken.signature else "referrers"
            count = sum(companion.spoken.signature is spoken.signature for companion in found)
            node = read(root, f"{word}[{count}]")
            found.append(Companion(root, node, spoken))
            known |= {below.descriptor.digest for below in node.walk() if below.document}


def _spoken(source: Source, root: Root, known: dict[Digest, bytes]) -> Spoken | None:
    """What a root says of another one, by its tag or by its ``subject``."""
    tag = tag_of(root)
    if tag is not None and tag[1]:
        return Spoken(tag[0], signature=True)
    document = _top(source, root, known)
    if document is None:
        return None
    for slot in document.slots:
        if slot.role is Role.SUBJECT:
            return Spoken(slot.descriptor.digest, signature=_is_signed(document))
    if tag is not None and document.kind is Kind.INDEX:
        return Spoken(tag[0], signature=False)
    return None


def _top(source: Source, root: Root, known: dict[Digest, bytes]) -> Document | None:
    """The top document of a root, unless it can have no subject or cannot be trusted."""
    descriptor = root.descriptor
    meaning = look_up(descriptor.media_type)
    if meaning is None or meaning.cell.kind not in (Kind.INDEX, Kind.MANIFEST):
        return None
    if root.built or descriptor.size > limits().document_size:
        return None
    try:
        raw = known[descriptor.name] = b"".join(source.read(descriptor, source.label))
        # Most documents have no subject, and reading them twice would double the work.
        if tag_of(root) is None and b"subject" not in raw and b"\\u" not in raw:
            return None
        return read_document(raw, descriptor.media_type)
    except (OciConvertError, OSError):
        return None


def _is_signed(document: Document) -> bool:
    return any(_SIGNATURE.fullmatch(media_type) for media_type in _types(document))


def _types(document: Document) -> Iterator[str]:
    """Every type by which a document says what it is about."""
    yield document.model.artifact_type or ""
    for slot in document.slots:
        if slot.role in (Role.CONFIG, Role.LAYER):
            yield slot.descriptor.media_type
