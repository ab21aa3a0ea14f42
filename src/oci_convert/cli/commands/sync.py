"""``sync``: every image of folders, repositories and files of ``skopeo sync``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from oci_convert.cli import show
from oci_convert.cli.app import app, complete_reference
from oci_convert.cli.help import Command
from oci_convert.cli.many import carry_out
from oci_convert.cli.options_of_many import with_options_of_many
from oci_convert.text.printable import printable

if TYPE_CHECKING:
    from oci_convert.cli.many import How
    from oci_convert.cli.registry_options import Registries
    from oci_convert.fleet.jobs import Job
    from oci_convert.fleet.results import JobResult
    from oci_convert.options import Options

__all__ = ["sync"]

_IMAGES = "Images"


@app.command(
    cls=Command,
    short_help="Convert every image of folders and repositories.",
    epilog="0 all done; 1 some failed; 2 wrong usage",
)
@with_options_of_many
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
    how: How,
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
) -> None:
    """Convert every image: of a folder, of a repository, of all repositories of a host.

    Example: oci-convert sync archives/ oci:layout
    """
    from oci_convert.fleet.job_files import check_destination
    from oci_convert.fleet.listing import check_source, jobs_of
    from oci_convert.fleet.tags import TagChoice

    wanted = how.profiles
    check_destination(_example(dest), options, wanted)
    for source in sources:
        check_source(source, dest)
    choice = TagChoice(tags, exclude_tags, newest)
    if not how.quiet:
        _tell_unused(sources, registries)

    def found() -> Iterator[Job | JobResult]:
        for source in sources:
            yield from jobs_of(source, dest, options, choice, wanted)

    carry_out(found(), how, registries)


_INSTEAD: Final = {
    "credentials": ("give --authfile FILE or --src-creds", ("creds", "src_creds", "authfile")),
    "tls-verify": ("give --insecure {}, or --plain-http {} without TLS", ()),
    "cert-dir": ("give --ca-file, --cert and --key", ("ca_file", "cert")),
}
"""What to do about a setting in a file of skopeo, and the options that make it needless."""


def _tell_unused(sources: Sequence[str], registries: Registries) -> None:
    """Name what a file of skopeo says about registries, where no option says it, too."""
    from oci_convert.fleet.listing import is_yaml
    from oci_convert.fleet.skopeo_yaml import unused

    for source in filter(is_yaml, sources):
        for line, host, name in unused(Path(source)):
            remedy, options = _INSTEAD[name]
            trusted = name == "tls-verify" and registries.trusts(host)
            if trusted or any(map(registries.is_given, options)):
                continue
            show.tell(
                f"warning: {printable(source)}:{line}: {name} of {printable(host)} is not used; "
                f"{printable(remedy.format(host, host))}"
            )


def _example(dest: str) -> str:
    """One of the destinations, with what stands for something filled in."""
    filled = dest.replace("{name}", "name").replace("{tag}", "tag")
    return f"{filled.removesuffix('**')}name:tag" if filled.endswith("/**") else filled
