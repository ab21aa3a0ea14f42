"""Jobs: one conversion each, as plain values that can go to another process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import uuid4

from oci_convert.errors import UsageError
from oci_convert.limits import Limits
from oci_convert.options import Options
from oci_convert.profiles.schema import names_in
from oci_convert.stores.references import within
from oci_convert.text.brief import Brief
from oci_convert.text.suggestion import did_you_mean, nearest

__all__ = ["Chunk", "Job", "Task"]

_MEMBERS: Final = ("source", "destination", "options", "for", "id")


@dataclass(frozen=True, slots=True, repr=False)
class Job(Brief):
    """One conversion: what :func:`oci_convert.convert` is called with, as texts and values.

    It holds no credentials: whoever carries it out has its own.
    """

    source: str
    """A reference or a path."""
    destination: str
    """The same."""
    options: Options = Options()
    """How to convert."""
    id: str = ""
    """What results call the job; by default its source and its destination."""
    targets: tuple[str, ...] = ()
    """Profiles of what the image is for: it is converted so that they take it."""

    def __post_init__(self) -> None:
        for given in (self.source, self.destination):
            _check_kind(given)
        if not self.id:
            object.__setattr__(self, "id", f"{self.source} {self.destination}")

    def to_json(self) -> dict[str, Any]:
        """The job as plain data: a line of a file of jobs."""
        members = {
            "id": self.id,
            "source": self.source,
            "destination": self.destination,
            "options": self.options.to_json(),
        }
        return {**members, "for": list(self.targets)} if self.targets else members

    def told_from(self, folder: str) -> Job:
        """The same job, with paths that are not absolute taken from ``folder``."""
        source, destination = within(folder, self.source), within(folder, self.destination)
        return replace(self, source=source, destination=destination)

    @property
    def settings(self) -> dict[str, Any]:
        """What decides, besides the source, what the image becomes."""
        targets = {"for": list(self.targets)} if self.targets else {}
        return {**self.options.to_json(), **targets}

    @classmethod
    def from_json(
        cls, value: Any, within: Options = Options(), targets: tuple[str, ...] = ()
    ) -> Job:
        """The job that a line describes; options that it does not have are those of ``within``,
        and so with ``targets``.

        Raises :class:`UsageError` (``invalid-job``, and those of options).
        """
        if not isinstance(value, Mapping):
            raise _invalid("a job is an object", "it has a source and a destination")
        for name in value:
            if name not in _MEMBERS:
                advice = did_you_mean(nearest(str(name), _MEMBERS), f"it has {_listed()}")
                raise _invalid(f"a job has no {name!r}", advice)
        texts = {name: value.get(name) for name in ("source", "destination")}
        for name, text in texts.items():
            if not isinstance(text, str) or not text:
                raise _invalid(f"the job has no {name}", f"{name} is a reference or a path")
            _check_text(text, name)
        number = value.get("id", "")
        if isinstance(number, bool) or not isinstance(number, str | int):
            raise _invalid("the id is neither a text nor a number", "leave it out, or mend it")
        _check_text(str(number), "id")
        options = value.get("options") or {}
        if not isinstance(options, Mapping):
            raise _invalid("the options are no object", 'write {"to": "oci"}')
        merged = Options.from_json({**within.to_json(), **options})
        wanted = value.get("for", list(targets))
        names = [wanted] if isinstance(wanted, str) else wanted
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _invalid("for is no list of profiles", 'write "for": "lambda"')
        found = names_in(names)
        return cls(str(texts["source"]), str(texts["destination"]), merged, str(number), found)


def _check_text(text: str, name: str) -> None:
    """Raise for half of a character, as JSON can spell it, unless it is part of a file's name."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise _invalid(f"the {name} is no text: {text!r}", "spell it in UTF-8") from None


def _listed() -> str:
    return ", ".join(_MEMBERS)


def _check_kind(given: object) -> None:
    if not isinstance(given, str):
        raise TypeError(
            "a job may go to another process: its source and its destination are texts, references "
            f"or paths, and no {type(given).__name__}; convert() takes objects"
        )


def _invalid(message: str, remedy: str) -> UsageError:
    return UsageError(message, code="invalid-job", remedy=remedy)


@dataclass(frozen=True, slots=True)
class Task:
    """A job with what an earlier run knows of it."""

    job: Job
    tries: int = 1
    """How often it is tried when something fails that may pass."""
    state: str | None = None
    """What the source was when the job was done with these options; ``None``: it was not."""
    names: tuple[str, ...] = ()
    """Of images in registries that are this job's, and no other one's of the run."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is sent to a worker at once."""

    version: str
    """Of this package, which must be the one of the worker."""
    limits: Limits
    tasks: tuple[Task, ...]
    folder: str
    """From which paths are told that are not absolute."""
    id: str = field(default_factory=lambda: uuid4().hex)
    """Of this sending. Dask calls work by its arguments: the same chunk, sent again, would be
    answered with what became of it before, as long as a scheduler remembers that."""
