"""A terminal for tests: what is on the screen after the codes that progress is drawn with."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_CODE = re.compile(r"\x1b\[(\?25|[\d;]*)([AKJmhl])|\x1b|[\r\n]|[^\x1b\r\n]+")


@dataclass
class Screen:
    """The lines of a terminal that is ``width`` columns wide; a longer line would wrap."""

    width: int
    lines: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0
    cursor: bool = True
    """Whether it is shown."""

    def feed(self, text: str) -> None:
        for match in _CODE.finditer(text):
            number, code = match.groups()
            if code == "A":
                assert int(number) <= self.row, "above the first line"
                self.row -= int(number)
            elif code == "K":
                kept = 0 if number == "2" else self.column
                self.lines[self.row] = self.lines[self.row][:kept]
            elif code in ("h", "l"):
                self.cursor = code == "h"
            elif code == "J":
                self.lines[self.row] = self.lines[self.row][: self.column]
                del self.lines[self.row + 1 :]
            elif match[0] == "\r":
                self.column = 0
            elif match[0] == "\n":
                self.row, self.column = self.row + 1, 0
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif code != "m":
                assert match[0] != "\x1b", "a code that nobody here knows"
                self._write(match[0])

    def _write(self, text: str) -> None:
        line = self.lines[self.row].ljust(self.column)
        end = self.column + len(text)
        assert end <= self.width, "the terminal would wrap this line"
        self.lines[self.row] = line[: self.column] + text + line[end:]
        self.column = end

    @property
    def shown(self) -> list[str]:
        """The lines that are not empty."""
        return [line.rstrip() for line in self.lines if line.strip()]
