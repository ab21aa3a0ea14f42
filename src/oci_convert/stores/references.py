"""References: how the command and the library name a store, and which store that is.

Spelled as skopeo spells them: ``transport:PATH[:REF]``. A bare path is recognised by content.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from oci_convert.ground.errors import StoreError, UsageError
from oci_convert.ground.media_types import Family
from oci_convert.stores.base import Sink, Source
from oci_convert.stores.containers_dir import ContainersDirSink, ContainersDirSource
from oci_convert.stores.docker_archive import DockerArchiveSource, is_docker_archive
from oci_convert.stores.memory import Memory
from oci_convert.stores.oci_layout import OciLayoutSink, OciLayoutSource, is_layout
from oci_convert.stores.places.base import Place
from oci_convert.stores.places.folder import Folder, WritableFolder
from oci_convert.stores.places.tar import Tar

__all__ = ["Reference", "open_sink", "open_source", "parse"]

_LAYOUT: Final = "oci"
_DIRECTORY: Final = "dir"
_DOCKER_ARCHIVE: Final = "docker-archive"
_OCI_ARCHIVE: Final = "oci-archive"
_TRANSPORTS: Final = (_LAYOUT, _DIRECTORY, _DOCKER_ARCHIVE, _OCI_ARCHIVE)
_ELSEWHERE: Final = ("docker", "docker-daemon", "containers-storage", "ocidir", "registry", "sif")


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference, taken apart."""

    transport: str | None
    """``None`` for a bare path."""
    path: str
    ref: str | None = None

    @property
    def label(self) -> str:
        """The store without the image, as errors show it."""
        return self.path if self.transport is None else f"{self.transport}:{self.path}"

    def __str__(self) -> str:
        return self.label if self.ref is None else f"{self.label}:{self.ref}"


def parse(text: str) -> Reference:
    """Take a reference apart; raises :class:`UsageError` (``invalid-reference``)."""
    transport, colon, rest = text.partition(":")
    if not colon or (transport not in _TRANSPORTS and transport not in _ELSEWHERE):
        if not text:
            raise _invalid(text, "it is empty")
        return Reference(None, text)
    if transport in _ELSEWHERE:
        raise UsageError(
            f"{transport}: is not a store on disk",
            code="unknown-transport",
            where=text,
            remedy=f"copy the image to disk first; known are {_listed()}",
        )
    if transport == _DIRECTORY:
        path, ref = rest, ""
    else:
        path, _, ref = rest.partition(":")
    if not path:
        raise _invalid(text, "there is no path in it")
    return Reference(transport, path, ref or None)


def _listed() -> str:
    return ", ".join(f"{transport}:" for transport in _TRANSPORTS)


def _invalid(text: str, why: str) -> UsageError:
    return UsageError(
        f"{text!r} is no reference: {why}",
        code="invalid-reference",
        remedy="references are spelled like oci:PATH[:REF], dir:PATH or docker-archive:FILE[:REF]",
    )


def open_source(reference: Reference | Memory) -> Source:
    """Open a store for reading; raises :class:`StoreError` or :class:`DocumentError`."""
    if isinstance(reference, Memory):
        return reference.source()
    path = Path(reference.path)
    if not path.exists():
        raise StoreError(
            "there is no such file or directory", code="no-such-store", where=reference.label
        )
    place = _open_place(path, reference)
    try:
        return _source_over(place, reference)
    except BaseException:
        place.close()
        raise


def _open_place(path: Path, reference: Reference) -> Place:
    is_folder = path.is_dir()
    wants_folder = reference.transport in (_LAYOUT, _DIRECTORY)
    if is_folder:
        return Folder(path)
    if wants_folder:
        raise StoreError("this is not a directory", code="not-a-folder", where=reference.label)
    return Tar(path)


def _source_over(place: Place, reference: Reference) -> Source:
    """The store that a place holds: as the reference says, else by content."""
    label = reference.label
    docker, layout = is_docker_archive(place), is_layout(place)
    transport = reference.transport
    if transport == _DOCKER_ARCHIVE or (transport is None and docker):
        return DockerArchiveSource(place, label)
    if transport == _DIRECTORY:
        return ContainersDirSource(place, label)
    if transport in (_LAYOUT, _OCI_ARCHIVE) or layout:
        if not layout:
            raise _unrecognised(label, "no OCI layout: it has neither index.json nor refs/")
        return OciLayoutSource(place, label)
    if place.size("manifest.json") is not None:
        return ContainersDirSource(place, label)
    raise _unrecognised(label, "no image store that is known")


def _unrecognised(label: str, what: str) -> StoreError:
    return StoreError(
        f"this is {what}",
        code="not-an-image-store",
        where=label,
        remedy="an OCI layout has an index.json, a dir: and a docker-save archive a manifest.json",
    )


def implied_family(reference: Reference | Memory) -> Family | None:
    """The family that a destination implies where ``--to`` is not given."""
    if isinstance(reference, Reference) and reference.transport in (_LAYOUT, _OCI_ARCHIVE):
        return Family.OCI
    if isinstance(reference, Reference) and reference.transport == _DOCKER_ARCHIVE:
        return Family.DOCKER
    return None


def open_sink(
    reference: Reference | Memory, family: Family, *, force: bool = False, fsync: bool = True
) -> Sink:
    """Open a store for writing; nothing is created before the first blob.

    Raises :class:`StoreError` (``target-exists`` and the like) and :class:`UsageError`.
    """
    if isinstance(reference, Memory):
        return reference.sink(family)
    transport = reference.transport
    if transport is None:
        transport = _DIRECTORY if family is Family.DOCKER else _LAYOUT
        if reference.path.endswith(".tar"):
            transport = _DOCKER_ARCHIVE if family is Family.DOCKER else _OCI_ARCHIVE
    if transport not in (_LAYOUT, _DIRECTORY):
        raise UsageError(
            f"{transport}: cannot be a destination",
            code="no-such-sink",
            where=reference.label,
            remedy="write an OCI layout (oci:PATH) or a directory (dir:PATH)",
        )
    path = Path(reference.path)
    if path.exists() and not path.is_dir():
        raise StoreError(
            "there is a file of this name", code="target-exists", where=reference.label
        )
    place = WritableFolder(path, fsync=fsync)
    label = f"{transport}:{reference.path}"
    if transport == _DIRECTORY:
        return ContainersDirSink(place, label, force=force)
    return OciLayoutSink(place, label, family=family)
