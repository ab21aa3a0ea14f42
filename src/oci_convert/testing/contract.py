"""The contract of stores as tests: what every source and every sink keeps, whatever it is made of.

A store is tested by a class that inherits :class:`StoreContract` and says how to make one. The
docstrings of ``Source`` and ``Sink`` are the text of the contract.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import ClassVar, Final

import pytest

from oci_convert.errors import BlobError, OciConvertError
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import REF_NAME
from oci_convert.stores.base import HEAD, Root, Sink, SinkOptions, Source, SourceOptions, Store
from oci_convert.testing.images import SmallImage, docker_image, fill, image_index, oci_image

__all__ = ["BLOB", "DATA", "StoreContract", "root_of", "store"]

DATA: Final = b"a blob " * 1000
BLOB: Final = Descriptor(media_type="text/plain", digest=Digest.of(DATA), size=len(DATA))
_LARGE: Final = bytes(range(256)) * (2 * HEAD // 256)


def images_for(family: Family) -> list[SmallImage]:
    """Two images that share a layer."""
    make = docker_image if family is Family.DOCKER else oci_image
    shared = {"srv/data": _LARGE}
    return [make(shared), make(shared, {"etc/motd": "more"}, platform="linux/arm64")]


def image_for(family: Family) -> SmallImage:
    """An index of both, in the family's names."""
    return image_index(*images_for(family))


def root_of(image: SmallImage, name: str | None = "1") -> Root:
    """``image`` as an image of a store."""
    return Root(image.descriptor, {REF_NAME: name} if name else {}, name)


def store(sink: Sink, image: SmallImage, name: str | None = "1") -> None:
    """Write ``image`` and end the run."""
    with sink:
        fill(sink, image)
        sink.commit([root_of(image, name)])


class StoreContract(ABC):
    """What a store keeps as a source and as a sink, as tests: a class that inherits this runs them.

    It says how to make a store and how to break a blob of one. What else can be said makes the
    tests stricter.
    """

    family: ClassVar[Family] = Family.OCI
    """The family of the images that are written."""
    names: ClassVar[bool] = True
    """Whether images have names."""
    undoes: ClassVar[bool] = True
    """Whether nothing is left of a run that failed, where there was nothing before."""

    grows: ClassVar[bool] = True
    """Whether images are added to those that are there, by several runs at once, too."""
    shared: ClassVar[bool] = True
    """Whether runs that write at the same time share the blobs."""

    store: Store
    """The store of the test, which is empty at first."""

    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> None:
        self.store = self.make(tmp_path)

    @abstractmethod
    def make(self, tmp_path: Path) -> Store:
        """A new store without anything in it; called once for each test."""

    @abstractmethod
    def damage(self, digest: str, data: bytes) -> None:
        """Replace the bytes of a blob that is no document."""

    def contents(self) -> Mapping[str, bytes] | None:
        """Everything that is in the store by any names, what is unfinished included.

        ``None`` if nobody can tell; then what could be seen of it is not tested.
        """
        return None

    def is_unfinished(self, name: str) -> bool:
        """Whether a name of :meth:`contents` is one that nobody reads, as it is unfinished."""
        return False

    def called(self, name: str) -> str | None:
        """What the store calls an image that was written under a name."""
        return name if self.names else None

    def exists(self) -> bool:
        """Whether anything of the store is there."""
        return bool(self.contents())

    def sink(self, *, force: bool = False) -> Sink:
        """A sink into the store; ``force`` where a second image would be refused."""
        return self.store.sink(SinkOptions(self.family, force))

    def source(self) -> Source:
        """A source that reads the store."""
        return self.store.source(SourceOptions())

    def images(self) -> Sequence[Root]:
        """The images that anybody can see."""
        try:
            with self.source() as source:
                return source.roots()
        except OciConvertError:
            return []

    def stored_data(self) -> list[bytes] | None:
        """What the store holds that is not empty, whatever it is called."""
        held = self.contents()
        return None if held is None else sorted(data for data in held.values() if data)

    def assert_gone(self) -> None:
        """Nothing is left of a run that failed in a new store, and no image in any case."""
        assert not self.images()
        if self.undoes:
            assert not self.exists()

    # -- as a source ------------------------------------------------------------------------

    @pytest.fixture
    def image(self) -> SmallImage:
        return image_for(self.family)

    @pytest.fixture
    def stored(self, image: SmallImage) -> Iterator[Source]:
        store(self.sink(), image)
        with self.source() as source:
            yield source

    def test_an_image_that_was_written_is_there(self, stored: Source, image: SmallImage) -> None:
        (root,) = stored.roots()
        assert root.descriptor.triple() == image.descriptor.triple()
        assert root.name == self.called("1")
        assert not root.built

    def test_every_blob_is_read_verified(self, stored: Source, image: SmallImage) -> None:
        for digest, data in image.blobs.items():
            descriptor = Descriptor(media_type="x/y", digest=digest, size=len(data))
            assert b"".join(stored.read(descriptor, "here")) == data
            assert stored.size(Digest(digest)) == len(data)
            assert stored.head(descriptor) == data[:HEAD]

    def test_a_blob_is_handed_over_open(self, stored: Source, image: SmallImage) -> None:
        for digest, data in image.blobs.items():
            descriptor = Descriptor(media_type="x/y", digest=digest, size=len(data))
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
        self, stored: Source, image: SmallImage, code: str, change: Callable[[bytes], bytes]
    ) -> None:
        digest, data = next(iter(image.blobs.items()))
        self.damage(digest, change(data))
        with self.source() as source, pytest.raises(BlobError) as damaged:
            list(source.read(Descriptor(media_type="x/y", digest=digest, size=len(data)), "here"))
        assert damaged.value.code == code
        assert damaged.value.where == "here"

    def test_several_threads_read_at_once(self, stored: Source, image: SmallImage) -> None:
        def read(digest: str) -> bytes:
            data = image.blobs[digest]
            return b"".join(
                stored.read(Descriptor(media_type="x/y", digest=digest, size=len(data)), "here")
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
        self.assert_gone()

    def test_there_is_no_image_before_the_commit(self, image: SmallImage) -> None:
        with self.sink() as sink:
            fill(sink, image)
            assert not self.images()
            sink.commit([root_of(image)])
            assert len(self.images()) == 1
        assert len(self.images()) == 1

    def test_a_finished_run_leaves_nothing_unfinished(self, image: SmallImage) -> None:
        store(self.sink(), image)
        assert not any(map(self.is_unfinished, self.contents() or ()))

    def test_put_says_what_it_stored_and_can_be_repeated(self) -> None:
        with self.sink() as sink:
            for _ in range(3):
                chunks = (DATA[i : i + 999] for i in range(0, len(DATA), 999))
                assert sink.put(chunks, "here") == (BLOB.digest, BLOB.size)
                assert sink.put([DATA], "here", expected=BLOB) == (BLOB.digest, BLOB.size)
                assert sink.has(BLOB)
            assert self.stored_data() in (None, [DATA])
            sink.abort()

    def test_an_empty_blob_is_a_blob(self) -> None:
        empty = Descriptor(media_type="x/y", digest=Digest.of(b""), size=0)
        with self.sink() as sink:
            assert sink.put([], "here", expected=empty) == (empty.digest, 0)
            assert sink.has(empty)
            sink.abort()

    @pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
    def test_another_algorithm_gives_another_name(self, algorithm: str) -> None:
        digest = Digest.of(DATA, algorithm)
        described = Descriptor(media_type="x/y", digest=digest, size=len(DATA))
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
                    assert all(map(self.is_unfinished, self.contents() or ()))
                    yield DATA[i : i + 999]
                assert all(map(self.is_unfinished, self.contents() or ()))

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
            assert not self.contents()
            sink.abort()
        self.assert_gone()

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
            assert not self.contents()
            sink.abort()
        self.assert_gone()

    def test_an_algorithm_that_cannot_be_verified_is_refused(self) -> None:
        unknown = Descriptor(media_type="x/y", digest="blake3:" + "0" * 64, size=len(DATA))
        with self.sink() as sink:
            with pytest.raises(BlobError) as refused:
                sink.put([DATA], "here", expected=unknown)
            assert refused.value.code == "unsupported-algorithm"
            sink.abort()
        self.assert_gone()

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
            with ExitStack() as stack:
                if not sink.capabilities.repairs:
                    stack.enter_context(suppress(BlobError))
                sink.put([DATA], "here", expected=BLOB)
                assert sink.has(BLOB, verify=True)
            sink.abort()

    def test_a_document_is_found_as_a_document(self, image: SmallImage) -> None:
        with self.sink() as sink:
            fill(sink, image)
            for digest, data in image.blobs.items():
                descriptor = Descriptor(media_type="x/y", digest=digest, size=len(data))
                document = digest in image.documents
                assert sink.has(descriptor, document=document, verify=True)
            sink.abort()

    def test_a_blob_is_taken_from_a_source_verified(
        self, stored: Source, image: SmallImage
    ) -> None:
        digest, data = next(iter(image.blobs.items()))
        descriptor = Descriptor(media_type="x/y", digest=digest, size=len(data))
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
            assert self.stored_data() in (None, [b"0", b"1", b"2", b"3", DATA])
            sink.abort()
        self.assert_gone()

    def test_a_failed_run_leaves_nothing_of_a_target_that_was_new(self, image: SmallImage) -> None:
        with self.sink() as sink:
            fill(sink, image)
            sink.abort()
        self.assert_gone()

    def test_a_failed_run_leaves_a_store_with_images_as_it_is(
        self, stored: Source, image: SmallImage
    ) -> None:
        before = self.contents()
        with self.sink(force=True) as sink:
            fill(sink, image)
            sink.put([DATA], "here")
            sink.abort()
        after = self.contents()
        if before is not None and after is not None:
            assert {name: after[name] for name in before} == before
        assert len(self.images()) == 1
        with self.source() as source:
            for digest, data in image.blobs.items():
                described = Descriptor(media_type="x/y", digest=digest, size=len(data))
                assert b"".join(source.read(described, "here")) == data

    def test_an_image_can_be_written_again(self, stored: Source, image: SmallImage) -> None:
        before = self.contents()
        store(self.sink(force=True), image)
        assert self.contents() == before
        assert len(self.images()) == 1

    # -- several images ---------------------------------------------------------------------

    def test_an_image_of_the_same_name_is_replaced_and_others_stay(self) -> None:
        if not self.grows:
            pytest.skip("nothing is added to it")
        first, second = images_for(self.family)
        store(self.sink(), first, "1")
        store(self.sink(), second, "2")
        one, two = self.called("1"), self.called("2")
        assert {root.name: root.descriptor.digest for root in self.images()} == {
            one: first.digest,
            two: second.digest,
        }
        store(self.sink(), second, "1")
        assert {root.name: root.descriptor.digest for root in self.images()} == {
            one: second.digest,
            two: second.digest,
        }

    def test_several_images_appear_with_one_commit(self) -> None:
        with self.sink() as sink:
            if not sink.capabilities.many_images:
                pytest.skip("it holds one image")
            images = images_for(self.family)
            for image in images:
                fill(sink, image)
            sink.commit([root_of(image, f"{i}") for i, image in enumerate(images)])
        assert [root.name for root in self.images()] == [self.called("0"), self.called("1")]

    def test_runs_at_once_lose_no_image(self, image: SmallImage) -> None:
        if not self.grows:
            pytest.skip("nothing is added to it")
        names = {f"v{i}" for i in range(16)}
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: store(self.sink(), image, name), sorted(names)))
        assert {root.name for root in self.images()} == set(map(self.called, names))

    def test_a_failed_run_takes_nothing_from_one_that_is_writing(self, image: SmallImage) -> None:
        if not self.shared:
            pytest.skip("each run writes for itself")
        with self.sink() as living:
            living.begin()
            living.put([b"mine"], "here")
            with self.sink() as failing:
                fill(failing, image)
                failing.abort()
            for digest, data in image.blobs.items():
                described = Descriptor(media_type="x/y", digest=digest, size=len(data))
                document = digest in image.documents
                if not (document and living.capabilities.documents_last):
                    assert living.has(described, document=document)
            if living.capabilities.documents_last:
                fill(living, image)
            living.commit([root_of(image)])
        assert len(self.images()) == 1
