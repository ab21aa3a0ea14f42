"""A blob that is embedded whole in a descriptor's ``data`` and absent as a file is there."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oci_convert.conversion.convert import convert
from oci_convert.errors import OciConvertError
from oci_convert.inspection.images import open_images
from oci_convert.inspection.inspect import inspect
from oci_convert.proof.prove import prove
from oci_convert.stores.memory import Memory
from oci_convert.verification.verify import verify
from support.images import (
    EMPTY,
    Blob,
    Image,
    digest_of,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    oci_image,
    write_files,
)
from support.runs import blobs, store


def _embedded(image: Image, *, everywhere: bool = True) -> Image:
    """The image with its blobs in ``data``; the store lacks all but the top document.

    Unless it is ``everywhere``, the first descriptor of a blob alone has it.
    """
    body: dict[str, Any] = json.loads(image.manifest)
    told: set[str] = set()
    for described in (
        *filter(None, [body.get("config")]),
        *body.get("layers", ()),
        *body.get("manifests", ()),
    ):
        if everywhere or described["digest"] not in told:
            content = image.blobs[described["digest"]]
            described["data"] = base64.b64encode(content).decode()
            told.add(described["digest"])
    raw = json.dumps(body).encode()
    own = {digest_of(raw): raw}
    kept = {digest: data for digest, data in image.blobs.items() if digest not in told}
    del kept[image.digest]
    return replace(image, manifest=raw, blobs={**kept, **own}, documents=own)


NOTE = manifest(Blob(EMPTY, b"{}"), [Blob(EMPTY, b"{}")], artifactType="application/vnd.example.x")
EMBEDDED = {
    "an image": _embedded(oci_image()),
    "a Docker image": _embedded(docker_image()),
    "an index": _embedded(image_list([oci_image(), NOTE])),
    "an artifact": _embedded(NOTE),
    "a blob named twice": _embedded(NOTE, everywhere=False),
}


@pytest.mark.parametrize("image", EMBEDDED.values(), ids=EMBEDDED)
def test_an_embedded_blob_is_there_for_every_command(image: Image, tmp_path: Path) -> None:
    path = write_files(layout_files({"app": image}), tmp_path / "in")
    assert verify(f"oci:{path}").sound
    assert all(one.present for top in inspect(f"oci:{path}").images for one in top.walk())
    target = Memory()
    report = convert(f"oci:{path}", target)
    assert not report.losses
    assert verify(target).sound
    assert {layer.digest for layer in image.layers} <= blobs(target).keys()
    with open_images(f"oci:{path}") as images:
        for descriptor in (layer.descriptor for one in images for layer in one.layers):
            with images.open(descriptor) as file:
                assert digest_of(file.read()) == descriptor.digest


@pytest.mark.parametrize("to", ["docker", "oci"])
def test_an_embedded_blob_is_a_file_once_it_is_converted(to: str) -> None:
    image = EMBEDDED["an image"]
    target = Memory()
    convert(store(app=image), target, to=to, compress="zstd" if to == "oci" else "auto")
    sound = verify(target)
    assert sound.sound
    assert digest_of(oci_image().config) in blobs(target)
    assert prove(target, image.manifest).proved


def test_an_embedded_blob_that_is_wrong_is_not_there() -> None:
    body = EMBEDDED["an image"].json
    body["config"]["data"] = base64.b64encode(b"{}").decode()
    raw = json.dumps(body).encode()
    digest = digest_of(raw)
    image = replace(
        EMBEDDED["an image"], manifest=raw, blobs={digest: raw}, documents={digest: raw}
    )
    with pytest.raises(OciConvertError) as refused:
        convert(store(app=image), Memory())
    assert refused.value.code == "wrong-data"
    assert not verify(store(app=image)).sound


COPIES: dict[str, tuple[dict[str, Any], bool]] = {
    "the same bytes under another digest": ({"digest": "sha512"}, True),
    "other bytes": ({"compress": "zstd"}, False),
    "other bytes under another digest": ({"compress": "none", "digest": "sha512"}, False),
}


@pytest.mark.parametrize(("options", "stays"), COPIES.values(), ids=COPIES)
def test_the_copy_of_a_layer_stays_while_it_is_true_and_is_told_when_it_goes(
    options: dict[str, Any], *, stays: bool
) -> None:
    copied = base64.b64encode(layer("a").data).decode()
    source, target = store(app=oci_image([layer("a", more={"data": copied})])), Memory()
    planned = convert(source, target, to="oci", dry_run=True, **options)
    report = convert(source, target, to="oci", **options)
    assert report.findings == planned.findings
    told = [it.where for it in report.losses if it.code == "outdated-data-removed"]
    assert told == ([] if stays else ["images[0].layers[0]"])
    (made,) = json.loads(blobs(target)[report.images[0].new.digest])["layers"]
    assert made.get("data") == (copied if stays else None)
    assert verify(target).sound
