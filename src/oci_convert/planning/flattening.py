"""Flattening: the one image of an index takes its place, and what was said of it moves up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from oci_convert.errors import RefusedError
from oci_convert.planning.context import Context, no_image
from oci_convert.planning.decisions import Decision, DescriptorPlan, PlannedImage, Rewrite
from oci_convert.planning.statements import (
    lost_annotations,
    lost_with,
    said_beside,
    said_by_index,
)
from oci_convert.spec.media_types import Family, Kind
from oci_convert.spec.models import Descriptor, Platform
from oci_convert.spec.names import NAMES
from oci_convert.spec.platforms import disagree
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import is_attestation
from oci_convert.tree.choosing import how_to_choose
from oci_convert.tree.nodes import DocumentNode, Image, platform_of, platform_or_none

__all__ = ["flattened"]


def flattened(context: Context, image: Image, root: Rewrite, *, has_entries: bool) -> PlannedImage:
    """The one image of an index in the place of the index.

    What its entry says moves to the entry of the image in the target, if that ``has_entries``, and
    with it the platform and the annotations of the entries above. What is lost is named; but what
    the entry of the index in the source says, if the target has none, is told of all images.
    Raises :class:`RefusedError` (``not-one-image``).
    """
    decision: Decision = root
    entry, spliced = image.root.entry, False
    above: list[Descriptor] = []
    """The entries that name indexes, the outermost first."""
    lost: list[str] = []
    while isinstance(decision, Rewrite) and decision.node.kind is Kind.INDEX:
        node, only = decision.node, _only_image(context, decision)
        if not spliced:  # else it is told that it goes
            if decision is not root:
                message = "nested index replaced by its only image"
                context.find("index-flattened", node.where, message)
            above.append(entry)
            lost += said_by_index(node, stripped=context.strips(node.document))
        entry, spliced = _left(only, stripped=context.strips(node.document)), only.spliced
        decision = only.decision
    if decision is root:
        return PlannedImage(image, root)
    if context.family is Family.DOCKER and not isinstance(decision.node, DocumentNode):
        raise no_image(decision.node)
    own = platform_or_none(decision.node)
    # What is said of an index may be wrong of the image.
    stated = [it.platform for it in reversed(above) if it.platform is not None]
    fitting = (it for it in stated if own is None or not disagree(it, own))
    platform = entry.platform or next(fitting, None)
    annotations = {
        name: value
        for it in (*above[1:], entry)
        for name, value in (it.annotations or {}).items()
        if name not in NAMES
    } | dict(image.root.annotations)
    moved = replace(image.root, descriptor=entry.but(platform=platform), annotations=annotations)
    if has_entries:
        image = image._replace(root=moved)
        for it in above:
            lost += _unsaid("an index", it, platform, annotations)
            lost += said_beside("an index", it)
        lost += _unsaid("its entry", entry, platform, annotations)
    else:
        for of, it in (*(("an index", it) for it in above[1:]), ("its entry", entry)):
            lost += _unsaid(of, it, own, {})
            lost += said_beside(of, it)
    message = lost_with("index replaced by its only image", lost)
    context.find("index-flattened", root.node.where, message)
    return PlannedImage(image, decision)


def _left(planned: DescriptorPlan, *, stripped: bool) -> Descriptor:
    """What an entry says if its index is edited; that the rest goes, is told there."""
    entry = planned.slot.descriptor
    if stripped:
        return entry.but(annotations=None, artifact_type=None, data=None, urls=None)
    stated = entry.annotations or {}
    return entry.but(
        annotations={name: text for name, text in stated.items() if name not in planned.stale}
    )


def _unsaid(
    of: str, entry: Descriptor, platform: Platform | None, annotations: Mapping[str, str]
) -> Iterator[str]:
    """What an entry says of the platform, and in annotations, and the result does not."""
    if entry.platform is not None and entry.platform != platform:
        yield f"the platform of {of}, {entry.platform}"
    stated = entry.annotations or {}
    yield from lost_annotations(
        of,
        {
            name: text
            for name, text in stated.items()
            if name not in NAMES and annotations.get(name) != text
        },
    )


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
