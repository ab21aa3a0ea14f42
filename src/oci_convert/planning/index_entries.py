"""Planning the entries of an index: what stays, what goes, and what each is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from oci_convert.documents.document import Document, Role, Slot
from oci_convert.errors import BlobError, RefusedError
from oci_convert.planning.decisions import Entry, Step, kept
from oci_convert.planning.options import Keep
from oci_convert.report import Change
from oci_convert.spec.media_types import Family, Kind
from oci_convert.transform.document_edits import (
    REFERENCE_DIGEST,
    changes_family,
    fits,
    is_attestation,
    not_an_image,
)
from oci_convert.transform.layer_rules import packing_annotations
from oci_convert.tree.reader import Node, platform_of

if TYPE_CHECKING:
    from oci_convert.planning.planner import Planner

__all__ = ["missing_blob", "plan_entries"]


def plan_entries(planner: Planner, node: Node) -> list[Entry]:
    """Decide what becomes of each entry of an index."""
    return _Entries(planner, node).plan()


class _Entries:
    def __init__(self, planner: Planner, node: Node):
        assert node.document is not None
        self._planner = planner
        self._node = node
        self._document: Document = node.document
        self._options = planner.options
        self._find = planner.find
        self._moves = changes_family(node.document, planner.family)
        self._to_docker = self._moves and planner.family is Family.DOCKER

    def plan(self) -> list[Entry]:
        entries: list[Entry] = []
        absent: list[Entry] = []
        for slot, child in zip(self._document.slots, self._node.children, strict=True):
            if slot.role is Role.SUBJECT:
                entries.append(self._planner.subject(self._document, slot, self._node.where))
            elif self._is_missed(slot, child):
                if not self._planner.allow_missing:
                    raise missing_blob(child.absent or child)
                entries.append(Entry(slot, None))
                absent.append(entries[-1])
            else:
                entries.append(self._entry(slot, child))
        self._settle_absent(entries, absent)
        self._follow_references(entries)
        return entries

    def _where(self, slot: Slot) -> str:
        return f"{self._node.where}.{slot.label}"

    def _removed(self, slot: Slot, code: str, message: str) -> Entry:
        self._find(code, self._where(slot), message)
        return Entry(slot, None, removed=True)

    def _entry(self, slot: Slot, child: Node) -> Entry:
        if is_attestation(slot.descriptor):
            return self._attestation(slot, child)
        if child.kind is Kind.MANIFEST and self._options.platforms:
            platform = platform_of(child, slot.descriptor)
            if not self._planner.selected(platform):
                message = f"{platform or 'an unknown platform'} was not asked for"
                return self._removed(slot, "platform-not-selected", message)
        obstacle = self._obstacle(slot, child)
        if obstacle is not None:
            return self._removed(slot, "entry-dropped", obstacle)
        if child.document is None:
            return Entry(slot, kept(child))
        step = self._planner.document(child)
        if child.kind is Kind.INDEX:
            return self._nested(slot, step)
        added = self._added_platform(slot, child) if self._to_docker else None
        return Entry(slot, step, platform=added, without=self._stale(slot, step))

    def _obstacle(self, slot: Slot, child: Node) -> str | None:
        """Why the target cannot hold what an entry names, if it cannot."""
        family = self._planner.family
        if child.document is None:
            media_type = slot.descriptor.media_type
            return f"Docker has no room for {media_type} in a list" if self._to_docker else None
        if changes_family(child.document, family) and not fits(child.document, family):
            return not_an_image(child.document, "").message
        return None

    def _nested(self, slot: Slot, step: Step) -> Entry:
        if step.is_emptied:
            if self._options.platforms:
                return self._removed(slot, "platform-not-selected", "nothing in it was asked for")
            return self._removed(slot, "entry-dropped", "nothing that it names is left")
        if self._to_docker:
            message = "Docker has no lists of lists: its entries took its place"
            self._find("nested-index-flattened", self._where(slot), message)
        return Entry(slot, step, spliced=self._to_docker)

    # -- attestations -----------------------------------------------------------------------

    def _attestation(self, slot: Slot, child: Node) -> Entry:
        policy, digest = self._options.attestations, slot.descriptor.digest
        document, family = child.document, self._planner.family
        if policy is Keep.FAIL:
            raise RefusedError(
                "the index holds an attestation",
                code="attestation-present",
                where=self._where(slot),
                remedy="--attestations fail refuses this; choose keep or drop",
            )
        becomes_docker = family is Family.DOCKER and (
            self._moves or (document is not None and changes_family(document, family))
        )
        if policy is Keep.DROP or (policy is Keep.AUTO and becomes_docker):
            return self._removed(
                slot, "attestation-dropped", f"the attestation {digest} was left out"
            )
        obstacle = self._obstacle(slot, child)
        if obstacle is not None:
            return self._removed(slot, "entry-dropped", obstacle)
        step = kept(child) if document is None else self._planner.document(child)
        # Its annotations are the link to its image: BuildKit writes them into Docker lists, too.
        return Entry(slot, step, keeps=frozenset({"annotations"}))

    def _follow_references(self, entries: list[Entry]) -> None:
        """Let attestations point at what their images have become, or go with them."""
        images: dict[str, Entry] = {}
        for entry in entries:
            digest = entry.slot.descriptor.digest
            if entry.slot.role is Role.ENTRY and (digest not in images or not entry.removed):
                images[digest] = entry
        for entry in entries:
            named = (entry.slot.descriptor.annotations or {}).get(REFERENCE_DIGEST)
            image = images.get(named) if named is not None else None
            if image is None or entry.removed:
                continue
            if image.removed:
                entry.removed, entry.step = True, None
                message = f"{entry.slot.descriptor.digest} went with the image that it speaks of"
                self._find("attestation-dropped", self._where(entry.slot), message)
                continue
            entry.reference = image.step
            if image.step is not None and image.step.change is Change.EDITED:
                message = f"the statement inside names {named}, the digest before the conversion"
                self._find("attestation-names-old-digest", self._where(entry.slot), message)

    # -- what is absent ---------------------------------------------------------------------

    def _is_missed(self, slot: Slot, child: Node) -> bool:
        """Whether an entry is wanted and not there. An index is judged by its own entries."""
        if not child.read or child.absent is None or (child.kind is Kind.INDEX and child.present):
            return False
        return not self._unwanted(slot)

    def _unwanted(self, slot: Slot) -> bool:
        """Whether an absent entry would be left out anyway, so that nobody misses it."""
        policy, stated = self._options.attestations, slot.descriptor.platform
        if is_attestation(slot.descriptor):
            dropped = policy is Keep.DROP or (policy is Keep.AUTO and self._to_docker)
            return dropped or self._speaks_of_unselected(slot)
        chosen = self._options.platforms
        return bool(chosen) and stated is not None and not self._planner.selected(stated)

    def _speaks_of_unselected(self, slot: Slot) -> bool:
        """Whether an attestation belongs to an image that ``--platform`` leaves out."""
        named = (slot.descriptor.annotations or {}).get(REFERENCE_DIGEST)
        return any(
            other.descriptor.digest == named
            and not is_attestation(other.descriptor)
            and self._unwanted(other)
            for other in self._document.slots
            if other.role is Role.ENTRY
        )

    def _settle_absent(self, entries: list[Entry], absent: list[Entry]) -> None:
        """Absent children: their entries go from an index that changes, else they stay."""
        changes = self._moves or any(
            entry.removed or (entry.step is not None and entry.step.change is not Change.KEPT)
            for entry in entries
        )
        for entry in absent:
            digest = entry.slot.descriptor.digest
            if changes:
                entry.removed = True
                message = f"the image {digest} is not here, so its entry went"
                self._find("missing-child", self._where(entry.slot), message)
            else:
                message = f"the image {digest} is not here; the index keeps its bytes"
                self._find("sparse-index", self._where(entry.slot), message)

    # -- what an entry says -----------------------------------------------------------------

    def _added_platform(self, slot: Slot, child: Node) -> Mapping[str, object] | None:
        """The platform that a Docker list requires, where the entry states none."""
        if slot.descriptor.platform is not None:
            return None
        platform = platform_of(child)
        if platform is None:
            message = "neither the entry nor its config states a platform"
            self._find("platform-unknown", self._where(slot), message)
            return None
        self._find("platform-added", self._where(slot), f"{platform} was taken from the config")
        return platform.model_dump(by_alias=True, exclude_unset=True, mode="json")

    def _stale(self, slot: Slot, step: Step) -> frozenset[str]:
        """The annotations of an entry that described layers which are recompressed."""
        if not step.recompresses:
            return frozenset()
        stale = packing_annotations(slot.descriptor.annotations or {})
        for name in sorted(stale):
            message = f"{name} described layers before they were recompressed"
            self._find("packing-annotations-removed", self._where(slot), message)
        return stale


def missing_blob(node: Node) -> BlobError:
    """The error for a blob that should be there and is not."""
    return BlobError(
        f"the blob {node.descriptor.digest} is missing",
        code="blob-missing",
        where=node.where,
        remedy="fetch the image again, or choose what is there with --platform or --allow-missing",
    )
