"""Images version 1, as Docker made them before 2016, and their upgrade.

An image version 1 (Docker *image/spec/v1.md*) is one layer and a JSON that names the image below.
A manifest of schema 1 contains the JSON of each of its layers, and so does an archive of Docker
before 1.10: one upgrade for both.

The upgrade is the one that Docker and containers/image make, so that the image ID is the same,
with every tool: the config is the JSON of the top layer, its members sorted and spelled as Go
spells them, without what only version 1 knows, and with the history and the ``diff_ids`` that
version 1 lacks. Only images of Docker before 1.8.3 get another ID here: the others pass their JSON
through a Go struct, which loses every member that it does not know, and adds empty ones. Here all
members keep their text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from oci_convert.documents.document import built_manifest, read_object, refuse_case_variants
from oci_convert.documents.json_reader import Object, compact
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Cell, Compression, Family, Kind, name_of
from oci_convert.spec.models import Descriptor, ImageConfig, Model, members, validate

__all__ = ["MeasuredLayer", "Upgrade", "V1Image", "read_v1", "upgrade"]

_MANIFEST: Final = str(name_of(Cell(Kind.MANIFEST), Family.DOCKER))
_CONFIG: Final = str(name_of(Cell(Kind.CONFIG), Family.DOCKER))
_PLAIN: Final = str(name_of(Cell(Kind.LAYER, Compression.NONE), Family.DOCKER))

_V1_ONLY: Final = frozenset(("id", "parent", "parent_id", "layer_id", "throwaway", "Size"))
"""What the config of the upgraded image does not have."""
_NO_TIME: Final = "0001-01-01T00:00:00Z"
"""How Go spells a time that is not set."""


class _ContainerConfig(Model, frozen=True):
    command: tuple[str, ...] | None = Field(default=None, alias="Cmd", strict=False)


class _View(Model, frozen=True):
    id: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    parent: str | None = None
    created: str | None = None
    author: str | None = None
    comment: str | None = None
    throwaway: bool | None = None
    container_config: _ContainerConfig | None = None


_KNOWN: Final = members(ImageConfig) | frozenset(_View.model_fields)


@dataclass(frozen=True, slots=True)
class V1Image:
    """One layer, and the configuration as it was when the layer was made."""

    text: str
    root: Object
    view: _View

    @property
    def identity(self) -> str:
        """The id: 64 hex digits, which cannot be verified."""
        return self.view.id

    @property
    def parent(self) -> str | None:
        """The id of the image below; ``None`` for the base."""
        return self.view.parent or None

    @property
    def throwaway(self) -> bool:
        """Whether the layer is empty, and exists only because schema 1 needs one for each step."""
        return bool(self.view.throwaway)

    def history(self) -> dict[str, Any]:
        """The entry in the history of a config (image-spec ``config.md``), in Docker's order."""
        container = self.view.container_config
        command = container.command if container is not None else None
        entry = {
            "created": _time(self.view.created or _NO_TIME),
            "author": self.view.author,
            "created_by": " ".join(command or ()),
            "comment": self.view.comment,
            "empty_layer": self.throwaway,
        }
        return {name: value for name, value in entry.items() if value}


def read_v1(raw: bytes, where: str = "") -> V1Image:
    """Read the JSON of an image version 1; raises :class:`DocumentError`."""
    text, root = read_object(raw, where)
    refuse_case_variants(root, _KNOWN, where)
    return V1Image(text, root, validate(_View, root.value, where))


@dataclass(frozen=True, slots=True)
class MeasuredLayer:
    """Properties of a layer that only reading it gives."""

    digest: Digest
    size: int
    diff_id: Digest
    packing: Compression


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The documents of an upgraded image."""

    config: bytes
    manifest: bytes

    @property
    def descriptor(self) -> Descriptor:
        """That of the manifest."""
        return _descriptor(_MANIFEST, self.manifest)

    @property
    def blobs(self) -> dict[Digest, bytes]:
        """Both documents by digest."""
        return {Digest.of(raw): raw for raw in (self.config, self.manifest)}


def upgrade(images: Sequence[V1Image], layers: Sequence[MeasuredLayer]) -> Upgrade:
    """The Docker manifest and config of what ``images``, from the base up, make together.

    ``layers`` are those of the images that are not :attr:`V1Image.throwaway`, in the same order.
    """
    config = _config(images, [layer.diff_id for layer in layers])
    manifest = built_manifest(_descriptor(_CONFIG, config), [_layer(layer) for layer in layers])
    return Upgrade(config, manifest)


def _descriptor(media_type: str, raw: bytes) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(raw), size=len(raw))


def _layer(layer: MeasuredLayer) -> Descriptor:
    media_type = name_of(Cell(Kind.LAYER, layer.packing), Family.DOCKER) or _PLAIN
    return Descriptor(media_type=media_type, digest=layer.digest, size=layer.size)


def _config(images: Sequence[V1Image], diff_ids: Sequence[Digest]) -> bytes:
    top = images[-1]
    members = {
        name: _squeezed(top.text[member.value.start : member.value.end])
        for name, member in top.root.members.items()
        if name not in _V1_ONLY
    }
    members["rootfs"] = compact({"type": "layers", "diff_ids": diff_ids})
    members["history"] = compact([image.history() for image in images])
    pairs = (f"{compact(name)}:{members[name]}" for name in sorted(members))
    return f"{{{','.join(pairs)}}}".translate(_ESCAPES).encode()


_TIME: Final = re.compile(r"(.+T[0-9:]+)(\.[0-9]+)?(Z|[+-][0-9:]+)")


def _time(text: str) -> str:
    """A time as Go writes it, who read it before: without zeros that say nothing."""
    parts = _TIME.fullmatch(text)
    if parts is None:
        return text
    fraction = (parts[2] or "").rstrip("0").rstrip(".")
    zone = "Z" if parts[3] in ("+00:00", "-00:00") else parts[3]
    return f"{parts[1]}{fraction}{zone}"


_ESCAPES: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
"""What Go escapes in JSON in addition to what every writer does; only in strings."""
_STRING_OR_SPACE: Final = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\n\r]+')


def _squeezed(text: str) -> str:
    """JSON without the white space between its parts."""
    return _STRING_OR_SPACE.sub(r"\1", text)
