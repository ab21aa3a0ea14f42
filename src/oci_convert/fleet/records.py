"""The record of each job, in a directory: what :meth:`Report.dumps` gives for one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from oci_convert.fleet.results import JobResult
from oci_convert.plain import spelled_out
from oci_convert.spec.digest import Digest
from oci_convert.stores.files.system import system_errors

__all__ = ["write_record"]

_UNFIT: Final = re.compile("[^A-Za-z0-9._-]+")
_LONGEST: Final = 80


def write_record(folder: Path, result: JobResult) -> None:
    """Write what restores the originals of a job; it appears complete or not at all.

    Its name tells the job, and is safe on every file system; two jobs never have one name.
    """
    if result.report is None:
        return
    shown = _UNFIT.sub("-", result.id)[:_LONGEST].strip("-.")
    whole = Digest.of(spelled_out(result.id).encode())
    path = folder / f"{shown}-{whole.encoded[:12]}.json"
    with system_errors():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(result.report.dumps(originals=True), "utf-8", newline="\n")
        os.replace(part, path)
