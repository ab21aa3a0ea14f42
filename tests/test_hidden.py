"""Images that hide behind a media type: whatever lists them, they are found, whole, and told of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from oci_convert import convert, diff, inspect, open_images, prove, verify
from oci_convert.comparison.difference import Verdict
from oci_convert.errors import OciConvertError
from oci_convert.findings import Level
from oci_convert.proof.answer import Answer
from oci_convert.spec.media_types import Family
from oci_convert.stores.memory import Memory
from support.images import (
    DOCKER_MANIFEST,
    LAYERS,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    ODD_TYPES,
    Blob,
    Image,
    Spelling,
    archive_of,
    artifact_manifest,
    dir_files,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    mislabelled,
    oci_image,
    opaque,
    rc2_files,
    referrer,
)

IMAGE: Final = oci_image()
OTHER: Final = oci_image((layer("other"),), platform="linux/arm64")
UNSTATED: Final = oci_image(stated=False)
"""Its own ``mediaType`` says nothing, as OCI 1.0 allows."""

FAULTS: Final = {"misspelled-media-type", "mislabelled-document"}


def blobs_of(files: dict[str, bytes]) -> dict[str, bytes]:
    return {n[6:].replace("/", ":"): data for n, data in files.items() if n.startswith("blobs/")}


STORES: Final[dict[str, Callable[[Image], Memory]]] = {
    "in a layout": lambda image: Memory(layout_files({"app": image})),
    "in a layout before 1.0": lambda image: Memory(rc2_files({"1": image})),
    "in an index": lambda image: Memory(layout_files({"app": image_list([image, OTHER])})),
    "in an index in an index": lambda image: Memory(
        layout_files({"app": image_list([image_list([image]), OTHER])})
    ),
}


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest) -> Callable[[Image], Memory]:
    return STORES[request.param]


@pytest.fixture(params=ODD_TYPES)
def hidden(request: pytest.FixtureRequest) -> Image:
    return mislabelled(IMAGE, ODD_TYPES[request.param])


OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "nothing": {},
    "no loss": {"on_loss": "fail"},
    "keep": {"compress": "keep"},
    "zstd": {"compress": "zstd"},
    "a platform": {"platforms": ["linux/amd64"]},
    "extensions": {"keep_extensions": True},
    "what is missing": {"sparse": "keep"},
    "no attestations": {"attestations": "drop"},
    "no companions": {"referrers": "drop", "signatures": "drop"},
    "existing blobs": {"verify_existing": True},
    "going on": {"keep_going": True},
    "one job": {"jobs": 1},
}


def everywhere(image: Image) -> Image:
    """An index that lists ``image`` itself, and through another one."""
    return image_list([image, image_list([image, OTHER]), OTHER])


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("to", ["oci", "docker", "oci-rc2"])
def test_nothing_of_a_hidden_image_is_left_behind(
    hidden: Image, to: str, options: dict[str, Any]
) -> None:
    if to != "oci" and options.get("compress") == "zstd":
        return
    target = Memory()
    source = Memory(layout_files({"app": hidden, "all": everywhere(hidden)}))
    try:
        report = convert(source, target, to=to, **options)
    except OciConvertError as error:
        # An index that is put right is another one, so that the old one is lost.
        lost = {"not-reversible", "nested-index-flattened"}
        assert options.get("on_loss") == "fail" and error.code in lost  # noqa: PT017, PT018
        return
    assert {finding.code for finding in report.findings} & FAULTS
    made = blobs_of(target.files)
    assert IMAGE.config in made.values()
    new = [report.digest_map[it["digest"]].digest for it in IMAGE.json["layers"]]
    assert all(digest in made for digest in new)
    top = report.digest_map[IMAGE.digest]
    assert [it["digest"] for it in json.loads(made[top.digest])["layers"]] == new
    # What was put right is right: nobody finds a fault any more.
    assert verify(target).sound
    assert not {it.code for it in convert(target, Memory(), to=to).findings} & FAULTS


@pytest.mark.parametrize("to", ["oci", "docker", "oci-rc2"])
def test_a_hidden_image_is_converted_wherever_it_is(
    place: Callable[[Image], Memory], hidden: Image, to: str
) -> None:
    target, right = Memory(), Memory()
    report = convert(place(hidden), target, to=to)
    convert(place(IMAGE), right, to=to)
    assert target.files == right.files
    assert {row.change.value for row in report.map} & {"relabelled", "edited"}


def test_a_hidden_image_is_refused_if_that_is_wanted(
    place: Callable[[Image], Memory], hidden: Image
) -> None:
    target = Memory()
    with pytest.raises(OciConvertError) as refused:
        convert(place(hidden), target, to="oci", strict=True)
    assert refused.value.code in FAULTS
    assert not target.files


def test_a_hidden_image_is_never_called_sound(
    place: Callable[[Image], Memory], hidden: Image
) -> None:
    found = verify(place(hidden))
    assert not found.sound
    assert {it.code for it in found.findings if it.level is Level.ERROR} <= FAULTS


def test_the_layers_of_a_hidden_image_are_verified(
    place: Callable[[Image], Memory], hidden: Image
) -> None:
    digest = IMAGE.layers[0].digest
    broken = place(replace(hidden, blobs={**hidden.blobs, digest: b"\0" * len(LAYERS[0].data)}))
    assert "digest-mismatch" in {it.code for it in verify(broken).findings}
    with pytest.raises(OciConvertError, match="sha256"):
        convert(broken, Memory(), to="oci")
    lacking = place(hidden.without(digest))
    assert "blob-missing" in {it.code for it in verify(lacking).findings}
    with pytest.raises(OciConvertError, match="is missing"):
        convert(lacking, Memory(), to="oci")


def test_a_hidden_image_is_shown_with_all_that_it_names(
    place: Callable[[Image], Memory], hidden: Image
) -> None:
    shown = [blob for image in inspect(place(hidden)).images for blob in image.walk()]
    assert set(IMAGE.blobs) <= {blob.descriptor.digest for blob in shown}
    (top,) = (blob for blob in shown if blob.descriptor.digest == IMAGE.digest)
    assert top.kind.value == "manifest"
    assert top.descriptor.media_type == hidden.media_type
    assert top.platform == "linux/amd64"
    assert any(note.startswith("mis") for note in top.notes)


def test_a_hidden_image_is_compared_by_what_it_is(
    place: Callable[[Image], Memory], hidden: Image
) -> None:
    store = place(hidden)
    assert diff(store, place(IMAGE)).answer is Verdict.FORMAT
    assert diff(store, place(hidden)).answer is Verdict.EQUAL
    other = replace(oci_image((layer("base"), layer("another"))), media_type=hidden.media_type)
    assert diff(store, place(other)).answer is Verdict.DIFFERENT
    smaller = place(hidden.without(*_digests(IMAGE)))
    try:
        assert not diff(store, smaller).same
    except OciConvertError as error:
        assert error.code == "no-image"  # noqa: PT017 - it holds nothing else


def test_a_hidden_image_is_proved_by_what_it_is(
    place: Callable[[Image], Memory], hidden: Image
) -> None:
    store = place(hidden)
    top = store.files and inspect(store).images[0].descriptor.digest
    assert prove(store, str(top)).answer is Answer.PROVED
    lacking = place(hidden.without(IMAGE.layers[0].digest))
    assert prove(lacking, str(top)).answer is not Answer.PROVED


def test_a_hidden_image_is_opened(place: Callable[[Image], Memory], hidden: Image) -> None:
    with open_images(place(hidden)) as images:
        image = next(image for image in images if image.digest == IMAGE.digest)
        assert image.config_bytes == IMAGE.config
        assert [one.digest for one in image.layers] == [one.digest for one in LAYERS]
        assert [one.open().read() for one in image.layers] == [one.data for one in LAYERS]


def test_a_hidden_image_that_is_broken_is_not_passed_over(hidden: Image) -> None:
    gone = Memory(layout_files({"app": image_list([hidden.without(IMAGE.digest), OTHER])}))
    with open_images(gone) as images:
        assert len(list(images)) == 2
    assert verify(gone).sparse
    assert not verify(gone, complete=True).sound


def test_a_hidden_image_of_another_platform_is_not_carried(hidden: Image) -> None:
    store = Memory(layout_files({"app": image_list([hidden, OTHER])}))
    target = Memory()
    report = convert(store, target, to="oci", platforms=["linux/arm64"])
    assert set(blobs_of(target.files)) & set(IMAGE.blobs) <= set(OTHER.blobs)
    assert ("platform-not-selected", "images[0].manifests[0]") in {
        (finding.code, finding.where) for finding in report.findings
    }


# -- each spelling, and how it is decided -------------------------------------------------------

DOCKER: Final = docker_image()
SCHEMA1: Final = b'{"schemaVersion":1,"name":"a","tag":"1","fsLayers":[],"history":[]}'

READ: Final[dict[str, tuple[Image, str, str]]] = {
    "the body says that it is a Docker manifest": (
        mislabelled(DOCKER, "application/json"),
        DOCKER_MANIFEST,
        "mislabelled-document",
    ),
    "parameters behind a Docker type": (
        mislabelled(DOCKER, f"{DOCKER_MANIFEST};q=1"),
        DOCKER_MANIFEST,
        "misspelled-media-type",
    ),
    "a body that says nothing, over a Docker config": (
        mislabelled(docker_image(stated=False), ""),
        DOCKER_MANIFEST,
        "mislabelled-document",
    ),
    "a body that says nothing": (
        mislabelled(UNSTATED, "application/json"),
        OCI_MANIFEST,
        "mislabelled-document",
    ),
    "an index that says nothing": (
        mislabelled(image_list([IMAGE], stated=False), "text/plain"),
        OCI_INDEX,
        "mislabelled-document",
    ),
    "an index in upper case": (
        mislabelled(image_list([IMAGE]), OCI_INDEX.upper()),
        OCI_INDEX,
        "misspelled-media-type",
    ),
    "an index that lists nothing": (
        mislabelled(image_list([]), "invalid"),
        OCI_INDEX,
        "mislabelled-document",
    ),
}


@pytest.mark.parametrize(("image", "media_type", "code"), READ.values(), ids=READ)
def test_what_hides_is_read_as_what_it_is(image: Image, media_type: str, code: str) -> None:
    target = Memory()
    report = convert(Memory(layout_files({"a": image})), target, to="oci")
    told = [(it.code, it.where) for it in report.findings if it.code in FAULTS]
    assert told == [(code, "images[0]")]
    (shown,) = inspect(Memory(layout_files({"a": image}))).images
    assert media_type in f"{shown.notes} {image.media_type.lower()}"


ABSENT: Final = {"absent": lambda entry: entry.pop("mediaType")} | {
    "null": lambda entry: entry.update(mediaType=None),
    "empty": lambda entry: entry.update(mediaType=""),
}


@pytest.mark.parametrize("spoil", ABSENT.values(), ids=ABSENT)
@pytest.mark.parametrize("to", ["oci", "docker"])
def test_an_entry_that_states_no_type_is_read_by_its_body(
    spoil: Callable[[dict[str, Any]], object], to: str
) -> None:
    """An empty member says what an absent one does; the way back gives the same bytes."""
    body = image_list([IMAGE]).json
    spoil(body["manifests"][0])
    listed = opaque(json.dumps(body).encode(), OCI_INDEX)
    nested = replace(listed, blobs={**IMAGE.blobs, **listed.blobs})
    members = layout_files({"app": IMAGE})
    index = json.loads(members["index.json"])
    spoil(index["manifests"][0])
    direct = {**members, "index.json": json.dumps(index).encode()}
    for files, place in (
        (direct, "images[0]"),
        (layout_files({"app": nested}), "images[0].manifests[0]"),
    ):
        store, target = Memory(files), Memory()
        report = convert(store, target, to=to)
        told = [(it.code, it.where) for it in report.findings if it.code in FAULTS]
        assert told == [("mislabelled-document", place)]
        assert verify(target).sound
        assert not verify(store).sound
        with pytest.raises(OciConvertError):
            convert(store, Memory(), to=to, strict=True)
        record = report.dumps(originals=True).encode()
        back = convert(target, Memory(), to="oci", restore=record)
        old, new = report.images[0].old, back.images[0].new
        assert old is not None
        assert new.digest == old.digest


def stated_as(media_type: str) -> bytes:
    return json.dumps({**IMAGE.json, "mediaType": media_type}).encode()


def test_a_document_that_misspells_itself_is_put_right() -> None:
    raw = stated_as(f"{OCI_MANIFEST}; charset=utf-8")
    image = replace(opaque(raw, OCI_MANIFEST), blobs={**IMAGE.blobs, **opaque(raw, "").blobs})
    store, target = Memory(layout_files({"app": image})), Memory()
    report = convert(store, target, to="oci")
    assert "misspelled-media-type" in {it.code for it in report.findings}
    assert not report.reversible
    assert json.loads(blobs_of(target.files)[report.images[0].new.digest]) == IMAGE.json
    assert not verify(store).sound
    assert verify(target).sound
    record = report.dumps(originals=True).encode()
    back = convert(target, Memory(), to="oci", restore=record)
    assert back.images[0].new.digest == image.digest


def test_misspelled_configs_and_layers_are_read_and_put_right() -> None:
    config = Blob(f"{OCI_CONFIG}; charset=utf-8", IMAGE.config)
    layers = [Blob(OCI_LAYER.upper(), LAYERS[0].data), LAYERS[1].blob(Family.OCI)]
    image = manifest(config, layers)
    store, target = Memory(layout_files({"app": image})), Memory()
    report = convert(store, target, to="oci")
    told = [(it.where, it.code) for it in report.findings if it.code in FAULTS]
    places = ["images[0].config", "images[0].layers[0]"]
    assert told == [(place, "misspelled-media-type") for place in places]
    made = json.loads(blobs_of(target.files)[report.images[0].new.digest])
    assert made == IMAGE.json
    assert not verify(store).sound
    with open_images(store) as images:
        assert len(list(images)) == 1
    to_docker = convert(store, Memory(), to="docker")
    assert (
        to_docker.images[0].new.digest
        == convert(memory(IMAGE), Memory(), to="docker").images[0].new.digest
    )


CONTRADICTIONS: Final = {
    "another document": mislabelled(IMAGE, OCI_INDEX),
    "another format": mislabelled(IMAGE, DOCKER_MANIFEST),
    "another format in capitals": mislabelled(IMAGE, DOCKER_MANIFEST.upper()),
    "a config": mislabelled(IMAGE, OCI_CONFIG),
    "a layer": mislabelled(IMAGE, OCI_LAYER),
    "a layer, by its shape": mislabelled(UNSTATED, OCI_LAYER),
    "an artifact manifest, by its shape": mislabelled(
        UNSTATED, "application/vnd.oci.artifact.manifest.v1+json"
    ),
    "a generic type that it gives itself": opaque(stated_as("application/json"), "text/plain"),
    "no media type that it gives itself": opaque(stated_as("invalid"), "invalid"),
    "a layer, and a generic type that it gives itself": opaque(stated_as("text/json"), OCI_LAYER),
}


@pytest.mark.parametrize("image", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_contradiction_is_refused_as_ever(image: Image) -> None:
    image = replace(image, blobs={**IMAGE.blobs, **image.blobs})
    for store in (memory(image), memory(image_list([image, OTHER]))):
        target = Memory()
        with pytest.raises(OciConvertError) as refused:
            convert(store, target, to="oci")
        assert refused.value.code == "contradictory-media-type"
        assert not target.files
        assert "contradictory-media-type" in {it.code for it in verify(store).findings}
        with open_images(store) as images, pytest.raises(OciConvertError):
            _ = [one.layers for one in images]


UNREADABLE: Final = {
    "in two ways": (
        json.dumps({**IMAGE.json, "manifests": []}).encode(),
        "ambiguous-document",
    ),
    "as Go reads it": (
        IMAGE.manifest.replace(b'"config"', b'"Config"').replace(b'"mediaType"', b'"x"', 1),
        "ambiguous-document",
    ),
    "by nobody": (IMAGE.manifest[:-1], "invalid-json"),
    "up to its end": (IMAGE.manifest + b"{}", "trailing-data"),
    "behind a byte order mark": (b"\xef\xbb\xbf" + IMAGE.manifest, "byte-order-mark"),
    "as one of two": (
        IMAGE.manifest.replace(b'"layers"', b'"layers":[],"layers"'),
        "duplicate-member",
    ),
    "with more time": (IMAGE.manifest + b" " * 5 * 1024 * 1024, "document-too-large"),
}


@pytest.mark.parametrize(("raw", "code"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_might_hide_an_image_and_cannot_be_read_is_refused(raw: bytes, code: str) -> None:
    image = replace(opaque(raw, "application/json"), blobs={**IMAGE.blobs, **opaque(raw, "").blobs})
    target = Memory()
    with pytest.raises(OciConvertError) as refused:
        convert(memory(image), target, to="oci")
    assert refused.value.code == code
    assert not target.files
    assert not verify(memory(image)).sound


# -- other stores -------------------------------------------------------------------------------


def memory(image: Image) -> Memory:
    return Memory(layout_files({"app": image}))


def test_an_image_that_hides_in_a_list_of_a_dir_is_found(tmp_path: Any, hidden: Image) -> None:
    from support.images import write_dir

    write_dir(image_list([hidden, OTHER]), tmp_path / "app")
    target = Memory()
    convert(f"dir:{tmp_path}/app", target, to="oci")
    assert {one.digest for one in LAYERS} <= set(blobs_of(target.files))


def test_a_dir_that_calls_its_manifest_nothing_is_no_image(tmp_path: Any) -> None:
    from support.images import write_files

    files = {**dir_files(IMAGE), "manifest.json": stated_as("application/json")}
    write_files(files, tmp_path / "app")
    with pytest.raises(OciConvertError) as refused:
        convert(f"dir:{tmp_path}/app", Memory(), to="oci")
    assert refused.value.code == "unknown-media-type"


def test_a_row_finds_the_hidden_image_that_it_stands_for(tmp_path: Any, hidden: Image) -> None:
    """Docker 25 and later: an archive that is a layout, too."""
    names = [f"blobs/{one.replace(':', '/')}" for one in _digests(IMAGE)]
    row = {"Config": names[0], "RepoTags": ["app:1"], "Layers": names[1:]}
    files = {**layout_files({"app:1": hidden}), "manifest.json": json.dumps([row]).encode()}
    archive = tmp_path / "app.tar"
    archive.write_bytes(archive_of(files))
    target = Memory()
    report = convert(f"docker-archive:{archive}", target, to="oci")
    assert [image.new.digest for image in report.images] == [IMAGE.digest]
    assert set(IMAGE.blobs) <= set(blobs_of(target.files))
    assert not verify(f"docker-archive:{archive}").sound


def _digests(image: Image) -> Iterator[str]:
    yield image.json["config"]["digest"]
    yield from (one["digest"] for one in image.json["layers"])


def test_a_referrer_that_hides_goes_with_its_image(hidden: Image) -> None:
    note = mislabelled(referrer(DOCKER), hidden.media_type)
    store = Memory(layout_files({"app": DOCKER, "": note}))
    target = Memory()
    report = convert(store, target, to="oci")
    assert [image.old and image.old.digest for image in report.images] == [DOCKER.digest]
    made = json.loads(blobs_of(target.files)[report.digest_map[note.digest].digest])
    assert made["subject"]["digest"] == report.images[0].new.digest
    assert FAULTS & {it.code for it in report.findings}


# -- what is no manifest ------------------------------------------------------------------------

NOTES: Final = [Blob("text/plain", b"hello"), Blob("application/x-any", b"world")]
OPAQUE: Final = {
    "an artifact manifest": artifact_manifest(NOTES),
    "one that is called something else": mislabelled(artifact_manifest(NOTES), "text/plain"),
    "something of somebody else": opaque(
        Spelling.COMPACT.write(
            {"parts": {"a": [{"digest": one.digest, "size": len(one.data)} for one in NOTES]}}
        ),
        "application/vnd.example.parts.v1+json",
        NOTES,
    ),
    "something of somebody else with the members of a manifest": opaque(
        stated_as("application/vnd.example.manifest.v1+json"),
        "application/vnd.example.manifest.v1+json",
        [
            Blob(OCI_CONFIG, IMAGE.config),
            *(Blob(OCI_LAYER, one.data) for one in LAYERS),
        ],
    ),
}


@pytest.mark.parametrize("image", OPAQUE.values(), ids=OPAQUE)
def test_what_is_no_manifest_travels_with_all_that_it_names(image: Image) -> None:
    for top in (image, image_list([IMAGE, image])):
        target = Memory()
        report = convert(memory(top), target, to="oci", on_loss="fail")
        assert blobs_of(target.files).items() >= image.blobs.items()
        (told,) = (it for it in report.findings if it.code == "opaque-blob")
        assert image.digest in told.message
        assert "it names" in told.message
        assert {row.old.digest for row in report.map} >= set(image.blobs)
        checked = verify(target)
        assert checked.sound
        assert "orphan-blob" not in {it.code for it in checked.findings}


@pytest.mark.parametrize("image", OPAQUE.values(), ids=OPAQUE)
def test_what_it_names_is_verified(image: Image) -> None:
    named = next(digest for digest in image.blobs if digest != image.digest)
    wrong = replace(image, blobs={**image.blobs, named: b"\0" * len(image.blobs[named])})
    assert not verify(memory(wrong)).sound
    target = Memory()
    with pytest.raises(OciConvertError):
        convert(memory(wrong), target, to="oci")
    assert not target.files


def test_what_it_names_and_is_not_here_is_told() -> None:
    image = artifact_manifest(NOTES).without(NOTES[0].digest)
    report = convert(memory(image), Memory(), to="oci")
    (told,) = report.findings
    assert told.code == "opaque-blob"
    assert told.message.endswith("it names 2 blobs, of which 1 is here")


def test_what_is_no_manifest_does_not_fit_into_a_list_of_docker() -> None:
    image = artifact_manifest(NOTES)
    target = Memory()
    report = convert(memory(image_list([DOCKER, image])), target, to="docker", compress="keep")
    assert image.digest in blobs_of(target.files)  # a list of Docker's keeps its bytes
    report = convert(memory(image_list([IMAGE, image])), Memory(), to="docker")
    assert ("entry-dropped", "images[0].manifests[1]") in {
        (it.code, it.where) for it in report.findings
    }
    with pytest.raises(OciConvertError, match="not an image"):
        convert(memory(image), Memory(), to="docker")


@pytest.mark.parametrize(
    ("content", "media_type", "codes"),
    [
        (b"hello", "text/plain", ["opaque-blob"]),
        (b"{{ template }}", "", ["opaque-blob"]),
        (b'{"name": "a"}', "application/json", ["opaque-blob"]),
        (b'{"name": "a"}{}', "application/json", ["opaque-blob"]),
        (LAYERS[0].data, OCI_LAYER, []),
        (b'{"architecture":"amd64","os":"linux","config":{"Cmd":["sh"]}}', OCI_CONFIG, []),
        (b"\xff" * 5 * 1024 * 1024, "application/x-tar", ["opaque-blob"]),
    ],
)
def test_what_names_nothing_is_told_unless_its_type_says_it(
    content: bytes, media_type: str, codes: list[str]
) -> None:
    image = opaque(content, media_type)
    target = Memory()
    report = convert(memory(image), target, to="oci")
    assert [it.code for it in report.findings] == codes
    assert blobs_of(target.files) == {image.digest: content}
    assert verify(memory(image)).sound


def test_a_layer_that_is_called_a_manifest_brings_what_it_names() -> None:
    wrapped = manifest(
        Blob("application/vnd.example.config", b"{}"), [Blob(OCI_MANIFEST, IMAGE.manifest)]
    )
    wrapped = replace(wrapped, blobs={**IMAGE.blobs, **wrapped.blobs})
    target = Memory()
    report = convert(memory(wrapped), target, to="oci")
    assert set(wrapped.blobs) <= set(blobs_of(target.files))
    assert [(it.code, it.where) for it in report.findings] == [
        ("opaque-blob", "images[0].layers[0]")
    ]


def test_a_well_known_type_costs_no_look() -> None:
    """Of what is called what it is, nothing is read that was not read before."""
    from oci_convert.tree import look

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nobody needs to look")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(look, "begins_object", refuse)
        assert verify(memory(image_list([IMAGE, OTHER]))).sound
