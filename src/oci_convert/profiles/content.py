"""What is judged: the documents of images, as a store has them or as a conversion plans them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from oci_convert.conversion.source_plan import SourcePlan
from oci_convert.documents.document import Role
from oci_convert.planning.decisions import Decision, Recompress, Rewrite
from oci_convert.spec.media_types import Compression, Kind, look_up
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Root, Source
from oci_convert.transform.document_edits import is_attestation
from oci_convert.tree.nodes import DocumentNode
from oci_convert.tree.reader import Faults
from oci_convert.tree.referrers import Referrer, read_images

__all__ = ["Content", "Place", "content_of", "planned_content"]


class Place(NamedTuple):
    """A descriptor at one of its places, with the document that it leads to, if it does."""

    where: str
    entry: Mapping[str, Any]
    """The descriptor, member by member."""
    kind: Kind
    document: Mapping[str, Any] | None
    raw: bytes | None
    parent: Place | None
    role: str
    """Of a root ``images``, ``referrers`` or ``signatures``; else the member: ``manifests``,
    ``config``, ``layers`` or ``subject``."""

    @property
    def media_type(self) -> str:
        """What the descriptor says."""
        return str(self.entry.get("mediaType", ""))

    @property
    def digest(self) -> str:
        """The digest."""
        return str(self.entry.get("digest", ""))

    @property
    def part(self) -> str:
        """What it is a part of, by the name of the option that drops it; or ``images``."""
        if self.attests:
            return "attestations"
        return self.role if self.parent is None else self.parent.part

    @property
    def attests(self) -> bool:
        """Whether this is an attestation of an index, or below one."""
        here = self.role == "manifests" and _attests(self.entry)
        return here or (self.parent is not None and self.parent.attests)


def _attests(entry: Mapping[str, Any]) -> bool:
    try:
        return is_attestation(Descriptor.model_validate(entry))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Content:
    """Images and what refers to them: their roots, and the documents below."""

    roots: Sequence[tuple[str, Mapping[str, Any], str]]
    """A place, a descriptor and a role each."""
    documents: Mapping[str, bytes]
    """By their digests."""
    packed: Mapping[str, Compression] = field(default_factory=dict)
    """How layers are really compressed, as far as it is known."""
    algorithms: Mapping[str, str] = field(default_factory=dict)
    """Of digests that are not yet those of the target: with what they are computed there."""
    absent: frozenset[str] = frozenset()
    """Blobs that are not there."""
    schema1: Sequence[str] = ()
    """Places of manifests of schema 1, which are upgraded when they are read."""

    def places(self) -> Iterator[Place]:
        """Every descriptor, each document at its first place only, parents first."""
        seen: set[str] = set()
        for where, entry, role in self.roots:
            yield from self._below(where, entry, None, role, seen)

    def _below(
        self,
        where: str,
        entry: Mapping[str, Any],
        parent: Place | None,
        role: str,
        seen: set[str],
    ) -> Iterator[Place]:
        digest = str(entry.get("digest", ""))
        raw = None if role in ("config", "layers", "subject") else self.documents.get(digest)
        document = None if raw is None else json.loads(raw)
        place = Place(where, entry, _kind(entry, role, document), document, raw, parent, role)
        yield place
        if document is None or digest in seen:
            return
        seen.add(digest)
        for name, below in _descriptors(document):
            yield from self._below(f"{where}.{name}", below, place, name.partition("[")[0], seen)


def _descriptors(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in ("config", "subject"):
        if isinstance(document.get(name), dict):
            yield name, document[name]
    for name in ("layers", "manifests"):
        for number, entry in enumerate(document.get(name) or []):
            yield f"{name}[{number}]", entry


def _kind(entry: Mapping[str, Any], role: str, document: Mapping[str, Any] | None) -> Kind:
    if document is not None:
        return Kind.INDEX if "manifests" in document else Kind.MANIFEST
    meaning = look_up(str(entry.get("mediaType", "")))
    if meaning is not None:
        return meaning.cell.kind
    return Kind.CONFIG if role == "config" else Kind.ARTIFACT


def content_of(source: Source, roots: Sequence[Root]) -> Content:
    """What a source holds; documents are verified, of layers nothing but first bytes is read.

    Raises :class:`OciConvertError` for what cannot be read.
    """
    tree, referrers = read_images(source, roots, Faults.REFUSE)
    tops = [(image.node, "images") for image in tree.images]
    tops += [(referrer.node, _role(referrer)) for referrer in referrers]
    nodes = [*tree.nodes(), *(node for it in referrers for node in it.node.nodes())]
    documents = [node for node in nodes if isinstance(node, DocumentNode)]
    return Content(
        [(node.where, node.descriptor.triple(), role) for node, role in tops],
        {node.descriptor.digest: node.document.raw for node in documents},
        {
            node.descriptor.digest: node.compression
            for node in nodes
            if node.compression is not None
        },
        absent=frozenset(
            node.descriptor.digest
            for node in nodes
            if not node.present and node.role is not Role.SUBJECT
        ),
        schema1=[node.where for node in documents if node.upgraded_from is not None],
    )


def planned_content(plans: Sequence[SourcePlan]) -> Content:
    """What a conversion is going to write, as far as it is known before layers are recompressed."""
    roots: list[tuple[str, Mapping[str, Any], str]] = []
    documents: dict[str, bytes] = {}
    packed: dict[str, Compression] = {}
    algorithms: dict[str, str] = {}
    absent: set[str] = set()
    for plan in plans:
        algorithm = plan.plan.options.digest
        here = {it.node.descriptor.digest for it in plan.plan.decisions()}
        for decision in plan.plan.decisions():
            node = decision.node
            found = plan.rendered.find(decision)
            digest = (node.descriptor if found is None else found).digest
            if found is None and algorithm is not None:
                algorithms[digest] = algorithm
            raw = _raw(plan, decision)
            if raw is not None and isinstance(node, DocumentNode):
                documents[digest] = raw
            if isinstance(decision, Recompress):
                packed[node.descriptor.digest] = decision.to
            elif node.compression is not None:
                packed[digest] = node.compression
            if not node.present and node.role is not Role.SUBJECT:
                absent.add(digest)
        made = [(image.decision, "images") for image in plan.plan.images]
        # What refers to nothing that is here is an image of its own, as where a source is read.
        made += [
            (it.decision, _role(it.referrer) if it.referrer.subject.digest in here else "images")
            for it in plan.plan.referrers
        ]
        roots += ((it.node.where, _entry(plan, it), role) for it, role in made)
    return Content(roots, documents, packed, algorithms, frozenset(absent))


def _role(referrer: Referrer) -> str:
    return "signatures" if referrer.subject.signed else "referrers"


def _raw(plan: SourcePlan, decision: Decision) -> bytes | None:
    if isinstance(decision, Rewrite):  # also one that is not settled yet
        return plan.rendered.document(decision).raw
    return plan.rendered.raw(decision)


def _entry(plan: SourcePlan, decision: Decision) -> Mapping[str, Any]:
    found = plan.rendered.find(decision)
    if found is not None:
        return found.triple()
    entry = decision.node.descriptor.triple()
    if isinstance(decision, Rewrite):
        entry["mediaType"] = plan.rendered.document(decision).media_type
    return entry
