"""Aligning: which items of two lists stand for each other, as a diff of two texts finds out.

The way of the *patience diff*: what both have exactly once shows the way, because it cannot be
mistaken for anything else. The work grows hardly faster than the lists, whatever they hold; that of
:mod:`difflib` grows with their square.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

__all__ = ["aligned", "common_start"]


def aligned(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int | None, int | None]]:
    """The positions that stand for each other, in order; ``None`` where a side has nothing.

    Equal items are found although others were added or removed before them. Items that are not
    equal stand for each other if both are between the same equal ones. Every position is given
    once.
    """
    anchors = [(-1, -1), *_anchors(left, right), (len(left), len(right))]
    for (i1, j1), (i2, j2) in pairwise(anchors):
        yield from _between(left, right, (i1 + 1, i2), (j1 + 1, j2))
        if i2 < len(left):
            yield i2, j2


def common_start(left: Sequence[str], right: Sequence[str]) -> int:
    """The number of equal items, or characters, that both begin with."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(left), len(right)))


def _anchors(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """The items that both have once: as many as possible that are in the same order.

    If there is a choice, those that are nearest to their old position.
    """
    mine, counts = Counter(left), Counter(right)
    places = {item: j for j, item in enumerate(right) if counts[item] == mine[item] == 1}
    ends: list[int] = []
    """Of the orders of each length that were found, the smallest last position on the right."""
    lasts: list[list[tuple[int, int]]] = []
    """What an order of each length may end with."""
    for i, item in enumerate(left):
        if item in places:
            j = places[item]
            length = bisect_left(ends, j)
            if length == len(ends):
                ends.append(j)
                lasts.append([])
            ends[length] = j
            lasts[length].append((i, j))
    chosen = [(len(left), len(right))]
    for pairs in reversed(lasts):
        before = ((i, j) for i, j in pairs if i < chosen[-1][0] and j < chosen[-1][1])
        chosen.append(min(before, key=lambda pair: abs(pair[0] - pair[1])))
    return chosen[:0:-1]


def _between(
    left: Sequence[str], right: Sequence[str], mine: tuple[int, int], yours: tuple[int, int]
) -> Iterator[tuple[int | None, int | None]]:
    """The positions between two anchors: equal ends, and what is between these in its order."""
    (i1, i2), (j1, j2) = mine, yours
    start = common_start(left[i1:i2], right[j1:j2])
    end = common_start(left[i1 + start : i2][::-1], right[j1 + start : j2][::-1])
    yield from ((i1 + step, j1 + step) for step in range(start))
    rest = range(i1 + start, i2 - end), range(j1 + start, j2 - end)
    for step in range(max(map(len, rest))):
        i, j = (side[step] if step < len(side) else None for side in rest)
        yield i, j
    yield from ((i2 - step, j2 - step) for step in range(end, 0, -1))
