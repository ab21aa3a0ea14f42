"""What a comparison finds: single differences, and the answer that they add up to."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import (
    PlainSerializer,
    SerializerFunctionWrapHandler,
    computed_field,
    model_serializer,
)

from oci_convert.documents.json_diff import ABSENT
from oci_convert.findings import Finding, Level, told
from oci_convert.plain import Plain
from oci_convert.spec.media_types import Compression, Kind
from oci_convert.text.html import drawn, table, tag

__all__ = [
    "CompanionValue",
    "Compared",
    "Diff",
    "Difference",
    "DifferenceKind",
    "LayerValue",
    "Verdict",
]


class Verdict(StrEnum):
    """How two sides relate."""

    EQUAL = "equal"
    """Every document has the same bytes, and so has everything that documents name."""
    FORMAT = "format"
    """Equal except for the format: the same images in other documents or another compression."""
    DIFFERENT = "different"


class DifferenceKind(StrEnum):
    """How two images differ: the first five kinds are content, the others format."""

    IMAGE = "image"
    """An image or an artifact is only on one side. Both values are names."""
    PLATFORM = "platform"
    """An image for a platform, or an artifact, is only on one side. Both values are image IDs; of
    artifacts the digests of their manifests."""
    IMAGE_ID = "image-id"
    """The digests of the configs."""
    CONFIG = "config"
    """A member of the configs."""
    LAYER = "layer"
    """A layer by its content: another one, one more, or the same at another position. Both values
    are objects: ``position``, ``diff_id`` (or null), ``digest``, ``size``, ``compression`` (or
    null)."""

    DIGEST = "digest"
    """The digests of two documents. A document that was made up, because a ``docker save`` archive
    has none, has no value."""
    MEDIA_TYPE = "media-type"
    ANNOTATION = "annotation"
    MEMBER = "member"
    """Any other member of a manifest, an index, or one of their descriptors."""
    PACKING = "packing"
    """The same layer in other bytes. The values are those of ``layer``."""
    MISLABELLED = "mislabelled"
    """A media type contradicts the bytes of its layer. The value is what the bytes are, on the side
    that has the wrong media type."""
    INDEX = "index"
    """An index or a list of manifests is only on one side. Both values are digests."""
    ORDER = "order"
    """The images of an index stand in another order. Both values are arrays of platforms."""
    REPEATED = "repeated"
    """An index lists an image more often than the other one. Both values are image IDs."""
    COMPANION = "companion"
    """An attestation, a referrer, a signature or an absent image is on one side only, or another
    one. Both values are objects: ``what``, ``digest``, ``present``."""


_CELL: Final = 200
"""Characters of a value in a table."""
_CONTENT: Final = frozenset(
    {
        DifferenceKind.IMAGE,
        DifferenceKind.PLATFORM,
        DifferenceKind.IMAGE_ID,
        DifferenceKind.CONFIG,
        DifferenceKind.LAYER,
    }
)


@dataclass(frozen=True, slots=True, repr=False)
class LayerValue(Plain):
    """A layer by its content: the value of differences of kind ``layer`` and ``packing``."""

    position: int
    """Where it stands among the layers."""
    diff_id: str | None
    """The digest of its tar; ``None`` if no config speaks of it."""
    digest: str
    """Its digest."""
    size: int
    """Its bytes."""
    compression: Compression | None
    """How it is compressed; ``None`` if nothing says it."""


@dataclass(frozen=True, slots=True, repr=False)
class CompanionValue(Plain):
    """A document beside the images: the value of differences of kind ``companion``."""

    what: str
    """What it is, in words for people: attestation, referrer, signature."""
    digest: str
    """Its digest."""
    present: bool
    """Whether its bytes are in the store."""


def _finite(value: Any) -> Any:
    """``value`` with numbers that JSON readers cannot represent (``1e999``) as text."""
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True, repr=False)
class Difference(Plain):
    """One thing in which the two sides differ."""

    kind: DifferenceKind
    """In what they differ."""
    blob: Kind
    """What kind of blob it is about."""
    where: str
    """Its path on the left, ``images[0].layers[2]``, or on the right if only that side has it."""
    left: Annotated[Any, PlainSerializer(_finite, return_type=Any)]
    """The value on the left, as plain data; :data:`ABSENT` if there is none, and no key in JSON."""
    right: Annotated[Any, PlainSerializer(_finite, return_type=Any)]
    """The value on the right, likewise."""
    member: str | None = field(default=None, kw_only=True)
    """The path in the blob: ``config.Env[3]``."""
    image: str | None = field(default=None, kw_only=True)
    """The name of the image, or its path."""
    platform: str | None = field(default=None, kw_only=True)
    """The platform of the image; ``None`` for what concerns an index, or is not known."""

    @computed_field  # type: ignore[prop-decorator] # as pydantic says of properties
    @property
    def content(self) -> bool:
        """Whether it makes the images different ones, and not only their format."""
        return self.kind in _CONTENT

    @model_serializer(mode="wrap")
    # With a type of what it returns, that would be its schema instead of the class.
    def _without_absent(self, handler: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        absent = {side for side in ("left", "right") if getattr(self, side) is ABSENT}
        return {name: value for name, value in handler(self).items() if name not in absent}


def _cut(value: Any) -> str:
    """A value in a table."""
    if value is ABSENT:
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _CELL else f"{text[:_CELL]}…"


@dataclass(frozen=True, slots=True, repr=False)
class Compared(Plain):
    """Images that were compared with each other, by their names or paths."""

    left: tuple[str, ...]
    """Those on the left."""
    right: tuple[str, ...]
    """Those on the right."""


@dataclass(frozen=True, repr=False)
class Diff(Plain):
    """Two sides, and everything in which they differ; iterating gives the differences."""

    version: Literal[1] = field(default=1, init=False)
    """The version of this format: a key that goes, or changes its meaning, changes it."""
    left: str
    """The reference of the left side."""
    right: str
    """The reference of the right side."""
    images: tuple[Compared, ...]
    """Which images were compared with which."""
    differences: tuple[Difference, ...]
    """Image by image; of each image first the content."""
    findings: tuple[Finding, ...]
    """Errors are layers that are not what their documents say: such an image is different from
    every other. The rest is what was not compared, and what was not verified."""

    def _repr_html_(self) -> str:
        kind = "bad" if self.answer is Verdict.DIFFERENT else "good"
        answer = tag("b", self.answer.value, kind=kind)
        rows = (
            (
                *(one.image or "–", one.platform or "–", one.kind.value),
                *(one.where, one.member or "", _cut(one.left), _cut(one.right)),
            )
            for one in self.differences
        )
        heads = ("image", "platform", "difference", "where", "member", "left", "right")
        head = tag("div", f"{self.left} ↔ {self.right}: ", answer)
        return drawn(head, table(heads, rows), told(self.findings))

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.differences)

    @computed_field  # type: ignore[prop-decorator] # as pydantic says of properties
    @property
    def answer(self) -> Verdict:
        """How the sides relate."""
        wrong = any(finding.level is Level.ERROR for finding in self.findings)
        if wrong or any(difference.content for difference in self.differences):
            return Verdict.DIFFERENT
        return Verdict.FORMAT if self.differences else Verdict.EQUAL

    @computed_field  # type: ignore[prop-decorator] # as pydantic says of properties
    @property
    def same(self) -> bool:
        """Whether both sides hold the same images, whatever their format."""
        return self.answer is not Verdict.DIFFERENT
