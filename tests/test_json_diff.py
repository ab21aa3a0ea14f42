from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.documents.alignment import aligned
from oci_convert.documents.json_diff import ABSENT, differing

texts = st.lists(st.sampled_from("abcd"), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["", "a", 1.0]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)

DIFFERING: dict[str, tuple[Any, Any, list[tuple[str, Any, Any]]]] = {
    "a value": ({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", 1, 2)]),
    "null is not nothing": ({"a": None}, {}, [("a", None, ABSENT)]),
    "one is not true": ({"a": 1}, {"a": True}, [("a", 1, True)]),
    "one is not 1.0": ([1], [1.0], [("[0]", 1, 1.0)]),
    "a member is given whole": ({}, {"a": {"b": [1]}}, [("a", ABSENT, {"b": [1]})]),
    "another kind of value": ({"a": [1]}, {"a": {"b": 1}}, [("a", [1], {"b": 1})]),
    "the order of members is none": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
    "an added item leaves those behind it": (["a", "c"], ["a", "b", "c"], [("[1]", ABSENT, "b")]),
    "a removed item, too": (["a", "b", "c"], ["b", "c"], [("[0]", "a", ABSENT)]),
    "items are looked into": (
        {"history": [{"by": "a"}, {"by": "b", "empty": True}]},
        {"history": [{"by": "a"}, {"by": "c", "empty": True}]},
        [("history[1].by", "b", "c")],
    ),
    "odd names are quoted": (
        {"Labels": {"a.b": "1", 'x"y': "2"}},
        {"Labels": {"a.b": "3"}},
        [('Labels["a.b"]', "1", "3"), ('Labels["x\\"y"]', "2", ABSENT)],
    ),
    "what is there twice is told once": (["a", "a"], ["a", "a", "a"], [("[2]", ABSENT, "a")]),
    "plain names are not": ({"a": {"x-y_1": 1}}, {"a": {}}, [("a.x-y_1", 1, ABSENT)]),
}


@pytest.mark.parametrize(("left", "right", "expected"), DIFFERING.values(), ids=DIFFERING)
def test_members_that_differ_are_given_by_their_paths(
    left: Any, right: Any, expected: list[tuple[str, Any, Any]]
) -> None:
    found = [tuple(pair) for pair in differing(left, right)]
    assert [(path, repr(a), repr(b)) for path, a, b in found] == [
        (path, repr(a), repr(b)) for path, a, b in expected
    ]


@given(values, values)
def test_nothing_differs_exactly_where_both_are_the_same_text(left: Any, right: Any) -> None:
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    assert (list(differing(left, right)) == []) is same


@given(texts, texts)
def test_every_position_is_aligned_once_and_in_order(left: list[str], right: list[str]) -> None:
    pairs = list(aligned(left, right))
    assert [i for i, _ in pairs if i is not None] == list(range(len(left)))
    assert [j for _, j in pairs if j is not None] == list(range(len(right)))
    assert (None, None) not in pairs


@given(texts, texts)
def test_sides_can_be_exchanged_where_nothing_moved(left: list[str], right: list[str]) -> None:
    both = [item for item in left if item in right]
    if len(set(both)) == len(both) and both == [item for item in right if item in left]:
        assert list(aligned(left, right)) == [(i, j) for j, i in aligned(right, left)]


@given(st.lists(st.integers(0, 50), unique=True), st.sets(st.integers(0, 50)))
def test_what_was_only_added_or_removed_lets_the_others_be_the_same(
    numbers: list[int], gone: set[int]
) -> None:
    left, right = map(str, numbers), (str(number) for number in numbers if number not in gone)
    mine, yours = list(left), list(right)
    same = [(i, j) for i, j in aligned(mine, yours) if i is not None and j is not None]
    assert [mine[i] for i, _ in same] == [yours[j] for _, j in same] == yours


def test_lists_of_any_length_are_aligned() -> None:
    left = [*"ab", *map(str, range(20_000)), *"zz"]
    right = [*"ab", *map(str, range(1, 20_001)), *"zz"]
    assert [pair for pair in aligned(left, right) if None in pair] == [(2, None), (None, 20_001)]
    assert len(list(aligned(["a", "b"] * 10_000, ["b", "a"] * 10_000))) == 20_000
