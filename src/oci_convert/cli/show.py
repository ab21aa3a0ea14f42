"""What people read: findings, trees and summaries, as plain text.

Whatever an image says of itself is escaped here before it reaches a terminal.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from oci_convert.journey.inspect import Inspected, Inspection
    from oci_convert.journey.proof import Link, Proof
    from oci_convert.papers.findings import Finding
    from oci_convert.papers.report import Failure, Report

__all__ = ["bytes_of", "complain", "failures", "findings", "say", "summary", "tell", "tree"]

_ALIKE: Final = 4
"""Findings of one code that are shown one by one; of more, the first three and how many follow."""

_DIGEST: Final = re.compile(r"(sha\d+:[0-9a-f]{12})[0-9a-f]+")


def say(line: str) -> None:
    """A line of the result, on standard output."""
    print(_escaped(line))


def complain(line: str) -> None:
    """The one line of an error, on standard error."""
    print(_escaped(f"error: {line}"), file=sys.stderr)


def tell(line: str) -> None:
    """A line about the run, on standard error."""
    print(_escaped(line), file=sys.stderr)


def _escaped(text: str) -> str:
    """Control characters and line ends of an image's making must not reach the terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def findings(found: Iterable[Finding]) -> None:
    """Findings on standard error, one line each; long runs of one kind are cut short."""
    listed = list(found)
    counts = Counter(finding.code for finding in listed)
    shown: Counter[str] = Counter()
    for finding in listed:
        shown[finding.code] += 1
        many = counts[finding.code] > _ALIKE
        if many and shown[finding.code] == _ALIKE:
            more = counts[finding.code] - _ALIKE + 1
            tell(f"{finding.level.value}: {more} more like this; --json lists all [{finding.code}]")
        elif not many or shown[finding.code] < _ALIKE:
            tell(f"{finding.level.value}: {finding.where}: {finding.message} [{finding.code}]")


def failures(failed: Iterable[Failure]) -> None:
    """What a run that kept going could not convert, one line each."""
    for failure in failed:
        place = failure.where or failure.source
        complain(f"{place}: {failure.message} [{failure.code}]")


def summary(report: Report) -> None:
    """What a conversion did, in a line or two on standard error."""
    changes = Counter((row.kind.value, row.change.value) for row in report.map)
    parts = [
        f"{count} {kind}{_plural(kind, count)} {change}"
        for (kind, change), count in changes.items()
    ]
    done = "would be written" if report.dry_run else "written"
    tell(f"{', '.join(parts)}; {bytes_of(report.totals.bytes_written)} {done}")
    count = len(report.losses)
    losses = f"{count} loss{_plural('x', count)}; " if count else ""
    if report.reversible:
        tell(f"{losses}the way back gives the same bytes{' for the images' if count else ''}")
    elif count:
        tell(f"{losses}the way back gives other bytes (--record FILE keeps the originals)")


def _plural(kind: str, count: int) -> str:
    if count == 1:
        return ""
    return "es" if kind.endswith("x") else "s"


def bytes_of(size: int) -> str:
    """A size for people: ``1.1 MB``."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if unit != "B" and value < 99.5 else f"{value:.0f} {unit}"


def tree(inspection: Inspection) -> None:
    """The images of a source, drawn as trees on standard output."""
    for image in inspection.images:
        say(f"{image.name or '(unnamed)'}  {_described(image)}")
        for line in _branches(image.children, ""):
            say(line)


def _branches(children: tuple[Inspected, ...], indent: str) -> Iterator[str]:
    for i, child in enumerate(children):
        last = i == len(children) - 1
        yield f"{indent}{'└── ' if last else '├── '}{_described(child)}"
        yield from _branches(child.children, indent + ("    " if last else "│   "))


def _described(blob: Inspected) -> str:
    descriptor = blob.descriptor
    notes = f"  ({'; '.join(blob.notes)})" if blob.notes else ""
    words = [
        blob.kind.value,
        descriptor.name.short(),
        bytes_of(descriptor.size),
        blob.platform or "",
        descriptor.media_type,
    ]
    return "  ".join(word for word in words if word) + notes


def proof(found: Proof) -> None:
    """A chain, one line a link, then what it leaves open, then the answer."""
    otherwise = "BROKEN" if found.answer.value == "not-proved" else "open"
    for link in found.chain:
        say(_link(link, otherwise))
    if found.reason:
        say(found.reason)
    say(found.answer.value.replace("-", " "))


def _link(link: Link, otherwise: str) -> str:
    if link.expected == link.found or link.link == "left-out":
        told = link.expected or ""
    elif link.ok:
        told = f"{link.expected} → {link.found}"
    else:
        told = f"{link.found or 'nothing'} instead of {link.expected or 'nothing'}"
    place = "" if link.link == "original" else link.where
    note = f"({link.note})" if link.note else ""
    words = [f"{link.link:<8}", place, told, note, "ok" if link.ok else otherwise]
    line = "  ".join(word for word in words if word)
    return _DIGEST.sub(r"\1", line) if link.link == "layer" and link.ok else line
