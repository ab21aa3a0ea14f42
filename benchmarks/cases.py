"""What is measured: the conversions, who takes part in each, and what must hold."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

__all__ = ["Case", "Contender", "Limit", "Result", "Results", "cases", "start_up"]

HERE: Final = Path(__file__).parent
PYTHON: Final = sys.executable
OURS: Final = str(Path(sys.executable).parent / "oci-convert")
PEERS: Final = {
    "skopeo": "skopeo",
    **dict(named.split("=", 1) for named in os.environ.get("PEERS", "").split()),
}
"""The commands to measure against, by name: ``PEERS="skopeo=/opt/skopeo regctl=regctl"``. Those of
regctl and crane take part where they are named."""
IMPORTS: Final = "import typer + pydantic"
ONE_MODEL: Final = "one model of pydantic"
MIB: Final = 1024 * 1024
_MEMORY: Final = 150


class Result(NamedTuple):
    """All runs of one contender."""

    wall: list[float]
    """Seconds of each run."""
    cpu: list[float]
    memory: int
    """Peak, in bytes, over all runs."""
    size: int
    """Bytes in the target after the last run."""

    @property
    def seconds(self) -> float:
        return median(self.wall)


Results = dict[str, Result]
"""By the name of the contender."""


@dataclass(frozen=True)
class Contender:
    """A command that takes part in a case."""

    name: str
    command: Callable[[Path], list[str]]
    """The command line that writes to a folder."""
    prepare: Callable[[Path], object] = lambda _: None
    """What has to be in that folder before; not measured."""

    @property
    def is_ours(self) -> bool:
        return self.name.startswith("oci-convert")


@dataclass(frozen=True)
class Limit:
    """Something that must hold."""

    what: str
    limit: float
    unit: str
    value: Callable[[Results, Results], float]
    """From the results of the case and those of the start-up."""
    needs: tuple[str, ...]
    """The contenders without which there is nothing to say; the first is the one judged."""


@dataclass(frozen=True)
class Case:
    """Commands that take turns."""

    name: str
    title: str
    contenders: list[Contender]
    limits: list[Limit] = field(default_factory=list)
    base: str | None = None
    """The contender whose time is 1."""
    bounded: bool = True
    """Whether the memory of each run of ours is limited."""

    def memory_limits(self) -> list[Limit]:
        """The limit that holds for every run of ours, where anything has to hold."""
        return [
            memory(who.name)
            for who in self.contenders
            if who.is_ours and self.limits and self.bounded
        ]


_MODEL: Final = "import typer; from pydantic import BaseModel\nclass Model(BaseModel): a: int = 0"
_VERSION: Final = {"skopeo": "--version"}


def start_up() -> Case:
    """What every command pays before it does anything."""
    programs = {
        "python -c pass": [PYTHON, "-c", "pass"],
        # Importing pydantic alone loads next to nothing of it.
        IMPORTS: [PYTHON, "-c", "import typer; from pydantic import BaseModel"],
        ONE_MODEL: [PYTHON, "-c", _MODEL],
        "import oci_convert": [PYTHON, "-c", "import oci_convert"],
        "oci-convert --version": [OURS, "--version"],
        **{
            f"{name} --version": [path, _VERSION.get(name, "version")]
            for name, path in PEERS.items()
        },
    }
    contenders = [Contender(name, partial(_ignoring, argv)) for name, argv in programs.items()]
    return Case("start-up", "Start-up", contenders)


def _ignoring(argv: list[str], _: Path) -> list[str]:
    return argv


def ours(*arguments: str | Path) -> list[str]:
    return [OURS, "convert", "--quiet", *map(str, arguments)]


def skopeo(*arguments: str) -> list[str]:
    return [PEERS["skopeo"], "--insecure-policy", "copy", "--quiet", *arguments]


def regctl(name: str, *arguments: str, source: Path | None = None) -> list[Contender]:
    """A run of regctl, if it was named as a peer; ``source`` is a layout that it changes itself.

    ``{}`` in an argument is the folder to write to.
    """
    if "regctl" not in PEERS:
        return []
    command = [PEERS["regctl"], "image", *arguments]
    prepare = partial(linked, source) if source is not None else Contender.prepare
    return [Contender(name, lambda to: [word.format(to) for word in command], prepare)]


def cp(source: Path) -> Contender:
    return Contender("cp -r (nothing is hashed)", lambda to: ["cp", "-r", str(source), f"{to}/cp"])


def floor(name: str, mode: str, source: Path) -> Contender:
    script = str(HERE / "floor.py")
    return Contender(name, lambda to: [PYTHON, "-I", script, mode, str(source), str(to / "floor")])


def linked(source: Path, to: Path) -> None:
    """A copy of a layout of hard links: writing to it replaces files and changes none."""
    shutil.copytree(source, to / "layout", copy_function=os.link)


def ratio(what: str, limit: float, name: str, base: str, *, net: bool = False) -> Limit:
    def value(now: Results, started: Results) -> float:
        start = started[IMPORTS].seconds if net else 0.0
        return (now[name].seconds - start) / now[base].seconds

    return Limit(what, limit, "×", value, (name, base))


def no_larger(what: str, limit: float, name: str, base: str) -> Limit:
    return Limit(what, limit, "×", lambda now, _: now[name].size / now[base].size, (name, base))


def memory(name: str) -> Limit:
    return Limit("peak memory", _MEMORY, "MiB", lambda now, _: now[name].memory / MIB, (name,))


# -- the cases ----------------------------------------------------------------------------------


def cases(images: Path) -> list[Case]:
    """Every case, in the order of the report."""
    indexes = sorted(images.glob("index-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    return [
        _copying(images),
        _inside(images / "oci-gzip"),
        _to_docker(images / "oci-gzip"),
        _packing(images),
        _repacking(images),
        _archiving(images / "oci-gzip"),
        _small(images / "many" / "0000"),
        _many(images / "many"),
        _index(indexes),
        _verifying(images / "oci-gzip"),
        _growth(images),
    ]


def _copying(images: Path) -> Case:
    source = images / "docker-dir"
    plain, linking, peer = "oci-convert --no-fsync", "oci-convert --no-fsync --link", "skopeo"
    copied = "hash and copy, two threads"

    def to_the_floor(now: Results, started: Results) -> float:
        mine = now[plain].seconds - started[IMPORTS].seconds
        return mine / (now[copied].seconds - started["python -c pass"].seconds)

    return Case(
        "dir-to-oci",
        "`dir:` gzip → OCI layout",
        [
            Contender(plain, lambda to: ours(f"dir:{source}", f"oci:{to}/L:a", "--no-fsync")),
            Contender("oci-convert", lambda to: ours(f"dir:{source}", f"oci:{to}/L:a")),
            Contender(
                linking, lambda to: ours(f"dir:{source}", f"oci:{to}/L:a", "--no-fsync", "--link")
            ),
            Contender(peer, lambda to: skopeo(f"dir:{source}", f"oci:{to}/L:a")),
            *regctl(
                "regctl (layout → layout)",
                *("mod", f"ocidir://{images / 'docker-layout'}:a"),
                *("--to-oci", "--create", "ocidir://{}/L:a"),
            ),
            floor(copied, "copy", source),
            floor("hash and link, two threads", "link", source),
            cp(source),
        ],
        [
            ratio("wall without start-up", 0.40, plain, peer, net=True),
            Limit(
                "wall without start-up, of hashing and copying in two threads",
                1.2,
                "×",
                to_the_floor,
                (plain, copied),
            ),
            ratio("wall without start-up", 0.35, linking, peer, net=True),
        ],
        base=peer,
    )


def _inside(source: Path) -> Case:
    names = ("oci-convert", "oci-convert --no-fsync")

    def command(*flags: str) -> Callable[[Path], list[str]]:
        return lambda to: ours(f"oci:{to}/layout:a", f"oci:{to}/layout:b", "--to", "docker", *flags)

    return Case(
        "inside-a-layout",
        "Inside one layout",
        [
            Contender(names[0], command(), lambda to: linked(source, to)),
            Contender(names[1], command("--no-fsync"), lambda to: linked(source, to)),
            *regctl(
                "regctl",
                *("mod", "ocidir://{}/layout:a", "--to-docker", "--create", "b"),
                source=source,
            ),
        ],
        [Limit("wall", 0.25, "s", lambda now, _: now[names[0]].seconds, names[:1])],
    )


def _to_docker(source: Path) -> Case:
    mine, peer = "oci-convert --no-fsync", "skopeo"
    reference = f"oci:{source}:a"
    return Case(
        "oci-to-docker",
        "OCI gzip → Docker `dir:`",
        [
            Contender(
                mine, lambda to: ours(reference, f"dir:{to}/D", "--to", "docker", "--no-fsync")
            ),
            Contender(peer, lambda to: skopeo(reference, f"dir:{to}/D", "--format", "v2s2")),
            *regctl(
                "regctl (layout → layout)",
                *("mod", f"ocidir://{source}:a", "--to-docker", "--create", "ocidir://{}/L:a"),
            ),
        ],
        [ratio("wall without start-up", 0.40, mine, peer, net=True)],
        base=peer,
    )


def _packing(images: Path) -> Case:
    source = f"docker-archive:{images / 'docker-save.tar'}"
    flags = "--no-fsync"  # skopeo does not flush either
    gzip, quick, fast, zstd = (
        f"oci-convert {flags}{more}" for more in ("", " --level 2", " --fast", " --compress zstd")
    )
    peer, command = "skopeo", "zstd -3 (not hashed)"
    each = 'for tar in "$0"/*.tar; do zstd -3 -q "$tar" -o "$1/$(basename "$tar").zst"; done'
    return Case(
        "docker-save-to-oci",
        "docker-save → OCI layout",
        [
            Contender(gzip, lambda to: ours(source, f"oci:{to}/L:a", flags)),
            Contender(quick, lambda to: ours(source, f"oci:{to}/L:a", flags, "--level", "2")),
            Contender(fast, lambda to: ours(source, f"oci:{to}/L:a", flags, "--fast")),
            Contender(zstd, lambda to: ours(source, f"oci:{to}/L:a", flags, "--compress", "zstd")),
            Contender(peer, lambda to: skopeo(source, f"oci:{to}/L:a")),
            Contender(command, lambda to: ["sh", "-c", each, str(images / "tars"), str(to)]),
        ],
        [
            ratio("wall", 0.80, gzip, peer),
            no_larger("size, of skopeo's", 1.0, gzip, peer),
            ratio("wall", 0.68, quick, peer),
            no_larger("size, of skopeo's", 1.04, quick, peer),
            ratio("wall", 0.35, fast, peer),
            no_larger("size, of skopeo's", 1.06, fast, peer),
            ratio("wall, of skopeo's to gzip", 0.35, zstd, peer),
            no_larger("size, of `zstd -3`", 1.0, zstd, command),
        ],
        base=peer,
    )


def _repacking(images: Path) -> Case:
    flags = "--no-fsync"
    to_gzip, to_zstd = (
        f"oci-convert {flags}, {what}" for what in ("OCI zstd → Docker gzip", "OCI gzip → OCI zstd")
    )
    peer = "skopeo, docker-save → OCI gzip"
    zstd, gzip = f"oci:{images / 'oci-zstd'}:a", f"oci:{images / 'oci-gzip'}:a"
    return Case(
        "recompressing",
        "From compressed to compressed",
        [
            Contender(to_gzip, lambda to: ours(zstd, f"dir:{to}/D", flags, "--to", "docker")),
            Contender(to_zstd, lambda to: ours(gzip, f"oci:{to}/L:a", flags, "--compress", "zstd")),
            Contender(
                peer,
                lambda to: skopeo(f"docker-archive:{images / 'docker-save.tar'}", f"oci:{to}/L:a"),
            ),
        ],
        [
            ratio("wall, of skopeo's docker-save → gzip", 0.95, to_gzip, peer),
            ratio("wall, of skopeo's docker-save → gzip", 0.55, to_zstd, peer),
        ],
        base=peer,
    )


def _archiving(source: Path) -> Case:
    mine, peer = "oci-convert (layers as they are)", "skopeo (unpacks the layers)"
    reference = f"oci:{source}:a"
    return Case(
        "oci-to-docker-archive",
        "OCI gzip → docker-archive",
        [
            Contender(mine, lambda to: ours(reference, f"docker-archive:{to}/a.tar:app:1")),
            Contender(
                "oci-convert --no-fsync",
                lambda to: ours(reference, f"docker-archive:{to}/a.tar:app:1", "--no-fsync"),
            ),
            Contender(peer, lambda to: skopeo(reference, f"docker-archive:{to}/a.tar:app:1")),
        ],
        [ratio("wall", 0.25, mine, peer)],
        base=peer,
    )


def _small(source: Path) -> Case:
    mine, fastest, peer = "oci-convert", "oci-convert --no-fsync", "skopeo"
    return Case(
        "small",
        "An image of 2 MB, the whole command",
        [
            Contender(mine, lambda to: ours(f"dir:{source}", f"oci:{to}/L:a")),
            Contender(fastest, lambda to: ours(f"dir:{source}", f"oci:{to}/L:a", "--no-fsync")),
            Contender(peer, lambda to: skopeo(f"dir:{source}", f"oci:{to}/L:a")),
        ],
        [
            Limit(
                "wall, of importing typer and pydantic",
                1.4,
                "×",
                lambda now, started: now[fastest].seconds / started[IMPORTS].seconds,
                (fastest,),
            )
        ],
        base=peer,
    )


def _many(source: Path) -> Case:
    mine, flushed, copied = "oci-convert --no-fsync", "oci-convert", cp(source)
    folders = sorted(source.iterdir()) if source.is_dir() else []
    references = [f"dir:{folder}" for folder in folders]

    return Case(
        "many",
        f"{len(folders)} images of 2 MB in one call",
        [
            Contender(mine, lambda to: ours(*references, f"oci:{to}/L", "--no-fsync")),
            Contender(flushed, lambda to: ours(*references, f"oci:{to}/L")),
            copied,
        ],
        [ratio("wall, of `cp -r`", 1.0, mine, copied.name)],
        base=copied.name,
    )


def _index(layouts: list[Path]) -> Case:
    def contender(layout: Path) -> Contender:
        count = layout.name.rpartition("-")[2]
        return Contender(
            f"oci-convert, {count} manifests",
            lambda to: ours(
                f"oci:{to}/layout:a", f"oci:{to}/layout:b", "--to", "docker", "--no-fsync"
            ),
            lambda to: linked(layout, to),
        )

    contenders = [contender(layout) for layout in layouts]
    return Case(
        "index",
        "An index whose manifests share 50 layers, inside one layout",
        contenders,
        base=contenders[0].name if contenders else None,
    )


def _verifying(source: Path) -> Case:
    mine = "oci-convert verify"
    unpacked = floor("hash, inflate and hash, two threads", "unpack", source / "blobs" / "sha256")

    def to_the_floor(now: Results, started: Results) -> float:
        net = now[mine].seconds - started[IMPORTS].seconds
        return net / (now[unpacked.name].seconds - started["python -c pass"].seconds)

    what = "wall without start-up, of hashing and inflating in two threads"
    return Case(
        "verify",
        "Verifying a layout",
        [Contender(mine, lambda _: [OURS, "verify", "--quiet", f"oci:{source}"]), unpacked],
        [Limit(what, 1.15, "×", to_the_floor, (mine, unpacked.name))],
        base=unpacked.name,
    )


def _growth(images: Path) -> Case:
    """Ten times of everything, without start-up."""
    many = [f"dir:{folder}" for folder in sorted((images / "many").glob("*"))]
    converted: dict[str, Callable[[Path], list[str]]] = {
        **{
            f"{count} layers": partial(_to_layout, [f"dir:{images / f'layers-{count}'}"])
            for count in (100, 1000)
        },
        **{
            f"{count} platforms": partial(
                _to_layout, [f"oci:{images / f'index-{count}'}:a"], family="docker"
            )
            for count in (100, 1000)
        },
        **{f"{count} images": partial(_to_layout, many[:count]) for count in (100, 1000)},
        **{
            f"a layer of {size} MB": partial(
                _to_layout, [f"docker-archive:{images / f'save-{size}.tar'}"]
            )
            for size in (30, 300)
        },
    }
    names = list(converted)
    return Case(
        "growth",
        "Ten times as much",
        [Contender(f"oci-convert, {name}", command) for name, command in converted.items()],
        [
            _at_most_linear(f"oci-convert, {large}", f"oci-convert, {small}")
            for small, large in zip(names[::2], names[1::2], strict=True)
        ]
        + [memory(f"oci-convert, {names[-1]}")],
        bounded=False,
    )


def _to_layout(sources: list[str], to: Path, *, family: str = "oci") -> list[str]:
    return ours(*sources, f"oci:{to}/L", "--no-fsync", "--to", family)


def _at_most_linear(large: str, small: str) -> Limit:
    def value(now: Results, started: Results) -> float:
        start = started["oci-convert --version"].seconds
        return (now[large].seconds - start) / (now[small].seconds - start)

    return Limit(
        f"wall without start-up, of {small.partition(', ')[2]}", 11, "×", value, (large, small)
    )
