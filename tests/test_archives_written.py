"""Archives as targets: what is in them, that they are the same every time, and what goes wrong."""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from oci_convert import testing
from oci_convert.conversion.convert import convert
from oci_convert.errors import BlobError, OciConvertError, StoreError, UsageError
from oci_convert.report import Report
from oci_convert.spec.media_types import Compression, Family
from oci_convert.spec.names import repository_tag
from oci_convert.stores import DockerArchive, OciArchive, Store
from oci_convert.stores.base import Root, SinkOptions, Source
from oci_convert.stores.files.file import temporary
from oci_convert.stores.files.outputs import NewFile, Stream
from oci_convert.stores.files.tar_writer import WritableTar, header
from oci_convert.stores.memory import Memory
from oci_convert.stores.references import parse
from oci_convert.testing import SmallImage, contract, image_index, images
from oci_convert.testing.contract import BLOB, DATA
from support.archives import CONTAINERD_NAME, Saved, archive, docker_20
from support.contract import UNFINISHED, OurContract, fill, root_of
from support.images import (
    LAYERS,
    REF_NAME,
    Image,
    Spelling,
    attestation,
    cosign_signature,
    digest_of,
    docker_image,
    files_below,
    image_list,
    layer,
    layout_files,
    oci_image,
    referrer,
    write_dir,
    write_layout,
)

# -- the contract -------------------------------------------------------------------------------


class _Archive(OurContract):
    """A store that is a tar file."""

    kind: ClassVar[type[DockerArchive | OciArchive]]
    grows = False
    shared = False

    def make(self, tmp_path: Path) -> Store:
        self.target = tmp_path / "new" / "target"
        return self.kind(self.target)

    def file_name(self, digest: str) -> str:
        return f"blobs/{digest.replace(':', '/')}"

    def contents(self) -> dict[str, bytes]:
        """The members of the archive, and those of unfinished ones."""
        found: dict[str, bytes] = {}
        for name, data in files_below(self.target.parent).items():
            prefix = f"{name}/" if UNFINISHED in name else ""
            found |= {prefix + member: content for member, content in members(data).items()}
        return found

    def exists(self) -> bool:
        return self.target.parent.exists()

    def damage(self, digest: str, data: bytes) -> None:
        held = members(self.target.read_bytes())
        self.target.write_bytes(archive({**held, self.file_name(digest): data}))

    def test_a_blob_is_hashed_again_only_when_asked(self) -> None:
        pytest.skip("a new archive holds nothing but what its own run has verified")

    def test_a_failed_run_leaves_what_another_one_may_have_counted_on(self, stored: Source) -> None:
        pytest.skip("no other run sees what is unfinished")

    def test_no_folder_of_unfinished_files_is_left(self, image: SmallImage) -> None:
        contract.store(self.sink(), image)
        assert not (self.target.parent / UNFINISHED).exists()

    def test_a_failed_run_leaves_a_target_that_was_empty(self, image: SmallImage) -> None:
        self.target.parent.mkdir(parents=True)
        with self.sink() as sink:
            images.fill(sink, image)
            sink.abort()
        assert list(self.target.parent.iterdir()) == []

    def test_a_failed_run_leaves_a_store_with_images_as_it_is(
        self, stored: Source, image: SmallImage
    ) -> None:
        before = self.target.read_bytes()
        with self.sink(force=True) as sink:
            images.fill(sink, image)
            sink.put([DATA], "here")
            sink.abort()
        assert files_below(self.target.parent) == {"target": before}

    def test_what_dead_runs_left_is_removed_and_what_living_ones_write_is_not(
        self, image: SmallImage
    ) -> None:
        unfinished = self.target.parent / UNFINISHED
        (unfinished / "dead").mkdir(parents=True)
        (unfinished / "dead" / "1").write_bytes(b"x")
        with self.sink() as living:
            living.put([DATA], "here", expected=BLOB)
            (run,) = unfinished.iterdir()
            assert run.name != "dead"
            contract.store(self.sink(), image)
            assert [*unfinished.iterdir()] == [run]
            living.abort()
        assert not unfinished.exists()
        assert len(self.images()) == 1

    def test_files_have_the_mode_that_the_umask_gives(self, image: SmallImage) -> None:
        contract.store(self.sink(), image)
        probe = self.target.parent / "probe"
        probe.touch()
        assert self.target.stat().st_mode == probe.stat().st_mode


class TestOciArchive(_Archive):
    """An OCI layout in a tar file."""

    kind = OciArchive


class TestRc2Archive(_Archive):
    """A layout of 1.0.0-rc2 in a tar file."""

    kind = OciArchive
    family = Family.OCI_RC2


class TestDockerArchive(_Archive):
    """What ``docker load`` takes."""

    kind = DockerArchive
    family = Family.DOCKER

    @pytest.fixture
    def image(self) -> SmallImage:
        """A name has room for one platform."""
        return image_index(testing.docker_image({"srv/data": bytes(9999)}, {"etc/motd": "more"}))


FULL = "docker.io/library/app:1"

# -- what is written ----------------------------------------------------------------------------


def members(data: bytes) -> dict[str, bytes]:
    """The complete files in the bytes of an archive; one that breaks off is passed over."""
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as opened:
            for member in opened:
                file = opened.extractfile(member)
                if file is not None:
                    found[member.name] = file.read()
    except tarfile.TarError:
        pass
    return found


def rows_of(data: bytes) -> Any:
    return json.loads(members(data)["manifest.json"])


def entries_of(data: bytes) -> Any:
    return json.loads(members(data)["index.json"])["manifests"]


def memory(**images: Image) -> Memory:
    """A layout in memory; an image called ``_`` has no name."""
    return Memory(layout_files({"" if name == "_" else name: it for name, it in images.items()}))


def blob_of(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def test_a_docker_archive_is_a_layout_with_rows(tmp_path: Path) -> None:
    image = docker_image()
    write_dir(image, tmp_path / "app")
    convert(f"dir:{tmp_path}/app", f"docker-archive:{tmp_path}/app.tar:app:1")
    data = (tmp_path / "app.tar").read_bytes()
    layers = [blob_of(each.digest) for each in image.layers]
    config, manifest = blob_of(digest_of(image.config)), blob_of(image.digest)
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        listed = opened.getmembers()
    assert [member.name for member in listed] == [
        "blobs",
        "blobs/sha256",
        *layers,
        config,
        manifest,
        "manifest.json",
        "oci-layout",
        "index.json",
    ]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in listed} == {(0, 0, 0, "", "")}
    assert {(m.type, m.mode) for m in listed[:2]} == {(tarfile.DIRTYPE, 0o755)}
    assert {(m.type, m.mode) for m in listed[2:]} == {(tarfile.REGTYPE, 0o644)}
    assert len(data) - len(data.rstrip(b"\0")) < 1024 + 512
    assert data.endswith(bytes(1024))
    row = {"Config": config, "RepoTags": [FULL], "Layers": layers}
    assert members(data)["manifest.json"] == json.dumps([row], separators=(",", ":")).encode()
    names = {REF_NAME: "app:1", CONTAINERD_NAME: FULL}
    assert entries_of(data) == [{**image.descriptor.triple(), "annotations": names}]
    assert members(data)["oci-layout"] == b'{"imageLayoutVersion":"1.0.0"}'


def test_an_oci_archive_is_a_layout(tmp_path: Path) -> None:
    image = image_list([oci_image(), oci_image(platform="linux/arm64")])
    convert(memory(app=image), f"oci-archive:{tmp_path}/app.tar")
    assert members((tmp_path / "app.tar").read_bytes()) == layout_files({"app": image})


BARE = {"docker": True, "oci": False, "oci-rc2": False}


@pytest.mark.parametrize(("family", "rows"), BARE.items())
def test_a_path_that_ends_in_tar_is_an_archive_of_the_family(
    family: str, rows: bool, tmp_path: Path
) -> None:
    convert(memory(app=oci_image()), tmp_path / "app.tar", to=family)
    assert ("manifest.json" in members((tmp_path / "app.tar").read_bytes())) is rows


def test_a_docker_archive_may_hold_oci_types(tmp_path: Path) -> None:
    image = oci_image()
    convert(memory(app=image), f"docker-archive:{tmp_path}/app.tar", to="oci")
    (row,) = rows_of((tmp_path / "app.tar").read_bytes())
    assert row["Layers"] == [blob_of(each.digest) for each in image.layers]
    assert entries_of((tmp_path / "app.tar").read_bytes())[0]["mediaType"] == image.media_type


def test_a_docker_archive_has_no_form_of_the_age_of_rc2(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        convert(memory(app=oci_image()), f"docker-archive:{tmp_path}/a/app.tar", to="oci-rc2")
    assert refused.value.code == "no-such-form"


@pytest.mark.parametrize("spelling", Spelling)
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_way_through_an_archive_changes_nothing(
    spelling: Spelling, algorithm: str, tmp_path: Path
) -> None:
    layers = [layer("one", size=99_999, algorithm=algorithm), layer("two", algorithm=algorithm)]
    image = docker_image(layers, spelling)
    write_dir(image, tmp_path / "before")
    there = convert(tmp_path / "before", f"docker-archive:{tmp_path}/app.tar:app:1")
    convert(tmp_path / "app.tar", f"dir:{tmp_path}/after", to="docker")
    after, before = files_below(tmp_path / "after"), files_below(tmp_path / "before")
    assert {**after, "version": before["version"]} == before
    assert there.reversible


def test_plain_layers_of_a_daemon_stay_plain_in_a_docker_archive(tmp_path: Path) -> None:
    (tmp_path / "saved.tar").write_bytes(archive(docker_20(Saved(["app:1"]))))
    convert(tmp_path / "saved.tar", f"docker-archive:{tmp_path}/app.tar")
    held = members((tmp_path / "app.tar").read_bytes())
    assert [held[name] for name in rows_of((tmp_path / "app.tar").read_bytes())[0]["Layers"]] == [
        each.tar for each in LAYERS
    ]
    convert(tmp_path / "saved.tar", f"oci-archive:{tmp_path}/oci.tar")
    held = members((tmp_path / "oci.tar").read_bytes())
    assert not any(held.get(blob_of(each.diff_id)) for each in LAYERS)


def test_layers_are_unpacked_for_readers_that_want_them_plain(tmp_path: Path) -> None:
    convert(memory(app=oci_image()), f"docker-archive:{tmp_path}/app.tar", compress="none")
    held = members((tmp_path / "app.tar").read_bytes())
    (row,) = rows_of((tmp_path / "app.tar").read_bytes())
    assert [held[name] for name in row["Layers"]] == [each.tar for each in LAYERS]
    assert row["Layers"] == [blob_of(each.diff_id) for each in LAYERS]


def test_a_layer_that_stands_twice_is_written_once(tmp_path: Path) -> None:
    twice = [layer("same"), layer("other"), layer("same")]
    convert(memory(app=docker_image(twice)), f"docker-archive:{tmp_path}/app.tar")
    data = (tmp_path / "app.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        names = opened.getnames()
    assert len(names) == len(set(names))
    assert rows_of(data)[0]["Layers"] == [blob_of(each.digest) for each in twice]


# -- names --------------------------------------------------------------------------------------

NAMES: Mapping[str, tuple[dict[str, str], str | None]] = {
    "a RepoTag": ({REF_NAME: "app:1", CONTAINERD_NAME: FULL}, FULL),
    "a RepoTag alone": ({REF_NAME: "app:1"}, FULL),
    "what Docker 29 writes": ({REF_NAME: "1", CONTAINERD_NAME: FULL}, FULL),
    "what podman writes": ({REF_NAME: FULL}, FULL),
    "two names": ({REF_NAME: "other:1", CONTAINERD_NAME: "example.com/app:1"}, "example.com/app:1"),
    "what regctl writes": ({REF_NAME: "1", CONTAINERD_NAME: "ocidir://app:1"}, None),
    "a tag": ({REF_NAME: "1"}, None),
    "a repository": ({REF_NAME: "example.com/app"}, None),
    "a name in capitals": ({REF_NAME: "App:1"}, None),
    "a name that is empty": ({REF_NAME: ""}, None),
    "no name": ({}, None),
}


@pytest.mark.parametrize("name", [None, "a"])
def test_an_image_that_another_entry_tags_is_not_called_untagged(
    name: str | None, tmp_path: Path
) -> None:
    files = layout_files({"": docker_image()})
    index = json.loads(files["index.json"])
    (entry,) = index["manifests"]
    index["manifests"] = [
        {**entry, "annotations": {} if name is None else {REF_NAME: name}},
        {**entry, "annotations": {REF_NAME: FULL}},
    ]
    images = Memory({**files, "index.json": json.dumps(index).encode()})
    report = convert(images, f"docker-archive:{tmp_path}/app.tar")
    (row,) = rows_of((tmp_path / "app.tar").read_bytes())
    assert row["RepoTags"] == [FULL]
    told = [it.message for it in report.findings if it.code == "no-repository-name"]
    lost = "'a' is not REPOSITORY:TAG; the archive holds it under its other names"
    assert told == ([] if name is None else [lost])


@pytest.mark.parametrize(("annotations", "tag"), NAMES.values(), ids=NAMES)
def test_the_repo_tag_is_the_name_that_docker_takes(
    annotations: dict[str, str], tag: str | None, tmp_path: Path
) -> None:
    assert repository_tag(annotations) == tag
    image = docker_image()
    files = layout_files({"": image})
    index = json.loads(files["index.json"])
    index["manifests"][0]["annotations"] = annotations
    images = Memory({**files, "index.json": json.dumps(index).encode()})
    report = convert(images, f"docker-archive:{tmp_path}/app.tar")
    data = (tmp_path / "app.tar").read_bytes()
    (row,) = rows_of(data)
    assert row["RepoTags"] == (None if tag is None else [tag])
    assert ("no-repository-name" in codes(report)) is (tag is None)
    (entry,) = entries_of(data)
    if tag is not None:
        assert entry["annotations"][CONTAINERD_NAME] == tag
    assert entry.get("annotations", {}).items() >= annotations.items()
    # And the archive gives back what it was given.
    with parse(str(tmp_path / "app.tar")).source() as source:
        (root,) = source.roots()
    assert root.descriptor.digest == image.digest
    assert root.annotations == entry.get("annotations", {})


def test_several_images_and_several_tags_of_one(tmp_path: Path) -> None:
    first, second = Saved(["app:1", "example.com/app:2"]), Saved(None, layers=(layer("second"),))
    (tmp_path / "saved.tar").write_bytes(archive(docker_20(first, second)))
    report = convert(tmp_path / "saved.tar", f"docker-archive:{tmp_path}/app.tar")
    data = (tmp_path / "app.tar").read_bytes()
    assert [row["RepoTags"] for row in rows_of(data)] == [[FULL, "example.com/app:2"], None]
    assert [entry["digest"] for entry in entries_of(data)] == [
        image.new.digest for image in report.images
    ]
    again = convert(tmp_path / "app.tar", f"docker-archive:{tmp_path}/again.tar")
    assert (tmp_path / "again.tar").read_bytes() == data
    assert [image.name for image in again.images] == [image.name for image in report.images]


def test_a_tag_is_said_once_though_two_entries_have_it(tmp_path: Path) -> None:
    names = ({REF_NAME: "app:1"}, {REF_NAME: "1", CONTAINERD_NAME: FULL})
    with parse(f"docker-archive:{tmp_path}/app.tar").sink(SinkOptions(Family.DOCKER)) as sink:
        fill(sink, docker_image())
        sink.commit([Root(docker_image().descriptor, annotations) for annotations in names])
    (row,) = rows_of((tmp_path / "app.tar").read_bytes())
    assert row["RepoTags"] == [FULL]


# -- one platform a name ------------------------------------------------------------------------

PLATFORMS = [oci_image([layer(name)], platform=name) for name in ("linux/amd64", "linux/arm64")]


def test_several_platforms_need_a_choice_before_anything_is_written(tmp_path: Path) -> None:
    source = memory(app=image_list(PLATFORMS))
    with pytest.raises(UsageError, match="linux/amd64, linux/arm64") as refused:
        convert(source, f"docker-archive:{tmp_path}/new/app.tar")
    assert refused.value.code == "several-platforms"
    assert list(tmp_path.iterdir()) == []
    convert(source, f"docker-archive:{tmp_path}/new/app.tar", platforms=["linux/arm64"])
    (row,) = rows_of((tmp_path / "new" / "app.tar").read_bytes())
    assert row["Layers"] == [blob_of(PLATFORMS[1].layers[0].digest)]


@pytest.mark.parametrize("to", ["docker", "oci"])
def test_an_image_beside_attestations_is_one_image(to: str, tmp_path: Path) -> None:
    image = image_list([PLATFORMS[0], attestation(PLATFORMS[0])])
    convert(memory(app=image), f"docker-archive:{tmp_path}/app.tar", to=to, attestations="keep")
    data = (tmp_path / "app.tar").read_bytes()
    (row,), (entry,) = rows_of(data), entries_of(data)
    assert row["Layers"] == [blob_of(each.digest) for each in PLATFORMS[0].layers]
    top = json.loads(members(data)[blob_of(entry["digest"])])
    assert len(top["manifests"]) == 2


def test_the_same_image_twice_in_an_index_is_one_image(tmp_path: Path) -> None:
    image = image_list([PLATFORMS[0], PLATFORMS[0]])
    convert(memory(app=image), f"docker-archive:{tmp_path}/app.tar")
    assert len(rows_of((tmp_path / "app.tar").read_bytes())) == 1


def test_what_is_absent_takes_no_room(tmp_path: Path) -> None:
    """Docker 29 saves an index of which only one platform is there."""
    absent = set(PLATFORMS[1].blobs) - set(PLATFORMS[0].blobs)
    image = image_list(PLATFORMS).without(*absent)
    report = convert(memory(app=image), f"docker-archive:{tmp_path}/app.tar", to="oci")
    assert len(rows_of((tmp_path / "app.tar").read_bytes())) == 1
    assert report.images[0].new.digest == image.digest


def test_what_only_speaks_of_an_image_has_no_row(tmp_path: Path) -> None:
    image = oci_image()
    others = {"signed": cosign_signature(image), "_": referrer(image)}
    source = memory(app=image, **others)
    convert(source, f"docker-archive:{tmp_path}/app.tar", to="oci")
    data = (tmp_path / "app.tar").read_bytes()
    assert [row["Config"] for row in rows_of(data)] == [blob_of(digest_of(image.config))]
    assert len(entries_of(data)) == 3


def test_an_archive_that_docker_could_not_load_is_not_written(tmp_path: Path) -> None:
    source = memory(signed=cosign_signature(oci_image()))
    with pytest.raises(UsageError) as refused:
        convert(source, f"docker-archive:{tmp_path}/app.tar", to="oci")
    assert refused.value.code == "not-an-image"
    assert list(tmp_path.iterdir()) == []


# -- the same bytes -----------------------------------------------------------------------------

LARGE = [layer(f"{i}", Compression.ZSTD, size=3_000_000 >> i) for i in range(4)]


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
@pytest.mark.parametrize("compress", ["auto", "gzip"])
def test_the_bytes_depend_on_the_image_alone(transport: str, compress: str, tmp_path: Path) -> None:
    images = memory(a=oci_image(LARGE), b=oci_image([*LARGE[2:], layer("b")]))
    written = set()
    for number, jobs in enumerate((1, 4, 1, 3)):
        target = tmp_path / str(number) / "app.tar"
        convert(images, f"{transport}:{target}", compress=compress, jobs=jobs)
        written.add(target.read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("compress", ["auto", "gzip", "none"])
def test_a_stream_gets_the_same_bytes(compress: str, tmp_path: Path) -> None:
    images = memory(a=oci_image(LARGE), b=oci_image([*LARGE[2:], layer("b", algorithm="sha512")]))
    convert(images, f"docker-archive:{tmp_path}/app.tar", compress=compress)
    got = read_pipe(
        tmp_path / "pipe",
        lambda pipe: convert(images, f"docker-archive:{pipe}", compress=compress, tmpdir=tmp_path),
    )
    assert got == (tmp_path / "app.tar").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.tar", "pipe"]


def read_pipe(path: Path, write: Callable[[Path], object]) -> bytes:
    """What ``write`` writes into a named pipe."""
    os.mkfifo(path)
    got = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    try:
        write(path)
    finally:
        reader.join()
    return got[0]


def test_a_dry_run_gives_the_digests_and_writes_nothing(tmp_path: Path) -> None:
    images = memory(app=oci_image(LARGE))
    dry = convert(images, f"docker-archive:{tmp_path}/new/app.tar", dry_run=True)
    assert list(tmp_path.iterdir()) == []
    wet = convert(images, f"docker-archive:{tmp_path}/new/app.tar")
    assert [image.new for image in dry.images] == [image.new for image in wet.images]


# -- headers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 511, 8**11 - 1, 8**11, 2**40 + 1])
@pytest.mark.parametrize("length", [1, 99, 100, 101, 141, 511, 512, 600])
def test_a_header_says_the_name_and_the_size(size: int, length: int) -> None:
    name = "n" * length
    raw = header(name, size)
    info = tarfile.TarInfo.frombuf(raw[-512:], "utf-8", "strict")
    assert (info.name, info.size) == (name[:100], size)
    plain = length <= 100 and size < 8**11
    assert raw[-255:-247] == (b"ustar\x0000" if plain else b"ustar  \0")
    assert len(raw) == len(header("x" * length, 0))
    with tarfile.open(fileobj=io.BytesIO(header(name, 0) + bytes(1024))) as opened:
        assert opened.getnames() == [name]


# -- members ------------------------------------------------------------------------------------


@pytest.fixture
def tar(tmp_path: Path) -> Iterator[WritableTar]:
    place = WritableTar(NewFile(tmp_path / "new.tar", "new", force=False), "new")
    yield place
    place.close()


def write(tar: WritableTar, name: str, data: bytes, size: int | None = None) -> None:
    pending = tar.create(name, size)
    pending.write(data)
    pending.publish(name)


def test_a_member_may_get_its_name_and_size_at_its_end(tar: WritableTar, tmp_path: Path) -> None:
    pending = tar.create("folder/x")
    pending.write(b"ab")
    pending.write(b"c")
    pending.publish("folder/y")
    write(tar, "folder/z", b"def", 3)
    assert [*tar.names("folder")] == ["folder/y", "folder/z"]
    assert tar.has("folder/y", 3)
    assert not tar.has("folder/x", 3)
    tar.finish()
    assert members((tmp_path / "new.tar").read_bytes()) == {"folder/y": b"abc", "folder/z": b"def"}


def test_a_member_that_is_taken_back_leaves_no_trace(tar: WritableTar, tmp_path: Path) -> None:
    for size in (None, 5):
        pending = tar.create("a", size)
        pending.write(b"wrong")
        pending.discard()
        pending.discard()
    write(tar, "a", b"right")
    write(tar, "a", b"right")
    write(tar, "a", b"right", 5)
    tar.finish()
    data = (tmp_path / "new.tar").read_bytes()
    assert members(data) == {"a": b"right"}
    assert len(data) == 4 * 512


@pytest.mark.parametrize("rewritable", [True, False])
def test_a_member_may_be_taken_from_a_file(rewritable: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    target = tmp_path / "target.tar"
    output = (
        NewFile(target, "new", force=False)
        if rewritable
        else Stream(target, "new", lambda: temporary(tmp_path))
    )
    place = WritableTar(output, "new")
    seen = bytearray()
    for name, size in (("a", None), ("b", len(DATA)), ("b", len(DATA)), ("a", None)):
        pending = place.create(name, size)
        with open(tmp_path / "file", "rb", buffering=0) as file:
            pending.take(file, seen.extend, link=True)
        pending.publish(name)
    place.finish()
    place.close()
    assert members(target.read_bytes()) == {"a": DATA, "b": DATA}
    assert seen == 4 * DATA


def test_an_archive_is_only_added_to(tar: WritableTar) -> None:
    write(tar, "a", b"right")
    with pytest.raises(io.UnsupportedOperation):
        tar.remove("a")
    with pytest.raises(io.UnsupportedOperation):
        tar.rename("a", "b")
    with pytest.raises(io.UnsupportedOperation):
        tar.open("a")


def test_who_begins_a_member_waits_for_its_turn(tar: WritableTar, tmp_path: Path) -> None:
    first = tar.create("first")
    second = threading.Thread(target=lambda: write(tar, "second", b"2"))
    second.start()
    first.write(b"1")
    second.join(0.05)
    assert second.is_alive()
    first.publish("first")
    second.join()
    tar.finish()
    assert [*members((tmp_path / "new.tar").read_bytes())] == ["first", "second"]


# -- what goes wrong ----------------------------------------------------------------------------


def test_an_archive_that_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    target = tmp_path / "app.tar"
    for what in ("file", "link"):
        if what == "file":
            target.write_bytes(b"precious")
        else:
            target.symlink_to("nowhere")
        with pytest.raises(StoreError) as refused:
            convert(memory(app=docker_image()), f"docker-archive:{target}")
        assert refused.value.code == "target-exists"
        convert(memory(app=docker_image()), f"docker-archive:{target}", force=True)
        assert rows_of(target.read_bytes())
        target.unlink()


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused:
        convert(memory(app=docker_image()), f"docker-archive:{tmp_path}", force=True)
    assert refused.value.code == "target-exists"


def test_of_two_runs_the_second_finds_the_archive_of_the_first(tmp_path: Path) -> None:
    reference = parse(f"oci-archive:{tmp_path}/app.tar")
    with reference.sink() as first, reference.sink() as second:
        fill(first, oci_image())
        fill(second, oci_image())
        first.commit([root_of(oci_image())])
        written = (tmp_path / "app.tar").read_bytes()
        with pytest.raises(StoreError) as refused:
            second.commit([root_of(oci_image(), "other")])
        assert refused.value.code == "target-exists"
        second.abort()
    assert files_below(tmp_path) == {"app.tar": written}


def test_an_archive_may_take_the_place_of_its_source(tmp_path: Path) -> None:
    (tmp_path / "app.tar").write_bytes(archive(docker_20(Saved(["app:1"]))))
    convert(tmp_path / "app.tar", f"docker-archive:{tmp_path}/app.tar", force=True)
    assert rows_of((tmp_path / "app.tar").read_bytes())[0]["RepoTags"] == [FULL]
    assert [path.name for path in tmp_path.iterdir()] == ["app.tar"]


def damaged(image: Image, which: int) -> Memory:
    files = layout_files({"app": image})
    name = blob_of(image.layers[which].digest)
    return Memory({**files, name: files[name][:-1] + b"X"})


@pytest.mark.parametrize("which", [0, -1])
@pytest.mark.parametrize("options", [{}, {"compress": "none"}], ids=["kept", "recompressed"])
def test_a_run_that_fails_leaves_nothing(
    which: int, options: dict[str, Any], tmp_path: Path
) -> None:
    source = damaged(docker_image([layer("one", size=99_999), layer("two")]), which)
    with pytest.raises(BlobError):
        convert(source, f"docker-archive:{tmp_path}/new/deep/app.tar", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_leaves_the_archive_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "app.tar").write_bytes(b"precious")
    with pytest.raises(BlobError):
        convert(damaged(docker_image(), -1), f"docker-archive:{tmp_path}/app.tar", force=True)
    assert files_below(tmp_path) == {"app.tar": b"precious"}


def test_an_image_that_fails_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    sound = docker_image([layer("sound")])
    write_layout({"sound": sound}, tmp_path / "sound")
    write_layout({"bad": docker_image()}, tmp_path / "bad")
    blob = tmp_path / "bad" / blob_of(LAYERS[-1].digest)
    blob.write_bytes(blob.read_bytes()[:-1] + b"X")
    sources = [f"oci:{tmp_path}/bad", f"oci:{tmp_path}/sound"]
    report = convert(sources, f"docker-archive:{tmp_path}/app.tar", keep_going=True)
    assert [failure.code for failure in report.failures] == ["digest-mismatch"]
    data = (tmp_path / "app.tar").read_bytes()
    assert [entry["digest"] for entry in entries_of(data)] == [sound.digest]
    assert blob_of(LAYERS[-1].digest) not in members(data)


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_a_spooled_layer_that_is_wrong_breaks_nothing_off(transport: str, tmp_path: Path) -> None:
    bad = damaged(docker_image([layer("bad", size=9999)]), 0)
    sources = [bad, memory(b=oci_image([layer("sound")]))]
    reports: list[Report] = []

    def run(pipe: Path) -> None:
        options: dict[str, Any] = {"compress": "none", "keep_going": True, "tmpdir": tmp_path}
        reports.append(convert(sources, f"{transport}:{pipe}", **options))

    got = read_pipe(tmp_path / "pipe", run)
    assert [failure.code for failure in reports[0].failures] == ["corrupt-layer"]
    assert len(entries_of(got)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_stream_that_broke_off_is_no_image(keep_going: bool, tmp_path: Path) -> None:
    sources = [damaged(docker_image(), -1), memory(b=oci_image([layer("sound")]))]
    failed: list[str] = []

    def run(pipe: Path) -> None:
        try:
            report = convert(sources, f"oci-archive:{pipe}", keep_going=keep_going)
            failed.extend(failure.code for failure in report.failures)
        except OciConvertError as error:
            failed.append(error.code)

    got = read_pipe(tmp_path / "pipe", run)
    assert "index.json" not in members(got)
    assert failed == ["digest-mismatch", *(["archive-broken"] if keep_going else [])]


def test_a_reader_that_goes_ends_the_run(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def read_a_little() -> None:
        with open(pipe, "rb", buffering=0) as file:
            file.read(1)

    reader = threading.Thread(target=read_a_little)
    reader.start()
    with pytest.raises(StoreError) as gone:
        convert(memory(app=oci_image(LARGE)), f"oci-archive:{pipe}")
    reader.join()
    assert gone.value.code == "reader-gone"


def test_nothing_is_opened_for_a_stream_before_the_plan_is_made(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # to open it would wait for a reader for ever
    with pytest.raises(UsageError):
        convert(memory(app=image_list(PLATFORMS)), f"docker-archive:{tmp_path}/pipe")


def test_a_stream_spools_where_it_is_told(tmp_path: Path) -> None:
    stream = Stream(tmp_path / "out", "out", lambda: temporary(tmp_path))
    with stream.scratch() as file:
        file.write(b"x")
        assert os.fstat(file.fileno()).st_dev == tmp_path.stat().st_dev
    with pytest.raises(FileNotFoundError):
        temporary(tmp_path / "nowhere")


def test_the_room_in_a_row_is_the_business_of_the_archive_alone() -> None:
    target = Memory()
    convert(memory(app=image_list(PLATFORMS)), target, to="docker")
    assert target.files


def test_a_recompressed_layer_under_a_long_name_fits(tmp_path: Path) -> None:
    """The name of a SHA-512 digest has more characters than a plain header takes."""
    image = oci_image([layer("long", Compression.NONE, size=5000, algorithm="sha512")])
    convert(memory(app=image), f"oci-archive:{tmp_path}/app.tar", compress="gzip")
    with parse(str(tmp_path / "app.tar")).source() as source:
        (root,) = source.roots()
        assert b'"sha512:' in b"".join(source.read(root.descriptor, "here"))
    convert(tmp_path / "app.tar", f"oci:{tmp_path}/back", compress="none")
