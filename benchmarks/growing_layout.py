#!/usr/bin/env python3
"""Times adding images to a layout that holds many: ``growing_layout.py [--rounds N] [COUNT...]``.

Prints the table of docs/performance.md. COUNT is how many images the layout holds already. What
costs time is ``index.json``, so that their blobs are left out. The figures are milliseconds of
processor time for one image, the median of the rounds, as others may use the machine, too; nothing
is brought to the disk.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final

from oci_convert import Memory, convert
from oci_convert.stores import OciLayout, SinkStore
from oci_convert.testing import docker_image, write_images

COUNTS: Final = (0, 1000, 10_000, 40_000)
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"


def index(images: int) -> bytes:
    """What lists so many images of a company."""
    entries = []
    for number in range(images):
        digest = hashlib.sha256(b"%d" % number).hexdigest()
        name = f"registry.example.com/team/app-{number}:1.0"
        annotations = {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name,
        }
        entry = {"mediaType": MANIFEST, "digest": f"sha256:{digest}", "size": 1234}
        entries.append({**entry, "annotations": annotations})
    return json.dumps({"schemaVersion": 2, "manifests": entries}, separators=(",", ":")).encode()


def layout(images: int, folder: Path) -> Path:
    """A layout that holds so many images."""
    path = folder / f"{images}"
    path.mkdir()
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (path / "index.json").write_bytes(index(images))
    return path


def fresh() -> Iterator[Memory]:
    """One new image after the other."""
    for number in count():
        image = docker_image({"etc/motd": f"{number}"})
        yield write_images({f"registry.example.com/new-{number}:1.0": image}, Memory())


def milliseconds(target: str | SinkStore, sources: Iterator[Memory], rounds: int) -> float:
    """What one image takes."""
    taken = []
    for source in (next(sources) for _ in range(rounds)):
        began = time.process_time()
        convert(source, target, to="oci", fsync=False)
        taken.append(1e3 * (time.process_time() - began))
    return median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", metavar="N", type=int, default=15, help="rounds (15)")
    parser.add_argument("counts", metavar="COUNT", type=int, nargs="*", default=COUNTS)
    options = parser.parse_args()
    print("| images in the layout | `index.json` | one call | calls that share an `OciLayout` |")
    print("|---|---|---|---|")
    sources = fresh()
    convert(next(sources), Memory())  # whatever is imported or set up once is
    for images in options.counts:
        with tempfile.TemporaryDirectory() as folder:
            path = layout(images, Path(folder))
            size = (path / "index.json").stat().st_size / 1e6
            alone = milliseconds(f"oci:{path}", sources, options.rounds)
            shared = OciLayout(path)
            milliseconds(shared, sources, 1)  # the first of them parses
            together = milliseconds(shared, sources, options.rounds)
            print(
                f"| {images:,} | {size:.1f} MB | {alone:.0f} ms | {together:.0f} ms |", flush=True
            )


if __name__ == "__main__":
    main()
