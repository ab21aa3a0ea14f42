"""``digest``: what was digested by one algorithm, digested by another."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from oci_convert import (
    Answer,
    Compression,
    Family,
    Memory,
    RefusedError,
    UsageError,
    convert,
    diff,
    prove,
    verify,
)
from oci_convert.spec.names import REF_NAME
from support.command import Command
from support.images import (
    LAYERS,
    OCI_CONFIG,
    Blob,
    Image,
    attestation,
    cosign_signature,
    digest_of,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
    referrer,
    write_layout,
)

LONG: Final = [replace(one, algorithm="sha512") for one in LAYERS]


def long(image: Image) -> Image:
    """The same image, everything by sha512."""
    config = Blob(OCI_CONFIG, image.config, algorithm="sha512")
    layers = [one.blob(Family.OCI) for one in LONG]
    return replace(manifest(config, layers, algorithm="sha512"), entry=image.entry)


APP: Final = long(oci_image())
ARM: Final = long(oci_image(platform="linux/arm64"))
LIST: Final = image_list([APP, ARM, attestation(APP)], algorithm="sha512")
NESTED: Final = image_list([LIST, oci_image()], algorithm="sha512")
IMAGES: Final = {"an image": APP, "an index": LIST, "indexes in an index": NESTED}
UNREAD: Final = "digest-algorithm-unsupported"


def memory(image: Image) -> Memory:
    return Memory(layout_files({"example.com/app:1": image}))


def documents(target: Memory) -> str:
    """All that its documents say."""
    return b"".join(data for data in target.files.values() if data.startswith(b"{")).decode()


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("to", ["oci", "docker"])
def test_everything_gets_the_digests_that_are_asked_for(image: Image, to: str) -> None:
    target = Memory()
    report = convert(memory(image), target, to=to, digest="sha256")
    assert verify(target).sound
    assert not re.search("sha512[:-]", documents(target))
    assert report.images[0].new.digest.startswith("sha256:")
    assert report.digest_map[LONG[0].digest].digest == digest_of(LONG[0].data)
    assert UNREAD not in {found.code for found in report.findings}
    for config in (APP.config, ARM.config)[: 1 if image is APP else 2]:
        assert target.files[f"blobs/{digest_of(config).replace(':', '/')}"] == config
    planned = convert(memory(image), Memory(), to=to, digest="sha256", dry_run=True)
    assert planned.images == report.images
    assert planned.map == report.map


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_there_and_back_gives_the_same_bytes(image: Image) -> None:
    there, back = Memory(), Memory()
    only = image is APP  # in the others, something had sha256 before
    report = convert(memory(image), there, to="oci", digest="sha256")
    assert not report.reversible
    again = convert(there, back, to="oci", digest="sha512")
    assert (again.images[0].new.digest == image.digest) is only
    assert diff(memory(image), there).same


def test_what_has_other_digests_is_proved_to_be_the_same() -> None:
    target = Memory()
    convert(memory(APP), target, to="oci", digest="sha256")
    assert prove(target, original=APP.manifest).answer is Answer.PROVED


def test_a_recompressed_layer_gets_the_digest_that_is_asked_for() -> None:
    target = Memory()
    convert(memory(APP), target, to="oci", digest="sha256", compress="zstd")
    assert verify(target).sound
    assert not re.search("sha512[:-]", documents(target))
    convert(memory(oci_image()), target := Memory(), to="oci", digest="sha512", compress="zstd")
    assert verify(target).sound
    assert '"digest":"sha256' not in documents(target).replace(" ", "")


def test_a_layer_that_one_image_keeps_and_another_compresses_anew_ends_as_both() -> None:
    """Docker has no media type for zstd, but an image that is Docker's already stays as it is."""
    shared = [layer("a", Compression.ZSTD)]
    images = {"kept": docker_image(shared), "packed": oci_image(shared)}
    convert(Memory(layout_files(images)), target := Memory(), to="docker", digest="sha512")
    found = verify(target)
    assert found.sound, found.findings
    assert "orphan-blob" not in {it.code for it in found.findings}


def test_docker_is_told_of_digests_that_it_does_not_read() -> None:
    report = convert(memory(LIST), Memory(), to="docker")
    assert [found.where for found in report.findings if found.code == UNREAD] == ["images[0]"]
    report = convert(memory(docker_image()), Memory(), to="docker", digest="sha512")
    assert UNREAD in {found.code for found in report.findings}
    assert UNREAD not in {
        found.code for found in convert(memory(LIST), Memory(), to="oci").findings
    }


def test_diff_ids_stay_and_are_told() -> None:
    config = json.loads(minimal_config(LAYERS))
    config["rootfs"]["diff_ids"] = [digest_of(one.tar, "sha512") for one in LAYERS]
    image = long(oci_image(config=json.dumps(config).encode()))
    report = convert(memory(image), Memory(), to="docker", digest="sha256")
    (told,) = (found for found in report.findings if found.code == UNREAD)
    assert told.where == "images[0].config"


def test_a_plain_layer_of_an_archive_is_checked_and_rehashed(
    tmp_path: Path, command: Command
) -> None:
    write_layout({"app": docker_image([layer("a", Compression.NONE)])}, tmp_path / "in")
    archive = f"docker-archive:{tmp_path}/app.tar:app:1"
    assert command("convert", f"oci:{tmp_path}/in", archive, "--digest", "sha512").status == 0
    done = command("convert", archive, f"dir:{tmp_path}/out", "--to", "docker", "--digest=sha256")
    assert done.status == 0
    assert "digests computed anew" in done.err
    assert command("verify", f"dir:{tmp_path}/out").status == 0


def test_what_is_no_algorithm_is_refused() -> None:
    with pytest.raises(UsageError, match="choices: sha256, sha512"):
        convert(memory(APP), Memory(), to="oci", digest="md5")


def tag_of(digest: str) -> str:
    """The referrers tag: of a long digest only the beginning."""
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm}-{encoded[:64]}"


@pytest.mark.parametrize(("image", "digest"), [(oci_image(), "sha512"), (APP, "sha256")])
def test_the_referrers_tag_follows_a_digest_of_another_length(image: Image, digest: str) -> None:
    listed = image_list([referrer(image)])
    source, target = Memory(layout_files({"app": image, tag_of(image.digest): listed})), Memory()
    report = convert(source, target, to="oci", digest=digest)
    names = [
        entry["annotations"][REF_NAME]
        for entry in json.loads(target.files["index.json"])["manifests"]
    ]
    assert names == ["app", tag_of(report.images[0].new.digest)]
    assert verify(target).findings == ()
    assert {it.code for it in report.findings} == {"not-reversible"}
    dropped = convert(source, Memory(), to="oci", referrers="drop")
    assert [it.code for it in dropped.losses] == ["referrer-dropped"]


def test_a_signature_of_an_image_with_new_digests_goes_for_that_reason() -> None:
    source = Memory(layout_files({"app": APP, "signature": cosign_signature(APP)}))
    report = convert(source, Memory(), to="oci", digest="sha256")
    (found,) = report.losses
    assert "recompressed" not in found.message


def test_what_docker_refuses_is_no_reason_for_other_bytes() -> None:
    with pytest.raises(RefusedError) as refused:
        convert(
            Memory(layout_files({"app": APP})),
            Memory(),
            to="docker",
            digest="sha256",
            require_reversible=True,
        )
    assert refused.value.message == "converting back gives other bytes"


def test_a_record_of_other_digests_says_how_to_go_back() -> None:
    middle = Memory()
    record = convert(memory(APP), middle, to="docker", digest="sha256").dumps(originals=True)
    with pytest.raises(RefusedError) as refused:
        convert(middle, Memory(), to="oci", restore=record.encode())
    assert refused.value.code == "restore-missing-blob"
    assert 'digest="sha512" without restore' in refused.value.remedy
    back = convert(middle, Memory(), to="oci", digest="sha512")
    assert back.images[0].new.digest == APP.digest
