"""What a file of results comes to: counts, failures, losses, and what was saved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from oci_convert.fleet.results import JobResult, JobStatus
from oci_convert.plain import Plain

__all__ = ["DURATIONS", "Failures", "Overview", "overview"]

_EXAMPLES: Final = 3
DURATIONS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Seconds up to which jobs are counted together; the last ones took longer."""


@dataclass(slots=True, repr=False)
class Failures(Plain):
    """Jobs that failed for one reason."""

    jobs: int = 0
    """How many."""
    examples: list[tuple[str, str]] = field(default_factory=list)
    """The first of them: what they are called, and the whole message."""


@dataclass(slots=True, repr=False)
class Overview(Plain):
    """What became of all jobs."""

    version: Literal[1] = 1
    """The version of this format: a key that goes, or changes its meaning, changes it."""
    jobs: dict[JobStatus, int] = field(default_factory=dict)
    """How many ended how."""
    images: int = 0
    """Images in the targets."""
    failures: dict[str, Failures] = field(default_factory=dict)
    """By their codes, the most frequent first."""
    losses: dict[str, int] = field(default_factory=dict)
    """Losses by their kinds, in all images, the most frequent first."""
    durations: list[int] = field(default_factory=lambda: [0] * (len(DURATIONS) + 1))
    """How many jobs took at most as long as each of :data:`DURATIONS`, and longer."""
    seconds: float = 0.0
    """What all jobs took together, one after the other."""
    requests: int = 0
    """Requests to registries."""
    bytes_down: int = 0
    """What came from them."""
    bytes_up: int = 0
    """What was sent to them."""
    bytes_written: int = 0
    """On disks."""
    requests_of_pulling: int = 0
    """Requests that pulling and pushing every image would have taken, where registries were asked:
    one for each document and blob to read it, one and three to write it."""
    bytes_of_pulling: int = 0
    """The bytes of that, both ways."""

    @property
    def total(self) -> int:
        """All jobs."""
        return sum(self.jobs.values())

    @property
    def requests_saved(self) -> int:
        """How many requests fewer there were."""
        return max(0, self.requests_of_pulling - self.requests)

    @property
    def bytes_saved(self) -> int:
        """How many bytes fewer went over the wire."""
        return max(0, self.bytes_of_pulling - self.bytes_down - self.bytes_up)


def overview(results: Iterable[JobResult]) -> Overview:
    """Sum up results, of which each job has one."""
    found = Overview()
    for result in results:
        _add(found, result)
    found.failures = dict(sorted(found.failures.items(), key=lambda it: -it[1].jobs))
    found.losses = dict(sorted(found.losses.items(), key=lambda it: -it[1]))
    found.seconds = round(found.seconds, 3)
    return found


def _add(found: Overview, result: JobResult) -> None:
    found.jobs[result.status] = found.jobs.get(result.status, 0) + 1
    if result.status.good:
        found.images += len(result.images)
    if result.failure is not None:
        failures = found.failures.setdefault(result.failure.code, Failures())
        failures.jobs += 1
        if len(failures.examples) < _EXAMPLES:
            failures.examples.append((result.id, result.failure.message))
    for code, number in result.losses.items():
        found.losses[code] = found.losses.get(code, 0) + number
    if result.status is JobStatus.DONE:
        slot = next(
            (at for at, most in enumerate(DURATIONS) if result.seconds <= most), len(DURATIONS)
        )
        found.durations[slot] += 1
    found.seconds += result.seconds
    found.requests += result.requests
    found.bytes_down += result.bytes_down
    found.bytes_up += result.bytes_up
    found.bytes_written += 0 if result.bytes_up else result.bytes_written
    if result.requests and result.size:
        found.requests_of_pulling += 2 * result.documents + 4 * result.blobs
        found.bytes_of_pulling += 2 * result.size
