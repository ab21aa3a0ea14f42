"""The command ``diff``, and ``verify --same-as``: what they print and answer."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from oci_convert.cli import run
from oci_convert.comparison.difference import Verdict
from oci_convert.spec.media_types import Compression
from support.images import (
    LAYERS,
    OCI_LAYER,
    Image,
    attestation,
    docker_config,
    docker_image,
    image_list,
    layer,
    layout_files,
    minimal_config,
    oci_image,
    referrer,
    write_files,
)

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "diff.md"
NONE, ZSTD = Compression.NONE, Compression.ZSTD


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    said: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Answer]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """``command("diff", …)``: the command line, in this process and a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["oci-convert", *arguments])
        status = run._run()
        got = capsys.readouterr()
        return Answer(status, got.out, got.err)

    return call


def store(**layouts: dict[str, Image]) -> None:
    for name, images in layouts.items():
        write_files(layout_files(images), Path(name))


# -- what is printed ----------------------------------------------------------------------------


def changed(**members: Any) -> Image:
    """A Docker image like any other, but for some members of its config."""
    return docker_image(config=docker_config(LAYERS, **members))


LONG: Final = "https://example.com/" + "a" * 60
AMD, ARM = oci_image(), oci_image([layer("base"), layer("arm")], platform="linux/arm64")
PAIRS: Final[dict[str, tuple[dict[str, Image], dict[str, Image]]]] = {
    "config": (
        {"": changed(author="Bob", url=f"{LONG}/old", note="Zeile\nzwei")},
        {"": changed(author="Eve", url=f"{LONG}/new", container=None)},
    ),
    "layers": (
        {"": oci_image([layer("a"), layer("b"), layer("c", NONE)])},
        {"": oci_image([layer("c"), layer("b"), layer("d"), layer("e", ZSTD)])},
    ),
    "format": (
        {"": docker_image(config=minimal_config(LAYERS))},
        {
            "": oci_image(
                [layer("base"), layer("app", NONE, media_type=OCI_LAYER)],
                config=minimal_config(LAYERS),
                annotations={"org.opencontainers.image.title": "app", "note": "[bold]no style"},
            )
        },
    ),
    "platforms": (
        {"": image_list([AMD, ARM, attestation(AMD)], annotations={"a": "b"})},
        {
            "": image_list(
                [
                    replace(ARM, entry={"platform": {"os": "linux", "architecture": "arm64"}}),
                    oci_image(platform="linux/s390x"),
                    oci_image([layer("base", ZSTD), layer("app")], config=AMD.config),
                ]
            )
        },
    ),
    "names": (
        {"app:1": AMD, "web:1": ARM, "old:1": oci_image([layer("old")])},
        {"app:1": changed(author="Bob"), "web:1": ARM, "new:1": oci_image([layer("new")])},
    ),
    "referrers": ({"app": AMD, "": referrer(AMD)}, {"app": AMD}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_printed(name: str, command: Command, golden: Callable[[str, str], None]) -> None:
    left, right = PAIRS[name]
    store(left=left, right=right)
    got = command("diff", "oci:left", "oci:right")
    assert max(map(len, got.out.splitlines())) <= 80
    golden(got.out, f"diff/{name}.txt")
    answer = command("diff", "oci:left", "oci:right", "--quiet")
    assert (answer.out, answer.said) == (got.out.splitlines()[-1] + "\n", "")
    assert answer.status == got.status == (3 if answer.out == "different\n" else 0)


def test_equal_images_have_nothing_but_an_answer(command: Command) -> None:
    store(left={"": AMD}, right={"app": AMD})
    assert command("diff", "oci:left", "oci:right") == Answer(0, "equal\n", "")


def test_what_an_image_says_is_escaped_and_never_a_style(command: Command) -> None:
    store(
        left={"": changed(author="\x1b[31mred\u202e")}, right={"": changed(author="[red]x[/red]")}
    )
    got = command("diff", "oci:left", "oci:right")
    assert "\x1b" not in got.out
    assert "\u202e" not in got.out
    assert '"[red]x[/red]"' in got.out


def test_colours_are_for_terminals(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    store(left={"": AMD}, right={"": ARM})
    plain = command("diff", "oci:left", "oci:right").out
    assert "\x1b" not in plain
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert re.sub(r"\x1b\[[0-9;]*m", "", command("diff", "oci:left", "oci:right").out) == plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert command("diff", "oci:left", "oci:right").out == plain


def test_a_narrow_terminal_gets_narrow_values(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = PAIRS["config"]
    store(left=left, right=right)
    monkeypatch.setenv("COLUMNS", "50")
    got = command("diff", "oci:left", "oci:right").out
    assert max(map(len, got.splitlines())) <= 50


# -- what is answered ---------------------------------------------------------------------------


def test_the_whole_answer_as_json(command: Command) -> None:
    left, right = PAIRS["config"]
    store(left=left, right=right)
    got = command("diff", "oci:left", "oci:right", "--json")
    assert got.status == 3
    assert got.json["answer"] == "different"
    values = {it["member"]: it for it in got.json["differences"]}
    assert values["url"]["left"] == f"{LONG}/old"
    assert "right" not in values["note"]
    assert values["container"]["right"] is None


def test_broken_bytes_are_told_as_an_error(command: Command) -> None:
    store(left={"": AMD}, right={"": AMD})
    blob = Path("right/blobs") / AMD.layers[0].digest.replace(":", "/")
    blob.write_bytes(bytes(reversed(blob.read_bytes())))
    got = command("diff", "oci:left", "oci:right")
    assert (got.status, got.out) == (3, "different\n")
    assert "error: oci:right: images[0].layers[0]" in got.said


def test_a_side_that_is_not_there_is_an_error(command: Command) -> None:
    store(left={"": AMD})
    got = command("diff", "oci:left", "oci:nowhere")
    assert (got.status, got.out) == (1, "")
    assert got.said.startswith("error: ")


@pytest.mark.parametrize("name", PAIRS)
def test_same_as_is_the_yes_or_no_of_diff(name: str, command: Command) -> None:
    left, right = PAIRS[name]
    store(left=left, right=right)
    told = command("diff", "oci:left", "oci:right", "--json")
    got = command("verify", "oci:left", "--same-as", "oci:right")
    assert got.out == ("the same\n" if told.json["same"] else "different\n")
    assert got.status == told.status
    assert ("content of" in got.said or "images\n" in got.said) is not told.json["same"]
    assert command("verify", "oci:left", "--same-as", "oci:right", "--json").json == told.json


# -- the page -----------------------------------------------------------------------------------


def run_block(block: str, folder: Path) -> None:
    """Run what a block of the page shows; it prints what the block says."""
    own = f"{shlex.quote(sys.executable)} -m oci_convert "
    for step in block.split("$ ")[1:]:
        line, _, expected = step.partition("\n")
        done = subprocess.run(
            line.replace("oci-convert ", own, 1),
            shell=True,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env={**os.environ, "COLUMNS": ""},
        )
        assert done.stdout == expected, done.stderr


@pytest.fixture
def blocks(tmp_path: Path) -> list[str]:
    """The examples of ``docs/diff.md``; there is the image that they are about."""
    for file in (ROOT / "testdata" / "docker-dir").iterdir():
        write_files({f"app/{file.name}": file.read_bytes()}, tmp_path)
    return re.findall(r"```(?:console|text)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_example_of_the_page(blocks: list[str], tmp_path: Path) -> None:
    run_block(blocks[0], tmp_path)


def test_the_script_of_the_page(
    blocks: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_block(blocks[0], tmp_path)
    monkeypatch.chdir(tmp_path)
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(script, names)
    assert names["found"].answer is Verdict.FORMAT


@pytest.mark.peers
def test_the_page_says_what_skopeo_changes(
    blocks: list[str], tmp_path: Path, peers: Callable[[str], str]
) -> None:
    peers("skopeo")
    run_block(blocks[1], tmp_path)
