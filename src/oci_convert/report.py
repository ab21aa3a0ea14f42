"""The report of a run: old and new descriptors of the whole tree, findings, totals."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, PlainSerializer, ValidationError

from oci_convert.documents.document import read_object
from oci_convert.errors import DocumentError, OciConvertError, remedied
from oci_convert.findings import Finding, Level, told
from oci_convert.plain import Plain, adapter, dumped, spelled_out
from oci_convert.spec.media_types import Kind
from oci_convert.spec.models import Descriptor, first_fault
from oci_convert.text.wording import Wording

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
_REMEDY: Final = Wording("give a file written by {Report.dumps()}")
_PINNED: Final = (Kind.INDEX, Kind.MANIFEST)
"""What a digest pins: a config never changes, and nobody names a layer."""


class Change(StrEnum):
    """What became of a blob."""

    KEPT = "kept"
    RELABELLED = "relabelled"
    """The same bytes under another media type."""
    EDITED = "edited"
    """A document whose bytes changed in place."""
    REHASHED = "rehashed"
    """The same bytes under a digest of another algorithm."""
    REPACKED = "repacked"
    """A layer whose tar is the same, packed in another way."""
    DROPPED = "dropped"

    @property
    def label(self) -> str:
        """The word for people; in a report the value is stable, as programs read it."""
        return "recompressed" if self is Change.REPACKED else self.value


@dataclass(frozen=True, slots=True, repr=False)
class ConvertedImage(Plain):
    """One image of the run."""

    name: str | None
    """What the target calls it; ``None`` if it has no name there."""
    source: str
    """The reference that it comes from."""
    old: Descriptor | None
    """``None`` for an image that had no manifest: its archive had only a list of layers."""
    new: Descriptor
    """The image in the target."""
    reversible: bool
    """Whether converting back gives the same bytes for everything below."""
    platform: str | None = None
    """``OS/ARCH[/VARIANT]``, as an index or the config says; ``None`` for an index, and where only
    the config says it and reading that would have been one more request to a registry."""
    pinned: str | None = None
    """The digest that its name in the source stated, if that is not the one it had."""

    def __post_init__(self) -> None:
        _reduce(self)


@dataclass(frozen=True, slots=True, repr=False)
class MapRow(Plain):
    """What became of one distinct blob, at its first place."""

    kind: Kind
    """What the blob is; an artifact is anything that is no part of an image."""
    where: str
    """Its path in the source: ``images[0].layers[2]``. Images are numbered as those of the report,
    through all sources."""
    old: Descriptor
    """What it was."""
    new: Descriptor | None
    """What it is in the target; ``None`` if it was dropped."""
    change: Change
    """What became of it."""
    platform: str | None = None
    """``OS/ARCH[/VARIANT]`` of a manifest."""
    attestation: bool = False
    """Whether it is an attestation of an index, or a part of one."""
    foreign: bool = False
    """Whether it is a layer that need not be there, as it is fetched from elsewhere."""

    def __post_init__(self) -> None:
        _reduce(self)


def _reduce(row: ConvertedImage | MapRow) -> None:
    """Keep of descriptors what is said of the blob itself: annotations stand in the documents."""
    for side in ("old", "new"):
        descriptor: Descriptor | None = getattr(row, side)
        if descriptor is not None and (bare := descriptor.bare()) is not descriptor:
            object.__setattr__(row, side, bare)


@dataclass(frozen=True, slots=True, repr=False)
class Failure(Plain):
    """An image that could not be converted, in a run that kept going: its error."""

    source: str
    """The reference that it comes from."""
    error: str
    """The class of the error: ``BlobError``."""
    code: str
    """Its code: stable, and explained in errors.md or findings.md."""
    where: str
    """Its path in that store (``images[0]`` is the first image there); empty if it is no part of an
    image."""
    message: str
    """What is wrong, for people; it may change."""
    remedy: str = ""
    """What to do, for people; empty if nobody knows."""
    store: str = ""
    """The store that it is in, as errors name it."""

    @classmethod
    def of(cls, source: str, error: OciConvertError) -> Failure:
        """The failure of what comes from ``source``, because of ``error``."""
        kind = type(error).__name__
        return cls(source, kind, error.code, error.where, error.message, error.remedy, error.store)


@dataclass(frozen=True, slots=True, repr=False)
class Totals(Plain):
    """What a run moved."""

    blobs: int = 0
    """Distinct blobs in the target that the images need."""
    bytes_read: int = 0
    """Bytes that were read."""
    bytes_written: int = 0
    """Bytes that were written; in a dry run, that would have been."""
    layer_bytes: int = 0
    """Those of them that are layers: none that the target had, or took by itself."""
    seconds: float = 0.0
    """How long it took."""
    requests: int = 0
    """Requests to registries; in a dry run, as many as the run would send if nothing fails."""
    bytes_down: int = 0
    """Bytes that registries sent, or would have."""
    bytes_up: int = 0
    """Bytes that were sent to registries, or would have been."""


def _encoded(originals: Mapping[str, bytes]) -> dict[str, str]:
    return {digest: base64.b64encode(raw).decode() for digest, raw in originals.items()}


def _decoded(originals: Any) -> Any:
    """The bytes of a record's originals; what cannot be them is for the type to refuse."""
    if not isinstance(originals, dict):
        return originals
    try:
        return {digest: base64.b64decode(text, validate=True) for digest, text in originals.items()}
    except (TypeError, ValueError):
        raise ValueError("not all of them are base64") from None


@dataclass(frozen=True, kw_only=True, repr=False)
class Report(Plain):
    """Everything that a conversion did."""

    version: Literal[1] = field(default=1, init=False)
    """The version of this format: a key that goes, or changes its meaning, changes it."""
    source: str = ""
    """The references of the sources, with spaces between them."""
    destination: str = ""
    """The reference of the target."""
    to: str = ""
    """The family that was converted to."""
    dry_run: bool = False
    """Whether nothing was written."""
    images: tuple[ConvertedImage, ...] = ()
    """The images that the target was given, in the order of the sources."""
    map: tuple[MapRow, ...]
    """What became of each distinct blob of the source, at its first place."""
    findings: tuple[Finding, ...] = ()
    """What is worth telling."""
    failures: tuple[Failure, ...] = ()
    """What could not be converted, if the run was asked to keep going."""
    totals: Totals = Totals()
    """What the run moved."""
    codecs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Library, version and level of what packed layers, by compression, if anything did."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options that decide what a document becomes."""
    originals: Annotated[
        Mapping[str, bytes],
        BeforeValidator(_decoded),
        PlainSerializer(_encoded, return_type=dict[str, str]),
    ] = field(default_factory=dict)
    """The bytes of every document that is not reversible, by digest; in JSON only of a record."""

    @cached_property
    def digest_map(self) -> Mapping[str, Descriptor]:
        """From every old digest to the descriptor of what it became; dropped ones are left out."""
        return MappingProxyType(
            {row.old.digest: row.new for row in self.map if row.new is not None}
        )

    @cached_property
    def pins(self) -> Mapping[str, str | None]:
        """From the old digest of every image, index or manifest, to the new one, for ``repin``.

        ``None`` for what was dropped. An index that gave way to its one image leads to that image.
        """
        found = {
            row.old.digest: None if row.new is None else row.new.digest
            for row in self.map
            if row.kind in _PINNED
        }
        for image in self.images:
            if image.old is not None:
                found[image.old.digest] = image.new.digest
            if image.pinned is not None:
                found.setdefault(image.pinned, image.new.digest)
        return MappingProxyType(found)

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
        value = dumped(self, exclude=None if originals else {"originals"})
        members: dict[str, Any] = spelled_out(value)
        return members

    @classmethod
    def from_json(cls, value: Any, where: str = "") -> Report:
        """The report that :meth:`to_json` gave, of this version or an earlier one.

        What it lacks is empty, and what nobody knows is passed over. Raises :class:`DocumentError`
        (``not-a-report``).
        """
        if not isinstance(value, dict) or value.get("version") != VERSION:
            raise _no_report("this is not a report of oci-convert", where)
        try:
            return adapter(cls).validate_python(value)
        except ValidationError as error:
            raise _no_report(first_fault(error), where) from None

    @classmethod
    def loads(cls, text: str | bytes, where: str = "") -> Report:
        """The report in JSON text: what the command printed, or :meth:`dumps` gave.

        Raises :class:`DocumentError`: ``not-a-report``, or one of those of JSON.
        """
        with remedied(_REMEDY):
            raw = text.encode() if isinstance(text, str) else text
            _, root = read_object(raw, where, size_limit=REPORT_LIMIT)
            return cls.from_json(root.value, where)

    def _repr_html_(self) -> str:
        from oci_convert.text.html import drawn, short_digest, table, tag

        images = table(
            ("image", "platform", "from", "to", "reversible"),
            (
                (
                    image.name or "(unnamed)",
                    image.platform or "–",
                    short_digest(None if image.old is None else image.old.digest),
                    short_digest(image.new.digest),
                    "yes" if image.reversible else tag("span", "no", kind="warning"),
                )
                for image in self.images
            ),
        )
        failures = table(
            ("failed", "where", "error", "what to do"),
            ((one.source, one.where, one.message, one.remedy) for one in self.failures),
        )
        changes = Counter(row.change.label for row in self.map)
        counts = ", ".join(f"{count} {change}" for change, count in changes.items())
        title = tag("b", f"{self.source} → {self.destination}")
        ran = " (dry run)" if self.dry_run else ""
        head = tag("div", title, f"{ran}, {self.to}: {counts or 'nothing'}")
        return drawn(head, images, failures, told(self.findings))

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the fields, and not what was made of them."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def dumps(self, *, originals: bool = False) -> str:
        """The report as JSON text, indented, with a newline at its end."""
        return json.dumps(self.to_json(originals=originals), indent=2, ensure_ascii=False) + "\n"


def read_map(raw: str | bytes, where: str = "") -> Mapping[str, Descriptor]:
    """The :attr:`Report.digest_map` of a written report; raises as :meth:`Report.loads`."""
    return Report.loads(raw, where).digest_map


def read_pins(raw: str | bytes, where: str = "") -> Mapping[str, str | None]:
    """The :attr:`Report.pins` of a written report; raises as :meth:`Report.loads`."""
    return Report.loads(raw, where).pins


def _no_report(message: str, where: str) -> DocumentError:
    return DocumentError(message, code="not-a-report", where=where, remedy=_REMEDY)
