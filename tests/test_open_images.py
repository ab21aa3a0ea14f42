"""Reading images: the same views of every store, lazy, and verified as they are read."""

from __future__ import annotations

import gzip
import pickle
import subprocess
import sys
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import (
    BlobError,
    Compression,
    DocumentError,
    Image,
    Layer,
    Memory,
    OciConvertError,
    Platform,
    RefusedError,
    StoreError,
    UsageError,
    convert,
    open_images,
)
from support import archives, schema1
from support.images import (
    DOCKER_LAYER,
    OCI_CONFIG,
    OCI_LAYER,
    Blob,
    attestation,
    cosign_signature,
    cosign_tag,
    digest_of,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
    rc2_files,
    referrer,
    save_tar,
    write_dir,
    write_files,
    write_layout,
)
from support.runs import platforms, store

BASE, APP = layer("base", size=100_000), layer("app", Compression.ZSTD)
PLAIN = layer("plain", Compression.NONE)
IMAGE = docker_image([BASE, APP, PLAIN])
AMD64, ARM64, ARM6, ARM7 = platforms(
    "linux/amd64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7"
)
NESTED = image_list([AMD64, attestation(AMD64), image_list([ARM64, image_list([ARM7])])])


def code(error: pytest.ExceptionInfo[OciConvertError]) -> str:
    return error.value.code


def stored(layer: Layer) -> bytes:
    with layer.open() as file:
        return file.read()


def tar(layer: Layer) -> bytes:
    with layer.open(unpacked=True) as file:
        return file.read()


def damaged(memory: Memory, digest: str, change: Callable[[bytes], bytes]) -> Memory:
    """The same store, with other bytes under a digest."""
    name = f"blobs/{digest.replace(':', '/')}"
    return Memory({**memory.files, name: change(memory.files[name])})


def flipped(data: bytes, at: int = -1) -> bytes:
    """``data`` with one bit changed."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


# -- the same in every store ---------------------------------------------------------------------


def layout(tmp_path: Path) -> str:
    return f"oci:{write_layout({'app:1': IMAGE}, tmp_path / 'layout')}:app:1"


def bare(tmp_path: Path) -> str:
    return str(write_layout({"app:1": IMAGE}, tmp_path / "layout"))


def directory(tmp_path: Path) -> str:
    return f"dir:{write_dir(IMAGE, tmp_path / 'dir')}"


def rc2(tmp_path: Path) -> str:
    return f"oci:{write_files(rc2_files({'1': IMAGE}), tmp_path / 'rc2')}"


def archive(tmp_path: Path) -> str:
    file = tmp_path / "app.tar"
    file.write_bytes(archives.archive(layout_files({"app:1": IMAGE})))
    return f"oci-archive:{file}"


def compressed(tmp_path: Path) -> str:
    file = tmp_path / "app.img"
    file.write_bytes(gzip.compress(archives.archive(layout_files({"app:1": IMAGE})), 1))
    return str(file)


STORES = {
    "a layout": layout,
    "a bare path": bare,
    "a dir:": directory,
    "a layout of rc2": rc2,
    "an oci-archive": archive,
    "an archive that is compressed": compressed,
}


@pytest.mark.parametrize("kind", STORES)
def test_every_store_shows_the_same_image(kind: str, tmp_path: Path) -> None:
    with open_images(STORES[kind](tmp_path)) as images:
        [image] = images
        assert image.digest == image.top.digest == IMAGE.digest
        assert image.media_type == IMAGE.media_type
        assert image.platform == Platform(os="linux", architecture="amd64")
        assert image.manifest_bytes == IMAGE.manifest
        assert image.manifest.config.digest == digest_of(IMAGE.config)
        assert image.config_bytes == IMAGE.config
        assert image.config.config is not None
        assert image.config.config.entrypoint == ("/bin/sh", "-c")
        assert [stored(it) for it in image.layers] == [it.data for it in IMAGE.layers]
        assert [tar(it) for it in image.layers] == [it.tar for it in IMAGE.layers]
        assert [it.diff_id for it in image.layers] == [it.diff_id for it in IMAGE.layers]
        assert [it.compression for it in image.layers] == [it.compression for it in IMAGE.layers]
        assert [it.digest for it in image.layers] == [it.digest for it in IMAGE.layers]
        assert [it.size for it in image.layers] == [len(it.data) for it in IMAGE.layers]
        assert image.layers[0].media_type == DOCKER_LAYER
        assert image.layers[2].where == "images[0].layers[2]"


def test_an_archive_of_docker_save_has_the_manifest_that_its_files_make_up(tmp_path: Path) -> None:
    file = tmp_path / "app.tar"
    file.write_bytes(save_tar({"app:1": IMAGE, "other:1": docker_image([BASE])}))
    with open_images(f"docker-archive:{file}:app:1") as images:
        [image] = images
        assert (image.name, str(image)) == ("docker.io/library/app:1",) * 2
        assert image.config_bytes == IMAGE.config
        assert image.digest == digest_of(image.manifest_bytes)
        assert [tar(it) for it in image.layers] == [it.tar for it in IMAGE.layers]
        assert all(stored(it) == tar(it) for it in image.layers)
    with open_images(file) as images:
        assert [image.name for image in images] == [
            "docker.io/library/app:1",
            "docker.io/library/other:1",
        ]


def test_an_image_of_schema_1_shows_what_it_becomes(tmp_path: Path) -> None:
    raw = schema1.sign(schema1.pretty(schema1.body()))
    write_files(schema1.dir_files(raw), tmp_path)
    target = Memory()
    report = convert(tmp_path, target, to="docker")
    with open_images(tmp_path) as images, open_images(target) as upgraded:
        [image], [other] = images, upgraded
        assert image.digest == digest_of(raw)
        assert image.manifest_bytes == other.manifest_bytes
        assert image.config_bytes == other.config_bytes
        assert report.images[0].new.digest == other.digest
        assert [tar(it) for it in image.layers] == [tar(it) for it in other.layers]


def test_views_cannot_be_changed() -> None:
    with open_images(store(app=IMAGE)) as images:
        [image] = images
        for view in (image, image.layers[0]):
            with pytest.raises(FrozenInstanceError):
                view.where = "elsewhere"  # type: ignore[misc]  # that is the point
        assert image.layers is image.layers


# -- which images --------------------------------------------------------------------------------


def test_an_index_gives_what_is_below_it_however_deep() -> None:
    with open_images(store(app=NESTED, other=IMAGE)) as images:
        found = {image.where: (image.name, str(image.platform)) for image in images}
        assert {image.top.digest for image in images} == {NESTED.digest, IMAGE.digest}
    assert found == {
        "images[0].manifests[0]": ("app", "linux/amd64"),
        "images[0].manifests[2].manifests[0]": ("app", "linux/arm64/v8"),
        "images[0].manifests[2].manifests[1].manifests[0]": ("app", "linux/arm/v7"),
        "images[1]": ("other", "linux/amd64"),
    }


def test_a_reference_with_a_name_opens_that_image_alone(tmp_path: Path) -> None:
    path = write_layout({"a": AMD64, "b": ARM64}, tmp_path)
    with open_images(f"oci:{path}:b") as images:
        assert [image.digest for image in images] == [ARM64.digest]
        assert images.store == f"oci:{path}:b"


def test_what_is_no_image_is_left_out_and_can_be_read() -> None:
    chart = manifest(Blob("application/vnd.cncf.helm.config.v1+json", b"{}"), [Blob("a/b", b"c")])
    note = referrer(IMAGE)
    signature = cosign_signature(IMAGE)
    memory = store(app=IMAGE, _=note, chart=chart, **{cosign_tag(IMAGE): signature})
    with open_images(memory) as images:
        assert [image.digest for image in images] == [IMAGE.digest]
        for artifact in (chart, note, signature):
            with images.open(artifact.descriptor) as file:
                assert file.read() == artifact.manifest


FOUND: dict[str, tuple[str | None, str | None, str]] = {
    "a name": ("one", None, AMD64.digest),
    "a digest": (AMD64.digest, None, AMD64.digest),
    "a position": ("@1", None, AMD64.digest),
    "a platform": (None, "linux/arm64", ARM64.digest),
    "a variant": (None, "linux/arm64/v8", ARM64.digest),
    "both": ("many", "linux/arm/v7", ARM7.digest),
    "a platform that only the config states": ("one", "linux/amd64", AMD64.digest),
    "a platform of one image under two names": (None, "linux/amd64", AMD64.digest),
}


@pytest.mark.parametrize("what", FOUND)
def test_one_image_is_found_by(what: str) -> None:
    ref, platform, digest = FOUND[what]
    index = image_list([AMD64, ARM64, ARM6, ARM7])
    with open_images(store(many=index, one=AMD64)) as images:
        assert images.find(ref, platform=platform).digest == digest


NOT_FOUND: dict[str, tuple[str | None, str | None, str, type[OciConvertError], str]] = {
    "nothing said": (None, None, "several-images", UsageError, "choose one of many (linux/amd64)"),
    "two variants": (None, "linux/arm", "several-images", UsageError, "many (linux/arm/v6), many"),
    "no name": ("none", None, "unknown-reference", StoreError, "available: many, one"),
    "no platform": (
        "one",
        "linux/s390x",
        "no-such-platform",
        RefusedError,
        "available: one (linux/amd64)",
    ),
    "no variant": ("many", "linux/arm/v5", "no-such-platform", RefusedError, "many (linux/arm/v7)"),
    "a typo": (None, "arm64", "invalid-platform", UsageError, "OS/ARCH"),
}


@pytest.mark.parametrize("what", NOT_FOUND)
def test_what_is_not_one_image_is_an_error_that_lists_them(what: str) -> None:
    ref, platform, expected, kind, listed = NOT_FOUND[what]
    memory = store(many=image_list([AMD64, ARM64, ARM6, ARM7]), one=AMD64)
    with open_images(memory) as images, pytest.raises(kind) as caught:
        images.find(ref, platform=platform)
    assert code(caught) == expected
    assert listed in caught.value.remedy


def test_a_long_list_of_images_is_cut() -> None:
    many = {f"app{i}": oci_image([layer(f"{i}")]) for i in range(30)}
    with open_images(store(**many)) as images, pytest.raises(UsageError) as caught:
        images.find()
    assert caught.value.remedy.endswith("app19 and 10 more")


def test_a_store_without_images_is_no_error_until_one_is_wanted() -> None:
    with open_images(store()) as images:
        assert list(images) == []
        with pytest.raises(StoreError) as caught:
            images.find()
    assert code(caught) == "no-image"


# -- what is missing or broken ---------------------------------------------------------------------


def test_a_broken_image_keeps_nobody_from_the_others() -> None:
    whole = {f"app{i}": oci_image([layer(f"{i}")]) for i in range(5)}
    memory = damaged(store(**whole), whole["app3"].digest, flipped)
    names, faults = [], []
    with open_images(memory) as images:
        for image in images:
            try:
                names.append((image.name, len(image.layers)))
            except OciConvertError as error:
                faults.append((image.name, error.code, error.place))
        assert images.find("app4").manifest_bytes == whole["app4"].manifest
        assert images.find("app3").name == "app3"
    assert names == [(f"app{i}", 1) for i in (0, 1, 2, 4)]
    assert faults == [("app3", "digest-mismatch", "memory: images[3]")]


def test_a_broken_index_is_an_image_that_raises() -> None:
    memory = damaged(store(app=NESTED), NESTED.digest, flipped)
    with open_images(memory) as images:
        [image] = images
        for look in (
            lambda: image.manifest,
            lambda: image.config,
            lambda: image.layers,
            lambda: image.platform,
            lambda: images.find(platform="linux/amd64"),
        ):
            with pytest.raises(BlobError) as caught:
                look()
            assert code(caught) == "digest-mismatch"


def test_a_broken_image_does_not_hide_one_for_the_platform() -> None:
    memory = damaged(store(bad=ARM64, good=AMD64), ARM64.digest, flipped)
    with open_images(memory) as images:
        assert images.find(platform="linux/amd64").name == "good"


def test_a_missing_platform_raises_when_it_is_looked_at() -> None:
    index = image_list([AMD64, ARM64])
    with open_images(store(app=index.without(ARM64.digest))) as images:
        assert [str(image) for image in images] == ["app (linux/amd64)", "app (linux/arm64/v8)"]
        image = images.find(platform="linux/arm64")
        for look in (lambda: image.manifest, lambda: image.config, lambda: image.layers):
            with pytest.raises(BlobError) as caught:
                look()
            assert code(caught) == "blob-missing"


def test_platforms_that_docker_did_not_save_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "app.tar"
    saved = archives.containerd(archives.Saved(), ARM64, ARM7)
    file.write_bytes(archives.archive(saved))
    with open_images(file) as images:
        assert [str(image.platform) for image in images] == ["linux/amd64"]


CONFIGS: dict[str, tuple[Callable[[Memory], Memory], str]] = {
    "missing": (lambda it: Memory(_without(it, IMAGE.config)), "blob-missing"),
    "damaged": (lambda it: damaged(it, digest_of(IMAGE.config), flipped), "digest-mismatch"),
    "cut": (lambda it: damaged(it, digest_of(IMAGE.config), lambda b: b[:-1]), "blob-truncated"),
}


def _without(memory: Memory, data: bytes) -> dict[str, bytes]:
    return {name: content for name, content in memory.files.items() if content != data}


@pytest.mark.parametrize("what", CONFIGS)
def test_a_config_that_is(what: str) -> None:
    change, expected = CONFIGS[what]
    with open_images(change(store(app=IMAGE))) as images:
        [image] = images
        assert image.manifest_bytes == IMAGE.manifest
        for look in (lambda: image.config, lambda: image.config_bytes, lambda: image.layers):
            with pytest.raises(BlobError) as caught:
                look()
            assert code(caught) == expected


def test_a_config_that_is_ambiguous_can_be_had_as_bytes_only() -> None:
    config = b'{"rootfs": {"type": "layers", "diff_ids": []}, "ROOTFS": {}}'
    with open_images(store(app=oci_image([], config=config))) as images:
        [image] = images
        assert image.config_bytes == config
        with pytest.raises(DocumentError) as caught:
            _ = image.config
    assert (code(caught), caught.value.place) == (
        "ambiguous-document",
        "memory: images[0].config",
    )


def test_odd_values_of_a_config_are_left_out_of_the_view() -> None:
    config = minimal_config([BASE], author=7)
    with open_images(store(app=oci_image([BASE], config=config))) as images:
        [image] = images
        assert image.config.author is None
        assert image.config.os == "linux"
        assert image.config_bytes == config


# -- layers --------------------------------------------------------------------------------------


WRONG: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a changed byte": (lambda data: flipped(data, len(data) // 2), "digest-mismatch"),
    "its end missing": (lambda data: data[:-1], "blob-truncated"),
    "a byte too many": (lambda data: data + b"\0", "wrong-size"),
}


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("what", WRONG)
def test_a_layer_is_refused_with(what: str, position: int) -> None:
    change, expected = WRONG[what]
    with open_images(damaged(store(app=IMAGE), IMAGE.layers[position].digest, change)) as images:
        [image] = images
        assert image.config_bytes == IMAGE.config
        for other in {0, 1, 2} - {position}:
            assert tar(image.layers[other]) == IMAGE.layers[other].tar
        with pytest.raises(BlobError) as caught:
            stored(image.layers[position])
        assert code(caught) == expected
        assert caught.value.place == f"memory: images[0].layers[{position}]"
        with pytest.raises(BlobError) as caught:
            tar(image.layers[position])
        assert code(caught) in (expected, "corrupt-layer")


@pytest.mark.parametrize("packing", [Compression.NONE, Compression.GZIP, Compression.ZSTD])
def test_a_layer_that_the_config_does_not_name_is_refused_when_it_is_unpacked(
    packing: Compression,
) -> None:
    config = minimal_config([layer("another")])
    with open_images(store(app=oci_image([layer("x", packing)], config=config))) as images:
        [found] = images.find().layers
        assert stored(found) == layer("x", packing).data
        with pytest.raises(BlobError) as caught:
            tar(found)
    assert code(caught) == "wrong-diff-id"


def test_tarfile_reads_a_layer_and_the_block_tells_what_it_did_not_see() -> None:
    padded = replace(PLAIN, tar=PLAIN.tar + bytes(300_000))
    image = docker_image([padded])
    names: list[str] = []

    def read(memory: Memory) -> None:
        with (
            open_images(memory) as images,
            images.find().layers[0].open(unpacked=True) as file,
            tarfile.open(fileobj=file, mode="r|") as members,
        ):
            names.extend(members.getnames())

    read(store(app=image))
    with pytest.raises(BlobError) as caught:
        read(damaged(store(app=image), padded.digest, flipped))
    assert code(caught) == "digest-mismatch"
    assert names == ["etc", "etc/motd"] * 2


def test_who_has_seen_enough_closes_and_does_not_pay_for_the_rest() -> None:
    memory = damaged(store(app=IMAGE), BASE.digest, flipped)
    with open_images(memory) as images, images.find().layers[0].open() as file:
        assert file.read(10) == BASE.data[:10]
        file.close()


def test_layers_are_unpacked_by_their_bytes_whatever_they_are_called() -> None:
    wrong = replace(layer("x"), media_type=f"{OCI_LAYER.removesuffix('gzip')}zstd")
    with open_images(store(app=oci_image([wrong]))) as images:
        [found] = images.find().layers
        assert found.compression is Compression.GZIP
        assert tar(found) == wrong.tar


def test_what_is_no_tar_can_be_had_as_it_is_stored() -> None:
    image = manifest(
        Blob(OCI_CONFIG, minimal_config([])), [Blob(f"{OCI_LAYER}+encrypted", b"secret")]
    )
    with open_images(store(app=image)) as images:
        [found] = images.find().layers
        assert (found.compression, found.diff_id) == (None, None)
        assert stored(found) == b"secret"
        with pytest.raises(BlobError) as caught:
            tar(found)
    assert code(caught) == "corrupt-layer"


def test_a_config_with_too_few_diff_ids_vouches_for_none() -> None:
    image = oci_image([BASE, PLAIN], config=minimal_config([BASE]))
    with open_images(store(app=image)) as images:
        found = images.find().layers
        assert [it.diff_id for it in found] == [None, None]
        assert [tar(it) for it in found] == [BASE.tar, PLAIN.tar]


def test_a_foreign_layer_need_not_be_there() -> None:
    foreign = replace(BASE, foreign=True, present=False, more={"urls": ["https://example.com"]})
    with open_images(store(app=docker_image([foreign, APP]))) as images:
        absent, present = images.find().layers
        assert (absent.present, present.present) == (False, True)
        assert absent.descriptor.urls == ("https://example.com",)
        with pytest.raises(BlobError) as caught:
            absent.open()
    assert code(caught) == "blob-missing"


def test_any_blob_of_the_store_can_be_read_and_is_verified() -> None:
    memory = store(app=NESTED)
    with open_images(memory) as images:
        top = next(iter(images)).top
        with images.open(top) as file:
            assert file.read() == NESTED.manifest
        missing = top.model_copy(update={"digest": "sha256:" + "0" * 64})
        with pytest.raises(BlobError) as caught:
            images.open(missing)
        assert code(caught) == "blob-missing"
    with open_images(damaged(memory, NESTED.digest, flipped)) as images:
        with pytest.raises(BlobError) as caught, images.open(top):
            pass
        assert code(caught) == "digest-mismatch"


@given(st.data())
def test_what_is_read_is_what_was_written_or_an_error(data: st.DataObject) -> None:
    """One bit of any file of a store is changed; then everything is read."""
    index = image_list([IMAGE, docker_image([PLAIN], platform="linux/arm64")])
    files = layout_files({"app": index})
    name = data.draw(st.sampled_from(sorted(name for name in files if name.startswith("blobs/"))))
    at = data.draw(st.integers(0, len(files[name]) - 1))
    changed = Memory({**files, name: flipped(files[name], at)})
    with open_images(Memory(files)) as images:
        wanted = [_content(image) for image in images]
    with open_images(changed) as images:
        found = [_outcome(image) for image in images]
    assert any(isinstance(it, str) for it in found)
    assert all(it in wanted or str(it).startswith("memory: images[0]") for it in found)


def _outcome(image: Image) -> tuple[bytes, bytes, list[bytes]] | str:
    """What an image holds, or the place of what is wrong with it."""
    try:
        return _content(image)
    except OciConvertError as error:
        return error.place


def _content(image: Image) -> tuple[bytes, bytes, list[bytes]]:
    return image.manifest_bytes, image.config_bytes, [tar(it) for it in image.layers]


# -- opening and closing ---------------------------------------------------------------------------


def test_after_closing_what_was_read_stays_and_nothing_more_can_be_read(tmp_path: Path) -> None:
    with open_images(archive(tmp_path)) as images:
        [image] = images
        first = image.layers[0]
    images.close()
    assert image.config_bytes == IMAGE.config
    assert image.manifest.layers is not None
    for read in (
        first.open,
        lambda: list(images),
        images.find,
        lambda: images.open(image.top),
    ):
        with pytest.raises(ValueError, match=r"app\.tar: the images are closed"):
            read()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no list of open files")
@pytest.mark.parametrize("kind", STORES)
def test_nothing_stays_open(kind: str, tmp_path: Path) -> None:
    reference = STORES[kind](tmp_path)

    def open_files() -> set[str]:
        links = (Path(f"/proc/self/fd/{fd.name}") for fd in Path("/proc/self/fd").iterdir())
        return {str(link.readlink()) for link in links if link.is_symlink()}

    before = open_files()
    with open_images(reference) as images:
        for found in images.find().layers:
            with found.open() as file:
                file.read(1)
                file.close()
    assert open_files() - before == set()


def test_what_cannot_be_opened_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("hello")
    for path, expected in (
        ("none", "no-such-store"),
        ("empty", "not-an-image-store"),
        ("text", "not-an-archive"),
    ):
        with pytest.raises(StoreError) as caught:
            open_images(tmp_path / path)
        assert code(caught) == expected
    with pytest.raises(StoreError) as caught:
        open_images(f"{layout(tmp_path)}:none")
    assert code(caught) == "unknown-reference"


def test_threads_read_the_layers_of_one_store_at_the_same_time(tmp_path: Path) -> None:
    image = docker_image([layer(f"{i}", size=400_000) for i in range(8)])
    file = tmp_path / "app.tar"
    file.write_bytes(archives.archive(layout_files({"app:1": image})))
    with open_images(file) as images, ThreadPoolExecutor(8) as pool:
        layers = images.find().layers * 4
        assert list(pool.map(tar, layers)) == [it.tar for it in image.layers] * 4


AUDIT = """
import os, sys, tarfile
from pathlib import Path

seen = []
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def hook(event, args):
    if event == "open":
        if isinstance(args[2], int) and args[2] & WRITING:
            seen.append((event, str(args[0])))
    elif event.startswith(("subprocess.", "os.", "socket.", "tempfile.", "shutil.")):
        if event not in ("os.fwalk", "os.listdir", "os.scandir", "os.walk"):
            seen.append((event, str(args)))

from oci_convert import open_images
sys.dont_write_bytecode = True
sys.addaudithook(hook)
before = Path.cwd()
for store in sys.argv[1:]:
    with open_images(store) as images:
        for image in images:
            for layer in image.layers:
                with layer.open(unpacked=True) as file:
                    with tarfile.open(fileobj=file, mode="r|") as tar:
                        tar.getnames()
assert Path.cwd() == before
assert seen == [], seen
"""


def test_reading_writes_nothing_and_starts_nothing(tmp_path: Path) -> None:
    stores = [STORES[kind](tmp_path) for kind in STORES if kind != "an archive that is compressed"]
    command = [sys.executable, "-c", AUDIT, *stores]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert (done.returncode, done.stdout) == (0, "")


def test_what_must_be_unpacked_is_unpacked_where_one_says(tmp_path: Path) -> None:
    reference, scratch = compressed(tmp_path), tmp_path / "scratch"
    with pytest.raises(StoreError) as caught:
        open_images(reference, tmpdir=scratch)
    assert caught.value.place == str(scratch)
    scratch.mkdir()
    with open_images(reference, tmpdir=scratch) as images:
        assert images.find().digest == IMAGE.digest
    assert list(scratch.iterdir()) == []


def test_an_image_says_its_id_its_size_and_what_speaks_of_it() -> None:
    amd64 = oci_image([layer("a"), layer("a"), layer("b")])
    proof = attestation(amd64)
    index = image_list([amd64, proof, oci_image(platform="linux/arm64")])
    signed, note = cosign_signature(index), referrer(amd64)
    files = layout_files({"app": index, cosign_tag(index): signed, "note": note, "other": IMAGE})
    with open_images(Memory(files)) as images:
        image = images.find("app", platform="linux/amd64")
        assert image.id == image.manifest.config.digest == digest_of(amd64.config)
        blobs = {amd64.digest: amd64.manifest, image.id: amd64.config}
        blobs |= {one.digest: one.data for one in amd64.layers}
        assert image.size == sum(map(len, blobs.values()))
        found = {one.digest: one for one in image.referrers}
        assert found.keys() == {proof.digest, signed.digest, note.digest}
        assert found[proof.digest].attestation
        assert found[note.digest].artifact_type == "application/vnd.example.note"
        with images.open(found[signed.digest].descriptor) as file:
            assert file.read() == signed.manifest
        assert images.find("other").referrers == ()


def test_what_is_open_cannot_go_to_another_process() -> None:
    with open_images(store(app=AMD64)) as images:
        image = images.find()
        for view in (images, image, image.layers[0], image.files()):
            with pytest.raises(TypeError, match="open the store there"):
                pickle.dumps(view)
