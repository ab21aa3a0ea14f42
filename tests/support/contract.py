"""The contract of stores: what every source and every sink keeps, whatever it is made of.

A store is tested by a class that inherits :class:`StoreContract` and says how to open it. The
docstrings in ``oci_convert/stores/base.py`` are the text of the contract.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest

from oci_convert.errors import BlobError, OciConvertError
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import HEAD, Root, Sink, Source
from support.images import (
    REF_NAME,
    Image,
    docker_image,
    files_below,
    image_list,
    layer,
    oci_image,
    write_files,
)

UNFINISHED = ".oci-convert"
DATA = b"a blob " * 1000
BLOB = Descriptor(mediaType="text/plain", digest=Digest.of(DATA), size=len(DATA))


def image_for(family: Family) -> Image:
    """An image of two platforms that share a layer, in the family's names."""
    shared = layer("shared", size=2 * HEAD)
    make = docker_image if family is Family.DOCKER else oci_image
    images = [make([shared]), make([shared, layer("more")], platform="linux/arm64")]
    return image_list(images, family)


def root_of(image: Image, name: str | None = "1") -> Root:
    """``image`` as an image of a store."""
    return Root(image.descriptor, {REF_NAME: name} if name else {}, name)


def fill(sink: Sink, image: Image) -> None:
    """Put every blob of ``image``, the documents last, as a conversion does."""
    documents = {*image.documents}
    for digest in sorted(image.blobs, key=documents.__contains__):
        data = image.blobs[digest]
        expected = Descriptor(mediaType="x/y", digest=digest, size=len(data))
        sink.put([data], digest, expected=expected, document=digest in documents)


def store(sink: Sink, image: Image, name: str | None = "1") -> None:
    """Write ``image`` and end the run."""
    with sink:
        fill(sink, image)
        sink.commit([root_of(image, name)])


class StoreContract(ABC):
    """What a store keeps as a source and as a sink."""

    family: ClassVar[Family] = Family.OCI
    names: ClassVar[bool] = True
    """Whether images have names."""

    target: Path
    """Where the store is; it does not exist until a sink makes it."""

    @pytest.fixture(autouse=True)
    def _target(self, tmp_path: Path) -> None:
        self.target = tmp_path / "new" / "target"

    @abstractmethod
    def sink(self, *, force: bool = False) -> Sink:
        """A sink into the target; ``force`` where a second image would be refused."""

    @abstractmethod
    def source(self) -> Source:
        """A source that reads the target."""

    @abstractmethod
    def file_name(self, digest: str) -> str:
        """The file of a blob that is no document."""

    def files(self) -> dict[str, bytes]:
        """Everything that is in the target, unfinished files included."""
        return files_below(self.target)

    def damage(self, digest: str, data: bytes) -> None:
        """Replace the bytes of a blob."""
        write_files({self.file_name(digest): data}, self.target)

    def exists(self) -> bool:
        """Whether anything of the target exists."""
        return self.target.parent.exists()

    def images(self) -> Sequence[Root]:
        """The images that anybody can see."""
        try:
            with self.source() as source:
                return source.roots()
        except OciConvertError:
            return []

    # -- as a source ------------------------------------------------------------------------

    @pytest.fixture
    def image(self) -> Image:
        return image_for(self.family)

    @pytest.fixture
    def stored(self, image: Image) -> Iterator[Source]:
        store(self.sink(), image)
        with self.source() as source:
            yield source

    def test_an_image_that_was_written_is_there(self, stored: Source, image: Image) -> None:
        (root,) = stored.roots()
        assert root.descriptor.triple() == image.descriptor.triple()
        assert root.name == ("1" if self.names else None)
        assert not root.built

    def test_every_blob_is_read_verified(self, stored: Source, image: Image) -> None:
        for digest, data in image.blobs.items():
            descriptor = Descriptor(mediaType="x/y", digest=digest, size=len(data))
            assert b"".join(stored.read(descriptor, "here")) == data
            assert stored.size(Digest(digest)) == len(data)
            assert stored.head(descriptor) == data[:HEAD]

    def test_a_blob_is_handed_over_open(self, stored: Source, image: Image) -> None:
        for digest, data in image.blobs.items():
            descriptor = Descriptor(mediaType="x/y", digest=digest, size=len(data))
            with stored.open(descriptor.name) as file:
                assert file.read() == data
            file_of = stored.file_of(descriptor)
            if file_of is not None:
                with file_of:
                    assert file_of.read() == data

    def test_a_blob_that_is_not_there_is_an_error_that_names_it(self, stored: Source) -> None:
        assert stored.size(BLOB.name) is None
        for attempt in (
            lambda: stored.open(BLOB.name),
            lambda: list(stored.read(BLOB, "layers[0]")),
            lambda: stored.head(BLOB),
        ):
            with pytest.raises(BlobError) as missing:
                attempt()
            assert missing.value.code == "blob-missing"
            assert BLOB.digest in str(missing.value)
            assert stored.label in str(missing.value)

    @pytest.mark.parametrize(
        ("code", "change"),
        [
            ("digest-mismatch", lambda data: b"X" + data[1:]),
            ("blob-truncated", lambda data: data[:-1]),
            ("blob-truncated", lambda data: data[:0]),
            ("wrong-size", lambda data: data + b"X"),
        ],
    )
    def test_a_damaged_blob_is_not_read_to_its_end(
        self, stored: Source, image: Image, code: str, change: Callable[[bytes], bytes]
    ) -> None:
        digest, data = next(iter(image.blobs.items()))
        self.damage(digest, change(data))
        with self.source() as source, pytest.raises(BlobError) as damaged:
            list(source.read(Descriptor(mediaType="x/y", digest=digest, size=len(data)), "here"))
        assert damaged.value.code == code
        assert damaged.value.where == "here"

    def test_several_threads_read_at_once(self, stored: Source, image: Image) -> None:
        def read(digest: str) -> bytes:
            data = image.blobs[digest]
            return b"".join(
                stored.read(Descriptor(mediaType="x/y", digest=digest, size=len(data)), "here")
            )

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(read, list(image.blobs) * 5)) == [*image.blobs.values()] * 5

    def test_closing_twice_is_harmless(self, stored: Source) -> None:
        stored.close()
        sink = self.sink(force=True)
        sink.close()
        sink.close()

    # -- as a sink --------------------------------------------------------------------------

    def test_a_sink_that_was_not_used_leaves_nothing(self) -> None:
        self.sink().close()
        with self.sink() as sink:
            sink.abort()
        assert not self.exists()

    def test_there_is_no_image_before_the_commit(self, image: Image) -> None:
        with self.sink() as sink:
            fill(sink, image)
            assert not self.images()
            sink.commit([root_of(image)])
            assert len(self.images()) == 1
        assert len(self.images()) == 1

    def test_a_finished_run_leaves_no_unfinished_file(self, image: Image) -> None:
        store(self.sink(), image)
        assert not [name for name in self.files() if UNFINISHED in name]
        assert not (self.target / UNFINISHED).exists()

    def test_put_says_what_it_stored_and_can_be_repeated(self) -> None:
        with self.sink() as sink:
            for _ in range(3):
                chunks = (DATA[i : i + 999] for i in range(0, len(DATA), 999))
                assert sink.put(chunks, "here") == (BLOB.digest, BLOB.size)
                assert sink.put([DATA], "here", expected=BLOB) == (BLOB.digest, BLOB.size)
                assert sink.has(BLOB)
            assert [data for data in self.files().values() if data] == [DATA]
            sink.abort()

    def test_an_empty_blob_is_a_blob(self) -> None:
        empty = Descriptor(mediaType="x/y", digest=Digest.of(b""), size=0)
        with self.sink() as sink:
            assert sink.put([], "here", expected=empty) == (empty.digest, 0)
            assert sink.has(empty)
            sink.abort()

    @pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
    def test_another_algorithm_gives_another_name(self, algorithm: str) -> None:
        digest = Digest.of(DATA, algorithm)
        described = Descriptor(mediaType="x/y", digest=digest, size=len(DATA))
        with self.sink() as sink:
            assert sink.put([DATA], "here", algorithm=algorithm) == (digest, len(DATA))
            assert sink.put([DATA], "here", expected=described) == (digest, len(DATA))
            assert sink.has(described)
            sink.abort()

    def test_nothing_is_visible_before_the_last_byte_is_verified(self) -> None:
        with self.sink() as sink:

            def chunks() -> Iterator[bytes]:
                for i in range(0, len(DATA), 999):
                    assert not sink.has(BLOB)
                    assert all(UNFINISHED in name for name in self.files())
                    yield DATA[i : i + 999]
                assert all(UNFINISHED in name for name in self.files())

            sink.put(chunks(), "here", expected=BLOB)
            assert sink.has(BLOB)
            sink.abort()

    @pytest.mark.parametrize(
        ("chunks", "code"),
        [
            ([DATA[:-1], b"X"], "digest-mismatch"),
            ([DATA[:-1]], "blob-truncated"),
            ([], "blob-truncated"),
            ([DATA, b"X"], "wrong-size"),
            ([DATA + b"X"], "wrong-size"),
        ],
    )
    def test_wrong_bytes_are_refused_and_leave_no_file(
        self, chunks: list[bytes], code: str
    ) -> None:
        with self.sink() as sink:
            with pytest.raises(BlobError) as refused:
                sink.put(chunks, "layers[0]", expected=BLOB)
            assert refused.value.code == code
            assert refused.value.where == "layers[0]"
            assert not sink.has(BLOB)
            assert self.files() == {}
            sink.abort()
        assert not self.exists()

    def test_a_blob_that_is_too_long_is_refused_before_its_end(self) -> None:
        def endless() -> Iterator[bytes]:
            while True:
                yield DATA

        with self.sink() as sink:
            with pytest.raises(BlobError):
                sink.put(endless(), "here", expected=BLOB)
            sink.abort()

    def test_a_source_that_breaks_off_leaves_no_file(self) -> None:
        def broken() -> Iterator[bytes]:
            yield DATA[:100]
            raise KeyboardInterrupt

        with self.sink() as sink:
            with pytest.raises(KeyboardInterrupt):
                sink.put(broken(), "here")
            assert self.files() == {}
            sink.abort()
        assert not self.exists()

    def test_an_algorithm_that_cannot_be_verified_is_refused(self) -> None:
        unknown = Descriptor(mediaType="x/y", digest="blake3:" + "0" * 64, size=len(DATA))
        with self.sink() as sink:
            with pytest.raises(BlobError) as refused:
                sink.put([DATA], "here", expected=unknown)
            assert refused.value.code == "unsupported-algorithm"
            sink.abort()
        assert not self.exists()

    def test_a_blob_is_there_if_its_size_is_right(self) -> None:
        with self.sink() as sink:
            assert not sink.has(BLOB)
            sink.put([DATA], "here")
            assert sink.has(BLOB)
            assert not sink.has(BLOB.model_copy(update={"size": BLOB.size + 1}))
            sink.abort()

    def test_a_blob_is_hashed_again_only_when_asked(self) -> None:
        with self.sink() as sink:
            sink.put([DATA], "here", expected=BLOB)
            assert sink.has(BLOB, verify=True)
            self.damage(BLOB.digest, DATA[::-1])
            assert sink.has(BLOB)
            assert not sink.has(BLOB, verify=True)
            sink.put([DATA], "here", expected=BLOB)
            assert sink.has(BLOB, verify=True)
            sink.abort()

    def test_a_document_is_found_as_a_document(self, image: Image) -> None:
        with self.sink() as sink:
            fill(sink, image)
            for digest, data in image.blobs.items():
                descriptor = Descriptor(mediaType="x/y", digest=digest, size=len(data))
                document = digest in image.documents
                assert sink.has(descriptor, document=document, verify=True)
            sink.abort()

    def test_a_blob_is_taken_from_a_source_verified(self, stored: Source, image: Image) -> None:
        digest, data = next(iter(image.blobs.items()))
        descriptor = Descriptor(mediaType="x/y", digest=digest, size=len(data))
        wrong = descriptor.model_copy(update={"size": len(data) + 1})
        with self.sink(force=True) as sink:
            sink.take(stored, descriptor, "here")
            assert sink.has(descriptor)
            with pytest.raises(BlobError):
                sink.take(stored, wrong, "here")
            with pytest.raises(BlobError) as missing:
                sink.take(stored, BLOB, "here")
            assert missing.value.code == "blob-missing"
            sink.abort()

    def test_several_threads_put_the_same_blob_and_others(self) -> None:
        together = threading.Barrier(4)

        def put(number: int) -> None:
            others = b"%d" % number
            together.wait()
            for _ in range(10):
                sink.put([DATA], "here", expected=BLOB)
                sink.put([others], "here")

        with self.sink() as sink:
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(put, range(4)))
            assert sorted(filter(None, self.files().values())) == [b"0", b"1", b"2", b"3", DATA]
            sink.abort()
        assert not self.exists()

    def test_a_failed_run_leaves_nothing_of_a_target_that_was_new(self, image: Image) -> None:
        with self.sink() as sink:
            fill(sink, image)
            sink.abort()
        assert not self.exists()

    def test_a_failed_run_leaves_a_target_that_was_empty(self, image: Image) -> None:
        if not isinstance(self.target, Path):
            pytest.skip("there is no folder")
        self.target.mkdir(parents=True)
        with self.sink() as sink:
            fill(sink, image)
            sink.abort()
        assert list(self.target.iterdir()) == []

    def test_a_failed_run_leaves_a_store_with_images_as_it_is(
        self, stored: Source, image: Image
    ) -> None:
        before = self.files()
        with self.sink(force=True) as sink:
            fill(sink, image)
            sink.put([DATA], "here")
            sink.abort()
        after = self.files()
        assert {name: after[name] for name in before} == before
        assert DATA in after.values()  # another run may have counted on it
        assert len(self.images()) == 1
        assert not (self.target / UNFINISHED).exists()

    def test_an_image_can_be_written_again(self, stored: Source, image: Image) -> None:
        before = self.files()
        store(self.sink(force=True), image)
        assert self.files() == before


class FolderContract(StoreContract):
    """What a store that is a folder keeps beside."""

    def test_a_link_in_the_place_of_a_blob_is_not_believed(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.write_bytes(DATA)
        with self.sink() as sink:
            sink.put([b"something"], "here")
            link = self.target / self.file_name(BLOB.digest)
            link.symlink_to(outside)
            assert not sink.has(BLOB)
            sink.put([DATA], "here", expected=BLOB)
            assert sink.has(BLOB)
            assert not link.is_symlink()
            sink.abort()

    def test_what_dead_runs_left_is_removed_and_what_living_ones_write_is_not(
        self, image: Image, tmp_path: Path
    ) -> None:
        treasure = tmp_path / "treasure"
        write_files({"gold": b"!"}, treasure)
        unfinished = self.target / UNFINISHED
        write_files({"dead/1": b"x", "dead/deep/2": b"x", "file": b"x"}, unfinished)
        (unfinished / "link").symlink_to(treasure)
        living = self.sink()
        living.put([DATA], "here", expected=BLOB)
        (run,) = unfinished.iterdir()
        with self.sink() as sink:
            fill(sink, image)
            assert run.exists()
            sink.commit([root_of(image)])
        assert [*unfinished.iterdir()] == [run]
        living.abort()
        living.close()
        assert not unfinished.exists()
        assert files_below(treasure) == {"gold": b"!"}

    def test_a_failed_run_leaves_what_a_living_one_may_count_on(self, image: Image) -> None:
        with self.sink() as living:
            living.put([b"mine"], "here")
            with self.sink() as sink:
                sink.put([DATA], "here")
                sink.abort()
            assert living.has(BLOB)
            fill(living, image)
            living.commit([root_of(image)])
        assert len(self.images()) == 1

    def test_a_failed_run_leaves_what_was_there_before_it(self) -> None:
        write_files({self.file_name(BLOB.digest): DATA}, self.target)
        with self.sink() as sink:
            sink.put([DATA], "here", expected=BLOB)
            sink.put([b"mine"], "here")
            sink.abort()
        assert self.files() == {self.file_name(BLOB.digest): DATA}

    def test_unfinished_files_never_go_through_a_link(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        self.target.mkdir(parents=True)
        (self.target / UNFINISHED).symlink_to(outside)
        with self.sink() as sink:
            with pytest.raises(OciConvertError) as refused:
                sink.put([DATA], "here")
            assert refused.value.code == "not-a-folder"
            sink.abort()
        assert list(outside.iterdir()) == []

    def test_files_have_the_mode_that_the_umask_gives(self, image: Image) -> None:
        store(self.sink(), image)
        probe = self.target / "probe"
        probe.touch()
        modes = {file.stat().st_mode for file in self.target.rglob("*") if file.is_file()}
        assert modes == {probe.stat().st_mode}

    def test_a_pipe_in_the_place_of_a_blob_does_not_stop_the_run(
        self, stored: Source, image: Image
    ) -> None:
        digest = next(iter(image.blobs))
        file = self.target / self.file_name(digest)
        file.unlink()
        os.mkfifo(file)
        descriptor = Descriptor(mediaType="x/y", digest=digest, size=len(image.blobs[digest]))
        with self.source() as source:
            for attempt in (source.size, source.open):
                with pytest.raises(OciConvertError) as refused:
                    attempt(descriptor.name)
                assert refused.value.code == "not-a-file"
        with self.sink(force=True) as sink:
            assert not sink.has(descriptor)
            sink.abort()

    def test_a_blob_may_be_a_link_to_anywhere_because_it_is_verified(
        self, stored: Source, image: Image, tmp_path: Path
    ) -> None:
        digest, data = next(iter(image.blobs.items()))
        file = self.target / self.file_name(digest)
        file.rename(tmp_path / "shared")
        file.symlink_to(tmp_path / "shared")
        with self.source() as source:
            descriptor = Descriptor(mediaType="x/y", digest=digest, size=len(data))
            assert b"".join(source.read(descriptor, "here")) == data
