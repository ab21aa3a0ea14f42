"""Failures of the operating system, injected call by call.

:class:`Faults` counts the calls by which this process changes files below a folder, and lets one of
them fail, or that one and all that follow. It stands between the library and the system: before the
functions of ``os`` and ``fcntl`` and the methods of :class:`~oci_convert.stores.files.file.File`.
``tests/faults/inject.py`` shows by ``strace`` that no call gets past it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Final
from unittest import mock

from oci_convert.errors import OciConvertError
from oci_convert.stores.files.file import File, naming
from support.scenes import UNFINISHED, Scene

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_PATHS: Final = {
    "mkdir": (0,),
    "rename": (0, 1),
    "replace": (0, 1),
    "link": (1,),
    "symlink": (1,),
    "unlink": (0,),
    "rmdir": (0,),
    "chmod": (0,),
    "truncate": (0,),
    "ftruncate": (0,),
}
"""Functions of ``os`` that change files, and which of their arguments are paths."""
_FLUSHING: Final = ("fsync", "fdatasync")
"""Those that flush: they are counted and not made, as nobody pulls the plug here."""
_UNNAMED: Final = ("write", "truncate", "ftruncate", "ioctl", *_FLUSHING)
"""Those that take an open file, so that the system names none in their errors."""
_CALLS: Final = {"replace": "rename", "truncate": "ftruncate", "flush": "fsync"}
"""What the system calls them."""


class Faults:
    """Counts the calls that change files below ``folder``, and lets those fail that it is told."""

    def __init__(
        self, folder: Path, number: int = 0, *, error: int = 0, lasting: bool = False
    ) -> None:
        self.folder = os.path.realpath(folder)
        self.calls: list[tuple[str, str]] = []
        """Every call so far: its name, and the file."""
        self.renamed: dict[str, str] = {}
        """By the new path the old one."""
        self.failed: list[tuple[str, str]] = []
        self._number = number
        self.errno = error
        self.lasting = lasting
        """Whether everything fails from then on, as on a disk that stays full."""
        self._lock = Lock()

    def meet(self, call: str, *paths: object) -> None:
        """Count a call that is about to be made, and fail in its place if it is its turn."""
        ours = [path for path in map(_spelled, paths) if self._is_below(path)]
        if not ours:
            return
        with self._lock:
            self.calls.append((_CALLS.get(call, call), ours[-1]))
            self.renamed.update({ours[-1]: ours[0]} if len(paths) > 1 else {})
            number = len(self.calls)
            if number == self._number or (self.lasting and 0 < self._number < number):
                self.failed.append(self.calls[-1])
                self.fail(call, ours)

    def fail(self, call: str, paths: list[str]) -> None:
        """What happens instead of the call."""
        raise OSError(self.errno, os.strerror(self.errno), *_named(call, paths))

    def _is_below(self, path: str) -> bool:
        return path == self.folder or path.startswith(f"{self.folder}/")

    @contextmanager
    def injected(self) -> Iterator[Faults]:
        """Stand between the library and the system."""
        functions: dict[str, Any] = self._functions()
        methods: dict[str, Any] = self._methods()
        with (
            mock.patch.multiple("os", **functions),
            mock.patch.object(fcntl, "ioctl", self._before(fcntl.ioctl, "ioctl", (0,))),
            mock.patch.multiple(File, **methods),
        ):
            yield self

    def _functions(self) -> dict[str, Callable[..., Any]]:
        functions = {
            name: self._before(getattr(os, name), name, places) for name, places in _PATHS.items()
        }
        functions |= {name: self._before(_nothing, name, (0,)) for name in _FLUSHING}
        real_open = os.open

        def opened(path: Any, flags: int, *args: Any, **options: Any) -> int:
            if flags & _WRITING:
                self.meet("open", _below(path, options.get("dir_fd")))
            return real_open(path, flags, *args, **options)

        return {**functions, "open": opened}

    def _before(
        self, real: Callable[..., Any], name: str, places: tuple[int, ...]
    ) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self.meet(name, *(_below(args[place], options.get("dir_fd")) for place in places))
            return real(*args, **options)

        return call

    def _methods(self) -> dict[str, Callable[..., Any]]:
        """Those of open files. A write that fails has written a part before."""
        begin, write, truncate = File.__init__, File.write, File.truncate

        def begun(file: File, path: Any, mode: str = "rb", **options: Any) -> None:
            if set(mode) & set("wxa+") and not isinstance(path, int):
                self.meet("open", path)
            begin(file, path, mode, **options)

        def written(file: File, data: Any, /) -> int:
            with naming(file.name):
                try:
                    self.meet("write", file.fileno())
                except OSError:
                    write(file, memoryview(data)[: len(data) // 2])
                    raise
            return write(file, data)

        def truncated(file: File, size: int | None = None, /) -> int:
            with naming(file.name):
                self.meet("truncate", file.fileno())
            return truncate(file, size)

        return {"__init__": begun, "write": written, "truncate": truncated}


class Death(Faults):
    """Ends the process before the call, as SIGKILL and a power cut do."""

    def fail(self, call: str, paths: list[str]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def _nothing(_: Any) -> None:
    """In the place of a flush."""


def _below(path: Any, folder: int | None) -> Any:
    """A path that is looked up below an open folder."""
    return path if folder is None else _opened(folder) / os.fsdecode(path)


def _spelled(path: Any) -> str:
    """The path of a file, also of one that is open."""
    if hasattr(path, "fileno"):
        path = path.fileno()
    return os.path.abspath(_opened(path) if isinstance(path, int) else os.fsdecode(path))  # noqa: PTH100 - a link is meant, not its target


def _opened(number: int) -> Path:
    return Path(f"/proc/self/fd/{number}").readlink()


def _named(call: str, paths: list[str]) -> tuple[object, ...]:
    """What an error of the call names: nothing, where the call takes an open file."""
    if call in _UNNAMED:
        return ()
    return (paths[0],) if len(paths) == 1 else (paths[0], None, paths[1])


TOLERATED: Final = ("ioctl", "link", "rmdir", "unlink")
"""Calls whose failure is no reason to fail: there is another way, or nothing depends on them."""
CODES: Final = {errno.ENOSPC: "no-space", errno.EIO: "io-error"}


def calls_of(scene: Scene) -> Counter[str]:
    """The calls of an undisturbed run, by name; it changes nothing about the scene."""
    scene.begin()
    with Faults(scene.folder).injected() as faults:
        scene.run()
    assert scene.check()
    return Counter(call for call, _ in faults.calls)


def survive(scene: Scene, faults: Faults) -> str:
    """Run the scene with its faults, and hold it to every promise; says how it ended."""
    scene.begin()
    error = None
    with faults.injected():
        try:
            scene.run()
        except OciConvertError as caught:
            error = caught
    there = scene.check()
    if error is None:
        assert there
        assert {call for call, _ in faults.failed} <= set(TOLERATED), faults.failed
        ending = "tolerated" if faults.failed else "done"
    else:
        assert error.code == CODES[faults.errno], error
        assert len(str(error).splitlines()) == 1
        place = error.place.rpartition(": ")[2]
        assert place.startswith(str(scene.folder)), error
        assert UNFINISHED not in place
        assert there == ("a power failure may lose" in str(error)), error
        ending = "there" if there else "not there"
    if not faults.lasting and faults.failed[-1:] and faults.failed[-1][0] not in TOLERATED:
        assert not any(UNFINISHED in name for name in scene.leftovers()), scene.leftovers()
        assert there or scene.kind.old or not scene.folder.exists(), scene.leftovers()
    scene.repeat(there=there)
    return ending
