"""JSON text, read strictly: every value with the place where it stands.

Reading is stricter than :mod:`json`, as the image specification's ``canonicalization.md`` and RFC
7493 (I-JSON) ask: UTF-8 without a byte order mark, one value, no duplicate member, no ``NaN``, no
lone surrogate, bounded size and depth.

For speed the work is divided. The C reader of :mod:`json`, with strict hooks, accepts a text or
does not; only then :mod:`~oci_convert.documents.json_diagnosis` finds out what is wrong and where.
The positions of members and items are looked up on demand, one object or array at a time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import Any, Final

from oci_convert.errors import DocumentError, Settle, refuse
from oci_convert.limits import limits, raised_by

__all__ = [
    "Array",
    "Member",
    "Object",
    "Value",
    "compact",
    "scan",
]

_DIGITS_LIMIT: Final = 4000
"""Digits of a number: CPython refuses to convert more than 4300."""

_SPACE: Final = " \t\n\r"
_SEPARATOR = re.compile(r"[ \t\n\r]*[:,]?[ \t\n\r]*")
_PLAIN_MEMBER = re.compile(
    r"""[ \t\n\r,]*"([^"\\]*)"[ \t\n\r]*:[ \t\n\r]*(?:"([^"\\]*)"|(-?[0-9]+)(?![0-9.eE]))"""
)
"""A member, in a text that is sound, whose name and value need no decoding: most are like that."""
_SPELLED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(slots=True, eq=False, repr=False)
class Value:
    """A value and its position: ``text[start:end]``. Scalars are exactly this class."""

    start: int
    end: int
    value: Any
    """The value as plain Python data."""


@dataclass(slots=True, eq=False, repr=False)
class Member:
    """A name and its value: ``text[start:value.end]``."""

    start: int
    key_end: int
    value: Value


@dataclass(slots=True, eq=False, repr=False)
class Object(Value):
    """A JSON object."""

    _text: str = ""
    _members: dict[str, Member] | None = None

    @property
    def members(self) -> dict[str, Member]:
        """Every member by its name, in the order of the text."""
        if self._members is None:
            self._members = dict(_members(self._text, self.start))
        return self._members

    def get(self, name: str) -> Value | None:
        """The value of the member ``name``, if there is one."""
        return self.at(name) if name in self.value else None

    def at(self, name: str) -> Value:
        """The value of the member ``name``, which must be there."""
        if self._members is not None:
            return self._members[name].value
        return next(one.value for key, one in _members(self._text, self.start) if key == name)


@dataclass(slots=True, eq=False, repr=False)
class Array(Value):
    """A JSON array."""

    _text: str = ""
    _items: list[Value] | None = None

    @property
    def items(self) -> list[Value]:
        """Every item, in order."""
        if self._items is None:
            self._items = list(_items(self._text, self.start))
        return self._items


def compact(value: object) -> str:
    """The JSON text of a value that has no original: no white space, no needless escapes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def representable(value: object) -> bool:
    """Whether a value that was read can be written as JSON: not with a number such as 1e999."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def scan(
    raw: bytes, *, size_limit: int | None = None, where: str = "", settle: Settle = refuse
) -> tuple[str, Value]:
    """Read one JSON value; returns the decoded text and the value with its positions.

    ``size_limit`` is for what is no document of an image. ``settle`` decides about a field that
    appears twice: who goes on sees the last one.

    Raises :class:`DocumentError` with ``where`` and the line and column of what is wrong.
    """
    most = limits().document_size if size_limit is None else size_limit
    if len(raw) > most:
        raise DocumentError(
            f"the document has {len(raw)} bytes, more than the limit of {most}",
            code="document-too-large",
            where=where,
            remedy=raised_by("document_size") if size_limit is None else "",
        )
    if raw.startswith(b"\xef\xbb\xbf"):
        raise DocumentError(
            "the document begins with a byte order mark",
            code="byte-order-mark",
            where=where,
            remedy="JSON forbids it; ask its producer to remove it",
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"the document is not UTF-8 (byte {error.start})", code="not-utf-8", where=where
        ) from None
    try:
        value = _sound(text)
    except (ValueError, RecursionError):
        from oci_convert.documents.json_diagnosis import diagnose  # for errors only

        diagnose(text, where, digits=_DIGITS_LIMIT, settle=settle)
        value = json.loads(text)
    start = _skip(text, 0)
    return text, _value(text, start, len(text.rstrip(_SPACE)), value)


# -- what is sound ------------------------------------------------------------------------------


def _sound(text: str) -> Any:
    """The value of a text that is certainly valid; raises if the diagnosis has to decide."""
    # In a short text, no number has too many digits.
    value = (_STRICT_READER if len(text) > _DIGITS_LIMIT else _SHORT_READER).decode(text)
    if text.count("{") + text.count("[") > limits().json_depth and _is_too_deep(value):
        raise ValueError("too deep")
    if _SPELLED_SURROGATE.search(text) is not None:
        raise ValueError("perhaps a lone surrogate")
    return value


def _is_too_deep(value: Any) -> bool:
    level: list[dict[str, Any] | list[Any]] = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limits().json_depth):
        entries = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [inner for inner in chain.from_iterable(entries) if isinstance(inner, (dict, list))]
        if not level:
            return False
    return True


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a field appears twice")
    return members


def _integer(literal: str) -> int:
    return int(_short(literal))


def _fraction(literal: str) -> float:
    return float(_short(literal))


def _short(literal: str) -> str:
    if len(literal) > _DIGITS_LIMIT:
        raise ValueError("a number has too many digits")
    return literal


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_STRICT_READER: Final = json.JSONDecoder(
    object_pairs_hook=_distinct,
    parse_int=_integer,
    parse_float=_fraction,
    parse_constant=_no_constant,
)

_SHORT_READER: Final = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_no_constant)


# -- where things stand, in a text that is sound ------------------------------------------------


def _skip(text: str, at: int) -> int:
    """The position after white space, in which a colon or a comma may stand."""
    match = _SEPARATOR.match(text, at)
    return match.end() if match else at


def _placed(text: str, at: int) -> Value:
    """The value that begins at ``at``."""
    value, end = _READ_VALUE(text, at)
    return _value(text, at, end, value)


def _value(text: str, at: int, end: int, value: Any) -> Value:
    if isinstance(value, dict):
        return Object(at, end, value, text)
    return Array(at, end, value, text) if isinstance(value, list) else Value(at, end, value)


def _members(text: str, start: int) -> Iterator[tuple[str, Member]]:
    at = start + 1
    while True:
        plain = _PLAIN_MEMBER.match(text, at)
        if plain is not None:
            name, string, number = plain.groups()
            at = plain.end()
            if number is None:
                value = Value(plain.start(2) - 1, at, string)
            else:
                value = Value(plain.start(3), at, int(number))
            yield name, Member(plain.start(1) - 1, plain.end(1) + 1, value)
            continue
        at = _skip(text, at)
        if text[at] == "}":
            return
        name, key_end = scanstring(text, at + 1)
        value = _placed(text, _skip(text, key_end))
        yield name, Member(at, key_end, value)
        at = value.end


def _items(text: str, start: int) -> Iterator[Value]:
    at = _skip(text, start + 1)
    while text[at] != "]":
        value = _placed(text, at)
        yield value
        at = _skip(text, value.end)


_READ_VALUE: Final = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # typeshed leaves it out
