"""``report``: what a file of results comes to."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from oci_convert.cli import show
from oci_convert.cli.app import Debug, Json, app, print_json
from oci_convert.cli.help import Command
from oci_convert.cli.replacement import written
from oci_convert.cli.show.words import bytes_of, count_of

if TYPE_CHECKING:
    from oci_convert.fleet.overview import Overview
    from oci_convert.fleet.results import JobResult

__all__ = ["report"]

_COLUMNS: Final = ("old", "new", "name", "source", "destination")


@app.command(
    cls=Command,
    short_help="Sum up the results of batch or sync.",
    epilog="0 printed; 1 failed; 2 wrong usage",
)
def report(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="What --results wrote.")],
    *,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write it as a page with plots, too."),
    ] = None,
    pins: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="Write old and new digests as CSV."),
    ] = None,
    _debug: Debug = False,
    as_json: Json = False,
) -> None:
    """Sum up the results of batch or sync: how jobs ended, why they failed, what was lost.

    Example: oci-convert report results.jsonl --html report.html
    """
    from oci_convert.cli.overview_page import page
    from oci_convert.fleet.overview import overview
    from oci_convert.fleet.results_file import read_results

    with written(html, "--html") as write_page, written(pins, "--map") as write_pins:
        found = overview(_mapped(read_results(results), write_pins))
        if html is not None:
            write_page(page(found, results.name))
    if as_json:
        print_json(found.to_json())
        return
    for line in _lines(found):
        show.say(line)


def _mapped(results: Iterable[JobResult], write: Callable[[str], object]) -> Iterator[JobResult]:
    """The same results, whose images are written down on the way."""
    write(_row(_COLUMNS))
    for result in results:
        for image in result.images if result.status.good else ():
            old = "" if image.old is None else image.old.digest
            name = image.name or ""
            write(_row([old, image.new.digest, name, result.source, result.destination]))
        yield result


def _row(cells: Sequence[str]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _lines(found: Overview) -> Iterator[str]:
    from oci_convert.fleet.results import JobStatus

    ended = ", ".join(
        f"{found.jobs[status]} {status.value}" for status in JobStatus if status in found.jobs
    )
    yield f"{count_of('job', found.total)}: {ended or 'none'}"
    yield f"{count_of('image', found.images)} in the targets"
    if found.requests:
        wire = bytes_of(found.bytes_down + found.bytes_up)
        yield f"{count_of('request', found.requests)}, {wire} over the wire"
        yield (
            f"saved against pull and push: {count_of('request', found.requests_saved)}, "
            f"{bytes_of(found.bytes_saved)}"
        )
    if found.bytes_written:
        yield f"{bytes_of(found.bytes_written)} written to disk"
    for code, number in found.losses.items():
        yield f"{number} lost: {code}"
    for code, failures in found.failures.items():
        yield f"{failures.jobs} failed: {code}"
        for name, words in failures.examples:
            yield f"    {name}: {words}"
