"""What ``--repair`` puts right, and what it leaves refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from oci_convert import (
    BlobError,
    DocumentError,
    OciConvertError,
    RefusedError,
    convert,
    diff,
    inspect,
    prove,
    verify,
)
from oci_convert.stores import Memory
from support.archives import compact
from support.command import Command
from support.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    Spelling,
    attestation,
    digest_of,
    docker_image,
    image_list,
    layout_files,
    oci_image,
    write_files,
)

OCI: Final = oci_image()
DOCKER: Final = docker_image(spelling=Spelling.COMPACT)
ARM: Final = docker_image(spelling=Spelling.COMPACT, platform="linux/arm64")
Files = dict[str, bytes]


@dataclass(frozen=True)
class Odd:
    """A layout with one thing that bytes prove to be wrong."""

    files: Files
    code: str
    """Under which it is refused without ``--repair``."""
    where: str
    image: Image | None = None
    """What it would be if nothing were wrong, if that is another image."""
    returns: bool = True
    """Whether its original comes back without a record."""
    home: str = "oci"
    """The format that its original has."""
    readable: bool = True
    """Whether its original tells what it is where no descriptor says it."""

    @property
    def corrected(self) -> str:
        return "media-type-corrected" if self.code.startswith("contra") else "size-corrected"


def changed(image: Image, change: Callable[[Any], object]) -> Image:
    """The image with another manifest."""
    body = json.loads(image.manifest)
    change(body)
    raw = compact(body)
    blobs = {digest: data for digest, data in image.blobs.items() if digest != image.digest}
    return replace(
        image,
        manifest=raw,
        blobs={**blobs, digest_of(raw): raw},
        documents={digest_of(raw): raw},
    )


def listing(change: Callable[[Any], object], image: Image = OCI) -> Files:
    """A layout whose ``index.json`` says something else."""
    files = layout_files({"app": image})
    index = json.loads(files["index.json"])
    change(index)
    return {**files, "index.json": compact(index)}


def sized(image: Image, *path: str | int, by: int) -> Image:
    """The image with a wrong size in its manifest."""

    def change(body: Any) -> None:
        for step in path:
            body = body[step]
        body["size"] += by

    return changed(image, change)


def called(image: Image, media_type: str) -> Image:
    """The image, whose manifest calls itself something else."""
    return changed(image, lambda body: body.update(mediaType=media_type))


def app(image: Image) -> Files:
    return layout_files({"app": image})


def entry_type(media_type: str) -> Callable[[Any], object]:
    return lambda index: index["manifests"][0].update(mediaType=media_type)


def entry_size(size: int) -> Callable[[Any], object]:
    return lambda index: index["manifests"][0].update(size=size)


LIST: Final = image_list([DOCKER, ARM])
NAMELESS: Final = changed(OCI, lambda body: body.pop("mediaType"))
NAMELESS_LIST: Final = changed(image_list([OCI]), lambda body: body.pop("mediaType"))
TOP: Final = "images[0]"
ODD: Final[Mapping[str, Odd]] = {
    "a layer's size, too small": Odd(
        app(sized(OCI, "layers", 0, by=-1)), "wrong-size", f"{TOP}.layers[0]", OCI, returns=False
    ),
    "a layer's size, too large": Odd(
        app(sized(DOCKER, "layers", 1, by=7)),
        "blob-truncated",
        f"{TOP}.layers[1]",
        DOCKER,
        returns=False,
        home="docker",
    ),
    "a config's size": Odd(
        app(sized(OCI, "config", by=1)), "blob-truncated", f"{TOP}.config", OCI, returns=False
    ),
    "the size of a manifest in an index": Odd(
        app(sized(LIST, "manifests", 1, by=-3)),
        "wrong-size",
        f"{TOP}.manifests[1]",
        LIST,
        returns=False,
        home="docker",
    ),
    "the size of an attestation": Odd(
        app(sized(image_list([OCI, attestation(OCI)]), "manifests", 1, by=1)),
        "blob-truncated",
        f"{TOP}.manifests[1]",
        returns=False,
    ),
    "the size in index.json": Odd(listing(entry_size(7)), "wrong-size", TOP, OCI),
    "an entry that calls a Docker manifest OCI": Odd(
        listing(entry_type(OCI_MANIFEST), DOCKER),
        "contradictory-media-type",
        TOP,
        DOCKER,
        home="docker",
    ),
    "an entry that calls an OCI manifest Docker": Odd(
        listing(entry_type(DOCKER_MANIFEST)), "contradictory-media-type", TOP, OCI
    ),
    "an entry that calls a manifest an index": Odd(
        listing(entry_type(OCI_INDEX)), "contradictory-media-type", TOP, OCI
    ),
    "an entry that calls an index a manifest": Odd(
        listing(entry_type(DOCKER_MANIFEST), LIST),
        "contradictory-media-type",
        TOP,
        LIST,
        home="docker",
    ),
    "an entry that calls a Docker list an OCI index": Odd(
        listing(entry_type(OCI_INDEX), LIST), "contradictory-media-type", TOP, LIST, home="docker"
    ),
    "an entry that calls a manifest a config": Odd(
        listing(entry_type("application/vnd.oci.image.config.v1+json")),
        "contradictory-media-type",
        TOP,
        OCI,
    ),
    "a Docker manifest that calls itself OCI": Odd(
        app(called(DOCKER, OCI_MANIFEST)),
        "contradictory-media-type",
        TOP,
        DOCKER,
        returns=False,
        home="docker",
    ),
    "an OCI manifest that calls itself Docker": Odd(
        app(called(OCI, DOCKER_MANIFEST)), "contradictory-media-type", TOP, OCI, returns=False
    ),
    "a manifest that calls itself an index": Odd(
        app(called(OCI, OCI_INDEX)),
        "contradictory-media-type",
        TOP,
        OCI,
        returns=False,
        readable=False,
    ),
    "a Docker list that calls itself an OCI index": Odd(
        app(called(LIST, OCI_INDEX)),
        "contradictory-media-type",
        TOP,
        LIST,
        returns=False,
        home="docker",
    ),
    "an entry of a list that is called OCI": Odd(
        app(changed(LIST, entry_type(OCI_MANIFEST))),
        "contradictory-media-type",
        f"{TOP}.manifests[0]",
        LIST,
        returns=False,
        home="docker",
    ),
    "an index.json that calls itself a Docker list": Odd(
        listing(lambda index: index.update(mediaType=DOCKER_LIST)),
        "contradictory-media-type",
        "memory: index.json",
        OCI,
    ),
    "an index.json that calls itself a manifest": Odd(
        listing(lambda index: index.update(mediaType=OCI_MANIFEST), DOCKER),
        "contradictory-media-type",
        "memory: index.json",
        DOCKER,
        home="docker",
    ),
}

cases = pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
both = pytest.mark.parametrize("to", ["oci", "docker"])


@cases
@both
def test_without_it_the_image_is_refused_and_the_message_names_it(odd: Odd, to: str) -> None:
    target = Memory()
    with pytest.raises(OciConvertError) as caught:
        convert(Memory(odd.files), target, to=to)
    assert caught.value.code == odd.code
    assert caught.value.place.endswith(odd.where)
    assert "repair=True" in caught.value.remedy
    assert not target.files


@cases
@both
def test_what_was_corrected_is_sound_and_told(odd: Odd, to: str) -> None:
    target = Memory()
    report = convert(Memory(odd.files), target, to=to, repair=True)
    found = [finding for finding in report.findings if finding.code == odd.corrected]
    assert [finding.where for finding in found] == [odd.where]
    assert verify(target).sound
    dry = convert(Memory(odd.files), Memory(), to=to, repair=True, dry_run=True)
    assert (dry.images, dry.map, dry.findings) == (report.images, report.map, report.findings)


@cases
@both
def test_it_gives_what_the_image_would_have_given(odd: Odd, to: str) -> None:
    if odd.image is None:
        return
    target, expected = Memory(), Memory()
    report = convert(Memory(odd.files), target, to=to, repair=True)
    straight = convert(Memory(app(odd.image)), expected, to=to)
    assert diff(target, expected).answer == "equal"
    assert report.images[0].new == straight.images[0].new
    assert diff(Memory(odd.files), target).same


@cases
@both
def test_originals_return_from_the_record(odd: Odd, to: str) -> None:
    source, between, back = Memory(odd.files), Memory(), Memory()
    report = convert(source, between, to=to, repair=True)
    assert report.reversible is odd.returns
    record = report.dumps(originals=True).encode()
    if any(loss.code == "attestation-dropped" for loss in report.losses):
        with pytest.raises(RefusedError, match="lost entries"):
            convert(between, back, to=odd.home, restore=record)
        return
    again = convert(between, back, to=odd.home, restore=record)
    old, new = report.images[0].old, again.images[0].new
    assert old is not None
    assert (old.digest, old.size) == (new.digest, new.size)
    assert all(back.files[name] == data for name, data in odd.files.items() if "blobs" in name)


@cases
def test_it_is_proved_by_what_was_signed(odd: Odd) -> None:
    source, target = Memory(odd.files), Memory()
    report = convert(source, target, to="oci", repair=True)
    old = report.images[0].old
    assert old is not None
    original = source.files[f"blobs/{old.digest.replace(':', '/')}"]
    record = report.dumps(originals=True).encode()
    for given in (original, record):
        if odd.readable:
            assert prove(target, given).proved
        else:
            with pytest.raises(DocumentError):
                prove(target, given)


@cases
def test_strict_refuses_it_all_the_same(odd: Odd) -> None:
    with pytest.raises(RefusedError) as caught:
        convert(Memory(odd.files), Memory(), to="oci", repair=True, strict=True)
    assert caught.value.code == odd.corrected


@cases
def test_it_is_shown_with_the_code_that_verify_gives(odd: Odd) -> None:
    source = Memory(odd.files)
    verified = {(finding.code, finding.where) for finding in verify(source).findings}
    assert (odd.code, odd.where) in verified
    shown = inspect(source)
    assert shown.images
    found = [
        *shown.findings,
        *(f for image in shown.images for b in image.walk() for f in b.findings),
    ]
    assert (odd.code, odd.where) in {(finding.code, finding.where) for finding in found}


# -- what stays refused -------------------------------------------------------------------------

MIXED: Final = changed(
    OCI, lambda body: body["config"].update(mediaType=DOCKER.json["config"]["mediaType"])
)
LAYER: Final = f"blobs/{OCI.json['layers'][0]['digest'].replace(':', '/')}"
REFUSED: Final[Mapping[str, tuple[Files, str]]] = {
    "a layer that was cut": ({**app(OCI), LAYER: app(OCI)[LAYER][:-1]}, "blob-truncated"),
    "a layer that grew": ({**app(OCI), LAYER: app(OCI)[LAYER] + b"\0"}, "wrong-size"),
    "a manifest of both formats that is called both": (
        listing(entry_type(DOCKER_MANIFEST), MIXED),
        "contradictory-media-type",
    ),
    "an artifact that is called a Docker list": (
        listing(entry_type(DOCKER_LIST), called(OCI, DOCKER_LIST)),
        "ambiguous-document",
    ),
    "two spellings of one member": (
        app(changed(OCI, lambda body: body.update(Layers=[]))),
        "ambiguous-document",
    ),
    "an empty index that calls itself a list": (
        listing(lambda index: index.update(manifests=[], mediaType=DOCKER_LIST)),
        "contradictory-media-type",
    ),
}


@pytest.mark.parametrize(("files", "code"), REFUSED.values(), ids=REFUSED)
def test_what_no_byte_proves_is_refused(files: Files, code: str) -> None:
    target = Memory()
    with pytest.raises((BlobError, DocumentError)) as caught:
        convert(Memory(files), target, to="oci", repair=True)
    assert caught.value.code == code
    assert "--repair" not in caught.value.remedy
    assert not target.files


def test_the_command_repairs(command: Command) -> None:
    write_files(ODD["a layer's size, too small"].files, Path("odd"))
    refused = command("convert", "oci:odd", "oci:new")
    assert (refused.status, "--repair" in refused.err) == (1, True)
    done = command("convert", "oci:odd", "oci:new", "--repair")
    assert (done.status, done.out) == (0, f"{OCI.digest}\n")
    assert "[size-corrected]" in done.err
    assert command("verify", "oci:new").out == "sound\n"


@pytest.mark.parametrize(
    ("described", "image"),
    [(OCI_MANIFEST, NAMELESS_LIST), (OCI_INDEX, NAMELESS), (DOCKER_LIST, NAMELESS)],
    ids=["an index called a manifest", "a manifest called an index", "and Docker's list"],
)
def test_the_fields_of_a_document_that_does_not_say_what_it_is_decide(
    described: str, image: Image
) -> None:
    source, target = Memory(listing(entry_type(described), image)), Memory()
    with pytest.raises(DocumentError) as refused:
        convert(source, target, to="oci")
    assert (refused.value.code, target.files) == ("contradictory-media-type", {})
    report = convert(source, target, to="oci", repair=True)
    assert report.images[0].new.digest == image.digest
    assert {it.code for it in report.findings} >= {"media-type-corrected"}
    assert verify(target).sound
