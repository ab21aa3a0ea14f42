"""Whether an image is the conversion of what somebody signed, down to the first broken link."""

from __future__ import annotations

import base64
import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oci_convert.conversion.convert import convert
from oci_convert.errors import DocumentError, StoreError, UsageError
from oci_convert.progress import Progress
from oci_convert.proof.answer import Answer, Link, Proof
from oci_convert.proof.prove import prove
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores import Memory
from oci_convert.transform.image_v1 import MeasuredLayer, upgrade
from oci_convert.transform.schema1 import read_schema1
from support import schema1
from support.images import (
    EMPTY,
    LAYERS,
    OCI_INDEX,
    OCI_LAYER,
    Blob,
    Image,
    Layer,
    attestation,
    cosign_signature,
    cosign_tag,
    digest_of,
    docker_config,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
    referrer,
    save_tar,
    write_dir,
    write_files,
)

DOCKER = docker_image()
ARM = docker_image((layer("base"), layer("arm")), platform="linux/arm64")
LIST = image_list([DOCKER, ARM])
EVIL = docker_image((layer("evil"),))
TOP = "images[0]"
ROOT = Path(__file__).parent.parent


def memory(images: Mapping[str, Image] | Image) -> Memory:
    return Memory(layout_files({"": images} if isinstance(images, Image) else images))


def converted(image: Image, to: str = "oci", **options: Any) -> tuple[Memory, bytes]:
    """The converted image, and the record of the conversion."""
    target = Memory()
    report = convert(memory({"app": image}), target, to=to, **options)
    return target, report.dumps(originals=True).encode()


def as_oci(image: Image) -> Image:
    """What a conversion of ``image`` could be, its documents spelled anew."""
    return oci_image(image.layers, config=image.config).with_entry(**image.entry)


def broken(proof: Proof) -> Link:
    return next(link for link in proof.chain if not link.ok)


def links(proof: Proof) -> list[tuple[str, str]]:
    return [(link.link, link.where) for link in proof.chain]


def refuted(image: Image | Memory, original: str | bytes) -> tuple[str, str]:
    """The first broken link of what is not proved."""
    proof = prove(image if isinstance(image, Memory) else memory(image), original)
    assert proof.answer is Answer.NOT_PROVED
    assert proof.reason
    return broken(proof).link, broken(proof).where


def chain_of(where: str) -> list[tuple[str, str]]:
    places = [("manifest", where), ("config", f"{where}.config")]
    return places + [("layer", f"{where}.layers[{i}]") for i in range(2)]


# -- by a digest --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "to"),
    [
        (DOCKER, "oci"),
        (DOCKER, "oci-rc2"),
        (oci_image(), "docker"),
        (oci_image(), "oci"),
        (docker_image([layer("a"), layer("b", Compression.ZSTD)]), "oci"),
        (oci_image(annotations={"a": "b"}, algorithm="sha512"), "oci"),
    ],
)
def test_a_conversion_that_kept_every_layer_is_proved_by_the_digest(image: Image, to: str) -> None:
    proof = prove(converted(image, to, compress="keep")[0], image.digest)
    assert (proof.answer, proof.original, proof.reason) == (Answer.PROVED, image.digest, "")
    assert links(proof) == [("original", "original"), *chain_of(TOP)]
    assert all(link.ok for link in proof.chain)
    config = proof.chain[2]
    assert config.expected == config.found == digest_of(image.config)
    assert [link.found for link in proof.chain[3:]] == [layer.digest for layer in image.layers]


@pytest.mark.parametrize(
    "image",
    [
        docker_image(annotations={"a": "b"}),
        image_list([DOCKER, attestation(DOCKER, Family.DOCKER)]),
        image_list([DOCKER, ARM.with_entry(annotations={"a": "b"})]),
    ],
    ids=["annotations", "attestation", "annotated entry"],
)
def test_what_docker_does_not_define_is_kept_when_converted_back(image: Image) -> None:
    assert prove(converted(image)[0], image.digest).proved


def test_annotations_that_docker_kept_lead_back() -> None:
    image = oci_image(annotations={"a": "b"})
    assert prove(converted(image, "docker", keep_extensions=True)[0], image.digest).proved
    proof = prove(converted(image, "docker")[0], image.digest)
    assert (proof.answer, broken(proof).link) == (Answer.NOT_PROVED, "original")
    assert "give the original document" in proof.reason
    assert prove(converted(image, "docker")[0], image.manifest).proved


@pytest.mark.parametrize("compress", ["zstd", "none"])
@pytest.mark.parametrize("image", [DOCKER, LIST], ids=["image", "list"])
def test_recompressed_layers_need_the_document(image: Image, compress: str) -> None:
    target, record = converted(image, compress=compress)
    proof = prove(target, image.digest)
    assert proof.answer is Answer.NOT_DECIDABLE
    assert "may have been recompressed; give the original document" in proof.reason
    proof = prove(target, record)
    assert (proof.answer, proof.original) == (Answer.PROVED, image.digest)


def test_the_content_of_recompressed_layers_is_what_is_proved() -> None:
    proof = prove(converted(DOCKER, compress="zstd")[0], DOCKER.manifest)
    assert proof.proved
    told = [(link.expected, link.found) for link in proof.chain if link.link == "layer"]
    assert told == [(layer.diff_id, layer.diff_id) for layer in LAYERS]


def test_layers_that_were_recompressed_as_gzip_show_no_sign_of_it() -> None:
    image = oci_image([layer("a", Compression.ZSTD)])
    target, record = converted(image, "docker")
    proof = prove(target, image.digest)
    assert proof.answer is Answer.NOT_PROVED
    assert "its conversion dropped or recompressed something" in proof.reason
    assert prove(target, image.manifest).proved
    assert prove(target, record).proved


def test_a_signed_platform_manifest_is_found_in_an_index() -> None:
    proof = prove(converted(LIST)[0], ARM.digest)
    assert proof.proved
    assert links(proof)[1:] == chain_of(f"{TOP}.manifests[1]")
    assert f"{TOP}.manifests[1] (linux/arm64) is proved" in proof.reason


def test_a_list_is_proved_child_by_child() -> None:
    for target, original in ((converted(LIST)[0], LIST.digest), (memory(LIST), LIST.manifest)):
        proof = prove(target, original)
        assert (proof.answer, proof.reason) == (Answer.PROVED, "")
        places = chain_of(f"{TOP}.manifests[0]") + chain_of(f"{TOP}.manifests[1]")
        assert links(proof)[1:] == places


def test_one_child_that_the_target_cannot_hold_does_not_hide_the_others() -> None:
    encrypted = OCI_LAYER + "+encrypted"
    secret = manifest(
        Blob("application/vnd.oci.image.config.v1+json", minimal_config([LAYERS[0]])),
        [Blob(encrypted, b"secret")],
    ).with_entry(platform={"os": "linux", "architecture": "s390x"})
    index = image_list([as_oci(ARM), secret], Family.OCI)
    arm = converted(ARM)[0]
    raw = next(
        raw for name, raw in arm.files.items() if b"image.manifest.v1" in raw and "blobs" in name
    )
    mixed = image_list(
        [replace(as_oci(ARM), manifest=raw, blobs={**ARM.blobs, digest_of(raw): raw}), secret]
    )
    assert mixed.digest != index.digest
    assert prove(memory(mixed), ARM.digest).proved


def test_an_image_of_a_daemon_is_proved_by_the_document_of_its_registry(tmp_path: Path) -> None:
    archive = tmp_path / "saved.tar"
    archive.write_bytes(save_tar({"app:1": DOCKER}))
    assert prove(archive, DOCKER.manifest).proved
    proof = prove(archive, DOCKER.digest)
    assert proof.answer is Answer.NOT_DECIDABLE
    assert "the archive has no manifest" in proof.reason


# -- by a document ------------------------------------------------------------------------------


def test_documents_that_another_tool_spelled_anew_are_proved() -> None:
    assert prove(memory(as_oci(DOCKER)), DOCKER.manifest).proved
    index = image_list([as_oci(ARM), as_oci(DOCKER)])
    proof = prove(memory(index), LIST.manifest)
    assert proof.answer is Answer.NOT_DECIDABLE
    assert (
        f"converting back does not give {ARM.digest}; give its document, or the record"
        in proof.reason
    )
    assert [link.note for link in proof.chain[1:]] == ["its original is not known"] * 2


def test_nested_indexes_and_single_images_of_a_list_are_found() -> None:
    nested = image_list([image_list([DOCKER]), image_list([ARM])])
    assert prove(converted(nested, "docker")[0], converted(nested, "docker")[1]).proved
    proof = prove(converted(ARM)[0], LIST.manifest)
    assert proof.proved
    assert [(link.link, link.where, link.expected) for link in proof.chain[5:]] == [
        ("left-out", "original.manifests[0]", DOCKER.digest)
    ]


def test_attestations_are_proved_by_their_blobs_or_named() -> None:
    image = oci_image()
    index = image_list([image, attestation(image)])
    kept, record = converted(index, "docker", attestations="keep")
    proof = prove(kept, record)
    assert proof.proved
    assert links(proof)[-1] == ("layer", f"{TOP}.manifests[1].layers[0]")
    proof = prove(converted(index, "docker")[0], index.manifest)
    assert proof.proved
    assert (proof.chain[-1].link, proof.chain[-1].note) == ("left-out", "attestation")


def test_an_artifact_is_proved_by_its_blobs() -> None:
    chart = manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"note")])
    assert prove(memory(chart), chart.digest).proved
    other = manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"other")])
    assert refuted(other, chart.manifest) == ("layer", f"{TOP}.layers[0]")


def test_absent_foreign_layers_are_proved_by_their_digests() -> None:
    def image(text: str, **more: str) -> Image:
        urls = {"urls": ["https://example.com"]}
        foreign = layer(text, foreign=True, present=False, more=urls | more)
        config = docker_config([layer("a"), LAYERS[0]])
        return docker_image([foreign, LAYERS[0]], config=config)

    assert prove(converted(image("a"))[0], image("a").digest).proved
    assert refuted(image("b"), image("a").manifest) == ("layer", f"{TOP}.layers[0]")
    lying = image("a", data=base64.b64encode(b"evil").decode())
    assert refuted(lying, image("a").manifest) == ("layer", f"{TOP}.layers[0]")


def test_a_signed_image_whose_diff_ids_are_wrong_is_still_itself() -> None:
    image = docker_image(config=docker_config(LAYERS[::-1]))
    assert prove(converted(image)[0], image.digest).proved


def test_of_one_image_in_two_packings_each_is_found() -> None:
    zstd = replace(LAYERS[1], compression=Compression.ZSTD)
    config = minimal_config(LAYERS)
    two = image_list([oci_image(config=config), oci_image([LAYERS[0], zstd], config=config)])
    proof = prove(memory(two), two.digest)
    assert proof.proved
    assert not [link for link in proof.chain if link.link == "left-out"]


# -- not proved ---------------------------------------------------------------------------------


def with_blob(image: Image, digest: str, data: bytes) -> Image:
    assert digest in image.blobs
    return replace(image, blobs={**image.blobs, digest: data})


def flipped(data: bytes) -> bytes:
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


APP = LAYERS[1]
CONFIG = digest_of(DOCKER.config)


@pytest.mark.parametrize("original", [DOCKER.digest, DOCKER.manifest], ids=["digest", "document"])
@pytest.mark.parametrize(
    ("image", "link", "where"),
    [
        (with_blob(DOCKER, APP.digest, flipped(APP.data)), "layer", f"{TOP}.layers[1]"),
        (with_blob(DOCKER, APP.digest, APP.data[:-1]), "layer", f"{TOP}.layers[1]"),
        (DOCKER.without(APP.digest), "layer", f"{TOP}.layers[1]"),
        (with_blob(DOCKER, CONFIG, flipped(DOCKER.config)), "config", f"{TOP}.config"),
        (DOCKER.without(CONFIG), "config", f"{TOP}.config"),
    ],
    ids=["layer", "cut", "no layer", "config", "no config"],
)
def test_wrong_bytes_break_the_chain(
    image: Image, link: str, where: str, original: str | bytes
) -> None:
    assert refuted(image, original) == (link, where)


@pytest.mark.parametrize(
    ("digest", "link", "where"),
    [(APP.digest, "layer", f"{TOP}.layers[1]"), (CONFIG, "config", f"{TOP}.config")],
)
def test_converting_back_needs_no_blobs(digest: str, link: str, where: str) -> None:
    target = converted(DOCKER)[0]
    del target.files[f"blobs/{digest.replace(':', '/')}"]
    assert refuted(target, DOCKER.digest) == (link, where)
    assert broken(prove(target, DOCKER.digest)).note == "the blob is missing"


@pytest.mark.parametrize(
    ("layers", "link", "where"),
    [
        ([LAYERS[0], layer("evil")], "layer", f"{TOP}.layers[1]"),
        ([LAYERS[0], layer("evil", Compression.ZSTD)], "layer", f"{TOP}.layers[1]"),
        ([LAYERS[1], LAYERS[0]], "layer", f"{TOP}.layers[0]"),
        ([LAYERS[0]], "layers", TOP),
        ([*LAYERS, layer("evil")], "layers", TOP),
        ([], "layers", TOP),
    ],
    ids=["swapped", "swapped and packed", "order", "fewer", "more", "none"],
)
def test_other_layers_under_the_signed_config_break_the_chain(
    layers: list[Layer], link: str, where: str
) -> None:
    image = oci_image(layers, config=DOCKER.config)
    assert refuted(image, DOCKER.manifest) == (link, where)


def test_another_layer_is_told_by_what_it_holds() -> None:
    evil = layer("evil", Compression.ZSTD)
    proof = prove(memory(oci_image([LAYERS[0], evil], config=DOCKER.config)), DOCKER.manifest)
    assert (broken(proof).expected, broken(proof).found) == (APP.diff_id, evil.diff_id)


def test_another_config_is_another_image() -> None:
    changed = docker_image(config=docker_config(LAYERS, author="Eve"))
    assert refuted(changed, DOCKER.manifest) == ("config", f"{TOP}.config")
    assert refuted(changed, DOCKER.digest) == ("original", "original")
    assert refuted(EVIL, DOCKER.digest) == ("original", "original")


@pytest.mark.parametrize("place", ["config", "layer", "entry", "nested"])
def test_embedded_data_that_contradicts_its_digest_breaks_the_chain(place: str) -> None:
    data = {"data": base64.b64encode(b"evil").decode()}
    base, app = (replace(one, more=data if place == "layer" else {}) for one in LAYERS)
    image = oci_image([base, app], config=DOCKER.config)
    if place == "config":
        body = image.json
        body["config"] |= data
        raw = json.dumps(body).encode()
        image = replace(image, manifest=raw, blobs={**image.blobs, digest_of(raw): raw})
    if place in ("entry", "nested"):
        image = image_list([image.with_entry(**data if place == "entry" else {})])
    if place == "nested":
        image = image_list([image.with_entry(**data)])
    expected = {
        "config": ("config", f"{TOP}.config"),
        "layer": ("layer", f"{TOP}.layers[0]"),
        "entry": ("manifest", f"{TOP}.manifests[0]"),
        "nested": ("manifest", f"{TOP}.manifests[0]"),
    }
    assert refuted(image, DOCKER.manifest) == expected[place]


def test_an_image_that_was_slipped_into_a_list_is_found() -> None:
    slipped = image_list([as_oci(EVIL), as_oci(DOCKER), as_oci(ARM)])
    record = record_of(slipped, LIST, DOCKER, ARM)
    assert refuted(slipped, record) == ("config", f"{TOP}.manifests[0].config")
    other = as_oci(EVIL).with_entry(platform={"os": "linux", "architecture": "s390x"})
    slipped = image_list([as_oci(DOCKER), as_oci(ARM), other])
    record = record_of(slipped, LIST, DOCKER, ARM)
    assert refuted(slipped, record) == ("manifest", f"{TOP}.manifests[2]")


def test_what_converting_back_would_lose_is_noticed() -> None:
    target = converted(LIST)[0]
    index = json.loads(target.files["index.json"])["manifests"][0]["digest"]
    body = json.loads(target.files[f"blobs/{index.replace(':', '/')}"])
    evil = as_oci(EVIL)
    mark = {"vnd.docker.reference.type": "attestation-manifest"}
    entry = {**evil.descriptor.triple(), **evil.entry, "annotations": mark}
    raw = json.dumps({**body, "manifests": [entry, *body["manifests"]]}).encode()
    slipped = Image(raw, OCI_INDEX, {**evil.blobs, digest_of(raw): raw}, {})
    files = {**target.files, **layout_files({"": slipped})}
    assert refuted(Memory(files), LIST.digest) == ("original", "original")
    assert refuted(Memory(files), LIST.manifest) == ("config", f"{TOP}.manifests[0].config")


def test_swapped_platforms_are_found() -> None:
    swapped = image_list([DOCKER.with_entry(**ARM.entry), ARM.with_entry(**DOCKER.entry)])
    assert refuted(swapped, LIST.manifest) == ("config", f"{TOP}.manifests[0].config")
    silent = image_list([DOCKER.with_entry(platform=None)])
    assert refuted(image_list([DOCKER.with_entry(**ARM.entry)]), silent.manifest) == (
        "manifest",
        f"{TOP}.manifests[0]",
    )


def test_what_cannot_be_read_breaks_the_chain() -> None:
    raw = b'{"schemaVersion":2,"layers":[],"manifests":[]}'
    ambiguous = Image(raw, OCI_INDEX, {digest_of(raw): raw}, {})
    proof = prove(memory(ambiguous), DOCKER.digest)
    assert broken(proof).note.startswith("the document is ambiguous")
    assert refuted(ambiguous, DOCKER.manifest) == ("manifest", TOP)
    assert refuted(ambiguous, ambiguous.digest) == ("manifest", TOP)


def test_a_config_that_cannot_be_trusted_says_nothing_of_layers() -> None:
    config = DOCKER.config.replace(b"{", b'{"os":"plan9",', 1)
    zstd = [replace(one, compression=Compression.ZSTD) for one in LAYERS]
    image = docker_image(config=config)
    assert prove(memory(image), image.digest).proved
    assert refuted(oci_image(zstd, config=config), image.manifest) == ("layer", f"{TOP}.layers[0]")
    silent = image_list([image.with_entry(platform=None)])
    assert prove(memory(silent), image.digest).proved


def test_nothing_proves_nothing() -> None:
    empty = image_list([], Family.OCI)
    assert refuted(empty, LIST.manifest) == ("manifest", TOP)
    assert refuted(empty, DOCKER.manifest) == ("manifest", TOP)
    assert refuted(LIST.without(DOCKER.digest, ARM.digest), LIST.digest) == ("manifest", TOP)
    assert refuted(DOCKER.without(DOCKER.digest), DOCKER.digest) == ("manifest", TOP)
    assert prove(memory(empty), empty.digest).proved


def test_absent_entries_have_the_digest_of_the_original_or_are_unknown() -> None:
    partial = LIST.without(ARM.digest)
    proof = prove(memory(partial), LIST.digest)
    assert proof.proved
    assert proof.chain[-1].note == "absent, but the same digest"
    assert prove(memory(partial), image_list([ARM, DOCKER]).digest).answer is Answer.NOT_DECIDABLE
    assert refuted(partial, ARM.manifest)[0] == "manifest"


# -- records ------------------------------------------------------------------------------------


def record_of(made: Image, original: Image, *children: Image) -> bytes:
    """A record that says that ``original`` was converted to ``made``."""
    row = {
        "kind": "index",
        "where": TOP,
        "old": original.descriptor.triple(),
        "new": made.descriptor.triple(),
        "change": "edited",
        "platform": None,
    }
    documents = {image.digest: image.manifest for image in (original, *children)}
    return written(documents, [row])


def written(documents: Mapping[str, bytes], rows: list[Any]) -> bytes:
    originals = {name: base64.b64encode(raw).decode() for name, raw in documents.items()}
    return json.dumps({"version": 1, "map": rows, "originals": originals}).encode()


def test_a_record_with_other_bytes_under_a_digest_is_not_believed() -> None:
    target, record = converted(DOCKER, compress="zstd")
    forged = json.loads(record)
    for raw in (DOCKER.manifest + b"\n", b"nothing", EVIL.manifest):
        forged["originals"] = {DOCKER.digest: base64.b64encode(raw).decode()}
        proof = prove(target, json.dumps(forged).encode())
        assert (proof.answer, links(proof)) == (Answer.NOT_PROVED, [("original", "original")])
        assert proof.chain[0].found == digest_of(raw)


def test_a_record_that_names_another_original_says_so() -> None:
    made = as_oci(EVIL)
    proof = prove(memory(made), record_of(made, EVIL))
    assert (proof.answer, proof.original) == (Answer.PROVED, EVIL.digest)
    assert refuted(made, record_of(made, DOCKER)) == ("config", f"{TOP}.config")


def test_a_record_of_another_image_is_no_proof() -> None:
    proof = prove(memory(EVIL), converted(DOCKER)[1])
    assert (proof.answer, proof.original) == (Answer.NOT_PROVED, None)
    assert broken(proof).found == EVIL.digest
    assert "give the record of its conversion" in proof.reason


def test_a_report_is_a_record_without_originals() -> None:
    target, record = converted(LIST)
    report = {k: v for k, v in json.loads(record).items() if k != "originals"}
    assert prove(target, json.dumps(report).encode()).proved


def test_a_record_that_cannot_be_read_is_refused() -> None:
    forged = json.loads(converted(DOCKER)[1])
    forged["originals"] = {DOCKER.digest: "no base64!"}
    with pytest.raises(DocumentError, match=r"^original: this is not a record"):
        prove(memory(DOCKER), json.dumps(forged).encode())
    forged["originals"] = {"no digest": "", f"md5:{'0' * 32}": ""}
    assert prove(converted(DOCKER)[0], json.dumps(forged).encode()).proved


# -- schema 1 -----------------------------------------------------------------------------------


def test_schema_1_is_proved_by_what_is_signed_of_it(tmp_path: Path) -> None:
    payload = schema1.pretty(schema1.body())
    signed = schema1.sign(payload)
    source = write_files(schema1.dir_files(signed), tmp_path / "v1")
    target = Memory()
    record = convert(f"dir:{source}", target, to="oci").dumps(originals=True).encode()
    assert prove(f"dir:{source}", digest_of(payload)).proved
    for original in (signed, payload, record):
        proof = prove(target, original)
        assert (proof.answer, proof.original) == (Answer.PROVED, digest_of(payload))
    proof = prove(target, digest_of(payload))
    assert (proof.answer, broken(proof).link) == (Answer.NOT_PROVED, "original")
    assert prove(memory(EVIL), signed).answer is not Answer.PROVED


def test_diff_ids_that_nobody_signed_are_not_believed() -> None:
    payload = schema1.pretty(schema1.body())
    kept = [(schema1.BASE, layer("other")), (schema1.APP, schema1.APP)]
    measured = [
        MeasuredLayer(Digest(one.digest), len(one.data), Digest(claimed.diff_id), one.compression)
        for one, claimed in kept
    ]
    config = upgrade(read_schema1(payload).images, measured).config
    forged = docker_image([one for one, _ in kept], config=config)
    assert refuted(forged, payload) == ("layer", f"{TOP}.layers[0]")


# -- the call -----------------------------------------------------------------------------------


def test_referrers_are_no_images_and_two_images_are_one_too_many() -> None:
    many = {"a": DOCKER, cosign_tag(DOCKER): cosign_signature(DOCKER), "": referrer(DOCKER)}
    assert prove(memory(many), DOCKER.digest).proved
    assert prove(memory({"a": DOCKER, "b": DOCKER}), DOCKER.digest).proved
    with pytest.raises(UsageError, match="2 images; only one can be proved; choose one of a, b"):
        prove(memory({"a": DOCKER, "b": ARM}), DOCKER.digest)
    with pytest.raises(StoreError, match="the store has no image"):
        prove(memory({}), DOCKER.digest)


def test_what_is_no_original_is_refused() -> None:
    with pytest.raises(UsageError, match="is not a digest"):
        prove(memory(DOCKER), "sha256:1234")
    for raw in (b"nothing", b"{}", b'{"version":2,"map":[]}', DOCKER.config):
        with pytest.raises(DocumentError) as caught:
            prove(memory(DOCKER), raw)
        assert caught.value.where.startswith("original")


def test_every_blob_is_read_once() -> None:
    seen: Counter[str] = Counter()

    def watch(moved: Progress) -> None:
        seen[moved.digest] += moved.step

    target = converted(LIST, compress="zstd")[0]
    prove(target, converted(LIST, compress="zstd")[1], jobs=2, on_progress=watch)
    assert len(seen) == 3
    for digest, size in seen.items():
        assert size == len(target.files[f"blobs/{digest.replace(':', '/')}"])


# -- the command --------------------------------------------------------------------------------


def run(*arguments: object, status: int, cwd: Path | None = None) -> str:
    command = [sys.executable, "-m", "oci_convert", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == status, done.stderr
    return done.stdout if status in (0, 3) else done.stderr


def test_the_command(tmp_path: Path) -> None:
    source = write_dir(DOCKER, tmp_path / "source")
    out = f"oci:{tmp_path / 'out'}"
    convert(source, out, compress="zstd")
    lines = run("prove", out, "--original", source / "manifest.json", status=0).splitlines()
    assert [line.split()[0] for line in lines] == [
        "original", "manifest", "config", "layer", "layer", "proved"
    ]  # fmt: skip
    assert DOCKER.digest in lines[0]
    assert lines[3].endswith("ok")
    text = run("prove", out, "--original", DOCKER.digest, status=3)
    assert text.endswith("\nnot decidable\n")
    assert text.splitlines()[0].endswith("unknown")
    text = run(
        "prove", out, "--original", write_dir(EVIL, tmp_path / "evil") / "manifest.json", status=3
    )
    assert text.endswith("\nnot proved\n")
    assert text.splitlines()[1].endswith("BROKEN")


def test_the_answer_as_json(tmp_path: Path) -> None:
    source = write_dir(DOCKER, tmp_path / "source")
    answer = json.loads(run("prove", source, "--original", DOCKER.digest, "--json", status=0))
    chain = answer.pop("chain")
    assert answer == {
        "version": 1,
        "source": str(source),
        "original": DOCKER.digest,
        "answer": "proved",
        "reason": "",
    }
    assert chain[2] == {
        "link": "config",
        "where": f"{TOP}.config",
        "expected": CONFIG,
        "found": CONFIG,
        "ok": True,
        "note": "image ID",
    }


def test_a_digest_is_never_the_name_of_a_file(tmp_path: Path) -> None:
    write_dir(EVIL, tmp_path / "evil")
    (tmp_path / DOCKER.digest).write_bytes(EVIL.manifest)
    run("prove", "evil", "--original", DOCKER.digest, status=3, cwd=tmp_path)
    run("prove", "evil", "--original", f"./{DOCKER.digest}", status=0, cwd=tmp_path)
    assert "is not a digest" in run(
        "prove", "evil", "--original", "sha256:12", status=2, cwd=tmp_path
    )
    assert "no such file" in run("prove", "evil", "--original", "gone", status=1, cwd=tmp_path)


def test_the_example_of_the_page(tmp_path: Path) -> None:
    """What ``docs/prove.md`` shows is what the command says."""
    write_files({"signed/" + name: data for name, data in data_of("docker-dir").items()}, tmp_path)
    page = (ROOT / "docs" / "prove.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    for step in example.split("$ ")[1:]:
        line, _, expected = step.partition("\n")
        command = (
            f"{shlex.quote(sys.executable)} -m oci_convert {line.removeprefix('oci-convert ')}"
        )
        done = subprocess.run(
            command, shell=True, capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.stdout == expected, done.stderr


def data_of(name: str) -> dict[str, bytes]:
    folder = ROOT / "testdata" / name
    return {file.name: file.read_bytes() for file in folder.iterdir()}
