"""The maps of a command: reports and records of conversions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oci_convert.errors import StoreError, UsageError
from oci_convert.report import read_pins
from oci_convert.spec.digest import Digest

__all__ = ["read_maps"]


def read_maps(maps: Sequence[Path]) -> dict[str, str | None]:
    """The pins of all maps; an image that one map dropped and another converted counts as
    converted.

    Raises :class:`UsageError` (``contradictory-maps``), and what reading one raises.
    """
    pins: dict[str, str | None] = {}
    homes: dict[str, Path] = {}
    for path in maps:
        for old, new in read_pins(_read_map(path), str(path)).items():
            known = pins.get(old)
            if known is not None and new is not None and known != new:
                was, one, other = (Digest(digest).short() for digest in (old, known, new))
                raise UsageError(
                    f"{homes[old]} maps {was} to {one}, this file maps it to {other}",
                    code="contradictory-maps",
                    where=str(path),
                    remedy="give only the map of the conversion that the files should follow",
                )
            if known is None:
                pins[old], homes[old] = new, path
    return pins


def _read_map(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        from oci_convert.stores.files.system import system_error

        raise StoreError(
            f"the map cannot be read: {system_error(error).message}",
            code="cannot-read",
            where=str(path),
            remedy="convert --record FILE and convert --json > FILE write one",
        ) from error
