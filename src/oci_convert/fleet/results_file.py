"""The file of results: a line for each job as soon as it ends, and one at the end that sums up.

A job may have several lines, one of each run that was resumed: the last one counts. What a run that
was killed left of a line at the end is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Final

from oci_convert.fleet.keyed_lines import KeyedLines
from oci_convert.fleet.results import JobResult, Summary, not_results
from oci_convert.stores.base import Closing
from oci_convert.stores.files.system import cannot_read, check_parent, system_errors
from oci_convert.text.wording import Wording

__all__ = ["ResultsFile", "is_result", "read_results"]

_SUMMARY: Final = "summary"


class ResultsFile(Closing):
    """A file of results that is written to, and that knows what earlier runs wrote.

    Where each job stands is kept in a temporary database, so that a million of them take no memory.
    """

    def __init__(self, path: Path, *, resume: bool = True) -> None:
        check_parent(path, Wording("{results}"))
        self._path = path
        with system_errors():
            self._file = path.open("a+b" if resume else "w+b")
        self._earlier = KeyedLines()
        try:
            _drop_torn(self._file.fileno())
            self._earlier.fill((value["id"], at, size) for at, size, value in _lines(path))
        except BaseException:
            self.close()
            raise

    def earlier(self, identity: str) -> JobResult | None:
        """The last word about a job, if there is one."""
        at = self._earlier.find(identity)
        if at is None:
            return None
        value = json.loads(os.pread(self._file.fileno(), at[1], at[0]))
        return JobResult.from_json(value, f"{self._path}: {identity}")

    def write(self, result: JobResult) -> None:
        """Add a line, which then survives the end of this process."""
        self._write(result.line())

    def end(self, summary: Summary) -> None:
        """Add the line that sums up."""
        self._write(summary.line())

    def _write(self, line: str) -> None:
        with system_errors():
            self._file.write(line.encode())
            self._file.flush()

    def close(self) -> None:
        """Close it."""
        self._earlier.close()
        self._file.close()


def _drop_torn(descriptor: int) -> None:
    """Cut off what stands behind the last complete line."""
    size = end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - 65536)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)


def _lines(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Offset, length and content of every line about a job; a torn last line is none."""
    at = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                where = f"{path}: line {number}"
                if line.endswith(b"\n") and not line.isspace():
                    value = _object(line, where)
                    if _SUMMARY not in value:
                        if not isinstance(value.get("id"), str):
                            raise not_results("this line is not the result of a job", where)
                        yield at, len(line), value
                at += len(line)
    except OSError as error:
        raise cannot_read(
            "results", error, str(path), Wording("{convert_many(results=FILE)} writes them")
        ) from error


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise not_results("this line is not the result of a job", where)
    return value


def read_results(path: str | PathLike[str]) -> Iterator[JobResult]:
    """The last result of every job, in the order of the file, which is read twice.

    Raises :class:`DocumentError` (``not-results``) and :class:`StoreError` (``cannot-read``).
    """
    path = Path(path)
    with KeyedLines() as lines:
        lines.fill((value["id"], at, size) for at, size, value in _lines(path))
        for at, _, value in _lines(path):
            found = lines.find(value["id"])
            if found is not None and found[0] == at:
                yield JobResult.from_json(value, f"{path}: {value['id']}")


def is_result(line: bytes) -> bool:
    """Whether this is the first line of a file of results."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and (_SUMMARY in value or {"id", "status"} <= value.keys())
