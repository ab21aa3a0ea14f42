"""What the name of a new archive asks for: whether it is one, and how it is packed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from oci_convert.errors import UsageError
from oci_convert.spec.media_types import Compression, Family
from oci_convert.text.wording import Wording

__all__ = ["is_archive_name", "is_tar_name", "packing_of"]

T = TypeVar("T")

_WRITTEN: Final[Mapping[str, Compression]] = {
    ".tar": Compression.NONE,
    ".tar.gz": Compression.GZIP,
    ".tgz": Compression.GZIP,
    ".tar.zst": Compression.ZSTD,
    ".tar.zstd": Compression.ZSTD,
    ".tzst": Compression.ZSTD,
    ".gz": Compression.GZIP,
    ".zst": Compression.ZSTD,
    ".zstd": Compression.ZSTD,
}
"""What the end of a name says of an archive."""
_PIPED: Final[Mapping[str, str]] = {
    ".tar.xz": "xz",
    ".txz": "xz",
    ".tar.bz2": "bzip2",
    ".tbz": "bzip2",
    ".tbz2": "bzip2",
    ".tar.lz4": "lz4",
    ".tar.lzma": "xz --format=lzma",
    ".tlz": "xz --format=lzma",
    ".tar.lz": "lzip",
    ".tar.z": "compress",
    ".taz": "compress",
    ".tar.br": "brotli",
    ".tar.sz": "snzip",
    ".xz": "xz",
    ".bz2": "bzip2",
    ".lz4": "lz4",
    ".lzma": "xz --format=lzma",
    ".lz": "lzip",
    ".z": "compress",
    ".br": "brotli",
}
"""What is not written here, and the program that does it."""
_OTHERS: Final = (".zip", ".7z", ".rar", ".sif")
"""What people call a file that holds no archive of images."""


def is_archive_name(path: str) -> bool:
    """Whether a path is that of an archive by its end, packed or not."""
    return path.lower().endswith((*_WRITTEN, *_PIPED, *_OTHERS))


def is_tar_name(path: str) -> bool:
    """Whether a path is that of a tar by its end, packed or not, so that it may hold images.

    What only says how it is packed may be any file.
    """
    return path.lower().endswith(tuple(end for end in (*_WRITTEN, *_PIPED) if end[1] == "t"))


def packing_of(path: str, family: Family) -> Compression:
    """How an archive of this name is packed; the case of the name does not matter.

    Raises :class:`UsageError` (``cannot-compress``) for what is not written here, with the pipe
    that does it.
    """
    name = path.lower()
    other = next((end for end in _OTHERS if name.endswith(end)), None)
    if other is not None:
        raise UsageError(
            f"an archive of images cannot be a {other[1:]} file",
            code="cannot-compress",
            where=path,
            remedy="choose a name ending in .tar, .tar.gz or .tar.zst",
        )
    program = _of_end(_PIPED, name)
    if program is not None:
        from shlex import quote

        raise UsageError(
            f"archives cannot be written with {program.partition(' ')[0]} compression",
            code="cannot-compress",
            where=path,
            remedy=Wording(
                f'pipe it: {{convert(…, "-", to="{family}")}} | {program} > {quote(path)}'
            ),
        )
    return _of_end(_WRITTEN, name) or Compression.NONE


def _of_end(table: Mapping[str, T], name: str) -> T | None:
    return next((meant for end, meant in table.items() if name.endswith(end)), None)
