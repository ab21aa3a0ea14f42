"""What is at a path: which kind of store, a part of one, or something similar.

A reference says what it leads to. Where something else is there, that is told in one line, with the
spelling that leads to it. What is looked for is in :mod:`~oci_convert.stores.contents`.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from oci_convert.errors import OciConvertError, StoreError
from oci_convert.stores.contents import (
    INDEX,
    MANIFEST_JSON,
    REPOSITORIES,
    is_docker_archive,
    is_docker_legacy,
    is_layout,
)
from oci_convert.stores.files import Files
from oci_convert.stores.files.archive_names import is_tar_name
from oci_convert.stores.files.folder import Folder
from oci_convert.stores.other_spellings import SPELLING, in_a_registry
from oci_convert.text.suggestion import did_you_mean, nearest

__all__ = [
    "Sought",
    "StoreKind",
    "absent",
    "explained",
    "kinds_at",
    "part_of_a_store",
    "refuse_other_stores",
    "stores_below",
]

_MOST: Final = 1_000
"""Entries of a folder that are looked at: to say no must not take long."""
_SHOWN: Final = 5
_LEVELS: Final = 3
"""Folders above a path in which a store may be: a blob of a layout has as many."""
_PART: Final = re.compile(
    r"(?:index|manifest)\.json|oci-layout|repositories|version|(?:blobs|refs)(?:/.*)?"
    r"|(?:\w+[-:])?[0-9a-f]{64}[^/]*(?:/.*)?|signature-[0-9]+"
)
"""What files and folders of a store are called."""
_FILE_SYSTEM: Final = frozenset(
    ("bin", "dev", "etc", "home", "lib", "lib64", "opt", "proc", "root", "run", "sbin", "sys")
) | {"tmp", "usr", "var", "Windows", "Users", "ProgramData", "Program Files"}
"""What stands at the root of a file system."""
_OF_SYSTEMS: Final = frozenset((".dockerenv", "run/.containerenv", "etc/passwd", "etc/os-release"))
"""Files that only a file system has: one without a distribution may have little else."""
_SAVE_IT: Final = "save the image instead: docker save IMAGE -o FILE"
_BLOB: Final = re.compile("[0-9a-f]{64}")


class StoreKind(Enum):
    """A kind of store, as people call it."""

    SAVED = "a docker-save archive"
    LAYOUT = "an OCI layout"
    DIRECTORY = "a dir: image"

    def called(self, files: Files) -> str:
        """What people call the store of this kind that ``files`` hold."""
        packed = self is StoreKind.LAYOUT and not isinstance(files, Folder)
        return "an OCI archive" if packed else self.value

    def transports(self, files: Files) -> tuple[str, ...]:
        """What it can be opened with, the usual one first; a tar of a ``dir:`` only by its path."""
        return (_OF_FOLDERS if isinstance(files, Folder) else _OF_ARCHIVES)[self]

    def reference(self, files: Files, path: str, ref: str | None = None) -> str:
        """How it is spelled."""
        named = [] if ref is None or self is StoreKind.DIRECTORY else [ref]
        return ":".join([*self.transports(files)[:1], path, *named])


_OF_FOLDERS: Final = {
    StoreKind.SAVED: ("docker-archive",),
    StoreKind.LAYOUT: ("oci", "oci-archive"),
    StoreKind.DIRECTORY: ("dir",),
}
_IN_FOLDERS: Final = {"oci": StoreKind.LAYOUT, "dir": StoreKind.DIRECTORY}
"""What is written to a folder."""
_OF_ARCHIVES: Final = {
    StoreKind.SAVED: ("docker-archive",),
    StoreKind.LAYOUT: ("oci-archive",),
    StoreKind.DIRECTORY: (),
}


class Sought(NamedTuple):
    """What a reference says of a store."""

    transport: str | None
    """``None`` for a bare path."""
    path: str
    ref: str | None
    label: str
    """The store without the image, as errors show it."""


def explained(
    error: OciConvertError,
    files: Files,
    sought: Sought,
    leads_to_an_image: Callable[[str], bool],
) -> OciConvertError:
    """A better answer than ``error``, which says that this is not the store that was sought."""
    transport, path, ref, label = sought
    with suppress(OciConvertError, OSError):
        kinds = _kinds_of(files)
        fitting = {name for kind in kinds for name in kind.transports(files)}
        if kinds and (transport is None or transport in fitting):
            return error  # it is that store, and something is wrong with it
        if kinds:
            spelled = kinds[0].reference(files, path, ref)
            if ref is not None and not leads_to_an_image(spelled):
                spelled = kinds[0].reference(files, path)
            return StoreError(
                f"this is {kinds[0].called(files)}",
                code="other-store",
                store=label,
                remedy=f"write {spelled}",
            )
        stranger = (
            _strange_folder(path, label)
            if isinstance(files, Folder)
            else _strange_archive(files, path, label)
        )
        return part_of_a_store(Path(path), label) or stranger or error
    return error


def refuse_other_stores(folder: Path, label: str, transport: str) -> None:
    """Raise where a folder that ``transport`` is to write to holds only stores of other kinds."""
    kinds = kinds_at(folder)
    if kinds and _IN_FOLDERS.get(transport) not in kinds:
        added = f" or, to add to it, write oci:{folder}" if StoreKind.LAYOUT in kinds else ""
        raise StoreError(
            f"the directory already contains {kinds[0].value}",
            code="other-store",
            store=label,
            remedy=f"choose another name{added}",
        )


def _kinds_of(files: Files) -> tuple[StoreKind, ...]:
    """Every kind of store that these files are, what a bare path means first: archives may be two.

    Links that lead out, and what is no file, are a :class:`StoreError`.
    """
    rows = files.size(MANIFEST_JSON) is not None
    saved = is_docker_archive(files) or (not rows and is_docker_legacy(files))
    found = {
        StoreKind.SAVED: saved,
        StoreKind.LAYOUT: is_layout(files),
        StoreKind.DIRECTORY: rows and _is_directory(files, saved=saved),
    }
    return tuple(kind for kind, is_one in found.items() if is_one)


def _is_directory(files: Files, *, saved: bool) -> bool:
    """Whether a ``manifest.json`` is that of a ``dir:``: many folders have one of their own."""
    if files.size("version") is not None:
        return True
    return not saved and any(map(_BLOB.fullmatch, files.names()))


def kinds_at(folder: Path, *, follow_links: bool = False) -> tuple[StoreKind, ...]:
    """What a folder that nobody has named surely is."""
    with suppress(OciConvertError, OSError):
        blobs = (folder / "blobs" / algorithm for algorithm in ("sha256", "sha512"))
        files = Folder(folder, follow_links=follow_links)
        return _surely(files, blobs=any(map(Path.is_dir, blobs)))
    return ()


def _surely(files: Files, *, blobs: bool) -> tuple[StoreKind, ...]:
    """Every kind that files surely are: many folders have an ``index.json`` of their own.

    ``blobs`` says whether they have a folder of blobs.
    """
    kinds = _kinds_of(files)
    unmarked = not blobs and files.size("oci-layout") is None
    return () if kinds[:1] == (StoreKind.LAYOUT,) and unmarked else kinds


class _Part(Files):
    """What is in a folder of an archive, as if that were all."""

    def __init__(self, files: Files, names: list[str], folder: str) -> None:
        """``names`` are all of ``files``, sorted."""
        self.label = files.label
        self._files = files
        self._all = names
        self._top = f"{folder}/"

    def names(self, folder: str = "") -> Iterator[str]:
        prefix = self._top + (f"{folder}/" if folder else "")
        for at in range(bisect_left(self._all, prefix), len(self._all)):
            if not self._all[at].startswith(prefix):
                return
            yield self._all[at].removeprefix(self._top)

    def size(self, name: str) -> int | None:
        return self._files.size(self._top + name)

    def open(self, name: str) -> BinaryIO:
        return self._files.open(self._top + name)


# -- what is not there --------------------------------------------------------------------------


def absent(sought: Sought, leads_to_an_image: Callable[[str], bool]) -> StoreError:
    """The error for a path that is not there, with what was probably meant, if that is there."""
    path = Path(sought.path)
    if path.is_symlink():
        return StoreError(
            f"this is a link to {path.readlink()}, which does not exist",
            code="no-such-store",
            store=sought.label,
            remedy="fetch the target of the link",
        )
    meant = next(filter(leads_to_an_image, _meant(sought)), None)
    if meant is None and sought.transport is None:
        meant = in_a_registry(sought.path)
    return StoreError(
        "there is no such file or directory",
        code="no-such-store",
        store=sought.label,
        remedy=did_you_mean(meant) or SPELLING,
    )


def _meant(sought: Sought) -> Iterator[str]:
    """What somebody may have meant who wrote a reference to a path that is not there."""
    transport, path, ref, _ = sought
    store, colon, rest = path.partition(":")
    if transport is None and colon:
        path, ref = store, rest
    near = _near(Path(path))
    if near is None:
        return
    if ref is not None:
        of_files = ("docker-archive", "oci-archive")
        usual = of_files if Path(near).is_file() else ("oci", "docker-archive")
        for one in (transport,) if transport else usual:
            yield f"{one}:{near}:{ref}"
    yield near if transport is None else f"{transport}:{near}"
    yield near


def _near(path: Path) -> str | None:
    """The path, or else that of the most similar name, that exists."""
    if path.exists():
        return str(path)
    there = next((folder for folder in path.parents if folder.is_dir()), None)
    if there is None:
        return None
    missing, *below = path.relative_to(there).parts
    with suppress(OSError), os.scandir(there) as entries:
        name = nearest(missing, (entry.name for entry in entries))
        if name is not None and there.joinpath(name, *below).exists():
            return str(there.joinpath(name, *below))
    return None


# -- what holds no store ------------------------------------------------------------------------


def part_of_a_store(path: Path, where: str) -> StoreError | None:
    """The error for a file or a folder that is a part of a store: one gives the whole store."""
    whole = Path.cwd() / path
    for folder in islice(whole.parents, _LEVELS):
        if not _PART.fullmatch(whole.relative_to(folder).as_posix()):
            continue
        for kind in kinds_at(folder):
            spelled = kind.reference(Folder(folder), os.path.relpath(folder))
            return _nothing(f"a part of {kind.value}", f"give the whole store: {spelled}", where)
    return None


def stores_below(path: str) -> list[str]:
    """The references to what is in a folder and looks like a store, also below folders that hold
    nothing but one other.
    """
    some = _entries(path)
    while len(some) == 1 and some[0].is_dir(follow_symlinks=False) and not kinds_at(Path(some[0])):
        path = some[0].path
        some = _entries(path)
    below = [Path(path, entry.name) for entry in some if entry.is_dir()]
    stores = [(folder, kinds[0]) for folder in below if (kinds := kinds_at(folder))]
    spelled = [kind.reference(Folder(folder), str(folder)) for folder, kind in stores]
    return [*spelled, *(str(Path(path, it.name)) for it in some if is_tar_name(it.name))]


def _entries(path: str) -> list[os.DirEntry[str]]:
    """The first entries of a folder; none if there is no such one."""
    try:
        with os.scandir(path) as entries:
            return sorted(islice(entries, _MOST), key=lambda entry: entry.name)
    except OSError:
        return []


def _strange_folder(path: str, where: str) -> StoreError | None:
    spelled = stores_below(path)
    if spelled:
        return _nothing("a directory of images, not an image", _choice(spelled), where)
    if _is_file_system(entry.name for entry in _entries(path)):
        return _file_system(where)
    return None


def _strange_archive(files: Files, path: str, where: str) -> StoreError | None:
    names = sorted(files.names())
    tops = {name.partition("/")[0] for name in names}
    if _is_file_system(tops) or not _OF_SYSTEMS.isdisjoint(names):
        return _file_system(where)
    for folder in _like_stores(names):
        part = _Part(files, names, folder)
        for kind in _surely(part, blobs=any(part.names("blobs"))):
            return _nothing(
                f"an archive of a directory: the image is in {folder}/",
                f"unpack it (tar -xf {path}) and give {_OF_FOLDERS[kind][0]}:{folder}",
                where,
            )
    if any(re.fullmatch("[^/]+/Chart.yaml", name) for name in names):
        return _nothing("a Helm chart, not an image", "give an archive of images", where)
    layers = [name for name in names if name.endswith("/layer.tar")]
    within = [it for it in names if is_tar_name(it) and not _PART.fullmatch(it)]
    if layers and {*within, MANIFEST_JSON, REPOSITORIES}.isdisjoint({*names}.difference(layers)):
        return _nothing("an archive of layers, with no manifest of them", _SAVE_IT, where)
    if within:
        within.sort(key=lambda name: name.count("/"))
        return _nothing("an archive of archives", f"unpack it; {_choice(within)}", where)
    # It is one layer of such a system, perhaps.
    return _file_system(where) if tops and tops <= _FILE_SYSTEM else None


def _like_stores(names: Iterable[str]) -> list[str]:
    """The folders that hold a file of a name that stores have, the uppermost first."""
    marks = (INDEX, MANIFEST_JSON, REPOSITORIES)
    divided = (name.rpartition("/") for name in names)
    found = {folder for folder, _, last in divided if folder and last in marks}
    return sorted(found, key=lambda folder: (folder.count("/"), folder))


def _is_file_system(tops: Iterable[str]) -> bool:
    return len(_FILE_SYSTEM.intersection(tops)) > 1


def _file_system(where: str) -> StoreError:
    return _nothing(
        "a file system, as docker export writes it, not an image: it has neither config nor layers",
        _SAVE_IT,
        where,
    )


def _choice(spelled: list[str]) -> str:
    if len(spelled) == 1:
        return f"give {spelled[0]}"
    shown = ", ".join(spelled[:_SHOWN])
    more = len(spelled) - _SHOWN
    return f"give one of {shown}" + (f" and {more} more" if more > 0 else "")


def _nothing(what: str, remedy: str, where: str) -> StoreError:
    return StoreError(f"this is {what}", code="not-an-image-store", where=where, remedy=remedy)
