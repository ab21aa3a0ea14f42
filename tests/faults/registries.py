"""Let every request of conversions from, into and inside registries go wrong, one after the other.

``python tests/faults/registries.py`` runs each way (tests/support/registry_faults.py), each fault
(tests/registry/faults.py) at each request, and then with every read, every PUT and every beginning
of an upload broken for good. After each run, the tag shows the old image or the complete new one,
a second run succeeds, no blob has a wrong digest, and no secret is in what the run produced or sent
to another host.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from registry import Fault
from support.registry_faults import LASTING, WAYS, Scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--way", choices=WAYS, help="only this one")
    parser.add_argument("--fault", choices=[fault.name for fault in Fault], help="only this one")
    given = parser.parse_args()
    faults = [fault for fault in Fault if given.fault in (None, fault.name)]
    print("| way | requests | runs | new image | old image |\n|---|--:|--:|--:|--:|")
    total: Counter[str] = Counter()
    began = time.perf_counter()
    for name in [given.way] if given.way else WAYS:
        with tempfile.TemporaryDirectory() as folder:
            scene = Scene(WAYS[name], Path(folder))
            ended: Counter[str] = Counter()
            for fault in faults:
                for place in (*scene.single(), *LASTING):
                    try:
                        ended[scene.survive(fault, place)] += 1
                    except AssertionError as error:
                        raise AssertionError(f"{name}, {fault.name} at {place.name}") from error
            _, ours, others = scene.undisturbed
            requests = f"{ours} + {others}" if others else str(ours)
            print(f"| {name} | {requests} | {ended.total()} | {ended['new']} | {ended['old']} |")
            total += ended
    seconds = time.perf_counter() - began
    print(f"| **all** | | **{total.total()}** | **{total['new']}** | **{total['old']}** |")
    print(f"\n{seconds:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
