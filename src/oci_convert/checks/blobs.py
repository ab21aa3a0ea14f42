"""Layers and other blobs: digest, size and ``diff_ids`` in one pass, many blobs at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from threading import Event, Lock

from oci_convert.checks.documents import DocumentCheck
from oci_convert.errors import BlobError, OciConvertError
from oci_convert.findings import Finding, Level
from oci_convert.layers.compression import decompress
from oci_convert.layers.recompress import wrong_diff_id
from oci_convert.layers.streams import Tally, end
from oci_convert.limits import inherited
from oci_convert.progress import Progress
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Cell, Compression, Kind, look_up
from oci_convert.stores.base import Source, at_a_time
from oci_convert.tree.nodes import BlobNode, Node, Tree
from oci_convert.tree.reader import unreadable

__all__ = ["BlobCheck", "check_all", "glance"]

_KINDS = (Kind.LAYER, Kind.ARTIFACT)
"""What is not read with the tree."""


@dataclass
class _Blob:
    """A blob, and everything that documents state about it."""

    nodes: list[Node]
    """Its nodes with different descriptors; the first one gives its path."""
    claims: Mapping[Digest, str]
    """The ``diff_ids`` that it must have, each with the path of its config."""
    derived: bool
    """Its digest is not stated: it follows from a ``diff_id``, or from the file itself."""

    @property
    def first(self) -> Node:
        return self.nodes[0]

    @property
    def packing(self) -> Compression | None:
        """How to decompress it, by its bytes, not its media type. ``None``: not at all."""
        for node in self.nodes:
            cell = _cell(node)
            if cell is not None and cell.distributable:  # a foreign layer is what its urls serve
                return node.compression or cell.compression
        return None


@dataclass
class BlobCheck:
    """Checks the blobs of a tree that are no documents."""

    tree: Tree
    source: Source
    claims: Mapping[str, Mapping[Digest, str]]
    jobs: int | None
    on_progress: Callable[[Progress], object] | None
    but: Collection[str] = frozenset()
    """The digests of blobs that need not be read."""
    findings: list[Finding] = field(default_factory=list)
    packed: dict[str, Digest] = field(default_factory=dict)
    """What each blob that was read to its end hashes to."""
    unpacked: dict[str, tuple[Digest, ...]] = field(default_factory=dict)
    """What each layer that could be unpacked holds: a digest for each algorithm of its claims."""
    bytes_read: int = 0
    _total: int = 0
    _lock: Lock = field(default_factory=Lock)
    _stop: Event = field(default_factory=Event)

    def run(self) -> None:
        """Check everything; what is wrong is in :attr:`findings`."""
        blobs = sorted(self._blobs(), key=lambda blob: -blob.first.descriptor.size)
        self._total = sum(blob.first.descriptor.size for blob in blobs)
        with ThreadPoolExecutor(at_a_time(self.jobs, far=self.source.remote)) as pool:
            tasks = [pool.submit(inherited(self._check), blob) for blob in blobs]
            try:
                for task in as_completed(tasks):
                    self.findings += task.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _blobs(self) -> Iterator[_Blob]:
        built = (image.node for image in self.tree.images if image.root.built)
        derived = {layer.descriptor.digest for node in built for layer in node.layers()}
        groups: dict[str, list[Node]] = {}
        for node in self.tree.nodes():
            wanted = node.kind in _KINDS and node.descriptor.digest not in self.but
            if wanted and node.present and not _is_judged(node):
                groups.setdefault(node.descriptor.digest, []).append(node)
        for digest, nodes in groups.items():
            yield _Blob(nodes, self.claims.get(digest, {}), digest in derived)

    # -- one blob ---------------------------------------------------------------------------

    def _check(self, blob: _Blob) -> list[Finding]:
        """What is wrong with a blob; after wrong bytes nothing else is checked."""
        where = blob.first.where
        try:
            return list(self._judge(blob))
        except OciConvertError as error:
            return [Finding(error.code, Level.ERROR, where, error.message)]

    def _judge(self, blob: _Blob) -> Iterator[Finding]:
        descriptor, where = blob.first.descriptor, blob.first.where
        packed = Tally(descriptor.name.algorithm)
        content, fault = self._unpack(blob, packed)
        self.packed[descriptor.digest] = packed.digest
        if fault is None:
            self.unpacked[descriptor.digest] = tuple(tally.digest for tally in content.values())
        if not blob.derived:
            packed.check(descriptor.name, descriptor.size, where)
        for node in blob.nodes:
            yield from _wrong_label(node)
        if fault is not None:
            yield Finding(fault.code, Level.ERROR, where, fault.message)
            return
        for diff_id, place in blob.claims.items():
            tally = content.get(diff_id.algorithm)
            if tally is not None and tally.digest != diff_id:
                wrong = wrong_diff_id(tally.digest, diff_id, place)
                yield Finding(wrong.code, Level.ERROR, place, wrong.message)

    def _unpack(self, blob: _Blob, packed: Tally) -> tuple[dict[str, Tally], BlobError | None]:
        """Read the blob to its end through ``packed``; the tallies of its content, or why not."""
        chunks, packing = packed.through(self._watched(blob.first)), blob.packing
        content: dict[str, Tally] = {}
        fault = None
        if packing is not None:
            content = {diff_id.algorithm: Tally(diff_id.algorithm) for diff_id in blob.claims}
        if packing is Compression.NONE and packed.algorithm in content:
            content[packed.algorithm] = packed  # a plain layer need not be hashed twice
        counting = [tally for tally in content.values() if tally is not packed]
        try:
            where, size = blob.first.where, blob.first.descriptor.size
            for chunk in decompress(chunks, packing or Compression.NONE, where, size):
                for tally in counting:
                    tally.update(chunk)
        except BlobError as error:
            fault = error
        for _ in chunks:  # the digest is that of the whole blob, also where it cannot be unpacked
            pass
        return content, fault

    def _watched(self, node: Node) -> Iterator[bytes]:
        """The chunks of a blob, counted; they end when another thread has failed."""
        chunks = self._read(node)
        try:
            for chunk in chunks:
                if self._stop.is_set():
                    return
                with self._lock:
                    self.bytes_read += len(chunk)
                    if self.on_progress is not None:
                        place = (node.where, node.descriptor.digest, node.descriptor.size)
                        self.on_progress(Progress(*place, len(chunk), self.bytes_read, self._total))
                yield chunk
        finally:
            end(chunks)

    def _read(self, node: Node) -> Iterator[bytes]:
        try:
            yield from self.source.stream(node.descriptor)
        except OSError as error:
            raise unreadable(error, node.where) from None


def check_all(
    tree: Tree,
    source: Source,
    jobs: int | None,
    on_progress: Callable[[Progress], object] | None,
    *,
    complete: bool = False,
    whole: bool = True,
    but: Collection[str] = frozenset(),
) -> tuple[DocumentCheck, BlobCheck]:
    """Check the documents of a tree, then its blobs against what the documents say.

    ``complete``: every image that an index names must be here. Without ``whole``, no blob is read;
    else all of them ``but`` those.
    """
    documents = DocumentCheck(tree, source, complete)
    documents.run()
    blobs = BlobCheck(tree, source, documents.claims, jobs, on_progress, but)
    if whole:
        blobs.run()
    return documents, blobs


def glance(tree: Tree, source: Source) -> list[Finding]:
    """What is wrong with a tree as far as it shows without reading a blob."""
    check = DocumentCheck(tree, source)
    if source.remote:
        check.tell()
    else:
        check.run()
    return [*check.findings, *(found for node in tree.nodes() for found in _wrong_label(node))]


def _is_judged(node: Node) -> bool:
    """Whether the blob was found wrong when the tree was read; wrong ``data`` is another matter."""
    return any(fault.code != "wrong-data" for fault in node.faults)


def _cell(node: Node) -> Cell | None:
    """The cell of a node that describes a layer that can be read: an encrypted one cannot."""
    meaning = look_up(node.descriptor.media_type)
    known = node.kind is Kind.LAYER and meaning is not None and not meaning.cell.encrypted
    return meaning.cell if meaning is not None and known else None


def _wrong_label(node: Node) -> Iterator[Finding]:
    """A media type that contradicts the bytes, or bytes that are not recognised."""
    cell = _cell(node)
    if cell is None or not isinstance(node, BlobNode):
        return
    if node.compression is None and cell.compression is Compression.NONE and cell.distributable:
        message = "the bytes are not a tar in a known compression"
        yield Finding.of("unrecognised-layer", node.where, message)
    elif (actual := node.mislabelled) is not None:
        label = node.descriptor.media_type
        message = f"the media type is {label}, but the bytes are {actual.label}"
        yield Finding("mislabelled-layer", Level.ERROR, node.where, message)
