"""``docs/performance.md``: the tables between its two markers, made from the results."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, Final

__all__ = ["write_report"]

BEGIN: Final = "<!-- figures: written by `make bench` -->"
END: Final = "<!-- end of the figures -->"
_PACKAGES: Final = ("typer", "pydantic", "zlib-ng", "isal", "zstandard")
_TOOLS: Final = ("skopeo", "zstd")
_MIB: Final = 1024 * 1024
_BUSY: Final = 0.5


def write_report(results: dict[str, Any], images: Path, page: Path) -> None:
    """Replace what stands between the markers of ``page``."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [BEGIN, "", *_machine(results, images), "", *_targets(results)]
    for case in results.values():
        lines += ["", *_table(case)]
    figures = "\n".join(lines)
    page.write_text(f"{before}{figures}\n\n{END}{after}", encoding="utf-8")


# -- the machine --------------------------------------------------------------------------------


def _machine(results: dict[str, Any], images: Path) -> Iterator[str]:
    today = datetime.now(UTC).strftime("%-d %B %Y")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    tars = [path.stat().st_size for path in (images / "tars").iterdir()]
    packed = sum(path.stat().st_size for path in (images / "docker-dir").iterdir())
    rounds = sorted({case["runs"] for name, case in results.items() if name != "start-up"})
    yield f"- Machine: {_cpu()}, {cores} cores, {memory:.0f} GiB, {_file_system(images)}"
    system = f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    yield f"- Software: {system}, {_versions()}"
    yield (
        f"- Large image: {len(tars)} layers, {sum(tars) / 1e6:.0f} MB plain, the largest "
        f"{max(tars) / 1e6:.0f} MB; {packed / 1e6:.0f} MB as gzip"
    )
    yield f"- Measured on {today}, rounds: {', '.join(map(str, rounds))}"
    busy = max(case["load"] for case in results.values())
    if busy > _BUSY:
        yield f"- **The machine was not idle** (load average up to {busy:.1f}): only a trial"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the file system that ``folder`` is on."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = {str(path) for path in (folder.resolve(), *folder.resolve().parents)}
    return max((point, kind) for point, kind in mounts if point in above)[1]


def _versions() -> str:
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    for tool in _TOOLS:
        try:
            said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True)
        except FileNotFoundError:
            found.append(f"no {tool}")
        else:
            number = re.search(r"[0-9]+(\.[0-9]+)+", said.stdout)
            found.append(f"{tool} {number.group() if number else '(unknown)'}")
    return ", ".join(found)


# -- tables -------------------------------------------------------------------------------------


def _targets(results: dict[str, Any]) -> Iterator[str]:
    yield "### What must hold"
    yield ""
    yield "| case | command | | at most | measured | holds |"
    yield "|---|---|---|---|---|---|"
    for case in results.values():
        for limit in case["limits"]:
            measured = "–" if limit["value"] is None else _number(limit["value"], limit["unit"])
            holds = {True: "yes", False: "**no**", None: "not measured"}[limit["met"]]
            yield (
                f"| {case['title']} | {limit['who']} | {limit['what']} "
                f"| {_number(limit['limit'], limit['unit'])} | {measured} | {holds} |"
            )


def _number(value: float, unit: str) -> str:
    digits = {"×": 3, "s": 3, "ms": 2, "MiB": 0}[unit]
    return f"{value:.{digits}f} {unit}"


def _table(case: dict[str, Any]) -> Iterator[str]:
    yield f"### {case['title']}"
    yield ""
    yield "| command | wall, median (min–max) | ratio | CPU | peak memory | bytes in the target |"
    yield "|---|---|---|---|---|---|"
    base = case["results"].get(case["base"])
    for name, result in case["results"].items():
        wall = result["wall"]
        ratio = f"{median(wall) / median(base['wall']):.2f}" if base else ""
        size = f"{result['size']:,}" if result["size"] else ""
        yield (
            f"| {name} | {_span(wall)} | {ratio} | {1e3 * median(result['cpu']):.0f} ms "
            f"| {result['memory'] / _MIB:.0f} MiB | {size} |"
        )
    for name, reason in case["skipped"].items():
        yield f"| {name} | left out: {reason} | | | | |"


def _span(wall: list[float]) -> str:
    middle, least, most = (1e3 * value for value in (median(wall), min(wall), max(wall)))
    digits = 1 if middle < 100 else 0
    return f"{middle:.{digits}f} ms ({least:.{digits}f}–{most:.{digits}f})"
