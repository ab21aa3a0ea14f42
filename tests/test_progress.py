"""What one sees of a run that is under way."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from threading import enumerate as enumerate_threads
from typing import TextIO

import pytest
from rich.console import Console

from oci_convert.cli import progress as module
from oci_convert.cli.progress import Meter, progress
from oci_convert.cli.show import bytes_of
from oci_convert.progress import Progress
from support.images import digest_of, layer, oci_image
from support.runs import run
from support.screen import Screen

MB = 1_000_000


def step(name: str, size: int, moved: int, done: int, total: int) -> Progress:
    return Progress(f"images[0].{name}", digest_of(name.encode()), size, moved, done, total)


@pytest.fixture
def terminal() -> Iterator[Callable[[int], TextIO]]:
    """``terminal(80)``: the side of a terminal of so many columns that a command writes to.

    What is written is read, so that nobody waits, and thrown away.
    """
    ends: list[tuple[int, TextIO, Thread]] = []

    def make(width: int) -> TextIO:
        reader, writer = pty.openpty()
        fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        stream = os.fdopen(writer, "w", encoding="utf-8")
        thread = Thread(target=_drain, args=(reader,), daemon=True)
        thread.start()
        ends.append((reader, stream, thread))
        return stream

    yield make
    for reader, stream, thread in ends:
        stream.close()
        thread.join()
        os.close(reader)


def _drain(reader: int) -> None:
    try:
        while os.read(reader, 65536):
            pass
    except OSError:
        pass  # the other side is closed


class Script(Event):
    """The end of a run, which comes when its steps are through; nobody waits for it."""

    def __init__(self, meter: Meter, steps: Sequence[tuple[float, Sequence[Progress]]]):
        super().__init__()
        self.now = 0.0
        self.look: Callable[[], None] = lambda: None
        self._meter = meter
        self._steps = list(steps)

    def clock(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        self.look()
        if not self._steps:
            return True
        self.now, moves = self._steps.pop(0)
        for move in moves:
            self._meter.moved(move)
        return False


class Recorded:
    """A terminal that keeps what it was sent."""

    def __init__(self, terminal: TextIO):
        self.sent = ""
        self.encoding = "utf-8"
        self.fileno, self.isatty, self.flush = terminal.fileno, terminal.isatty, terminal.flush

    def write(self, text: str) -> int:
        self.sent += text
        return len(text)


def frames(width: int, *steps: tuple[float, Sequence[Progress]]) -> list[str]:
    """What is on the screen after each of ``steps``."""
    meter, stream, screen = Meter(), io.StringIO(), Screen(width)
    script, seen = Script(meter, steps), []

    def look() -> None:
        screen.feed(stream.getvalue())
        stream.truncate(0)
        stream.seek(0)
        seen.append("\n".join(screen.shown))

    script.look = look
    console = Console(file=stream, width=width, force_terminal=True, color_system="standard")
    module._draw(meter, script, console, script.clock)
    screen.feed(stream.getvalue())
    assert screen.shown == [], "it disappears at the end"
    assert screen.cursor
    return seen[1:]


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)


TWO = (
    (0.2, [step("layers[0]", 60 * MB, 1 * MB, 1 * MB, 100 * MB)]),
    (0.3, [step("layers[1]", 40 * MB, 10 * MB, 11 * MB, 100 * MB)]),
    (0.7, [step("layers[0]", 60 * MB, 29 * MB, 40 * MB, 100 * MB)]),
    (1.2, [step("layers[1]", 40 * MB, 30 * MB, 70 * MB, 100 * MB)]),
)


def test_each_blob_that_takes_its_time_has_a_line_below_the_total() -> None:
    first, *_, last = frames(80, *TWO)
    assert first.startswith("total")
    total, blob = last.splitlines()
    assert blob.split()[:2] == [digest_of(b"layers[0]")[7:19], "layers[0]"]
    assert "50%" in blob
    assert "30.0/60.0 MB" in blob
    assert total.startswith("total ")
    assert "70%" in total
    assert "70.0/100.0 MB" in total
    assert "00:01" in total
    assert blob.index("━") == total.index("━")


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    shown = frames(width, *TWO)[-1]  # the screen itself refuses longer ones
    assert "70%" in shown
    assert len(shown.splitlines()) == 2


def test_many_small_blobs_have_no_lines() -> None:
    meter = Meter()
    for i in range(1000):
        meter.moved(step(f"layers[{i}]", 10, 10, 10 * (i + 1), 10_000))
        assert meter.lasting(i / 100) == []
    assert meter.running == {}


def test_only_so_many_blobs_have_lines() -> None:
    meter = Meter()
    for i in range(20):
        meter.moved(step(f"layers[{i}]", 100, 1, i + 1, 2000))
    assert [len(meter.lasting(now)) for now in (0.0, 1.0)] == [0, 8]


def test_a_blob_that_failed_does_not_stay() -> None:
    meter = Meter()
    meter.moved(step("layers[0]", 100, 1, 1, 2000))
    assert [len(meter.lasting(now)) for now in (0.0, 1.0, 60.0)] == [0, 1, 0]


def test_an_empty_run_can_be_drawn() -> None:
    assert frames(80, (0.2, []), (0.3, []))[0].startswith("total")


@pytest.mark.parametrize("unit", [(1, "1 B"), (999, "999 B"), (60 * MB, "60.0 MB")])
def test_sizes_are_for_people(unit: tuple[int, str]) -> None:
    assert bytes_of(unit[0]) == unit[1]


def _alive() -> list[Thread]:
    return [thread for thread in enumerate_threads() if thread.name == "progress"]


NOBODY = {
    "a pipe": {},
    "a dumb terminal": {"TERM": "dumb"},
    "--quiet": {},
}


@pytest.mark.parametrize("case", NOBODY)
def test_nothing_is_drawn_where_nobody_would_see_it(
    case: str,
    terminal: Callable[[int], TextIO],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name, value in NOBODY[case].items():
        monkeypatch.setenv(name, value)
    with open(tmp_path / "errors", "w", encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stderr", file if case == "a pipe" else terminal(80))
        with progress(wanted=case != "--quiet") as on_progress:
            assert on_progress is None
            assert _alive() == []


class Failed(BaseException):
    pass


@pytest.mark.parametrize("ending", [None, Failed, KeyboardInterrupt])
def test_the_screen_is_clean_however_the_run_ends(
    ending: type[BaseException] | None,
    terminal: Callable[[int], TextIO],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream, drawn = Recorded(terminal(80)), Event()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(module, "_BEGIN", 0.0)
    monkeypatch.setattr(stream, "flush", drawn.set)

    def calls() -> None:
        with progress(wanted=True) as on_progress:
            assert on_progress is not None
            on_progress(step("layers[0]", 10, 1, 1, 10))
            assert drawn.wait(60)
            if ending is not None:
                raise ending

    if ending is None:
        calls()
    else:
        with pytest.raises(ending):
            calls()
    screen = Screen(80)
    screen.feed(stream.sent)
    assert screen.shown == []
    assert "total" in stream.sent
    assert _alive() == []


def test_a_run_that_is_over_at_once_draws_nothing(
    terminal: Callable[[int], TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Recorded(terminal(80))
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(module, "_BEGIN", 3600.0)
    with progress(wanted=True) as on_progress:
        run(oci_image([layer("a")]), "docker", on_progress=on_progress)
    assert stream.sent == ""


def test_a_conversion_is_told_to_its_end() -> None:
    meter = Meter()
    run(oci_image([layer("a", size=50_000), layer("b")]), "docker", on_progress=meter.moved)
    assert meter.done == meter.total > 50_000
    assert meter.running == {}
