"""Stores as objects: what they are, and archives that are file objects."""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from oci_convert import (
    BlobError,
    Compression,
    Memory,
    OciConvertError,
    UsageError,
    convert,
    diff,
    inspect,
    open_images,
    prove,
    same_as,
    verify,
)
from oci_convert.spec.media_types import Family
from oci_convert.stores import (
    ContainersDir,
    DockerArchive,
    OciArchive,
    OciLayout,
    Sink,
    SinkOptions,
    SinkStore,
    Source,
    SourceOptions,
    SourceStore,
    Store,
)
from support.images import (
    Layer,
    docker_image,
    files_below,
    layer,
    layout_files,
    oci_image,
    save_tar,
    write_dir,
    write_files,
    write_layout,
)

IMAGE = oci_image([layer("base", size=300_000), layer("app")])
DOCKER = docker_image([layer("base", size=300_000), layer("app")])


# -- objects and references -----------------------------------------------------------------------

SPELLED: dict[str, tuple[Store, str]] = {
    "OciLayout('app')": (OciLayout("app"), "oci:app"),
    "OciLayout('app', 'a:1')": (OciLayout(Path("app"), "a:1"), "oci:app:a:1"),
    "ContainersDir('app')": (ContainersDir("app"), "dir:app"),
    "DockerArchive('app.tar')": (DockerArchive("app.tar"), "docker-archive:app.tar"),
    "DockerArchive('app.tar', '@1')": (DockerArchive("app.tar", "@1"), "docker-archive:app.tar:@1"),
    "OciArchive('app.tar', 'a')": (OciArchive(Path("app.tar"), "a"), "oci-archive:app.tar:a"),
    "OciArchive(<BytesIO>)": (OciArchive(io.BytesIO()), "oci-archive:<BytesIO>"),
    "Memory(<0 files>)": (Memory(), "memory"),
    "Memory(<0 files>, ref='a')": (Memory(ref="a"), "memory:a"),
}


@pytest.mark.parametrize("shown", SPELLED)
def test_an_object_is_shown_short_and_called_as_its_reference(shown: str) -> None:
    store, reference = SPELLED[shown]
    assert repr(store) == shown
    assert str(store) == reference
    assert isinstance(store, Store)


def test_objects_that_mean_the_same_are_equal() -> None:
    assert OciLayout("app", "a") == OciLayout(Path("app"), "a")
    assert len({OciLayout("app"), OciLayout("app"), OciLayout("app", "a")}) == 2
    assert OciLayout("app") != ContainersDir("app")


MADE: dict[str, Callable[[Path], tuple[Store, str]]] = {
    "a layout": lambda path: (OciLayout(path / "x", "a:1"), f"oci:{path}/x:a:1"),
    "a directory": lambda path: (ContainersDir(path / "x"), f"dir:{path}/x"),
    "an OCI archive": lambda path: (OciArchive(path / "x", "a:1"), f"oci-archive:{path}/x:a:1"),
    "an archive of docker save": lambda path: (
        DockerArchive(path / "x", "a:1"),
        f"docker-archive:{path}/x:a:1",
    ),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_an_object_does_what_its_reference_does(
    make: Callable[[Path], tuple[Store, str]], tmp_path: Path
) -> None:
    source = Memory(layout_files({"b": IMAGE}))
    store, _ = make(tmp_path / "object")
    _, reference = make(tmp_path / "reference")
    one, other = convert(source, store, to="oci"), convert(source, reference, to="oci")
    assert one.images == other.images
    assert one.destination == str(store)
    assert one.destination.replace("/object/", "/reference/") == reference
    assert files_below(tmp_path / "object") == files_below(tmp_path / "reference")
    for verb in (inspect, verify):
        assert verb(store).source == str(store)
        assert len(verb(store).images) == 1
    assert same_as(store, reference)
    assert diff(reference, store).same
    assert prove(store, one.images[0].new.digest).proved
    with open_images(store) as images:
        assert [image.config.architecture for image in images] == ["amd64"]


def test_what_a_store_does_not_hold_is_told_in_the_words_of_its_reference(tmp_path: Path) -> None:
    write_layout({"a:1": IMAGE}, tmp_path / "layout")
    with pytest.raises(OciConvertError) as refused:
        inspect(OciLayout(tmp_path / "layout", "b"))
    assert str(refused.value).startswith(f"oci:{tmp_path}/layout: there is no image 'b'")
    with pytest.raises(UsageError) as usage:
        convert(OciLayout(tmp_path / "layout"), ContainersDir(tmp_path / "new"))
    assert usage.value.code == "no-family"


def test_the_path_of_an_object_may_hold_colons(tmp_path: Path) -> None:
    convert(Memory(layout_files({"a": IMAGE})), OciLayout(tmp_path / "c:d:e"))
    assert (tmp_path / "c:d:e" / "index.json").exists()


def test_a_path_is_a_path_whatever_it_looks_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_layout({"a": IMAGE}, tmp_path / "oci:layout")
    write_layout({"a": IMAGE}, tmp_path / "docker:x")
    for name in ("oci:layout", "docker:x"):
        assert len(inspect(Path(name)).images) == 1
    (tmp_path / "-").write_bytes(save_tar({"a:1": DOCKER}))
    assert len(inspect(Path("-")).images) == 1
    with pytest.raises(UsageError, match="a path cannot contain a null character"):
        inspect(Path("a\0b"))


# -- what is no store -----------------------------------------------------------------------------

NO_STORES: dict[str, tuple[Any, str]] = {
    "bytes": (b"PK", r"bytes is not a store.*DockerArchive\(io.BytesIO.*Memory\("),
    "a bytearray": (bytearray(2), "bytearray is not a store"),
    "an open file": (io.BytesIO(), r"DockerArchive\(BytesIO\) or OciArchive\(BytesIO\)"),
    "nothing": (None, "NoneType has no ref and no"),
    "a number": (7, "int has no ref and no"),
    "a class": (Memory, r"Memory is a class; a store is an object: Memory\(…\)"),
    "a class with properties": (OciLayout, "OciLayout is a class"),
    "what a store opens": (Memory().sink(), "OciLayoutSink is what a store opens"),
}


@pytest.mark.parametrize(("given", "said"), NO_STORES.values(), ids=NO_STORES)
def test_what_is_no_store_is_a_type_error_that_says_what_is(given: Any, said: str) -> None:
    store = Memory(layout_files({"a": IMAGE}))
    for attempt in (
        lambda: convert(given, Memory()),
        lambda: convert(store, given),
        lambda: convert([store, given], Memory(), keep_going=True),
        lambda: inspect(given),
        lambda: verify(given),
        lambda: open_images(given),
        lambda: diff(store, given),
        lambda: prove(given, "sha256:" + 64 * "0"),
    ):
        with pytest.raises(TypeError, match=said):
            attempt()


def test_an_archive_is_a_path_or_a_binary_file() -> None:
    for kind in (DockerArchive, OciArchive):
        with pytest.raises(TypeError, match=r"bytes is neither.*io\.BytesIO"):
            kind(b"data")  # type: ignore[arg-type]  # what must be told
        with pytest.raises(TypeError, match="binary mode"):
            kind(io.StringIO())  # type: ignore[arg-type]  # likewise


@pytest.mark.parametrize("whence", [io.SEEK_SET, io.SEEK_END])
@pytest.mark.parametrize("kind", [DockerArchive, OciArchive])
def test_a_file_is_not_written_while_it_is_read(kind: Any, whence: int) -> None:
    file = io.BytesIO()
    convert(Memory(layout_files({"a": IMAGE})), kind(file))
    before = file.getvalue()
    file.seek(0)
    source = kind(file)
    file.seek(0, whence)
    with pytest.raises(ValueError, match="cannot be read and written at once"):
        convert([Memory(layout_files({"a": IMAGE})), source], OciArchive(file))
    assert file.getvalue() == before


@pytest.mark.parametrize("kind", [DockerArchive, OciArchive])
@pytest.mark.skipif(os.name == "nt", reason="pipes wait there")
def test_a_pipe_that_does_not_wait_loses_no_bytes(kind: Any) -> None:
    image = oci_image([Layer(os.urandom(200_000), Compression.NONE)])
    for end, mode in ((0, "rb"), (1, "wb")):
        ends = os.pipe()
        os.set_blocking(ends[end], False)
        with open(ends[end], mode, buffering=0) as file, open(ends[1 - end], "rb" if end else "wb"):
            given = kind(file)
            store = Memory(layout_files({"a": image}))
            with pytest.raises(BlockingIOError, match="set_blocking"):
                convert(store, given) if end else convert(given, store)


# -- sides -----------------------------------------------------------------------------------------


@dataclass
class OnlyRead:
    """Somebody's store that can be read."""

    files: dict[str, bytes]
    ref: str | None = None

    def source(self, options: SourceOptions) -> Source:
        return Memory(self.files).source(options)

    def __str__(self) -> str:
        return "mine"


@dataclass
class OnlyWritten:
    """Somebody's store that can be written to."""

    files: dict[str, bytes]
    ref: str | None = None
    default_family: Family | None = Family.DOCKER

    def sink(self, options: SinkOptions) -> Sink:
        return Memory(self.files).sink(options)


def test_an_object_needs_only_the_side_that_is_used() -> None:
    one, other = OnlyRead(layout_files({"a": IMAGE, "b": DOCKER}), "a"), OnlyWritten({}, "new:1")
    read: SourceStore = one
    written: SinkStore = other
    report = convert(read, written)
    assert (report.source, report.to) == ("mine", "docker")
    assert [image.name for image in inspect(Memory(other.files)).images] == [
        "docker.io/library/new:1"
    ]
    with pytest.raises(TypeError, match="OnlyRead has no default_family and no sink"):
        convert(one, one)  # type: ignore[arg-type]  # what must be told
    with pytest.raises(TypeError, match="OnlyWritten has no source"):
        convert([other], other)  # type: ignore[list-item]  # likewise


@dataclass
class Mine(OnlyWritten):
    """Somebody's store, which may break what it should keep."""

    family: Any = Family.OCI
    put: Any = None

    def __post_init__(self) -> None:
        self.default_family = self.family

    def source(self, options: SourceOptions) -> Source:
        source = Memory(self.files).source(options)
        roots = source.roots()
        source.roots = lambda: iter(roots)  # type: ignore[method-assign,assignment,return-value]
        return source

    def sink(self, options: SinkOptions) -> Sink:
        sink = super().sink(options)
        if self.put is not None:
            sink.put = self.put  # type: ignore[method-assign]
        return sink


def test_a_store_may_name_its_family_and_give_its_images_one_by_one() -> None:
    store = Mine({}, family="oci")
    assert convert(Memory(layout_files({"a": DOCKER})), store).to == "oci"
    assert len(inspect(store).images) == len(verify(store).images) == 1
    with open_images(store) as images:
        assert len(list(images)) == 1
    assert len(convert(store, Memory()).images) == 1
    with pytest.raises(ValueError, match="'foo' is not a valid Family"):
        convert(store, Mine({}, family="foo"))


@pytest.mark.parametrize("told", [None, ("sha256:" + 64 * "0", 7)])
def test_a_store_that_does_not_say_what_it_stored_is_told(told: Any) -> None:
    store = Mine({}, put=lambda *_, **__: told)
    with pytest.raises(TypeError, match=r"put\(\) returned .*; it returns the digest and the size"):
        convert(Memory(layout_files({"a": IMAGE})), store)
    assert not store.files


# -- memory ----------------------------------------------------------------------------------------


def test_an_image_of_a_memory_has_a_name() -> None:
    memory = Memory()
    convert(Memory(layout_files({"a": IMAGE})), memory.image("app:1"))
    convert(Memory(layout_files({"a": DOCKER})), memory.image("app:2"), to="docker")
    assert [image.name for image in inspect(memory).images] == [
        "docker.io/library/app:1",
        "docker.io/library/app:2",
    ]
    report = convert(memory.image("app:2"), Memory(ref="only"))
    assert [image.name for image in report.images] == ["only"]
    assert report.source == "memory:app:2"


def test_a_memory_is_an_oci_layout_and_so_implies_oci() -> None:
    target = Memory()
    assert convert(Memory(layout_files({"a": DOCKER})), target).to == "oci"


# -- archives as file objects: in ------------------------------------------------------------------


class OneWay(io.RawIOBase):
    """A stream: forwards only, and no more than some bytes at a time."""

    def __init__(self, data: bytes, most: int = 1000) -> None:
        self._file = io.BytesIO(data)
        self._most = most
        self.written = io.BytesIO()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return self._file.readinto(memoryview(buffer)[: self._most])

    def write(self, data: Any, /) -> int:
        return self.written.write(bytes(data)[: self._most])


class Crude:
    """The least that a file can be."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def read(self, size: int) -> bytes:
        chunk, self._left = self._left[:size], self._left[size:]
        return chunk


def offset(data: bytes) -> IO[bytes]:
    file = io.BytesIO(b"before" + data)
    file.seek(6)
    return file


def on_disk(data: bytes) -> IO[bytes]:
    import tempfile

    file = tempfile.NamedTemporaryFile(prefix="archive")  # noqa: SIM115 - the test ends it
    file.write(data)
    file.seek(0)
    return file


FILES: dict[str, Callable[[bytes], Any]] = {
    "bytes in memory": io.BytesIO,
    "a file on a disk": on_disk,
    "from where it stands": offset,
    "compressed": lambda data: io.BytesIO(gzip.compress(data)),
    "compressed, from where it stands": lambda data: offset(gzip.compress(data)),
    "unpacked by gzip": lambda data: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(data))),
    "a stream": OneWay,
    "a compressed stream": lambda data: OneWay(gzip.compress(data)),
    "only read": Crude,
}


@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
def test_an_archive_is_read_from_a_file_object(make: Callable[[bytes], Any]) -> None:
    data = save_tar({"app:1": DOCKER})
    file = make(data)
    target, other = Memory(), Memory()
    report = convert(DockerArchive(file), target)
    expected = convert(DockerArchive(io.BytesIO(data)), other)
    assert report.digest_map == expected.digest_map
    assert target.files == other.files
    assert not getattr(file, "closed", False)
    if hasattr(file, "close"):
        file.close()


def test_an_archive_that_can_seek_is_read_again_and_by_several_threads_at_once() -> None:
    archive = DockerArchive(offset(save_tar({"app:1": DOCKER, "app:2": docker_image()})))
    targets = [Memory() for _ in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda target: convert(archive, target), targets))
    assert {tuple(sorted(target.files.items())) for target in targets} == {
        tuple(sorted(targets[0].files.items()))
    }
    assert verify(archive).sound


def image_with_a_broken_layer() -> Memory:
    files = layout_files({"app": DOCKER})
    digest = DOCKER.layers[0].digest[7:]
    return Memory({**files, f"blobs/sha256/{digest}": bytes(len(DOCKER.layers[0].data))})


@pytest.mark.parametrize("make", [io.BytesIO, on_disk, offset])
@pytest.mark.parametrize("rest", [0, 100_000])
def test_a_file_with_others_bytes_is_written_over_only_by_a_whole_archive(
    make: Callable[[bytes], Any], rest: int
) -> None:
    with make(b"precious" + bytes(rest)) as file, io.BytesIO() as expected:
        start = file.tell()
        with pytest.raises(BlobError):
            convert(image_with_a_broken_layer(), DockerArchive(file))
        file.seek(start)
        assert file.read() == b"precious" + bytes(rest)
        file.seek(start)
        convert(Memory(layout_files({"app": DOCKER})), DockerArchive(file))
        convert(Memory(layout_files({"app": DOCKER})), DockerArchive(expected))
        file.seek(start)
        assert file.read() == expected.getvalue()


def test_a_stream_is_read_once() -> None:
    archive = DockerArchive(OneWay(save_tar({"app:1": DOCKER})))
    assert verify(archive).sound
    with pytest.raises(ValueError, match="was read already, and cannot seek"):
        verify(archive)


@pytest.mark.parametrize("make", [io.BytesIO, OneWay], ids=["in memory", "a stream"])
@pytest.mark.parametrize(
    "data",
    [b"", b"no archive at all" * 100, gzip.compress(b"x" * 5000, mtime=0)],
    ids=["nothing", "a text", "a compressed text"],
)
def test_a_file_that_is_no_archive_is_told(data: bytes, make: Callable[[bytes], Any]) -> None:
    with pytest.raises(OciConvertError) as refused:
        inspect(OciArchive(make(data)))
    assert refused.value.code in ("bad-archive", "not-an-archive")
    assert refused.value.place == f"oci-archive:<{make.__name__}>"


def test_what_a_file_object_raises_comes_out_as_it_is() -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any, /) -> int:
            raise ConnectionError("the peer is gone")

    with pytest.raises(ConnectionError, match="the peer is gone"):
        inspect(OciArchive(Broken()))


# -- archives as file objects: out -----------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"compress": "zstd"}, {"compress": "none"}])
@pytest.mark.parametrize("kind", [DockerArchive, OciArchive])
def test_an_archive_is_written_to_a_file_object(
    kind: type[DockerArchive | OciArchive], options: dict[str, Any], tmp_path: Path
) -> None:
    if kind is DockerArchive and options.get("compress") == "zstd":
        options = {"compress": "gzip"}
    source = Memory(layout_files({"app:1": IMAGE}))
    convert(source, kind(tmp_path / "app.tar"), **options)
    expected = (tmp_path / "app.tar").read_bytes()
    memory, stream = offset(b""), OneWay(b"", most=70_000)
    convert(source, kind(memory), **options)
    convert(source, kind(stream), **options)
    memory.seek(0)
    assert memory.read() == b"before" + expected
    assert stream.written.getvalue() == expected
    memory.seek(6)
    assert verify(kind(memory, "app:1")).sound
    with (tmp_path / "again.tar").open("wb") as file:
        convert(source, kind(file), **options)
        file.write(b"after")
    assert (tmp_path / "again.tar").read_bytes() == expected + b"after"


def test_a_file_object_that_tells_nothing_and_keeps_what_it_is_given_is_written_to() -> None:
    chunks: list[Any] = []

    class Kept:
        def write(self, chunk: bytes) -> None:
            chunks.append(chunk)

    convert(Memory(layout_files({"app:1": IMAGE})), OciArchive(Kept(), "b"))
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        assert "index.json" in tar.getnames()


def test_a_failed_run_leaves_a_file_that_can_seek_as_it_was() -> None:
    files = layout_files({"app:1": IMAGE})
    digest = max(IMAGE.blobs, key=lambda digest: len(IMAGE.blobs[digest]))
    name = f"blobs/{digest.replace(':', '/')}"
    files[name] = files[name][:-1] + b"X"
    file = offset(b"")
    with pytest.raises(OciConvertError):
        convert(Memory(files), OciArchive(file))
    assert file.tell() == 6
    assert file.seek(0) == 0
    assert file.read() == b"before"
    convert(Memory(layout_files({"app:1": IMAGE})), OciArchive(offset(b"")))


def test_a_dry_run_writes_nothing_to_a_file_object() -> None:
    file = io.BytesIO()
    assert convert(Memory(layout_files({"a": IMAGE})), OciArchive(file), dry_run=True).dry_run
    assert file.getvalue() == b""


def test_the_label_of_an_archive_is_the_name_of_its_file(tmp_path: Path) -> None:
    with (tmp_path / "x.tar").open("wb") as file:
        assert str(OciArchive(file)) == f"oci-archive:{tmp_path}/x.tar"
    reading, writing = os.pipe()
    with open(reading, "rb") as source, open(writing, "wb"):
        assert re.fullmatch(r"docker-archive:<\w+>", str(DockerArchive(source)))


def test_several_sources_may_be_objects_and_spelled(tmp_path: Path) -> None:
    write_dir(DOCKER, tmp_path / "dir")
    write_files(layout_files({"a": IMAGE}), tmp_path / "layout")
    sources: list[str | Path | SourceStore] = [
        ContainersDir(tmp_path / "dir"),
        OciLayout(tmp_path / "layout"),
        tmp_path / "dir",
    ]
    report = convert(iter(sources), Memory(), to="oci")
    assert len(report.images) == 3
