#!/usr/bin/env python3
"""Fuzz one target with atheris: ``python fuzz/run.py TARGET [--seconds N]``.

Starts from the corpus of ``seed.py`` and adds to it. An input that crashes, hangs or takes too much
memory ends the run and is kept in ``build/fuzz/crashes/``; ``replay.py`` gives it to the target
again. What libFuzzer may be told beside ``--seconds`` goes behind ``--``.
"""

from __future__ import annotations

import argparse
import sys
from hashlib import sha256
from importlib import import_module
from pkgutil import walk_packages
from typing import Any, Final

from base import BUILD, DICE, ROOT, TARGETS, Draws, load

_SECONDS_AN_INPUT: Final = 10
_MEMORY: Final = 2048
"""MiB: a zstd window may have 128, and a process has more than one of anything."""
_LONGEST: Final = 16 * 1024
_DICTIONARIES: Final = ROOT / "fuzz" / "dictionaries"
_TAR: Final = ("tar_index",)
_JSON: Final = ("documents", "json_text", "records", "translation")


def flags(name: str, seconds: int) -> list[str]:
    """What libFuzzer is told."""
    crashes = BUILD / "crashes" / name
    crashes.mkdir(parents=True, exist_ok=True)
    words = "json" if name in _JSON else "tar" if name in _TAR else None
    return [
        f"-max_total_time={seconds}",
        f"-timeout={_SECONDS_AN_INPUT}",
        f"-rss_limit_mb={_MEMORY}",
        f"-max_len={_LONGEST}",
        f"-artifact_prefix={crashes}/",
        "-print_final_stats=1",
        *([f"-dict={_DICTIONARIES / words}.dict"] if words else []),
    ]


def main() -> None:
    """Runs until the time is over or something is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("flags", nargs="*", help="for libFuzzer, behind --")
    arguments = parser.parse_args()

    atheris: Any = import_module("atheris")  # an optional tool
    # What is loaded here is watched: the whole package, and the reader of headers that it uses.
    with atheris.instrument_imports(include=["oci_convert", "tarfile"]):
        target = load(arguments.target)
        import oci_convert
        from mutations import remade

        for module in walk_packages(oci_convert.__path__, "oci_convert."):
            if not module.name.startswith(("oci_convert.__main__", "oci_convert.cli")):
                import_module(module.name)
    corpus = BUILD / "corpus" / arguments.target
    corpus.mkdir(parents=True, exist_ok=True)
    told = flags(arguments.target, arguments.seconds)

    def mutate(data: bytes, longest: int, dice: int) -> bytes:
        """Half of the time a document stays one: few bytes that are damaged are JSON."""
        document, mark, choices = data.partition(DICE)
        if dice % 2:
            document = remade(document, Draws(sha256(b"%d" % dice).digest()))
            return (document + mark + choices)[:longest]
        return bytes(atheris.Mutate(data, longest))

    more = {"custom_mutator": mutate} if arguments.target in _JSON else {}
    argv = [sys.argv[0], *told, *arguments.flags, str(corpus)]
    atheris.Setup(argv, target.run, **more)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
