"""One odd entry does not stop a store: what a target cannot hold is left out, and told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oci_convert.conversion.convert import convert
from oci_convert.errors import OciConvertError, RefusedError
from oci_convert.report import Change, Report
from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores.memory import Memory
from oci_convert.verification.verify import verify
from support.images import (
    EMPTY,
    OCI_CONFIG,
    OCI_LAYER,
    Blob,
    Image,
    cosign_signature,
    cosign_tag,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
    write_files,
)
from support.runs import blobs, store

APP = oci_image()
CHART = manifest(
    Blob("application/vnd.cncf.helm.config.v1+json", b"{}"),
    [Blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart")],
)
MODEL = manifest(
    Blob(OCI_CONFIG, minimal_config([])), [Blob("application/vnd.example.model", b"weights")]
)
NOTE = manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"note")], artifactType="text/plain")
SIGNATURE = cosign_signature(docker_image())
"""The signature of something that is in none of these stores."""
ODD = {
    "a chart": (CHART, "not-an-image"),
    "an artifact": (NOTE, "not-an-image"),
    "an index of artifacts": (image_list([NOTE]), "not-an-image"),
    "an image of unknown layers": (MODEL, "unknown-layer"),
    "an index of unknown layers": (image_list([MODEL]), "unknown-layer"),
    "a signature": (SIGNATURE, "signature-orphaned"),
}


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest) -> tuple[Image, str]:
    return ODD[request.param]


def lost(report: Report) -> list[str]:
    return [finding.code for finding in report.losses]


@pytest.mark.parametrize("name", ["", "odd", "example.com/odd:1"])
@pytest.mark.parametrize("first", [True, False])
def test_it_is_left_out_and_told(
    odd: tuple[Image, str],
    name: str,
    first: bool,
) -> None:
    image, code = odd
    pairs = [("app", APP), (name, image)]
    source = Memory(layout_files(dict(pairs[::-1] if first else pairs)))
    for keep_going in (False, True):
        target = Memory()
        report = convert(source, target, to="docker", keep_going=keep_going)
        assert [made.name for made in report.images] == ["app"]
        assert lost(report) == [code]
        assert not report.failures
        assert not set(image.blobs) & set(blobs(target))
        assert verify(target).sound
        if code != "signature-orphaned":
            (row,) = (row for row in report.map if row.old.digest == image.digest)
            assert (row.change, row.new) == (Change.DROPPED, None)
            assert report.pins[image.digest] is None
    if name:
        assert name in report.losses[0].message


def test_towards_oci_it_is_carried_unchanged(odd: tuple[Image, str]) -> None:
    image, _ = odd
    target = Memory()
    report = convert(store(app=APP, odd=image), target, to="oci")
    assert set(blobs(target)) == set(APP.blobs) | set(image.blobs)
    assert report.losses == ()
    assert report.reversible


@pytest.mark.parametrize("option", [{"strict": True}, {"on_loss": "fail"}])
def test_it_can_be_refused(odd: tuple[Image, str], option: dict[str, Any]) -> None:
    image, code = odd
    if code == "signature-orphaned" and "strict" in option:
        return  # nothing is wrong with a signature: --signatures is for it
    target = Memory()
    with pytest.raises(RefusedError) as refused:
        convert(store(app=APP, odd=image), target, to="docker", **option)
    assert refused.value.code == code
    assert target.files == {}


def test_a_ref_that_names_it_is_an_error(odd: tuple[Image, str], tmp_path: Path) -> None:
    image, _ = odd
    write_files(layout_files({"app": APP, "odd": image}), tmp_path / "in")
    with pytest.raises(RefusedError) as refused:
        convert(f"oci:{tmp_path}/in:odd", f"oci:{tmp_path}/out", to="docker")
    assert refused.value.code in ("not-an-image", "unknown-layer")
    assert not (tmp_path / "out").exists()
    report = convert(f"oci:{tmp_path}/in:odd", f"oci:{tmp_path}/out")
    assert report.images[0].new.digest == image.digest
    report = convert(f"oci:{tmp_path}/in:app", f"oci:{tmp_path}/docker", to="docker")
    assert report.losses == ()


@pytest.mark.parametrize("keep_going", [False, True])
def test_where_nothing_else_is_there_it_is_an_error(
    odd: tuple[Image, str],
    keep_going: bool,
) -> None:
    image, code = odd
    target = Memory()
    with pytest.raises(RefusedError) as refused:
        convert(store(odd=image), target, to="docker", keep_going=keep_going)
    assert refused.value.code == code
    assert target.files == {}


def test_several_sources_share_what_is_there() -> None:
    target = Memory()
    report = convert([store(odd=CHART), store(app=APP)], target, to="docker")
    assert [made.name for made in report.images] == ["app"]
    assert lost(report) == ["not-an-image"]
    single = convert([store(odd=CHART), store(app=APP)], Memory(), to="docker", dry_run=True)
    assert single.images == report.images


def test_a_store_of_one_image_takes_it(tmp_path: Path) -> None:
    source = store(chart=CHART, app=APP, sig=SIGNATURE)
    report = convert(source, f"dir:{tmp_path}/out", to="docker")
    assert sorted(lost(report)) == ["not-an-image", "signature-orphaned"]
    assert (tmp_path / "out" / "manifest.json").exists()


def test_what_is_shared_with_it_is_told_all_the_same() -> None:
    """What was found of a layer must not go with the image that is left out."""
    mislabelled = layer("x", Compression.NONE, media_type=OCI_LAYER)
    kept = oci_image([mislabelled])
    odd = manifest(
        Blob(OCI_CONFIG, kept.config),
        [mislabelled.blob(Family.OCI), Blob("application/vnd.example.model", b"weights")],
    )
    for source in (store(odd=odd, app=kept), store(app=image_list([odd, kept]))):
        report = convert(source, Memory(), to="docker")
        assert "mislabelled-layer" in [finding.code for finding in report.findings]


# -- entries of indexes ---------------------------------------------------------------------------


def test_an_image_of_unknown_layers_goes_from_an_index() -> None:
    index = image_list([MODEL, APP])
    target = Memory()
    report = convert(store(app=index), target, to="docker")
    assert [(f.code, f.where) for f in report.losses] == [
        ("entry-dropped", "images[0].manifests[0]")
    ]
    assert "application/vnd.example.model" in report.losses[0].message
    assert not set(MODEL.blobs) & set(blobs(target))
    with pytest.raises(RefusedError) as refused:
        convert(store(app=index), Memory(), to="docker", strict=True)
    assert refused.value.code == "entry-dropped"


def test_encrypted_layers_end_a_run() -> None:
    """Such an image is one, and its content would be lost without anybody having asked for it."""
    sealed = manifest(Blob(OCI_CONFIG, minimal_config([])), [Blob(f"{OCI_LAYER}+encrypted", b"??")])
    for source in (store(app=APP, sealed=sealed), store(app=image_list([APP, sealed]))):
        with pytest.raises(RefusedError) as refused:
            convert(source, Memory(), to="docker")
        assert refused.value.code == "encrypted-layer"


# -- signatures -----------------------------------------------------------------------------------

SIGNED = cosign_signature(APP)
NAMES = {
    "a tag": cosign_tag(APP),
    "a tag of a repository": f"example.com:5000/app:{cosign_tag(APP)}",
    "a tag of a repository without a host": f"app:{cosign_tag(APP)}",
    "no name": "",
    "a name of its own": "signature",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_signature_is_known_by_its_name_or_its_layers(name: str) -> None:
    source = Memory(layout_files({"app": APP, NAMES[name]: SIGNED}))
    target = Memory()
    report = convert(source, target, to="docker")
    assert [made.name for made in report.images] == ["app"]
    assert lost(report) == ["signature-orphaned"]
    assert report.images[0].new.digest in report.losses[0].message
    target = Memory()
    report = convert(source, target, to="oci")
    assert target.files.keys() >= source.files.keys()
    assert report.losses == ()
    for policy, code in (("drop", "signature-dropped"), ("keep", "signature-names-old-digest")):
        report = convert(source, Memory(), to="docker", signatures=policy)
        assert code in [finding.code for finding in report.findings]
    with pytest.raises(OciConvertError) as refused:
        convert(source, Memory(), to="oci", signatures="fail")
    assert refused.value.code == "signature-present"


@pytest.mark.parametrize("policy", ["keep", "drop", "fail"])
def test_policies_are_for_orphans_too(policy: str) -> None:
    source = store(app=APP, _=SIGNATURE)
    target = Memory()
    try:
        convert(source, target, to="docker", signatures=policy)
    except RefusedError as refused:
        assert (policy, refused.code) == ("fail", "signature-present")  # noqa: PT017
    else:
        assert (SIGNATURE.digest in blobs(target)) == (policy == "keep")


def test_the_referrers_tag_of_a_repository_follows_the_digest() -> None:
    tag = APP.digest.replace(":", "-")
    referrers = image_list([NOTE])
    source = Memory(layout_files({"app": APP, f"example.com/app:{tag}": referrers}))
    target = Memory()
    report = convert(source, target, to="docker", referrers="keep")
    new = report.images[0].new.digest.replace(":", "-")
    assert f"example.com/app:{new}".encode() in target.files["index.json"]
    assert tag.encode() not in target.files["index.json"]
