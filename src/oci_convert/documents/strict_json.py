"""JSON text: read strictly, edited in place.

:func:`scan` reads a text and knows where each value stands; :class:`Editor` replaces, inserts and
removes single values in the text and leaves every other character alone. White space, key order,
escapes, unknown members and big integers survive because they are never serialised again.

Reading is stricter than :mod:`json`, as the image specification's ``canonicalization.md`` and RFC
7493 (I-JSON) ask: UTF-8 without a byte order mark, one value, no duplicate member, no ``NaN``, no
lone surrogate, bounded size and depth.

For speed the work is divided. The C reader of :mod:`json`, with strict hooks, accepts a text or
does not; only then :class:`_Diagnosis` finds out what is wrong and where. The positions of members
and items are looked up on demand, one object or array at a time.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import Any, Final

from oci_convert.errors import DocumentError
from oci_convert.limits import limits, raised_by

__all__ = [
    "Array",
    "Editor",
    "Member",
    "Object",
    "Value",
    "compact",
    "scan",
]

_DIGITS_LIMIT: Final = 4000
"""Digits of a number: CPython refuses to convert more than 4300."""

_SPACE = re.compile(r"[ \t\n\r]*")
_SEPARATOR = re.compile(r"[ \t\n\r]*[:,]?[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPELLED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LITERALS: Final = ("true", "false", "null")
_STRANGERS: Final = ("NaN", "Infinity", "-Infinity", "True", "False", "None")
"""Constants of other languages that JSON does not have."""
_STRING_FAULTS: Final = {
    "Unterminated": "a string is not closed",
    "Invalid control": "a string contains a control character",
    "Invalid \\": "a string has an escape that JSON does not define",
}
"""How the messages of :mod:`json` about strings begin, and what they mean."""
_SPELLED_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]"
)


@dataclass(slots=True, eq=False)
class Value:
    """A value and its position: ``text[start:end]``. Scalars are exactly this class."""

    start: int
    end: int
    value: Any
    """The value as plain Python data."""


@dataclass(slots=True, eq=False)
class Member:
    """A name and its value: ``text[start:value.end]``."""

    start: int
    key_end: int
    value: Value


@dataclass(slots=True, eq=False)
class Object(Value):
    """A JSON object."""

    _text: str = field(default="", repr=False)
    _members: dict[str, Member] | None = field(default=None, repr=False)

    @property
    def members(self) -> dict[str, Member]:
        """Every member by its name, in the order of the text."""
        if self._members is None:
            self._members = dict(_members(self._text, self.start))
        return self._members

    def get(self, name: str) -> Value | None:
        """The value of the member ``name``, if there is one."""
        member = self.members.get(name) if name in self.value else None
        return None if member is None else member.value


@dataclass(slots=True, eq=False)
class Array(Value):
    """A JSON array."""

    _text: str = field(default="", repr=False)
    _items: list[Value] | None = field(default=None, repr=False)

    @property
    def items(self) -> list[Value]:
        """Every item, in order."""
        if self._items is None:
            self._items = list(_items(self._text, self.start))
        return self._items


def compact(value: object) -> str:
    """The JSON text of a value that has no original: no white space, no needless escapes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def scan(raw: bytes, *, size_limit: int | None = None, where: str = "") -> tuple[str, Value]:
    """Read one JSON value; returns the decoded text and the value with its positions.

    ``size_limit`` is for what is no document of an image.

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
    if not _is_sound(text):
        _Diagnosis(text, where).document()
    return text, _placed(text, _skip(text, 0))


# -- what is sound ------------------------------------------------------------------------------


def _is_sound(text: str) -> bool:
    """Whether a text is certainly valid; if not, :class:`_Diagnosis` decides."""
    try:
        value = _STRICT_READER.decode(text)
    except (ValueError, RecursionError):
        return False
    if isinstance(value, (dict, list)) and _is_too_deep(value):
        return False
    return _SPELLED_SURROGATE.search(text) is None


def _is_too_deep(value: dict[str, Any] | list[Any]) -> bool:
    level: list[dict[str, Any] | list[Any]] = [value]
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


class _Diagnosis:
    """Finds what is wrong with a text. Recursive descent; the depth limit bounds the recursion.

    Each method takes the position where something begins and returns the position after it.
    """

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where

    def document(self) -> None:
        """Raise :class:`DocumentError` unless the text is one sound value."""
        end = _skip(self._text, self._value(_skip(self._text, 0), 1))
        if end != len(self._text):
            raise self._error("there is data after the JSON value", end, code="trailing-data")

    def _error(self, message: str, at: int, code: str = "invalid-json") -> DocumentError:
        line = self._text.count("\n", 0, at) + 1
        column = at - self._text.rfind("\n", 0, at)
        return DocumentError(
            f"{message} (line {line}, column {column})", code=code, where=self._where
        )

    def _value(self, at: int, depth: int) -> int:
        first = self._text[at : at + 1]
        if first == '"':
            return self._string(at)[1]
        if first in ("{", "["):
            if depth > limits().json_depth:
                error = self._error(
                    f"the document is nested deeper than {limits().json_depth} levels",
                    at,
                    code="too-deep",
                )
                error.remedy = raised_by("json_depth")
                raise error
            return self._object(at, depth) if first == "{" else self._array(at, depth)
        for stranger in _STRANGERS:
            if self._text.startswith(stranger, at):
                raise self._error(f"{stranger} is not JSON", at)
        if first == "-" or first.isdigit():
            return self._number(at)
        for literal in _LITERALS:
            if self._text.startswith(literal, at):
                return at + len(literal)
        raise self._error("a JSON value is expected" if first else "the JSON text ends early", at)

    def _string(self, at: int) -> tuple[str, int]:
        try:
            string, end = scanstring(self._text, at + 1, True)  # noqa: FBT003 - strict; C takes no name
        except json.JSONDecodeError as error:
            faults = (said for sign, said in _STRING_FAULTS.items() if error.msg.startswith(sign))
            raise self._error(next(faults, "a string is not valid JSON"), error.pos) from None
        if not string.isascii() and _SURROGATE.search(string):
            raise self._error("a string contains half a surrogate pair", at, code="lone-surrogate")
        return string, end

    def _number(self, at: int) -> int:
        match = _NUMBER.match(self._text, at)
        if match is None:
            raise self._error("a number is not valid JSON", at)
        if match.end() - at > _DIGITS_LIMIT:
            raise self._error(f"a number has more than {_DIGITS_LIMIT} digits", at)
        return match.end()

    def _object(self, start: int, depth: int) -> int:
        names: set[str] = set()
        at = _skip(self._text, start + 1)
        closed = self._text[at : at + 1] == "}"
        while not closed:
            if self._text[at : at + 1] != '"':
                raise self._error("a field name is expected", at)
            name, key_end = self._string(at)
            if name in names:
                raise self._error(f"the field {name!r} appears twice", at, code="duplicate-member")
            names.add(name)
            colon = _skip(self._text, key_end)
            if self._text[colon : colon + 1] != ":":
                raise self._error("a colon is expected", colon)
            end = self._value(_skip(self._text, colon + 1), depth + 1)
            at, closed = self._next(end, "}")
        return at + 1

    def _array(self, start: int, depth: int) -> int:
        at = _skip(self._text, start + 1)
        closed = self._text[at : at + 1] == "]"
        while not closed:
            at, closed = self._next(self._value(at, depth + 1), "]")
        return at + 1

    def _next(self, end: int, bracket: str) -> tuple[int, bool]:
        """Where the next entry begins, or where the bracket stands that closes the container."""
        at = _skip(self._text, end)
        sign = self._text[at : at + 1]
        if sign == bracket:
            return at, True
        if sign != ",":
            raise self._error(f"a comma or {bracket!r} is expected", at)
        return _skip(self._text, at + 1), False


# -- where things stand, in a text that is sound ------------------------------------------------


def _skip(text: str, at: int) -> int:
    """The position after white space."""
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _behind_separator(text: str, at: int) -> int:
    """The position after a colon or a comma, if there is one, and the white space around it."""
    match = _SEPARATOR.match(text, at)
    return match.end() if match else at


def _placed(text: str, at: int) -> Value:
    """The value that begins at ``at``."""
    value, end = _READ_VALUE(text, at)
    if isinstance(value, dict):
        return Object(at, end, value, text)
    return Array(at, end, value, text) if isinstance(value, list) else Value(at, end, value)


def _members(text: str, start: int) -> Iterator[tuple[str, Member]]:
    at = _skip(text, start + 1)
    while text[at] != "}":
        name, key_end = scanstring(text, at + 1)
        value = _placed(text, _behind_separator(text, key_end))
        yield name, Member(at, key_end, value)
        at = _behind_separator(text, value.end)


def _items(text: str, start: int) -> Iterator[Value]:
    at = _skip(text, start + 1)
    while text[at] != "]":
        value = _placed(text, at)
        yield value
        at = _behind_separator(text, value.end)


_READ_VALUE: Final = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # typeshed leaves it out


# -- changes ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Change:
    """What happens to the entries of one object or array."""

    target: Object | Array
    gone: set[int] = field(default_factory=set)
    fresh: list[tuple[int, str, str]] = field(default_factory=list)
    """Position of the entry to stand behind (-1: to be the first), the white space between two
    entries, and the text."""


class Editor:
    r"""Changes to one text, collected and then applied at once, in whatever order they came.

    Fresh characters of a replaced string are spelled as ``model`` (the document's own media type)
    spells them: .NET writes ``+`` as ``\u002B`` everywhere.
    """

    def __init__(self, text: str, model: Value | None = None) -> None:
        self._text = text
        self._edits: list[tuple[int, int, str]] = []
        self._changes: dict[int, _Change] = {}
        self._spelling = {
            decoded: spelled
            for spelled, decoded in (self._spelled(model) if model is not None else ())
            if spelled != decoded
        }

    def __bool__(self) -> bool:
        return bool(self._edits or self._changes)

    def _spelled(self, value: Value) -> list[tuple[str, str]]:
        """The characters of a string: how each is spelled, and what it is."""
        inner = self._text[value.start + 1 : value.end - 1]
        if "\\" not in inner:
            return [(character, character) for character in inner]
        return [
            (spelled, json.loads(f'"{spelled}"')) for spelled in _SPELLED_CHARACTER.findall(inner)
        ]

    def replace_string(self, value: Value, new: str) -> None:
        """Replace a string; the head and tail that stay keep their spelling."""
        old = value.value
        if not isinstance(old, str):
            self.replace(value, json.dumps(new))
            return
        if old == new:
            return
        if (
            not self._spelling
            and _is_plain(new)
            and self._text[value.start + 1 : value.end - 1] == old
        ):
            self.replace(value, f'"{new}"')
            return
        shorter = min(len(old), len(new))
        head = next((i for i in range(shorter) if old[i] != new[i]), shorter)
        tail = next(
            (i for i in range(shorter - head) if old[-1 - i] != new[-1 - i]), shorter - head
        )
        spelled = [spelling for spelling, _ in self._spelled(value)]
        fresh = (
            self._spelling.get(character) or json.dumps(character)[1:-1]
            for character in new[head : len(new) - tail]
        )
        parts = [*spelled[:head], *fresh, *spelled[len(spelled) - tail :]]
        self.replace(value, f'"{"".join(parts)}"')

    def replace_number(self, value: Value, new: int) -> None:
        """Replace a number; one that is equal keeps its spelling."""
        if value.value != new or isinstance(value.value, bool):
            self.replace(value, str(new))

    def replace(self, value: Value, spelled: str) -> None:
        """Replace any value by the JSON text ``spelled``."""
        self._edits.append((value.start, value.end, spelled))

    def insert(self, target: Object, name: str, spelled: str, *, after: str | None = None) -> None:
        """Insert a member behind the member ``after``, or as the first; spaced as its neighbour."""
        neighbour = target.members.get(after) if after is not None else None
        like = neighbour or next(iter(target.members.values()), None)
        colon = ":" if like is None else self._text[like.key_end : like.value.start]
        space = "" if like is None else self._space_before(like.start)
        position = -1 if neighbour is None else list(target.members.values()).index(neighbour)
        entry = f"{json.dumps(name)}{colon}{spelled}"
        self._change(target).fresh.append((position, space, entry))

    def append_items(self, target: Array, spelled: list[str]) -> None:
        """Append items to an array, spaced as those that are there."""
        if spelled:
            space = self._space_before(target.items[0].start) if target.items else ""
            last = len(target.items) - 1
            self._change(target).fresh += [(last, space, item) for item in spelled]

    def remove_members(self, target: Object, names: set[str]) -> None:
        """Remove the named members, with the commas and white space that went with them."""
        gone = {i for i, name in enumerate(target.members) if name in names}
        if gone:
            self._change(target).gone |= gone

    def remove_items(self, target: Array, indexes: set[int]) -> None:
        """Remove the items at ``indexes``, likewise."""
        if indexes:
            self._change(target).gone |= indexes

    def _change(self, target: Object | Array) -> _Change:
        return self._changes.setdefault(target.start, _Change(target))

    def _space_before(self, at: int) -> str:
        start = at
        while self._text[start - 1] in " \t\n\r":
            start -= 1
        return self._text[start:at]

    def apply(self) -> bytes:
        """The text with every change made; of two changes one inside the other, the outer one."""
        edits = [edit for change in self._changes.values() for edit in _edits(change)]
        edits += self._edits
        pieces: list[str] = []
        at = 0
        for start, end, spelled in sorted(edits, key=_outer_first):
            if start >= at:
                pieces += (self._text[at:start], spelled)
                at = end
        pieces.append(self._text[at:])
        return "".join(pieces).encode("utf-8")


def _is_plain(string: str) -> bool:
    """Whether no character of a string is ever escaped."""
    return string.isascii() and string.isprintable() and '"' not in string and "\\" not in string


def _outer_first(edit: tuple[int, int, str]) -> tuple[int, bool, int]:
    """In the order of the text; at one position insertions first, then the longest edit."""
    start, end, _ = edit
    return start, end > start, -end


def _edits(change: _Change) -> list[tuple[int, int, str]]:
    """The edits of the text that make the change of one object or array."""
    spans = (
        [(item.start, item.end) for item in change.target.items]
        if isinstance(change.target, Array)
        else [(member.start, member.value.end) for member in change.target.members.values()]
    )
    kept = [i for i in range(len(spans)) if i not in change.gone]
    edits = []
    for i in change.gone:
        start, end = spans[i]
        if kept and kept[0] < i:
            edits.append((spans[i - 1][1], end, ""))
        else:
            edits.append((start, spans[i + 1][0] if i + 1 < len(spans) else end, ""))
    fresh = sorted(change.fresh, key=lambda entry: entry[0])
    for i, (position, space, entry) in enumerate(fresh):
        before = bisect_right(kept, position)
        if before:
            at, text = spans[kept[before - 1]][1], f",{space}{entry}"
        elif kept:
            at, text = spans[kept[0]][0], f"{entry},{space}"
        else:
            at = spans[0][0] if spans else change.target.start + 1
            text = entry if i == 0 else f",{space}{entry}"
        edits.append((at, at, text))
    return edits
