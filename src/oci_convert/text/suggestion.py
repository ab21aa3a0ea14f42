"""Suggestions: what somebody may have meant who wrote something that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

__all__ = ["did_you_mean", "nearest"]

_MOST: Final = 10_000
"""Words that are compared: a folder may hold millions, and to say no must not take long."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of the ``known`` words that is most like ``word``, whatever the case, if one is."""
    from difflib import get_close_matches  # only what failed pays for it

    spelled: dict[str, str] = {}
    for other in islice(known, _MOST):
        spelled.setdefault(other.casefold(), other)
    close = get_close_matches(word.casefold(), spelled, 1)
    return spelled[close[0]] if close else None


def did_you_mean(word: str | None, otherwise: str = "") -> str:
    """The remedy of an error: ``did you mean app?``, if there is such a word, then the rest."""
    return " ".join(filter(None, (word and f"did you mean {word}?", otherwise)))
