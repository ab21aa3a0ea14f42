"""Whether images fit into the rows of a ``manifest.json``: one platform and Docker's names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from oci_convert.conversion.source_plan import SourcePlan
from oci_convert.errors import UsageError
from oci_convert.findings import Finding
from oci_convert.planning.decide import with_findings
from oci_convert.planning.decisions import Decision, Restore, Rewrite
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import called, repository_tag
from oci_convert.stores.base import Root
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import is_attestation, is_loadable
from oci_convert.tree.choosing import how_to_choose
from oci_convert.tree.nodes import Node, platform_of

__all__ = ["check_rows"]


_Row: TypeAlias = tuple[str, ...]
"""What one row of a ``manifest.json`` is for: the digests of a config and of layers."""


def check_rows(source_plans: Sequence[SourcePlan], where: str) -> None:
    """Refuse what has no place in a row, and note which rows have no name.

    Raises :class:`UsageError`: ``several-platforms`` or ``not-an-image``.
    """
    tagged: set[_Row] = set()
    untagged: list[tuple[_Row, SourcePlan, Root, str]] = []
    for one in source_plans:
        for root, planned in zip(one.roots, one.plan.images, strict=True):
            found = _images(planned.decision, root.descriptor)
            images = {image.node.descriptor.digest: (image, entry) for image, entry in found}
            place = planned.image.node.where
            if len(images) > 1:
                several = [(image.node, entry) for image, entry in images.values()]
                raise _several_platforms(several, one.place(place))
            for row in (_row(image) for image, _ in images.values()):
                if repository_tag(root.annotations) is None:
                    untagged.append((row, one, root, place))
                else:
                    tagged.add(row)
    for row, one, root, place in untagged:
        if row not in tagged or called(root.annotations) is not None:
            finding = _nameless(root, place, others=row in tagged)
            one.plan = with_findings(one.plan, [finding])
    if (
        not tagged
        and not untagged
        and any(one.plan.images or one.plan.referrers for one in source_plans)
    ):
        raise UsageError(
            "there is no image that Docker can load",
            code="not-an-image",
            where=where,
            remedy="write oci-archive: or an OCI layout",
        )


def _images(
    decision: Decision, entry: Descriptor
) -> Iterator[tuple[Rewrite | Restore, Descriptor]]:
    """The images at and below a decision that will be in the archive, each with its entry."""
    if not isinstance(decision, Rewrite | Restore):
        return
    if is_loadable(decision.node.document):
        yield decision, entry
    for child in decision.children:
        if child.included and not is_attestation(child.slot.descriptor):
            yield from _images(child.decision, child.slot.descriptor)


def _row(image: Rewrite | Restore) -> _Row:
    return tuple(slot.descriptor.digest for slot in image.node.document.slots)


def _several_platforms(images: Sequence[tuple[Node, Descriptor]], where: str) -> UsageError:
    platforms = [str(platform_of(node, entry) or "unknown") for node, entry in images]
    choice = how_to_choose(images)
    return UsageError(
        f"there are {len(images)} images of one name ({', '.join(platforms)}), but a "
        "docker-save archive holds only one",
        code="several-platforms",
        where=where,
        remedy=Wording(f"{choice}, or write oci-archive:"),
    )


def _nameless(root: Root, where: str, *, others: bool) -> Finding:
    """What is said of an image without a tag; ``others``: another entry gives it one."""
    name = called(root.annotations)
    what = "the image has no name" if name is None else f"{name!r} is not REPOSITORY:TAG"
    held = "under its other names" if others else "untagged"
    return Finding.of("no-repository-name", where, f"{what}; the archive holds it {held}")
