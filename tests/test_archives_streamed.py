"""Archives that cannot be read in place: compressed as a whole, or through a pipe; and ``-``."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import pty
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard

from oci_convert.conversion.convert import convert
from oci_convert.errors import OciConvertError, RefusedError, StoreError
from oci_convert.inspection.inspect import inspect
from oci_convert.stores.memory import Memory
from oci_convert.stores.opening import opened
from oci_convert.stores.references import parse
from support.archives import Saved, archive, crane, docker_20, docker_25, layout
from support.images import (
    docker_image,
    files_below,
    layer,
    layout_files,
    oci_image,
    write_layout,
)

SAVED = Saved(["app:1"], layers=(layer("base", size=300_000), layer("app")))
CLASSIC = archive(docker_20(SAVED))


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "gzip in two members": lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}
FORMS = {
    "docker_20": CLASSIC,
    "docker_25": archive(docker_25(SAVED)),
    "crane": archive(crane(SAVED)),
    "layout": archive(layout([oci_image()], [oci_image().descriptor.triple()])),
}


@pytest.fixture(autouse=True)
def _no_temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The system's folder for temporary files is nowhere, so nothing can be written there.

    ``tmp_path`` comes first: it asks for that folder, too.
    """
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")


@pytest.fixture
def piped(tmp_path: Path) -> Iterator[Callable[[bytes], Path]]:
    """``piped(data)``: the path of a pipe that has these bytes for whoever opens it."""
    writers: list[threading.Thread] = []

    def write(path: Path, data: bytes) -> None:
        with suppress(BrokenPipeError):  # what is refused is not read to its end
            path.write_bytes(data)

    def pipe(data: bytes) -> Path:
        path = tmp_path / f"pipe{len(writers)}"
        os.mkfifo(path)
        writers.append(threading.Thread(target=write, args=(path, data)))
        writers[-1].start()
        return path

    yield pipe
    for writer in writers:
        writer.join()


@pytest.fixture(params=[False, True], ids=["file", "pipe"])
def given(
    request: pytest.FixtureRequest, tmp_path: Path, piped: Callable[[bytes], Path]
) -> Callable[[bytes], Path]:
    """``given(data)``: the path of a file or of a pipe with these bytes."""

    def file(data: bytes) -> Path:
        path = tmp_path / "archive"
        path.write_bytes(data)
        return path

    return piped if request.param else file


def below(path: Path) -> list[str]:
    """What is in a folder, but for pipes."""
    return sorted(file.name for file in path.iterdir() if not file.is_fifo())


# -- as sources ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_an_archive_gives_the_same_however_it_comes(
    form: bytes, pack: Callable[[bytes], bytes], given: Callable[[bytes], Path], tmp_path: Path
) -> None:
    (tmp_path / "plain.tar").write_bytes(form)
    expected = convert(tmp_path / "plain.tar", f"oci:{tmp_path}/expected:app")
    report = convert(given(pack(form)), f"oci:{tmp_path}/got:app")
    assert [image.new for image in report.images] == [image.new for image in expected.images]
    assert files_below(tmp_path / "got") == files_below(tmp_path / "expected")
    assert below(tmp_path / "got") == ["blobs", "index.json", "oci-layout"]


@pytest.mark.parametrize("target", ["dir:{}/new/out", "oci-archive:{}/new/out.tar"])
def test_the_copy_is_beside_the_target(
    target: str, tmp_path: Path, piped: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    unlink = Path.unlink

    def note(path: Path, *, missing_ok: bool = False) -> None:
        made.append(path.relative_to(tmp_path).parts[:-2])
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", note)
    convert(piped(zstd(CLASSIC)), target.format(tmp_path), to="docker")
    root = ("new", "out") if target.startswith("dir") else ("new",)
    assert made[0] == (*root, ".oci-convert")
    assert ".oci-convert" not in below(tmp_path.joinpath(*root))


BROKEN = {
    "nothing": (b"", "not a tar file"),
    "no archive": (b"\x01hello" * 1000, "not a tar file"),
    "no archive, compressed": (gzip.compress(b"\x01hello" * 1000), "it contains no tar file"),
    "compressed twice": (gzip.compress(gzip.compress(CLASSIC)), "it contains no tar file"),
    "cut off": (CLASSIC[:70_000], "it ends after 70000 bytes, inside a member"),
    "cut off, compressed": (gzip.compress(CLASSIC)[:-9], "is truncated"),
    "damaged": (zstd(CLASSIC)[:-4] + b"XXXX", "damaged"),
    "followed by others": (gzip.compress(CLASSIC) + b"X", "is followed by other bytes"),
}


@pytest.mark.parametrize(("data", "message"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_archive_is_refused_and_leaves_nothing(
    data: bytes, message: str, piped: Callable[[bytes], Path], tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=message) as refused:
        convert(piped(data), f"oci:{tmp_path}/new/deep/target")
    assert refused.value.code == "bad-archive"
    assert "\n" not in str(refused.value)
    assert below(tmp_path) == []


def test_what_is_no_archive_is_not_read_to_its_end(
    piped: Callable[[bytes], Path], tmp_path: Path
) -> None:
    endless = zstd(b"no tar " * 1_000_000)
    with pytest.raises(StoreError):
        convert(piped(endless), f"oci:{tmp_path}/new")


def test_a_run_that_is_refused_leaves_nothing(
    piped: Callable[[bytes], Path], tmp_path: Path
) -> None:
    with pytest.raises(RefusedError):
        convert(piped(CLASSIC), f"oci:{tmp_path}/new/target", platforms=["plan9/mips"])
    assert below(tmp_path) == []


def test_a_refused_run_leaves_the_layout_that_was_there(
    piped: Callable[[bytes], Path], tmp_path: Path
) -> None:
    write_layout({"1": oci_image()}, tmp_path / "layout")
    before = files_below(tmp_path / "layout")
    with pytest.raises(OciConvertError):
        convert(piped(CLASSIC), f"oci:{tmp_path}/layout", platforms=["plan9/mips"])
    assert files_below(tmp_path / "layout") == before
    assert below(tmp_path / "layout") == ["blobs", "index.json", "oci-layout"]


def test_what_has_no_target_on_disk_is_copied_to_the_temporary_folder(
    given: Callable[[bytes], Path], tmp_path: Path
) -> None:
    packed = gzip.compress(CLASSIC)
    (tmp_path / "tmp").mkdir()
    target = Memory()
    convert(given(packed), target, to="oci", tmpdir=tmp_path / "tmp")
    assert "index.json" in target.files
    assert below(tmp_path / "tmp") == []


def test_a_dry_run_does_not_touch_the_target(
    piped: Callable[[bytes], Path], tmp_path: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    convert(piped(CLASSIC), f"oci:{tmp_path}/new", dry_run=True, tmpdir=tmp_path / "tmp")
    assert below(tmp_path) == ["tmp"]


def test_inspecting_uses_the_temporary_folder(
    piped: Callable[[bytes], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="/nowhere"):
        inspect(piped(CLASSIC))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (image,) = inspect(piped(gzip.compress(CLASSIC))).images
    assert image.name == "docker.io/library/app:1"
    assert below(tmp_path) == []


def test_a_plain_file_needs_no_copy(tmp_path: Path) -> None:
    def refuse() -> None:
        pytest.fail("a scratch file was asked for")

    (tmp_path / "app.tar").write_bytes(CLASSIC)
    with opened(tmp_path / "app.tar", refuse) as (_, _, roots):  # type: ignore[arg-type]
        assert len(roots) == 1


# -- the command --------------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "oci_convert"]
NOWHERE = {**os.environ, "TMPDIR": "/nowhere"}


def run(
    *arguments: str | Path, data: bytes = b"", status: int = 0
) -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, env=NOWHERE, check=False)
    assert done.returncode == status, done.stderr.decode()
    return done


@pytest.mark.parametrize("reference", ["-", "docker-archive:-"])
def test_standard_input_is_an_archive(reference: str, tmp_path: Path) -> None:
    done = run("convert", reference, f"oci:{tmp_path}/out", data=zstd(CLASSIC))
    assert done.stdout.startswith(b"sha256:")
    assert below(tmp_path) == ["out"]
    assert json.loads((tmp_path / "out" / "index.json").read_bytes())["manifests"]


def test_a_file_as_standard_input_is_read_in_place(tmp_path: Path) -> None:
    (tmp_path / "app.tar").write_bytes(CLASSIC)
    with open(tmp_path / "app.tar", "rb") as file:
        subprocess.run([*COMMAND, "inspect", "-"], stdin=file, env=NOWHERE, check=True)


def test_errors_name_standard_input() -> None:
    done = run("convert", "-", "oci:out", data=b"nothing", status=1)
    assert done.stderr.startswith(b"error: standard input: this is not an archive: it is text")


def test_standard_output_is_the_archive_and_nothing_else(tmp_path: Path) -> None:
    write_layout({"app": docker_image()}, tmp_path / "in")
    convert(f"oci:{tmp_path}/in", f"docker-archive:{tmp_path}/app.tar")
    done = run("convert", f"oci:{tmp_path}/in", "-", "--to", "docker")
    assert done.stdout == (tmp_path / "app.tar").read_bytes()
    assert docker_image().digest.encode() in done.stderr.splitlines()
    named = run("convert", f"oci:{tmp_path}/in", "docker-archive:-:example.com/app:1", "-q")
    assert b"example.com/app:1" in named.stdout
    assert named.stderr == docker_image().digest.encode() + b"\n"


def test_an_archive_goes_through(tmp_path: Path) -> None:
    """``docker save app | oci-convert convert - - --to oci | …``"""
    done = run(
        "convert", "-", "-", "--to", "oci", "--tmpdir", tmp_path, data=gzip.compress(CLASSIC)
    )
    (tmp_path / "app.tar").write_bytes(done.stdout)
    (tmp_path / "saved.tar").write_bytes(CLASSIC)
    convert(tmp_path / "saved.tar", f"oci:{tmp_path}/out")
    convert(tmp_path / "app.tar", f"oci:{tmp_path}/again")
    assert files_below(tmp_path / "again") == files_below(tmp_path / "out")
    assert below(tmp_path) == ["again", "app.tar", "out", "saved.tar"]


def test_standard_output_needs_a_format_and_takes_no_json(tmp_path: Path) -> None:
    write_layout({"app": docker_image()}, tmp_path / "in")
    done = run("convert", f"oci:{tmp_path}/in", "-", status=2)
    assert b"--to docker or --to oci" in done.stderr
    done = run("convert", f"oci:{tmp_path}/in", "-", "--to", "oci", "--json", status=2)
    assert b"--record" in done.stderr
    assert done.stdout == b""


def test_nothing_goes_to_standard_output_before_the_plan_is_made(tmp_path: Path) -> None:
    write_layout({"app": docker_image()}, tmp_path / "in")
    arguments = (f"oci:{tmp_path}/in", "-", "--to", "docker", "--platform", "plan9/mips")
    assert run("convert", *arguments, status=1).stdout == b""


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("convert", "-", "oci:out"), "standard input"),
        (("convert", "{in}", "-", "--to", "oci"), "standard output"),
    ],
)
def test_a_terminal_is_no_archive(arguments: tuple[str, ...], word: str, tmp_path: Path) -> None:
    write_layout({"app": docker_image()}, tmp_path / "in")
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*COMMAND, *(part.format(**{"in": tmp_path / "in"}) for part in arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2
    assert word in done.stderr


def test_a_stream_is_told_from_a_file_of_that_name() -> None:
    streams = {"-": True, "docker-archive:-": True, "oci-archive:-:app": True}
    files = {"./-": False, "oci:-": False, "dir:-": False, "docker-archive:./-": False}
    for text, expected in {**streams, **files}.items():
        assert parse(text).is_stream is expected


def test_memory_is_a_source_of_streams(tmp_path: Path) -> None:
    target = tmp_path / "app.tar"
    convert(Memory(layout_files({"app": docker_image()})), f"docker-archive:{target}")
    again = Memory()
    convert(target, again, to="docker")
    assert again.files == layout_files({"app": docker_image()})
