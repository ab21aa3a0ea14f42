"""What the stores of this project keep beside the contract of all stores."""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path

import pytest

from oci_convert.errors import OciConvertError
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Root, Sink, Source
from oci_convert.testing import contract, images
from oci_convert.testing.contract import BLOB, DATA, StoreContract
from oci_convert.testing.images import SmallImage
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


def image_for(family: Family) -> Image:
    """An image of two platforms that share a layer, in the family's names."""
    shared = layer("shared", size=8192)
    make = docker_image if family is Family.DOCKER else oci_image
    parts = [make([shared]), make([shared, layer("more")], platform="linux/arm64")]
    return image_list(parts, family)


def root_of(image: Image, name: str | None = "1") -> Root:
    """``image`` as an image of a store."""
    return Root(image.descriptor, {REF_NAME: name} if name else {}, name)


def fill(sink: Sink, image: Image) -> None:
    """Put every blob of ``image``, the documents last, as a conversion does."""
    images.fill(sink, SmallImage(image.descriptor, image.blobs, image.documents))


def store(sink: Sink, image: Image, name: str | None = "1") -> None:
    """Write ``image`` and end the run."""
    with sink:
        fill(sink, image)
        sink.commit([root_of(image, name)])


class OurContract(StoreContract):
    """What the stores of this project keep, which are files."""

    @abstractmethod
    def file_name(self, digest: str) -> str:
        """The file of a blob that is no document."""

    def is_unfinished(self, name: str) -> bool:
        return UNFINISHED in name

    def test_a_failed_run_leaves_what_another_one_may_have_counted_on(self, stored: Source) -> None:
        with self.sink(force=True) as sink:
            sink.put([DATA], "here")
            sink.abort()
        assert DATA in (self.contents() or {}).values()


class FolderContract(OurContract):
    """What a store that is a folder keeps."""

    target: Path
    """Where the store is; it does not exist until a sink makes it."""

    @pytest.fixture(autouse=True)
    def _target(self, tmp_path: Path) -> None:
        self.target = tmp_path / "new" / "target"

    def contents(self) -> dict[str, bytes]:
        return files_below(self.target)

    def damage(self, digest: str, data: bytes) -> None:
        write_files({self.file_name(digest): data}, self.target)

    def exists(self) -> bool:
        return self.target.parent.exists()

    def test_no_folder_of_unfinished_files_is_left(self, image: SmallImage) -> None:
        contract.store(self.sink(), image)
        assert not (self.target / UNFINISHED).exists()
        with self.sink(force=True) as sink:
            sink.put([DATA], "here")
            sink.abort()
        assert not (self.target / UNFINISHED).exists()

    def test_a_failed_run_leaves_a_target_that_was_empty(self, image: SmallImage) -> None:
        self.target.mkdir(parents=True)
        with self.sink() as sink:
            images.fill(sink, image)
            sink.abort()
        assert list(self.target.iterdir()) == []

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
        self, image: SmallImage, tmp_path: Path
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
            images.fill(sink, image)
            assert run.exists()
            sink.commit([contract.root_of(image)])
        assert [*unfinished.iterdir()] == [run]
        living.abort()
        living.close()
        assert not unfinished.exists()
        assert files_below(treasure) == {"gold": b"!"}

    def test_a_failed_run_leaves_what_a_living_one_may_count_on(self, image: SmallImage) -> None:
        with self.sink() as living:
            living.put([b"mine"], "here")
            with self.sink() as sink:
                sink.put([DATA], "here")
                sink.abort()
            assert living.has(BLOB)
            images.fill(living, image)
            living.commit([contract.root_of(image)])
        assert len(self.images()) == 1

    def test_a_failed_run_leaves_what_was_there_before_it(self) -> None:
        write_files({self.file_name(BLOB.digest): DATA}, self.target)
        with self.sink() as sink:
            sink.put([DATA], "here", expected=BLOB)
            sink.put([b"mine"], "here")
            sink.abort()
        assert self.contents() == {self.file_name(BLOB.digest): DATA}

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

    def test_files_have_the_mode_that_the_umask_gives(self, image: SmallImage) -> None:
        contract.store(self.sink(), image)
        probe = self.target / "probe"
        probe.touch()
        modes = {file.stat().st_mode for file in self.target.rglob("*") if file.is_file()}
        assert modes == {probe.stat().st_mode}

    def test_a_pipe_in_the_place_of_a_blob_does_not_stop_the_run(
        self, stored: Source, image: SmallImage
    ) -> None:
        digest = next(iter(image.blobs))
        file = self.target / self.file_name(digest)
        file.unlink()
        os.mkfifo(file)
        descriptor = Descriptor(media_type="x/y", digest=digest, size=len(image.blobs[digest]))
        with self.source() as source:
            for attempt in (source.size, source.open):
                with pytest.raises(OciConvertError) as refused:
                    attempt(descriptor.name)
                assert refused.value.code == "not-a-file"
        with self.sink(force=True) as sink:
            assert not sink.has(descriptor)
            sink.abort()

    def test_a_blob_may_be_a_link_to_anywhere_because_it_is_verified(
        self, stored: Source, image: SmallImage, tmp_path: Path
    ) -> None:
        digest, data = next(iter(image.blobs.items()))
        file = self.target / self.file_name(digest)
        file.rename(tmp_path / "shared")
        file.symlink_to(tmp_path / "shared")
        with self.source() as source:
            descriptor = Descriptor(media_type="x/y", digest=digest, size=len(data))
            assert b"".join(source.read(descriptor, "here")) == data
