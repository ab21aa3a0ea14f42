"""The generated pages say what the code says."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from oci_convert import findings
from support import command_line, errors, generated_pages, profiles_page, strict_json

PROJECT = Path(__file__).parent.parent
PAGES: dict[str, Callable[[], str]] = {
    "docs/media-types.md": generated_pages.media_types_page,
    "docs/findings.md": generated_pages.findings_page,
    "docs/limits.md": generated_pages.limits_page,
    "docs/errors.md": errors.markdown,
    "docs/strict-json.md": strict_json.markdown,
    "docs/command-line.md": command_line.markdown,
    "docs/profiles.md": profiles_page.markdown,
}


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_up_to_date(page: str, request: pytest.FixtureRequest) -> None:
    file = PROJECT / page
    if request.config.getoption("--regenerate-golden"):
        file.write_text(PAGES[page](), encoding="utf-8", newline="\n")
    assert file.read_text(encoding="utf-8") == PAGES[page](), "pytest --regenerate-golden writes it"


def test_manual_pages_and_completions_are_up_to_date(request: pytest.FixtureRequest) -> None:
    script, share = runpy.run_path(str(PROJECT / "docs" / "manuals.py")), PROJECT / "share"
    if request.config.getoption("--regenerate-golden"):
        script["main"]()
    found = {
        path.relative_to(share).as_posix(): path.read_text(encoding="utf-8")
        for path in share.rglob("*")
        if path.is_file()
    }
    assert found == script["manuals"](), "make man writes them"


def test_every_code_says_what_it_means_and_what_to_do() -> None:
    for name, code in findings.CODES.items():
        assert re.fullmatch(r"[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*", name)
        assert code.meaning.endswith("."), name
        assert code.advice, name


def test_the_first_screen_of_the_readme_shows_how_to_begin() -> None:
    screen = "\n".join((PROJECT / "README.md").read_text(encoding="utf-8").splitlines()[:30])
    for command in ("pip install oci-convert", "make demo", "make test"):
        assert command in screen


def test_a_link_of_the_site_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    wrong = runpy.run_path(str(PROJECT / "docs" / "check_links.py"))["wrong"]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text('<h1 id="top">x</h1><a href="../a.html#b">')
    (tmp_path / "a.html").write_text(
        '<p id="b"><a href="sub/"><a href="sub#top"><a href="#b"><a href="https://example.org/">'
        '<a href="sub#none"><a href="gone.html"><img src="https://example.org/a.png">'
    )
    assert list(wrong(tmp_path)) == [
        "a.html: sub#none: there is no such place in it",
        "a.html: gone.html: there is no such file",
        "a.html: https://example.org/a.png is loaded from elsewhere",
    ]
