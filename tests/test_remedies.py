"""A remedy leads further: what an error suggests is tried, with the very command that failed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from support.command import Command
from support.messages import PROVOKED, Provoked

GOLDEN: Final = Path(__file__).parent / "golden" / "messages.txt"
LINES: Final = {name: case for name, case in PROVOKED.items() if isinstance(case.call, str)}

ANOTHER_PLACE: Final = {
    "a layout where a dir: is to be written": "what it suggests adds to a layout, which is no dir:",
    "a command of skopeo": "its arguments are not there",
    "no command": "its arguments are not there",
    "what podman keeps, as a target": "the remedy is a pipe",
    "an archive that is packed as nobody does here": "the remedy is a pipe",
    "an option of skopeo": "its arguments are not there",
    "another option of skopeo": "it takes the name of a host",
    "a document whose layer would be recompressed": "translate has no layers to look at",
    "no password, and nobody to ask": "it would be read from standard input",
    "an artifact for docker load": "its target gets another name",
}
"""Errors whose remedy is more than another word in the command."""

CHOICE: Final = re.compile(r"choose ([a-z]+(?:, [a-z]+)*) or ([a-z]+)")
LIST: Final = re.compile(r"choose one of ([^;]+)$")
MEANT: Final = re.compile(r"did you mean (\S+?)\?(?: |$)")
WRITTEN: Final = re.compile(r"(?:; write|, or write|that name write) (\S+)(?: with (--\S+ \S+))?")
OPTION: Final = re.compile(
    r"(?<!leave out )(--[a-z-]+)(?: (docker|oci|keep|auto|drop))?"
    "(?= (?:replaces|corrects|uses|recompresses|or )|;|,|$)"
)
REFUSED: Final = re.compile(r"(--[a-z-]+)( fail)? refuses this(.*)")
LIMIT: Final = re.compile(r"--limit ([a-z-]+)=…")
Line = list[str]


def without(line: Line, option: str, *, valued: bool) -> Line:
    at = line.index(option)
    return line[:at] + line[at + 1 + valued :]


def tried(line: Line, error: str) -> Iterator[Line]:
    """The commands that somebody would try who reads the error."""
    message = error.removeprefix("error: ")
    if refused := REFUSED.search(message):
        yield from leaving_out(line, *refused.groups())
    elif limit := LIMIT.search(message):
        rest = without(line, "--limit", valued=True)
        yield from ([*rest, "--limit", f"{limit[1]}={most}"] for most in ("200MiB", "100000"))
    else:
        for found in MEANT.finditer(message):
            yield from replaced(line, found[1], message)
        for found in WRITTEN.finditer(message):
            more = shlex.split(found[2] or "")
            yield from ([*other, *more] for other in replaced(line, found[1], message))
        yield from choosing(line, message)
        yield from adding(line, message.rpartition("; ")[2])


def leaving_out(line: Line, option: str, fail: str | None, advice: str) -> Iterator[Line]:
    """Without the option that refuses, or with another of its values."""
    rest = without(line, option, valued=fail is not None)
    yield rest
    if choice := CHOICE.search(advice):
        yield from ([*rest, option, word] for word in (*choice[1].split(", "), choice[2]))


def choosing(line: Line, message: str) -> Iterator[Line]:
    """With one of the images that are listed."""
    found = LIST.search(message)
    for word in found[1].split(", ") if found else ():
        for at, argument in enumerate(line):
            for named in (argument, argument.rpartition(":")[0]):
                yield [*line[:at], f"{named}:{word}", *line[at + 1 :]]


def adding(line: Line, remedy: str) -> Iterator[Line]:
    """With the option that is advised."""
    for option, said in OPTION.findall(remedy):
        value = "linux/amd64" if option == "--platform" else said
        rest = without(line, option, valued=True) if option in line else line
        yield [*rest, option, *([value] if value else [])]


def replaced(line: Line, word: str, message: str) -> Iterator[Line]:
    """With what was meant in the place of what was written."""
    place, quoted = message.partition(": ")[0], re.findall(r"'([^']+)'", message)
    for at, argument in enumerate(line):
        others = line[:at], line[at + 1 :]
        if argument.startswith(place):
            yield [*others[0], word, *others[1]]
        for old in quoted:
            if old in argument:
                yield [*others[0], argument.replace(old, word), *others[1]]


def told(case: Provoked, line: Line, folder: Path, command: Command) -> list[str]:
    """The codes of what is said, and nothing where all went well."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        ended = replace(case, call=shlex.join(line)).provoke(command)
    return ended.codes if ended.status else []


@pytest.mark.parametrize("name", LINES)
def test_what_an_error_suggests_leads_further(
    name: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = LINES[name]
    (tmp_path / "first").mkdir()
    monkeypatch.chdir(tmp_path / "first")
    said = case.provoke(command)
    if said.status == 0 or name in ANOTHER_PLACE:
        return
    given = shlex.split(str(case.call))
    for error in said.lines:
        tries = list(tried(given, error)) if error.startswith("error: ") else []
        assert given not in tries, f"{error} suggests what was given"
        outcomes = [
            told(case, it, tmp_path / f"{number}", command) for number, it in enumerate(tries)
        ]
        assert not tries or any(case.code not in codes for codes in outcomes), (error, tries)


def test_most_errors_suggest_something_that_can_be_tried() -> None:
    """Else the test above would say nothing."""
    entries = GOLDEN.read_text(encoding="utf-8").split("\n\n")
    followed = 0
    for entry in entries:
        called = re.search(r"^\$ oci-convert (.*)$", entry, re.MULTILINE)
        error = re.search("^error: .*$", entry, re.MULTILINE)
        if called and error:
            followed += any(True for _ in tried(shlex.split(called[1]), error[0]))
    assert followed >= 50
