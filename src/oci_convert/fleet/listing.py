"""What ``sync`` converts: a job for each image that its sources mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from oci_convert.errors import UsageError
from oci_convert.fleet.jobs import Job
from oci_convert.fleet.skopeo_yaml import images_of
from oci_convert.fleet.tags import TagChoice, images_in
from oci_convert.options import Options
from oci_convert.stores.collections import stores_in
from oci_convert.stores.registry.reference import (
    SCHEME,
    ImageReference,
    parse_destination,
    parse_source,
)

__all__ = ["is_yaml", "jobs_of"]

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
) -> Iterator[Job]:
    """A job for each image of ``source``, as they are found.

    ``source`` is a reference to every tag or every repository, a folder of archives, layouts and
    ``dir:`` images, a file of ``skopeo sync``, or anything that is converted in one piece. In
    ``destination``, ``{tag}`` is the tag of the source, ``/**`` at the end its repository (below
    the one that was named) with its tag, and ``{name}`` the path of a store below the folder.
    """
    if source.startswith(SCHEME):
        prefix = _prefix(source)
        for image in images_in(source, choice):
            yield Job(str(image), _target(destination, image, prefix), options, targets=targets)
    elif is_yaml(source):
        for image in images_of(Path(source), choice):
            yield Job(str(image), _target(destination, image, ""), options, targets=targets)
    elif Path(source).is_dir():
        for store in stores_in(source):
            name = _shortened(Path(store.path), Path(source))
            yield Job(str(store), destination.replace(_NAME, name), options, targets=targets)
    else:
        name = _shortened(Path(source.rpartition(":")[2]), Path())
        yield Job(source, destination.replace(_NAME, name), options, targets=targets)


def is_yaml(source: str) -> bool:
    """Whether a source is a file of ``skopeo sync``."""
    return not source.startswith(SCHEME) and source.endswith(_YAML)


def _prefix(source: str) -> str:
    """What of the names of repositories is not repeated behind ``/**``."""
    if not source.endswith(_BELOW):
        return ""
    every = parse_source(source)
    return "" if isinstance(every, ImageReference) else f"{getattr(every, 'prefix', '')}/"


def _target(destination: str, image: ImageReference, prefix: str) -> str:
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
