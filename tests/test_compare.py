from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from oci_convert.comparison.diff import diff, same_as
from oci_convert.comparison.difference import Diff, Verdict
from oci_convert.conversion.convert import convert
from oci_convert.documents.json_diff import ABSENT
from oci_convert.errors import DocumentError, StoreError
from oci_convert.findings import Level
from oci_convert.spec.media_types import Compression
from oci_convert.stores import Memory
from support.images import (
    EMPTY,
    LAYERS,
    OCI_LAYER,
    Blob,
    Image,
    attestation,
    docker_config,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
    save_tar,
    write_dir,
    write_layout,
)

DOCKER = docker_image()
ARM = docker_image((layer("base"), layer("arm")), platform="linux/arm64")
LIST = image_list([DOCKER, ARM])
OTHER = docker_image((layer("other"),))
TOP = "images[0]"
EMPTY_BLOB = Blob(EMPTY, b"{}")
ARTIFACT = manifest(EMPTY_BLOB, [Blob("text/plain", b"note")])
OTHER_ARTIFACT = manifest(EMPTY_BLOB, [Blob("text/plain", b"other")])


def memory(images: Mapping[str, Image] | Image) -> Memory:
    return Memory(layout_files({"": images} if isinstance(images, Image) else images))


def compare(one: Mapping[str, Image] | Image, other: Mapping[str, Image] | Image) -> Diff:
    """Compare two layouts; the answer must not depend on which one is named first."""
    found = diff(memory(one), memory(other))
    assert found.answer is diff(memory(other), memory(one)).answer
    assert found.same is same_as(memory(one), memory(other))
    return found


def told(found: Diff) -> list[tuple[str, str]]:
    """The kinds and places of what makes the images different ones."""
    return [(it.kind.value, it.where) for it in found if it.content and it.kind.value != "config"]


def members(found: Diff) -> list[str | None]:
    return [it.member for it in found if it.kind.value == "config"]


def notes(found: Diff, level: Level = Level.INFO) -> list[tuple[str, str]]:
    return [(finding.code, finding.where) for finding in found.findings if finding.level is level]


def as_oci(image: Image) -> Image:
    """The same image in the other family, its config and layers as they are."""
    return oci_image(image.layers, config=image.config).with_entry(**image.entry)


# -- the same -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ({"to": "oci"}, "oci:layout"),
        ({"to": "oci", "compress": "zstd"}, "oci:layout"),
        ({"to": "oci", "compress": "none"}, "oci:layout"),
        ({"to": "oci"}, "dir:folder"),
        ({"to": "oci-rc2"}, "oci:layout:app"),
        ({"to": "docker"}, "dir:folder"),
    ],
)
@pytest.mark.parametrize("image", [DOCKER, LIST], ids=["image", "list"])
def test_what_was_converted_is_the_same(
    image: Image,
    options: dict[str, str],
    target: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    source = write_dir(image, tmp_path / "source")
    convert(source, target, **options)  # type: ignore[arg-type]  # a table of texts
    found = diff(f"dir:{source}", target)
    assert (found.same, found.findings) == (True, ())


def test_an_archive_is_the_same_as_the_registry_s_form_of_the_image(tmp_path: Path) -> None:
    archive = tmp_path / "saved.tar"
    archive.write_bytes(save_tar({"app:1": DOCKER, "app:2": DOCKER}))
    assert same_as(f"docker-archive:{archive}", write_dir(DOCKER, tmp_path / "folder"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DOCKER, as_oci(DOCKER)),
        (LIST, image_list([as_oci(ARM), as_oci(DOCKER)])),
        (LIST, image_list([image_list([DOCKER]), image_list([ARM])])),
        (image_list([DOCKER]), DOCKER),
        (image_list([DOCKER, DOCKER]), DOCKER),
        (LIST, image_list([DOCKER.with_entry(platform=None), ARM.with_entry(platform=None)])),
        (
            image_list([ARM.with_entry(platform={"os": "linux", "architecture": "arm64"})]),
            image_list(
                [ARM.with_entry(platform={"os": "linux", "architecture": "arm64", "variant": "v8"})]
            ),
        ),
        (
            oci_image([layer("a")], config=minimal_config([layer("a")])),
            oci_image([layer("a", Compression.ZSTD)], config=minimal_config([layer("a")])),
        ),
    ],
    ids=["family", "order", "nested", "flattened", "twice", "platforms", "variant", "packing"],
)
def test_form_is_no_difference_in_content(one: Image, other: Image) -> None:
    found = compare(one, other)
    assert (found.answer, found.findings) == (Verdict.FORMAT, ())


# -- not the same -------------------------------------------------------------------------------


def test_another_config_is_a_difference_that_names_the_members() -> None:
    found = compare(DOCKER, docker_image(config=docker_config(LAYERS, author="Bob", extra=1)))
    assert told(found) == [("image-id", f"{TOP}.config")]
    assert members(found) == ["author", "extra"]


def test_another_spelling_of_the_config_is_another_image_id() -> None:
    spaced = json.dumps(json.loads(DOCKER.config), indent=1).encode()
    found = compare(DOCKER, docker_image(config=spaced))
    assert told(found) == [("image-id", f"{TOP}.config")]
    assert members(found) == []


def test_other_layers_are_named_by_their_places() -> None:
    found = compare(DOCKER, docker_image([LAYERS[0], layer("changed")]))
    assert told(found) == [("image-id", f"{TOP}.config"), ("layer", f"{TOP}.layers[1]")]
    assert members(found) == []


def test_another_order_of_layers_is_a_difference() -> None:
    assert not compare(DOCKER, docker_image(LAYERS[::-1])).same


def test_another_number_of_layers_is_a_difference_whatever_the_config_says() -> None:
    found = compare(DOCKER, docker_image(LAYERS[:1], config=DOCKER.config))
    assert told(found) == [("layer", f"{TOP}.layers[1]")]
    assert next(iter(found)).right is ABSENT


def test_layers_that_no_diff_id_speaks_of_are_known_by_their_digests() -> None:
    config = minimal_config([])
    found = compare(oci_image(LAYERS[:1], config=config), oci_image(LAYERS[1:], config=config))
    assert told(found) == [("layer", f"{TOP}.layers[0]")]
    assert compare(oci_image(LAYERS[:1], config=config), oci_image(LAYERS[:1], config=config)).same


def test_a_platform_on_one_side_is_a_difference() -> None:
    found = compare(LIST, DOCKER)
    assert told(found) == [("platform", f"{TOP}.manifests[1]")]
    assert next(iter(found)).platform == "linux/arm64"


def test_the_same_images_under_swapped_platforms_differ() -> None:
    swapped = image_list([DOCKER.with_entry(**ARM.entry), ARM.with_entry(**DOCKER.entry)])
    kinds = [kind for kind, _ in told(compare(LIST, swapped))]
    assert kinds == ["image-id", "layer"] * 2


def test_the_same_image_under_another_platform_differs_on_both_sides() -> None:
    found = compare(image_list([DOCKER]), image_list([DOCKER.with_entry(**ARM.entry)]))
    assert told(found) == [("platform", f"{TOP}.manifests[0]")] * 2


def test_an_image_for_the_same_platform_is_held_against_the_other_one() -> None:
    changed = docker_image((layer("base"), layer("changed")), platform="linux/arm64")
    found = compare(LIST, image_list([changed, DOCKER]))
    where = f"{TOP}.manifests[1]"
    assert told(found) == [("image-id", f"{where}.config"), ("layer", f"{where}.layers[1]")]


# -- several images -----------------------------------------------------------------------------


def pairs(found: Diff) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(image.left, image.right) for image in found.images]


def test_images_are_paired_by_name() -> None:
    found = compare({"a": DOCKER, "b": ARM}, {"b": ARM, "a": DOCKER})
    assert found.same
    assert pairs(found) == [(("a",), ("a",)), (("b",), ("b",))]
    assert not compare({"a": DOCKER, "b": ARM}, {"a": ARM, "b": DOCKER}).same


def test_an_image_whose_name_is_on_one_side_only_is_a_difference() -> None:
    found = compare({"a": DOCKER, "b": ARM}, {"a": DOCKER, "c": ARM})
    assert told(found) == [("image", "images[1]")] * 2
    assert [(it.left, it.right) for it in found] == [("b", ABSENT), (ABSENT, "c")]


def test_a_full_name_counts_before_a_tag() -> None:
    def saved(*names: str) -> dict[str, Image]:
        return {
            name: image.with_entry(
                annotations={"io.containerd.image.name": f"example.com/{name}:1"}
            )
            for name, image in zip(names, (DOCKER, ARM), strict=True)
        }

    def tagged(images: Mapping[str, Image]) -> Memory:
        files = layout_files(images)
        index = json.loads(files["index.json"])
        for entry in index["manifests"]:
            entry["annotations"]["org.opencontainers.image.ref.name"] = "1"
        return Memory({**files, "index.json": json.dumps(index).encode()})

    both = saved("app", "web")
    assert same_as(tagged(both), tagged(dict(reversed(both.items()))))
    assert not same_as(tagged(both), tagged(saved("web", "app")))


def test_several_images_of_one_name_are_compared_together() -> None:
    twins = layout_files({"a": DOCKER, "b": ARM, "c": OTHER})
    twins["index.json"] = twins["index.json"].replace(b'"b"', b'"a"')
    assert same_as(Memory(twins), memory({"a": LIST, "c": OTHER}))


def test_names_are_compared_in_full(tmp_path: Path) -> None:
    archive = tmp_path / "saved.tar"
    archive.write_bytes(save_tar({"app:2": ARM, "app:1": DOCKER}))
    full = {"docker.io/library/app:1": DOCKER, "docker.io/library/app:2": ARM}
    assert same_as(archive, memory(full))


def test_one_image_on_each_side_is_compared_whatever_the_names() -> None:
    assert compare({"a": DOCKER}, {"b": DOCKER}).same


def test_images_without_a_common_name_are_compared_in_order() -> None:
    found = compare({"a": DOCKER, "b": ARM}, {"c": DOCKER, "d": ARM})
    assert found.same
    assert pairs(found) == [(("a",), ("c",)), (("b",), ("d",))]
    assert not compare({"a": DOCKER, "b": ARM}, {"c": ARM, "d": DOCKER}).same


def test_different_numbers_of_images_are_compared_all_together() -> None:
    found = compare({"a": DOCKER, "b": ARM}, {"c": LIST})
    assert found.same
    assert pairs(found) == [(("a", "b"), ("c",))]
    assert not compare({"a": DOCKER, "b": OTHER}, {"c": LIST}).same


def test_a_reference_chooses_an_image(tmp_path: Path) -> None:
    write_layout({"a": DOCKER, "b": ARM}, tmp_path)
    assert same_as(f"oci:{tmp_path}:b", memory(ARM))
    assert not same_as(f"oci:{tmp_path}:a", memory(ARM))


# -- what is no image ---------------------------------------------------------------------------


def test_attestations_are_left_out_and_named() -> None:
    found = compare(image_list([DOCKER, attestation(DOCKER)]), DOCKER)
    assert found.same
    assert notes(found) == [("not-compared", f"memory: {TOP}.manifests[1]")]


NOTE, CHART = Blob("text/plain", b"note"), Blob("application/x-chart", b"chart")
ARTIFACTS: dict[str, tuple[Mapping[str, Image] | Image, Mapping[str, Image] | Image, bool]] = {
    # two stores, and whether they hold the same
    "an artifact and itself": (ARTIFACT, ARTIFACT, True),
    "under another name": ({"a": ARTIFACT}, {"b": ARTIFACT}, True),
    "with other annotations": (
        ARTIFACT,
        manifest(EMPTY_BLOB, [NOTE], annotations={"a": "1"}),
        True,
    ),
    "of other content": (ARTIFACT, manifest(EMPTY_BLOB, [CHART]), False),
    "with another config": (ARTIFACT, manifest(Blob(EMPTY, b"{ }"), [NOTE]), False),
    "with one blob more": (ARTIFACT, manifest(EMPTY_BLOB, [NOTE, CHART]), False),
    "two, in another order": (
        {"a": ARTIFACT, "b": OTHER_ARTIFACT},
        {"b": OTHER_ARTIFACT, "a": ARTIFACT},
        True,
    ),
    "one of two": ({"a": ARTIFACT, "b": OTHER_ARTIFACT}, {"a": ARTIFACT}, False),
    "beside an image": ({"a": DOCKER, "b": ARTIFACT}, {"a": DOCKER, "b": ARTIFACT}, True),
    "without a name beside an image": (
        {"a": DOCKER, "": ARTIFACT},
        {"a": DOCKER, "": ARTIFACT},
        True,
    ),
    "without a name, another one": (
        {"a": DOCKER, "": ARTIFACT},
        {"a": DOCKER, "": OTHER_ARTIFACT},
        False,
    ),
    "beside an image, another one": (
        {"a": DOCKER, "b": ARTIFACT},
        {"a": DOCKER, "b": OTHER_ARTIFACT},
        False,
    ),
    "beside an image, and gone": ({"a": DOCKER, "b": ARTIFACT}, {"a": DOCKER}, False),
    "beside an image in an index": (
        image_list([DOCKER, ARTIFACT]),
        image_list([DOCKER, ARTIFACT]),
        True,
    ),
    "in an index, and gone": (image_list([DOCKER, ARTIFACT]), DOCKER, False),
    "an artifact and an image": (ARTIFACT, DOCKER, False),
    "an index of artifacts": (
        image_list([ARTIFACT, OTHER_ARTIFACT]),
        image_list([OTHER_ARTIFACT, ARTIFACT]),
        True,
    ),
    "in an index, another one": (image_list([ARTIFACT]), image_list([OTHER_ARTIFACT]), False),
}


@pytest.mark.parametrize(("one", "other", "same"), ARTIFACTS.values(), ids=ARTIFACTS)
def test_artifacts_are_compared_as_images_are(
    one: Mapping[str, Image] | Image, other: Mapping[str, Image] | Image, same: bool
) -> None:
    found = compare(one, other)
    assert found.same is same
    if same:
        assert not any(finding.code == "layer-believed" for finding in found.findings)


def test_an_artifact_that_is_not_what_it_says_is_a_difference() -> None:
    files = layout_files({"a": ARTIFACT})
    blob = f"blobs/{NOTE.digest.replace(':', '/')}"
    bad = Memory({**files, blob: b"evil"})
    found = diff(Memory(files), bad)
    assert found.answer is Verdict.DIFFERENT
    assert notes(found, Level.ERROR) == [("digest-mismatch", f"memory: {TOP}.layers[0]")]


def test_an_absent_entry_is_not_there() -> None:
    partial = LIST.without(ARM.digest)
    found = compare(partial, DOCKER)
    assert found.same
    assert notes(found) == [("not-compared", f"memory: {TOP}.manifests[1]")]
    assert told(compare(partial, LIST)) == [("platform", f"{TOP}.manifests[1]")]


def test_an_image_without_its_config_is_not_there() -> None:
    configs = [digest for digest, data in LIST.blobs.items() if data == ARM.config]
    assert compare(LIST.without(*configs), DOCKER).same


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(StoreError, match="the store has no image"):
        same_as(memory(DOCKER), memory(image_list([DOCKER]).without(DOCKER.digest)))


def test_a_document_that_cannot_be_trusted_is_an_error() -> None:
    config = b'{"os":"linux","os":"plan9"}'
    with pytest.raises(DocumentError) as caught:
        same_as(memory(docker_image(config=config)), memory(DOCKER))
    assert caught.value.code == "duplicate-member"
    assert caught.value.place == f"memory: {TOP}.config"


# -- what is measured, and what is believed -----------------------------------------------------


def test_a_layer_that_is_not_what_it_says_is_a_difference() -> None:
    good = layout_files({"app": docker_image()})
    layer = f"blobs/{docker_image().layers[0].digest.replace(':', '/')}"
    bad = {**good, layer: bytes(reversed(good[layer]))}
    found = diff(Memory(good), Memory(bad))
    assert (found.answer, list(found)) == (Verdict.DIFFERENT, [])
    assert notes(found, Level.ERROR) == [("digest-mismatch", f"memory: {TOP}.layers[0]")]
    assert diff(Memory(good), Memory(bad), documents_only=True).answer is Verdict.EQUAL


FOREIGN = layer("foreign", foreign=True, more={"urls": ["https://example.com/layer"]})
BELIEVED = {
    "a foreign layer that is absent": (
        oci_image([replace(FOREIGN, present=False)]),
        docker_image([replace(FOREIGN, present=False)], config=minimal_config([FOREIGN])),
        2,
    ),
    "a layer that is absent on one side": (
        oci_image([replace(LAYERS[0], present=False)]),
        oci_image([LAYERS[0]]),
        1,
    ),
    "a foreign layer, packed in two ways": (
        oci_image([FOREIGN]),
        oci_image([replace(FOREIGN, compression=Compression.NONE)]),
        2,
    ),
    "an encrypted layer": (
        oci_image(
            [layer("who knows", media_type=f"{OCI_LAYER}+encrypted")],
            config=minimal_config([layer("x")]),
        ),
        oci_image([layer("x")]),
        1,
    ),
    "a foreign layer that is there": (oci_image([FOREIGN]), oci_image([FOREIGN]), 0),
}


@pytest.mark.parametrize(("one", "other", "count"), BELIEVED.values(), ids=BELIEVED)
def test_a_layer_that_nobody_could_unpack_is_believed_and_named(
    one: Image, other: Image, count: int
) -> None:
    found = compare(one, other)
    assert found.same
    assert notes(found) == [("layer-believed", f"memory: {TOP}.layers[0]")] * count
