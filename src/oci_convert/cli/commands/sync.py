"""``sync``: every image of folders, repositories and files of ``skopeo sync``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from oci_convert.cli.app import Json, app, complete_reference
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

if TYPE_CHECKING:
    from oci_convert.cli.registry_options import Registries
    from oci_convert.fleet.jobs import Job
    from oci_convert.options import Options

__all__ = ["sync"]

_IMAGES = "Images"


@app.command(
    cls=Command,
    short_help="Convert every image of folders and repositories.",
    epilog="0 all done; 1 some failed; 2 wrong usage",
)
@with_conversion_options
def sync(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE…",
            help="A folder, docker://REPO:*, docker://HOST/PREFIX/**, a skopeo YAML.",
            autocompletion=complete_reference,
        ),
    ],
    dest: Annotated[
        str,
        typer.Argument(
            metavar="DEST",
            help="As for convert, with places for names and tags.",
            autocompletion=complete_reference,
        ),
    ],
    *,
    options: Options,
    registries: Registries,
    targets: Targets = None,
    tags: Annotated[
        str | None,
        typer.Option(
            "--tags", metavar="REGEX", help="Only tags that match in full.", rich_help_panel=_IMAGES
        ),
    ] = None,
    exclude_tags: Annotated[
        str | None,
        typer.Option("--exclude-tags", metavar="REGEX", help="Not those.", rich_help_panel=_IMAGES),
    ] = None,
    newest: Annotated[
        int | None,
        typer.Option(
            "--newest",
            metavar="N",
            min=1,
            help="Only the last tags of a repository, by version.",
            rich_help_panel=_IMAGES,
        ),
    ] = None,
    jobs: ManyJobs = 16,
    results: Results = None,
    no_resume: NoResume = False,
    attempts: Attempts = 2,
    fail_fast: FailFast = False,
    records: Records = None,
    scheduler: Scheduler = None,
    insecure_scheduler: InsecureScheduler = False,
    shared_filesystem: SharedFilesystem = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Convert every image: of a folder, of a repository, of all repositories of a host.

    Example: oci-convert sync archives/ oci:layout
    """
    from oci_convert.fleet.job_files import check_destination
    from oci_convert.fleet.listing import jobs_of
    from oci_convert.fleet.tags import TagChoice

    wanted = profile_names(targets)
    check_destination(_example(dest), options, wanted)
    choice = TagChoice(tags, exclude_tags, newest)

    def found() -> Iterator[Job]:
        for source in sources:
            yield from jobs_of(source, dest, options, choice, wanted)

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
    carry_out(found(), how, registries)


def _example(dest: str) -> str:
    """One of the destinations, with what stands for something filled in."""
    filled = dest.replace("{name}", "name").replace("{tag}", "tag")
    return f"{filled.removesuffix('**')}name:tag" if filled.endswith("/**") else filled
