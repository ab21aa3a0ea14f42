"""Steps: what becomes of each node of a tree, and the plan that they make up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from oci_convert.documents.document import Role, Slot, read_document
from oci_convert.documents.strict_json import Array
from oci_convert.errors import DocumentError
from oci_convert.findings import Finding
from oci_convert.limits import limits
from oci_convert.planning.options import Options
from oci_convert.report import Change
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression, Family
from oci_convert.spec.models import Descriptor
from oci_convert.transform.document_edits import REFERENCE_DIGEST, Child, edit
from oci_convert.tree.reader import Image, Node
from oci_convert.tree.referrers import Companion

__all__ = ["Entry", "Plan", "Step", "documents_below", "kept"]


@dataclass(eq=False)
class Step:
    """What becomes of one node."""

    node: Node
    media_type: str
    """Its media type in the target."""
    recompress: Compression | None = None
    diff_id: Digest | None = None
    """What the unpacked layer must hash to, where that is checked."""
    entries: tuple[Entry, ...] = ()
    """Of a document: parallel to its slots."""
    new: Descriptor | None = None
    """What it has become; ``None`` until the layers below are recompressed."""
    raw: bytes | None = None
    """Its bytes in the target, where they are in memory."""
    reversible: bool = True
    family: Family | None = None
    """The family that its document is written in, if that is not the one of the run."""

    @property
    def change(self) -> Change:
        """What kind of change this is."""
        if self.recompress is not None:
            return Change.REPACKED
        if self.new is None or self.new.digest != self.node.old.digest:
            return Change.EDITED
        same = self.media_type == self.node.old.media_type
        return Change.KEPT if same else Change.RELABELLED

    @property
    def is_emptied(self) -> bool:
        """Whether this is an index that had entries and has lost them all."""
        listed = [entry for entry in self.entries if entry.slot.role is Role.ENTRY]
        return bool(listed) and not any(entry.carried for entry in listed)

    @property
    def below(self) -> Iterator[Step]:
        """The steps of what it names and carries."""
        return (e.step for e in self.entries if e.step is not None and e.carried)

    @property
    def is_settled(self) -> bool:
        """Whether the new digest of everything that it names is known."""
        named = (entry.step for entry in self.entries if not entry.removed)
        return all(step is None or step.new is not None for step in named)

    def all_below(self) -> Iterator[Step]:
        """The step and everything that travels with it, each once."""
        return _carried(self, set())

    @cached_property
    def recompresses(self) -> bool:
        """Whether a layer at or below this node is recompressed."""
        return self.recompress is not None or any(step.recompresses for step in self.below)


@dataclass(slots=True, eq=False)
class Entry:
    """What becomes of one descriptor in a document."""

    slot: Slot
    step: Step | None
    """``None`` for an entry that is removed, or that names something outside of the tree."""
    removed: bool = False
    spliced: bool = False
    """A nested index whose entries take its place."""
    platform: Mapping[str, object] | None = None
    keeps: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    reference: Step | None = None
    """The image that an attestation speaks of."""

    @property
    def carried(self) -> bool:
        """Whether what it names travels with the document."""
        return not self.removed and self.slot.role is not Role.SUBJECT


@dataclass
class Plan:
    """The decisions for a whole tree."""

    options: Options
    tops: list[tuple[Image, Step]] = field(default_factory=list)
    companions: list[tuple[Companion, Step]] = field(default_factory=list)
    """What speaks of the images and travels with them."""
    findings: list[Finding] = field(default_factory=list)

    def steps(self) -> Iterator[Step]:
        """Every step that ends in the target, children before parents, each once."""
        tops = [step for _, step in (*self.tops, *self.companions)]
        carried = {id(step) for top in tops for step in top.all_below()}
        seen: set[int] = set()

        def walk(step: Step) -> Iterator[Step]:
            if id(step) not in seen:
                seen.add(id(step))
                for entry in step.entries:  # a subject stands before what refers to it
                    if entry.step is not None and not entry.removed:
                        yield from walk(entry.step)
                if id(step) in carried:
                    yield step

        for top in tops:
            yield from walk(top)

    def resolve(self, step: Step) -> tuple[Finding, ...]:
        """Translate the document of ``step`` by what its children have become.

        Where that is not known yet, only the findings are; ``step.new`` stays ``None``.
        """
        document = step.node.document
        assert document is not None
        children = _children(step)
        edited = edit(
            document,
            step.family or self.options.to,
            children,
            where=step.node.where,
            keep_extensions=self.options.keep_extensions,
        )
        step.media_type = edited.media_type
        if step.is_settled:
            old = step.node.descriptor
            step.raw = edited.raw
            digest = (
                old.name
                if edited.raw is document.raw
                else Digest.of(edited.raw, old.name.algorithm)
            )
            step.new = old.model_copy(
                update={"media_type": edited.media_type, "digest": digest, "size": len(edited.raw)}
            )
        return edited.findings


def kept(node: Node, media_type: str | None = None) -> Step:
    """A step that leaves the bytes of ``node`` alone, and perhaps changes what they are called."""
    renamed = node.descriptor.renamed(media_type or node.descriptor.media_type)
    return Step(node, renamed.media_type, new=renamed)


def _children(step: Step) -> list[Child]:
    """What has become of everything that a document names.

    Raises :class:`DocumentError` where the entries of nested indexes are too many: a few small
    indexes inside each other can name billions.
    """
    children: list[Child] = []
    spliced = 0
    for entry in step.entries:
        children.append(_child(entry))
        spliced += sum(len(text) for text in children[-1].spliced or ())
        if spliced > limits().document_size:
            raise DocumentError(
                f"flattened, the index has more than the {limits().document_size} bytes that are "
                "the limit",
                code="document-too-large",
                where=step.node.where,
                remedy="choose what to convert with --platform",
            )
    return children


def _child(entry: Entry) -> Child:
    """What an edit must know of an entry."""
    old = entry.slot.descriptor
    step = entry.step
    if entry.removed:
        return Child(None)
    if step is None:
        return Child(old)
    if entry.spliced:
        return Child(None, spliced=_entries_of(step))
    new = step.new or old.renamed(step.media_type)
    annotations = None
    if entry.reference is not None and entry.reference.new is not None:
        annotations = {REFERENCE_DIGEST: str(entry.reference.new.digest)}
    return Child(
        new,
        content=step.raw,
        platform=entry.platform,
        annotations=annotations,
        keeps=entry.keeps,
        without=entry.without,
    )


def _entries_of(step: Step) -> tuple[str, ...]:
    """The JSON texts of the entries of a translated index."""
    if step.raw is None:
        return ()
    document = read_document(step.raw, step.media_type, step.node.where)
    manifests = document.root.get("manifests")
    items = manifests.items if isinstance(manifests, Array) else []
    return tuple(document.text[item.start : item.end] for item in items)


def _carried(step: Step, seen: set[int]) -> Iterator[Step]:
    """The steps whose blobs belong into the target, at and below a step, each once."""
    if id(step) not in seen:
        seen.add(id(step))
        yield step
        for entry in step.entries:
            if entry.step is None or not entry.carried:
                continue
            below = _carried(entry.step, seen)
            yield from (made for made in below if not (entry.spliced and made is entry.step))


def documents_below(step: Step, seen: set[int] | None = None) -> Iterator[Step]:
    """The documents at and below a step, children first, each once."""
    seen = set() if seen is None else seen
    if step.node.document is None or id(step) in seen:
        return
    seen.add(id(step))
    for entry in step.entries:
        if entry.step is not None and entry.carried:
            yield from documents_below(entry.step, seen)
    yield step
