"""References: how the command and the library name a store, and which store that is.

Spelled as skopeo spells them: ``transport:PATH[:REF]``. A bare path is recognised by content, ``-``
is an archive on standard input or output.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oci_convert.errors import OciConvertError, StoreError, UsageError, located
from oci_convert.operating_system import drive, no_file_name
from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores.base import Sink, SinkOptions, Source, SourceOptions
from oci_convert.stores.containers_dir import ContainersDirSink, ContainersDirSource
from oci_convert.stores.contents import is_docker_archive, is_docker_legacy, is_layout
from oci_convert.stores.files.archive_names import is_archive_name, is_tar_name, packing_of
from oci_convert.stores.files.base import Files
from oci_convert.stores.files.folder import Folder, WritableFolder
from oci_convert.stores.layout_index_text import IndexReader
from oci_convert.stores.oci_layout import OciLayoutSink, OciLayoutSource
from oci_convert.stores.other_spellings import (
    SPELLING,
    refuse_address,
    refuse_digest,
    refuse_elsewhere,
    refuse_misspelt,
    refuse_url,
)
from oci_convert.text.wording import Wording

if TYPE_CHECKING:
    from oci_convert.stores.files.outputs import Output

__all__ = [
    "Reference",
    "archive_sink",
    "bare",
    "open_files",
    "open_sink",
    "parse",
    "source_over",
    "within",
]

_LAYOUT: Final = "oci"
_DIRECTORY: Final = "dir"
_DOCKER_ARCHIVE: Final = "docker-archive"
_OCI_ARCHIVE: Final = "oci-archive"
_ARCHIVES: Final = (_DOCKER_ARCHIVE, _OCI_ARCHIVE)
_TRANSPORTS: Final = (_LAYOUT, _DIRECTORY, _DOCKER_ARCHIVE, _OCI_ARCHIVE)
_FORMATS: Final = {_DOCKER_ARCHIVE: Family.DOCKER, _OCI_ARCHIVE: Family.OCI}
_COLONS: Final = 16
"""Colons of a reference behind which a path may end."""
_MARK: Final = f"{os.sep}{os.curdir}{os.sep}"
"""What a path has, from a separator before it on, that is a path whatever it looks like."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference, taken apart: a store."""

    transport: str | None
    """``None`` for a bare path."""
    path: str
    ref: str | None = None
    name: str | None = None
    """What a ``dir:`` is called, which has no name for its image."""

    @property
    def is_stream(self) -> bool:
        """Whether this is standard input or output: ``-``, also behind an archive's transport."""
        return self.path == "-" and self.transport in (None, *_ARCHIVES)

    @property
    def label(self) -> str:
        """The store without the image, as errors show it."""
        return self.path if self.transport is None else f"{self.transport}:{self.path}"

    def __str__(self) -> str:
        return self.label if self.ref is None else f"{self.label}:{self.ref}"

    @property
    def default_family(self) -> Family | None:
        """The family that a destination implies where none is asked for."""
        if self.transport in (_LAYOUT, _OCI_ARCHIVE):
            return Family.OCI
        return Family.DOCKER if self.transport == _DOCKER_ARCHIVE else None

    def source(self, options: SourceOptions = SourceOptions()) -> Source:
        """Open it for reading; raises :class:`StoreError` or :class:`DocumentError`.

        An archive that is compressed as a whole, or comes as a stream, is unpacked to a scratch
        file.
        """
        return source_over(open_files(self, options), self)

    def sink(self, options: SinkOptions = SinkOptions()) -> Sink:
        """Open it for writing; nothing is created before the first blob.

        Raises :class:`StoreError` (``target-exists`` and the like) and :class:`UsageError`.
        """
        return open_sink(self, options)


def parse(text: str, *, destination: bool = False) -> Reference:
    """Take a reference apart; raises :class:`UsageError` (``invalid-reference`` and the like).

    A path may hold colons: it is the longest one that exists, else what stands before the first.
    ``destination`` says that the reference is written to.
    """
    if "\0" in text:
        raise _invalid(text, "a path cannot contain a null character")
    if not text:
        raise _invalid(text, "it is empty")
    transport, colon, rest = text.partition(":")
    if colon:
        refuse_elsewhere(transport, rest, text, destination=destination)
    if not colon or transport not in _TRANSPORTS:
        if colon:
            refuse_misspelt(transport, rest, text, _TRANSPORTS)
            if destination:
                _refuse_bare_ref(text)
                refuse_address(text)
        return Reference(None, text)
    refuse_url(transport, rest, text)
    path, ref = (rest, "") if transport == _DIRECTORY else _divided(rest)
    if not path:
        raise _invalid(text, "it has no path")
    refuse_digest(transport, path, ref, text, destination=destination)
    if destination and transport in _ARCHIVES:
        _refuse_cut_name(transport, path, ref, text)
    return Reference(transport, path, ref or None)


def _refuse_cut_name(transport: str, path: str, ref: str, text: str) -> None:
    """Raise for the name of a new archive that ends at its first colon, which was not meant."""
    if is_archive_name(path):
        return
    meant, colon, name = path, ":", ref
    while colon:
        part, colon, name = name.partition(":")
        meant += f":{part}"
        # Behind the last colon alone: a domain may end as a packed file does.
        if is_tar_name(meant) or (not colon and is_archive_name(meant)):
            break
    else:
        return
    spelled = meant if Path(meant).is_absolute() or _MARK in f"{os.sep}{meant}" else _marked(meant)
    without = f" and without {name}, as it has no REF" if name else ""
    raise UsageError(
        f"this would write the file {path} with an image named {ref}",
        code="invalid-reference",
        where=text,
        remedy=Wording(
            f'for a file of that name write {spelled} with {{to="{_FORMATS[transport]}"}}{without}'
        ),
    )


def _marked(path: str) -> str:
    """A path so spelled that nothing of it is taken for a REF."""
    root = drive(path)
    rest = path[len(root) :]
    return f"{root}{_MARK if rest.startswith(os.sep) else _MARK[1:]}{rest.removeprefix(os.sep)}"


def _refuse_bare_ref(text: str) -> None:
    """Raise for a bare path that was meant to have a REF: it would be the name of a new file."""
    path, ref = _divided(text)
    if not ref or _MARK in f"{os.sep}{text}":
        return
    archive = is_archive_name(path)
    if archive or os.path.lexists(path):
        meant = f"{_DOCKER_ARCHIVE}:{text} or {_OCI_ARCHIVE}:{text}" if archive else f"oci:{text}"
        raise UsageError(
            "a path without a transport has no REF",
            code="invalid-reference",
            where=text,
            remedy=f"did you mean {meant}? for a path of that name write {_marked(text)}",
        )


def _divided(rest: str) -> tuple[str, str]:
    """What stands behind a transport, as path and REF."""
    start = len(drive(rest))
    first, _, _ = rest[start:].partition(":")
    ends = [match.start() for match in re.finditer(":|$", rest) if match.start() >= start]
    for end in reversed(ends[:_COLONS]):
        if os.path.lexists(rest[:end]):
            return rest[:end], rest[end + 1 :]
    return rest[: start + len(first)], rest[start + len(first) + 1 :]


def _invalid(text: str, why: str) -> UsageError:
    return UsageError(
        f"{text!r} is not a reference: {why}",
        code="invalid-reference",
        remedy=SPELLING,
    )


def bare(path: str | PathLike[str]) -> Reference:
    """A path, whatever it looks like."""
    text = os.fspath(path)
    if "\0" in text:
        raise _invalid(text, "a path cannot contain a null character")
    return Reference(None, os.path.join(os.curdir, text) if text == "-" else text)


def within(folder: str, text: str) -> str:
    """The same reference, with a path that is not absolute taken from ``folder``."""
    try:
        found = parse(text)
    except OciConvertError:  # whoever opens it says so
        return text
    if found.is_stream:
        return text
    before = "" if found.transport is None else f"{found.transport}:"
    return before + os.path.join(folder, text.removeprefix(before))


def open_files(reference: Reference, options: SourceOptions) -> Files:
    """The files of a directory or an archive."""
    path = Path(reference.path)
    if not reference.is_stream and path.is_dir():
        return Folder(path, reference.label, follow_links=options.follow_links)
    from oci_convert.stores.files.spool import open_archive

    if reference.is_stream:
        return open_archive(None, "standard input", options.scratch)
    if not path.exists():
        from oci_convert.stores.recognition import Sought, absent

        sought = Sought(reference.transport, reference.path, reference.ref, reference.label)
        raise absent(sought, _leads_to_an_image)
    try:
        return open_archive(reference.path, reference.label, options.scratch)
    except StoreError as error:
        from oci_convert.stores.recognition import part_of_a_store

        raise part_of_a_store(path, reference.label) or error from None


def _leads_to_an_image(text: str) -> bool:
    """Whether a reference can be followed. Packed archives, slow to open, are believed."""
    from oci_convert.layers.compression import SNIFF_BYTES, sniff
    from oci_convert.spec.names import find
    from oci_convert.stores.recognition import stores_below

    reference = parse(text)
    path = Path(reference.path)
    if reference.is_stream or (reference.transport is None and stores_below(reference.path)):
        return True
    with suppress(OciConvertError, OSError):
        if path.is_file():
            with path.open("rb") as file:
                packing = sniff(file.read(SNIFF_BYTES))
            if packing not in (None, Compression.NONE):
                return reference.transport not in (_LAYOUT, _DIRECTORY)
        with reference.source() as source:
            return reference.ref is None or bool(find(source.roots(), reference.ref, source.label))
    return False


def source_over(files: Files, reference: Reference, reader: IndexReader | None = None) -> Source:
    """The store that ``files`` are, which it then closes: as the reference says, else by content.

    ``reader`` is that of a layout. Raises :class:`StoreError` or :class:`DocumentError`.
    """
    label = files.label if reference.is_stream else reference.label
    try:
        with located(label):
            return _source_over(files, reference, label, reader)
    except BaseException:
        files.close()
        raise


def _source_over(
    files: Files, reference: Reference, label: str, reader: IndexReader | None
) -> Source:
    try:
        if reference.transport in (_LAYOUT, _DIRECTORY) and not isinstance(files, Folder):
            raise _no_folder(label)
        return _store_over(files, reference, label, reader)
    except OciConvertError as error:
        from oci_convert.stores.recognition import Sought, explained

        sought = Sought(reference.transport, reference.path, reference.ref, label)
        raise explained(error, files, sought, _leads_to_an_image) from None


def _store_over(
    files: Files, reference: Reference, label: str, reader: IndexReader | None
) -> Source:
    transport = reference.transport
    if transport in (None, _DOCKER_ARCHIVE):
        saved = _saved(files, label, certain=transport is not None)
        if saved is not None:
            return saved
    if transport == _DIRECTORY:
        return ContainersDirSource(files, label, reference.name)
    layout = is_layout(files)
    if transport in (_LAYOUT, _OCI_ARCHIVE) or layout:
        if not layout:
            raise _unrecognised(label, "not an OCI layout: it has neither index.json nor refs/")
        return OciLayoutSource(files, label, reader)
    if files.size("manifest.json") is not None:
        return ContainersDirSource(files, label)
    raise _unrecognised(label, "not a known image store")


def _no_folder(label: str) -> StoreError:
    return StoreError(
        "this is a file, not a directory",
        code="not-a-folder",
        store=label,
        remedy="an archive is docker-archive:FILE or oci-archive:FILE",
    )


def _saved(files: Files, label: str, *, certain: bool) -> Source | None:
    """What ``docker save`` wrote, of whichever age, if that is what they are."""
    if is_docker_legacy(files):
        from oci_convert.stores.docker_legacy import DockerLegacySource

        return DockerLegacySource(files, label)
    if certain or is_docker_archive(files):
        from oci_convert.stores.docker_archive import DockerArchiveSource

        return DockerArchiveSource(files, label)
    return None


def _unrecognised(label: str, what: str) -> StoreError:
    return StoreError(
        f"this is {what}",
        code="not-an-image-store",
        store=label,
        remedy="an OCI layout has an index.json, a dir: and a docker-save archive a manifest.json",
    )


def open_sink(
    reference: Reference, options: SinkOptions, reader: IndexReader | None = None
) -> Sink:
    """Open a store for writing; ``reader`` is that of a layout."""
    wrong = no_file_name(reference.path[len(drive(reference.path)) :].replace("\\", "/"))
    if wrong is not None:
        raise _invalid(str(reference), f"no file can be called {wrong!r} on Windows")
    family = options.family
    transport = _transport(reference, family)
    path = Path(reference.path)
    label = "standard output" if reference.is_stream else f"{transport}:{reference.path}"
    if transport in _ARCHIVES:
        if path.is_dir() and not reference.is_stream:
            _refuse_other_stores(path, label, transport)
        return archive_sink(_output(reference, label, options), transport, label, family)
    if path.exists() and not path.is_dir():
        archives = "; an archive is docker-archive:FILE or oci-archive:FILE"
        raise StoreError(
            "there is a file of this name",
            code="target-exists",
            store=reference.label,
            remedy="choose another name" + (archives if is_archive_name(reference.path) else ""),
        )
    files = WritableFolder(path, fsync=options.fsync)
    if transport == _DIRECTORY:
        try:
            return ContainersDirSink(files, label, force=options.force)
        except StoreError:
            _refuse_other_stores(path, label, transport)
            raise
    if path.joinpath("manifest.json").exists() and not path.joinpath("index.json").exists():
        _refuse_other_stores(path, label, transport)
    with located(label):
        return OciLayoutSink(files, label, family=family, reader=reader)


def _refuse_other_stores(path: Path, label: str, transport: str) -> None:
    from oci_convert.stores.recognition import refuse_other_stores  # hardly any run needs it

    refuse_other_stores(path, label, transport)


def archive_sink(output: Output, transport: str, label: str, family: Family) -> Sink:
    """The archive that is written to ``output``."""
    from oci_convert.stores.archive_sinks import DockerArchiveSink, OciArchiveSink
    from oci_convert.stores.files.tar_writer import WritableTar

    sink = DockerArchiveSink if transport == _DOCKER_ARCHIVE else OciArchiveSink
    return sink(WritableTar(output, label), label, family=family)


def _transport(reference: Reference, family: Family) -> str:
    """What a destination is: as it says, else by its name and the family."""
    if reference.transport is not None:
        return reference.transport
    docker = family is Family.DOCKER
    if reference.is_stream or is_archive_name(reference.path):
        return _DOCKER_ARCHIVE if docker else _OCI_ARCHIVE
    return _DIRECTORY if docker else _LAYOUT


def _output(reference: Reference, label: str, options: SinkOptions) -> Output:
    """What an archive is written to: a new file, or what is there if that is no file at all."""
    from oci_convert.stores.files.outputs import NewFile, Stream

    path = Path(reference.path)
    if reference.is_stream:
        return Stream(None, label, options.scratch)
    packing = packing_of(reference.path, options.family)
    output: Output
    if path.exists() and not path.is_file() and not path.is_dir():
        output = Stream(path, label, options.scratch)
    else:
        output = NewFile(path, label, force=options.force, fsync=options.fsync)
    if packing is Compression.NONE:
        return output
    from oci_convert.stores.files.packed import Packed

    return Packed(output, packing)
