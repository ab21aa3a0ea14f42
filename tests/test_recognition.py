"""Every door that is the wrong one, and all that is no image: what is there, and what to do."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import zstandard

from oci_convert import OciConvertError, convert, inspect
from oci_convert.stores.files.not_an_archive import recognised
from support import archives, schema1
from support.archives import Saved, archive, extracted
from support.images import (
    digest_of,
    dir_files,
    docker_image,
    image_list,
    layer,
    layout_files,
    oci_image,
    tar_of,
    write_files,
)

APP = docker_image()
CLASSIC = archives.docker_20(Saved())
DUAL = archives.docker_25(Saved())
LEGACY = schema1.saved({"app": {"1": schema1.identity(3)}}, schema1.STEPS)
LAYOUT = layout_files({"app:1": APP})
DIRECTORY = dir_files(APP)
NAMES: dict[str, archives.Members] = {
    "saved": CLASSIC,
    "dual": DUAL,
    "old": {**LEGACY},
    "layout": {**LAYOUT},
    "directory": {**DIRECTORY},
}
OPENS = {
    # what a store of this kind may be opened with, as a folder and as an archive
    "saved": ({"docker-archive"}, {"docker-archive"}),
    "dual": ({"docker-archive", "oci", "oci-archive"}, {"docker-archive", "oci-archive"}),
    "old": ({"docker-archive"}, {"docker-archive"}),
    "layout": ({"oci", "oci-archive"}, {"oci-archive"}),
    "directory": ({"dir"}, set()),
}
TRANSPORTS = ("oci", "dir", "docker-archive", "oci-archive")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind of store, as a folder, as an archive and as a packed one."""
    root = tmp_path_factory.mktemp("stores")
    for name, members in NAMES.items():
        extracted(members, root / name)
        data = archive(members)
        (root / f"{name}.tar").write_bytes(data)
        (root / f"{name}.tar.gz").write_bytes(gzip.compress(data))
    return root


@pytest.fixture
def here(stores: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as the current folder."""
    monkeypatch.chdir(stores)
    return stores


def refused(reference: str | Path) -> OciConvertError:
    with pytest.raises(OciConvertError) as caught:
        inspect(reference)
    assert "\n" not in str(caught.value)
    return caught.value


# -- the wrong door -----------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("suffix", ["", ".tar", ".tar.gz"])
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", NAMES)
def test_the_right_spelling_is_said_at_every_wrong_door(
    name: str, transport: str, suffix: str
) -> None:
    reference = f"{transport}:{name}{suffix}"
    if transport in OPENS[name][bool(suffix)]:
        assert inspect(reference).images
        return
    error = refused(reference)
    assert error.code == "other-store"
    assert error.place == reference
    meant = error.remedy.removeprefix("write ")
    assert inspect(meant).images == inspect(f"{name}{suffix}").images


@pytest.mark.usefixtures("here")
def test_the_image_that_was_asked_for_is_asked_for_there() -> None:
    assert refused("oci:saved.tar:app:1").remedy == "write docker-archive:saved.tar:app:1"
    assert refused("docker-archive:layout:app:1").remedy == "write oci:layout:app:1"


def test_a_store_with_a_fault_is_still_that_store(tmp_path: Path) -> None:
    write_files({**LAYOUT, "index.json": b"[]"}, tmp_path / "layout")
    assert refused(f"oci:{tmp_path}/layout").code == "invalid-document"
    assert refused(tmp_path / "layout").code == "invalid-document"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("layout", "contains an OCI layout; choose another name or, to add to it, write oc"),
        ("saved", "contains a docker-save archive; choose another name"),
        ("old", "contains a docker-save archive; choose another name"),
    ],
)
def test_a_dir_is_not_written_into_a_store_of_another_kind(
    stores: Path, tmp_path: Path, name: str, said: str
) -> None:
    target = shutil.copytree(stores / name, tmp_path / name, symlinks=True)
    before = sorted(target.rglob("*"))
    for force in (False, True):
        with pytest.raises(OciConvertError, match=said) as caught:
            convert(stores / "dual.tar", f"dir:{target}", to="docker", force=force)
        assert caught.value.code == "other-store"
    assert sorted(target.rglob("*")) == before


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("oci:directory", "contains a dir: image; choose another name"),
        ("oci:saved:app:2", "contains a docker-save archive; choose another name"),
        (
            "docker-archive:layout",
            "contains an OCI layout; choose another name or, to add to it, w",
        ),
        ("oci-archive:directory:x", "contains a dir: image; choose another name"),
        ("oci:app.tar", "there is a file of this name; choose another name; an archive is docker-"),
    ],
)
def test_nothing_is_written_through_the_wrong_door(
    stores: Path, tmp_path: Path, target: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("directory", "saved", "layout"):
        shutil.copytree(stores / name, tmp_path / name, symlinks=True)
    (tmp_path / "app.tar").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OciConvertError, match=said):
        convert(stores / "dual.tar", target, fsync=False)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_with_a_manifest_of_its_own_may_hold_a_layout(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "a page of the web"}')
    (tmp_path / "app.tar").write_bytes(archive(CLASSIC))
    convert(tmp_path / "app.tar", f"oci:{tmp_path}", fsync=False)
    assert inspect(f"oci:{tmp_path}").images
    with pytest.raises(OciConvertError, match="already contains an OCI layout"):
        convert(tmp_path / "app.tar", f"dir:{tmp_path}", to="docker")


# -- parts of stores ----------------------------------------------------------------------------

PARTS = {
    "layout/index.json": "oci:layout",
    "layout/oci-layout": "oci:layout",
    "oci:layout/index.json": "oci:layout",
    "layout/blobs": "oci:layout",
    "layout/blobs/sha256": "oci:layout",
    f"layout/blobs/sha256/{APP.digest[7:]}": "oci:layout",
    f"layout/blobs/sha256/{digest_of(APP.config)[7:]}": "oci:layout",
    f"layout/blobs/sha256/{APP.layers[0].digest[7:]}": "oci:layout",
    "directory/manifest.json": "dir:directory",
    "dir:directory/version": "dir:directory",
    f"directory/{APP.layers[0].digest[7:]}": "dir:directory",
    "saved/manifest.json": "docker-archive:saved",
    "dual/index.json": "docker-archive:dual",
    f"old/{schema1.identity(3)}": "docker-archive:old",
    f"old/{schema1.identity(3)}/json": "docker-archive:old",
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_store_leads_to_all_of_it(part: str) -> None:
    error = refused(part)
    assert error.code == "not-an-image-store"
    assert error.message.startswith("this is a part of ")
    assert error.remedy == f"give the whole store: {PARTS[part]}"
    assert inspect(PARTS[part]).images


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("below", ["inner", "inner/and/further"])
@pytest.mark.parametrize("name", NAMES)
def test_a_store_that_is_some_folders_down_is_named(name: str, below: str, tmp_path: Path) -> None:
    shutil.copytree(name, tmp_path / "top" / below, symlinks=True)
    for reference in (str(tmp_path / "top"), f"oci:{tmp_path / 'top'}", f"dir:{tmp_path / 'top'}"):
        error = refused(reference)
        assert error.code == "not-an-image-store"
        assert inspect(error.remedy.removeprefix("give ")).images


def test_of_many_stores_some_are_named(tmp_path: Path) -> None:
    for number in range(9):
        write_files(LAYOUT, tmp_path / f"layout-{number}")
    (tmp_path / "app.tar").write_bytes(archive(CLASSIC))
    error = refused(tmp_path)
    assert error.remedy.startswith(f"give one of oci:{tmp_path}/layout-0, oci:")
    assert error.remedy.endswith(" and 5 more")


@pytest.mark.parametrize(
    ("members", "meant"),
    [
        (LAYOUT, "oci:top"),
        (CLASSIC, "docker-archive:top"),
        (DUAL, "docker-archive:top"),
        (LEGACY, "docker-archive:top"),
        (DIRECTORY, "dir:top"),
        ({k: v for k, v in DIRECTORY.items() if k != "version"}, "dir:top"),
    ],
)
def test_an_archive_with_a_folder_on_top_says_how_it_is_unpacked(
    members: archives.Members, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.tar").write_bytes(archive(members, prefix="top/"))
    for reference in ("app.tar", "docker-archive:app.tar", "oci-archive:app.tar", "oci:app.tar"):
        error = refused(reference)
        assert error.message.endswith("of a directory: the image is in top/")
        said = re.fullmatch(r"unpack it \((.*)\) and give (.*)", error.remedy)
        assert said is not None
        assert said[2] == meant
        subprocess.run(said[1].split(), check=True)
        assert inspect(meant).images


# -- what is no image ---------------------------------------------------------------------------

EXPORTED = {"bin/sh": "#!", "etc/passwd": "root", "etc/os-release": "ID=x"}
PLACES: dict[str, tuple[dict[str, str], str]] = {
    "a file system": (EXPORTED, "a file system, as docker export writes"),
    "one without a distribution": (
        {"app": "", "etc/passwd": "root"},
        "a file system, as docker export writes",
    ),
    "one of a program alone": (
        {"hello": "", ".dockerenv": ""},
        "a file system, as docker export writes",
    ),
    "one layer": ({"usr/bin/x": "", "usr/lib/y": ""}, "a file system, as docker export writes"),
    "that of Windows": (
        {"Windows/System32/a.dll": "", "Users/a": ""},
        "a file system, as docker export writes",
    ),
    "one with the index and the manifest of something else": (
        {**EXPORTED, "usr/lib/node_modules/a/index.json": "{}", "app/manifest.json": "{}"},
        "a file system, as docker export writes",
    ),
    "a build context": (
        {"Dockerfile": "FROM x", "src/index.json": "{}", "src/manifest.json": '{"name": "PWA"}'},
        "not a known image store",
    ),
    "a chart": ({"app/Chart.yaml": "name: app", "app/values.yaml": ""}, "a Helm chart"),
    "layers": (
        {"l1/layer.tar": "x", "l2/layer.tar": "y"},
        "an archive of layers, with no manifest",
    ),
    "layers in folders with digests": (
        {f"{'a' * 64}/layer.tar": "x", f"{'b' * 64}/json": "{}", f"{'c' * 64}.json": "{}"},
        "an archive of layers, with no manifest",
    ),
    "archives in a folder of a usual name": ({"opt/app.tar": "x"}, "an archive of archives"),
    "archives": ({"app.tar": "x", "README": ""}, "an archive of archives"),
    "nothing that is known": ({"hello.txt": "hello"}, "not a known image store"),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["", "packed"])
@pytest.mark.parametrize("name", PLACES)
def test_what_an_archive_holds_instead_of_an_image_is_said(
    name: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    files, said = PLACES[name]
    (tmp_path / "app.tar").write_bytes(pack(tar_of(files)))
    error = refused(tmp_path / "app.tar")
    assert error.code == "not-an-image-store"
    assert error.message.startswith(f"this is {said}")


def test_a_file_system_that_is_unpacked_is_one(tmp_path: Path) -> None:
    write_files({name: text.encode() for name, text in EXPORTED.items()}, tmp_path / "root")
    assert "a file system" in refused(f"oci:{tmp_path}/root").message


def sif() -> bytes:
    return b"#!/usr/bin/env run-singularity\n\0SIF_MAGIC\0" + bytes(1000)


POWERSHELL = b"\xff\xfe" + archive(CLASSIC).decode("latin1").encode("utf-16-le")
REWRITTEN = gzip.compress(archive(CLASSIC)).decode("utf-8", "replace").encode()
STRANGERS = {
    "a page": (b"<!DOCTYPE html><title>404 Not Found</title>", "an HTML page", "download it again"),
    "a page in lower case": (b"\r\n<html>\n", "an HTML page", "download it again"),
    "an answer in XML": (b'<?xml version="1.0"?><Error/>', "an XML text", "download it again"),
    "an answer in JSON": (
        b'{"errors":[{"code":"DENIED"}]}',
        "the error answer of a registry (DENIED)",
        "check what the server answers",
    ),
    "an answer of a daemon": (
        b'{\n  "message": "No such image"\n}',
        "the error answer of a registry",
        "check what the server answers",
    ),
    "a manifest": (APP.manifest, "a JSON text, a manifest", "translate takes single documents"),
    "an index": (image_list([APP]).manifest, "a JSON text, an index", "translate takes single"),
    "a config": (APP.config, "a JSON text, the config of an image", "give the archive or"),
    "an oci-layout": (
        b'{"imageLayoutVersion": "1.0.0"}',
        "a JSON text, the oci-layout file of a layout",
        "give the archive or the directory",
    ),
    "rows": (
        b'[{"Config":"c.json","RepoTags":null,"Layers":[]}]',
        "a JSON text, the manifest.json of docker save",
        "give the archive or the directory",
    ),
    "another document": (b'{"a": 1}', "it is a JSON text", "translate takes single documents"),
    "an error": (
        b"Error response from daemon: no such image\n",
        "text, perhaps",
        "read it, then save",
    ),
    "a zip": (b"PK\x03\x04" + bytes(100), "a zip file", "unpack it"),
    "a SIF": (sif(), "(SIF)", "the image that it was built from"),
    "PowerShell's": (POWERSHELL, "text in UTF-16", "docker save -o FILE"),
    "the same, the other way round": (
        b"\xfe\xff" + "text".encode("utf-16-be"),
        "text in UTF-16",
        "docker save -o FILE",
    ),
    "what was taken for text": (REWRITTEN, "rewritten as text", "docker save -o FILE"),
    "a file system": (b"hsqs" + bytes(100), "squashfs", "made from"),
    "a pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "Git LFS",
        "git lfs pull",
    ),
    "another pointer": (b"/annex/objects/SHA256E-s1--0.tar\n", "git-annex", "git annex get"),
    "lz4": (
        b"\x04\x22\x4d\x18" + bytes(100),
        "compressed with lz4",
        "lz4 -dc < FILE | convert(",
    ),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_what_is_no_archive_is_recognised(name: str, tmp_path: Path) -> None:
    data, what, remedy = STRANGERS[name]
    (tmp_path / "app.tar").write_bytes(data)
    for reference in (tmp_path / "app.tar", f"oci:{tmp_path}/app.tar"):
        error = refused(reference)
        assert error.code == "not-an-archive"
        assert error.place == str(reference)
        assert what in error.message
        assert remedy in error.remedy


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.mark.parametrize("packing", PACKERS)
def test_what_is_packed_and_no_archive_is_recognised(packing: str, tmp_path: Path) -> None:
    (tmp_path / "app.tar").write_bytes(PACKERS[packing](b"<html>" * 10))
    error = refused(tmp_path / "app.tar")
    assert error.message.startswith(
        f"the content of this {packing} file is not an archive: it is an HTML"
    )


def test_what_a_pipe_brings_is_recognised() -> None:
    command = [sys.executable, "-m", "oci_convert", "inspect", "-"]
    done = subprocess.run(command, input=b"<html>", capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        b"error: standard input: this is not an archive: it is an HTML page"
    )


def honest() -> Iterable[tuple[str, bytes]]:
    """The beginnings of what is read: a tar of every kind, and every packing."""
    plain = {
        "a docker-save archive": archive(CLASSIC),
        "a layer": layer("x").tar,
        "an empty tar": bytes(10240),
        "a tar by PAX": archive(CLASSIC, form=1, pax={"comment": "x"}),
    }
    for name, data in plain.items():
        yield name, data
        yield from ((f"{name}, {packing}", pack(data)) for packing, pack in PACKERS.items())


@pytest.mark.parametrize(("name", "data"), [*honest()], ids=[name for name, _ in honest()])
def test_what_is_read_is_no_stranger(name: str, data: bytes) -> None:
    assert recognised(data[:4096]) is None, name


def test_a_link_to_nothing_says_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "app.tar").symlink_to("../annex/app.tar")
    error = refused(tmp_path / "app.tar")
    assert (error.code, error.remedy) == ("no-such-store", "fetch the target of the link")
    assert "a link to ../annex/app.tar" in error.message


def test_a_project_of_the_web_is_no_store(tmp_path: Path) -> None:
    """Many folders have an ``index.json`` or a ``manifest.json`` of their own."""
    files = {"index.json": json.dumps([]).encode(), "manifest.json": b"{}", "blobs/x": b""}
    write_files({f"site/{name}": data for name, data in files.items()}, tmp_path)
    assert refused(tmp_path).message == "this is not a known image store"
    error = refused(tmp_path / "site" / "blobs")
    assert error.message == "this is not a known image store"
    assert oci_image().digest != APP.digest
