"""Signals: an interrupt or a termination ends the command in whatever phase, and its files go."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from time import sleep
from types import FrameType
from typing import TYPE_CHECKING, Final

from oci_convert.operating_system import system, wake_main_thread

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["StoppedError", "in_two_stages", "listen", "stopped_by", "when_stopped"]

_AGAIN: Final = 0.02
"""Seconds after which the main thread is woken again."""
_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)
_endings: Final[list[Callable[[], None]]] = []


class StoppedError(BaseException):
    """A signal asked for the end. No KeyboardInterrupt: typer has its own way with that."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def stopped_by(error: BaseException | None) -> StoppedError | None:
    """The signal because of which something was raised, also on the way out.

    Where one comes in the middle of Python's own locks, leaving them raises another exception.
    """
    while error is not None and not isinstance(error, StoppedError):
        error = error.__context__
    return error


def when_stopped(end: Callable[[], None]) -> None:
    """Let a signal call ``end``, in another thread, once the main thread has heard of it.

    The main thread waits for others before it ends; they wait for a registry, perhaps for minutes.
    """
    _endings.append(end)


def listen() -> None:
    """Let the first signal raise :class:`StoppedError` in the main thread; others change nothing.

    Signals that are ignored, as by ``nohup`` and ``&``, stay ignored.
    """
    for number in _NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    sys.unraisablehook = _unraisable
    if system.wakes:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        Thread(target=_pass_on, args=(reader,), daemon=True).start()


def _pass_on(reader: int) -> None:
    """Pass a signal on to the main thread.

    The system may give it to any other one; the main thread would go on waiting for a layer.
    """
    (number,) = os.read(reader, 1)
    _raise_in_main_thread(number)
    for end in _endings:
        end()


def _raise_in_main_thread(number: int) -> None:
    """Wake it until it has heard: it may have been about to wait, where nothing wakes it."""
    while signal.getsignal(number) is _stop:
        wake_main_thread(number)
        sleep(_AGAIN)


def _unraisable(what: UnraisableHookArgs) -> None:
    """Raise a :class:`StoppedError` once more that came while an object was cleared up.

    Python ignores what is raised there, and the run would go on.
    """
    if not isinstance(what.exc_value, StoppedError):
        sys.__unraisablehook__(what)
        return
    number = what.exc_value.number
    for other in _NUMBERS:
        signal.signal(other, _stop)
    Thread(target=_raise_in_main_thread, args=(number,), daemon=True).start()


def _stop(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code is _unraisable.__code__:
            return  # it would be ignored again
        frame = frame.f_back
    for other in _NUMBERS:
        signal.signal(other, _stopping)
    raise StoppedError(number)


@contextmanager
def in_two_stages(first: Callable[[int], None], second: Callable[[], None]) -> Iterator[None]:
    """Let a first signal call ``first`` only, and the next one ``second`` before all ends.

    The main thread must look up now and then while this holds: nothing wakes it up.
    """
    before = {number: signal.getsignal(number) for number in _NUMBERS}

    def ask(number: int, _: FrameType | None) -> None:
        for other in _NUMBERS:
            if before[other] is not signal.SIG_IGN:
                signal.signal(other, end)
        first(number)

    def end(number: int, frame: FrameType | None) -> None:
        second()
        _stop(number, frame)

    # Who passes signals on to the main thread would make two of one.
    wakeup = signal.set_wakeup_fd(-1)
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, ask)
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is not _stopping:
            for number, handler in before.items():
                signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)


def _stopping(_: int, __: FrameType | None) -> None:
    """What ends takes but a moment. SIG_IGN would have Python complain of signals under way."""
