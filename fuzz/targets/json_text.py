"""Any text: read as :mod:`json` reads it, and changed into what the changes say.

The input is a document, then ``0xff``, then the choices of the changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from base import DICE, Draws, ours, split
from oci_convert.documents.json_editor import Editor
from oci_convert.documents.json_reader import Array, Object, Value, scan
from oci_convert.errors import DocumentError
from stores import documents

_FRESH: Final[tuple[Any, ...]] = (0, "", None, "a/b+c", '\\"\u2028😀', 2**64, [], {"a": [1]})
_DIGITS: Final = 4000


def run(data: bytes) -> None:
    """Read, look at every value, change some."""
    raw, draws = split(data)
    with ours():
        try:
            text, root = scan(raw)
        except DocumentError as error:
            _check_refusal(raw, error.code)
            raise
        assert root.value == json.loads(raw)
        _check_places(text, root)
        stated = root.get("mediaType") if isinstance(root, Object) else None
        editor = Editor(text, stated if stated and isinstance(stated.value, str) else None)
        expected = _changed(root, editor, draws)
        changed = editor.apply()
        assert json.loads(changed, object_pairs_hook=_Pairs) == expected
        assert editor or changed == raw


class _Pairs(list[Any]):
    """The members of an object in their order, and no array."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pairs) and list(self) == list(other)

    __hash__ = None


def _check_refusal(raw: bytes, code: str) -> None:
    """What is called no JSON is none for others, too."""
    if code != "invalid-json" or len(raw) > _DIGITS:
        return

    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(raw.decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        return
    raise AssertionError("sound JSON was refused")


def _check_places(text: str, value: Value) -> None:
    assert json.loads(text[value.start : value.end]) == value.value
    if isinstance(value, Array):
        assert len(value.items) == len(value.value)
        for item in value.items:
            _check_places(text, item)
    if isinstance(value, Object):
        assert list(value.members) == list(value.value)
        for name, member in value.members.items():
            assert json.loads(text[member.start : member.key_end]) == name
            _check_places(text, member.value)


def _plain(value: Any) -> Any:
    """A value as :class:`_Pairs` show it."""
    return json.loads(json.dumps(value), object_pairs_hook=_Pairs)


def _changed(value: Value, editor: Editor, draws: Draws) -> Any:
    """Order changes of a value and of what is in it; returns what it then should be."""
    if isinstance(value, Array):
        return _changed_array(value, editor, draws)
    return _changed_object(value, editor, draws) if isinstance(value, Object) else value.value


def _changed_array(value: Array, editor: Editor, draws: Draws) -> list[Any]:
    kept = []
    for i, item in enumerate(value.items):
        gone, new = _changed_entry(item, editor, draws)
        if gone:
            editor.remove_items(value, {i})
        else:
            kept.append(new)
    fresh = [draws.one_of(_FRESH) for _ in range(draws.number(3))]
    editor.append_items(value, [json.dumps(item) for item in fresh])
    return kept + [_plain(item) for item in fresh]


def _changed_object(value: Object, editor: Editor, draws: Draws) -> _Pairs:
    pairs = _Pairs()
    if draws.rarely():
        pairs += _inserted(value, None, editor, draws)
    for name, member in value.members.items():
        gone, new = _changed_entry(member.value, editor, draws)
        if gone:
            editor.remove_members(value, {name})
        else:
            pairs.append((name, new))
        if draws.rarely():
            pairs += _inserted(value, name, editor, draws)
    return pairs


def _inserted(value: Object, after: str | None, editor: Editor, draws: Draws) -> _Pairs:
    new, name = draws.one_of(_FRESH), f"behind {after!r}"
    while name in value.members:
        name += "'"
    editor.insert(value, name, json.dumps(new), after=after)
    return _Pairs([(name, _plain(new))])


def _changed_entry(value: Value, editor: Editor, draws: Draws) -> tuple[bool, Any]:
    """Whether an item or a member goes, and what becomes of it if it stays."""
    inside = _changed(value, editor, draws)
    choice = draws.number(16)
    if choice == 1:
        return True, None
    if choice == 2:
        new = draws.one_of(_FRESH)
        editor.replace(value, json.dumps(new))
        return False, _plain(new)
    if choice == 3:
        text = str(draws.one_of(_FRESH))
        editor.replace_string(value, text)
        return False, text
    if choice == 4:
        number = draws.number(2**32)
        editor.replace_number(value, number)
        return False, number
    return False, inside


def seeds() -> Iterator[bytes]:
    """Documents, unchanged and changed."""
    for document in documents():
        yield document
        yield document + DICE + bytes(range(64))
