"""Command lines of skopeo, regctl, crane and oras, answered with those that do the same here."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from oci_convert.cli.commands import NAMES
from oci_convert.cli.other_commands import COMMANDS, answer
from oci_convert.cli.other_options import Option, known
from support.command import Command
from support.command_line import commands, options
from support.images import docker_image, save_tar, write_dir, write_files, write_layout
from support.pages import prepare

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A layout, an archive and a ``dir:``."""
    monkeypatch.chdir(tmp_path)
    write_layout({"app": docker_image()}, tmp_path / "layout")
    write_files({"app.tar": save_tar({"app:1": docker_image()})}, tmp_path)
    write_dir(docker_image(), tmp_path / "image")
    return tmp_path


def told(command: Command, *line: str) -> str:
    """The one line that answers a wrong call."""
    ended = command(*line)
    assert ended.status == 2, ended.err
    assert ended.out == ""
    (said,) = ended.err.splitlines()
    assert said.startswith("error: ")
    return said


# -- options ------------------------------------------------------------------------------------

OPTIONS = [
    (name, option)
    for name in ("convert", "sync", "inspect", "verify")
    for option, answer_here in known(name).items()
    if name == "convert" or known("convert").get(option) != answer_here
]


def spelled(option: Option) -> Iterator[str]:
    """Everything that is said about an option."""
    yield option.said
    if isinstance(option.here, str):
        yield option.here
    else:
        yield from (option.here or {}).values()


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_an_option_of_another_tool_is_answered(name: str, option: str, command: Command) -> None:
    valued = known(name)[option].valued
    said = told(command, name, "a", *["b"] * (name in ("convert", "sync")), option, *["x"] * valued)
    assert said.startswith(f"error: {name} has no option {option}; ")


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_what_is_answered_is_an_option_of_ours(name: str, option: str) -> None:
    ours = options(commands()[name])
    assert option not in ours, "it is ours by now: take it out of the table"
    for text in spelled(known(name)[option]):
        assert set(re.findall(r"(?<!\S)--[a-z-]+", text)) <= ours


VALUES = {
    "convert a b --format v2s2": "write --to docker",
    "convert a b --format=oci": "write --to oci",
    "convert a b -f v2s2": "write --to docker",
    "convert a b --format v2s1": "--to docker (v2s2) or --to oci",
    "convert a b --dest-compress-format zstd": "write --compress zstd",
    "convert a b --dest-compress-format zstd:chunked": "--compress gzip or --compress zstd",
    "convert a b --dest-compress-level 9": "write --level 9",
    "convert a b --multi-arch all": "all platforms are converted",
    "convert a b --multi-arch system": "--platform OS/ARCH chooses some",
    "convert a b --digestfile d.txt": "write --record d.txt",
    "convert a b --dest-tls-verify=false": "--insecure HOST",
    "inspect a --format {{.Digest}}": "--json, and jq",
    "--format v2s2 convert a b": "write --to docker",
}


@pytest.mark.parametrize("line", VALUES)
def test_the_value_decides_what_is_written(line: str, command: Command) -> None:
    assert VALUES[line] in told(command, *shlex.split(line))


@pytest.mark.parametrize("value", ["v2s2", "oci"])
@pytest.mark.usefixtures("here")
def test_what_is_to_be_written_works(value: str, command: Command) -> None:
    said = told(command, "convert", "app.tar", "dir:new", "--format", value)
    words = said.partition("write ")[2].split()
    assert command("convert", "app.tar", "dir:new", *words).status == 0


# -- commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_of_another_tool_is_answered(name: str, command: Command) -> None:
    assert name not in NAMES
    said = told(command, *name.split())
    assert said.startswith(f"error: there is no command '{name.split(maxsplit=1)[0]}'; ")


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_answered_is_a_command_of_ours(name: str) -> None:
    said = answer(name.split(), NAMES) or ""
    for ours in re.findall(r"oci-convert ([a-z]\S*)", said):
        assert ours in NAMES
    for word in re.findall(r"oci-convert SOURCE|(?<=oci-convert )--\S+", said):
        assert word in ("--version", "--help", "--install-completion")


LINES = {
    "copy --format v2s2 oci:layout:app dir:app": "convert oci:layout:app dir:app --to docker",
    "copy --all docker-archive:app.tar oci:new:app": "convert docker-archive:app.tar oci:new:app",
    "copy -a -f oci dir:image oci:new": "convert dir:image oci:new --to oci",
    "copy --dest-compress-format=zstd dir:image oci:new": (
        "convert dir:image oci:new --compress zstd"
    ),
    "cp oci:layout:app oci:new:app": "convert oci:layout:app oci:new:app",
    "image copy ocidir://layout:app ocidir://new:app": "convert oci:layout:app oci:new:app",
    "image mod ocidir://layout:app --to-docker --create docker": (
        "convert oci:layout:app oci:layout:docker --to docker"
    ),
    "image mod ocidir://layout:app --to-oci --replace": (
        "convert oci:layout:app oci:layout:app --to oci"
    ),
    "image import ocidir://new:app app.tar": "convert app.tar oci:new:app",
    "image export ocidir://layout:app new.tar": "convert oci:layout:app new.tar",
    "manifest oci:layout:app": "inspect oci:layout:app",
    "image inspect ocidir://layout:app": "inspect oci:layout:app",
    "digest app.tar": "inspect app.tar",
    "validate --tarball app.tar": "verify app.tar",
    "compare oci:layout dir:image": "diff oci:layout dir:image",
    "app.tar oci:new": "convert app.tar oci:new",
    "./app.tar dir:new --to docker": "convert ./app.tar dir:new --to docker",
    "images convert oci:layout:app oci:new": "convert oci:layout:app oci:new",
    "image diff app.tar dir:image": "diff app.tar dir:image",
    "ls oci:layout": "inspect oci:layout",
    "resolve oci:layout:app": "inspect oci:layout:app",
    "app.tar": "inspect app.tar",
    "layout": "inspect layout",
    "--to oci app.tar oci:new": "convert --to oci app.tar oci:new",
    "-j 1 app.tar oci:new": "convert -j 1 app.tar oci:new",
    "--to oci convert app.tar oci:new": "convert --to oci app.tar oci:new",
    "--json verify app.tar": "verify --json app.tar",
    "--full app.tar": "inspect --full app.tar",
    "--complete app.tar": "verify --complete app.tar",
    "--json app.tar": "inspect --json app.tar",
    "./layout oci:new": "convert ./layout oci:new",
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("line", LINES)
def test_a_whole_line_is_written_as_it_is_here_and_works(line: str, command: Command) -> None:
    said = told(command, *shlex.split(line))
    meant = re.search(r"(?:write|did you mean) oci-convert (.*?)\??$", said)
    assert meant is not None
    assert meant[1] == LINES[line]
    words = shlex.split(meant[1])
    more = ["--to", "oci"] if words[-1] == "new.tar" else []
    ended = command(*words, *more)
    assert ended.status == 0, ended.err


DOUBTFUL = {
    "copy a": "oci-convert convert SOURCE DEST",
    "copy --sign-by x a b": "oci-convert convert SOURCE DEST",
    "copy --override-arch arm64 a b": "oci-convert convert SOURCE DEST",
    "image mod ocidir://layout:app --to-oci": "oci-convert convert SOURCE DEST",
    "image mod ocidir://layout:app --time-max x --create y": "oci-convert convert SOURCE DEST",
    "pull alpine": "oci-convert convert docker://REF DEST",
    "push app.tar alpine": "oci-convert convert SOURCE docker://REF",
    "save app": "docker save IMAGE | oci-convert convert - DEST",
    "tag oci:layout:app new": "oci-convert convert oci:LAYOUT:OLD oci:LAYOUT:NEW",
    "list-tags docker://example.com/app": "crane ls for the tags of a registry",
    "tag ls example.com/app:1": "crane ls for the tags of a registry",
    "image delete oci:layout:app": "umoci rm and umoci gc in a layout",
    "manifest push app.tar": "oci-convert convert SOURCE docker://REF",
    "image digest alpine:3.20": "write oci-convert inspect docker://alpine:3.20",
    "cp alpine:3.20 oci:new": "write oci-convert convert docker://alpine:3.20 oci:new",
    "cp localhost:5000/app a": "write oci-convert convert docker://localhost:5000/app a",
    "artifact put app.tar": "oras attach and regctl artifact put do that",
    "index create ocidir://layout:both": "regctl index create makes one",
}


@pytest.mark.parametrize("line", DOUBTFUL)
def test_what_takes_thought_is_told_in_general(line: str, command: Command) -> None:
    assert DOUBTFUL[line] in told(command, *shlex.split(line))


@pytest.mark.parametrize("line", ["convrt a b", "frobnicate", "verfy"])
def test_what_nobody_has_is_told_as_ever(line: str, command: Command) -> None:
    ended = command(*line.split())
    assert ended.status == 2
    assert "No such command" in ended.err


# -- the table of the README --------------------------------------------------------------------


def rows() -> list[tuple[list[str], list[str]]]:
    """The commands on the left and on the right of each row of “Coming from another tool”."""
    text = README.read_text(encoding="utf-8").partition("## Coming from another tool")[2]
    table = text.partition("\n## ")[0]
    found = []
    for line in table.splitlines():
        if line.startswith("| ") and "you write" not in line:
            left, right = (re.findall("`([^`]+)`", cell) for cell in line.strip("| ").split(" | "))
            found.append((left, right))
    return found


@pytest.mark.parametrize(("left", "right"), rows())
def test_every_row_of_the_readme_is_true(
    left: list[str],
    right: list[str],
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What stands on the right works, and is what the left is answered with."""
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    write_layout({"app": docker_image()}, tmp_path / "layout")
    write_files({"manifest.json": docker_image().manifest}, tmp_path)
    ours = [line for line in right if line.startswith("oci-convert ")]
    for line in ours:
        words = shlex.split(line)[1:]
        if words[:1] == ["convert"]:
            shutil.rmtree("app")  # the target of one of them
        ended = command(*words)
        assert ended.status == 0, f"{line}: {ended.err}"
    for line in left:
        tool, *words = shlex.split(line.replace(" …", " oci:layout:app oci:new"))
        if tool not in ("skopeo", "regctl", "crane") or words == ["copy"]:
            continue
        said = told(command, *words)
        if words[0] in NAMES or len(words) == 1:  # nothing but an option is another tool's
            assert "--full" in said
        elif ours:
            assert said.endswith(f"write {ours[0]}")
        else:
            option = next(word for word in words if word.startswith("--"))
            answers = told(command, "convert", "a", "b", option, "x")
            assert named(" ".join(right)) <= named(answers)


def named(text: str) -> set[str]:
    """The options in a text."""
    return {*re.findall(r"--[a-z-]+", text)}
