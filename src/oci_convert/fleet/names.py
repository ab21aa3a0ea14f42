"""Names in targets that jobs share: two jobs that give one name to different images.

In registries a name is a job's before anything is written; in other targets, which keep what they
have, it is looked at afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from threading import Lock

from oci_convert.errors import OciConvertError, StoreError
from oci_convert.fleet.jobs import Job
from oci_convert.fleet.keyed_lines import temporary_database
from oci_convert.fleet.results import JobResult, JobStatus
from oci_convert.plain import spelled_out
from oci_convert.report import ConvertedImage, Failure
from oci_convert.spec.digest import Digest
from oci_convert.stores.base import Closing
from oci_convert.stores.registry.reference import (
    SCHEME,
    ImageReference,
    TagTemplate,
    parse_destination,
    parse_source,
)

__all__ = ["Names", "name_of", "names_of"]


class Names(Closing):
    """Which job gave an image its name, on disk if there are many."""

    def __init__(self) -> None:
        self._database = temporary_database()
        self._database.execute(
            "CREATE TABLE names (target TEXT, name TEXT, digest TEXT, job TEXT,"
            " PRIMARY KEY (target, name)) WITHOUT ROWID"
        )
        self._database.execute(
            "CREATE TABLE owners (name TEXT PRIMARY KEY, owner TEXT, job TEXT) WITHOUT ROWID"
        )
        self._lock = Lock()

    def claim(self, job: Job, names: Iterable[str]) -> None:
        """Make names in registries those of a job, all of them or none.

        A job that is sent or listed again has them. Raises :class:`StoreError` (``same-name``) for
        one that another job has, whatever became of it: what a name means must not depend on that.
        """
        owner = Digest.of(json.dumps(job.to_json(), sort_keys=True).encode())
        query = "SELECT owner, job FROM owners WHERE name = ?"
        with self._lock:
            wanted = []
            for name in names:
                found = self._database.execute(query, (name,)).fetchone()
                if found is None:
                    wanted.append((name, owner, spelled_out(job.id)))
                elif found[0] != owner:
                    raise _taken(name, found[1])
            self._database.executemany("INSERT OR IGNORE INTO owners VALUES (?, ?, ?)", wanted)

    def checked(self, result: JobResult) -> JobResult:
        """The result; a failure if it took the name of another image that this run put there.

        In registries, names are claimed before.
        """
        if not result.status.good or result.destination.startswith(SCHEME):
            return result
        for image in result.images:
            entry = spelled_out(result.destination), image.name or ""
            digest, own = str(image.new.digest), spelled_out(result.id)
            self._database.execute(
                "INSERT OR IGNORE INTO names VALUES (?, ?, ?, ?)", (*entry, digest, own)
            )
            query = "SELECT digest, job FROM names WHERE target = ? AND name = ?"
            other, job = self._database.execute(query, entry).fetchone()
            if image.name and other != digest and job != own:
                return replace(
                    result, status=JobStatus.FAILED, failure=_same_name(result, image.name, job)
                )
        return result

    def close(self) -> None:
        """Forget them."""
        self._database.close()


def name_of(job: Job) -> str | None:
    """What an image in a registry will be called, where that is known before the source is read."""
    if not job.destination.startswith(SCHEME):
        return None
    try:
        target = parse_destination(job.destination)
        if isinstance(target, TagTemplate):
            source = parse_source(job.source) if job.source.startswith(SCHEME) else None
            if not isinstance(source, ImageReference) or source.tag is None:
                return None
            target = target.fill(source.tag)
    except OciConvertError:  # whoever carries it out says so
        return None
    return str(target).removeprefix(SCHEME)


def names_of(job: Job, done: Sequence[ConvertedImage] = ()) -> tuple[str, ...]:
    """What is known of the names in registries that a job needs; ``done`` is what it did before."""
    if not job.destination.startswith(SCHEME):
        return ()
    names = [name_of(job), *(image.name for image in done)]
    return tuple(dict.fromkeys(name for name in names if name))


def _taken(name: str, job: str) -> StoreError:
    return StoreError(
        f"the image of another job has this name ({job})",
        code="same-name",
        where=f"{SCHEME}{name}",
        remedy="choose a name for each image; nothing of this one was written",
    )


def _same_name(result: JobResult, name: str, job: str) -> Failure:
    error = StoreError(
        f"it took the name {name} from the image of another job ({job})",
        code="same-name",
        where=result.destination,
        remedy="choose a name for each image, as oci:PATH:NAME, and do both again",
    )
    return Failure.of(result.source, error)
