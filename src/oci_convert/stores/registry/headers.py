"""The headers of registries, read as they are written in the field. Nothing here raises.

Implements the grammars of RFC 9110 (challenges, ``Retry-After``, ``Content-Range``) and RFC 8288
(``Link``), with what registries write instead: bare values, upper-case schemes, missing quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = [
    "Challenge",
    "challenges",
    "content_range",
    "last_received",
    "media_type",
    "next_link",
    "number",
    "retry_after",
    "warning_texts",
]

_LONGEST: Final = 8192
"""Characters of a header that are looked at."""
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_PART: Final = re.compile(rf"({_WORD})\s*=\s*(?:{_QUOTED}|([^\s\",]+))|({_WORD})")
_ESCAPED: Final = re.compile(r"\\(.)")
_LINK: Final = re.compile(r"<([^<>]*)>([^<]*)")
_RELATION: Final = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\";,]+))", re.IGNORECASE)
_RANGE: Final = re.compile(r"(?:bytes[ =])?\s*([0-9]{1,18})-([0-9]{1,18})")
_CONTENT_RANGE: Final = re.compile(r"bytes\s+([0-9]{1,18})-([0-9]{1,18})/(?:([0-9]{1,18})|\*)")
_WARNING: Final = re.compile(rf"299\s+\S+\s+{_QUOTED}")


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a registry wants to see: a scheme in lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]
    """By names in lower case."""


def challenges(value: str) -> tuple[Challenge, ...]:
    """The challenges of a ``WWW-Authenticate`` header, in its order."""
    found: list[tuple[str, dict[str, str]]] = []
    for match in _PART.finditer(value[:_LONGEST]):
        name, quoted, bare, scheme = match.groups()
        if scheme is not None:
            found.append((scheme.lower(), {}))
        elif found:
            text = bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
            found[-1][1].setdefault(name.lower(), text)
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)


def next_link(value: str) -> str | None:
    """Where a ``Link`` header says that the next page is, word for word."""
    # Looked at whole: what is cut off would be the rest of a list.
    for target, parameters in _LINK.findall(value):
        for quoted, bare in _RELATION.findall(parameters):
            if "next" in (quoted or bare).lower().split():
                return str(target)
    return None


def number(value: str) -> int | None:
    """The number that a header is; ``None`` for anything else, or one that can mean nothing."""
    return int(value) if re.fullmatch("[0-9]{1,18}", value) else None


def retry_after(value: str, now: datetime | None = None) -> float | None:
    """The seconds to wait by a ``Retry-After`` header, which holds a number or a date."""
    value = value.strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        date = parsedate_to_datetime(value[:100])
    except (TypeError, ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def media_type(value: str) -> str:
    """A ``Content-Type`` without its parameters."""
    return value.partition(";")[0].strip().lower()


def last_received(value: str) -> int | None:
    """The last byte that an upload has, by its ``Range`` header: 1023 for ``0-1023``.

    ``None`` for a header that says nothing of the kind, as for a range that begins elsewhere.
    """
    match = _RANGE.fullmatch(value.strip())
    return int(match[2]) if match is not None and int(match[1]) == 0 else None


def content_range(value: str) -> tuple[int, int, int | None] | None:
    """First and last byte of an answer, and how many there are if that is said."""
    match = _CONTENT_RANGE.fullmatch(value.strip())
    if match is None:
        return None
    return int(match[1]), int(match[2]), int(match[3]) if match[3] else None


def warning_texts(value: str) -> tuple[str, ...]:
    """The texts of ``Warning: 299 - "…"`` headers."""
    return tuple(_ESCAPED.sub(r"\1", text) for text in _WARNING.findall(value[:_LONGEST]))
