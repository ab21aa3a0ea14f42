"""Files of jobs: JSON Lines, CSV and YAML, read line by line, and read again."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, TextIO

from oci_convert.errors import OciConvertError, UsageError
from oci_convert.fleet.jobs import Job
from oci_convert.fleet.keyed_lines import KeyedLines
from oci_convert.fleet.names import name_of
from oci_convert.fleet.yaml_files import entries
from oci_convert.options import Options
from oci_convert.profiles.schema import profile_of
from oci_convert.stores.files.system import cannot_read
from oci_convert.stores.opening import sink_store, source_store
from oci_convert.stores.references import Reference
from oci_convert.stores.registry.reference import SCHEME, parse_destination, parse_source
from oci_convert.text.wording import Wording

__all__ = ["Line", "check_destination", "checked", "read_jobs"]

_YAML: Final = (".yaml", ".yml")
_TRUE: Final = ("true", "yes", "1")
_FALSE: Final = ("false", "no", "0")
_OWN: Final = ("source", "destination", "for", "id")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file of jobs: a job, or what is wrong with it."""

    number: int
    job: Job | None
    error: OciConvertError | None = None


def read_jobs(
    path: Path, within: Options, name: str = "", targets: tuple[str, ...] = ()
) -> Iterator[Line]:
    """Every line of a file of jobs; what one says of options goes before ``within``.

    CSV has a line of names first: ``source``, ``destination``, ``id`` and those of options. The
    kind of file is told by its name, else by what it begins with. ``name`` is what errors call it.
    Raises :class:`StoreError` (``cannot-read``) and :class:`UsageError` for a file that is none.
    """
    name = name or str(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, value in _values(file, name):
                try:
                    yield Line(number, _job(value, within, targets))
                except OciConvertError as error:
                    yield Line(number, None, error.at(f"{name}: line {number}"))
    except (OSError, UnicodeDecodeError) as error:
        raise cannot_read(
            "jobs", error, name, "give a file of JSON Lines, CSV or YAML, or - for standard input"
        ) from error


def _values(file: TextIO, name: str) -> Iterator[tuple[int, Any]]:
    """What stands in each line, not looked at yet; an error for one that cannot be read."""
    if name.endswith(_YAML):
        yield from entries(file.read(), name, "options")
        return
    first = file.readline()
    while first.isspace():
        first = file.readline()
    file.seek(0)
    if name.endswith(".csv") or not first.startswith(("{", "[", '"')):
        yield from _csv(file, name)
        return
    for number, text in enumerate(file, 1):
        if not text.isspace():
            try:
                yield number, json.loads(text, object_pairs_hook=_once)
            except OciConvertError as error:
                yield number, error
            except (ValueError, RecursionError):
                yield number, _wrong("this is no JSON", 'write {"source": …, "destination": …}')


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; raises for a member that is there twice, of which one would be passed over."""
    names = [name for name, _ in members]
    if (name := _twice(names)) is not None:
        raise _wrong(f"it says {name} twice", "say it once")
    return dict(members)


def _twice(names: Sequence[str]) -> str | None:
    return next((name for name in names if name and names.count(name) > 1), None)


def _csv(file: TextIO, name: str) -> Iterator[tuple[int, Any]]:
    reader = csv.reader(file)
    try:
        names = next(reader, [])
    except csv.Error:
        names = []
    if not {"source", "destination"} <= set(names):
        raise UsageError(
            "the first line of a CSV names neither source nor destination",
            code="invalid-job",
            where=f"{name}: line 1",
            remedy="begin it with: source,destination",
        )
    if (twice := _twice(names)) is not None:
        raise UsageError(
            f"the first line of a CSV names {twice} twice",
            code="invalid-job",
            where=f"{name}: line 1",
            remedy="each column has its own name",
        )
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield reader.line_num, _wrong(f"this is no CSV: {error}", "quote it once more")
            continue
        if row is None:
            return
        if not row:
            continue
        if len(row) > len(names):
            yield reader.line_num, _wrong("there are more values than names", "quote commas")
            continue
        cells = {key: cell for key, cell in zip(names, row, strict=False) if cell}
        options = {key: _typed(key, cell) for key, cell in cells.items() if key not in _OWN}
        own = {key: cell for key, cell in cells.items() if key in _OWN}
        yield reader.line_num, {**own, "options": options}


_DEFAULTS: Final = {field.name: field.default for field in fields(Options)}


def _typed(name: str, cell: str) -> object:
    """The value of an option that a cell spells."""
    if isinstance(_DEFAULTS.get(name), bool) and cell.lower() in (*_TRUE, *_FALSE):
        return cell.lower() in _TRUE
    if name in ("level", "jobs") and cell.isdecimal():
        return int(cell)
    return cell.split() if isinstance(_DEFAULTS.get(name), tuple) else cell


def _job(value: Any, within: Options, targets: tuple[str, ...]) -> Job:
    if isinstance(value, OciConvertError):
        raise value
    job = Job.from_json(value, within, targets)
    check_job(job)
    return job


def check_job(job: Job) -> None:
    """Raise :class:`UsageError` for what can be seen to be wrong before anything is asked."""
    source_store(job.source)
    if job.source.startswith(SCHEME):
        parse_source(job.source)
    check_destination(job.destination, job.options, job.targets)


def check_destination(text: str, options: Options, targets: Sequence[str] = ()) -> None:
    """Raise :class:`UsageError` for a destination that cannot be one, or lacks a format."""
    target = sink_store(text)
    if text.startswith(SCHEME):
        parse_destination(text)
    known = options.to or target.default_family or any(profile_of(it).to for it in targets)
    if not known:
        raise UsageError(
            "the destination does not say which format to convert to",
            code="no-family",
            where=text,
            remedy=Wording('add {to="docker"} or {to="oci"}'),
        )


def checked(lines: Iterator[Line], name: str) -> Iterator[Line]:
    """The same lines; one whose id or destination an earlier one has is wrong, too."""
    with KeyedLines() as seen:
        for line in lines:
            job = line.job
            error = None if job is None else _twin(seen, job, line.number)
            if error is None:
                yield line
            else:
                yield replace(line, job=None, error=error.at(f"{name}: line {line.number}"))


def _twin(seen: KeyedLines, job: Job, number: int) -> OciConvertError | None:
    keys = {f"id {job.id}": f"the id {job.id}"}
    name = name_of(job)
    if name is not None:
        keys[f"name {name}"] = f"the destination {SCHEME}{name}"
    elif _holds_one(job.destination):
        keys[f"to {job.destination}"] = f"the destination {job.destination}"
    for key, what in keys.items():
        found = seen.find(key)
        if found is not None:
            return _wrong(f"{what} is also in line {found[0]}", "each job has its own")
        seen.add(key, number)
    return None


def _holds_one(destination: str) -> bool:
    """Whether what is written there is one image, so that another one would replace it."""
    if destination.startswith(SCHEME):
        return False
    target = sink_store(destination)
    return target.ref is not None or not (
        isinstance(target, Reference) and target.transport in ("oci", None)
    )


def _wrong(message: str, remedy: str) -> UsageError:
    return UsageError(message, code="invalid-job", remedy=remedy)
