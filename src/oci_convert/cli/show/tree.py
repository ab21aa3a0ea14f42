"""The images of a source, drawn as trees."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from oci_convert.cli.show.columns import Row, laid_out
from oci_convert.cli.show.terminal import say, width_of
from oci_convert.cli.show.text import Style, Text, joined
from oci_convert.cli.show.words import (
    bytes_of,
    count_of,
    digest_of,
    family_of,
    packing,
    packing_of,
    short_type,
)
from oci_convert.spec.media_types import Kind

if TYPE_CHECKING:
    from oci_convert.findings import Finding
    from oci_convert.inspection.inspect import Inspected, Inspection

__all__ = ["tree"]

_LAYOUTS: Final = (
    ("blob", "size", "digest", "type"),
    ("blob", "size", "digest", "short type"),
    ("detailed", "size", "digest", "family"),
    ("detailed", "size", "digest"),
    ("detailed", "digest"),
    ("blob", "size", "digest"),
    ("blob", "digest"),
    ("bare", "digest"),
)
_NARROW: Final = 60
"""Columns below which branches are drawn short."""
_CODES: Final = {
    "absent": ("blob-missing", "sparse-index"),
    "mislabelled": ("mislabelled-layer", "mislabelled-document"),
    "misspelled": ("misspelled-media-type",),
    "neither": ("opaque-blob",),
}
"""The beginnings of notes about problems, and the findings that say the same."""
_STYLES: Final = {"error": Style.ERROR, "warning": Style.WARNING}
"""The levels of problems; other findings are not shown."""


def tree(inspection: Inspection, *, full: bool = False, title: str = "") -> None:
    """The images of a source, on standard output; ``full``: digests and media types whole.

    ``title`` is the source where there are several: it comes before, and an empty line after.
    """
    if title:
        say(Text(f"{title}:", Style.PLACE))
    width = width_of(sys.stdout)
    drawing = _Drawing(inspection, full=full, narrow=width is not None and width < _NARROW)
    layouts = _LAYOUTS[:1] if full else _LAYOUTS
    for finding in inspection.findings:
        say(_finding(finding, finding.where.rpartition(": ")[0] + ": "))
    for line in laid_out(list(drawing.rows()), layouts, None if full else width, right={"size"}):
        say(line)
    if title:
        say()


@dataclass
class _Drawing:
    inspection: Inspection
    full: bool
    narrow: bool
    _drawn: dict[str, str] = field(default_factory=dict)
    """What the images that were drawn are called, by digest."""
    _platforms: dict[str, str] = field(default_factory=dict)
    """Of the documents of the image that is drawn, by digest."""

    def rows(self) -> Iterator[Row | Text]:
        """The rows of all images, a title before each."""
        for i, image in enumerate(self.inspection.images):
            if i:
                yield Text()
            yield from self._image(image)

    def _image(self, image: Inspected) -> Iterator[Row | Text]:
        title = Text(image.name or "(unnamed)", Style.STRONG)
        digest = image.digest
        if digest and digest in self._drawn:
            yield title + Text(f" is the same as {self._drawn[digest]}", Style.FAINT)
            return
        self._drawn[digest] = image.name or image.where
        blobs = list(image.walk())
        self._platforms = {b.digest: b.platform for b in blobs if b.platform}
        sizes = {b.digest: b.size for b in blobs if b.present}
        held = f"  {count_of('blob', len(sizes))}, {bytes_of(sum(sizes.values()))}"
        yield title + Text(held, Style.FAINT)
        yield from self._blob(image, "", "")

    def _blob(self, blob: Inspected, branch: str, stem: str) -> Iterator[Row]:
        """The rows of a blob behind ``branch``, and of what it names behind ``stem``."""
        below = [(child, "─") for child in blob.children]
        below += [(referrer, "╌") for referrer in blob.referrers]
        yield Row(
            self._cells(blob, branch),
            self._notes(blob),
            Text(stem + self._piece("│" if below else " ", " "), Style.FAINT),
        )
        for i, (child, line) in enumerate(below):
            last = i == len(below) - 1
            yield from self._blob(
                child,
                stem + self._piece("└" if last else "├", line),
                stem + self._piece(" " if last else "│", " "),
            )

    def _piece(self, corner: str, line: str) -> str:
        """One step of the branches: ``├── ``."""
        return corner + line if self.narrow else f"{corner}{line * 2} "

    def _cells(self, blob: Inspected, branch: str) -> dict[str, Text]:
        start = Text(branch, Style.FAINT) + blob.kind.value
        about = blob.platform or short_type(blob.artifact_type or "")
        return {
            "bare": joined(" ", [start, Text(blob.platform or "", Style.PLACE)]),
            "blob": joined(" ", [start, Text(about, Style.PLACE)]),
            "detailed": joined(" ", [start, Text(about or _detail(blob), Style.PLACE)]),
            "size": Text(bytes_of(blob.size) if blob.digest else ""),
            "digest": digest_of(blob.digest, whole=self.full),
            "family": Text(family_of(blob.family)),
            "type": Text(blob.media_type),
            "short type": Text(short_type(blob.media_type)),
        }

    def _notes(self, blob: Inspected) -> Text:
        left = [finding for finding in blob.findings if finding.level.value in _STYLES]
        told = [self._note(blob, note, left) for note in blob.notes]
        return joined(", ", (*told, *(_finding(finding, f"{blob.where}.") for finding in left)))

    def _note(self, blob: Inspected, note: str, left: list[Finding]) -> Text:
        """A note; what it tells of the findings that are ``left`` is not told again."""
        codes = next((codes for start, codes in _CODES.items() if note.startswith(start)), ())
        for finding in [finding for finding in left if finding.code in codes]:
            left.remove(finding)
            return Text(note, _STYLES[finding.level.value]) + _code(finding)
        if codes:
            return Text(note, Style.WARNING)
        if note == "attestation" and blob.subject is not None:
            of = self._platforms.get(blob.subject)
            note += f" of {of or digest_of(blob.subject)}"
        return Text(note, Style.NOTE)


def _finding(finding: Finding, above: str = "") -> Text:
    """A finding; where it is below the blob that it is told of, its place from there."""
    place = finding.where.removeprefix(above) if finding.where.startswith(above) else ""
    style = _STYLES.get(finding.level.value, Style.NOTE)
    return (
        Text(f"{place}: " if place else "", style) + Text(finding.message, style) + _code(finding)
    )


def _code(finding: Finding) -> Text:
    return Text(f" [{finding.code}]", Style.FAINT)


def _detail(blob: Inspected) -> str:
    """What distinguishes a blob from others of its kind, without a column for its media type."""
    if blob.kind is Kind.ARTIFACT:
        return short_type(blob.media_type)
    packed = packing_of(blob.media_type)
    return packed if blob.compression is None else packing(blob.compression)
