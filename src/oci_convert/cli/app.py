"""The application: what all commands share, and the arguments that several of them take."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from oci_convert.cli.help import Commands
from oci_convert.cli.show.terminal import say_json as print_json
from oci_convert.limits import parse_limits, set_limits

__all__ = [
    "Debug",
    "FollowLinks",
    "Jobs",
    "Json",
    "Limit",
    "Quiet",
    "Source",
    "Verbose",
    "app",
    "complete_reference",
    "print_json",
]

app: Final = typer.Typer(
    name="oci-convert",
    cls=Commands,
    help="Convert container images between the Docker and OCI formats, exactly, both ways.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def complete_reference(incomplete: str) -> list[str]:
    """What a reference that begins like this may become."""
    from oci_convert.cli.completion import references

    return references(incomplete)


def _complete_limit(incomplete: str) -> list[str]:
    from oci_convert.cli.completion import limit_names

    return limit_names(incomplete)


Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="oci:PATH[:REF], dir:PATH, docker-archive:FILE[:REF], …",
        autocompletion=complete_reference,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the complete result as JSON.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]
"""Looked for by :mod:`oci_convert.cli.run`, as an error may come before options are read."""
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print every finding on a line of its own.")
]
FollowLinks = Annotated[
    bool,
    typer.Option(
        "--follow-links", help="Read what the links of a store lead to (git-annex, stow)."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no findings.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        min=1,
        help="Blobs in parallel; default: one for each core, at least 4 with a registry.",
    ),
]


def _raise_limits(texts: list[str] | None) -> None:
    set_limits(parse_limits(texts or ()))


Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=VALUE",
        callback=_raise_limits,
        autocompletion=_complete_limit,
        help="Change a limit, as in document-size=8MiB.",
    ),
]
"""Takes effect when it is read: what a command then calls keeps to it."""


def _version(wanted: bool) -> None:  # noqa: FBT001 - a callback of typer
    if not wanted:
        return
    from oci_convert.layers.compression import DEFAULT_LEVELS, codec_versions
    from oci_convert.version import __version__

    print(f"oci-convert {__version__}")
    for compression in DEFAULT_LEVELS:  # what decides over the digests of recompressed layers
        codec = codec_versions(compression)
        print(
            f"{compression.value}: {codec['library']} {codec['version']}, engine {codec['engine']}"
        )
    raise typer.Exit


@app.callback()
def _main(
    _: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print the version, and those of the codecs.",
        ),
    ] = False,
) -> None:
    pass
