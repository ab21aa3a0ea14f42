"""Archives as sinks: ``oci-archive:``, and ``docker-archive:`` as every reader since 1.10 takes it.

Both are OCI layouts in a tar file. What makes a docker-save archive of one is a ``manifest.json``
whose rows name blobs of the layout: Docker, podman and skopeo read the rows, containerd, Docker 29
and this tool the layout, so that the manifest and its digest survive. The blobs come first, in the
order of the plan; what makes them images comes last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from oci_convert.documents.document import Role, read_config, read_document
from oci_convert.documents.json_reader import compact
from oci_convert.errors import UsageError
from oci_convert.limits import limits
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor, Manifest
from oci_convert.spec.names import CONTAINERD_NAME, repository_tag
from oci_convert.stores.base import Capabilities, Root
from oci_convert.stores.contents import MANIFEST_JSON
from oci_convert.stores.docker_manifest_json import SOURCES
from oci_convert.stores.files.tar_writer import WritableTar
from oci_convert.stores.layer_sources import is_foreign, sources
from oci_convert.stores.oci_layout import OciLayoutSink, blob_name
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import is_attestation, is_loadable

__all__ = ["DockerArchiveSink", "OciArchiveSink"]


class OciArchiveSink(OciLayoutSink):
    """Writes a layout into a new tar file."""

    def __init__(self, files: WritableTar, label: str, *, family: Family = Family.OCI) -> None:
        super().__init__(files, label, family=family)
        self._tar = files
        self.capabilities: Capabilities = replace(self.capabilities, sequential=True)

    def is_sound(self, name: str, descriptor: Descriptor, watch: Callable[[int], None]) -> bool:
        """Whatever is in the archive was verified when this run wrote it."""
        return True

    def commit(self, roots: Sequence[Root]) -> None:
        super().commit(roots)
        self._tar.finish()


class DockerArchiveSink(OciArchiveSink):
    """Writes what ``docker save`` writes: a layout and the rows of its images."""

    def __init__(self, files: WritableTar, label: str, *, family: Family = Family.DOCKER) -> None:
        if family is Family.OCI_RC2:
            raise UsageError(
                f"a docker-save archive cannot be written as {family}",
                code="no-such-form",
                store=label,
                remedy=Wording('use {to="docker"} or {to="oci"}, or write oci-archive:'),
            )
        super().__init__(files, label, family=family)
        self.capabilities: Capabilities = replace(self.capabilities, plain_layers=True, rows=True)
        self._documents: dict[Digest, bytes] = {}
        self._configs: dict[Digest, bytes] = {}
        """What may be the config of an image."""

    def put(
        self,
        chunks: Iterable[bytes],
        where: str,
        *,
        expected: Descriptor | None = None,
        algorithm: str = CANONICAL,
        document: bool = False,
    ) -> tuple[Digest, int]:
        seen: list[bytes] = []
        digest, size = super().put(
            _seen(chunks, seen), where, expected=expected, algorithm=algorithm, document=document
        )
        raw = b"".join(seen)
        if document:
            self._documents[digest] = raw
        elif b"diff_ids" in raw:
            self._configs[digest] = raw
        return digest, size

    def commit(self, roots: Sequence[Root]) -> None:
        self.write(MANIFEST_JSON, compact(self._rows(roots)).encode())
        super().commit([_completed(root) for root in roots])

    def _rows(self, roots: Sequence[Root]) -> list[dict[str, Any]]:
        """A row for each image, with all of its tags."""
        rows: dict[tuple[str, ...], list[str]] = {}
        described: dict[tuple[str, ...], dict[str, Any]] = {}
        for root in (root for root in roots if not root.referrer):
            images = {_files(manifest): manifest for manifest in self._images(root.descriptor)}
            for files, manifest in images.items():
                tags = rows.setdefault(files, [])
                tag = repository_tag(root.annotations)
                if tag is not None and tag not in tags:
                    tags.append(tag)
                described.setdefault(files, self._sources(manifest))
        return [
            {"Config": config, "RepoTags": tags or None, "Layers": layers}
            | ({SOURCES: found} if (found := described[config, *layers]) else {})
            for (config, *layers), tags in rows.items()
        ]

    def _sources(self, manifest: Manifest) -> dict[str, Any]:
        """What is said of the layers of an image that are fetched from elsewhere."""
        raw = self._configs.get(manifest.config.name)
        if raw is None or not any(map(is_foreign, manifest.layers or ())):
            return {}
        config, _ = read_config(raw, self.label)
        return sources(manifest, config.rootfs.diff_ids if config.rootfs is not None else ())

    def _images(self, descriptor: Descriptor) -> Iterator[Manifest]:
        """The manifests of images at and below a descriptor, as far as they are in the archive."""
        raw = self._documents.get(descriptor.name)
        if raw is None or is_attestation(descriptor):
            return
        document = read_document(raw, descriptor.media_type, self.label)
        if isinstance(document.model, Manifest) and is_loadable(document):
            yield document.model
        for slot in document.slots:
            if slot.role is Role.ENTRY:
                yield from self._images(slot.descriptor)


def _seen(chunks: Iterable[bytes], kept: list[bytes]) -> Iterator[bytes]:
    """The chunks of a blob; those of a JSON object that may be a document are kept, too."""
    keeps, room = True, limits().document_size
    for chunk in chunks:
        room -= len(chunk)
        keeps = keeps and room >= 0 and (bool(kept) or chunk.lstrip().startswith(b"{"))
        if keeps:
            kept.append(chunk)
        else:
            kept.clear()
        yield chunk


def _files(manifest: Manifest) -> tuple[str, ...]:
    """Where the config and the layers of an image are."""
    return tuple(blob_name(blob.name) for blob in (manifest.config, *(manifest.layers or ())))


def _completed(root: Root) -> Root:
    """The image with the full name by which containerd, and so Docker 29, loads it."""
    tag = repository_tag(root.annotations)
    if root.referrer or tag is None or CONTAINERD_NAME in root.annotations:
        return root
    return replace(root, annotations={**root.annotations, CONTAINERD_NAME: tag})
