"""Translating one document: nothing is touched that need not be, and nothing is lost unsaid."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from oci_convert.errors import DocumentError, OciConvertError, RefusedError
from oci_convert.spec.models import Descriptor
from oci_convert.transform.translate import Translation, translate
from support.images import (
    DOCKER,
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY,
    IN_TOTO,
    OCI,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    RC2_LIST,
    Spelling,
    attestation,
    digest_of,
    docker_image,
    image_list,
    oci_image,
)
from support.strategies import (
    BACK,
    DOCKER_GZIP_LAYERS,
    DOCKER_LAYERS,
    FAMILIES,
    OCI_LAYERS,
    digest_maps,
    mutated,
    odd_documents,
    plain_lists,
    plain_manifests,
    seeds,
    spelled,
)

LAYER_NAMES = dict(zip(DOCKER_LAYERS, OCI_LAYERS, strict=True))
"""What OCI calls Docker's layers."""


def parsed(raw: bytes) -> Any:
    """The document; numbers as they are spelled."""
    return json.loads(raw, parse_float=lambda text: f"number {text}")


def descriptors(value: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every descriptor of a document, with its place."""
    if value.get("config"):
        yield "config", value["config"]
    for name in ("layers", "manifests"):
        for i, item in enumerate(value.get(name) or ()):
            yield f"{name}[{i}]", item
    if value.get("subject"):
        yield "subject", value["subject"]


def masked(raw: bytes, *names: str) -> Any:
    """The document without what a translation may change."""
    value = copy.deepcopy(parsed(raw))
    value["mediaType"] = ""
    for _, descriptor in descriptors(value):
        descriptor.update(dict.fromkeys(names, ""))
    return value


def mapped(pairs: Mapping[str, Mapping[str, Any]]) -> dict[str, Descriptor]:
    return {old: Descriptor.model_validate(new) for old, new in pairs.items()}


def inverse(digest_map: Mapping[str, Descriptor], document: Any) -> dict[str, Descriptor]:
    """The map for translating back."""
    return {
        digest_map[item["digest"]].digest: Descriptor.model_validate(item)
        for _, item in descriptors(document)
        if item["digest"] in digest_map
    }


# -- plain documents ----------------------------------------------------------------------------


@given(plain_manifests(), seeds)
def test_a_plain_docker_manifest_comes_back_as_itself(document: Any, seed: int) -> None:
    raw = spelled(document, seed)
    made = translate(raw, "oci")
    assert made.findings == ()
    assert made.reversible
    assert made.media_type == OCI_MANIFEST
    value = parsed(made.raw)
    assert value["mediaType"] == OCI_MANIFEST
    assert value["config"]["mediaType"] == OCI_CONFIG
    assert [layer["mediaType"] for layer in value["layers"]] == [
        LAYER_NAMES[layer["mediaType"]] for layer in document["layers"]
    ]
    assert masked(made.raw, "mediaType") == masked(raw, "mediaType")
    back = translate(made.raw, "docker")
    assert back.raw == raw
    assert back.findings == ()
    assert back.media_type == DOCKER_MANIFEST


@given(plain_manifests(DOCKER_GZIP_LAYERS), seeds)
def test_a_docker_manifest_of_gzip_layers_comes_back_from_rc2(document: Any, seed: int) -> None:
    raw = spelled(document, seed)
    made = translate(raw, "oci-rc2")
    assert made.findings == ()
    assert masked(made.raw, "mediaType") == masked(raw, "mediaType")
    assert translate(made.raw, "docker").raw == raw


@pytest.mark.parametrize(("family", "media_type"), [("oci", OCI_INDEX), ("oci-rc2", RC2_LIST)])
@given(data=st.data(), document=plain_lists(), seed=seeds)
def test_a_plain_docker_list_comes_back_as_itself(
    family: str, media_type: str, data: st.DataObject, document: Any, seed: int
) -> None:
    raw = spelled(document, seed)
    digest_map = mapped(data.draw(digest_maps(document)))
    made = translate(raw, family, digest_map=digest_map)
    assert made.findings == ()
    assert made.media_type == media_type
    for old, new in zip(document["manifests"], parsed(made.raw)["manifests"], strict=True):
        become = digest_map[old["digest"]]
        assert (new["digest"], new["size"]) == (become.digest, become.size)
        assert new["mediaType"] == OCI_MANIFEST
    changing = ("mediaType", "digest", "size")
    assert masked(made.raw, *changing) == masked(raw, *changing)
    back = translate(made.raw, "docker", digest_map=inverse(digest_map, document))
    assert back.raw == raw
    assert back.findings == ()


@pytest.mark.parametrize("plus", ["+", "\\u002B", "\\u002b"])
@given(document=plain_manifests(OCI_LAYERS, OCI_MANIFEST, OCI_CONFIG), seed=seeds)
def test_a_plain_oci_manifest_comes_back_as_itself(plus: str, document: Any, seed: int) -> None:
    raw = spelled(document, seed, plus=plus)
    made = translate(raw, "docker")
    assert made.findings == ()
    assert masked(made.raw, "mediaType") == masked(raw, "mediaType")
    assert translate(made.raw, "oci").raw == raw


@pytest.mark.parametrize("plus", ["+", "\\u002B"])
@given(data=st.data(), document=plain_lists(OCI_INDEX, OCI_MANIFEST), seed=seeds)
def test_a_plain_oci_index_comes_back_as_itself(
    plus: str, data: st.DataObject, document: Any, seed: int
) -> None:
    raw = spelled(document, seed, plus=plus)
    digest_map = mapped(data.draw(digest_maps(document)))
    made = translate(raw, "docker", digest_map=digest_map)
    assert made.findings == ()
    assert translate(made.raw, "oci", digest_map=inverse(digest_map, document)).raw == raw


@pytest.mark.parametrize("spelling", Spelling)
def test_every_tool_finds_its_own_bytes_again(spelling: Spelling) -> None:
    for image, there, back in (
        (docker_image(spelling=spelling), "oci", "docker"),
        (docker_image(spelling=spelling), "oci-rc2", "docker"),
        (oci_image(spelling=spelling), "docker", "oci"),
    ):
        made = translate(image.manifest, there, media_type=image.media_type)
        assert made.reversible
        assert made.raw != image.manifest
        returned = translate(made.raw, back, media_type=made.media_type)
        assert (returned.raw, returned.digest) == (image.manifest, image.digest)


# -- any document -------------------------------------------------------------------------------


@st.composite
def translations(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """A document that may be odd, and the call to translate it with."""
    document = draw(odd_documents())
    raw = spelled(document, draw(seeds), escaped_types=draw(st.sampled_from([False, False, True])))
    call = {
        "to": draw(st.sampled_from(["docker", "docker", "oci", "oci", "oci-rc2"])),
        "compress": draw(st.sampled_from(["auto", "auto", "keep", "gzip"])),
        "keep_extensions": draw(st.booleans()),
        "digest_map": mapped(draw(digest_maps(document))) if draw(st.integers(0, 3)) else {},
    }
    return raw, call


def came_from(raw: bytes, to: str) -> str:
    """The family of a document, by its own word or its shape."""
    value = parsed(raw)
    if value.get("mediaType"):
        stated = value["mediaType"]
    elif "manifests" in value:
        stated = OCI_INDEX
    else:
        docker = "docker" in FAMILIES.get(value["config"]["mediaType"], ())
        stated = DOCKER_MANIFEST if docker else OCI_MANIFEST
    return to if to in FAMILIES[stated] else BACK[stated]


@given(translations())
def test_a_translation_is_reversible_exactly_if_translating_back_gives_the_same_bytes(
    case: tuple[bytes, dict[str, Any]],
) -> None:
    raw, call = case
    try:
        made = translate(raw, **call)
    except (RefusedError, DocumentError) as error:
        event(error.code)
        return
    home = came_from(raw, call["to"])
    back_call = {**call, "to": home, "digest_map": inverse(call["digest_map"], parsed(raw))}
    try:
        back = translate(made.raw, **back_call).raw
    except OciConvertError as error:
        event(f"back: {error.code}")
        back = None
    event(f"reversible: {made.reversible}")
    assert made.reversible == (back == raw)


@given(translations())
def test_a_translation_leaves_nothing_of_the_other_family_and_accounts_for_every_member(
    case: tuple[bytes, dict[str, Any]],
) -> None:
    raw, call = case
    try:
        made = translate(raw, **call)
    except (RefusedError, DocumentError):
        return
    value = parsed(made.raw)
    moved = call["to"] != came_from(raw, call["to"])
    for place, descriptor in descriptors(value):
        homes = FAMILIES.get(descriptor["mediaType"], ())
        if not _is_carried(place, descriptor, call, artifact=not moved and _is_artifact(value)):
            assert not homes or call["to"] in homes, place
    if value.get("mediaType"):
        assert call["to"] in FAMILIES[value["mediaType"]]
    assert made.media_type == (value.get("mediaType") or made.media_type)
    _account(parsed(raw), value, made, moved=moved)


def _is_artifact(value: Any) -> bool:
    return "config" in value and value["config"]["mediaType"] not in (OCI_CONFIG, DOCKER_CONFIG)


def _is_carried(place: str, descriptor: Any, call: Mapping[str, Any], *, artifact: bool) -> bool:
    """Whether a descriptor keeps its type, whatever the family: a subject outside of the map, a
    layer of an artifact, and a foreign layer that 1.0.0-rc2 has no name for."""
    if place == "subject":
        return descriptor["digest"] not in {new.digest for new in call["digest_map"].values()}
    return artifact or "nondistributable" in descriptor["mediaType"]


def _account(old: Any, new: Any, made: Translation, *, moved: bool) -> None:
    """Every difference is an edit, or a finding at its place."""
    found = {(finding.code, finding.where) for finding in made.findings}
    allowed = {"mediaType"}
    for name in ("layers", "manifests"):
        if moved and name in new and old.get(name) is None:
            assert new[name] == []
            allowed.add(name)
    _account_members(old, new, found, "", allowed, {"config", "subject", "layers", "manifests"})
    for name in ("config", "subject"):
        if old.get(name) and new.get(name):
            _account_descriptor(old[name], new[name], found, name)
    for name in ("layers", "manifests"):
        places = [
            (f"{name}[{i}]", item)
            for i, item in enumerate(old.get(name) or ())
            if not {("attestation-dropped", f"{name}[{i}]"), ("entry-dropped", f"{name}[{i}]")}
            & found
        ]
        items = new.get(name) or ()
        assert len(places) == len(items)
        for (place, before), after in zip(places, items, strict=True):
            _account_descriptor(before, after, found, place)


def _account_descriptor(old: Any, new: Any, found: set[tuple[str, str]], place: str) -> None:
    edited = {"mediaType", "digest", "size"}
    if old["digest"] != new["digest"]:
        edited.add("data")
    _account_members(old, new, found, place, edited, set())


def _account_members(
    old: Any,
    new: Any,
    found: set[tuple[str, str]],
    place: str,
    edited: set[str],
    deeper: set[str],
) -> None:
    gone = {name for name in old if name not in new}
    full = {name for name in gone - edited if old[name] not in (None, "", {}, [])}
    assert {name for name in full if (f"{name}-removed", place) not in found} == set()
    assert {name for name in new if name not in old} <= edited
    stay = [name for name in old if name not in gone]
    assert [name for name in new if name in old] == stay
    for name in stay:
        if name not in edited | deeper:
            assert new[name] == old[name]


# -- labels -------------------------------------------------------------------------------------


def test_a_misspelled_media_type_is_put_right_wherever_it_stands() -> None:
    raw = manifest(DOCKER_CONFIG.upper(), f"{DOCKER_LAYER}; q=1", media_type=DOCKER_MANIFEST)
    made = translate(raw, "docker")
    body = json.loads(made.raw)
    assert [it["mediaType"] for it in (body["config"], *body["layers"])] == [
        DOCKER_CONFIG,
        DOCKER_LAYER,
    ]
    codes = [(it.code, it.where) for it in made.findings]
    assert codes[:2] == [
        ("misspelled-media-type", "config"),
        ("misspelled-media-type", "layers[0]"),
    ]
    assert not made.reversible


def test_the_report_knows_what_an_entry_is_that_no_media_type_vouches_for() -> None:
    entry = described("application/json")
    raw = json.dumps({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [entry]}).encode()
    alone = translate(raw, "oci")
    assert json.loads(alone.raw)["manifests"] == [entry]
    assert "opaque-blob" in {it.code for it in alone.findings}
    new = Descriptor.model_validate(described(OCI_MANIFEST))
    mapped = translate(raw, "oci", digest_map={entry["digest"]: new})
    assert json.loads(mapped.raw)["manifests"] == [described(OCI_MANIFEST)]
    assert "opaque-blob" not in {it.code for it in mapped.findings}


# -- what is refused ----------------------------------------------------------------------------

documents = st.builds(spelled, odd_documents(), seeds)
media_types = st.none() | st.sampled_from([*BACK, "", "text/plain"])
targets = st.sampled_from(["docker", "oci", "oci-rc2"])


@given(st.binary(max_size=200) | mutated(documents), targets, media_types)
def test_only_errors_of_this_library_come_out_of_broken_documents(
    raw: bytes, to: str, media_type: str | None
) -> None:
    try:
        made = translate(raw, to, media_type=media_type)
    except OciConvertError as error:
        assert "\n" not in str(error)  # noqa: PT017 - not every call raises
    else:
        json.loads(made.raw)


def manifest(
    config: str = DOCKER_CONFIG, /, *layers: str, media_type: str | None = None, **members: Any
) -> bytes:
    """A manifest with these types; its own is the one that fits the config."""
    docker = config.startswith(DOCKER) or config == "application/octet-stream"
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_type or (DOCKER_MANIFEST if docker else OCI_MANIFEST),
            "config": described(config),
            "layers": [described(layer) for layer in layers],
            **members,
        }
    ).encode()


def described(media_type: str, **members: Any) -> dict[str, Any]:
    digest = digest_of(media_type.encode())
    return {"mediaType": media_type, "digest": digest, "size": 7, **members}


ZSTD = f"{OCI}layer.v1.tar+zstd"
DOCKER_ZSTD = f"{DOCKER}image.rootfs.diff.tar.zstd"
FOREIGN_ZSTD = f"{OCI}layer.nondistributable.v1.tar+zstd"
INDEX = image_list([oci_image()]).manifest
NESTED = image_list([image_list([oci_image()])]).manifest


@pytest.mark.parametrize(
    ("raw", "to", "options", "code"),
    [
        (manifest(OCI_CONFIG, ZSTD), "docker", {}, "needs-repacking"),
        (manifest(OCI_CONFIG, ZSTD), "oci-rc2", {}, "needs-repacking"),
        (manifest(OCI_CONFIG, f"{OCI}layer.v1.tar"), "oci-rc2", {}, "needs-repacking"),
        (manifest(OCI_CONFIG, ZSTD), "oci", {"compress": "gzip"}, "needs-repacking"),
        (manifest(OCI_CONFIG, ZSTD), "oci-rc2", {"compress": "keep"}, "no-media-type"),
        (manifest(OCI_CONFIG, "application/x-unknown"), "docker", {}, "unknown-layer"),
        (manifest(OCI_CONFIG, f"{OCI_LAYER}+encrypted"), "docker", {}, "encrypted-layer"),
        (manifest(OCI_CONFIG, FOREIGN_ZSTD), "docker", {}, "no-docker-type"),
        (manifest(EMPTY, "text/plain"), "docker", {}, "not-an-image"),
        (manifest("application/vnd.cncf.helm.config.v1+json"), "docker", {}, "not-an-image"),
        (
            manifest("application/octet-stream", media_type=OCI_MANIFEST),
            "docker",
            {},
            "not-an-image",
        ),
        (INDEX, "docker", {}, "unknown-child"),
        (image_list([docker_image()]).manifest, "oci", {}, "unknown-child"),
        (NESTED, "docker", {}, "nested-index"),
    ],
)
def test_what_one_document_alone_cannot_become_is_refused(
    raw: bytes, to: str, options: dict[str, Any], code: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        translate(raw, to, where="FILE", **options)
    assert refused.value.code == code
    assert refused.value.where.startswith("FILE")
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("raw", "media_type", "code"),
    [
        (b"[]", None, "invalid-document"),
        (b'{"schemaVersion":2}', None, "unknown-media-type"),
        (manifest(manifests=[]), None, "ambiguous-document"),
        (manifest(Layers=[]), None, "ambiguous-document"),
        (manifest(), OCI_MANIFEST, "contradictory-media-type"),
        (manifest(config=described(DOCKER_CONFIG, data="AAAA")), None, "wrong-data"),
        (manifest(layers=[described(DOCKER_LAYER, digest="sha256:x")]), None, "invalid-digest"),
        (manifest(schemaVersion=1), None, "invalid-document"),
        (b'{"schemaVersion":1,"fsLayers":[],"signatures":[]}', None, "schema-1"),
    ],
)
def test_what_cannot_be_trusted_is_refused(raw: bytes, media_type: str | None, code: str) -> None:
    with pytest.raises(DocumentError) as refused:
        translate(raw, "oci", media_type=media_type)
    assert refused.value.code == code


# -- what is said -------------------------------------------------------------------------------


def test_a_config_of_octets_is_an_image_config_and_does_not_come_back() -> None:
    made = translate(manifest("application/octet-stream", DOCKER_LAYER), "oci")
    assert parsed(made.raw)["config"]["mediaType"] == OCI_CONFIG
    assert [finding.code for finding in made.findings] == ["not-reversible"]
    assert not made.reversible


def test_a_config_of_octets_stays_where_it_is_at_home() -> None:
    raw = manifest("application/octet-stream", DOCKER_LAYER)
    made = translate(raw, "docker")
    assert made.raw == raw
    assert made.findings == ()


def test_a_zstd_layer_keeps_its_bytes_under_an_unofficial_name_if_asked() -> None:
    for layer, name in (
        (ZSTD, DOCKER_ZSTD),
        (FOREIGN_ZSTD, f"{DOCKER}image.rootfs.foreign.diff.tar.zstd"),
    ):
        raw = manifest(OCI_CONFIG, layer)
        made = translate(raw, "docker", compress="keep")
        assert parsed(made.raw)["layers"][0]["mediaType"] == name
        assert made.reversible
        assert translate(made.raw, "oci", compress="keep").raw == raw


def test_an_artifact_travels_verbatim_to_where_it_is_at_home() -> None:
    raw = manifest(EMPTY, "text/plain", annotations={"a": "b"}, artifactType="x/y")
    for family in ("oci", "oci-rc2"):
        assert translate(raw, family).raw == raw


def test_a_docker_plugin_is_at_home_in_docker() -> None:
    raw = manifest(f"{DOCKER}plugin.v1+json", DOCKER_LAYER)
    made = translate(raw, "oci")
    assert made.reversible
    value = parsed(made.raw)
    assert value["config"]["mediaType"] == f"{DOCKER}plugin.v1+json"
    assert value["layers"][0]["mediaType"] == OCI_LAYER
    assert translate(made.raw, "docker").raw == raw


EXTENDED: dict[str, Any] = {
    "artifactType": "x/y",
    "annotations": {"a": "b"},
    "subject": described(OCI_MANIFEST),
    "config": described(OCI_CONFIG, annotations={"c": "d"}, urls=["https://example.com"]),
    "layers": [described(OCI_LAYER, annotations={"e": "f"}, urls=["https://example.com"])],
}


def test_what_docker_cannot_say_is_removed_and_told() -> None:
    made = translate(manifest(OCI_CONFIG, **EXTENDED), "docker", where="FILE")
    assert [(finding.code, finding.level.value, finding.where) for finding in made.findings] == [
        ("annotations-removed", "loss", "FILE"),
        ("artifactType-removed", "loss", "FILE"),
        ("subject-removed", "loss", "FILE"),
        ("annotations-removed", "loss", "FILE.config"),
        ("urls-removed", "loss", "FILE.config"),
        ("annotations-removed", "loss", "FILE.layers[0]"),
        ("not-reversible", "warning", "FILE"),
    ]
    assert parsed(made.raw) == {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {**described(OCI_CONFIG), "mediaType": DOCKER_CONFIG},
        "layers": [
            {**described(OCI_LAYER), "mediaType": DOCKER_LAYER, "urls": ["https://example.com"]}
        ],
    }


def test_extensions_stay_if_asked() -> None:
    raw = manifest(OCI_CONFIG, **EXTENDED)
    made = translate(raw, "docker", keep_extensions=True)
    assert made.reversible
    assert [finding.level.value for finding in made.findings if finding.level == "loss"] == []
    assert masked(made.raw, "mediaType") == masked(raw, "mediaType")
    assert translate(made.raw, "oci", keep_extensions=True).raw == raw


def test_a_document_of_the_target_family_is_not_touched() -> None:
    extended = {**EXTENDED, "config": described(DOCKER_CONFIG, annotations={"c": "d"})}
    extended["layers"] = [described(DOCKER_LAYER, data="", digest=digest_of(b""), size=0)]
    raw = manifest(DOCKER_CONFIG, **extended)
    made = translate(raw, "docker")
    assert made.raw is raw
    assert made.findings == ()


def test_entries_that_a_docker_list_cannot_hold_are_left_out_and_told() -> None:
    image = oci_image()
    note = described("application/x-unknown")
    listed = image_list([image, attestation(image)])
    raw = json.dumps({**listed.json, "manifests": [*listed.json["manifests"], note]}).encode()
    docker = docker_image()
    made = translate(raw, "docker", digest_map={image.digest: docker.descriptor})
    assert [(finding.code, finding.where) for finding in made.findings] == [
        ("attestation-dropped", "manifests[1]"),
        ("entry-dropped", "manifests[2]"),
        ("not-reversible", ""),
    ]
    assert parsed(made.raw)["mediaType"] == DOCKER_LIST
    assert [entry["digest"] for entry in parsed(made.raw)["manifests"]] == [docker.digest]


def test_in_toto_statements_have_one_name_in_both_families() -> None:
    for config, there, back in ((OCI_CONFIG, "docker", "oci"), (DOCKER_CONFIG, "oci", "docker")):
        raw = manifest(config, IN_TOTO)
        made = translate(raw, there)
        assert parsed(made.raw)["layers"][0]["mediaType"] == IN_TOTO
        assert translate(made.raw, back).raw == raw
