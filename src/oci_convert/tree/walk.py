"""Walking a tree: the one order in which everything looks at its nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from oci_convert.documents.document import Role, Slot
from oci_convert.spec.models import Descriptor, Platform
from oci_convert.tree.nodes import Node, platform_of

__all__ = ["Visit", "walk"]


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A node at one of its places."""

    node: Node
    entry: Descriptor
    """The descriptor that names it here: that of its parent, or of the store."""
    slot: Slot | None = None
    """Where its parent names it; ``None`` at the root."""
    parent: Visit | None = None
    first: bool = True
    """``False`` where the node was visited before, at another place."""

    @property
    def where(self) -> str:
        """Its place here: ``images[0].manifests[2].layers[1]``."""
        if self.parent is None or self.slot is None:
            return self.node.where
        return f"{self.parent.where}.{self.slot.label}"

    @property
    def platform(self) -> Platform | None:
        """The platform of an image: as the entry says, else as its config says."""
        return platform_of(self.node, self.entry)


def _everywhere(_: Visit) -> bool:
    return True


def walk(
    node: Node,
    entry: Descriptor | None = None,
    *,
    roles: frozenset[Role] = frozenset(Role),
    into: Callable[[Visit], bool] = _everywhere,
    again: bool = False,
) -> Iterator[Visit]:
    """Visit ``node`` and everything below it, parents first, each once.

    ``entry`` is what names ``node``; ``roles`` are the descriptors that are followed; what is below
    a visit for which ``into`` is false is passed over. With ``again``, a node is visited at each of
    its places. What is below it is followed at the first place only, so that there are no
    more visits than descriptors: a few small indexes could list each other in billions of ways.
    """
    seen: set[int] = set()

    def visits(visit: Visit) -> Iterator[Visit]:
        if visit.first or again:
            yield visit
        found = visit.node
        if not visit.first or not into(visit):
            return
        for slot, child in found.named:
            if slot.role in roles:
                first = id(child) not in seen
                seen.add(id(child))
                yield from visits(Visit(child, slot.descriptor, slot, visit, first))

    seen.add(id(node))
    return visits(Visit(node, node.descriptor if entry is None else entry))
