"""Kill conversions at random moments, and hold what is left to every promise.

``python tests/faults/kill.py [--runs 300] [--seed 1]`` forks a conversion into a layout that holds
another image, into a ``dir:`` and into an archive, half of them with recompressing, and sends
SIGKILL after a random part of the time that an undisturbed one takes. Then the image is there
whole or not at all, everything else is as it was, and the same conversion runs again and leaves
nothing over
(``Scene`` in tests/support/scenes.py). What is printed says how far the runs had come.

With ``--calls KIND`` (a kind of tests/support/scenes.py) nothing is left to chance: a run is killed
before each single call that changes a file.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.faults import Death, Faults, calls_of
from support.scenes import KINDS, UNFINISHED, Kind, Scene

SCENES = {
    "a layout with an image": Kind("oci:{}/target:new", old=True),
    "a dir:": Kind("dir:{}/target", {"to": "docker"}),
    "an archive": Kind("oci-archive:{}/target.tar:new"),
    "a layout with an image, recompressing": Kind(
        "oci:{}/target:new", {"compress": "zstd"}, old=True
    ),
    "a dir:, recompressing": Kind(
        "dir:{}/target", {"to": "docker", "compress": "gzip", "level": 6}
    ),
    "an archive, recompressing": Kind("oci-archive:{}/target.tar:new", {"compress": "zstd"}),
}
SIZE = 12_000_000
_LATEST = 1.0
"""The last moment, in durations of a run; as these vary, some signals come too late."""
PHASES = ("before the first file", "while files grew", "after the image had appeared", "over")


def forked(scene: Scene, faults: Faults | None = None) -> int:
    """A conversion in a process of its own, which has everything imported."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with nullcontext() if faults is None else faults.injected():
                scene.run()
            status = 0
        finally:
            os._exit(status)
    return pid


def duration(scene: Scene) -> float:
    """Seconds that an undisturbed run takes, its fork included."""
    times = []
    for _ in range(3):
        scene.begin()
        began = time.perf_counter()
        os.waitpid(forked(scene), 0)
        times.append(time.perf_counter() - began)
    return sorted(times)[1]


def killed(scene: Scene, after: float) -> str:
    """Kill a run ``after`` seconds; says how far it came."""
    scene.begin()
    pid = forked(scene)
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    return outcome(scene, pid)


def outcome(scene: Scene, pid: int) -> str:
    """Wait for the end of a run, and hold what it left to the promises; says how far it came."""
    _, status = os.waitpid(pid, 0)
    writing = any(scene.folder.rglob(UNFINISHED))
    there = scene.check()
    scene.repeat(there=there)
    if not os.WIFSIGNALED(status):
        assert there
        assert status == 0
        return "over"
    if there:
        return "after the image had appeared"
    return "while files grew" if writing else "before the first file"


def at_each_call(name: str, folder: Path | None) -> None:
    """Kill runs of one kind before each call that changes a file."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        scene = Scene(KINDS[name], Path(temporary))
        calls = calls_of(scene).total()
        counts: Counter[str] = Counter()
        for number in range(1, calls + 1):
            scene.begin()
            counts[outcome(scene, forked(scene, Death(scene.folder, number)))] += 1
    assert counts["over"] == 0
    print(f"{name}: {calls} runs, {_told(counts)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary one)")
    parser.add_argument("--calls", metavar="KIND", choices=KINDS, help="kill before each call")
    given = parser.parse_args()
    if given.calls is not None:
        at_each_call(given.calls, given.folder)
        return
    chance = random.Random(given.seed)
    total: Counter[str] = Counter()
    for number, (name, kind) in enumerate(SCENES.items()):
        runs = len(range(number, given.runs, len(SCENES)))
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            scene = Scene(kind, Path(folder), SIZE)
            whole = duration(scene)
            counts: Counter[str] = Counter()
            for _ in range(runs):
                counts[killed(scene, chance.uniform(0, _LATEST) * whole)] += 1
        total += counts
        print(f"{name} ({whole:.3f} s): {runs} runs, {_told(counts)}", flush=True)
    print(f"all: {given.runs} runs, {_told(total)}; no promise was broken")


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[phase]} {phase}" for phase in PHASES)


if __name__ == "__main__":
    main()
