"""The progress line of a terminal; it disappears at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oci_convert.journey.carry import Progress

__all__ = ["progress"]


@contextmanager
def progress(*, wanted: bool) -> Iterator[Callable[[Progress], None] | None]:
    """What to hand to ``on_progress``; ``None`` where nobody would see it."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich import progress as bar
    from rich.console import Console

    columns = (
        bar.TextColumn("{task.description}"),
        bar.BarColumn(),
        bar.DownloadColumn(),
        bar.TransferSpeedColumn(),
        bar.TimeRemainingColumn(),
    )
    with bar.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("blobs", total=None)

        def show(moved: Progress) -> None:
            shown.update(task, completed=moved.done, total=moved.total)

        yield show
