"""Sources where every read is a request: what is stated is believed, and little is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import BinaryIO

import pytest

from oci_convert import Memory, convert, verify
from oci_convert.spec.digest import Digest
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Root, Source, SourceOptions
from support.images import (
    LAYERS,
    Image,
    docker_image,
    image_list,
    layout_files,
    oci_image,
)


class Far(Source):
    """A layout that counts what is asked of it."""

    remote = True
    label = "far"

    def __init__(self, near: Source) -> None:
        self.near = near
        self.opened: Counter[str] = Counter()
        self.fetched: list[str] = []

    def roots(self) -> Sequence[Root]:
        return self.near.roots()

    def size(self, digest: Digest) -> int | None:
        raise AssertionError("what is stated is believed")

    def head(self, descriptor: Descriptor) -> bytes:
        raise AssertionError("no layer is read to look at it")

    def open(self, digest: Digest) -> BinaryIO:
        self.opened[digest] += 1
        return self.near.open(digest)

    def prefetch(self, descriptors: Sequence[Descriptor]) -> None:
        self.fetched += [descriptor.digest for descriptor in descriptors]

    def close(self) -> None:
        self.near.close()


class FarStore:
    ref = None

    def __init__(self, image: Image) -> None:
        self.far = Far(Memory(layout_files({"app": image})).source())

    def source(self, options: SourceOptions) -> Far:
        return self.far


PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x")


def test_a_list_costs_one_read_for_each_document_and_its_children_are_announced() -> None:
    images = [docker_image(platform=platform) for platform in PLATFORMS]
    store = FarStore(image_list(images))
    report = convert(store, Memory(), to="oci", dry_run=True)
    assert store.far.fetched == [image.digest for image in images]
    root = store.far.roots()[0].descriptor.digest
    assert store.far.opened == Counter([root, *store.far.fetched])
    assert report.images[0].old is not None


def test_configs_and_layers_are_moved_like_other_blobs() -> None:
    image = image_list([docker_image(platform=platform) for platform in PLATFORMS])
    target, near = Memory(), Memory()
    convert(FarStore(image), target, to="oci")
    convert(Memory(layout_files({"app": image})), near, to="oci")
    assert target.files == near.files
    assert verify(target).sound


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_a_config_is_read_where_a_layer_is_recompressed(compress: str) -> None:
    image = oci_image(LAYERS)
    target, near = Memory(), Memory()
    convert(FarStore(image), target, to="oci", compress=compress)
    convert(Memory(layout_files({"app": image})), near, to="oci", compress=compress)
    assert target.files == near.files


def test_an_image_that_is_not_there_is_missing_and_not_a_fault() -> None:
    images = [oci_image(platform=platform) for platform in PLATFORMS]
    store = FarStore(image_list(images).without(images[1].digest))
    report = convert(store, Memory(), to="oci")
    assert "sparse-index" in {finding.code for finding in report.findings}
