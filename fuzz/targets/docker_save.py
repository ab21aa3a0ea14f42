"""Any archive that ``docker save`` might have written, and many that it never would.

The input is a byte for the archive, one for the form of its headers, and the accidents: to the
content of members, to their headers, and to the bytes of the archive.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from base import Draws, ours
from mutations import damaged, spoiled
from oci_convert.conversion.convert import convert
from oci_convert.errors import OciConvertError
from oci_convert.inspection.inspect import inspect
from oci_convert.stores.memory import Memory
from oci_convert.verification.verify import verify
from stores import SAVED
from support.archives import Link
from targets.conversion import assert_sound

_ARCHIVES: Final = tuple(SAVED.values())
_FORMS: Final[tuple[Literal[0, 1, 2], ...]] = (
    tarfile.GNU_FORMAT,
    tarfile.USTAR_FORMAT,
    tarfile.PAX_FORMAT,
)
_KINDS: Final = b"0\x001234567SLKxgVD"
_NAMES: Final = (
    *("manifest.json", "index.json", "repositories", "oci-layout", "./manifest.json", "../x", "/x"),
    *("", ".", "a/../manifest.json", "x" * 150, "x/" * 60, "ü\udcff", "blobs", "blobs/sha256"),
)
_PAX: Final = (
    *({"path": "manifest.json"}, {"path": "../x"}, {"path": "x\0y"}, {"linkpath": "manifest.json"}),
    *({"size": "0"}, {"size": "-1"}, {"size": "99999999999999999999"}, {"size": "x"}),
    {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"},
    {"GNU.sparse.map": "5,1,0,1", "GNU.sparse.size": "9"},
    {"GNU.sparse.map": "x", "GNU.sparse.name": "manifest.json"},
    {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.realsize": "4611686018427387904",
    },
    {"hdrcharset": "BINARY"},
    {"mtime": "1e400"},
)
_ACCIDENTS_LIMIT: Final = 4


def run(data: bytes) -> None:
    """Write the archive; verify, inspect and convert it."""
    draws = Draws(data)
    raw = _archive(draws)
    if raw is None:
        return
    with tempfile.TemporaryDirectory(prefix="oci-convert-fuzz-") as folder:
        path = Path(folder) / "app.tar"
        path.write_bytes(raw)
        source, target = f"docker-archive:{path}", Memory()
        with ours():
            inspect(source)
        with ours():
            try:
                convert(source, target, to="oci", jobs=1)
            except OciConvertError:
                assert target.files == {}, "a failed run left something behind"
                raise
            assert_sound(target, source)
        with ours():
            verify(str(path), jobs=1)


@dataclass
class _Entry:
    """A member to be written."""

    header: tarfile.TarInfo
    data: bytes


def _archive(draws: Draws) -> bytes | None:
    """An archive, or nothing if no header can say what was drawn."""
    members = draws.one_of(_ARCHIVES)
    form = draws.one_of(_FORMS)
    headers, pieces = draws.number(_ACCIDENTS_LIMIT), draws.number(_ACCIDENTS_LIMIT)
    of_headers = [(draws.one_of(_ACCIDENTS), draws.take(4)) for _ in range(headers)]
    of_bytes = [Draws(draws.take(16)) for _ in range(pieces)]
    files = damaged({n: d for n, d in members.items() if isinstance(d, bytes)}, draws)
    links = {name: link for name, link in members.items() if isinstance(link, Link)}
    entries = [_entry(name, content) for name, content in (files | links).items()]
    for accident, choices in of_headers:
        if entries:
            accident(entries, Draws(choices))
    try:
        raw = _written(entries, form)
    except (ValueError, OverflowError, UnicodeError):
        return None
    for damage in of_bytes:
        raw = spoiled(raw, damage)
    return raw


def _entry(name: str, content: bytes | Link) -> _Entry:
    header = tarfile.TarInfo(name)
    if isinstance(content, bytes):
        header.size = len(content)
        return _Entry(header, content)
    header.type = tarfile.LNKTYPE if content.hard else tarfile.SYMTYPE
    header.linkname = content.target
    return _Entry(header, b"")


def _written(entries: list[_Entry], form: Literal[0, 1, 2]) -> bytes:
    """The archive, byte by byte: a header may say anything of what follows it."""
    buffer = io.BytesIO()
    for entry in entries:
        buffer.write(entry.header.tobuf(form, "utf-8", "surrogateescape"))
        buffer.write(entry.data)
        buffer.write(bytes(-len(entry.data) % tarfile.BLOCKSIZE))
    buffer.write(bytes(2 * tarfile.BLOCKSIZE))
    return buffer.getvalue()


# -- accidents of headers -----------------------------------------------------------------------


def _kind(entries: list[_Entry], draws: Draws) -> None:
    draws.one_of(entries).header.type = bytes([draws.one_of(_KINDS)])


def _name(entries: list[_Entry], draws: Draws) -> None:
    names = [*_NAMES, *(entry.header.name for entry in entries)]
    draws.one_of(entries).header.name = draws.one_of(names)


def _link(entries: list[_Entry], draws: Draws) -> None:
    header = draws.one_of(entries).header
    header.type = draws.one_of((tarfile.SYMTYPE, tarfile.LNKTYPE))
    header.linkname = draws.one_of([*_NAMES, *(entry.header.name for entry in entries)])


def _size(entries: list[_Entry], draws: Draws) -> None:
    header = draws.one_of(entries).header
    header.size = draws.one_of((0, 1, 511, 512, 513, header.size + 1, 8**11 - 1, 2**62, -1))


def _pax(entries: list[_Entry], draws: Draws) -> None:
    draws.one_of(entries).header.pax_headers = dict(draws.one_of(_PAX))


def _twice(entries: list[_Entry], draws: Draws) -> None:
    entries.insert(draws.number(len(entries)), draws.one_of(entries))


def _gone(entries: list[_Entry], draws: Draws) -> None:
    entries.pop(draws.number(len(entries)))


_ACCIDENTS: Final[tuple[Callable[[list[_Entry], Draws], None], ...]] = (
    *(_kind, _name, _link, _size, _pax, _twice, _gone),
)


def seeds() -> Iterator[bytes]:
    """Every archive in every form, and every accident of headers."""
    for archive in range(len(_ARCHIVES)):
        for form in range(len(_FORMS)):
            yield bytes([archive, form])
        for accident in range(len(_ACCIDENTS)):
            yield bytes([archive, accident % 3, 1, 0, accident, archive, archive * 7 + accident])
