"""What each refusal of a JSON text says; ``docs/strict-json.md`` is made from the same samples."""

from __future__ import annotations

import json

import pytest

from oci_convert.documents.json_reader import scan
from oci_convert.findings import CODES, Level
from support.strict_json import (
    DOCUMENTS,
    TAKEN,
    TEXTS,
    document_refusal,
    markdown,
    refusal,
)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_not_strict_is_refused_by_its_code(name: str) -> None:
    raw, code = TEXTS[name]
    error = refusal(raw)
    assert error is not None
    assert error.code == code
    assert error.where.startswith("index.json")
    assert CODES[code].level is Level.ERROR
    assert str(error).isprintable()
    assert error.remedy


def test_a_place_is_a_line_and_a_column() -> None:
    error = refusal('{"ä":\n  [1,\n  "😀", x]}'.encode())
    assert error is not None
    assert error.message == "a JSON value is expected (line 3, column 8)"


@pytest.mark.parametrize("name", TAKEN)
def test_a_text_that_is_only_odd_is_taken(name: str) -> None:
    text, value = scan(TAKEN[name])
    assert value.value == json.loads(text)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_text_that_is_no_document_is_refused_by_its_code(name: str) -> None:
    raw, media_type, code = DOCUMENTS[name]
    assert refusal(raw) is None, "what is to be shown is not the JSON"
    error = document_refusal(raw, media_type)
    assert error is not None
    assert error.code == code
    assert CODES[code].level is Level.ERROR
    assert str(error).isprintable()
    assert error.remedy


def test_the_page_has_a_row_for_every_sample() -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("| ")]
    heads = 3
    assert len(rows) == len(TEXTS) + len(TAKEN) + len(DOCUMENTS) + heads
    assert all(name in row for name, row in zip(TEXTS, rows[1:], strict=False))
