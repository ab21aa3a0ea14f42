"""Choosing one of several images: what tells them apart, for the remedy of an error."""

from __future__ import annotations

from collections.abc import Iterable

from oci_convert.spec.models import Descriptor
from oci_convert.spec.platforms import identity_of
from oci_convert.tree.nodes import Node, platform_or_none

__all__ = ["how_to_choose"]


def how_to_choose(images: Iterable[tuple[Node, Descriptor | None]]) -> str:
    """The remedy where there are several images, each with its entry: what tells them apart.

    An argument in it is in braces, for a :class:`Wording`.
    """
    listed = list(images)
    platforms = {
        identity_of(platform)
        for node, entry in listed
        if (platform := platform_or_none(node, entry)) is not None
    }
    if len(platforms) == len(listed):
        return "choose one with {platforms=…}"
    digests = (node.descriptor.digest for node, _ in listed)
    return f"choose one by its digest as the REF of the source: {', '.join(digests)}"
