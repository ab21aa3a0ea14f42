"""What the command does not do: open a socket, start a process, write anywhere but into its target.

Python tells an audit hook of every such call before it is made. That of a fresh interpreter notes
them all, so that what the libraries do while they are imported is seen as well.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from oci_convert import convert
from support.images import docker_image, layer, save_tar, write_dir, write_layout

HOOKED = """
import json, os, sys

calls, noted, statuses = json.loads(sys.argv[1]), [], []
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGING = {
    "os.chmod", "os.chown", "os.link", "os.mkdir", "os.mkfifo", "os.mknod", "os.remove",
    "os.removexattr", "os.rename", "os.rmdir", "os.setxattr", "os.symlink", "os.truncate",
    "os.utime",
}
REFUSED = (
    "ctypes.dlopen", "ftplib.", "http.", "os.chdir", "os.exec", "os.fork", "os.kill",
    "os.posix_spawn", "os.spawn", "os.startfile", "os.system",
    "pty.", "smtplib.", "socket.", "subprocess.", "urllib.", "webbrowser.",
)

def note(event, given):
    if event.startswith(REFUSED):
        noted.append([event, repr(given)])
    elif event == "open" and given[2] & WRITING and not isinstance(given[0], int):
        noted.append(["write", os.path.abspath(os.fsdecode(given[0]))])
    elif event in CHANGING:
        paths = [path for path in given[:2] if isinstance(path, (str, bytes, os.PathLike))]
        folders = [number for number in given[2:] if isinstance(number, int) and number >= 0]
        if event in ("os.remove", "os.rmdir") and given[1] >= 0:
            folders = [given[1]]
        where = os.readlink(f"/proc/self/fd/{folders[-1]}") if folders else os.getcwd()
        noted.extend(["write", os.path.join(where, os.fsdecode(path))] for path in paths)

sys.addaudithook(note)
from oci_convert.cli.run import main

for call in calls:
    sys.argv[1:] = call
    try:
        main()
    except SystemExit as end:
        statuses.append(end.code)
sys.stderr.write("\\n" + json.dumps([statuses, noted]))
"""


def noted(calls: Sequence[Sequence[str]], folder: Path, data: bytes = b"") -> list[list[str]]:
    """What the calls of the command did that is worth noting; each ends well."""
    here = folder / "here"
    here.mkdir(exist_ok=True)
    child = [sys.executable, "-B", "-c", HOOKED, json.dumps(calls)]
    run = subprocess.run(child, input=data, capture_output=True, cwd=here, check=False)
    statuses, found = json.loads(run.stderr.splitlines()[-1])
    assert statuses == [0] * len(calls), run.stderr
    assert list(here.iterdir()) == []
    done: list[list[str]] = found
    return done


IMAGE = docker_image([layer("base", size=20_000), layer("top")])
SAVED = save_tar({"example.com/app:1": IMAGE})


def _file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _archive(path: Path) -> str:
    layout = write_layout({"app": IMAGE}, path.with_name("as-layout"))
    convert(f"oci:{layout}", f"oci-archive:{path}")
    return f"oci-archive:{path}"


MAKERS: dict[str, Callable[[Path], str]] = {
    "a layout": lambda path: f"oci:{write_layout({'app': IMAGE}, path)}:app",
    "a dir:": lambda path: f"dir:{write_dir(IMAGE, path)}",
    "a saved archive": lambda path: f"docker-archive:{_file(path, SAVED)}",
    "a packed archive": lambda path: str(_file(path, gzip.compress(SAVED))),
    "an oci-archive": _archive,
    "a pipe": lambda _: "-",
}
TARGETS = {
    "oci:{}/layout:example.com/new:1": [],
    "oci:{}/packed:example.com/new:1": ["--compress", "zstd", "--record", "{}/record"],
    "oci:{}/old:1": ["--to", "oci-rc2"],
    "dir:{}/dir": ["--to", "docker"],
    "dir:{}/unpacked": ["--to", "docker", "--compress", "none"],
    "docker-archive:{}/saved.tar:example.com/new:1": [],
    "oci-archive:{}/layout.tar:1": ["--compress", "zstd"],
    "-": ["--to", "oci", "--compress", "zstd", "--tmpdir", "{}"],
}


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
@pytest.mark.parametrize("kind", MAKERS)
def test_a_conversion_writes_into_its_target_and_nowhere_else(kind: str, tmp_path: Path) -> None:
    source = MAKERS[kind](tmp_path / "source")
    place = tmp_path / "place"
    place.mkdir()
    calls = [
        ["convert", source, target.format(place), *(option.format(place) for option in options)]
        for target, options in TARGETS.items()
    ]
    runs = [[call] for call in calls] if source == "-" else [calls]
    for run in runs:
        done = noted(run, tmp_path, SAVED)
        assert done
        for event, path in done:
            assert event == "write", (event, path)
            assert Path(path).is_relative_to(place), path


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
@pytest.mark.parametrize("kind", ["a layout", "a dir:", "a saved archive", "an oci-archive"])
def test_what_only_looks_writes_nothing_at_all(kind: str, tmp_path: Path) -> None:
    source = MAKERS[kind](tmp_path / "source")
    calls = [
        ["inspect", source],
        ["verify", source],
        ["verify", source, "--same-as", source],
        ["convert", source, f"oci:{tmp_path}/new", "--dry-run"],
        ["prove", source, "--original", _digest(source)],
    ]
    assert noted(calls, tmp_path) == []


def _digest(source: str) -> str:
    from oci_convert import inspect

    return inspect(source).images[0].descriptor.digest


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_the_hook_sees_what_it_is_there_for(tmp_path: Path) -> None:
    """So that a test that finds nothing means something."""
    source = MAKERS["a layout"](tmp_path / "source")
    wanted: list[Any] = noted([["convert", source, f"oci:{tmp_path}/new:1"]], tmp_path)
    names = {Path(path).relative_to(tmp_path / "new").parts[:1] for _, path in wanted}
    assert {(".oci-convert",), ("blobs",), ("index.json",), ("oci-layout",)} <= names
