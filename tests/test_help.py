"""What ``--help`` says, and what scripts rely on: streams, JSON and the exit status."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from oci_convert.cli.commands import NAMES
from oci_convert.cli.help import told
from support.command import Command
from support.command_line import commands, options
from support.images import (
    attestation,
    docker_image,
    image_list,
    layer,
    oci_image,
    write_files,
    write_layout,
)
from support.pages import saved

IMAGE = docker_image([layer("base"), layer("app")])


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def sections(text: str) -> dict[str, list[str]]:
    """The lines below each heading of a help."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in text.splitlines():
        if re.fullmatch(r"[A-Z][^:]*:", line):
            heading = line.removesuffix(":")
        elif line:
            found.setdefault(heading, []).append(line)
    return found


def test_a_help_fits_into_80_columns_and_has_its_parts(name: str, command: Command) -> None:
    ended = command(name, "--help")
    assert ended.status == 0
    assert ended.err == ""
    assert max(map(len, ended.out.splitlines())) <= 80
    found = sections(ended.out)
    assert found[""][0].startswith(f"Usage: oci-convert {name} [OPTIONS]")
    assert ("Arguments" in found) is (name not in ("media-types", "profiles"))
    assert found["Exit status"][0].startswith("  0  ")
    assert len(found["Example"]) == 1


def test_a_help_names_things_as_people_do(name: str, command: Command) -> None:
    text = command(name, "-h").out
    assert not re.search(r"<(str|int|list|path|bool|float)|range>|\{|\}|\.\.\.", text)
    assert "[required]" not in "\n".join(sections(text).get("Arguments", ()))


def test_a_help_explains_every_option_once(name: str, command: Command) -> None:
    lines = [line for part in sections(command(name, "--help").out).values() for line in part]
    shown = [word for line in lines for word in re.findall(r"^  (?:-\w, )?(--[a-z-]+)", line)]
    assert len(shown) == len(set(shown))
    spelled = {option for option in options(commands()[name]) if option.startswith("--")}
    assert set(shown) == spelled


def test_the_first_help_has_room_for_every_summary(command: Command) -> None:
    listed = sections(command("--help").out)["Commands"]
    assert [line.split()[0] for line in listed] == list(NAMES)
    assert all(line.endswith(".") and "..." not in line for line in listed)


# -- the examples -------------------------------------------------------------------------------


def example(name: str, command: Command) -> str:
    return sections(command(name, "--help").out)["Example"][0].strip()


def test_every_example_works(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = docker_image([layer(text, size=20_000) for text in ("base", "app")])
    write_files(
        {
            "app.tar": saved("example.com/app:1", "base", "app"),
            "manifest.json": image.manifest,
            "jobs.jsonl": b'{"source": "app.tar", "destination": "oci:many"}\n',
            "archives/app.tar": saved("example.com/app:1", "base", "app"),
            "deploy/app.yaml": f"image: example.com/app@{image.digest}\n".encode(),
        },
        tmp_path,
    )
    report = command("convert", "app.tar", "oci:elsewhere", "--json").out
    (tmp_path / "report.json").write_text(report)
    for name in NAMES:
        line = example(name, command)
        assert line.startswith(f"oci-convert {name} ")
        ended = command(*shlex.split(line)[1:])
        assert ended.status == 0, f"{line}: {ended.err}"
        assert "error: " not in ended.err
    assert json.loads(report)["images"][0]["new"]["digest"] in Path("deploy/app.yaml").read_text()


# -- what the exit status says ------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, command: Command) -> Path:
    """A sound image, another one, a broken one; a report, and texts with pins and without."""
    broken = oci_image([layer("broken")])
    write_layout({"app": IMAGE, "other": oci_image(), "broken": broken}, tmp_path / "layout")
    blob = tmp_path / "layout" / "blobs" / broken.layers[0].digest.replace(":", "/")
    blob.write_bytes(b"x" * len(broken.layers[0].data))
    write_files(
        {
            "pinned.yaml": f"app@{IMAGE.digest}\n".encode(),
            "plain.yaml": b"",
            "results.jsonl": b'{"summary": {}}\n',
            "jobs.jsonl": b'{"source": "oci:layout:app", "destination": "oci:many"}\n',
            "broken.csv": b"source,destination\noci:layout:broken,oci:many\n",
            "wrong.jsonl": b'{"source": "oci:layout:app"}\n',
            "manifest.json": IMAGE.manifest,
            "artifact.json": image_list([image_list([oci_image()])]).manifest,
            "report.json": command("convert", "oci:layout:app", "oci:new", "--json").out.encode(),
        },
        tmp_path,
    )
    return tmp_path


STATUSES: dict[str, dict[int, str]] = {
    "convert": {
        0: "convert oci:layout:app oci:target",
        1: "convert oci:layout oci:target --keep-going",
        2: "convert oci:layout:app dir:target",
    },
    "sync": {
        0: "sync new oci:many",
        1: "sync oci:layout:broken oci:many",
        2: "sync new dir:many",
    },
    "batch": {
        0: "batch jobs.jsonl",
        1: "batch broken.csv",
        2: "batch wrong.jsonl",
    },
    "report": {
        0: "report results.jsonl",
        1: "report nowhere.jsonl",
        2: "report",
    },
    "check": {
        0: "check oci:layout:app --for podman",
        1: "check oci:nowhere --for podman",
        2: "check oci:layout --for nobody",
        3: "check oci:layout:app --for zot",
    },
    "profiles": {0: "profiles", 2: "profiles --no-such-option"},
    "inspect": {
        0: "inspect oci:layout",
        1: "inspect oci:nowhere",
        2: "inspect registry:alpine",
    },
    "verify": {
        0: "verify oci:layout:app",
        1: "verify oci:nowhere",
        2: "verify oci:",
        3: "verify oci:layout:broken",
    },
    "verify --same-as": {
        0: "verify oci:layout:app --same-as oci:new",
        1: "verify oci:layout:app --same-as oci:nowhere",
        2: "verify oci:layout:app --same-as oci:",
        3: "verify oci:layout:app --same-as oci:layout:other",
    },
    "diff": {
        0: "diff oci:layout:app oci:new",
        1: "diff oci:layout:app oci:nowhere",
        2: "diff oci:layout:app",
        3: "diff oci:layout:app oci:layout:other",
    },
    "prove": {
        0: f"prove oci:new --original {IMAGE.digest}",
        1: f"prove oci:nowhere --original {IMAGE.digest}",
        2: "prove oci:new --original sha256:0",
        3: f"prove oci:layout:other --original {IMAGE.digest}",
    },
    "repin": {
        0: "repin --map report.json pinned.yaml",
        1: "repin --map nowhere.json pinned.yaml",
        2: "repin pinned.yaml",
        3: "repin --map report.json pinned.yaml --check",
    },
    "translate": {
        0: "translate manifest.json --to oci",
        1: "translate artifact.json --to docker",
        2: "translate manifest.json",
    },
    "media-types": {0: "media-types", 2: "media-types --no-such-option"},
    "help": {0: "help exit-status", 2: "help something"},
}
CALLS = [(status, line) for statuses in STATUSES.values() for status, line in statuses.items()]


def test_every_status_of_every_help_is_shown_here(name: str, command: Command) -> None:
    lines = sections(command(name, "--help").out)["Exit status"]
    assert {int(line.split()[0]) for line in lines} == STATUSES[name].keys()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("status", "line"), CALLS, ids=[line for _, line in CALLS])
def test_the_exit_status_says_how_it_ended(status: int, line: str, command: Command) -> None:
    ended = command(*shlex.split(line))
    assert ended.status == status, ended.err
    if status in (1, 2):
        assert re.search("^[Ee]rror: ", ended.err, re.MULTILINE)
        assert ended.out == "" or "--keep-going" in line
    else:
        assert ended.out or line.startswith("repin")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("status", "line"), CALLS, ids=[line for _, line in CALLS])
def test_quiet_silences_neither_the_answer_nor_the_error(
    status: int, line: str, command: Command
) -> None:
    if line.split(maxsplit=1)[0] in ("inspect", "media-types", "profiles", "report", "help"):
        return  # they have nothing to silence
    quiet = command(*shlex.split(line), "--quiet")
    assert quiet.status == status
    if status in (1, 2):
        assert re.search("^[Ee]rror: ", quiet.err, re.MULTILINE)
    else:
        assert quiet.err == ""
        assert quiet.out or line.startswith("repin")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("status", "line"), CALLS, ids=[line for _, line in CALLS])
def test_json_is_one_value_and_alone_on_its_stream(
    status: int, line: str, command: Command
) -> None:
    if line.startswith(("translate", "help")):
        return  # their result is a document, and text
    ended = command(*shlex.split(line), "--json")
    assert ended.status == status
    if ended.out:
        assert ended.json["version"] == 1
    else:
        assert status in (1, 2)


def test_findings_leave_json_alone(command: Command, tmp_path: Path) -> None:
    image = oci_image(annotations={"a": "b"})
    write_layout({"app": image_list([image, attestation(image)])}, tmp_path / "layout")
    ended = command("convert", "oci:layout", "dir:new", "--to", "docker", "--json")
    assert {finding["level"] for finding in ended.json["findings"]} == {"loss", "warning"}
    assert "loss: " in ended.err


# -- what typer finds ---------------------------------------------------------------------------

USAGE: dict[str, tuple[str, str]] = {
    "a command that is misspelt": ("convrt a b", "Did you mean 'convert'?"),
    "an option that is misspelt": ("convert a b --compres gzip", "--compress"),
    "a choice in another case": (
        "convert a b --to OCI",
        "'OCI' is not a choice; did you mean oci?",
    ),
    "a choice that is misspelt": (
        "translate a --to docke",
        "did you mean docker? ",
    ),
    "a choice like no other": (
        "convert a b --on-loss x",
        "'x' is not a choice; choices: report, fail",
    ),
    "a level that is no number": ("convert a b --level high", "Invalid value for '--level'"),
    "an argument too few": ("diff a", "Missing argument 'B'"),
    "no destination": ("convert a --to oci", "Missing argument 'DEST'"),
    "no source": ("convert", "Missing argument 'SOURCE…'"),
    "a number that is none, behind one argument": ("convert a --jobs x", "Invalid value"),
}


@pytest.mark.parametrize("case", USAGE)
def test_a_wrong_call_is_answered(case: str, command: Command) -> None:
    line, answer = USAGE[case]
    ended = command(*shlex.split(line))
    assert ended.status == 2
    assert ended.out == ""
    assert answer in ended.err
    assert "Value error" not in ended.err


def test_what_typer_says_in_other_words_stays() -> None:
    assert told("'x' is no good") == "'x' is no good"
    assert told("Value error, too bad") == "too bad"
