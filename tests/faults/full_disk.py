"""Fill a real disk, and take away the right to write, in the middle of conversions.

``python tests/faults/full_disk.py`` (as root, on Linux; it mounts small file systems in memory)
converts into a layout that holds another image, a ``dir:`` and an archive, on disks of every size
from too small to large enough, then on one that is read-only, and in a folder of somebody else.
Each failure is one line with its code; nothing of the image is there, what was there is as it was,
and the same conversion succeeds once there is room.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from oci_convert.errors import OciConvertError
from support.scenes import Kind, Scene

SCENES = {
    "a layout with an image": Kind("oci:{}/target:new", old=True),
    "a layout, recompressing": Kind("oci:{}/target:new", {"compress": "zstd"}, old=True),
    "a dir:": Kind("dir:{}/target", {"to": "docker"}),
    "a dir:, replaced": Kind("dir:{}/target", {"to": "docker", "force": True}, old=True),
    "an archive": Kind("oci-archive:{}/target.tar:new"),
    "an archive, replaced": Kind(
        "docker-archive:{}/target.tar:example.com/new:1", {"force": True}, old=True
    ),
}
SIZE = 2_000_000
STEP = 64 * 1024
NOBODY = 65534


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[None]:
    """A disk of so many bytes at ``folder``."""
    folder.mkdir(exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "oci-convert", str(folder)],
        check=True,
    )
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remounted(folder: Path, *options: str) -> None:
    """The same disk, otherwise."""
    subprocess.run(["mount", "-o", ",".join(("remount", *options)), str(folder)], check=True)


def refused(scene: Scene) -> OciConvertError | None:
    """Run; the error, if there was one, and nothing of the image then."""
    error = None
    try:
        scene.run()
    except OciConvertError as caught:
        error = caught
    assert scene.check() == (error is None)
    assert len(str(error).splitlines()) == 1
    assert scene.leftovers() == [] or scene.kind.old
    return error


def fill(scene: Scene, counts: Counter[str]) -> None:
    """Convert on ever larger disks until there is room."""
    for size in range(STEP, 16 * SIZE, STEP):
        with mounted(scene.folder, size):
            try:
                scene.prepare()
            except OSError:
                continue  # there is no room for what is there before
            error = refused(scene)
            if error is None:
                counts["there was room"] += 1
                return
            assert error.code == "no-space", error
            assert "more bytes are needed" in str(error) or "are free" in str(error), error
            counts[error.code] += 1
            remounted(scene.folder, f"size={16 * SIZE}")
            scene.repeat(there=False)
    raise AssertionError("no disk is large enough")


def forbid(scene: Scene, counts: Counter[str]) -> None:
    """Convert where nothing may be written."""
    with mounted(scene.folder, 16 * SIZE):
        scene.prepare()
        remounted(scene.folder, "ro")
        error = refused(scene)
        assert error is not None
        assert error.code == "read-only", error
        counts[error.code] += 1
        remounted(scene.folder, "rw")
        scene.folder.chmod(0o755)
        os.seteuid(NOBODY)
        try:
            error = refused(scene)
        finally:
            os.seteuid(0)
        assert error is not None
        assert error.code == "not-permitted", error
        counts[error.code] += 1
        scene.repeat(there=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        print("skipped: only root can mount")
        return
    for name, kind in SCENES.items():
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            scene = Scene(kind, Path(folder), SIZE)
            scene.clear()
            counts: Counter[str] = Counter()
            fill(scene, counts)
            forbid(scene, counts)
            print(f"{name}: {', '.join(f'{count} {code}' for code, count in counts.items())}")


if __name__ == "__main__":
    main()
