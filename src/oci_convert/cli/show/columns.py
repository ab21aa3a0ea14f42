"""Columns: rows of a table, aligned, in the richest layout for which there is room."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from oci_convert.cli.show.text import Text

__all__ = ["Row", "laid_out"]

_GAP: Final = "  "


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its cells by the names of their columns, and a note behind them."""

    cells: Mapping[str, Text]
    note: Text = field(default_factory=Text)
    """Stands behind the last column where it fits, else on lines of its own."""
    indent: Text = field(default_factory=Text)
    """What these lines begin with."""


def laid_out(
    rows: Sequence[Row | Text],
    layouts: Sequence[Sequence[str]],
    width: int | None,
    *,
    right: Collection[str] = (),
    beside: bool = False,
) -> Iterator[Text]:
    """The lines of ``rows``: in the first of ``layouts`` that fits into ``width``, else the last.

    A :class:`Text` among the rows is a line that knows no columns. The columns named ``right`` end
    where the others begin; a column without a cell takes no room. ``beside``: a layout that has
    room for every note beside it comes before those that have not.
    """
    table = [row for row in rows if isinstance(row, Row)]
    widths: dict[str, int] = {}
    for cells in (row.cells for row in table):
        for name, cell in cells.items():
            widths[name] = max(widths.get(name, 0), cell.width)
    tables = [_Table(layout, widths, right) for layout in layouts]
    chosen = next((t for t in tables if beside and t.takes(table, width)), None) or next(
        (t for t in tables if width is None or t.total <= width), tables[-1]
    )
    for row in rows:
        if isinstance(row, Row):
            yield from chosen.lines(row, width)
        else:
            yield row if width is None else row.cropped(width)


class _Table:
    """A layout: where each column begins and ends."""

    def __init__(
        self, layout: Sequence[str], widths: Mapping[str, int], right: Collection[str]
    ) -> None:
        self._columns: dict[str, tuple[int, int]] = {}
        self._right = right
        start = 0
        for name in layout:
            if widths.get(name):
                self._columns[name] = (start, start + widths[name])
                start += widths[name] + len(_GAP)
        self.total = start - len(_GAP)

    def takes(self, rows: Sequence[Row], width: int | None) -> bool:
        """Whether every row fits into ``width`` together with its note."""
        return width is None or all(self._end(row) <= width for row in rows)

    def _end(self, row: Row) -> int:
        ends = [end for name, (_, end) in self._columns.items() if row.cells.get(name)]
        note = len(_GAP) + row.note.width if row.note else 0
        return max(ends, default=0) + note

    def lines(self, row: Row, width: int | None) -> Iterator[Text]:
        """The lines of a row: its note begins behind the last column, or its last cell."""
        line = self._line(row)
        if row.note:
            for start in (self.total, line.width):
                if width is None or start + len(_GAP) + row.note.width <= width:
                    yield line.padded(start) + _GAP + row.note
                    return
        yield line if width is None else line.cropped(width)
        if row.note:
            yield from (row.indent + row.note).wrapped(width, row.indent)

    def _line(self, row: Row) -> Text:
        line = Text()
        for name, (start, end) in self._columns.items():
            cell = row.cells.get(name)
            if cell:
                begin = end - cell.width if name in self._right else start
                line = line.padded(begin) + cell
        return line
