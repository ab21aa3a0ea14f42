"""Planning one tree, from the roots of its images downwards; children are decided first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from oci_convert.documents.document import Role, Slot
from oci_convert.errors import BlobError, OciConvertError, RefusedError
from oci_convert.options import Keep as Policy
from oci_convert.planning.context import Context, missing_blob, no_image
from oci_convert.planning.decisions import (
    Decision,
    DescriptorPlan,
    Drop,
    Keep,
    PlannedImage,
    Recompress,
    Rehash,
    Relabel,
    Rewrite,
    documents_below,
    kept,
    same_bytes,
)
from oci_convert.planning.index_entries import plan_entries
from oci_convert.planning.signature_rules import fate_of_signature
from oci_convert.planning.zstd_twins import ZstdTwins, zstd_twins
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import OCTET_STREAM, Compression, Family, Kind
from oci_convert.spec.models import diff_ids_for
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import (
    changes_family,
    config_type,
    fits,
    is_attestation,
    is_image,
    not_an_image,
)
from oci_convert.transform.layer_rules import (
    Compress,
    Layer,
    LayerPlan,
    packing_annotations,
    plan_layer,
)
from oci_convert.tree.nodes import (
    BlobNode,
    ConfigNode,
    DocumentNode,
    Image,
    Node,
    Tree,
    platform_of,
)

__all__ = ["Planner"]


class _Traits(NamedTuple):
    """What all layers of a manifest have in common."""

    at_home: bool
    """The manifest is of the target's family already."""
    of_image: bool
    built: bool
    """The manifest was built from a row of an archive."""


class Planner:
    """Plans the documents of one tree, and what is below them."""

    def __init__(
        self,
        tree: Tree,
        context: Context,
        *,
        plain_layers: bool,
        not_carried: frozenset[str] = frozenset(),
    ):
        self._context = context
        self._family = context.family
        self._daemon_layers = tree.daemon_layers and not plain_layers
        self._memo: dict[tuple[int, ZstdTwins | None], Rewrite] = {}
        self._layers: dict[tuple[int, _Traits], Decision] = {}
        self._layer_plans: dict[object, LayerPlan] = {}
        self._documents = {node.descriptor.digest: node for node in tree.documents()}
        self._not_carried = set(not_carried)
        self._roots = {id(image.node) for image in tree.images}
        self._built = {id(image.node) for image in tree.images if image.root.built}
        self.subjects: list[Rewrite | Keep] = []
        """What subjects are taken to become."""

    # -- roots ------------------------------------------------------------------------------

    def root(self, image: Image, *, has_entries: bool = True) -> PlannedImage:
        """What becomes of an image; raises :class:`OciConvertError` where that cannot be.

        After that nothing of it is known or told. ``has_entries``: what an entry says of an image
        has room in the target.
        """
        with self._undone_if_it_fails():
            decision = self._root(image)
            if self._context.options.flatten and isinstance(decision, Rewrite):
                from oci_convert.planning.flattening import flattened

                return flattened(self._context, image, decision, has_entries=has_entries)
            return PlannedImage(image, decision)

    @contextmanager
    def _undone_if_it_fails(self) -> Iterator[None]:
        """What fails in here leaves no findings behind, and no decisions without theirs."""
        before = self._known()
        try:
            yield
        except OciConvertError:
            self._forget(before)
            raise

    def _known(self) -> tuple[int, ...]:
        """How much is decided and told by now."""
        told, memo, layers = self._context.findings, self._memo, self._layers
        return len(told), len(self.subjects), len(memo), len(layers)

    def _forget(self, before: tuple[int, ...]) -> None:
        """Let everything be as it was."""
        findings, subjects, documents, layers = before
        del self._context.findings[findings:]
        del self.subjects[subjects:]
        while len(self._memo) > documents:
            self._memo.popitem()
        while len(self._layers) > layers:
            self._layers.popitem()

    def _root(self, image: Image) -> Decision:
        node, context = image.node, self._context
        if node.absent is node:
            raise missing_blob(node)
        if not isinstance(node, DocumentNode):
            if self._family is Family.DOCKER:
                raise no_image(node)
            return kept(node)
        if node.kind is Kind.MANIFEST and context.platforms:
            platform = platform_of(node, image.root.descriptor)
            if not context.platforms.select(platform):
                raise context.platforms.error(node.where)
        decision = self.document(node)
        if image.root.upgraded:
            context.find("schema1-upgraded", node.where, "v1 images and ids dropped")
        self._refuse_empty(decision)
        return decision

    def _refuse_empty(self, decision: Rewrite) -> None:
        """An index that had entries must not end without any, nor with none that is here."""
        if not decision.is_emptied:
            images = list(_images(decision))
            if images and not any(image.present for image in images):
                raise missing_blob(images[0])
            return
        node = decision.node
        if self._context.platforms:
            raise self._context.platforms.error(node.where)
        if node.absent is not None:
            raise missing_blob(node.absent)
        for refusal in self._context.refusals:
            if refusal.where.startswith(f"{node.where}."):
                raise refusal
        message = f"no entry of this index is an image that {self._family.label} supports"
        remedy = Wording("convert to oci, or copy it unchanged")
        dropped = [it.decision.code for it in decision.children if isinstance(it.decision, Drop)]
        kinds = sorted({f"{code.partition('-')[0]}s" for code in dropped})
        if kinds and set(kinds) <= {"signatures", "attestations"}:
            listed = " and ".join(kinds)
            message = f"the entries of this index are {listed}, and none of them stays"
            if self._family is not Family.DOCKER:
                options = " or ".join(f'{{{kind}="keep"}}' for kind in kinds)
                remedy = Wording(f"{options} keeps them")
        raise RefusedError(message, code="not-an-image", where=node.where, remedy=remedy)

    # -- documents --------------------------------------------------------------------------

    def document(self, node: DocumentNode, twins: ZstdTwins | None = None) -> Rewrite:
        """What becomes of a manifest or an index; ``twins`` are those of an index around it."""
        key = id(node), twins if node.kind is Kind.INDEX else None
        if key not in self._memo:
            self._memo[key] = self._document(node, twins)
        return self._memo[key]

    def _entry(self, node: DocumentNode, twins: ZstdTwins | None = None) -> Rewrite:
        with self._undone_if_it_fails():
            return self.document(node, twins)

    def _entries(self, node: DocumentNode, twins: ZstdTwins | None) -> list[DescriptorPlan]:
        """What becomes of the entries of an index.

        Which of them give way to others shows when all are planned; then they are planned again.
        """
        before = self._known()
        plans = plan_entries(
            self._context,
            node,
            partial(self._entry, twins=twins),
            subject=self.subject,
            target=self._target,
            twins=twins,
        )
        if twins is None and self._may_have_twins(node):
            twins = zstd_twins(plans)
            if twins is not None:
                self._forget(before)
                return self._entries(node, twins)
        return plans

    def _may_have_twins(self, node: DocumentNode) -> bool:
        asked = self._context.options.compress in (Compress.AUTO, Compress.GZIP)
        to_docker = self._family is Family.DOCKER and changes_family(node.document, self._family)
        return asked and to_docker

    def _document(self, node: DocumentNode, twins: ZstdTwins | None) -> Rewrite:
        if changes_family(node.document, self._family) and not fits(node.document, self._family):
            raise not_an_image(node.document, node.where)
        if node.kind is Kind.INDEX:
            children = self._entries(node, twins)
        else:
            traits = self._traits(node)
            children = [self._child(node, slot, child, traits) for slot, child in node.named]
        decision = Rewrite(node, self._family, tuple(children))
        self._context.findings += self._context.rendered.document(decision).findings
        if node.upgraded_from is not None:
            message = "signatures and v1 ids dropped"
            self._context.find("schema1-upgraded", node.where, message)
        return decision

    def _traits(self, node: DocumentNode) -> _Traits:
        at_home = not changes_family(node.document, self._family)
        return _Traits(at_home, is_image(node.document), id(node) in self._built)

    def _child(
        self, node: DocumentNode, slot: Slot, child: Node, traits: _Traits
    ) -> DescriptorPlan:
        """What becomes of a descriptor of a manifest."""
        if slot.role is Role.SUBJECT:
            return self.subject(node, slot, child)
        if child.absent is not None:
            raise missing_blob(child)
        if slot.role is Role.CONFIG:
            return DescriptorPlan(slot, self._config(node, child))
        layer = self._layer(node, slot, child, traits)
        return DescriptorPlan(slot, layer, stale=self._stale(slot, layer))

    def subject(self, node: DocumentNode, slot: Slot, child: Node) -> DescriptorPlan:
        """What becomes of a subject: it follows what it names, where that comes along.

        That of a signature never does: a signature that is asked for by name stays one of the old
        digest.
        """
        if self._context.strips(node.document):
            return DescriptorPlan(slot, Keep(child))  # it goes, and what it names is as it may be
        target = self._target(slot.descriptor.digest, child)
        if node.signed is not None and target is not None:
            self._tell_of_old(node, slot.descriptor.digest, target)
            return DescriptorPlan(slot, Keep(child))
        if isinstance(target, Rewrite):
            return DescriptorPlan(slot, target)
        if changes_family(node.document, self._family):
            message = f"the subject {slot.descriptor.digest} is not part of this conversion"
            self._context.find("subject-not-carried", f"{node.where}.subject", message)
        return DescriptorPlan(slot, Keep(child))

    def _target(self, digest: str, child: Node | None = None) -> Rewrite | Keep | Drop | None:
        """What becomes of a document that is a subject; ``None`` if it is not of this tree.

        Why it cannot come along is told where it is an image or an entry, and no concern of what
        refers to it. ``child`` is a node of it: on the way back no tree has it.
        """
        node = self._documents.get(digest, child)
        if not isinstance(node, DocumentNode):
            return None
        if digest in self._not_carried:
            return Drop(node, "subject-not-carried")
        stays = node.signed is not None and id(node) not in self._roots
        try:
            target = kept(node) if stays else self._entry(node)
        except OciConvertError:
            self._not_carried.add(digest)  # it is not tried again
            return Drop(node, "subject-not-carried")
        self.subjects.append(target)
        return target

    def _tell_of_old(self, node: DocumentNode, digest: str, target: Decision) -> None:
        rendered = self._context.rendered
        fate = fate_of_signature(
            Policy.KEEP, digest, target, rendered, carried=True, holds=True, where=node.where
        )
        if fate.code is not None:
            self._context.find(fate.code, node.where, f"{node.descriptor.digest} {fate.message}")

    def _config(self, node: DocumentNode, child: Node) -> Keep | Relabel | Rehash:
        old = child.descriptor.media_type
        media_type = config_type(node.document, old, self._family)
        if media_type != old and old == OCTET_STREAM:
            message = f"media type changed: {old} → {media_type}"
            self._context.find("config-type-corrected", child.where, message)
        return self._same_bytes(child, media_type)

    def _same_bytes(
        self, child: Node, media_type: str, diff_id: Digest | None = None
    ) -> Keep | Relabel | Rehash:
        """A blob whose bytes stay, under the digest that is asked for."""
        algorithm = self._context.options.digest
        old = child.descriptor.name.algorithm
        if algorithm in (None, old) or not isinstance(child, BlobNode | ConfigNode):
            return same_bytes(child, media_type, diff_id)
        return Rehash(child, media_type, algorithm, diff_id)

    # -- layers -----------------------------------------------------------------------------

    def _layer(self, manifest: DocumentNode, slot: Slot, child: Node, traits: _Traits) -> Decision:
        key = (id(child), traits)
        known = self._layers.get(key)
        diff_id = known.diff_id if isinstance(known, Keep | Relabel | Recompress | Rehash) else None
        if known is not None and (diff_id is None or diff_id == _diff_id(manifest, slot)):
            return known
        actual = child.actual if isinstance(child, BlobNode) else None
        plan = self._layer_plan(child, actual, traits)
        self._context.findings += plan.findings
        if not child.present:
            message = "the layer is absent; it is fetched from its urls"
            self._context.find("foreign-layer-absent", child.where, message)
        if plan.recompress is not None and isinstance(child, BlobNode):
            diff_id = _diff_id(manifest, slot)
            decision: Decision = Recompress(child, plan.media_type, plan.recompress, diff_id)
        else:
            vouched = not traits.built or actual is Compression.NONE
            diff_id = None if vouched else _diff_id(manifest, slot)
            decision = self._same_bytes(child, plan.media_type, diff_id)
        self._layers[key] = decision
        return decision

    def _layer_plan(self, child: Node, actual: Compression | None, traits: _Traits) -> LayerPlan:
        """What becomes of a layer of its type: most of them are alike, and nothing is told."""
        key = (child.descriptor.media_type, actual, child.present, traits)
        plan = self._layer_plans.get(key)
        if plan is None:
            layer = Layer(
                child.descriptor.media_type,
                actual,
                child.where,
                present=child.present,
                at_home=traits.at_home and not traits.built,
                from_daemon=self._daemon_layers,
                of_image=traits.of_image,
            )
            plan = plan_layer(layer, self._family, self._context.options.compress)
            if not plan.findings:
                self._layer_plans[key] = plan
        return plan

    def _stale(self, slot: Slot, decision: Decision) -> frozenset[str]:
        """The annotations of a recompressed layer that described its old bytes."""
        if not isinstance(decision, Recompress):
            return frozenset()
        stale = packing_annotations(slot.descriptor.annotations or {})
        for name in sorted(stale):
            message = f"{name} dropped: it describes the bytes before they were recompressed"
            self._context.find("packing-annotations-removed", decision.node.where, message)
        return stale


def _diff_id(manifest: DocumentNode, slot: Slot) -> Digest:
    """What the layer in ``slot`` must decompress to; from the image's config."""
    config, problems = manifest.image_config or (None, [])
    diff_ids = config.rootfs.diff_ids if config is not None and config.rootfs else ()
    count = sum(1 for _ in manifest.layers())
    if len(diff_ids) != count:
        counts = diff_ids_for(len(diff_ids), count)
        broken = [problem for problem in problems if problem.startswith("rootfs")]
        raise BlobError(
            "; ".join([counts, *broken]),
            code="count-mismatch",
            where=manifest.where,
            remedy=Wording('use {compress="keep"}; recompressing needs the diff_id of the layer'),
        )
    return Digest(diff_ids[slot.index])


def _images(decision: Rewrite) -> Iterator[Node]:
    """What an index, and the indexes in it, name beside attestations and indexes that are here."""
    for document in documents_below(decision):
        for planned in document.children if document.node.kind is Kind.INDEX else ():
            node = planned.decision.node
            nested = isinstance(node, DocumentNode) and node.kind is Kind.INDEX
            if planned.included and not nested and not is_attestation(planned.slot.descriptor):
                yield node
