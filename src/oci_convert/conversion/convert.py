"""The main job: read, plan, transfer, commit, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Unpack

from oci_convert.conversion.pinned_names import tell_old_digests, without_old_digests
from oci_convert.conversion.report_builder import build_report
from oci_convert.conversion.source_plan import SourcePlan, said_beside_names, said_in_row
from oci_convert.conversion.source_planner import Settings, SourcePlanner
from oci_convert.conversion.transfer import Transfer
from oci_convert.errors import OciConvertError, UsageError, located
from oci_convert.findings import Finding
from oci_convert.options import OnLoss, Options, OptionValues
from oci_convert.planning.decide import refuse_emptiness, refuse_losses, with_findings
from oci_convert.planning.platform_choice import PlatformChoice
from oci_convert.progress import Progress
from oci_convert.report import Failure, Report
from oci_convert.spec.media_types import Family, Kind
from oci_convert.spec.names import called, meant, repository_tag
from oci_convert.stores.base import Root, Sink, SinkOptions, SinkStore
from oci_convert.stores.files.base import Scratch
from oci_convert.stores.files.file import temporary
from oci_convert.stores.files.system import system_errors
from oci_convert.stores.hashing import HashingSink
from oci_convert.stores.known import Known
from oci_convert.stores.opening import (
    SinkLike,
    SourceLike,
    check_apart,
    each_store,
    opened,
    sink_store,
    source_stores,
)
from oci_convert.stores.traffic import Traffic
from oci_convert.text.wording import Wording
from oci_convert.transform.layer_rules import check_compress

if TYPE_CHECKING:
    from oci_convert.planning.record import Record

__all__ = ["convert", "converted"]


def convert(
    source: SourceLike | Iterable[SourceLike],
    destination: SinkLike,
    *,
    options: Options | None = None,
    restore: str | bytes | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    **values: Unpack[OptionValues],
) -> Report:
    """Convert images between the Docker and the OCI format.

    ``source`` and ``destination`` are references as skopeo spells them (``oci:PATH[:REF]``,
    ``dir:PATH``, ``docker-archive:FILE[:REF]``), bare paths, ``-`` (an archive on standard input or
    output), or objects of :mod:`oci_convert.stores`. The path of a folder of stores means all of
    them. Several sources become one target with one commit: all of them or, with ``keep_going``,
    those that can be converted, the others being the report's :attr:`~Report.failures`.

    How to convert is said by ``options``, or by the same values one by one:
    ``convert(source, destination, compress="zstd")``; :class:`Options` describes them. Values that
    are given beside ``options`` replace those in it. ``restore`` is the content of a record,
    written by an earlier run. ``on_progress`` is called by one thread at a time; what it raises
    ends the run.

    Everything that enters the target is verified; a run that raises leaves no image behind. Raises
    :class:`UsageError` for a call that is wrong and other :class:`OciConvertError` for everything
    else that is foreseen, what the system refuses included.
    """
    chosen = Options(**values) if options is None else options.but(**values)
    return converted(source, destination, chosen, restore=restore, on_progress=on_progress)


def converted(
    source: SourceLike | Iterable[SourceLike],
    destination: SinkLike,
    chosen: Options,
    *,
    restore: str | bytes | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    layers: Known | None = None,
    approve: Callable[[Sequence[SourcePlan]], None] | None = None,
    one_of_many: bool = False,
) -> Report:
    """:func:`convert`, for a caller with several runs, or with something to say about each.

    ``layers`` is what these runs know of layers that were recompressed. ``approve`` is given what
    is planned before anything is written, and raises what it has against it. In ``one_of_many``
    runs, other images may be for a platform that these are not for: it is lost.
    """
    began = time.monotonic()
    target = sink_store(destination)
    family = _family(chosen, target)
    record = None if restore is None else _record(restore)
    sources = source_stores(source)
    for one in sources:
        check_apart(one, target)
    waiting = partial(temporary, chosen.tmpdir)
    with (
        system_errors(),
        ExitStack() as open_sources,
        target.sink(SinkOptions(family, chosen.force, chosen.fsync, waiting)) as sink,
        located(sink.label),
    ):
        run = _Conversion(family, chosen, sink, target.ref, waiting, record)
        for store in sources:
            run.plan(store, open_sources)
        run.check(one_of_many=one_of_many)
        run.name()
        if approve is not None:
            approve(run.source_plans)
        receiver = (sink.dry_run() or HashingSink(sink)) if chosen.dry_run else sink
        transfer = Transfer(receiver, chosen, on_progress=on_progress, layers=layers)
        run.carry_out(transfer)
        return build_report(
            run.source_plans,
            run.failures,
            transfer.moved(),
            family,
            chosen,
            destination=str(target),
            name_of=sink.name_of,
            seconds=time.monotonic() - began,
            traffic=run.traffic(),
        )


class _Conversion:
    """One call: the plans of all sources, and the one sink that they go to."""

    def __init__(
        self,
        family: Family,
        options: Options,
        sink: Sink,
        ref: str | None,
        waiting: Scratch,
        record: Record | None,
    ) -> None:
        self.source_plans: list[SourcePlan] = []
        self.failures: list[Failure] = []
        # No method of this object: they would hold each other, and all trees of the run, until
        # garbage is collected.
        self._fail = partial(_fail, self.failures, options)
        platforms = PlatformChoice(options.platforms)
        self._settings = Settings(family, options, sink, platforms, record, self._fail)
        self._sink = sink
        self._ref = ref
        self._waiting = waiting
        self._count = 0

    def _scratch(self) -> BinaryIO:
        """A file for what must wait: on the disk of the target if that will be written to."""
        beside = None if self._settings.options.dry_run else self._sink.scratch()
        return self._waiting() if beside is None else beside

    def plan(self, given: SourceLike, open_sources: ExitStack) -> None:
        """Read one source, or the stores of a folder, and decide what becomes of their images."""
        try:
            stores = each_store(given, follow_links=self._settings.options.follow_links)
        except OciConvertError as error:
            self._fail(str(given), error)
            return
        for store in stores:
            self._plan_store(store, open_sources)

    def _plan_store(self, store: SourceLike, open_sources: ExitStack) -> None:
        origin = str(store)
        try:
            opened_store, source, roots = open_sources.enter_context(
                opened(store, self._scratch, follow_links=self._settings.options.follow_links)
            )
            if not roots:
                raise source.empty()
        except OciConvertError as error:
            self._fail(origin, error)
            return
        ref = opened_store.ref
        planner = SourcePlanner(self._settings, str(opened_store), source, self._count, ref)
        planner.plan(roots, named=ref is not None)
        self._count = planner.count
        self.source_plans += planner.plans

    def check(self, *, one_of_many: bool = False) -> None:
        """Every platform must have been found, and something must be left to convert."""
        if self.failures:
            return
        for one in self.source_plans:
            if not any(other.plan.images or other.plan.referrers for other in self.source_plans):
                refuse_emptiness(one.plan, one.source.label)
            error = self._settings.platforms.unmatched()
            if error is None:
                continue
            if not one_of_many or error.code != "no-such-platform":
                raise error.within(one.source.label)
            # A manifest is for one platform, so that it lacks no other.
            if any(planned.image.node.kind is Kind.INDEX for planned in one.plan.images):
                one.plan = with_findings(one.plan, [Finding.of(error.code, "", error.message)])
                if self._settings.options.on_loss is OnLoss.FAIL:
                    refuse_losses(one.plan)

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
                store=self._sink.label,
                remedy=f"choose one of {', '.join(names)}",
            )
        if distinct and (self._ref is not None or not target.names):
            # In refs/ a name is a file: one image, and one entry.
            listed = target.many_images and self._settings.family is not Family.OCI_RC2
            self._say_once(said_beside_names if listed else lambda _: None)
        elif target.rows:
            self._say_once(said_in_row)
        for one in self.source_plans:
            if self._ref is not None and one.roots:
                one.rename(self._ref)
            elif not target.names:
                one.forget_names()
        without_old_digests(self.source_plans)
        _refuse_twins(self.source_plans, self._sink)
        if target.rows:
            from oci_convert.conversion.archive_limits import check_rows

            check_rows(self.source_plans, self._sink.label)
        self._sink.check([root for one in self.source_plans for root in one.roots])

    def _say_once(self, said: Callable[[Root], object]) -> None:
        known: set[object] = set()
        for one in self.source_plans:
            if one.plan.images:
                one.without_known(known, said)

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
                    self._fail(one.origin, one.failure.within(one.source.label))
            done = [one for one in self.source_plans if one.failure is None]
            for one in done:
                tell_old_digests(one)
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


def _fail(failures: list[Failure], options: Options, origin: str, error: OciConvertError) -> None:
    if not options.keep_going:
        raise error
    failures.append(Failure.of(origin, error))


def _record(text: str | bytes) -> Record:
    from oci_convert.planning.record import Record  # hardly any run has one

    return Record.read(text.encode() if isinstance(text, str) else text)


def _family(options: Options, target: SinkStore) -> Family:
    """The family of the target: what is asked for, else what the destination implies."""
    family = options.to or target.default_family
    if family is None:
        raise UsageError(
            "the destination does not say which format to convert to",
            code="no-family",
            store=str(target),
            remedy=Wording('add {to="docker"} or {to="oci"}'),
        )
    family = Family(family)  # a store of somebody's may say "oci"
    check_compress(options.compress, family)
    return family


def _refuse_twins(source_plans: Sequence[SourcePlan], sink: Sink) -> None:
    """Two images of one call must not have one name, however they are spelled."""
    known: dict[object, tuple[str, str]] = {}
    for one in source_plans:
        for root, planned in zip(one.roots, one.plan.images, strict=True):
            names: object = meant(root.annotations)
            if sink.capabilities.rows:  # there it is named once
                names = repository_tag(root.annotations) or names
            place = one.place(planned.image.node.where)
            digest, first = known.setdefault(names, (root.descriptor.digest, place))
            if names != (None, None) and digest != root.descriptor.digest:
                raise UsageError(
                    f"two images have the name {called(root.annotations)!r}: {first} and {place}",
                    code="same-name",
                    where=sink.label,
                    remedy="convert them one by one, each with its own REF",
                )
