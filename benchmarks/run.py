#!/usr/bin/env python3
"""Measures the command against skopeo: ``make bench``, or ``python benchmarks/run.py``.

Everybody takes turns: one warm-up, then so many rounds, the target removed and the disk idle
before each run. Results are kept in ``build/bench/results.json``; with ``--only`` the other cases
keep theirs. ``docs/performance.md`` is written from them, and for every target that is missed a
profile of a run in one thread goes to ``build/bench/profiles/``.

This process imports little on purpose: on Linux the peak memory of a child is never less than what
its parent had when it was started.
"""

from __future__ import annotations

import argparse
import json
import os
import pstats
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from cases import PYTHON, Case, Contender, Limit, Result, Results, cases, start_up
from report import write_report

ROOT: Final = Path(__file__).resolve().parents[1]
BENCH: Final = ROOT / "build" / "bench"
TARGET: Final = BENCH / "target"
_USAGE: Final = 2
_WARM_UP: Final = 1
_PROFILE_LINES: Final = 15

ENVIRONMENT: Final = {
    name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
}
"""Without PYTHONDONTWRITEBYTECODE and the like: what is measured is an installed program."""


def run(contender: Contender) -> tuple[int, str, Result]:
    """One run: exit status, what was said on standard error, and the figures."""
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    contender.prepare(TARGET)
    argv = contender.command(TARGET)
    os.sync()  # nobody pays for what others have written
    with (BENCH / "stderr").open("w+b") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            argv,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
    cpu = usage.ru_utime + usage.ru_stime
    result = Result([wall], [cpu], usage.ru_maxrss * 1024, size_of(TARGET))
    return process.returncode, said, result


def size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def joined(runs: list[Result]) -> Result:
    return Result(
        [one.wall[0] for one in runs],
        [one.cpu[0] for one in runs],
        max(one.memory for one in runs),
        runs[-1].size,
    )


def measure(case: Case, rounds: int) -> tuple[Results, dict[str, str]]:
    """All contenders in turn; who does not know what is asked is left out, with the reason."""
    runs: dict[str, list[Result]] = {contender.name: [] for contender in case.contenders}
    skipped: dict[str, str] = {}
    for turn in range(_WARM_UP + rounds):
        for contender in case.contenders:
            if contender.name in skipped:
                continue
            try:
                status, said, result = run(contender)
            except FileNotFoundError:
                status, said = _USAGE, "not on this machine"
            if status:
                if status != _USAGE or turn:
                    print(f"  {contender.name}: status {status}: {said}", file=sys.stderr)
                skipped[contender.name] = said.splitlines()[-1] if said else f"status {status}"
            elif turn >= _WARM_UP:
                runs[contender.name].append(result)
                print(f"  {contender.name}: {result.wall[0]:.3f} s", file=sys.stderr, flush=True)
    done = {name: joined(found) for name, found in runs.items() if name not in skipped}
    return done, skipped


def judged(case: Case, results: Results, started: Results) -> list[dict[str, Any]]:
    """What must hold, and whether it does."""
    found = []
    for limit in (*case.limits, *case.memory_limits()):
        if all(name in results for name in limit.needs):
            value = limit.value(results, started)
            found.append({**_described(limit), "value": value, "met": value <= limit.limit})
        else:
            found.append({**_described(limit), "value": None, "met": None})
    return found


def _described(limit: Limit) -> dict[str, Any]:
    return {"who": limit.needs[0], "what": limit.what, "limit": limit.limit, "unit": limit.unit}


def profile(case: Case, contender: Contender) -> str:
    """Where the time goes, in one thread; the name of the file that says so."""
    folder = BENCH / "profiles"
    folder.mkdir(exist_ok=True)
    words = [word for word in contender.name.replace(",", " ").split() if word.isascii()]
    target = folder / "-".join((case.name, *words[1:]))
    raw = target.with_suffix(".prof")

    def command(to: Path) -> list[str]:
        arguments = contender.command(to)[1:]
        return [
            PYTHON,
            "-m",
            "cProfile",
            "-o",
            str(raw),
            "-m",
            "oci_convert",
            *arguments,
            "-j",
            "1",
        ]

    run(Contender(contender.name, command, contender.prepare))
    text = target.with_suffix(".txt")
    with text.open("w") as stream:
        stats = pstats.Stats(str(raw), stream=stream).sort_stats("cumulative")
        stats.print_stats("oci_convert|{", _PROFILE_LINES)
    return text.name


def take(case: Case, rounds: int, started: Results) -> dict[str, Any]:
    """Measure a case; what is to be remembered of it."""
    print(case.title, file=sys.stderr, flush=True)
    results, skipped = measure(case, rounds)
    limits = judged(case, results, started)
    missed = {limit["who"] for limit in limits if limit["met"] is False}
    profiles = {
        contender.name: profile(case, contender)
        for contender in case.contenders
        if contender.name in missed
    }
    return {
        "title": case.title,
        "base": case.base,
        "results": {name: result._asdict() for name, result in results.items()},
        "skipped": skipped,
        "limits": limits,
        "profiles": profiles,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", metavar="CASE", action="append", help="may be repeated")
    parser.add_argument("--runs", metavar="N", type=int, default=5, help="rounds (5)")
    parser.add_argument("--images-only", action="store_true", help="build the images and stop")
    options = parser.parse_args()

    images = BENCH / "images"
    making = [PYTHON, str(ROOT / "benchmarks" / "images.py"), str(images)]
    subprocess.run(making, env=ENVIRONMENT, check=True)
    compiling = [PYTHON, "-m", "compileall", "-q", str(ROOT / "src")]
    subprocess.run(compiling, env=ENVIRONMENT, check=True)
    if options.images_only:
        return

    known = cases(images)
    unknown = set(options.only or ()) - {case.name for case in known}
    if unknown:
        names = ", ".join(case.name for case in known)
        parser.error(f"there is no case {', '.join(sorted(unknown))}; there are {names}")
    kept = BENCH / "results.json"
    results: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    load = os.getloadavg()[0]
    start = take(start_up(), 2 * options.runs, {})
    started = {name: Result(**one) for name, one in start["results"].items()}
    results["start-up"] = {**start, "load": load, "runs": 2 * options.runs}
    for case in known:
        if options.only is None or case.name in options.only:
            load = os.getloadavg()[0]
            taken = take(case, options.runs, started)
            results[case.name] = {**taken, "load": load, "runs": options.runs}
            kept.write_text(json.dumps(results, indent=1))
    shutil.rmtree(TARGET, ignore_errors=True)
    ordered = {
        name: results[name] for name in ("start-up", *(c.name for c in known)) if name in results
    }
    write_report(ordered, images, ROOT / "docs" / "performance.md")


if __name__ == "__main__":
    main()
