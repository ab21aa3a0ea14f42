"""Wherever a signature stands, it obeys its own policy and is never one of another digest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from oci_convert import Memory, OciConvertError, Report, convert, verify
from support.images import (
    EMPTY,
    OCI_CONFIG,
    Blob,
    Image,
    attestation,
    cosign_signature,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
    referrer,
)

DOCKER: Final = docker_image()
OCI: Final = oci_image()
OTHER: Final = oci_image([layer("other")])


def notary(subject: Image) -> Image:
    return manifest(
        Blob(EMPTY, b"{}"),
        [Blob("application/jose+json", b"{}")],
        artifactType="application/vnd.cncf.notary.signature",
        subject=subject.descriptor.triple(),
    )


def bundle(subject: Image) -> Image:
    return manifest(
        Blob(EMPTY, b"{}"),
        [Blob("application/vnd.dev.sigstore.bundle.v0.3+json", b"{}")],
        subject=subject.descriptor.triple(),
        artifactType="application/vnd.dev.sigstore.bundle.v0.3+json",
    )


def borrowed(subject: Image) -> Image:
    """A signed statement in the form of an image, which Docker could hold by its config."""
    return manifest(
        Blob(OCI_CONFIG, minimal_config([])),
        [Blob("application/vnd.dsse.envelope.v1+json", b"{}")],
        subject=subject.descriptor.triple(),
    )


def tag_of(image: Image) -> str:
    return image.digest.replace(":", "-")


def in_a_list(image: Image, signature: Image) -> dict[str, Image]:
    return {"app": image, tag_of(image): image_list([referrer(image), signature])}


def in_a_list_below(image: Image, signature: Image) -> dict[str, Image]:
    inner = image_list([referrer(image), signature])
    return {"app": image, tag_of(image): image_list([inner])}


def in_an_index(image: Image, signature: Image) -> dict[str, Image]:
    return {"app": image_list([image, signature])}


def before_its_image(image: Image, signature: Image) -> dict[str, Image]:
    return {"app": image_list([signature, image])}


def in_an_index_below(image: Image, signature: Image) -> dict[str, Image]:
    return {"app": image_list([image_list([OTHER, signature]), image])}


def in_the_index_of_another(image: Image, signature: Image) -> dict[str, Image]:
    return {"app": image, "other": image_list([OTHER, signature])}


PLACES: Final = (
    in_a_list,
    in_a_list_below,
    in_an_index,
    before_its_image,
    in_an_index_below,
    in_the_index_of_another,
)
SIGNATURES: Final = (notary, bundle, borrowed, cosign_signature)
Place = Callable[[Image, Image], Mapping[str, Image]]
Sign = Callable[[Image], Image]
everywhere: Final = pytest.mark.parametrize("place", PLACES)
of_any_kind: Final = pytest.mark.parametrize("sign", SIGNATURES)


class Made(NamedTuple):
    report: Report
    target: Memory

    @property
    def codes(self) -> list[str]:
        codes = (found.code for found in self.report.findings)
        return [code for code in codes if code.startswith("signature-")]

    def has(self, image: Image) -> bool:
        return f"blobs/{image.digest.replace(':', '/')}" in self.target.files


def converted(images: Mapping[str, Image], to: str = "oci", **options: Any) -> Made:
    source, target = Memory(layout_files(images)), Memory()
    assert verify(source).sound
    return Made(convert(source, target, to=to, **options), target)


@everywhere
@of_any_kind
def test_one_of_a_digest_that_changes_goes_and_is_told(place: Place, sign: Sign) -> None:
    signature = sign(DOCKER)
    made = converted(place(DOCKER, signature))
    assert made.codes == ["signature-orphaned"]
    [told] = [it for it in made.report.losses if it.code == "signature-orphaned"]
    new = made.report.digest_map[DOCKER.digest].digest
    assert told.message == (
        f"{signature.digest} dropped: it is for {DOCKER.digest}, which is now {new}"
    )
    assert not made.has(signature)
    assert signature.digest not in made.report.digest_map
    assert verify(made.target).findings == ()


@everywhere
@of_any_kind
def test_one_of_a_digest_that_stays_stays(place: Place, sign: Sign) -> None:
    signature = sign(OCI)
    made = converted(place(OCI, signature), on_loss="fail", require_reversible=True)
    assert made.report.findings == ()
    assert made.has(signature)


@everywhere
@of_any_kind
def test_one_that_is_kept_is_kept_as_it_is(place: Place, sign: Sign) -> None:
    signature = sign(DOCKER)
    made = converted(place(DOCKER, signature), signatures="keep")
    assert made.codes == ["signature-names-old-digest"]
    assert made.has(signature)
    assert verify(made.target).sound


@everywhere
@of_any_kind
def test_one_that_is_dropped_goes_also_where_it_is_valid(place: Place, sign: Sign) -> None:
    signature = sign(OCI)
    made = converted(place(OCI, signature), signatures="drop")
    assert made.codes == ["signature-dropped"]
    assert not made.has(signature)
    assert verify(made.target).findings == ()


@everywhere
@of_any_kind
@pytest.mark.parametrize(
    ("options", "code"),
    [({"signatures": "fail"}, "signature-present"), ({"on_loss": "fail"}, "signature-orphaned")],
)
def test_it_can_be_refused(place: Place, sign: Sign, options: dict[str, Any], code: str) -> None:
    with pytest.raises(OciConvertError) as refused:
        converted(place(DOCKER, sign(DOCKER)), **options)
    assert refused.value.code == code


@everywhere
@of_any_kind
def test_towards_docker_it_goes(place: Place, sign: Sign) -> None:
    signature = sign(OCI)
    made = converted(place(OCI, signature), "docker")
    assert made.codes == ["signature-orphaned"]
    assert not made.has(signature)
    assert verify(made.target).findings == ()


@of_any_kind
def test_a_list_without_entries_goes_with_them(sign: Sign) -> None:
    listed = image_list([sign(DOCKER)])
    made = converted({"app": DOCKER, tag_of(DOCKER): listed})
    assert [(it.code, it.where) for it in made.report.losses] == [
        ("signature-orphaned", "referrers[0].manifests[0]"),
        ("referrer-dropped", "referrers[0]"),
    ]
    assert made.report.losses[1].message.endswith(" dropped: none of its entries is left")


def test_what_is_listed_goes_each_by_its_own_policy() -> None:
    signature, note = notary(OCI), referrer(OCI)
    images = {"app": OCI, tag_of(OCI): image_list([note, signature])}
    made = converted(images, referrers="drop")
    assert [(it.code, it.where) for it in made.report.losses] == [
        ("referrer-dropped", "referrers[0].manifests[0]")
    ]
    assert made.has(signature)
    assert not made.has(note)


def test_of_a_list_that_goes_whole_each_signature_is_told() -> None:
    images = {"app": OCI, tag_of(OCI): image_list([referrer(OCI), notary(OCI)])}
    made = converted(images, "docker")
    assert [(it.code, it.where) for it in made.report.losses] == [
        ("signature-orphaned", "referrers[0].manifests[1]"),
        ("referrer-dropped", "referrers[0]"),
    ]


def test_one_of_a_referrer_beside_it_goes_as_that_is_changed() -> None:
    note = referrer(DOCKER)
    signature = notary(note)
    made = converted({"app": DOCKER, tag_of(DOCKER): image_list([signature, note])})
    assert made.codes == ["signature-orphaned"]
    assert made.report.digest_map[note.digest].digest != note.digest


def test_an_index_of_signatures_alone_is_left_out() -> None:
    images = {"app": DOCKER, "signatures": image_list([notary(DOCKER)])}
    made = converted(images)
    [loss] = made.report.losses
    assert (loss.code, loss.where) == ("not-an-image", "images[1]")
    assert loss.message.endswith("the entries of this index are signatures, and none of them stays")


ALONE: Final[dict[str, tuple[Image, dict[str, Any], str]]] = {
    "a signature": (cosign_signature(OCI), {"signatures": "drop"}, 'without signatures="drop"'),
    "an index of attestations": (
        image_list([attestation(OCI)]),
        {"attestations": "drop"},
        'attestations="keep" keeps them',
    ),
    "an index of both": (
        image_list([attestation(OCI), notary(OTHER)]),
        {"attestations": "drop", "signatures": "drop"},
        'attestations="keep" or signatures="keep" keeps them',
    ),
}


@pytest.mark.parametrize("what", ALONE)
def test_where_nothing_else_is_there_the_option_that_drops_it_is_told(what: str) -> None:
    only, options, remedy = ALONE[what]
    source, target = Memory(layout_files({"app": only})), Memory()
    with pytest.raises(OciConvertError) as refused:
        convert(source, target, to="oci", **options)
    assert remedy in refused.value.remedy
    assert "to oci" not in refused.value.remedy
    with pytest.raises(OciConvertError, match="convert to oci"):
        convert(source, target, to="docker", **options)
    convert(source, target, to="oci")
    assert f"blobs/{only.digest.replace(':', '/')}" in target.files


def test_a_target_for_one_image_has_no_place_for_a_signature_alone(tmp_path: Path) -> None:
    source = Memory(layout_files({"app": cosign_signature(OCI)}))
    with pytest.raises(OciConvertError, match="convert to an OCI layout") as refused:
        convert(source, f"dir:{tmp_path}/new", to="oci")
    assert refused.value.code == "signature-dropped"


@of_any_kind
def test_one_of_something_that_is_not_here_stays_towards_oci(sign: Sign) -> None:
    signature = sign(OTHER)
    index = image_list([OCI, signature])
    assert converted({"app": index}).has(signature)
    made = converted({"app": index}, "docker")
    assert made.codes == ["signature-orphaned"]
    assert not made.has(signature)


def test_one_of_an_artifact_costs_docker_no_image() -> None:
    note = referrer(OTHER)
    made = converted({"app": image_list([OCI, note, notary(note)])}, "docker")
    assert [it.code for it in made.report.losses] == ["entry-dropped", "signature-orphaned"]
    assert [image.name for image in made.report.images] == ["app"]


def test_one_of_an_image_that_nobody_asked_for_is_not_missed() -> None:
    here, there = oci_image(platform="linux/amd64"), oci_image(platform="linux/arm64")
    index = image_list([here, there, notary(there)])
    made = converted({"app": index}, platforms="linux/amd64")
    assert made.report.losses == ()
    assert {it.code for it in made.report.findings} == {"platform-not-selected", "not-reversible"}


def test_what_refers_to_a_signature_follows_nothing() -> None:
    signature = notary(DOCKER)
    made = converted({"app": image_list([DOCKER, signature, referrer(signature)])})
    assert made.codes == ["signature-orphaned"]
    index = made.report.images[0].new.digest.replace(":", "/")
    entries = json.loads(made.target.files[f"blobs/{index}"])["manifests"]
    assert [entry["digest"] for entry in entries][1:] == [referrer(signature).digest]


@pytest.mark.parametrize("to", ["docker", "oci"])
def test_what_refers_to_one_of_something_that_is_not_here_is_no_image(to: str) -> None:
    signature = notary(OTHER)
    note = referrer(signature)
    images = {"app": OCI, "signature": signature, "note": note, "about": referrer(note)}
    made = converted(images, to, referrers="keep", signatures="keep")
    assert all(made.has(images[name]) for name in ("signature", "note", "about"))
    assert len(made.report.images) == 1
    assert not made.report.losses


def test_one_of_a_signature_stays_with_it() -> None:
    signature = notary(OCI)
    made = converted({"app": image_list([OCI, signature, bundle(signature)])})
    assert made.report.findings == ()
    made = converted({"app": image_list([DOCKER, notary(DOCKER), bundle(notary(DOCKER))])})
    assert made.codes == ["signature-orphaned", "signature-orphaned"]


def test_an_index_that_is_signed_is_a_signature_whatever_it_is_called() -> None:
    signed = image_list(
        [OTHER],
        artifactType="application/vnd.cncf.notary.signature",
        subject=DOCKER.descriptor.triple(),
    )
    made = converted({"app": DOCKER, "signed": signed})
    assert made.codes == ["signature-orphaned"]


def test_the_link_of_a_signed_attestation_is_left_alone() -> None:
    link = {"vnd.docker.reference.digest": DOCKER.digest}
    signature = manifest(
        Blob(OCI_CONFIG, minimal_config([])),
        [Blob("application/vnd.dsse.envelope.v1+json", b"{}")],
    ).with_entry(annotations=link)
    made = converted({"app": image_list([DOCKER, signature])}, signatures="keep")
    assert made.codes == ["signature-names-old-digest"]
    index = made.report.images[0].new.digest.replace(":", "/")
    entry = json.loads(made.target.files[f"blobs/{index}"])["manifests"][1]
    assert (entry["digest"], entry["annotations"]) == (signature.digest, link)
