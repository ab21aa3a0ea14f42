"""The least that a conversion can cost: two threads hash the files of a folder, and copy them.

``python -I benchmarks/floor.py link|copy SOURCE TARGET``. It imports next to nothing, so that
its time is that of the work.
"""

import hashlib
import os
import sys
from threading import Lock, Thread

CHUNK = 256 * 1024
THREADS = 2


def carry(source: str, target: str, mode: str) -> None:
    """Hash one file; with ``copy`` write what was read, with ``link`` give it a second name."""
    hasher = hashlib.sha256()
    buffer = memoryview(bytearray(CHUNK))
    if mode == "link":
        os.link(source, target)
    with (
        open(source, "rb", buffering=0) as file,
        open(target if mode == "copy" else os.devnull, "wb", buffering=0) as copy,
    ):
        while size := file.readinto(buffer):
            hasher.update(buffer[:size])
            if mode == "copy":
                copy.write(buffer[:size])


def main(mode: str, source: str, target: str) -> None:
    os.mkdir(target)  # noqa: PTH102 - pathlib takes longer to import than all else together
    entries = sorted(os.scandir(source), key=lambda entry: entry.stat().st_size)
    lock = Lock()

    def work() -> None:
        while True:
            with lock:
                if not entries:
                    return
                entry = entries.pop()  # the largest first, so that no thread ends alone
            carry(entry.path, os.path.join(target, entry.name), mode)

    threads = [Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
