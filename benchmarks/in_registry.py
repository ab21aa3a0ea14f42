#!/usr/bin/env python3
"""Measures conversions with a registry: ``in_registry.py [--rounds N] [--only NAME] [--profile]``.

Prints the tables of docs/performance.md. The registry is Debian's ``docker-registry`` with its
storage in memory, on the same machine. Whole images go by the command and by ``skopeo copy``, in
turns, each time to a registry that is new; skopeo does not flush, and here the command does not.
Conversions inside a registry are compared with a bare loop that sends the same requests.
"""

from __future__ import annotations

import argparse
import compileall
import cProfile
import gc
import json
import os
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import Process
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from urllib3 import HTTPConnectionPool

from oci_convert import Memory, convert
from oci_convert.stores import RegistryClient, RegistryImage
from oci_convert.stores.registry.manifests import ACCEPT
from oci_convert.testing import docker_image, image_index, write_images
from support.docker_registry import docker_registry

PROGRAM: Final = shutil.which("docker-registry") or "docker-registry"
MEGABYTE: Final = 1_000_000
LAYERS: Final = (300 * MEGABYTE,) * 3
PLATFORMS: Final = ("linux/amd64", "linux/arm64", "linux/s390x", "linux/ppc64le", "linux/386")
IN_FLIGHT: Final = 32
SOURCES: Final = Path(__file__).parent.parent / "src"
ENVIRONMENT: Final = {
    name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
}
"""Without PYTHONDONTWRITEBYTECODE and the like: what is measured is an installed program."""


@contextmanager
def registry() -> Iterator[str]:
    """A registry that is new, by host and port."""
    with (
        tempfile.TemporaryDirectory() as folder,
        docker_registry(PROGRAM, Path(folder), {}) as host,
    ):
        yield host


# -- whole images -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What a command took: seconds, and bytes of memory at most."""

    wall: float
    cpu: float
    memory: int
    output: str


def run(*command: str) -> Run:
    """Run a command to its end."""
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=output)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        output.seek(0)
        assert status == 0, command
        cpu = used.ru_utime + used.ru_stime
        return Run(wall, cpu, used.ru_maxrss * 1024, output.read().decode())


def ours(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "oci_convert", "convert", *arguments, "--json", "--quiet")


def skopeo(*arguments: str) -> tuple[str, ...]:
    insecure = ("--src-tls-verify=false", "--dest-tls-verify=false")
    return ("skopeo", "--insecure-policy", "copy", "--quiet", "--format=oci", *insecure, *arguments)


def large_image(folder: Path) -> Path:
    """A ``dir:`` with three layers of random bytes."""
    path = folder / "dir"
    if not (path / "manifest.json").exists():
        # A process of its own: those that are measured never show less memory than their parent.
        making = Process(target=make_large_image, args=(path,))
        making.start()
        making.join()
        assert making.exitcode == 0
    return path


def make_large_image(path: Path) -> None:
    image = docker_image(*({"data": os.urandom(size)} for size in LAYERS))
    write_images({"": image}, f"dir:{path}")


def whole_images(rounds: int, folder: Path) -> None:
    """Into a registry, and out of it."""
    source = large_image(folder)
    size = sum(file.stat().st_size for file in source.iterdir())
    runs: dict[str, list[Run]] = {}

    def note(name: str, command: Sequence[str]) -> None:
        runs.setdefault(name, []).append(run(*command))

    for turn in range(rounds):
        both = (("oci-convert", ours), ("skopeo", skopeo))
        for name, command in both[:: -1 if turn % 2 else 1]:
            with registry() as host:
                image, layout = f"docker://{host}/app:1", folder / "layout"
                into = ("--to", "oci") if command is ours else ()
                note(f"{name}, dir → registry", command(f"dir:{source}", image, *into))
                shutil.rmtree(layout, ignore_errors=True)
                fast = ("--no-fsync",) if command is ours else ()
                note(f"{name}, registry → layout", command(image, f"oci:{layout}:1", *fast))
    print(f"An image of {size / MEGABYTE:.0f} MB in 3 layers, {rounds} rounds:\n")
    print("| | wall, median (min-max) | of skopeo's | CPU | of skopeo's | peak memory | bytes |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for name, taken in sorted(runs.items()):
        walls = [it.wall for it in taken]
        others = runs[f"skopeo,{name.partition(',')[2]}"]
        other, other_cpu = median(it.wall for it in others), median(it.cpu for it in others)
        cpu = median(it.cpu for it in taken)
        totals = json.loads(taken[-1].output)["totals"] if taken[-1].output else {}
        moved = totals.get("bytes_up", 0) + totals.get("bytes_down", 0)
        print(
            f"| {name} | {median(walls):.2f} s ({min(walls):.2f}-{max(walls):.2f}) "
            f"| {median(walls) / other:.2f} x | {cpu:.2f} s | {cpu / other_cpu:.2f} x "
            f"| {max(it.memory for it in taken) / 2**20:.0f} MiB "
            f"| {f'{moved / size:.4f} x' if moved else ''} |"
        )


# -- inside a registry --------------------------------------------------------------------------


def lists(numbers: Iterable[int]) -> Memory:
    """Docker lists of five platforms with eight distinct layers each; configs differ in each."""
    store = Memory()
    layers = {platform: [{f"{platform} {i}": "x"} for i in range(8)] for platform in PLATFORMS}
    images = {
        f"{number}": image_index(
            *(
                docker_image(*layers[platform], platform=platform, Env=[f"N={number}"])
                for platform in PLATFORMS
            )
        )
        for number in numbers
    }
    write_images(images, store)
    return store


def in_registry(host: str, client: RegistryClient, number: str) -> None:
    """One conversion inside a repository."""
    convert(
        RegistryImage(f"docker://{host}/team/app:{number}", client),
        RegistryImage(f"docker://{host}/team/app:{number}-oci", client, keep_original=False),
        to="oci",
        force=True,
    )


@dataclass(frozen=True)
class Documents:
    """What one conversion reads and writes: digests and bytes, the root last."""

    old: tuple[str, ...]
    new: tuple[tuple[str, str, bytes], ...]


def documents(images: Memory) -> dict[str, Documents]:
    """The documents of each list, before and after."""
    target = Memory()
    report = convert(images, target, to="oci")
    held: Mapping[str, bytes] = dict(target.files)
    found = {}
    for image in report.images:
        raw = held[_file(image.new.digest)]
        children = [(it["digest"], it["mediaType"]) for it in json.loads(raw)["manifests"]]
        names = [*children, (image.new.digest, image.new.media_type)]
        old = {row.new.digest: row.old.digest for row in report.map if row.new}
        found[image.name or ""] = Documents(
            tuple(old[digest] for digest, _ in children),
            tuple((digest, kind, held[_file(digest)]) for digest, kind in names),
        )
    return found


def _file(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def bare(pool: HTTPConnectionPool, every: Mapping[str, Documents], number: str) -> None:
    """The requests of :func:`in_registry`, by a loop that does nothing else."""

    def send(method: str, name: str, body: bytes | None = None, kind: str = "") -> None:
        headers = {"Content-Type": kind} if body else {"Accept": ACCEPT}
        path = f"/v2/team/app/manifests/{name}"
        answer = pool.urlopen(method, path, body, headers, retries=False, redirect=False)
        assert answer.status in (200, 201), (answer.status, answer.data)

    one = every[number]
    send("GET", number)
    for digest in one.old:
        send("GET", digest)
    *children, (_, kind, root) = one.new
    for digest, child_kind, raw in children:
        send("PUT", digest, raw, child_kind)
    send("PUT", f"{number}-oci", root, kind)


def in_flight(rounds: int, count: int) -> None:
    """Conversions inside a registry, and the bare loop, in turns; each list is a new one."""
    rates: dict[str, list[float]] = {"oci-convert": [], "bare loop": []}
    cpu: dict[str, list[float]] = {"oci-convert": [], "bare loop": []}
    for turn in range(rounds):
        with registry() as host, RegistryClient() as client, ThreadPoolExecutor(IN_FLIGHT) as pool:
            images = lists(range(2 * count))
            every = documents(images)
            convert(images, RegistryImage(f"docker://{host}/team/app:{{tag}}", client), to="docker")
            address, _, port = host.partition(":")
            loop = HTTPConnectionPool(address, int(port), maxsize=IN_FLIGHT)
            halves = [str(n) for n in range(count)], [str(n) for n in range(count, 2 * count)]
            ways: dict[str, tuple[list[str], Callable[[str], None]]] = {
                "oci-convert": (halves[turn % 2], partial(in_registry, host, client)),
                "bare loop": (halves[1 - turn % 2], partial(bare, loop, every)),
            }
            for name in sorted(ways, reverse=bool(turn % 2)):
                numbers, way = ways[name]
                used, began = time.process_time(), time.perf_counter()
                list(pool.map(way, numbers))
                rates[name].append(12 * count / (time.perf_counter() - began))
                cpu[name].append(1e3 * (time.process_time() - used) / count)
    print(f"\n{count} lists in each of {rounds} rounds, {IN_FLIGHT} in flight:\n")
    print("| | requests/s, median (min-max) | of the bare loop | CPU for a list |")
    print("|---|---|--:|--:|")
    other = median(rates["bare loop"])
    for name, taken in rates.items():
        print(
            f"| {name} | {median(taken):.0f} ({min(taken):.0f}-{max(taken):.0f}) "
            f"| {median(taken) / other:.2f} x | {median(cpu[name]):.1f} ms |"
        )


def alone(count: int, *, profiled: bool) -> None:
    """The processor time of a list, one after the other, and where it goes."""
    with registry() as host, RegistryClient() as client:
        images = lists(range(count + 1))
        convert(images, RegistryImage(f"docker://{host}/team/app:{{tag}}", client), to="docker")
        in_registry(host, client, str(count))  # whatever is imported or set up once is
        profile = cProfile.Profile()
        if profiled:
            profile.enable()
        used = time.process_time()
        for number in range(count):
            in_registry(host, client, str(number))
        used = time.process_time() - used
        profile.disable()
    print(f"\nOne list after the other: {1e3 * used / count:.1f} ms of CPU for each")
    if profiled:
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)


CASES: Final = ("whole", "in-flight", "alone")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", metavar="N", type=int, default=5, help="rounds (5)")
    parser.add_argument("--lists", metavar="N", type=int, default=200, help="lists (200)")
    parser.add_argument("--only", choices=CASES, help="measure one thing only")
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    parser.add_argument("--folder", type=Path, default=Path("build/bench/registries"))
    options = parser.parse_args()
    wanted = (options.only,) if options.only else CASES
    compileall.compile_dir(SOURCES, quiet=1)
    print(f"Load average before: {os.getloadavg()[0]:.1f}\n")
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # as the command does, which fleets are converted by
    if "whole" in wanted:
        options.folder.mkdir(parents=True, exist_ok=True)
        whole_images(options.rounds, options.folder)
    if "in-flight" in wanted:
        in_flight(options.rounds, options.lists)
    if "alone" in wanted:
        alone(options.lists, profiled=options.profile)


if __name__ == "__main__":
    main()
