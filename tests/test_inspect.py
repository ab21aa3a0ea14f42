"""What a source holds, as facts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oci_convert.inspection.inspect import Inspected, inspect
from oci_convert.spec.media_types import Compression, Family, Kind
from oci_convert.stores.memory import Memory
from oci_convert.verification.verify import verify
from support.command import Command
from support.images import (
    EMPTY,
    OCI,
    OCI_MANIFEST,
    Blob,
    Image,
    attestation,
    cosign_signature,
    cosign_tag,
    digest_of,
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
        "compression", "artifactType", "subject", "present", "foreign", "attestation", "notes",
        "findings", "children", "referrers",
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


# -- what is wrong ------------------------------------------------------------------------------


def _with(image: Image, change: Callable[[Any], object]) -> Memory:
    """A layout of an image with another manifest."""
    files, body = layout_files({"app": image}), json.loads(image.manifest)
    change(body)
    raw = json.dumps(body).encode()
    name = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    index = json.loads(files["index.json"])
    index["manifests"][0].update(digest=name, size=len(raw))
    index_json = json.dumps(index).encode()
    return Memory({**files, f"blobs/{name.replace(':', '/')}": raw, "index.json": index_json})


WRONG: dict[str, tuple[Memory, list[tuple[str, str]]]] = {
    # a store, and the code and place of what is wrong with it
    "a layer that is absent": (
        store(app=IMAGE.without(IMAGE.layers[0].digest)),
        [("blob-missing", "images[0].layers[0]")],
    ),
    "a config that is absent": (
        store(app=IMAGE.without(IMAGE.json["config"]["digest"])),
        [("blob-missing", "images[0].config")],
    ),
    "two spellings of one member": (
        _with(IMAGE, lambda body: body.update(Layers=[])),
        [("ambiguous-document", "images[0]")],
    ),
    "two spellings in a descriptor": (
        _with(IMAGE, lambda body: body["config"].update(Size=1)),
        [("ambiguous-document", "images[0].config")],
    ),
    "a member of another kind": (
        _with(IMAGE, lambda body: body.update(manifests=None)),
        [("ambiguous-document", "images[0]")],
    ),
    "data of something else": (
        _with(IMAGE, lambda body: body["config"].update(data="e30=")),
        [("wrong-data", "images[0].config")],
    ),
    "too few diff_ids": (
        store(
            app=oci_image(config=b'{"os":"linux","architecture":"arm","rootfs":{"type":"layers"}}')
        ),
        [("count-mismatch", "images[0]"), ("config-problem", "images[0].config")],
    ),
    "a config that is no JSON": (
        store(app=oci_image(config=b"{")),
        [("invalid-json", "images[0].config")],
    ),
}


@pytest.mark.parametrize(("source", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_shown_in_its_place(
    source: Memory, expected: list[tuple[str, str]]
) -> None:
    found = inspect(source)
    (image,) = found.images
    at = [(f.code, blob.where) for blob in image.walk() for f in blob.findings]
    assert at == expected
    assert [blob.kind for blob in image.walk()] == [Kind.MANIFEST, Kind.CONFIG, *[Kind.LAYER] * 2]
    verified = {finding.code for finding in verify(source).findings}
    assert {code for code, _ in expected} <= verified


def test_a_document_that_cannot_be_read_is_shown_alone() -> None:
    broken = Image(b"{", OCI_MANIFEST, {digest_of(b"{"): b"{"}, {})
    both = image_list([IMAGE, broken.with_entry(platform={"os": "linux", "architecture": "arm"})])
    (image,) = inspect(store(app=both)).images
    sound, odd = image.children
    assert (len(sound.children), sound.findings) == (3, ())
    assert [finding.code for finding in odd.findings] == ["invalid-json"]
    assert (odd.children, odd.platform) == ((), "linux/arm")


def test_the_command_shows_what_is_wrong_and_ends_well(command: Command) -> None:
    write_files(layout_files({"app": IMAGE.without(IMAGE.layers[1].digest)}), Path("odd"))
    shown = command("inspect", "oci:odd")
    assert (shown.status, shown.err) == (0, "")
    assert shown.out.splitlines()[-1].endswith("absent [blob-missing]")
    assert command("inspect", "oci:odd", "--graph").status == 0
    assert command("inspect", "oci:none").status == 1
