"""The pictures of the documentation show what the command shows now."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parent.parent
IMAGES = PROJECT / "docs" / "images"
SCRIPT: dict[str, Any] = runpy.run_path(str(PROJECT / "docs" / "screenshots.py"))


@pytest.fixture(scope="module")
def pictures() -> dict[str, str]:
    made: dict[str, str] = SCRIPT["pictures"]()
    return made


def test_the_script_gives_exactly_the_committed_pictures(
    pictures: dict[str, str], request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--regenerate-golden"):
        SCRIPT["main"]()
    for name, text in pictures.items():
        committed = (IMAGES / name).read_text(encoding="utf-8")
        assert text == committed, f"{name}: python docs/screenshots.py writes it"


def test_a_picture_tells_nothing_of_the_machine(pictures: dict[str, str]) -> None:
    for text in pictures.values():
        assert str(PROJECT) not in text
        assert "/tmp" not in text
        assert "Traceback" not in text


def test_every_piece_of_text_stands_inside_its_picture(pictures: dict[str, str]) -> None:
    for text in pictures.values():
        width = float(re.findall(r'viewBox="0 0 ([\d.]+)', text)[0])
        for x, length in re.findall(r'x="([\d.]+)" y="\d+" textLength="([\d.]+)"', text):
            assert float(x) + float(length) < width


def test_blanks_and_styles_keep_their_columns() -> None:
    line = "a  \x1b[1mb c\x1b[0m d\x1b[33m日\x1b[0me"
    found = [(piece.column, piece.text, piece.style) for piece in SCRIPT["pieces"](line)]
    assert found == [
        (0, "a  ", ""), (3, "b c", "strong"), (6, " d", ""), (8, "日", "digest"), (10, "e", ""),
    ]  # fmt: skip
