"""Any bytes in the place of a report (``--map``) or a record (``--restore``)."""

from __future__ import annotations

from collections.abc import Iterator

from base import ours
from oci_convert.conversion.convert import convert
from oci_convert.planning.record import Record
from oci_convert.report import read_map, read_pins
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Family
from oci_convert.stores.memory import Memory
from stores import LAYOUTS


def run(data: bytes) -> None:
    """Read the bytes as both, and restore from them."""
    with ours():
        assert all(old and new.digest for old, new in read_map(data, "map").items())
    with ours():
        assert all(Digest(old) for old in read_pins(data, "map"))
    with ours():
        record = Record.read(data)
        assert record.planned().compress
        source = Memory(dict(LAYOUTS["a Docker image"]))
        convert(source, Memory(), to="oci", jobs=1, restore=data)


def seeds() -> Iterator[bytes]:
    """The records of real conversions."""
    for files in LAYOUTS.values():
        for to in Family:
            with ours():
                report = convert(Memory(dict(files)), Memory(), to=to, jobs=1)
                yield report.dumps(originals=True).encode()
