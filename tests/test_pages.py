"""What the documentation shows is true: commands print that, options exist, files can be read."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

import oci_convert
import oci_convert.stores
import oci_convert.testing
from support import command_line
from support.images import digest_of
from support.pages import PROJECT, Block, Session, Step, blocks, inline_code, prepare, programs

PAGES: Final = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    *(name for name in ("SECURITY.md", "examples/README.md") if (PROJECT / name).exists()),
    *sorted(str(page.relative_to(PROJECT)) for page in (PROJECT / "docs").rglob("*.md")),
]

NOT_RUN: Final = {
    "docker": "needs a daemon",
    "pip": "would install",
    "pipx": "would install",
    "make": "sets up a virtual environment",
    "pytest": "runs these very tests",
    "cosign": "needs keys and a registry",
    "skopeo": "needs a registry",
    "kubectl": "needs a cluster",
}
"""Programs whose commands are only read, and why."""
NEEDED: Final = {"docs/how-to/cluster.md": "distributed"}
"""Packages without which a page is only read; CI installs them."""
OPTIONAL: Final = ("jq",)
"""Programs whose commands are run where they are installed; CI installs them."""

ELSEWHERE: Final = {
    "--regenerate-golden": "pytest",
    "--require-peers": "pytest",
    "--only": "benchmarks/run.py",
    "--runs": "benchmarks/run.py",
    "--images-only": "benchmarks/run.py",
    "--set": "helm",
    "--strict": "mypy, too",
    "--digestfile": "skopeo",
    "--format": "skopeo",
    "--all": "skopeo",
    "--provenance": "docker buildx",
}
"""Options in running text that are those of other tools."""

UNCHECKED: Final = {
    "dockerfile": "shows what is pinned",
    "diff": "shows what changes",
    "text": "is no code",
}
"""Languages of blocks that nothing can check, and why."""

PIN: Final = digest_of((PROJECT / "testdata/docker-dir/manifest.json").read_bytes())
PREPARED: Final[dict[str, dict[str, str]]] = {
    "docs/repin.md": {
        "deploy/app.yaml": f"""\
kind: Deployment
spec:
  template:
    spec:
      containers:
        - name: greeting
          image: registry.example.com/greeting:1@{PIN}
        - name: cache
          image: redis@sha256:{"5f" * 32}
""",
        "deploy/values.yaml": f"""\
image:
  repository: registry.example.com/greeting
  sha: {PIN.removeprefix("sha256:")}
""",
    },
}
"""Files that a page counts on beside those of ``prepare``."""


def text_of(page: str) -> str:
    return (PROJECT / page).read_text(encoding="utf-8")


def runs(step: Step, *, wanted: bool) -> bool:
    """Whether the programs of a command can be run here; if ``wanted``, those of ``OPTIONAL``."""
    called = {words[0] for words in programs(step.command)}
    absent = {name for name in called.intersection(OPTIONAL) if shutil.which(name) is None}
    assert not (absent and wanted), f"{absent} is not installed"
    return not absent and called.isdisjoint(NOT_RUN)


def pattern(expected: tuple[str, ...]) -> re.Pattern[str]:
    """What matches the printed lines: ``…`` stands for anything in a line, alone for any lines."""
    lines = [
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
        for line in expected
    ]
    return re.compile("".join(lines))


def check_options(words: list[str]) -> None:
    """That an ``oci-convert`` line calls a command that exists, with options that it has."""
    called = words[1] if len(words) > 1 else "--help"
    if called.startswith("-"):
        assert called in ("--help", "-h", "--version"), f"oci-convert has no {called}"
        return
    known = command_line.commands()
    assert called in known, f"there is no command {called}"
    options = command_line.options(known[called])
    for word in words[2:]:
        if re.match("--?[a-z]", word):
            assert word.partition("=")[0] in options, f"oci-convert {called} has no {word}"


def shown(page: str) -> Iterator[list[str]]:
    """Every ``oci-convert`` line of a page, in blocks and in running text."""
    lines = [step.command for block in blocks_of(page, "console") for step in block.steps()]
    text = [code for code in inline_code(text_of(page)) if code.startswith("oci-convert ")]
    for line in lines + text:
        for words in programs(line):
            if words[0] == "oci-convert":
                yield words


def blocks_of(page: str, *languages: str) -> list[Block]:
    return [block for block in blocks(text_of(page)) if block.language in languages]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_what_its_commands_print(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    needed = NEEDED.get(page)
    if needed is not None and find_spec(needed) is None:
        assert not request.config.getoption("--require-peers"), f"{needed} is not installed"
        pytest.skip(f"{needed} is not installed")
    prepare(tmp_path)
    for name, content in PREPARED.get(page, {}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for variable in ("COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    session = Session(monkeypatch)
    wanted = request.config.getoption("--require-peers")
    wrong: list[tuple[Step, str]] = []
    for block in blocks(text_of(page)):
        wrong += work_through(block, session, wanted=wanted)
    if wrong and request.config.getoption("--regenerate-golden"):
        rewrite(page, wrong)
    elif wrong:
        told = [f"{page}:{step.line}: $ {step.command}\n{printed}" for step, printed in wrong]
        pytest.fail("\n".join(["the page shows something else than", *told]), pytrace=False)


def work_through(block: Block, session: Session, *, wanted: bool) -> Iterator[tuple[Step, str]]:
    """Do what a block shows; the steps that print something else, and what they print."""
    if block.title is not None:
        Path(block.title).write_text(block.text, encoding="utf-8")
    elif block.language == "python":
        session.execute(block)
    elif block.language == "console":
        for step in block.steps():
            if not runs(step, wanted=wanted):
                continue
            printed, status = session.run(step.command)
            # A command below which nothing stands has to succeed, whatever it prints.
            if not pattern(step.expected).fullmatch(printed) if step.expected else status:
                yield step, printed


def rewrite(page: str, wrong: list[tuple[Step, str]]) -> None:
    """Let the page show what was printed."""
    lines = text_of(page).splitlines()
    for step, printed in reversed(wrong):
        begin = step.line + step.command.count("\n")
        lines[begin : begin + len(step.expected)] = printed.splitlines()
    (PROJECT / page).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_a_page_shows_exists(page: str) -> None:
    for words in shown(page):
        check_options(words)
    every = set().union(*map(command_line.options, command_line.commands().values()))
    for code in inline_code(text_of(page)):
        if option := re.match(r"--[a-z][a-z-]*", code):
            assert option[0] in every or option[0] in ELSEWHERE, f"no command has {option[0]}"


def check_diagram(text: str) -> None:
    """What can be said without Mermaid: that its kind is known, and that all that opens closes."""
    first, *rest = text.strip().splitlines()
    assert re.match(r"(flowchart|graph) (TB|TD|BT|LR|RL)$|sequenceDiagram$", first), first
    words = re.findall(r"^\s*(subgraph|end)\b", "\n".join(rest), re.MULTILINE)
    assert words.count("subgraph") == words.count("end")
    outside = re.sub(r'"[^"\n]*"', "", text)
    assert '"' not in outside, "a quote without its pair"
    open_brackets: list[str] = []
    for character in re.sub(r"[-=.]+>|<[-=.]+", "", outside):
        if character in "([{":
            open_brackets.append(character)
        elif character in ")]}":
            assert open_brackets, f"nothing was opened before {character}"
            assert open_brackets.pop() + character in ("()", "[]", "{}")
    assert not open_brackets, "a bracket is not closed"


PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "json": json.loads,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
    "toml": tomllib.loads,
    "mermaid": check_diagram,
}
RUN: Final = ("console", "python")


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_can_be_read(page: str) -> None:
    for block in blocks(text_of(page)):
        where = f"{page}:{block.line}"
        if block.language in PARSERS:
            try:
                PARSERS[block.language](block.text)
            except Exception as error:
                raise AssertionError(f"{where}: {error}") from error
        else:
            assert block.language in (*RUN, *UNCHECKED), f"{where}: what is {block.info!r}?"


@pytest.mark.parametrize("page", [page for page in PAGES if not page.startswith("docs/")])
def test_every_link_of_a_page_that_is_not_in_the_site_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text_of(page))
    for link in links:
        assert "://" in link or (PROJECT / page).parent.joinpath(link).exists(), link


def test_the_library_reference_shows_every_public_name() -> None:
    shown_names = re.findall(r"^::: oci_convert\.([\w.]+)$", text_of("docs/api.md"), re.MULTILINE)
    stores = {f"stores.{name}" for name in oci_convert.stores.__all__}
    testing = {f"testing.{name}" for name in oci_convert.testing.__all__}
    everything = {*oci_convert.__all__, *stores, *testing} - {"stores.Memory"}
    assert sorted(shown_names) == sorted(everything)


def test_the_navigation_names_every_page_once() -> None:
    named = list(pages_in(yaml.safe_load(text_of("mkdocs.yml"))["nav"]))
    there = [page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")]
    assert sorted(named) == sorted(there)


def pages_in(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for entry in nav if isinstance(nav, list) else nav.values():
            yield from pages_in(entry)


# -- these tests can fail -----------------------------------------------------------------------


def test_an_option_that_does_not_exist_is_found() -> None:
    check_options(["oci-convert", "convert", "app.tar", "oci:x", "--to=oci", "-q"])
    with pytest.raises(AssertionError, match="no --colour"):
        check_options(["oci-convert", "convert", "app.tar", "oci:x", "--colour"])
    with pytest.raises(AssertionError, match="no command transmogrify"):
        check_options(["oci-convert", "transmogrify"])


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        (("sound",), "sound\n", True),
        (("sound",), "not sound\n", False),
        (("sound",), "sound\nand more\n", False),
        (("took … s",), "took 0.1 s\n", True),
        (("took … s",), "took\n0.1 s\n", False),
        (("{", "…", "}"), "{\n1\n2\n}\n", True),
        (("a.c",), "abc\n", False),
    ],
)
def test_what_is_printed_is_compared_line_by_line(
    expected: tuple[str, ...], printed: str, same: bool
) -> None:
    assert bool(pattern(expected).fullmatch(printed)) is same


def test_a_block_is_split_into_commands_and_what_they_print() -> None:
    page = 'x\n```console\n$ a \\\n    b | c\none\n$ d\n```\n~~~yaml title="f"\n```\n~~~\n'
    console, yaml_block = blocks(page)
    assert list(console.steps()) == [Step("a \\\n    b | c", ("one",), 3), Step("d", (), 6)]
    assert (yaml_block.title, yaml_block.lines) == ("f", ("```",))
    assert programs("a 'x | y' | b && c -d") == [["a", "x | y"], ["b"], ["c", "-d"]]


@pytest.mark.parametrize(
    "text", ["pie", "graph TD\na[b", "graph TD\nsubgraph x", 'graph TD\na["b]']
)
def test_a_diagram_that_does_not_close_is_found(text: str) -> None:
    with pytest.raises(AssertionError):
        check_diagram(text)
