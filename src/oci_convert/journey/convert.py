"""The main job: read, plan, carry, commit, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from os import PathLike, fspath
from typing import TypeVar

from oci_convert.ground.errors import UsageError
from oci_convert.ground.media_types import Family, Kind
from oci_convert.journey.carry import Carrier, Progress
from oci_convert.journey.options import Keep, OnLoss, Options, matches
from oci_convert.journey.plan import decide
from oci_convert.journey.restore import Record, restore_originals
from oci_convert.journey.steps import Plan, Step
from oci_convert.journey.tree import Image, Node, platform_of, read_tree
from oci_convert.papers.documents import Role
from oci_convert.papers.models import Descriptor
from oci_convert.papers.report import Change, ConvertedImage, MapRow, Report, Totals
from oci_convert.rules.edits import is_attestation
from oci_convert.rules.layer_plan import Compress
from oci_convert.rules.names import called, find, pair, renamed
from oci_convert.stores.base import Root, Sink, Source
from oci_convert.stores.hashing import HashingSink
from oci_convert.stores.memory import Memory
from oci_convert.stores.references import (
    Reference,
    implied_family,
    open_sink,
    open_source,
    parse,
)

__all__ = ["Store", "convert", "opened"]

Store = str | PathLike[str] | Memory
"""How a store is named: a reference, a path, or a store object."""


def convert(
    source: Store,
    destination: Store,
    *,
    to: Family | str | None = None,
    platforms: Iterable[str] = (),
    compress: Compress | str = Compress.AUTO,
    level: int | None = None,
    attestations: Keep | str = Keep.AUTO,
    keep_extensions: bool = False,
    on_loss: OnLoss | str = OnLoss.REPORT,
    strict: bool = False,
    allow_missing: bool = False,
    flatten: bool = False,
    restore: bytes | None = None,
    dry_run: bool = False,
    jobs: int | None = None,
    verify_existing: bool = False,
    fsync: bool = True,
    force: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Convert images between the Docker and the OCI format.

    ``source`` and ``destination`` are references as skopeo spells them (``oci:PATH[:REF]``,
    ``dir:PATH``, ``docker-archive:FILE[:REF]``), bare paths, or :class:`Memory` objects. ``to`` is
    the family of the target; it defaults to what the destination implies. ``restore`` is the
    content of a record, written by an earlier run. All other arguments mean what the options of the
    command mean. ``on_progress`` is called by one thread at a time; what it raises ends the run.

    Everything that enters the target is verified; a run that raises leaves no image behind. Raises
    :class:`UsageError` for a call that is wrong and other :class:`OciConvertError` for everything
    else that is foreseen.
    """
    began = time.monotonic()
    target = _reference(destination)
    options = Options(
        to=_family(to, target),
        platforms=tuple(platforms),
        compress=_member(Compress, compress, "--compress"),
        level=level,
        attestations=_member(Keep, attestations, "--attestations"),
        keep_extensions=keep_extensions,
        on_loss=_member(OnLoss, on_loss, "--on-loss"),
        strict=strict,
        allow_missing=allow_missing,
        flatten=flatten,
    )
    options.check()
    record = Record.read(restore) if restore is not None else None
    with (
        opened(source) as (origin, store, roots),
        open_sink(target, options.to, force=force, fsync=fsync) as sink,
    ):
        run = _Run(store, roots, sink, options, origin, target)
        return run.execute(
            record,
            dry_run=dry_run,
            jobs=jobs,
            verify_existing=verify_existing,
            on_progress=on_progress,
            began=began,
        )


@contextmanager
def opened(store: Store) -> Iterator[tuple[Reference | Memory, Source, Sequence[Root]]]:
    """A source and those of its images that the reference means: the one it names, else all."""
    reference = _reference(store)
    with open_source(reference) as source:
        yield reference, source, _select(source, reference)


def _select(source: Source, reference: Reference | Memory) -> Sequence[Root]:
    roots, ref = source.roots(), _ref(reference)
    return roots if ref is None else [find(roots, ref, source.label)]


@dataclass
class _Run:
    source: Source
    roots: Sequence[Root]
    sink: Sink
    options: Options
    origin: Reference | Memory
    target: Reference | Memory

    def execute(
        self,
        record: Record | None,
        *,
        dry_run: bool,
        jobs: int | None,
        verify_existing: bool,
        on_progress: Callable[[Progress], None] | None,
        began: float,
    ) -> Report:
        tree = read_tree(self.source, self.roots, asked=self._asked)
        plan = decide(tree, self.options, plain_layers=self.sink.holds.plain_layers)
        names = self._name(plan)
        if record is not None:
            restore_originals(plan, record, self.source, self.sink)
        sink = HashingSink(self.sink) if dry_run else self.sink
        carrier = Carrier(
            self.source,
            sink,
            plan,
            jobs=jobs,
            verify_existing=verify_existing,
            on_progress=on_progress,
        )
        try:
            carrier.run()
            made = [
                replace(root, descriptor=_entry(image, step))
                for root, (image, step) in zip(names, plan.tops, strict=True)
            ]
            sink.commit(made)
        except BaseException:
            sink.abort()
            raise
        return self._report(plan, made, carrier, dry_run=dry_run, seconds=time.monotonic() - began)

    def _asked(self, entry: Descriptor) -> bool:
        """Whether an entry is to be read: one whose platform nobody wants is not."""
        wanted = self.options.platforms
        if not wanted or entry.platform is None or is_attestation(entry):
            return True
        return any(matches(entry.platform, platform) for platform in wanted)

    def _name(self, plan: Plan) -> list[Root]:
        """What each image is called in the target; fails before anything is written."""
        distinct = {step.node.descriptor.digest for _, step in plan.tops}
        where = self.sink.label
        if not plan.tops:
            raise UsageError("the source holds no image", code="no-image", where=self.source.label)
        names = [called(image.root.annotations) for image, _ in plan.tops]
        ref = _ref(self.target)
        if len(distinct) > 1 and (ref is not None or not self.sink.holds.many_images):
            raise UsageError(
                f"the source holds {len(distinct)} images, and the destination has room for one",
                code="several-images",
                where=where,
                remedy=f"choose one of {', '.join(name or '(unnamed)' for name in names)}",
            )
        if ref is not None or not self.sink.holds.names:
            plan.tops = plan.tops[:1]
        roots = [image.root for image, _ in plan.tops]
        if ref is not None:
            roots = [replace(roots[0], annotations=renamed(roots[0].annotations, ref))]
        _refuse_twins(roots, where)
        return roots

    def _report(
        self, plan: Plan, made: Sequence[Root], carrier: Carrier, *, dry_run: bool, seconds: float
    ) -> Report:
        steps = list(plan.steps())
        images = tuple(
            ConvertedImage(
                name=called(root.annotations) if self.sink.holds.names else None,
                old=None if image.root.built else image.node.descriptor,
                new=root.descriptor,
                reversible=_reversible(step),
            )
            for root, (image, step) in zip(made, plan.tops, strict=True)
        )
        return Report(
            source=str(self.origin),
            destination=str(self.target),
            to=self.options.to.value,
            dry_run=dry_run,
            images=images,
            map=tuple(_rows(plan)),
            findings=tuple(plan.findings),
            totals=Totals(
                blobs=len({step.new.digest for step in steps if step.new is not None}),
                bytes_read=carrier.bytes_read,
                bytes_written=carrier.bytes_written,
                seconds=seconds,
            ),
            codecs=carrier.codecs(),
            options={
                "compress": self.options.compress.value,
                "attestations": self.options.attestations.value,
                "keep_extensions": self.options.keep_extensions,
            },
            originals={
                step.node.descriptor.digest: step.node.document.raw
                for step in steps
                if step.node.document is not None and not step.reversible
            },
        )


def _reference(store: Store) -> Reference | Memory:
    return store if isinstance(store, Memory) else parse(fspath(store))


def _ref(reference: Reference | Memory) -> str | None:
    return None if isinstance(reference, Memory) else reference.ref


def _family(to: Family | str | None, target: Reference | Memory) -> Family:
    implied = implied_family(target)
    if to is not None:
        return _member(Family, to, "--to")
    if implied is None:
        raise UsageError(
            "the destination does not say which format to convert to",
            code="no-family",
            where=str(target),
            remedy="add --to docker or --to oci",
        )
    return implied


E = TypeVar("E", bound=StrEnum)


def _member(kind: type[E], value: str, option: str) -> E:
    """A value of an option, typed."""
    try:
        return kind(value)
    except ValueError:
        raise UsageError(
            f"{option} {value}: there is no such choice",
            code="invalid-choice",
            remedy=f"choose one of {', '.join(kind)}",
        ) from None


def _refuse_twins(roots: Sequence[Root], where: str) -> None:
    """Two images of one call must not have one name."""
    known: dict[object, str] = {}
    for root in roots:
        names = pair(root.annotations)
        digest = known.setdefault(names, root.descriptor.digest)
        if any(names) and digest != root.descriptor.digest:
            raise UsageError(
                f"two images are called {called(root.annotations)!r}",
                code="same-name",
                where=where,
                remedy="convert them one by one, each with its own REF",
            )


def _entry(image: Image, step: Step) -> Descriptor:
    """The descriptor of a converted image as it stands in an index.json."""
    assert step.new is not None
    triple = ("media_type", "digest", "size")
    return image.root.descriptor.model_copy(
        update={name: getattr(step.new, name) for name in triple}
    )


def _reversible(step: Step) -> bool:
    return step.reversible and all(_reversible(below) for below in step.below)


def _rows(plan: Plan) -> Iterator[MapRow]:
    """One row for each distinct old descriptor, at its first place, parents first."""
    steps = {id(step.node): step for step in plan.steps()}
    built = {id(image.node) for image, _ in plan.tops if image.root.built}
    seen: set[tuple[str, str, int]] = set()
    for image, _ in plan.tops:
        for node, entry in _places(image.node):
            old = node.descriptor
            key = (old.media_type, old.digest, old.size)
            if key in seen or node.role is Role.SUBJECT or id(node) in built:
                continue
            seen.add(key)
            step = steps.get(id(node))
            platform = platform_of(node, entry) if node.kind is Kind.MANIFEST else None
            yield MapRow(
                kind=node.kind,
                where=node.where,
                old=old,
                new=None if step is None else step.new,
                change=Change.DROPPED if step is None else step.change,
                platform=None if platform is None else str(platform),
            )


def _places(
    node: Node, entry: Descriptor | None = None
) -> Iterator[tuple[Node, Descriptor | None]]:
    """The nodes of a tree with the descriptors that name them, parents first."""
    yield node, entry
    if node.document is not None:
        for slot, child in zip(node.document.slots, node.children, strict=True):
            yield from _places(child, slot.descriptor)
