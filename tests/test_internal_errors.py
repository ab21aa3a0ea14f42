"""A fault of the program itself: one line, its own exit status, and nothing left at the target."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

import oci_convert
from oci_convert import Memory, convert, verify
from oci_convert.cli.commands import NAMES
from oci_convert.cli.status import INTERNAL
from oci_convert.spec.media_types import Compression
from oci_convert.stores.containers_dir import ContainersDirSource
from oci_convert.stores.files_store import FilesSink
from oci_convert.stores.oci_layout import OciLayoutSink
from support.command import Command
from support.images import docker_image, files_below, image_list, layer, layout_files, write_dir

SOURCES: Final = str(Path(oci_convert.__file__).parent)
IMAGE: Final = docker_image([layer("base"), layer("app")])


class Fault(Exception):  # noqa: N818 - what it stands for has no name of its own
    """What nobody foresaw."""


def faulty(*_: Any, **__: Any) -> Any:
    raise Fault("a \x1b[31mred\nherring")


# -- what is said -------------------------------------------------------------------------------

DEPTHS: Final[dict[str, tuple[Any, str]]] = {
    "reading": (ContainersDirSource, "roots"),
    "planning": (OciLayoutSink, "check"),
    "a thread that transfers a layer": (FilesSink, "put"),
    "the commit": (OciLayoutSink, "commit"),
    "what is shown": (sys.modules["oci_convert.cli.show"], "findings"),
}


@pytest.mark.parametrize("depth", DEPTHS)
def test_an_internal_error_is_one_line(
    depth: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dir(IMAGE, tmp_path / "app")
    home, name = DEPTHS[depth]
    monkeypatch.setattr(home, name, faulty)
    ended = command("convert", "dir:app", "oci:new:app", "--compress", "zstd")
    assert ended.status == INTERNAL
    assert ended.out == ""
    assert ended.err == ("internal error: Fault: a \\x1b[31mred, please report it with --debug\n")
    if depth != "what is shown":
        assert [path.name for path in tmp_path.iterdir()] == ["app"]
    told = command("convert", "dir:app", "oci:new:app", "--compress", "zstd", "--debug")
    assert told.status == INTERNAL
    lines = told.err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == ended.err.strip()
    assert any("in faulty" in line for line in lines)
    assert told.err.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", NAMES)
def test_every_command_takes_debug(name: str, command: Command) -> None:
    assert "--debug " in command(name, "--help").out


def test_with_debug_any_error_says_where_it_arose(command: Command) -> None:
    plain, told = command("inspect", "oci:nowhere"), command("inspect", "oci:nowhere", "--debug")
    assert told.status == plain.status
    assert told.err.startswith("Traceback")
    assert told.err.endswith(plain.err)
    assert "Traceback" not in plain.err


# -- what is left -------------------------------------------------------------------------------


class Calls:
    """Counts the calls of the package's functions, in all threads, and lets one of them fail."""

    def __init__(self, failing: int) -> None:
        self.count = 0
        self._failing = failing
        self._lock = threading.Lock()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(SOURCES):
            with self._lock:
                self.count += 1
                fails = self.count == self._failing
            if fails:
                raise Fault(frame.f_code.co_qualname)

    @contextmanager
    def watched(self) -> Iterator[Calls]:
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield self
        finally:
            sys.setprofile(None)
            threading.setprofile(None)


LIST: Final = image_list(
    [
        docker_image([layer("base"), layer("zstd", Compression.ZSTD)], platform="linux/amd64"),
        docker_image([layer("base"), layer("arm")], platform="linux/arm64"),
    ]
)
TARGETS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "a layout": ("oci:new:app", {}),
    "a dir:": ("dir:new", {"to": "docker"}),
    "an archive": ("oci-archive:new.tar:app", {}),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("target", TARGETS)
def test_wherever_it_arises_the_image_is_there_whole_or_nothing_is(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred calls of the whole run, each failing in its turn."""
    monkeypatch.chdir(tmp_path)
    reference, options = TARGETS[target]
    source = Memory(layout_files({"app": LIST}))

    def run(calls: Calls) -> None:
        with calls.watched():
            convert(source, reference, jobs=2, **options)

    run(Calls(0))  # everything is imported now
    counted = Calls(0)
    clear(tmp_path)
    run(counted)
    clear(tmp_path)
    left = set()
    for failing in range(1, counted.count, max(counted.count // 100, 1)):
        with suppress(Fault):  # one that meets a generator while it is thrown away is ignored
            run(Calls(failing))
        if files_below(tmp_path):
            assert verify(reference).sound, failing
            left.add("the image")
        else:
            assert list(tmp_path.iterdir()) == [], failing
            left.add("nothing")
        clear(tmp_path)
    assert left == {"nothing", "the image"}


def clear(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
