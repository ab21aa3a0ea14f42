"""The compatibility matrix: for each cell its name in every family, and how far the blobs agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import computed_field

from oci_convert.plain import Plain
from oci_convert.spec.media_types import (
    CELLS,
    SPELLINGS,
    Cell,
    Compression,
    Family,
    Kind,
    Standing,
    look_up,
)

__all__ = ["Matrix", "Row", "matrix", "other_spellings", "text"]

_DIFFERENCES: Final = {
    Kind.INDEX: "OCI adds annotations, subject and artifactType, and annotations, urls, data and "
    "artifactType of entries; Docker wants a platform in each entry, adds platform.features, and "
    "has no list of lists; 1.0.0-rc2 has neither subject, artifactType nor data",
    Kind.MANIFEST: "OCI adds annotations, subject and artifactType, and annotations, data and "
    "artifactType of descriptors; Docker requires mediaType; 1.0.0-rc2 differs from OCI by name "
    "only where layers are plain or zstd, which it does not have",
    Kind.CONFIG: "Docker's own members (Healthcheck, OnBuild, Shell, …) are legal extras in OCI",
}


@dataclass(frozen=True, slots=True, repr=False)
class Row(Plain):
    """What the families call one kind of blob."""

    kind: Kind
    """What the blob is."""
    compression: Compression | None
    """How a layer is compressed; ``None`` for anything else."""
    distributable: bool
    """Whether a layer may be distributed."""
    encrypted: bool
    """Whether a layer is encrypted."""
    names: dict[Family, str | None]
    """The media type in each family; ``None`` where it has none."""

    @property
    def cell(self) -> Cell:
        """The cell of the table."""
        return Cell(self.kind, self.compression, self.distributable, self.encrypted)

    @computed_field  # type: ignore[prop-decorator] # as pydantic says of properties
    @property
    def relation(self) -> Literal["interchangeable", "similar", "alone"]:
        """``interchangeable``: the same bytes under other names; ``similar``: an edit makes one of
        the other; ``alone``: no other family has a name.
        """
        if sum(name is not None for name in self.names.values()) < 2:
            return "alone"
        return "similar" if self.kind in (Kind.INDEX, Kind.MANIFEST) else "interchangeable"

    @computed_field  # type: ignore[prop-decorator] # as pydantic says of properties
    @property
    def note(self) -> str:
        """What differs, or what to know."""
        unofficial = [
            f"{family}'s name is {meaning.standing}"
            for family, name in self.names.items()
            if name is not None
            and (meaning := look_up(name)) is not None
            and meaning.standing is not Standing.OFFICIAL
        ]
        return "; ".join(filter(None, [_DIFFERENCES.get(self.kind), *unofficial]))


@dataclass(frozen=True, repr=False)
class Matrix(Plain):
    """The compatibility matrix, and the other names that are read."""

    version: Literal[1] = field(default=1, init=False)
    """The version of this format: a key that goes, or changes its meaning, changes it."""
    matrix: tuple[Row, ...]
    """What the families call each kind of blob."""
    other_spellings: dict[str, str]
    """What the names mean that are read and stand in no row."""


def matrix() -> list[Row]:
    """Every row of the table."""
    return [
        Row(cell.kind, cell.compression, cell.distributable, cell.encrypted, dict(names))
        for cell, names in CELLS.items()
    ]


def other_spellings() -> dict[str, str]:
    """The names that are read but stand in no cell, and what each means."""
    current = {name for names in CELLS.values() for name in names.values()}
    return {
        name: "copied unchanged"
        if meaning.cell.kind is Kind.ARTIFACT
        else f"read as {meaning.cell}"
        for name, meaning in SPELLINGS.items()
        if name not in current
    }


def text() -> str:
    """The matrix for a terminal: a block for each cell."""
    blocks = []
    for row in matrix():
        names = [f"  {family:<8} {name or '-'}" for family, name in row.names.items()]
        note = f": {row.note}" if row.note else ""
        blocks.append("\n".join([str(row.cell), *names, f"  {row.relation}{note}"]))
    others = [f"  {name}  ({meaning})" for name, meaning in other_spellings().items()]
    return "\n\n".join([*blocks, "\n".join(["also recognised", *others])]) + "\n"
