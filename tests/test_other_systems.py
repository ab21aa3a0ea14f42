"""What Windows and macOS do otherwise, as far as that can be shown on this system.

What they lack is taken away, what they do is imitated: a folder that does not tell capitals apart,
names that mean devices, files that cannot be renamed while they are open.
"""

from __future__ import annotations

import ast
import fcntl
import ntpath
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import Memory, OciConvertError, convert, operating_system, verify
from oci_convert.errors import UsageError
from oci_convert.operating_system import drive, no_file_name
from oci_convert.stores import references
from oci_convert.stores.base import Sink, SinkOptions, Source, SourceOptions
from oci_convert.stores.files.beneath import open_beneath
from oci_convert.stores.files.file import File
from oci_convert.stores.files.folder import WritableFolder
from oci_convert.stores.files.memory import MemoryFiles
from oci_convert.stores.oci_layout import OciLayoutSink, OciLayoutSource
from support.images import (
    docker_image,
    files_below,
    image_list,
    layer,
    layout_files,
    write_dir,
    write_files,
    write_layout,
)
from support.pages import PROJECT

IMAGE = docker_image([layer("one"), layer("two")])
WINDOWS: Final = operating_system.System(
    windows=True, beneath=False, locks=False, clones=False, reads_at=False, wakes=False
)


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating_system, "system", WINDOWS)


# -- one module -----------------------------------------------------------------------------------


def test_no_other_module_asks_which_system_this_is() -> None:
    asked = {"os.name", "sys.platform", "platform.system", "sys.getwindowsversion"}
    some = {"fcntl", "msvcrt", "winreg", "pwd", "grp", "termios"}
    for file in (PROJECT / "src").rglob("*.py"):
        if file.name == "operating_system.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert f"{node.value.id}.{node.attr}" not in asked, file
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr":
                assert ast.unparse(node.args[0]) not in ("os", "signal"), file
            if isinstance(node, ast.Import):
                assert not {name.name for name in node.names} & some, file


LACKING: Final = """
import os, signal, sys
for name in ("fcntl", "grp", "pwd", "pty", "resource", "termios", "tty"):
    sys.modules[name] = None
for name in ("chown", "fchmod", "fchown", "fwalk", "getuid", "geteuid", "killpg", "mkfifo",
             "posix_fadvise", "preadv", "pwritev", "sendfile", "set_blocking", "sysconf",
             "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGPIPE", "pthread_kill", "pthread_sigmask"):
    delattr(signal, name)
os.supports_dir_fd.clear()
import pkgutil, oci_convert
for module in pkgutil.walk_packages(oci_convert.__path__, "oci_convert."):
    if not module.name.startswith(("oci_convert.testing", "oci_convert.__main__")):
        __import__(module.name)
from oci_convert.__main__ import main
main()
"""
"""Windows as Python shows it: what is not there is missed when it is imported, or asked for."""


def test_the_command_runs_where_python_is_that_of_windows(tmp_path: Path) -> None:
    write_dir(IMAGE, tmp_path / "app")
    for line in ("convert dir:app oci:L:app", "verify oci:L", "convert oci:L app.tar --to docker"):
        done = subprocess.run(
            [sys.executable, "-c", LACKING, *line.split()],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert verify(tmp_path / "app.tar").sound


@pytest.mark.usefixtures("on_windows")
def test_conversions_do_without_what_windows_lacks(tmp_path: Path) -> None:
    write_dir(IMAGE, tmp_path / "app")
    convert(tmp_path / "app", f"oci:{tmp_path / 'L'}:app")
    convert(f"oci:{tmp_path / 'L'}", f"docker-archive:{tmp_path / 'app.tar'}")
    convert(tmp_path / "app.tar", f"dir:{tmp_path / 'back'}", to="docker")
    assert verify(f"dir:{tmp_path / 'back'}").sound
    assert (tmp_path / "back" / "manifest.json").read_bytes() == IMAGE.manifest


# -- names ----------------------------------------------------------------------------------------

DEVICES: Final = (
    "CON",
    "nul",
    "Aux.txt",
    "COM1",
    "lpt9.tar.gz",
    "COM¹",
    "conin$",
    "NUL .a",
    "PRN:",
)
NAMES: Final = st.lists(
    st.sampled_from(
        [*DEVICES, "a", ".", " ", ":", "\\", "*", "?", '"', "<", "|", "\x1f", "é", "b.c"]
    )
).map("".join)


@pytest.mark.usefixtures("on_windows")
@pytest.mark.parametrize("name", [*DEVICES, "a:b", "a\\b", "a.", "a ", "a?", "x/nul/y", "a\x07"])
def test_a_name_that_means_something_else_on_windows_is_none(name: str, tmp_path: Path) -> None:
    assert no_file_name(name) is not None
    with pytest.raises(FileNotFoundError):
        open_beneath(write_files({name: b"x"}, tmp_path), name)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python knows it since 3.13")
@given(NAMES.filter(lambda name: "\\" not in name and name[1:2] != ":"))  # no folder, no drive
def test_windows_rules_are_those_of_python(name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operating_system, "system", WINDOWS)
        isreserved: Any = getattr(ntpath, "isreserved")  # noqa: B009 - not in older stubs
        assert (no_file_name(name) is not None) == isreserved(name)


@pytest.mark.usefixtures("on_windows")
@pytest.mark.parametrize(
    "name", ["blobs/sha256/0a", "index.json", "a.b", "../x", "company", "nully"]
)
def test_a_name_that_is_one_everywhere_stays(name: str) -> None:
    assert no_file_name(name) is None


def test_every_name_is_one_elsewhere() -> None:
    for name in DEVICES:
        assert no_file_name(name) is None


@pytest.mark.usefixtures("on_windows")
@pytest.mark.parametrize(
    ("text", "path", "ref"),
    [
        (r"oci:C:\images\L:app", r"C:\images\L", "app"),
        (r"oci:C:\images\L", r"C:\images\L", None),
        ("docker-archive:d:/app.tar:app:1", "d:/app.tar", "app:1"),
        (r"dir:C:\app", r"C:\app", None),
        (r"C:\app.tar", r"C:\app.tar", None),
        (r"oci:\\server\share\L:app", r"\\server\share\L", "app"),
        ("oci:L:app", "L", "app"),
    ],
)
def test_drives_of_windows_are_no_refs_there(text: str, path: str, ref: str | None) -> None:
    for destination in (False, True):
        parsed = references.parse(text, destination=destination)
        assert (parsed.path, parsed.ref) == (path, ref)
    assert drive(path) == (ntpath.splitdrive(path)[0] if path[1:2] == ":" else "")


@pytest.mark.usefixtures("on_windows")
@pytest.mark.parametrize(
    "text", ["dir:app:1", r"dir:C:\a:b", "oci:nul", "a:b.tar", "dir:out/con.x"]
)
def test_nothing_is_written_into_a_stream_or_a_device(text: str) -> None:
    with pytest.raises(UsageError, match="on Windows"):
        convert(Memory(layout_files({"app": IMAGE})), text, to="docker")


# -- capitals -------------------------------------------------------------------------------------


class Folding(MemoryFiles):
    """Files of a disk that keeps the capitals of names, and finds them whatever these are."""

    def _found(self, name: str) -> str:
        same = (it for it in self.files if it.casefold() == name.casefold())
        return next(same, name)

    def names(self, folder: str = "") -> Iterator[str]:
        prefix = f"{folder}/".casefold() if folder else ""
        return iter([it for it in self.files if it.casefold().startswith(prefix)])

    def size(self, name: str) -> int | None:
        return super().size(self._found(name))

    def open(self, name: str) -> BinaryIO:
        return super().open(self._found(name))

    def remove(self, name: str) -> None:
        super().remove(self._found(name))

    def rename(self, name: str, new: str) -> None:
        super().rename(self._found(name), new)

    def publish(self, name: str, data: bytes) -> None:
        super().publish(self._found(name), data)


class FoldingMemory(Memory):
    """A layout on such a disk."""

    def source(self, options: SourceOptions = SourceOptions()) -> Source:
        return OciLayoutSource(Folding(held=self._held), self.label, self._reader)

    def sink(self, options: SinkOptions = SinkOptions()) -> Sink:
        files = Folding(held=self._held)
        return OciLayoutSink(files, self.label, family=options.family, reader=self._reader)


LIST: Final = image_list([IMAGE, docker_image([layer("two"), layer("three")])])


def test_a_disk_that_does_not_tell_capitals_apart_gets_the_same_layout() -> None:
    source = Memory(layout_files({"app": LIST, "APP": IMAGE}))
    plain, folding = Memory(), FoldingMemory()
    for to in ("oci", "docker"):  # the second time into what is there
        reports = [convert(source, target, to=to) for target in (plain, folding)]
        assert reports[0].digest_map == reports[1].digest_map
        assert folding.files == plain.files
        assert verify(folding).sound


@pytest.mark.parametrize("spelled", [str, str.upper, str.title])
def test_a_layout_from_such_a_disk_is_the_same_or_is_refused(spelled: Callable[[str], str]) -> None:
    written = layout_files({"app": LIST})
    source = FoldingMemory({spelled(name): data for name, data in written.items()})
    try:
        report = convert(source, Memory(), to="docker")
    except OciConvertError:
        assert spelled is not str
    else:
        assert [image.new.digest for image in report.images] == [LIST.digest]


# -- files that are open --------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="it looks into /proc")
@pytest.mark.parametrize(
    ("source", "target", "to"),
    [
        ("dir", "oci", "oci"),
        ("dir", "docker-archive", "docker"),
        ("dir", "oci-archive", "oci"),
        ("oci", "dir", "docker"),
        ("docker-archive", "oci", "oci"),
        ("docker-archive", "oci-archive", "oci"),
    ],
)
def test_nothing_is_renamed_while_it_is_open(
    source: str, target: str, to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses it, for what is renamed and for what is replaced."""
    monkeypatch.setattr(operating_system, "system", WINDOWS)
    monkeypatch.chdir(tmp_path)
    write_dir(IMAGE, tmp_path / "dir")
    write_layout({"app": IMAGE}, tmp_path / "oci")
    convert("dir:dir", "docker-archive:docker-archive.tar", to="docker")
    at = f"{source}:{source}" + (".tar" if "archive" in source else "")
    seen, replace = [], os.replace

    def replaced(old: Any, new: Any) -> None:
        opened = {os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()}
        for path in (old, new):
            assert os.path.realpath(path) not in opened, path
        seen.append(new)
        replace(old, new)

    monkeypatch.setattr(os, "replace", replaced)
    for _ in range(2):  # into an empty place, and over what is there
        force = target != "oci"
        convert(at, f"{target}:new{'.tar' if 'archive' in target else ''}", to=to, force=force)
    assert seen


# -- the disk -------------------------------------------------------------------------------------


def test_macos_is_asked_to_bring_files_to_the_disk_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda _, what: asked.append(what))
    monkeypatch.setattr(os, "fsync", lambda _: asked.append(0))
    with File(tmp_path / "a", "xb") as file:
        file.sync()
    assert asked == [51]

    def refused(_: int, __: int) -> None:
        raise OSError

    monkeypatch.setattr(fcntl, "fcntl", refused)
    with File(tmp_path / "b", "xb") as file:
        file.sync()
    assert asked == [51, 0]


def test_without_locks_and_folders_to_flush_a_folder_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operating_system, "system", WINDOWS)
    files = WritableFolder(tmp_path / "new")
    with files.locked():
        pending = files.create("deep/er")
        pending.write(b"x")
        pending.publish("deep/er", durable=True)
    files.flush()
    files.close()
    assert files_below(tmp_path / "new") == {"deep/er": b"x"}


def test_a_place_is_read_without_moving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    for system in (operating_system.system, WINDOWS):
        monkeypatch.setattr(operating_system, "system", system)
        buffer = memoryview(bytearray(4))
        with File(tmp_path / "a") as file:
            assert (file.read_at(buffer, 3), bytes(buffer)) == (4, b"3456")
            assert file.read_at(buffer, 8) == 2
            assert file.read_at(buffer, 20) == 0


def test_memory_needs_no_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating_system, "system", WINDOWS)
    assert convert(Memory(layout_files({"app": IMAGE})), Memory(), to="oci").reversible
