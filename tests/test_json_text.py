"""Reading JSON strictly, and changing it in place without touching anything else.

What is refused, and how, is in ``test_strict_json.py``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.documents.json_diagnosis import diagnose
from oci_convert.documents.json_editor import Editor
from oci_convert.documents.json_reader import Array, Object, Value, _sound, scan
from oci_convert.errors import DocumentError
from oci_convert.limits import Limits
from oci_convert.spec.media_types import CELLS

# -- texts --------------------------------------------------------------------------------------

_SHORT = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n"}
_SHORT |= {"\r": "\\r", "\t": "\\t"}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**53, max_value=2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.text(alphabet='<>&+/"\\é\u2028😀\x7f\n', max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
DICE = st.randoms(use_true_random=False)


def spell(value: Any, dice: random.Random) -> str:
    """``value`` as JSON, with spaces and escapes as the dice fall."""

    def space() -> str:
        return "".join(dice.choices(" \t\n\r", k=dice.choice((0, 0, 1, 3))))

    if isinstance(value, str):
        return f'"{"".join(spell_character(character, dice) for character in value)}"'
    if isinstance(value, float):
        return dice.choice((repr(value), f"{value:.17e}", f"{value:.17E}"))
    if isinstance(value, list):
        items = ",".join(f"{space()}{spell(item, dice)}{space()}" for item in value)
        return f"[{items or space()}]"
    if isinstance(value, dict):
        members = ",".join(
            f"{space()}{spell(name, dice)}{space()}:{space()}{spell(member, dice)}{space()}"
            for name, member in value.items()
        )
        return f"{{{members or space()}}}"
    return json.dumps(value)


def spell_character(character: str, dice: random.Random) -> str:
    units = character.encode("utf-16-be")
    codes = [units[i : i + 2].hex() for i in range(0, len(units), 2)]
    escaped = "".join(f"\\u{dice.choice((code, code.upper()))}" for code in codes)
    ways = [escaped]
    if character in _SHORT:
        ways.append(_SHORT[character])
    if character >= " " and character not in '"\\':
        ways += [character] * 3
    return dice.choice(ways)


def read(text: str) -> Value:
    return scan(text.encode())[1]


def ordered(text: str | bytes) -> Any:
    """The value of a text with the order of its members."""
    return json.loads(text, object_pairs_hook=list)


# -- reading ------------------------------------------------------------------------------------


@given(VALUES, DICE)
def test_a_text_has_the_value_that_json_gives_it(value: Any, dice: random.Random) -> None:
    text = f" {spell(value, dice)}\n"
    assert read(text).value == json.loads(text) == value


@given(VALUES, DICE)
def test_every_value_stands_where_it_says(value: Any, dice: random.Random) -> None:
    text = spell(value, dice)

    def check(found: Value) -> None:
        assert json.loads(text[found.start : found.end]) == found.value
        for item in found.items if isinstance(found, Array) else ():
            check(item)
        for name, member in found.members.items() if isinstance(found, Object) else ():
            assert json.loads(text[member.start : member.key_end]) == name
            check(member.value)

    check(read(text))


@given(st.binary(max_size=40) | st.text(alphabet='{}[],:"\\u0123eE+-. \n', max_size=40))
def test_any_bytes_give_a_value_or_a_document_error(raw: bytes | str) -> None:
    data = raw if isinstance(raw, bytes) else raw.encode()
    try:
        _, found = scan(data)
    except DocumentError:
        return
    assert found.value == json.loads(data)


@given(VALUES, DICE, st.data())
def test_a_text_cut_short_or_damaged_gives_a_value_or_a_document_error(
    value: Any, dice: random.Random, data: st.DataObject
) -> None:
    raw = spell(value, dice).encode()
    at = data.draw(st.integers(0, len(raw)))
    damaged = raw[:at] + data.draw(st.binary(max_size=2)) + raw[at + data.draw(st.integers(0, 2)) :]
    try:
        _, found = scan(damaged)
    except DocumentError:
        return
    assert found.value == json.loads(damaged)


@given(VALUES, DICE, st.data())
def test_what_the_quick_reader_accepts_the_judge_accepts(
    value: Any, dice: random.Random, data: st.DataObject
) -> None:
    text = spell(value, dice)
    at = data.draw(st.integers(0, len(text)))
    junk = data.draw(st.text(alphabet='{}[],:"\\u0dDeE+-. \nN', max_size=3))
    for one in (text, text[:at] + junk + text[at + data.draw(st.integers(0, 2)) :]):
        try:
            _sound(one)
        except (ValueError, RecursionError):
            continue
        diagnose(one, "", digits=4000)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_bounded(opening: str, closing: str) -> None:
    most = Limits().json_depth

    def nested(levels: int) -> str:
        return opening * levels + "1" + closing * levels

    assert read(nested(most)).value == json.loads(nested(most))
    empty = nested(most).replace("1", "[]")
    for text in (nested(most + 1), nested(200_000), empty):
        with pytest.raises(DocumentError) as refused:
            scan(text.encode())
        assert refused.value.code == "too-deep"


def test_size_is_bounded() -> None:
    assert scan(b'"1234"', size_limit=6)[1].value == "1234"
    with pytest.raises(DocumentError) as refused:
        scan(b'"12345"', size_limit=6)
    assert refused.value.code == "document-too-large"
    assert refused.value.message == "the document has 7 bytes, more than the limit of 6"


def test_integers_are_integers_and_nothing_else_is() -> None:
    found = read("[7, 7.0, 7e0, true, -0, 9007199254740993]").value
    assert [type(value) for value in found] == [int, float, float, bool, int, int]
    assert found[-1] == 2**53 + 1


# -- changing -----------------------------------------------------------------------------------


@dataclass
class Changes:
    """What is to happen to one container; the same is done by the editor and to plain data."""

    gone: set[Any] = field(default_factory=set)
    replaced: dict[Any, Any] = field(default_factory=dict)
    inserted: list[tuple[str, Any, str | None]] = field(default_factory=list)
    appended: list[Any] = field(default_factory=list)


def containers(value: Value) -> list[Object | Array]:
    inner = value.items if isinstance(value, Array) else []
    if isinstance(value, Object):
        inner = [member.value for member in value.members.values()]
    own = [value] if isinstance(value, Object | Array) else []
    return own + [found for item in inner for found in containers(item)]


def draw_changes(draw: Callable[[st.SearchStrategy[Any]], Any], found: Object | Array) -> Changes:
    keys: list[Any] = list(range(len(found.items)) if isinstance(found, Array) else found.members)
    changes = Changes()
    if keys:
        some = st.sets(st.sampled_from(keys))
        changes.gone = draw(some)
        changes.replaced = {key: draw(SCALARS) for key in draw(some)}
    if isinstance(found, Array):
        changes.appended = draw(st.lists(SCALARS, max_size=2))
    else:
        for i in range(draw(st.integers(0, 2))):
            after = draw(st.sampled_from([None, "no such member", *keys]))
            changes.inserted.append((f"new member {i}", draw(SCALARS), after))
    return changes


def edit(editor: Editor, found: Object | Array, changes: Changes) -> None:
    if isinstance(found, Array):
        for key, new in changes.replaced.items():
            editor.replace(found.items[key], json.dumps(new))
        editor.append_items(found, [json.dumps(item) for item in changes.appended])
        for key in changes.gone:  # one by one: calls add up
            editor.remove_items(found, {key})
        return
    for key, new in changes.replaced.items():
        editor.replace(found.members[key].value, json.dumps(new))
    for name, value, after in changes.inserted:
        editor.insert(found, name, json.dumps(value), after=after)
    for key in changes.gone:
        editor.remove_members(found, {key})


def expected(found: Value, plan: dict[int, Changes]) -> Any:
    """What the changed value is, as plain data with the order of its members."""
    if isinstance(found, Array):
        changes = plan.get(id(found), Changes())
        kept = [
            changes.replaced[i] if i in changes.replaced else expected(item, plan)
            for i, item in enumerate(found.items)
            if i not in changes.gone
        ]
        return kept + changes.appended
    if isinstance(found, Object):
        changes = plan.get(id(found), Changes())
        news: dict[str | None, list[tuple[str, Any]]] = {}
        for name, value, after in changes.inserted:
            news.setdefault(after if after in found.members else None, []).append((name, value))
        members = news.get(None, [])
        for name, member in found.members.items():
            if name not in changes.gone:
                new = changes.replaced
                members.append((name, new[name] if name in new else expected(member.value, plan)))
            members += news.get(name, [])
        return members
    return found.value


@given(VALUES, DICE, st.data())
def test_any_combination_of_changes_gives_what_they_say(
    value: Any, dice: random.Random, data: st.DataObject
) -> None:
    text = spell(value, dice)
    root = read(text)
    plan = {id(found): draw_changes(data.draw, found) for found in containers(root)}
    editor = Editor(text)
    order = containers(root)
    dice.shuffle(order)
    for found in order:
        edit(editor, found, plan[id(found)])
    assert ordered(editor.apply()) == as_pairs(expected(root, plan))


def as_pairs(value: Any) -> Any:
    """Plain data as :func:`ordered` gives it: JSON knows lists of two, not tuples."""
    if isinstance(value, tuple | list):
        return [
            tuple(map(as_pairs, item)) if isinstance(item, tuple) else as_pairs(item)
            for item in value
        ]
    return value


@given(VALUES, DICE, st.data())
def test_nothing_but_the_replaced_values_changes(
    value: Any, dice: random.Random, data: st.DataObject
) -> None:
    text = spell(value, dice)
    scalars = [found for found in every_value(read(text)) if type(found) is Value]
    chosen = data.draw(st.sets(st.sampled_from(range(len(scalars))))) if scalars else set()
    editor = Editor(text)
    pieces, at = [], 0
    for i in sorted(chosen):
        editor.replace(scalars[i], f'"new {i}"')
        pieces += [text[at : scalars[i].start], f'"new {i}"']
        at = scalars[i].end
    assert editor.apply().decode() == "".join([*pieces, text[at:]])


def every_value(value: Value) -> list[Value]:
    inner = value.items if isinstance(value, Array) else []
    if isinstance(value, Object):
        inner = [member.value for member in value.members.values()]
    return [value, *(found for item in inner for found in every_value(item))]


@given(VALUES, DICE, st.data())
def test_removing_what_was_inserted_gives_the_same_bytes(
    value: Any, dice: random.Random, data: st.DataObject
) -> None:
    text = spell(value, dice)
    there = Editor(text)
    for found in containers(read(text)):
        if isinstance(found, Array):
            there.append_items(found, ["1", "2"])
        else:
            after = data.draw(st.sampled_from([None, *found.members]))
            there.insert(found, "new member", "1", after=after)
    changed = there.apply().decode()
    back = Editor(changed)
    for found in containers(read(changed)):
        if isinstance(found, Array):
            back.remove_items(found, {len(found.items) - 2, len(found.items) - 1})
        else:
            back.remove_members(found, {"new member"})
    assert back.apply().decode() == text


def test_what_is_inserted_is_spaced_as_its_neighbours() -> None:
    text = '{\n   "a": 1,\n   "b": [\n      1\n   ]\n}'
    root = read(text)
    assert isinstance(root, Object)
    array = root.get("b")
    assert isinstance(array, Array)
    editor = Editor(text)
    editor.insert(root, "first", "0")
    editor.insert(root, "second", "0", after="a")
    editor.append_items(array, ["2"])
    assert editor.apply().decode() == (
        '{\n   "first": 0,\n   "a": 1,\n   "second": 0,\n   "b": [\n      1,\n      2\n   ]\n}'
    )


def test_what_is_removed_takes_its_comma_and_space_along() -> None:
    text = '{\n   "a": 1,\n   "b": 2,\n   "c": 3\n}'
    root = read(text)
    assert isinstance(root, Object)
    results = {}
    for gone in ("a", "b", "c", "abc"):
        editor = Editor(text)
        editor.remove_members(root, set(gone))
        results[gone] = editor.apply().decode()
    assert results == {
        "a": '{\n   "b": 2,\n   "c": 3\n}',
        "b": '{\n   "a": 1,\n   "c": 3\n}',
        "c": '{\n   "a": 1,\n   "b": 2\n}',
        "abc": "{\n   \n}",
    }


def test_an_editor_without_changes_is_false_and_gives_the_same_bytes() -> None:
    text = ' {"a" : "\\u003c" , "b":1.50} \n'
    root = read(text)
    assert isinstance(root, Object)
    editor = Editor(text)
    for name, member in root.members.items():
        if name == "a":
            editor.replace_string(member.value, "<")
    editor.remove_members(root, {"c"})
    editor.append_items(Array(0, 0, []), [])
    assert not editor
    assert editor.apply() == text.encode()


def test_a_number_that_is_equal_keeps_its_spelling() -> None:
    text = "[7, 1E1, true, null]"
    root = read(text)
    assert isinstance(root, Array)
    editor = Editor(text)
    for item, new in zip(root.items, (7, 10, 1, 5), strict=True):
        editor.replace_number(item, new)
    assert editor.apply() == b"[7, 1E1, 1, 5]"


def plain(text: str) -> str:
    return json.dumps(text)


def dotnet(text: str) -> str:
    return json.dumps(text).replace("+", "\\u002B")


def with_slashes(text: str) -> str:
    return json.dumps(text).replace("/", "\\/")


PAIRS = {
    (here, there)
    for names in CELLS.values()
    for here in names.values()
    for there in names.values()
    if here and there and here != there
}


@pytest.mark.parametrize("spelling", [plain, dotnet, with_slashes])
@pytest.mark.parametrize(("here", "there"), sorted(PAIRS))
def test_a_media_type_that_is_replaced_and_put_back_has_the_same_bytes(
    here: str, there: str, spelling: Callable[[str], str]
) -> None:
    own = spelling("application/vnd.oci.image.manifest.v1+json")
    text = f'{{"config":{spelling(here)},"mediaType":{own}}}'
    changed = replaced(text, there, "config")
    assert json.loads(changed)["config"] == there
    assert replaced(changed, here, "config") == text


def replaced(text: str, new: str, name: str = "mediaType") -> str:
    root = read(text)
    assert isinstance(root, Object)
    editor = Editor(text, root.get("mediaType"))
    editor.replace_string(root.members[name].value, new)
    return editor.apply().decode()


@given(st.text(), st.text(), DICE)
def test_a_replaced_string_is_the_new_one(old: str, new: str, dice: random.Random) -> None:
    assert json.loads(replaced(f'{{"mediaType":{spell(old, dice)}}}', new)) == {"mediaType": new}


def test_the_head_and_tail_that_stay_keep_their_spelling() -> None:
    text = '{"mediaType":"\\u0061b\\/old\\u002Bc"}'
    assert replaced(text, "ab/new+c") == '{"mediaType":"\\u0061b\\/new\\u002Bc"}'


def test_a_value_of_another_type_becomes_the_string() -> None:
    assert replaced('{"mediaType": null }', "a") == '{"mediaType": "a" }'
