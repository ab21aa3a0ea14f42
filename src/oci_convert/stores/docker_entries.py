"""Which image of a layout a row of ``manifest.json`` stands for, where an archive is both.

Names decide first: Docker, containerd and BuildKit write ``io.containerd.image.name`` in full and
the bare tag as ``org.opencontainers.image.ref.name``; podman writes the full reference as ref name;
regctl repeats its own spelling of the reference. A name alone is not believed: config and layers
must agree with the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Final

from oci_convert.ground.digest import Digest
from oci_convert.ground.errors import DocumentError, OciConvertError
from oci_convert.ground.limits import limits
from oci_convert.ground.media_types import Kind, look_up
from oci_convert.papers.documents import Role, read_document
from oci_convert.papers.models import Descriptor, Manifest
from oci_convert.rules.names import (
    CONTAINERD_NAME,
    REF_NAME,
    annotations_for,
    called,
    is_repository_tag,
    normalised,
    pair,
)
from oci_convert.stores.base import Root
from oci_convert.stores.docker_rows import Files, Row, is_foreign
from oci_convert.stores.oci_layout import OciLayoutSource, blob_name

__all__ = ["Entries"]

_DEPTH: Final = 8
"""Levels of indexes that are searched for the manifest of a row."""


class Entries:
    """The entries of ``index.json``, and which of them rows stand for."""

    def __init__(self, layout: OciLayoutSource, files: Files) -> None:
        self._layout = layout
        self._files = files
        self._entries = layout.roots()
        self._claimed: set[int] = set()
        self._read: dict[Digest, tuple[Manifest, ...]] = {}
        self._called: dict[str, list[int]] = {}
        for i, entry in enumerate(self._entries):
            for name in {normalised(name) for name in pair(entry.annotations) if name}:
                self._called.setdefault(name, []).append(i)

    def by_name(self, row: Row, tag: str | None) -> Root | None:
        """The entry of this very name, if it agrees with the row; if not, the row replaces it."""
        bearers = self._called.get(normalised(tag), []) if tag else []
        named = [i for i in bearers if i not in self._claimed]
        for i in named:
            # What is wrong with a damaged one is for its reader to say, not to be passed over.
            if self._agrees(self._entries[i].descriptor, row, damaged=True):
                self._claimed.add(i)
                return self._entries[i]
        self._claimed.update(named)
        return None

    def by_content(self, row: Row, tag: str | None) -> Root | None:
        """An image of the layout that agrees with the row, whatever its name."""
        nameless_first = sorted(self._free(), key=lambda i: bool(self._entries[i].name))
        for i in nameless_first:
            entry = self._entries[i]
            if _may_be_called(entry, tag) and self._agrees(entry.descriptor, row):
                self._claimed.add(i)
                return entry if tag is None else _completed(entry, tag)
        annotations = annotations_for(tag) if tag else {}
        for descriptor in (*(entry.descriptor for entry in self._entries), *self._strays):
            if self._agrees(descriptor, row):
                return Root(descriptor, annotations, called(annotations))
        return None

    def unclaimed(self) -> list[Root]:
        """The entries that no row stands for."""
        return [self._entries[i] for i in self._free()]

    def _free(self) -> list[int]:
        return [i for i in range(len(self._entries)) if i not in self._claimed]

    # -- agreement --------------------------------------------------------------------------

    def _agrees(self, descriptor: Descriptor, row: Row, *, damaged: bool = False) -> bool:
        """Whether an image, or one of an index, has the config and the layers of the row.

        ``damaged`` is the answer for documents that cannot be read.
        """
        try:
            manifests = self._below(descriptor)
        except OciConvertError:
            return damaged
        return any(self._same(manifest, row) for manifest in manifests)

    def _same(self, manifest: Manifest, row: Row) -> bool:
        layers = manifest.layers or ()
        return (
            self._is_blob(row.config, manifest.config, row)
            and len(layers) == len(row.layers)
            and all(
                self._is_blob(path, layer, row)
                for path, layer in zip(row.layers, layers, strict=True)
            )
        )

    def _is_blob(self, path: str, blob: Descriptor, row: Row) -> bool:
        """Whether the file that a row names is this blob."""
        here = path == blob_name(blob.name)
        if here and self._layout.size(blob.name) is not None:
            return True
        size = self._files.size(path)
        if size is None:
            known = here or any(source.digest == blob.digest for source in row.sources.values())
            return known and is_foreign(blob)
        return size == blob.size and self._files.digest(path, blob.name.algorithm) == blob.digest

    # -- documents --------------------------------------------------------------------------

    def _below(self, descriptor: Descriptor, depth: int = 0) -> tuple[Manifest, ...]:
        """The manifest that a descriptor names, or those of the index, as far as they are here."""
        meaning = look_up(descriptor.media_type)
        if meaning is None or meaning.cell.kind not in (Kind.INDEX, Kind.MANIFEST):
            return ()
        if depth == _DEPTH or self._layout.size(descriptor.name) is None:
            return ()
        if descriptor.name not in self._read:
            self._read[descriptor.name] = tuple(self._documents(descriptor, depth))
        return self._read[descriptor.name]

    def _documents(self, descriptor: Descriptor, depth: int) -> Iterator[Manifest]:
        if descriptor.size > limits().document_size:
            raise DocumentError("the document is too large", code="document-too-large")
        raw = b"".join(self._layout.read(descriptor, self._layout.label))
        document = read_document(raw, descriptor.media_type, self._layout.label)
        if isinstance(document.model, Manifest):
            yield document.model
        for slot in document.slots:
            if slot.role is Role.ENTRY:
                yield from self._below(slot.descriptor, depth + 1)

    @cached_property
    def _strays(self) -> list[Descriptor]:
        """The manifests that lie in the layout without an entry in ``index.json``.

        Docker 25 left out images without a tag when others had one.
        """
        found = []
        for name in sorted(self._layout.place.names("blobs")):
            try:
                descriptor = self._stray(name)
            except OciConvertError:
                continue
            if descriptor is not None:
                found.append(descriptor)
        return found

    def _stray(self, name: str) -> Descriptor | None:
        algorithm, _, encoded = name.removeprefix("blobs/").partition("/")
        digest = Digest(f"{algorithm}:{encoded}")
        size = self._layout.size(digest)
        if size is None or size > limits().document_size:
            return None
        with self._layout.open(digest) as file:
            raw = file.read(1)
            if raw != b"{":
                return None
            raw += file.read()
        document = read_document(raw, None)
        if not isinstance(document.model, Manifest) or document.digest(algorithm) != digest:
            return None
        return Descriptor(mediaType=document.media_type, digest=digest, size=size)


def _may_be_called(entry: Root, tag: str | None) -> bool:
    """Whether nothing in the entry's own names speaks against the name."""
    if tag is None:
        return True
    ref, full = pair(entry.annotations)
    return not is_repository_tag(full or "") and (ref or tag) in (tag, tag.rpartition(":")[2])


def _completed(entry: Root, tag: str) -> Root:
    """The entry with the full name of the row, which its own annotations lack."""
    full = annotations_for(tag)
    added = {CONTAINERD_NAME: full[CONTAINERD_NAME]} if CONTAINERD_NAME in full else {}
    missing = {} if entry.annotations.get(REF_NAME) else {REF_NAME: full[REF_NAME]}
    annotations = {**entry.annotations, **missing, **added}
    return Root(entry.descriptor, annotations, called(annotations))
