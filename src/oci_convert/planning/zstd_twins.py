"""Images that an index has with gzip and with zstd layers: a Docker list needs the first only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from oci_convert.documents.document import Slot
from oci_convert.planning.decisions import DescriptorPlan, listed
from oci_convert.spec.media_types import Compression, look_up
from oci_convert.spec.platforms import identity_of
from oci_convert.transform.document_edits import is_attestation
from oci_convert.tree.nodes import DocumentNode, Node, platform_or_none

__all__ = ["ZstdTwins", "zstd_twins"]


@dataclass(frozen=True, eq=False, slots=True)
class ZstdTwins:
    """The entries with zstd layers that give way to others, at any depth of an index."""

    digests: Mapping[int, str]
    """What each gives way to, by its slot."""

    def of(self, slot: Slot) -> str | None:
        """The digest of the image that an entry gives way to."""
        return self.digests.get(id(slot))


class _Image(NamedTuple):
    slot: Slot
    identity: object
    """Recompressed, an image would be any other one of the same identity."""
    compressions: frozenset[Compression | None]


def zstd_twins(plans: Sequence[DescriptorPlan]) -> ZstdTwins | None:
    """Which entries of an index that becomes a Docker list give way to others, if any do.

    ``plans`` is what becomes of its entries if none does: nothing gives way to what goes itself.
    """
    images = list(_images(plans))
    as_gzip = {
        it.identity: it.slot.descriptor.digest
        for it in reversed(images)
        if Compression.ZSTD not in it.compressions
    }
    digests = {
        id(it.slot): as_gzip[it.identity]
        for it in images
        if Compression.ZSTD in it.compressions and it.identity in as_gzip
    }
    return ZstdTwins(digests) if digests else None


def _images(plans: Sequence[DescriptorPlan]) -> Iterator[_Image]:
    for planned in listed(plans):
        slot, node = planned.slot, planned.decision.node
        if not isinstance(node, DocumentNode) or node.config is None or node.absent is not None:
            continue
        platform = platform_or_none(node, slot.descriptor)
        compressions = frozenset(map(_compression, node.layers()))
        if (
            platform is not None
            and Compression.NONE not in compressions
            and not is_attestation(slot.descriptor)
        ):
            identity = identity_of(platform), node.config.descriptor.digest
            yield _Image(slot, identity, compressions)


def _compression(layer: Node) -> Compression | None:
    """How a layer is compressed: by its bytes, or by its media type where nobody looked."""
    meaning = look_up(layer.descriptor.media_type)
    return layer.compression or (None if meaning is None else meaning.cell.compression)
