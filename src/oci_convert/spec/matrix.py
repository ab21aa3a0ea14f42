"""The compatibility matrix: for each cell its name in every family, and how far the blobs agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from oci_convert.spec.media_types import CELLS, SPELLINGS, Cell, Family, Kind, Standing, look_up

__all__ = ["Row", "markdown", "matrix", "other_spellings", "text"]

_DIFFERENCES: Final = {
    Kind.INDEX: "OCI adds annotations, subject and artifactType, and annotations, urls, data and "
    "artifactType of entries; Docker wants a platform in each entry, adds platform.features, and "
    "has no list of lists; 1.0.0-rc2 has neither subject, artifactType nor data",
    Kind.MANIFEST: "OCI adds annotations, subject and artifactType, and annotations, data and "
    "artifactType of descriptors; Docker requires mediaType; 1.0.0-rc2 differs from OCI by name "
    "only where layers are plain or zstd, which it does not have",
    Kind.CONFIG: "Docker's own members (Healthcheck, OnBuild, Shell, …) are legal extras in OCI",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A cell of the table and what can be said of it."""

    cell: Cell
    names: dict[Family, str | None]

    @property
    def interchangeable(self) -> bool:
        """Whether the same bytes serve every family that has a name for them."""
        return self.cell.kind not in (Kind.INDEX, Kind.MANIFEST)

    @property
    def shared(self) -> bool:
        """Whether more than one family has a name for it."""
        return sum(name is not None for name in self.names.values()) > 1

    @property
    def relation(self) -> str:
        """``interchangeable``, ``similar``, or ``alone`` where no other family has a name."""
        if not self.shared:
            return "alone"
        return "interchangeable" if self.interchangeable else "similar"

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
        return "; ".join(filter(None, [_DIFFERENCES.get(self.cell.kind), *unofficial]))

    def to_json(self) -> dict[str, Any]:
        """The row for ``oci-convert media-types --json``."""
        return {
            "kind": self.cell.kind.value,
            "compression": self.cell.compression and self.cell.compression.value,
            "distributable": self.cell.distributable,
            "encrypted": self.cell.encrypted,
            "names": {family.value: name for family, name in self.names.items()},
            "relation": self.relation,
            "note": self.note,
        }


def matrix() -> list[Row]:
    """Every row of the table."""
    return [Row(cell, dict(names)) for cell, names in CELLS.items()]


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


def markdown() -> str:
    """The matrix as ``docs/media-types.md``."""
    lines = [
        "# Media types",
        "",
        "Generated from the table in `oci_convert.spec.media_types`; `oci-convert media-types`",
        "prints the same. *Interchangeable*: the same bytes serve both families, only the name",
        "changes. *Similar*: an edit of the document makes one from the other; the note says what",
        "differs.",
        "",
        "| | Docker | OCI | OCI 1.0.0-rc2 | |",
        "|---|---|---|---|---|",
    ]
    for row in matrix():
        names = " | ".join(f"`{name}`" if name else "–" for name in row.names.values())
        note = f": {row.note}" if row.note else ""
        lines.append(f"| {row.cell} | {names} | {row.relation}{note} |")
    lines += ["", "## Also recognised", "", "| name | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in other_spellings().items()]
    return "\n".join(lines) + "\n"
