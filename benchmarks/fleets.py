"""Many images: what the engine costs, in memory, in requests and against skopeo.

``python benchmarks/fleets.py memory | archives | registry | cluster`` prints what
docs/performance.md says of fleets. ``archives`` needs skopeo, ``cluster`` Dask.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import urllib3

from oci_convert import Job, JobResult, Options, convert_many
from oci_convert.stores.registry.client import RemoteRepository
from oci_convert.stores.registry.reference import Repository
from support.docker_registry import docker_registry
from support.images import docker_image, image_list, layer, save_tar
from support.registries import client, push, use

KINDS = ("v2", "list.v2")
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x", "linux/riscv64", "linux/ppc64le")


# -- memory ---------------------------------------------------------------------------------------

UNCHANGED = """
import resource, sys
from oci_convert import Job, JobResult, Options, convert_many
from oci_convert.stores.registry.client import RemoteRepository
count, folder = int(sys.argv[1]), sys.argv[2]
source = f"docker://127.0.0.1:1/team/app@sha256:{'0' * 64}"
jobs = (Job(source, f"docker://127.0.0.1:1/team/app:{n}", Options(to="oci")) for n in range(count))
found = sum(r.status.value == "unchanged" for r in convert_many(jobs, results=f"{folder}/r.jsonl"))
assert found == count, found
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory() -> None:
    """The most memory of a run in which nothing is left to do, by the number of jobs."""
    before = 0
    for count in (1_000, 100_000):
        with tempfile.TemporaryDirectory() as folder:
            write_done(Path(folder) / "r.jsonl", count)
            began = time.monotonic()
            run = subprocess.run(
                [sys.executable, "-c", UNCHANGED, str(count), folder],
                capture_output=True,
                text=True,
                check=True,
            )
            kib = int(run.stdout)
            took = time.monotonic() - began
            ratio = f", {kib / before:.2f} times as much" if before else ""
            print(f"{count} unchanged jobs: {kib / 1024:.1f} MiB, {took:.1f} s{ratio}")
            before = kib


def write_done(path: Path, count: int) -> None:
    """Results of an earlier run, in which every job was done."""
    from oci_convert.fleet.results import JobResult, JobStatus

    digest = f"sha256:{'0' * 64}"
    source = f"docker://127.0.0.1:1/team/app@{digest}"
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            destination = f"docker://127.0.0.1:1/team/app:{number}"
            result = JobResult(
                id=f"{source} {destination}",
                source=source,
                destination=destination,
                status=JobStatus.DONE,
                options=Options(to="oci").to_json(),
                state=digest,
            )
            file.write(result.line())


# -- archives -------------------------------------------------------------------------------------


def archives(count: int = 300) -> None:
    """Archives of docker save to one layout: sync, and as many calls of skopeo."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        base = [layer(f"base {n}", size=2_000_000) for n in range(3)]
        for number in range(count):
            image = docker_image([*base, layer(f"own {number}", size=100_000)])
            archive = save_tar({f"registry.example/app:{number}": image})
            (folder / "in" / f"{number}.tar").write_bytes(archive)
        command = [sys.executable, "-m", "oci_convert", "sync", "in", "oci:out", "--quiet"]
        ours = timed(lambda: run(command, folder))
        stored = list((folder / "out" / "blobs" / "sha256").iterdir())
        print(f"sync: {ours:.1f} s, {len(stored)} blobs for {count} images")
        theirs = timed(lambda: skopeo(folder, count))
        print(f"skopeo copy, {count} times: {theirs:.1f} s; ratio {ours / theirs:.2f}")


def skopeo(folder: Path, count: int) -> None:
    for number in range(count):
        target = f"oci:{folder}/skopeo:{number}"
        run(["skopeo", "copy", "--quiet", f"docker-archive:in/{number}.tar", target], folder)


def run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)


def timed(what: Callable[[], object]) -> float:
    began = time.monotonic()
    what()
    return time.monotonic() - began


# -- requests -------------------------------------------------------------------------------------


def registry(count: int = 400, workers: int = 32, rounds: int = 5) -> None:
    """Lists of five inside Debian's registry, and a bare loop that sends the same requests."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # as the command does
    with (
        tempfile.TemporaryDirectory() as name,
        docker_registry("docker-registry", Path(name), {}) as host,
    ):
        with client(retries=5) as ours:
            fill(ours.repository(Repository(host, "team/app"), push=True), count)
        taken: list[tuple[float, float, float]] = []
        for turn in range(rounds):
            began = time.monotonic(), time.process_time()
            results = inside(host, count, workers, f"oci-{turn}")
            wall, cpu = time.monotonic() - began[0], time.process_time() - began[1]
            requests = sum(result.requests for result in results)
            began = time.monotonic(), time.process_time()
            sent = bare(host, count, workers, f"bare-{turn}")
            bare_wall, bare_cpu = time.monotonic() - began[0], time.process_time() - began[1]
            taken.append((requests / wall / (sent / bare_wall), cpu / count, bare_cpu / count))
            print(f"{requests / wall:.0f} requests/s, the loop {sent / bare_wall:.0f}")
        moved = sum(result.bytes_down + result.bytes_up for result in results)
        print(f"a list: {requests / count:.1f} requests, {moved / count / 1024:.1f} KiB")
        ratio, cpu, bare_cpu = (median(column) for column in zip(*taken, strict=True))
        print(
            f"medians of {rounds}: ratio {ratio:.2f}; CPU of a list {1000 * cpu:.1f} ms, ", end=""
        )
        print(f"in the loop {1000 * bare_cpu:.1f} ms")


def fill(remote: RemoteRepository, count: int) -> None:
    """Push lists of five platforms with eight layers each, of which the last one is their own."""
    bases = {it: [layer(f"{n} {it}", size=200) for n in range(7)] for it in PLATFORMS}
    for number in range(count):
        images = [
            docker_image([*base, layer(f"{number} {platform}", size=200)], platform=platform)
            for platform, base in bases.items()
        ]
        push(remote, str(number), image_list(images))


def inside(host: str, count: int, workers: int, suffix: str) -> list[JobResult]:
    """Convert every list inside its repository."""
    base = f"docker://{host}/team/app"
    jobs = [Job(f"{base}:{n}", f"{base}:{n}-{suffix}", Options(to="oci")) for n in range(count)]
    with client(retries=5) as ours:
        use(ours)
        results = list(convert_many(jobs, workers=workers))
    assert all(result.status.value == "done" for result in results)
    return results


def bare(host: str, count: int, workers: int, suffix: str) -> int:
    """The same requests from urllib3 alone: a question, six reads and six pushes for each list."""
    address, _, port = host.partition(":")
    pool = urllib3.HTTPConnectionPool(address, int(port), maxsize=workers)
    kinds = ", ".join(f"application/vnd.docker.distribution.manifest.{it}+json" for it in KINDS)
    url = "/v2/team/app/manifests/"

    def one(number: int) -> int:
        pool.request("GET", f"{url}{number}-{suffix}", headers={"Accept": kinds})
        root = pool.request("GET", f"{url}{number}", headers={"Accept": kinds})
        found = json.loads(root.data)
        for entry in found["manifests"]:
            child = pool.request("GET", url + entry["digest"], headers={"Accept": kinds})
            pool.request(
                "PUT",
                url + entry["digest"],
                body=child.data,
                headers={"Content-Type": entry["mediaType"]},
            )
        pool.request(
            "PUT",
            f"{url}{number}-{suffix}",
            body=root.data,
            headers={"Content-Type": found["mediaType"]},
        )
        return 3 + 2 * len(found["manifests"])

    with ThreadPoolExecutor(workers) as threads:
        return sum(threads.map(one, range(count)))


# -- a cluster ------------------------------------------------------------------------------------


def sent_in(jobs: list[Job], executor: Executor, chunk: int | None) -> None:
    list(convert_many(jobs, executor=executor, workers=4, chunk=chunk))


def cluster(count: int = 2000) -> None:
    """What a job costs that does nothing but fail at once, on two workers of Dask."""
    import distributed

    local: Any = distributed.LocalCluster
    connect: Any = distributed.Client
    jobs = [Job("oci:/nowhere", f"oci:/nowhere/{n}") for n in range(count)]
    with (
        local(n_workers=2, threads_per_worker=2, dashboard_address=None) as made,
        connect(made) as asked,
    ):
        executor = asked.get_executor(pure=False)
        list(convert_many(jobs[:100], executor=executor, workers=4))
        for chunk in (1, 10, 20, 50, 100, None):
            took = timed(partial(sent_in, jobs, executor, chunk))
            name = "the default" if chunk is None else f"chunks of {chunk}"
            print(f"{name}: {1000 * took / count:.2f} ms a job")
    alone = timed(lambda: list(convert_many(jobs, workers=4)))
    print(f"threads: {1000 * alone / count:.2f} ms a job")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["memory", "archives", "registry", "cluster"])
    globals()[parser.parse_args().what]()
