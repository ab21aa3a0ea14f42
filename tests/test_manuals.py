"""Manual pages and completions are read by what they are made for; topics are in the help, too.

That they are made from the help of now is one of the tests of generated pages.
"""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oci_convert.cli.commands import NAMES
from oci_convert.cli.status import MEANINGS
from oci_convert.cli.topics import TOPICS, about_code
from oci_convert.findings import CODES
from support.command import Command
from support.command_line import commands, options
from support.pages import PROJECT

SCRIPT: dict[str, Any] = runpy.run_path(str(PROJECT / "docs" / "manuals.py"))
SHARE = PROJECT / "share"
MADE: dict[str, str] = SCRIPT["manuals"]()
PAGES = [name for name in MADE if name.startswith("man/")]
COMMAND = Path(sys.executable).with_name("oci-convert")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_every_option_of_its_command(name: str) -> None:
    text = MADE[f"man/man1/oci-convert-{name}.1"].replace("\\", "")
    for option in options(commands()[name]):
        assert re.search(rf"^\.B (.*[ ,/])?{option}\b", text, re.MULTILINE), option


@pytest.mark.peers
@pytest.mark.parametrize("page", PAGES)
def test_mandoc_has_nothing_to_say(page: str, peers: Callable[[str], str]) -> None:
    done = subprocess.run(
        [peers("mandoc"), "-Tlint", "-W", "warning", SHARE / page],
        capture_output=True,
        text=True,
        check=False,
    )
    # A date would change the pages with every release.
    said = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert said == []


@pytest.mark.peers
def test_man_shows_a_page(peers: Callable[[str], str]) -> None:
    done = subprocess.run(
        [peers("man"), "--warnings", "--local-file", SHARE / "man/man1/oci-convert-convert.1"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""},
    )
    assert "--on-loss" in done.stdout
    assert done.stderr == ""


# -- completion ---------------------------------------------------------------------------------

ASKED = {
    "bash": """
        . {file}
        COMP_WORDS=(oci-convert ver) COMP_CWORD=1
        _oci_convert_completion oci-convert
        echo "${{COMPREPLY[@]}}"
    """,
    "zsh": """
        _arguments() {{ print -r -- "$@" }}
        compdef() {{ : }}
        fpath=({file:h} $fpath)
        autoload -Uz _oci-convert
        words=(oci-convert ver) CURRENT=2
        _oci-convert
    """,
    "fish": """
        source {file}
        complete --do-complete "oci-convert ver"
    """,
}


@pytest.mark.peers
@pytest.mark.parametrize("shell", ASKED)
def test_a_shell_that_reads_its_file_completes(shell: str, peers: Callable[[str], str]) -> None:
    file = SHARE / SCRIPT["SHELLS"][shell]
    script = ASKED[shell].replace("{file:h}", str(file.parent)).format(file=file)
    done = subprocess.run(
        [peers(shell), "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{COMMAND.parent}:{os.environ['PATH']}"},
    )
    assert "verify" in done.stdout
    assert "convert" not in done.stdout.replace("oci-convert", "")
    assert done.stderr == ""


# -- topics -------------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", [*TOPICS, next(iter(CODES))])
def test_a_topic_is_plain_text_in_80_columns(topic: str, command: Command) -> None:
    ended = command("help", topic)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.strip()
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "`" not in ended.out


def test_what_a_finding_means_is_told_in_options() -> None:
    for code in CODES:
        assert not [text for text in about_code(code) if re.search(r"\{\w", str(text))], code
    assert not re.search(r"\{\w", MADE["man/man7/oci-convert-findings.7"])


@pytest.mark.parametrize("name", ["", *NAMES])
def test_help_for_a_command_is_its_help(name: str, command: Command) -> None:
    words = [name] if name else []
    assert command("help", *words) == command(*words, "--help")


def test_the_first_help_names_every_topic(command: Command) -> None:
    text = command("--help").out
    for topic in TOPICS:
        assert f"\n  help {topic} " in text


def test_a_topic_that_does_not_exist_is_answered(command: Command) -> None:
    ended = command("help", "finding")
    assert ended.status == 2
    assert "did you mean findings?" in ended.err


def rows(page: str) -> dict[str, str]:
    """The first table of a page: its first column, and the second."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    found = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", text, re.MULTILINE)[1:]
    return {first: second for first, second in found if not first.startswith("--")}


def test_the_page_of_exit_statuses_says_the_same() -> None:
    assert rows("docs/exit-status.md") == MEANINGS


def test_every_reference_of_the_page_of_stores_is_in_its_topic(command: Command) -> None:
    text = command("help", "references").out
    for reference in rows("docs/concepts/stores.md"):
        assert f"\n  {reference.strip('`')} " in text
