"""Convert every store with each single option and each pair of options; nothing may crash.

``python tests/faults/options.py [FOLDER…] [--of N --part K]`` takes what the tests know to be odd
(tests/support/malformed*.py), ``testdata/``, what the fuzzers begin with and the stores of the
folders. It prints how many runs there were, and whatever came out that is no error of the library.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from oci_convert.stores.collections import stores_in
from support.malformed_archives import ARCHIVES
from support.malformed_stores import BLOBS, STORES
from support.sweep import choices, crash_of, targets

ROOT = Path(__file__).parent.parent.parent


def stores(folders: list[Path], scratch: Path) -> Iterator[str]:
    """References to everything that is tried."""
    for i, malformed in enumerate((*ARCHIVES.values(), *BLOBS.values(), *STORES.values())):
        place = scratch / f"malformed-{i}"
        place.mkdir()
        yield malformed.store(place)
    sys.path.insert(0, str(ROOT / "fuzz"))
    fuzzing = import_module("base")
    for name in fuzzing.TARGETS:
        for i, data in enumerate(sorted(set(fuzzing.load(name).seeds()))):
            if data[257:262] == b"ustar":
                archive = scratch / f"{name}-{i}.tar"
                archive.write_bytes(data)
                yield str(archive)
    for folder in (ROOT / "testdata", *folders):
        yield from map(str, stores_in(folder))


def main() -> None:
    """One line of figures, and one for each kind of crash."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--of", type=int, default=1, help="take one of so many runs")
    parser.add_argument("--part", type=int, default=0, help="which one, from 0")
    chosen = parser.parse_args()
    crashes: Counter[str] = Counter()
    runs = 0
    with tempfile.TemporaryDirectory() as scratch:
        every = list(stores(chosen.folders, Path(scratch)))
        for i, (store, options, to) in enumerate(product(every, choices(), targets())):
            if i % chosen.of != chosen.part:
                continue
            runs += 1
            crash = crash_of(store, {**options, "to": to})
            if crash is not None:
                crashes[crash] += 1
                if crashes[crash] == 1:
                    print(f"{store} {options} to {to}: {crash}", flush=True)
    print(f"{runs} runs on {len(every)} stores, {crashes.total()} crashes of {len(crashes)} kinds")
    sys.exit(bool(crashes))


if __name__ == "__main__":
    main()
