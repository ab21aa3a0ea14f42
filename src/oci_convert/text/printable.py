"""What others wrote, as it can be shown: paths and documents may hold more than meets the eye."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    """``text`` with everything that is not plainly visible spelled as in a string of Python.

    Line ends, terminal codes, changes of direction and text that nobody sees are shown, not obeyed.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
