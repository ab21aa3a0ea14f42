"""The files of an image as a container sees them, whiteouts honoured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO, Final

from oci_convert.errors import StoreError
from oci_convert.layers.chunk_reader import ChunkReader
from oci_convert.text.brief import Brief
from oci_convert.text.suggestion import did_you_mean, nearest

if TYPE_CHECKING:
    from oci_convert.inspection.layer import Layer

__all__ = ["FileKind", "ImageFile", "ImageFiles"]

_LINK_LIMIT: Final = 40


class FileKind(StrEnum):
    """What a file of an image is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    DEVICE = "device"
    PIPE = "pipe"


@dataclass(frozen=True, eq=False, repr=False)
class ImageFile(Brief):
    """A file of an image, a directory, or something else of the kind."""

    path: str
    """Its path, without a slash at either end: ``etc/motd``."""
    kind: FileKind
    """What it is. A hard link is the file that it leads to."""
    size: int
    """Its bytes; 0 for whatever is no file."""
    mode: int
    """Its permissions, as in ``0o755``."""
    uid: int
    """The number of its owner."""
    gid: int
    """The number of its group."""
    mtime: float
    """When it was changed, in seconds since 1970."""
    target: str | None
    """Where a symbolic link leads, as it is written there."""
    layer: Layer
    """The layer that its content comes from."""
    _content: Callable[[], Iterator[bytes]] = field(repr=False)

    def open(self) -> BinaryIO:
        """Its content as a file, read forwards, from its layer alone.

        As with :meth:`Layer.open`, leaving the file's with block without an error, or reading to
        its end, means that every byte of the layer was right; closing it first leaves that out.
        Raises :class:`StoreError` (``not-a-file``) for a directory, a link, a device or a pipe.
        """
        if self.kind is not FileKind.FILE:
            raise StoreError(
                f"{self.path} is a {self.kind}, not a regular file",
                code="not-a-file",
                store=self.layer.store,
                where=self.layer.where,
                remedy="choose a file; ImageFiles.find follows links",
            )
        return ChunkReader(self._content())

    def read(self) -> bytes:
        """Its content, at once."""
        with self.open() as file:
            return file.read()


class ImageFiles(Mapping[str, ImageFile]):
    """The files of an image by their paths, in the order of the paths.

    Directories are among them, those that only the paths of others name are not.
    """

    def __init__(self, files: dict[str, ImageFile], store: str, where: str) -> None:
        self._files = files
        self._place = {"store": store, "where": where}

    def __getitem__(self, path: str) -> ImageFile:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<{len(self)} files>)"

    def find(self, path: str) -> ImageFile:
        """What is at ``path`` for a container, through symbolic links, the last one included.

        Links never lead out of the image: its root is theirs. Raises :class:`StoreError`
        (``no-such-file``, ``link-outside`` for links that lead round in circles).
        """
        at: list[str] = []
        left, links = path.split("/")[::-1], 0
        while left:
            part = left.pop()
            if part == "..":
                at = at[:-1]
            elif part not in ("", "."):
                at.append(part)
            file = self._files.get("/".join(at))
            if file is not None and file.target is not None:
                links += 1
                at = [] if file.target.startswith("/") else at[:-1]
                left += file.target.split("/")[::-1]
            if links > _LINK_LIMIT:
                raise StoreError(
                    f"{path} leads through more than {_LINK_LIMIT} links",
                    code="link-outside",
                    **self._place,
                    remedy="its links may lead round in circles; ask its producer to fix it",
                )
        return self._at("/".join(at), path)

    def _at(self, found: str, path: str) -> ImageFile:
        if found not in self._files:
            raise StoreError(
                f"the image has no file {path}",
                code="no-such-file",
                **self._place,
                remedy=did_you_mean(nearest(found, self._files), "list its files to see them"),
            )
        return self._files[found]

    def open(self, path: str) -> BinaryIO:
        """The content of the file at ``path``, through links: see :meth:`ImageFile.open`."""
        return self.find(path).open()

    def read(self, path: str) -> bytes:
        """The content of the file at ``path``, through links, at once."""
        return self.find(path).read()
