"""Files that take their names when they are complete, or never."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["replacement", "written"]


@contextmanager
def replacement(path: Path) -> Iterator[Path]:
    """A new, empty file beside ``path`` that replaces it at the end, unless something fails."""
    import tempfile  # slow to import, and few runs write a file of this kind

    descriptor, name = tempfile.mkstemp(prefix=".oci-convert-", dir=path.parent)
    os.close(descriptor)
    try:
        yield Path(name)
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


@contextmanager
def written(path: Path | None, option: str = "--record") -> Iterator[Callable[[str], object]]:
    """What writes a file that appears complete or not at all; opened before the work begins."""
    if path is None:
        yield lambda _: None
        return
    from oci_convert.stores.files.system import check_parent

    check_parent(path, option)
    with replacement(path) as new:
        with new.open("w", encoding="utf-8", newline="\n") as file:
            yield file.write
        new.chmod(0o666 & ~_umask())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
