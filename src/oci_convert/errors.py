"""The errors of the library: one base, few classes, fields instead of text.

::

    OciConvertError
    ├── UsageError            the call itself is wrong (a reference, an option, a combination)
    ├── DocumentError         a JSON document cannot be trusted or understood
    ├── BlobError             the bytes of a blob are missing or not what its descriptor says
    ├── StoreError            a store cannot be read or written as asked
    └── RefusedError          the image can be read, but a policy refuses it

Every error says *what* is wrong (``message``), *where* (``where``) and, if there is something
to be done, *what to do* (``remedy``); ``code`` is stable and meant for programs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar, TypeAlias

from oci_convert.text.brief import line_of
from oci_convert.text.printable import printable

__all__ = [
    "BlobError",
    "DocumentError",
    "OciConvertError",
    "RefusedError",
    "Settle",
    "StoreError",
    "UsageError",
    "overlook",
    "refuse",
    "remedied",
]


class OciConvertError(Exception):
    """Base of everything that this library raises on purpose.

    ``str(error)`` is one line: ``where: message; remedy``. Errors compare by identity and
    survive pickling, so that they can cross process boundaries.
    """

    usual_remedy: ClassVar[str] = ""
    """What to do where the error itself does not say it."""

    def __init__(self, message: str, *, code: str, where: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.where = where
        self.remedy = remedy or self.usual_remedy

    def __repr__(self) -> str:
        shown = {"message": self.message, "code": self.code, "where": self.where}
        return line_of(type(self).__name__, iter(shown.items()))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"; {self.remedy}" if self.remedy else ""
        return printable(f"{place}{self.message}{advice}")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.code, self.where, self.remedy))

    def within(self, store: str) -> OciConvertError:
        """The same error, naming the store that it happened in, unless it does so already."""
        return self if self.where.startswith(store) else self.at(store)

    def at(self, where: str) -> OciConvertError:
        """The same error, with its location after ``where`` (``dir:app`` + ``layers[3]``)."""
        place = f"{where}: {self.where}" if self.where else where
        return type(self)(self.message, code=self.code, where=place, remedy=self.remedy)


def _rebuild(
    kind: type[OciConvertError], message: str, code: str, where: str, remedy: str
) -> OciConvertError:
    return kind(message, code=code, where=where, remedy=remedy)


class UsageError(OciConvertError):
    """The call is wrong; nothing was read: exit status 2 of the command."""


class DocumentError(OciConvertError):
    """A document is not strict JSON, is ambiguous, or breaks its specification."""

    usual_remedy = "fetch the image again, or ask its producer to fix it"


class BlobError(OciConvertError):
    """A blob is missing, truncated, too long, or does not match its digest or ``diff_id``."""


class StoreError(OciConvertError):
    """A store cannot be opened, read, written or committed."""


class RefusedError(OciConvertError):
    """What was asked is possible, but a policy (``--strict``, ``--on-loss fail``, …) forbids it."""


Settle: TypeAlias = Callable[[OciConvertError, str], None]
"""Decides about a fault behind which reading can go on: raises it, or notes it. The text says what
it is read as; it is empty where nothing proves how the fault is to be read."""


def refuse(error: OciConvertError, _: str) -> None:
    """Go on behind no fault."""
    raise error


def overlook(_: OciConvertError, correction: str) -> None:
    """Go on: what it is read as is known, or will be said by whoever reads again."""


@contextmanager
def remedied(remedy: str, where: str | None = None) -> Iterator[None]:
    """Give errors of documents raised inside ``remedy``, unless they have one of their own.

    With ``where`` they also get that location.
    """
    try:
        yield
    except DocumentError as error:
        raise DocumentError(
            error.message,
            code=error.code,
            where=error.where if where is None else where,
            remedy=remedy if error.remedy == error.usual_remedy else error.remedy,
        ) from None
