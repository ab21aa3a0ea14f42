"""What the system refuses comes out as one error of the library: what, where, what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oci_convert import convert, inspect, prove, same_as, verify
from oci_convert.cli.spelling import spelled
from oci_convert.errors import OciConvertError, StoreError
from oci_convert.findings import CODES
from oci_convert.spec.media_types import Family
from oci_convert.stores.base import Sink, SinkOptions
from oci_convert.stores.containers_dir import ContainersDirSink
from oci_convert.stores.files.file import File, naming
from oci_convert.stores.files.folder import WritableFolder
from oci_convert.stores.files.system import REFUSALS, system_error, system_errors
from oci_convert.stores.oci_layout import OciLayoutSink
from oci_convert.stores.references import parse
from oci_convert.testing.contract import DATA
from support.contract import root_of
from support.faults import Faults
from support.images import (
    docker_image,
    files_below,
    layer,
    layout_files,
    write_dir,
    write_files,
    write_layout,
)

IMAGE = docker_image([layer("base", size=10_000), layer("top")])
PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"

# -- the table ----------------------------------------------------------------------------------


def test_every_refusal_has_a_code_of_its_own_that_blames_no_image() -> None:
    numbers = [number for refusal in REFUSALS.values() for number in refusal.errnos]
    assert len(numbers) == len(set(numbers))
    assert not REFUSALS.keys() & CODES.keys()


@pytest.mark.parametrize("code", REFUSALS)
def test_an_error_says_what_and_where_and_what_to_do(code: str) -> None:
    for number in REFUSALS[code].errnos:
        error = system_error(OSError(number, "whatever", "/some/where"))
        assert (type(error), error.code, error.where) == (StoreError, code, "/some/where")
        assert str(error).startswith(f"/some/where: {REFUSALS[code].message}")
        assert error.remedy


def test_what_no_table_knows_is_told_in_the_words_of_the_system() -> None:
    error = system_error(OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), "/x"))
    assert error.code == "system-error"
    assert os.strerror(errno.ENOTTY) in str(error)


def test_an_unfinished_file_is_called_by_its_target() -> None:
    for path, shown in {
        "/a/b/.oci-convert/1234/5": "/a/b",
        "/a/b/.oci-convert": "/a/b",
        ".oci-convert/1234/5": ".",
        "/.oci-convert/1": "/",
        "/a/.oci-convert-x1y2": "/a",
        "/a/.oci-converted": "/a/.oci-converted",
    }.items():
        assert system_error(OSError(errno.EIO, "", path)).where == shown
    renamed = OSError(errno.EIO, "", "/a/.oci-convert/1/2", None, "/a/blobs/sha256/x")
    assert system_error(renamed).where == "/a/blobs/sha256/x"


def test_a_full_disk_says_how_much_is_missing(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "", str(tmp_path / "new" / "blob"))
    error = system_error(full, needed=4711)
    assert "up to 4711 more bytes are needed, " in str(error)
    assert " are free" in str(error)
    assert " are free" not in str(system_error(OSError(errno.ENOSPC, "", "standard output")))


def test_the_error_of_the_system_is_the_cause_and_that_of_a_caller_passes() -> None:
    with pytest.raises(StoreError) as refused, system_errors(lambda: 1):
        raise OSError(errno.EROFS, "", "/x")
    assert isinstance(refused.value.__cause__, OSError)
    with pytest.raises(ConnectionResetError), system_errors():
        raise ConnectionResetError(errno.ECONNRESET, "a caller's own")


def test_an_open_file_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    os.close((file := File(path)).fileno())
    for call in (file.sync, file.close):
        with pytest.raises(OSError, match=str(path)):
            call()
    with File("/dev/full", "wb") as full, pytest.raises(OSError, match="full"):
        full.write(b"x")
    with File("/proc/self/mem") as memory, pytest.raises(OSError, match="/proc/self/mem"):
        memory.read(1)
    with File("/proc/self/mem") as memory, pytest.raises(OSError, match="/proc/self/mem"):
        memory.readinto(bytearray(1))
    with pytest.raises(OSError, match="here"), naming("here"):
        os.close(-1)


def test_the_page_lists_every_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for code, refusal in REFUSALS.items():
        assert f"| `{code}` | {refusal.message} | {spelled(refusal.remedy)} |" in page


# -- the verbs ----------------------------------------------------------------------------------


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return write_layout({"app": IMAGE}, tmp_path / "layout")


def test_a_blob_that_cannot_be_read_is_named(layout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"blobs/{IMAGE.layers[0].digest.replace(':', '/')}"
    real = File.readinto

    def failing(file: File, buffer: Any, /) -> int:
        if file.name.endswith(name):
            with naming(file.name):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(file, buffer)

    monkeypatch.setattr(File, "readinto", failing)
    with pytest.raises(StoreError) as failed:
        convert(f"oci:{layout}", f"oci:{layout.parent}/new")
    assert failed.value.code == "io-error"
    assert failed.value.where == str(layout / name)
    assert not (layout.parent / "new").exists()


def test_one_unreadable_image_is_one_failure_of_those_that_are_kept_going(tmp_path: Path) -> None:
    good, bad = (write_layout({name: IMAGE}, tmp_path / name) for name in ("good", "bad"))
    (bad / "index.json").unlink()
    (bad / "index.json").symlink_to("index.json")
    report = convert(
        [f"oci:{bad}", f"oci:{good}"], f"oci:{tmp_path}/new", keep_going=True, fsync=False
    )
    assert [failure.source for failure in report.failures] == [f"oci:{bad}"]
    assert verify(f"oci:{tmp_path}/new").sound


@pytest.mark.parametrize(
    "verb", [inspect, verify, lambda path: prove(path, b"{}"), lambda path: same_as(path, path)]
)
def test_what_cannot_be_looked_up_is_an_error_of_the_library(
    verb: Callable[[str], object], tmp_path: Path
) -> None:
    for path in (f"{tmp_path}/{'x' * 300}", f"oci:{tmp_path}/{'x' * 300}", "a\0b"):
        with pytest.raises(OciConvertError):
            verb(path)


def test_a_failing_flush_after_the_commit_says_that_the_image_is_there(
    layout: Path, tmp_path: Path
) -> None:
    target = tmp_path / "new"
    with Faults(target).injected() as faults:
        convert(f"oci:{layout}", f"oci:{target}:app")
    last = max(at for at, (call, _) in enumerate(faults.calls) if call == "fsync") + 1
    other = tmp_path / "other"
    with (
        Faults(other, last, error=errno.EIO).injected(),
        pytest.raises(
            StoreError, match="the images are complete, but a power failure may lose them"
        ),
    ):
        convert(f"oci:{layout}", f"oci:{other}:app")
    assert verify(f"oci:{other}").sound


# -- who may stand where a store writes -----------------------------------------------------------


@pytest.mark.parametrize("link", ["blobs", "blobs/sha256"])
def test_nothing_is_written_through_a_link_in_the_place_of_a_folder(
    link: str, layout: Path, tmp_path: Path
) -> None:
    target, elsewhere = tmp_path / "target", tmp_path / "elsewhere"
    write_files(layout_files({}), target)
    elsewhere.mkdir()
    (target / link).parent.mkdir(exist_ok=True)
    (target / link).symlink_to(elsewhere)
    before = files_below(target)
    with pytest.raises(StoreError) as refused:
        convert(f"oci:{layout}", f"oci:{target}:app")
    assert refused.value.code == "not-a-folder"
    assert "through a link" in str(refused.value)
    assert list(elsewhere.iterdir()) == []
    assert files_below(target) == before


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["empty", "0" * 64, "link", "manifest.json"])
def test_a_dir_with_a_folder_or_a_link_to_one_is_refused(
    name: str, force: bool, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    if name == "link":
        (target / name).symlink_to(tmp_path)
    else:
        (target / name).mkdir()
    with pytest.raises(StoreError) as refused:
        ContainersDirSink(WritableFolder(target), "dir:target", force=force)
    assert refused.value.code in ("target-not-empty", "not-a-file")
    assert repr(name) in str(refused.value) or name in str(refused.value)


def test_of_two_runs_into_one_dir_the_second_finds_the_image_of_the_first(tmp_path: Path) -> None:
    source = f"dir:{write_dir(IMAGE, tmp_path / 'source')}"
    target = tmp_path / "target"
    slow = parse(f"dir:{target}").sink(SinkOptions(Family.DOCKER))
    with slow:
        slow.put([DATA], "here")
        convert(source, f"dir:{target}", to="docker")
        with pytest.raises(StoreError) as refused:
            slow.commit([root_of(IMAGE)])
        slow.abort()
    assert refused.value.code == "target-exists"
    assert verify(f"dir:{target}").sound


# -- several runs at once -------------------------------------------------------------------------


def sinks(target: Path, count: int) -> list[Sink]:
    """As many runs at once, each of which has put a blob."""
    made: list[Sink] = []
    for number in range(count):
        made.append(OciLayoutSink(WritableFolder(target), f"oci:{target}"))
        made[-1].put([b"%d" % number], "here")
    return made


@pytest.mark.parametrize("count", [2, 3])
def test_runs_that_all_fail_in_one_new_target_leave_nothing(count: int, tmp_path: Path) -> None:
    for sink in sinks(tmp_path / "new" / "target", count):
        sink.abort()
        sink.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_failed_run_wrote_stays_when_another_one_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "new" / "target"
    failing, good = sinks(target, 2)
    failing.abort()
    failing.close()
    with good:
        good.commit([])
    assert b"0" in files_below(target).values()
    assert not (target / ".oci-convert").exists()


def test_a_note_that_is_not_ours_removes_nothing(tmp_path: Path) -> None:
    treasure = write_files({"gold": b"!"}, tmp_path / "treasure")
    (sink,) = sinks(tmp_path / "target", 1)
    (run,) = (tmp_path / "target" / ".oci-convert").iterdir()
    for number, note in enumerate(
        (b"", b"[]", b"[0, [], [7]]", b'[0, ["../treasure"], ["../treasure/gold", "/etc/x"]]')
    ):
        (run / f"{number}.left").write_bytes(note)
    sink.abort()
    sink.close()
    assert files_below(treasure) == {"gold": b"!"}
    assert not (tmp_path / "target").exists()
