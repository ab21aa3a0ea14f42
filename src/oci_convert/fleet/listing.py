"""What ``sync`` converts: a job for each image that its sources mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from oci_convert.errors import OciConvertError, UsageError
from oci_convert.fleet.jobs import Job
from oci_convert.fleet.results import JobResult, JobStatus
from oci_convert.fleet.skopeo_yaml import images_of, wanted
from oci_convert.fleet.tags import TagChoice, Unlisted, images_in
from oci_convert.options import Options
from oci_convert.stores.collections import stores_in
from oci_convert.stores.registry.reference import (
    SCHEME,
    ImageReference,
    parse_destination,
    parse_source,
)

__all__ = ["check_source", "is_yaml", "jobs_of"]

_BELOW: Final = "/**"
_TAG: Final = "{tag}"
_NAME: Final = "{name}"
_YAML: Final = (".yaml", ".yml")
_ENDS: Final = (".tar.gz", ".tar.zst", ".tar.zstd", ".tar.xz", ".tar.bz2", ".tar", ".tgz", ".tzst")


def jobs_of(
    source: str,
    destination: str,
    options: Options,
    choice: TagChoice,
    targets: tuple[str, ...] = (),
) -> Iterator[Job | JobResult]:
    """A job for each image of ``source``, as they are found; a failed result for what cannot be
    listed, or has no name in the destination.

    ``source`` is a reference to every tag or every repository, a folder of archives, layouts and
    ``dir:`` images, a file of ``skopeo sync``, or anything that is converted in one piece. In
    ``destination``, ``{tag}`` is the tag of the source, ``/**`` at the end its repository (below
    the one that was named) with its tag, and ``{name}`` the path of a store below the folder.
    """
    if source.startswith(SCHEME) or is_yaml(source):
        if is_yaml(source):
            prefix, images = "", images_of(Path(source), choice)
        else:
            prefix, images = _prefix(source), images_in(source, choice)
        for image in images:
            text = image.reference if isinstance(image, Unlisted) else str(image)
            job = Job(text, destination, options, targets=targets)
            try:
                yield replace(job, destination=_target(destination, image, prefix), id="")
            except OciConvertError as error:
                yield JobResult.without_run(job, JobStatus.FAILED, error)
    elif Path(source).is_dir():
        try:
            for store in stores_in(source):
                name = _shortened(Path(store.path), Path(source))
                yield Job(str(store), destination.replace(_NAME, name), options, targets=targets)
        except OciConvertError as error:
            job = Job(source, destination, options, targets=targets)
            yield JobResult.without_run(job, JobStatus.FAILED, error)
    else:
        name = _shortened(Path(source.rpartition(":")[2]), Path())
        yield Job(source, destination.replace(_NAME, name), options, targets=targets)


def check_source(source: str, destination: str) -> None:
    """Raise for a source that is none, or has no name in the destination, as far as that can be
    seen before anything is asked.
    """
    if source.startswith(SCHEME):
        found = parse_source(source)
        if isinstance(found, ImageReference):
            _target(destination, found, "")
    elif is_yaml(source):
        wanted(Path(source))


def is_yaml(source: str) -> bool:
    """Whether a source is a file of ``skopeo sync``."""
    return not source.startswith(SCHEME) and source.endswith(_YAML)


def _prefix(source: str) -> str:
    """What of the names of repositories is not repeated behind ``/**``."""
    if not source.endswith(_BELOW):
        return ""
    every = parse_source(source)
    return "" if isinstance(every, ImageReference) else f"{getattr(every, 'prefix', '')}/"


def _target(destination: str, image: ImageReference | Unlisted, prefix: str) -> str:
    if isinstance(image, Unlisted):
        raise image.error
    tag = image.tag
    if destination.endswith(_BELOW):
        name = image.repository.name.removeprefix(prefix)
        destination = f"{destination.removesuffix(_BELOW)}/{name}:{_TAG}"
    if _TAG not in destination:
        return destination
    if tag is None:
        raise UsageError(
            "the source has a digest and no tag, which {tag} could stand for",
            code="no-repository-name",
            where=str(image),
            remedy="write REPOSITORY:TAG@DIGEST, or a destination without {tag}",
        )
    filled = destination.replace(_TAG, tag)
    if filled.startswith(SCHEME):
        parse_destination(filled)
    return filled


def _shortened(path: Path, below: Path) -> str:
    """The path of a store below a folder, without what says that it is an archive."""
    name = (path.relative_to(below) if path.is_relative_to(below) else path).as_posix()
    end = next((end for end in _ENDS if name.lower().endswith(end)), "")
    return (name[: len(name) - len(end)] if end else name).strip("/") or path.name
