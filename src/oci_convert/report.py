"""The report of a run: old and new descriptors of the whole tree, findings, totals."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from oci_convert.documents.document import read_object
from oci_convert.errors import DocumentError, remedied
from oci_convert.findings import Finding, Level
from oci_convert.spec.media_types import Kind
from oci_convert.spec.models import Descriptor, validate

__all__ = [
    "REPORT_LIMIT",
    "Change",
    "ConvertedImage",
    "Failure",
    "MapRow",
    "Report",
    "Totals",
    "read_map",
    "read_pins",
]

VERSION: Final = 1
REPORT_LIMIT: Final = 256 * 1024 * 1024
"""Bytes of a report that is read back: a record holds whole documents."""
_REMEDY: Final = "give a file written by convert --json or --record"
_PINNED: Final = (Kind.INDEX, Kind.MANIFEST)
"""What a digest pins: a config never changes, and nobody names a layer."""


class Change(StrEnum):
    """What became of a blob."""

    KEPT = "kept"
    RELABELLED = "relabelled"
    """The same bytes under another media type."""
    EDITED = "edited"
    """A document whose bytes changed in place."""
    REPACKED = "repacked"
    """A layer whose tar is the same, packed in another way."""
    DROPPED = "dropped"

    @property
    def spoken(self) -> str:
        """The word for people; in a report the value is stable, as programs read it."""
        return "recompressed" if self is Change.REPACKED else self.value


@dataclass(frozen=True, slots=True)
class ConvertedImage:
    """One image of the run."""

    name: str | None
    """What the target calls it."""
    source: str
    """The reference that it comes from."""
    old: Descriptor | None
    """``None`` for an image that had no manifest: its archive had only a list of layers."""
    new: Descriptor
    reversible: bool
    """Whether converting back gives the same bytes for everything below."""

    def to_json(self) -> dict[str, Any]:
        """The image as it stands in a report."""
        return {
            "name": self.name,
            "source": _text(self.source),
            "old": None if self.old is None else self.old.triple(),
            "new": self.new.triple(),
            "reversible": self.reversible,
        }


@dataclass(frozen=True, slots=True)
class MapRow:
    """What became of one distinct blob, at its first place."""

    kind: Kind
    where: str
    old: Descriptor
    new: Descriptor | None
    """``None`` if it was dropped."""
    change: Change
    platform: str | None = None
    """``OS/ARCH[/VARIANT]`` of a manifest."""

    def to_json(self) -> dict[str, Any]:
        """The row as it stands in a report."""
        return {
            "kind": self.kind.value,
            "where": self.where,
            "old": self.old.triple(),
            "new": None if self.new is None else self.new.triple(),
            "change": self.change.value,
            "platform": self.platform,
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that could not be converted, in a run that kept going."""

    source: str
    code: str
    where: str
    message: str

    def to_json(self) -> dict[str, str]:
        """The failure as it stands in a report."""
        return {
            "source": _text(self.source),
            "code": self.code,
            "where": _text(self.where),
            "message": _text(self.message),
        }


def _text(line: str) -> str:
    """Paths may hold bytes that are no text. They are spelled out, so that reports can be read."""
    return line.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class Totals:
    """What a run moved."""

    blobs: int
    """Distinct blobs in the target that the images need."""
    bytes_read: int
    bytes_written: int
    seconds: float
    requests: int = 0
    """Requests to registries."""
    bytes_down: int = 0
    """Bytes that registries sent."""
    bytes_up: int = 0
    """Bytes that were sent to registries."""

    def to_json(self) -> dict[str, Any]:
        """The totals as they stand in a report."""
        return {
            "blobs": self.blobs,
            "bytes_read": self.bytes_read,
            "bytes_written": self.bytes_written,
            "seconds": round(self.seconds, 3),
            "requests": self.requests,
            "bytes_down": self.bytes_down,
            "bytes_up": self.bytes_up,
        }


@dataclass(frozen=True)
class Report:
    """Everything that a conversion did."""

    source: str
    destination: str
    to: str
    dry_run: bool
    images: tuple[ConvertedImage, ...]
    map: tuple[MapRow, ...]
    findings: tuple[Finding, ...]
    totals: Totals
    failures: tuple[Failure, ...] = ()
    """What could not be converted, if the run was asked to keep going."""
    codecs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Library, version and level of what packed layers, if anything did."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options that decide what a document becomes, for ``--restore``."""
    originals: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """The bytes of every document that is not reversible, by digest; written with ``--record``."""

    @cached_property
    def digest_map(self) -> dict[str, Descriptor]:
        """From every old digest to the descriptor of what it became; dropped ones are left out."""
        return {row.old.digest: row.new for row in self.map if row.new is not None}

    @cached_property
    def pins(self) -> dict[str, str | None]:
        """From the old digest of every image, index or manifest, to the new one, for ``repin``.

        ``None`` for what was dropped. An index that gave way to its one image leads to that image.
        """
        found = {
            row.old.digest: None if row.new is None else row.new.digest
            for row in self.map
            if row.kind in _PINNED
        }
        return found | {
            image.old.digest: image.new.digest for image in self.images if image.old is not None
        }

    @property
    def reversible(self) -> bool:
        """Whether the way back gives the same bytes for every image."""
        return all(image.reversible for image in self.images)

    @property
    def losses(self) -> tuple[Finding, ...]:
        """The findings that a migration may want to stop at."""
        return tuple(finding for finding in self.findings if finding.level is Level.LOSS)

    def to_json(self, *, originals: bool = False) -> dict[str, Any]:
        """The report as plain data; with ``originals`` it is a record."""
        value: dict[str, Any] = {
            "version": VERSION,
            "source": _text(self.source),
            "destination": _text(self.destination),
            "to": self.to,
            "dry_run": self.dry_run,
            "images": [image.to_json() for image in self.images],
            "map": [row.to_json() for row in self.map],
            "findings": [finding.to_json() for finding in self.findings],
            "failures": [failure.to_json() for failure in self.failures],
            "totals": self.totals.to_json(),
            "codecs": {name: dict(codec) for name, codec in self.codecs.items()},
            "options": dict(self.options),
        }
        if originals:
            value["originals"] = {
                digest: base64.b64encode(raw).decode("ascii")
                for digest, raw in self.originals.items()
            }
        return value

    def dumps(self, *, originals: bool = False) -> str:
        """The report as JSON text, indented, with a newline at its end."""
        return json.dumps(self.to_json(originals=originals), indent=2, ensure_ascii=False) + "\n"


def read_map(raw: bytes, where: str = "") -> dict[str, Descriptor]:
    """The :attr:`Report.digest_map` of a report that was written with ``--json`` or ``--record``.

    Raises :class:`DocumentError` (``not-a-report``) for anything else.
    """
    with remedied(_REMEDY):
        rows = _read_rows(_read_report(raw, where), "map", where)
        return {old.digest: new for _, old, new in rows if old is not None and new is not None}


def read_pins(raw: bytes, where: str = "") -> dict[str, str | None]:
    """The :attr:`Report.pins` of a report that was written with ``--json`` or ``--record``.

    Raises :class:`DocumentError` (``not-a-report``) for anything else.
    """
    with remedied(_REMEDY):
        report = _read_report(raw, where)
        rows = [row for row in _read_rows(report, "map", where) if row[0].get("kind") in _PINNED]
        rows += _read_rows(report, "images", where)
        return {
            old.digest: None if new is None else new.digest
            for _, old, new in rows
            if old is not None
        }


def _read_report(raw: bytes, where: str) -> dict[str, Any]:
    _, root = read_object(raw, where, size_limit=REPORT_LIMIT)
    report: dict[str, Any] = root.value
    if report.get("version") != VERSION or not isinstance(report.get("map"), list):
        raise _no_report("this is not a report of oci-convert", where)
    return report


def _read_rows(
    report: dict[str, Any], name: str, where: str
) -> Iterator[tuple[dict[str, Any], Descriptor | None, Descriptor | None]]:
    """Each row of ``map`` or ``images``, with its old and its new descriptor."""
    rows = report.get(name, [])
    if not isinstance(rows, list):
        raise _no_report(f"{name} must be an array", where)
    for i, row in enumerate(rows):
        place = f"{where}: {name}[{i}]"
        if not isinstance(row, dict):
            raise _no_report("an entry must be an object", place)
        old, new = (
            None if row.get(side) is None else validate(Descriptor, row[side], f"{place}.{side}")
            for side in ("old", "new")
        )
        if name == "map" and old is None:
            raise _no_report("the entry has no old descriptor", place)
        yield row, old, new


def _no_report(message: str, where: str) -> DocumentError:
    return DocumentError(message, code="not-a-report", where=where)
