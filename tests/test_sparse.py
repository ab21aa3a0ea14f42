"""Sparse indexes: they name images that are not in the store, and are sound all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oci_convert.conversion.convert import convert
from oci_convert.errors import BlobError, OciConvertError, RefusedError
from oci_convert.report import Change
from oci_convert.spec.media_types import Family
from oci_convert.stores.memory import Memory
from oci_convert.verification.verify import Verification, verify
from support.command import Command
from support.images import (
    DOCKER_LIST,
    OCI_INDEX,
    Image,
    archive_of,
    attestation,
    docker_image,
    image_list,
    layout_files,
    oci_image,
    opaque,
)
from support.runs import blobs, codes, entries, platforms, run, store, top

AMD64, ARM64, S390X = platforms("linux/amd64", "linux/arm64", "linux/s390x")


def lacking(index: Image, *images: Image) -> Image:
    """``index`` in a store that does not have ``images``, nor what only they need."""
    there = [image for image in (AMD64, ARM64, S390X) if image not in images]
    shared = {digest for image in there for digest in image.blobs}
    gone = {digest for image in images for digest in image.blobs} - shared
    return index.without(*gone)


SPARSE = lacking(image_list([AMD64, ARM64]), ARM64)
"""What Docker 29 and ``ctr export`` write of an image of which one platform was pulled."""


def architectures(report: Any, target: Memory) -> list[str]:
    return [entry["platform"]["architecture"] for entry in entries(report, target)]


# -- policies -------------------------------------------------------------------------------------

POLICIES: dict[tuple[str, str], tuple[list[str], list[str], bool]] = {
    ("auto", "oci"): (["amd64", "arm64"], ["sparse-index"], True),
    ("auto", "docker"): (["amd64"], ["missing-child", "not-reversible"], False),
    ("keep", "oci"): (["amd64", "arm64"], ["sparse-index"], True),
    ("keep", "docker"): (["amd64", "arm64"], ["sparse-index"], True),
    ("drop", "oci"): (["amd64"], ["missing-child", "not-reversible"], False),
    ("drop", "docker"): (["amd64"], ["missing-child", "not-reversible"], False),
}
"""Which entries the index has, what is told, and whether converting back gives the same."""


@pytest.mark.parametrize(("sparse", "to"), POLICIES)
def test_entries_of_absent_images_stay_or_go_as_is_asked(sparse: str, to: str) -> None:
    kept, told, reversible = POLICIES[sparse, to]
    report, target = run(SPARSE, to, sparse=sparse)
    assert architectures(report, target) == kept
    assert codes(report) == told
    assert report.findings[0].where == "images[0].manifests[1]"
    assert ARM64.digest in report.findings[0].message
    assert report.reversible == reversible
    assert report.options["sparse"] == sparse
    if to == "oci" and reversible:
        assert blobs(target) == SPARSE.blobs
    back = convert(target, Memory(), to="oci", sparse=sparse)
    assert (back.images[0].new.digest == SPARSE.digest) == reversible


@pytest.mark.parametrize("to", ["oci", "docker"])
def test_a_sparse_index_is_refused_where_that_is_asked(to: str) -> None:
    target = Memory()
    with pytest.raises(BlobError, match='sparse="fail"') as refused:
        convert(store(app=SPARSE), target, to=to, sparse="fail")
    assert refused.value.place == "memory: images[0].manifests[1]"
    assert refused.value.code == "blob-missing"
    assert ARM64.digest in str(refused.value)
    assert target.files == {}
    report, _ = run(image_list([AMD64, ARM64]), to, sparse="fail")
    assert "missing-child" not in codes(report)


def test_an_entry_that_stays_is_as_it_was_and_leads_to_itself() -> None:
    report, target = run(SPARSE, "docker", sparse="keep")
    assert entries(report, target)[1] == SPARSE.json["manifests"][1]
    (row,) = (row for row in report.map if row.old.digest == ARM64.digest)
    assert (row.change, row.new) == (Change.KEPT, row.old)
    report, _ = run(SPARSE, "docker")
    (row,) = (row for row in report.map if row.old.digest == ARM64.digest)
    assert (row.change, row.new) == (Change.DROPPED, None)


def test_a_change_elsewhere_closes_the_index() -> None:
    """Nobody can tell where the old index will be found once its digest is another one."""
    index = lacking(image_list([AMD64, ARM64, S390X]), ARM64)
    report, target = run(index, "oci", platforms=["linux/amd64", "linux/s390x"])
    assert architectures(report, target) == ["amd64", "s390x"]
    report, target = run(index, "oci", compress="none")
    assert architectures(report, target) == ["amd64", "s390x"]
    assert "missing-child" in codes(report)
    report, target = run(index, "oci", compress="none", sparse="keep")
    assert architectures(report, target) == ["amd64", "arm64", "s390x"]


def test_the_one_image_that_is_here_takes_the_place_of_its_index() -> None:
    report, _ = run(SPARSE, "oci", flatten=True)
    assert report.images[0].new.digest == AMD64.digest
    assert codes(report)[:2] == ["missing-child", "index-flattened"]
    with pytest.raises(RefusedError) as refused:
        run(SPARSE, "oci", flatten=True, sparse="keep")
    assert refused.value.code == "not-one-image"


# -- what is no sparse index ----------------------------------------------------------------------


@pytest.mark.parametrize("sparse", ["auto", "keep", "drop", "fail"])
@pytest.mark.parametrize("to", ["oci", "docker"])
def test_a_manifest_that_is_here_must_be_whole(to: str, sparse: str) -> None:
    absent = {
        "layers[1]": ARM64.layers[1].digest,
        "config": ARM64.json["config"]["digest"],
    }
    for place, digest in absent.items():
        index = image_list([AMD64, ARM64]).without(digest)
        with pytest.raises(BlobError) as missing:
            run(index, to, sparse=sparse)
        assert missing.value.code == "blob-missing"
        assert missing.value.place == f"memory: images[0].manifests[1].{place}"
        assert digest in str(missing.value)
        with pytest.raises(BlobError):
            run(ARM64.without(digest), to, sparse=sparse)
        assert run(index, to, sparse=sparse, platforms=["linux/amd64"])


@pytest.mark.parametrize("sparse", ["auto", "keep", "drop", "fail"])
@pytest.mark.parametrize("to", ["oci", "docker"])
def test_an_index_of_which_nothing_is_here_is_an_error(to: str, sparse: str) -> None:
    target = Memory()
    index = lacking(image_list([ARM64, attestation(ARM64)]), ARM64)
    for source in (lacking(image_list([ARM64]), ARM64), index, lacking(image_list([index]), ARM64)):
        with pytest.raises(BlobError) as missing:
            convert(store(app=source), target, to=to, sparse=sparse)
        assert missing.value.code == "blob-missing"
        assert ARM64.digest in str(missing.value)
        assert target.files == {}


GONE = {"an image": ARM64, "an index of nothing": lacking(image_list([ARM64]), ARM64)}


@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("to", ["oci", "docker"])
def test_of_several_images_one_that_is_absent_is_left_out_by_name(to: str, gone: str) -> None:
    """What lists the images of a store is an index, too."""
    absent = GONE[gone].without(*ARM64.blobs)
    source = store(app=AMD64, web=absent)
    options: Any
    for options in ({}, {"sparse": "drop"}):
        report = convert(source, Memory(), to=to, **options)
        assert [image.name for image in report.images] == ["app"]
        assert report.losses[0].code == "missing-child"
        assert (
            report.losses[0].message == f"web ({absent.digest}) was left out: its image is absent"
        )
    for options in ({"sparse": "keep"}, {"sparse": "fail"}, {"on_loss": "fail"}):
        with pytest.raises(OciConvertError):
            convert(source, Memory(), to=to, **options)
    with pytest.raises(BlobError, match="fetch the image again"):
        convert(source, Memory(), to=to, sparse="keep")
    with pytest.raises(BlobError):
        convert(store(web=absent), Memory(), to=to)
    assert not verify(source).sound


def test_a_platform_that_is_asked_for_must_be_here() -> None:
    for to in ("oci", "docker"):
        report, target = run(SPARSE, to, platforms=["linux/amd64"], sparse="fail")
        assert architectures(report, target) == ["amd64"]
        for wanted in (["linux/arm64"], ["linux/amd64", "linux/arm64"]):
            with pytest.raises(BlobError, match="the image for linux/arm64, sha256") as missing:
                run(SPARSE, to, platforms=wanted)
            assert missing.value.place == "memory: images[0].manifests[1]"
            assert "choose what is present: linux/amd64" in missing.value.remedy


# -- what goes along ------------------------------------------------------------------------------


def test_an_attestation_goes_with_its_absent_image() -> None:
    amd64, arm64 = platforms("linux/amd64", "linux/arm64", make=docker_image)
    index = image_list([amd64, arm64, attestation(arm64, Family.DOCKER)])
    index = index.without(*(set(arm64.blobs) - set(amd64.blobs)))
    report, target = run(index, "oci")
    assert architectures(report, target) == ["amd64"]
    assert codes(report)[:2] == ["missing-child", "attestation-dropped"]


def test_an_absent_attestation_is_an_absent_entry() -> None:
    speaking = attestation(AMD64)
    index = image_list([AMD64, speaking]).without(speaking.digest)
    report, target = run(index, "oci")
    assert report.images[0].new.digest == index.digest
    assert codes(report) == ["sparse-index"]
    report, target = run(index, "docker")
    assert architectures(report, target) == ["amd64"]
    assert codes(report)[0] == "attestation-dropped"
    report, target = run(index, "docker", attestations="keep")
    assert codes(report)[0] == "missing-child"


@pytest.mark.parametrize("twice", [False, True])
def test_an_absent_attestation_of_an_image_that_is_asked_for_is_missed(twice: bool) -> None:
    """Also if the image is listed once more in a way that is not asked for."""
    speaking = attestation(AMD64)
    other = AMD64.with_entry(platform={"os": "linux", "architecture": "s390x"})
    listed = [*([other] if twice else []), AMD64.with_entry(platform=None), speaking]
    index = image_list(listed).without(speaking.digest)
    report, target = run(index, "oci", sparse="drop", platforms="linux/amd64")
    assert "missing-child" in codes(report)
    assert len(top(report, target)["manifests"]) == 1


def test_an_absent_blob_of_no_platform_is_missed_whatever_is_asked_for() -> None:
    absent = opaque(b"x", "text/plain")
    index = image_list([AMD64, absent]).without(absent.digest)
    report, target = run(index, "oci", sparse="drop", platforms="linux/amd64")
    assert codes(report)[0] == "missing-child"
    assert len(top(report, target)["manifests"]) == 1


def test_a_nested_index_keeps_what_is_here() -> None:
    index = lacking(image_list([image_list([AMD64, ARM64]), S390X]), ARM64)
    report, target = run(index, "docker")
    assert architectures(report, target) == ["amd64", "s390x"]
    report, target = run(index, "oci")
    assert blobs(target) == index.blobs
    assert [(f.code, f.where) for f in report.findings] == [
        ("sparse-index", "images[0].manifests[0].manifests[1]")
    ]


def test_a_nested_index_may_be_absent_as_a_whole() -> None:
    nested = image_list([ARM64])
    index = lacking(image_list([nested, AMD64]).without(nested.digest), ARM64)
    report, target = run(index, "docker")
    assert architectures(report, target) == ["amd64"]
    report, target = run(index, "oci")
    assert blobs(target) == index.blobs


# -- verify ---------------------------------------------------------------------------------------


def checked(image: Image, *, complete: bool = False) -> Verification:
    return verify(store(app=image), complete=complete)


def test_a_sparse_index_is_sound_but_not_complete() -> None:
    index = lacking(image_list([AMD64, ARM64, S390X]), ARM64, S390X)
    found = checked(index)
    assert found.sound
    assert found.sparse
    assert (found.presence.images, found.presence.here) == (3, 1)
    assert [(f.code, f.where) for f in found.findings] == [
        ("sparse-index", "images[0].manifests[1]"),
        ("sparse-index", "images[0].manifests[2]"),
    ]
    found = checked(index, complete=True)
    assert not found.sound
    assert [(f.code, f.where) for f in found.findings] == [
        ("blob-missing", "images[0].manifests[1]"),
        ("blob-missing", "images[0].manifests[2]"),
    ]
    assert found.to_json()["presence"] == {"images": 3, "here": 1}


@pytest.mark.parametrize("complete", [False, True])
def test_what_is_damaged_is_not_sound(complete: bool) -> None:
    damaged = image_list([AMD64, ARM64]).without(ARM64.layers[1].digest)
    nothing = lacking(image_list([ARM64]), ARM64)
    places = {"images[0].manifests[1].layers[1]": damaged, "images[0].manifests[0]": nothing}
    for where, image in places.items():
        found = checked(image, complete=complete)
        assert [(f.code, f.where) for f in found.findings] == [("blob-missing", where)]
        assert not found.sound


def test_an_image_is_counted_once_and_an_attestation_never() -> None:
    shared = image_list([ARM64, attestation(ARM64)])
    images = {"one": SPARSE, "two": lacking(image_list([shared, S390X]), ARM64)}
    found = verify(store(**images))
    assert (found.presence.images, found.presence.here) == (3, 2)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ([], 0, "sound, but sparse: 1 of 2 images is here"),
        (["--complete"], 3, "not sound"),
        (["--complete", "--same-as", "oci:layout"], 2, ""),
    ],
)
def test_the_command_says_how_much_is_here(
    options: list[str], status: int, said: str, tmp_path: Path, command: Command
) -> None:
    convert(store(app=SPARSE), f"oci:{tmp_path}/layout")
    ended = command("verify", f"oci:{tmp_path}/layout", *options)
    assert (ended.status, ended.out.strip()) == (status, said)


def test_the_option_that_there_was_names_the_one_that_there_is(command: Command) -> None:
    ended = command("convert", "oci:layout", "oci:new", "--allow-missing")
    assert ended.status == 2
    assert "--sparse keep|drop|fail" in ended.err


# -- chains ---------------------------------------------------------------------------------------

STOPS: dict[str, Callable[[Path, int], tuple[str, dict[str, Any]]]] = {
    "archive": lambda folder, i: (f"docker-archive:{folder}/{i}.tar:app:1", {}),
    "archive of OCI": lambda folder, i: (f"docker-archive:{folder}/{i}.tar:app:1", {"to": "oci"}),
    "layout": lambda folder, i: (f"oci:{folder}/{i}", {}),
    "layout of Docker": lambda folder, i: (f"oci:{folder}/{i}", {"to": "docker"}),
    "OCI archive": lambda folder, i: (f"oci-archive:{folder}/{i}.tar", {}),
    "directory": lambda folder, i: (f"dir:{folder}/{i}", {"to": "docker"}),
    "directory of OCI": lambda folder, i: (f"dir:{folder}/{i}", {"to": "oci"}),
}


@settings(max_examples=50)
@given(
    route=st.lists(st.sampled_from(sorted(STOPS)), min_size=1, max_size=5),
    saved=st.booleans(),
    attested=st.booleans(),
)
def test_a_sparse_index_goes_every_way_without_an_option(
    route: list[str],
    saved: bool,
    attested: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("chain")
    extra = [attestation(AMD64), attestation(ARM64)] if attested else []
    index = lacking(image_list([AMD64, ARM64, *extra]), ARM64)
    files = layout_files({"app:1": index})
    if saved:  # as Docker 29 saves it
        config, *layers = (
            f"blobs/sha256/{digest[7:]}"
            for digest in (
                AMD64.json["config"]["digest"],
                *(layer["digest"] for layer in AMD64.json["layers"]),
            )
        )
        row = {"Config": config, "RepoTags": ["app:1"], "Layers": layers}
        files["manifest.json"] = json.dumps([row]).encode()
    at = f"{folder}/first.tar"
    Path(at).write_bytes(archive_of(files))
    for i, stop in enumerate(route):
        to, options = STOPS[stop](folder, i)
        report = convert(at, to, **options)
        at = to
        found = verify(at)
        assert found.sound
        assert found.presence.here == 1
        assert found.sparse == (report.images[0].new.digest == index.digest)
        if stop in ("directory", "layout of Docker", "archive"):
            assert report.images[0].new.media_type == DOCKER_LIST
            assert not found.sparse
        else:
            assert report.images[0].new.media_type == OCI_INDEX
    one, other = AMD64.json["config"]["digest"], [row.old.digest for row in report.map]
    assert one in other


# -- archives of Docker 29 ------------------------------------------------------------------------


def test_an_archive_may_hold_manifests_whose_blobs_it_does_not(tmp_path: Path) -> None:
    """containerd leaves out blobs of images that are not whole, and writes their manifests."""
    image, other = docker_image(), docker_image(platform="linux/arm64")
    index = image_list([image, other]).without(other.json["config"]["digest"])
    paths = [f"blobs/sha256/{digest[7:]}" for digest in image.blobs]
    row = {"Config": paths[0], "RepoTags": ["app:1"], "Layers": paths[1:3]}
    rows = {"manifest.json": json.dumps([row]).encode()}
    archive = tmp_path / "saved.tar"
    archive.write_bytes(archive_of({**layout_files({"app:1": index}), **rows}))
    for to in ("docker", "oci"):
        target = Memory()
        report = convert(archive, target, to=to)
        assert verify(target).sound
        assert "sparse-index" in codes(report) or "missing-child" in codes(report)
    with pytest.raises(OciConvertError, match='sparse="fail"'):
        convert(archive, Memory(), to="oci", sparse="fail")


def test_an_image_is_not_read_twice_to_be_judged() -> None:
    """Small indexes that list each other again and again must not take years."""
    index: Image = lacking(image_list([ARM64]), ARM64)
    for _ in range(14):
        index = image_list([index] * 40, Family.OCI)
    index = image_list([index, oci_image()])
    assert verify(store(app=index)).sound
    report, _ = run(index, "oci")
    assert codes(report).count("sparse-index") == 1
