#!/usr/bin/env python3
"""Speed, size and memory of every codec: ``codec_speed.py [--rounds N] LAYER.tar...``

Prints a table for docs/adr/0002-codecs.md. Each line is a process of its own. MB are 10^6 bytes of
the plain tars, wall time; the best of the rounds counts, as others may use the machine, too.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from oci_convert.layers.compression import DEFAULT_LEVELS, codec_versions, compress, decompress
from oci_convert.layers.streams import read_chunks
from oci_convert.spec.media_types import Compression

GZIP, ZSTD = Compression.GZIP, Compression.ZSTD


class Case(NamedTuple):
    codec: Compression
    level: int
    workers: int
    layers: int
    """How many layers are worked on at a time."""


class Result(NamedTuple):
    plain: int
    packed: int
    seconds: float
    cpu: float
    memory: int


CASES = [
    *(Case(GZIP, level, workers, 1) for level in (1, 2, 3, 4, 5, 6, 9) for workers in (1, 2)),
    *(Case(ZSTD, level, workers, 1) for level in (1, 2, 3, 5, 9) for workers in (1, 2)),
    *(Case(codec, level, 1, 2) for codec, level in DEFAULT_LEVELS.items()),
    *(Case(codec, level, 2, 2) for codec, level in DEFAULT_LEVELS.items()),
]


def layer(case: Case, file: Path) -> tuple[int, int]:
    with file.open("rb") as source:
        packed = compress(read_chunks(source), case.codec, case.level, case.workers)
        return file.stat().st_size, sum(map(len, packed))


def writing(case: Case, files: list[Path]) -> Result:
    start, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(case.layers) as pool:
        sizes = list(pool.map(partial(layer, case), files))
    plain, packed = (sum(column) for column in zip(*sizes, strict=True))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Result(plain, packed, time.perf_counter() - start, time.process_time() - cpu, memory)


def reading(codec: Compression, library: str, files: list[Path]) -> Result:
    if library == "zlib-ng":
        sys.modules["isal"] = None  # type: ignore[assignment]
    plain = packed = 0
    seconds = cpu = 0.0
    for file in files:
        with file.open("rb") as source:
            chunks = list(compress(read_chunks(source), codec, None, 2))
        began, began_cpu = time.perf_counter(), time.process_time()
        plain += sum(map(len, decompress(chunks, codec, file.name)))
        seconds += time.perf_counter() - began
        cpu += time.process_time() - began_cpu
        packed += sum(map(len, chunks))
    return Result(plain, packed, seconds, cpu, 0)


def best(rounds: int, work: partial[Result]) -> Result:
    def alone() -> Result:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            return process.submit(work).result()

    return min((alone() for _ in range(rounds)), key=lambda one: one.seconds)


def lines(files: list[Path], rounds: int) -> Iterator[str]:
    yield "| written | workers | layers at a time | MB/s | CPU s | bytes | ratio | MiB |"
    yield "|---|---|---|---|---|---|---|---|"
    for case in CASES:
        one = best(rounds, partial(writing, case, files))
        rate, ratio = one.plain / one.seconds / 1e6, one.plain / one.packed
        yield (
            f"| {case.codec} {case.level} | {case.workers} | {case.layers} | {rate:.0f} "
            f"| {one.cpu:.1f} | {one.packed:,} | {ratio:.3f} | {one.memory} |"
        )
    yield ""
    yield "| read | MB/s | CPU s |"
    yield "|---|---|---|"
    for codec, library in ((GZIP, "isal"), (GZIP, "zlib-ng"), (ZSTD, "zstandard")):
        one = best(rounds, partial(reading, codec, library, files))
        rate = one.plain / one.seconds / 1e6
        yield f"| {codec} with {library} | {rate:.0f} | {one.cpu:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="LAYER.tar")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    versions = (codec_versions(codec).values() for codec in (GZIP, ZSTD))
    print(*itertools.chain.from_iterable(versions))
    for line in lines(options.files, options.rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
