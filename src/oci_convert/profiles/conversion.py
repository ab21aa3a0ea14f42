"""Converting for a target: with what it needs, and not at all if it would refuse the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from oci_convert.conversion.convert import converted
from oci_convert.options import Options
from oci_convert.progress import Progress
from oci_convert.report import Report
from oci_convert.stores.known import Known
from oci_convert.stores.opening import SinkLike, SourceLike, sink_store

if TYPE_CHECKING:
    from oci_convert.profiles.schema import Profile

__all__ = ["convert_for"]


def convert_for(
    source: SourceLike | Iterable[SourceLike],
    destination: SinkLike,
    options: Options,
    profiles: Sequence[Profile],
    *,
    restore: str | bytes | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    layers: Known | None = None,
    one_of_many: bool = False,
    told: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Report:
    """Convert as the targets need it; with no targets, as the options say.

    ``told`` is given the options that were set. Raises :class:`RefusedError`
    (``target-would-refuse``) before anything is written if that is not enough.
    """
    approve = None
    if profiles:
        from oci_convert.profiles.check import approval, fitting  # most conversions have no target

        implied = sink_store(destination).default_family
        options, chosen = fitting(source, profiles, options, implied)
        told(chosen)
        approve = approval(profiles, options)
    return converted(
        source,
        destination,
        options,
        restore=restore,
        on_progress=on_progress,
        layers=layers,
        approve=approve,
        one_of_many=one_of_many,
    )
