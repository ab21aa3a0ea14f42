"""Carrying plans out: layers in parallel, then documents, children first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Lock

from oci_convert.conversion.report_builder import Moved, SourcePlan
from oci_convert.errors import OciConvertError
from oci_convert.layers.compression import codec_versions
from oci_convert.layers.recompress import recompressed, unpacked
from oci_convert.layers.streams import verified
from oci_convert.limits import inherited
from oci_convert.planning.decisions import Step, documents_below
from oci_convert.planning.options import Options
from oci_convert.progress import Progress
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression, Kind
from oci_convert.stores.base import Sink
from oci_convert.stores.files.system import system_errors

__all__ = ["Transfer"]

_SMALL = 1024 * 1024
"""Bytes from which on a blob is worth a thread."""
_LARGE = 8 * 1024 * 1024
"""Bytes from which on a layer is worth several threads of its own."""


class _StoppedError(Exception):
    """Another thread failed: its error is the one to tell."""


@dataclass(slots=True)
class _Load:
    """One blob, and everything that waits for it: what is shared is carried once."""

    waiting: list[tuple[SourcePlan, Step]]

    @property
    def part(self) -> SourcePlan:
        return self.waiting[0][0]

    @property
    def step(self) -> Step:
        return self.waiting[0][1]

    @property
    def size(self) -> int:
        return self.step.node.descriptor.size

    @property
    def is_large(self) -> bool:
        """Whether it is worth a thread: others are moved faster than threads take turns."""
        return self.size >= _SMALL or self.step.recompress is not None

    @property
    def place(self) -> str:
        return f"{self.part.source.label}: {self.step.node.where}"


class Transfer:
    """Moves the blobs of plans to a sink."""

    def __init__(
        self,
        sink: Sink,
        options: Options,
        *,
        jobs: int | None = None,
        verify_existing: bool = False,
        link: bool = False,
        keep_going: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ):
        self.sink = sink
        self._options = options
        self._jobs = jobs or os.cpu_count() or 1
        self._verify_existing = verify_existing
        self._link = link
        self._keep_going = keep_going
        self._on_progress = on_progress
        self._lock = Lock()
        self._idle = Condition(self._lock)
        self._busy = 0
        """Threads that are carrying a blob."""
        self._stopped = False
        self._total = 0
        self._done = 0
        self._left = 0
        """Bytes of what is not in the target yet, as far as they are known."""
        self._bytes_read = 0
        self._bytes_written = 0
        self._packed: set[Compression] = set()

    def run(self, parts: Sequence[SourcePlan]) -> None:
        """Carry everything out; what it raises names the place.

        A carrier that keeps going raises no :class:`OciConvertError` but notes it as the failure of
        every part that needed the blob.
        """
        loads: dict[object, _Load] = {}
        documents: list[tuple[SourcePlan, Step]] = []
        for part in parts:
            for step in part.plan.steps():
                if step.node.bytes_or_none is not None:
                    documents.append((part, step))
                elif step.node.present:
                    key = (
                        step.node.descriptor.digest,
                        step.recompress,
                        step.recompress and step.diff_id,
                    )
                    loads.setdefault(key, _Load([])).waiting.append((part, step))
        self._left = sum(load.size for load in loads.values())
        self._left += sum(step.node.descriptor.size for _, step in documents)
        self._carry_loads(list(loads.values()))
        for part, step in documents:
            if part.failure is None:
                self._carry_document(part, step)

    def moved(self) -> Moved:
        """What was moved so far, and what packed the layers that were recompressed."""
        codecs = {}
        for packed in sorted(self._packed):
            codec = codec_versions(packed)
            if codec:
                default, chosen = codec.pop("default_level"), self._options.level
                codecs[packed.value] = {
                    **codec,
                    "level": default if chosen is None else str(chosen),
                }
        return Moved(self._bytes_read, self._bytes_written, codecs)

    # -- layers and other blobs -------------------------------------------------------------

    def _carry_loads(self, loads: list[_Load]) -> None:
        """Carry blobs: one by one, or several at a time."""
        self._total = sum(load.size for load in loads)
        alone = [load for load in loads if not load.is_large]
        large = [load for load in loads if load.is_large]
        workers = min(self._jobs, len(large))
        if workers <= 1 or self.sink.capabilities.sequential:
            alone, large = loads, []
        for load in alone:
            self._carry(load)
        if large:
            # The largest first, so that none is left over at the end.
            self._carry_together(sorted(large, key=lambda load: -load.size), workers)

    def _carry_together(self, loads: list[_Load], workers: int) -> None:
        from concurrent.futures import Future, ThreadPoolExecutor

        self.sink.begin()
        tasks: list[Future[None]] = []
        with self._awaited(), ThreadPoolExecutor(workers) as pool:
            try:
                tasks += (pool.submit(inherited(self._carry_aside), load) for load in loads)
                for task in tasks:
                    task.result()
            except _StoppedError:
                pass  # the thread that failed is not the one that was waited for first
            except BaseException:
                self._stopped = True
                raise
            finally:
                for task in tasks:
                    task.cancel()
        for task in tasks:
            failed = None if task.cancelled() else task.exception()
            if failed is not None and not isinstance(failed, _StoppedError):
                raise failed

    @contextmanager
    def _awaited(self) -> Iterator[None]:
        """See to it that no thread is at work afterwards.

        A signal while the pool starts a thread leaves it one that it knows nothing of.
        """
        try:
            yield
        finally:
            with self._idle:
                self._idle.wait_for(lambda: self._busy == 0)

    def _carry_aside(self, load: _Load) -> None:
        """:meth:`_carry` in a thread that is waited for."""
        with self._idle:
            if self._stopped:
                raise _StoppedError
            self._busy += 1
        try:
            self._carry(load)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def _carry(self, load: _Load) -> None:
        """Carry one blob, and tell everything that waits for it."""
        try:
            with self._room_for(load.size):
                self._carry_blob(load)
        except OciConvertError as error:
            if not self._keep_going:
                self._stopped = True
                raise
            for part, _ in load.waiting:
                part.failure = part.failure or error
        except BaseException:
            self._stopped = True
            raise

    def _carry_blob(self, load: _Load) -> None:
        if load.step.recompress is not None:
            digest, size = self._recompress(load, load.step.recompress)
            for _, step in load.waiting:
                update = {"media_type": step.media_type, "digest": digest, "size": size}
                step.new = step.node.descriptor.model_copy(update=update)
            return
        for part, step in load.waiting:
            if step.diff_id is not None:
                self._check_diff_id(part, step, step.diff_id)
        self._keep(load)

    def _keep(self, load: _Load) -> None:
        descriptor = load.step.node.descriptor
        if self.sink.has(descriptor, verify=self._verify_existing, watch=self._go_on):
            self._count(load, descriptor.size)
            return
        self.sink.take(
            load.part.source, descriptor, load.place, link=self._link, watch=self._watch(load)
        )
        with self._lock:
            self._bytes_written += descriptor.size

    def _recompress(self, load: _Load, wanted: Compression) -> tuple[Digest, int]:
        step, descriptor = load.step, load.step.node.descriptor
        assert step.diff_id is not None
        packed = step.node.actual or Compression.NONE
        hashed_once = packed is Compression.NONE and step.diff_id == descriptor.digest
        chunks = recompressed(
            verified(self._watched(load), descriptor.name, descriptor.size, load.place),
            packed,
            None if hashed_once else step.diff_id,
            wanted,
            load.place,
            descriptor.size,
            level=self._options.level,
            workers=self._jobs if descriptor.size >= _LARGE else 1,
        )
        digest, size = self.sink.put(chunks, load.place, algorithm=descriptor.name.algorithm)
        with self._lock:
            self._packed.add(wanted)
            self._bytes_written += size
        return digest, size

    def _check_diff_id(self, part: SourcePlan, step: Step, diff_id: Digest) -> None:
        """Only the config vouches for this layer: it must hold what the config says."""
        place = f"{part.source.label}: {step.node.where}"
        chunks = part.source.read(step.node.descriptor, place)
        packed, size = step.node.actual or Compression.NONE, step.node.descriptor.size
        for _ in unpacked(chunks, packed, diff_id, place, size):
            if self._stopped:
                raise _StoppedError

    # -- watching ---------------------------------------------------------------------------

    @contextmanager
    def _room_for(self, size: int) -> Iterator[None]:
        """Where ``size`` bytes are brought into the target; says what a full disk lacks."""
        with system_errors(lambda: self._left):
            yield
        with self._lock:
            self._left -= size

    def _go_on(self, _: int) -> None:
        """End the thread when another one has failed."""
        if self._stopped:
            raise _StoppedError

    def _watched(self, load: _Load) -> Iterator[bytes]:
        """The chunks of a blob, counted."""
        watch = self._watch(load)
        for chunk in load.part.source.stream(load.step.node.descriptor):
            watch(len(chunk))
            yield chunk

    def _watch(self, load: _Load) -> Callable[[int], None]:
        """What counts bytes that were read; it ends the thread when another one has failed."""

        def watch(size: int) -> None:
            self._go_on(size)
            with self._lock:
                self._bytes_read += size
            self._count(load, size)

        return watch

    def _count(self, load: _Load, size: int) -> None:
        if self._on_progress is None:
            return
        with self._lock:
            self._done += size
            moved = (load.step.node.descriptor.digest, load.size, size)
            self._on_progress(Progress(load.step.node.where, *moved, self._done, self._total))

    # -- documents --------------------------------------------------------------------------

    def _carry_document(self, part: SourcePlan, step: Step) -> None:
        try:
            with self._room_for(step.node.descriptor.size):
                self._put_document(part, step)
        except OciConvertError as error:
            if not self._keep_going:
                raise
            part.failure = error

    def _put_document(self, part: SourcePlan, step: Step) -> None:
        if step.new is None:
            for below in documents_below(step):  # also those that end in another: flattened
                if below.new is None:
                    part.plan.resolve(below)
        assert step.new is not None
        assert step.raw is not None
        is_document = step.node.kind in (Kind.INDEX, Kind.MANIFEST)
        if self.sink.has(step.new, document=is_document, verify=self._verify_existing):
            return
        chunks: Iterable[bytes] = [step.raw]
        place = f"{part.source.label}: {step.node.where}"
        self.sink.put(chunks, place, expected=step.new, document=is_document)
        self._bytes_written += len(step.raw)
