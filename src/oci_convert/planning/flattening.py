"""Flattening: the one image of an index takes its place, and what was said of it moves up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from oci_convert.errors import RefusedError
from oci_convert.planning.context import Context, no_image
from oci_convert.planning.decisions import Decision, DescriptorPlan, PlannedImage, Rewrite
from oci_convert.spec.media_types import Family, Kind
from oci_convert.spec.models import Platform
from oci_convert.spec.names import NAMES
from oci_convert.spec.platforms import disagree
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import changes_family, is_attestation
from oci_convert.tree.choosing import how_to_choose
from oci_convert.tree.nodes import DocumentNode, Image, platform_of, platform_or_none

__all__ = ["flattened"]


def flattened(context: Context, image: Image, root: Rewrite, *, has_entries: bool) -> PlannedImage:
    """The one image of an index in the place of the index.

    The platform and the annotations of its entry move to the entry of the image in the target, if
    that ``has_entries``. What is lost is named. Raises :class:`RefusedError` (``not-one-image``).
    """
    decision: Decision = root
    platform: Platform | None = None
    above: Platform | None = None
    """What an entry of an index says that names another index."""
    annotations: dict[str, str] = {}
    lost: list[str] = []
    spliced = False
    while isinstance(decision, Rewrite) and decision.node.kind is Kind.INDEX:
        node, only = decision.node, _only_image(context, decision)
        if decision is not root and not spliced:  # else it is told that it goes
            context.find("index-flattened", node.where, "nested index replaced by its only image")
        entry, spliced = only.slot.descriptor, only.spliced
        above, platform = platform or above, entry.platform
        if not _becomes_docker(node, context.family):
            lost += _said_of_itself(node)
            annotations |= {
                name: value
                for name, value in (entry.annotations or {}).items()
                if name not in only.stale | NAMES
            }
        decision = only.decision
    if decision is root:
        return PlannedImage(image, root)
    if context.family is Family.DOCKER and not isinstance(decision.node, DocumentNode):
        raise no_image(decision.node)
    own = platform_or_none(decision.node)
    if platform is None and above is not None:
        # What was said of an index may be wrong of the image.
        platform = above if own is None or not disagree(above, own) else None
        lost += [] if platform else [f"the platform of an index, {above}"]
    if not has_entries:
        if platform is not None and platform != own:
            lost.append(f"the platform of its entry, {platform}")
        lost += _annotations("its entry", annotations)
    told = f"; lost: {'; '.join(lost)}" if lost else ""
    message = f"index replaced by its only image{told}"
    context.find("index-flattened", root.node.where, message)
    if not has_entries:
        return PlannedImage(image, decision)
    top = image.root
    descriptor = top.descriptor.model_copy(update={"platform": platform or top.descriptor.platform})
    moved = replace(top, descriptor=descriptor, annotations={**annotations, **top.annotations})
    return PlannedImage(image._replace(root=moved), decision)


def _only_image(context: Context, index: Rewrite) -> DescriptorPlan:
    """The one image of an index; its attestations are dropped."""
    children = [planned for planned in index.children if planned.included]
    images = [it for it in children if not is_attestation(it.slot.descriptor)]
    if len(images) != 1 or images[0].decision.node.absent is images[0].decision.node:
        raise _not_one_image(index.node, images)
    for planned in children:
        if planned is not images[0]:
            context.find(
                "attestation-dropped",
                f"{index.node.where}.{planned.slot.label}",
                f"attestation {planned.slot.descriptor.digest} dropped with its index",
            )
    return images[0]


def _becomes_docker(index: DocumentNode, family: Family) -> bool:
    """Whether an index loses anyway, and it is told, what Docker's lists have no room for."""
    return family is Family.DOCKER and changes_family(index.document, family)


def _said_of_itself(node: DocumentNode) -> Iterable[str]:
    """What an index says of itself."""
    model = node.document.model
    yield from _annotations("the index", model.annotations or {})
    if model.artifact_type:
        yield f"the artifactType of the index, {model.artifact_type}"
    if model.subject is not None:
        yield f"the subject of the index, {model.subject.digest}"


def _annotations(of: str, annotations: Mapping[str, str]) -> Iterable[str]:
    listed = ", ".join(f"{key}={text}" for key, text in annotations.items())
    if listed:
        yield f"the annotations of {of}: {listed}"


def _not_one_image(node: DocumentNode, images: list[DescriptorPlan]) -> RefusedError:
    names = ", ".join(
        str(platform_of(p.decision.node, p.slot.descriptor) or p.slot.label)
        for p in images
        if p.decision.node.absent is not p.decision.node
    )
    return RefusedError(
        Wording(
            f"{{flatten=True}} needs an index of one image, but this one has {len(images)}"
            + (f": {names}" if names else "")
        ),
        code="not-one-image",
        where=node.where,
        remedy=Wording(how_to_choose((p.decision.node, p.slot.descriptor) for p in images)),
    )
