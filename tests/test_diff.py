from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.comparison.diff import diff, same_as
from oci_convert.comparison.difference import Diff, DifferenceKind, Verdict
from oci_convert.conversion.convert import convert
from oci_convert.documents.json_diff import ABSENT
from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores import Memory
from support.images import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    LAYERS,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Blob,
    Image,
    Spelling,
    attestation,
    cosign_signature,
    cosign_tag,
    digest_of,
    dir_files,
    docker_config,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
    opaque,
    referrer,
    save_tar,
    write_files,
)

TESTDATA = Path(__file__).parent.parent / "testdata"
GZIP, ZSTD, NONE = Compression.GZIP, Compression.ZSTD, Compression.NONE

ONE = oci_image()
ARM = oci_image([layer("base"), layer("arm")], platform="linux/arm64")
BOTH = image_list([ONE, ARM])
CONFIG = minimal_config(LAYERS)


def store(image: Image, name: str = "") -> Memory:
    return Memory(layout_files({name: image}))


def compare(left: Memory, right: Memory) -> Diff:
    """Compare two stores; the sides must not matter."""
    found, back = diff(left, right), diff(right, left)
    assert found.answer is back.answer
    assert {it.kind for it in found} == {it.kind for it in back}
    return found


def facts(found: Diff) -> list[tuple[str, str, str | None]]:
    """Every difference but the digests of documents, which follow from the others."""
    return [
        (it.kind.value, it.where, it.member) for it in found if it.kind is not DifferenceKind.DIGEST
    ]


# -- single differences -------------------------------------------------------------------------


def env(*values: str) -> Image:
    runtime = {"Env": list(values)}
    return oci_image(config=minimal_config(LAYERS, config=runtime))


def mixed(image: Image, **types: str) -> Image:
    """``image`` with other media types in its manifest."""
    blobs = [Blob(types.get("layer", OCI_LAYER), layer.data) for layer in image.layers]
    return manifest(Blob(types.get("config", OCI_CONFIG), image.config), blobs)


PACKED = [layer("base"), layer("app", ZSTD)]
WHERE = "images[0]"
SINGLE: dict[str, tuple[Image, Image, Verdict, list[tuple[str, str, str | None]]]] = {
    "one variable": (
        env("A=1", "B=2", "C=3"),
        env("A=1", "B=9", "C=3"),
        Verdict.DIFFERENT,
        [("image-id", f"{WHERE}.config", None), ("config", f"{WHERE}.config", "config.Env[1]")],
    ),
    "one variable less": (
        env("A=1", "B=2", "C=3"),
        env("A=1", "C=3"),
        Verdict.DIFFERENT,
        [("image-id", f"{WHERE}.config", None), ("config", f"{WHERE}.config", "config.Env[1]")],
    ),
    "one layer more": (
        ONE,
        oci_image([*LAYERS, layer("more")]),
        Verdict.DIFFERENT,
        [("image-id", f"{WHERE}.config", None), ("layer", f"{WHERE}.layers[2]", None)],
    ),
    "one layer before the others": (
        ONE,
        oci_image([layer("more"), *LAYERS]),
        Verdict.DIFFERENT,
        [("image-id", f"{WHERE}.config", None), ("layer", f"{WHERE}.layers[0]", None)],
    ),
    "layers in another order": (
        ONE,
        oci_image(LAYERS[::-1]),
        Verdict.DIFFERENT,
        [("image-id", f"{WHERE}.config", None), ("layer", f"{WHERE}.layers[1]", None)],
    ),
    "another compression": (
        ONE,
        oci_image(PACKED, config=CONFIG),
        Verdict.FORMAT,
        [
            ("media-type", f"{WHERE}.layers[1]", None),
            ("packing", f"{WHERE}.layers[1]", None),
        ],
    ),
    "a wrong label": (
        oci_image([layer("base", ZSTD)]),
        oci_image([layer("base", ZSTD, media_type=OCI_LAYER)]),
        Verdict.FORMAT,
        [
            ("media-type", f"{WHERE}.layers[0]", None),
            ("mislabelled", f"{WHERE}.layers[0]", None),
        ],
    ),
    "an annotation of the manifest": (
        oci_image(annotations={"a.b": "1", "c": "2"}),
        oci_image(annotations={"a.b": "1", "c": "3"}),
        Verdict.FORMAT,
        [("annotation", WHERE, "annotations.c")],
    ),
    "the only annotation": (
        oci_image(annotations={"a.b": "1"}),
        ONE,
        Verdict.FORMAT,
        [("annotation", WHERE, 'annotations["a.b"]')],
    ),
    "an annotation of a layer": (
        oci_image([replace(LAYERS[0], more={"annotations": {"a": "b"}}), LAYERS[1]]),
        ONE,
        Verdict.FORMAT,
        [("annotation", f"{WHERE}.layers[0]", "annotations.a")],
    ),
    "an annotation of an index": (
        image_list([ONE], annotations={"a": "b"}),
        image_list([ONE]),
        Verdict.FORMAT,
        [("annotation", WHERE, "annotations.a")],
    ),
    "an annotation of an entry": (
        image_list([ONE.with_entry(annotations={"a": "b"})]),
        image_list([ONE]),
        Verdict.FORMAT,
        [("annotation", f"{WHERE}.manifests[0]", "annotations.a")],
    ),
    "urls of a layer": (
        oci_image([replace(LAYERS[0], more={"urls": ["https://example.com"]}), LAYERS[1]]),
        ONE,
        Verdict.FORMAT,
        [("member", f"{WHERE}.layers[0]", "urls")],
    ),
    "an unknown member": (
        oci_image(flavour="vanilla"),
        ONE,
        Verdict.FORMAT,
        [("member", WHERE, "flavour")],
    ),
    "no media type in the body": (
        oci_image(stated=False),
        ONE,
        Verdict.FORMAT,
        [("member", WHERE, "mediaType")],
    ),
    "the spelling of the manifest": (
        oci_image(spelling=Spelling.BUILDKIT),
        ONE,
        Verdict.FORMAT,
        [],
    ),
    "a more precise platform": (
        image_list([ARM]),
        image_list(
            [ARM.with_entry(platform={"architecture": "arm64", "os": "linux", "variant": "v8"})]
        ),
        Verdict.FORMAT,
        [("member", f"{WHERE}.manifests[0]", "platform.variant")],
    ),
    "platforms in another order": (
        BOTH,
        image_list([ARM, ONE]),
        Verdict.FORMAT,
        [("order", WHERE, None)],
    ),
    "an index around it": (image_list([ONE]), ONE, Verdict.FORMAT, [("index", WHERE, None)]),
    "indexes in an index": (
        image_list([image_list([ONE]), ARM]),
        BOTH,
        Verdict.FORMAT,
        [("index", f"{WHERE}.manifests[0]", None)],
    ),
    "an image listed twice": (
        image_list([ONE, ONE]),
        image_list([ONE]),
        Verdict.FORMAT,
        [("repeated", f"{WHERE}.manifests[1]", None)],
    ),
    "an attestation": (
        image_list([ONE, attestation(ONE)]),
        image_list([ONE]),
        Verdict.FORMAT,
        [("companion", f"{WHERE}.manifests[1]", None)],
    ),
    "an attestation that is absent": (
        image_list([ONE, attestation(ONE)]),
        image_list([ONE, attestation(ONE)]).without(attestation(ONE).digest),
        Verdict.FORMAT,
        [("companion", f"{WHERE}.manifests[1]", None)],
    ),
    "types of both families": (
        ONE,
        mixed(ONE, config=DOCKER_CONFIG, layer=DOCKER_LAYER),
        Verdict.FORMAT,
        [
            ("media-type", f"{WHERE}.config", None),
            ("media-type", f"{WHERE}.layers[0]", None),
            ("media-type", f"{WHERE}.layers[1]", None),
        ],
    ),
    "one platform less": (
        BOTH,
        image_list([ONE]),
        Verdict.DIFFERENT,
        [("platform", f"{WHERE}.manifests[1]", None)],
    ),
}


@pytest.mark.parametrize(("left", "right", "answer", "expected"), SINGLE.values(), ids=SINGLE)
def test_a_single_difference_is_the_only_one_that_is_told(
    left: Image, right: Image, answer: Verdict, expected: list[tuple[str, str, str | None]]
) -> None:
    found = compare(store(left), store(right))
    assert (found.answer, facts(found)) == (answer, expected)
    told = [(it.left, it.right) for it in found if it.kind is DifferenceKind.DIGEST]
    if left.media_type == right.media_type and left.digest != right.digest:
        assert told[0] == (left.digest, right.digest)


def test_an_image_equals_itself_under_any_name() -> None:
    for image in (ONE, BOTH, docker_image(), image_list([ONE, attestation(ONE)])):
        found = compare(store(image, "a"), store(image, "b"))
        assert (found.answer, list(found), found.findings) == (Verdict.EQUAL, [], ())


def test_documents_under_digests_of_two_algorithms_are_equal() -> None:
    assert compare(store(ONE), store(oci_image(algorithm="sha512"))).answer is Verdict.EQUAL


def test_the_other_family_is_another_format() -> None:
    docker = docker_image(config=CONFIG)
    found = compare(store(docker), store(ONE))
    assert found.answer is Verdict.FORMAT
    assert [
        (it.blob.value, it.left, it.right) for it in found if it.kind.value == "media-type"
    ] == [
        ("manifest", DOCKER_MANIFEST, OCI_MANIFEST),
        ("config", DOCKER_CONFIG, OCI_CONFIG),
        *[("layer", DOCKER_LAYER, OCI_LAYER)] * 2,
    ]


def test_what_a_rewritten_config_lacks_is_told_member_by_member() -> None:
    """skopeo writes a config anew when it converts to OCI, and knows only OCI's members."""
    config = json.loads(docker_config(LAYERS))
    for name in ("container", "container_config", "docker_version", "x-unknown"):
        del config[name]
    for name in ("Healthcheck", "Hostname", "Image", "OnBuild", "Shell", "StopTimeout", "Volumes"):
        del config["config"][name]
    found = compare(store(docker_image()), store(oci_image(config=json.dumps(config).encode())))
    lost = {it.member: it.left for it in found if it.kind is DifferenceKind.CONFIG}
    assert set(lost) == {
        *("container", "container_config", "docker_version", "x-unknown"),
        *(f"config.{name}" for name in ("Healthcheck", "Hostname", "Image", "OnBuild", "Shell")),
        *("config.StopTimeout", "config.Volumes"),
    }
    assert lost["config.Healthcheck"]["Interval"] == 5000000000
    assert lost["config.Volumes"] is None
    assert all(it.right is ABSENT for it in found if it.kind is DifferenceKind.CONFIG)


def test_layers_are_told_with_both_sides() -> None:
    """One was replaced, one is the same, one moved, one is more."""
    a, b, c, d, e = (layer(name) for name in "abcde")
    found = compare(store(oci_image([a, b, c])), store(oci_image([c, d, b, e])))
    told = [
        tuple(None if side is ABSENT else side["position"] for side in (it.left, it.right))
        for it in found
        if it.kind is DifferenceKind.LAYER
    ]
    assert sorted(map(str, told)) == sorted(map(str, [(0, None), (2, 0), (None, 1), (None, 3)]))
    one = next(it for it in found if it.kind is DifferenceKind.LAYER)
    assert one.left == {
        "position": 0,
        "diff_id": a.diff_id,
        "digest": a.digest,
        "size": len(a.data),
        "compression": "gzip",
    }


def test_a_made_up_manifest_has_no_digest(tmp_path: Path) -> None:
    archive, folder = tmp_path / "saved.tar", tmp_path / "folder"
    archive.write_bytes(save_tar({"app:1": docker_image()}))
    write_files(dir_files(docker_image()), folder)
    found = diff(archive, folder)
    digest = next(it for it in found if it.kind is DifferenceKind.DIGEST)
    assert found.answer is Verdict.FORMAT
    assert (digest.left, digest.right) == (ABSENT, docker_image().digest)
    assert "left" not in digest.to_json()
    assert diff(archive, archive).answer is Verdict.EQUAL


# -- what speaks of images ----------------------------------------------------------------------


def companions(found: Diff) -> list[tuple[Any, ...]]:
    return [
        tuple(side if side is ABSENT else side["what"] for side in (it.left, it.right))
        for it in found
        if it.kind is DifferenceKind.COMPANION
    ]


@pytest.mark.parametrize("names", ["everything", "by name"])
def test_referrers_and_signatures_of_one_side_are_told(names: str, tmp_path: Path) -> None:
    images = {"app": ONE, "": referrer(ONE), cosign_tag(ONE): cosign_signature(ONE)}
    write_files(layout_files(images), tmp_path / "with")
    write_files(layout_files({"app": ONE}), tmp_path / "without")
    ref = ":app" if names == "by name" else ""
    found = diff(f"oci:{tmp_path}/with{ref}", f"oci:{tmp_path}/without")
    assert found.answer is Verdict.FORMAT
    assert sorted(companions(found)) == [("referrer", ABSENT), ("signature", ABSENT)]


def test_what_speaks_of_nothing_here_is_compared_itself() -> None:
    one = oci_image(subject=ARM.descriptor.triple())
    found = compare(store(one), store(ONE))
    assert facts(found) == [("member", WHERE, "subject")]


def test_a_converted_attestation_is_held_against_the_one_that_it_was() -> None:
    docker = docker_image()
    attested = image_list([docker, attestation(docker, Family.DOCKER)])
    target = Memory()
    convert(store(attested, "app"), target, to="oci")
    found = compare(store(attested, "app"), target)
    assert found.answer is Verdict.FORMAT
    assert companions(found) == [("attestation", "attestation")]


def test_signature_files_of_a_folder_are_told(tmp_path: Path) -> None:
    write_files(dir_files(ONE), tmp_path / "plain")
    write_files({**dir_files(ONE), "signature-1": b"signed"}, tmp_path / "signed")
    found = diff(f"dir:{tmp_path}/plain", f"dir:{tmp_path}/signed")
    assert companions(found) == [(ABSENT, "signature")]
    assert next(iter(found)).right["digest"] == digest_of(b"signed")


# -- any images ---------------------------------------------------------------------------------


@st.composite
def images(draw: st.DrawFn, *, listed: bool = True) -> Image:
    """One of so few images that two of them are often the same, or nearly so."""
    if listed and draw(st.integers(0, 2)) == 0:
        children = draw(st.lists(images(listed=False), min_size=1, max_size=3))
        notes = draw(st.sampled_from([None, {"a": "1"}]))
        made = image_list(children, annotations=notes)
        speaking = draw(st.booleans())
        return image_list([*children, attestation(children[0])]) if speaking else made
    layers = [
        layer(name, draw(st.sampled_from([GZIP, GZIP, NONE, ZSTD])))
        for name in draw(st.lists(st.sampled_from("ab"), max_size=3))
    ]
    platform = draw(st.sampled_from(["linux/amd64", "linux/arm64", "linux/arm64/v8"]))
    variables = draw(st.sampled_from([[], ["A=1"], ["A=1", "B=2"]]))
    config = minimal_config(layers, platform, config={"Env": variables})
    notes = draw(st.sampled_from([None, {"a": "1"}]))
    make = docker_image if draw(st.booleans()) else oci_image
    return make(layers, platform=platform, config=config, annotations=notes)


@given(images())
def test_any_image_is_equal_to_itself(image: Image) -> None:
    found = diff(store(image), store(image))
    assert (found.answer, list(found), found.findings) == (Verdict.EQUAL, [], ())


@given(
    images(),
    st.sampled_from(["docker", "oci"]),
    st.sampled_from(["auto", "gzip", "zstd", "none"]),
)
def test_a_conversion_is_never_different(image: Image, to: str, compress: str) -> None:
    target = Memory()
    if (to, compress) == ("docker", "zstd"):
        compress = "auto"
    convert(store(image, "app"), target, to=to, compress=compress)
    found = compare(store(image, "app"), target)
    assert found.answer is not Verdict.DIFFERENT
    top = json.loads(target.files["index.json"])["manifests"][0]["digest"]
    assert (found.answer is Verdict.EQUAL) is (top == image.digest)


CHART = manifest(Blob("application/x-chart", b"{}"), [Blob("text/plain", b"chart")])
OTHER_CHART = manifest(Blob("application/x-chart", b"{}"), [Blob("text/plain", b"other")])
UNCOUNTED = oci_image([layer("a")], config=minimal_config([]))
ARTIFACTS = (CHART, OTHER_CHART, UNCOUNTED, image_list([CHART]), opaque(b"no document", "text/x"))
NAMES = ("", "example.com/app{i}:1", "example.com/app{i}:1@{digest}", "example.com/app{i}@{digest}")


@given(
    st.lists(
        st.tuples(images() | st.sampled_from(ARTIFACTS), st.sampled_from(NAMES)),
        min_size=1,
        max_size=3,
        unique_by=lambda it: it[0].digest,
    ),
    st.sampled_from([None, "sha256", "sha512"]),
)
def test_what_gets_other_digests_is_the_same(
    found: list[tuple[Image, str]], digest: str | None
) -> None:
    named = {
        name.format(i=i, digest=image.digest) or f"{i}": image
        for i, (image, name) in enumerate(found)
    }
    source, target = Memory(layout_files(named)), Memory()
    convert(source, target, to="oci", digest=digest)
    for sides in ((source, target), (target, source), (target, target)):
        answer = diff(*sides)
        assert answer.same, list(answer)
        assert "config" not in "".join(it.message for it in answer.findings)


@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_other_bytes_are_different_whatever_names_them(digest: str) -> None:
    target = Memory()
    convert(store(OTHER_CHART), target, to="oci", digest=digest)
    for sides in ((store(CHART), target), (target, store(CHART))):
        found = diff(*sides)
        assert [it.kind.value for it in found if it.content] == ["layer"]


def test_a_digest_in_a_name_is_no_other_name() -> None:
    names = {"example.com/a:1": ONE, f"example.com/b:1@{ARM.digest}": ARM}
    source, target = Memory(layout_files(names)), Memory()
    convert(source, target, to="docker")
    assert same_as(source, target)
    swapped = {"example.com/a:1": ARM, "example.com/b:1": ONE}
    assert not same_as(source, Memory(layout_files(swapped)))


@given(images(), images())
def test_any_two_images_compare_the_same_from_both_sides(left: Image, right: Image) -> None:
    one, other = store(left), store(right)
    found = diff(one, other)
    assert found.answer is diff(other, one).answer
    assert same_as(one, other) is found.same
    assert (found.answer is Verdict.EQUAL) is (left.manifest == right.manifest)


# -- the answer ---------------------------------------------------------------------------------


def test_the_answer_as_plain_data() -> None:
    found = diff(store(env("A=1"), "app"), store(env("A=2"), "app"))
    data = json.loads(json.dumps(found.to_json()))
    differences = data.pop("differences")
    assert data == {
        "version": 1,
        "left": "memory",
        "right": "memory",
        "answer": "different",
        "same": False,
        "images": [{"left": ["app"], "right": ["app"]}],
        "findings": [],
    }
    assert differences[1] == {
        "kind": "config",
        "content": True,
        "image": "app",
        "platform": "linux/amd64",
        "blob": "config",
        "where": "images[0].config",
        "member": "config.Env[0]",
        "left": "A=1",
        "right": "A=2",
    }


def test_a_number_beyond_all_numbers_is_text() -> None:
    config = CONFIG.replace(b'"config":{}', b'"config":{"a":[1e999,{"b":-1e999}]}')
    found = diff(store(ONE), store(oci_image(config=config)))
    told = [it.to_json() for it in found if it.kind is DifferenceKind.CONFIG]
    assert [it["right"] for it in told] == [["inf", {"b": "-inf"}]]


@pytest.mark.parametrize(
    ("left", "right", "answer"),
    [
        ("dir:docker-dir", "dir:docker-dir", Verdict.EQUAL),
        ("dir:docker-dir", "docker-archive:docker-save.tar:example.com/greeting:1", Verdict.FORMAT),
        ("oci:oci-layout:1", "dir:docker-dir", Verdict.DIFFERENT),
    ],
)
def test_images_of_testdata(
    left: str, right: str, answer: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(TESTDATA)
    assert diff(left, right).answer is answer
