"""Carrying a plan out: layers in parallel, then documents, children first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event, Lock

from oci_convert.blobs.compression import codec_versions
from oci_convert.blobs.repack import repacked, unpacked
from oci_convert.blobs.streams import verified
from oci_convert.ground.digest import Digest
from oci_convert.ground.errors import OciConvertError
from oci_convert.ground.media_types import Compression, Kind
from oci_convert.journey.steps import Plan, Step
from oci_convert.stores.base import Sink, Source

__all__ = ["Carrier", "Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Bytes are those of the source's layers and other blobs."""

    where: str
    """The place of the blob that moved last."""
    digest: str
    size: int
    """Bytes of that blob."""
    step: int
    """Bytes of it that are done since the last call."""
    done: int
    total: int


class _Stopped(Exception):
    """Another thread failed: its error is the one to tell."""


class Carrier:
    """Moves the blobs of one plan from a source to a sink."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        plan: Plan,
        *,
        jobs: int | None = None,
        verify_existing: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ):
        self._source = source
        self._sink = sink
        self._plan = plan
        self._jobs = jobs or os.cpu_count() or 1
        self._verify_existing = verify_existing
        self._on_progress = on_progress
        self._lock = Lock()
        self._stop = Event()
        self._total = 0
        self._done = 0
        self.bytes_read = 0
        self.bytes_written = 0
        self.repacked: set[Compression] = set()

    def run(self) -> None:
        """Carry everything out; what it raises names the place."""
        steps = list(self._plan.steps())
        self._carry_blobs([s for s in steps if s.node.present and s.node.bytes_or_none is None])
        for step in steps:
            if step.node.bytes_or_none is not None:
                self._carry_document(step)

    def codecs(self) -> dict[str, dict[str, str]]:
        """What packed layers in this run: library, version and level by compression."""
        versions = {str(packed): codec_versions(packed) for packed in sorted(self.repacked)}
        chosen = self._plan.options.level
        for codec in versions.values():
            default = codec.pop("default_level", None)
            if default is not None:
                codec["level"] = default if chosen is None else str(chosen)
        return {name: codec for name, codec in versions.items() if codec}

    # -- layers and other blobs -------------------------------------------------------------

    def _carry_blobs(self, steps: list[Step]) -> None:
        groups: dict[object, list[Step]] = {}
        for step in steps:
            groups.setdefault((step.node.descriptor.digest, step.repack), []).append(step)
        todo = sorted(groups.values(), key=lambda group: -group[0].node.descriptor.size)
        self._total = sum(group[0].node.descriptor.size for group in todo)
        workers = min(self._jobs, len(todo))
        if workers <= 1:
            for group in todo:
                self._carry_group(group)
            return
        with ThreadPoolExecutor(workers) as pool:
            tasks = [pool.submit(self._guarded, group) for group in todo]
            try:
                done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
            except BaseException:
                self._stop.set()
                raise
            finally:
                for task in tasks:
                    task.cancel()
        _raise_first(tasks)

    def _guarded(self, group: list[Step]) -> None:
        try:
            self._carry_group(group)
        except BaseException:
            self._stop.set()
            raise

    def _carry_group(self, group: list[Step]) -> None:
        """Carry one blob and tell every step that waits for it."""
        first = group[0]
        place = f"{self._source.label}: {first.node.where}"
        if first.repack is not None:
            digest, size = self._repack(first, place)
            for step in group:
                update = {"media_type": step.media_type, "digest": digest, "size": size}
                step.new = step.node.descriptor.model_copy(update=update)
            return
        if first.diff_id is not None:
            self._check_diff_id(first, place)
        self._keep(first, place)

    def _keep(self, step: Step, place: str) -> None:
        descriptor = step.node.descriptor
        if self._sink.has(descriptor, verify=self._verify_existing):
            self._count(step, descriptor.size)
            return
        self._sink.put(self._watched(step), place, expected=descriptor)
        with self._lock:
            self.bytes_written += descriptor.size

    def _repack(self, step: Step, place: str) -> tuple[Digest, int]:
        assert step.repack is not None
        assert step.diff_id is not None
        descriptor = step.node.descriptor
        chunks = repacked(
            verified(self._watched(step), descriptor.name, descriptor.size, place),
            step.node.actual or Compression.NONE,
            step.diff_id,
            step.repack,
            place,
            level=self._plan.options.level,
            workers=self._jobs,
        )
        digest, size = self._sink.put(chunks, place, algorithm=descriptor.name.algorithm)
        with self._lock:
            self.repacked.add(step.repack)
            self.bytes_written += size
        return digest, size

    def _check_diff_id(self, step: Step, place: str) -> None:
        """Only the config vouches for this layer: it must hold what the config says."""
        assert step.diff_id is not None
        descriptor = step.node.descriptor
        chunks = self._source.read(descriptor, place)
        _exhaust(unpacked(chunks, step.node.actual or Compression.NONE, step.diff_id, place))

    def _watched(self, step: Step) -> Iterator[bytes]:
        """The chunks of a blob, counted; ends when another thread has failed."""
        for chunk in self._source.stream(step.node.descriptor):
            if self._stop.is_set():
                raise _Stopped
            with self._lock:
                self.bytes_read += len(chunk)
            self._count(step, len(chunk))
            yield chunk

    def _count(self, step: Step, size: int) -> None:
        if self._on_progress is None:
            return
        with self._lock:
            self._done += size
            descriptor = step.node.descriptor
            moved = (descriptor.digest, descriptor.size, size)
            self._on_progress(Progress(step.node.where, *moved, self._done, self._total))

    # -- documents --------------------------------------------------------------------------

    def _carry_document(self, step: Step) -> None:
        if step.new is None:
            self._plan.resolve(step)
        assert step.new is not None
        raw = step.raw
        assert raw is not None
        is_document = step.node.kind in (Kind.INDEX, Kind.MANIFEST)
        place = f"{self._source.label}: {step.node.where}"
        if self._sink.has(step.new, document=is_document, verify=self._verify_existing):
            return
        self._sink.put([raw], place, expected=step.new, document=is_document)
        self.bytes_written += len(raw)


def _exhaust(chunks: Iterable[bytes]) -> None:
    for _ in chunks:
        pass


def _raise_first(tasks: list[Future[None]]) -> None:
    """Raise what went wrong first; that other threads were stopped is not what went wrong."""
    errors = [task.exception() for task in tasks if task.done() and not task.cancelled()]
    found = [error for error in errors if error is not None and not isinstance(error, _Stopped)]
    if found:
        raise next((error for error in found if isinstance(error, OciConvertError)), found[0])
