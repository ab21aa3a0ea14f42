"""Whether images fit into the rows of a ``manifest.json``: one platform and Docker's names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oci_convert.conversion.report_builder import SourcePlan
from oci_convert.errors import UsageError
from oci_convert.findings import Finding
from oci_convert.planning.decisions import Step
from oci_convert.spec.names import called, repository_tag
from oci_convert.stores.base import Root
from oci_convert.transform.document_edits import is_attestation, is_loadable
from oci_convert.tree.reader import platform_of

__all__ = ["check_rows"]


def check_rows(parts: Sequence[SourcePlan], where: str) -> None:
    """Refuse what has no place in a row, and note which rows have no name.

    Raises :class:`UsageError`: ``several-platforms`` or ``not-an-image``.
    """
    filled = False
    for part in parts:
        for root, (image, step) in zip(part.roots, part.plan.tops, strict=True):
            images = {step.node.descriptor.digest: step for step in _images(step)}
            if len(images) > 1:
                place = f"{part.source.label}: {image.node.where}"
                raise _several_platforms(list(images.values()), place)
            if images and repository_tag(root.annotations) is None:
                part.plan.findings.append(_nameless(root, image.node.where))
            filled = filled or bool(images)
    if not filled and any(part.plan.tops for part in parts):
        raise UsageError(
            "there is no image that Docker could load",
            code="not-an-image",
            where=where,
            remedy="write oci-archive: or an OCI layout",
        )


def _images(step: Step) -> Iterator[Step]:
    """The images at and below a step that will be in the archive."""
    document = step.node.document
    if document is not None and is_loadable(document):
        yield step
    for entry in step.entries:
        if entry.step is not None and entry.carried and not is_attestation(entry.slot.descriptor):
            yield from _images(entry.step)


def _several_platforms(images: Sequence[Step], where: str) -> UsageError:
    platforms = [str(platform_of(step.node) or "unknown") for step in images]
    return UsageError(
        f"there are {len(images)} images under one name ({', '.join(platforms)}), and a "
        "docker-save archive has room for one",
        code="several-platforms",
        where=where,
        remedy="choose one with --platform, or write oci-archive:",
    )


def _nameless(root: Root, where: str) -> Finding:
    name = called(root.annotations)
    what = "the image has no name" if name is None else f"{name!r} is no repository with a tag"
    return Finding.of("no-repository-name", where, f"{what}: the archive holds it untagged")
