"""Aligning: which items of two lists stand for each other, as a diff of two texts finds out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final

__all__ = ["aligned", "common_start"]

_LIMIT: Final = 200
"""Items that are aligned by what they are: the work grows with the cube of their number."""


def aligned(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int | None, int | None]]:
    """The positions that stand for each other, in order; ``None`` where a side has nothing.

    Equal items are found although others were added or removed before them. Items that are not
    equal stand for each other if both are between the same equal ones. Every position is given
    once.
    """
    begin, end = common_start(left, right), 0
    while end < min(len(left), len(right)) - begin and left[-1 - end] == right[-1 - end]:
        end += 1
    yield from ((i, i) for i in range(begin))
    mine, yours = left[begin : len(left) - end], right[begin : len(right) - end]
    for i1, i2, j1, j2 in _runs(mine, yours):
        for step in range(max(i2 - i1, j2 - j1)):
            i, j = i1 + step, j1 + step
            yield (begin + i if i < i2 else None), (begin + j if j < j2 else None)
    yield from ((len(left) - i, len(right) - i) for i in range(end, 0, -1))


def common_start(left: Sequence[str], right: Sequence[str]) -> int:
    """The number of equal items, or characters, that both begin with."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(left), len(right)))


def _runs(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """``left[i1:i2]`` and ``right[j1:j2]`` that stand for each other."""
    if max(len(left), len(right)) > _LIMIT:
        yield 0, len(left), 0, len(right)
        return
    for _, *run in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        i1, i2, j1, j2 = run
        yield i1, i2, j1, j2
