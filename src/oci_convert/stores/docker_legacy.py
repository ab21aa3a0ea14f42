"""What ``docker save`` wrote before Docker 1.10, as a source: ``docker-archive:``.

There is no manifest. Each layer is an image version 1 in a folder of its own, ``<id>/json`` beside
``<id>/layer.tar``, which names the one that it stands on; ``repositories`` says what the topmost
ones are called. The JSON is that of schema 1, and so is the upgrade.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO

from oci_convert.documents.document import read_object
from oci_convert.errors import DocumentError
from oci_convert.spec.digest import Digest
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import annotations_for, called
from oci_convert.stores.base import Root, Source
from oci_convert.stores.contents import REPOSITORIES, V1_IMAGE
from oci_convert.stores.files import Files
from oci_convert.stores.files.archive_errors import inconsistent, member_missing
from oci_convert.stores.upgrade import measure, side_by_side
from oci_convert.transform.image_v1 import MeasuredLayer, V1Image, read_v1, upgrade

__all__ = ["DockerLegacySource"]


class DockerLegacySource(Source):
    """The images of an archive of Docker before 1.10: those with a name, then the other tops.

    An image with several tags is as many images. Every layer is hashed when the archive is opened:
    nothing in it says what a layer should hold.
    """

    daemon_layers = True

    def __init__(self, files: Files, label: str) -> None:
        self.files = files
        self.label = label
        self._made: dict[Digest, bytes] = {}
        self._files: dict[Digest, str] = {}
        images = self._read_images()
        tops = list(self._tops(images))
        chains = {top: self._chain(top, images) for _, top in tops}
        layers = self._measured(chains)
        made = {top: self._upgrade(chain, layers) for top, chain in chains.items()}
        self._roots = [_root(name, made[top]) for name, top in tops]

    def _read_images(self) -> dict[str, V1Image]:
        """Every image of the archive by its id, which is also the name of its folder."""
        images = {}
        for name in sorted(self.files.names()):
            folder = V1_IMAGE.fullmatch(name)
            if folder is None:
                continue
            where = f"{self.label}: {name}"
            image = images[folder[1]] = read_v1(self.files.read(name), where)
            if image.identity != folder[1]:
                raise inconsistent(f"its id is {image.identity}", where)
        return images

    def _tops(self, images: Mapping[str, V1Image]) -> Iterator[tuple[str | None, str]]:
        """Names and ids: what ``repositories`` names, then that on which nothing stands."""
        named = list(self._tags())
        yield from named
        covered = {image.parent for image in images.values()} | {top for _, top in named}
        yield from ((None, identity) for identity in images if identity not in covered)

    def _tags(self) -> Iterator[tuple[str, str]]:
        if self.files.size(REPOSITORIES) is None:
            return
        where = f"{self.label}: {REPOSITORIES}"
        _, root = read_object(self.files.read(REPOSITORIES), where)
        for repository, tags in root.value.items():
            for tag, identity in _strings(tags, f"{where}.{repository}").items():
                yield f"{repository}:{tag}", identity

    def _chain(self, top: str, images: Mapping[str, V1Image]) -> list[V1Image]:
        """The images that make up the one called ``top``, from the base up."""
        chain: dict[str, V1Image] = {}
        at: str | None = top
        while at is not None:
            place = f"{self.label}: {at}"
            if at in chain:
                raise inconsistent("an image is its own parent", place)
            if at not in images:
                raise member_missing(f"{at}/json", store=self.label)
            chain[at] = images[at]
            at = images[at].parent
        return list(chain.values())[::-1]

    def _measured(self, chains: Mapping[str, Sequence[V1Image]]) -> dict[str, MeasuredLayer]:
        """The layers of all images by id; :attr:`_files` then knows where they are."""
        needed = {
            image.identity: f"{image.identity}/layer.tar"
            for chain in chains.values()
            for image in chain
            if not image.throwaway
        }
        for name in needed.values():
            if self.files.size(name) is None:
                raise member_missing(name, store=self.label)
        layers = side_by_side({key: partial(self._measure, name) for key, name in needed.items()})
        for key, layer in layers.items():
            self._files.setdefault(layer.digest, needed[key])
        return layers

    def _measure(self, name: str) -> MeasuredLayer:
        with self.files.open(name) as file:
            return measure(file, f"{self.label}: {name}")

    def _upgrade(self, chain: Sequence[V1Image], layers: Mapping[str, MeasuredLayer]) -> Descriptor:
        kept = [layers[image.identity] for image in chain if not image.throwaway]
        made = upgrade(chain, kept)
        self._made.update(made.blobs)
        return made.descriptor

    # -- the source -------------------------------------------------------------------------

    def roots(self) -> Sequence[Root]:
        return self._roots

    def size(self, digest: Digest) -> int | None:
        if digest in self._made:
            return len(self._made[digest])
        return self.files.size(self._files[digest]) if digest in self._files else None

    def open(self, digest: Digest) -> BinaryIO:
        if digest in self._made:
            return io.BytesIO(self._made[digest])
        if digest not in self._files:
            raise self.missing(digest)
        return self.files.open(self._files[digest])

    def close(self) -> None:
        self.files.close()


def _strings(value: Any, where: str) -> dict[str, str]:
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return value
    raise DocumentError(
        "the tags of a repository must be an object of strings",
        code="invalid-document",
        where=where,
    )


def _root(name: str | None, made: Descriptor) -> Root:
    annotations = annotations_for(name) if name else {}
    return Root(made, annotations, called(annotations), built=True, upgraded=True)
