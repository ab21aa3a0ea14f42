"""Digests in text files: found by their spelling, and replaced by those after a conversion.

A digest is recognised anywhere, so no file format is parsed here: a manifest of Kubernetes, a
Dockerfile and a comment are the same. Only for unknown digests it matters whether they pin an
image, because checksums of other things look the same.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from oci_convert.plain import Plain
from oci_convert.text.brief import Brief

__all__ = ["Outcome", "Pin", "Repinned", "repin"]

_DIGEST: Final = re.compile(
    r"""
    (?:(?<![A-Za-z0-9_])|(?<=\\[nrt]))      # what \n, \r and \t end with in JSON is not a letter
    (?P<digest>sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})
    (?![A-Za-z0-9_-])
    |
    (?<![A-Za-z0-9_.:@/+-])                 # neither a tag nor part of a path or of sha256-….sig
    (?P<hex>[0-9a-f]{128}|[0-9a-f]{96}|[0-9a-f]{64})
    (?![A-Za-z0-9_/:-]|\.[A-Za-z0-9])
    """,
    re.VERBOSE,
)
_ALGORITHMS: Final = {64: "sha256", 96: "sha384", 128: "sha512"}
"""What digests of these many hex digits are made with."""

_MARKS: Final = "_./:-"
_IN_A_NAME: Final = string.ascii_letters + string.digits + _MARKS
_MEMBER: Final = re.compile(r"(?i:digest)\\?[\"']?(?:\s*[:=]-?\s*|\s+)\\?[\"']?\Z")
"""What precedes the value of ``digest:``, ``"digest":``, ``image.digest=`` or ``${DIGEST:-``."""
_LOOK_BACK: Final = 256
"""Characters before a digest that are looked at: references are not longer."""


class Outcome(StrEnum):
    """What became of a digest that was found."""

    REWRITTEN = "rewritten"
    ALREADY = "already"
    """It is the digest after a conversion, or did not change."""
    DROPPED = "dropped"
    """The conversion dropped the image; the pin was not changed."""
    UNKNOWN = "unknown"
    """It pins an image that is in no map; the pin was not changed."""
    BARE = "bare"
    """The hex digits of an old digest without its algorithm; not changed."""


@dataclass(frozen=True, slots=True, repr=False)
class Pin(Plain):
    """A digest that was found in a text."""

    line: int
    """The line, counted from 1."""
    name: str
    """What stands before the ``@``; empty if there is none."""
    old: str
    """The digest as it was found."""
    new: str | None
    """What it is after a conversion, if that is known."""
    outcome: Outcome
    """What became of it."""


@dataclass(frozen=True, slots=True, repr=False)
class Repinned(Brief):
    """A text with its pins as a conversion says, and what was found in it."""

    text: str
    pins: tuple[Pin, ...]

    @property
    def changed(self) -> bool:
        """Whether the text is another one than before."""
        return any(pin.outcome is Outcome.REWRITTEN for pin in self.pins)

    @property
    def counts(self) -> Counter[Outcome]:
        """How many pins there are of each outcome."""
        return Counter(pin.outcome for pin in self.pins)


def repin(text: str, pins: Mapping[str, str | None], *, bare: bool = False) -> Repinned:
    """Replace the digests of images in ``text`` that ``pins`` knows, and nothing else.

    ``pins`` leads from the old digest of an image to its new one, or to ``None`` if it was dropped:
    :attr:`Report.pins <oci_convert.Report.pins>`, or what :func:`~oci_convert.read_pins` read. Each
    digest is looked up once, so that two entries never make a chain. With ``bare``, hex digits that
    have no ``sha256:`` before them are replaced, too, if they are those of an old digest and stand
    alone.

    A file of any encoding that includes ASCII survives ``decode("utf-8", "surrogateescape")`` and
    encoding it back.
    """
    parts: list[str] = []
    found: list[Pin] = []
    done = 0
    for start, pin in _found(text, pins, bare=bare):
        found.append(pin)
        if pin.outcome is Outcome.REWRITTEN and pin.new is not None:
            parts += text[done:start], pin.new
            done = start + len(pin.old)
    return Repinned("".join([*parts, text[done:]]), tuple(found))


def _found(text: str, pins: Mapping[str, str | None], *, bare: bool) -> Iterator[tuple[int, Pin]]:
    """Every digest to report, and where it begins."""
    known = frozenset(pins.values())
    line, counted = 1, 0
    for match in _DIGEST.finditer(text):
        start, old = match.start(), match[0]
        if match["digest"] is None:
            outcome, new = _judge_bare(old, pins, bare=bare)
        else:
            outcome, new = _judge(old, pins, known)
        before = text[max(start - _LOOK_BACK, 0) : start]
        if outcome is None or (outcome is Outcome.UNKNOWN and not _pins_an_image(before)):
            continue
        line += text.count("\n", counted, start)
        counted = start
        yield start, Pin(line, _name(before), old, new, outcome)


def _judge(
    digest: str, pins: Mapping[str, str | None], known: frozenset[str | None]
) -> tuple[Outcome, str | None]:
    new = pins.get(digest)
    if new is None and digest not in known:
        return Outcome.DROPPED if digest in pins else Outcome.UNKNOWN, None
    if new is None or new == digest:
        return Outcome.ALREADY, digest
    return Outcome.REWRITTEN, new


def _judge_bare(
    encoded: str, pins: Mapping[str, str | None], *, bare: bool
) -> tuple[Outcome | None, str | None]:
    algorithm = _ALGORITHMS[len(encoded)]
    new = pins.get(f"{algorithm}:{encoded}")
    if new is None or new == f"{algorithm}:{encoded}" or not new.startswith(f"{algorithm}:"):
        return None, None
    return Outcome.REWRITTEN if bare else Outcome.BARE, new.partition(":")[2]


def _pins_an_image(before: str) -> bool:
    return before.endswith("@") or _MEMBER.search(before) is not None


def _name(before: str) -> str:
    if not before.endswith("@"):
        return ""
    line = before[:-1]
    return line[len(line.rstrip(_IN_A_NAME)) :].lstrip(_MARKS)
