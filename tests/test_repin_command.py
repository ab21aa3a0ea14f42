"""The command ``repin``: files found, read and replaced, and what it says and answers."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from oci_convert.cli import run, text_files
from support.images import (
    Image,
    digest_of,
    dir_files,
    docker_image,
    image_list,
    layout_files,
    oci_image,
    write_files,
)
from support.runs import run as converted

PAGE: Final = Path(__file__).parent.parent / "docs" / "repin.md"
SIGNED: Final = Path(__file__).parent.parent / "testdata" / "docker-dir" / "manifest.json"

IMAGE: Final = docker_image()
REPORT: Final = converted(IMAGE, "oci")[0]
OLD: Final = IMAGE.digest
NEW: Final = REPORT.images[0].new.digest
OTHER: Final = digest_of(b"other")
OLD_TEXT: Final = f"image: app@{OLD}\n"
NEW_TEXT: Final = f"image: app@{NEW}\n"


@dataclass(frozen=True)
class Answer:
    status: int
    out: bytes
    said: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Answer]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Command:
    """``command("repin", …)``: the command line, in this process."""

    def call(*arguments: str | Path, stdin: bytes = b"") -> Answer:
        monkeypatch.setattr(sys, "argv", ["oci-convert", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = run._run()
        got = capsysbinary.readouterr()
        return Answer(status, got.out, got.err.decode())

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the map ``r.json``."""
    monkeypatch.chdir(tmp_path)
    Path("r.json").write_text(REPORT.dumps())
    return tmp_path


def write(files: dict[str, str]) -> None:
    write_files({name: text.encode() for name, text in files.items()}, Path())


def texts(names: Sequence[str]) -> list[str]:
    return [Path(name).read_text() for name in names]


def listed(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


# -- the whole way ------------------------------------------------------------------------------


def test_a_converted_image_is_pinned_by_the_digest_that_was_printed(
    here: Path, command: Command
) -> None:
    write_files(dir_files(IMAGE), here / "app")
    printed = command("convert", "dir:app", "oci:layout:app", "--record", "record.json")
    write({"deploy/pod.yaml": OLD_TEXT})
    answer = command("repin", "--map", "record.json", "deploy")
    assert (answer.status, answer.out) == (0, b"")
    assert Path("deploy/pod.yaml").read_bytes() == b"image: app@" + printed.out
    assert answer.said == (
        f"deploy/pod.yaml:1: app@{OLD[:19]} → {NEW[:19]}\n1 pin rewritten in 1 file\n"
    )


def test_a_dry_run_makes_a_map_as_well(here: Path, command: Command) -> None:
    write_files(dir_files(IMAGE), here / "app")
    dry = command("convert", "dir:app", "oci:layout", "--dry-run", "--json")
    Path("dry.json").write_bytes(dry.out)
    write({"pod.yaml": OLD_TEXT})
    assert command("repin", "--map", "dry.json", "pod.yaml").status == 0
    assert Path("pod.yaml").read_text() == NEW_TEXT


def test_it_works_in_a_pipe(here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "oci_convert", "repin", "--map", "r.json", "-"],
        input=b"\xef\xbb\xbf\xff\r\n" + OLD_TEXT.encode(),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"\xef\xbb\xbf\xff\r\n" + NEW_TEXT.encode()
    assert done.stderr.decode().endswith("1 pin rewritten in 1 file\n")


def test_what_has_no_pin_goes_through_a_pipe_as_it_is(here: Path, command: Command) -> None:
    answer = command("repin", "--map", "r.json", "-", stdin=b"\0\xff nothing")
    assert (answer.status, answer.out, answer.said) == (0, b"\0\xff nothing", "no pins rewritten\n")


# -- files stay what they are -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfa: app@%s\r\n\r\nb: c\r\n",
        b"no newline at the end: app@%s",
        b"latin-1: caf\xe9 app@%s caf\xe9\n",
        b"\n\n\napp@%s\r\r\n\x0c\x0b\xe2\x80\xa8\n",
    ],
)
def test_every_other_byte_stays(here: Path, command: Command, text: bytes) -> None:
    Path("x").write_bytes(text % OLD.encode())
    command("repin", "--map", "r.json", "x")
    assert Path("x").read_bytes() == text % NEW.encode()


def test_mode_and_owner_stay_and_nothing_is_left_beside(here: Path, command: Command) -> None:
    write({"deploy.sh": OLD_TEXT})
    Path("deploy.sh").chmod(0o750)
    if os.geteuid() == 0:
        os.chown("deploy.sh", 12, 34)
    before = os.stat("deploy.sh")
    command("repin", "--map", "r.json", "deploy.sh")
    after = os.stat("deploy.sh")
    assert Path("deploy.sh").read_text() == NEW_TEXT
    assert stat.S_IMODE(after.st_mode) == 0o750
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_mtime_ns > before.st_mtime_ns
    assert listed(".") == ["deploy.sh", "r.json"]


def test_a_file_that_does_not_change_is_not_touched(here: Path, command: Command) -> None:
    write({"new": NEW_TEXT, "other": f"app@{OTHER}"})
    for name in ("new", "other"):
        os.utime(name, (1, 1))
    before = [(os.stat(name).st_ino, os.stat(name).st_mtime) for name in ("new", "other")]
    answer = command("repin", "--map", "r.json", "new", "other")
    after = [(os.stat(name).st_ino, os.stat(name).st_mtime) for name in ("new", "other")]
    assert before == after
    assert answer.said == (
        f"other:1: app@{OTHER[:19]} unknown: not in any map\n"
        "no pins rewritten, 1 up to date, 1 unknown\n"
    )


def test_a_symbolic_link_stays_and_the_file_that_it_leads_to_changes(
    here: Path, command: Command
) -> None:
    write({"base/pod.yaml": OLD_TEXT})
    Path("pod.yaml").symlink_to("base/pod.yaml")
    answer = command("repin", "--map", "r.json", "pod.yaml", "base", "./pod.yaml")
    assert Path("pod.yaml").readlink() == Path("base/pod.yaml")
    assert Path("base/pod.yaml").read_text() == NEW_TEXT
    assert answer.said.endswith("1 pin rewritten in 1 file\n")


def test_the_other_names_of_a_file_keep_their_text(here: Path, command: Command) -> None:
    write({"pod.yaml": OLD_TEXT})
    os.link("pod.yaml", "backup.yaml")
    command("repin", "--map", "r.json", "pod.yaml")
    assert texts(["pod.yaml", "backup.yaml"]) == [NEW_TEXT, OLD_TEXT]
    command("repin", "--map", "r.json", ".")
    assert texts(["pod.yaml", "backup.yaml"]) == [NEW_TEXT, NEW_TEXT]


def test_a_file_that_cannot_be_read_leaves_all_as_they_are(here: Path, command: Command) -> None:
    write({"a": OLD_TEXT})
    answer = command("repin", "--map", "r.json", "a", "nowhere/b")
    assert answer.status == 1
    assert answer.said.startswith(
        "error: nowhere/b: the file cannot be read: no such file or directory; "
    )
    assert Path("a").read_text() == OLD_TEXT


def test_a_file_that_cannot_be_written_leaves_all_as_they_are(
    here: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"a": OLD_TEXT, "b/c": OLD_TEXT})
    real = text_files._liken

    def liken(new: Path, old: Path) -> None:
        if old.name == "c":
            raise OSError(28, "No space left on device", str(new))
        real(new, old)

    monkeypatch.setattr(text_files, "_liken", liken)
    answer = command("repin", "--map", "r.json", "a", "b/c")
    assert answer.status == 1
    assert answer.said.startswith("error: b/c: the file cannot be written: the disk is full")
    assert texts(["a", "b/c"]) == [OLD_TEXT, OLD_TEXT]
    assert listed(".") == ["a", "b", "r.json"]
    assert listed("b") == ["c"]


# -- folders ------------------------------------------------------------------------------------


def test_a_folder_stands_for_the_texts_in_it(here: Path, command: Command) -> None:
    edited = ["d/.env", "d/.github/workflows/ci.yml", "d/Dockerfile", "d/a/b/c.yaml", "d/z.tf"]
    passed = ["d/.git/config", "d/.hg/x", "d/.svn/x", "d/chart/Chart.lock", "d/x.bin"]
    write(dict.fromkeys(edited + passed, OLD_TEXT))
    Path("d/x.bin").write_bytes(b"\0" + OLD_TEXT.encode())
    write({"outside/pod.yaml": OLD_TEXT})
    Path("d/link").symlink_to("../outside")
    Path("d/link.yaml").symlink_to("../outside/pod.yaml")
    Path("d/broken").symlink_to("nowhere")
    os.mkfifo("d/pipe")
    answer = command("repin", "--map", "r.json", "d/")
    assert texts(edited) == [NEW_TEXT] * 5
    assert texts([*passed[:-1], "outside/pod.yaml"]) == [OLD_TEXT] * 5
    assert Path("d/x.bin").read_bytes() == b"\0" + OLD_TEXT.encode()
    assert re.findall(r"^[^:]+(?=:1:)", answer.said, re.MULTILINE) == [
        "d/.env",
        "d/Dockerfile",
        "d/z.tf",
        "d/.github/workflows/ci.yml",
        "d/a/b/c.yaml",
    ]


def images() -> dict[str, bytes]:
    """A list that names the image of the map, as it is stored, and a statement about it."""
    index = image_list([IMAGE, oci_image()])
    statement = f"built from app@{OLD}\n".encode()
    name = digest_of(statement).removeprefix("sha256:")
    return {
        **{f"app/{name}": data for name, data in dir_files(index).items()},
        f"app/{name}": statement,
        **{f"layout/{name}": data for name, data in layout_files({"app": index}).items()},
        f"layout/blobs/sha256/{name}": statement,
    }


def test_images_are_never_edited(here: Path, command: Command) -> None:
    stored = images()
    assert sum(OLD.encode() in data for data in stored.values()) == 4
    write_files(stored, here)
    write({"pod.yaml": OLD_TEXT, "version": "1.0\n"})
    command("repin", "--map", "r.json", "--bare", ".")
    assert {name: Path(name).read_bytes() for name in stored} == stored
    assert Path("pod.yaml").read_text() == NEW_TEXT


def test_what_editing_would_make_false_is_left_alone(here: Path, command: Command) -> None:
    index = image_list([IMAGE]).manifest
    subject = json.loads(oci_image().manifest)
    subject["subject"] = {**REPORT.map[0].old.triple(), "digest": OLD}
    files = {
        "index.json": index,
        "manifest.json": json.dumps(subject).encode(),
        "record.json": REPORT.dumps(originals=True).encode(),
        "report.json": b"\n" + REPORT.dumps().encode(),
    }
    write_files(files, here)
    answer = command("repin", "--map", "r.json", *files)
    assert {name: Path(name).read_bytes() for name in files} == files
    assert answer.status == 0
    assert answer.said.splitlines() == [
        "index.json: not edited: this is an index",
        "manifest.json: not edited: this is a manifest",
        "record.json: not edited: this is a report of oci-convert",
        "report.json: not edited: this is a report of oci-convert",
        "no pins rewritten",
    ]
    told = command("repin", "--map", "r.json", "--json", "-q", *files).json
    assert told["files"] == []
    assert told["left_alone"][0] == {"file": "index.json", "what": "an index"}


def test_what_an_image_names_is_no_pin(here: Path, command: Command) -> None:
    write_files({"manifest.json": oci_image().manifest}, here)
    answer = command("repin", "--map", "r.json", "--strict", "manifest.json")
    assert (answer.status, answer.said) == (0, "no pins rewritten\n")


def test_other_json_is_edited(here: Path, command: Command) -> None:
    text = json.dumps({"version": 1, "image": f"app@{OLD}", "map": {}})
    write({"task.json": text})
    command("repin", "--map", "r.json", "task.json")
    assert Path("task.json").read_text() == text.replace(OLD, NEW)


# -- differences --------------------------------------------------------------------------------


def test_a_difference_is_unified_and_nothing_is_written(here: Path, command: Command) -> None:
    text = "".join(f"{n}\n" for n in range(1, 8))
    write({"d/pod.yaml": f"{text}{OLD_TEXT}{text}{OLD_TEXT}a\r\n{OLD_TEXT}", "one": OLD_TEXT[:-1]})
    answer = command("repin", "--map", "r.json", "--diff", "--quiet", "./d", here / "one")
    assert (answer.status, answer.said) == (0, "")
    assert (
        answer.out.decode()
        == f"""\
--- a/d/pod.yaml
+++ b/d/pod.yaml
@@ -5,7 +5,7 @@
 5
 6
 7
-image: app@{OLD}
+image: app@{NEW}
 1
 2
 3
@@ -13,6 +13,6 @@
 5
 6
 7
-image: app@{OLD}
+image: app@{NEW}
 a\r
-image: app@{OLD}
+image: app@{NEW}
--- a{here}/one
+++ b{here}/one
@@ -1 +1 @@
-image: app@{OLD}
\\ No newline at end of file
+image: app@{NEW}
\\ No newline at end of file
"""
    )
    assert Path("one").read_text() == OLD_TEXT[:-1]


@pytest.mark.parametrize(("between", "hunks"), [(6, ["-1,8"]), (7, ["-1,4", "-6,4"])])
def test_what_stands_close_is_one_hunk(
    here: Path, command: Command, between: int, hunks: list[str]
) -> None:
    write({"pod.yaml": OLD_TEXT + "a\n" * between + OLD_TEXT})
    patch = command("repin", "--map", "r.json", "--diff", "pod.yaml").out.decode()
    assert re.findall(r"^@@ (\S+)", patch, re.MULTILINE) == hunks


ODD_FILES: Final = {
    "pod.yaml": "a\n" * 20 + OLD_TEXT * 3 + "b\n" * 6 + OLD_TEXT + "c\n" * 7 + OLD_TEXT,
    "with a space": OLD_TEXT,
    "ümlaut": "é\r\n" + OLD_TEXT[:-1],
    'a "quote"\tand a \\': OLD_TEXT,
    "forms": f"\x0c{OLD_TEXT}\x0b\u2028x\n\r{OLD_TEXT}",
}


@pytest.mark.parametrize("tool", [("git", "apply"), ("patch", "-p1", "--binary")])
def test_a_difference_can_be_applied(here: Path, command: Command, tool: tuple[str, ...]) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    write({f"d/{name}": text for name, text in ODD_FILES.items()})
    Path("d/latin-1").write_bytes(b"caf\xe9\n" + OLD_TEXT.encode())
    patch = command("repin", "--map", "r.json", "--diff", "d").out
    subprocess.run(tool, input=patch, check=True, capture_output=True)
    for name, text in ODD_FILES.items():
        assert Path("d", name).read_bytes() == text.replace(OLD, NEW).encode()
    assert Path("d/latin-1").read_bytes() == b"caf\xe9\n" + NEW_TEXT.encode()


# -- answers ------------------------------------------------------------------------------------


def test_check_writes_nothing_and_answers_no_if_a_pin_would_change(
    here: Path, command: Command
) -> None:
    write({"pod.yaml": OLD_TEXT + f"b: db@{OTHER}\n"})
    answer = command("repin", "--map", "r.json", "--check", "pod.yaml")
    assert answer.status == 3
    assert answer.said.endswith("1 pin would be rewritten in 1 file, 1 unknown\n")
    assert Path("pod.yaml").read_text().startswith(OLD_TEXT)
    command("repin", "--map", "r.json", "pod.yaml")
    assert command("repin", "--map", "r.json", "--check", "pod.yaml").status == 0


def test_check_goes_with_a_difference_and_with_a_pipe(here: Path, command: Command) -> None:
    write({"pod.yaml": OLD_TEXT})
    answer = command("repin", "--map", "r.json", "--check", "--diff", "pod.yaml")
    assert (answer.status, answer.out[:9]) == (3, b"--- a/pod")
    answer = command("repin", "--map", "r.json", "--check", "-", stdin=OLD_TEXT.encode())
    assert (answer.status, answer.out) == (3, b"")
    answer = command("repin", "--map", "r.json", "--check", "--json", "-", stdin=OLD_TEXT.encode())
    assert answer.json["files"][0]["file"] == "-"


HEX: Final = OLD.removeprefix("sha256:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"app@{OTHER}", f"app@{OTHER[:19]} unknown: not in any map"),
        (f"sha: {HEX}", f"{HEX[:12]} an old digest without sha256:; --bare rewrites it"),
    ],
)
def test_strict_wants_every_pin_known(here: Path, command: Command, text: str, said: str) -> None:
    write({"a": OLD_TEXT, "b": text})
    answer = command("repin", "--map", "r.json", "--strict", "a", "b")
    assert answer.status == 3
    assert f"b:1: {said}\n" in answer.said
    assert answer.said.endswith("; --strict: nothing was written\n")
    assert Path("a").read_text() == OLD_TEXT
    write({"b": NEW_TEXT})
    assert command("repin", "--map", "r.json", "--strict", "a", "b").status == 0
    assert Path("a").read_text() == NEW_TEXT


def test_a_pin_to_a_dropped_image_is_told(here: Path, command: Command) -> None:
    index = image_list([IMAGE, docker_image(platform="linux/arm64")])
    report, _ = converted(index, "oci", platforms=["linux/arm64"])
    Path("r.json").write_text(report.dumps())
    write({"pod.yaml": OLD_TEXT})
    answer = command("repin", "--map", "r.json", "pod.yaml")
    assert answer.status == 0
    assert answer.said == (
        f"pod.yaml:1: app@{OLD[:19]} dropped by the conversion\nno pins rewritten, 1 dropped\n"
    )
    assert command("repin", "--map", "r.json", "--strict", "pod.yaml").status == 3


def test_bare_hex_digits_are_rewritten_on_demand(here: Path, command: Command) -> None:
    write({"values.yaml": f"sha: {HEX}\n"})
    answer = command("repin", "--map", "r.json", "--bare", "values.yaml")
    assert Path("values.yaml").read_text() == f"sha: {NEW.removeprefix('sha256:')}\n"
    assert answer.said.startswith(f"values.yaml:1: {HEX[:12]} → {NEW[7:19]}\n")


def test_json_says_what_was_found(here: Path, command: Command) -> None:
    write({"a/pod.yaml": f"{OLD_TEXT}# {NEW}\nb: db:1@{OTHER}\nsha: {HEX}\n", "b": "nothing"})
    value = command("repin", "--map", "r.json", "--json", "--quiet", "a", "b").json
    new_hex = NEW.removeprefix("sha256:")
    assert value == {
        "version": 1,
        "written": True,
        "files": [
            {
                "file": "a/pod.yaml",
                "changed": True,
                "pins": [
                    {"line": 1, "name": "app", "old": OLD, "new": NEW, "outcome": "rewritten"},
                    {"line": 2, "name": "", "old": NEW, "new": NEW, "outcome": "already"},
                    {"line": 3, "name": "db:1", "old": OTHER, "new": None, "outcome": "unknown"},
                    {"line": 4, "name": "", "old": HEX, "new": new_hex, "outcome": "bare"},
                ],
            }
        ],
        "left_alone": [],
        "totals": {
            "changed": 1,
            "rewritten": 1,
            "already": 1,
            "dropped": 0,
            "unknown": 1,
            "bare": 1,
        },
    }
    assert command("repin", "--map", "r.json", "--json", "--check", "a").json["written"] is False


def test_names_that_are_no_text_are_shown_escaped(here: Path, command: Command) -> None:
    name = os.fsdecode(b"caf\xe9\x1b\n")
    Path(name).write_text(OLD_TEXT)
    answer = command("repin", "--map", "r.json", "--json", ".")
    assert answer.said.startswith("caf\\udce9\\x1b\\n:1: app@")
    assert [file["file"] for file in answer.json["files"]] == [name]
    assert Path(name).read_text() == NEW_TEXT


def test_quiet_says_nothing_but_errors(here: Path, command: Command) -> None:
    write({"pod.yaml": OLD_TEXT})
    answer = command("repin", "--map", "r.json", "--quiet", "pod.yaml")
    assert (answer.status, answer.out, answer.said) == (0, b"", "")
    assert "error: " in command("repin", "--map", "r.json", "--quiet", "nowhere").said


# -- maps ---------------------------------------------------------------------------------------


def as_map(name: str, old: Image, to: str, **options: Any) -> str:
    """Write the report of a conversion; what became of its image."""
    report, _ = converted(old, to, **options)
    Path(name).write_text(report.dumps())
    return report.images[0].new.digest


def test_several_maps_are_one(here: Path, command: Command) -> None:
    web = docker_image(platform="linux/s390x")
    new = as_map("web.json", web, "oci")
    write({"pod.yaml": f"{OLD_TEXT}b: web@{web.digest}\n"})
    assert command("repin", "--map", "r.json", "--map", "web.json", "pod.yaml").status == 0
    assert Path("pod.yaml").read_text() == f"{NEW_TEXT}b: web@{new}\n"


def test_maps_that_contradict_each_other_are_refused(here: Path, command: Command) -> None:
    other = as_map("z.json", IMAGE, "oci", compress="zstd")
    write({"pod.yaml": OLD_TEXT})
    answer = command("repin", "--map", "r.json", "--map", "z.json", "pod.yaml")
    assert answer.status == 2
    assert answer.said.startswith(
        f"error: z.json: r.json maps {OLD[:19]} to {NEW[:19]}, this file maps it to {other[:19]}; "
    )
    assert Path("pod.yaml").read_text() == OLD_TEXT


@pytest.mark.parametrize("order", [("r.json", "arm.json"), ("arm.json", "r.json")])
def test_what_one_map_dropped_another_may_know(
    here: Path, command: Command, order: tuple[str, str]
) -> None:
    arm64 = docker_image(platform="linux/arm64")
    as_map("arm.json", image_list([IMAGE, arm64]), "oci", platforms=["linux/arm64"])
    write({"pod.yaml": OLD_TEXT})
    command("repin", "--map", order[0], "--map", order[1], "pod.yaml")
    assert Path("pod.yaml").read_text() == NEW_TEXT


# -- errors -------------------------------------------------------------------------------------

ERRORS: Final = {
    "no map": (["pod.yaml"], 2, "Missing option '--map'"),
    "no file": (["--map", "r.json"], 2, "Missing argument"),
    "a map that is not there": (
        ["--map", "no.json", "pod.yaml"],
        1,
        "error: no.json: the map cannot be read: no such file or directory; convert --record",
    ),
    "a map that is no JSON": (
        ["--map", "pod.yaml", "pod.yaml"],
        1,
        "error: pod.yaml: ",
    ),
    "a map that is no report": (
        ["--map", "empty.json", "pod.yaml"],
        1,
        "error: empty.json: this is not a report of oci-convert; give a file written by",
    ),
    "a pipe": (
        ["--map", "r.json", "pipe"],
        1,
        "error: pipe: this is neither a file nor a directory; - reads standard input",
    ),
    "a circle of links": (
        ["--map", "r.json", "circle"],
        1,
        "error: circle: the file cannot be read: ",
    ),
    "a binary": (
        ["--map", "r.json", "utf-16"],
        1,
        "error: utf-16: this is not a text: it contains NUL bytes; if it is UTF-16, save it as",
    ),
    "a pipe and a file": (
        ["--map", "r.json", "-", "pod.yaml"],
        2,
        "error: -: standard input cannot be combined with files; give files and directories in",
    ),
    "JSON and a patch": (
        ["--map", "r.json", "--json", "--diff", "pod.yaml"],
        2,
        "error: --json and --diff cannot both go to standard output; choose one of them",
    ),
    "JSON and a text": (
        ["--map", "r.json", "--json", "-"],
        2,
        "error: --json and a text cannot both go to standard output; use --check to see the JSON",
    ),
}


@pytest.mark.parametrize(("arguments", "status", "said"), ERRORS.values(), ids=ERRORS)
def test_an_error_says_what_where_and_what_to_do(
    here: Path, command: Command, arguments: list[str], status: int, said: str
) -> None:
    write({"pod.yaml": OLD_TEXT, "empty.json": "{}"})
    Path("utf-16").write_bytes(OLD_TEXT.encode("utf-16"))
    Path("circle").symlink_to("circle")
    os.mkfifo("pipe")
    answer = command("repin", *arguments)
    assert answer.status == status
    assert said in answer.said
    assert answer.out == b""
    assert Path("pod.yaml").read_text() == OLD_TEXT


# -- the page -----------------------------------------------------------------------------------


def blocks() -> list[tuple[str, str]]:
    """Every command of the page, in its order, and what the page says that it prints."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, printed = part.partition("\n")
            found.append((line, printed))
    return found


DEPLOYMENT: Final = f"""\
kind: Deployment
spec:
  template:
    spec:
      containers:
        - name: greeting
          image: registry.example.com/greeting:1@{digest_of(SIGNED.read_bytes())}
        - name: cache
          image: redis@sha256:{"5f" * 32}
"""
VALUES: Final = f"""\
image:
  repository: registry.example.com/greeting
  sha: {digest_of(SIGNED.read_bytes()).removeprefix("sha256:")}
"""


def test_the_page_shows_what_the_commands_print(here: Path) -> None:
    shutil.copytree(SIGNED.parent, "signed")
    write({"deploy/app.yaml": DEPLOYMENT, "deploy/values.yaml": VALUES})
    tools = here / "bin"
    tools.mkdir()
    (tools / "oci-convert").write_text(f'#!/bin/sh\nexec {sys.executable} -m oci_convert "$@"\n')
    (tools / "oci-convert").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    assert len(blocks()) > 5
    for line, printed in blocks():
        done = subprocess.run(
            ["bash", "-c", line],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": path},
            check=False,
        )
        assert done.stdout.decode() == printed, line
