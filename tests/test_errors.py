"""Errors: one base, one line, fields for programs."""

from __future__ import annotations

import pickle

import pytest

from oci_convert import errors
from oci_convert.errors import BlobError, OciConvertError

CLASSES = [kind for name in errors.__all__ if isinstance(kind := getattr(errors, name), type)]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_the_one_base_and_survives_pickling(kind: type[OciConvertError]) -> None:
    error = kind("it ends", code="blob-truncated", where="dir:app", remedy="fetch it again")
    twin = pickle.loads(pickle.dumps(error))
    assert issubclass(kind, OciConvertError)
    assert type(twin) is kind
    assert (twin.message, twin.code, twin.where, twin.remedy) == (
        "it ends",
        "blob-truncated",
        "dir:app",
        "fetch it again",
    )
    assert str(twin) == str(error)


def test_the_line_says_where_what_and_what_to_do() -> None:
    bare = BlobError("it ends", code="c")
    assert str(bare) == "it ends"
    assert str(bare.at("layers[3]")) == "layers[3]: it ends"
    full = BlobError("it ends", code="c", where="layers[3]", remedy="fetch it again")
    assert str(full.at("dir:app")) == "dir:app: layers[3]: it ends; fetch it again"


def test_an_error_at_another_place_is_another_error_of_the_same_kind() -> None:
    error = BlobError("it ends", code="c", where="layers[3]")
    moved = error.at("dir:app")
    assert type(moved) is BlobError
    assert moved.code == "c"
    assert error.where == "layers[3]"


def test_an_error_is_one_line_whatever_a_document_or_a_path_holds() -> None:
    error = BlobError(
        "the type 'a\nb' is \x1b[31mred", code="c", where="dir:new\rline", remedy="é \u202e"
    )
    assert str(error) == "dir:new\\rline: the type 'a\\nb' is \\x1b[31mred; é \\u202e"
    assert str(error).isprintable()
