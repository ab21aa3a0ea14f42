"""Converting indexes: what stays in them, what goes, and what is told of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.conversion.convert import convert
from oci_convert.errors import (
    DocumentError,
    RefusedError,
)
from oci_convert.report import Change
from oci_convert.spec.media_types import Family
from oci_convert.stores.memory import Memory
from oci_convert.verification.verify import verify
from support.images import (
    DOCKER,
    DOCKER_MANIFEST,
    EMPTY,
    LAYERS,
    OCI_MANIFEST,
    REF_NAME,
    Blob,
    Image,
    artifact_manifest,
    attestation,
    digest_of,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    oci_image,
    write_files,
)
from support.runs import (
    AT_HOME,
    FIVE,
    MISLABELLED,
    NONE,
    UNRETURNABLE,
    ZSTD,
    attested,
    blobs,
    codes,
    docker_attested,
    entries,
    everything,
    platforms,
    run,
    store,
    top,
)

# -- indexes ---------------------------------------------------------------------------------------


def test_attestations_are_dropped_on_the_way_to_docker_and_kept_on_the_way_to_oci() -> None:
    image, speaking, index = attested()
    report, target = run(index, "docker")
    assert [entry["platform"]["os"] for entry in entries(report, target)] == ["linux"]
    assert codes(report) == ["attestation-dropped", "not-reversible"]
    assert report.findings[0].where == "images[0].manifests[1]"
    assert speaking.digest not in blobs(target)
    rows = {row.old.digest: row for row in report.map}
    assert rows[speaking.digest].change is Change.DROPPED
    assert rows[speaking.digest].new is None

    image, _, index = attested(docker_image)
    report, target = run(index, "oci")
    assert codes(report)[0] == "attestation-names-old-digest"
    new = report.digest_map
    link = entries(report, target)[1]["annotations"]["vnd.docker.reference.digest"]
    assert link == new[image.digest].digest
    assert link != image.digest


def test_attestations_are_kept_dropped_or_refused_as_asked() -> None:
    image, _, index = attested()
    report, target = run(index, "docker", attestations="keep")
    kept = entries(report, target)[1]
    assert kept["annotations"]["vnd.docker.reference.type"] == "attestation-manifest"
    link = kept["annotations"]["vnd.docker.reference.digest"]
    assert link == report.digest_map[image.digest].digest
    assert json.loads(blobs(target)[kept["digest"]])["mediaType"] == DOCKER_MANIFEST
    assert "attestation-names-old-digest" in codes(report)
    for to in ("oci", "docker"):
        report, target = run(index, to, attestations="drop")
        assert len(entries(report, target)) == 1
        assert "attestation-dropped" in codes(report)
        target = Memory()
        with pytest.raises(RefusedError) as refused:
            convert(store(app=index), target, to=to, attestations="fail")
        assert refused.value.code == "attestation-present"
        assert target.files == {}


IMAGE, OTHER = platforms("linux/amd64", "linux/arm64")
NESTED = image_list([OTHER])
SPEAKING = attestation(IMAGE)
SUBJECT = NESTED.descriptor.triple()
WITH_SUBJECT = image_list([OTHER, attestation(IMAGE)], subject=IMAGE.descriptor.triple())
ATTESTED: dict[str, tuple[Image, dict[str, Any], list[Image | None]]] = {
    "for a nested index": (image_list([IMAGE, NESTED, attestation(NESTED)]), {}, []),
    "for a nested index, and for the one for it": (
        image_list([IMAGE, NESTED, attestation(attestation(NESTED)), attestation(NESTED)]),
        {},
        [],
    ),
    "for what a nested index lists": (
        image_list([IMAGE, image_list([NESTED]), attestation(OTHER)]),
        {},
        [OTHER],
    ),
    "for an attestation of an image that goes": (
        image_list([attestation(SPEAKING), SPEAKING, IMAGE, OTHER, attestation(OTHER)]),
        {"platforms": "linux/arm64"},
        [OTHER],
    ),
    "for an attestation": (
        image_list([attestation(SPEAKING), SPEAKING, IMAGE, OTHER]),
        {},
        [SPEAKING, IMAGE],
    ),
    "for a subject": (image_list([IMAGE, attestation(NESTED)], subject=SUBJECT), {}, []),
    "for a subject that stays": (
        image_list([IMAGE, attestation(NESTED)], subject=SUBJECT),
        {"keep_extensions": True},
        [None],
    ),
    "for the subject of a nested index": (
        image_list([OTHER, WITH_SUBJECT]),
        {"keep_extensions": True},
        [],
    ),
    "for the subject of a nested index, which is an entry, too": (
        image_list([IMAGE, image_list([IMAGE, SPEAKING], subject=IMAGE.descriptor.triple())]),
        {"keep_extensions": True},
        [IMAGE],
    ),
}


@pytest.mark.parametrize("name", ATTESTED)
def test_an_attestation_names_what_the_list_has_or_goes(name: str) -> None:
    index, options, named = ATTESTED[name]
    report, target = run(index, "docker", attestations="keep", **options)
    found = [
        entry["annotations"]["vnd.docker.reference.digest"]
        for entry in entries(report, target)
        if "annotations" in entry
    ]
    new = [None if of is None else report.digest_map[of.digest].digest for of in named]
    assert found == [SUBJECT["digest"] if it is None else it for it in new]
    assert not [it for it in verify(target).findings if it.code == "dangling-reference"]
    listed = [
        made
        for made in index.documents.values()
        if b"in-toto" in made and digest_of(made) not in report.digest_map
    ]
    assert codes(report).count("attestation-dropped") == len(listed)
    assert {it.level for it in report.findings if it.code == "attestation-dropped"} <= {"loss"}


def test_a_nested_index_gives_way_to_its_entries_in_docker() -> None:
    one, two, three = platforms("linux/amd64", "linux/arm64", "linux/s390x")
    index = image_list([one, image_list([image_list([two]), three])])
    report, target = run(index, "docker")
    made = [report.digest_map[image.digest].digest for image in (one, two, three)]
    assert [entry["digest"] for entry in entries(report, target)] == made
    assert all(entry["mediaType"] == DOCKER_MANIFEST for entry in entries(report, target))
    assert codes(report).count("nested-index-flattened") == 2
    assert {row.change for row in report.map if row.kind == "index"} == {
        Change.EDITED,
        Change.DROPPED,
    }


def test_a_nested_index_above_a_recompressed_layer_gives_way_too() -> None:
    image = oci_image([layer("z", ZSTD)])
    for nested in (image_list([image]), image_list([image_list([image])])):
        report, target = run(image_list([nested]), "docker")
        assert [entry["digest"] for entry in entries(report, target)] == [
            report.digest_map[image.digest].digest
        ]
        assert convert(
            store(app=image_list([nested])), Memory(), to="docker", dry_run=True
        ).images == (report.images)


def test_a_nested_index_that_holds_nothing_for_docker_goes() -> None:
    image = oci_image()
    for nested in (image_list([], Family.OCI), image_list([attestation(image)])):
        for children in ([nested, image], [image, nested], [nested, image, nested]):
            report, target = run(image_list(children), "docker")
            assert [entry["digest"] for entry in entries(report, target)] == [
                report.digest_map[image.digest].digest
            ]


def test_indexes_that_name_billions_are_refused() -> None:
    nested = image_list(platforms("linux/amd64"))
    for _ in range(12):
        nested = image_list([nested] * 40)
    target = Memory()
    with pytest.raises(DocumentError) as refused:
        convert(store(app=nested), target, to="docker")
    assert refused.value.code == "document-too-large"
    assert target.files == {}
    report, target = run(nested, "oci")
    assert blobs(target) == nested.blobs
    assert len(report.map) == len(nested.blobs)


def test_an_index_of_which_nothing_is_left_is_refused() -> None:
    artifact = manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"hello")])
    target = Memory()
    with pytest.raises(RefusedError) as refused:
        convert(store(app=image_list([artifact, artifact])), target, to="docker")
    assert refused.value.code == "not-an-image"
    assert target.files == {}


def test_an_artifact_in_an_index_is_left_out_of_a_docker_list() -> None:
    image = oci_image()
    artifact = manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"hello")])
    report, target = run(image_list([image, artifact]), "docker")
    assert len(entries(report, target)) == 1
    assert codes(report) == ["entry-dropped", "not-reversible"]
    assert report.findings[0].where == "images[0].manifests[1]"
    assert artifact.digest in report.findings[0].message or report.losses


def test_a_platform_comes_from_the_config() -> None:
    images = [image.with_entry(platform=None) for image in platforms("linux/arm64/v8")]
    unknown = oci_image(config=b'{"rootfs":{"type":"layers","diff_ids":[]}}')
    images.append(unknown.with_entry(platform=None))
    report, target = run(image_list(images), "docker")
    assert entries(report, target)[0]["platform"] == {
        "architecture": "arm64",
        "os": "linux",
        "variant": "v8",
    }
    assert "platform" not in entries(report, target)[1]
    assert codes(report)[:2] == ["platform-added", "platform-unknown"]


# -- platforms -------------------------------------------------------------------------------------


def test_a_chosen_platform_gives_a_closed_index_and_needs_no_other() -> None:
    amd64, arm64, s390x = platforms("linux/amd64", "linux/arm64", "linux/s390x")
    index = image_list([amd64, arm64, attestation(amd64), attestation(arm64), s390x])
    only = set(arm64.blobs) | set(attestation(arm64).blobs)
    sparse = index.without(*(set(index.blobs) - only - {index.digest}))
    for image in (index, sparse):
        report, target = run(image, "oci", platforms=["linux/arm64"])
        assert [entry["digest"] for entry in entries(report, target)] == [
            arm64.digest,
            attestation(arm64).digest,
        ]
        assert set(blobs(target)) == only | {report.images[0].new.digest}
        assert set(codes(report)) >= {"platform-not-selected", "attestation-dropped"}


def test_a_platform_that_is_not_there_names_those_that_are() -> None:
    index = image_list(platforms("linux/amd64", "linux/arm64"))
    other = image_list(platforms("linux/s390x"))
    for images, wanted in (
        ({"app": index}, ["linux/s390x"]),
        ({"app": index}, ["linux/amd64", "linux/s390x"]),
        ({"app": index, "other": other}, ["linux/arm64", "linux/riscv64"]),
        ({"other": other, "app": oci_image()}, ["linux/riscv64"]),
    ):
        target = Memory()
        with pytest.raises(RefusedError) as refused:
            convert(store(**images), target, to="docker", platforms=wanted)
        assert refused.value.code == "no-such-platform"
        assert wanted[-1] in refused.value.message
        assert "linux/" in refused.value.remedy
        assert target.files == {}


def test_an_image_without_the_platform_does_not_stop_the_others(tmp_path: Path) -> None:
    index, other = image_list(platforms("linux/amd64", "linux/s390x")), oci_image()
    write_files(layout_files({"app": index, "other": other}), tmp_path / "in")
    source = f"oci:{tmp_path}/in"
    for keep_going in (False, True):
        target = Memory()
        report = convert(source, target, platforms=["linux/s390x"], keep_going=keep_going)
        assert [image.name for image in report.images] == ["app"]
        (lost,) = report.losses
        assert (lost.code, lost.where) == ("no-such-platform", "images[1]")
        assert lost.message.startswith(f"other ({other.digest}) was left out: ")
        assert report.pins[other.digest] is None
    for named, on_loss in ((f"{source}:other", "report"), (source, "fail")):
        with pytest.raises(RefusedError) as refused:
            convert(named, Memory(), platforms=["linux/s390x"], on_loss=on_loss)
        assert refused.value.code == "no-such-platform"


def test_a_platform_is_taken_from_the_config_where_no_entry_states_it() -> None:
    amd64, arm64 = (
        image.with_entry(platform=None) for image in platforms("linux/amd64", "linux/arm64/v8")
    )
    report, target = run(image_list([amd64, arm64]), "oci", platforms=["linux/arm64"])
    assert [entry["digest"] for entry in entries(report, target)] == [arm64.digest]
    report, _ = run(arm64, "docker", platforms=["linux/arm64/v8"])
    assert report.to_json()["images"][0]["old"] == arm64.descriptor.triple()


def test_a_platform_reaches_into_nested_indexes() -> None:
    amd64, arm64 = platforms("linux/amd64", "linux/arm64")
    index = image_list([image_list([amd64]), image_list([arm64])])
    report, target = run(index, "oci", platforms=["linux/arm64"])
    assert len(entries(report, target)) == 1
    assert amd64.digest not in blobs(target)
    assert arm64.digest in blobs(target)


# -- flattening ------------------------------------------------------------------------------------


def test_an_index_of_one_image_gives_way_to_it() -> None:
    image, _, index = attested()
    for nested in (index, image_list([index])):
        report, target = run(nested, "docker", flatten=True)
        assert report.images[0].new.media_type == DOCKER_MANIFEST
        assert "index-flattened" in codes(report)
        assert set(blobs(target)) == {
            report.images[0].new.digest,
            digest_of(image.config),
            *(it.digest for it in LAYERS),
        }
        assert report.to_json()["images"][0]["old"] == nested.descriptor.triple()
        assert nested.digest in report.originals
        assert report.originals[nested.digest] == nested.manifest


def test_flattening_wants_one_image() -> None:
    index = image_list(platforms("linux/amd64", "linux/arm64"))
    with pytest.raises(RefusedError) as refused:
        run(index, "oci", flatten=True)
    assert refused.value.code == "not-one-image"
    assert "linux/amd64, linux/arm64" in str(refused.value)
    report, _ = run(index, "oci", flatten=True, platforms=["linux/arm64"])
    assert report.images[0].new.media_type == OCI_MANIFEST


ARM: dict[str, str] = {"architecture": "arm64", "os": "linux", "variant": "v8"}


def entry_alone() -> Image:
    """An index that alone says which variant its image is for, and what version it is."""
    image = oci_image(platform="linux/arm64")
    listed = image.with_entry(platform=ARM, annotations={"version": "43", REF_NAME: "inner"})
    return image_list([listed], annotations={"source": "here"})


@pytest.mark.parametrize("nested", [False, True])
def test_what_an_entry_says_moves_up_with_its_image(nested: bool) -> None:
    index = image_list([entry_alone()]) if nested else entry_alone()
    report, target = run(index, "oci", flatten=True)
    (entry,) = json.loads(target.files["index.json"])["manifests"]
    assert entry["platform"] == ARM
    assert entry["annotations"] == {"version": "43", REF_NAME: "app"}
    assert report.images[0].platform == "linux/arm64/v8"
    *others, loss = report.losses
    assert loss.message.endswith("lost: the annotations of the index: source=here")
    assert [it.where for it in others] == (["images[0].manifests[0]"] if nested else [])


def test_the_platform_moves_up_for_docker_too_and_annotations_are_losses_as_always() -> None:
    report, target = run(entry_alone(), "docker", flatten=True)
    (entry,) = json.loads(target.files["index.json"])["manifests"]
    assert entry["platform"] == ARM
    assert codes(report).count("annotations-removed") == 2


@pytest.mark.parametrize("family", ["oci", "docker"])
def test_what_a_target_without_entries_cannot_hold_is_named(family: str, tmp_path: Path) -> None:
    report = convert(store(app=entry_alone()), f"dir:{tmp_path}/app", to=family, flatten=True)
    (loss,) = (it for it in report.losses if it.code == "index-flattened")
    assert "the platform of its entry, linux/arm64/v8" in loss.message
    assert ("version=43" in loss.message) is (family == "oci")


def saying(mark: str, *names: str) -> dict[str, Any]:
    """Members of an entry or an index, each with words that nothing else has."""
    every = {
        "annotations": {f"key-{mark}": f"text-{mark}", "common": f"common-{mark}"},
        "artifactType": f"application/type-{mark}",
        "urls": [f"https://example.com/{mark}"],
        "platform": {"architecture": "arm64", "os": "linux", "variant": f"variant-{mark}"},
        "subject": Image(mark.encode(), OCI_MANIFEST, {}, {}).descriptor.triple(),
        f"x-{mark}": True,
    }
    return {name: every[name] for name in names}


def words(members: dict[str, Any]) -> set[str]:
    """What in such members nothing else says."""
    found = re.findall(r"[a-z/]+-[a-z0-9]+|https:[a-z0-9./]+|sha256:[0-9a-f]+", json.dumps(members))
    return set(found)


MEMBERS = st.sets(st.sampled_from(["annotations", "artifactType", "urls", "platform", "x-"]))


@given(
    levels=st.lists(st.tuples(MEMBERS, MEMBERS | st.just({"subject"})), min_size=1, max_size=3),
    top=MEMBERS,
    options=st.fixed_dictionaries(
        {
            "to": st.sampled_from(["oci", "docker"]),
            "keep_extensions": st.booleans(),
            "flatten": st.booleans(),
        }
    ),
    entries=st.booleans(),
)
def test_all_that_is_said_is_in_the_target_or_told(
    levels: list[tuple[set[str], set[str]]],
    top: set[str],
    options: dict[str, Any],
    entries: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Of an image below indexes: by what names each of them, and by each of itself."""

    def members(chosen: set[str], mark: str) -> dict[str, Any]:
        return saying(mark, *(f"x-{mark}" if name == "x-" else name for name in sorted(chosen)))

    image, said = oci_image(platform="linux/arm64").with_entry(platform=None), set[str]()
    for i, (of_entry, of_index) in enumerate(levels):
        entry = members(of_entry, f"e{i}")
        index = members(of_index - {"urls", "platform"}, f"i{i}")
        said |= words(entry) | words(index)
        image = image_list([image.with_entry(**entry)], Family.OCI, **index)
    root = members(top, "r")
    said |= words(root) if entries else set()  # else it is told by its names
    files = layout_files({"app": image})
    listed = json.loads(files["index.json"])
    [only] = listed["manifests"]
    named = {**root.pop("annotations", {}), **only["annotations"]}
    only |= {**root, "annotations": named}
    source = Memory({**files, "index.json": json.dumps(listed).encode()})
    target: Any = Memory()
    if not entries:
        target = f"dir:{tmp_path_factory.mktemp('to')}/app"
    report = convert(source, target, **options)
    made = target.files if entries else dict(enumerate(read_files(target[4:])))
    texts = [data.decode(errors="replace") for data in made.values()]
    texts += [it.message for it in report.findings if it.level in ("loss", "info")]
    for it in report.findings:  # of an entry in index.json, `urls` are told by their name
        if it.code == "entry-not-carried" and "urls" in it.message:
            texts += [f"https://example.com/{mark}" for mark in ("e0", "r")]
    assert not {word for word in said if not any(word in text for text in texts)}


def read_files(folder: str) -> list[bytes]:
    return [path.read_bytes() for path in Path(folder).iterdir() if path.is_file()]


NEW: dict[str, Any] = {"x-new": 1}
LOST: dict[str, tuple[Image, dict[str, Any], dict[str, Any], str]] = {
    "an entry's annotation that the root overrides": (
        image_list([oci_image().with_entry(annotations={"k": "entry"})]),
        {"annotations": {"k": "root"}},
        {},
        "the annotations of its entry: k=entry",
    ),
    "a platform of the root": (
        image_list([oci_image()]),
        {"platform": ARM},
        {},
        "the platform of an index, linux/arm64/v8",
    ),
    "members of the root": (
        image_list([oci_image()]),
        {"artifactType": "application/x", **NEW},
        {},
        "the artifactType of an index, application/x; x-new of an index",
    ),
    "members of the index": (
        image_list([oci_image()], **NEW),
        {},
        {"to": "docker"},
        "x-new of the index",
    ),
    "annotations of the index that would stay": (
        image_list([oci_image()], annotations={"a": "b"}),
        {},
        {"to": "docker", "keep_extensions": True},
        "the annotations of the index: a=b",
    ),
}


@pytest.mark.parametrize("name", LOST)
def test_what_a_flattened_index_loses_is_named(name: str) -> None:
    index, root, options, lost = LOST[name]
    files = layout_files({"app": index.with_entry(**root)})
    listed = json.loads(files["index.json"])
    listed["manifests"][0] |= {key: it for key, it in root.items() if key != "annotations"}
    source = Memory({**files, "index.json": json.dumps(listed).encode()})
    report = convert(source, Memory(), flatten=True, **options)
    messages = [it.message for it in report.losses if it.code == "index-flattened"]
    assert messages == [f"index replaced by its only image; lost: {lost}"]


def test_what_an_entry_says_of_its_image_stays_true_of_it() -> None:
    said = saying("e", "urls", "artifactType", "x-e")
    _, target = run(image_list([oci_image().with_entry(**said)]), "oci", flatten=True)
    (entry,) = json.loads(target.files["index.json"])["manifests"]
    assert {name: entry[name] for name in said} == said


def test_what_is_said_of_a_nested_index_is_named_where_its_entries_replace_it() -> None:
    nested = image_list([oci_image()], **NEW).with_entry(
        annotations={"a": "b"}, urls=["https://example.com/"], platform=ARM
    )
    report, _ = run(image_list([nested]), "docker")
    (message,) = (it.message for it in report.losses if it.code == "nested-index-flattened")
    assert message.split("; lost: ")[1].split("; ") == [
        "x-new of the index",
        "the platform of the index, linux/arm64/v8",
        "the annotations of its entry: a=b",
        "the urls of its entry, https://example.com/",
    ]


def test_each_index_that_goes_is_told() -> None:
    nested = image_list([docker_image()], annotations={"nested": "yes"})
    index = image_list([nested], Family.DOCKER, annotations={"outer": "yes"})
    report, _ = run(index, "docker", flatten=True)
    told = {it.where: it.message for it in report.findings if it.code == "index-flattened"}
    assert told.keys() == {"images[0]", "images[0].manifests[0]"}
    assert "outer=yes" in told["images[0]"]
    assert "nested=yes" in told["images[0]"]


def test_what_takes_the_place_of_a_list_is_an_image() -> None:
    index = image_list([artifact_manifest([Blob("text/plain", b"hello")])], Family.DOCKER)
    with pytest.raises(RefusedError) as refused:
        run(index, "docker", flatten=True)
    assert (refused.value.code, refused.value.where) == ("not-an-image", "images[0].manifests[0]")


def test_the_record_keeps_what_was_flattened() -> None:
    nested = image_list(platforms("linux/amd64"), annotations={"a": "b"})
    index = image_list([nested])
    report, _ = run(index, "docker")
    assert report.originals[nested.digest] == nested.manifest
    assert report.originals[index.digest] == index.manifest


# -- losses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (oci_image(annotations={"a": "b"}), "annotations-removed"),
        (attested()[2], "attestation-dropped"),
        (image_list([image_list([oci_image()])]), "nested-index-flattened"),
        (oci_image(subject=oci_image([]).descriptor.triple()), "subject-removed"),
    ],
)
def test_a_loss_is_refused_before_anything_is_written(image: Image, code: str) -> None:
    report, _ = run(image, "docker")
    assert code in {finding.code for finding in report.losses}
    target = Memory()
    with pytest.raises(RefusedError) as refused:
        convert(store(app=image), target, to="docker", on_loss="fail")
    assert refused.value.code == report.losses[0].code
    assert target.files == {}


LOSSLESS: dict[str, tuple[Image, str, str]] = {
    "an added media type": (oci_image(stated=False), "docker", "not-reversible"),
    "a corrected label": (*MISLABELLED["tar as gzip"][:1], "oci", "mislabelled-layer"),
    "an added platform": (
        image_list([oci_image().with_entry(platform=None)]),
        "docker",
        "platform-added",
    ),
    "layers that are null": (*UNRETURNABLE["no layers"], "not-reversible"),
    "a corrected config": (*UNRETURNABLE["octets"], "config-type-corrected"),
    "a layer that is recompressed": (
        oci_image([layer("z", ZSTD)]),
        "docker",
        "not-reversible-repacked",
    ),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_what_does_not_come_back_need_not_be_lost(name: str) -> None:
    image, to, code = LOSSLESS[name]
    report, _ = run(image, to, on_loss="fail")
    assert report.losses == ()
    assert not report.reversible
    assert code in codes(report)
    target = Memory()
    with pytest.raises(RefusedError, match="require_reversible=True") as refused:
        convert(store(app=image), target, to=to, require_reversible=True)
    assert refused.value.code == "not-reversible"
    assert refused.value.place.startswith("memory: images[0]")
    assert target.files == {}


def test_what_comes_back_is_what_is_required() -> None:
    for image in (docker_image(), oci_image(), image_list([docker_image(), docker_image()])):
        report, target = run(image, "docker", require_reversible=True)
        back = convert(target, Memory(), to="oci", require_reversible=True)
        assert report.reversible
        assert back.reversible


def test_an_index_that_is_replaced_is_not_reversible() -> None:
    with pytest.raises(RefusedError) as refused:
        run(image_list([docker_image()]), "docker", flatten=True, require_reversible=True)
    assert refused.value.code == "not-reversible"


def test_what_a_record_gives_back_is_reversible() -> None:
    image = oci_image(annotations={"a": "b"})
    report, between = run(image, "docker")
    record = report.dumps(originals=True).encode()
    back = convert(between, Memory(), to="oci", restore=record, require_reversible=True)
    assert back.images[0].new.digest == image.digest


def test_a_layer_that_is_recompressed_is_no_loss() -> None:
    report, _ = run(oci_image([layer("z", ZSTD)]), "docker", on_loss="fail")
    assert report.losses == ()
    assert not report.reversible


def test_extensions_stay_if_asked() -> None:
    image = oci_image(annotations={"a": "b"}, artifactType="x/y")
    report, target = run(image, "docker", keep_extensions=True)
    assert top(report, target)["annotations"] == {"a": "b"}
    assert report.losses == ()
    back = Memory()
    assert (
        convert(target, back, to="oci", keep_extensions=True).images[0].new.triple()
        == image.descriptor.triple()
    )


def test_a_docker_list_with_attestations_tells_that_it_does_not_come_back() -> None:
    image, _, index = attested(docker_image)
    report, between = run(index, "oci")
    assert "not-reversible" in codes(report)
    back = convert(between, Memory(), to="docker")
    assert back.images[0].new.digest != index.digest
    assert report.digest_map[image.digest].digest in back.digest_map
    keep: dict[str, Any] = {"attestations": "keep", "keep_extensions": True}
    report, between = run(index, "oci", **keep)
    assert report.reversible
    back = convert(between, Memory(), to="docker", **keep)
    assert back.images[0].new.digest == index.digest


REVERSIBLE: list[tuple[Image, str, dict[str, Any]]] = [
    *((image, to, {}) for image, _ in AT_HOME.values() for to in ("docker", "oci")),
    *((image, to, {}) for image, to in UNRETURNABLE.values()),
    *((image, "docker", {"keep_extensions": True}) for image, _ in UNRETURNABLE.values()),
    *((image, "oci", {}) for image, _ in MISLABELLED.values()),
    *((image, "docker", {}) for image, _ in MISLABELLED.values()),
    *((everything(), "docker", {"attestations": policy}) for policy in ("auto", "keep", "drop")),
    *((docker_attested(), "oci", {"attestations": policy}) for policy in ("auto", "keep", "drop")),
    (docker_attested(), "oci", {"attestations": "keep", "keep_extensions": True}),
    (image_list([docker_image()]), "oci", {"flatten": True}),
    (image_list([oci_image()]), "docker", {"platforms": ["linux/amd64"]}),
    (everything(), "docker", {"platforms": ["linux/amd64"]}),
    (docker_image(FIVE), "oci", {"compress": "zstd"}),
    (docker_image([layer("n", NONE)]), "oci", {"compress": "none"}),
]


@pytest.mark.parametrize(("image", "to", "options"), REVERSIBLE)
def test_a_run_is_reversible_exactly_if_converting_back_gives_the_same_image(
    image: Image, to: str, options: dict[str, Any]
) -> None:
    try:
        report, between = run(image, to, **options)
    except RefusedError as refused:
        assert refused.code in ("not-an-image", "encrypted-layer")  # noqa: PT017 - not all raise
        return
    docker = image.media_type.startswith(DOCKER)
    back_options = {
        name: value for name, value in options.items() if (name, value) != ("compress", "zstd")
    }
    back = convert(between, Memory(), to="docker" if docker else "oci", **back_options)
    assert report.reversible == (back.images[0].new.digest == image.digest)
