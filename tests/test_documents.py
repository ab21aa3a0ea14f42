"""Documents: what they are, and which of them are refused because readers would disagree."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.documents.document import (
    DOCUMENT_MEMBERS,
    Role,
    read_config,
    read_document,
    read_object,
)
from oci_convert.errors import DocumentError
from oci_convert.spec.media_types import Family, Kind
from oci_convert.spec.models import Index, Manifest
from support.images import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    RC2_LIST,
    Spelling,
    attestation,
    docker_image,
    image_list,
    oci_image,
    referrer,
)

ENTRY = {"mediaType": "text/plain", "digest": "sha256:" + "0" * 64, "size": 7}
CONFIG = {**ENTRY, "mediaType": OCI_CONFIG}
MANIFEST: dict[str, Any] = {"schemaVersion": 2, "config": CONFIG, "layers": [ENTRY]}
INDEX: dict[str, Any] = {"schemaVersion": 2, "manifests": [ENTRY]}
SCHEMA1: dict[str, Any] = {"schemaVersion": 1, "name": "app", "tag": "1", "fsLayers": []}


def raw(value: Any) -> bytes:
    return json.dumps(value).encode()


# -- what a document is -------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", Spelling)
@pytest.mark.parametrize(
    ("image", "kind", "family"),
    [
        (docker_image, Kind.MANIFEST, Family.DOCKER),
        (oci_image, Kind.MANIFEST, Family.OCI),
        (
            lambda spelling: image_list([docker_image()], spelling=spelling),
            Kind.INDEX,
            Family.DOCKER,
        ),
        (lambda spelling: image_list([oci_image()], spelling=spelling), Kind.INDEX, Family.OCI),
        (
            lambda spelling: image_list([oci_image()], Family.OCI_RC2, spelling),
            Kind.INDEX,
            Family.OCI_RC2,
        ),
    ],
)
def test_a_document_is_its_bytes_and_a_view_of_them(
    image: Any, kind: Kind, family: Family, spelling: Spelling
) -> None:
    made = image(spelling=spelling)
    document = read_document(made.manifest, made.media_type)
    assert document.raw == made.manifest
    assert document.digest() == made.digest
    assert document.kind is kind
    assert family in document.families
    assert isinstance(document.model, Manifest if kind is Kind.MANIFEST else Index)


def test_the_slots_are_every_descriptor_in_its_place() -> None:
    image = oci_image(subject=oci_image().descriptor.triple())
    document = read_document(image.manifest, None)
    assert [slot.label for slot in document.slots] == [
        "config",
        "layers[0]",
        "layers[1]",
        "subject",
    ]
    for slot in document.slots:
        text = document.text[slot.object.start : slot.object.end]
        assert json.loads(text)["digest"] == slot.descriptor.digest


def test_the_slots_of_an_index_are_its_entries() -> None:
    image = oci_image()
    index = image_list([image, attestation(image)], annotations={"a": "b"})
    slots = read_document(index.manifest, None).slots
    assert [(slot.role, slot.index, slot.label) for slot in slots] == [
        (Role.ENTRY, 0, "manifests[0]"),
        (Role.ENTRY, 1, "manifests[1]"),
    ]
    assert str(slots[1].descriptor.platform) == "unknown/unknown"


@pytest.mark.parametrize("empty", [{"layers": None}, {"layers": []}, {}])
def test_a_manifest_without_layers_has_only_its_config(empty: dict[str, Any]) -> None:
    document = read_document(raw({"schemaVersion": 2, "config": CONFIG, **empty}), OCI_MANIFEST)
    assert [slot.label for slot in document.slots] == ["config"]


KINDS = {
    "descriptor and body agree": (
        {**MANIFEST, "mediaType": OCI_MANIFEST},
        OCI_MANIFEST,
        OCI_MANIFEST,
    ),
    "only the descriptor says": (MANIFEST, DOCKER_MANIFEST, DOCKER_MANIFEST),
    "only the body says": ({**MANIFEST, "mediaType": DOCKER_MANIFEST}, None, DOCKER_MANIFEST),
    "an empty mediaType is none": ({**MANIFEST, "mediaType": ""}, OCI_MANIFEST, OCI_MANIFEST),
    "so is null": ({**MANIFEST, "mediaType": None}, OCI_MANIFEST, OCI_MANIFEST),
    "a shape with manifests": (INDEX, None, OCI_INDEX),
    "a shape with an OCI config": (MANIFEST, None, OCI_MANIFEST),
    "a shape with any config": ({**MANIFEST, "config": ENTRY}, None, OCI_MANIFEST),
    "a shape with a Docker config": (
        {**MANIFEST, "config": {**ENTRY, "mediaType": DOCKER_CONFIG}},
        None,
        DOCKER_MANIFEST,
    ),
    "a shape with null manifests": ({"schemaVersion": 2, "manifests": None}, None, OCI_INDEX),
    "an empty index by its descriptor": ({"schemaVersion": 2}, DOCKER_LIST, DOCKER_LIST),
    "an index of 1.0.0-rc2": ({**INDEX, "mediaType": RC2_LIST}, RC2_LIST, RC2_LIST),
    "layer types say nothing": (
        {**MANIFEST, "layers": [{**ENTRY, "mediaType": DOCKER_MANIFEST}]},
        None,
        OCI_MANIFEST,
    ),
}


@pytest.mark.parametrize(("value", "described", "expected"), KINDS.values(), ids=KINDS)
def test_what_a_document_is(value: Any, described: str | None, expected: str) -> None:
    assert read_document(raw(value), described).media_type == expected


# -- what is refused ----------------------------------------------------------------------------

AMBIGUOUS = {
    "CVE-2021-41190, an index with layers": ({**INDEX, "layers": []}, OCI_INDEX),
    "CVE-2021-41190, an index with a config": ({**INDEX, "config": CONFIG}, OCI_INDEX),
    "CVE-2021-41190, a manifest with manifests": ({**MANIFEST, "manifests": []}, OCI_MANIFEST),
    "the same in Docker types": ({**MANIFEST, "manifests": []}, DOCKER_MANIFEST),
    "the same without any type": ({**MANIFEST, "manifests": []}, None),
    "the second kind is null": ({**MANIFEST, "manifests": None}, OCI_MANIFEST),
    "a manifest with fsLayers": ({**MANIFEST, "fsLayers": []}, OCI_MANIFEST),
    "an index with fsLayers": ({**INDEX, "fsLayers": []}, OCI_INDEX),
    "Layers": ({**MANIFEST, "Layers": []}, OCI_MANIFEST),
    "LAYERS instead of layers": (
        {"schemaVersion": 2, "config": CONFIG, "LAYERS": [ENTRY]},
        OCI_MANIFEST,
    ),
    "Manifests in a manifest": ({**MANIFEST, "Manifests": []}, OCI_MANIFEST),
    "MediaType": ({**MANIFEST, "MediaType": OCI_INDEX}, OCI_MANIFEST),
    "a long s": ({**MANIFEST, "\u017fubject": ENTRY}, OCI_MANIFEST),
    "Digest in a config": ({**MANIFEST, "config": {**CONFIG, "Digest": "x"}}, OCI_MANIFEST),
    "Size in a layer": ({**MANIFEST, "layers": [{**ENTRY, "Size": 8}]}, OCI_MANIFEST),
    "URLs in an entry": ({**INDEX, "manifests": [{**ENTRY, "URLs": []}]}, OCI_INDEX),
    "OS in a platform": (
        {
            **INDEX,
            "manifests": [
                {**ENTRY, "platform": {"os": "linux", "architecture": "a", "OS": "windows"}}
            ],
        },
        OCI_INDEX,
    ),
}


@pytest.mark.parametrize(("value", "described"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_document_that_can_be_read_as_two_things_is_refused(
    value: Any, described: str | None
) -> None:
    with pytest.raises(DocumentError) as refused:
        read_document(raw(value), described, "images[0]")
    assert refused.value.code == "ambiguous-document"
    assert refused.value.where.startswith("images[0]")
    assert "ambiguous" in refused.value.message


REFUSED = {
    "a body that contradicts its descriptor": (
        {**MANIFEST, "mediaType": DOCKER_MANIFEST},
        OCI_MANIFEST,
        "contradictory-media-type",
    ),
    "even if both are names of the same kind in two families": (
        {**INDEX, "mediaType": OCI_INDEX},
        DOCKER_LIST,
        "contradictory-media-type",
    ),
    "a body of an unknown type": ({**MANIFEST, "mediaType": "a/b"}, None, "unknown-media-type"),
    "a descriptor of a config, and a body that is none": (
        {"a": 1},
        OCI_CONFIG,
        "unknown-media-type",
    ),
    "a descriptor of a config": (MANIFEST, OCI_CONFIG, "contradictory-media-type"),
    "a descriptor of a config, and a body that calls itself a manifest": (
        {**MANIFEST, "mediaType": OCI_MANIFEST},
        OCI_CONFIG,
        "contradictory-media-type",
    ),
    "a body of a generic type with the members of a manifest": (
        {**MANIFEST, "mediaType": "application/json"},
        "application/json",
        "contradictory-media-type",
    ),
    "an object of no known shape": ({"a": 1}, None, "unknown-media-type"),
    "a shape with layers alone": ({"schemaVersion": 2, "layers": []}, None, "unknown-media-type"),
    "a config that is no object": ({**MANIFEST, "config": "x"}, None, "unknown-media-type"),
    "schema 1 by shape": (SCHEMA1, None, "schema-1"),
    "signed schema 1 by shape": ({**SCHEMA1, "signatures": []}, None, "schema-1"),
    "schema 1 by its descriptor": (
        SCHEMA1,
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "schema-1",
    ),
    "schema 1 by its body": (
        {**SCHEMA1, "mediaType": "application/vnd.docker.distribution.manifest.v1+json"},
        None,
        "schema-1",
    ),
    "another schema version": ({**MANIFEST, "schemaVersion": 3}, OCI_MANIFEST, "invalid-document"),
    "no schema version": ({"config": CONFIG}, OCI_MANIFEST, "invalid-document"),
    "a mediaType that is no string": ({**MANIFEST, "mediaType": 7}, None, "invalid-document"),
    "a manifest without a config": ({"schemaVersion": 2}, OCI_MANIFEST, "invalid-document"),
    "an array": ([], OCI_MANIFEST, "invalid-document"),
    "a string": ("x", None, "invalid-document"),
    "a digest that is a path": (
        {**MANIFEST, "config": {**CONFIG, "digest": "sha256:../../etc/passwd"}},
        OCI_MANIFEST,
        "invalid-digest",
    ),
}


@pytest.mark.parametrize(("value", "described", "code"), REFUSED.values(), ids=REFUSED)
def test_a_document_that_is_none_is_refused(value: Any, described: str | None, code: str) -> None:
    with pytest.raises(DocumentError) as refused:
        read_document(raw(value), described, "images[0]")
    assert refused.value.code == code
    assert refused.value.where.removesuffix(".config") == "images[0]"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"schemaVersion":2,"manifests":[],"manifests":[]}', "duplicate-member"),
        (b'{"schemaVersion":2,"manifests":[]}{}', "trailing-data"),
        (b'\xef\xbb\xbf{"schemaVersion":2,"manifests":[]}', "byte-order-mark"),
    ],
)
def test_a_document_is_strict_json(text: bytes, code: str) -> None:
    with pytest.raises(DocumentError) as refused:
        read_document(text, OCI_INDEX)
    assert refused.value.code == code


def test_a_final_line_end_is_part_of_the_document() -> None:
    image = oci_image()
    document = read_document(image.manifest + b"\n", image.media_type)
    assert document.digest() != image.digest


def test_members_that_nobody_knows_are_no_case_variants() -> None:
    value = {**MANIFEST, "layerz": 1, "x-Layers": 2, "annotations": {"Layers": "a", "layers": "b"}}
    assert read_document(raw(value), OCI_MANIFEST).slots


def test_the_limit_of_the_size_can_be_raised() -> None:
    text = raw(INDEX) + b" " * (5 << 20)
    with pytest.raises(DocumentError) as refused:
        read_document(text, OCI_INDEX)
    assert refused.value.code == "document-too-large"
    assert read_document(text, OCI_INDEX, size_limit=6 << 20).kind is Kind.INDEX


MEMBERS = st.sampled_from(sorted({*DOCUMENT_MEMBERS, *Role, "fsLayers", "x"}))
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        2,
        1,
        1.5,
        True,
        None,
        "",
        "x",
        OCI_MANIFEST,
        OCI_INDEX,
        ENTRY,
        CONFIG,
        [],
        [ENTRY],
        [None],
        [[]],
        {},
    ]
)


@given(
    st.dictionaries(MEMBERS, VALUES),
    st.sampled_from([None, "", "a/b", OCI_MANIFEST, OCI_INDEX, DOCKER_LIST]),
)
def test_any_object_is_a_document_or_a_document_error(
    value: dict[str, Any], described: str | None
) -> None:
    try:
        document = read_document(raw(value), described)
    except DocumentError:
        return
    assert document.kind in (Kind.INDEX, Kind.MANIFEST)
    assert not {"config", "layers"} & set(value) or "manifests" not in value


# -- configs ------------------------------------------------------------------------------------


def test_a_docker_config_is_read_without_complaint() -> None:
    config, problems = read_config(docker_image().config)
    assert problems == []
    assert config.rootfs is not None
    assert len(config.rootfs.diff_ids) == 2
    assert str(config.platform) == "linux/amd64"


def test_an_odd_value_in_a_config_is_a_problem_not_an_error() -> None:
    complete = json.loads(docker_image().config)
    config, problems = read_config(raw({**complete, "created": 5}))
    assert problems == ["created must be a string"]
    assert str(config.platform) == "linux/amd64"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"os":"linux","os":"windows"}', "duplicate-member"),
        (b'{"rootfs":{},"RootFS":{}}', "ambiguous-document"),
        (b'{"History":[]}', "ambiguous-document"),
        (b"[]", "invalid-document"),
        (b"", "invalid-json"),
    ],
)
def test_a_config_is_as_strict_as_any_document(text: bytes, code: str) -> None:
    with pytest.raises(DocumentError) as refused:
        read_config(text, "config")
    assert refused.value.code == code


def test_a_referrer_is_a_manifest_with_a_subject() -> None:
    image = oci_image()
    document = read_document(referrer(image).manifest, None)
    assert document.model.subject is not None
    assert document.model.subject.digest == image.digest


def test_an_object_is_read_with_its_places() -> None:
    text, root = read_object(b' {"a": 1}', "version")
    assert text[root.start : root.end] == '{"a": 1}'
