"""The pins that were found in all files of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from oci_convert.cli.text_files import TextFile, bytes_of_text
from oci_convert.documents.document import read_document
from oci_convert.errors import DocumentError
from oci_convert.plain import Plain, dumped
from oci_convert.report import REPORT_LIMIT, read_pins
from oci_convert.spec.media_types import Kind
from oci_convert.transform.repin import Outcome, Pin, Repinned, repin

__all__ = ["FoundPins", "find_pins"]


@dataclass(slots=True)
class FoundPins:
    """What was found in all files."""

    files: list[tuple[TextFile, Repinned]] = field(default_factory=list)
    left_alone: list[tuple[str, str]] = field(default_factory=list)
    """Files that hold digests and must not be edited, and what they are."""
    written: bool = False
    refused: bool = False
    """Nothing was written because of pins that no map knows."""

    @property
    def changed(self) -> list[tuple[TextFile, Repinned]]:
        """The files that get, or would get, another text."""
        return [(file, repinned) for file, repinned in self.files if repinned.changed]

    @property
    def open(self) -> bool:
        """Whether there is a pin that the maps do not lead anywhere."""
        counts = self.counts
        return any(counts[out] for out in (Outcome.DROPPED, Outcome.UNKNOWN, Outcome.BARE))

    @property
    def counts(self) -> Counter[Outcome]:
        """How many pins there are of each outcome."""
        return sum((repinned.counts for _, repinned in self.files), Counter())

    def to_json(self) -> dict[str, Any]:
        """What was found as plain data."""
        counts = {outcome.value: count for outcome, count in self.counts.items()}
        files = (
            RepinnedFile(file.name, repinned.changed, repinned.pins)
            for file, repinned in self.files
        )
        found = RepinnedFiles(
            written=self.written,
            files=tuple(files),
            left_alone=tuple(LeftAlone(name, what) for name, what in self.left_alone),
            totals=PinTotals(changed=len(self.changed), **counts),
        )
        return dumped(found)  # names of files stay what they are, bytes that are no text included


@dataclass(frozen=True, slots=True, repr=False)
class RepinnedFile(Plain):
    """A file with pins."""

    file: str
    """Its name, as given or found; - is standard input."""
    changed: bool
    """Whether it gets, or would get, another text."""
    pins: tuple[Pin, ...]
    """Its pins, in the order of the text."""


@dataclass(frozen=True, slots=True, repr=False)
class LeftAlone(Plain):
    """A file with pins that must not be edited, as it is kept by its own digest."""

    file: str
    """Its name."""
    what: str
    """What it is, in words for people."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PinTotals(Plain):
    """How many files changed, and how many pins there are of each outcome."""

    changed: int
    """Files that get, or would get, another text."""
    rewritten: int = 0
    """Pins that were rewritten."""
    already: int = 0
    """Pins that were up to date."""
    dropped: int = 0
    """Pins of images that the conversion dropped."""
    unknown: int = 0
    """Pins of images that are in no map."""
    bare: int = 0
    """Hex digits of an old digest without its algorithm."""


@dataclass(frozen=True, kw_only=True, repr=False)
class RepinnedFiles(Plain):
    """The pins that were found: ``repin --json``."""

    version: Literal[1] = field(default=1, init=False)
    """The version of this format: a key that goes, or changes its meaning, changes it."""
    written: bool
    """Whether files were written; false with --check, and where --strict refused."""
    files: tuple[RepinnedFile, ...]
    """The files that hold pins."""
    left_alone: tuple[LeftAlone, ...]
    """Files with pins that must not be edited, as they are kept by their own digest."""
    totals: PinTotals
    """How many files changed, and how many pins there are of each outcome."""


def find_pins(
    files: Iterable[TextFile], pins: Mapping[str, str | None], *, bare: bool
) -> FoundPins:
    """Look for pins in all files."""
    found = FoundPins()
    for file in files:
        repinned = repin(file.text, pins, bare=bare)
        if not repinned.pins:
            continue
        what = _kept_by_digest(file.text)
        if what is None:
            found.files.append((file, repinned))
        elif repinned.changed:
            found.left_alone.append((file.name, what))
    return found


def _kept_by_digest(text: str) -> str | None:
    """What a text is if editing it would make it false."""
    if not text.lstrip().startswith("{"):
        return None
    raw = bytes_of_text(text)
    try:
        read_pins(raw)
    except DocumentError:
        try:
            kind = read_document(raw, None, size_limit=REPORT_LIMIT).kind
        except DocumentError:
            return None
        return "an index" if kind is Kind.INDEX else "a manifest"
    return "a report of oci-convert"
