#!/usr/bin/env python3
"""Give files to a target, without a fuzzer: ``python fuzz/replay.py TARGET FILE…``."""

from __future__ import annotations

import argparse
from pathlib import Path

from base import TARGETS, load
from limits import limited


def main() -> None:
    """What a target raises ends the run with its traceback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    target = load(arguments.target)
    for file in arguments.files:
        with limited():
            target.run(file.read_bytes())
        print(f"{file}: nothing happened")


if __name__ == "__main__":
    main()
