"""The main job: read, plan, carry, commit, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import BinaryIO

from oci_convert.conversion.archive_limits import check_rows
from oci_convert.conversion.report_builder import SourcePlan, report_of
from oci_convert.conversion.restore import restore_originals
from oci_convert.conversion.transfer import Transfer
from oci_convert.enums import chosen
from oci_convert.errors import OciConvertError, UsageError
from oci_convert.planning.decide import decide, refuse_losses
from oci_convert.planning.options import Keep, OnLoss, Options
from oci_convert.planning.record import Record
from oci_convert.planning.referrer_rules import kept_signatures
from oci_convert.progress import Progress
from oci_convert.report import Failure, Report
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import called, pair, renamed
from oci_convert.spec.platforms import matches
from oci_convert.stores.base import Root, Sink, SinkOptions, SinkStore, Source
from oci_convert.stores.files.base import Scratch
from oci_convert.stores.files.system import system_errors
from oci_convert.stores.files.temporary import temporary
from oci_convert.stores.hashing import HashingSink
from oci_convert.stores.opening import SinkLike, SourceLike, opened, sink_store, source_stores
from oci_convert.transform.document_edits import is_attestation
from oci_convert.transform.layer_rules import Compress
from oci_convert.tree.reader import read_node, read_tree
from oci_convert.tree.referrers import Sorted, companions_of, sort_out

__all__ = ["convert"]


def convert(
    source: SourceLike | Iterable[SourceLike],
    destination: SinkLike,
    *,
    to: Family | str | None = None,
    platforms: Iterable[str] = (),
    compress: Compress | str = Compress.AUTO,
    level: int | None = None,
    attestations: Keep | str = Keep.AUTO,
    referrers: Keep | str = Keep.AUTO,
    signatures: Keep | str = Keep.AUTO,
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
    link: bool = False,
    keep_going: bool = False,
    tmpdir: str | PathLike[str] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Convert images between the Docker and the OCI format.

    ``source`` and ``destination`` are references as skopeo spells them (``oci:PATH[:REF]``,
    ``dir:PATH``, ``docker-archive:FILE[:REF]``), bare paths, ``-`` (an archive on standard input or
    output), or objects of :mod:`oci_convert.stores`. Several sources become one target with one
    commit: all of them or, with ``keep_going``, those that can be converted, the others being the
    report's :attr:`~Report.failures`. ``to`` is the family of the target; it defaults to what the
    destination implies. ``restore`` is the content of a record, written by an earlier run. What
    must wait before it is written, such as an archive that comes as a stream, waits beside the
    target; where that is on no disk, in ``tmpdir``. All other arguments mean what the options of
    the command mean. ``on_progress`` is called by one thread at a time; what it raises ends the
    run.

    Everything that enters the target is verified; a run that raises leaves no image behind. Raises
    :class:`UsageError` for a call that is wrong and other :class:`OciConvertError` for everything
    else that is foreseen, what the system refuses included.
    """
    began = time.monotonic()
    target = sink_store(destination)
    options = Options(
        to=_family(to, target),
        platforms=tuple(platforms),
        compress=chosen(Compress, compress, "--compress"),
        level=level,
        attestations=chosen(Keep, attestations, "--attestations"),
        referrers=chosen(Keep, referrers, "--referrers"),
        signatures=chosen(Keep, signatures, "--signatures"),
        keep_extensions=keep_extensions,
        on_loss=chosen(OnLoss, on_loss, "--on-loss"),
        strict=strict,
        allow_missing=allow_missing,
        flatten=flatten,
    )
    options.check()
    record = Record.read(restore) if restore is not None else None
    sources = source_stores(source)
    waiting = partial(temporary, tmpdir)
    with (
        system_errors(),
        ExitStack() as open_sources,
        target.sink(SinkOptions(options.to, force, fsync, waiting)) as sink,
    ):

        def scratch() -> BinaryIO:
            beside = None if dry_run else sink.scratch()
            return waiting() if beside is None else beside

        run = _Run(options, sink, target, scratch, keep_going=keep_going)
        for store in sources:
            run.plan(store, open_sources, record)
        run.name()
        carrier = Transfer(
            HashingSink(sink) if dry_run else sink,
            options,
            jobs=jobs,
            verify_existing=verify_existing,
            link=link,
            keep_going=keep_going,
            on_progress=on_progress,
        )
        run.carry(carrier)
        return report_of(
            run.parts,
            run.failures,
            carrier.moved(),
            options,
            destination=str(target),
            named=sink.capabilities.names,
            dry_run=dry_run,
            seconds=time.monotonic() - began,
        )


class _Run:
    """One call: the parts of all sources, and the one sink that they go to."""

    def __init__(
        self,
        options: Options,
        sink: Sink,
        target: SinkStore,
        scratch: Scratch,
        *,
        keep_going: bool,
    ):
        self.parts: list[SourcePlan] = []
        self.failures: list[Failure] = []
        self._options = options
        self._sink = sink
        self._ref = target.ref
        self._scratch = scratch
        self._keep_going = keep_going
        self._count = 0

    def plan(self, store: SourceLike, open_sources: ExitStack, record: Record | None) -> None:
        """Read one source and decide what becomes of its images."""
        origin = str(store)
        try:
            opened_store, source, roots = open_sources.enter_context(opened(store, self._scratch))
            if not roots:
                raise source.empty()
        except OciConvertError as error:
            self._fail(origin, error)
            return
        origin = str(opened_store)
        named = opened_store.ref is not None
        rest = [root for root in source.roots() if not named or root not in roots]
        found = sort_out(source, rest)
        if named:
            found.images = list(roots)
        for some in self._shares(found.images):
            self._plan_share(origin, source, some, found, record)
        # What speaks of nothing that was converted is something of its own.
        left, found.others = found.others, []
        for some in self._shares([root for root, _ in left if not named]):
            self._plan_share(origin, source, some, found, record)

    def _shares(self, roots: list[Root]) -> list[list[Root]]:
        """What is planned together: everything, or each image that may fail alone."""
        return [[root] for root in roots] if self._keep_going or not roots else [roots]

    def _fail(self, origin: str, error: OciConvertError) -> None:
        if not self._keep_going:
            raise error
        self.failures.append(Failure(origin, error.code, error.where, error.message))

    def _plan_share(
        self,
        origin: str,
        source: Source,
        roots: Sequence[Root],
        found: Sorted,
        record: Record | None,
    ) -> None:
        try:
            with system_errors():
                self._plan_part(origin, source, roots, found, record)
        except OciConvertError as error:
            self._fail(origin, error.within(source.label))

    def _plan_part(
        self,
        origin: str,
        source: Source,
        roots: Sequence[Root],
        found: Sorted,
        record: Record | None,
    ) -> None:
        """Plan some images and what speaks of them; ``found`` keeps what speaks of others."""
        tree = read_tree(source, roots, first=self._count, asked=self._asked, known=found.known)
        digests = {node.descriptor.digest for node in tree.walk() if node.document}
        read = partial(read_node, source, found.known)
        companions, others = companions_of(digests, found.others, read)
        holds = self._sink.capabilities
        plan = decide(
            tree,
            self._options,
            companions,
            plain_layers=holds.plain_layers,
            room=holds.many_images,
        )
        if record is not None:
            restore_originals(plan, record, self._sink)
        part = SourcePlan(origin, source, plan)
        part.signatures = kept_signatures(plan, source.signatures(), room=holds.signatures)
        if self._options.on_loss is OnLoss.FAIL:
            refuse_losses(plan)
        self._count += len(roots)
        self.parts.append(part)
        found.others = others

    def _asked(self, entry: Descriptor) -> bool:
        """Whether an entry is to be read: one whose platform nobody wants is not."""
        wanted = self._options.platforms
        if not wanted or entry.platform is None or is_attestation(entry):
            return True
        return any(matches(entry.platform, platform) for platform in wanted)

    def name(self) -> None:
        """Say what each image is called in the target; fails before anything is written."""
        tops = [top for part in self.parts for top in part.plan.tops]
        distinct = {step.node.descriptor.digest for _, step in tops}
        if len(distinct) > 1 and (self._ref is not None or not self._sink.capabilities.many_images):
            names = [called(image.root.annotations) or "(unnamed)" for image, _ in tops]
            raise UsageError(
                f"there are {len(distinct)} images, and the destination has room for one",
                code="several-images",
                where=self._sink.label,
                remedy=f"choose one of {', '.join(names)}",
            )
        if distinct and (self._ref is not None or not self._sink.capabilities.names):
            self.parts = self.parts[:1]
            self.parts[0].plan.tops = self.parts[0].plan.tops[:1]
        for part in self.parts:
            part.roots = [image.root for image, _ in part.plan.tops]
            if self._ref is not None:
                annotations = renamed(part.roots[0].annotations, self._ref)
                part.roots = [replace(part.roots[0], annotations=annotations)]
        roots = [root for part in self.parts for root in part.roots]
        _refuse_twins(roots, self._sink.label)
        if self._sink.capabilities.rows:
            check_rows(self.parts, self._sink.label)
        self._sink.check(roots)

    def carry(self, carrier: Transfer) -> None:
        """Carry every part out, and let the images appear."""
        try:
            carrier.run(self.parts)
            for part in self.parts:
                if part.failure is not None:
                    self._fail(part.origin, part.failure)
            done = [part for part in self.parts if part.failure is None]
            made = [root for part in done for root in part.made()]
            for name, data in ((n, d) for part in done for n, d in part.signatures.items()):
                carrier.sink.sign(name, data)
            made += [root for part in done for root in part.companions()]
            if made:
                carrier.sink.commit(made)
            else:
                carrier.sink.abort()
        except BaseException:
            carrier.sink.abort()
            raise


def _family(to: Family | str | None, target: SinkStore) -> Family:
    if to is not None:
        return chosen(Family, to, "--to")
    if target.default_family is None:
        raise UsageError(
            "the destination does not say which format to convert to",
            code="no-family",
            where=str(target),
            remedy="add --to docker or --to oci",
        )
    return target.default_family


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
