"""Stores of this machine as objects: layouts, ``dir:`` directories and archives.

Each is what the reference of its transport means, without the spelling: here a path may hold
colons.
"""

from __future__ import annotations

import os
from os import PathLike
from typing import ClassVar

from oci_convert.spec.media_types import Family
from oci_convert.stores.base import Sink, SinkOptions, Source, SourceOptions
from oci_convert.stores.files.borrowed import BinaryReader, BinaryWriter, Borrowed
from oci_convert.stores.files.folder import WritableFolder
from oci_convert.stores.files.outputs import GivenFile
from oci_convert.stores.files.spool import open_archive
from oci_convert.stores.layout_index_text import IndexReader
from oci_convert.stores.layout_names import LayoutNames
from oci_convert.stores.references import (
    Reference,
    archive_sink,
    open_files,
    open_sink,
    source_over,
)
from oci_convert.text.brief import brief

__all__ = ["ContainersDir", "DockerArchive", "OciArchive", "OciLayout"]


class _Local:
    """What these stores have in common: the reference that means the same."""

    def __init__(self, transport: str, path: str, ref: str | None) -> None:
        self._reference = Reference(transport, path, ref)

    @property
    def ref(self) -> str | None:
        """The one image that is meant, or what the one image is to be called; ``None`` for all."""
        return self._reference.ref

    @property
    def default_family(self) -> Family | None:
        """The family of what is written, unless another one is asked for."""
        return self._reference.default_family

    def source(self, options: SourceOptions = SourceOptions()) -> Source:
        """Open it for reading."""
        return self._reference.source(options)

    def sink(self, options: SinkOptions = SinkOptions()) -> Sink:
        """Open it for writing."""
        return self._reference.sink(options)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Local) and other._identity() == self._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return type(self), self._reference

    def __str__(self) -> str:
        return str(self._reference)

    def __repr__(self) -> str:
        path = self._reference.path
        given = path if path.startswith("<") else brief(path)
        named = "" if self.ref is None else f", {brief(self.ref)}"
        return f"{type(self).__name__}({given}{named})"


class OciLayout(_Local, LayoutNames):
    """An OCI layout in a directory: ``oci:PATH[:REF]``.

    Runs that are given the same object share what they know of ``index.json``, which otherwise each
    of them parses: in a layout of many thousand images that takes longer than to add one. What
    others write there meanwhile is noticed.
    """

    def __init__(self, path: str | PathLike[str], ref: str | None = None) -> None:
        super().__init__("oci", os.fspath(path), ref)
        self._reader = IndexReader()

    def image(self, ref: str) -> OciLayout:
        """One image of this very layout: the one of that name, or one that is to have it."""
        one = OciLayout(self._reference.path, ref)
        one._reader = self._reader
        return one

    def source(self, options: SourceOptions = SourceOptions()) -> Source:
        files = open_files(self._reference, options)
        return source_over(files, self._reference, self._reader)

    def sink(self, options: SinkOptions = SinkOptions()) -> Sink:
        return open_sink(self._reference, options, self._reader)

    def _writable(self) -> WritableFolder:
        return WritableFolder(self._reference.path)

    def __reduce__(self) -> tuple[type[OciLayout], tuple[str, str | None]]:
        return OciLayout, (self._reference.path, self.ref)


class ContainersDir(_Local):
    """A directory with one image, as skopeo, podman and buildah write it: ``dir:PATH``.

    It may hold either family, so that a conversion to it needs ``to``.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__("dir", os.fspath(path), None)


class _Archive(_Local):
    """An archive, by its path or as a file object."""

    _transport: ClassVar[str]

    def __init__(
        self, file: str | PathLike[str] | BinaryReader | BinaryWriter, ref: str | None = None
    ) -> None:
        self._given: Borrowed | None = None
        if isinstance(file, str | PathLike):
            super().__init__(self._transport, os.fspath(file), ref)
            return
        if not (hasattr(file, "read") or hasattr(file, "write")):
            raise TypeError(
                f"{type(file).__name__} is neither the path of an archive nor a file; "
                "what is in memory is given as io.BytesIO(…)"
            )
        self._given = Borrowed(file)
        super().__init__(self._transport, self._given.name, ref)

    def _identity(self) -> tuple[object, ...]:
        return (*super()._identity(), self._given)

    @property
    def file(self) -> BinaryReader | BinaryWriter | None:
        """The file object; ``None`` for an archive that was given by its path."""
        return None if self._given is None else self._given.file

    def source(self, options: SourceOptions = SourceOptions()) -> Source:
        if self._given is None:
            return super().source(options)
        label = self._reference.label
        return source_over(
            open_archive(self._given.reader(), label, options.scratch), self._reference
        )

    def sink(self, options: SinkOptions = SinkOptions()) -> Sink:
        if self._given is None:
            return super().sink(options)
        output = GivenFile(self._given, options.scratch)
        return archive_sink(output, self._transport, self._reference.label, options.family)


class DockerArchive(_Archive):
    """An archive of ``docker save``, of any age: ``docker-archive:FILE[:REF]``.

    ``file`` is its path or a binary file object, which is read or written from where it stands and
    never closed. It need not be able to seek: what is read is then copied to a temporary file, and
    can be read once. A failed run leaves a file that can seek as it was.
    """

    _transport = "docker-archive"


class OciArchive(_Archive):
    """An OCI layout in a tar file: ``oci-archive:FILE[:REF]``.

    ``file`` is what a :class:`DockerArchive` takes.
    """

    _transport = "oci-archive"
