"""The account of a run: its report, from the plans that were carried out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from oci_convert.documents.document import Document, Role
from oci_convert.errors import DocumentError, OciConvertError
from oci_convert.planning.decisions import Plan, Step, documents_below
from oci_convert.planning.options import Options
from oci_convert.planning.referrer_rules import annotations_of
from oci_convert.report import Change, ConvertedImage, Failure, MapRow, Report, Totals
from oci_convert.spec.media_types import Kind
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import called
from oci_convert.stores.base import Root, Source
from oci_convert.tree.reader import Node, platform_of

__all__ = ["Moved", "SourcePlan", "entry_of", "report_of"]


@dataclass(eq=False)
class SourcePlan:
    """The share of one source in a run, or of one of its images where each stands for itself."""

    origin: str
    """The reference that it was opened by."""
    source: Source
    plan: Plan
    roots: list[Root] = field(default_factory=list)
    """What its images are called in the target; parallel to ``plan.tops``."""
    signatures: dict[str, bytes] = field(default_factory=dict)
    """The ``signature-N`` files that go with its images."""
    failure: OciConvertError | None = None

    def companions(self) -> list[Root]:
        """What speaks of its images and goes with them, as it stands in the target."""
        made = {
            step.node.descriptor.digest: step.new
            for step in self.plan.steps()
            if step.new is not None
        }
        return [
            Root(entry_of(companion.root, step), annotations_of(companion, made), companion=True)
            for companion, step in self.plan.companions
        ]

    def made(self) -> list[Root]:
        """Its images as they stand in the target."""
        return [
            Root(entry_of(image.root, step), root.annotations)
            for root, (image, step) in zip(self.roots, self.plan.tops, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Moved:
    """What a carrier moved."""

    bytes_read: int
    bytes_written: int
    codecs: Mapping[str, Mapping[str, str]]


def entry_of(root: Root, step: Step) -> Descriptor:
    """The descriptor of what became of a root, as it stands in an ``index.json``."""
    assert step.new is not None
    triple = ("media_type", "digest", "size")
    return root.descriptor.model_copy(update={name: getattr(step.new, name) for name in triple})


def report_of(
    parts: Sequence[SourcePlan],
    failures: Sequence[Failure],
    moved: Moved,
    options: Options,
    *,
    destination: str,
    named: bool,
    dry_run: bool,
    seconds: float,
) -> Report:
    """The report of a run. ``named``: images have names in the target."""
    done = [part for part in parts if part.failure is None]
    steps = [step for part in done for step in part.plan.steps()]
    return Report(
        source=" ".join(dict.fromkeys([*(p.origin for p in parts), *(f.source for f in failures)])),
        destination=destination,
        to=options.to.value,
        dry_run=dry_run,
        images=tuple(image for part in done for image in _images(part, named=named)),
        map=tuple(_rows(done)),
        findings=tuple(dict.fromkeys(f for part in done for f in part.plan.findings)),
        failures=tuple(failures),
        totals=Totals(
            blobs=len({step.new.digest for step in steps if step.new is not None}),
            bytes_read=moved.bytes_read,
            bytes_written=moved.bytes_written,
            seconds=seconds,
        ),
        codecs=moved.codecs,
        options={
            "compress": options.compress.value,
            "attestations": options.attestations.value,
            "referrers": options.referrers.value,
            "signatures": options.signatures.value,
            "keep_extensions": options.keep_extensions,
        },
        originals={
            node.old.digest: _original(node.document, node)
            for node in (*_gone(done), *(step.node for step in steps if not step.reversible))
            if node.document is not None
        },
    )


def _gone(parts: Sequence[SourcePlan]) -> Iterator[Node]:
    """The indexes that gave way to what they name: flattened, or left without an entry."""
    for part in parts:
        carried = {id(step.node) for step in part.plan.steps()}
        for image, _ in part.plan.tops:
            for node in image.node.walk():
                if node.kind is Kind.INDEX and node.document and id(node) not in carried:
                    yield node


def _original(document: Document, node: Node) -> bytes:
    """The bytes that no way back gives."""
    return document.raw if node.upgraded_from is None else node.upgraded_from.raw


def _images(part: SourcePlan, *, named: bool) -> Iterator[ConvertedImage]:
    for root, (image, step) in zip(part.made(), part.plan.tops, strict=True):
        yield ConvertedImage(
            name=called(root.annotations) if named else None,
            source=part.origin,
            old=None if image.root.built else image.node.old,
            new=root.descriptor,
            reversible=step.node is image.node
            and step.reversible
            and all(s.reversible for s in documents_below(step)),
        )


def _rows(parts: Sequence[SourcePlan]) -> Iterator[MapRow]:
    """One row for each distinct old descriptor, at its first place, parents first."""
    seen: set[tuple[str, str, int]] = set()
    for part in parts:
        steps = {id(step.node): step for step in part.plan.steps()}
        built = {id(image.node) for image, _ in part.plan.tops if image.root.built}
        tops = [image.node for image, _ in part.plan.tops]
        tops += [companion.node for companion, _ in part.plan.companions]
        for top in tops:
            for node, entry in _places(top, set()):
                old = node.old
                key = (old.media_type, old.digest, old.size)
                if key in seen or node.role is Role.SUBJECT or id(node) in built:
                    continue
                seen.add(key)
                yield _row(node, entry, steps.get(id(node)))


def _row(node: Node, entry: Descriptor | None, step: Step | None) -> MapRow:
    return MapRow(
        kind=node.kind,
        where=node.where,
        old=node.old,
        new=None if step is None else step.new,
        change=Change.DROPPED if step is None else step.change,
        platform=_platform(node, entry) if node.kind is Kind.MANIFEST else None,
    )


def _platform(node: Node, entry: Descriptor | None) -> str | None:
    """The platform of an image, if it is known: here a config that nobody can read is no error.

    It was carried as it is, and the images are in the target by now.
    """
    try:
        platform = platform_of(node, entry)
    except DocumentError:
        return None
    return None if platform is None else str(platform)


def _places(
    node: Node, seen: set[int], entry: Descriptor | None = None
) -> Iterator[tuple[Node, Descriptor | None]]:
    """The nodes of a tree, each with the first descriptor that names it, parents first."""
    if id(node) in seen:
        return
    seen.add(id(node))
    yield node, entry
    if node.document is not None:
        for slot, child in zip(node.document.slots, node.children, strict=True):
            yield from _places(child, seen, slot.descriptor)
