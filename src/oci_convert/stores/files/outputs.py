"""What an archive is written to: a file that grows beside its target, or a stream of bytes."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import BinaryIO, Final

from oci_convert.errors import StoreError, UsageError
from oci_convert.layers.streams import read_chunks
from oci_convert.operating_system import wait_for_reader
from oci_convert.stores.files.base import Scratch
from oci_convert.stores.files.borrowed import Borrowed
from oci_convert.stores.files.file import File, write_all
from oci_convert.stores.files.run_folder import RunFolder, flush
from oci_convert.stores.files.system import system_errors
from oci_convert.text.wording import Wording

__all__ = ["GivenFile", "NewFile", "Output", "Stream"]

_STDOUT: Final = 1


class Output(ABC):
    """Where the bytes of one archive go."""

    rewritable: bool
    """Whether bytes can be changed and taken back until the end."""

    @abstractmethod
    def begin(self) -> BinaryIO:
        """Open it; called once, before the first byte."""

    @abstractmethod
    def scratch(self) -> BinaryIO:
        """An empty file to write and read; gone once it is closed."""

    @abstractmethod
    def finish(self) -> None:
        """The last byte is written: let the archive appear."""

    @abstractmethod
    def undo(self) -> None:
        """Forget what was written, as far as that can be."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything that is open. Closing twice is harmless."""


class NewFile(Output):
    """A file that grows in the folder of its run, beside its target, and takes its name at the end.

    ``force`` replaces a file of that name; a folder is never replaced.
    """

    rewritable = True

    def __init__(self, path: Path, label: str, *, force: bool, fsync: bool = True) -> None:
        self._path = path
        self._label = label
        self._force = force
        self._fsync = fsync
        self._run = RunFolder(path.parent)
        self._file: File | None = None
        self._refuse_existing()

    def _refuse_existing(self) -> None:
        is_folder = self._path.is_dir()
        if is_folder or (os.path.lexists(self._path) and not self._force):
            raise StoreError(
                f"there is a {'directory' if is_folder else 'file'} of this name",
                code="target-exists",
                store=self._label,
                remedy="choose another name" if is_folder else Wording("{force=True} replaces it"),
            )

    def begin(self) -> BinaryIO:
        self._file = File(self._run.file(), "xb")
        return self._file

    def scratch(self) -> BinaryIO:
        return self._run.scratch()

    def finish(self) -> None:
        assert self._file is not None  # an archive has an end, so that something was written
        if self._fsync:
            self._file.sync()
        self._file.close()
        with self._run.locked():
            self._refuse_existing()  # another run may have been faster
            os.replace(self._file.name, self._path)
        if self._fsync:
            with system_errors(note="the archive is complete, but a power failure may lose it"):
                flush([self._path.parent, *(folder.parent for folder in self._run.made)])

    def undo(self) -> None:
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._run.end()


class Stream(Output):
    """Standard output, a pipe or a device: what is written is gone.

    ``path`` is ``None`` for standard output. What must wait until its size is known waits in a file
    that ``scratch`` makes.
    """

    rewritable = False

    def __init__(self, path: Path | None, label: str, scratch: Scratch) -> None:
        self._path = path
        self._label = label
        self._scratch = scratch
        self._file: BinaryIO | None = None

    def begin(self) -> BinaryIO:
        if self._path is not None:
            self._file = File(self._path, "wb")
            return self._file
        if os.isatty(_STDOUT):
            raise UsageError(
                "an archive cannot be written to a terminal",
                code="terminal",
                store=self._label,
                remedy="redirect standard output to a file or a pipe",
            )
        wait_for_reader(_STDOUT)
        self._file = File(_STDOUT, "wb", name=self._label, closefd=False)
        return self._file

    def scratch(self) -> BinaryIO:
        return self._scratch()

    def finish(self) -> None:
        """The reader knows the end when it sees it."""

    def undo(self) -> None:
        """The reader misses the end and the index, and so takes nothing for an image."""

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class GivenFile(Output):
    """A file object of the caller's, written from where it stands.

    Nothing in it is changed once it is written, so that it need not be able to seek; if it can, a
    failed run leaves it as it was: what would be written over others' bytes waits in a scratch file
    until it is whole.
    """

    rewritable = False

    def __init__(self, file: Borrowed, scratch: Scratch) -> None:
        self._file = file
        self._scratch = scratch
        self._begun = False
        self._waiting: BinaryIO | None = None

    def begin(self) -> BinaryIO:
        if not self._file.is_at_end:
            self._waiting = self._scratch()
            return self._waiting
        self._begun = True
        return self._file  # type: ignore[return-value]  # what is not rewritable is only written

    def scratch(self) -> BinaryIO:
        return self._scratch()

    def finish(self) -> None:
        if self._waiting is not None:
            self._waiting.seek(0)
            for chunk in read_chunks(self._waiting):
                write_all(self._file, chunk)  # type: ignore[arg-type]  # it is only written
            self._file.end_here()
        self._file.flush()

    def undo(self) -> None:
        if self._begun:
            self._file.take_back()

    def close(self) -> None:
        """The file itself is closed by the caller who opened it."""
        if self._waiting is not None:
            self._waiting.close()
