#!/usr/bin/env python3
"""Write the corpora that fuzzing begins with into ``build/fuzz/corpus``: ``python fuzz/seed.py``.

They are made of ``testdata/`` and of the images that tests are made of, so that none is committed.
"""

from __future__ import annotations

import argparse
import hashlib

from base import BUILD, TARGETS, load


def main() -> None:
    """One line for each target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    for name in parser.parse_args().targets or TARGETS:
        corpus = BUILD / "corpus" / name
        corpus.mkdir(parents=True, exist_ok=True)
        seeds = set(load(name).seeds())
        for data in seeds:
            (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
        print(f"{name:20} {len(seeds):5} seeds")


if __name__ == "__main__":
    main()
