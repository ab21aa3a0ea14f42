"""Layers applied one upon the other, as image-spec ``layer.md`` says of changesets, without a disk.

Headers are kept, contents are read from their layer when somebody wants them.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Final, TypeAlias

from oci_convert.errors import BlobError, StoreError
from oci_convert.inspection.image_files import FileKind, ImageFile, ImageFiles
from oci_convert.inspection.layer import Layer
from oci_convert.limits import limits, raised_by
from oci_convert.stores.files.paths import check_length, cleaned
from oci_convert.stores.files.tar_headers import FAULTS, Extent, Forwards, extents, headers

__all__ = ["read_files"]

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_AUFS: Final = ".wh..wh."
"""How the names of AUFS's own files begin, of which only the one for opaque directories counts."""
_LINK_LIMIT: Final = 40
_HOLE: Final = bytes(64 * 1024)
_KINDS: Final = {
    tarfile.DIRTYPE: FileKind.DIRECTORY,
    tarfile.SYMTYPE: FileKind.SYMLINK,
    tarfile.CHRTYPE: FileKind.DEVICE,
    tarfile.BLKTYPE: FileKind.DEVICE,
    tarfile.FIFOTYPE: FileKind.PIPE,
}


def read_files(layers: Sequence[Layer], store: str, where: str) -> ImageFiles:
    """Read the headers of all layers, the lowest first; every byte of them is verified.

    A layer that is absent is an error: nobody knows what it hides.
    """
    root = _Node()
    count = 0
    for layer in layers:
        changes = _Changes(layer, root, count)
        changes.read()
        count = changes.count
        changes.apply()
    found: dict[str, ImageFile] = {}
    left = [root]
    while left:
        node = left.pop()
        if node.file is not None:
            found[node.file.path] = node.file
        left.extend(node.children.values())
    return ImageFiles(dict(sorted(found.items())), store, where)


@dataclass(eq=False, slots=True)
class _Node:
    """A place in a tree of files."""

    file: ImageFile | None = None
    """``None`` for a directory that only the paths of others name, and where nothing is."""
    children: dict[str, _Node] = field(default_factory=dict)
    there: bool = False
    """Whether it or something below it is in the layer: a whiteout is not."""
    hides: bool = False
    """Nothing of the layers below is seen here: by a whiteout, or because a file replaced it."""
    opaque: bool = False
    """Nothing of the layers below is seen in this directory."""

    @property
    def is_folder(self) -> bool:
        return self.file is None or self.file.kind is FileKind.DIRECTORY

    def make(self, path: str, *, folders: bool = False) -> _Node:
        """The node at a path; with ``folders`` what is above it becomes a directory."""
        node = self
        for part in path.split("/") if path else ():
            if folders and not node.is_folder:
                node.file = None
            node = node.children.setdefault(part, _Node())
            node.there = node.there or folders
        return node


class _Changes:
    """What one layer changes: files of its own, and what it hides of the layers below."""

    def __init__(self, layer: Layer, below: _Node, count: int) -> None:
        self.count = count
        """Members of all layers so far."""
        self._layer = layer
        self._below = below
        self._own = _Node()
        self._folders: dict[str, str] = {}
        """Where the folders of members are, through the links that are there now."""

    def read(self) -> None:
        """Read the members; raises :class:`BlobError` and :class:`StoreError`."""
        with self._layer.open(unpacked=True) as file, _understood(self._layer):
            for position, member in enumerate(headers(Forwards(file))):
                self.count += 1
                if self.count > limits().members:
                    raise StoreError(
                        f"the layers have more files than the limit of {limits().members}",
                        code="too-many-members",
                        store=self._layer.store,
                        where=self._layer.where,
                        remedy=raised_by("members"),
                    )
                check_length(member.name, self._layer.where)
                check_length(member.linkname, self._layer.where)
                path = cleaned(member.name.lstrip("/"))
                if path is not None:
                    self._add(path, member, position)

    def _add(self, path: str, member: tarfile.TarInfo, position: int) -> None:
        above, _, name = path.rpartition("/")
        folder = self._folder(above)
        if name == _OPAQUE:
            self._own.make(folder).opaque = True
        elif name.startswith(_WHITEOUT) and not name.startswith(_AUFS):
            self._own.make(_join(folder, name.removeprefix(_WHITEOUT))).hides = True
        elif not name.startswith(_AUFS):
            self._put(_join(folder, name), member, position)

    def _put(self, path: str, member: tarfile.TarInfo, position: int) -> None:
        if member.islnk():
            file = replace(self._linked(member.linkname), path=path)
        else:
            file = ImageFile(
                path,
                _KINDS.get(member.type, FileKind.FILE),
                member.size if member.isreg() else 0,
                member.mode,
                member.uid,
                member.gid,
                member.mtime,
                member.linkname if member.issym() else None,
                self._layer,
                partial(_contents, self._layer, position),
            )
        node = self._own.make(path, folders=True)
        if file.target is not None or (node.file and node.file.target is not None):
            self._folders.clear()
        if file.kind is not FileKind.DIRECTORY:
            node.children.clear()
            node.hides = True  # also if a directory takes its place
        node.file = file

    def _linked(self, name: str) -> ImageFile:
        """The file that a hard link leads to."""
        above, _, last = (cleaned(name.lstrip("/")) or "").rpartition("/")
        found = self._walked(_join(self._folder(above), last), follow=False)[1]
        if found is None or found.kind is FileKind.DIRECTORY:
            raise tarfile.ReadError(f"a hard link leads to {name!r}, which is no file")
        return found

    def _folder(self, path: str) -> str:
        """The folder at a path, through symbolic links, as what unpacks a layer finds it."""
        if path not in self._folders:
            self._folders[path] = self._walked(path)[0]
        return self._folders[path]

    def _walked(self, path: str, *, follow: bool = True) -> tuple[str, ImageFile | None]:
        """Where a path leads now, and what is there: of this layer, else of those below."""
        start: _Place = ("", self._own, self._below)
        places = [start]
        left, links = path.split("/")[::-1], 0
        file: ImageFile | None = None
        while left:
            part = left.pop()
            if part == "..":
                places = places[:1] if len(places) == 1 else places[:-1]
            if part in ("", ".", ".."):
                continue
            _, own, below = places[-1]
            seen = None if own is None else own.children.get(part)
            hidden = (own is not None and own.opaque) or (seen is not None and seen.hides)
            under = None if hidden or below is None else below.children.get(part)
            places.append((part, seen, under))
            file = next((it.file for it in (seen, under) if it is not None and it.file), None)
            if follow and file is not None and file.target is not None:
                links += 1
                if links > _LINK_LIMIT:
                    raise tarfile.ReadError(f"the links of {path!r} lead round in circles")
                places = [start] if file.target.startswith("/") else places[:-1]
                left += file.target.split("/")[::-1]
        return "/".join(name for name, _, _ in places[1:]), file

    def apply(self) -> None:
        """Put the layer upon those below."""
        for name in [name for name in self._own.children if name.startswith(_AUFS)]:
            del self._own.children[name]  # a folder of AUFS, to which hard links lead
        left = [(self._own, self._below)]
        while left:
            own, below = left.pop()
            if own.opaque:
                below.children.clear()
            below.file = own.file or below.file
            for name, node in own.children.items():
                if node.hides:
                    below.children.pop(name, None)
                old = below.children.get(name)
                if old is not None and node.is_folder and old.is_folder:
                    left.append((node, old))
                elif node.there:
                    below.children[name] = node


_Place: TypeAlias = tuple[str, _Node | None, _Node | None]
"""A part of a path, and what is there of a layer and of those below it."""


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _contents(layer: Layer, position: int) -> Iterator[bytes]:
    """The content of a member; what is behind it is read, too, so that the layer is verified."""
    with layer.open(unpacked=True) as file, _understood(layer):
        tar = Forwards(file)
        member = next(islice(headers(tar), position, None))
        for extent in extents(member):
            yield from _bytes(tar, extent)


def _bytes(tar: Forwards, extent: Extent) -> Iterator[bytes]:
    """The bytes of one run of a member."""
    left = extent.end - extent.start
    if extent.at is not None:
        tar.seek(extent.at)
    while left:
        chunk = _HOLE[:left] if extent.at is None else tar.read(min(left, len(_HOLE)))
        if not chunk:
            raise tarfile.ReadError("it ends inside a member")
        left -= len(chunk)
        yield chunk


@contextmanager
def _understood(layer: Layer) -> Iterator[None]:
    """Raise what tarfile raises of a layer as :class:`BlobError` (``corrupt-layer``)."""
    try:
        yield
    except FAULTS as error:
        raise BlobError(
            f"the layer cannot be read: {str(error) or type(error).__name__}",
            code="corrupt-layer",
            store=layer.store,
            where=layer.where,
            remedy="fetch the image again, or ask its producer to fix it",
            digest=layer.digest,
        ) from None
