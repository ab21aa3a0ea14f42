"""What a worker does: it carries out jobs, and never raises.

A module-level function over plain values, so that any engine can send it anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oci_convert.errors import OciConvertError
from oci_convert.fleet.jobs import Chunk, Job, Task
from oci_convert.fleet.results import Answer, JobResult, JobStatus, losses_of
from oci_convert.fleet.resume import are_at, state_of
from oci_convert.limits import limited
from oci_convert.options import OnLoss, Options
from oci_convert.profiles.conversion import convert_for
from oci_convert.profiles.schema import profile_of
from oci_convert.progress import Progress
from oci_convert.report import Failure, Report
from oci_convert.spec.media_types import Kind
from oci_convert.stores.base import SinkStore, SourceStore
from oci_convert.stores.known import Known
from oci_convert.stores.opening import sink_store, source_store
from oci_convert.stores.references import Reference
from oci_convert.stores.registry.reference import SCHEME
from oci_convert.text.wording import Wording
from oci_convert.version import __version__

if TYPE_CHECKING:
    from oci_convert.stores.local import OciLayout
    from oci_convert.stores.registry.sink import Claim

__all__ = ["Give", "Watch", "run_chunk", "working_folder"]

Watch = Callable[[Job, Progress | None], None]
"""Told how far a job is, and with ``None`` when it begins and when it ends. What it raises while
blobs are read ends the job."""
Give = Callable[[Job, Sequence[str]], None]
"""Gives a job names in registries; raises if another one has them."""

_PASSING: Final = frozenset(
    {
        "bad-registry-answer",
        "connection-broken",
        "proxy-failed",
        "registry-failed",
        "registry-timeout",
        "registry-unreachable",
        "too-many-requests",
    }
)
"""Codes of failures that may not be there at the next try."""
_PAUSE: Final = 0.5
"""Seconds before a job is tried again; twice as long each time."""
_NO_PLATFORM: Final = "no-such-platform"
_DOCUMENTS: Final = (Kind.INDEX, Kind.MANIFEST)
_layers: Final = Known()
"""What this process has compressed: layers that images share are compressed once."""


class _AskingError(Exception):
    """Names are needed that the job has not been given."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)


def run_chunk(chunk: Chunk, watch: Watch | None = None, give: Give | None = None) -> Answer:
    """Carry out the jobs of a chunk, one after the other; what goes wrong is in the results.

    A worker of another version does nothing and says so. Without ``give``, as at a worker that is
    elsewhere, a job that needs more names than its task has is given back.
    """
    if chunk.version != __version__:
        return Answer(__version__, ())
    elsewhere = None if chunk.folder == working_folder() else chunk.folder
    with limited(chunk.limits):
        ended = [_run(task, elsewhere, watch, give) for task in chunk.tasks]
    results = tuple(it for it in ended if isinstance(it, JobResult))
    return Answer(__version__, results, tuple(it for it in ended if isinstance(it, Task)))


def working_folder() -> str:
    """From which this process takes paths that are not absolute; empty if it has been deleted."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def _run(
    task: Task, elsewhere: str | None, watch: Watch | None, give: Give | None
) -> JobResult | Task:
    """The result of a task, which may have been made in a folder ``elsewhere``; or the task, with
    the names that it asks for.
    """
    began = time.monotonic()
    for attempt in range(1, task.tries + 1):
        try:
            result = _try(task, elsewhere, watch, give)
        except _AskingError as asking:
            return replace(task, names=asking.names)
        failure = result.failure
        if failure is None or failure.code not in _PASSING or attempt == task.tries:
            break
        time.sleep(_PAUSE * 2 ** (attempt - 1))
    return replace(result, attempts=attempt, seconds=round(time.monotonic() - began, 3))


def _try(task: Task, elsewhere: str | None, watch: Watch | None, give: Give | None) -> JobResult:
    job = task.job
    result = JobResult(
        id=job.id,
        source=job.source,
        destination=job.destination,
        status=JobStatus.FAILED,
        options=job.settings,
    )
    try:
        if elsewhere is not None:
            task = replace(task, job=job.told_from(elsewhere))
        return _convert(task, result, watch, give)
    except OciConvertError as error:
        return _without_image(result, job, Failure.of(job.source, error))
    except _AskingError:
        raise
    except Exception as error:  # one job must not end the others
        return replace(result, failure=_unforeseen(job, error))
    finally:
        if watch is not None:
            watch(job, None)


def _without_image(result: JobResult, job: Job, why: Failure) -> JobResult:
    """The result of a job whose image cannot be converted: it failed, unless it only lacks a
    platform that was asked for.
    """
    reported = job.options.platforms and job.options.on_loss is OnLoss.REPORT
    if why.code != _NO_PLATFORM or not reported:
        return replace(result, failure=why)
    return replace(result, status=JobStatus.LEFT_OUT, losses={_NO_PLATFORM: 1}, left_out=why)


def _unforeseen(job: Job, error: Exception) -> Failure:
    kind = type(error).__name__
    words = "".join((kind, ": " if str(error) else "", *str(error).splitlines()[:1]))
    remedy = Wording("{convert()} it alone, and please report what it raises")
    return Failure(job.source, kind, "internal-error", job.id, words, remedy)


def _convert(task: Task, result: JobResult, watch: Watch | None, give: Give | None) -> JobResult:
    job = task.job
    if watch is not None:
        watch(job, None)
    state = None
    source, target = _source(job.source), _target(job.destination, partial(_claim, task, give))
    if task.state is not None or not job.source.startswith(SCHEME):
        state = state_of(job.source, source)
        if state == task.state:
            return replace(result, status=JobStatus.UNCHANGED, state=state)
    try:
        report = _converted(job, source, target, job.options, watch)
    except OciConvertError as error:
        if error.code != "target-exists":
            raise
        planned = job.options.but(dry_run=True, force=True)
        report = _converted(job, source, target, planned, watch)
        if not are_at(job.destination, report.images):
            raise
        return _told(replace(result, status=JobStatus.UNCHANGED), report, state)
    result = _told(result, report, state)
    if report.failures:
        return _without_image(result, job, report.failures[0])
    return replace(result, status=JobStatus.DONE)


def _claim(task: Task, give: Give | None, names: Sequence[str]) -> None:
    """Let the job have names, which are given by whoever knows all jobs."""
    if set(names) <= set(task.names):
        return
    if give is None:
        raise _AskingError(names)
    give(task.job, names)


def _converted(
    job: Job, source: SourceStore, target: SinkStore, options: Options, watch: Watch | None
) -> Report:
    on_progress = None if watch is None else lambda progress: watch(job, progress)
    profiles = [profile_of(name) for name in job.targets]
    return convert_for(
        source,
        target,
        options,
        profiles,
        on_progress=on_progress,
        layers=_layers,
        one_of_many=True,
    )


def _told(result: JobResult, report: Report, state: str | None) -> JobResult:
    """The result with what the report says."""
    olds = {row.old.digest: row for row in report.map if row.new is not None}
    documents = sum(row.kind in _DOCUMENTS for row in olds.values())
    if state is None and len(report.images) == 1 and report.images[0].old is not None:
        state = report.images[0].old.digest
    totals = report.totals
    return replace(
        result,
        images=report.images,
        losses=losses_of(report),
        documents=documents,
        blobs=len(olds) - documents,
        size=sum(row.old.size for row in olds.values()),
        requests=totals.requests,
        bytes_down=totals.bytes_down,
        bytes_up=totals.bytes_up,
        bytes_read=totals.bytes_read,
        bytes_written=totals.bytes_written,
        state=state,
        report=report,
    )


def _source(text: str) -> SourceStore:
    found = source_store(text)
    return _layout(found) or found if isinstance(found, Reference) else found


def _target(text: str, claim: Claim) -> SinkStore:
    found = sink_store(text)
    if text.startswith(SCHEME):
        from oci_convert.stores.registry.image import RegistryImage

        return found.claiming(claim) if isinstance(found, RegistryImage) else found
    return _layout(found) or found if isinstance(found, Reference) else found


def _layout(reference: Reference) -> OciLayout | None:
    """The layout that is meant: jobs on one share what they know of its index."""
    if reference.transport != "oci":
        return None
    whole = _whole_layout(reference.path)
    return whole if reference.ref is None else whole.image(reference.ref)


@lru_cache(maxsize=64)
def _whole_layout(path: str) -> OciLayout:
    from oci_convert.stores.local import OciLayout

    return OciLayout(path)
