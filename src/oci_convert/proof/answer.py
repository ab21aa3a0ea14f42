"""A proof: an answer, and the chain of digests that it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from oci_convert.plain import Plain
from oci_convert.text.html import drawn, short_digest, table, tag

__all__ = ["Answer", "Link", "Proof"]


class Answer(StrEnum):
    """What was found out."""

    PROVED = "proved"
    NOT_PROVED = "not-proved"
    """A link is broken: the first of the chain that is not ok."""
    NOT_DECIDABLE = "not-decidable"
    """Nothing is wrong, but a document is missing."""


@dataclass(frozen=True, slots=True, repr=False)
class Link(Plain):
    """One link of the chain: what the original demands, and what is at hand."""

    link: Literal["original", "manifest", "config", "layers", "layer", "left-out"]
    """What it is about: the number of layers (``layers``), an entry of the original that is not at
    hand (``left-out``), or a blob."""
    where: str
    """The path in the image at hand; of ``original`` and ``left-out`` in the original."""
    expected: str | None
    """A digest, of ``layers`` their number; ``None`` if the original does not say."""
    found: str | None
    """Of a manifest the digest that it has now; else what must equal :attr:`expected`: a digest,
    of a recompressed layer that of its content (``diff_id``)."""
    ok: bool
    """Whether the link holds."""
    note: str = ""
    """How it is known, or what is wrong, in words for people."""


@dataclass(frozen=True, repr=False)
class Proof(Plain):
    """The answer to whether an image is the faithful conversion of another one."""

    version: Literal[1] = field(default=1, init=False)
    """The version of this format: a key that goes, or changes its meaning, changes it."""
    source: str
    """The reference of the image at hand."""
    original: str | None
    """The digest that was signed; ``None`` if the image is not in the record."""
    answer: Answer
    """What was found out."""
    chain: tuple[Link, ...]
    """The chain of digests that it rests on: as strong as its first link that is not ok."""
    reason: str
    """Why it is not proved or not decidable, and what to do; what is left open if it is proved."""

    def _repr_html_(self) -> str:
        answer = tag("b", self.answer.value, kind="good" if self.proved else "bad")
        rows = (
            (
                link.link,
                link.where,
                short_digest(link.expected),
                short_digest(link.found),
                "ok" if link.ok else tag("span", "broken", kind="bad"),
                link.note,
            )
            for link in self.chain
        )
        heads = ("link", "where", "expected", "found", "", "")
        head = tag("div", f"{self.source}: ", answer, f" {self.reason}")
        return drawn(head, table(heads, rows))

    @property
    def proved(self) -> bool:
        """Whether the answer is yes."""
        return self.answer is Answer.PROVED
