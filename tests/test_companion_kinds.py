"""Signatures that only an annotation ``kind`` gives to their image.

``cosign save`` writes such layouts, hauler and RKE2 such stores, which give both the same name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.conversion.convert import convert
from oci_convert.errors import RefusedError
from oci_convert.inspection.inspect import inspect
from oci_convert.stores.memory import Memory
from oci_convert.verification.verify import verify
from support.command import Command
from support.images import (
    EMPTY,
    OCI_CONFIG,
    REF_NAME,
    Blob,
    Image,
    cosign_signature,
    docker_image,
    image_list,
    layer,
    manifest,
    minimal_config,
    oci_image,
    referrer,
    write_files,
)

CONTAINERD = "io.containerd.image.name"
COSIGN, HAULER = "dev.cosignproject.cosign", "dev.hauler"


def attested(subject: Image) -> Image:
    """An attestation as cosign keeps it: a statement in an envelope, in the form of an image."""
    statement = {"subject": [{"name": "app", "digest": {"sha256": subject.digest[7:]}}]}
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    envelope = json.dumps({"payloadType": "application/vnd.in-toto+json", "payload": payload})
    kind = "application/vnd.dsse.envelope.v1+json"
    return manifest(Blob(OCI_CONFIG, minimal_config([])), [Blob(kind, envelope.encode())])


def sbom(_: Image) -> Image:
    """An SBOM as cosign attaches it: nothing in it says what it is of."""
    config = Blob(OCI_CONFIG, minimal_config([]))
    return manifest(config, [Blob("text/spdx+json", b'{"spdxVersion": "SPDX-2.3"}')])


COMPANIONS: dict[str, Callable[[Image], Image]] = {
    "sigs": cosign_signature,
    "atts": attested,
    "sboms": sbom,
}


def entry(image: Image, kind: str, name: str | None = None) -> dict[str, Any]:
    annotations = {"kind": kind}
    if name is not None:
        annotations |= {REF_NAME: name, CONTAINERD: f"registry.example.com/{name}"}
    return {**image.descriptor.triple(), "annotations": annotations}


def layout(*entries: tuple[Image, Mapping[str, Any]]) -> Memory:
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    for image, _ in entries:
        for digest, data in image.blobs.items():
            files[f"blobs/{digest.replace(':', '/')}"] = data
    index = {"schemaVersion": 2, "manifests": [described for _, described in entries]}
    return Memory({**files, "index.json": json.dumps(index).encode()})


def saved(image: Image, vendor: str = COSIGN, name: str | None = None) -> Memory:
    """An image with all that may belong to it, and what belongs to it first."""
    kind = "imageIndex" if "manifests" in image.json else "image"
    companions = [(make(image), f"{vendor}/{what}") for what, make in COMPANIONS.items()]
    entries = [*companions, (image, f"{vendor}/{kind}")]
    return layout(*((it, entry(it, what, name)) for it, what in entries))


def kinds(target: Memory) -> list[str]:
    index = json.loads(target.files["index.json"])
    return [entry["annotations"]["kind"].partition("/")[2] for entry in index["manifests"]]


DOCKER, OCI = docker_image(), oci_image()
LIST = image_list([docker_image(), docker_image([layer("b")], platform="linux/arm64")])
INDEX = image_list([oci_image(), oci_image([layer("b")], platform="linux/arm64")])
IMAGES = {"docker": DOCKER, "oci": OCI, "a list": LIST, "an index": INDEX}
HOMES = {"docker": "docker", "oci": "oci", "a list": "docker", "an index": "oci"}
EVERYTHING = {"sigs", "atts", "sboms"}


@pytest.mark.parametrize("name", [None, "app:1"])
@pytest.mark.parametrize("vendor", [COSIGN, HAULER])
@pytest.mark.parametrize("what", IMAGES)
def test_what_stays_valid_is_carried_and_the_rest_is_a_loss(
    what: str, vendor: str, name: str | None
) -> None:
    image, home = IMAGES[what], HOMES[what]
    source = saved(image, vendor, name)
    for to in ("docker", "oci"):
        target = Memory()
        report = convert(source, target, to=to)
        (made,) = report.images
        assert made.name == (name and f"registry.example.com/{name}")
        assert verify(target).sound
        if to == home:
            assert made.new.digest == image.digest
            assert set(kinds(target)) >= EVERYTHING
            assert set(target.files) == set(source.files)
            assert report.findings == ()
        else:
            assert not EVERYTHING & set(kinds(target))
            lost = [loss for loss in report.losses if loss.code == "signature-orphaned"]
            assert len(lost) == 3
            assert all(made.new.digest in loss.message for loss in lost)


@pytest.mark.parametrize("what", IMAGES)
def test_signatures_can_be_refused_before_anything_is_written(what: str, tmp_path: Path) -> None:
    write_files(saved(IMAGES[what]).files, tmp_path / "in")
    for to in ("docker", "oci"):
        with pytest.raises(RefusedError) as refused:
            convert(f"oci:{tmp_path}/in", f"oci:{tmp_path}/out", to=to, signatures="fail")
        assert refused.value.code == "signature-present"
        assert not (tmp_path / "out").exists()


def test_signatures_can_be_kept_or_dropped() -> None:
    target = Memory()
    report = convert(saved(DOCKER), target, to="oci", signatures="keep")
    assert set(kinds(target)) >= EVERYTHING
    assert [f.code for f in report.findings] == ["signature-names-old-digest"] * 3
    target = Memory()
    report = convert(saved(DOCKER), target, to="docker", signatures="drop")
    assert not EVERYTHING & set(kinds(target))
    assert [f.code for f in report.losses] == ["signature-dropped"] * 3


def hauler_store(*names: str, make: Callable[..., Image] = docker_image) -> Memory:
    entries = []
    for name in names:
        image = make([layer(name)])
        for kind, it in (
            ("image", image),
            ("sigs", cosign_signature(image)),
            ("sboms", sbom(image)),
        ):
            entries.append((it, entry(it, f"{COSIGN}/{kind}", name)))
    return layout(*entries)


@pytest.mark.parametrize("make", [docker_image, oci_image])
def test_a_store_in_which_names_are_shared_goes_through_whole(make: Callable[..., Image]) -> None:
    names = ["app:1", "db:2", "web:3"]
    source = hauler_store(*names, make=make)
    for to in ("docker", "oci"):
        target = Memory()
        report = convert(source, target, to=to)
        assert [image.name for image in report.images] == [
            f"registry.example.com/{n}" for n in names
        ]
        stays = (make is docker_image) == (to == "docker")
        assert len(kinds(target)) == (9 if stays else 3)
        # Nothing replaces another one when it is converted into the same store again.
        assert convert(source, target, to=to).losses == report.losses
        assert len(kinds(target)) == (9 if stays else 3)
        back = convert(target, Memory(), to="docker" if make is docker_image else "oci")
        assert [i.new.digest for i in back.images] == [i.old.digest for i in report.images if i.old]


def test_an_image_is_chosen_by_the_name_that_others_share(tmp_path: Path) -> None:
    write_files(hauler_store("app:1", "db:2").files, tmp_path / "in")
    for ref in ("app:1", "registry.example.com/app:1"):
        target = Memory()
        report = convert(f"oci:{tmp_path}/in:{ref}", target, to="docker")
        assert len(report.images) == 1
        assert kinds(target) == ["image", "sigs", "sboms"]
    report = convert(f"oci:{tmp_path}/in:app:1", f"oci:{tmp_path}/out:new:1", to="docker")
    index = json.loads((tmp_path / "out" / "index.json").read_bytes())
    assert {entry["annotations"][REF_NAME] for entry in index["manifests"]} == {"new:1"}
    assert len(index["manifests"]) == 3
    for form in ("docker-archive", "oci-archive", "dir"):
        report = convert(f"oci:{tmp_path}/in:db:2", f"{form}:{tmp_path}/{form}", to="docker")
        assert len(report.images) == 1


def test_a_name_that_is_not_there_suggests_each_once(tmp_path: Path, command: Command) -> None:
    write_files(hauler_store("app:1", "db:2").files, tmp_path / "in")
    said = command("inspect", f"oci:{tmp_path}/in:other").err
    assert "available: registry.example.com/app:1, registry.example.com/db:2\n" in said


def test_a_digest_still_names_a_signature(tmp_path: Path) -> None:
    source = hauler_store("app:1")
    write_files(source.files, tmp_path / "in")
    digest = json.loads(source.files["index.json"])["manifests"][1]["digest"]
    report = convert(f"oci:{tmp_path}/in:{digest}", Memory(), to="oci")
    assert report.images[0].new.digest == digest


def test_they_are_shown_below_their_image() -> None:
    source = hauler_store("app:1", "db:2")
    images = inspect(source).images
    assert [image.name for image in images] == [
        f"registry.example.com/{n}" for n in ("app:1", "db:2")
    ]
    for image in images:
        assert len(image.referrers) == 2
        assert all(it.notes == ("signature",) for it in image.referrers)
    told = [f.code for f in verify(saved(DOCKER)).findings]
    assert told == ["untagged-image"]  # what belongs to an image needs no name


def test_an_sbom_without_a_name_belongs_to_the_only_image() -> None:
    described = [(DOCKER, f"{COSIGN}/image"), (sbom(DOCKER), f"{COSIGN}/sboms")]
    source = layout(*((it, entry(it, kind)) for it, kind in described))
    (lost,) = convert(source, Memory(), to="oci").losses
    assert DOCKER.digest in lost.message
    other = (OCI, entry(OCI, f"{COSIGN}/image"))
    two = layout(other, *((it, entry(it, kind)) for it, kind in described))
    report = convert(two, Memory(), to="docker")
    assert len(report.images) == 2
    assert "something that is not here" in report.losses[-1].message


def test_a_referrer_of_hauler_follows_its_subject() -> None:
    note = referrer(DOCKER)
    described = [(DOCKER, f"{HAULER}/image"), (note, f"{HAULER}/referrers/{note.digest[7:]}")]
    source = layout(*((it, entry(it, kind, "app:1")) for it, kind in described))
    target = Memory()
    report = convert(source, target, to="oci")
    assert [image.name for image in report.images] == ["registry.example.com/app:1"]
    _, listed = json.loads(target.files["index.json"])["manifests"]
    made = json.loads(target.files[f"blobs/{listed['digest'].replace(':', '/')}"])
    assert made["subject"]["digest"] == report.images[0].new.digest


def test_a_chart_that_hauler_calls_an_image_is_none() -> None:
    chart = manifest(Blob(EMPTY, b"{}"), [Blob("application/x-chart", b"chart")])
    described = [(OCI, "app:1"), (chart, "chart:1")]
    source = layout(*((it, entry(it, f"{HAULER}/image", name)) for it, name in described))
    report = convert(source, Memory(), to="docker")
    assert [loss.code for loss in report.losses if loss.where == "images[1]"] == ["not-an-image"]


PAYLOADS = st.one_of(
    st.binary(max_size=40),
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5) | st.integers(-5, 5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["critical", "image", "docker-manifest-digest", "payload", "subject", "digest"]
                ),
                inner,
                max_size=3,
            )
        ),
    ).map(lambda value: json.dumps(value).encode()),
)


@given(
    PAYLOADS, st.sampled_from(["sigs", "atts", "sboms", "referrers", "other", ""]), st.booleans()
)
def test_whatever_was_signed_the_image_is_converted(
    payload: bytes,
    kind: str,
    enveloped: bool,
) -> None:
    media_type = (
        "application/vnd.dsse.envelope.v1+json"
        if enveloped
        else "application/vnd.dev.cosign.simplesigning.v1+json"
    )
    odd = manifest(Blob(OCI_CONFIG, minimal_config([])), [Blob(media_type, payload)])
    source = layout(
        (OCI, entry(OCI, f"{COSIGN}/image", "app:1")), (odd, entry(odd, f"{COSIGN}/{kind}"))
    )
    report = convert(source, Memory(), to="docker", jobs=1)
    assert [image.name for image in report.images] == ["registry.example.com/app:1"]
    (lost,) = (loss for loss in report.losses if odd.digest in loss.message)
    assert lost.code == "signature-orphaned"
