"""Results of jobs: plain values, one line of JSON each; failures are values, too."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from oci_convert.errors import DocumentError, OciConvertError
from oci_convert.fleet.jobs import Job, Task
from oci_convert.plain import Plain, adapter, dumped, spelled_out
from oci_convert.report import ConvertedImage, Failure, Report
from oci_convert.spec.models import first_fault
from oci_convert.text.wording import Wording
from oci_convert.version import __version__

__all__ = ["Answer", "JobResult", "JobStatus", "Summary", "losses_of", "not_results"]

_REMEDY: Final = Wording("give a file that {convert_many(results=FILE)} wrote")


class JobStatus(StrEnum):
    """How a job ended."""

    DONE = "done"
    UNCHANGED = "unchanged"
    """Nothing had to be done: source and options are those of an earlier run, or the target had
    the image."""
    LEFT_OUT = "left-out"
    """Its source has no image for a platform that was asked for: a loss, and no failure."""
    SKIPPED = "skipped"
    """Not tried, as the run was stopped before."""
    FAILED = "failed"
    LOST = "lost"
    """Whoever carried it out went away with it, again and again."""

    @property
    def good(self) -> bool:
        """Whether the target has the image."""
        return self in {JobStatus.DONE, JobStatus.UNCHANGED}

    @property
    def bad(self) -> bool:
        """Whether the target should have an image, and has none."""
        return not self.good and self is not JobStatus.LEFT_OUT


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobResult(Plain):
    """What became of one job."""

    id: str
    """What the job is called; without a name, by its source, destination and options."""
    source: str
    """Its reference."""
    destination: str
    """Its reference."""
    status: JobStatus
    """How it ended."""
    images: tuple[ConvertedImage, ...] = ()
    """The images in the target, with the descriptors that they had."""
    failure: Failure | None = None
    """Why it failed or was lost."""
    losses: Mapping[str, int] = field(default_factory=dict)
    """How many losses of each kind there were."""
    documents: int = 0
    """Manifests and indexes of the source."""
    blobs: int = 0
    """Its other distinct blobs."""
    size: int = 0
    """Bytes of all of them: what pulling the images takes, and pushing them."""
    requests: int = 0
    """Requests to registries."""
    bytes_down: int = 0
    """What came from registries."""
    bytes_up: int = 0
    """What was sent to them."""
    bytes_read: int = 0
    """What of blobs was read, wherever they were."""
    bytes_written: int = 0
    """What of them was written."""
    seconds: float = 0.0
    """How long it took, all attempts together."""
    attempts: int = 1
    """How often it was tried."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options of the job, as far as they differ from the defaults."""
    state: str | None = None
    """What the source was: a digest; of an archive, its size and the time of its last change."""
    report: Annotated[Report | None, Field(exclude=True)] = field(default=None, compare=False)
    """All that the conversion did; no part of the line."""

    left_out: Annotated[Failure | None, Field(exclude=True)] = field(default=None, compare=False)
    """What there is instead of what was asked for; no part of the line."""

    def to_json(self) -> dict[str, Any]:
        """The result as plain data: a line of a file of results."""
        members: dict[str, Any] = spelled_out(dumped(self))
        return members

    @classmethod
    def from_json(cls, value: Any, where: str = "") -> JobResult:
        """The result of a line. Raises :class:`DocumentError` (``not-results``)."""
        try:
            return adapter(cls).validate_python(value)
        except ValidationError as error:
            raise not_results(first_fault(error), where) from None

    def as_before(self, earlier: JobResult) -> JobResult:
        """The same with the images that an earlier result names, and what it says of them."""
        return replace(
            self,
            images=earlier.images,
            losses=earlier.losses,
            documents=earlier.documents,
            blobs=earlier.blobs,
            size=earlier.size,
        )

    @classmethod
    def without_run(
        cls, job: Job, status: JobStatus, error: OciConvertError | None = None, attempts: int = 0
    ) -> JobResult:
        """The result of a job that nobody carried out."""
        return cls(
            id=job.id,
            source=job.source,
            destination=job.destination,
            status=status,
            failure=None if error is None else Failure.of(job.source, error),
            options=job.settings,
            attempts=attempts,
        )

    def line(self) -> str:
        """The line of a file of results, with its end."""
        return json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":")) + "\n"


@dataclass(slots=True, repr=False)
class Summary(Plain):
    """What a run did: the last line of its results."""

    version: Literal[1] = 1
    """The version of this format: a key that goes, or changes its meaning, changes it."""
    oci_convert: str = __version__
    """The version that wrote it."""
    complete: bool = False
    """Whether every job of the run has ended."""
    jobs: dict[JobStatus, int] = field(default_factory=dict)
    """How many ended how."""
    failures: dict[str, int] = field(default_factory=dict)
    """How many jobs failed with which code."""
    losses: dict[str, int] = field(default_factory=dict)
    """How many jobs lost something of which kind."""
    requests: int = 0
    """Requests to registries."""
    bytes_down: int = 0
    """What came from registries."""
    bytes_up: int = 0
    """What was sent to them."""
    bytes_read: int = 0
    """What of blobs was read, wherever they were."""
    bytes_written: int = 0
    """What of them was written."""
    seconds: float = 0.0
    """How long the run took."""

    def add(self, result: JobResult) -> None:
        """Count one more."""
        self.jobs[result.status] = self.jobs.get(result.status, 0) + 1
        if result.failure is not None:
            _count(self.failures, result.failure.code)
        for code in result.losses:
            _count(self.losses, code)
        for name in ("requests", "bytes_down", "bytes_up", "bytes_read", "bytes_written"):
            setattr(self, name, getattr(self, name) + getattr(result, name))

    @property
    def total(self) -> int:
        """All jobs that ended."""
        return sum(self.jobs.values())

    @property
    def bad(self) -> int:
        """Jobs whose images are not in the target, and should be."""
        return sum(number for status, number in self.jobs.items() if status.bad)

    @property
    def found_nothing(self) -> bool:
        """Whether every job was left out, so that nothing is for what was asked."""
        return set(self.jobs) == {JobStatus.LEFT_OUT}

    def line(self) -> str:
        """The line of a file of results, with its end."""
        return json.dumps({"summary": self.to_json()}, separators=(",", ":")) + "\n"


def _count(counts: dict[str, int], code: str) -> None:
    counts[code] = counts.get(code, 0) + 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker gives for a chunk. Without results if its version is another one."""

    version: str
    results: tuple[JobResult, ...]
    asking: tuple[Task, ...] = ()
    """What needs names first that other jobs may have; nothing of it has been written."""


def losses_of(report: Report) -> dict[str, int]:
    """How many losses of each kind a report tells."""
    return dict(Counter(finding.code for finding in report.losses))


def not_results(message: str, where: str) -> DocumentError:
    """The error for a line that is no result of a job."""
    return DocumentError(message, code="not-results", where=where, remedy=_REMEDY)
