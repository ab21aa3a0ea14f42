"""Whether the documents of a tree agree with each other and with their blobs.

Nothing is read here but sizes: the tree holds every document, and what was wrong with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from oci_convert.documents.document import Role
from oci_convert.errors import DocumentError
from oci_convert.findings import Finding, Level
from oci_convert.plain import Plain
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Family, Kind, families
from oci_convert.spec.models import Descriptor, ImageConfig
from oci_convert.stores.base import Source
from oci_convert.transform.document_edits import is_attestation, is_loadable
from oci_convert.transform.layer_rules import unofficial
from oci_convert.tree.config_findings import (
    config_findings,
    platform_findings,
    reference_findings,
    value_findings,
)
from oci_convert.tree.nodes import DocumentNode, Image, Node, Tree
from oci_convert.tree.walk import Visit, walk

__all__ = ["DocumentCheck", "Presence"]


_ENTRIES: Final = frozenset({Role.ENTRY})


_PUT_RIGHT: Final = frozenset({"misspelled-media-type", "mislabelled-document"})


@dataclass(frozen=True, slots=True, repr=False)
class Presence(Plain):
    """How much of what a store names is here: an index may name images that are kept elsewhere."""

    images: int
    """The images that are named, each once."""
    here: int
    """Those of them that are here."""


@dataclass
class DocumentCheck:
    """Checks the documents of one tree; :attr:`claims` then says what its layers must hold."""

    tree: Tree
    source: Source
    complete: bool = False
    """Every image that an index names must be here."""
    findings: list[Finding] = field(default_factory=list)
    claims: dict[str, dict[Digest, str]] = field(default_factory=dict)
    """For each layer's digest, its ``diff_ids`` in configs, each with its path."""
    _configs: dict[int, ImageConfig] = field(default_factory=dict)
    _here: dict[int, bool] = field(default_factory=dict)

    def run(self) -> None:
        """Check everything; what is wrong is in :attr:`findings`."""
        self.tell()
        nodes = list(self.tree.nodes())
        for node in nodes:
            if isinstance(node, DocumentNode):
                self.findings += value_findings(node)
            if isinstance(node, DocumentNode) and node.kind is Kind.MANIFEST:
                self._check_image(node)
        for node in nodes:
            if node.kind is Kind.INDEX:
                self._check_entries(node)
            self._check_subject(node)
        seen: set[int] = set()
        for image in self.tree.images:
            self._check_platform(image.root.descriptor, image.node, image.node.where)
            self._check_families(image)
            self._check_presence(image.node, seen)

    def tell(self) -> None:
        """Only what was noted when the tree was read."""
        noted: list[Tree | Node] = [self.tree, *self.tree.nodes()]
        for fault in (fault for it in noted for fault in it.faults):
            self._error(fault.code, fault.where, fault.message)
        for remark in (remark for it in noted for remark in it.remarks):
            # What a conversion puts right is wrong as long as nobody does.
            level = Level.WARNING if remark.level is Level.LOSS else remark.level
            level = Level.ERROR if remark.code in _PUT_RIGHT else level
            self.findings.append(replace(remark, level=level))

    def _find(self, code: str, where: str, message: str) -> None:
        self.findings.append(Finding.of(code, where, message))

    def _error(self, code: str, where: str, message: str) -> None:
        self.findings.append(Finding(code, Level.ERROR, where, message))

    # -- images -----------------------------------------------------------------------------

    def _check_image(self, node: DocumentNode) -> None:
        self.findings += config_findings(node)
        for layer in node.layers():
            self.findings += unofficial(layer.descriptor.media_type, layer.where)
        try:
            found = node.image_config
        except DocumentError:
            return
        if found is None:
            return
        self._configs[id(node)] = found[0]
        if not node.borrows_form:
            for slot, layer, diff_id in node.contents():
                if diff_id is not None:
                    claims = self.claims.setdefault(layer.descriptor.digest, {})
                    claims.setdefault(diff_id, f"{node.where}.{slot.label}")

    def _check_platform(self, entry: Descriptor, node: Node, where: str) -> None:
        self.findings += platform_findings(entry, node, where)

    # -- links ------------------------------------------------------------------------------

    def _check_entries(self, node: Node) -> None:
        for slot, child in node.named if isinstance(node, DocumentNode) else ():
            self._check_platform(slot.descriptor, child, f"{node.where}.{slot.label}")
        self.findings += reference_findings(node)

    def _check_subject(self, node: Node) -> None:
        if node.role is not Role.SUBJECT or node.faults:
            return
        descriptor = node.descriptor
        size = self.source.size_of(descriptor.name)
        if size is None:
            self._find("dangling-subject", node.where, f"{descriptor.digest} is not in the store")
        elif size != descriptor.size:
            message = f"{descriptor.digest} has {size} bytes, not the {descriptor.size} stated"
            self._error("wrong-size", node.where, message)

    # -- trees ------------------------------------------------------------------------------

    def presence(self) -> Presence:
        """How many images the tree names, and how many of them are here."""
        here: dict[str, bool] = {}
        for image in self.tree.images:
            for visit in walk(image.node, image.root.descriptor, roles=_ENTRIES, into=_is_no_extra):
                node = visit.node
                if _is_no_extra(visit) and (node.kind is not Kind.INDEX or not node.present):
                    here.setdefault(node.descriptor.digest, self._is_here(node))
        return Presence(len(here), sum(here.values()))

    def _check_families(self, image: Image) -> None:
        stated: dict[frozenset[Family], str] = {}
        for node in image.node.nodes():
            known = families(node.descriptor.media_type)
            if known and node.role is not Role.SUBJECT:
                stated.setdefault(known, node.where)
        if stated and not frozenset.intersection(*stated):
            first: dict[str, str] = {}
            for known, where in stated.items():
                first.setdefault(_named(known), where)
            told = ", ".join(f"{named} ({where})" for named, where in first.items())
            message = f"media types of several formats: {told}"
            self._find("mixed-families", image.node.where, message)

    def _check_presence(self, node: Node, seen: set[int]) -> None:
        if id(node) in seen:
            return
        seen.add(id(node))
        digest = node.descriptor.digest
        if not node.present and node.is_foreign:
            self._find(
                "foreign-layer-absent",
                node.where,
                "the layer is absent; it is fetched from its urls",
            )
        elif not node.present and node.role is not Role.SUBJECT:
            self._error("blob-missing", node.where, f"the blob {digest} is missing")
        sparse = not self.complete and node.kind is Kind.INDEX and self._is_here(node)
        for _, child in node.named:
            if sparse and child.role is Role.ENTRY and not self._is_here(child):
                message = f"image {child.descriptor.digest} is absent"
                self._find("sparse-index", child.where, message)
            else:
                self._check_presence(child, seen)

    def _is_here(self, node: Node) -> bool:
        """Whether an image is here, or at least one image of an index.

        One that lacks a blob is damaged, unless the store is one of parts.
        """
        if id(node) not in self._here:
            if node.kind is Kind.INDEX and node.present:
                images = list(_images(node))
                self._here[id(node)] = not images or any(map(self._is_here, images))
            else:
                self._here[id(node)] = node.absent is None if self.tree.sparse else node.present
        return self._here[id(node)]


def _is_no_extra(visit: Visit) -> bool:
    """Whether something is an image or an index, and not an attestation or a signature."""
    document = visit.node.document_or_none
    loadable = document is None or document.kind is Kind.INDEX or is_loadable(document)
    return loadable and not is_attestation(visit.entry)


def _images(node: Node) -> Iterator[Node]:
    for slot, child in node.named if isinstance(node, DocumentNode) else ():
        if slot.role is Role.ENTRY and not is_attestation(slot.descriptor):
            yield child


def _named(known: Collection[Family]) -> str:
    """The formats that have a name; OCI includes OCI 1.0.0-rc2."""
    told = [family for family in Family if family in known]
    if Family.OCI in told:
        told = [family for family in told if family is not Family.OCI_RC2]
    return "/".join(family.label for family in told)
