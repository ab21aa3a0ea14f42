"""Transferring blobs: layers in parallel, then documents, children first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Lock
from typing import NamedTuple

from oci_convert.conversion.source_plan import SourcePlan
from oci_convert.errors import OciConvertError, concerning
from oci_convert.layers.compression import codec_versions
from oci_convert.layers.recompress import recompressed, unpacked
from oci_convert.layers.streams import end, verified
from oci_convert.limits import inherited
from oci_convert.options import Options
from oci_convert.planning.decisions import (
    Decision,
    Drop,
    Keep,
    Outcome,
    Recompress,
    Rehash,
    Relabel,
    Restore,
    Rewrite,
)
from oci_convert.progress import Progress
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression, Kind
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Sink, at_a_time, watched
from oci_convert.stores.files.system import system_errors
from oci_convert.stores.known import Known
from oci_convert.tree.nodes import BlobNode, ConfigNode, DocumentNode

__all__ = ["Moved", "Transfer"]

_SMALL = 1024 * 1024
"""Bytes from which on a blob is worth a thread."""
_LARGE = 8 * 1024 * 1024
"""Bytes from which on a layer is worth several threads of its own."""


class Moved(NamedTuple):
    """What a transfer read and wrote, and what compressed the layers."""

    bytes_read: int
    bytes_written: int
    layer_bytes: int
    """Those of them that are layers."""
    codecs: Mapping[str, Mapping[str, str]]


class _StoppedError(Exception):
    """Another thread failed: its error is the one to tell."""


class _Move(NamedTuple):
    """A blob to be moved for one source."""

    source_plan: SourcePlan
    decision: Keep | Relabel | Recompress | Rehash
    node: BlobNode | ConfigNode

    @property
    def place(self) -> str:
        return self.source_plan.place(self.node.where)


@dataclass(slots=True, eq=False, repr=False)
class _Load:
    """One blob, and everything that waits for it: what is shared is moved once."""

    first: _Move
    others: list[_Move]
    done: int = 0
    """Bytes of it that were told; those that come again after a broken connection are not."""

    @property
    def moves(self) -> list[_Move]:
        return [self.first, *self.others]

    @property
    def descriptor(self) -> Descriptor:
        return self.first.node.descriptor

    @property
    def is_recompressed(self) -> bool:
        return isinstance(self.first.decision, Recompress)


class Transfer:
    """Moves the blobs of plans to a sink.

    ``layers`` is what runs that share it know of layers that were recompressed.
    """

    def __init__(
        self,
        sink: Sink,
        options: Options,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        layers: Known | None = None,
    ):
        self.sink = sink
        self._layers = layers or Known()
        self._options = options
        self._jobs = at_a_time(options.jobs, far=False)
        self._on_progress = on_progress
        self._lock = Lock()
        self._idle = Condition(self._lock)
        self._threads = self._jobs
        """Threads that compress one layer as zstd, each of which takes some 50 MB."""
        self._busy = 0
        """Threads that are moving a blob."""
        self._stopped = False
        self._total = 0
        self._done = 0
        self._left = 0
        """Bytes of what is not in the target yet, as far as they are known."""
        self._bytes_read = 0
        self._bytes_written = 0
        self._layer_bytes = 0
        self._made: dict[Outcome, Descriptor] = {}
        self._packed: set[Compression] = set()

    def run(self, source_plans: Sequence[SourcePlan]) -> None:
        """Move everything; what it raises names the place.

        A transfer that keeps going raises no :class:`OciConvertError` but notes it as the failure
        of every source that needed the blob.
        """
        loads, documents = _sorted(source_plans)
        self._total = sum(load.descriptor.size for load in loads)
        away = []
        for load in loads:
            if self._is_home(load):
                self._count(load, load.descriptor.size)
            else:
                away.append(load)
        self._left = sum(load.descriptor.size for load in away)
        self._left += sum(decision.node.descriptor.size for _, decision in documents)
        self._move_all(away)
        for source_plan in source_plans:
            if source_plan.failure is None:
                source_plan.settle(self._made)
        for source_plan, decision in documents:
            if source_plan.failure is None:
                self._write_document(source_plan, decision)

    def moved(self) -> Moved:
        """What was moved so far, and what compressed the layers that were recompressed."""
        level, fast = self._options.level, self._options.fast
        codecs = {
            packed.value: codec_versions(packed, level, fast=fast)
            for packed in sorted(self._packed - {Compression.NONE})
        }
        return Moved(self._bytes_read, self._bytes_written, self._layer_bytes, codecs)

    # -- layers and other blobs -------------------------------------------------------------

    def _move_all(self, loads: list[_Load]) -> None:
        """Move blobs: one by one, or several at a time."""
        if self.sink.capabilities.sequential:
            self._move_together(loads, 1)
            return
        # The largest first, so that none is left over at the end.
        slow = sorted(filter(self._is_slow, loads), key=lambda load: -load.descriptor.size)
        apart = set(map(id, slow))
        self._move_together([load for load in loads if id(load) not in apart], 1)
        packed = [load for load in slow if load.is_recompressed]
        large = sum(load.descriptor.size >= _LARGE for load in packed)
        self._threads = -(-self._jobs // max(1, min(self._jobs, large)))
        far = any(map(self._is_far, slow)) and not packed
        self._move_together(slow, at_a_time(self._options.jobs, far=far))

    def _is_home(self, load: _Load) -> bool:
        """Whether it is in the target, which is its source, and nothing of it has to be proved."""
        if isinstance(load.first.decision, Recompress | Rehash):
            return False
        shared = self.sink.shares(load.first.source_plan.source)
        return shared and all(move.decision.diff_id is None for move in load.moves)

    def _is_slow(self, load: _Load) -> bool:
        """Whether it is worth a thread: others are moved faster than threads take turns."""
        if load.is_recompressed:
            return True
        if self.sink.shares(load.first.source_plan.source):
            return False
        return load.descriptor.size >= _SMALL or self._is_far(load)

    def _is_far(self, load: _Load) -> bool:
        """Whether it goes over a network."""
        return self.sink.traffic is not None or load.first.source_plan.source.remote

    def _move_together(self, loads: list[_Load], most: int) -> None:
        workers = min(most, len(loads))
        if workers <= 1:
            for load in loads:
                self._move(load)
            return
        from concurrent.futures import Future, ThreadPoolExecutor

        self.sink.begin()
        tasks: list[Future[None]] = []
        with self._awaited(), ThreadPoolExecutor(workers) as pool:
            try:
                tasks += (pool.submit(inherited(self._move_aside), load) for load in loads)
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

    def _move_aside(self, load: _Load) -> None:
        """:meth:`_move` in a thread that is waited for."""
        with self._idle:
            if self._stopped:
                raise _StoppedError
            self._busy += 1
        try:
            self._move(load)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def _move(self, load: _Load) -> None:
        """Move one blob, and tell everything that waits for it.

        A run that keeps going takes it from the next source that has it.
        """
        try:
            with concerning(load.descriptor.digest), self._room_for(load.descriptor.size):
                if isinstance(load.first.decision, Recompress):
                    self._recompress(load, load.first.decision)
                elif isinstance(load.first.decision, Rehash):
                    self._rehash(load, load.first.decision)
                else:
                    self._keep(load)
        except OciConvertError as error:
            if not self._options.keep_going:
                self._stopped = True
                raise
            source = load.first.source_plan.source
            for move in load.moves:
                if move.source_plan.source is source:
                    failure = error
                    if error.where == load.first.place:
                        failure = error.but(where=move.place)
                    move.source_plan.failure = move.source_plan.failure or failure
            rest = [move for move in load.others if move.source_plan.source is not source]
            if rest:
                self._move(_Load(rest[0], rest[1:], load.done))
        except BaseException:
            self._stopped = True
            raise

    def _keep(self, load: _Load) -> None:
        self._check_diff_ids(load)
        descriptor = load.descriptor
        verify, source = self._options.verify_existing, load.first.source_plan.source
        shared = self.sink.shares(source)
        if shared or self._is_there(descriptor, verify=verify):
            self._count(load, descriptor.size)
            return
        written = self.sink.take(
            source,
            descriptor,
            load.first.place,
            link=self._options.link,
            watch=self._watch(load),
        )
        self._count(load, descriptor.size)  # what the target took by itself was not read
        with self._lock:
            self._bytes_written += written
            self._layer_bytes += written if load.first.node.kind is Kind.LAYER else 0

    def _rehash(self, load: _Load, decision: Rehash) -> None:
        """Bring a blob under a digest of another algorithm."""
        self._check_diff_ids(load)
        descriptor, place = load.descriptor, load.first.place
        with self._watched(load) as chunks:
            read = verified(chunks, descriptor.name, descriptor.size, place)
            digest, size = self.sink.put(read, place, algorithm=decision.algorithm)
        with self._lock:
            self._made[decision.outcome] = descriptor.model_copy(update={"digest": digest})
            self._bytes_written += size
            self._layer_bytes += size if load.first.node.kind is Kind.LAYER else 0

    def _check_diff_ids(self, load: _Load) -> None:
        for move in load.moves:
            if move.decision.diff_id is not None:
                self._check_diff_id(move, move.decision.diff_id)

    def _is_there(self, descriptor: Descriptor, *, verify: bool, document: bool = False) -> bool:
        """Whether a blob need not be written, as far as it is known before."""
        if self.sink.capabilities.looks_itself and (document or not verify):
            return False
        return self.sink.has(descriptor, document=document, verify=verify, watch=self._go_on)

    def _recompress(self, load: _Load, decision: Recompress) -> None:
        """Compress a layer; one that runs have in common, once, if the target has it."""
        descriptor = load.descriptor
        how = (self._options.level, self._options.fast, self._options.digest)
        key = (descriptor.digest, decision.diff_id, decision.to, *how)
        with self._layers.alone(key):
            known = self._layers.get(key)
            new = known if isinstance(known, Descriptor) else None
            if new is not None and self.sink.has(new, verify=self._options.verify_existing):
                self._count(load, descriptor.size)
            else:
                new = self._compressed(load, decision)
                self._layers.add(key, new)
        same = {"digest": new.digest, "size": new.size}
        with self._lock:
            self._made[decision.outcome] = descriptor.model_copy(update=same)
            self._packed.add(decision.to)

    def _compressed(self, load: _Load, decision: Recompress) -> Descriptor:
        """Put a layer in another compression; what it then is."""
        descriptor, place = load.descriptor, load.first.place
        packed = decision.node.actual or Compression.NONE
        hashed_once = packed is Compression.NONE and decision.diff_id == descriptor.digest
        algorithm = self._options.digest or descriptor.name.algorithm
        with self._watched(load) as chunks:
            made = recompressed(
                verified(chunks, descriptor.name, descriptor.size, place),
                packed,
                None if hashed_once else decision.diff_id,
                decision.to,
                place,
                descriptor.size,
                level=self._options.level,
                fast=self._options.fast,
                workers=self._workers(descriptor.size, decision.to),
            )
            digest, size = self.sink.put(made, place, algorithm=algorithm)
        with self._lock:
            self._bytes_written += size
            self._layer_bytes += size
        return Descriptor(media_type=descriptor.media_type, digest=digest, size=size)

    def _workers(self, size: int, to: Compression) -> int:
        """How many threads compress one layer. Those of gzip take next to no memory."""
        if size < _LARGE:
            return 1
        return self._threads if to is Compression.ZSTD else self._jobs

    def _check_diff_id(self, move: _Move, diff_id: Digest) -> None:
        """Only the config vouches for this layer: it must hold what the config says."""
        descriptor = move.node.descriptor
        chunks = move.source_plan.source.read(descriptor, move.place)
        packed = move.node.compression or Compression.NONE
        try:
            for _ in unpacked(chunks, packed, diff_id, move.place, descriptor.size):
                if self._stopped:
                    raise _StoppedError
        finally:
            end(chunks)

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

    @contextmanager
    def _watched(self, load: _Load) -> Iterator[Iterator[bytes]]:
        """The chunks of a blob, counted."""
        source = load.first.source_plan.source
        chunks = watched(source.stream(load.descriptor), self._watch(load))
        try:
            yield chunks
        finally:
            end(chunks)

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
            step = min(size, load.descriptor.size - load.done)
            if step <= 0:
                return
            load.done += step
            self._done += step
            moved = (load.descriptor.digest, load.descriptor.size, step)
            self._on_progress(Progress(load.first.node.where, *moved, self._done, self._total))

    # -- documents --------------------------------------------------------------------------

    def _write_document(self, source_plan: SourcePlan, decision: Decision) -> None:
        try:
            with self._room_for(decision.node.descriptor.size):
                self._put_document(source_plan, decision)
        except OciConvertError as error:
            if not self._options.keep_going:
                raise
            source_plan.failure = error

    def _put_document(self, source_plan: SourcePlan, decision: Decision) -> None:
        new, raw = source_plan.rendered.settled(decision)
        document, verify = isinstance(decision.node, DocumentNode), self._options.verify_existing
        if not document and self.sink.shares(source_plan.source):
            return
        if not self._is_there(new, document=document, verify=verify):
            place = source_plan.place(decision.node.where)
            self.sink.put_as([raw], place, new, document=document)
            self._bytes_written += len(raw)


def _sorted(
    source_plans: Sequence[SourcePlan],
) -> tuple[list[_Load], list[tuple[SourcePlan, Decision]]]:
    """What ends in the target: blobs to be moved, and documents and configs that are in memory."""
    loads: dict[object, _Load] = {}
    documents: list[tuple[SourcePlan, Decision]] = []
    for source_plan in source_plans:
        for decision in source_plan.decisions():
            node = decision.node
            rehashed = isinstance(decision, Rehash)
            if isinstance(node, DocumentNode) or (node.stored is not None and not rehashed):
                documents.append((source_plan, decision))
            elif isinstance(node, BlobNode | ConfigNode) and not isinstance(
                decision, Rewrite | Restore | Drop
            ):
                key = _key(decision)
                move = _Move(source_plan, decision, node)
                if key in loads:
                    loads[key].others.append(move)
                else:
                    loads[key] = _Load(move, [])
            # Else it is a foreign layer, or an entry of a sparse index, that is not here.
    return list(loads.values()), documents


def _key(decision: Decision) -> object:
    """What two decisions have in common that are carried out at once."""
    match decision:
        case Recompress():
            return decision.outcome, decision.diff_id
        case Rehash():
            return decision.outcome
        case _:
            return decision.node.descriptor.digest
