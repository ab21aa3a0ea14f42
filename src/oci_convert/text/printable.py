"""Text of paths and documents, escaped so that it can be printed."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    """``text`` with everything that is not visible escaped as in a Python string.

    Line ends, terminal codes, changes of direction and invisible text are shown, not executed.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
