"""Referrers of an image: what refers to it without being part of it.

Referrers (documents with a ``subject``, image-spec ``manifest.md``), the referrers tag schema
(``sha256-<hex>``, distribution-spec), cosign's tags (``sha256-<hex>.sig`` and the like) and the
``signature-N`` files of ``dir:`` directories. They are found here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from oci_convert.documents.document import Document, Role, read_document
from oci_convert.documents.opaque import begins_object
from oci_convert.errors import OciConvertError, overlook
from oci_convert.limits import limits
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Kind, document_type
from oci_convert.spec.names import REF_NAME, called
from oci_convert.stores.base import Root, Source
from oci_convert.transform.document_edits import is_loadable
from oci_convert.tree.nodes import DocumentNode, Node, Tree
from oci_convert.tree.reader import Faults, read_node, read_tree

__all__ = [
    "Referrer",
    "SortedRoots",
    "Subject",
    "read_images",
    "referrers_of",
    "sort_roots",
    "subject_tag",
]

_TAG: Final = re.compile(r"(?P<algorithm>sha256|sha512)-(?P<hex>[0-9a-f]{64,128})(?P<kind>\.\w+)?")
_SIGNATURE: Final = re.compile(
    r"application/vnd\.dev\.(?:sigstore|cosign)\..+"
    r"|application/vnd\.cncf\.notary\..+"
    r"|application/vnd\.dsse\.envelope.*"
)
"""Types of signed statements: they speak of the digest that they were made for."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a root of a store refers to."""

    digest: str
    signed: bool
    """Whether the referrer is a signature or signed, so that nothing in it may be re-pointed."""


@dataclass(frozen=True, slots=True)
class Referrer:
    """A referrer, its tree, and what it refers to."""

    root: Root
    node: Node
    subject: Subject


def subject_tag(root: Root) -> tuple[str, str] | None:
    """The digest in a tag such as ``sha256-<hex>.sig``, and what follows it: ``.sig``, if any."""
    match = _TAG.fullmatch(root.annotations.get(REF_NAME, ""))
    if match is None:
        return None
    return f"{match['algorithm']}:{match['hex']}", match["kind"] or ""


@dataclass
class SortedRoots:
    """The roots of a store, sorted by what they may be for each other.

    An image that has a name of its own is one of the images, also if it has a ``subject``.
    """

    images: list[Root] = field(default_factory=list)
    referrers: list[tuple[Root, Subject]] = field(default_factory=list)
    """What refers to something, which need not be there."""
    known: dict[Digest, bytes] = field(default_factory=dict)
    """The documents of the roots, which were read for this and need not be read again."""


def sort_roots(source: Source, roots: Sequence[Root]) -> SortedRoots:
    """Tell the images among ``roots`` from what may refer to them.

    Of each root only its own document is read; one that cannot be read is left to be found out by
    whoever wants it.
    """
    found = SortedRoots()
    for root in roots:
        subject = _subject(source, root, found.known)
        if subject is None:
            found.images.append(root)
        else:
            found.referrers.append((root, subject))
    return found


def referrers_of(
    digests: set[str],
    candidates: list[tuple[Root, Subject]],
    read: Callable[[Root, str], Node],
) -> tuple[list[Referrer], list[tuple[Root, Subject]]]:
    """What refers to ``digests``, also in a chain, and what refers to something else.

    ``read`` reads the tree of a root, under the place it is given. A referrer stands behind what it
    refers to.
    """
    found: list[Referrer] = []
    known = set(digests)
    left = candidates
    while True:
        near = [(root, subject) for root, subject in left if subject.digest in known]
        left = [(root, subject) for root, subject in left if subject.digest not in known]
        if not near:
            return found, left
        for root, subject in near:
            word = "signatures" if subject.signed else "referrers"
            count = sum(referrer.subject.signed is subject.signed for referrer in found)
            node = read(root, f"{word}[{count}]")
            found.append(Referrer(root, node, subject))
            below = (one for one in node.nodes() if isinstance(one, DocumentNode))
            known |= {one.descriptor.digest for one in below}


def read_images(
    source: Source, roots: Sequence[Root], faults: Faults
) -> tuple[Tree, list[Referrer]]:
    """The trees of the images that ``roots`` mean, and what refers to them.

    ``roots`` are all of the source, or those that were asked for. What refers to nothing that is
    here is an image of its own, if nobody asked for others. ``faults`` says
    what is done about them.
    """
    everything = source.roots()
    named = len(roots) < len(everything)
    found = sort_roots(source, [root for root in everything if not named or root not in roots])
    tops = list(roots) if named else found.images
    tree = read_tree(source, tops, known=found.known, faults=faults)
    digests: set[str] = {node.descriptor.digest for node in tree.documents()}
    read = partial(read_node, source, found.known, faults=faults)
    referrers, others = referrers_of(digests, found.referrers, read)
    if not named and others:
        rest = [root for root, _ in others]
        alone = read_tree(source, rest, first=len(tops), known=found.known, faults=faults)
        tree = replace(tree, images=(*tree.images, *alone.images))
    return tree, referrers


def _subject(source: Source, root: Root, known: dict[Digest, bytes]) -> Subject | None:
    """What a root refers to, by its tag or by its ``subject``."""
    tag = subject_tag(root)
    if tag is not None and tag[1]:
        return Subject(tag[0], signed=True)
    document = _root_document(source, root, known)
    if document is None:
        return None
    if tag is None and called(root.annotations) is not None and _is_image(document):
        return None  # whatever it refers to, people ask for it by its own name
    for slot in document.slots:
        if slot.role is Role.SUBJECT:
            return Subject(slot.descriptor.digest, signed=_is_signed(document))
    if tag is not None and document.kind is Kind.INDEX:
        return Subject(tag[0], signed=False)
    return None


def _root_document(source: Source, root: Root, known: dict[Digest, bytes]) -> Document | None:
    """The document of a root, unless it can have no subject or cannot be trusted."""
    descriptor = root.descriptor
    if root.built or descriptor.size > limits().document_size:
        return None
    try:
        vouched = document_type(descriptor.media_type) is not None
        if not (vouched or begins_object(source.head(descriptor))):
            return None
        raw = known[descriptor.name] = b"".join(source.read(descriptor, source.label))
        # Most documents have no subject, and reading them twice would double the work.
        if subject_tag(root) is None and b"subject" not in raw and b"\\u" not in raw:
            return None
        # Whether its faults can be read over is for its reader to say.
        return read_document(raw, descriptor.media_type, settle=overlook)
    except (OciConvertError, OSError):
        return None


def _is_image(document: Document) -> bool:
    """Whether somebody may run it, or one of what it lists: no artifact, and no signature."""
    return document.kind is Kind.INDEX or is_loadable(document)


def _is_signed(document: Document) -> bool:
    return any(_SIGNATURE.fullmatch(media_type) for media_type in _types(document))


def _types(document: Document) -> Iterator[str]:
    """Every type by which a document says what it is about."""
    yield document.model.artifact_type or ""
    for slot in document.slots:
        if slot.role in (Role.CONFIG, Role.LAYER):
            yield slot.descriptor.media_type
