"""The engine: jobs in, results out, both one by one; in between any ``Executor``."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from threading import Event
from typing import Final, TypeAlias

from oci_convert.errors import StoreError, UsageError
from oci_convert.fleet.dask_executor import that_answers
from oci_convert.fleet.jobs import Chunk, Job, Task
from oci_convert.fleet.names import Names, names_of
from oci_convert.fleet.records import write_record
from oci_convert.fleet.results import Answer, JobResult, JobStatus, Summary
from oci_convert.fleet.results_file import ResultsFile
from oci_convert.fleet.resume import state_when_done
from oci_convert.fleet.work import Watch, run_chunk, working_folder
from oci_convert.limits import limits
from oci_convert.text.wording import Wording
from oci_convert.version import __version__

__all__ = ["Fleet", "convert_many"]

_Work: TypeAlias = Callable[..., Answer]

_LASTING: Final = 1.0
"""Seconds for which jobs are sent at once to an executor that is not ours, to which it costs to
send: long jobs find a place each, and what is lost with one is little."""
_SHORTEST: Final = 0.02
"""Seconds that a job is taken to need at least: no more than 50 are sent at once."""
_MOST_LOSSES: Final = 3
_LOOK_UP: Final = 0.5
"""Seconds after which a wait looks up, so that a signal is noticed."""


def convert_many(
    jobs: Iterable[Job],
    *,
    executor: Executor | None = None,
    workers: int = 16,
    window: int | None = None,
    chunk: int | None = None,
    results: str | PathLike[str] | None = None,
    resume: bool = True,
    on_result: Callable[[JobResult], object] | None = None,
    attempts: int = 2,
    fail_fast: bool = False,
    records: str | PathLike[str] | None = None,
) -> Iterator[JobResult]:
    """Convert what ``jobs`` say, and give what became of each, as they end.

    Lazy in both directions: ``jobs`` may be a generator of millions, of which no more are taken
    than there is room for, and nothing runs before the first result is asked for. A job that fails
    is a result, no exception; it is tried ``attempts`` times if it may go well the next time, as
    when a registry does not answer.

    ``executor`` carries the jobs out, by default ``workers`` threads of this process. Another one
    (``distributed.Client(…).get_executor(pure=False)``, for example) has about ``workers`` places;
    ``chunk`` jobs are sent to it at a time, by default as many as take about a second, and
    ``window`` chunks are with it at most. What it loses is sent again job by job; a job that is
    lost three times is a result with the status ``lost``.

    Every result is written to the file ``results``, and at the end a line that sums up. With
    ``resume``, jobs that it says are done are not done again, unless their source or their options
    have changed since. ``fail_fast`` takes no more jobs once one has failed; what the executor has
    already may still run. ``on_result`` is called with each result, ``records`` is a directory for
    the record of each job that was done.

    Raises :class:`UsageError` (``version-mismatch``: a worker has another version of this package),
    :class:`StoreError` (``executor-broken``, and what the system refuses) and
    :class:`DocumentError` (``not-results``). Whoever ends the iteration early waits for the jobs
    that run.
    """
    return iter(
        Fleet(
            jobs,
            executor=executor,
            workers=workers,
            window=window,
            chunk=chunk,
            results=results,
            resume=resume,
            on_result=on_result,
            attempts=attempts,
            fail_fast=fail_fast,
            records=records,
        )
    )


@dataclass(frozen=True, slots=True)
class _Sent:
    """What is under way: a chunk, and how often its jobs were lost before."""

    tasks: tuple[Task, ...]
    losses: int = 0


@dataclass(eq=False, repr=False)
class Fleet:
    """One run of many jobs: iterating over it carries them out, once.

    It takes what :func:`convert_many` does; ``watch`` is told of jobs by our own threads. Among
    ``jobs`` there may be results: of what no job could be made of.
    """

    jobs: Iterable[Job | JobResult]
    _: KW_ONLY
    executor: Executor | None = None
    workers: int = 16
    window: int | None = None
    chunk: int | None = None
    results: str | PathLike[str] | None = None
    resume: bool = True
    on_result: Callable[[JobResult], object] | None = None
    attempts: int = 2
    fail_fast: bool = False
    records: str | PathLike[str] | None = None
    watch: Watch | None = None

    def __post_init__(self) -> None:
        self.summary: Summary = Summary()
        self._left = iter(self.jobs)
        self._workers = max(1, self.workers)
        self._window = self.window or 2 * self._workers
        self._chunk = self.chunk or (1 if self.executor is None else None)
        self._size = self._chunk or 1
        self._stopping = Event()
        self._file: ResultsFile | None = None
        self._again: deque[_Sent] = deque()
        self._is_alone = False
        """Whether what is under way has its last try, in which nothing else may end its worker."""
        self._pending: dict[Future[Answer], _Sent] = {}
        self._known: JobResult | None = None
        """What is known without that anything is sent."""
        self._broken: Exception | None = None
        """What the jobs ended with, if that was not their end."""

    def stop(self) -> None:
        """Begin no more jobs; those that run come to their end, others are ``skipped``."""
        self._stopping.set()

    def __iter__(self) -> Iterator[JobResult]:
        began = time.monotonic()
        with ExitStack() as stack:
            self._names = stack.enter_context(Names())
            if self.results is not None:
                file = ResultsFile(Path(self.results), resume=self.resume)
                self._file = stack.enter_context(file)
            work: _Work = run_chunk if self.watch is None else partial(run_chunk, watch=self.watch)
            executor = self.executor
            if executor is None:
                work = partial(work, give=self._names.claim)
                executor = ThreadPoolExecutor(self._workers, thread_name_prefix="job")
                stack.callback(executor.shutdown, cancel_futures=True)
            stack.callback(self._cancel)
            for result in self._results(that_answers(executor), work):
                yield self._told(result)
            self.summary.complete = not self._stopping.is_set() and self._broken is None
            self.summary.seconds = round(time.monotonic() - began, 3)
            if self._file is not None:
                self._file.end(self.summary)
            if self._broken is not None:
                raise self._broken

    def _cancel(self) -> None:
        for future in self._pending:
            future.cancel()

    def _results(self, executor: Executor, work: _Work) -> Iterator[JobResult]:
        while True:
            self._send(executor, work)
            if self._known is not None:
                known, self._known = self._known, None
                yield known
                continue
            if not self._pending:
                break
            done, _ = wait(self._pending, _LOOK_UP, FIRST_COMPLETED)
            if self._stopping.is_set():
                self._cancel()
            for future in [it for it in self._pending if it in done]:  # as they were sent
                yield from self._ended(self._pending.pop(future), future)
        while self._again:
            yield from map(_skipped, self._again.popleft().tasks)

    def _send(self, executor: Executor, work: _Work) -> None:
        """Fill the window, up to what needs not be sent."""
        while len(self._pending) < self._window and not self._stopping.is_set():
            alone = bool(self._again) and self._again[0].losses == _MOST_LOSSES - 1
            if self._pending and (alone or self._is_alone):
                return
            sent = self._again.popleft() if self._again else self._next()
            if not sent.tasks:
                return
            self._is_alone = alone
            chunk = Chunk(__version__, limits(), sent.tasks, working_folder())
            try:
                future = executor.submit(work, chunk)
            except Exception as error:
                raise _broken(error) from error
            self._pending[future] = sent

    def _next(self) -> _Sent:
        """The next jobs, up to what is no job that can be carried out."""
        tasks: list[Task] = []
        while len(tasks) < self._size and self._known is None:
            try:
                job = next(self._left, None)
            except Exception as error:  # what is under way still has its results
                self._broken, self._left = error, iter(())
                break
            if job is None or self._stopping.is_set():
                break
            if isinstance(job, JobResult):
                self._known = job
                break
            task = self._task(job)
            try:
                self._names.claim(job, task.names)
            except StoreError as error:
                self._known = JobResult.without_run(job, JobStatus.FAILED, error)
            else:
                tasks.append(task)
        return _Sent(tuple(tasks))

    def _task(self, job: Job) -> Task:
        """The job with what the source was, if it was done with the same options, and with the
        names that it needs, as far as they are known.
        """
        earlier = None if self._file is None else self._file.earlier(job.id)
        state = state_when_done(job, earlier)
        done = earlier.images if earlier is not None and state is not None else ()
        names = names_of(job, done)
        return Task(job, max(1, self.attempts), state, names)

    def _ended(self, sent: _Sent, future: Future[Answer]) -> Iterator[JobResult]:
        if future.cancelled() and self._stopping.is_set():
            yield from map(_skipped, sent.tasks)
            return
        error = CancelledError() if future.cancelled() else future.exception()
        if isinstance(error, ImportError | AttributeError):  # the worker lacks what it should call
            raise _other_version("none, or another one") from error
        if error is not None:
            yield from self._lost(sent, error)
            return
        answer = future.result()
        if answer.version != __version__:
            raise _other_version(answer.version)
        self._adapt(answer.results)
        yield from answer.results
        for task in answer.asking:
            try:
                self._names.claim(task.job, task.names)
            except StoreError as error:
                yield JobResult.without_run(task.job, JobStatus.FAILED, error)
            else:
                self._again.append(_Sent((task,), sent.losses))

    def _adapt(self, results: Sequence[JobResult]) -> None:
        """Send as many jobs at once as take about a second, and at most twice as many as before."""
        if self._chunk is None and results:
            each = sum(result.seconds for result in results) / len(results)
            self._size = max(1, min(2 * self._size, int(_LASTING / max(each, _SHORTEST))))

    def _lost(self, sent: _Sent, error: BaseException) -> Iterator[JobResult]:
        """Send what was lost again, job by job; give up what was lost too often.

        The last time a job is sent alone: who is lost then has nobody else to blame.
        """
        losses = sent.losses + 1
        if losses < _MOST_LOSSES:
            self._again.extend(_Sent((task,), losses) for task in sent.tasks)
            return
        for task in sent.tasks:
            yield JobResult.without_run(task.job, JobStatus.LOST, _loss(losses, error), losses)

    def _told(self, result: JobResult) -> JobResult:
        """Write a result down; one that is unchanged says what the earlier one said."""
        unknown = result.status is JobStatus.UNCHANGED and not result.images
        if self._file is not None and unknown:
            earlier = self._file.earlier(result.id)
            result = result if earlier is None else result.as_before(earlier)
        result = self._names.checked(result)
        if self._file is not None:
            self._file.write(result)
        if self.records is not None and result.report is not None:
            write_record(Path(self.records), result)
        self.summary.add(result)
        if self.fail_fast and result.status.bad:
            self.stop()
        if self.on_result is not None:
            self.on_result(result)
        return result


def _skipped(task: Task) -> JobResult:
    return JobResult.without_run(task.job, JobStatus.SKIPPED)


def _loss(losses: int, error: BaseException) -> StoreError:
    words = str(error).splitlines()
    why = "".join((type(error).__name__, ": " if words else "", *words[:1]))
    return StoreError(
        f"its worker went away {losses} times ({why})",
        code="job-lost",
        remedy="convert it alone, and see what it does to memory and disk",
    )


def _broken(error: Exception) -> StoreError:
    return StoreError(
        f"the executor takes no more jobs: {type(error).__name__}",
        code="executor-broken",
        remedy=Wording("start it again; with {results=FILE} the run goes on where it was"),
    )


def _other_version(version: str) -> UsageError:
    return UsageError(
        f"the workers have another version of oci-convert: {version}",
        code="version-mismatch",
        remedy=f"install oci-convert {__version__} there",
    )
