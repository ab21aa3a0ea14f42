"""What is wrong with a text that is not strict JSON, and where: for errors only."""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import Final

from oci_convert.errors import DocumentError, Settle, refuse
from oci_convert.limits import limits, raised_by

__all__ = ["diagnose"]

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LITERALS: Final = ("true", "false", "null")
_STRANGERS: Final = ("NaN", "Infinity", "-Infinity", "True", "False", "None")
"""Constants of other languages that JSON does not have."""
_STRING_FAULTS: Final = {
    "Unterminated": "a string is not closed",
    "Invalid control": "a string contains a control character",
    "Invalid \\": "a string has an escape that JSON does not define",
}
"""How the messages of :mod:`json` about strings begin, and what they mean."""


def diagnose(text: str, where: str, *, digits: int, settle: Settle = refuse) -> None:
    """Raise :class:`DocumentError` unless the text is one sound value.

    ``where`` begins the place in the error; ``digits`` is how many a number may have. ``settle``
    decides about a field that appears twice.
    """
    _Diagnosis(text, where, digits, settle).document()


class _Diagnosis:
    """Finds what is wrong with a text. Recursive descent; the depth limit bounds the recursion.

    Each method takes the position where something begins and returns the position after it.
    """

    def __init__(self, text: str, where: str, digits: int, settle: Settle) -> None:
        self._text = text
        self._where = where
        self._digits = digits
        self._settle = settle
        self._path: list[str] = []
        """Where the value is that is being read."""

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
        if match.end() - at > self._digits:
            raise self._error(f"a number has more than {self._digits} digits", at)
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
                error = self._error(f"the field {name!r} appears twice", at, "duplicate-member")
                place = f"{self._where}{''.join(self._path)}"
                self._settle(error.but(where=place if self._where else place.lstrip(".")), "")
            names.add(name)
            colon = _skip(self._text, key_end)
            if self._text[colon : colon + 1] != ":":
                raise self._error("a colon is expected", colon)
            end = self._inside(f".{name}", _skip(self._text, colon + 1), depth)
            at, closed = self._next(end, "}")
        return at + 1

    def _array(self, start: int, depth: int) -> int:
        at = _skip(self._text, start + 1)
        closed, number = self._text[at : at + 1] == "]", 0
        while not closed:
            at, closed = self._next(self._inside(f"[{number}]", at, depth), "]")
            number += 1
        return at + 1

    def _inside(self, step: str, at: int, depth: int) -> int:
        self._path.append(step)
        end = self._value(at, depth + 1)
        self._path.pop()
        return end

    def _next(self, end: int, bracket: str) -> tuple[int, bool]:
        """Where the next entry begins, or where the bracket stands that closes the container."""
        at = _skip(self._text, end)
        sign = self._text[at : at + 1]
        if sign == bracket:
            return at, True
        if sign != ",":
            raise self._error(f"a comma or {bracket!r} is expected", at)
        return _skip(self._text, at + 1), False


def _skip(text: str, at: int) -> int:
    """The position after white space."""
    match = _SPACE.match(text, at)
    return match.end() if match else at
