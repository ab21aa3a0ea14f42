"""One line of text: pieces with a style each, escaped when they are put in.

Whatever an image says of itself becomes visible only as a :class:`Text`, so no control character,
line end or change of direction of an image's making reaches a terminal, and none of its text is
taken for a style.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, TypeAlias

from oci_convert.text.printable import printable

__all__ = ["Style", "Text", "joined"]


class Style(Enum):
    """What a piece of text is; the value is how ANSI terminals show it.

    The first sixteen colours are the user's own, so they fit dark and light screens. A table of
    these few is all that is wanted of colour: to import rich for it takes a third of a short run.
    """

    PLAIN = ""
    STRONG = "1"
    FAINT = "2"
    GOOD = "32"
    DIGEST = "33"
    PLACE = "36"
    NOTE = "35"
    WARNING = "1;33"
    LOSS = "1;35"
    ERROR = "1;31"


_Piece: TypeAlias = tuple[str, Style]

_TOKEN: Final = re.compile(r" +|[^ ]+")
_ELLIPSIS: Final = "…"


class Text:
    """An immutable line; ``Text("a", Style.STRONG) + " b"``."""

    __slots__ = ("_pieces",)

    _pieces: tuple[_Piece, ...]

    def __init__(self, text: str = "", style: Style = Style.PLAIN) -> None:
        self._pieces = ((printable(text), style),) if text else ()

    @classmethod
    def _of(cls, pieces: Iterable[_Piece]) -> Text:
        made = cls()
        made._pieces = tuple(pieces)
        return made

    def __add__(self, other: Text | str) -> Text:
        added = other if isinstance(other, Text) else Text(other)
        return Text._of(self._pieces + added._pieces)

    def __str__(self) -> str:
        return "".join(text for text, _ in self._pieces)

    def __bool__(self) -> bool:
        return bool(self._pieces)

    @property
    def width(self) -> int:
        """The columns that it takes."""
        return _width(str(self))

    def ansi(self) -> str:
        """The line with the codes of its styles."""
        return "".join(
            f"\x1b[{style.value}m{text}\x1b[0m" if style.value else text
            for text, style in self._pieces
        )

    def padded(self, width: int) -> Text:
        """The line with blanks up to ``width``."""
        return self + " " * (width - self.width)

    def cropped(self, width: int) -> Text:
        """What fits into ``width``; a dot of three shows that something is left out."""
        if self.width <= width:
            return self
        left, pieces = width - 1, []
        for text, style in self._pieces:
            kept = _fitting(text, left)
            pieces.append((kept, style))
            left -= _width(kept)
            if len(kept) < len(text):
                break
        return Text._of([*pieces, (_ELLIPSIS, Style.FAINT)] if width > 0 else [])

    def wrapped(self, width: int | None, indent: Text) -> Iterator[Text]:
        """The line broken between words; ``indent`` begins what follows the first line.

        A word that is longer than a line is left for the terminal to break.
        """
        if width is None or self.width <= width:
            yield self
            return
        line, length, gap = Text(), 0, Text()
        for word in self._words():
            if str(word).isspace():
                gap = word
                continue
            if length and length + gap.width + word.width > width:
                yield line
                line, length, gap = indent, indent.width, Text()
            line, length, gap = line + gap + word, length + gap.width + word.width, Text()
        yield line

    def _words(self) -> Iterator[Text]:
        """Runs of blanks, and what is between them, in whatever styles."""
        word: list[_Piece] = []
        for text, style in self._pieces:
            for token in _TOKEN.findall(text):
                if word and (token.isspace() or word[-1][0].isspace()):
                    yield Text._of(word)
                    word = []
                word.append((token, style))
        if word:
            yield Text._of(word)


def joined(separator: str, lines: Iterable[Text]) -> Text:
    """Those of ``lines`` that are not empty, as one."""
    found = Text()
    for line in lines:
        if line:
            found = found + separator + line if found else line
    return found


def _width(text: str) -> int:
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _fitting(text: str, width: int) -> str:
    """The beginning of ``text`` that takes no more than ``width`` columns."""
    if text.isascii():
        return text[: max(width, 0)]
    for i, character in enumerate(text):
        width -= _columns(character)
        if width < 0:
            return text[:i]
    return text
