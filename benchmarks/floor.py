"""The least that a command can cost: two threads hash files, and copy or unpack them.

``python -I benchmarks/floor.py link|copy|unpack SOURCE TARGET``. It imports next to nothing, so
that its time is that of the work.
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


def unpack(source: str) -> None:
    """Hash one file, and what it unpacks to if it is a layer."""
    from isal import igzip_lib

    hasher, unpacked = hashlib.sha256(), hashlib.sha256()
    decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    with open(source, "rb", buffering=0) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        while data := file.read(CHUNK):
            hasher.update(data)
            while packed and not decoder.eof:
                unpacked.update(decoder.decompress(data, CHUNK))
                data = b""
                if decoder.needs_input:
                    break


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
            if mode == "unpack":
                unpack(entry.path)
            else:
                carry(entry.path, os.path.join(target, entry.name), mode)

    threads = [Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
