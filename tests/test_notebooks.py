"""What notebooks draw: HTML without scripts, everything in it escaped, readable on any ground."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import pytest

from oci_convert import Memory, convert, diff, inspect, prove, verify
from oci_convert.errors import BlobError
from oci_convert.findings import Finding, Level
from oci_convert.inspection.inspect import Inspection
from oci_convert.report import Failure, Report
from oci_convert.text import html
from support.images import (
    Image,
    attestation,
    docker_image,
    image_list,
    layer,
    layout_files,
    oci_image,
    referrer,
)
from support.notebooks import cells, executed, page
from support.pages import PROJECT

NOTEBOOK: Final = PROJECT / "examples" / "migration.ipynb"
EVIL: Final = "<script>alert(1)</script>\"'&\x1b[31m\u202e"
APP: Final = docker_image([layer("base"), layer("app")])
LIST: Final = image_list([APP, oci_image(annotations={EVIL: EVIL}), attestation(APP)])
VOID: Final = {"br", "hr", "img", "input", "link", "meta"}


class Seen(HTMLParser):
    """Checks that elements close in order, and collects what there is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in VOID
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def memory(image: Image, name: str = EVIL) -> Memory:
    return Memory(layout_files({name: image, "": referrer(image, EVIL)}))


def broken() -> Memory:
    files = layout_files({EVIL: APP})
    files.pop(f"blobs/{layer('app').digest.replace(':', '/')}")
    return Memory(files)


def failed() -> Report:
    error = BlobError(EVIL, code="c", where=EVIL, remedy=EVIL)
    return Report(source=EVIL, map=(), failures=(Failure.of(EVIL, error),))


def proved() -> Any:
    target = Memory()
    convert(memory(APP), target, to="oci")
    return prove(target, APP.digest)


DRAWN: Final[dict[str, tuple[Callable[[], Any], tuple[str, ...]]]] = {
    # what is drawn, and what must be read there
    "an inspection": (lambda: inspect(memory(LIST)), ("index", "linux/amd64", "attestation")),
    "a blob of it": (lambda: inspect(memory(APP)).images[0], ("manifest", "layer", "referrer")),
    "a report": (lambda: convert(memory(LIST), Memory(), to="docker"), ("→", "loss", "no")),
    "a report of failures": (failed, ("failed", "what to do")),
    "a verification": (lambda: verify(memory(LIST)), ("sound",)),
    "a verification of faults": (lambda: verify(broken()), ("not sound", "blob-missing", "error")),
    "a comparison": (lambda: diff(memory(LIST), memory(APP)), ("different", "platform")),
    "a proof": (proved, ("proved", "manifest", "ok")),
    "a proof that fails": (lambda: prove(memory(APP), LIST.digest), ("not-proved", "broken")),
}


@pytest.mark.parametrize("name", DRAWN)
def test_it_is_one_piece_of_escaped_html(name: str) -> None:
    make, words = DRAWN[name]
    text = make()._repr_html_()
    seen = Seen(text)
    assert "script" not in seen.tags
    assert seen.attributes <= {"class", "open", "title"}
    assert "url(" not in text
    assert "://" not in text.partition("</style>")[0]
    assert "\x1b" not in text
    assert "\u202e" not in text
    for word in words:
        assert word in seen.text, seen.text


def test_what_an_image_says_is_there_and_escaped() -> None:
    text = inspect(memory(APP))._repr_html_()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert(1)</script>" in Seen(text).text


def luminance(colour: str) -> float:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_is_read_on_white_and_on_black() -> None:
    """What WCAG asks of text is 4.5; no colour has it on both, so 4 is as far as one comes."""
    colours = set(re.findall(r"#[0-9a-f]{6}", html.drawn()))
    assert len(colours) == 3
    for colour in colours:
        dark, light = luminance(colour) + 0.05, 1.05
        assert light / dark >= 4, colour
        assert dark / (luminance("#111111") + 0.05) >= 4, colour


def test_very_much_is_cut_short() -> None:
    many = image_list([docker_image([layer(f"{i}")]) for i in range(400)])
    inspection = inspect(Memory(layout_files({"app": many})))
    seen = Seen(inspection._repr_html_())
    assert "only the first 1000 are shown" in seen.text
    findings = tuple(Finding("leftover", Level.INFO, f"{i}", EVIL) for i in range(5000))
    drawn = Inspection("oci:a", (), findings)._repr_html_()
    assert len(drawn) < 500_000
    assert "only the first 1000 are shown" in Seen(drawn).text


# -- the notebook of the examples -----------------------------------------------------------------


def test_the_notebook_has_no_output_of_an_old_run() -> None:
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_its_page_is_what_running_it_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    made, committed = page(NOTEBOOK), PROJECT / "docs" / "notebook.md"
    if request.config.getoption("--regenerate-golden"):
        committed.write_text(made, encoding="utf-8", newline="\n")
    assert committed.read_text(encoding="utf-8") == made, "pytest --regenerate-golden writes it"


@pytest.mark.peers
def test_jupyter_shows_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peers: Callable[[str], str]
) -> None:
    shutil.copy(NOTEBOOK, tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # nothing of what somebody has set up for Jupyter
    tool = peers("jupyter-execute")
    subprocess.run([tool, "--inplace", NOTEBOOK.name], cwd=tmp_path, check=True)
    done = json.loads((tmp_path / NOTEBOOK.name).read_text(encoding="utf-8"))
    (tmp_path / "again").mkdir()
    monkeypatch.chdir(tmp_path / "again")
    for cell, ours in zip(done["cells"], executed(NOTEBOOK), strict=True):
        outputs = cell.get("outputs", [])
        printed = "".join("".join(it["text"]) for it in outputs if it["output_type"] == "stream")
        drawn = [it["data"]["text/html"] for it in outputs if it["output_type"] != "stream"]
        assert (printed, "".join(map("".join, drawn))) == (ours.printed, ours.drawn)


def test_every_step_of_a_migration_is_in_it() -> None:
    source = "\n".join(cell.source for cell in cells(NOTEBOOK) if cell.kind == "code")
    for name in ("open_images", "inspect", "dry_run=True", "losses", "convert", "prove", "repin"):
        assert name in source
    assert "pandas" not in source
