"""The progress of a run on a terminal; it disappears at the end.

A run pays for an entry of a dictionary and no more: rich draws in a thread, which looks ten times a
second at what moved. The thread begins, and rich is imported, after a moment only, so that a short
run neither waits for it nor flickers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Final

from oci_convert.cli.show.terminal import is_live
from oci_convert.cli.show.words import digest_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from oci_convert.progress import Progress

__all__ = ["Meter", "progress"]

_BEGIN: Final = 0.2
"""Seconds of a run that shows nothing."""
_TICK: Final = 0.1
_LASTING: Final = 0.3
"""Seconds that a blob takes at least to be worth a line: small ones would flicker."""
_STUCK: Final = 10.0
"""Seconds after which a blob that does not move has no line any more: it may have failed."""
_MOST: Final = 8
"""Blobs that have a line."""
_NARROW: Final = 70
"""Columns of a terminal that has no room for sizes and rates."""


@contextmanager
def progress(*, wanted: bool) -> Iterator[Callable[[Progress], object] | None]:
    """The callback for ``on_progress``; ``None`` if there is no terminal."""
    if not wanted or not is_live(sys.stderr):
        yield None
        return
    meter, ended = Meter(), Event()
    thread = Thread(target=_draw, args=(meter, ended), name="progress", daemon=True)
    thread.start()
    try:
        yield meter.moved
    finally:
        ended.set()
        thread.join()


def _draw(
    meter: Meter,
    ended: Event,
    console: Console | None = None,
    clock: Callable[[], float] = monotonic,
) -> None:
    """Draw the meter until the run ends, then leave the terminal as it was."""
    if ended.wait(_BEGIN):
        return
    if console is None:
        from rich.console import Console

        console = Console(file=sys.stderr, highlight=False)
    tasks: dict[str, TaskID] = {}
    try:
        with _bars(console, clock) as bars:
            whole = bars.add_task("total", total=None)
            while True:
                bars.update(whole, completed=meter.done, total=meter.total or None)
                _follow(bars, tasks, meter.lasting(clock()))
                bars.refresh()
                if ended.wait(_TICK):
                    return
    except (OSError, ValueError):
        pass  # the terminal is gone


def _bars(console: Console, clock: Callable[[], float]) -> Bars:
    """The lines of a run, as many columns as the terminal has room for."""
    from rich import progress as rich
    from rich.table import Column

    name = rich.TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")
    )
    told: list[rich.ProgressColumn] = [
        rich.TaskProgressColumn(),
        rich.TimeRemainingColumn(compact=True),
    ]
    if console.width >= _NARROW:
        told[1:1] = [rich.DownloadColumn(), rich.TransferSpeedColumn()]
    return rich.Progress(
        name,
        rich.BarColumn(bar_width=None),
        *told,
        console=console,
        transient=True,
        expand=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
        get_time=clock,
    )


def _follow(bars: Bars, tasks: dict[str, TaskID], blobs: list[Blob]) -> None:
    """Let each of ``blobs`` have a line, and nothing else but the whole run."""
    for digest in tasks.keys() - {blob.digest for blob in blobs}:
        bars.remove_task(tasks.pop(digest))
    for blob in blobs:
        if blob.digest not in tasks:
            name = f"{digest_of(blob.digest)} {blob.where.rpartition('.')[2]}"
            tasks[blob.digest] = bars.add_task(name, total=blob.size)
        bars.update(tasks[blob.digest], completed=blob.done)


@dataclass(slots=True)
class Blob:
    """A blob that is being moved."""

    where: str
    digest: str
    size: int
    begun: float | None = None
    """When it was seen first."""
    moved: float = 0.0
    done: int = 0
    seen: int = 0
    """What was done when it was looked at."""


@dataclass
class Meter:
    """How far a run is."""

    done: int = 0
    total: int = 0
    running: dict[str, Blob] = field(default_factory=dict)

    def moved(self, progress: Progress) -> None:
        """Take note of a step; called by one thread at a time."""
        self.done, self.total = progress.done, progress.total
        blob = self.running.get(progress.digest)
        if blob is None:
            blob = Blob(progress.where, progress.digest, progress.size)
            self.running[progress.digest] = blob
        blob.done += progress.step
        if blob.done >= blob.size:
            del self.running[progress.digest]

    def lasting(self, now: float) -> list[Blob]:
        """The blobs that take their time; the drawing thread asks, again and again."""
        lasting = []
        for blob in list(self.running.values()):
            if blob.begun is None:
                blob.begun = now
            if blob.done != blob.seen:
                blob.seen, blob.moved = blob.done, now
            if now - blob.begun >= _LASTING and now - blob.moved < _STUCK:
                lasting.append(blob)
        return lasting[:_MOST]
