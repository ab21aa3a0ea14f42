"""The main job: read, plan, transfer, commit, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Unpack

from oci_convert.conversion.report_builder import build_report
from oci_convert.conversion.source_plan import SourcePlan
from oci_convert.conversion.transfer import Transfer
from oci_convert.errors import OciConvertError, UsageError
from oci_convert.findings import Finding
from oci_convert.options import OnLoss, Options, OptionValues
from oci_convert.planning.decide import (
    decide,
    refuse_irreversible,
    refuse_losses,
    with_findings,
)
from oci_convert.planning.decisions import PlannedImage
from oci_convert.planning.referrer_rules import kept_signatures
from oci_convert.planning.rendering import render
from oci_convert.progress import Progress
from oci_convert.report import Failure, Report
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import called, pair
from oci_convert.spec.platforms import matches
from oci_convert.stores.base import Root, Sink, SinkOptions, SinkStore, Source
from oci_convert.stores.files.base import Scratch
from oci_convert.stores.files.system import system_errors
from oci_convert.stores.files.temporary import temporary
from oci_convert.stores.hashing import HashingSink
from oci_convert.stores.opening import SinkLike, SourceLike, opened, sink_store, source_stores
from oci_convert.stores.traffic import Traffic
from oci_convert.transform.document_edits import is_attestation
from oci_convert.transform.layer_rules import check_compress
from oci_convert.tree.reader import Faults, read_node, read_tree
from oci_convert.tree.referrers import SortedRoots, Subject, referrers_of, sort_roots

if TYPE_CHECKING:
    from oci_convert.planning.record import Record

__all__ = ["convert"]


def convert(
    source: SourceLike | Iterable[SourceLike],
    destination: SinkLike,
    *,
    options: Options | None = None,
    restore: bytes | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    **values: Unpack[OptionValues],
) -> Report:
    """Convert images between the Docker and the OCI format.

    ``source`` and ``destination`` are references as skopeo spells them (``oci:PATH[:REF]``,
    ``dir:PATH``, ``docker-archive:FILE[:REF]``), bare paths, ``-`` (an archive on standard input or
    output), or objects of :mod:`oci_convert.stores`. Several sources become one target with one
    commit: all of them or, with ``keep_going``, those that can be converted, the others being the
    report's :attr:`~Report.failures`.

    How to convert is said by ``options``, or by the same values one by one:
    ``convert(source, destination, compress="zstd")``; :class:`Options` describes them. Values that
    are given beside ``options`` replace those in it. ``restore`` is the content of a record,
    written by an earlier run. ``on_progress`` is called by one thread at a time; what it raises
    ends the run.

    Everything that enters the target is verified; a run that raises leaves no image behind. Raises
    :class:`UsageError` for a call that is wrong and other :class:`OciConvertError` for everything
    else that is foreseen, what the system refuses included.
    """
    began = time.monotonic()
    chosen = (options or Options()).but(**values)
    target = sink_store(destination)
    family = _family(chosen, target)
    record = None if restore is None else _record(restore)
    sources = source_stores(source)
    waiting = partial(temporary, chosen.tmpdir)
    with (
        system_errors(),
        ExitStack() as open_sources,
        target.sink(SinkOptions(family, chosen.force, chosen.fsync, waiting)) as sink,
    ):

        def scratch() -> BinaryIO:
            beside = None if chosen.dry_run else sink.scratch()
            return waiting() if beside is None else beside

        run = _Conversion(family, chosen, sink, target.ref, scratch)
        for store in sources:
            run.plan(store, open_sources, record)
        run.name()
        receiver = HashingSink(sink) if chosen.dry_run else sink
        transfer = Transfer(receiver, chosen, on_progress=on_progress)
        run.carry_out(transfer)
        return build_report(
            run.source_plans,
            run.failures,
            transfer.moved(),
            family,
            chosen,
            destination=str(target),
            named=sink.capabilities.names,
            seconds=time.monotonic() - began,
            traffic=run.traffic(),
        )


class _Conversion:
    """One call: the plans of all sources, and the one sink that they go to."""

    def __init__(
        self, family: Family, options: Options, sink: Sink, ref: str | None, scratch: Scratch
    ) -> None:
        self.source_plans: list[SourcePlan] = []
        self.failures: list[Failure] = []
        self._family = family
        self._options = options
        self._sink = sink
        self._ref = ref
        self._scratch = scratch
        self._count = 0

    def plan(self, store: SourceLike, open_sources: ExitStack, record: Record | None) -> None:
        """Read one source and decide what becomes of its images."""
        origin = str(store)
        try:
            opened_store, source, roots = open_sources.enter_context(
                opened(store, self._scratch, follow_links=self._options.follow_links)
            )
            if not roots:
                raise source.empty()
        except OciConvertError as error:
            self._fail(origin, error)
            return
        origin = str(opened_store)
        named = opened_store.ref is not None
        rest = [root for root in source.roots() if not named or root not in roots]
        found = sort_roots(source, rest)
        if named:
            found.images = list(roots)
        for some in self._shares(found.images):
            self._plan_share(origin, source, some, found, record)
        # What refers to nothing that was converted is something of its own.
        left, found.referrers = found.referrers, []
        for some in self._shares([root for root, _ in left if not named]):
            self._plan_share(origin, source, some, found, record)

    def _shares(self, roots: list[Root]) -> list[list[Root]]:
        """What is planned together: everything, or each image that may fail alone."""
        alone = self._options.keep_going or not roots
        return [[root] for root in roots] if alone else [roots]

    def _fail(self, origin: str, error: OciConvertError) -> None:
        if not self._options.keep_going:
            raise error
        self.failures.append(Failure.of(origin, error))

    def _plan_share(
        self,
        origin: str,
        source: Source,
        roots: Sequence[Root],
        found: SortedRoots,
        record: Record | None,
    ) -> None:
        """Plan some images and what refers to them; ``found`` keeps what refers to others."""
        try:
            with system_errors():
                planned, found.referrers = self._planned(origin, source, roots, found, record)
        except OciConvertError as error:
            self._fail(origin, error.within(source.label))
        else:
            self._count += len(roots)
            self.source_plans.append(planned)

    def _planned(
        self,
        origin: str,
        source: Source,
        roots: Sequence[Root],
        found: SortedRoots,
        record: Record | None,
    ) -> tuple[SourcePlan, list[tuple[Root, Subject]]]:
        faults = Faults.REPAIR if self._options.repair else Faults.REFUSE
        tree = read_tree(
            source,
            roots,
            first=self._count,
            asked=self._asked,
            known=found.known,
            faults=faults,
        )
        digests: set[str] = {node.descriptor.digest for node in tree.documents()}
        read = partial(read_node, source, found.known, faults=faults)
        referrers, others = referrers_of(digests, found.referrers, read)
        target = self._sink.capabilities
        plan = decide(
            tree,
            self._family,
            self._options,
            referrers,
            plain_layers=target.plain_layers,
            room=target.referrers,
        )
        if record is not None:
            from oci_convert.conversion.restore import restore_originals

            plan = restore_originals(plan, record, self._sink)
        if self._options.require_reversible:
            refuse_irreversible(plan)
        signatures, findings = kept_signatures(
            plan, render(plan), source.signatures(), room=target.signatures
        )
        plan = with_findings(plan, findings)
        if source.remote and not self._sink.shares(source):
            plan = with_findings(plan, map(_not_sought, plan.images))
        if self._options.on_loss is OnLoss.FAIL:
            refuse_losses(plan)
        return SourcePlan(origin, source, plan, signatures), others

    def _asked(self, entry: Descriptor) -> bool:
        """Whether an entry is to be read: one whose platform nobody wants is not."""
        wanted = self._options.platforms
        if not wanted or entry.platform is None or is_attestation(entry):
            return True
        return any(matches(entry.platform, platform) for platform in wanted)

    def name(self) -> None:
        """Say what each image is called in the target; fails before anything is written."""
        target = self._sink.capabilities
        images = [planned for one in self.source_plans for planned in one.plan.images]
        distinct = {planned.decision.node.descriptor.digest for planned in images}
        if len(distinct) > 1 and (self._ref is not None or not target.many_images):
            names = [called(planned.image.root.annotations) or "(unnamed)" for planned in images]
            raise UsageError(
                f"there are {len(distinct)} images, but the destination holds only one",
                code="several-images",
                where=self._sink.label,
                remedy=f"choose one of {', '.join(names)}",
            )
        if distinct and (self._ref is not None or not target.names):
            first = self.source_plans[0]
            self.source_plans = [first]
            first.only_first()
        for one in self.source_plans:
            if self._ref is not None:
                one.rename(self._ref)
        roots = [root for one in self.source_plans for root in one.roots]
        _refuse_twins(roots, self._sink.label)
        if target.rows:
            from oci_convert.conversion.archive_limits import check_rows

            check_rows(self.source_plans, self._sink.label)
        self._sink.check(roots)

    def traffic(self) -> list[Traffic]:
        """What was counted on the way to registries, each counter once."""
        found = [self._sink.traffic, *(one.source.traffic for one in self.source_plans)]
        return list({id(one): one for one in found if one is not None}.values())

    def carry_out(self, transfer: Transfer) -> None:
        """Move everything to the target, and let the images appear."""
        sink = transfer.sink
        try:
            transfer.run(self.source_plans)
            for one in self.source_plans:
                if one.failure is not None:
                    self._fail(one.origin, one.failure)
            done = [one for one in self.source_plans if one.failure is None]
            for one in done:
                for name, data in one.signatures.items():
                    sink.sign(name, data)
            made = [root for one in done for root in one.images()]
            made += [root for one in done for root in one.referrers()]
            if made:
                sink.commit(made)
            else:
                sink.abort()
        except BaseException:
            sink.abort()
            raise


def _not_sought(planned: PlannedImage) -> Finding:
    message = "what refers to the image in the registry was not looked for"
    return Finding.of("referrers-not-sought", planned.image.node.where, message)


def _record(raw: bytes) -> Record:
    from oci_convert.planning.record import Record  # hardly any run has one

    return Record.read(raw)


def _family(options: Options, target: SinkStore) -> Family:
    """The family of the target: what is asked for, else what the destination implies."""
    family = options.to or target.default_family
    if family is None:
        raise UsageError(
            "the destination does not say which format to convert to",
            code="no-family",
            where=str(target),
            remedy="add --to docker or --to oci",
        )
    check_compress(options.compress, family)
    return family


def _refuse_twins(roots: Sequence[Root], where: str) -> None:
    """Two images of one call must not have one name."""
    known: dict[object, str] = {}
    for root in roots:
        names = pair(root.annotations)
        digest = known.setdefault(names, root.descriptor.digest)
        if any(names) and digest != root.descriptor.digest:
            raise UsageError(
                f"two images have the name {called(root.annotations)!r}",
                code="same-name",
                where=where,
                remedy="convert them one by one, each with its own REF",
            )
