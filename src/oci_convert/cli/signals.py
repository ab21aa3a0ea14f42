"""Signals: an interrupt or a termination ends the command in whatever phase, and its files go."""

from __future__ import annotations

import os
import signal
from threading import Thread, main_thread
from types import FrameType
from typing import Final, NoReturn

__all__ = ["StoppedError", "listen"]

_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)


class StoppedError(BaseException):
    """A signal asked for the end. No KeyboardInterrupt: typer has its own way with that."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def listen() -> None:
    """Let the first signal raise :class:`StoppedError` in the main thread; others change nothing.

    Signals that are ignored, as by ``nohup`` and ``&``, stay ignored.
    """
    for number in _NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    if hasattr(signal, "pthread_kill"):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        Thread(target=_pass_on, args=(reader,), daemon=True).start()


def _pass_on(reader: int) -> None:
    """Pass a signal on to the main thread.

    The system may give it to any other one; the main thread would go on waiting for a layer.
    """
    (number,) = os.read(reader, 1)
    signal.pthread_kill(main_thread().ident or 0, number)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    for other in _NUMBERS:
        signal.signal(other, _stopping)
    raise StoppedError(number)


def _stopping(_: int, __: FrameType | None) -> None:
    """What ends takes but a moment. SIG_IGN would have Python complain of signals under way."""
