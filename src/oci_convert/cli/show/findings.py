"""Findings and failures, one line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from oci_convert.cli.show.terminal import complain, tell
from oci_convert.cli.show.text import Style, Text
from oci_convert.cli.show.words import count_of

if TYPE_CHECKING:
    from oci_convert.findings import Finding
    from oci_convert.report import Failure

__all__ = ["failures", "findings"]

_ALIKE: Final = 4
"""Lines of one code and level that are shown; of more, the first three and how many follow."""

_LEVELS: Final = {
    "error": Style.ERROR,
    "loss": Style.LOSS,
    "warning": Style.WARNING,
    "info": Style.STRONG,
}
"""The levels, what weighs most first."""


def findings(
    found: Iterable[Finding],
    *,
    weightiest_first: bool = False,
    every: bool = False,
    source: str = "",
) -> None:
    """Findings on standard error: one line for all of one kind in one image, and few for one kind.

    Errors have a line each; ``every``: all have. ``source`` is told where there are several.
    """
    listed = list(found)
    if weightiest_first:
        order = list(_LEVELS)
        listed.sort(key=lambda finding: order.index(finding.level.value))
    groups: dict[object, list[Finding]] = {}
    for finding in listed:
        key = (finding.code, finding.level, _image(finding.where))
        alone = every or finding.level.value == "error"
        groups.setdefault(finding if alone else key, []).append(finding)
    # An error must not hide among warnings of the same code.
    counts = Counter((first.code, first.level) for first, *_ in groups.values())
    shown = Counter[tuple[str, object]]()
    for first, *others in groups.values():
        kind = (first.code, first.level)
        shown[kind] += 1
        many = counts[kind] > _ALIKE and not every
        if many and shown[kind] == _ALIKE:
            more = counts[kind] - _ALIKE + 1
            tell(_line(first, Text(f"{count_of('more place', more)} like this; -v lists all")))
        elif not many or shown[kind] < _ALIKE:
            more_here = f" (and {len(others)} more; -v lists all)" if others else ""
            message = f": {first.message}{more_here}"
            tell(_line(first, _place(first, source) + message))


def _place(finding: Finding, source: str) -> Text:
    """Where it is, in which of several sources."""
    told = finding.where.startswith(source)  # so does what concerns a store as a whole
    return Text(finding.where if told else f"{source}: {finding.where}", Style.PLACE)


def _image(where: str) -> str:
    """The image that a place is in: ``images[0]`` of ``images[0].manifests[1]``."""
    return where.partition(".")[0] if where.startswith("images[") else where


def _line(finding: Finding, told: Text) -> Text:
    level = finding.level.value
    code = Text(f" [{finding.code}]", Style.FAINT)
    return Text(level, _LEVELS[level]) + ": " + told + code


def failures(failed: Iterable[Failure]) -> None:
    """What a run that kept going could not convert, one line each."""
    from oci_convert.cli.spelling import spelled

    for failure in failed:
        place = ": ".join(filter(None, (failure.store, failure.where))) or failure.source
        complain(f"{place}: {spelled(failure.message)} [{failure.code}]")
