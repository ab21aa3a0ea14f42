"""What ``index.json`` says beside its images is in the target, or a finding names it."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oci_convert import Memory, RefusedError, Report, convert
from oci_convert.stores import DockerArchive, OciLayout
from support.images import (
    OCI_INDEX,
    OCI_MANIFEST,
    REF_NAME,
    Image,
    docker_image,
    layer,
    layout_files,
    oci_image,
    write_files,
)

Json = dict[str, Any]
FULL_NAME: Final = "io.containerd.image.name"
OCI, DOCKER = oci_image([layer("a")]), docker_image([layer("b")])
IMAGES: Final = {OCI.digest: OCI, DOCKER.digest: DOCKER}
AMD: Final = {"architecture": "amd64", "os": "linux"}
ARM: Final = {"architecture": "arm64", "os": "linux"}


def entry(image: Image, name: str | None = None, **members: Any) -> Json:
    found = {"mediaType": image.media_type, "digest": image.digest, "size": len(image.manifest)}
    notes = {**({REF_NAME: name} if name else {}), **members.pop("annotations", {})}
    return found | members | ({"annotations": notes} if notes else {})


def files(entries: Sequence[Json], **members: Any) -> dict[str, bytes]:
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries), **members}
    made = layout_files({"a": OCI, "b": DOCKER})
    return {**made, "index.json": json.dumps(index).encode()}


def index_of(target: Memory) -> Json:
    found: Json = json.loads(target.files["index.json"])
    return found


def told(report: Report, code: str) -> list[tuple[str, str]]:
    return [(it.where, it.message.rpartition(": ")[2]) for it in report.losses if it.code == code]


CARRIED: Final[dict[str, list[Json]]] = {
    "one digest for two platforms": [
        entry(OCI, platform=AMD, annotations={"x": "1"}),
        entry(OCI, platform=ARM, annotations={"x": "2"}),
    ],
    "one digest with and without more": [entry(OCI), entry(OCI, annotations={"x": "1"})],
    "one digest under one name": [entry(OCI, "a", platform=AMD), entry(OCI, "a", platform=ARM)],
    "one digest under two names": [entry(OCI, "a"), entry(OCI, "b", **{"x-foo": 1})],
    "addresses": [entry(OCI, "a", urls=["https://example.com/x"])],
    "a member that nobody knows": [entry(OCI, "a", **{"x-foo": {"y": [1, None, "z"]}})],
    "the type of an artifact": [entry(OCI, "a", artifactType="application/x")],
    "the image itself": [entry(OCI, "a", data=base64.b64encode(OCI.manifest).decode())],
}


@pytest.mark.parametrize("name", CARRIED)
def test_entries_come_along_as_they_are(name: str) -> None:
    source, target = Memory(files(CARRIED[name])), Memory()
    for _ in range(2):
        report = convert(source, target, to="oci", on_loss="fail")
        assert index_of(target)["manifests"] == CARRIED[name]
        assert len(report.images) == len(CARRIED[name])
    before = source.files["index.json"]
    convert(source, source, to="oci", on_loss="fail")
    assert source.files["index.json"] == before


def test_exact_repetitions_are_one() -> None:
    target = Memory()
    convert(Memory(files([entry(OCI), entry(OCI)])), target, to="oci")
    assert index_of(target)["manifests"] == [entry(OCI)]


def test_a_name_that_is_given_is_that_of_all_entries_that_differ(tmp_path: Path) -> None:
    given_entries = [*CARRIED["one digest for two platforms"], entry(OCI, "other")]
    write_files(files(given_entries), tmp_path / "in")
    convert(f"oci:{tmp_path}/in", f"oci:{tmp_path}/out:new", to="oci")
    found = json.loads((tmp_path / "out/index.json").read_bytes())["manifests"]
    assert [it["annotations"][REF_NAME] for it in found] == ["new"] * 3
    assert [it.get("platform") for it in found] == [AMD, ARM, None]


def test_so_is_it_of_those_of_several_sources(tmp_path: Path) -> None:
    members: list[Json] = [{"platform": AMD}, {"platform": ARM, "urls": ["x:y"]}, {"platform": AMD}]
    for i, said_of_it in enumerate(members):
        write_files(files([entry(OCI, f"{i}", **said_of_it)]), tmp_path / f"{i}")
    convert([f"oci:{tmp_path}/{i}" for i in range(3)], f"oci:{tmp_path}/out:new", on_loss="fail")
    found = json.loads((tmp_path / "out/index.json").read_bytes())["manifests"]
    assert found == [entry(OCI, "new", **it) for it in members[:2]]


def test_addresses_and_copies_are_not_those_of_another_document() -> None:
    data = base64.b64encode(DOCKER.manifest).decode()
    source = Memory(files([entry(DOCKER, "a", urls=["https://example.com"], data=data)]))
    target = Memory()
    report = convert(source, target, to="oci")
    assert told(report, "entry-not-carried") == [("images[0]", "urls")]
    (found,) = index_of(target)["manifests"]
    assert found["mediaType"] == OCI_MANIFEST
    assert "urls" not in found
    path = f"blobs/{found['digest'].replace(':', '/')}"
    assert base64.b64decode(found["data"]) == target.files[path]
    with pytest.raises(RefusedError):
        convert(source, Memory(), to="oci", on_loss="fail")


def test_numbers_that_json_has_not_are_named() -> None:
    text = files([entry(OCI, "a", x="HUGE")], y="HUGE")["index.json"].replace(b'"HUGE"', b"1e999")
    source, target = Memory({**files([]), "index.json": text}), Memory()
    report = convert(source, target, to="oci")
    assert told(report, "entry-not-carried") == [("images[0]", "x")]
    assert told(report, "list-not-carried") == [("index.json", "y")]
    assert index_of(target)["manifests"] == [entry(OCI, "a")]


# -- of the list itself -------------------------------------------------------------------------

SAID: Final = {"annotations": {"com.example.release": "42"}, "x-foo": ["bar"]}


def said(target: Memory) -> Json:
    listed = ("schemaVersion", "mediaType", "manifests")
    return {name: value for name, value in index_of(target).items() if name not in listed}


def test_a_new_layout_says_what_the_list_of_the_source_says() -> None:
    source, target = Memory(files([entry(OCI, "a")], **SAID)), Memory()
    convert(source, target, to="oci", on_loss="fail")
    assert said(target) == SAID
    before = target.files["index.json"]
    convert(source, target, to="oci", on_loss="fail")
    assert target.files["index.json"] == before


def test_a_layout_that_has_images_says_what_it_said() -> None:
    target = Memory(files([entry(OCI, "b")], annotations={"mine": "1", "com.example.release": "7"}))
    report = convert(Memory(files([entry(OCI, "a")], **SAID)), target, to="oci")
    assert said(target) == {"annotations": {"mine": "1", "com.example.release": "7"}}
    assert told(report, "list-not-carried") == [
        ("index.json", "x-foo, annotation com.example.release")
    ]


def test_of_two_sources_the_first_is_heard() -> None:
    sources = [Memory(files([entry(OCI, f"{i}")], annotations={"x": f"{i}"})) for i in range(2)]
    target = Memory()
    report = convert(sources, target, to="oci")
    assert said(target) == {"annotations": {"x": "0"}}
    assert told(report, "list-not-carried") == [("index.json", "annotation x")]


def test_what_is_said_of_all_is_not_said_of_one_that_was_chosen(tmp_path: Path) -> None:
    write_files(files([entry(OCI, "a")], **SAID), tmp_path / "in")
    convert(f"oci:{tmp_path}/in:a", f"oci:{tmp_path}/out", on_loss="fail")
    assert not set(SAID) & set(json.loads((tmp_path / "out/index.json").read_bytes()))


def test_the_subject_of_a_list_is_named() -> None:
    source, target = Memory(files([entry(OCI, "a")], subject=entry(OCI))), Memory()
    report = convert(source, target, to="oci")
    assert told(report, "list-not-carried") == [("index.json", "subject")]
    assert said(target) == {}


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_folder_of_one_image_names_what_it_cannot_say(tmp_path: Path, keep_going: bool) -> None:
    members: Json = {"platform": ARM, "annotations": {"x": "1"}, "urls": ["u:x"], "x-foo": 1}
    source = Memory(files([entry(OCI, "a", **members)], **SAID))
    report = convert(source, f"dir:{tmp_path}/out", to="oci", keep_going=keep_going)
    assert told(report, "entry-not-carried") == [
        ("images[0]", "urls, annotation x, platform linux/arm64, x-foo")
    ]
    assert told(report, "list-not-carried") == [
        ("index.json", "x-foo, annotation com.example.release")
    ]
    plain = Memory(files([entry(OCI, "a", platform=AMD, annotations={FULL_NAME: "a:1"})]))
    convert(plain, f"dir:{tmp_path}/plain", to="oci", on_loss="fail")


def test_when_buildkit_made_an_image_is_no_loss(tmp_path: Path) -> None:
    created = {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"}
    for more, level in (({}, "info"), ({"x": "1"}, "loss")):
        source = Memory(files([entry(OCI, "a", annotations={**created, **more})]))
        report = convert(source, f"dir:{tmp_path}/{level}", to="oci")
        (found,) = (it for it in report.findings if it.code == "entry-not-carried")
        assert found.level == level


def test_a_layout_of_before_1_0_names_annotations() -> None:
    source = Memory(files([entry(OCI, "a", platform=AMD, annotations={"x": "1"})], **SAID))
    report = convert(source, Memory(), to="oci-rc2")
    assert told(report, "entry-not-carried") == [("images[0]", "annotation x")]
    assert [where for where, _ in told(report, "list-not-carried")] == ["index.json"]


def test_an_archive_of_docker_says_all_of_it(tmp_path: Path) -> None:
    entries = [*CARRIED["one digest for two platforms"], entry(OCI, "x.io/a:1", **{"x-foo": "bar"})]
    source, archive, back = Memory(files(entries, **SAID)), tmp_path / "app.tar", Memory()
    convert(source, f"docker-archive:{archive}", to="oci", on_loss="fail")
    with tarfile.open(archive) as tar:
        assert "manifest.json" in tar.getnames()
    convert(f"docker-archive:{archive}", back, to="oci", on_loss="fail")
    assert said(back) == SAID
    full = {**entries[2], "annotations": {REF_NAME: "x.io/a:1", FULL_NAME: "x.io/a:1"}}
    found = index_of(back)["manifests"]
    assert len(found) == len(entries)
    assert all(it in found for it in (*entries[:2], full))


def test_another_name_is_that_of_every_entry(tmp_path: Path) -> None:
    write_files(files([*CARRIED["one digest under one name"], entry(OCI, "b")]), tmp_path / "it")
    layout = OciLayout(tmp_path / "it")
    for change in (layout.tag, layout.retag):
        change("a", "b")
        found = json.loads((tmp_path / "it/index.json").read_bytes())["manifests"]
        assert [it["platform"] for it in found if it["annotations"][REF_NAME] == "b"] == [AMD, ARM]


# -- any entries --------------------------------------------------------------------------------

TEXT: Final = st.sampled_from(["1", "2", "ü", '"'])
ANNOTATIONS: Final = st.dictionaries(st.sampled_from(["x", "y", "com.example.z"]), TEXT, max_size=2)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=3,
)
MEMBERS: Final = st.fixed_dictionaries(
    {},
    optional={
        "platform": st.sampled_from([AMD, ARM, {**AMD, "x-cpu": "fast"}]),
        "annotations": ANNOTATIONS,
        "urls": st.just(["https://example.com/x"]),
        "artifactType": st.just("application/vnd.example"),
        "x-foo": VALUES,
        "x-bar": VALUES,
    },
)
NAMES: Final = {None: OCI, "a": OCI, "x.io/b:1": OCI, "c": DOCKER}


@st.composite
def indexes(draw: st.DrawFn) -> Json:
    """What an ``index.json`` lists, several entries of one image too, and says of itself."""
    listed = st.lists(st.tuples(st.sampled_from(list(NAMES)), MEMBERS), min_size=1, max_size=4)
    own = {"annotations": ANNOTATIONS, "x-foo": VALUES, "artifactType": st.just("text/plain")}
    entries = [entry(NAMES[name], name, **members) for name, members in draw(listed)]
    return {"entries": entries, **draw(st.fixed_dictionaries({}, optional=own))}


def parts(members: Mapping[str, Any]) -> dict[str, str]:
    """What members say, by the names that findings have for it."""
    apart = ("annotations", "mediaType", "digest", "size", "schemaVersion", "manifests", "entries")
    said = {name: it for name, it in members.items() if name not in apart}
    notes = members.get("annotations") or {}
    said |= {f"annotation {name}": it for name, it in notes.items()}
    return {name: json.dumps(it) for name, it in said.items()}


def unsaid(source: Mapping[str, Any], target: Mapping[str, Any]) -> set[str]:
    return {name for name, value in parts(source).items() if parts(target).get(name) != value}


def named(report: Report, code: str) -> set[str]:
    """What findings name; of a platform or a type of artifacts, without its value."""
    names = {name for _, names in told(report, code) for name in names.split(", ")}
    return {name.partition(" ")[0] if name[:11] != "annotation " else name for name in names}


def assert_said_or_told(source: Json, target: Json, report: Report) -> None:
    """Everything that the index of a source says is in that of the target, or named."""
    assert unsaid(source, target) == named(report, "list-not-carried")
    become = {row.old.digest: row.new for row in report.map}
    lost = set()
    for one in source["entries"]:
        new = become[one["digest"]]
        alike = (it for it in target["manifests"] if new is not None and it["digest"] == new.digest)
        lost |= min((unsaid(one, it) for it in alike), key=len)
    assert lost == named(report, "entry-not-carried")


@given(indexes(), st.sampled_from(["oci", "docker"]))
def test_whatever_an_index_says_is_in_the_target_or_named(index: Json, to: str) -> None:
    source, target = Memory(files(**index)), Memory()
    report = convert(source, target, to=to)
    assert_said_or_told(index, index_of(target), report)
    before = dict(target.files)
    convert(source, target, to=to)
    assert target.files == before
    try:
        convert(source, Memory(), to=to, on_loss="fail")
    except RefusedError:
        assert report.losses
    else:
        assert not report.losses


@given(indexes(), indexes())
def test_a_layout_that_gains_images_keeps_what_it_had(one: Json, other: Json) -> None:
    target = Memory()
    convert(Memory(files(**one)), target, to="oci")
    had = index_of(target)
    report = convert(Memory(files(**other)), target, to="oci")
    now = index_of(target)
    assert_said_or_told(other, now, report)
    assert parts(now) == parts(had)
    taken = {name_of(it) for it in other["entries"]} - {None}
    assert all(it in now["manifests"] for it in had["manifests"] if name_of(it) not in taken)


def name_of(one: Json) -> str | None:
    found: str | None = (one.get("annotations") or {}).get(REF_NAME)
    return found


@settings(max_examples=30)
@given(indexes())
def test_whatever_an_index_says_is_in_an_archive(index: Json) -> None:
    file, back = io.BytesIO(), Memory()
    report = convert(Memory(files(**index)), DockerArchive(file), to="oci")
    file.seek(0)
    assert not convert(DockerArchive(file), back, to="oci").losses
    assert_said_or_told(index, index_of(back), report)


@settings(max_examples=30)
@given(indexes())
def test_whatever_an_index_says_is_named_where_no_index_is(index: Json) -> None:
    one = index["entries"][0]["digest"]
    index["entries"] = [it for it in index["entries"] if it["digest"] == one]
    with tempfile.TemporaryDirectory() as folder:
        report = convert(Memory(files(**index)), f"dir:{folder}/out", to="oci", fsync=False)
    assert named(report, "list-not-carried") == set(parts(index))
    said = {name for it in index["entries"] for name in parts(it)} - {f"annotation {REF_NAME}"}
    if all(it.get("platform", AMD) == AMD for it in index["entries"]):
        said.discard("platform")  # the image says it itself
    assert named(report, "entry-not-carried") == said
