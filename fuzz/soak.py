#!/usr/bin/env python3
"""Give many inputs to the targets, drawn by hypothesis: ``python fuzz/soak.py --examples N``.

An input is a seed, a seed that was damaged, or any bytes. The tests do the same with few examples.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import cache

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from base import TARGETS, load
from limits import limited
from support.strategies import mutated

_ROUND = 10_000
"""Examples of one run of hypothesis: it remembers them all."""
_ANYTHING = 256


@cache
def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Inputs for a target."""
    seeds = st.sampled_from(list(dict.fromkeys(load(name).seeds())))
    return seeds | mutated(seeds) | mutated(seeds) | st.binary(max_size=_ANYTHING)


def soak(name: str, examples: int, first: int = 0) -> int:
    """Give ``examples`` inputs to a target; how many there were. Raises what the target raises."""
    target, count = load(name), 0

    @given(inputs(name))
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    def feed(data: bytes) -> None:
        nonlocal count
        count += 1
        with limited():
            target.run(data)

    seed(first)(feed)()
    return count


def _rounds(examples: int) -> Iterator[int]:
    while examples > 0:
        yield min(examples, _ROUND)
        examples -= _ROUND


def main() -> None:
    """One line for each target: inputs, seconds, inputs a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=_ROUND, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=0, help="another number draws other inputs")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments = parser.parse_args()
    for name in arguments.targets or TARGETS:
        began = time.monotonic()
        count = sum(
            soak(name, some, arguments.seed + i)
            for i, some in enumerate(_rounds(arguments.examples))
        )
        seconds = time.monotonic() - began
        print(
            f"{name:20} {count:10,} inputs {seconds:8.0f} s {count / seconds:8.0f} /s", flush=True
        )


if __name__ == "__main__":
    main()
