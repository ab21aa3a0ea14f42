"""Differences between texts, for ``git apply`` and ``patch -p1``.

Lines stand where they stood, so nothing has to be aligned, as :mod:`difflib` does in a time that
grows with their square; and it has no words for a text that ends without a newline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["patch"]

_CONTEXT: Final = 3
"""Lines around a difference, as everybody has it."""
_QUOTED: Final = re.compile(r'[\x00-\x1f"\\\x7f]')


def patch(name: str, old: str, new: str) -> Iterator[str]:
    """The unified difference of two texts that have as many lines and are not the same."""
    before, after = _split(old), _split(new)
    place = name.lstrip("/")
    yield f"--- {_quoted(f'a/{place}')}\n"
    yield f"+++ {_quoted(f'b/{place}')}\n"
    changed = [i for i, line in enumerate(before) if line != after[i]]
    for first, last in _hunks(changed):
        start, end = max(first - _CONTEXT, 0), min(last + 1 + _CONTEXT, len(before))
        span = f"{start + 1}" if end - start == 1 else f"{start + 1},{end - start}"
        yield f"@@ -{span} +{span} @@\n"
        yield from _hunk(before, after, range(start, end))


def _split(text: str) -> list[str]:
    """The lines of a text, each with its end; only a newline ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _quoted(name: str) -> str:
    """The name of a file as git spells it; a tab keeps one with spaces together."""
    if _QUOTED.search(name):
        escaped = _QUOTED.sub(lambda match: f"\\{ord(match[0]):03o}", name)
        return f'"{escaped}"'
    return f"{name}\t" if " " in name else name


def _hunks(changed: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of the changed lines that stand so close that they are one hunk."""
    first = last = changed[0]
    for line in changed[1:]:
        if line - last > 2 * _CONTEXT + 1:
            yield first, last
            first = line
        last = line
    yield first, last


def _hunk(before: Sequence[str], after: Sequence[str], lines: range) -> Iterator[str]:
    removed: list[str] = []
    added: list[str] = []
    for i in lines:
        if before[i] != after[i]:
            removed.append(_marked("-", before[i]))
            added.append(_marked("+", after[i]))
        else:
            yield from (*removed, *added)
            removed, added = [], []
            yield _marked(" ", before[i])
    yield from (*removed, *added)


def _marked(mark: str, line: str) -> str:
    return (
        f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}\n\\ No newline at end of file\n"
    )
