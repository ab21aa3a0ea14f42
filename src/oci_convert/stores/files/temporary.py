"""Files without a name, for what must wait before it is read or written."""

from __future__ import annotations

import os
from os import PathLike
from typing import BinaryIO

from oci_convert.stores.files.file import File, naming

__all__ = ["temporary"]


def temporary(tmpdir: str | PathLike[str] | None = None) -> BinaryIO:
    """An empty file to write and read in ``tmpdir``, by default the system's; gone once closed."""
    import tempfile

    folder = tmpdir or tempfile.gettempdir()
    with naming(folder), tempfile.TemporaryFile(dir=folder) as file:
        return File(os.dup(file.fileno()), "r+b", name=folder)
