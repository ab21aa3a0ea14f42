"""In which fields two JSON values differ, each by its path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from oci_convert.documents.alignment import aligned

__all__ = ["ABSENT", "Absent", "MemberPair", "differing"]


class Absent(Enum):
    """The value of a field that does not exist (``null`` is a value)."""

    ABSENT = "absent"

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent.ABSENT

_Json: TypeAlias = Any

_spelled: Final = json.JSONEncoder(sort_keys=True).encode
"""The same text for the same value."""
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class MemberPair(NamedTuple):
    """A member and its two values, which are not equal."""

    path: str
    """``config.Env[3]``; a name with other characters is quoted: ``config.Labels["a.b"]``."""
    left: _Json
    right: _Json


def differing(left: _Json, right: _Json, path: str = "") -> Iterator[MemberPair]:
    """The innermost members in which two values differ, in the order of the left one.

    What is only on one side is given as a whole. Items of arrays are aligned, so that one that was
    added does not let all behind it differ; they are counted on the left, what is only on the right
    there. The order of members and how values are spelled is no difference, but ``1`` is neither
    ``1.0`` nor ``true``. Both values are plain data of JSON that was read strictly.
    """
    if isinstance(left, dict) and isinstance(right, dict):
        for name in {**left, **right}:
            mine, yours = left.get(name, ABSENT), right.get(name, ABSENT)
            yield from differing(mine, yours, _member(path, name))
    elif isinstance(left, list) and isinstance(right, list):
        for i, j in aligned(list(map(_spelled, left)), list(map(_spelled, right))):
            mine = ABSENT if i is None else left[i]
            yours = ABSENT if j is None else right[j]
            yield from differing(mine, yours, f"{path}[{j if i is None else i}]")
    elif left is ABSENT or right is ABSENT or _spelled(left) != _spelled(right):
        yield MemberPair(path, left, right)


def _member(path: str, name: str) -> str:
    if not _PLAIN.fullmatch(name):
        return f"{path}[{json.dumps(name, ensure_ascii=False)}]"
    return f"{path}.{name}" if path else name
