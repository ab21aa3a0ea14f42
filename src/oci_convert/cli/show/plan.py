"""The plan of a run: what becomes of each blob, and why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from oci_convert.cli.show.columns import Row, laid_out
from oci_convert.cli.show.terminal import tell, width_of
from oci_convert.cli.show.text import Style, Text, joined
from oci_convert.cli.show.words import (
    bytes_of,
    digest_of,
    in_words,
    packing_of,
    short_type,
)
from oci_convert.spec.media_types import (
    Family,
    Kind,
    Standing,
    counterpart,
    families,
    look_up,
)

if TYPE_CHECKING:
    from oci_convert.report import MapRow, Report

__all__ = ["plan"]

_LAYOUTS: Final = (
    ("change", "blob", "size", "digest", "type"),
    ("change", "blob", "size", "digest", "short type"),
    ("change", "blob", "size", "digest", "words"),
    ("change", "blob", "digest", "words"),
    ("change", "blob", "digest"),
    ("change", "blob"),
)
_STYLES: Final = {
    "kept": Style.FAINT,
    "relabelled": Style.GOOD,
    "edited": Style.PLACE,
    "rehashed": Style.PLACE,
    "repacked": Style.WARNING,
    "dropped": Style.LOSS,
}
_REASONS: Final = {
    "config-type-corrected": "mislabelled",
    "foreign-layer-absent": "absent",
    "mislabelled-layer": "mislabelled",
    "schema1-upgraded": "schema 1",
    "sparse-index": "sparse",
    "unrecognised-layer": "not a tar",
}
"""Findings that give the reason of a change, in few words."""

_GONE: Final = frozenset(
    {
        "attestation-dropped",
        "entry-dropped",
        "index-flattened",
        "missing-child",
        "nested-index-flattened",
        "platform-not-selected",
    }
)
"""Findings that say why something is dropped."""


def plan(report: Report) -> None:
    """The plan as a table, on standard error."""
    rows = list(_Plan(report).rows())
    for line in laid_out(rows, _LAYOUTS, width_of(sys.stderr), right={"size"}, beside=True):
        tell(line)


class _Plan:
    def __init__(self, report: Report):
        self._report = report
        # Where images failed, the numbers of the others do not match.
        images = () if report.failures else report.images
        self._names = {f"images[{i}]": im.name or im.source for i, im in enumerate(images)}
        self._codes: dict[str, list[str]] = {}
        for finding in report.findings:
            self._codes.setdefault(finding.where, []).append(finding.code)
        self._kinds = {row.where: row.kind for row in report.map}

    def rows(self) -> Iterator[Row | Text]:
        """The rows of the table; the name of an image stands over it."""
        above = ""
        for row in self._report.map:
            top = row.where.partition(".")[0]
            if top != above and top in self._names:
                yield Text(self._names[top], Style.STRONG)
            above = top
            yield Row(_cells(row), self._reason(row), Text("  "))

    def _reason(self, row: MapRow) -> Text:
        """The reason: from the findings, else by the rule."""
        found = self._codes.get(row.where, [])
        if row.change.value == "dropped":
            words = [code for code in found if code in _GONE]
        else:
            words = [_REASONS[code] for code in found if code in _REASONS]
        if words:
            return Text(", ".join(dict.fromkeys(words)), Style.NOTE)
        return Text(self._rule(row), Style.FAINT)

    def _rule(self, row: MapRow) -> str:
        match row.change.value:
            case "kept":
                to = self._report.to
                return f"already {to}" if to in families(row.old.media_type) else "unchanged"
            case "relabelled":
                return "same bytes"
            case "edited":
                moves = row.new is not None and row.new.media_type != row.old.media_type
                return "new types" if moves else "new digests"
            case "repacked":
                return self._why_recompressed(row)
        parent = self._kinds.get(row.where.rpartition(".")[0])
        return f"with its {parent.value}" if parent is not None else ""

    def _why_recompressed(self, row: MapRow) -> str:
        if self._report.options.get("compress", "auto") != "auto":
            return "as asked"
        name = counterpart(row.old.media_type, Family(self._report.to))
        meaning = None if name is None else look_up(name)
        if meaning is None or meaning.standing is Standing.UNOFFICIAL:
            return "needs gzip"
        return "as pushed"


def _cells(row: MapRow) -> dict[str, Text]:
    depth = row.where.count(".")
    blob = [Text("  " * depth + row.kind.value), Text(_detail(row), Style.PLACE)]
    return {
        "change": Text(row.change.label, _STYLES[row.change.value]),
        "blob": joined(" ", blob),
        "size": Text(bytes_of(row.old.size)),
        "digest": digest_of(row.old.digest),
        "type": _types(row, str),
        "short type": _types(row, short_type),
        "words": _types(row, in_words) if row.new is not None else Text(),
    }


def _detail(row: MapRow) -> str:
    """What distinguishes a blob from others of its kind."""
    if row.kind is not Kind.LAYER:
        return row.platform or ""
    packed = [packing_of(named.media_type) for named in (row.old, row.new) if named is not None]
    return " → ".join(dict.fromkeys(word for word in packed if word))


def _types(row: MapRow, spelled: Callable[[str], str]) -> Text:
    """The old and the new media type, as ``spelled`` spells them; one if they are the same."""
    types = [spelled(named.media_type) for named in (row.old, row.new) if named is not None]
    return Text(" → ".join(dict.fromkeys(types)))
