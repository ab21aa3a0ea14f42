"""``repin``: the pins in manifests, charts and Dockerfiles after a conversion."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from oci_convert.cli.app import Debug, Json, Quiet, app, print_json
from oci_convert.cli.help import Command
from oci_convert.cli.patch import patch
from oci_convert.cli.status import DONE, NO
from oci_convert.cli.text_files import (
    TextFile,
    bytes_of_text,
    read_texts,
    text_of_bytes,
    write_texts,
)
from oci_convert.errors import UsageError

__all__ = ["repin"]

_STREAM = "-"


@app.command(
    cls=Command,
    short_help="Replace pinned digests by those after a conversion.",
    epilog="0 done; 1 failed; 2 wrong usage; 3 --check found changes, or --strict refused",
)
def repin(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…", help="Text files, directories, or - (standard input to output)."
        ),
    ],
    *,
    maps: Annotated[
        list[Path],
        typer.Option(
            "--map", metavar="FILE", help="A report, a record, or results; may be repeated."
        ),
    ],
    bare: Annotated[
        bool, typer.Option("--bare", help="Also replace hex digits without sha256:.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit status 3 if a pin would change.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing; print what would change as a patch.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Write nothing if a pin is not in the maps; exit status 3."),
    ] = False,
    _debug: Debug = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Replace pinned digests by those after a conversion, and change nothing else.

    Example: oci-convert repin --map report.json deploy/
    """
    from oci_convert.cli.found_pins import find_pins
    from oci_convert.cli.maps import read_maps
    from oci_convert.cli.show.pins import pins as show_pins
    from oci_convert.cli.show.pins import pins_summary

    streams = _STREAM in files
    if streams and len(files) > 1:
        raise UsageError(
            "standard input cannot be combined with files",
            code="two-inputs",
            where=_STREAM,
            remedy="give files and directories in another run",
        )
    if as_json and (diff or (streams and not check)):
        raise UsageError(
            f"--json and {'--diff' if diff else 'a text'} cannot both go to standard output",
            code="two-outputs",
            remedy="use --check to see the JSON" if streams else "choose one of them",
        )
    pins = read_maps(maps)
    texts = _standard_input() if streams else read_texts(files)
    found = find_pins(texts, pins, bare=bare)
    found.refused = strict and found.open
    if not (found.refused or check or diff):
        new = [replace(file, text=repinned.text) for file, repinned in found.changed]
        if streams:
            _print(file.text for file in new or texts)
        else:
            write_texts(new)
        found.written = True
    if not quiet:
        show_pins(found)
        pins_summary(found)
    if as_json:
        print_json(found.to_json())
    if diff:
        for file, repinned in found.changed:
            _print(patch(file.name, file.text, repinned.text))
    raise typer.Exit(NO if found.refused or (check and found.changed) else DONE)


def _standard_input() -> list[TextFile]:
    return [TextFile(_STREAM, Path(_STREAM), text_of_bytes(sys.stdin.buffer.read()))]


def _print(lines: Iterable[str]) -> None:
    sys.stdout.buffer.write(bytes_of_text("".join(lines)))
    sys.stdout.buffer.flush()
