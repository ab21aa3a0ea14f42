"""What all targets share: choices read from bytes, and what is asked of every error.

A target is a module of :mod:`targets` with two functions. ``run(data)`` gives ``data`` to a part of
the library and raises whatever should not have happened; ``seeds()`` gives inputs to begin with.
Both are plain Python, so that a driver (``run.py``, ``soak.py``, ``replay.py``, the tests) is all
that differs between a fuzzer and a single file.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, TypeVar, cast

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from oci_convert.errors import OciConvertError  # noqa: E402 - the path comes first

__all__ = ["BUILD", "DICE", "ROOT", "TARGETS", "Draws", "Target", "load", "ours", "split"]

BUILD: Final = ROOT / "build" / "fuzz"
"""Where corpora and crashes are kept."""

TARGETS: Final = tuple(
    sorted(
        path.stem
        for path in (Path(__file__).parent / "targets").glob("*.py")
        if path.stem != "__init__"
    )
)
"""The names of all targets."""

DICE: Final = b"\xff"
"""What divides a document from the choices that go with it: a byte that no UTF-8 has."""

T = TypeVar("T")


class Target(Protocol):
    """What a module of :mod:`targets` is."""

    def run(self, data: bytes) -> None:
        """Try ``data``; raises what should not have happened."""

    def seeds(self) -> Iterator[bytes]:
        """Inputs to begin with."""


def load(name: str) -> Target:
    """The target called ``name``."""
    return cast("Target", import_module(f"targets.{name}"))


class Draws:
    """Choices read from bytes, so that an input is all that is needed to repeat them.

    Behind the end there are zeros: the first of everything, and no more of what could be many.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def number(self, limit: int) -> int:
        """A number from 0 up to, but not, ``limit``."""
        size = max(1, ((limit - 1).bit_length() + 7) // 8)
        return int.from_bytes(self.take(size), "little") % limit

    def take(self, size: int) -> bytes:
        """The next bytes, at most ``size``."""
        found = self._data[self._at : self._at + size]
        self._at += size
        return found

    def one_of(self, some: Sequence[T]) -> T:
        """One of several things."""
        return some[self.number(len(some))]

    def rarely(self) -> bool:
        """Yes, once in eight times."""
        return self.number(8) == 7


def split(data: bytes) -> tuple[bytes, Draws]:
    """A document, and the choices that go with it."""
    document, _, dice = data.partition(DICE)
    return document, Draws(dice)


@contextmanager
def ours() -> Iterator[None]:
    """An error of the library may end what is done here; whatever else is raised is a bug.

    Of the error it is asked that it is one printable line with a code, and survives pickling.
    """
    try:
        yield
    except OciConvertError as error:
        _check(error)


def _check(error: OciConvertError) -> None:
    line = str(error)
    assert line.isprintable(), "an error must be one printable line"
    assert error.code, "an error must have a code"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own bytes
    assert (str(again), again.code) == (line, error.code), "an error must survive pickling"
