"""Findings and failures, one line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from oci_convert.cli.show.terminal import complain, tell
from oci_convert.cli.show.text import Style, Text

if TYPE_CHECKING:
    from oci_convert.findings import Finding
    from oci_convert.report import Failure

__all__ = ["failures", "findings"]

_ALIKE: Final = 4
"""Findings of one code that are shown one by one; of more, the first three and how many follow."""

_LEVELS: Final = {
    "error": Style.ERROR,
    "loss": Style.LOSS,
    "warning": Style.WARNING,
    "info": Style.STRONG,
}
"""The levels, what weighs most first."""


def findings(found: Iterable[Finding], *, weightiest_first: bool = False) -> None:
    """Findings on standard error, one line each; long runs of one kind are cut short."""
    listed = list(found)
    if weightiest_first:
        order = list(_LEVELS)
        listed.sort(key=lambda finding: order.index(finding.level.value))
    counts = Counter(finding.code for finding in listed)
    shown: Counter[str] = Counter()
    for finding in listed:
        shown[finding.code] += 1
        many = counts[finding.code] > _ALIKE
        if many and shown[finding.code] == _ALIKE:
            more = counts[finding.code] - _ALIKE + 1
            tell(_line(finding, Text(f"{more} more like this; --json lists all")))
        elif not many or shown[finding.code] < _ALIKE:
            tell(_line(finding, Text(finding.where, Style.PLACE) + f": {finding.message}"))


def _line(finding: Finding, told: Text) -> Text:
    level = finding.level.value
    code = Text(f" [{finding.code}]", Style.FAINT)
    return Text(level, _LEVELS[level]) + ": " + told + code


def failures(failed: Iterable[Failure]) -> None:
    """What a run that kept going could not convert, one line each."""
    for failure in failed:
        place = failure.where or failure.source
        complain(f"{place}: {failure.message} [{failure.code}]")
