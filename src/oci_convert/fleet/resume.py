"""Jobs that need not be done again: their source is what it was, or their image is there.

The engine asks what the source was when a job was done; the worker compares it with what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oci_convert.fleet.jobs import Job
from oci_convert.fleet.results import JobResult
from oci_convert.plain import spelled_out
from oci_convert.report import ConvertedImage
from oci_convert.spec.digest import Digest
from oci_convert.stores.base import SourceStore
from oci_convert.stores.files.system import system_errors
from oci_convert.stores.opening import opened
from oci_convert.stores.references import Reference
from oci_convert.stores.registry.reference import SCHEME

__all__ = ["are_at", "state_of", "state_when_done"]


def state_when_done(job: Job, earlier: JobResult | None) -> str | None:
    """What the source was when the job was done as it is asked for now; ``None`` if it never was.

    If that is what :func:`state_of` the source says now, nothing is left to do.
    """
    if earlier is None or not earlier.status.good or earlier.options != job.settings:
        return None
    here = spelled_out([job.source, job.destination])  # as lines of results are
    return earlier.state if here == [earlier.source, earlier.destination] else None


def state_of(text: str, source: SourceStore) -> str:
    """What the source is now: a digest, or what the file system says of an archive.

    Raises if it is not there.
    """
    if text.startswith(SCHEME):
        from oci_convert.stores.registry.image import current_digest

        found = current_digest(text)
        if found is not None:
            return found
    elif isinstance(source, Reference) and Path(source.path).is_file():
        with system_errors():
            about = Path(source.path).stat()
        return f"{about.st_size} bytes, {about.st_mtime_ns}"
    with opened(source) as (_, _, roots):
        digests = sorted(root.descriptor.digest for root in roots)
    return digests[0] if len(digests) == 1 else Digest.of("\n".join(digests).encode())


def are_at(destination: str, images: Sequence[ConvertedImage]) -> bool:
    """Whether these are there, as a run that was killed, or lost, may have written them."""
    if destination.startswith(SCHEME):
        from oci_convert.stores.registry.image import current_digest

        return bool(images) and all(
            current_digest(f"{SCHEME}{it.name}", destination=True) == it.new.digest for it in images
        )
    with opened(destination) as (_, _, roots):
        return [root.descriptor.digest for root in roots] == [it.new.digest for it in images]
