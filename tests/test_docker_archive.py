"""What every writer of docker-save archives writes, read back as the image that it was."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from oci_convert import verify
from oci_convert.documents.document import read_document
from oci_convert.errors import BlobError, DocumentError, OciConvertError, StoreError
from oci_convert.layers.compression import decompress, sniff
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression
from oci_convert.spec.models import Descriptor, Manifest
from oci_convert.stores.base import Root
from oci_convert.stores.contents import is_docker_archive
from oci_convert.stores.docker_archive import DockerArchiveSource
from oci_convert.stores.docker_manifest_json import RowFiles
from oci_convert.stores.files import Files
from oci_convert.stores.files.folder import Folder
from oci_convert.stores.files.memory import MemoryFiles
from oci_convert.stores.files.tar import Tar
from support import archives
from support.archives import (
    Link,
    Members,
    Saved,
    archive,
    blob,
    compact,
    extracted,
    in_memory,
    row_of,
)
from support.images import (
    DOCKER,
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    LAYERS,
    OCI_CONFIG,
    OCI_INDEX,
    REF_NAME,
    Layer,
    digest_of,
    dir_files,
    docker_image,
    image_list,
    layer,
    layout_files,
    oci_image,
)

DIFF_TAR = f"{DOCKER}image.rootfs.diff.tar"
FULL_NAME = "io.containerd.image.name"
ARM = oci_image([layer("arm")], platform="linux/arm64")
SAVED = Saved()

Opened = Callable[[Mapping[str, bytes | Link]], DockerArchiveSource]


def source(members: Mapping[str, bytes | Link]) -> DockerArchiveSource:
    return DockerArchiveSource(in_memory(members), "docker-archive:app")


@pytest.fixture(params=["tar", "./tar", "folder"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """``opened(members)``: the archive as a tar, as ``tar -C dir .`` makes it, or extracted."""
    sources: list[DockerArchiveSource] = []

    def open_archive(members: Mapping[str, bytes | Link]) -> DockerArchiveSource:
        place: Files
        if request.param == "folder":
            place = Folder(extracted(members, tmp_path / "folder"))
        else:
            path = tmp_path / "app.tar"
            path.write_bytes(archive(members, prefix=request.param.removesuffix("tar")))
            place = Tar(path)
        assert is_docker_archive(place)
        sources.append(DockerArchiveSource(place, "docker-archive:app"))
        return sources[-1]

    yield open_archive
    for each in sources:
        each.close()


def read(store: DockerArchiveSource, descriptor: Descriptor) -> bytes:
    return b"".join(store.read(descriptor, "test"))


def manifest_of(store: DockerArchiveSource, root: Root | Descriptor) -> Manifest:
    """The manifest of an image; that of the first image present where it is an index."""
    descriptor = root.descriptor if isinstance(root, Root) else root
    document = read_document(read(store, descriptor), descriptor.media_type)
    if isinstance(document.model, Manifest):
        return document.model
    present = (s.descriptor for s in document.slots if store.size(s.descriptor.name) is not None)
    return manifest_of(store, next(present))


def check(store: DockerArchiveSource, root: Root, image: Saved) -> Manifest:
    """The image is there, whole and the right one."""
    manifest = manifest_of(store, root)
    assert read(store, manifest.config) == image.config
    tars = []
    for each in manifest.layers or ():
        packing = sniff(store.head(each)) or Compression.NONE
        assert store.size(each.name) == each.size
        tars.append(b"".join(decompress(store.read(each, "test"), packing, "test")))
    assert tars == [layer.tar for layer in image.layers]
    return manifest


def edited(members: Members, **changes: Any) -> Members:
    """The archive with other members in its first row; ``...`` removes one."""
    rows = json.loads(bytes_of(members["manifest.json"]))
    for name, value in changes.items():
        if value is ...:
            del rows[0][name]
        else:
            rows[0][name] = value
    return {**members, "manifest.json": compact(rows)}


def bytes_of(member: bytes | Link) -> bytes:
    assert isinstance(member, bytes)
    return member


# -- recognition --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"manifest.json": b"[]"}, True),
        ({"manifest.json": b' \r\n\t[{"Config":""}]'}, True),
        ({"repositories": b'{"app":{"1":"abc"}}'}, True),
        ({"repositories": b"https://dl-cdn.alpinelinux.org/alpine/v3.20/main\n"}, False),
        ({"repositories": b"{}", "index.json": b"{}"}, False),
        (dir_files(docker_image()), False),
        (layout_files({"app:1": oci_image()}), False),
        ({"manifest.json": b""}, False),
        ({}, False),
    ],
)
def test_an_archive_is_known_by_its_rows(files: dict[str, bytes], *, expected: bool) -> None:
    assert is_docker_archive(MemoryFiles(files)) is expected


def test_a_folder_in_the_place_of_the_rows_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").mkdir()
    assert not is_docker_archive(Folder(tmp_path))
    assert not is_docker_archive(Folder(tmp_path / "manifest.json"))


# -- every writer -------------------------------------------------------------------------------

REPEATED = Saved(layers=(*LAYERS, LAYERS[0]))


@pytest.mark.parametrize(
    "image", [SAVED, REPEATED, Saved(layers=())], ids=["", "repeated", "empty"]
)
@pytest.mark.parametrize(
    "writer",
    [archives.docker_20, archives.podman, archives.crane_legacy],
)
def test_a_row_of_plain_layers_is_built(
    opened: Opened, writer: Callable[[Saved], Members], image: Saved
) -> None:
    store = opened(writer(image))
    (root,) = store.roots()
    assert root.built
    assert root.name == "docker.io/library/app:1"
    assert root.annotations == {REF_NAME: "app:1", FULL_NAME: "docker.io/library/app:1"}
    manifest = check(store, root, image)
    assert [each.digest for each in manifest.layers or ()] == [e.diff_id for e in image.layers]
    assert {each.media_type for each in manifest.layers or ()} <= {DIFF_TAR}
    assert store.daemon_layers
    assert not store.sparse


def test_a_built_manifest_is_compact_and_in_order() -> None:
    store = source(archives.docker_20(SAVED))
    (root,) = store.roots()
    config = {
        "mediaType": DOCKER_CONFIG,
        "digest": digest_of(SAVED.config),
        "size": len(SAVED.config),
    }
    layers = [
        {"mediaType": DIFF_TAR, "digest": each.diff_id, "size": len(each.tar)} for each in LAYERS
    ]
    body = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": layers}
    assert read(store, root.descriptor) == compact(body)
    assert store.size(root.descriptor.name) == len(compact(body))
    assert root.descriptor.media_type == DOCKER_MANIFEST


PACKED = Saved(layers=tuple(layer(kind.name, kind) for kind in Compression))


@pytest.mark.parametrize("image", [SAVED, REPEATED, PACKED], ids=["", "repeated", "packed"])
def test_each_layer_of_crane_is_typed_by_its_own_bytes(opened: Opened, image: Saved) -> None:
    store = opened(archives.crane(image))
    (root,) = store.roots()
    manifest = check(store, root, image)
    assert root.built
    assert [each.digest for each in manifest.layers or ()] == [e.digest for e in image.layers]
    suffixes = {Compression.GZIP: ".gzip", Compression.ZSTD: ".zstd"}
    assert [each.media_type for each in manifest.layers or ()] == [
        DIFF_TAR + suffixes.get(each.compression, "") for each in image.layers
    ]


def test_a_packed_layer_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    members = archives.crane(Saved(("app:1", "app:2"), (*LAYERS, *LAYERS)))
    place = in_memory(members)
    read_whole: list[str] = []

    def note(name: str) -> io.BytesIO:
        read_whole.append(name)
        return io.BytesIO(place.files[name])

    monkeypatch.setattr(RowFiles, "packing", lambda _, path: sniff(place.files[path]))
    monkeypatch.setattr(place, "open", note)
    assert len(DockerArchiveSource(place, "app").roots()) == 2
    layers = [name for name in read_whole if name.endswith(".tar.gz")]
    assert sorted(layers) == sorted(name for name in members if name.endswith(".tar.gz"))


def test_a_foreign_layer_may_be_absent(opened: Opened) -> None:
    store = opened(archives.windows(SAVED))
    base, app = LAYERS
    manifest = manifest_of(store, store.roots()[0])
    foreign, plain = manifest.layers or ()
    assert foreign.media_type == f"{DOCKER}image.rootfs.foreign.diff.tar.gzip"
    assert (foreign.digest, foreign.urls) == (base.digest, ("https://mcr.example.com/base",))
    assert store.size(foreign.name) is None
    assert plain.digest == app.diff_id
    with pytest.raises(BlobError, match="is missing"):
        store.open(foreign.name)


def test_a_foreign_layer_of_oci_gets_its_docker_name() -> None:
    members = archives.windows(SAVED)
    sources = json.loads(bytes_of(members["manifest.json"]))[0]["LayerSources"]
    described = sources[LAYERS[0].diff_id]
    described["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    store = source(edited(members, LayerSources=sources))
    manifest = manifest_of(store, store.roots()[0])
    assert (manifest.layers or ())[0].media_type.endswith("foreign.diff.tar.gzip")


@pytest.mark.parametrize("image", [SAVED, Saved(None), REPEATED], ids=["", "untagged", "repeated"])
def test_a_row_of_docker_25_is_an_image_of_the_layout(opened: Opened, image: Saved) -> None:
    members = archives.docker_25(image)
    store = opened(members)
    (root,) = store.roots()
    (entry,) = json.loads(bytes_of(members["index.json"]))["manifests"]
    assert not root.built
    assert root.descriptor.digest == entry["digest"]
    assert dict(root.annotations) == entry.get("annotations", {})
    check(store, root, image)
    assert store.sparse
    assert store.daemon_layers


def test_wrong_orders_of_docker_25_0_are_outvoted(opened: Opened) -> None:
    store = opened(archives.docker_25(SAVED, order=lambda layers: layers[::-1]))
    (root,) = store.roots()
    assert root.built
    assert root.name == "docker.io/library/app:1"
    manifest = check(store, root, SAVED)
    assert [each.digest for each in manifest.layers or ()] == [e.diff_id for e in LAYERS]


def test_missing_layers_of_docker_25_0_are_outvoted() -> None:
    store = source(archives.docker_25(SAVED, order=lambda layers: layers[:1]))
    (root,) = store.roots()
    assert root.built
    check(store, root, SAVED)


def test_an_untagged_image_that_the_index_left_out_is_found() -> None:
    named, nameless = SAVED, Saved(None, (layer("other"),))
    store = source(archives.docker_25(named, nameless, indexed=False))
    first, second = store.roots()
    check(store, first, named)
    check(store, second, nameless)
    assert not second.built
    assert (second.name, second.annotations) == (None, {})


@pytest.mark.parametrize("tags", [("app:1",), ("app:1", "example.com/app:1"), None])
def test_a_row_of_docker_29_is_an_index_with_absent_platforms(
    opened: Opened, tags: tuple[str, ...] | None
) -> None:
    image = Saved(tags)
    members = archives.containerd(image, ARM)
    store = opened(members)
    entries = json.loads(bytes_of(members["index.json"]))["manifests"]
    roots = store.roots()
    assert [dict(root.annotations) for root in roots] == [e.get("annotations", {}) for e in entries]
    assert [root.name for root in roots] == [archives.full(tag) for tag in tags or ()] or [None]
    for root in roots:
        assert root.descriptor.media_type == OCI_INDEX
        check(store, root, image)
    assert store.size(Digest(ARM.digest)) is None


def test_the_name_of_regctl_is_made_whole(opened: Opened) -> None:
    store = opened(archives.regctl(SAVED))
    (root,) = store.roots()
    assert not root.built
    assert root.annotations == {REF_NAME: "1", FULL_NAME: "docker.io/library/app:1"}
    check(store, root, SAVED)


def test_an_archive_made_by_hand_is_read(tmp_path: Path) -> None:
    """Hard links, a global PAX header, paths that nobody cleaned, the rows first."""
    made = archives.docker_20(SAVED)
    row = json.loads(bytes_of(made["manifest.json"]))[0]
    config = row["Config"]
    links: Members = {
        f"h{i}.tar": Link(f"./{path}", hard=True) for i, path in enumerate(row["Layers"])
    }
    rows = edited(made, Config=f"./x/..//{config}", Layers=[f"y/.././/{name}" for name in links])[
        "manifest.json"
    ]
    path = tmp_path / "app.tar"
    members = {"manifest.json": rows, **{k: v for k, v in made.items() if k != "manifest.json"}}
    path.write_bytes(archive({**members, **links}, prefix="./", form=1, pax={"comment": "x"}))
    with DockerArchiveSource(Tar(path), "app") as store:
        check(store, store.roots()[0], SAVED)


# -- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("tags", [None, [], ..., [""]])
def test_a_row_without_tags_has_no_name(tags: object) -> None:
    (root,) = source(edited(archives.docker_20(SAVED), RepoTags=tags)).roots()
    assert (root.name, dict(root.annotations)) == (None, {})


def test_each_tag_of_a_row_is_an_image() -> None:
    tags = ["app:1", "localhost:5000/app:1", "repo:i-was-a-digest", "app:1"]
    roots = source(archives.crane(Saved(tags))).roots()
    assert len({root.descriptor.digest for root in roots}) == 1
    assert [root.annotations[REF_NAME] for root in roots] == tags[:3]
    assert [root.name for root in roots] == [
        "docker.io/library/app:1",
        "localhost:5000/app:1",
        "docker.io/library/repo:i-was-a-digest",
    ]


def test_images_of_one_bare_tag_do_not_mix() -> None:
    """In the archives of Docker 25 all three entries are called 1."""
    images = [Saved((f"example.com/{name}:1",), (layer(name),)) for name in "abc"]
    store = source(archives.docker_25(*images))
    roots = store.roots()
    assert [root.name for root in roots] == [f"example.com/{name}:1" for name in "abc"]
    for root, image in zip(roots, images, strict=True):
        check(store, root, image)


MADE = oci_image(config=SAVED.config)
OTHER = oci_image([layer("other")])


def in_layout(entries: list[dict[str, Any]], *rows: dict[str, Any]) -> Members:
    found = archives.layout([MADE, OTHER], entries)
    return {**found, "manifest.json": compact(list(rows))}


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, {REF_NAME: "app:1", FULL_NAME: "docker.io/library/app:1"}),
        ({REF_NAME: ""}, {REF_NAME: "app:1", FULL_NAME: "docker.io/library/app:1"}),
        (
            {REF_NAME: "1", "x": "y"},
            {REF_NAME: "1", FULL_NAME: "docker.io/library/app:1", "x": "y"},
        ),
        ({REF_NAME: "docker.io/library/app:1"}, {REF_NAME: "docker.io/library/app:1"}),
        ({FULL_NAME: "docker.io/library/app:1"}, {FULL_NAME: "docker.io/library/app:1"}),
    ],
)
def test_a_row_finds_its_entry(annotations: dict[str, str], expected: dict[str, str]) -> None:
    members = in_layout([archives.entry(MADE, **annotations)], row_of(MADE, ["app:1"]))
    (root,) = source(members).roots()
    assert root.descriptor.digest == MADE.digest
    assert root.annotations == expected


def test_a_row_and_an_entry_of_other_names_are_two_images() -> None:
    entries = [archives.entry(MADE, "app:2")]
    row, entry = source(in_layout(entries, row_of(MADE, ["app:1"]))).roots()
    assert (row.name, entry.name) == ("docker.io/library/app:1", "docker.io/library/app:2")
    assert row.descriptor.digest == entry.descriptor.digest == MADE.digest
    assert not row.built


def test_a_row_without_tags_does_not_take_the_entry_of_another() -> None:
    entries = [archives.entry(MADE, "app:1")]
    rows = [row_of(MADE, None), row_of(MADE, ["app:1"])]
    nameless, named = source(in_layout(entries, *rows)).roots()
    assert (nameless.name, named.name) == (None, "docker.io/library/app:1")


def test_entries_without_a_row_follow_once() -> None:
    other = archives.entry(OTHER, "other:1")
    entries = [other, archives.entry(MADE, "app:1"), other, archives.entry(OTHER)]
    roots = source(in_layout(entries, row_of(MADE, ["app:1"]))).roots()
    names = ["docker.io/library/app:1", "docker.io/library/other:1", None]
    assert [root.name for root in roots] == names


def test_of_two_entries_of_one_name_the_one_that_agrees_is_meant() -> None:
    entries = [archives.entry(OTHER, "app:1"), archives.entry(MADE, "app:1")]
    first, second = source(in_layout(entries, row_of(MADE, ["app:1"]))).roots()
    assert first.descriptor.digest == MADE.digest
    assert second.descriptor.digest == OTHER.digest


def test_files_beside_the_layout_may_be_its_blobs() -> None:
    members = in_layout([archives.entry(MADE, "app:1")])
    layers = [f"{i}.tar.gz" for i, _ in enumerate(LAYERS)]
    row = {"Config": "config.json", "RepoTags": ["app:1"], "Layers": layers}
    members |= {"config.json": SAVED.config, "manifest.json": compact([row])}
    members |= {name: each.data for name, each in zip(layers, LAYERS, strict=True)}
    (root,) = source(members).roots()
    assert root.descriptor.digest == MADE.digest


def test_layers_that_differ_from_those_of_the_layout_win() -> None:
    """The OCI part is gzip, the rows name plain tars: two forms of one image."""
    members = {**archives.docker_20(SAVED), **in_layout([archives.entry(MADE, "app:1")])}
    members["manifest.json"] = archives.docker_20(SAVED)["manifest.json"]
    store = source(members)
    (root,) = store.roots()
    assert root.built
    check(store, root, SAVED)


def test_an_image_that_the_index_cannot_vouch_for_is_built() -> None:
    """A manifest too large to be one, below too many indexes, absent, or not what it is called."""
    deep = MADE
    for _ in range(9):
        deep = image_list([deep])
    huge = archives.entry(MADE, "app:1") | {"size": 5 * 1024 * 1024}
    members = in_layout([huge], row_of(MADE, ["app:2"]))
    del members[blob(MADE.manifest)]
    members |= {f"blobs/{name}": MADE.manifest for name in ("x", "sha256/" + "0" * 64)}
    members |= {"blobs/sha256/" + "1" * 64: b"{}", "blobs/sha256/" + "2" * 64: b"{" * 5_000_000}
    first, second = source(members).roots()
    assert first.built
    assert not second.built
    config = archives.entry(MADE) | {"mediaType": OCI_CONFIG}
    top = archives.layout([deep], [archives.entry(deep, "app:1"), config, huge])
    top["manifest.json"] = members["manifest.json"]
    del top[blob(MADE.manifest)]
    assert source(top).roots()[0].built


def test_an_entry_too_large_to_read_is_left_to_its_reader() -> None:
    huge = archives.entry(MADE, "app:1") | {"size": 5 * 1024 * 1024}
    (root,) = source(in_layout([huge], row_of(MADE, ["app:1"]))).roots()
    assert root.descriptor.size == 5 * 1024 * 1024


def test_a_manifest_deep_in_indexes_is_found() -> None:
    top = image_list([image_list([ARM]), image_list([MADE])])
    members = archives.layout([top], [archives.entry(top, "app:1")])
    members["manifest.json"] = compact([row_of(MADE, ["app:1"])])
    (root,) = source(members).roots()
    assert root.descriptor.digest == top.digest


def test_an_absent_foreign_layer_of_a_layout_agrees() -> None:
    base = Layer(LAYERS[0].tar, foreign=True, more={"urls": ["https://x.example"]}, present=False)
    made = oci_image([base, LAYERS[1]], config=SAVED.config)
    described = {"mediaType": "x", "digest": base.digest, "size": len(base.data)}
    row = row_of(made, ["app:1"], LayerSources={base.diff_id: described})
    row["Layers"][0] = f"blobs/sha256/{base.diff_id[7:]}"
    members = archives.layout([made], [archives.entry(made, "app:1")])
    (root,) = source({**members, "manifest.json": compact([row])}).roots()
    assert root.descriptor.digest == made.digest


# -- blobs --------------------------------------------------------------------------------------


def test_blobs_of_a_folder_can_be_cloned(tmp_path: Path) -> None:
    folder = extracted(archives.docker_20(SAVED), tmp_path / "app")
    store = DockerArchiveSource(Folder(folder), "app")
    manifest = manifest_of(store, store.roots()[0])
    for each in manifest.layers or ():
        file = store.file_of(each)
        assert file is not None
        with file:
            assert digest_of(file.read()) == each.digest
    assert store.file_of(store.roots()[0].descriptor) is None


def test_a_blob_that_nobody_names_is_missing() -> None:
    store = source(archives.docker_20(SAVED))
    digest = Digest.of(b"nobody")
    assert store.size(digest) is None
    with pytest.raises(BlobError, match=r"^docker-archive:app: the blob sha256:\w+ is missing"):
        store.open(digest)


def test_a_plain_layer_is_what_the_config_says_or_fails() -> None:
    members = archives.docker_20(SAVED)
    path = json.loads(bytes_of(members["manifest.json"]))[0]["Layers"][1]
    members[path] = bytes_of(members[path]).replace(b"app", b"APP")
    store = source(members)
    with pytest.raises(BlobError, match="digest mismatch"):
        check(store, store.roots()[0], SAVED)


def test_names_of_files_mean_nothing() -> None:
    members = edited(archives.docker_20(SAVED), Config="0" * 64 + ".json")
    store = source({**members, "0" * 64 + ".json": SAVED.config})
    assert manifest_of(store, store.roots()[0]).config.digest == digest_of(SAVED.config)


# -- refusals -----------------------------------------------------------------------------------


def read_all(store: DockerArchiveSource) -> None:
    for root in store.roots():
        assert store.size(root.descriptor.name) is not None
        read(store, root.descriptor)


def refused(members: Mapping[str, bytes | Link]) -> OciConvertError:
    with pytest.raises(OciConvertError) as caught:
        read_all(source(members))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("docker-archive:app")
    return caught.value


CLASSIC = archives.docker_20(SAVED)


@pytest.mark.parametrize("path", ["../up", "/etc/passwd", "a/../../up", "", ".", "a\0b"])
@pytest.mark.parametrize("field", ["Config", "Layers"])
def test_paths_stay_inside(path: str, field: str) -> None:
    error = refused(edited(CLASSIC, **{field: path if field == "Config" else [path]}))
    assert error.code == "path-outside"
    position = "[0]" if field == "Layers" else ""
    assert error.place == f"docker-archive:app: manifest.json[0].{field}{position}"


def test_a_link_out_of_an_extracted_archive_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(LAYERS[0].tar)
    path = json.loads(bytes_of(CLASSIC["manifest.json"]))[0]["Layers"][0]
    for number, target in enumerate(("../../secret", str(secret))):
        folder = extracted({**CLASSIC, path: Link(target)}, tmp_path / str(number))
        with pytest.raises(StoreError) as caught:
            read_all(DockerArchiveSource(Folder(folder), "app"))
        assert caught.value.code == "link-outside"


@pytest.mark.parametrize("writer", [archives.docker_20, archives.docker_25, archives.crane])
def test_what_a_row_names_must_be_there(writer: Callable[[Saved], Members]) -> None:
    members = writer(SAVED)
    row = json.loads(bytes_of(members["manifest.json"]))[0]
    named = {f".Layers[{i}]": path for i, path in enumerate(row["Layers"])}
    for position, path in {".Config": row["Config"], **named}.items():
        error = refused({name: data for name, data in members.items() if name != path})
        assert error.code == "member-missing"
        assert error.place == f"docker-archive:app: manifest.json[0]{position}"
        assert path in error.message


def test_a_row_that_lacks_a_file_is_an_image_that_cannot_be_read() -> None:
    broken, sound = Saved(["app:1"]), Saved(["other:1"], layers=(layer("other"),))
    members = archives.docker_20(broken, sound)
    del members[json.loads(bytes_of(members["manifest.json"]))[0]["Layers"][0]]
    store = source(members)
    bad, good = store.roots()
    assert (bad.name, good.name) == ("docker.io/library/app:1", "docker.io/library/other:1")
    check(store, good, sound)
    with pytest.raises(StoreError) as caught:
        read(store, bad.descriptor)
    assert caught.value.code == "member-missing"


@pytest.mark.parametrize(
    "change", [lambda paths: paths[:1], lambda paths: [*paths, paths[0]], None]
)
def test_layers_and_diff_ids_are_as_many(change: Callable[[list[str]], list[str]] | None) -> None:
    paths = json.loads(bytes_of(CLASSIC["manifest.json"]))[0]["Layers"]
    error = refused(edited(CLASSIC, Layers=change(paths) if change else None))
    assert error.code == "inconsistent-archive"
    assert "2 diff_ids" in error.message


def test_a_broken_rootfs_is_named() -> None:
    config = compact({"rootfs": {"type": "layers", "diff_ids": ["sha256:1"]}})
    error = refused({**edited(CLASSIC, Config="config"), "config": config})
    assert "'sha256:1' is not a digest" in error.message


def test_two_files_of_one_layer_have_one_size() -> None:
    members = archives.crane_legacy(REPEATED)
    last = json.loads(bytes_of(members["manifest.json"]))[0]["Layers"][2]
    error = refused({**members, last: bytes_of(members[last]) + b"\0" * 512})
    assert error.code == "inconsistent-archive"


# -- files that should be the same ----------------------------------------------------------------

TWICE = Saved(tags=("twice:1",), layers=(LAYERS[0], LAYERS[0]))
PATHS = json.loads(bytes_of(archives.crane_legacy(TWICE)["manifest.json"]))[0]["Layers"]
OTHER_BYTES = LAYERS[0].tar[:-1] + b"x"


def of_two_rows(second: bytes, **members: bytes) -> Members:
    """Two images of one layer, each with a file of its own for it."""
    body = json.loads(Saved(layers=LAYERS[:1]).config)
    rows = [
        {"Config": f"{i}.json", "RepoTags": [f"{i}:1"], "Layers": [path]}
        for i, path in enumerate(PATHS)
    ]
    configs = {f"{i}.json": compact(body | {"author": str(i)}) for i in range(2)}
    layers: Members = {PATHS[0]: LAYERS[0].tar, PATHS[1]: second}
    return {**configs, **layers, "manifest.json": compact(rows), **members}


DIFFERENT: dict[str, tuple[Members, list[bool]]] = {
    "the same bytes": (of_two_rows(LAYERS[0].tar), [True, True]),
    "one file by a link": ({**of_two_rows(b""), PATHS[1]: Link(f"../{PATHS[0]}")}, [True, True]),
    "other bytes": (of_two_rows(OTHER_BYTES), [True, False]),
    "another size": (of_two_rows(LAYERS[0].tar + bytes(512)), [True, False]),
    "the first one is wrong": (
        {**of_two_rows(LAYERS[0].tar), PATHS[0]: OTHER_BYTES},
        [False, False],
    ),
    "a blob of the layout is what counts": (
        of_two_rows(OTHER_BYTES, **{archives.blob(LAYERS[0].tar): LAYERS[0].tar}),
        [True, False],
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_no_file_of_a_layer_is_believed_for_another_one(name: str, tmp_path: Path) -> None:
    members, sound = DIFFERENT[name]
    path = tmp_path / "app.tar"
    path.write_bytes(archive(members))
    assert verify(path).sound == all(sound)
    for i, expected in enumerate(sound):
        assert verify(f"docker-archive:{path}:{i}:1").sound == expected


def test_one_row_whose_files_differ_is_refused() -> None:
    error = refused({**archives.crane_legacy(TWICE), PATHS[1]: OTHER_BYTES})
    assert error.code == "inconsistent-archive"
    assert f"{PATHS[1]} and {PATHS[0]}" in error.message


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (b"[", "invalid-json"),
        (b"{}", "invalid-document"),
        (b"[1]", "invalid-document"),
        (b"[{}]", "invalid-document"),
        (b'[{"Config":"c","Layers":"x"}]', "invalid-document"),
        (b'[{"Config":"c","config":"d"}]', "ambiguous-document"),
        (b'[{"Config":"c","Config":"d"}]', "duplicate-member"),
        (b"\xef\xbb\xbf[]", "byte-order-mark"),
        (b"[] []", "trailing-data"),
    ],
)
def test_rows_are_read_strictly(rows: bytes, code: str) -> None:
    error = refused({"manifest.json": rows, "c": SAVED.config})
    assert error.code == code
    assert isinstance(error, DocumentError)


def test_a_config_is_read_strictly() -> None:
    config = SAVED.config.replace(b'"author"', b'"os":"plan9","author"')
    path = json.loads(bytes_of(CLASSIC["manifest.json"]))[0]["Config"]
    assert refused({**CLASSIC, path: config}).code == "duplicate-member"


def test_an_archive_of_old_is_named_as_such() -> None:
    members = {name: data for name, data in CLASSIC.items() if name != "manifest.json"}
    error = refused(members)
    assert error.code == "no-manifest-json"
    assert "before 1.10" in error.message
    del members["repositories"]
    assert refused(members).code == "not-an-image-store"


def test_no_rows_are_no_images() -> None:
    assert source({"manifest.json": b"[]"}).roots() == []
