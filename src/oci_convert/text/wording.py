"""Text that names arguments: as the library calls them, and as another interface spells them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

__all__ = ["Wording", "worded"]

_ARGUMENT: Final = re.compile(r"\{(\w(?:[^{}]|\{[^{}]*\})*)\}")
"""``{force=True}``; what it is set to may have braces of its own."""


class Wording(str):
    """A text with arguments in braces, such as ``{force=True} replaces it``.

    As a text it has no braces: it is Python, for those who call the library.
    """

    marked: str
    """The text with the braces."""

    def __new__(cls, marked: str) -> Wording:
        self = super().__new__(cls, _ARGUMENT.sub(r"\1", marked))
        self.marked = marked
        return self

    def spelled(self, spell: Callable[[str], str]) -> str:
        """The text with its arguments as ``spell`` writes them."""
        return _ARGUMENT.sub(lambda match: spell(match[1]), self.marked)


def worded(text: str, spell: Callable[[str], str]) -> str:
    """Any text, with its arguments, if they are marked, as ``spell`` writes them."""
    return text.spelled(spell) if isinstance(text, Wording) else text
