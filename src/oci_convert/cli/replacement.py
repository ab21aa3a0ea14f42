"""A file that takes its name when it is complete, or never."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["replacement"]


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
