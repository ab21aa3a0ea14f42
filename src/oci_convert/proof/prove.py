"""Proving: whether an image is the faithful conversion of one that somebody signed.

A signature is for a digest, and a conversion changes digests. What it does not change is the
config of an image, and so the content of its layers: a chain of digests leads from what was signed
to every byte at hand. Its documents are trusted only by their digests, whatever their origin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from oci_convert.documents.document import Role
from oci_convert.errors import BlobError, UsageError
from oci_convert.progress import Progress
from oci_convert.proof.answer import Answer, Link, Proof
from oci_convert.proof.known_documents import known_documents
from oci_convert.proof.links import LinkCheck
from oci_convert.proof.matching import (
    Pair,
    Signed,
    Unknown,
    held_below,
    likeness,
    match,
    signed_below,
)
from oci_convert.proof.originals import ORIGINAL, Original, read_original
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression, Kind
from oci_convert.spec.names import called
from oci_convert.stores.base import Root, Source
from oci_convert.stores.opening import SourceLike, opened
from oci_convert.transform.document_edits import is_attestation, is_image
from oci_convert.tree.nodes import DocumentNode, Image, Tree, platform_or_none
from oci_convert.tree.reader import Faults, read_tree
from oci_convert.tree.referrers import sort_roots
from oci_convert.tree.walk import Visit

__all__ = ["prove"]


def prove(
    source: SourceLike,
    original: str | bytes,
    *,
    follow_links: bool = False,
    jobs: int | None = None,
    on_progress: Callable[[Progress], object] | None = None,
) -> Proof:
    """Find out whether an image is the faithful conversion of the one that ``original`` is.

    ``source`` is what :func:`convert` takes, and must mean one image. ``original`` is the digest
    that was signed (text), or the bytes of a file: the original manifest or index, or the record of
    the conversion. The digest of the answer is :attr:`Proof.original`: of a file it is computed,
    and the caller must compare it with the digest that was signed.

    Documents are compared first; only where they agree are the blobs read, each
    once, ``jobs`` at a time. ``follow_links`` is that of :func:`verify`. Raises :class:`UsageError`
    for several images or a text that is no digest, and other :class:`OciConvertError` for what
    cannot be read at all.
    """
    given = read_original(original)
    with opened(source, follow_links=follow_links) as (reference, store, roots):
        image = read_tree(store, [_one(store, roots)], faults=Faults.NOTE).images[0]
        run = _Run(store, Tree((image,)), image, given)
        answer, chain, reason = run.answer(jobs, on_progress)
        return Proof(str(reference), run.digest, answer, tuple(chain), reason)


def _one(source: Source, roots: Sequence[Root]) -> Root:
    """The one image of a source, without its referrers."""
    images = roots if len(roots) == 1 else sort_roots(source, roots).images
    distinct = {root.descriptor.digest: root for root in images}
    if len(distinct) != 1:
        names = ", ".join(called(root.annotations) or "(unnamed)" for root in images)
        if not images:
            raise source.empty()
        raise UsageError(
            f"there are {len(distinct)} images; only one can be proved",
            code="several-images",
            store=source.label,
            remedy=f"choose one of {names}",
        )
    return images[0]


_Answer = tuple[Answer, list[Link], str]


@dataclass
class _Run:
    source: Source
    tree: Tree
    image: Image
    given: Original

    def __post_init__(self) -> None:
        node = self.image.node
        known = self.given.olds.get(node.old.digest)
        self.digest: str | None = known if self.given.digest is None else self.given.digest
        self.held = held_below(node, self.image.root.descriptor)

    def answer(self, jobs: int | None, on_progress: Callable[[Progress], object] | None) -> _Answer:
        """The answer, its chain, and its reason."""
        if self.digest is None:
            return self._unrecorded()
        signed = signed_below(
            self.digest, known_documents(self.tree, self.given, self.digest), "original"
        )
        alone = len(signed) == 1 and signed[0].entry is None
        if alone and signed[0].document is None and not self._is_at_hand(signed[0]):
            return self._unknown(self.digest)
        origin = Link("original", ORIGINAL, self.digest, self.digest, ok=True, note=self._how())
        matches = [self._likest(signed[0])] if alone and self.held else self.held
        found = [match(held, signed) for held in matches]
        pairs = [pair for pair in found if isinstance(pair, Pair)]
        if len(pairs) < len(found) or any(isinstance(pair, Unknown) for pair in pairs):
            return _apart(origin, found)
        if signed and not any(pair.held.node.present for pair in pairs):
            return _broken([origin, self._nothing(signed[0])])
        check = LinkCheck(self.source, pairs, self.image.root.built, jobs, on_progress)
        chain = [origin, *check.run(), *_left_out(signed, pairs)]
        if not all(link.ok for link in chain):
            return _broken(chain)
        return Answer.PROVED, chain, self._remark(pairs, alone=alone)

    def _nothing(self, signed: Signed) -> Link:
        note = "no image of the original is present"
        return Link("manifest", self.image.node.where, signed.digest, None, ok=False, note=note)

    def _is_at_hand(self, signed: Signed) -> bool:
        """Whether it is something at hand that is no manifest, or cannot be read as one."""
        return any(held.node.old.digest == signed.digest for held in self.held)

    def _likest(self, signed: Signed) -> Visit:
        """The image at hand that a signed manifest is most likely to be."""
        return max(self.held, key=lambda held: likeness(signed, held))

    def _how(self) -> str:
        """Where the digest of the original comes from."""
        if self.given.digest is None:
            return "from the record"
        if self.given.documents:
            return "as given"
        at_hand = any(node.old.digest == self.digest for node in self.tree.nodes())
        return "unchanged" if at_hand else "converting back gives it"

    def _remark(self, pairs: Sequence[Pair], *, alone: bool) -> str:
        """What a proof leaves open."""
        others = len(self.held) - len(pairs)
        if alone and others:
            held = pairs[0].held
            platform = platform_or_none(held.node, held.entry)
            named = held.where if platform is None else f"{held.where} ({platform})"
            return f"only {named} is proved, not the other images of its index"
        return ""

    # -- what is not known ------------------------------------------------------------------

    def _unrecorded(self) -> _Answer:
        digest = self.image.node.old.digest
        note = "this image is not in the record"
        link = Link("original", ORIGINAL, None, digest, ok=False, note=note)
        reason = f"the record has no {digest}; give the record of its conversion, or the original"
        return Answer.NOT_PROVED, [link], reason

    def _unknown(self, digest: str) -> _Answer:
        """Converting back does not give the original; the image may show whether it could."""
        claimed = self.given.claimed.get(digest)
        if claimed is not None:
            return _forged(digest, claimed)
        node = self.image.node
        if node.faults:
            note = node.faults[0].message
            return _broken(
                [Link("manifest", node.where, None, node.old.digest, ok=False, note=note)]
            )
        doubt = next(_doubts(self.image), None)
        note = "converting back does not give it"
        link = Link("original", ORIGINAL, digest, None, ok=False, note=note)
        if doubt is not None:
            reason = f"not decidable from a digest alone: {doubt}; give the original document"
            return Answer.NOT_DECIDABLE, [link], reason
        reason = (
            "converting back does not give this digest: it is another image, or its conversion "
            "dropped or recompressed something; give the original document to find out"
        )
        return Answer.NOT_PROVED, [link], reason


def _forged(digest: str, claimed: bytes) -> _Answer:
    try:
        found = str(Digest.of(claimed, Digest(digest).algorithm))
    except BlobError as error:
        found = error.message
    note = "the document in the record does not have its digest"
    return Answer.NOT_PROVED, [Link("original", ORIGINAL, digest, found, ok=False, note=note)], note


def _doubts(image: Image) -> Iterator[str]:
    """Reasons why converting an image back cannot give its original."""
    if image.root.built:
        yield "the archive has no manifest, and its layers are not those of a registry"
    for node in image.node.nodes():
        if (
            node.kind in (Kind.INDEX, Kind.MANIFEST)
            and not node.present
            and node.role is not Role.SUBJECT
        ):
            yield f"{node.where} is absent"
        if not isinstance(node, DocumentNode) or not is_image(node.document):
            continue
        for layer in node.layers():
            if layer.kind is Kind.LAYER and layer.compression not in (None, Compression.GZIP):
                yield f"{layer.where} is {layer.compression.label} and may have been recompressed"


# -- the end of the chain -----------------------------------------------------------------------


def _told(found: Pair | Link) -> Link:
    """The link of a match before any blob is read."""
    if isinstance(found, Link):
        return found
    held, signed = found.held, found.signed
    unknown = isinstance(found, Unknown)
    note = "its original is not known" if unknown else ""
    return Link(
        "manifest", held.where, signed.digest, held.node.old.digest, ok=not unknown, note=note
    )


def _apart(origin: Link, found: Sequence[Pair | Link]) -> _Answer:
    """The answer where the documents do not agree, or are not all known."""
    if any(isinstance(one, Link) for one in found):
        # An unknown original is not an error: it is left out if a link is broken.
        return _broken([origin, *(_told(one) for one in found if not isinstance(one, Unknown))])
    unknown = next(one for one in found if isinstance(one, Unknown))
    reason = (
        f"converting back does not give {unknown.signed.digest}; give its document, or the record "
        "of the conversion"
    )
    return Answer.NOT_DECIDABLE, [origin, *map(_told, found)], reason


def _broken(chain: list[Link]) -> _Answer:
    """The answer where a link is broken, and what the first one says."""
    link = next(link for link in chain if not link.ok)
    expected, found = link.expected or "none", link.found or "none"
    note = f": {link.note}" if link.note else ""
    return Answer.NOT_PROVED, chain, f"{link.where}: expected {expected}, found {found}{note}"


def _left_out(signed: Sequence[Signed], pairs: Sequence[Pair]) -> Iterator[Link]:
    """What the original lists and the image at hand does not hold."""
    used = {id(pair.signed) for pair in pairs}
    for one in signed:
        if id(one) not in used:
            attestation = one.entry is not None and is_attestation(one.entry)
            platform = None if one.entry is None else one.entry.platform
            note = "attestation" if attestation else f"{platform or 'no platform'}"
            yield Link("left-out", one.where, one.digest, None, ok=True, note=note)
