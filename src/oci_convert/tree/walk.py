"""Walking a tree: the one order in which everything looks at its nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from oci_convert.documents.document import Role, Slot
from oci_convert.spec.media_types import Kind
from oci_convert.spec.models import Descriptor, Platform
from oci_convert.text.brief import Brief
from oci_convert.transform.document_edits import is_attestation
from oci_convert.tree.nodes import DocumentNode, Node, platform_of

__all__ = ["Visit", "is_index", "is_index_of_images", "listed", "walk"]

_ENTRIES: Final = frozenset({Role.ENTRY})


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Visit(Brief):
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
    def old(self) -> Descriptor:
        """What the source calls it here; of schema 1, what it was before it was upgraded."""
        return self.entry if self.node.old is self.node.descriptor else self.node.old

    @property
    def stated(self) -> dict[str, Any] | None:
        """What its parent says of it, member by member; ``None`` at the root."""
        return None if self.slot is None else self.slot.object.value

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
    roles: frozenset[Role] | None = None,
    into: Callable[[Visit], bool] = _everywhere,
    again: bool = False,
) -> Iterator[Visit]:
    """Visit ``node`` and everything below it, parents first, each once.

    ``entry`` is what names ``node``; ``roles`` are the descriptors that are followed (all by
    default); what is below
    a visit for which ``into`` is false is passed over. With ``again``, a node is visited at each of
    its places. What is below it is followed at one place only, so that there are no more visits
    than descriptors: a few small indexes could list each other in billions of ways.
    """
    first = Visit(node, node.descriptor if entry is None else entry)
    return _Walk(roles, into, again).visits(first)


@dataclass(slots=True)
class _Walk:
    """What is asked for, and what was seen so far. No nested function: that calls itself, and
    would keep all that it saw until garbage is collected.
    """

    roles: frozenset[Role] | None
    into: Callable[[Visit], bool]
    again: bool
    seen: set[int] = field(default_factory=set)
    followed: set[int] = field(default_factory=set)

    def visits(self, visit: Visit) -> Iterator[Visit]:
        found = visit.node
        self.seen.add(id(found))
        if visit.first or self.again:
            yield visit
        if id(found) in self.followed or not self.into(visit):
            return
        self.followed.add(id(found))
        for slot, child in found.named:
            if self.roles is None or slot.role in self.roles:
                first = id(child) not in self.seen
                yield from self.visits(Visit(child, slot.descriptor, slot, visit, first))


def is_index(visit: Visit) -> bool:
    """Whether this is an index that could be read."""
    node = visit.node
    return isinstance(node, DocumentNode) and not node.faults and node.kind is Kind.INDEX


def is_index_of_images(visit: Visit) -> bool:
    """Whether this is an index that could be read, and no attestation."""
    return is_index(visit) and not is_attestation(visit.entry)


def listed(
    node: Node,
    entry: Descriptor | None = None,
    into: Callable[[Visit], bool] = is_index_of_images,
) -> Iterator[Visit]:
    """What ``node`` lists, however deep, at each of its places; itself if it is no index.

    Images, attestations, artifacts, what is not here, and indexes that cannot be read.
    """
    for visit in walk(node, entry, roles=_ENTRIES, into=into, again=True):
        if not into(visit):
            yield visit
