"""Referrers of an image: what refers to it without being part of it.

Referrers (documents with a ``subject``, image-spec ``manifest.md``), the referrers tag schema
(``sha256-<hex>``, distribution-spec), cosign's tags (``sha256-<hex>.sig`` and the like), entries
that an annotation ``kind`` gives to an image (``cosign save``, hauler), signatures that only their
layers tell, and ``signature-N`` files of ``dir:`` directories. They are found here alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, NamedTuple

from oci_convert.documents.document import Document, read_document
from oci_convert.documents.opaque import begins_object
from oci_convert.errors import OciConvertError, overlook
from oci_convert.findings import Finding
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Kind, document_type
from oci_convert.spec.names import called, pair, referrer_kind
from oci_convert.stores.base import Root, Source
from oci_convert.transform.document_edits import is_loadable
from oci_convert.tree.look import refuse_large
from oci_convert.tree.nodes import DocumentNode, Image, Node, Tree
from oci_convert.tree.reader import Faults, read_node, read_tree
from oci_convert.tree.signed import is_signed, may_be_signed, signed_digest, subject_of

__all__ = [
    "Referrer",
    "SortedRoots",
    "Subject",
    "cosign_tag",
    "own_name",
    "read_images",
    "referrers_of",
    "seek_referrers",
    "sort_roots",
    "subject_tag",
    "with_referrers",
]

_TAG: Final = re.compile(r"(?P<algorithm>sha256|sha512)-(?P<hex>[0-9a-f]{64,128})(?P<kind>\.\w+)?")
_SHA512: Final = len("sha512:") + 128
_SUFFIXES: Final = {"sigs": "sig", "atts": "att", "sboms": "sbom"}


class Subject(NamedTuple):
    """What a root of a store refers to."""

    digest: str | None
    """``None`` if nobody can say."""
    signed: bool
    """Whether the referrer is a signature or signed, so that nothing in it may be re-pointed."""


class Referrer(NamedTuple):
    """A referrer, its tree, and what it refers to."""

    root: Root
    node: Node
    subject: Subject

    @classmethod
    def read(
        cls, root: Root, subject: Subject, read: Callable[[Root, str], Node], numbers: Counter[str]
    ) -> Referrer:
        """Read its tree, under the next of the places that ``numbers`` counts."""
        word = "signatures" if subject.signed else "referrers"
        node = read(root, f"{word}[{numbers[word]}]")
        numbers[word] += 1
        return cls(root, node, subject)


def own_name(root: Root) -> str | None:
    """What a referrer is called, if that is not just what it refers to."""
    derived = subject_tag(root) is not None or referrer_kind(root.annotations) is not None
    return None if derived else called(root.annotations)


def cosign_tag(referrer: Referrer) -> str | None:
    """The tag that a registry needs for what only an annotation ``kind`` gives to an image."""
    suffix = _SUFFIXES.get(referrer_kind(referrer.root.annotations) or "")
    digest = referrer.subject.digest
    return None if suffix is None or digest is None else f"{digest.replace(':', '-', 1)}.{suffix}"


def subject_tag(root: Root) -> tuple[str, str] | None:
    """The digest in a tag such as ``sha256-<hex>.sig``, and what follows it: ``.sig``, if any.

    The tag may stand alone, or behind the repository that it is a tag of.
    """
    for name in filter(None, pair(root.annotations)):
        match = _TAG.fullmatch(name.rpartition(":")[2])
        if match is not None:
            return f"{match['algorithm']}:{match['hex']}", match["kind"] or ""
    return None


@dataclass(eq=False, repr=False)
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
    sorter = _Sorter(source, found.known)
    for root in roots:
        subject = sorter.subject(root)
        if subject is None:
            found.images.append(root)
        else:
            found.referrers.append((root, subject))
    return found


def seek_referrers(
    source: Source, tree: Tree, found: SortedRoots, faults: Faults = Faults.REFUSE
) -> tuple[Tree, list[tuple[Root, Subject]]]:
    """What refers to a tree, also in a chain, and is not among the roots of its source.

    With it comes the tree, with a remark on what is listed and not there: such lists go stale.
    Raises :class:`OciConvertError` for what cannot be read, unless ``faults`` are noted.
    """
    sorter = _Sorter(source, found.known, strict=True)
    places: dict[str | None, str] = {it.descriptor.digest: it.where for it in tree.documents()}
    seen = {root.descriptor.digest for root, _ in found.referrers}
    sought: list[tuple[Root, Subject]] = []
    unread: list[OciConvertError] = []
    dead: list[Finding] = []
    subjects = [node.descriptor for node in tree.documents()]
    while subjects:
        about, near = {subject.digest for subject in subjects}, len(sought)
        for listed_for, root in source.referrers(subjects):
            digest, where = root.descriptor.digest, places[listed_for]
            if digest in seen:
                continue
            try:
                subject = sorter.subject(root)
            except OciConvertError as error:
                if error.code == "blob-missing" and error.digest == digest:
                    message = f"{digest} is listed as a referrer, and is not there"
                    dead.append(Finding.of("missing-referrer", where, message))
                    continue
                message = f"the referrer {digest} cannot be read: {error.message}"
                if faults is not Faults.NOTE:
                    raise error.but(message=message) from None
                unread.append(error.but(store="", where=where, message=message))
                continue
            # A list may be wrong: what counts is what a referrer says itself.
            if subject is not None and subject.digest in about:
                sought.append((root, subject))
                places[digest] = places[subject.digest]
        subjects = [root.descriptor for root, _ in sought[near:]]
        seen |= {subject.digest for subject in subjects}
    remarks = tuple(dict.fromkeys((*tree.remarks, *dead)))
    return replace(tree, faults=(*tree.faults, *unread), remarks=remarks), sought


def referrers_of(
    digests: set[str],
    candidates: list[tuple[Root, Subject]],
    read: Callable[[Root, str], Node],
    numbers: Counter[str] | None = None,
) -> tuple[list[Referrer], list[tuple[Root, Subject]]]:
    """What refers to ``digests``, also in a chain, and what refers to something else.

    ``read`` reads the tree of a root, under the place it is given; ``numbers`` are the places that
    were given before. A referrer stands behind what it refers to.
    """
    numbers = Counter() if numbers is None else numbers
    found: list[Referrer] = []
    known = set(digests)
    left = candidates
    while True:
        near = [(root, subject) for root, subject in left if subject.digest in known]
        left = [(root, subject) for root, subject in left if subject.digest not in known]
        if not near:
            return found, left
        for root, subject in near:
            found.append(Referrer.read(root, subject, read, numbers))
            below = (one for one in found[-1].node.nodes() if isinstance(one, DocumentNode))
            known |= {one.descriptor.digest for one in below}


def read_images(
    source: Source, roots: Sequence[Root], faults: Faults
) -> tuple[Tree, list[Referrer]]:
    """The trees of the images that ``roots`` mean, and what refers to them.

    ``roots`` are all of the source, or those that were asked for. What refers to nothing that is
    here is an image of its own, if nobody asked for others. ``faults`` says
    what is done about them.
    """
    everything = list(source.roots())
    named = list(roots) != everything
    found = sort_roots(source, [root for root in everything if not named or root not in roots])
    tops = list(roots) if named else found.images
    beside = () if named else everything
    tree = read_tree(source, tops, known=found.known, faults=faults, beside=beside)
    tree, sought = seek_referrers(source, tree, found, faults)
    digests: set[str] = {node.descriptor.digest for node in tree.documents()}
    read = partial(read_node, source, found.known, faults=faults)
    referrers, others = referrers_of(digests, [*found.referrers, *sought], read)
    if not named and others:
        rest = [root for root, _ in others]
        alone = read_tree(source, rest, first=len(tops), known=found.known, faults=faults)
        tree = replace(tree, images=(*tree.images, *alone.images))
    return tree, referrers


def with_referrers(tree: Tree, referrers: Iterable[Referrer]) -> Tree:
    """The same tree, with what refers to its images as images behind them."""
    beside = (Image(referrer.root, referrer.node) for referrer in referrers)
    return replace(tree, images=(*tree.images, *beside))


class _Sorter:
    """Says what the roots of a store refer to, by all that they tell.

    ``strict``: they were listed as referrers, and what cannot be read of them is an error. Else it
    may be an image as well, of which nobody is sure to ask.
    """

    def __init__(self, source: Source, known: dict[Digest, bytes], *, strict: bool = False) -> None:
        self._source = source
        self._known = known
        self._strict = strict

    def subject(self, root: Root) -> Subject | None:
        """What a root refers to; ``None`` for an image."""
        kind, tag = referrer_kind(root.annotations), self._tagged(root)
        if kind is None and tag is not None and tag[1]:
            return Subject(tag[0], signed=True)
        document = self._document(root)
        if kind in ("sigs", "atts", "sboms"):
            return Subject(self._stated(document) or self._of_that_name(root), signed=True)
        own_name = tag is None and kind is None and called(root.annotations) is not None
        if document is None or (own_name and _is_image(document)):
            return None  # whatever it refers to, people ask for it by its own name
        return self._of_document(document, None if tag is None else tag[0])

    def _tagged(self, root: Root) -> tuple[str, str] | None:
        """:func:`subject_tag`, with the whole digest of an image here where the tag has no room."""
        tag = subject_tag(root)
        if tag is None or not tag[0].startswith("sha512:") or len(tag[0]) == _SHA512:
            return tag
        roots = (other.descriptor.digest for other in self._source.roots())
        return next((digest for digest in roots if digest.startswith(tag[0])), tag[0]), tag[1]

    def _of_document(self, document: Document, tagged: str | None) -> Subject | None:
        stated, signed = self._stated(document), is_signed(document)
        if stated is not None or (signed and document.kind is Kind.MANIFEST):
            return Subject(stated, signed=signed)
        if tagged is not None and document.kind is Kind.INDEX:
            return Subject(tagged, signed=False)
        return None

    def _stated(self, document: Document | None) -> str | None:
        """What a document says that it refers to: by its ``subject``, or in what was signed."""
        if document is None:
            return None
        stated = subject_of(document)
        if stated is None and is_signed(document):
            return signed_digest(self._source, document, strict=self._strict)
        return stated

    def _of_that_name(self, root: Root) -> str | None:
        """The image that has the name of a referrer; without names, the only one that there is."""
        names = pair(root.annotations)
        others = self._source.roots()
        images = {
            other.descriptor.digest: None
            for other in others
            if referrer_kind(other.annotations) is None
            and subject_tag(other) is None
            and pair(other.annotations) == names
        }
        return next(iter(images)) if len(images) == 1 else None

    def _document(self, root: Root) -> Document | None:
        """The document of a root, unless it can have no subject or cannot be trusted."""
        descriptor = root.descriptor
        where = f"{self._source.label}@{descriptor.digest}"
        if root.built:
            return None
        try:
            refuse_large(descriptor, where)
            vouched = document_type(descriptor.media_type) is not None
            if not (vouched or begins_object(self._source.head(descriptor))):
                return None
            raw = b"".join(self._source.read(descriptor, where))
            self._known[descriptor.name] = raw
            # Most documents have no subject, and reading them twice would double the work.
            tells = b"subject" in raw or b"\\u" in raw or may_be_signed(raw)
            if not tells and subject_tag(root) is None:
                return None
            # Whether its faults can be read over is for its reader to say.
            return read_document(raw, descriptor.media_type, where, settle=overlook)
        except (OciConvertError, OSError):
            if self._strict:
                raise
            return None


def _is_image(document: Document) -> bool:
    """Whether somebody may run it, or one of what it lists: no artifact, and no signature."""
    return not is_signed(document) and (document.kind is Kind.INDEX or is_loadable(document))
