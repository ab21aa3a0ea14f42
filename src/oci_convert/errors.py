"""The errors of the library: one base, few classes, fields instead of text.

::

    OciConvertError
    ├── UsageError            the call itself is wrong (a reference, an option, a combination)
    ├── DocumentError         a JSON document cannot be trusted or understood
    ├── BlobError             the bytes of a blob are missing or not what its descriptor says
    ├── StoreError            a store cannot be read or written as asked
    └── RefusedError          the image can be read, but a policy refuses it

Every error says *what* is wrong (``message``), *where* (``store``, ``where``) and, if there is
something to be done, *what to do* (``remedy``); ``code`` is stable and meant for programs, as are
``digest``, ``expected`` and ``actual`` of what does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final, TypeAlias

from oci_convert.text.brief import line_of
from oci_convert.text.printable import printable
from oci_convert.text.wording import worded

__all__ = [
    "BlobError",
    "DocumentError",
    "OciConvertError",
    "RefusedError",
    "Settle",
    "StoreError",
    "UsageError",
    "concerning",
    "located",
    "name_blob",
    "overlook",
    "refuse",
    "remedied",
]


_FIELDS: Final = ("code", "store", "where", "remedy", "digest", "expected", "actual")


class OciConvertError(Exception):
    """Base of everything that this library raises on purpose.

    ``str(error)`` is one line: ``store: where: message; remedy``. Errors compare by identity and
    survive pickling, so that they can cross process boundaries.
    """

    usual_remedy: ClassVar[str] = ""
    """What to do where the error itself does not say it."""

    code: str
    """What is wrong: stable, and explained among the errors and the findings."""
    message: str
    """What is wrong, for people; it may change."""
    store: str
    """The store that it is in, without the name of an image: ``oci:layout``; empty if none is."""
    where: str
    """Its path in the store, as a layer or a finding has it (``images[0].layers[2]``), or the
    argument that is wrong."""
    remedy: str
    """What to do, for people; empty if nobody knows. It speaks of arguments of the library."""
    digest: str | None
    """The blob whose bytes are missing or wrong."""
    expected: str | int | None
    """The digest, ``diff_id``, size or media type that is stated."""
    actual: str | int | None
    """The one that was found."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        store: str = "",
        where: str = "",
        remedy: str = "",
        digest: str | None = None,
        expected: str | int | None = None,
        actual: str | int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.store = store
        self.where = where
        self.remedy = remedy or self.usual_remedy
        self.digest = digest
        self.expected = expected
        self.actual = actual

    def __repr__(self) -> str:
        shown = {"message": self.message, "code": self.code}
        shown |= {"store": self.store, "where": self.where} if self.store else {"where": self.where}
        return line_of(type(self).__name__, iter(shown.items()))

    def __str__(self) -> str:
        return self.told(str)

    @property
    def place(self) -> str:
        """The store and the place in it, as far as they are known."""
        return ": ".join(filter(None, (self.store, self.where)))

    def told(self, spell: Callable[[str], str]) -> str:
        """The line of the error, with arguments as ``spell`` writes them."""
        parts = (self.store, worded(self.where, spell), worded(self.message, spell))
        advice = f"; {worded(self.remedy, spell)}" if self.remedy else ""
        return printable(": ".join(filter(None, parts)) + advice)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self._data()))

    def within(self, store: str) -> OciConvertError:
        """The same error, with the store that it happened in, unless it names one already."""
        if self.store:
            return self
        inside = _inside(store, self.where)
        if inside is None and self.where.startswith(store):
            return self.but(store=self.where, where="")  # with the name of an image
        return self.but(store=store, where=self.where if inside is None else inside)

    def at(self, where: str) -> OciConvertError:
        """The same error, with its location after ``where`` (``index.json`` + ``manifests[3]``)."""
        return self.but(where=f"{where}: {self.where}" if self.where else where)

    def but(self, **changes: str) -> OciConvertError:
        """The same error with other words, or another place."""
        message = changes.pop("message", self.message)
        return _rebuild(type(self), message, {**self._data(), **changes})

    def _data(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _FIELDS}


def _rebuild(kind: type[OciConvertError], message: str, data: dict[str, Any]) -> OciConvertError:
    return kind(message, **data)


def _inside(store: str, where: str) -> str | None:
    """``images[0]`` of ``oci:layout: images[0]``; ``None`` for what is no place in that store."""
    rest = where.removeprefix(store)
    if where.startswith(store) and (not rest or rest.startswith(": ")):
        return rest.removeprefix(": ")
    return None


@contextmanager
def located(store: str) -> Iterator[None]:
    """Tell the place of an error that is raised inside, and begins with ``store``, apart from it.

    Other errors are not of this store.
    """
    try:
        yield
    except OciConvertError as error:
        inside = _inside(store, error.where)
        if not error.store and inside is not None:
            error.store, error.where = store, inside
        raise


@contextmanager
def concerning(digest: str) -> Iterator[None]:
    """Name a blob in an error about bytes or a document that is raised inside and names none."""
    try:
        yield
    except OciConvertError as error:
        name_blob(error, digest)
        raise


def name_blob(error: OciConvertError, digest: str) -> None:
    """Say which blob an error is about, if it is one about bytes or a document and names none."""
    if isinstance(error, BlobError | DocumentError):
        error.digest = error.digest or digest


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
    """What was asked is possible, but a policy (``strict``, ``on_loss``, …) forbids it."""


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
        raise error.but(
            where=error.where if where is None else where,
            remedy=remedy if error.remedy == error.usual_remedy else error.remedy,
        ) from None
