"""Records give originals back exactly, or not at all."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from oci_convert.conversion.convert import convert
from oci_convert.errors import (
    DocumentError,
    OciConvertError,
    RefusedError,
)
from oci_convert.spec.media_types import Family
from oci_convert.stores.memory import Memory
from support.images import (
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    attestation,
    digest_of,
    docker_image,
    image_list,
    layer,
    layout_files,
    oci_image,
    referrer,
)
from support.runs import (
    IMAGE,
    UNRETURNABLE,
    ZSTD,
    blobs,
    codes,
    run,
    store,
)

# -- records ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("image", "to"), UNRETURNABLE.values(), ids=UNRETURNABLE.keys())
def test_a_record_gives_originals_back_exactly(image: Image, to: str) -> None:
    report, between = run(image, to)
    assert not report.reversible
    assert "not-reversible" in codes(report)
    record = report.dumps(originals=True).encode()
    home = {"docker": "oci", "oci": "docker"}[to]
    if image.media_type in (OCI_MANIFEST, OCI_INDEX):
        home = "oci"
    assert convert(between, Memory(), to=home).images[0].new.digest != image.digest
    target = Memory()
    back = convert(between, target, to=home, restore=record)
    assert back.images[0].new.triple() == image.descriptor.triple()
    assert blobs(target) == image.blobs
    dry = convert(between, Memory(), to=home, restore=record.decode(), dry_run=True)
    assert dry.images == back.images


def test_a_record_of_a_docker_image_kept_what_oci_says_otherwise(tmp_path: Path) -> None:
    """There is nothing to restore where everything came back by itself."""
    image = docker_image()
    report, between = run(image, "oci")
    record = report.dumps(originals=True).encode()
    assert json.loads(record)["originals"] == {}
    back = convert(between, Memory(), to="docker", restore=record)
    assert back.images[0].new.digest == image.digest


SBOM = referrer(IMAGE)
OTHER = oci_image([layer("other")])
MIXED = image_list([IMAGE, OTHER], Family.OCI)
"""An index of OCI goes back to OCI, and so its Docker child does not."""
NAMED = {"app": MIXED}
TAG = IMAGE.digest.replace(":", "-")
IN_LIST = image_list([SBOM])


def _with_data(note: Image) -> Image:
    return note.with_entry(data=base64.b64encode(note.manifest).decode())


FOLLOWING: Final[dict[str, dict[str, Image]]] = {
    "a referrer": {**NAMED, "": SBOM},
    "one of a referrer": {**NAMED, "": SBOM, "note": referrer(SBOM, "2")},
    "a list of referrers": {**NAMED, TAG: IN_LIST},
    "a list that holds them": {**NAMED, TAG: image_list([_with_data(SBOM)])},
    "one of what is in a list": {**NAMED, TAG: IN_LIST, "": referrer(SBOM, "2")},
    "an image": {**NAMED, "debug": oci_image([layer("d")], subject=IMAGE.descriptor.triple())},
    "an index": {**NAMED, "debug": image_list([OTHER], subject=IMAGE.descriptor.triple())},
    "an artifact in the index": {"app": image_list([OTHER, IMAGE, SBOM], Family.OCI)},
}


@pytest.mark.parametrize("images", FOLLOWING.values(), ids=FOLLOWING.keys())
def test_what_follows_its_subject_follows_it_back(images: dict[str, Image]) -> None:
    source, between, target = Memory(layout_files(images)), Memory(), Memory()
    report = convert(source, between, to="oci")
    assert all(report.digest_map[it.digest].digest != it.digest for it in images.values())
    record = report.dumps(originals=True).encode()
    convert(between, target, to="oci", restore=record)
    assert blobs(target) == blobs(source)
    assert target.files["index.json"] == source.files["index.json"]


def _forge(record: Any, change: Callable[[Any], object]) -> bytes:
    forged = json.loads(json.dumps(record))
    change(forged)
    return json.dumps(forged).encode()


def _replace_original(record: Any, raw: bytes, *, honest: bool) -> None:
    """Put other bytes into a record; honestly, with the digest that they have."""
    (old,) = record["originals"]
    new = digest_of(raw) if honest else old
    record["originals"] = {new: base64.b64encode(raw).decode()}
    for row in record["map"]:
        if row["old"]["digest"] == old:
            row["old"].update(digest=new, size=len(raw))


def test_a_forged_record_changes_nothing() -> None:
    image = oci_image(annotations={"a": "b"})
    report, between = run(image, "docker")
    record = report.to_json(originals=True)
    evil = layer("evil")
    text = image.manifest.decode()
    stranger = text.replace(image.layers[0].digest, evil.digest).encode()
    twin = text.replace(image.layers[0].digest, image.layers[1].digest).encode()
    forgeries: dict[str, Callable[[Any], object]] = {
        "another digest": lambda r: _replace_original(r, b"{}", honest=False),
        "no document": lambda r: _replace_original(r, b"{}", honest=True),
        "a docker document": lambda r: _replace_original(r, IMAGE.manifest, honest=True),
        "another layer": lambda r: _replace_original(r, twin, honest=True),
        "other options": lambda r: r["options"].update(keep_extensions=True),
        "unknown options": lambda r: r["options"].update(compress="brotli"),
    }
    for name, change in forgeries.items():
        target = Memory()
        with pytest.raises(OciConvertError) as refused:
            convert(between, target, to="oci", restore=_forge(record, change))
        assert refused.value.code in ("restore-mismatch", "not-a-record"), name
        assert target.files == {}
    forged = _forge(record, lambda r: _replace_original(r, stranger, honest=True))
    with pytest.raises(RefusedError) as refused:
        convert(between, Memory(), to="oci", restore=forged)
    assert refused.value.code == "restore-missing-blob"
    assert evil.digest in str(refused.value)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"originals":{},"map":{}}',
        b'{"originals":{"sha256:x":7},"map":[]}',
        b'{"originals":{"sha256:x":"?"},"map":[]}',
        '{"originals":{"sha256:x":"ä"},"map":[]}'.encode(),
        b'{"originals":{},"map":[7]}',
        b'{"originals":{},"map":[{"old":7,"new":7}]}',
    ],
)
def test_what_is_no_record_is_refused(raw: bytes) -> None:
    target = Memory()
    with pytest.raises(DocumentError):
        convert(store(app=IMAGE), target, to="oci", restore=raw)
    assert target.files == {}


def test_a_record_gives_no_recompressed_layer_and_no_dropped_entry_back() -> None:
    zstd = layer("z", ZSTD)
    report, between = run(oci_image([zstd], annotations={"a": "b"}), "docker")
    with pytest.raises(RefusedError) as refused:
        convert(between, Memory(), to="oci", restore=report.dumps(originals=True).encode())
    assert refused.value.code == "restore-missing-blob"
    assert zstd.digest in str(refused.value)
    image = oci_image()
    speaking = attestation(image)
    report, between = run(image_list([image, speaking]), "docker")
    with pytest.raises(RefusedError) as refused:
        convert(between, Memory(), to="oci", restore=report.dumps(originals=True).encode())
    assert refused.value.code == "restore-missing-blob"
    assert speaking.digest in str(refused.value)


def test_what_an_original_names_must_end_in_the_target() -> None:
    """A blob that lies in the source, but is no part of the image, is not carried."""
    image = oci_image()
    both = image_list([image, attestation(image)])
    layout = store(app=both)
    report = convert(layout, layout, to="docker")
    record = report.dumps(originals=True).encode()
    with pytest.raises(RefusedError) as refused:
        convert(layout, Memory(), to="oci", restore=record)
    assert refused.value.code == "restore-missing-blob"
    back = convert(layout, layout, to="oci", restore=record)
    assert back.images[0].new.digest == both.digest
