"""Convert an image with one layer of 10 GiB in every mode, and measure memory and copies.

``python tests/faults/large.py [--gib 10] [--folder DIR]`` needs four times that on the disk, and
prints a table: for each conversion its time, its peak of resident memory, and how many bytes it
wrote for each byte of its target. More than one is a temporary copy: of an archive that comes
through a pipe, and of a layer that is packed for one.

The layer is made here: a tar of one file, a third of which is random, so that it packs about 3 : 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
GIB = 1024 * MIB
MEMORY_LIMIT = 150 * MIB
END = bytes(2 * tarfile.BLOCKSIZE)

_CHILD = """
    import resource, sys
    from oci_convert import convert, verify

    verb, options = sys.argv[1], eval(sys.argv[2])
    if verb == "verify":
        assert verify(*options["args"]).sound
    else:
        convert(*options.pop("args"), **options, fsync=False)
    written = next(line for line in open("/proc/self/io") if line.startswith("wchar"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(peak, written.split()[1], file=sys.stderr)
"""


@dataclass(frozen=True)
class Mode:
    """A conversion: what it reads, what it writes, and how."""

    name: str
    source: str
    target: str
    options: dict[str, Any]
    copies: float = 1.0
    """Bytes written for each byte of the target, at most."""
    piped: str | None = None
    """A file that comes through a pipe: it waits in one copy, beside the target."""


MODES = [
    Mode("docker-save → OCI, gzip", "docker-archive:save.tar", "oci:gzip:a", {}),
    Mode("docker-save → OCI, zstd", "docker-archive:save.tar", "oci:zstd:a", {"compress": "zstd"}),
    Mode("docker-save → docker-archive", "docker-archive:save.tar", "docker-archive:b.tar", {}),
    Mode("piped docker-save → OCI, zstd", "-", "oci:b", {"compress": "zstd"}, 5.5, "save.tar"),
    Mode("OCI gzip → dir:", "oci:gzip:a", "dir:b", {"to": "docker"}),
    Mode("OCI gzip → dir:, linked", "oci:gzip:a", "dir:b", {"to": "docker", "link": True}, 0.01),
    Mode("OCI gzip → OCI zstd", "oci:gzip:a", "oci:b:a", {"compress": "zstd"}),
    Mode("OCI zstd → Docker gzip", "oci:zstd:a", "dir:b", {"to": "docker"}),
    Mode("OCI gzip → docker-archive", "oci:gzip:a", "docker-archive:b.tar", {}),
    Mode("OCI gzip → plain", "oci:gzip:a", "docker-archive:b.tar", {"compress": "none"}),
    Mode("OCI zstd → standard output, gzip", "oci:zstd:a", "-", {"to": "docker"}, 2.0),
    Mode("verify OCI gzip", "oci:gzip:a", "", {}),
    Mode("verify docker-save", "docker-archive:save.tar", "", {}),
]


def main() -> int:
    """Make the archive, run every mode, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--gib", type=float, default=10)
    parser.add_argument("--folder", type=Path, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        write_archive(folder / "save.tar", int(arguments.gib * GIB))
        print("| conversion | seconds | peak memory | written / target |\n|---|---|---|---|")
        kept = [run(mode, folder) for mode in MODES]
    return 0 if all(kept) else 1


def run(mode: Mode, folder: Path) -> bool:
    """One row of the table; whether it kept its promises."""
    verb = "convert" if mode.target else "verify"
    args = [mode.source, mode.target] if mode.target else [mode.source]
    options = repr({"args": args} | mode.options)
    command = [sys.executable, "-c", textwrap.dedent(_CHILD), verb, options]
    piped = f"cat {mode.piped} |" if mode.piped else ""
    out = "> b" if mode.target == "-" else ""
    began = time.monotonic()
    done = subprocess.run(
        ["sh", "-c", f'{piped} "$@" {out}', "sh", *command],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode:
        print(f"| {mode.name} | failed: {done.stderr.strip().splitlines()[-1]} | | |", flush=True)
        return False
    peak, written = map(int, done.stderr.split())
    size = target_size(folder, mode) if mode.target else 0
    ratio = written / size if size else 0.0
    kept = peak <= MEMORY_LIMIT and ratio <= mode.copies + 0.01
    told = f"{ratio:.2f}" if size else "–"
    note = "" if kept else " **missed**"
    print(f"| {mode.name} | {seconds:.0f} | {peak / MIB:.0f} MiB | {told}{note} |", flush=True)
    for leftover in (folder / "b", folder / "b.tar"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
    return kept


def target_size(folder: Path, mode: Mode) -> int:
    """Bytes of everything in the target of a mode."""
    target = folder / (mode.target.split(":")[1] if ":" in mode.target else "b")
    files = target.rglob("*") if target.is_dir() else [target]
    return sum(file.stat().st_size for file in files if file.is_file())


def write_archive(path: Path, size: int) -> None:
    """What ``docker save`` of before 25 writes for an image of one layer with a tar of ``size``."""
    size -= size % tarfile.BLOCKSIZE
    digest = hashlib.sha256()
    with path.open("wb") as out:
        out.write(header("layer/layer.tar", size))
        for chunk in layer(size):
            digest.update(chunk)
            out.write(chunk)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest.hexdigest()}"]},
        }
        row = {"Config": "config.json", "RepoTags": ["large:1"], "Layers": ["layer/layer.tar"]}
        for name, value in (("config.json", config), ("manifest.json", [row])):
            data = json.dumps(value).encode()
            out.write(header(name, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE))
        out.write(END)


def header(name: str, size: int) -> bytes:
    """The header of a member, one block whatever the size."""
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


def layer(size: int) -> Iterator[bytes]:
    """A tar of ``size`` bytes with one file, of which each KiB is a third random."""
    left = size - tarfile.BLOCKSIZE - len(END)
    yield header("data", left)
    source, text = random.Random(0), bytes(range(256)) * 3
    while left:
        noise = source.randbytes(1024 * 341)
        pieces = (noise[at : at + 341] + text[:683] for at in range(0, len(noise), 341))
        chunk = b"".join(pieces)[:left]
        left -= len(chunk)
        yield chunk
    yield END


if __name__ == "__main__":
    sys.exit(main())
