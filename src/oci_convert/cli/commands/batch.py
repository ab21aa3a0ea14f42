"""``batch``: the conversions that a file lists."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Annotated

import typer

from oci_convert.cli import show
from oci_convert.cli.app import app
from oci_convert.cli.help import Command
from oci_convert.cli.many import carry_out
from oci_convert.cli.options_of_many import with_options_of_many
from oci_convert.cli.spelling import line_of_error
from oci_convert.errors import OciConvertError, UsageError

if TYPE_CHECKING:
    from oci_convert.cli.many import How
    from oci_convert.cli.registry_options import Registries
    from oci_convert.options import Options

__all__ = ["batch"]

_STREAM = "-"


@app.command(
    cls=Command,
    short_help="Convert what a file of jobs lists.",
    epilog="0 all done; 1 some failed; 2 wrong usage",
)
@with_options_of_many
def batch(
    file: Annotated[
        str,
        typer.Argument(metavar="JOBS", help="JSON Lines, CSV or YAML; - for standard input."),
    ],
    *,
    options: Options,
    registries: Registries,
    how: How,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Pass over lines that are wrong.")
    ] = False,
) -> None:
    """Carry out the conversions that a file lists: each line has a source and a destination.

    Example: oci-convert batch jobs.jsonl --results results.jsonl --to oci
    """
    from oci_convert.fleet.job_files import checked, read_jobs

    wanted = how.profiles
    with _at_hand(file) as (path, name):
        total = wrong = 0
        for line in checked(read_jobs(path, options, name, wanted), name):
            if line.error is None:
                total += 1
            elif not keep_going:
                raise _refused(line.error)
            else:
                show.complain(line_of_error(line.error))
                wrong += 1
        good = (it.job for it in checked(read_jobs(path, options, name, wanted), name) if it.job)
        carry_out(good, how, registries, total=total, wrong=wrong)


def _refused(error: OciConvertError) -> UsageError:
    return UsageError(
        error.message,
        code=error.code,
        store=error.store,
        where=error.where,
        remedy=error.remedy,
    )


@contextmanager
def _at_hand(name: str) -> Iterator[tuple[Path, str]]:
    """A file that can be read twice, and what errors call it."""
    if name != _STREAM:
        yield Path(name), name
        return
    with NamedTemporaryFile(prefix="oci-convert-", suffix=".jobs") as copy:
        for chunk in iter(lambda: sys.stdin.buffer.read(1 << 20), b""):
            copy.write(chunk)
        copy.flush()
        yield Path(copy.name), "standard input"
