"""The digest map of a report as Markdown, for the summary of a job and for a comment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from oci_convert import Report


def code(text: str) -> str:
    """Text of an image as code in a table: nothing in it is Markdown, or mentions anybody."""
    return f"`{''.join(c if c.isprintable() else '?' for c in text).translate(ESCAPED)}`"


ESCAPED = str.maketrans({"`": "'", "|": "\\|", "\\": "/"})


def markdown(report: Report) -> Iterator[str]:
    """One row for each document whose digest changed; a line for what kept its own; losses."""
    yield f"### {code(report.source)} as {code(report.destination or '')}"
    yield ""
    yield "| | platform | old digest | new digest |"
    yield "|---|---|---|---|"
    kept = 0
    for row in report.map:
        if row.new is None or row.old.digest == row.new.digest:
            kept += row.new is not None
            continue
        yield (
            f"| {row.kind} | {code(str(row.platform)) if row.platform else ''} "
            f"| {code(row.old.digest)} | {code(row.new.digest)} |"
        )
    yield ""
    yield f"{kept} blobs kept their digest; losses: {len(report.losses)}."
    for loss in report.losses:
        yield f"- {code(loss.code)} {code(loss.where)}"


if __name__ == "__main__":
    print("\n".join(markdown(Report.loads(Path(sys.argv[1]).read_bytes()))))
