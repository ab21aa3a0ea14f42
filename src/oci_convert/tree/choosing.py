"""Choosing one of several images: what tells them apart, for the remedy of an error."""

from __future__ import annotations

from collections.abc import Iterable

from oci_convert.spec.models import Descriptor
from oci_convert.spec.platforms import matches
from oci_convert.tree.nodes import Node, platform_or_none

__all__ = ["how_to_choose"]


def how_to_choose(images: Iterable[tuple[Node, Descriptor]]) -> str:
    """The remedy where there are several images, each with its entry: what tells them apart.

    An argument in it is in braces, for a :class:`Wording`.
    """
    listed = list(images)
    found = [platform_or_none(node, entry) for node, entry in listed]
    platforms = [platform for platform in found if platform is not None]
    # What one platform leaves open, a version or a feature, another one may state.
    chosen = [sum(matches(other, str(one)) for other in platforms) for one in platforms]
    if chosen == [1] * len(listed):
        return "choose one with {platforms=…}"
    digests = (node.descriptor.digest for node, _ in listed)
    return f"choose one by its digest as the REF of the source: {', '.join(digests)}"
