"""Which image of a layout a row of ``manifest.json`` stands for, where an archive is both.

Names decide first: Docker, containerd and BuildKit write ``io.containerd.image.name`` in full and
the bare tag as ``org.opencontainers.image.ref.name``; podman writes the full reference as ref name;
regctl repeats its own spelling of the reference. A name alone does not suffice: config and layers
must agree with the row. Where an entry is damaged, or does not agree, the row replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Final

from oci_convert.documents.document import Role, read_document
from oci_convert.documents.opaque import begins_object, look_inside
from oci_convert.errors import BlobError, DocumentError, OciConvertError
from oci_convert.findings import Finding
from oci_convert.limits import limits
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import document_type
from oci_convert.spec.models import Descriptor, Manifest
from oci_convert.spec.names import (
    CONTAINERD_NAME,
    REF_NAME,
    annotations_for,
    called,
    is_repository_tag,
    normalised,
    pair,
)
from oci_convert.stores.base import Root
from oci_convert.stores.docker_manifest_json import Row, RowFiles
from oci_convert.stores.layer_sources import is_foreign
from oci_convert.stores.layout_index_text import said_by
from oci_convert.stores.oci_layout import OciLayoutSource, blob_name

__all__ = ["DAMAGE", "IndexEntries"]

DAMAGE: Final = frozenset(
    {
        *("blob-missing", "blob-truncated", "wrong-size", "digest-mismatch"),
        *("invalid-json", "not-utf-8", "byte-order-mark", "trailing-data", "lone-surrogate"),
        *("invalid-document", "invalid-digest", "unknown-layout-version", "unknown-media-type"),
    }
)
"""What may be wrong with the OCI part of an archive, so that its rows are used instead.

What could mean two things to two readers is not among it: it is refused.
"""
_DEPTH: Final = 8
"""Levels of indexes that are searched for the manifest of a row."""


class IndexEntries:
    """The entries of ``index.json``, and which of them rows stand for."""

    def __init__(self, layout: OciLayoutSource, files: RowFiles) -> None:
        self._layout = layout
        self._files = files
        self._entries = layout.roots()
        self._described = [entry.descriptor for entry in self._entries]
        self._claimed: set[int] = set()
        self._read: dict[Digest, dict[Digest, Manifest]] = {}
        self._images: dict[tuple[str, str], tuple[Manifest, ...] | None] = {}
        self._damage: dict[tuple[str, str], OciConvertError] = {}
        self._replaced: dict[str, dict[str, None]] = {}
        """Why rows, by their place, count and not the index: each reason once."""
        self._algorithms: set[str] = set()
        self._called: dict[str, list[int]] = {}
        for i, entry in enumerate(self._entries):
            for name in {normalised(name) for name in pair(entry.annotations) if name}:
                self._called.setdefault(name, []).append(i)

    def by_name(self, row: Row, tag: str | None) -> Root | None:
        """The entry of this very name, if it agrees with the row; if not, the row replaces it."""
        bearers = self._called.get(normalised(tag), []) if tag else []
        named = [i for i in bearers if i not in self._claimed]
        for i in named:
            if self._agrees(self._entries[i].descriptor, row, damaged=True):
                self._claimed.add(i)
                return self._entries[i]
        self._replace(row, named)
        return None

    def by_content(self, row: Row, tag: str | None) -> Root | None:
        """An image of the layout that agrees with the row, whatever its name."""
        alike = self._alike(row, self._described, self._by_config)
        free = (i for i in alike if i not in self._claimed)
        for i in sorted(free, key=lambda i: bool(self._entries[i].name)):
            entry = self._entries[i]
            if _may_be_called(entry, tag):
                self._claimed.add(i)
                found = entry if tag is None else _completed(entry, tag)
                return replace(found, remarks=self.remarks(row))
        self._replace(row, self._contradicting(row) if tag is None and not alike else [])
        # Docker 25 left out what has no name where something else has one.
        if not alike and (tag or not self._called) and row.where not in self._replaced:
            self._note(row, "index.json was not used: it does not list the image")
        annotations = annotations_for(tag) if tag else {}
        others = [self._described[i] for i in alike] or [
            self._strays[i] for i in self._alike(row, self._strays, self._strays_by_config)
        ]
        if not others:
            return None
        return Root(others[0], annotations, called(annotations), remarks=self.remarks(row))

    def remarks(self, row: Row) -> tuple[Finding, ...]:
        """What is worth telling of a row: which entries it replaces, whatever stands for it."""
        reasons = self._replaced.get(row.where, ())
        return tuple(Finding.of("oci-part-ignored", "", why) for why in reasons)

    def _contradicting(self, row: Row) -> list[int]:
        """The nameless entry that must have been meant for a row without a name: one that has its
        config, else one that is damaged.
        """
        free = [i for i in self._free() if self._entries[i].name is None]
        same = [i for i in free if i in self._by_config.get(row.config, ())]
        damaged = [i for i in free if self._key(self._described[i]) in self._damage]
        return (same or damaged)[:1]

    def _replace(self, row: Row, entries: Sequence[int]) -> None:
        """Let a row replace entries, and note why."""
        self._claimed.update(entries)
        for i in entries:
            error = self._damage.get(self._key(self._described[i]))
            digest = self._described[i].digest
            why = f"{digest} does not agree with manifest.json" if error is None else error.message
            self._note(row, f"the OCI manifest was not used: {why}")

    def _note(self, row: Row, why: str) -> None:
        self._replaced.setdefault(row.where, {})[why] = None

    def unclaimed(self, read: Sequence[Root]) -> list[Root]:
        """The entries that no row stands for and that say something else than what was read."""
        known = {said_by(root.entry) for root in read}
        found: dict[str, Root] = {}
        for i in self._free():
            found.setdefault(said_by(self._described[i]), self._entries[i])
        return [root for said, root in found.items() if said not in known]

    def _free(self) -> list[int]:
        return [i for i in range(len(self._entries)) if i not in self._claimed]

    # -- agreement --------------------------------------------------------------------------

    def _agrees(self, descriptor: Descriptor, row: Row, *, damaged: bool = False) -> bool:
        """Whether an image, or one of an index, has the config and the layers of the row.

        ``damaged`` is the answer for documents that must not be passed over.
        """
        manifests = self._manifests(descriptor)
        if manifests is None:
            return damaged and self._key(descriptor) not in self._damage
        return any(self._same(it, row) for it in manifests)

    def _alike(
        self, row: Row, images: Sequence[Descriptor], by_config: Mapping[str, Sequence[int]]
    ) -> list[int]:
        """Which of several images agree with the row: those with another config are passed over."""
        names = {row.config}
        size = self._files.size(row.config)
        if size is not None and size <= limits().document_size:
            for algorithm in self._algorithms:
                with suppress(BlobError):  # one that nobody knows
                    names.add(blob_name(self._files.digest(row.config, algorithm)))
        found = {i for name in names for i in by_config.get(name, ())}
        return [i for i in sorted(found) if self._agrees(images[i], row)]

    def _grouped(self, images: Sequence[Descriptor]) -> dict[str, list[int]]:
        """The positions of images by where a layout keeps their configs."""
        found: dict[str, list[int]] = {}
        for i, descriptor in enumerate(images):
            for manifest in self._manifests(descriptor) or ():
                config = manifest.config.name
                self._algorithms.add(config.algorithm)
                found.setdefault(blob_name(config), []).append(i)
        return found

    @cached_property
    def _by_config(self) -> dict[str, list[int]]:
        return self._grouped(self._described)

    @cached_property
    def _strays_by_config(self) -> dict[str, list[int]]:
        return self._grouped(self._strays)

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
        there = self._layout.size(blob.name) if here else None
        if there is not None:
            # Of a wrong size and wrong bytes only the first is the fault of the manifest.
            return there == blob.size or self._files.digest(path) != blob.digest
        size = self._files.size(path)
        if size is None:
            known = here or any(source.digest == blob.digest for source in row.sources.values())
            return known and is_foreign(blob)
        return size == blob.size and self._files.digest(path, blob.name.algorithm) == blob.digest

    # -- documents --------------------------------------------------------------------------

    def _manifests(self, descriptor: Descriptor) -> tuple[Manifest, ...] | None:
        """The manifest that a descriptor names, or those of the index, as far as they are here.

        ``None`` if one of the documents cannot be read.
        """
        key = self._key(descriptor)
        if key not in self._images:
            try:
                self._images[key] = tuple(self._below(descriptor).values())
                self._note_absent(descriptor)
            except OciConvertError as error:
                self._images[key] = None
                if error.code in DAMAGE:
                    self._damage[key] = error
        return self._images[key]

    @staticmethod
    def _key(descriptor: Descriptor) -> tuple[str, str]:
        return descriptor.media_type, descriptor.digest

    def _note_absent(self, descriptor: Descriptor) -> None:
        if self._layout.size(descriptor.name) is None:
            self._damage[self._key(descriptor)] = self._layout.missing(descriptor.name)

    def _below(self, descriptor: Descriptor, depth: int = 0) -> dict[Digest, Manifest]:
        """The same by their digests, each once: indexes may name each other again and again."""
        if depth == _DEPTH or self._layout.size(descriptor.name) is None:
            return {}
        if not self._may_be_document(descriptor):
            return {}
        if descriptor.name not in self._read:
            self._read[descriptor.name] = self._documents(descriptor, depth)
        return self._read[descriptor.name]

    def _may_be_document(self, descriptor: Descriptor) -> bool:
        """Whether a blob is called a manifest or an index, or is one all the same."""
        if document_type(descriptor.media_type) is not None:
            return True
        if descriptor.size > limits().document_size or not begins_object(
            self._layout.head(descriptor)
        ):
            return False
        raw = b"".join(self._layout.stream(descriptor))
        return look_inside(raw, descriptor.media_type, self._layout.label) is not None

    def _documents(self, descriptor: Descriptor, depth: int) -> dict[Digest, Manifest]:
        if descriptor.size > limits().document_size:
            raise DocumentError("the document is too large", code="document-too-large")
        raw = b"".join(self._layout.read(descriptor, self._layout.label))
        document = read_document(raw, descriptor.media_type, self._layout.label)
        if isinstance(document.model, Manifest):
            return {descriptor.name: document.model}
        entries = (slot.descriptor for slot in document.slots if slot.role is Role.ENTRY)
        found: dict[Digest, Manifest] = {}
        for entry in {(entry.media_type, entry.digest): entry for entry in entries}.values():
            found |= self._below(entry, depth + 1)
        return found

    @cached_property
    def _strays(self) -> list[Descriptor]:
        """The manifests that lie in the layout without an entry in ``index.json``.

        Docker 25 left out images without a tag when others had one.
        """
        found = []
        for name in sorted(self._layout.files.names("blobs")):
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
        return Descriptor(media_type=document.media_type, digest=digest, size=size)


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
