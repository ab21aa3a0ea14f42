"""Archives that are packed as their names ask for: the same every time, whole or not at all."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard

from oci_convert import OciConvertError, StoreError, UsageError, convert, inspect, verify
from oci_convert.cli.spelling import spelled
from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores.files.archive_names import is_archive_name, packing_of
from oci_convert.stores.files.file import write_all
from oci_convert.stores.references import parse
from support.images import docker_image, layer, layout_files, save_tar, write_files, write_layout

IMAGE = docker_image([layer("base", size=300_000), layer("app")])
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".TAR": bytes,
    ".tar.gz": gzip.decompress,
    ".tgz": gzip.decompress,
    ".TAR.GZ": gzip.decompress,
    ".tar.zst": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    ".tzst": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    ".gz": gzip.decompress,
}
"""What is written, by the ends of names."""
PIPES = {
    ".tar.xz": "xz",
    ".txz": "xz",
    ".tar.bz2": "bzip2",
    ".TBZ": "bzip2",
    ".tar.lz4": "lz4",
    ".tar.Z": "compress",
    ".xz": "xz",
    ".lz4": "lz4",
    ".BZ2": "bzip2",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an archive of docker save."""
    monkeypatch.chdir(tmp_path)
    write_files({"app.tar": save_tar({"example.com/app:1": IMAGE})}, tmp_path)
    return tmp_path


@pytest.mark.parametrize("family", ["docker", "oci"])
@pytest.mark.parametrize("transport", ["", "docker-archive:", "oci-archive:"])
@pytest.mark.parametrize("end", UNPACK)
@pytest.mark.usefixtures("here")
def test_a_name_decides_how_an_archive_is_packed(end: str, transport: str, family: str) -> None:
    plain = transport or {"docker": "docker-archive:", "oci": "oci-archive:"}[family]
    convert("app.tar", f"{plain}plain.tar", to=family, fsync=False)
    report = convert("app.tar", f"{transport}new{end}", to=family, fsync=False)
    written = Path(f"new{end}")
    assert UNPACK[end](written.read_bytes()) == Path("plain.tar").read_bytes()
    assert written.is_file()
    (image,) = inspect(f"{plain}new{end}").images
    assert image.descriptor.digest == report.images[0].new.digest
    assert verify(str(written)).sound


@pytest.mark.parametrize("end", UNPACK)
@pytest.mark.usefixtures("here")
def test_packed_archives_are_the_same_every_time(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = set()
    for workers in (1, 2, 7):
        monkeypatch.setattr(os, "cpu_count", lambda workers=workers: workers)
        name = f"new-{workers}{end}"
        convert("app.tar", f"docker-archive:{name}", jobs=workers, fsync=False)
        written.add(Path(name).read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("end", PIPES)
@pytest.mark.parametrize("transport", ["", "docker-archive:", "oci-archive:"])
def test_what_is_not_written_is_refused_with_the_pipe_that_does_it(
    here: Path, end: str, transport: str
) -> None:
    with pytest.raises(UsageError) as caught:
        convert("app.tar", f"{transport}a b{end}", to="docker")
    assert caught.value.code == "cannot-compress"
    pipe = f"oci-convert convert … - --to docker | {PIPES[end]} > 'a b{end}'"
    assert pipe in spelled(caught.value.remedy)
    assert sorted(path.name for path in here.iterdir()) == ["app.tar"]


@pytest.mark.parametrize("end", [".tar.xz", ".tar.bz2"])
@pytest.mark.usefixtures("here")
def test_the_pipe_works(end: str) -> None:
    with pytest.raises(UsageError) as caught:
        convert("app.tar", f"new{end}", to="oci")
    line = spelled(caught.value.remedy).removeprefix("pipe it: ")
    line = line.replace("oci-convert", f"{sys.executable} -m oci_convert").replace("…", "app.tar")
    subprocess.run(["bash", "-o", "pipefail", "-c", line], check=True, capture_output=True)
    assert verify(f"new{end}").sound


@pytest.mark.parametrize("name", ["new.zip", "new.7z", "new.SIF", "docker-archive:new.rar"])
def test_what_holds_no_archive_is_refused(here: Path, name: str) -> None:
    with pytest.raises(UsageError, match="an archive of images cannot be a") as caught:
        convert("app.tar", name, to="oci")
    assert ".tar.gz or .tar.zst" in caught.value.remedy
    assert sorted(path.name for path in here.iterdir()) == ["app.tar"]


@pytest.mark.parametrize("name", ["new", "new.d", "tar", "new.tar.d", "new.gz.d", "new.oci"])
def test_other_names_are_those_of_folders(here: Path, name: str) -> None:
    assert not is_archive_name(name)
    convert("app.tar", name, to="oci", fsync=False)
    assert (here / name / "index.json").is_file()


def test_every_end_has_one_meaning() -> None:
    for end in (*UNPACK, *PIPES):
        assert is_archive_name(f"a{end}")
    assert packing_of("a.tar", Family.OCI) is Compression.NONE
    assert packing_of("a", Family.OCI) is Compression.NONE


@pytest.mark.usefixtures("here")
def test_a_pipe_of_such_a_name_gets_packed_bytes() -> None:
    os.mkfifo("pipe.tgz")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe.tgz").read_bytes()))
    reader.start()
    convert("app.tar", "docker-archive:pipe.tgz", fsync=False)
    reader.join()
    convert("app.tar", "docker-archive:plain.tar", fsync=False)
    assert gzip.decompress(got[0]) == Path("plain.tar").read_bytes()


# -- whole or not at all ------------------------------------------------------------------------


def test_an_archive_that_is_there_is_replaced_with_force_only(here: Path) -> None:
    (here / "new.tar.gz").write_bytes(b"mine")
    with pytest.raises(StoreError) as caught:
        convert("app.tar", "docker-archive:new.tar.gz")
    assert caught.value.code == "target-exists"
    assert (here / "new.tar.gz").read_bytes() == b"mine"
    convert("app.tar", "docker-archive:new.tar.gz", force=True, fsync=False)
    assert verify("docker-archive:new.tar.gz").sound


@pytest.mark.parametrize("at", [0, 1])
def test_a_layer_that_is_wrong_leaves_nothing(here: Path, at: int) -> None:
    files = layout_files({"app": IMAGE})
    name = f"blobs/{IMAGE.layers[at].digest.replace(':', '/')}"
    data = files[name]
    write_files({**files, name: data[:-1] + bytes([data[-1] ^ 1])}, here / "layout")
    threads = threading.active_count()
    with pytest.raises(OciConvertError) as caught:
        convert("oci:layout", "oci-archive:new.tar.zst")
    assert caught.value.code == "digest-mismatch"
    assert sorted(path.name for path in here.iterdir()) == ["app.tar", "layout"]
    assert threading.active_count() == threads


@pytest.mark.parametrize("last", [0, 1, 4, None], ids=["last", "one before", "four", "first"])
def test_a_disk_that_is_full_ends_the_run(
    here: Path, last: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are written by another thread than the one that has them."""
    write_layout({"app": docker_image([layer("a", size=9_000_000)])}, here / "layout")
    calls = 0
    fails: int | None = None

    def write(file: BinaryIO, chunk: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls == fails:
            raise OSError(28, "No space left on device", str(here / "new.tar.gz"))
        write_all(file, chunk)

    monkeypatch.setattr("oci_convert.stores.files.packed.write_all", write)
    convert("oci:layout", "oci-archive:new.tar.gz", compress="none", fsync=False)
    Path("new.tar.gz").unlink()
    calls, fails = 0, 1 if last is None else calls - last
    threads = threading.active_count()
    with pytest.raises(StoreError) as caught:
        convert("oci:layout", "oci-archive:new.tar.gz", compress="none")
    assert caught.value.code == "no-space"
    assert sorted(path.name for path in here.iterdir()) == ["app.tar", "layout"]
    assert threading.active_count() == threads


def test_a_dry_run_writes_nothing(here: Path) -> None:
    dry = convert("app.tar", "docker-archive:new.tar.gz", dry_run=True)
    assert sorted(path.name for path in here.iterdir()) == ["app.tar"]
    real = convert("app.tar", "docker-archive:new.tar.gz", fsync=False)
    assert dry.images == real.images


def test_the_help_names_packed_archives() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "oci_convert", "convert", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"FILE\.tar(?:\.gz)?", done.stdout)
    assert parse("oci-archive:new.tar.gz").path == "new.tar.gz"
