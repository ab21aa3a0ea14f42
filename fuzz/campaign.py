#!/usr/bin/env python3
"""Fuzz all targets, some at a time: ``python fuzz/campaign.py --seconds 600``.

Prints a row of a table for each target: inputs, inputs a second, edges that the inputs reached, and
what was found. The time is that of the whole campaign. What libFuzzer says of each target is kept
in ``build/fuzz/logs/``; exit status 1 says that something was found.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from base import BUILD, TARGETS

_HERE: Final = Path(__file__).parent
_HEAD: Final = "| target | inputs | inputs/s | edges | found |\n|---|--:|--:|--:|--:|"
_GRACE: Final = 120
"""Seconds beyond its time that a target may take to read its corpus and to say what it did."""


@dataclass(frozen=True)
class Outcome:
    """What came of one target."""

    target: str
    inputs: int
    speed: int
    edges: int
    found: int

    @property
    def row(self) -> str:
        """As a row of the table."""
        counts = (self.inputs, self.speed, self.edges, self.found)
        return f"| `{self.target}` | {' | '.join(f'{count:,}' for count in counts)} |"


def fuzzed(target: str, seconds: int) -> Outcome:
    """Fuzz one target in a process of its own."""
    log = BUILD / "logs" / f"{target}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, str(_HERE / "run.py"), target, "--seconds", str(seconds)]
    with log.open("wb") as output:
        done = subprocess.run(  # noqa: S603 - a program of our own
            argv, stdout=output, stderr=output, timeout=seconds + _GRACE, check=False
        )
    said = log.read_text(encoding="utf-8", errors="replace")
    return Outcome(
        target,
        _last(r"stat::number_of_executed_units: +([0-9]+)", said),
        _last(r"stat::average_exec_per_sec: +([0-9]+)", said),
        _last(r" cov: ([0-9]+) ", said),
        int(done.returncode != 0),
    )


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def campaign(targets: Sequence[str], seconds: int, processes: int) -> list[Outcome]:
    """Fuzz the targets, each for its share of the time."""
    share = max(1, seconds * processes // len(targets))
    with ThreadPoolExecutor(processes) as pool:
        outcomes = pool.map(lambda target: fuzzed(target, share), targets)
        return [*outcomes]


def main() -> int:
    """The table, and whether anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments = parser.parse_args()
    outcomes = campaign(arguments.targets or TARGETS, arguments.seconds, arguments.processes)
    print(_HEAD)
    for outcome in outcomes:
        print(outcome.row)
    return int(any(outcome.found for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
