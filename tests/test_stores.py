"""Every store keeps the contract; and what each of them adds to it."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from oci_convert import convert, inspect
from oci_convert.errors import (
    OciConvertError,
    StoreError,
    UsageError,
)
from oci_convert.limits import limited
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Family
from oci_convert.stores import ContainersDir, Memory, OciLayout, Store
from oci_convert.stores.base import Root, Sink, SinkOptions, Source, SourceOptions
from oci_convert.stores.containers_dir import ContainersDirSink, ContainersDirSource
from oci_convert.stores.contents import is_layout
from oci_convert.stores.files.folder import Folder, WritableFolder
from oci_convert.stores.files.memory import Held, MemoryFiles
from oci_convert.stores.layout_index_text import LayoutIndex
from oci_convert.stores.oci_layout import OciLayoutSink, OciLayoutSource
from support.contract import (
    FolderContract,
    OurContract,
    fill,
    image_for,
    root_of,
    store,
)
from support.images import (
    DOCKER_MANIFEST,
    OCI_INDEX,
    REF_NAME,
    Spelling,
    attestation,
    dir_files,
    docker_image,
    files_below,
    image_list,
    layer,
    layout_files,
    oci_image,
    rc2_files,
    write_dir,
    write_files,
    write_layout,
)


class TestLayout(FolderContract):
    """An OCI layout in a folder."""

    def make(self, tmp_path: Path) -> Store:
        return OciLayout(tmp_path / "new" / "target")

    def file_name(self, digest: str) -> str:
        return f"blobs/{digest.replace(':', '/')}"


class TestUnflushedLayout(TestLayout):
    """The same without flushing to the disk."""

    def sink(self, *, force: bool = False) -> Sink:
        return self.store.sink(SinkOptions(fsync=False))


class TestRc2Layout(TestLayout):
    """A layout of 1.0.0-rc2, with ``refs/``."""

    family = Family.OCI_RC2


class TestDir(FolderContract):
    """A ``dir:`` directory."""

    family = Family.DOCKER
    names = False
    grows = False

    def make(self, tmp_path: Path) -> Store:
        return ContainersDir(tmp_path / "new" / "target")

    def file_name(self, digest: str) -> str:
        return digest.partition(":")[2]


class TestMemory(OurContract):
    """An OCI layout in memory."""

    def make(self, tmp_path: Path) -> Store:
        self.held: dict[str, bytes] = {}
        return Memory(self.held)

    def contents(self) -> dict[str, bytes]:
        return dict(self.held)

    def damage(self, digest: str, data: bytes) -> None:
        self.held[self.file_name(digest)] = data

    def file_name(self, digest: str) -> str:
        return f"blobs/{digest.replace(':', '/')}"


@dataclass
class DirInMemory:
    """A ``dir:`` directory in memory."""

    held: Held
    ref: str | None = None
    default_family: Family | None = None

    def source(self, options: SourceOptions) -> Source:
        return ContainersDirSource(MemoryFiles(held=self.held), "memory")

    def sink(self, options: SinkOptions) -> Sink:
        return ContainersDirSink(MemoryFiles(held=self.held), "memory", force=options.force)


class TestMemoryDir(TestMemory):
    """The same contract over other files."""

    family = Family.DOCKER
    names = False
    grows = False

    def make(self, tmp_path: Path) -> Store:
        self.held = {}
        return DirInMemory(Held(self.held))

    def file_name(self, digest: str) -> str:
        return digest.partition(":")[2]


# -- layouts ------------------------------------------------------------------------------------


def layout_sink(path: Path, **options: Any) -> OciLayoutSink:
    return OciLayoutSink(WritableFolder(path), f"oci:{path}", **options)


def layout_roots(path: Path) -> Sequence[Root]:
    return OciLayoutSource(Folder(path), f"oci:{path}").roots()


def test_a_layout_is_written_as_the_specification_says(tmp_path: Path) -> None:
    image = image_for(Family.OCI)
    store(layout_sink(tmp_path / "layout"), image)
    assert files_below(tmp_path / "layout") == layout_files({"1": image})


def test_two_runs_into_one_layout_add_both_images(tmp_path: Path) -> None:
    first, second = layout_sink(tmp_path), layout_sink(tmp_path)
    with first, second:
        fill(first, oci_image())
        fill(second, docker_image())
        first.commit([root_of(oci_image(), "a")])
        second.commit([root_of(docker_image(), "b")])
    assert [root.name for root in layout_roots(tmp_path)] == ["a", "b"]


def test_many_runs_at_once_lose_no_image(tmp_path: Path) -> None:
    images = {f"v{i}": oci_image([layer(f"{i}")]) for i in range(16)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: store(layout_sink(tmp_path), images[name], name), images))
    assert {root.name for root in layout_roots(tmp_path)} == set(images)
    for root in layout_roots(tmp_path):
        assert root.descriptor.digest == images[root.name or ""].digest
    assert not (tmp_path / ".oci-convert").exists()


def test_runs_that_fail_do_not_disturb_those_that_begin(tmp_path: Path) -> None:
    """The folders that a failed run removes may be those that another is about to use."""

    image = oci_image()

    def run(number: int) -> None:
        with layout_sink(tmp_path / "new" / f"{number // 40}") as sink:
            sink.put([b"%d" % number], "here")
            if number % 40 < 38:
                sink.abort()
            else:
                fill(sink, image)
                sink.commit([root_of(image, f"v{number}")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(400)))
    for target in range(10):
        path = tmp_path / "new" / f"{target}"
        assert {root.name for root in layout_roots(path)} == {
            f"v{40 * target + 38}",
            f"v{40 * target + 39}",
        }
        assert files_below(path).keys() >= layout_files({"": image}).keys()


def test_a_target_that_is_a_link_to_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "target").symlink_to("nowhere")
    with layout_sink(tmp_path / "target") as sink:
        with pytest.raises(FileNotFoundError):
            sink.put([b"data"], "here")
        sink.abort()


def test_the_index_that_is_there_is_edited_in_place(tmp_path: Path) -> None:
    old, new, other = oci_image([layer("old")]), oci_image([layer("new")]), docker_image()
    write_layout({"1": old, "2": other}, tmp_path)
    index = tmp_path / "index.json"
    spaced = json.loads(index.read_bytes())
    spaced["x-unknown"] = {"a": [1, "<&>"]}
    index.write_bytes(Spelling.DOCKERD.write(spaced) + b"\n")
    before = index.read_text()
    store(layout_sink(tmp_path), new)
    old_text = before[before.index("{", 5) : before.index("},\n      {") + 1]
    assert old.digest in old_text
    entry = {**new.descriptor.triple(), "annotations": {REF_NAME: "1"}}
    assert index.read_text() == before.replace(old_text, json.dumps(entry, separators=(",", ":")))
    assert (tmp_path / "blobs" / old.digest.replace(":", "/")).exists()


def test_an_index_that_needs_no_change_is_not_written(tmp_path: Path) -> None:
    image = oci_image()
    write_files(layout_files({"1": image}, Spelling.DOCKERD), tmp_path)
    before = (tmp_path / "index.json").stat()
    store(layout_sink(tmp_path), image)
    assert (tmp_path / "index.json").stat() == before


def merged_index(old: bytes | None, new: list[Root], where: str) -> bytes:
    index = LayoutIndex.empty() if old is None else LayoutIndex.read(old, where)
    return index.merged(new).raw


EMPTY_INDEXES = {
    "an empty list": b'{"schemaVersion":2,"manifests":[]}',
    "null, as Go writes an empty list": b'{"schemaVersion":2,"manifests":null,"x":1}',
    "no list": b'{ "schemaVersion" : 2 }',
}


@pytest.mark.parametrize("empty", EMPTY_INDEXES.values(), ids=EMPTY_INDEXES)
def test_an_image_is_added_to_an_index_without_any(empty: bytes) -> None:
    image = oci_image()
    merged = json.loads(merged_index(empty, [root_of(image)], ""))
    assert merged.pop("manifests") == [
        {**image.descriptor.triple(), "annotations": {REF_NAME: "1"}}
    ]
    assert merged == {
        name: value for name, value in json.loads(empty).items() if name != "manifests"
    }


CONTAINERD_NAME = "io.containerd.image.name"


def entry(name: str, annotations: dict[str, str]) -> Root:
    image = oci_image([layer(name)])
    return Root(image.descriptor, annotations)


def names_after(old: list[Root], new: list[Root]) -> list[str]:
    """The digests of the index, as the letters that :func:`entry` was given."""
    letters = {oci_image([layer(letter)]).digest: letter for letter in "abcdef"}
    index = merged_index(None, old, "") if old else None
    merged = json.loads(merged_index(index, new, ""))
    return [letters[entry["digest"]] for entry in merged["manifests"]]


def test_only_an_entry_of_the_same_pair_of_names_is_replaced() -> None:
    """Docker 25 to 29 write archives with three images that are all called ``1``."""
    old = [
        entry("a", {REF_NAME: "1", CONTAINERD_NAME: "docker.io/library/a:1"}),
        entry("b", {REF_NAME: "1", CONTAINERD_NAME: "docker.io/library/b:1"}),
        entry("c", {REF_NAME: "1"}),
    ]
    new = {REF_NAME: "1", CONTAINERD_NAME: "docker.io/library/b:1"}
    assert names_after(old, [entry("d", new)]) == ["a", "d", "c"]
    assert names_after(old, [entry("d", {REF_NAME: "1"})]) == ["a", "b", "d"]
    assert names_after(old, [entry("d", {REF_NAME: "2"})]) == ["a", "b", "c", "d"]
    assert names_after(old, [entry("d", {})]) == ["a", "b", "c", "d"]


def test_of_entries_of_one_name_the_first_is_replaced_and_the_others_go() -> None:
    doubled = merged_index(None, [entry("a", {REF_NAME: "1"}), entry("b", {REF_NAME: "2"})], "")
    index = doubled.replace(b'"2"', b'"1"')
    merged = json.loads(merged_index(index, [entry("c", {REF_NAME: "1"})], ""))
    assert [found["digest"] for found in merged["manifests"]] == [oci_image([layer("c")]).digest]


def test_an_image_without_a_name_is_added_once() -> None:
    assert names_after([entry("a", {})], [entry("a", {}), entry("b", {})]) == ["a", "b"]


def test_an_entry_keeps_its_platform_type_and_annotations() -> None:
    image = image_list([attestation(oci_image())])
    entry = json.loads(image.manifest)["manifests"][0] | {"artifactType": "a/b"}
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
    files = {
        "index.json": json.dumps(index).encode(),
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
    }
    roots = [*OciLayoutSource(MemoryFiles(files), "memory").roots()]
    assert json.loads(merged_index(None, roots, ""))["manifests"] == [entry]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("oci-layout", b"{}", "invalid-document"),
        ("oci-layout", b'{"imageLayoutVersion":"2.0.0"}', "unknown-layout-version"),
        ("oci-layout", b"x" * (4 << 20 | 1), "document-too-large"),
        ("index.json", b"", "invalid-json"),
        ("index.json", b'{"schemaVersion":2,"manifests":[{"digest":"../x"}]}', "invalid-digest"),
    ],
)
def test_a_layout_that_cannot_be_read_is_neither_read_nor_written_to(
    name: str, content: bytes, code: str
) -> None:
    files = {**layout_files({"1": oci_image()}), name: content}
    with pytest.raises(OciConvertError) as refused:
        convert(Memory(files), Memory(), to="docker")
    assert refused.value.code == code
    with pytest.raises(OciConvertError) as refused:  # before the first blob
        OciLayoutSink(MemoryFiles(files), "oci:layout")
    assert refused.value.code == code


def test_an_ambiguous_index_can_be_looked_at_and_is_not_written_to() -> None:
    files = layout_files({"1": oci_image()})
    index = json.loads(files["index.json"]) | {"layers": []}
    files["index.json"] = json.dumps(index).encode()
    [(fault, _)] = OciLayoutSource(MemoryFiles(files), "oci:layout").faults
    assert fault.code == "ambiguous-document"
    with pytest.raises(OciConvertError) as refused:
        OciLayoutSink(MemoryFiles(files), "oci:layout")
    assert refused.value.code == "ambiguous-document"
    with pytest.raises(OciConvertError) as refused:
        convert(Memory(files), Memory(), to="docker")
    assert refused.value.code == "ambiguous-document"


def test_a_layout_without_its_header_is_read() -> None:
    files = layout_files({"1": oci_image()})
    del files["oci-layout"]
    assert len(OciLayoutSource(MemoryFiles(files), "memory").roots()) == 1
    assert is_layout(MemoryFiles(files))


def test_a_folder_of_anything_else_is_no_layout(tmp_path: Path) -> None:
    write_files({"refs/heads": b"git, perhaps"}, tmp_path)
    assert not is_layout(Folder(tmp_path))
    assert not is_layout(Folder(tmp_path / "absent"))


def test_an_index_that_is_a_link_out_of_the_layout_is_refused(tmp_path: Path) -> None:
    write_layout({"1": oci_image()}, tmp_path / "layout")
    (tmp_path / "layout" / "index.json").rename(tmp_path / "index.json")
    (tmp_path / "layout" / "index.json").symlink_to("../index.json")
    with pytest.raises(StoreError) as refused:
        layout_roots(tmp_path / "layout")
    assert refused.value.code == "link-outside"


def test_a_commit_that_fails_can_be_aborted_without_a_trace(tmp_path: Path) -> None:
    for place in (WritableFolder(tmp_path / "new"), MemoryFiles()):
        with OciLayoutSink(place, "oci:new", family=Family.OCI_RC2) as sink:
            fill(sink, oci_image())
            with pytest.raises(UsageError) as refused:
                sink.commit([root_of(oci_image(), None)])
            assert refused.value.code == "no-ref-file"
            sink.abort()
        assert list(place.names()) == []
    assert not (tmp_path / "new").exists()


# -- layouts before 1.0 -------------------------------------------------------------------------


def test_a_layout_of_rc2_has_refs_and_no_index(tmp_path: Path) -> None:
    image = image_for(Family.OCI_RC2)
    store(layout_sink(tmp_path, family=Family.OCI_RC2), image, "v1.0")
    assert files_below(tmp_path) == rc2_files({"v1.0": image})


def test_the_member_that_was_spelled_in_lower_case_is_read() -> None:
    image = oci_image()
    files = rc2_files({"b": image, "a": image})
    files["refs/b"] = files["refs/b"].replace(b"mediaType", b"mediatype")
    roots = OciLayoutSource(MemoryFiles(files), "memory").roots()
    assert [root.name for root in roots] == ["a", "b"]
    assert {root.descriptor.media_type for root in roots} == {image.media_type}


@pytest.mark.parametrize("name", [None, "", "..", ".", "a/b", "../x", "a:b", "ä", "a\n"])
def test_a_name_that_cannot_be_a_file_is_refused(name: str | None) -> None:
    files: dict[str, bytes] = {}
    sink = OciLayoutSink(MemoryFiles(files), "memory", family=Family.OCI_RC2)
    with pytest.raises(UsageError) as refused:
        sink.commit([root_of(oci_image(), name)])
    assert refused.value.code == "no-ref-file"
    assert not any(file.startswith("refs") for file in files)


@pytest.mark.parametrize(
    ("files", "family"),
    [
        (layout_files({"1": oci_image()}), Family.OCI_RC2),
        (rc2_files({"1": oci_image()}), Family.OCI),
    ],
)
def test_layouts_of_two_ages_are_not_mixed(files: dict[str, bytes], family: Family) -> None:
    with pytest.raises(StoreError) as refused:
        OciLayoutSink(MemoryFiles(files), "memory", family=family)
    assert refused.value.code == "other-layout-version"


# -- dir: ---------------------------------------------------------------------------------------


def dir_sink(path: Path, *, force: bool = False) -> ContainersDirSink:
    return ContainersDirSink(WritableFolder(path), f"dir:{path}", force=force)


def test_a_dir_is_written_as_containers_image_does(tmp_path: Path) -> None:
    image = image_for(Family.DOCKER)
    store(dir_sink(tmp_path), image)
    assert files_below(tmp_path) == dir_files(image)


def test_a_blob_of_another_algorithm_has_it_in_its_name(tmp_path: Path) -> None:
    image = docker_image([layer("a", algorithm="sha512")])
    store(dir_sink(tmp_path), image)
    digest = next(digest for digest in image.blobs if digest.startswith("sha512:"))
    assert (tmp_path / digest.replace(":", "-")).read_bytes() == image.blobs[digest]
    assert (tmp_path / "version").read_text() == "Directory Transport Version: 1.2\n"
    source = ContainersDirSource(Folder(tmp_path), "dir:app")
    assert source.size(Digest(digest)) == len(image.blobs[digest])


def test_a_manifest_without_its_type_is_known_by_its_shape(tmp_path: Path) -> None:
    image = docker_image(stated=False)
    write_dir(image, tmp_path)
    (root,) = ContainersDirSource(Folder(tmp_path), "dir:app").roots()
    assert root.descriptor.triple() == image.descriptor.triple()
    assert root.descriptor.media_type == DOCKER_MANIFEST


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", None])
def test_a_dir_of_a_known_version_is_read(version: str | None, tmp_path: Path) -> None:
    write_dir(docker_image(), tmp_path)
    if version is None:
        (tmp_path / "version").unlink()
    else:
        (tmp_path / "version").write_text(f"Directory Transport Version: {version}\n")
    assert len(ContainersDirSource(Folder(tmp_path), "dir:app").roots()) == 1


@pytest.mark.parametrize("version", ["Directory Transport Version: 2.0\n", "", "\xff"])
def test_a_dir_of_another_version_is_refused(version: str, tmp_path: Path) -> None:
    write_dir(docker_image(), tmp_path)
    (tmp_path / "version").write_text(version, encoding="latin-1")
    with pytest.raises(StoreError) as refused:
        convert(f"dir:{tmp_path}", Memory())
    assert refused.value.code == "unknown-directory-version"
    assert len(inspect(f"dir:{tmp_path}").images) == 1


def test_an_interrupted_write_is_no_image_and_is_taken_over(tmp_path: Path) -> None:
    image = docker_image()
    files = dir_files(image)
    del files["manifest.json"]
    write_files({**files, f"{image.digest[7:]}.manifest.json": image.manifest}, tmp_path)
    with pytest.raises(StoreError) as refused:
        ContainersDirSource(Folder(tmp_path), "dir:app")
    assert refused.value.code == "not-an-image-store"
    store(dir_sink(tmp_path), image)
    assert files_below(tmp_path) == dir_files(image)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("stranger", ["README", "signature-1", "blobs/sha256/x", "link"])
def test_a_folder_of_anything_else_is_refused_always(
    stranger: str, force: bool, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    write_files({"0" * 64: b"a blob"}, target)
    if stranger == "link":
        (target / "link").symlink_to(target / ("0" * 64))
    else:
        write_files({stranger: b"precious"}, target)
    with pytest.raises(StoreError) as refused:
        dir_sink(target, force=force)
    assert refused.value.code == "target-not-empty"
    assert repr(stranger.partition("/")[0]) in str(refused.value)


def test_an_image_is_replaced_only_by_force_and_its_signatures_go_with_it(tmp_path: Path) -> None:
    old, new = docker_image([layer("old")]), docker_image([layer("new")])
    signatures = {f"signature-{i}": b"signed" for i in (1, 2)}
    write_files({**dir_files(old), **signatures}, tmp_path)
    with pytest.raises(StoreError) as refused:
        dir_sink(tmp_path)
    assert refused.value.code == "target-exists"
    assert "force=True" in refused.value.remedy
    store(dir_sink(tmp_path, force=True), new)
    old_blobs = {name: data for name, data in dir_files(old).items() if name != "manifest.json"}
    assert files_below(tmp_path) == {**old_blobs, **dir_files(new)}


def test_a_failed_replacement_leaves_the_old_image_and_its_signatures(tmp_path: Path) -> None:
    files = {**dir_files(docker_image([layer("old")])), "signature-1": b"signed"}
    write_files(files, tmp_path)
    with dir_sink(tmp_path, force=True) as sink:
        fill(sink, docker_image([layer("new")]))
        sink.abort()
    after = files_below(tmp_path)
    assert {name: after[name] for name in files} == files


def test_the_top_manifest_is_read_though_it_stands_under_its_own_name_too(tmp_path: Path) -> None:
    image = docker_image()
    write_files({**dir_files(image), image.digest[7:]: b"not it"}, tmp_path)
    source = ContainersDirSource(Folder(tmp_path), "dir:app")
    assert b"".join(source.read(image.descriptor, "here")) == image.manifest


# -- places -------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_files({"in/side": b"inside", "deep/er/file": b"deep"}, tmp_path / "folder")
    write_files({"secret": b"secret"}, tmp_path)
    return tmp_path / "folder"


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("link", "in/side"),
        ("deep/link", "../in/side"),
        ("deep/er/link", "../../in/./side"),
        ("folder", "in"),
    ],
)
def test_a_link_inside_a_folder_is_followed(folder: Path, link: str, target: str) -> None:
    (folder / link).symlink_to(target)
    name = f"{link}/side" if target == "in" else link
    place = Folder(folder)
    assert place.read(name) == b"inside"
    assert place.size(name) == 6


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("link", "../secret"),
        ("deep/link", "../../secret"),
        ("link", "/etc/passwd"),
        ("link", "in/../../secret"),
        ("link", "link"),
        ("link", "deep/up/up/secret"),
    ],
)
def test_a_link_out_of_a_folder_or_round_in_circles_is_refused(
    folder: Path, link: str, target: str
) -> None:
    (folder / "deep" / "up").symlink_to("..")
    (folder / "up").symlink_to("..")
    (folder / link).symlink_to(target)
    place = Folder(folder)
    for attempt in (lambda: place.open(link), lambda: place.size(link)):
        with pytest.raises(StoreError) as refused:
            attempt()
        assert refused.value.code == "link-outside"


def test_what_is_not_there_is_not_found(folder: Path) -> None:
    (folder / "dangling").symlink_to("nowhere")
    place = Folder(folder)
    for name in ("absent", "absent/file", "in/side/file", "dangling"):
        assert place.size(name) is None
        assert place.blob_size(name) is None
        with pytest.raises(FileNotFoundError):
            place.open(name)
        with pytest.raises(FileNotFoundError):
            place.open_blob(name)
    assert Folder(folder / "nowhere").size("file") is None
    assert Folder(folder / "in/side").size("file") is None


def test_names_that_the_system_does_not_take_are_not_found(folder: Path) -> None:
    place = Folder(folder)
    for name in ("n" * 300, "in/" * 3000 + "side"):
        assert place.size(name) is None
        assert place.blob_size(name) is None
        with pytest.raises(FileNotFoundError):
            place.open_blob(name)


def test_a_blob_that_is_a_link_round_in_circles_is_refused(folder: Path) -> None:
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    place = Folder(folder)
    for attempt in (place.blob_size, place.open_blob):
        with pytest.raises(StoreError) as refused:
            attempt("one")
        assert refused.value.code == "link-outside"


def test_a_socket_is_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for attempt in (Folder(folder).open, Folder(folder).blob_size, Folder(folder).open_blob):
            with pytest.raises(StoreError, match="is a socket, not a regular file"):
                attempt("socket")


def test_a_folder_may_be_named_by_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to("folder")
    place = Folder(tmp_path / "alias")
    assert sorted(place.names()) == ["deep/er/file", "in/side"]
    assert place.read("in/side") == b"inside"


def test_names_do_not_lead_out_of_a_folder(folder: Path, tmp_path: Path) -> None:
    write_files({"treasure/gold": b"!"}, tmp_path)
    (folder / "out").symlink_to(tmp_path / "treasure")
    (folder / "deep" / "out").symlink_to(tmp_path / "treasure")
    (folder / "inside").symlink_to("in")
    place = Folder(folder)
    assert sorted(place.names()) == ["deep/er/file", "in/side"]
    assert list(place.names("out")) == []
    assert list(place.names("out/deep")) == []
    assert list(place.names("inside")) == ["inside/side"]
    assert list(place.names("in/side")) == []


def test_a_link_put_in_the_place_of_a_file_while_it_is_opened_is_not_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped(name: str, *, dir_fd: int) -> str:
        """Says that it is no link, and then it is one."""
        if not (folder / "deep" / name).is_symlink() and name == "file":
            (folder / "deep" / "file").symlink_to("../../secret")
        raise OSError(errno.EINVAL, "not a link")

    monkeypatch.setattr("os.readlink", swapped)
    with pytest.raises(StoreError) as refused:
        Folder(folder).open("deep/file")
    assert refused.value.code == "link-outside"


def test_what_is_no_regular_file_is_not_opened_and_does_not_block(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    place = Folder(folder)
    for name in ("pipe", "in"):
        for attempt in (place.size, place.open, place.blob_size, place.open_blob, place.file_of):
            with pytest.raises(StoreError) as refused:
                attempt(name)
            assert refused.value.code == "not-a-file"


def test_the_names_of_a_folder_are_its_files(folder: Path) -> None:
    write_files({".oci-convert/run/1": b"unfinished"}, folder)
    assert sorted(Folder(folder).names()) == ["deep/er/file", "in/side"]
    assert list(Folder(folder).names("deep")) == ["deep/er/file"]
    assert list(Folder(folder).names("absent")) == []


def test_a_small_file_that_is_too_large_is_refused(folder: Path) -> None:
    for place in (Folder(folder), MemoryFiles({"in/side": b"inside"})):
        with limited(document_size=6):
            assert place.read("in/side") == b"inside"
        with limited(document_size=5), pytest.raises(StoreError) as refused:
            place.read("in/side")
        assert refused.value.code == "document-too-large"


def test_a_folder_that_is_read_is_not_touched(tmp_path: Path) -> None:
    write_layout({"1": image_for(Family.OCI)}, tmp_path)
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with OciLayoutSource(Folder(tmp_path), "oci:layout") as source:
        for root in source.roots():
            assert list(source.read(root.descriptor, "here"))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times
