"""The files of a store: in a directory, in a tar file, or in memory.

A store decides which files there are; a :class:`Files` where they are. Names are relative, with
``/`` between their parts; they never begin with ``/`` nor hold ``..``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, Final, Protocol, TypeAlias

from oci_convert.errors import StoreError
from oci_convert.limits import limits, raised_by

__all__ = [
    "ROUND",
    "Files",
    "Pending",
    "Scratch",
    "WritableFiles",
    "link_outside",
    "not_a_file",
]

Scratch: TypeAlias = Callable[[], BinaryIO]
"""Makes an empty file to write and read, which is gone once it is closed."""


ROUND: Final = "is part of a loop"
"""What is said of a link that no number of steps resolves."""


def not_a_file(name: str, kind: str, label: str) -> StoreError:
    """The error for a pipe, a folder or a device where a file should be."""
    return StoreError(
        f"{name} is {kind}, not a regular file",
        code="not-a-file",
        store=label,
        remedy="fetch the image again; it may be an attack",
    )


def link_outside(name: str, problem: str, label: str, remedy: str = "") -> StoreError:
    """The error for a symbolic link that leads outside, or into a loop."""
    return StoreError(
        f"{name} is a link that {problem}",
        code="link-outside",
        store=label,
        remedy=remedy or "links are followed only inside an image; it may be an attack",
    )


class Files(ABC):
    """Files to read. Links are followed only to files of the same object."""

    label: str
    """What errors call it: its path."""

    @abstractmethod
    def names(self, folder: str = "") -> Iterator[str]:
        """The full names of all regular files below ``folder``, in any order."""

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Bytes of a regular file; ``None`` if there is none of that name.

        Here and in the methods below, what is there but is no regular file (``not-a-file``), and
        links that lead outside or into a loop (``link-outside``), are a
        :class:`StoreError`.
        """

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """A regular file opened for reading; raises :class:`FileNotFoundError` if there is none."""

    def same(self, name: str, other: str) -> bool:
        """Whether two names are known to lead to one file."""
        return name == other

    def blob_size(self, name: str) -> int | None:
        """:meth:`size` of a file whose digest will be checked: it may be a link to anywhere."""
        return self.size(name)

    def open_blob(self, name: str) -> BinaryIO:
        """:meth:`open` for a file whose digest will be checked: it may be a link to anywhere."""
        return self.open(name)

    def file_of(self, name: str) -> BinaryIO | None:
        """:meth:`open_blob` if that gives a file of the operating system, not a part of one."""
        return None

    def close(self) -> None:
        """Let go of everything that is open."""

    def read(self, name: str, limit: str = "document_size") -> bytes:
        """A whole small file; what is larger than the limit of that name is refused."""
        most: int = getattr(limits(), limit)
        with self.open(name) as file:
            raw = file.read(most + 1)
        if len(raw) > most:
            raise StoreError(
                f"{name} is larger than the limit of {most} bytes",
                code="document-too-large",
                store=self.label,
                remedy=raised_by(limit),
            )
        return raw


class Pending(Protocol):
    """A file being written; invisible until :meth:`publish`."""

    def write(self, chunk: bytes, /) -> object:
        """Append bytes."""

    def take(self, file: BinaryIO, seen: Callable[[memoryview], None], *, link: bool) -> None:
        """Fill the empty file with the rest of another one; ``seen`` is shown what it then holds.

        A clone where the file system can, else a copy; with ``link``, one file under two names.
        """

    def publish(self, name: str, *, durable: bool = False) -> None:
        """Make the file appear under its name, complete; a file already there is replaced.

        With ``durable`` it is brought to the disk before: a power cut leaves the one or the other.
        """

    def discard(self) -> None:
        """Forget the file. After :meth:`publish` this does nothing."""


class WritableFiles(Files):
    """Files to write. One run uses one object; several runs may write to one directory."""

    def begin(self) -> None:
        """Make ready what the first file needs. What must wait for others waits here."""

    def top_level(self) -> Iterator[tuple[str, bool]]:
        """What is at the top level: names, and whether each is a file (or a link to one).

        The folder of unfinished files is left out.
        """
        for name in self.names():
            top, slash, _ = name.partition("/")
            yield top, not slash

    @abstractmethod
    def create(self, name: str, size: int | None = None) -> Pending:
        """Begin a file. May be called from several threads at once.

        ``name`` is what it will be published under, ``size`` the bytes that it will have, where
        they are known. Where its content decides, ``name`` is one as long in the same folder.
        """

    def scratch(self) -> BinaryIO | None:
        """An empty file to write and read, beside what is written; gone once it is closed.

        ``None`` if these files are not on a disk.
        """
        return None

    @abstractmethod
    def has(self, name: str, size: int) -> bool:
        """Whether a regular file (never a link) of exactly this size is there."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file; not an error if it is gone already."""

    @abstractmethod
    def rename(self, name: str, new: str) -> None:
        """Give a file another name, at once; a file of that name is replaced."""

    @abstractmethod
    def flush(self) -> None:
        """Bring every file that was published since the last flush to the disk, together."""

    @abstractmethod
    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock, to read and replace the file that makes images appear."""

    @abstractmethod
    def undo(self, holds_image: Callable[[], bool]) -> None:
        """End a failed run: unfinished files are removed; finished ones too, unless ``holds_image``
        (there are images) or another run is writing here; directories of this run are removed if
        empty.

        ``holds_image`` is called while no other run can commit. Errors of the system are ignored.
        """
