"""Thousands of jobs against a registry that fails, in a run that is killed again and again.

``python tests/faults/fleet.py [--jobs 5000] [--kills 20] [--faults 0.01] [--seed 1]`` converts as
many images inside a registry of this process, whose requests meet a fault at random. The run is a
process of its own: it is killed with SIGKILL at random moments, and started again with the same
results. Then no job may be missing, none may have had two digests, and every image is in the
registry under its tag, with the digest that the results say.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from oci_convert.fleet.results_file import read_results
from oci_convert.spec.digest import Digest
from registry import FakeRegistry, Fault
from registry.messages import Request
from support.images import docker_image, image_list, layer
from support.registries import load

_PASSING = (
    Fault.RESET,
    Fault.RESET_AFTER,
    Fault.TRUNCATED,
    Fault.ERROR,
    Fault.ERROR_AFTER,
    Fault.UNAVAILABLE,
    Fault.TOO_MANY_REQUESTS,
    Fault.BLOB_UNKNOWN,
)
"""What a client has to bear."""
_LASTING = (Fault.FORBIDDEN, Fault.WRONG_BYTES, Fault.PAGE)
"""What it has to name."""
WORKER = """
import sys
from oci_convert import Job, Options, convert_many
from oci_convert.stores import RegistryClient, RegistryImage, RegistryOptions
from oci_convert.stores.registry.image import set_images
host, count, results = sys.argv[1], int(sys.argv[2]), sys.argv[3]
options = RegistryOptions(retries=3, backoff=0.001, read_timeout=10, certs_folders=())
client = RegistryClient(options=options)
image = lambda reference: RegistryImage(reference, client)
set_images(image, image)
base = f"docker://{host}/team/app"
jobs = (Job(f"{base}:{n}", f"{base}:{n}-oci", Options(to="oci"), str(n)) for n in range(count))
for result in convert_many(jobs, workers=16, results=results):
    pass
"""


def hit(chance: random.Random, share: float) -> Callable[[Request], bool]:
    """Whether a request is one of those that meet a fault."""
    return lambda _: chance.random() < share


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--faults", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)

    with tempfile.TemporaryDirectory() as folder, FakeRegistry() as fake:
        results = Path(folder) / "results.jsonl"
        for number in range(given.jobs):
            images = [docker_image([layer(f"{number}", size=64)]), docker_image([layer("same")])]
            load(fake, "team/app", str(number), image_list(images))
        for fault in (*_PASSING, *_LASTING):
            share = given.faults / len((*_PASSING, *_LASTING))
            fake.faults.when(hit(chance, share), fault, times=10**9)
        began = time.monotonic()
        command = [sys.executable, "-c", WORKER, fake.host, str(given.jobs), str(results)]
        pause = given.jobs * 0.02 / max(given.kills, 1)
        for _ in range(given.kills):
            run = subprocess.Popen(command)
            time.sleep(0.4 + chance.random() * pause)
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
        for _ in range(3):  # what failed for good in one run may be done by the next one
            subprocess.run(command, check=True)
        seconds = time.monotonic() - began
        judge(fake, results, given.jobs)
        print(f"{len(fake.log.exchanges)} requests, {seconds:.0f} s")


def judge(fake: FakeRegistry, results: Path, count: int) -> None:
    """Hold what is left to what was promised; prints how the jobs ended."""
    last = {result.id: result for result in read_results(results)}
    assert set(last) == {str(number) for number in range(count)}, "a job has no last word"
    pushed: dict[str, set[str]] = {}
    for exchange in fake.log.exchanges:
        request = exchange.request
        if request.method == "PUT" and request.path.endswith("-oci"):
            digest = str(Digest.of(request.body))
            pushed.setdefault(request.path, set()).add(digest)
    assert all(len(digests) == 1 for digests in pushed.values()), "two digests for one job"
    tags = fake.content.repository("team/app").tags
    for number, result in last.items():
        if result.status.good:
            assert tags[f"{number}-oci"] == result.images[0].new.digest, number
        else:
            assert result.failure is not None, number
            assert result.failure.code, number
    ends = Counter(
        result.status.value if result.failure is None else result.failure.code
        for result in last.values()
    )
    print(", ".join(f"{number} {what}" for what, number in ends.most_common()))


if __name__ == "__main__":
    main()
