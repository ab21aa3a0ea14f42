"""The progress of a run on a terminal; it disappears at the end.

Drawn by a thread that wakes ten times a second and looks at what moved, so that a run pays for a
dictionary's entry and no more. It begins after a moment, so that a short run shows nothing. The few
lines are drawn by hand: to import rich would keep the layers waiting longer than they take.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Final, TextIO

from oci_convert.cli.show.terminal import drawn, is_live
from oci_convert.cli.show.text import Style, Text
from oci_convert.cli.show.words import bytes_of, digest_of

if TYPE_CHECKING:
    from oci_convert.journey.carry import Progress

__all__ = ["Meter", "progress"]

_BEGIN: Final = 0.2
"""Seconds of a run that shows nothing."""
_TICK: Final = 0.1
_LASTING: Final = 0.3
"""Seconds that a blob takes at least to be worth a line: small ones would flicker."""
_STUCK: Final = 10.0
"""Seconds after which a blob that does not move has no line any more: it may have failed."""
_WINDOW: Final = 5.0
"""Seconds that the rate is measured over."""
_MOST: Final = 8
"""Blobs that have a line."""
_SHORTEST: Final = 8
_LONGEST: Final = 20
"""The columns of a bar."""


@contextmanager
def progress(*, wanted: bool) -> Iterator[Callable[[Progress], None] | None]:
    """What to hand to ``on_progress``; ``None`` where nobody would see it."""
    if not wanted or not is_live(sys.stderr):
        yield None
        return
    meter, ended = Meter(), Event()
    drawing = (meter, ended, sys.stderr)
    thread = Thread(target=_draw, args=drawing, name="progress", daemon=True)
    thread.start()
    try:
        yield meter.moved
    finally:
        ended.set()
        thread.join()


def _draw(
    meter: Meter, ended: Event, stream: TextIO, clock: Callable[[], float] = monotonic
) -> None:
    """Draw the meter until the run ends, then leave the terminal as it was."""
    if ended.wait(_BEGIN):
        return
    height = 0
    try:
        while True:
            columns, rows = os.get_terminal_size(stream.fileno())
            # A terminal that does not know its size says that it has none.
            lines = meter.lines(clock(), (columns or 80) - 1, (rows or 24) - 1)
            height = _redraw(lines, height, stream)
            if ended.wait(_TICK):
                _redraw([], height, stream)
                return
    except (OSError, ValueError):
        pass  # the terminal is gone: nobody looks any more


def _redraw(lines: list[Text], height: int, stream: TextIO) -> int:
    """Draw ``lines`` over the ``height`` lines of the last time; returns how many they are."""
    up = f"\x1b[{height}A" if height else ""
    # Each line is overwritten and then cleared to its end: clearing first would flicker.
    text = "".join(f"{drawn(line, stream)}\x1b[K\n" for line in lines)
    stream.write(f"\r{up}{text}\x1b[J")
    stream.flush()
    return len(lines)


@dataclass(slots=True)
class _Blob:
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
    """How far a run is, and how that looks."""

    _running: dict[str, _Blob] = field(default_factory=dict)
    _done: int = 0
    _total: int = 0
    _marks: list[tuple[float, int]] = field(default_factory=list)
    """When how much was done, over the last seconds."""

    def moved(self, progress: Progress) -> None:
        """Take note of a step; called by one thread at a time."""
        self._done, self._total = progress.done, progress.total
        blob = self._running.get(progress.digest)
        if blob is None:
            blob = _Blob(progress.where, progress.digest, progress.size)
            self._running[progress.digest] = blob
        blob.done += progress.step
        if blob.done >= blob.size:
            del self._running[progress.digest]

    def lines(self, now: float, width: int, height: int) -> list[Text]:
        """A line for each blob that takes its time, and one for the whole run."""
        lines = [_blob_line(blob, width) for blob in self._lasting(now)]
        return [*lines[: max(min(_MOST, height - 1), 0)], self._whole(now, width)]

    def _lasting(self, now: float) -> Iterator[_Blob]:
        for blob in list(self._running.values()):
            if blob.begun is None:
                blob.begun = now
            if blob.done != blob.seen:
                blob.seen, blob.moved = blob.done, now
            if now - blob.begun >= _LASTING and now - blob.moved < _STUCK:
                yield blob

    def _whole(self, now: float, width: int) -> Text:
        rate = self._rate(now)
        told = _percent(self._done, self._total)
        if rate > 0:
            left = _duration((self._total - self._done) / rate)
            told += f", {bytes_of(int(rate))}/s, {left} left"
        words = _words(Text("total"), "", self._total)
        if words.width + len(told) > width:
            words = Text(f"{bytes_of(self._total)} ")
        return _barred(words, self._done, self._total, told, width)

    def _rate(self, now: float) -> float:
        """Bytes a second, over the last seconds."""
        self._marks.append((now, self._done))
        while self._marks[0][0] < now - _WINDOW:
            self._marks.pop(0)
        (then, before), passed = self._marks[0], now - self._marks[0][0]
        return (self._done - before) / passed if passed > 0 and then < now else 0.0


def _blob_line(blob: _Blob, width: int) -> Text:
    words = _words(digest_of(blob.digest), blob.where.rpartition(".")[2], blob.size)
    return _barred(words, blob.done, blob.size, _percent(blob.done, blob.size), width)


def _words(name: Text, kind: str, size: int) -> Text:
    """What stands before a bar, so that all bars begin below each other."""
    return name.padded(12) + f" {kind:<10} {bytes_of(size):>7} "


def _percent(done: int, total: int) -> str:
    return f"{min(100 * done // total, 100) if total else 0:>3}%"


def _duration(seconds: float) -> str:
    """``1:05``, or ``2:00:00``."""
    whole = int(seconds + 0.5)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _barred(before: Text, done: int, total: int, behind: str, width: int) -> Text:
    """A line with a bar in the middle, if there is room for it."""
    room = min(width - before.width - len(behind) - 1, _LONGEST)
    if room < _SHORTEST:
        return (before + behind).cropped(width)
    filled = min(room * done // total, room) if total else 0
    bar = Text("━" * filled, Style.GOOD) + Text("─" * (room - filled), Style.FAINT)
    return before + bar + " " + behind
