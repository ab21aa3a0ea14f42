"""What ``batch`` and ``sync`` have in common: options, the run itself, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn, TypeAlias

import typer

from oci_convert.cli import show
from oci_convert.cli.app import Json, print_json
from oci_convert.cli.fleet_progress import board
from oci_convert.cli.show.words import bytes_of, count_of
from oci_convert.cli.signals import StoppedError, in_two_stages
from oci_convert.cli.spelling import spelled
from oci_convert.cli.status import DONE, FAILED
from oci_convert.errors import OciConvertError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from oci_convert.cli.fleet_progress import Board
    from oci_convert.cli.registry_options import Registries
    from oci_convert.fleet.engine import Fleet
    from oci_convert.fleet.jobs import Job
    from oci_convert.fleet.results import JobResult, Summary
    from oci_convert.report import Failure

__all__ = ["How", "carry_out"]

_SHOWN: Final = 20
"""Failures that are told one by one, and images that were left out."""
_Told: TypeAlias = tuple[str, str]
"""Where something is wrong, and what."""
_of_many = partial(typer.Option, rich_help_panel="Many images")
_of_cluster = partial(typer.Option, rich_help_panel="Cluster")


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How jobs are carried out: an option for each field, some of which ``convert`` has, too."""

    jobs: Annotated[int, _of_many("--jobs", "-j", metavar="N", min=1, help="Jobs at a time.")] = 16
    results: Annotated[
        Path | None,
        _of_many(metavar="FILE", help="Write a line of JSON for each job, and go on from there."),
    ] = None
    no_resume: Annotated[
        bool,
        _of_many("--no-resume", help="Begin the results anew, and do again what they say is done."),
    ] = False
    attempts: Annotated[
        int, _of_many(metavar="N", min=1, help="Tries of a job whose failure may pass.")
    ] = 2
    fail_fast: Annotated[
        bool, _of_many("--fail-fast", help="Begin no job after one has failed.")
    ] = False
    records: Annotated[
        Path | None,
        _of_many(metavar="DIR", help="Write a record of each job into this directory."),
    ] = None
    scheduler: Annotated[
        str | None,
        _of_cluster(metavar="ADDRESS", help="Let the workers of this Dask scheduler convert."),
    ] = None
    insecure_scheduler: Annotated[
        bool,
        _of_cluster("--insecure-scheduler", help="Use a scheduler without TLS on another machine."),
    ] = False
    shared_filesystem: Annotated[
        bool, _of_cluster("--shared-filesystem", help="All workers have the paths of this machine.")
    ] = False
    targets: list[str] | None = None
    dry_run: bool = False
    as_json: Json = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of the profiles that are asked for; raises for one that is unknown."""
        from oci_convert.profiles.schema import names_in

        return names_in(self.targets or ())


def carry_out(
    jobs: Iterable[Job | JobResult],
    how: How,
    registries: Registries,
    *,
    total: int | None = None,
    wrong: int = 0,
) -> NoReturn:
    """Run the jobs, tell what became of them, and exit; ``wrong`` lines were no jobs."""
    registries.share()
    if how.scheduler is None:
        _run(jobs, how, registries, None, how.jobs, total, wrong)
    from oci_convert.cli.scheduler import cluster, only_registries

    with cluster(how.scheduler, registries, insecure=how.insecure_scheduler) as (executor, places):
        sent = jobs if how.shared_filesystem else only_registries(jobs)
        if not places and not how.quiet:
            show.tell(f"{how.scheduler} has no workers yet; the jobs wait for them")
        _run(sent, how, registries, executor, places or how.jobs, total, wrong)


def _run(
    jobs: Iterable[Job | JobResult],
    how: How,
    registries: Registries,
    executor: Executor | None,
    workers: int,
    total: int | None,
    wrong: int,
) -> NoReturn:
    from oci_convert.fleet.engine import Fleet

    signals: list[int] = []
    found = _Found(jobs)
    with board(total, wanted=not how.quiet) as shown:
        fleet = Fleet(
            found,
            executor=executor,
            workers=workers,
            results=None if how.dry_run else how.results,
            resume=not how.no_resume,
            attempts=how.attempts,
            fail_fast=how.fail_fast,
            records=None if how.dry_run else how.records,
            watch=shown.watch if executor is None else None,
        )

        def stop(number: int) -> None:
            signals.append(number)
            fleet.stop()
            found.stop(number)

        def cancel() -> None:
            shown.cancel()
            registries.close()

        with in_two_stages(stop, cancel):
            failures, left_out, broken = _follow(fleet, shown, how)
    if fleet.summary.found_nothing:
        failures, left_out = left_out, []
    for failure in failures:
        show.complain(": ".join(failure))
    if left_out and not how.quiet:
        _tell_losses(left_out)
    if broken is None or fleet.summary.total:
        _conclude(fleet.summary, how, len(failures))
    if broken is not None:
        raise broken
    if signals:
        raise typer.Exit(128 + signals[0])
    failed = fleet.summary.bad or fleet.summary.found_nothing
    raise typer.Exit(FAILED if failed or wrong else DONE)


class _Found:
    """The jobs as they are found. A signal ends the search, which may wait for a registry."""

    def __init__(self, jobs: Iterable[Job | JobResult]) -> None:
        self._jobs = jobs
        self._is_searching = False

    def __iter__(self) -> Iterator[Job | JobResult]:
        try:
            jobs = iter(self._jobs)
            while True:
                self._is_searching = True
                job = next(jobs, None)
                self._is_searching = False
                if job is None:
                    return
                yield job
        except StoppedError:
            self._is_searching = False

    def stop(self, number: int) -> None:
        """Called in the main thread, which is also the one that searches."""
        if self._is_searching:
            raise StoppedError(number)


def _follow(
    fleet: Fleet, shown: Board, how: How
) -> tuple[list[_Told], list[_Told], OciConvertError | None]:
    """Let the jobs run; the first failures, the first that were left out, and the error that ended
    the run before its end.
    """
    failures: list[_Told] = []
    left_out: list[_Told] = []
    try:
        for result in fleet:
            shown.add(result)
            for why, found in ((result.failure, failures), (result.left_out, left_out)):
                if why is not None and len(found) < _SHOWN:
                    found.append(_told(result, why))
            if result.status.good and not how.as_json:
                _say(result, how)
    except OciConvertError as error:
        return failures, left_out, error
    return failures, left_out, None


def _conclude(summary: Summary, how: How, told: int) -> None:
    if not how.quiet:
        _sum_up(summary, how, told)
    if how.as_json:
        print_json(summary.to_json())


def _say(result: JobResult, how: How) -> None:
    """The digest of each image with where it is; of a dry run, what it would take."""
    if not how.dry_run:
        for image in result.images:
            show.say(f"{image.new.digest} {result.destination}")
        return
    sent = f", {count_of('request', result.requests)}" if result.requests else ""
    moved = bytes_of(result.bytes_up or result.bytes_written)
    same = " (unchanged)" if result.status.value == "unchanged" else f": {moved}{sent}"
    show.say(f"{result.source} → {result.destination}{same}")


def _tell_losses(left_out: Iterable[_Told]) -> None:
    from oci_convert.findings import Finding

    show.findings((Finding.of("no-such-platform", *told) for told in left_out), every=True)


def _told(result: JobResult, why: Failure) -> _Told:
    """The place of what is wrong, which names the source, and what it is."""
    inside = ": ".join(filter(None, (why.store, spelled(why.where))))
    place = inside if inside.startswith(result.source) else f"{result.source}: {inside}"
    remedy = f"; {spelled(why.remedy)}" if why.remedy else ""
    return place.removesuffix(": "), f"{spelled(why.message)}{remedy}"


def _sum_up(summary: Summary, how: How, told: int) -> None:
    from oci_convert.fleet.results import JobStatus

    failed = sum(summary.failures.values())
    if failed > told:
        more = f"; {how.results} has all of them" if how.results else ""
        show.tell(f"{failed - told} more failed{more}")
    for code, number in sorted(summary.losses.items()):
        show.tell(f"{count_of('job', number)} with losses: {code}")
    ended = ", ".join(
        f"{summary.jobs[status]} {status.value}" for status in JobStatus if status in summary.jobs
    )
    moved = []
    if summary.requests:
        down, up = bytes_of(summary.bytes_down), bytes_of(summary.bytes_up)
        moved = [f"{count_of('request', summary.requests)}, {down} down, {up} up"]
    elif summary.bytes_written:
        moved = [f"{bytes_of(summary.bytes_written)} written"]
    show.tell("; ".join([f"{count_of('job', summary.total)}: {ended or 'none'}", *moved]))
