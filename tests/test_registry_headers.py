"""The headers of registries, as they are written in the field."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_convert.stores.registry.headers import (
    Challenge,
    challenges,
    content_range,
    last_received,
    media_type,
    next_link,
    number,
    retry_after,
    warning_texts,
)

CHALLENGES: dict[str, list[tuple[str, dict[str, str]]]] = {
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
    'scope="repository:library/alpine:pull,push"': [
        (
            "bearer",
            {
                "realm": "https://auth.docker.io/token",
                "service": "registry.docker.io",
                "scope": "repository:library/alpine:pull,push",
            },
        )
    ],
    'Basic realm="registry"': [("basic", {"realm": "registry"})],
    'BASIC realm="Sonatype Nexus Repository Manager"': [
        ("basic", {"realm": "Sonatype Nexus Repository Manager"})
    ],
    "Bearer realm=https://a.example/token,service=a": [
        ("bearer", {"realm": "https://a.example/token", "service": "a"})
    ],
    'Basic realm="a, Bearer b", Bearer realm="c" , service="d"': [
        ("basic", {"realm": "a, Bearer b"}),
        ("bearer", {"realm": "c", "service": "d"}),
    ],
    'Bearer  Realm = "a" ,\tSERVICE="b"': [("bearer", {"realm": "a", "service": "b"})],
    r'Basic realm="say \"hi\" \\ there"': [("basic", {"realm": r'say "hi" \ there'})],
    "Negotiate": [("negotiate", {})],
    'Negotiate, Basic realm="a"': [("negotiate", {}), ("basic", {"realm": "a"})],
    'Bearer realm="a",error="insufficient_scope"': [
        ("bearer", {"realm": "a", "error": "insufficient_scope"})
    ],
    'realm="a"': [],
    'Bearer realm="never closed': [("bearer", {})],
    "": [],
    " , ,": [],
}


@pytest.mark.parametrize("value", CHALLENGES)
def test_challenges_are_read(value: str) -> None:
    found = challenges(value)
    read = [(it.scheme, dict(it.parameters)) for it in found]
    expected = CHALLENGES[value]
    if "never closed" in value:
        assert read[0] == expected[0]
    else:
        assert read == expected


LINKS = {
    '</v2/a/tags/list?last=b&n=1>; rel="next"': "/v2/a/tags/list?last=b&n=1",
    "</v2/a/tags/list?last=b>; rel=next": "/v2/a/tags/list?last=b",
    '<https://r.example/v2/_catalog?next_page=x>;rel="next"': (
        "https://r.example/v2/_catalog?next_page=x"
    ),
    '<a>; rel="prev", <b>; rel="next"': "b",
    '<a>; title="x"; REL="NEXT"': "a",
    '<a>; rel="prev next"': "a",
    '<a>; rel="prev"': None,
    "<a>": None,
    "a; rel=next": None,
    "": None,
}


@pytest.mark.parametrize("value", LINKS)
def test_the_next_page_is_where_the_header_says(value: str) -> None:
    assert next_link(value) == LINKS[value]


NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WAITS = {
    "0": 0.0,
    "120": 120.0,
    " 7 ": 7.0,
    "Sat, 21 Nov 2026 12:01:00 GMT": 60.0,
    "Sat, 21 Nov 2026 12:01:00": 60.0,
    "Sat, 21 Nov 2026 11:00:00 GMT": 0.0,
    "soon": None,
    "-5": None,
    "1.5": None,
    "9" * 50: None,
    "٣": None,
    "": None,
}


@pytest.mark.parametrize("value", WAITS)
def test_how_long_to_wait_is_a_number_or_a_date(value: str) -> None:
    assert retry_after(value, NOW) == WAITS[value]


@pytest.mark.parametrize(
    ("value", "read"),
    [("0", 0), ("1024", 1024), ("9" * 5000, None), ("-1", None), ("1.5", None), ("٣", None)],
)
def test_a_number_is_one_that_can_mean_something(value: str, read: int | None) -> None:
    assert number(value) == read


@pytest.mark.parametrize(
    ("value", "last"),
    [
        ("0-1023", 1023),
        ("bytes=0-9", 9),
        ("bytes 0-9", 9),
        (" 0-0 ", 0),
        ("5-9", None),
        ("0-", None),
        ("x", None),
        ("", None),
    ],
)
def test_what_an_upload_has_is_read(value: str, last: int | None) -> None:
    assert last_received(value) == last


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("bytes 5-9/10", (5, 9, 10)),
        ("bytes 5-9/*", (5, 9, None)),
        ("bytes */10", None),
        ("5-9/10", None),
        ("", None),
    ],
)
def test_which_part_an_answer_has_is_read(value: str, read: object) -> None:
    assert content_range(value) == read


def test_a_type_has_no_parameters() -> None:
    assert media_type("application/vnd.oci.Image.manifest.v1+json; charset=utf-8") == (
        "application/vnd.oci.image.manifest.v1+json"
    )


def test_warnings_are_told_word_for_word() -> None:
    value = r'299 - "it \"ends\" soon", 214 proxy "changed", 299 - "really"'
    assert warning_texts(value) == ('it "ends" soon', "really")


# -- whatever they hold -------------------------------------------------------------------------

token = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,9}", fullmatch=True)
value = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20)


parameters = st.dictionaries(token.map(str.lower), value, min_size=1, max_size=3)


@given(st.lists(st.tuples(token, parameters), max_size=3))
def test_challenges_that_are_written_by_the_book_come_back(
    written: list[tuple[str, dict[str, str]]],
) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={quoted(text)}" for name, text in parameters.items())
        for scheme, parameters in written
    )
    assert challenges(header) == tuple(
        Challenge(scheme.lower(), parameters) for scheme, parameters in written
    )


@given(st.from_regex(r"(?:https://r\.example)?/[a-z0-9/_?=&%.-]{0,30}", fullmatch=True))
def test_a_link_that_is_written_by_the_book_comes_back(target: str) -> None:
    assert next_link(f'<{target}>; rel="next"') == target


@given(st.one_of(st.text(), st.text(alphabet=' a=",;<>\\-/0123456789bytesrelnext')))
@example('"' * 100_000)
@example('a="' * 100_000)
@example("<" * 100_000)
@example("a" * 100_000)
@example("<a>;" + " " * 100_000)
@example("\\" * 100_000)
@example('<a>; rel="' * 10_000)
def test_nothing_in_a_header_is_an_error(text: str) -> None:
    assert all(it.scheme == it.scheme.lower() for it in challenges(text))
    link = next_link(text)
    assert link is None or link in text
    wait = retry_after(text)
    assert wait is None or wait >= 0
    assert (last_received(text) or 0) >= 0
    content_range(text)
    warning_texts(text)
