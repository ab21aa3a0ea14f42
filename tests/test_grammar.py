"""Values that break the specification's grammar: told by every verb, and kept as they are."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import Compression, Memory, OciConvertError, convert, verify
from oci_convert.spec.grammar import is_media_type, is_uri
from support.images import Image, docker_image, layer, layout_files, oci_image

LONG: Final = "a" * 127
TYPES: Final[dict[str, bool]] = {
    "application/vnd.oci.image.layer.v1.tar+gzip": True,
    "a/b": True,
    f"{LONG}/{LONG}": True,
    "x/a!#$&-^_.+": True,
    "layer": False,
    "/b": False,
    "a/": False,
    "a/b/c": False,
    ".a/b": False,
    "a/.b": False,
    f"{LONG}a/b": False,
    f"a/{LONG}b": False,
    "a/b; charset=utf-8": False,
    "a /b": False,
    "ä/b": False,
    "a/b\n": False,
}
ADDRESSES: Final[dict[str, bool]] = {
    "https://example.com/a?b=c#d": True,
    "http://[::1]:5000/%20": True,
    "urn:oci:x": True,
    "http://a b": False,
    "example.com/a": False,
    "https:": False,
    "": False,
    "http://a/%2": False,
    "http://a/\n": False,
    "http://ä": False,
}


@pytest.mark.parametrize(("text", "right"), TYPES.items())
def test_media_types_are_two_restricted_names(text: str, right: bool) -> None:
    assert is_media_type(text) is right


@pytest.mark.parametrize(("text", "right"), ADDRESSES.items())
def test_addresses_have_a_scheme_and_no_blanks(text: str, right: bool) -> None:
    assert is_uri(text) is right


@given(st.text(max_size=12))
def test_what_has_a_blank_or_a_sign_beyond_ascii_is_neither(text: str) -> None:
    if re.search(r"[^!-~]", text):
        assert not is_media_type(text)
        assert not is_uri(text)


def with_layer(**more: Any) -> Image:
    """An image with a layer whose descriptor says more."""
    media_type = more.pop("mediaType", None)
    return oci_image([layer("a"), layer("b", media_type=media_type, more=more)])


BROKEN: Final[dict[str, tuple[Image, str]]] = {
    "a media type without a slash": (with_layer(mediaType="layer"), "images[0].layers[1]"),
    "an address with a blank": (with_layer(urls=["http://a b"]), "images[0].layers[1]"),
    "an artifact type of a descriptor": (with_layer(artifactType="sbom"), "images[0].layers[1]"),
    "an artifact type": (oci_image(artifactType="sbom"), "images[0]"),
}


@pytest.mark.parametrize(("image", "where"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_the_grammar_is_told_kept_and_refused_if_that_is_wanted(
    image: Image, where: str
) -> None:
    source = Memory(layout_files({"app": image}))
    (told,) = (found for found in verify(source).findings if found.code == "invalid-value")
    assert told.where == where
    assert verify(source).sound
    target = Memory()
    report = convert(source, target, to="oci")
    assert "invalid-value" in {found.code for found in report.findings}
    assert image.manifest in target.files.values()
    with pytest.raises(OciConvertError) as error:
        convert(source, Memory(), to="oci", strict=True)
    assert error.value.code == "invalid-value"


def test_a_zstd_layer_under_dockers_unofficial_name_is_told() -> None:
    zstd = docker_image([layer("a", Compression.ZSTD)])
    codes = [found.code for found in verify(Memory(layout_files({"app": zstd}))).findings]
    assert codes == ["unofficial-media-type"]
