"""The file of a record: complete, or not there at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oci_convert.ground.errors import UsageError

__all__ = ["written"]


@contextmanager
def written(path: Path | None) -> Iterator[Callable[[str], object]]:
    """What writes a file that appears complete or not at all; opened before the work begins."""
    if path is None:
        yield lambda _: None
        return
    if not path.parent.is_dir():
        raise UsageError(
            f"there is no directory {str(path.parent)!r}",
            code="no-such-directory",
            where="--record",
        )
    import tempfile  # slow to import, and few runs write a record

    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            yield file.write
        Path(name).chmod(0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
