"""What a source holds, as facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oci_convert.inspection.inspect import Inspected, inspect
from oci_convert.spec.media_types import Compression, Family, Kind
from oci_convert.stores.memory import Memory
from support.images import (
    EMPTY,
    OCI,
    Blob,
    Image,
    attestation,
    cosign_signature,
    cosign_tag,
    dir_files,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    oci_image,
    referrer,
    save_tar,
    write_files,
)
from support.runs import MISLABELLED, NONE, ZSTD, store

IMAGE = oci_image()
NOTE = "application/vnd.example.note"


def top(image: Image) -> Inspected:
    (found,) = inspect(store(app=image)).images
    return found


def speaking(*others: Image, **named: Image) -> Memory:
    """A layout with ``app``, documents that have no name, and documents that have one."""
    files = layout_files({"app": IMAGE, **named})
    for other in others:
        files = merged(files, layout_files({"": other}))
    return Memory(files)


def merged(files: dict[str, bytes], more: dict[str, bytes]) -> dict[str, bytes]:
    index, added = (json.loads(side["index.json"]) for side in (files, more))
    index["manifests"] += added["manifests"]
    return {**files, **more, "index.json": json.dumps(index).encode()}


# -- blobs --------------------------------------------------------------------------------------


def test_a_blob_is_shown_by_its_facts() -> None:
    image = top(docker_image([layer("a"), layer("b", NONE), layer("c", ZSTD)]))
    assert (image.kind, image.platform) == (Kind.MANIFEST, "linux/amd64")
    assert image.family == {Family.DOCKER}
    assert [child.kind for child in image.children] == [Kind.CONFIG, *[Kind.LAYER] * 3]
    packed = [child.compression for child in image.children]
    assert packed == [None, Compression.GZIP, Compression.NONE, Compression.ZSTD]
    assert [child.where for child in image.children][-1] == "images[0].layers[2]"


@pytest.mark.parametrize("case", MISLABELLED)
def test_a_layer_that_lies_is_named(case: str) -> None:
    image, _ = MISLABELLED[case]
    (_, lying) = top(image).children
    assert lying.notes[0].startswith("mislabelled: the bytes are ")
    assert lying.compression is not None


ODD = {
    "foreign": layer("f", foreign=True),
    "absent": layer("f", foreign=True, present=False),
    "encrypted": layer("e", media_type=f"{OCI}layer.v1.tar+gzip+encrypted"),
}


@pytest.mark.parametrize("note", ODD)
def test_what_is_odd_about_a_layer_is_noted(note: str) -> None:
    assert note in top(oci_image([ODD[note]])).children[1].notes


def test_an_artifact_says_what_it_is() -> None:
    by_config = manifest(Blob("application/vnd.cncf.helm.config.v1+json", b"{}"), [])
    by_type = manifest(Blob(EMPTY, b"{}"), [], artifactType=NOTE)
    assert top(by_config).artifact_type == "application/vnd.cncf.helm.config.v1+json"
    assert top(by_type).artifact_type == NOTE
    assert top(IMAGE).artifact_type is None


def test_an_archive_that_has_no_manifest_says_so(tmp_path: Path) -> None:
    (tmp_path / "app.tar").write_bytes(save_tar({"app:1": docker_image()}))
    (image,) = inspect(tmp_path / "app.tar").images
    assert image.notes == ("the archive has no manifest",)
    assert [child.compression for child in image.children[1:]] == [Compression.NONE] * 2


# -- what speaks of an image --------------------------------------------------------------------


def test_an_attestation_names_the_image_that_it_speaks_of() -> None:
    image, attested = top(image_list([IMAGE, attestation(IMAGE)])).children
    assert attested.notes == ("attestation",)
    assert attested.subject == image.descriptor.digest == IMAGE.digest


def test_a_referrer_stands_below_what_it_refers_to() -> None:
    (image,) = inspect(speaking(referrer(IMAGE))).images
    (found,) = image.referrers
    assert (found.kind, found.notes) == (Kind.MANIFEST, ("referrer",))
    assert (found.subject, found.artifact_type) == (IMAGE.digest, NOTE)


def test_a_referrer_of_one_platform_stands_below_that_platform() -> None:
    both = image_list([IMAGE, oci_image(platform="linux/arm64")])
    files = merged(layout_files({"app": both}), layout_files({"": referrer(IMAGE)}))
    (image,) = inspect(Memory(files)).images
    assert [len(child.referrers) for child in image.children] == [1, 0]
    assert image.referrers == ()


def test_a_signature_stands_below_what_it_signs() -> None:
    (image,) = inspect(speaking(**{cosign_tag(IMAGE): cosign_signature(IMAGE)})).images
    (signature,) = image.referrers
    assert signature.notes == ("signature",)
    assert signature.name == cosign_tag(IMAGE)
    assert signature.subject == IMAGE.digest


def test_a_signature_of_a_referrer_stands_below_the_referrer() -> None:
    note = referrer(IMAGE)
    (image,) = inspect(speaking(note, **{cosign_tag(note): cosign_signature(note)})).images
    (found,) = image.referrers
    assert [below.notes for below in found.referrers] == [("signature",)]


def test_a_reference_chooses_an_image_with_what_speaks_of_it(tmp_path: Path) -> None:
    other = oci_image([layer("other")])
    files = merged(layout_files({"app": IMAGE, "b": other}), layout_files({"": referrer(IMAGE)}))
    write_files(files, tmp_path)
    (image,) = inspect(f"oci:{tmp_path}:app").images
    assert [below.notes for below in image.referrers] == [("referrer",)]
    (image,) = inspect(f"oci:{tmp_path}:b").images
    assert image.referrers == ()


def test_what_refers_to_something_elsewhere_is_something_of_its_own() -> None:
    absent = oci_image([layer("absent")])
    first, second = inspect(speaking(referrer(absent))).images
    assert (first.name, second.where) == ("app", "images[1]")
    assert second.notes == (f"refers to {absent.digest[:19]}",)
    assert second.subject == absent.digest


def test_a_file_with_a_signature_is_noted_at_the_manifest(tmp_path: Path) -> None:
    write_files({**dir_files(docker_image()), "signature-1": b"signed"}, tmp_path)
    (image,) = inspect(f"dir:{tmp_path}").images
    assert image.notes == ("signature-1",)


# -- large trees --------------------------------------------------------------------------------


def test_a_document_is_opened_at_its_first_place() -> None:
    twice = top(image_list([IMAGE, IMAGE]))
    first, second = twice.children
    assert (first.notes, second.notes) == ((), ("as above",))
    assert first.children
    assert not second.children


def test_every_image_of_a_source_is_whole() -> None:
    for image in inspect(store(one=IMAGE, two=IMAGE)).images:
        assert len(image.children) == 3


def test_small_indexes_that_name_each_other_do_not_grow() -> None:
    nested = image_list([IMAGE])
    for _ in range(12):
        nested = image_list([nested] * 10)
    assert sum(1 for _ in top(nested).walk()) < 200


# -- as JSON ------------------------------------------------------------------------------------


def test_json_has_the_same_facts() -> None:
    found = inspect(speaking(referrer(IMAGE))).to_json()
    (image,) = found["images"]
    assert (found["version"], image["name"]) == (1, "app")
    assert set(image) == {
        "name", "kind", "where", "mediaType", "digest", "size", "family", "platform",
        "compression", "artifactType", "subject", "notes", "children", "referrers",
    }  # fmt: skip
    (note,) = image["referrers"]
    assert (note["name"], note["subject"], note["notes"]) == (None, IMAGE.digest, ["referrer"])
    config, base, _ = image["children"]
    assert (config["kind"], config["compression"]) == ("config", None)
    assert (base["kind"], base["compression"]) == ("layer", "gzip")
    assert json.loads(json.dumps(found)) == found


def test_families_are_told_apart() -> None:
    unknown = manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"")], family=Family.OCI)
    assert top(docker_image()).family == {Family.DOCKER}
    assert top(oci_image()).family == {Family.OCI}
    assert top(unknown).children[-1].family == set()
    assert top(image_list([oci_image()], family=Family.OCI_RC2)).family == {Family.OCI_RC2}
    assert top(oci_image()).to_json()["family"] == ["oci"]
    assert top(unknown).children[-1].to_json()["family"] == []
