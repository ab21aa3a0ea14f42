"""The maps of a command: reports and records of conversions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from oci_convert.errors import UsageError
from oci_convert.fleet.results_file import is_result, read_results
from oci_convert.report import read_pins
from oci_convert.spec.digest import Digest

__all__ = ["read_maps"]

_LINE: Final = 1024 * 1024


def read_maps(maps: Sequence[Path]) -> dict[str, str | None]:
    """The pins of all maps; an image that one map dropped and another converted counts as
    converted.

    Raises :class:`UsageError` (``contradictory-maps``), and what reading one raises.
    """
    pins: dict[str, str | None] = {}
    homes: dict[str, str] = {}
    for old, new, home in chain.from_iterable(map(_pins_of, maps)):
        known = pins.get(old)
        if known is not None and new is not None and known != new:
            was, one, other = (Digest(digest).short() for digest in (old, known, new))
            raise UsageError(
                f"{homes[old]} maps {was} to {one}, this file maps it to {other}",
                code="contradictory-maps",
                where=home,
                remedy="give only the map of the conversion that the files should follow",
            )
        if known is None:
            pins[old], homes[old] = new, home
    return pins


def _pins_of(path: Path) -> Iterator[tuple[str, str | None, str]]:
    """Old digest, new digest, and who says so: of a report, of results, of a folder of records."""
    if path.is_dir():
        for file in sorted(path.glob("*.json")):
            yield from _pins_of(file)
        return
    if is_result(_read_map(path, first=True)):
        for result in read_results(path):
            for image in result.images:
                if image.old is not None and result.status.good:
                    yield image.old.digest, image.new.digest, f"{path}: {result.id}"
        return
    for old, new in read_pins(_read_map(path), str(path)).items():
        yield old, new, str(path)


def _read_map(path: Path, *, first: bool = False) -> bytes:
    """A map, or its first line."""
    try:
        with path.open("rb") as file:
            return file.readline(_LINE) if first else file.read()
    except OSError as error:
        from oci_convert.stores.files.system import cannot_read

        raise cannot_read(
            "map", error, str(path), "convert --record FILE and convert --json > FILE write one"
        ) from error
