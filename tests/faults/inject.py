"""Let every single call of a conversion that changes files fail, one after the other.

``python tests/faults/inject.py`` runs each kind of conversion (tests/support/scenes.py) as often as
it makes such calls, with a full disk and with one that fails, for that call alone and for all that
follow, and prints how the runs ended. First it counts the calls by ``strace``, where that is
installed: those that it lets fail must be all there are.
"""

from __future__ import annotations

import argparse
import errno
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.faults import Faults, calls_of, survive
from support.scenes import KINDS, Scene

TRACED = (
    "open,openat,creat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,fallocate,"
    "copy_file_range,sendfile,splice,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "mkdir,mkdirat,unlink,unlinkat,rmdir,fsync,fdatasync,sync_file_range,ioctl,chmod,fchmod,"
    "fchmodat,chown,fchown,fchownat,utime,utimes,utimensat,setxattr,fsetxattr,mknod,mknodat"
)
_LINE = re.compile(r"(?:\d+ +)?(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_MARK = "mark"
_SAME = {
    "openat": "open",
    "creat": "open",
    "renameat": "rename",
    "renameat2": "rename",
    "linkat": "link",
    "mkdirat": "mkdir",
    "unlinkat": "unlink",
    "symlinkat": "symlink",
}


def traced(name: str) -> Counter[str] | None:
    """The calls of one conversion as the kernel sees them; ``None`` without ``strace``."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [strace, "-f", "-y", "-qq", "-e", f"trace={TRACED}", "-o", str(log)]
        run = [sys.executable, __file__, "--once", name, folder]
        subprocess.run([*command, *run], check=True, stdout=subprocess.DEVNULL)
        return _counted(log.read_text(encoding="utf-8", errors="replace"), Scene.place(folder))


def _counted(log: str, place: Path) -> Counter[str]:
    """The calls below ``place`` between the two marks that ``--once`` sets."""
    found: Counter[str] = Counter()
    begun = False
    pending: dict[str, str] = {}
    for traced_line in log.splitlines():
        pid = traced_line.split(" ", 1)[0]
        head, broken, _ = traced_line.partition(" <unfinished ...>")
        if broken:
            pending[pid] = head
            continue
        _, resumed, tail = traced_line.partition(" resumed>")
        line = pending.pop(pid) + tail if resumed else traced_line
        if f'"{place.parent}/{_MARK}"' in line:
            begun = not begun
        match = _LINE.match(line)
        if not begun or match is None or str(place) not in match["arguments"]:
            continue
        call = _SAME.get(match["call"], match["call"])
        arguments = match["arguments"]
        if call == "open" and not re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", arguments):
            continue
        if call == "ioctl" and "FICLONE" not in arguments:
            continue  # whether it is a terminal
        found["rmdir" if "AT_REMOVEDIR" in arguments else call] += 1
    return found


def once(name: str, folder: Path) -> None:
    """One conversion between two marks, for ``strace``."""
    scene = Scene(KINDS[name], folder)
    scene.begin()
    (folder / _MARK).mkdir()
    scene.run()
    (folder / _MARK).rmdir()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--once", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary one)")
    given = parser.parse_args()
    if given.once:
        once(given.once[0], Path(given.once[1]))
        return
    endings: Counter[str] = Counter()
    for name, kind in KINDS.items():
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            scene = Scene(kind, Path(folder))
            calls = calls_of(scene)
            seen = traced(name)
            assert seen is None or seen == calls, f"{name}: missed {seen - calls}, {calls - seen}"
            ended: Counter[str] = Counter()
            for number in range(1, calls.total() + 1):
                for error in (errno.ENOSPC, errno.EIO):
                    for lasting in (False, True):
                        faults = Faults(scene.folder, number, error=error, lasting=lasting)
                        ended[survive(scene, faults)] += 1
            same = "strace is not here" if seen is None else "strace sees the same"
            print(f"{name}: {calls.total()} calls ({same}), {ended.total()} runs: {dict(ended)}")
            endings += ended
    print(f"all: {endings.total()} runs, {dict(endings)}")


if __name__ == "__main__":
    main()
