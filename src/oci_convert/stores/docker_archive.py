"""What ``docker save`` writes, as a source: ``docker-archive:``.

Classic archives (Docker 1.10 to 24, podman, skopeo, crane, kaniko) hold a ``manifest.json`` with a
row for each image, and the files that the rows name. Those of Docker since 25, containerd, BuildKit
and regctl are OCI layouts, too; there a row only points to an image of the layout, whose manifest
is the original. Where the two contradict each other (Docker 25.0 wrote the layers of its OCI
manifests in random order), or the layout is damaged, the row is used, because the config can
confirm it; that is told.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

from oci_convert.errors import OciConvertError
from oci_convert.findings import Finding
from oci_convert.spec.digest import Digest
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import (
    annotations_for,
    called,
    is_repository_tag,
    meant,
    normalised,
    unpinned,
)
from oci_convert.stores.base import Root, name_remark
from oci_convert.stores.contents import is_layout
from oci_convert.stores.docker_index_json import DAMAGE, IndexEntries
from oci_convert.stores.docker_manifest_json import (
    Row,
    RowFiles,
    build,
    read_rows,
    unreadable,
)
from oci_convert.stores.files import Files
from oci_convert.stores.files_store import FilesSource
from oci_convert.stores.oci_layout import OciLayoutSource

__all__ = ["DockerArchiveSource"]


class DockerArchiveSource(FilesSource):
    """The images of a docker-save archive: its rows, then what only its ``index.json`` names.

    A row with several tags is as many images. A row that lacks a file (but for foreign layers), or
    makes no sense, is an image that cannot be read: who wants another one is not kept from it.
    """

    daemon_layers = True

    def __init__(self, files: Files, label: str) -> None:
        super().__init__(files, label)
        self._row_files = RowFiles(files)
        self._built: dict[Digest, bytes] = {}
        rows = read_rows(files, label)
        self._ignored: tuple[Finding, ...] = ()
        layout = self._layout(rows) if is_layout(files) else None
        self.sparse: bool = layout is not None
        self.faults: Sequence[tuple[OciConvertError, str]] = [
            *(() if layout is None else layout.faults),
            *((row.fault, "") for row in rows if row.fault is not None),
        ]
        if layout is not None:
            self.statements: Mapping[str, Any] = layout.statements
        self._entries = None if layout is None else IndexEntries(layout, self._row_files)
        self._roots = _distinct(self._read_roots(rows, self._entries))
        if self._entries is not None:
            self._roots += self._entries.unclaimed(self._roots)

    def _layout(self, rows: list[Row]) -> OciLayoutSource | None:
        """The OCI part of the archive, unless it is damaged and there are rows to use instead."""
        usable = any(row.fault is None for row in rows)
        try:
            layout = OciLayoutSource(self.files, self.label)
            faults = [error for error, _ in layout.faults]
        except OciConvertError as error:
            if not usable or error.code not in DAMAGE:
                raise
            faults = [error]
        damage = next((fault for fault in faults if usable and fault.code in DAMAGE), None)
        if damage is None:
            return layout
        place = damage.within(self.label).where
        why = f"the OCI part of the archive was not used: {place}: {damage.message}"
        self._ignored = (Finding.of("oci-part-ignored", "", why),)
        return None

    def _read_roots(self, rows: list[Row], entries: IndexEntries | None) -> Iterator[Root]:
        # A row may stand twice, also with other spellings of its names: they mean the same image.
        distinct = {
            (row.config, row.layers, tag and normalised(tag), row.fault and row.where): (row, tag)
            for row in reversed(rows)
            for tag in reversed(row.tags or (None,))
        }
        wanted = list(reversed(distinct.values()))
        if entries is None:
            yield from (self._build(row, tag) for row, tag in wanted)
            return
        # First all names, so that no row takes the entry that another one is called.
        named = [None if row.fault else entries.by_name(row, tag) for row, tag in wanted]
        for (row, tag), root in zip(wanted, named, strict=True):
            found = root or (None if row.fault else entries.by_content(row, tag))
            yield self._build(row, tag) if found is None else _remarked(found, tag)

    def _build(self, row: Row, tag: str | None) -> Root:
        remarks: tuple[Finding, ...] = ()
        try:
            built = build(row, self._row_files)
            ignored = self._ignored if self._entries is None else self._entries.remarks(row)
            descriptor, remarks = built.descriptor, (*ignored, *built.remarks)
            self._built[descriptor.name] = built.manifest
        except OciConvertError as error:
            descriptor, manifest = unreadable(row, self._row_files, error)
            if manifest:
                self._built[descriptor.name] = manifest
        annotations = annotations_for(tag) if tag else {}
        faults = () if row.fault is None else (row.fault,)
        name = called(annotations)
        root = Root(descriptor, annotations, name, built=True, remarks=remarks, faults=faults)
        return _remarked(root, tag)

    def roots(self) -> Sequence[Root]:
        return self._roots

    def name(self, digest: Digest) -> str:
        return self._row_files.where(digest)

    def size(self, digest: Digest) -> int | None:
        made = self._built.get(digest)
        return super().size(digest) if made is None else len(made)

    def open(self, digest: Digest) -> BinaryIO:
        made = self._built.get(digest)
        return super().open(digest) if made is None else io.BytesIO(made)

    def file_of(self, descriptor: Descriptor) -> BinaryIO | None:
        return None if descriptor.digest in self._built else super().file_of(descriptor)


def _remarked(root: Root, tag: str | None) -> Root:
    """The image of a row; Docker loads none whose name is not REPOSITORY:TAG."""
    if tag is None or is_repository_tag(unpinned(tag)[0]):
        return root
    return replace(root, remarks=tuple(dict.fromkeys((*root.remarks, name_remark(tag)))))


def _distinct(roots: Iterator[Root]) -> list[Root]:
    """The images without repetition: the same manifest under the same names."""
    found: dict[object, Root] = {}
    for root in roots:
        # What cannot be read has no digest, and is like nothing else.
        found.setdefault((root.descriptor.digest or id(root), meant(root.annotations)), root)
    return list(found.values())
