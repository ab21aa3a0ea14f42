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
from oci_convert.cli.app import Json, app
from oci_convert.cli.commands.convert import Targets
from oci_convert.cli.conversion_options import with_conversion_options
from oci_convert.cli.help import Command
from oci_convert.cli.many import (
    Attempts,
    FailFast,
    How,
    InsecureScheduler,
    ManyJobs,
    NoResume,
    Records,
    Results,
    Scheduler,
    SharedFilesystem,
    carry_out,
    profile_names,
)
from oci_convert.cli.spelling import line_of_error
from oci_convert.errors import OciConvertError, UsageError

if TYPE_CHECKING:
    from oci_convert.cli.registry_options import Registries
    from oci_convert.options import Options

__all__ = ["batch"]

_STREAM = "-"


@app.command(
    cls=Command,
    short_help="Convert what a file of jobs lists.",
    epilog="0 all done; 1 some failed; 2 wrong usage",
)
@with_conversion_options
def batch(
    file: Annotated[
        str,
        typer.Argument(metavar="JOBS", help="JSON Lines, CSV or YAML; - for standard input."),
    ],
    *,
    options: Options,
    registries: Registries,
    targets: Targets = None,
    jobs: ManyJobs = 16,
    results: Results = None,
    no_resume: NoResume = False,
    attempts: Attempts = 2,
    fail_fast: FailFast = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Pass over lines that are wrong.")
    ] = False,
    records: Records = None,
    scheduler: Scheduler = None,
    insecure_scheduler: InsecureScheduler = False,
    shared_filesystem: SharedFilesystem = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Carry out the conversions that a file lists: each line has a source and a destination.

    Example: oci-convert batch jobs.jsonl --results results.jsonl --to oci
    """
    from oci_convert.fleet.job_files import checked, read_jobs

    wanted = profile_names(targets)
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
        how = How(
            jobs=jobs,
            results=results,
            resume=not no_resume,
            attempts=attempts,
            fail_fast=fail_fast,
            records=records,
            scheduler=scheduler,
            insecure_scheduler=insecure_scheduler,
            shared_filesystem=shared_filesystem,
            dry_run=options.dry_run,
            as_json=as_json,
            quiet=quiet,
        )
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
