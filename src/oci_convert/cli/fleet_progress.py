"""The progress of many jobs on a terminal: one line for all, one for each that takes its time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Final

from oci_convert.cli.show.terminal import is_live, width_of
from oci_convert.cli.show.words import bytes_of, count_of
from oci_convert.text.printable import printable

if TYPE_CHECKING:
    from oci_convert.fleet.jobs import Job
    from oci_convert.fleet.results import JobResult
    from oci_convert.progress import Progress

__all__ = ["Board", "CancelledError", "board"]

_TICK: Final = 0.2
_LASTING: Final = 0.5
"""Seconds that a job takes at least to be worth a line."""
_MOST: Final = 8
"""Jobs that have a line."""
_WINDOW: Final = 30.0
"""Seconds over which the rate is counted."""


class CancelledError(Exception):
    """The run was cancelled; the job that it is raised in comes to its end."""


class Board:
    """How far the jobs are; and where they are told to stop."""

    def __init__(self, total: int | None) -> None:
        self.total: int | None = total
        self.ended: int = 0
        self.bad: int = 0
        self._cancelled = Event()
        self._running: dict[str, tuple[float, Progress | None]] = {}
        self._recent: list[tuple[float, int]] = [(monotonic(), 0)]

    def cancel(self) -> None:
        """End the jobs that run, as soon as they read something."""
        self._cancelled.set()

    def watch(self, job: Job, progress: Progress | None) -> None:
        """Take note of a job: called by the thread that runs it."""
        begun, _ = self._running.get(job.id, (monotonic(), None))
        if progress is not None or job.id not in self._running:
            self._running[job.id] = (begun, progress)
        else:
            self._running.pop(job.id, None)
        if progress is not None and self._cancelled.is_set():
            raise CancelledError

    def add(self, result: JobResult) -> None:
        """Take note of a result."""
        self.ended += 1
        self.bad += result.status.bad

    def lines(self, now: float) -> Iterator[str]:
        """What is shown."""
        whole = f"{self.ended} of {count_of('job', self.total)}" if self.total else ""
        parts = [whole or count_of("job", self.ended)]
        if self.bad:
            parts.append(f"{self.bad} failed")
        rate = self._rate(now)
        if rate:
            parts.append(f"{rate:.1f}/s")
            if self.total and self.total > self.ended:
                parts.append(f"{_spelled((self.total - self.ended) / rate)} left")
        yield ", ".join(parts)
        lasting = [it for it in list(self._running.items()) if now - it[1][0] >= _LASTING]
        for identity, (_, progress) in lasting[:_MOST]:
            done = "" if progress is None else f"{bytes_of(progress.done)} of "
            size = "" if progress is None else f"{bytes_of(progress.total)}  "
            yield f"  {done}{size}{printable(identity)}"

    def _rate(self, now: float) -> float:
        self._recent.append((now, self.ended))
        while now - self._recent[0][0] > _WINDOW:
            self._recent.pop(0)
        since, before = self._recent[0]
        return (self.ended - before) / (now - since) if now > since else 0.0


def _spelled(seconds: float) -> str:
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


@contextmanager
def board(total: int | None, *, wanted: bool) -> Iterator[Board]:
    """A board that is drawn while the run lasts, if there is a terminal to draw it on."""
    shown = Board(total)
    if not wanted or not is_live(sys.stderr):
        yield shown
        return
    ended = Event()
    thread = Thread(target=_draw, args=(shown, ended), name="progress", daemon=True)
    thread.start()
    try:
        yield shown
    finally:
        ended.set()
        thread.join()


def _draw(shown: Board, ended: Event) -> None:
    """Draw the board again and again, then leave the terminal as it was."""
    height = 0
    try:
        while True:
            stop = ended.wait(_TICK)
            width = (width_of(sys.stderr) or 80) - 1
            lines = [] if stop else [line[:width] for line in shown.lines(monotonic())]
            up = f"\x1b[{height}A" if height else ""
            sys.stderr.write(f"\r{up}\x1b[J" + "".join(f"{line}\n" for line in lines))
            sys.stderr.flush()
            height = len(lines)
            if stop:
                return
    except (OSError, ValueError):
        pass  # the terminal is gone
