"""``make dist``: everything that a release consists of, in ``dist/``, from what is committed.

The wheel and the source distribution are built twice, each time from a fresh export of ``HEAD``,
and must come out as the same bytes. The wheel is installed into an environment that has nothing
else, not even pip, and runs the demo there. What is in that environment is the bill of materials.

Run by the interpreter of an environment that has ``release/requirements.txt``.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parent.parent
DIST: Final = PROJECT / "dist"
SUMS: Final = "SHA256SUMS"
BIN: Final = "Scripts" if os.name == "nt" else "bin"


def run(*command: str | Path, cwd: Path = PROJECT, env: Mapping[str, str] | None = None) -> bytes:
    """What a command prints; what it complains of is seen, and its failure is ours."""
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.stderr.buffer.write(done.stdout)
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return done.stdout


def tool(
    *arguments: str | Path, cwd: Path = PROJECT, env: Mapping[str, str] | None = None
) -> bytes:
    """What a module of the tools prints."""
    return run(sys.executable, "-m", *arguments, cwd=cwd, env=env)


def build(folder: Path, epoch: str) -> dict[str, bytes]:
    """The sdist, and the wheel made from it."""
    with tarfile.open(fileobj=io.BytesIO(run("git", "archive", "HEAD"))) as exported:
        exported.extractall(folder / "source", filter="data")
    built = folder / "built"
    env = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    tool("build", "--no-isolation", "--outdir", built, cwd=folder / "source", env=env)
    return {path.name: path.read_bytes() for path in built.iterdir()}


def same(what: str, first: object, second: object) -> None:
    """End unless two runs made the same."""
    if first != second:
        sys.exit(f"not reproducible: two builds of {what} differ")


def install(version: str, folder: Path) -> Path:
    """An environment with what the wheel brings and needs; its interpreter."""
    tool("venv", "--without-pip", folder)
    bare = folder / BIN / "python"
    pip = ("pip", "--python", bare, "install", "--quiet", "--disable-pip-version-check")
    # By its name, not its path, which the bill of materials would tell; then what it needs.
    ours = f"oci-convert=={version}"
    tool(*pip, "--no-index", "--no-deps", "--find-links", DIST, ours)
    tool(*pip, ours)
    return bare


def bill_of_materials(bare: Path) -> bytes:
    """What is installed there, as CycloneDX."""
    return tool(
        *("cyclonedx_py", "environment", "--output-reproducible"),
        *("--spec-version", "1.6", "--mc-type", "application", "--pyproject", "pyproject.toml"),
        bare,
    )


def main() -> None:
    """Fill ``dist/``, and say what is in it."""
    if run("git", "status", "--porcelain", "--untracked-files=no"):
        print("what is not committed is not in dist/", file=sys.stderr)
    epoch = run("git", "log", "-1", "--format=%ct").decode().strip()
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = build(folder / "first", epoch)
        same("the wheel and the sdist", files, build(folder / "second", epoch))
        for built, data in files.items():
            (DIST / built).write_bytes(data)
        tool("twine", "check", "--strict", *map(str, DIST.iterdir()))
        (wheel,) = (name for name in files if name.endswith(".whl"))
        version = wheel.split("-")[1]
        bare = install(version, folder / "bare")
        run("make", "demo", f"BIN={bare.parent}", "READY=")
        if not list((folder / "bare" / "share" / "man" / "man1").iterdir()):
            sys.exit("the wheel brings no manual pages")
        bill = bill_of_materials(bare)
        same("the bill of materials", bill, bill_of_materials(install(version, folder / "again")))
        (DIST / f"oci_convert-{version}.cdx.json").write_bytes(bill)
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in DIST.iterdir()}
    lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
    (DIST / SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")
    print("".join(lines), end="")


if __name__ == "__main__":
    main()
