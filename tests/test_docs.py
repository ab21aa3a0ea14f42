"""The generated pages say what the code says."""

from __future__ import annotations

import re
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


def test_every_code_says_what_it_means_and_what_to_do() -> None:
    for name, code in findings.CODES.items():
        assert re.fullmatch(r"[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*", name)
        assert code.meaning.endswith("."), name
        assert code.advice, name


def test_the_first_screen_of_the_readme_shows_how_to_begin() -> None:
    screen = "\n".join((PROJECT / "README.md").read_text(encoding="utf-8").splitlines()[:30])
    for command in ("pip install oci-convert", "make demo", "make test"):
        assert command in screen
