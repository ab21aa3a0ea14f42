"""The typed views: strict, frozen, and lenient only where a config may be odd."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oci_convert.errors import DocumentError
from oci_convert.spec.digest import Digest
from oci_convert.spec.models import (
    Descriptor,
    ImageConfig,
    Index,
    LayoutHeader,
    Manifest,
    Model,
    Platform,
    SavedImage,
    validate,
)

DIGEST = "sha256:" + "0" * 64
ENTRY = {"mediaType": "text/plain", "digest": DIGEST, "size": 7}
MANIFEST = {"schemaVersion": 2, "config": ENTRY, "layers": [ENTRY]}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("model", "value", "message"),
    [
        (Descriptor, {**ENTRY, "size": "7"}, "size must be an integer"),
        (Descriptor, {**ENTRY, "size": 7.0}, "size must be an integer"),
        (Descriptor, {**ENTRY, "size": True}, "size must be an integer"),
        (Descriptor, {**ENTRY, "size": -1}, "size must not be negative"),
        (Descriptor, {**ENTRY, "size": 2**63}, "size is larger than any file"),
        (Descriptor, {**ENTRY, "size": None}, "size must be an integer"),
        (Descriptor, {"digest": DIGEST, "size": 7}, "mediaType is missing"),
        (Descriptor, {**ENTRY, "mediaType": 7}, "mediaType must be a string"),
        (Descriptor, {**ENTRY, "digest": "sha256:x"}, "digest: 'sha256:x' is not a digest"),
        (Descriptor, {**ENTRY, "urls": "http://a"}, "urls must be an array"),
        (Descriptor, {**ENTRY, "urls": [7]}, "urls[0] must be a string"),
        (Descriptor, {**ENTRY, "annotations": {"a": 1}}, "annotations.a must be a string"),
        (Descriptor, {**ENTRY, "platform": {"os": "linux"}}, "platform.architecture is missing"),
        (Manifest, {**MANIFEST, "layers": {}}, "layers must be an array"),
        (Manifest, {**MANIFEST, "layers": "ab"}, "layers must be an array"),
        (Manifest, {**MANIFEST, "layers": [ENTRY, {**ENTRY, "size": "7"}]}, "layers[1].size must"),
        (Manifest, {**MANIFEST, "schemaVersion": 2.0}, "schemaVersion must be an integer"),
        (Manifest, {"schemaVersion": 2}, "config is missing"),
        (Index, {"schemaVersion": 2, "manifests": [7]}, "manifests[0] must be an object"),
        (LayoutHeader, {}, "imageLayoutVersion is missing"),
        (SavedImage, 7, "this must be an object"),
        (SavedImage, {"Config": "c", "RepoTags": "a:1"}, "RepoTags must be an array"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_where_it_stands(
    model: type[Model], value: Any, message: str
) -> None:
    with pytest.raises(DocumentError) as refused:
        validate(model, value, "dir:app")
    assert str(refused.value).startswith(f"dir:app: {message}")
    expected = "invalid-digest" if "not a digest" in message else "invalid-document"
    assert refused.value.code == expected


@given(st.sampled_from([Descriptor, Manifest, Index, LayoutHeader, SavedImage, Platform]), JSON)
def test_any_json_is_a_model_or_a_document_error(model: type[Model], value: Any) -> None:
    try:
        validate(model, value, "here")
    except DocumentError as error:
        refused = str(error)
        assert refused.startswith("here: ")


def test_a_model_cannot_be_changed() -> None:
    descriptor = Descriptor.model_validate(ENTRY)
    with pytest.raises(ValidationError):
        descriptor.size = 8
    assert descriptor.renamed("a/b").media_type == "a/b"
    assert descriptor.media_type == "text/plain"


def test_unknown_members_and_explicit_nulls_survive() -> None:
    value = {**ENTRY, "x-unknown": {"big": 2**70}, "urls": None, "media_type": "a trap"}
    descriptor = validate(Descriptor, value, "")
    assert descriptor.model_dump(by_alias=True, exclude_unset=True) == value
    assert descriptor.media_type == "text/plain"


def test_null_and_absent_lists_are_the_same() -> None:
    for layers in ({"layers": None}, {}):
        assert (
            validate(Manifest, {"schemaVersion": 2, "config": ENTRY, **layers}, "").layers is None
        )


def test_a_descriptor_gives_its_digest_typed_and_its_three_members() -> None:
    descriptor = validate(Descriptor, {**ENTRY, "annotations": {"a": "b"}}, "")
    assert type(descriptor.name) is Digest
    assert descriptor.triple() == ENTRY
    assert list(descriptor.triple()) == ["mediaType", "digest", "size"]


def test_a_platform_is_written_as_people_write_it() -> None:
    platform = {"architecture": "arm", "os": "linux", "variant": "v7", "os.version": "1"}
    assert str(validate(Platform, platform, "")) == "linux/arm/v7"
    assert str(validate(Platform, {"architecture": "amd64", "os": "linux"}, "")) == "linux/amd64"


def test_an_odd_config_is_read_as_far_as_it_is_sound() -> None:
    value = {
        "architecture": "amd64",
        "os": "linux",
        "created": 7,
        "config": {"Cmd": "sh", "Env": ["A=1"]},
        "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
        "history": None,
        "container_config": {"Cmd": 7},
    }
    config, problems = ImageConfig.lenient(value)
    assert problems == [
        "created must be a string",
        "config.Cmd must be an array",
    ]
    assert config.created is None
    assert config.config is None
    assert config.rootfs is not None
    assert config.rootfs.diff_ids == (DIGEST,)
    assert str(config.platform) == "linux/amd64"


@given(st.dictionaries(st.sampled_from(sorted(ImageConfig.MEMBERS)) | st.text(), JSON))
def test_any_object_can_be_looked_at_as_a_config(value: dict[str, Any]) -> None:
    config, problems = ImageConfig.lenient(value)
    assert all(isinstance(problem, str) for problem in problems)
    assert config.platform is None or config.platform.os


@pytest.mark.parametrize("value", [{}, {"os": "linux"}, {"os": "", "architecture": "amd64"}])
def test_a_config_that_states_no_platform_has_none(value: dict[str, str]) -> None:
    assert ImageConfig.model_validate(value).platform is None


def test_the_members_of_a_config_are_those_of_its_model() -> None:
    fields = ImageConfig.model_fields
    assert {field.alias or name for name, field in fields.items()} == ImageConfig.MEMBERS
