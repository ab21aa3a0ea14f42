"""The images of a source as a diagram for Mermaid, which GitHub, GitLab and mkdocs draw.

It shows what the figure of media types in the OCI image specification shows, for these images:
which descriptor in which document names what. A blob is one box, even if named several times.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from oci_convert.cli.show.terminal import say
from oci_convert.cli.show.words import bytes_of, count_of, digest_of, short_type
from oci_convert.spec.media_types import Kind
from oci_convert.text.printable import printable

if TYPE_CHECKING:
    from oci_convert.inspection.inspect import Inspected, Inspection

__all__ = ["graph"]

_MOST: Final = 400
"""Relations from which on the layers of a manifest share a box: Mermaid draws 500."""

_SHAPES: Final = {
    Kind.INDEX: ("[[", "]]"),
    Kind.MANIFEST: ("[", "]"),
    Kind.CONFIG: ("(", ")"),
    Kind.LAYER: ("[(", ")]"),
    Kind.ARTIFACT: ("{{", "}}"),
}
_PLAIN: Final = frozenset(string.ascii_letters + string.digits + " ._/:+-,()[]")


def graph(inspection: Inspection) -> None:
    """The diagram, on standard output."""
    relations = sum(1 for image in inspection.images for _ in image.walk())
    drawing = _Drawing(folded=relations > _MOST)
    for line in drawing.of(inspection):
        say(line)


@dataclass
class _Drawing:
    folded: bool
    """Whether the layers of a manifest are one box."""
    lines: list[str] = field(default_factory=lambda: ["flowchart TD"])
    boxes: dict[str, str] = field(default_factory=dict)
    """What the boxes are called in the diagram, by what they stand for."""
    opened: set[str] = field(default_factory=set)
    """The boxes of documents whose arrows are drawn."""
    drawn: set[tuple[str, str]] = field(default_factory=set)
    absent: list[str] = field(default_factory=list)

    def of(self, inspection: Inspection) -> list[str]:
        """The lines of the whole diagram."""
        for i, image in enumerate(inspection.images):
            self._add(f'name{i}(["{_spelled(image.name or "(unnamed)")}"])')
            self._arrow(f"name{i}", self._box(image))
            self._open(image)
        for image in inspection.images:
            for blob in image.walk():
                self._speak(blob)
        if self.absent:
            self._add("classDef absent stroke-dasharray: 4 4")
            self._add(f"class {','.join(self.absent)} absent")
        return self.lines

    def _add(self, line: str) -> None:
        self.lines.append(f"    {line}")

    def _arrow(self, box: str, other: str, label: str = "", line: str = "-->") -> None:
        self._add(f'{box} {line}|"{label}"| {other}' if label else f"{box} {line} {other}")

    def _box(self, blob: Inspected) -> str:
        """The box of a blob, which is drawn unless it stands already."""
        key = f"{blob.kind} {blob.digest or blob.where}"
        if key not in self.boxes:
            box = self._new_box(key, blob.kind, _label(blob))
            if not blob.present:
                self.absent.append(box)
        return self.boxes[key]

    def _new_box(self, key: str, kind: Kind, lines: list[str]) -> str:
        box = self.boxes[key] = f"b{len(self.boxes)}"
        start, end = _SHAPES[kind]
        self._add(f'{box}{start}"{"<br>".join(map(_spelled, lines))}"{end}')
        return box

    def _open(self, blob: Inspected) -> None:
        """Draw what a document names, and its referrers."""
        box = self._box(blob)
        if box in self.opened:
            return
        if blob.children or blob.referrers:
            self.opened.add(box)
        layers = [child for child in blob.children if child.kind is Kind.LAYER]
        for i, child in enumerate(blob.children):
            if not (self.folded and child.kind is Kind.LAYER):
                self._arrow(box, self._box(child), _member(blob, i))
                self._open(child)
        if self.folded and layers:
            size = sum(layer.size for layer in layers)
            lines = [count_of("layer", len(layers)), bytes_of(size)]
            self._arrow(box, self._new_box(f"layers {box}", Kind.LAYER, lines), "layers")
        for referrer in blob.referrers:
            self._box(referrer)
            self._open(referrer)

    def _speak(self, blob: Inspected) -> None:
        """Draw the subject of an attestation, a referrer or a signature, if it is drawn."""
        kinds = (Kind.MANIFEST, Kind.INDEX)
        box = self._box(blob) if blob.subject is not None else ""
        for subject in (self.boxes.get(f"{kind} {blob.subject}") for kind in kinds):
            if subject is not None and (box, subject) not in self.drawn:
                self.drawn.add((box, subject))
                self._arrow(box, subject, _speaking(blob), "-.->")


def _member(document: Inspected, position: int) -> str:
    """Where a document names its child: ``layers[2]``."""
    if document.kind is Kind.INDEX:
        return f"manifests[{position}]"
    return "config" if position == 0 else f"layers[{position - 1}]"


def _speaking(blob: Inspected) -> str:
    if "signature" in blob.notes:
        return "signs"
    return "attests" if blob.attestation else "subject"


def _label(blob: Inspected) -> list[str]:
    first = f"{blob.kind.value} {blob.platform or ''}".strip()
    size = f"{digest_of(blob.digest)}, {bytes_of(blob.size)}"
    said = [blob.artifact_type] if blob.artifact_type else []
    return [first, short_type(blob.media_type), *map(short_type, said), size, *blob.notes]


def _spelled(text: str) -> str:
    """``text`` for a quoted label; what Mermaid might take for its own is named by its number."""
    return "".join(c if c in _PLAIN or not c.isascii() else f"#{ord(c)};" for c in printable(text))
