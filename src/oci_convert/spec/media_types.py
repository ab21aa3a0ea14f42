"""Every media type, in one table: family x kind x compression x distributable.

An empty cell (``None``) means that the family has no name for such a blob. Implements
``media-types.md`` of the OCI image specification (1.1 and 1.0.0-rc2) and the media types of the
Docker image manifest version 2, schema 2. Nothing else in the package spells a media type.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

__all__ = [
    "CELLS",
    "EMPTY_CONFIG",
    "IN_TOTO",
    "OCTET_STREAM",
    "SCHEMA1",
    "SCHEMA1_SIGNED",
    "SPELLINGS",
    "Cell",
    "Compression",
    "Family",
    "Kind",
    "Meaning",
    "Standing",
    "counterpart",
    "document_type",
    "families",
    "layer_cell",
    "look_up",
    "meant",
    "name_of",
    "names_blobs",
]


class Family(StrEnum):
    """An image format: Docker, OCI, or OCI 1.0.0-rc2."""

    DOCKER = "docker"
    OCI = "oci"
    OCI_RC2 = "oci-rc2"

    @property
    def label(self) -> str:
        """The name for messages: ``Docker``."""
        return {Family.DOCKER: "Docker", Family.OCI: "OCI"}.get(self, "OCI 1.0.0-rc2")

    def __format__(self, spec: str) -> str:
        return str.__format__(self.value, spec)


class Kind(StrEnum):
    """What a blob is."""

    INDEX = "index"
    MANIFEST = "manifest"
    CONFIG = "config"
    LAYER = "layer"
    ARTIFACT = "artifact"
    """Anything else: copied, never interpreted."""
    DESCRIPTOR = "descriptor"
    """The content of a file in ``refs/`` of a layout before 1.0; never a blob."""
    LAYOUT = "layout"
    """The content of ``oci-layout``; never a blob."""


class Compression(StrEnum):
    """How the tar of a layer is compressed. Only the first three have media types."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"

    @property
    def label(self) -> str:
        """What messages call it: ``uncompressed`` or the name."""
        return "uncompressed" if self is Compression.NONE else self.value


class Standing(StrEnum):
    """How official a name is in its family."""

    OFFICIAL = "official"
    CUSTOMARY = "customary"
    """In no specification, but written and read by the family's own tools."""
    UNOFFICIAL = "unofficial"
    """Some tools read it; written only when asked for (``compress="keep"``)."""
    LEGACY = "legacy"
    """An older spelling, or a wrong one: read, and replaced when its document is converted."""


class Cell(NamedTuple):
    """A row of the table: what a blob is, independent of the family."""

    kind: Kind
    compression: Compression | None = None
    """Of layers; ``None`` for every other kind."""
    distributable: bool = True
    encrypted: bool = False

    def __str__(self) -> str:
        words = [
            "" if self.distributable else "non-distributable",
            "encrypted" if self.encrypted else "",
            str(self.kind),
            f"({self.compression})" if self.compression is not None else "",
        ]
        return " ".join(word for word in words if word)


class Meaning(NamedTuple):
    """What a media type says."""

    cell: Cell
    families: frozenset[Family]
    """The families in which the name is current; empty for a legacy spelling."""
    standing: Standing


_DOCKER: Final = "application/vnd.docker."
_OCI: Final = "application/vnd.oci.image."

OCTET_STREAM: Final = "application/octet-stream"
"""The config of some Docker manifests of 2015 and 2016; in a Docker manifest an image config."""
EMPTY_CONFIG: Final = "application/vnd.oci.empty.v1+json"
IN_TOTO: Final = "application/vnd.in-toto+json"
SCHEMA1: Final = _DOCKER + "distribution.manifest.v1+json"
SCHEMA1_SIGNED: Final = _DOCKER + "distribution.manifest.v1+prettyjws"

_LAYER, _PLAIN, _GZIP, _ZSTD = Kind.LAYER, Compression.NONE, Compression.GZIP, Compression.ZSTD

CELLS: Final[dict[Cell, dict[Family, str | None]]] = {
    cell: {Family.DOCKER: docker, Family.OCI: oci, Family.OCI_RC2: rc2}
    for cell, docker, oci, rc2 in (
        (
            Cell(Kind.INDEX),
            _DOCKER + "distribution.manifest.list.v2+json",
            _OCI + "index.v1+json",
            _OCI + "manifest.list.v1+json",
        ),
        (
            Cell(Kind.MANIFEST),
            _DOCKER + "distribution.manifest.v2+json",
            _OCI + "manifest.v1+json",
            _OCI + "manifest.v1+json",
        ),
        (
            Cell(Kind.CONFIG),
            _DOCKER + "container.image.v1+json",
            _OCI + "config.v1+json",
            _OCI + "config.v1+json",
        ),
        (
            Cell(_LAYER, _PLAIN),
            _DOCKER + "image.rootfs.diff.tar",
            _OCI + "layer.v1.tar",
            None,
        ),
        (
            Cell(_LAYER, _GZIP),
            _DOCKER + "image.rootfs.diff.tar.gzip",
            _OCI + "layer.v1.tar+gzip",
            _OCI + "layer.v1.tar+gzip",
        ),
        (
            Cell(_LAYER, _ZSTD),
            _DOCKER + "image.rootfs.diff.tar.zstd",
            _OCI + "layer.v1.tar+zstd",
            None,
        ),
        (
            Cell(_LAYER, _PLAIN, distributable=False),
            _DOCKER + "image.rootfs.foreign.diff.tar",
            _OCI + "layer.nondistributable.v1.tar",
            None,
        ),
        (
            Cell(_LAYER, _GZIP, distributable=False),
            _DOCKER + "image.rootfs.foreign.diff.tar.gzip",
            _OCI + "layer.nondistributable.v1.tar+gzip",
            _OCI + "layer.nondistributable.v1.tar+gzip",
        ),
        (
            Cell(_LAYER, _ZSTD, distributable=False),
            _DOCKER + "image.rootfs.foreign.diff.tar.zstd",
            _OCI + "layer.nondistributable.v1.tar+zstd",
            None,
        ),
        *(
            (
                Cell(_LAYER, compression, stem == "layer", encrypted=True),
                None,
                f"{_OCI}{stem}.v1.tar{suffix}+encrypted",
                None,
            )
            for stem in ("layer", "layer.nondistributable")
            for compression, suffix in ((_PLAIN, ""), (_GZIP, "+gzip"), (_ZSTD, "+zstd"))
        ),
        (Cell(Kind.DESCRIPTOR), None, None, "application/vnd.oci.descriptor.v1+json"),
        (Cell(Kind.LAYOUT), None, "application/vnd.oci.layout.header.v1+json", None),
    )
}
"""The compatibility matrix: what each family calls each cell."""

_STANDINGS: Final = {
    _DOCKER + "image.rootfs.diff.tar": Standing.CUSTOMARY,
    _DOCKER + "image.rootfs.foreign.diff.tar": Standing.CUSTOMARY,
    _DOCKER + "image.rootfs.diff.tar.zstd": Standing.UNOFFICIAL,
    # No other tool writes this one; it follows the pattern of the others, for `compress="keep"`.
    _DOCKER + "image.rootfs.foreign.diff.tar.zstd": Standing.UNOFFICIAL,
}

_LEGACY: Final[dict[str, Cell]] = {
    # Docker: schema 1 is a manifest that no edit turns into a current one.
    SCHEMA1: Cell(Kind.MANIFEST),
    SCHEMA1_SIGNED: Cell(Kind.MANIFEST),
    # OCI v0.1 to 1.0.0-rc1: the names before `layer.v1`.
    _OCI + "serialization.v1+json": Cell(Kind.CONFIG),
    _OCI + "serialization.config.v1+json": Cell(Kind.CONFIG),
    _OCI + "serialization.rootfs.tar.gzip": Cell(_LAYER, _GZIP),
    _OCI + "rootfs.tar.gzip": Cell(_LAYER, _GZIP),
    _OCI + "layer.tar+gzip": Cell(_LAYER, _GZIP),
    _OCI + "layer.nondistributable.tar+gzip": Cell(_LAYER, _GZIP, distributable=False),
    # containers/image can make these by encrypting a Docker layer.
    _DOCKER + "image.rootfs.diff.tar+encrypted": Cell(_LAYER, _PLAIN, encrypted=True),
    _DOCKER + "image.rootfs.diff.tar.gzip+encrypted": Cell(_LAYER, _GZIP, encrypted=True),
}

_ARTIFACTS: Final[dict[str, frozenset[Family]]] = {
    _OCI + "serialization.combined.v1+json": frozenset(),
    _DOCKER + "plugin.v1+json": frozenset({Family.DOCKER}),
    _DOCKER + "ai.model.config.v0.1+json": frozenset({Family.OCI}),
    _DOCKER + "ai.model.config.v0.2+json": frozenset({Family.OCI}),
    _DOCKER + "ai.gguf.v3": frozenset({Family.OCI}),
    _DOCKER + "ai.safetensors": frozenset({Family.OCI}),
    _DOCKER + "ai.license": frozenset({Family.OCI}),
    _DOCKER + "ai.mmproj": frozenset({Family.OCI}),
    _DOCKER + "ai.chat.template.jinja": frozenset({Family.OCI}),
    _DOCKER + "ai.vllm.config.tar": frozenset({Family.OCI}),
    "application/vnd.oci.artifact.manifest.v1+json": frozenset({Family.OCI}),
    "application/vnd.oci.scratch.v1+json": frozenset({Family.OCI}),
    EMPTY_CONFIG: frozenset({Family.OCI}),
    IN_TOTO: frozenset({Family.DOCKER, Family.OCI}),
}
"""Known names without a counterpart: copied unchanged."""


def _spellings() -> dict[str, Meaning]:
    found: dict[str, Meaning] = {}
    for cell, names in CELLS.items():
        for name in filter(None, names.values()):
            current = frozenset(family for family, other in names.items() if other == name)
            found[name] = Meaning(cell, current, _STANDINGS.get(name, Standing.OFFICIAL))
    for name, cell in _LEGACY.items():
        found[name] = Meaning(cell, frozenset(), Standing.LEGACY)
    for name, homes in _ARTIFACTS.items():
        found[name] = Meaning(Cell(Kind.ARTIFACT), homes, Standing.CUSTOMARY)
    return found


SPELLINGS: Final = _spellings()
"""Every media type that is recognised, and what it means."""


_ARTIFACT_MANIFESTS: Final = frozenset(
    (
        "application/vnd.oci.artifact.manifest.v1+json",
        "application/vnd.cncf.oras.artifact.manifest.v1+json",
    )
)
"""Documents of the release candidates of OCI 1.1 and of their forerunner: they name ``blobs``."""


def meant(media_type: str) -> str | None:
    """The recognised media type that is spelled so, whatever its case and parameters (RFC 6838)."""
    if media_type in SPELLINGS:
        return media_type
    bare = media_type.partition(";")[0].strip().lower()
    return bare if bare in SPELLINGS else None


def look_up(media_type: str) -> Meaning | None:
    """What ``media_type`` means, or ``None`` if no table knows it.

    One that is misspelled (:func:`meant`) is current in no family, so that it is replaced.
    """
    meaning = SPELLINGS.get(media_type)
    if meaning is None and (known := meant(media_type)) is not None:
        meaning = Meaning(SPELLINGS[known].cell, frozenset(), Standing.LEGACY)
    return meaning


def document_type(media_type: str) -> str | None:
    """The type of manifest or index that ``media_type`` spells, if it is one."""
    known = meant(media_type)
    if known is None or SPELLINGS[known].cell.kind not in (Kind.INDEX, Kind.MANIFEST):
        return None
    return known


def names_blobs(media_type: str) -> bool:
    """Whether what has this type names other blobs: a document, also one that is not read here."""
    return document_type(media_type) is not None or media_type in _ARTIFACT_MANIFESTS


def families(media_type: str) -> frozenset[Family]:
    """The families in which ``media_type`` is a current name of an image's part."""
    meaning = look_up(media_type)
    if meaning is None or meaning.cell.kind is Kind.ARTIFACT:
        return frozenset()
    return meaning.families


def usual_families(media_type: str) -> frozenset[Family]:
    """The families that people count ``media_type`` to.

    Of a name that OCI and its 1.0.0-rc2 share, OCI alone: nearly all of them are shared.
    """
    known = families(media_type)
    return known - {Family.OCI_RC2} if Family.OCI in known else known


def name_of(cell: Cell, family: Family) -> str | None:
    """What ``family`` calls ``cell``; ``None`` if it has no name for it."""
    return CELLS[cell][family] if cell in CELLS else None


def counterpart(media_type: str, family: Family) -> str | None:
    """What ``family`` calls the same thing; ``None`` if it has no name or the type is unknown.

    The type itself where it already is a current name of the family.
    """
    meaning = look_up(media_type)
    if meaning is None:
        return None
    return name_of(meaning.cell, family)


def layer_cell(cell: Cell, compression: Compression) -> Cell:
    """The cell of the same layer in another compression."""
    return Cell(cell.kind, compression, cell.distributable, cell.encrypted)
