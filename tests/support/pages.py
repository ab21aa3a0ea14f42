"""Pages of the documentation: their blocks of code, and a folder in which these can be run.

A page is one session. Commands after ``$`` run one after the other in a folder that holds the
images of :func:`prepare`, blocks of Python in one namespace, and a block with ``title="FILE"`` is
written to that file first. What stands below a command is what it must print, with ``…`` for what
varies: within a line for anything, on a line of its own for any lines.
"""

from __future__ import annotations

import contextlib
import contextvars
import gc
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from oci_convert.cli import run
from support.archives import archive, compact, entry, layout, row_of
from support.images import (
    cosign_signature,
    cosign_tag,
    docker_image,
    layer,
    layout_files,
    oci_image,
    referrer,
    write_files,
)

__all__ = ["Block", "Session", "Step", "blocks", "inline_code", "prepare", "programs"]

PROJECT: Final = Path(__file__).parent.parent.parent

_FENCE: Final = re.compile(r"^( *)(```+|~~~+)([^`\n]*)$")
_TITLE: Final = re.compile(r'title="([^"]+)"')
_INLINE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_FIRST: Final = re.compile(
    r"(oci-convert(?: [\w./:@,=+]\S*| --?[a-z]\S*)*)( ?(?:[|>;&].*)?)", re.DOTALL
)
"""A line of shell that begins with our command, and what follows it."""
_SEPARATORS: Final = ("|", "||", "&&", ";", "&")


# -- pages --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A command of a console block, and what the page says that it prints."""

    command: str
    expected: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Block:
    """A fenced block of code; ``line`` is that of its fence."""

    line: int
    info: str
    lines: tuple[str, ...]

    @property
    def language(self) -> str:
        return self.info.split(maxsplit=1)[0] if self.info else ""

    @property
    def title(self) -> str | None:
        found = _TITLE.search(self.info)
        return found and found[1]

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    def steps(self) -> Iterator[Step]:
        """The commands of a console block; one goes on in the next line after a backslash."""
        number = 0
        while number < len(self.lines):
            start, command = number, self.lines[number]
            assert command.startswith("$ "), f"line {self.line + 1 + number}: no command: {command}"
            while command.endswith("\\"):
                number += 1
                command = f"{command}\n{self.lines[number]}"
            number += 1
            expected = []
            while number < len(self.lines) and not self.lines[number].startswith("$ "):
                expected.append(self.lines[number])
                number += 1
            yield Step(command.removeprefix("$ "), tuple(expected), self.line + 1 + start)


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    opened: tuple[int, str, str, str] | None = None
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                opened, inside = (number, fence[1], fence[2], fence[3].strip()), []
        elif fence and fence[2] == opened[2] and not fence[3].strip():
            yield Block(opened[0], opened[3], tuple(inside))
            opened = None
        else:
            inside.append(line.removeprefix(opened[1]))
    assert opened is None, f"{opened}: a block without an end"


def inline_code(text: str) -> Iterator[str]:
    """The code between single backticks, outside of fenced blocks."""
    prose, fence = [], ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if found and (not fence or found[2] == fence):
            fence = "" if fence else found[2]
        elif not fence:
            prose.append(line)
    for code in _INLINE.finditer("\n".join(prose)):
        yield code[1]


def programs(command: str) -> list[list[str]]:
    """The words of each program that a line of shell calls."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if word in _SEPARATORS:
            found.append([])
        else:
            found[-1].append(word)
    return [words for words in found if words]


# -- sessions -----------------------------------------------------------------------------------


class Session:
    """What a reader does who works through a page, in the current directory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._status = 0
        self._names: dict[str, Any] = {"__name__": "page"}

    def run(self, command: str) -> tuple[str, int]:
        """What a command prints, on both streams as on a terminal, and its exit status.

        What our command does at the beginning of a line, it does in this process, which is faster.
        """
        line = re.sub(r"\\\n *", "", command)
        first = _FIRST.fullmatch(line)
        if first is None or "oci-convert" in first[2] or set(first[1]) & set("$'\"<"):
            return self._shell(line), self._status
        rest = first[2].strip()
        apart = rest.startswith(("| ", ">"))
        words = [name for word in first[1].split() for name in _expanded(word)]
        out, told = self._here(words, apart=apart)
        if not rest:
            return out.decode(), self._status
        line = f"said() {{ cat; return {self._status}; }}\nsaid {rest}"
        return told.decode() + self._shell(line, out), self._status

    def execute(self, block: Block) -> None:
        """Run a block of Python."""
        padded = "\n" * block.line + block.text  # so that a traceback names the line of the page
        exec(compile(padded, "page", "exec", dont_inherit=True), self._names)

    def _here(self, words: Sequence[str], *, apart: bool) -> tuple[bytes, bytes]:
        """What our command prints: its two streams, if they go ``apart``, else all on the first."""
        raw = io.BytesIO(), io.BytesIO()
        out = io.TextIOWrapper(raw[0], encoding="utf-8", write_through=True)
        told = io.TextIOWrapper(raw[1], encoding="utf-8", write_through=True) if apart else out
        thresholds = gc.get_threshold()
        self._patch.setattr(sys, "argv", list(words))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(told):
            self._status = contextvars.copy_context().run(run._run)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        return raw[0].getvalue(), raw[1].getvalue()

    def _shell(self, line: str, given: bytes = b"") -> str:
        binaries = Path(sys.executable).parent
        path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", f"(exit {self._status})\n{line}"],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
            check=False,
        )
        self._status = done.returncode
        return done.stdout.decode()


def _expanded(word: str) -> list[str]:
    """What a shell makes of a word with ``*``."""
    return sorted(map(str, Path().glob(word))) if "*" in word else [word]


# -- what pages find ----------------------------------------------------------------------------


def saved(name: str, *contents: str) -> bytes:
    """``docker save`` of Docker 29: the image as it was pulled, beside the rows of old."""
    image = docker_image([layer(content, size=20_000) for content in contents])
    members = layout([image], [entry(image, name)])
    return archive({**members, "manifest.json": compact([row_of(image, [name])])})


def signed_release() -> dict[str, bytes]:
    """A layout with an image, its signature as cosign tags it, and its SBOM as a referrer."""
    image = docker_image()
    sbom = referrer(image, "packages")
    return layout_files({"app": image, cosign_tag(image): cosign_signature(image), "": sbom})


def prepare(folder: Path) -> None:
    """What every page may count on.

    ``testdata/``; ``app/`` and ``signed/``, a ``dir:`` each; ``app.tar`` of Docker 29; the folder
    ``archives/``, in which ``job.tar`` is cut off, and ``again/`` with the whole; two layouts:
    ``release/`` with a signature, ``annotated/`` with what Docker has no room for.
    """
    testdata = PROJECT / "testdata"
    shutil.copytree(testdata, folder / "testdata", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("app", "signed"):
        shutil.copytree(testdata / "docker-dir", folder / name)
    app = saved("registry.example.com/app:1", "base", "app")
    job = saved("registry.example.com/job:3", "base", "job")
    archives = {
        "app.tar": app,
        "greeting.tar": (testdata / "docker-save.tar").read_bytes(),
        "job.tar": job[: len(job) // 2],
        "web.tar": saved("registry.example.com/web:2", "base", "web"),
    }
    write_files(archives, folder / "archives")
    write_files({"job.tar": job}, folder / "again")
    (folder / "app.tar").write_bytes(app)
    write_files(signed_release(), folder / "release")
    annotated = oci_image(
        annotations={"org.opencontainers.image.source": "https://example.com/app"}
    )
    write_files(layout_files({"app": annotated}), folder / "annotated")
