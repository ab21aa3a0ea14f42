#!/usr/bin/env python3
"""Makes the images that ``benchmarks/run.py`` measures with, from files of this machine.

``python benchmarks/images.py FOLDER`` builds each of them unless it is there:

* ``tars/`` – seven layers, about 900 MB; the largest has 385 MB
* ``docker-save.tar`` – these, as ``docker save`` of Docker 20.10 writes them
* ``docker-dir``, ``oci-gzip``, ``oci-zstd`` – the same image, converted by this project
* ``many/`` – a thousand images of four layers and 2 MB, each a ``dir:`` directory
* ``docker-layout`` – the same in a layout, with Docker's documents
* ``layers-100`` and ``layers-1000`` – images of so many layers of 64 KiB, as ``dir:`` directories
* ``save-30.tar`` and ``save-300.tar`` – archives of ``docker save`` with one layer of so many MB
* ``index-100`` to ``index-2000`` – layouts with an index of so many manifests over 50 layers

A machine with the same files gives the same bytes. Nothing is fetched.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from oci_convert import Compress, Compression, Family, convert
from oci_convert.layers.compression import compress
from oci_convert.spec.media_types import Cell, Kind, name_of

MB: Final = 1_000_000
ROOTS: Final = ("/usr/lib", "/usr/share", "/usr/include", "/usr/bin", "/usr/libexec")
LAYERS: Final = (
    (385 * MB, "/usr/lib"),
    (210 * MB, "/usr/share"),
    (130 * MB, "/usr/bin"),
    (90 * MB, "/usr/include"),
    (50 * MB, "/usr/lib"),
    (25 * MB, "/usr/share"),
    (10 * MB, "/usr/lib"),
)
"""The size of each layer, and the folder whose files it takes first."""
SMALL_LAYERS: Final = (1_400_000, 400_000, 180_000, 4_000)
SMALL_IMAGES: Final = 1000
INDEXES: Final = (100, 500, 1000, 2000)
MANY_LAYERS: Final = (100, 1000)
LAYER_SIZES: Final = (30, 300)
SHARED_LAYERS: Final = 50
LAYERS_OF_A_MANIFEST: Final = 10

_LARGEST_FILE: Final = 24 * MB  # so that a layer comes out as large as it is meant to be
_SMALL_FILE: Final = 60_000
_BLOCK: Final = 512
_CREATED: Final = "2024-01-01T00:00:00.123456789Z"


class Blob(NamedTuple):
    data: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "size": len(self.data), "digest": self.digest}


def media_type(family: Family, kind: Kind, compression: Compression | None = None) -> str:
    name = name_of(Cell(kind, compression), family)
    assert name is not None
    return name


# -- layers -------------------------------------------------------------------------------------


class Files:
    """The files of the machine, each taken once, in the order of their names."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._pools = {root: self._found(root) for root in ROOTS}

    def _found(self, root: str) -> Iterator[Path]:
        for parent, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                path = Path(parent, name)
                if path.is_symlink() or not path.is_file() or not os.access(path, os.R_OK):
                    continue
                if path.stat().st_size <= self._largest:
                    yield path

    def take(self, size: int, first: str) -> Iterator[tuple[str, bytes]]:
        """Names and contents of about ``size`` bytes, from ``first`` and then from the others."""
        left = size
        for root in dict.fromkeys((first, *ROOTS)):
            for path in self._pools[root]:
                data = path.read_bytes()
                yield str(path).lstrip("/"), data
                left -= _BLOCK + len(data)
                if left <= 0:
                    return


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def make_tars(target: Path) -> None:
    target.mkdir()
    files = Files(_LARGEST_FILE)
    for number, (size, first) in enumerate(LAYERS):
        with tarfile.open(target / f"{number}.tar", "w") as archive:
            for name, data in files.take(size, first):
                add(archive, name, data)


def image_config(diff_ids: list[str], comment: str = "") -> bytes:
    """An image config as dockerd spells it."""
    value = {
        "architecture": "amd64",
        "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/usr/bin:/bin"], "OnBuild": None},
        "container_config": {"Cmd": ["/bin/sh", "-c", "#(nop) COPY"]},
        "created": _CREATED,
        "docker_version": "20.10.24",
        "history": [{"created": _CREATED, "created_by": "COPY", "comment": comment}]
        * len(diff_ids),
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    return json.dumps(value, separators=(",", ":")).encode()


# -- the large image ----------------------------------------------------------------------------


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_docker_save(tars: list[Path], target: Path) -> None:
    """The classic form of the archive: a folder for each layer, documents beside them."""
    diff_ids = [sha256(tar) for tar in tars]
    config = image_config([f"sha256:{diff_id}" for diff_id in diff_ids])
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    ids = [hashlib.sha256(f"layer {diff_id}".encode()).hexdigest() for diff_id in diff_ids]
    rows = [
        {
            "Config": config_name,
            "RepoTags": ["benchmark:large"],
            "Layers": [f"{layer}/layer.tar" for layer in ids],
        }
    ]
    with tarfile.open(target, "w") as archive:
        for layer, tar in zip(ids, tars, strict=True):
            add(archive, f"{layer}/VERSION", b"1.0")
            add(archive, f"{layer}/json", json.dumps({"id": layer}).encode())
            member = tarfile.TarInfo(f"{layer}/layer.tar")
            member.size = tar.stat().st_size
            with tar.open("rb") as content:
                archive.addfile(member, content)
        add(archive, config_name, config)
        add(archive, "manifest.json", json.dumps(rows).encode())
        add(archive, "repositories", json.dumps({"benchmark": {"large": ids[-1]}}).encode())


# -- small images -------------------------------------------------------------------------------


def small_tars() -> list[bytes]:
    files = Files(_SMALL_FILE)
    tars = []
    for size in SMALL_LAYERS:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, data in files.take(size, "/usr/bin"):
                add(archive, name, data)
        tars.append(buffer.getvalue())
    return tars


def marked(tar: bytes, text: str) -> bytes:
    """The same tar with a file before all others, which makes it another layer."""
    member = tarfile.TarInfo("mark")
    member.size = _BLOCK
    return member.tobuf(tarfile.USTAR_FORMAT) + text.encode().ljust(_BLOCK) + tar


def gzip(data: bytes) -> bytes:
    return b"".join(compress([data], Compression.GZIP, None))


def write_dir(tars: list[bytes], target: Path, comment: str) -> None:
    """An image of Docker's types as a ``dir:`` directory, its manifest as dockerd spells it."""
    target.mkdir()
    layer_type = media_type(Family.DOCKER, Kind.LAYER, Compression.GZIP)
    layers = [Blob(gzip(tar), layer_type) for tar in tars]
    diff_ids = [Blob(tar, "").digest for tar in tars]
    config = Blob(image_config(diff_ids, comment), media_type(Family.DOCKER, Kind.CONFIG))
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type(Family.DOCKER, Kind.MANIFEST),
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
    }
    for blob in (config, *layers):
        (target / blob.digest.partition(":")[2]).write_bytes(blob.data)
    (target / "version").write_text("Directory Transport Version: 1.1\n")
    (target / "manifest.json").write_text(json.dumps(manifest, indent=3))


def make_many(target: Path) -> None:
    target.mkdir()
    tars = small_tars()

    def make(number: int) -> None:
        name = f"{number:04}"
        write_dir([marked(tar, name) for tar in tars], target / name, name)

    with ThreadPoolExecutor() as pool:
        list(pool.map(make, range(SMALL_IMAGES)))


def make_layers(count: int, target: Path) -> None:
    """One image of many layers, which differ and hardly pack."""
    noise = hashlib.shake_128(b"layer").digest(64 * 1024)
    write_dir([marked(noise, f"layer {number}") for number in range(count)], target, "")


def make_one_layer(size: int, tar: Path, target: Path) -> None:
    """An archive with the beginning of the largest layer, so that it unpacks to ``size`` MB."""
    part = target.with_suffix(".part")
    with tar.open("rb") as source, part.open("wb") as to:
        to.write(source.read(size * MB))
    make_docker_save([part], target)
    part.unlink()


def make_index(count: int, target: Path) -> None:
    """A layout with one index called ``a``; its manifests take turns in the shared layers."""
    blobs = target / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, kind: Kind, compression: Compression | None = None) -> Blob:
        blob = Blob(data, media_type(Family.OCI, kind, compression))
        (blobs / blob.digest.partition(":")[2]).write_bytes(data)
        return blob

    def document(kind: Kind, **members: Any) -> Blob:
        value = {"schemaVersion": 2, "mediaType": media_type(Family.OCI, kind), **members}
        return put(json.dumps(value, separators=(",", ":")).encode(), kind)

    tars = [marked(bytes(2 * _BLOCK), f"layer {i}") for i in range(SHARED_LAYERS)]
    layers = [put(gzip(tar), Kind.LAYER, Compression.GZIP) for tar in tars]
    entries = []
    for i in range(count):
        chosen = [(i * 7 + k) % SHARED_LAYERS for k in range(LAYERS_OF_A_MANIFEST)]
        diff_ids = [Blob(tars[k], "").digest for k in chosen]
        config = put(image_config(diff_ids, f"image {i}"), Kind.CONFIG)
        manifest = document(
            Kind.MANIFEST,
            config=config.descriptor(),
            layers=[layers[k].descriptor() for k in chosen],
        )
        platform = {"architecture": "amd64", "os": "linux", "os.version": f"10.0.{i}"}
        entries.append({**manifest.descriptor(), "platform": platform})
    top = document(Kind.INDEX, manifests=entries).descriptor()
    top["annotations"] = {"org.opencontainers.image.ref.name": "a"}
    index = {"schemaVersion": 2, "manifests": [top]}
    (target / "index.json").write_text(json.dumps(index, separators=(",", ":")))
    (target / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


# -- all of them --------------------------------------------------------------------------------


def build(folder: Path) -> None:
    """Build what is missing; each appears under its name when it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    tars = folder / "tars"
    saved = folder / "docker-save.tar"
    source = f"docker-archive:{saved}"
    recipes: dict[str, Callable[[Path], object]] = {
        "tars": make_tars,
        "docker-save.tar": lambda path: make_docker_save(sorted(tars.iterdir()), path),
        "docker-dir": lambda path: convert(source, f"dir:{path}", to=Family.DOCKER),
        "oci-gzip": lambda path: convert(f"dir:{folder / 'docker-dir'}", f"oci:{path}:a"),
        "docker-layout": lambda path: convert(
            f"dir:{folder / 'docker-dir'}", f"oci:{path}:a", to=Family.DOCKER
        ),
        "oci-zstd": lambda path: convert(source, f"oci:{path}:a", compress=Compress.ZSTD),
        "many": make_many,
        **{f"layers-{count}": partial(make_layers, count) for count in MANY_LAYERS},
        **{
            f"save-{size}.tar": partial(make_one_layer, size, tars / "0.tar")
            for size in LAYER_SIZES
        },
        **{f"index-{count}": partial(make_index, count) for count in INDEXES},
    }
    for name, make in recipes.items():
        path, unfinished = folder / name, folder / f"unfinished-{name}"
        if not path.exists():
            print(f"making {name}", file=sys.stderr, flush=True)
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    build(parser.parse_args().folder)


if __name__ == "__main__":
    main()
