"""Referrers get the new digest of their subject, or are dropped; signatures never change."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oci_convert import Compression, Memory, OciConvertError, Report, convert, inspect, verify
from support.images import (
    EMPTY,
    OCI_INDEX,
    REF_NAME,
    Blob,
    Image,
    Layer,
    Spelling,
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
    tar_of,
    write_files,
)

IMAGE = docker_image()
SBOM = referrer(IMAGE, "packages")
SIGNATURE = cosign_signature(IMAGE)


def store(**more: Image) -> Memory:
    return Memory(layout_files({"app": IMAGE, "": SBOM, cosign_tag(IMAGE): SIGNATURE, **more}))


def entries(memory: Memory) -> dict[str, Any]:
    """The entries of an index.json by name; one without a name stands under its digest."""
    index = json.loads(memory.files["index.json"])
    return {
        entry.get("annotations", {}).get(REF_NAME, entry["digest"]): entry
        for entry in index["manifests"]
    }


def document(memory: Memory, entry: dict[str, Any]) -> Any:
    return json.loads(memory.files[f"blobs/{entry['digest'].replace(':', '/')}"])


def codes(report: Report) -> list[tuple[str, str]]:
    return [(finding.code, finding.where) for finding in report.findings]


def test_a_referrer_follows_its_subject_towards_oci() -> None:
    target = Memory()
    report = convert(store(), target, to="oci")
    (image,) = report.images
    (sbom,) = [entry for name, entry in entries(target).items() if name.startswith("sha256:")]
    assert document(target, sbom)["subject"] == image.new.triple()
    assert report.digest_map[SBOM.digest].digest == sbom["digest"]
    assert verify(target).sound


def test_a_ref_brings_along_what_speaks_of_it_and_nothing_else(tmp_path: Path) -> None:
    other = oci_image([Layer(tar_of({"other": "1"}))])
    files = layout_files({"app": IMAGE, "other": other, "": SBOM, "note": referrer(other, "2")})
    write_files(files, tmp_path / "in")
    report = convert(f"oci:{tmp_path}/in:app", f"oci:{tmp_path}/out:new")
    index = json.loads((tmp_path / "out" / "index.json").read_bytes())
    assert [entry.get("annotations") for entry in index["manifests"]] == [{REF_NAME: "new"}, None]
    assert [image.name for image in report.images] == ["new"]


def test_towards_docker_a_referrer_is_left_behind_and_told() -> None:
    image = oci_image()
    source = Memory(layout_files({"app": image, "": referrer(image)}))
    target = Memory()
    report = convert(source, target, to="docker")
    assert list(entries(target)) == ["app"]
    assert ("referrer-dropped", "referrers[0]") in codes(report)
    assert report.losses


def test_a_referrer_that_is_kept_speaks_of_the_docker_image() -> None:
    image = oci_image()
    target = Memory()
    convert(
        Memory(layout_files({"app": image, "": referrer(image)})),
        target,
        to="docker",
        referrers="keep",
    )
    found = entries(target)
    sbom = next(entry for name, entry in found.items() if name != "app")
    subject = document(target, sbom)["subject"]
    assert subject["digest"] == found["app"]["digest"]
    assert subject["mediaType"] == found["app"]["mediaType"]


def test_a_signature_stays_where_its_digest_does() -> None:
    image = oci_image()
    source = Memory(layout_files({"app": image, cosign_tag(image): cosign_signature(image)}))
    target = Memory()
    report = convert(source, target, to="oci")
    assert entries(target)[cosign_tag(image)]["digest"] == cosign_signature(image).digest
    assert codes(report) == []


def test_a_signature_is_left_behind_where_its_digest_changes() -> None:
    target = Memory()
    report = convert(store(), target, to="oci")
    assert cosign_tag(IMAGE) not in entries(target)
    (orphan,) = [found for found in report.findings if found.code == "signature-orphaned"]
    assert IMAGE.digest in orphan.message
    assert report.images[0].new.digest in orphan.message


def test_a_signature_that_is_kept_is_never_repointed() -> None:
    target = Memory()
    report = convert(store(), target, to="oci", signatures="keep")
    assert entries(target)[cosign_tag(IMAGE)]["digest"] == SIGNATURE.digest
    assert ("signature-names-old-digest", "signatures[0]") in codes(report)


def test_a_signed_referrer_is_a_signature() -> None:
    bundle = referrer(IMAGE)
    body = {**bundle.json, "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json"}
    raw = Spelling.COMPACT.write(body)
    digest = digest_of(raw)
    signed = Image(raw, bundle.media_type, {**bundle.blobs, digest: raw}, {digest: raw})
    target = Memory()
    report = convert(Memory(layout_files({"app": IMAGE, "": signed})), target, to="oci")
    assert list(entries(target)) == ["app"]
    assert ("signature-orphaned", "signatures[0]") in codes(report)


@pytest.mark.parametrize(
    ("option", "code"),
    [("referrers", "referrer-present"), ("signatures", "signature-present")],
)
def test_a_policy_can_refuse(option: str, code: str) -> None:
    target = Memory()
    with pytest.raises(OciConvertError) as refused:
        convert(store(), target, to="oci", **{option: "fail"})  # type: ignore[arg-type]
    assert refused.value.code == code
    assert target.files == {}


@pytest.mark.parametrize(
    ("option", "code"),
    [("referrers", "referrer-dropped"), ("signatures", "signature-dropped")],
)
def test_a_policy_can_leave_behind(option: str, code: str) -> None:
    target = Memory()
    report = convert(store(), target, to="oci", **{option: "drop"})  # type: ignore[arg-type]
    assert code in [found.code for found in report.findings]


def test_referrers_of_referrers_are_kept_too() -> None:
    second = referrer(SBOM, "about the packages")
    target = Memory()
    report = convert(store(note=second), target, to="oci")
    note = document(target, entries(target)["note"])
    assert note["subject"]["digest"] == report.digest_map[SBOM.digest].digest


def test_the_referrers_tag_follows_the_digest() -> None:
    tag = image_list([SBOM], annotations={"made": "by hand"})
    name = IMAGE.digest.replace(":", "-")
    target = Memory()
    report = convert(store(**{name: tag}), target, to="oci")
    new = report.images[0].new.digest.replace(":", "-")
    found = entries(target)
    assert name not in found
    (entry,) = document(target, found[new])["manifests"]
    assert entry["digest"] == report.digest_map[SBOM.digest].digest


def test_what_speaks_of_nothing_here_is_an_image_of_its_own() -> None:
    gone = oci_image([Layer(tar_of({"gone": "1"}))])
    target = Memory()
    report = convert(Memory(layout_files({"app": IMAGE, "note": referrer(gone)})), target, to="oci")
    assert [image.name for image in report.images] == ["app", "note"]
    assert entries(target)["note"]["digest"] == referrer(gone).digest


def test_there_and_back_gives_the_referrer_its_bytes() -> None:
    there, back = Memory(), Memory()
    report = convert(store(), there, to="oci", signatures="drop", referrers="keep")
    assert [it.code for it in report.findings] == ["signature-dropped"]
    convert(there, back, to="docker", referrers="keep")
    assert SBOM.digest in {entry["digest"] for entry in entries(back).values()}


def listed(image: Image, *notes: Image) -> dict[str, Image]:
    return {"app": image, image.digest.replace(":", "-"): image_list(notes)}


LEFT_ON_THE_WAY_BACK: dict[str, tuple[dict[str, Image], list[str]]] = {
    "a referrer": ({"app": IMAGE, "": SBOM}, ["referrers[0]"]),
    "one of a referrer": (
        {"app": IMAGE, "": SBOM, "note": referrer(SBOM, "2")},
        ["referrers[0]", "referrers[1]"],
    ),
    "a list": (listed(IMAGE, SBOM), ["referrers[0]"]),
    "one of what is in a list": (
        {**listed(IMAGE, SBOM), "note": referrer(SBOM, "2")},
        ["referrers[0]", "referrers[1]"],
    ),
    "one of what is in a Docker list": (
        {"app": image_list([IMAGE]), "": SBOM},
        ["referrers[0]"],
    ),
    "only that of a Docker image": (
        {"app": IMAGE, "other": oci_image(), "": referrer(oci_image()), "note": SBOM},
        ["referrers[1]"],
    ),
}


@pytest.mark.parametrize(
    ("images", "places"), LEFT_ON_THE_WAY_BACK.values(), ids=LEFT_ON_THE_WAY_BACK.keys()
)
def test_what_is_left_on_the_way_back_is_not_called_reversible(
    images: dict[str, Image], places: list[str]
) -> None:
    source, there = Memory(layout_files(images)), Memory()
    report = convert(source, there, to="oci")
    assert codes(report) == [("not-reversible", place) for place in places]
    back = convert(there, Memory(), to="docker")
    assert {place for code, place in codes(back) if code == "referrer-dropped"} >= set(places)
    with pytest.raises(OciConvertError) as refused:
        convert(source, Memory(), to="oci", require_reversible=True)
    assert refused.value.message == "converting back with the same options drops it"
    kept = convert(source, Memory(), to="oci", referrers="keep", require_reversible=True)
    assert codes(kept) == []


def test_a_referrer_that_holds_what_it_refers_to_comes_back() -> None:
    data = base64.b64encode(IMAGE.manifest).decode()
    note = referrer(IMAGE, "1").json
    note["subject"]["data"] = data
    raw = Spelling.COMPACT.write(note)
    blobs = {**referrer(IMAGE, "1").blobs, digest_of(raw): raw}
    holding = Image(raw, SBOM.media_type, blobs, {digest_of(raw): raw})
    source, there, back = Memory(layout_files({"app": IMAGE, "": holding})), Memory(), Memory()
    report = convert(source, there, to="oci", referrers="keep")
    assert codes(report) == []
    convert(there, back, to="docker", referrers="keep")
    assert holding.digest in {entry["digest"] for entry in entries(back).values()}


def test_a_referrer_of_a_recompressed_image_gets_the_new_digest() -> None:
    image = oci_image([Layer(tar_of({"app": "1"}), Compression.ZSTD)])
    target = Memory()
    report = convert(
        Memory(layout_files({"app": image, "": referrer(image)})),
        target,
        to="docker",
        referrers="keep",
    )
    sbom = next(entry for name, entry in entries(target).items() if name != "app")
    assert document(target, sbom)["subject"] == report.images[0].new.triple()


def test_containerds_annotation_follows_too() -> None:
    marked = SBOM.with_entry(annotations={"io.containerd.manifest.subject": IMAGE.digest})
    target = Memory()
    report = convert(Memory(layout_files({"app": IMAGE, "": marked})), target, to="oci")
    _, entry = json.loads(target.files["index.json"])["manifests"]
    assert entry["annotations"] == {"io.containerd.manifest.subject": report.images[0].new.digest}


def test_an_attestation_and_a_referrer_live_side_by_side() -> None:
    image = oci_image()
    index = image_list([image, attestation(image)])
    target = Memory()
    files = layout_files({"app": index, "": referrer(image)})
    report = convert(Memory(files), target, to="oci")
    assert target.files.keys() >= files.keys()
    assert report.images[0].new.media_type == OCI_INDEX


class TestSignatureFiles:
    """The ``signature-N`` of ``dir:`` directories."""

    def directory(self, path: Path, image: Image) -> str:
        write_files({**dir_files(image), "signature-1": b"signed"}, path)
        return f"dir:{path}"

    def test_they_travel_with_an_image_that_keeps_its_digest(self, tmp_path: Path) -> None:
        source = self.directory(tmp_path / "in", IMAGE)
        report = convert(source, f"dir:{tmp_path}/out", to="docker")
        assert (tmp_path / "out" / "signature-1").read_bytes() == b"signed"
        assert codes(report) == []

    def test_they_are_left_behind_where_the_digest_changes(self, tmp_path: Path) -> None:
        source = self.directory(tmp_path / "in", IMAGE)
        report = convert(source, f"dir:{tmp_path}/out", to="oci")
        assert not (tmp_path / "out" / "signature-1").exists()
        assert codes(report) == [("signature-orphaned", "signature-1")]

    def test_they_are_left_behind_where_there_is_no_room(self, tmp_path: Path) -> None:
        image = oci_image()
        source = self.directory(tmp_path / "in", image)
        report = convert(source, f"oci:{tmp_path}/out:app")
        assert codes(report) == [("signature-dropped", "signature-1")]
        (finding,) = report.findings
        assert finding.message == f"signature dropped: it is for {image.digest}"

    def test_old_ones_go_with_the_image_that_is_replaced(self, tmp_path: Path) -> None:
        self.directory(tmp_path / "out", oci_image())
        write_files(dir_files(IMAGE), tmp_path / "in")
        convert(f"dir:{tmp_path}/in", f"dir:{tmp_path}/out", to="docker", force=True)
        assert not (tmp_path / "out" / "signature-1").exists()

    def test_a_loss_of_one_is_refused_before_anything_is_written(self, tmp_path: Path) -> None:
        source = self.directory(tmp_path / "in", IMAGE)
        with pytest.raises(OciConvertError) as refused:
            convert(source, f"dir:{tmp_path}/out", to="oci", on_loss="fail")
        assert refused.value.code == "signature-orphaned"
        assert not (tmp_path / "out").exists()


# -- what has a name of its own -------------------------------------------------------------------

OCI = oci_image()
DEBUG = oci_image([layer("debug")], subject=IMAGE.descriptor.triple())
"""An image that refers to another one: a variant of it, or what it was built from."""


def test_a_named_image_with_a_subject_is_an_image_of_its_own() -> None:
    source = store(debug=DEBUG)
    target = Memory()
    report = convert(source, target, to="docker")
    assert [(image.name, image.old and image.old.digest) for image in report.images] == [
        ("app", IMAGE.digest),
        ("debug", DEBUG.digest),
    ]
    assert set(entries(target)) >= {"app", "debug"}
    made = document(target, entries(target)["debug"])
    assert "subject" not in made
    assert ("subject-removed", "images[1]") in codes(report)
    assert [image.name for image in inspect(source).images] == ["app", "debug"]
    assert verify(target).sound


def test_its_subject_follows_what_it_names() -> None:
    target = Memory()
    report = convert(store(debug=DEBUG), target, to="oci")
    made = document(target, entries(target)["debug"])
    assert made["subject"]["digest"] == entries(target)["app"]["digest"] != IMAGE.digest
    assert [image.name for image in report.images] == ["app", "debug"]


@pytest.mark.parametrize("option", ["drop", "fail", "keep", "auto"])
def test_no_policy_for_referrers_is_about_it(option: str) -> None:
    source = Memory(layout_files({"app": IMAGE, "debug": DEBUG}))
    for to in ("oci", "docker"):
        target = Memory()
        convert(source, target, to=to, referrers=option)
        assert set(entries(target)) == {"app", "debug"}


def test_a_named_index_with_a_subject_is_one_too() -> None:
    index = image_list([oci_image([layer("debug")])], subject=IMAGE.descriptor.triple())
    target = Memory()
    convert(store(debug=index), target, to="docker")
    assert set(entries(target)) >= {"app", "debug"}


def test_an_image_with_a_subject_and_no_name_stays_a_referrer() -> None:
    debug = oci_image([layer("debug")], subject=OCI.descriptor.triple())
    source = Memory(layout_files({"app": OCI, "": debug}))
    report = convert(source, Memory(), to="docker")
    assert [image.name for image in report.images] == ["app"]
    assert ("referrer-dropped", "referrers[0]") in codes(report)


def test_a_referrers_tag_is_no_name_of_its_own() -> None:
    tag = IMAGE.digest.replace(":", "-")
    report = convert(
        Memory(layout_files({"app": IMAGE, tag: DEBUG})), Memory(), to="docker", referrers="drop"
    )
    assert [image.name for image in report.images] == ["app"]


def test_an_artifact_that_has_a_name_is_lost_under_it() -> None:
    note = referrer(OCI)
    source = Memory(layout_files({"app": OCI, "app-sbom": note}))
    (lost,) = convert(source, Memory(), to="docker").losses
    assert lost.code == "referrer-dropped"
    assert lost.message.startswith(f"app-sbom ({note.digest}) ")
    (shown,) = inspect(source).images
    assert "named app-sbom" in shown.referrers[0].notes


# -- what shares blobs with others ----------------------------------------------------------------

PLAIN, PACKED = layer("shared", Compression.NONE), layer("shared", Compression.ZSTD)


def sharing(image: Image, config: Blob, *blobs: Blob) -> Image:
    return manifest(config, blobs, subject=image.descriptor.triple())


def config_of(image: Image) -> bytes:
    return image.blobs[image.json["config"]["digest"]]


SHARED: dict[str, tuple[Image, Callable[[Image], list[Image]]]] = {
    "two artifacts have one config under two types": (
        OCI,
        lambda image: [
            sharing(image, Blob("application/spdx+json", b"{}"), Blob("text/plain", b"1")),
            sharing(image, Blob("application/x-scan", b"{}"), Blob("text/plain", b"2")),
        ],
    ),
    "an artifact has the blobs of the image as something else": (
        OCI,
        lambda image: [
            sharing(
                image,
                Blob(EMPTY, b"{}"),
                Blob("application/json", config_of(image)),
                *(Blob("text/plain", image.blobs[it["digest"]]) for it in image.json["layers"]),
            )
        ],
    ),
    "an image has a layer that may be absent elsewhere": (
        oci_image([layer("shared")]),
        lambda image: [
            oci_image(
                [layer("shared", foreign=True, more={"urls": ["https://example.com"]})],
                subject=image.descriptor.triple(),
            )
        ],
    ),
    "a variant has a layer that Docker cannot read": (
        oci_image([PACKED]),
        lambda image: [oci_image([PACKED, PLAIN], subject=image.descriptor.triple())],
    ),
    "a list has them": (
        OCI,
        lambda image: [
            image_list(
                [
                    sharing(image, Blob("application/x-one", config_of(image))),
                    sharing(image, Blob("application/x-two", config_of(image))),
                ],
                subject=image.descriptor.triple(),
            )
        ],
    ),
}


@pytest.mark.parametrize("to", ["oci", "docker"])
@pytest.mark.parametrize(("image", "make"), SHARED.values(), ids=SHARED.keys())
def test_nothing_of_a_referrer_changes_but_its_subject(
    image: Image, make: Callable[[Image], list[Image]], to: str
) -> None:
    target = Memory()
    notes = {f"note{number}" if number else "": note for number, note in enumerate(make(image))}
    source = Memory(layout_files({"app": image, **notes}))
    report = convert(source, target, to=to, referrers="keep")
    for note in notes.values():
        assert to == "docker" or report.digest_map[note.digest].digest == note.digest
        listed = [entry["digest"] for entry in note.json.get("manifests", ())]
        for digest in (note.digest, *listed):
            old = json.loads(note.blobs[digest])
            made = document(target, report.digest_map[digest].triple())
            for name in ("config", "layers"):
                assert made.get(name) == old.get(name)
    assert verify(target).sound


@pytest.mark.parametrize("to", ["docker", "oci"])
@pytest.mark.parametrize("image", [docker_image(), image_list([docker_image()])])
def test_a_referrer_whose_subject_is_called_by_another_type_is_no_way_back(
    image: Image, to: str
) -> None:
    called = replace(image, media_type="application/json")
    report = convert(store(app=called, note=referrer(called)), Memory(), to=to, referrers="keep")
    assert "not-reversible" in {it.code for it in report.findings}
