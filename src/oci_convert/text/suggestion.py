"""Suggestions for misspelt names."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

__all__ = ["did_you_mean", "nearest"]

_MOST: Final = 10_000
"""Words that are compared: a directory may have millions, and an error must not take long."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The ``known`` word that is most similar to ``word``, ignoring case, if any."""
    from difflib import get_close_matches  # only what failed pays for it

    spelled: dict[str, str] = {}
    for other in islice(known, _MOST):
        spelled.setdefault(other.casefold(), other)
    close = get_close_matches(word.casefold(), spelled, 1)
    return spelled[close[0]] if close else None


def did_you_mean(word: str | None, otherwise: str = "") -> str:
    """The remedy of an error: ``did you mean app?``, if there is such a word, then the rest."""
    return " ".join(filter(None, (word and f"did you mean {word}?", otherwise)))
