"""What is broken or asked wrongly ends in one line, and leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from oci_convert.conversion.convert import convert
from oci_convert.errors import (
    BlobError,
    DocumentError,
    OciConvertError,
    RefusedError,
    StoreError,
    UsageError,
)
from oci_convert.stores.memory import Memory
from support.images import (
    DOCKER_MANIFEST,
    EMPTY,
    OCI_CONFIG,
    OCI_MANIFEST,
    Blob,
    Image,
    archive_of,
    digest_of,
    docker_image,
    files_below,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
    write_dir,
    write_files,
    write_layout,
)
from support.runs import (
    AT_HOME,
    IMAGE,
    ZSTD,
    platforms,
    store,
)

# -- what goes wrong -------------------------------------------------------------------------------

LAYER_FILE = f"blobs/{IMAGE.layers[0].digest.replace(':', '/')}"
ZSTD_FILE = f"blobs/{IMAGE.layers[1].digest.replace(':', '/')}"
CONFIG_FILE = f"blobs/{digest_of(IMAGE.config).replace(':', '/')}"
MANIFEST_FILE = f"blobs/{IMAGE.digest.replace(':', '/')}"


def with_manifest(change: Callable[[Any], object]) -> dict[str, bytes]:
    """The layout of :data:`IMAGE`, its manifest changed, its index adapted."""
    body = IMAGE.json
    change(body)
    raw = json.dumps(body).encode()
    blobs = {**IMAGE.blobs, digest_of(raw): raw}
    return layout_files({"app": Image(raw, DOCKER_MANIFEST, blobs, {digest_of(raw): raw})})


def with_raw(raw: bytes, media_type: str = DOCKER_MANIFEST) -> dict[str, bytes]:
    blobs = {**IMAGE.blobs, digest_of(raw): raw}
    return layout_files({"app": Image(raw, media_type, blobs, {digest_of(raw): raw})})


def with_file(name: str, change: Callable[[bytes], bytes | None]) -> dict[str, bytes]:
    """The layout of :data:`IMAGE`, one file changed or removed."""
    files = layout_files({"app": IMAGE})
    data = change(files.pop(name))
    return files if data is None else {**files, name: data}


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


SAME_TAR = docker_image([layer("a", ZSTD)], config=minimal_config([layer("b")]))
BROKEN: dict[str, tuple[dict[str, bytes], dict[str, Any], type[OciConvertError], str, str]] = {
    # the files, options, the error, its code, its place
    "missing layer": (
        with_file(LAYER_FILE, lambda _: None),
        {},
        BlobError,
        "blob-missing",
        "images[0].layers[0]",
    ),
    "missing config": (
        with_file(CONFIG_FILE, lambda _: None),
        {},
        BlobError,
        "blob-missing",
        "images[0].config",
    ),
    "missing manifest": (
        with_file(MANIFEST_FILE, lambda _: None),
        {},
        BlobError,
        "blob-missing",
        "images[0]",
    ),
    "truncated layer": (
        with_file(LAYER_FILE, lambda data: data[:-1]),
        {},
        BlobError,
        "blob-truncated",
        "images[0].layers[0]",
    ),
    "empty layer": (
        with_file(LAYER_FILE, lambda _: b""),
        {},
        BlobError,
        "blob-truncated",
        "images[0].layers[0]",
    ),
    "layer with more": (
        with_file(LAYER_FILE, lambda data: data + b"x"),
        {},
        BlobError,
        "wrong-size",
        "images[0].layers[0]",
    ),
    "layer of another digest": (
        with_file(LAYER_FILE, flipped),
        {},
        BlobError,
        "digest-mismatch",
        "images[0].layers[0]",
    ),
    "recompressed layer of another digest": (
        with_file(ZSTD_FILE, flipped),
        {"compress": "gzip"},
        BlobError,
        "digest-mismatch",
        "images[0].layers[1]",
    ),
    "config of another digest": (
        with_file(CONFIG_FILE, flipped),
        {},
        BlobError,
        "digest-mismatch",
        "images[0].config",
    ),
    "manifest of another digest": (
        with_file(MANIFEST_FILE, flipped),
        {},
        BlobError,
        "digest-mismatch",
        "images[0]",
    ),
    "size of another layer": (
        with_manifest(lambda body: body["layers"][0].update(size=7)),
        {},
        BlobError,
        "wrong-size",
        "images[0].layers[0]",
    ),
    "wrong diff_id": (
        layout_files({"app": SAME_TAR}),
        {"compress": "gzip"},
        BlobError,
        "wrong-diff-id",
        "images[0].layers[0]",
    ),
    "no diff_id": (
        layout_files({"app": docker_image([layer("a", ZSTD)], config=minimal_config([]))}),
        {"compress": "gzip"},
        BlobError,
        "count-mismatch",
        "images[0]",
    ),
    "two kinds": (
        with_manifest(lambda body: body.update(manifests=[])),
        {},
        DocumentError,
        "ambiguous-document",
        "images[0]",
    ),
    "other case": (
        with_manifest(lambda body: body["layers"][0].update(Digest="x")),
        {},
        DocumentError,
        "ambiguous-document",
        "images[0].layers[0]",
    ),
    "twice": (
        with_raw(IMAGE.manifest.replace(b'"layers"', b'"layers":[],"layers"')),
        {},
        DocumentError,
        "duplicate-member",
        "images[0]",
    ),
    "other media type": (
        with_raw(IMAGE.manifest, OCI_MANIFEST),
        {},
        DocumentError,
        "contradictory-media-type",
        "images[0]",
    ),
    "traversal": (
        with_manifest(lambda body: body["layers"][0].update(digest="sha256:../../../etc/passwd")),
        {},
        DocumentError,
        "invalid-digest",
        "images[0].layers[0]",
    ),
    "unknown algorithm": (
        with_manifest(lambda body: body["layers"][0].update(digest="md5:" + "0" * 32)),
        {},
        BlobError,
        "blob-missing",
        "images[0].layers[0]",
    ),
    "false data": (
        with_manifest(lambda body: body["config"].update(data="AAAA")),
        {},
        DocumentError,
        "wrong-data",
        "images[0].config",
    ),
    "schema 1": (
        with_raw(b'{"schemaVersion":1,"fsLayers":[]}', DOCKER_MANIFEST),
        {},
        DocumentError,
        "ambiguous-document",
        "images[0]",
    ),
    "not for docker": (
        layout_files({"app": manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"x")])}),
        {"to": "docker"},
        RefusedError,
        "not-an-image",
        "images[0]",
    ),
    "unknown layer": (
        layout_files({"app": manifest(Blob(OCI_CONFIG, minimal_config([])), [Blob("a/b", b"x")])}),
        {"to": "docker"},
        RefusedError,
        "unknown-layer",
        "images[0].layers[0]",
    ),
    "encrypted layer": (
        layout_files({"app": AT_HOME["a layer that is encrypted"][0]}),
        {"to": "docker"},
        RefusedError,
        "encrypted-layer",
        "images[0].layers[0]",
    ),
    "foreign zstd": (
        layout_files({"app": oci_image([layer("f", ZSTD, foreign=True)])}),
        {"to": "docker"},
        RefusedError,
        "no-docker-type",
        "images[0].layers[0]",
    ),
    "no such platform": (
        layout_files({"app": IMAGE}),
        {"platforms": ["linux/arm64"]},
        RefusedError,
        "no-such-platform",
        "images[0]",
    ),
}


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize(
    ("files", "options", "kind", "code", "where"), BROKEN.values(), ids=BROKEN.keys()
)
def test_what_is_broken_ends_in_one_line_and_leaves_nothing(
    files: dict[str, bytes],
    options: dict[str, Any],
    kind: type[OciConvertError],
    code: str,
    where: str,
    jobs: int,
    tmp_path: Path,
) -> None:
    source = f"oci:{write_files(files, tmp_path / 'source')}"
    target = tmp_path / "new" / "target"
    asked: dict[str, Any] = {"to": "oci", "jobs": jobs, "fsync": False} | options
    with pytest.raises(OciConvertError) as caught:
        convert(source, f"oci:{target}", **asked)
    error = caught.value
    assert type(error) is kind
    assert error.code == code
    assert (error.store, error.where) == (source, where)
    assert error.remedy
    assert str(error).startswith(f"{source}: {where}: ")
    assert len(str(error).splitlines()) == 1
    assert not target.parent.exists()
    stays = write_files({"index.json": layout_files({})["index.json"]}, tmp_path / "other")
    before = files_below(stays)
    with pytest.raises(OciConvertError):
        convert(source, f"oci:{stays}", **asked)
    after = files_below(stays)
    assert after["index.json"] == before["index.json"]
    assert not any(name.startswith(".oci-convert") for name in after)


def test_a_wrong_call_says_what_there_is(tmp_path: Path) -> None:
    images = dict(zip(("a", "b"), platforms("linux/amd64", "linux/arm64"), strict=True))
    layout = write_layout(images, tmp_path / "layout")
    image = write_dir(IMAGE, tmp_path / "image")
    full = write_files({"notes.txt": b"mine"}, tmp_path / "full")
    calls: list[tuple[Sequence[str], dict[str, Any], type[OciConvertError], str, str]] = [
        ((f"oci:{layout}:c", "oci:x"), {}, StoreError, "unknown-reference", "available: a, b"),
        ((f"oci:{layout}:@7", "oci:x"), {}, StoreError, "unknown-reference", "@0 to @1"),
        ((f"oci:{layout}", "dir:x"), {"to": "docker"}, UsageError, "several-images", "a, b"),
        ((f"oci:{layout}", "oci:x:1"), {}, UsageError, "several-images", "one of a, b"),
        ((f"oci:{layout}:a", "dir:x"), {}, UsageError, "no-family", 'to="docker"'),
        ((f"oci:{layout}:a", "oci:x"), {"to": "v1"}, UsageError, "invalid-choice", "docker"),
        ((f"oci:{layout}:a", "oci:x"), {"compress": "br"}, UsageError, "invalid-choice", "gzip"),
        ((f"oci:{layout}:a", "oci:x"), {"level": 10}, UsageError, "invalid-level", "1 to 9"),
        *(
            (
                (f"oci:{layout}:a", "oci:x"),
                {"platforms": [platform]},
                UsageError,
                "invalid-platform",
                "OS/ARCH",
            )
            for platform in ("linux", "linux/", "linux//v8", "linux/arm/v7/", "a/b/c/d")
        ),
        (("oci:none", "oci:x"), {}, StoreError, "no-such-store", "oci:none"),
        ((f"oci:{image}", "oci:x"), {}, StoreError, "other-store", f"write dir:{image}"),
        ((f"oci:{full}", "oci:x"), {}, StoreError, "not-an-image-store", "index.json"),
        ((f"dir:{full}", "oci:x"), {}, StoreError, "not-an-image-store", "manifest.json"),
        (
            (f"oci:{layout}:a", f"dir:{image}"),
            {"to": "docker"},
            StoreError,
            "target-exists",
            "force=",
        ),
        (
            (f"oci:{layout}:a", f"dir:{full}"),
            {"to": "docker", "force": True},
            StoreError,
            "target-not-empty",
            "notes.txt",
        ),
        ((f"oci:{layout}:a", "registry:x"), {}, UsageError, "unknown-transport", "oci:"),
    ]
    for call, options, kind, code, said in calls:
        before = files_below(tmp_path)
        source, target = (text.replace(":x", f":{tmp_path}/x") for text in call)
        with pytest.raises(OciConvertError) as caught:
            convert(source, target, **options)
        assert (type(caught.value), caught.value.code) == (kind, code), call
        assert said in str(caught.value)
        assert caught.value.remedy
        assert files_below(tmp_path) == before
        assert not (tmp_path / "x").exists()


def test_two_images_of_one_name_are_refused() -> None:
    one, two = platforms("linux/amd64", "linux/arm64")
    files = layout_files({"a": one, "b": two})
    files["index.json"] = files["index.json"].replace(b'"b"', b'"a"')
    target = Memory()
    with pytest.raises(UsageError) as wrong:
        convert(Memory(files), target, to="oci")
    assert wrong.value.code == "same-name"
    assert target.files == {}


def test_a_name_that_rc2_cannot_write_is_refused_before_anything_is_written() -> None:
    for name in ("_", "example.com/app:1"):
        target = Memory()
        for dry_run in (True, False):
            with pytest.raises(UsageError) as wrong:
                convert(store(**{name: IMAGE}), target, to="oci-rc2", dry_run=dry_run)
            assert wrong.value.code == "no-ref-file"
            assert target.files == {}


def test_a_dir_is_replaced_only_by_force(tmp_path: Path) -> None:
    old, new = docker_image([layer("old")]), docker_image([layer("new")])
    target = write_dir(old, tmp_path / "target")
    write_files({"signature-1": b"signed"}, target)
    source = f"dir:{write_dir(new, tmp_path / 'source')}"
    convert(source, f"dir:{target}", to="docker", force=True, fsync=False)
    found = files_below(target)
    assert found["manifest.json"] == new.manifest
    assert "signature-1" not in found
    assert old.layers[0].digest[7:] in found


def test_a_config_without_a_media_type_is_named_as_such() -> None:
    image = manifest(Blob("", b"{}"), [])
    with pytest.raises(OciConvertError, match=r"artifact \(its config has no media type\)"):
        convert(Memory(layout_files({"app": image})), Memory(), to="docker")


def test_a_manifest_json_that_is_null_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "app.tar").write_bytes(archive_of({"manifest.json": b"null"}))
    for source in (f"{tmp_path}/app.tar", f"docker-archive:{tmp_path}/app.tar"):
        with pytest.raises(OciConvertError, match="not a JSON array"):
            convert(source, Memory(), to="oci")
