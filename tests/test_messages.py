"""Everything that the command can say is wrong or worth telling, as it is read.

``tests/golden/messages.txt`` is there to be read: who changes a message, or adds one, sees it there
beside all others.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

import oci_convert
from oci_convert import convert, inspect, verify
from oci_convert.errors import OciConvertError
from oci_convert.findings import CODES
from oci_convert.profiles import schema as profiles
from oci_convert.profiles.rules import RULES
from oci_convert.stores.files.system import REFUSALS
from support import errors
from support.command import Command
from support.fleet_messages import FLEETS
from support.malformed import Malformed
from support.messages import PROVOKED, Provoked, Told, masked
from support.registry_messages import REGISTRIES
from test_malformed import MALFORMED

PROJECT: Final = Path(__file__).parent.parent
GOLDEN: Final = Path(__file__).parent / "golden" / "messages.txt"
SOURCES: Final = Path(oci_convert.__file__).parent


# -- all of them --------------------------------------------------------------------------------


def entry(code: str, name: str, call: str, told: Told) -> str:
    ended = [] if told.status is None else [f"exit status {told.status}"]
    return "\n".join([f"[{code}] {name}", call, *dict.fromkeys(told.lines), *ended, ""])


def refused(case: Malformed) -> tuple[str, OciConvertError]:
    """A malformed image, and what ends its conversion."""
    source = case.store(Path("source"))
    options: dict[str, Any] = {"to": "oci", "fsync": False, **case.options}
    with pytest.raises(OciConvertError) as caught:
        convert(source, "oci:target", **options)
    return source, caught.value


def test_every_message_reads_as_it_was_reviewed(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    golden: Callable[[str, str], None],
) -> None:
    entries = []
    cases: list[tuple[str, Provoked | Malformed]] = [
        *PROVOKED.items(),
        *REGISTRIES.items(),
        *FLEETS.items(),
        *MALFORMED.items(),
    ]
    for number, (name, case) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        if isinstance(case, Malformed):
            source, error = refused(case)
            call, told = (
                f">>> convert({source!r}, …)",
                Told([error.code], [masked(f"error: {error}")]),
            )
        else:
            call, told = str(case), case.provoke(command)
        assert case.code in told.codes, f"{name}: {told}"
        entries.append(entry(case.code, name, call, told))
    golden("\n".join(entries), GOLDEN.name)


# -- none is missing ----------------------------------------------------------------------------

NO_CODES: Final = frozenset(
    {
        *("attestation-manifest", "containers-storage", "docker-archive", "docker-daemon"),
        *(
            "docker-dir",
            "docker-manifest-digest",
            "image-id",
            "left-out",
            "media-type",
            "media-types",
            "non-distributable",
        ),
        *("not-decidable", "not-proved", "oci-archive", "oci-convert", "oci-dir", "oci-layout"),
        *("cert-dir", "images-by-tag-regex", "tls-verify"),
        *("exit-status", "oci-rc2", "utf-8", "utf-8-sig", "x86-64", "zlib-ng"),
    }
)
"""Words with a hyphen in the sources that are no codes."""
PROFILES: Final = {*RULES, *profiles.NAMES}
"""Others: those of targets."""
PRESENT: Final = {f"{what}-present" for what in ("attestation", "referrer", "signature")}
REMOVED: Final = {
    f"{name}-removed" for name in ("annotations", "artifactType", "data", "platform", "subject")
}
"""Codes that are put together; the sources have no one word for them."""
UNHEARD: Final = {
    "archive-broken": "what fails first is told; this ends the threads that go on writing",
    "decompression-bomb": "it takes a layer beyond a GiB; tests/test_compression.py has one",
    "missing-referrer": "it takes a registry; tests/test_registry_referrers.py has one",
    "referrers-not-sought": "it takes a registry; tests/test_registry_store.py has one",
    "registry-warning": "it takes a registry; tests/test_registry_store.py has one",
    "unreadable": "it takes a disk that fails; tests/test_faults_system.py has one",
}


def words() -> set[str]:
    """Everything in the sources that may be a code."""
    found = set()
    for file in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    # What begins with a capital is the name of a header.
    return {word for word in found if re.fullmatch("[a-z0-9][a-zA-Z0-9]*(-[a-zA-Z0-9]+)+", word)}


def single_words() -> set[str]:
    """Codes of one word, by where they stand."""
    found = set()
    for file in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code":
                found |= {
                    it.value
                    for it in ast.walk(node.value)
                    if isinstance(it, ast.Constant) and isinstance(it.value, str)
                }
    return {word for word in found if word.isalpha()}


def known() -> set[str]:
    return (
        (words() - NO_CODES - (PROFILES - heard()))
        | single_words()
        | PRESENT
        | REMOVED
        | {*CODES, *REFUSALS}
    )


def heard() -> set[str]:
    return {it.code for it in errors.entries()}


def test_every_code_of_the_sources_is_heard_here() -> None:
    assert known() - heard() == set(UNHEARD)
    assert heard() <= known()


def test_no_word_is_excepted_for_nothing() -> None:
    assert words() >= NO_CODES


def test_every_code_has_a_home_in_the_documentation() -> None:
    pages = {
        name: (PROJECT / "docs" / name).read_text(encoding="utf-8")
        for name in ("errors.md", "findings.md")
    }
    for code in CODES:
        assert f"### `{code}`" in pages["findings.md"]
    for code in known() - set(CODES):
        assert f"## `{code}`\n" in pages["errors.md"]


# -- how they read ------------------------------------------------------------------------------

LINES: Final = {
    line: it for it in errors.entries() for line in it.lines if not line.startswith("exit status")
}
NO_REMEDY: Final = re.compile(r" \[[a-zA-Z0-9-]+\]$")
"""A finding is explained, with what to do, under its code."""
OURS: Final = ("slot", "node", "root", "sink", "scratch", "memo", "BlobError", "Exception")
AMERICAN: Final = re.compile(
    r"color|behavior|canceled|labeled|center|\b(?!size)\w+iz(e[ds]?|ing)\b"
)


@pytest.mark.parametrize("line", LINES, ids=lambda line: LINES[line].name)
def test_a_message_is_one_line_in_plain_words(line: str) -> None:
    said = re.sub(r"'[^']*'", "'…'", line)  # what users and documents spell is theirs
    said = re.sub(r"^(error|loss|warning|info): (\S+: )?", "", said)
    said = re.sub(r"--limit \S+|limited\(\S+|\bnodes\b(?=[,;= ])", "…", said)  # the name of a limit
    assert line.isprintable()
    assert "None" not in said
    assert "!" not in said
    assert "  " not in said
    assert not said.endswith((".", ";", ",", ": "))
    assert not re.search(r"(?<!schema )(?<!/)\b1 (?!is\b)[a-z]+s\b", said), "one of several"
    assert not re.search(r"\[['\"]|\b0x[0-9a-f]+|<class|Errno", said), "as Python spells it"
    for word in OURS:
        assert not re.search(rf"\b{word}s?\b", said), word
    assert not AMERICAN.search(said)
    if line.startswith("error: ") and not NO_REMEDY.search(line):
        assert "; " in line, "what to do"


@pytest.mark.parametrize("case", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_fault_is_told_in_the_same_words_by_every_verb(
    case: Malformed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source, error = refused(case)
    if case.verified:
        return  # verify unpacks every layer, and so finds out more
    verified = told_by(verify, source)
    assert any(message.startswith(error.message.partition("; ")[0]) for message in verified)
    assert set(told_by(inspect, source)) <= {error.message}


def told_by(ask: Callable[[str], Any], source: str) -> list[str]:
    """The messages of the findings, or of the error that there are none."""
    try:
        found = ask(source)
    except OciConvertError as error:
        return [error.message]
    return [finding.message for finding in getattr(found, "findings", ())]
