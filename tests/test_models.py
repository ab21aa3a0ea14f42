"""The typed views: strict, frozen, and lenient only where a config may be odd."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oci_convert.errors import DocumentError
from oci_convert.spec.digest import Digest
from oci_convert.spec.models import (
    Descriptor,
    History,
    ImageConfig,
    Index,
    LayoutHeader,
    Manifest,
    Model,
    Platform,
    RootFS,
    RuntimeConfig,
    lenient,
    members,
    validate,
)
from oci_convert.stores.docker_manifest_json import SavedImage
from support.images import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
)

DIGEST = "sha256:" + "0" * 64
ENTRY = {"mediaType": "text/plain", "digest": DIGEST, "size": 7}
MANIFEST = {"schemaVersion": 2, "config": ENTRY, "layers": [ENTRY]}

PLATFORM = {"os": "linux", "architecture": "amd64"}

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
        descriptor.size = 8  # type: ignore[misc]  # what must fail
    assert descriptor.renamed("a/b").media_type == "a/b"
    assert descriptor.media_type == "text/plain"


@pytest.mark.parametrize("changes", [{}, {"annotations": {"a": "1", "b": "2"}}, {"x-unknown": [1]}])
def test_models_can_be_in_sets(changes: dict[str, Any]) -> None:
    value = {**ENTRY, "platform": PLATFORM, **changes}
    other = {**value, "digest": DIGEST.replace("0", "1")}
    manifest = {**MANIFEST, "layers": [value]}
    config = {"config": {"Labels": {"a": "b"}}, "history": [{"author": "me"}]}
    for model, one, two in (
        (Descriptor, value, other),
        (Manifest, manifest, {**manifest, "layers": [other]}),
        (ImageConfig, config, {**config, "os": "linux"}),
    ):
        first, twin, second = map(model.model_validate, (one, one, two))
        assert len({first, twin, second}) == 2


def test_unknown_members_and_explicit_nulls_survive() -> None:
    value = {**ENTRY, "x-unknown": {"big": 2**70}, "urls": None, "media_type": "a trap"}
    descriptor = validate(Descriptor, value, "")
    assert descriptor.model_dump() == value
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
    assert str(validate(Platform, platform, "")) == "linux/arm/v7:1"
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
    config, problems = lenient(ImageConfig, value)
    assert problems == [
        "created must be a string",
        "config.Cmd must be an array",
    ]
    assert config.created is None
    assert config.config is None
    assert config.rootfs is not None
    assert config.rootfs.diff_ids == (DIGEST,)
    assert str(config.platform) == "linux/amd64"


@given(st.dictionaries(st.sampled_from(sorted(members(ImageConfig))) | st.text(), JSON))
def test_any_object_can_be_looked_at_as_a_config(value: dict[str, Any]) -> None:
    config, problems = lenient(ImageConfig, value)
    assert all(isinstance(problem, str) for problem in problems)
    assert config.platform is None or config.platform.os


@pytest.mark.parametrize("value", [{}, {"os": "linux"}, {"os": "", "architecture": "amd64"}])
def test_a_config_that_states_no_platform_has_none(value: dict[str, str]) -> None:
    assert ImageConfig.model_validate(value).platform is None


def test_a_model_is_made_by_the_names_of_its_fields_and_dumps_a_valid_document() -> None:
    platform = Platform(os="windows", architecture="amd64", os_version="10.0", os_features=("a",))
    layer = Descriptor(media_type="text/plain", digest=Digest(DIGEST), size=7, platform=platform)
    manifest = Manifest(schema_version=2, media_type="a/b", config=layer, layers=(layer,))
    entry = {
        **ENTRY,
        "platform": {
            "architecture": "amd64",
            "os": "windows",
            "os.version": "10.0",
            "os.features": ["a"],
        },
    }
    document = {"schemaVersion": 2, "mediaType": "a/b", "config": entry, "layers": [entry]}
    assert json.loads(manifest.model_dump_json()) == document
    assert manifest.model_dump(mode="json") == document
    assert validate(Manifest, document, "") == manifest
    runtime = RuntimeConfig(cmd=("sh",), exposed_ports={"80/tcp": {}}, working_dir="/srv")
    config = ImageConfig(os="linux", architecture="arm", variant="v7", config=runtime)
    assert config.model_dump(mode="json") == {
        "architecture": "arm",
        "os": "linux",
        "variant": "v7",
        "config": {"ExposedPorts": {"80/tcp": {}}, "Cmd": ["sh"], "WorkingDir": "/srv"},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    assert str(config.platform) == "linux/arm/v7"


CONFIG = Descriptor(media_type=OCI_CONFIG, digest=DIGEST, size=7)
CMD: dict[str, Any] = {"Cmd": ("sh",)}
NEW: dict[str, tuple[Model, dict[str, Any]]] = {
    "a platform": (
        Platform(os="linux", architecture="arm", variant=None),
        {"architecture": "arm", "os": "linux"},
    ),
    "a descriptor": (CONFIG, {**ENTRY, "mediaType": OCI_CONFIG}),
    "an OCI manifest": (
        Manifest(schema_version=2, config=CONFIG),
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {**ENTRY, "mediaType": OCI_CONFIG},
            "layers": [],
        },
    ),
    "a Docker manifest": (
        Manifest(schema_version=2, config=CONFIG.renamed(DOCKER_CONFIG)),
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {**ENTRY, "mediaType": DOCKER_CONFIG},
            "layers": [],
        },
    ),
    "an index": (
        Index(schema_version=2),
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []},
    ),
    "a Docker list": (
        Index(schema_version=2, media_type=DOCKER_LIST),
        {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": []},
    ),
    "layers": (RootFS(diff_ids=(DIGEST,)), {"type": "layers", "diff_ids": [DIGEST]}),
    "no layers": (RootFS(), {"type": "layers", "diff_ids": []}),
    "a config": (
        ImageConfig(architecture="arm", os="linux", author=None),
        {"architecture": "arm", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}},
    ),
    "a runtime config": (RuntimeConfig(args_escaped=True), {"ArgsEscaped": True}),
    "a step": (History(empty_layer=True, created=None), {"empty_layer": True}),
    "members by the names of documents": (
        RuntimeConfig(**CMD),
        {"Cmd": ["sh"]},
    ),
}


@pytest.mark.parametrize("case", NEW)
def test_a_new_object_says_what_the_specification_requires(case: str) -> None:
    made, document = NEW[case]
    assert made.model_dump(mode="json") == document
    assert validate(type(made), document, "") == made


@pytest.mark.parametrize("model", [RootFS, ImageConfig, RuntimeConfig, History])
def test_nothing_is_put_into_a_document_that_is_read(model: type[Model]) -> None:
    value = {"x-unknown": 1, "media_type": "a trap", "author": None}
    assert model.model_validate(value).model_dump() == value
    assert model.model_validate_json(json.dumps(value)).model_dump() == value


MISSPELT: dict[str, tuple[type[Model], dict[str, Any], str]] = {
    "a field": (RuntimeConfig, {"args_escapd": True}, "did you mean args_escaped?"),
    "a member": (RootFS, {"diffIds": ()}, "did you mean diff_ids?"),
    "anything": (Platform, {**PLATFORM, "x": 1}, "Platform has no such field; Platform.model_val"),
    "no architecture": (ImageConfig, {"os": "linux"}, "Field required"),
    "no os": (ImageConfig, {"os": None, "architecture": "arm"}, "Field required"),
}


@pytest.mark.parametrize("case", MISSPELT)
def test_a_constructor_takes_no_misspelt_field_and_asks_for_what_is_required(case: str) -> None:
    model, given, message = MISSPELT[case]
    with pytest.raises(ValidationError, match=re.escape(message)):
        model(**given)


def test_what_was_not_set_is_dumped_for_whoever_asks() -> None:
    platform = Platform(os="linux", architecture="amd64")
    assert platform.model_dump() == {"os": "linux", "architecture": "amd64"}
    assert platform.model_dump(exclude_unset=False)["variant"] is None


@pytest.mark.parametrize("model", [Platform, Descriptor, Manifest, Index, ImageConfig])
def test_a_document_never_sets_a_field_by_the_name_that_we_give_it(model: type[Model]) -> None:
    ours = {name: "a trap" for name in model.model_fields if name not in members(model)}
    view, problems = lenient(model, {**MANIFEST, **ENTRY, **PLATFORM, **ours})
    assert ours
    assert problems == []
    assert all(getattr(view, name) in (None, 2, ENTRY["mediaType"]) for name in ours)
