"""A proof: an answer, and the chain of digests that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Answer", "Link", "Proof"]


class Answer(StrEnum):
    """What was found out."""

    PROVED = "proved"
    NOT_PROVED = "not-proved"
    """A link is broken: the first of the chain that is not ok."""
    NOT_DECIDABLE = "not-decidable"
    """Nothing is wrong, but a document is missing."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain: what the original demands, and what is at hand."""

    link: str
    """``original``, ``manifest``, ``config``, ``layers`` (their number), ``layer``, or ``left-out``
    for an entry of the original that is not at hand."""
    where: str
    """The path in the image at hand; of ``original`` and ``left-out`` in the original."""
    expected: str | None
    found: str | None
    """Of a manifest the digest that it has now; else what must equal :attr:`expected`: a digest,
    of a recompressed layer that of its content (``diff_id``)."""
    ok: bool
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The link as plain data."""
        return {
            "link": self.link,
            "where": self.where,
            "expected": self.expected,
            "found": self.found,
            "ok": self.ok,
            "note": self.note,
        }


@dataclass(frozen=True)
class Proof:
    """The answer to whether an image is the faithful conversion of another one."""

    source: str
    original: str | None
    """The digest that was signed; ``None`` if the image is not in the record."""
    answer: Answer
    chain: tuple[Link, ...]
    reason: str
    """Why it is not proved or not decidable, and what to do; what is left open if it is proved."""

    @property
    def proved(self) -> bool:
        """Whether the answer is yes."""
        return self.answer is Answer.PROVED

    def to_json(self) -> dict[str, Any]:
        """The proof as plain data."""
        return {
            "version": 1,
            "source": self.source,
            "original": self.original,
            "answer": self.answer.value,
            "chain": [link.to_json() for link in self.chain],
            "reason": self.reason,
        }
