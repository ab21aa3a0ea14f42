"""JSON text, edited in place.

:class:`Editor` replaces, inserts and removes single values in a text that
:mod:`~oci_convert.documents.json_reader` has read, and leaves every other character alone. White
space, key order, escapes, unknown members and big integers survive because they are never
serialised again.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

from oci_convert.documents.json_reader import Array, Object, Value

__all__ = ["Editor"]

_SPELLED_CHARACTER: Final = (
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]"
)


@dataclass(slots=True, eq=False, repr=False)
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
        escaped = model is not None and "\\" in text[model.start : model.end]
        self._spelling = {
            decoded: spelled
            for spelled, decoded in (self._spelled(model) if model and escaped else ())
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
            (spelled, json.loads(f'"{spelled}"'))
            for spelled in re.findall(_SPELLED_CHARACTER, inner)
        ]

    def replace_string(self, value: Value, new: str) -> None:
        """Replace a string; the head and tail that stay keep their spelling."""
        old = value.value
        if old == new:
            return
        if not isinstance(old, str):
            self.replace(value, json.dumps(new))
            return
        if (
            not self._spelling
            and _is_plain(new)
            and self._text[value.start + 1 : value.end - 1] == old
        ):
            self._edits.append((value.start, value.end, f'"{new}"'))
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
