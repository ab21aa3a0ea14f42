#!/usr/bin/env python3
"""Times the inner loops: ``python benchmarks/inner_loops.py [--rounds N] [WORD...]``.

Each line is the best and the median of so many rounds, in one thread; a word chooses the lines that
hold it. Everything happens in memory.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from images import Blob, media_type
from oci_convert import Compression, Family, translate
from oci_convert.documents.document import Role, read_document
from oci_convert.documents.json_reader import scan
from oci_convert.options import Options
from oci_convert.planning.decide import decide
from oci_convert.spec.media_types import Kind
from oci_convert.stores.files.memory import MemoryFiles
from oci_convert.stores.files.tar import Tar
from oci_convert.stores.oci_layout import OciLayoutSource
from oci_convert.transform.document_edits import Child, edit
from oci_convert.tree.reader import read_tree

LAYERS: Final = 20
MANIFESTS: Final = 2000
MEMBERS: Final = 10_000
Loop = Callable[[], object]


def loops() -> Iterator[tuple[str, Loop]]:
    """The name of each line, and what it times."""
    small = spelled(manifest("image", LAYERS), 3)
    large = spelled(index([Blob(bytes(8), "") for _ in range(MANIFESTS)]), 3)
    yield f"scan a manifest of {LAYERS + 1} descriptors", lambda: scan(small)
    yield f"scan an index of {MANIFESTS} entries", lambda: scan(large)
    for name, raw in (("manifest", small), ("index", large)):
        yield (
            f"read {article(name)} (scan, models, names)",
            partial(read_document, raw, None),
        )
        yield f"rename every media type of {article(name)}", renaming(raw)
    yield "translate a manifest, and back", lambda: translate(small, Family.OCI)
    place, options = layout(MANIFESTS), Options()
    source = OciLayoutSource(place, "memory")
    tree = read_tree(source, source.roots())
    yield f"read the tree of {MANIFESTS} manifests", lambda: read_tree(source, source.roots())
    yield f"plan the tree of {MANIFESTS} manifests", lambda: decide(tree, Family.OCI, options)
    archive = tar_of(MEMBERS)
    yield f"index a tar of {MEMBERS} members", lambda: indexed(archive)


def article(name: str) -> str:
    return f"{'an' if name == 'index' else 'a'} {name}"


# -- documents ----------------------------------------------------------------------------------


def manifest(text: str, layers: int) -> dict[str, Any]:
    config = Blob(text.encode(), media_type(Family.DOCKER, Kind.CONFIG))
    gzip = media_type(Family.DOCKER, Kind.LAYER, Compression.GZIP)
    return {
        "schemaVersion": 2,
        "mediaType": media_type(Family.DOCKER, Kind.MANIFEST),
        "config": config.descriptor(),
        "layers": [Blob(f"layer {i}".encode(), gzip).descriptor() for i in range(layers)],
    }


def index(manifests: list[Blob]) -> dict[str, Any]:
    name = media_type(Family.DOCKER, Kind.MANIFEST)
    return {
        "schemaVersion": 2,
        "mediaType": media_type(Family.DOCKER, Kind.INDEX),
        "manifests": [
            {
                **blob._replace(media_type=name).descriptor(),
                "platform": {"architecture": "amd64", "os": "linux", "os.version": f"10.0.{i}"},
            }
            for i, blob in enumerate(manifests)
        ],
    }


def spelled(value: object, indent: int | None = None) -> bytes:
    return json.dumps(value, indent=indent).encode()


def renaming(raw: bytes) -> Loop:
    """What turns every descriptor of a Docker document into an OCI one."""
    document = read_document(raw, None)
    kinds = {Role.CONFIG: Kind.CONFIG, Role.ENTRY: Kind.MANIFEST}
    gzip = media_type(Family.OCI, Kind.LAYER, Compression.GZIP)
    children = [
        Child(
            slot.descriptor.renamed(
                gzip if slot.role is Role.LAYER else media_type(Family.OCI, kinds[slot.role])
            )
        )
        for slot in document.slots
    ]
    return lambda: edit(document, Family.OCI, children)


def layout(count: int) -> MemoryFiles:
    """A layout in memory with one list of so many manifests over the same layers."""
    files: dict[str, bytes] = {}

    def put(blob: Blob) -> Blob:
        files[f"blobs/{blob.digest.replace(':', '/')}"] = blob.data
        return blob

    for i in range(LAYERS):
        put(Blob(f"layer {i}".encode(), ""))
    entries = []
    for i in range(count):
        put(Blob(f"image {i}".encode(), ""))
        entries.append(put(Blob(spelled(manifest(f"image {i}", LAYERS)), "")))
    top = put(Blob(spelled(index(entries)), media_type(Family.DOCKER, Kind.INDEX)))
    files["index.json"] = spelled({"schemaVersion": 2, "manifests": [top.descriptor()]})
    return MemoryFiles(files)


# -- archives -----------------------------------------------------------------------------------


def tar_of(members: int) -> Path:
    path = Path(tempfile.mkdtemp()) / "members.tar"
    with tarfile.open(path, "w") as archive:
        for i in range(members):
            member = tarfile.TarInfo(f"folder/{i:06}/layer.tar")
            member.size = 100
            archive.addfile(member, io.BytesIO(bytes(100)))
    return path


def indexed(path: Path) -> None:
    with closing(Tar(path)) as archive:
        assert archive.size("folder/000000/layer.tar") == 100


# -- timing -------------------------------------------------------------------------------------


def timed(loop: Loop, rounds: int) -> list[float]:
    """Milliseconds of a call, once a round; a quick one is repeated to fill 20 ms."""
    began = time.perf_counter()
    loop()
    calls = max(1, int(0.02 / (time.perf_counter() - began)))
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(calls):
            loop()
        times.append(1e3 * (time.perf_counter() - began) / calls)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(f"| {'loop':45} | best, ms | median, ms |\n|{'-' * 47}|---------:|-----------:|")
    for name, loop in loops():
        if all(word in name for word in options.words):
            times = timed(loop, options.rounds)
            print(f"| {name:45} | {min(times):8.3f} | {median(times):10.3f} |", flush=True)


if __name__ == "__main__":
    main()
