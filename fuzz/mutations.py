"""What may go wrong with the files of a store, whoever made it: drawn, and done to a copy.

Half of the time what names a changed blob is mended, up to the top, so that the change is not found
by its digest but has to be understood.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from base import Draws
from support.images import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY,
    IN_TOTO,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    RC2_LIST,
)
from support.strategies import ODD_CONFIGS, ODD_LAYERS

__all__ = ["damaged", "remade", "spoiled"]

Files = dict[str, bytes]

_TYPES: Final = tuple(
    kind.encode()
    for kind in (
        *(DOCKER_MANIFEST, DOCKER_LIST, DOCKER_CONFIG, DOCKER_LAYER, OCI_MANIFEST, OCI_INDEX),
        *(OCI_CONFIG, OCI_LAYER, RC2_LIST, EMPTY, IN_TOTO, *ODD_CONFIGS, *ODD_LAYERS, ""),
    )
)
_TOKENS: Final = (
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"-1", b"1e999", b"\0", b"\xff"),
    *(b'"layers":[],', b'"config":{},', b'"manifests":[],', b'"subject":null,', b'"data":"",'),
    *(b'"urls":["u"],', b'"annotations":{"":""},', b'"platform":{},', b"\\ud800", b"9" * 5000),
    *(b"../../x", b"/etc/passwd", b"a" * 300, b"a/" * 2100, b"\xe2\x80\xae", b"[" * 70),
)
_NUMBERS: Final = (b"0", b"1", b"-1", b"2", b"4294967296", b"9223372036854775808", b"1.0", b"1e3")
_VALUES: Final[tuple[Any, ...]] = (
    *(None, [], {}, "", 0, -1, 2**63, True, 1.5, "a/b", [None], [[]], {"a": "b"}, "\0", "a" * 300),
    {"mediaType": OCI_LAYER, "digest": "sha256:" + "0" * 64, "size": 3},
    {"os": "linux", "architecture": "amd64"},
)
_MEDIA_TYPE: Final = re.compile(rb'(?<=")application/[^"]*')
_NUMBER: Final = re.compile(rb"(?<=[:\[, ])-?[0-9]+(?=[,}\] \n])")
_HASH: Final = re.compile(r"[0-9a-f]{64,128}")
_ALGORITHMS: Final = {64: "sha256", 96: "sha384", 128: "sha512"}
_ROUNDS: Final = 64
_PIECE: Final = 8


def damaged(files: Mapping[str, bytes], draws: Draws) -> Files:
    """The files of a store after a few accidents."""
    made = dict(files)
    while draws and made:
        name = draws.one_of(sorted(made))
        mend = draws.number(2) == 0
        draws.one_of(_ACCIDENTS)(made, name, draws)
        if mend and name in made:
            _mend(made, name)
    return made


def remade(document: bytes, draws: Draws) -> bytes:
    """A document that says something else, and mostly is JSON still."""
    files = {"": document}
    draws.one_of((_reshape, _retype, _renumber, _reshape, _reshape))(files, "", draws)
    return files[""]


# -- accidents ----------------------------------------------------------------------------------


def spoiled(data: bytes, draws: Draws) -> bytes:
    """Bytes of which something is replaced, taken out or put in."""
    at = draws.number(len(data) + 1)
    choice = draws.number(6)
    if choice == 0:
        new, length = draws.one_of(_TOKENS), 0
    elif choice == 1:
        new, length = draws.one_of(_TOKENS), draws.number(32)
    elif choice == 2:
        new, length = draws.take(_PIECE), draws.number(32)
    elif choice == 3:
        new, length = data[at : at + draws.number(256)], 0
    elif choice == 4:
        new, length = b"", len(data)
    else:
        new, length = bytes([draws.number(256)]), 1
    return data[:at] + new + data[at + length :]


def _spoil(files: Files, name: str, draws: Draws) -> None:
    files[name] = spoiled(files[name], draws)


def _retype(files: Files, name: str, draws: Draws) -> None:
    files[name] = _substituted(files[name], _MEDIA_TYPE, _TYPES, draws)


def _renumber(files: Files, name: str, draws: Draws) -> None:
    files[name] = _substituted(files[name], _NUMBER, _NUMBERS, draws)


def _substituted(
    data: bytes, pattern: re.Pattern[bytes], some: tuple[bytes, ...], draws: Draws
) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data
    match = draws.one_of(found)
    return data[: match.start()] + draws.one_of(some) + data[match.end() :]


def _reshape(files: Files, name: str, draws: Draws) -> None:
    """Change a document as data: a value somewhere in it goes, or becomes another one."""
    try:
        value = json.loads(files[name])
    except (ValueError, RecursionError):
        return
    places = [*_places(value)]
    if places:
        outer, key = draws.one_of(places)
        _CHANGES[draws.number(len(_CHANGES))](outer, key, draws.one_of([*_VALUES, *_all(value)]))
        files[name] = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
            "utf-8", "surrogatepass"
        )


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key in plain data."""
    keys = list(value) if isinstance(value, dict) else range(len(value) if _is_list(value) else 0)
    return [place for key in keys for place in ((value, key), *_places(value[key]))]


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _all(value: Any) -> list[Any]:
    """Copies of the containers in plain data: what may stand somewhere else, too."""
    found = (outer[key] for outer, key in _places(value))
    return [json.loads(json.dumps(it)) for it in found if isinstance(it, dict | list)]


def _set(outer: Any, key: Any, value: Any) -> None:
    outer[key] = value


def _remove(outer: Any, key: Any, _: Any) -> None:
    del outer[key]


def _add(outer: Any, key: Any, value: Any) -> None:
    if isinstance(outer, list):
        outer.insert(key, value)
    else:
        outer[key.upper()] = value


def _repeat(outer: Any, key: Any, value: Any) -> None:
    if isinstance(outer[key], list):
        outer[key] = outer[key] * 2
    elif isinstance(outer, list):
        outer.append(outer[key])
    else:
        outer["annotations"] = value


_CHANGES: Final[tuple[Callable[[Any, Any, Any], None], ...]] = (_set, _remove, _add, _repeat)


def _drop(files: Files, name: str, _: Draws) -> None:
    del files[name]


def _copy(files: Files, name: str, draws: Draws) -> None:
    files[draws.one_of(sorted(files))] = files[name]


def _swap(files: Files, name: str, draws: Draws) -> None:
    other = draws.one_of(sorted(files))
    files[name], files[other] = files[other], files[name]


_ACCIDENTS: Final[tuple[Callable[[Files, str, Draws], None], ...]] = (
    *(_reshape, _retype, _renumber, _spoil, _drop, _copy, _swap),
    *(_reshape, _retype, _reshape),
)


# -- mending ------------------------------------------------------------------------------------


def _mend(files: Files, name: str) -> None:
    """Give a file the name of its content, and whatever names it the new digest and size."""
    stale = [name]
    for _ in range(_ROUNDS):
        if not stale:
            return
        old = _HASH.search(stale.pop())
        if old is None:
            continue
        data = files[old.string]
        new = hashlib.new(_ALGORITHMS.get(len(old[0]), "sha256"), data).hexdigest()
        if new == old[0]:
            continue
        files[old.string.replace(old[0], new)] = files.pop(old.string)
        for other, text in files.items():
            if old[0].encode() in text:
                files[other] = _named_anew(text, old[0].encode(), new.encode(), len(data))
                stale.append(other)


def _named_anew(text: bytes, old: bytes, new: bytes, size: int) -> bytes:
    """The text with another digest, and the size that is nearest to it."""
    near = re.compile(rb'("size": ?)[0-9]+([^{}]*?%b)|(%b[^{}]*?"size": ?)[0-9]+' % (old, old))

    def resized(match: re.Match[bytes]) -> bytes:
        before, after, alone = match.groups()
        return b"%b%d%b" % (before or alone, size, after or b"")

    return near.sub(resized, text).replace(old, new)
