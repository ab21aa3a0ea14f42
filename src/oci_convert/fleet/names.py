"""Names in targets that jobs share: two jobs that give one name to different images."""

from __future__ import annotations

from dataclasses import replace

from oci_convert.errors import StoreError
from oci_convert.fleet.keyed_lines import temporary_database
from oci_convert.fleet.results import JobResult, JobStatus
from oci_convert.plain import spelled_out
from oci_convert.report import Failure
from oci_convert.stores.base import Closing
from oci_convert.stores.registry.reference import SCHEME

__all__ = ["Names"]


class Names(Closing):
    """Which job gave an image its name, on disk if there are many."""

    def __init__(self) -> None:
        self._database = temporary_database()
        self._database.execute(
            "CREATE TABLE names (target TEXT, name TEXT, digest TEXT, job TEXT,"
            " PRIMARY KEY (target, name)) WITHOUT ROWID"
        )

    def checked(self, result: JobResult) -> JobResult:
        """The result; a failure if it took the name of another image that this run put there.

        References to registries name their images themselves, and are compared before.
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


def _same_name(result: JobResult, name: str, job: str) -> Failure:
    error = StoreError(
        f"it took the name {name} from the image of another job ({job})",
        code="same-name",
        where=result.destination,
        remedy="choose a name for each image, as oci:PATH:NAME, and do both again",
    )
    return Failure.of(result.source, error)
