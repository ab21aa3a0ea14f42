"""Short ``repr`` of values, whatever they hold: one line in a terminal, or in a debugger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from enum import Enum
from typing import Any, Final

__all__ = ["Brief", "brief", "line_of"]

_LONGEST: Final = 120
"""Characters of a line."""
_TEXT: Final = 40
"""Characters of a text in it; of a longer one the beginning and the end."""
_DIGEST: Final = 64
"""Hex digits from which on twelve are enough."""


def brief(value: object) -> str:
    """One value in a few characters: of what holds others, how many they are."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping | tuple | list | set | frozenset):
        return f"<{len(value)}>"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    digest = getattr(value, "digest", None)
    return f"<{_text(digest) if isinstance(digest, str) else type(value).__name__}>"


def line_of(name: str, parts: Iterator[tuple[str, object]]) -> str:
    """``Name(key=value, …)``, as many of them as fit."""
    line, left = f"{name}(", _LONGEST - len("…)")
    for i, (key, value) in enumerate(parts):
        part = f"{', ' if i else ''}{key}={brief(value)}"
        if len(line) + len(part) > left:
            return f"{line}{', ' if i else ''}…)"[:_LONGEST]
        line += part
    return f"{line})"


def _text(text: str) -> str:
    algorithm, colon, digits = text.partition(":")
    if colon and algorithm.isalnum() and len(digits) >= _DIGEST and digits.isalnum():
        return f"{algorithm}:{digits[:12]}"
    if len(text) > _TEXT:
        half = _TEXT // 2
        text = f"{text[:half]}…{text[-half:]}"
    shown = repr(text)
    return shown if len(shown) <= 2 * _TEXT else f"{shown[:_TEXT]}…"


class Brief:
    """A value whose ``repr`` is one short line: its fields, as far as they are not as usual."""

    __slots__ = ()

    def __repr__(self) -> str:
        return line_of(type(self).__name__, self._shown())

    def _shown(self) -> Iterator[tuple[str, object]]:
        """The names and values in the line, what matters most first."""
        for field in fields(self):  # type: ignore[arg-type] # a mixin of dataclasses
            value = getattr(self, field.name, MISSING)
            if field.repr and field.init and not _is_default(value, field):
                yield field.name, value


def _is_default(value: object, field: Field[Any]) -> bool:
    if value is MISSING:
        return True
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return field.default is not MISSING and value == field.default
