"""What the Tab key finds: commands, transports, paths, images of a store, choices."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from oci_convert.cli.completion import limit_names, references
from support.images import docker_image, oci_image, save_tar, write_dir, write_layout

COMMAND = Path(sys.executable).with_name("oci-convert")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with some stores, as the current one."""
    write_layout({"app": oci_image(), "apple": docker_image(), "": oci_image([])}, tmp_path / "L")
    write_dir(docker_image(), tmp_path / "images" / "app")
    (tmp_path / "app.tar").write_bytes(save_tar({"app:1": docker_image()}))
    (tmp_path / "broken.tar").write_bytes(b"no archive")
    (tmp_path / ".hidden").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("begun", "found"),
    {
        "": [
            "oci:",
            "dir:",
            "docker-archive:",
            "oci-archive:",
            "docker://",
            "L",
            "app.tar",
            "broken.tar",
            "images/",
        ],
        "o": ["oci:", "oci-archive:"],
        "oci:": ["oci:L", "oci:app.tar", "oci:broken.tar", "oci:images/"],
        "oci:L:": ["oci:L:app", "oci:L:apple"],
        "oci:L:appl": ["oci:L:apple"],
        "oci:L:x": [],
        "oci:absent:": [],
        "oci:app.tar:": [],
        "docker-archive:app.tar:": ["docker-archive:app.tar:app:1"],
        "docker-archive:broken.tar:": [],
        "dir:im": ["dir:images/"],
        "dir:images/": ["dir:images/app"],
        "dir:images:": [],
        "ima": ["images/"],
        "./L": ["./L"],
        ".h": [".hidden/"],
        "absent/": [],
    }.items(),
)
def test_a_reference_is_completed(begun: str, found: list[str]) -> None:
    assert references(begun) == found


def test_limits_are_completed() -> None:
    assert limit_names("tree") == ["tree-depth="]
    assert "document-size=" in limit_names("")


def in_bash(words: Sequence[str]) -> list[str]:
    """What bash offers for the last of the words that it takes a line for."""
    typed = " ".join(f"'{word}'" for word in words)
    script = f"""
        eval "$({COMMAND} --show-completion bash)"
        COMP_WORDS=({typed}) COMP_CWORD={len(words) - 1}
        _oci_convert_completion {COMMAND}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.usefixtures("here")
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "found"),
    {
        ("ver",): ["verify"],
        ("convert", "--comp"): ["--compress"],
        ("convert", "L", "x", "--compress", "z"): ["zstd"],
        ("inspect", "oci", ":", "L", ":", "ap"): ["app", "apple"],
        ("inspect", "oci", ":", "L", ":"): ["app", "apple"],
        ("inspect", "docker-archive", ":", "app.tar", ":", "app", ":"): ["1"],
        ("verify", "L", "--same-as", "dir", ":", "images/"): ["images/app"],
        ("convert", "L", "x", "--limit", "tree"): ["tree-depth="],
    }.items(),
)
def test_bash_which_ends_words_at_colons_is_told_what_comes_behind_them(
    words: tuple[str, ...], found: list[str]
) -> None:
    assert in_bash(["oci-convert", *words]) == found


@pytest.mark.usefixtures("here")
def test_other_shells_are_told_whole_words() -> None:
    question = {"_OCI_CONVERT_COMPLETE": "complete_zsh"}
    line = {"_TYPER_COMPLETE_ARGS": "oci-convert inspect oci:L:appl"}
    done = subprocess.run(
        [COMMAND],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **question, **line},
    )
    assert "oci\\\\:L\\\\:apple" in done.stdout
    assert done.stderr == ""
