"""Any store on disk, converted into any other: what only a file system can do to a run, too.

The input is a byte for the store, one for the destination, one for each option, and the accidents:
those of the files, and some that need a file system.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from base import Draws, ours
from mutations import damaged
from oci_convert.conversion.convert import convert
from oci_convert.errors import OciConvertError
from stores import DIRECTORIES, LAYOUTS, SAVED
from targets.conversion import assert_sound, options

_LINKLESS: Final = [
    {name: data for name, data in members.items() if isinstance(data, bytes)}
    for members in SAVED.values()
]
_STORES: Final[tuple[Mapping[str, bytes], ...]] = (
    *LAYOUTS.values(),
    *DIRECTORIES.values(),
    *_LINKLESS,
)
_TARGETS: Final = ("oci:{}", "dir:{}", "docker-archive:{}.tar", "oci-archive:{}.tar", "{}")
_IMAGE: Final = ("index.json", "manifest.json")


def run(data: bytes) -> None:
    """Write the store, convert it, look at what came of it."""
    draws = Draws(data)
    files = draws.one_of(_STORES)
    target = draws.one_of(_TARGETS)
    asked = options(draws)
    strange = draws.number(4)
    with tempfile.TemporaryDirectory(prefix="oci-convert-fuzz-") as folder:
        source, made = Path(folder) / "source", Path(folder) / "target"
        accidents = [(draws.one_of(_STRANGE), draws.number(256)) for _ in range(strange)]
        _write(damaged(files, draws), source)
        for happen, choice in accidents:
            _befall(source, happen, choice)
        destination = target.format(made)
        with ours():
            try:
                convert(str(source), destination, jobs=1, fsync=False, **asked)
            except OciConvertError:
                left = [made.with_suffix(".tar"), *(made / name for name in _IMAGE)]
                assert not any(map(os.path.lexists, left)), "a failed run left an image behind"
                raise
            assert_sound(destination, str(source))


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write what a file system can hold: accidents may have made a file of a folder."""
    folder.mkdir()
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


# -- what only a file system can do -------------------------------------------------------------


def _befall(folder: Path, happen: Callable[[Path, Path], None], choice: int) -> None:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    if found:
        path = found[choice % len(found)]
        path.unlink()
        happen(path, found[(choice + 1) % len(found)])


def _loop(path: Path, _: Path) -> None:
    path.symlink_to(path.name)


def _dangling(path: Path, _: Path) -> None:
    path.symlink_to("no-such-file")


def _link_inside(path: Path, other: Path) -> None:
    path.symlink_to(other)


def _link_outside(path: Path, _: Path) -> None:
    path.symlink_to("/dev/null")


def _folder(path: Path, _: Path) -> None:
    path.mkdir()


def _pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


_STRANGE: Final[tuple[Callable[[Path, Path], None], ...]] = (
    *(_loop, _dangling, _link_inside, _link_outside, _folder, _pipe),
)


def seeds() -> Iterator[bytes]:
    """Every store into every other, and every accident."""
    for store in range(len(_STORES)):
        for target in range(len(_TARGETS)):
            yield bytes([store, target, target % 2])
    for happened in range(len(_STRANGE)):
        for choice in range(6):
            yield bytes([choice, 0, 0, 0, 0, 1, happened, choice])
