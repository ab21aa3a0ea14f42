"""Any bytes as an archive: members that Python's own reader finds, too, or an error."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Final

from base import ours
from oci_convert.stores.files.borrowed import View
from oci_convert.stores.files.paths import cleaned
from oci_convert.stores.files.tar import Tar
from stores import SAVED, archive_of_testdata
from support.archives import Link, archive

_READ: Final = 64 * 1024
"""Bytes of a member that are read: a sparse one may be as long as it likes."""
_FORMS: Final = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def run(data: bytes) -> None:
    """Index the archive and read every member of it."""
    with ours():
        place = Tar("app.tar", _file(data))
        try:
            read = {name: _content(place, name) for name in place.names()}
        finally:
            place.close()
        for name, content in read.items():
            assert cleaned(name) == name
            assert len(content) <= _READ
        _compare(data, read)


def _file(data: bytes) -> View:
    return View.of(io.BytesIO(data))


def _content(place: Tar, name: str) -> bytes:
    """The beginning of a member: as much as it says that it has, unless the file ends."""
    size = place.size(name)
    assert size is not None
    assert size >= 0
    with place.open(name) as file:
        content = file.read(_READ)
    assert len(content) <= size
    return content


def _compare(data: bytes, read: dict[str, bytes]) -> None:
    """What Python's own reader finds under the names of files must be there, and be the same."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8") as other:
        last = {cleaned(member.name): member for member in other}
        for name, member in last.items():
            if name is None or not member.isreg():
                continue
            assert name in read
            found = other.extractfile(member)
            assert found is not None
            assert found.read(_READ) == read[name] or member.offset_data + member.size > len(data)


def seeds() -> Iterator[bytes]:
    """Archives in every form, with links, long names and sparse members."""
    for form in _FORMS:
        yield archive({"a/b": b"one", "c" * 90: b"two", "d": Link("a/b"), "e": b""}, form=form)
    yield archive({"f" * 200: b"long", "g": Link("f" * 200, hard=True)}, form=tarfile.GNU_FORMAT)
    pax = {"path": "given", "GNU.sparse.map": "0,1,4,1", "GNU.sparse.size": "6"}
    yield archive({"a": b"xy"}, form=tarfile.PAX_FORMAT, pax=pax)
    for members in SAVED.values():
        yield archive(members)
    yield archive_of_testdata()
