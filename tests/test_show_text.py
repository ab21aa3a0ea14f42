"""A line of text: escaped, measured, cropped, broken and coloured."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.cli.show.columns import Row, laid_out
from oci_convert.cli.show.terminal import complain, is_live, say, say_json, tell, width_of
from oci_convert.cli.show.text import Style, Text, joined

ANYTHING = st.text(st.characters())
STYLES = st.sampled_from(Style)
LINES = st.lists(st.tuples(ANYTHING, STYLES), max_size=5).map(
    lambda pieces: joined(" ", (Text(text, style) for text, style in pieces))
)
CODES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)


# -- escaping -----------------------------------------------------------------------------------

HOSTILE = {
    "a line end": ("a\nb", r"a\nb"),
    "a carriage return": ("a\rb", r"a\rb"),
    "a colour": ("\x1b[31mred", r"\x1b[31mred"),
    "a code of eight bits": ("\x9b31mred", r"\x9b31mred"),
    "another direction": ("a\u202eb", r"a\u202eb"),
    "an isolated direction": ("a\u2066b", r"a\u2066b"),
    "no width": ("a\u200bb", r"a\u200bb"),
    "a line of Unicode": ("a\u2028b", r"a\u2028b"),
    "half a pair": ("a\udcffb", r"a\udcffb"),
    "a tag": ("a\U000e0041b", r"a\U000e0041b"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_a_terminal_could_obey_is_shown(case: str) -> None:
    text, shown = HOSTILE[case]
    assert str(Text(text)) == shown
    assert str(Text("x") + text) == f"x{shown}"


@given(LINES)
def test_nothing_but_our_own_styles_reaches_a_terminal(line: Text) -> None:
    assert str(line).isprintable()
    assert CODES.sub("", line.ansi()) == str(line)


def test_what_looks_like_markup_is_text() -> None:
    assert str(Text("[bold]a[/bold] [link=x]")) == "[bold]a[/bold] [link=x]"


@given(st.recursive(ANYTHING, lambda inner: st.dictionaries(ANYTHING, inner, max_size=3)))
def test_json_is_the_same_value_and_no_terminal_obeys_it(value: object) -> None:
    for encoding in ("utf-8", "latin-1"):
        text = _said(lambda: say_json(value), encoding)
        assert json.loads(text) == value
        assert all(line.isprintable() for line in text.split("\n"))


def _said(act: Callable[[], None], encoding: str) -> str:
    """What ``act`` writes to a standard output of that encoding."""
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding, write_through=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        act()
    return written.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r"])
def test_any_encoding_will_do(encoding: str) -> None:
    line = Text("├── ") + Text("日本 → é…", Style.PLACE)
    said = _said(lambda: say(line), encoding).rstrip("\r\n")
    assert "日" not in said
    assert len(said) >= line.width - 2
    assert re.match(r"(\|--|├──) ", said)


# -- measuring ----------------------------------------------------------------------------------


def test_wide_and_combining_characters_count_as_the_columns_they_take() -> None:
    assert Text("日本").width == 4
    assert Text("e\u0301").width == 1
    assert Text("日本").padded(6).width == 6
    assert str(Text("日本語").cropped(4)) == "日…"
    assert str(Text("7").padded(3)) == "7  "


@given(LINES, st.integers(0, 40))
def test_a_cropped_line_fits(line: Text, width: int) -> None:
    cropped = line.cropped(width)
    assert cropped.width <= width
    if line.width <= width:
        assert cropped is line
    elif width:
        assert str(cropped).endswith("…")
        assert str(line).startswith(str(cropped)[:-1])


@given(LINES, st.integers(10, 60))
def test_a_broken_line_loses_no_word(line: Text, width: int) -> None:
    parts = list(line.wrapped(width, Text("  ")))
    assert " ".join(map(str, parts)).split() == str(line).split()
    for part in parts:
        assert part.width <= width or len(str(part).split()) == 1


def test_a_broken_line_keeps_its_styles() -> None:
    line = Text("one ", Style.ERROR) + Text("two", Style.GOOD)
    first, second = line.wrapped(5, Text("  "))
    assert (str(first), str(second)) == ("one", "  two")
    assert Style.ERROR.value in first.ansi()
    assert second.ansi().endswith("\x1b[32mtwo\x1b[0m")


# -- columns ------------------------------------------------------------------------------------

ROWS = [
    Row({"name": Text("a"), "size": Text("1 B"), "type": Text("text")}),
    Row({"name": Text("longer"), "size": Text("10 B")}, Text("a note"), Text("  ")),
]
LAYOUTS = (("name", "size", "type"), ("name", "size"), ("name",))


@pytest.mark.parametrize(
    ("width", "lines"),
    {
        None: ["a        1 B  text", "longer  10 B        a note"],
        18: ["a        1 B  text", "longer  10 B", "  a note"],
        17: ["a        1 B", "longer  10 B", "  a note"],
        6: ["a", "longer", "  a", "  note"],
        4: ["a", "lon…", "  a", "  note"],
    }.items(),
)
def test_the_richest_layout_that_fits_is_taken(width: int | None, lines: list[str]) -> None:
    assert [str(line) for line in laid_out(ROWS, LAYOUTS, width, right={"size"})] == lines


def test_a_note_may_count_more_than_a_column() -> None:
    lines = laid_out(ROWS, LAYOUTS, 20, right={"size"}, beside=True)
    assert [str(line) for line in lines] == ["a        1 B  text", "longer  10 B  a note"]
    lines = laid_out(ROWS, LAYOUTS, 17, right={"size"}, beside=True)
    assert [str(line) for line in lines] == ["a", "longer  a note"]


def test_a_table_without_rows_is_nothing() -> None:
    assert list(laid_out([], LAYOUTS, 80)) == []
    assert [str(line) for line in laid_out([Text("title")], LAYOUTS, 3)] == ["ti…"]


# -- terminals ----------------------------------------------------------------------------------


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


WISHES = {
    "a terminal": (True, {}, True),
    "a pipe": (False, {}, False),
    "NO_COLOR": (True, {"NO_COLOR": "1"}, False),
    "an empty NO_COLOR": (True, {"NO_COLOR": ""}, True),
    "FORCE_COLOR": (False, {"FORCE_COLOR": "1"}, True),
    "both": (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    "a dumb terminal": (True, {"TERM": "dumb"}, False),
}


@pytest.mark.parametrize("case", WISHES)
def test_colours_are_for_those_who_want_them(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, wishes, coloured = WISHES[case]
    for name, value in wishes.items():
        monkeypatch.setenv(name, value)
    streams = [Terminal() if terminal else io.StringIO() for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    say(Text("a", Style.GOOD))
    complain("b")
    assert [("\x1b" in stream.getvalue()) for stream in streams] == [coloured, coloured]


def test_lines_end_where_the_terminal_or_somebody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert width_of(io.StringIO()) is None
    assert width_of(Terminal()) is None  # it has no file to ask
    monkeypatch.setenv("COLUMNS", "123")
    assert width_of(io.StringIO()) == 123
    for nonsense in ("0", "-1", "wide", ""):
        monkeypatch.setenv("COLUMNS", nonsense)
        assert width_of(io.StringIO()) is None


def test_an_error_is_one_line_unless_it_is_broken_for_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "32")
    complain("oci:app: there is no image; do something about it")
    assert capsys.readouterr().err == "error: oci:app: there is no image; do something about it\n"
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    tell("oci:app: there is no image; do something about it")
    lines = terminal.getvalue().splitlines()
    assert lines == ["oci:app: there is no image; do", "    something about it"]


def test_a_dumb_terminal_is_not_drawn_upon(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_live(Terminal())
    assert not is_live(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not is_live(Terminal())
