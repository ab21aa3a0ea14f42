"""What a source holds: its trees, as facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, Literal

from pydantic import Field, PlainSerializer

from oci_convert.checks.blobs import glance
from oci_convert.documents.document import Role
from oci_convert.findings import Finding, told
from oci_convert.plain import Plain
from oci_convert.spec.digest import Digest
from oci_convert.spec.flawed import Flawed
from oci_convert.spec.media_types import Compression, Family, Kind, look_up, usual_families
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import called
from oci_convert.stores.base import Root, Source
from oci_convert.stores.opening import SourceLike, opened
from oci_convert.text.html import Html, drawn, short_digest, tag, tree
from oci_convert.text.words import bytes_of
from oci_convert.transform.document_edits import REFERENCE_DIGEST, is_attestation
from oci_convert.tree.nodes import DocumentNode, Image, Node, OpaqueNode, Tree, platform_or_none
from oci_convert.tree.reader import Faults
from oci_convert.tree.referrers import Referrer, own_name, read_images, with_referrers
from oci_convert.tree.walk import Visit, walk

__all__ = ["Inspected", "Inspection", "inspect", "inspected"]

_SHOWN: Final = frozenset(Role) - {Role.SUBJECT}


@dataclass(frozen=True, repr=False)
class Inspected(Plain):
    """A blob of an image, and what it names."""

    kind: Kind
    """What it is; an artifact is anything that is no part of an image."""
    where: str
    """Its path: ``images[0].layers[2]``."""
    media_type: Annotated[str, Field(alias="mediaType")]
    """Its media type."""
    digest: str
    """Its digest, as it is stated: of what is broken it may be none, or empty."""
    size: int
    """Its bytes."""
    family: Annotated[frozenset[Family], PlainSerializer(sorted, return_type=list[Family])]
    """The families that know its media type; empty if none does. Names that OCI and its 1.0.0-rc2
    share count as OCI's."""
    platform: str | None
    """``OS/ARCH[/VARIANT]`` of an image, or of an entry of an index."""
    compression: Compression | None
    """How a layer is compressed, by its bytes; ``None`` for anything else, and if nobody knows."""
    artifact_type: Annotated[str | None, Field(alias="artifactType")]
    """What a document that is no image says that it is."""
    subject: str | None
    """The digest that an attestation, a referrer or a signature refers to."""
    present: bool
    """Whether the source has it."""
    foreign: bool
    """Whether it is a layer that need not be here, as it is fetched from elsewhere."""
    attestation: bool
    """Whether it is an attestation of its index."""
    notes: tuple[str, ...]
    """What is odd or worth knowing, in words for people: ``absent``, ``misspelled media type``."""
    findings: tuple[Finding, ...]
    """What is wrong with it, under the codes of :func:`verify`; layers are not decompressed."""
    name: str | None
    """What the store calls the image, or the referrer; only at its root."""
    children: tuple[Inspected, ...]
    """What it names. Empty, too, at every place of a document but its first: ``as above``."""
    referrers: tuple[Inspected, ...]
    """Its referrers and signatures in the store."""

    @property
    def descriptor(self) -> Descriptor:
        """The media type, digest and size of the blob: what :meth:`Images.open` takes.

        Raises :class:`DocumentError` where it has no digest.
        """
        digest = Digest(self.digest)
        return Descriptor(media_type=self.media_type, digest=digest, size=self.size)

    def _repr_html_(self) -> str:
        return drawn(tree(self._lines(0)))

    def _lines(self, depth: int) -> Iterator[tuple[int, Html]]:
        """The blob and everything below as lines of a tree."""
        about = " ".join(filter(None, (self.kind.value, self.platform or self.artifact_type)))
        remarks = [*self.notes, *(finding.message for finding in self.findings)]
        wrong = bool(self.findings) or not self.present
        line = tag(
            "span",
            tag("b", f"{self.name} " if self.name else ""),
            f"{about} ",
            short_digest(self.digest),
            tag("span", f" {bytes_of(self.size)} {self.media_type} ", kind="faint"),
            tag("span", ", ".join(remarks), kind="warning" if wrong else "faint"),
        )
        yield depth, line
        for one in (*self.children, *self.referrers):
            yield from one._lines(depth + 1)

    def walk(self) -> Iterator[Inspected]:
        """The blob and everything below, in the order of the tree."""
        yield self
        for child in (*self.children, *self.referrers):
            yield from child.walk()


@dataclass(frozen=True, repr=False)
class Inspection(Plain):
    """The images of a source."""

    version: Literal[1] = field(default=1, init=False)
    """The version of this format: a key that goes, or changes its meaning, changes it."""
    source: str
    """The reference of the source."""
    images: tuple[Inspected, ...]
    """In the order of the store. Referrers of an image are below it, not among the images."""
    findings: tuple[Finding, ...] = ()
    """What is wrong with the list of the images itself."""

    def _repr_html_(self) -> str:
        lines = (line for image in self.images for line in image._lines(0))
        return drawn(tag("div", self.source), tree(lines), told(self.findings))


def inspect(source: SourceLike, *, follow_links: bool = False) -> Inspection:
    """Read the trees of a source: documents are verified, of layers only the first bytes are read.

    Whatever can be read is shown; what is wrong with it is in :attr:`Inspected.findings`. Raises
    :class:`OciConvertError` only where there is nothing to show: no such store, no such REF, or a
    store that does not say which images it holds. An archive that is compressed as a whole, or
    comes as a stream, is unpacked in the system's folder for temporary files. ``follow_links``
    reads the files that the links of a store lead to, wherever that is.
    """
    with opened(source, follow_links=follow_links) as (reference, store, roots):
        if store.faults and not roots:
            raise store.empty()
        tree, referrers = read_images(store, roots, Faults.NOTE)
        view = _View(store, tree, referrers)
        images = tuple(view.image(image) for image in tree.images)
        return Inspection(str(reference), images, tuple(view.findings.get("", ())))


def inspected(source: Source, root: Root) -> Inspected:
    """One image of an open source, as :func:`inspect` shows it."""
    tree, referrers = read_images(source, [root], Faults.NOTE)
    return _View(source, tree, referrers).image(tree.images[0])


class _View:
    """The images of a source as they are shown."""

    def __init__(self, source: Source, tree: Tree, referrers: Sequence[Referrer]) -> None:
        everything = with_referrers(tree, referrers)
        self.findings = _by_place(everything, glance(everything, source))
        """By the place of the blob that they concern; under no place what concerns the store."""
        self._signatures: dict[str, list[str]] = {}
        for name, (digest, _) in source.signatures().items():
            self._signatures.setdefault(digest, []).append(name)
        self._referrers: dict[str, list[Inspected]] = {}
        for referrer in reversed(referrers):  # those of a referrer stand behind it
            shown = self._shown(referrer.root, referrer.node, referrer)
            self._referrers.setdefault(referrer.subject.digest or "", []).insert(0, shown)

    def image(self, image: Image) -> Inspected:
        """One image of the source, with what speaks of it."""
        shown = self._shown(image.root, image.node)
        if image.root.built:
            shown = replace(shown, notes=("the archive has no manifest", *shown.notes))
        return shown

    def _shown(self, root: Root, node: Node, referrer: Referrer | None = None) -> Inspected:
        """A tree: every document is opened at its first place alone.

        Small indexes that name each other can make a tree of billions of places.
        """
        children: dict[int, list[Inspected]] = {}
        for visit in reversed(list(walk(node, root.descriptor, roles=_SHOWN, again=True))):
            below = tuple(reversed(children.get(id(visit), ())))
            shown = self._blob(visit, below, referrer if visit.parent is None else None)
            children.setdefault(id(visit.parent), []).append(shown)
        return replace(shown, name=called(root.annotations))

    def _blob(
        self, visit: Visit, children: tuple[Inspected, ...], referrer: Referrer | None
    ) -> Inspected:
        node, old = visit.node, visit.old
        if isinstance(old, Flawed):
            old = node.descriptor  # with what was found out
        document = node if isinstance(node, DocumentNode) else None
        has_platform = node.kind in (Kind.MANIFEST, Kind.INDEX)
        platform = platform_or_none(node, visit.entry) if has_platform else None
        speaking = self._referrers.get(old.digest, ()) if document and visit.first else ()
        places = dict.fromkeys((node.where, visit.where))
        return Inspected(
            kind=node.kind,
            where=node.where,
            media_type=old.media_type,
            digest=old.digest,
            size=old.size,
            family=usual_families(visit.entry.media_type),
            platform=None if platform is None else str(platform),
            compression=node.compression,
            artifact_type=None if document is None else document.artifact_type,
            subject=_subject(node, visit.entry) if referrer is None else referrer.subject.digest,
            present=node.present and not _is_unknown(visit.entry),
            foreign=node.is_foreign,
            attestation=referrer is None and is_attestation(visit.entry),
            notes=tuple(self._notes(visit, referrer)),
            name=None,
            children=children,
            referrers=tuple(speaking),
            findings=tuple(found for place in places for found in self.findings.get(place, ())),
        )

    def _notes(self, visit: Visit, referrer: Referrer | None) -> Iterator[str]:
        """Remarks about a blob."""
        node, entry = visit.node, visit.entry
        if node.old is not node.descriptor:
            yield f"schema 1, becomes {node.descriptor.name.short()}"
        if not visit.first and isinstance(node, DocumentNode | OpaqueNode):
            yield "as above"
        if node.is_foreign:
            yield "foreign"
        if not node.present:
            yield "absent"
        if referrer is not None:
            yield "signature" if referrer.subject.signed else "referrer"
            name = own_name(referrer.root)
            if name is not None:
                yield f"named {name}"
        elif is_attestation(entry):
            yield "attestation"
        else:
            subject = _subject(node, entry)
            if subject is not None:
                yield f"refers to {Digest(subject).short()}"
        yield from _packing(node, entry)
        yield from _labels(node)
        if isinstance(node, DocumentNode):
            yield from self._signatures.get(node.old.digest, ())


def _by_place(tree: Tree, findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by the place of the blob that they concern, or of what is above it."""
    known = {""}
    for image in tree.images:
        for visit in walk(image.node, image.root.descriptor, roles=_SHOWN, again=True):
            known |= {visit.where, visit.node.where}
    found: dict[str, list[Finding]] = {}
    for finding in dict.fromkeys(findings):
        place = finding.where
        while place not in known:
            place = place.rpartition(".")[0]
        found.setdefault(place, []).append(finding)
    return found


def _packing(node: Node, entry: Descriptor) -> Iterator[str]:
    """What the first bytes of a layer say of its media type."""
    meaning = look_up(entry.media_type)
    if (
        node.kind is Kind.LAYER
        and node.compression
        and meaning is not None
        and meaning.cell.encrypted
    ):
        yield "encrypted"
    elif (actual := node.mislabelled) is not None:
        yield f"mislabelled: the bytes are {actual.label}"


def _labels(node: Node) -> Iterator[str]:
    """What is odd about the media type of a blob."""
    document = node.document_or_none
    for remark in node.remarks:
        if remark.code == "misspelled-media-type":
            yield "misspelled media type"
        elif remark.code == "mislabelled-document" and document is not None:
            yield f"mislabelled: it is {document.media_type}"
        elif remark.code == "opaque-blob":
            yield "neither a manifest nor an index"


def _is_unknown(entry: Descriptor) -> bool:
    """Whether nobody can say which blob is meant."""
    return isinstance(entry, Flawed) and not entry.identified


def _subject(node: Node, entry: Descriptor) -> str | None:
    """The digest that a document refers to: its ``subject``, or its image if an attestation."""
    if is_attestation(entry):
        return (entry.annotations or {}).get(REFERENCE_DIGEST)
    document = node.document_or_none
    subject = None if document is None else document.model.subject
    return None if subject is None or _is_unknown(subject) else subject.digest
