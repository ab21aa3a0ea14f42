"""Files of text that people edit: found, read, and replaced without changing anything else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from oci_convert.cli.replacement import replacement
from oci_convert.errors import StoreError
from oci_convert.operating_system import own_like

__all__ = ["TextFile", "bytes_of_text", "read_texts", "text_of_bytes", "write_texts"]

_NOT_EDITED: Final = frozenset((".git", ".hg", ".svn", "Chart.lock"))
"""What programs write among texts; the digest in a ``Chart.lock`` is that of a list."""
_HEAD: Final = 8000
"""Bytes in which a NUL says that a file is no text, as git has it."""


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file and its text."""

    name: str
    """As it was given, or found below a folder that was; in its shortest form."""
    path: Path
    """The file itself, where a symbolic link leads to one."""
    text: str


def text_of_bytes(raw: bytes) -> str:
    """The text of a file; bytes that are not UTF-8 are kept by :func:`bytes_of_text`."""
    return raw.decode("utf-8", "surrogateescape")


def bytes_of_text(text: str) -> bytes:
    """The bytes of a text from :func:`text_of_bytes`."""
    return text.encode("utf-8", "surrogateescape")


def read_texts(names: Iterable[str]) -> Iterator[TextFile]:
    """Read files, and all texts below folders; each file once, in the order of their names.

    A file that was named must be a text. Below a folder, what is none is passed over, and so are
    symbolic links, the folders of version control, and images. Raises :class:`StoreError`.
    """
    seen: set[str] = set()
    for given in names:
        is_folder = Path(given).is_dir()
        for name in _below(given) if is_folder else (given,):
            path = os.path.realpath(name)
            if path in seen:
                continue
            seen.add(path)
            raw = _read(name, is_named=not is_folder)
            if raw is not None:
                yield TextFile(os.path.normpath(name), Path(path), text_of_bytes(raw))


def _below(folder: str) -> Iterator[str]:
    for here, folders, files in os.walk(folder, onerror=_fail):
        if _is_image(here, files):
            folders.clear()
            continue
        folders[:] = sorted(set(folders) - _NOT_EDITED)
        for name in sorted(set(files) - _NOT_EDITED):
            path = os.path.join(here, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                yield path


def _is_image(folder: str, files: list[str]) -> bool:
    """Whether a directory is a layout or a ``dir:``, whose files must not be edited."""
    version = Path(folder, "version")
    if "version" in files and version.is_file():
        with suppress(OSError), version.open("rb") as file:
            return file.read(20) == b"Directory Transport "
    return "oci-layout" in files


def _read(name: str, *, is_named: bool) -> bytes | None:
    try:
        if is_named and not stat.S_ISREG(os.stat(name).st_mode):
            raise StoreError(
                "this is neither a file nor a directory",
                code="not-a-file",
                where=name,
                remedy="- reads standard input and writes to standard output",
            )
        with open(name, "rb") as file:
            head = file.read(_HEAD)
            if b"\0" not in head:
                return head + file.read()
    except OSError as error:
        _fail(error)
    if is_named:
        raise StoreError(
            "this is not a text: it contains NUL bytes",
            code="not-a-text",
            where=name,
            remedy="if it is UTF-16, save it as UTF-8",
        )
    return None


def _fail(error: OSError) -> NoReturn:
    from oci_convert.stores.files.system import cannot_read

    raise cannot_read(
        "file",
        error,
        str(error.filename),
        "no file was changed; check the path and its permissions",
    ) from error


def write_texts(files: Iterable[TextFile]) -> None:
    """Give files new texts. All are written beside the old ones before the first one is replaced.

    Mode, owner and extended attributes stay, as far as this user may set them. A file with several
    hard links becomes a file of its own: its other names, which may be a backup, keep their text.
    """
    with ExitStack() as stack:
        for file in files:
            try:
                new = stack.enter_context(replacement(file.path))
                new.write_bytes(bytes_of_text(file.text))
                _liken(new, file.path)
            except OSError as error:
                from oci_convert.stores.files.system import system_error

                raise StoreError(
                    f"the file cannot be written: {system_error(error).message}",
                    code="cannot-write",
                    where=file.name,
                    remedy="no file was changed; the new file is first written beside the old one",
                ) from error


def _liken(new: Path, old: Path) -> None:
    import shutil

    status = old.stat()
    own_like(new, status)
    shutil.copystat(old, new)
    os.utime(new)
