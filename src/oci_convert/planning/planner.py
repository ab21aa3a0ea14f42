"""Planning one tree, from the tops of its images downwards; children are decided first."""

from __future__ import annotations

from oci_convert.documents.document import Document, Role, Slot
from oci_convert.errors import BlobError, RefusedError
from oci_convert.findings import Finding
from oci_convert.planning.decisions import Entry, Plan, Step, kept
from oci_convert.planning.index_entries import missing_blob, plan_entries
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import OCTET_STREAM, Compression, Family, Kind
from oci_convert.spec.models import Platform, diff_ids_for
from oci_convert.spec.platforms import listed, matches
from oci_convert.transform.document_edits import (
    changes_family,
    config_type,
    fits,
    is_attestation,
    is_image,
    not_an_image,
    target_type,
)
from oci_convert.transform.layer_rules import Layer, packing_annotations, plan_layer
from oci_convert.tree.reader import Image, Node, Tree, platform_of

__all__ = ["Planner"]


class Planner:
    """Plans the documents of one tree, and what is below them."""

    def __init__(self, tree: Tree, plan: Plan, *, plain_layers: bool):
        self.plan = plan
        self.options = plan.options
        self.family = plan.options.to
        self.tree = tree
        self.allow_missing = plan.options.allow_missing or tree.sparse
        self._plain_layers = plain_layers
        self._memo: dict[tuple[int, bool, bool], Step] = {}
        self._documents = {node.descriptor.digest: node for node in tree.walk() if node.document}
        self._built = False
        self._matched: set[str] = set()
        self._seen_platforms: dict[str, None] = {}

    def find(self, code: str, where: str, message: str) -> None:
        self.plan.findings.append(Finding.of(code, where, message))

    # -- tops -------------------------------------------------------------------------------

    def top(self, image: Image) -> Step:
        node = image.node
        self._built = image.root.built
        if node.absent is node:
            raise missing_blob(node)
        if node.document is None:
            if self.family is Family.DOCKER:
                raise RefusedError(
                    f"this is no image but a blob of type {node.descriptor.media_type}",
                    code="not-an-image",
                    where=node.where,
                    remedy="convert towards oci, which carries it as it is",
                )
            return kept(node)
        if node.kind is Kind.MANIFEST and self.options.platforms:
            platform = platform_of(node, image.root.descriptor)
            if not self.selected(platform):
                raise self._no_platform(node.where)
        step = self.document(node)
        if image.root.upgraded:
            step.reversible = False
            self.find("schema1-upgraded", node.where, "the v1 images and their ids are gone")
        self._refuse_empty(step)
        return self._flattened(step) if self.options.flatten else step

    def _refuse_empty(self, step: Step) -> None:
        """An index that had entries must not end without any."""
        if not step.is_emptied:
            return
        if self.options.platforms:
            raise self._no_platform(step.node.where)
        absent = next((child for child in step.node.children if child.absent is not None), None)
        if absent is not None:
            raise missing_blob(absent.absent or absent)
        raise RefusedError(
            f"nothing in this index is an image that {self.family.spoken} can hold",
            code="not-an-image",
            where=step.node.where,
            remedy="convert towards oci, or copy it as it is",
        )

    def _flattened(self, step: Step) -> Step:
        """The one image of an index in the place of the index."""
        while step.node.kind is Kind.INDEX:
            images = [
                e for e in step.entries if e.carried and not is_attestation(e.slot.descriptor)
            ]
            if len(images) != 1 or images[0].step is None:
                names = ", ".join(
                    str(platform_of(e.step.node, e.slot.descriptor) or e.slot.label)
                    for e in images
                    if e.step is not None
                )
                raise RefusedError(
                    f"--flatten wants an index of one image, and this one has {len(images)}"
                    + (f": {names}" if names else ""),
                    code="not-one-image",
                    where=step.node.where,
                    remedy="choose one with --platform",
                )
            self.find("index-flattened", step.node.where, "the index gave way to its one image")
            for entry in step.entries:
                if entry.carried and entry is not images[0]:
                    self.find(
                        "attestation-dropped",
                        f"{step.node.where}.{entry.slot.label}",
                        f"{entry.slot.descriptor.digest} went with its index",
                    )
            step = images[0].step
        return step

    # -- documents --------------------------------------------------------------------------

    def document(self, node: Node) -> Step:
        key = (id(node), False, False)
        if key not in self._memo:
            document = node.document
            assert document is not None
            if changes_family(document, self.family) and not fits(document, self.family):
                raise not_an_image(document, node.where)
            step = Step(node, target_type(document, self.family))
            entries = plan_entries(self, node) if node.kind is Kind.INDEX else self._manifest(node)
            step.entries = tuple(entries)
            self.plan.findings += self.plan.resolve(step)
            if node.upgraded_from is not None:
                step.reversible = False
                self.find("schema1-upgraded", node.where, "the signatures and the v1 ids are gone")
            self._memo[key] = step
        return self._memo[key]

    def _manifest(self, node: Node) -> list[Entry]:
        document = node.document
        assert document is not None
        entries = []
        for slot, child in zip(document.slots, node.children, strict=True):
            if slot.role is Role.SUBJECT:
                entries.append(self.subject(document, slot, node.where))
            elif slot.role is Role.CONFIG:
                entries.append(Entry(slot, self._config(document, child)))
            else:
                step = self._layer(node, slot, child)
                entries.append(Entry(slot, step, without=self._stale(slot, step)))
        return entries

    def subject(self, document: Document, slot: Slot, where: str) -> Entry:
        target = self._documents.get(slot.descriptor.digest)
        if target is not None:
            return Entry(slot, self.document(target))
        if changes_family(document, self.family) and self.family is not Family.DOCKER:
            message = f"the subject {slot.descriptor.digest} is not part of this conversion"
            self.find("subject-not-carried", f"{where}.subject", message)
        return Entry(slot, None)

    def _config(self, document: Document, child: Node) -> Step:
        if child.absent is not None:
            raise missing_blob(child)
        old = child.descriptor.media_type
        media_type = config_type(document, old, self.family)
        step = kept(child, media_type)
        step.raw = child.raw
        if media_type != old and old == OCTET_STREAM:
            self.find("config-type-corrected", child.where, f"{old} became {media_type}")
        return step

    def _layer(self, manifest: Node, slot: Slot, child: Node) -> Step:
        if child.absent is not None:
            raise missing_blob(child)
        document = manifest.document
        assert document is not None
        at_home, of_image = not changes_family(document, self.family), is_image(document)
        key = (id(child), at_home, of_image)
        known = self._memo.get(key)
        if known is not None and (
            known.diff_id is None or known.diff_id == _diff_id(manifest, slot)
        ):
            return known
        layer = Layer(
            child.descriptor.media_type,
            child.actual,
            child.where,
            present=child.present,
            at_home=at_home and not self._built,
            from_daemon=self.tree.daemon_layers and not self._plain_layers,
            of_image=of_image,
        )
        plan = plan_layer(layer, self.family, self.options.compress)
        self.plan.findings += plan.findings
        if not child.present:
            self.find(
                "foreign-layer-absent",
                child.where,
                "the layer is not here; it is fetched from its urls",
            )
        step = kept(child, plan.media_type)
        if plan.recompress is not None:
            step.recompress, step.new, step.reversible = plan.recompress, None, False
        if plan.recompress is not None or (self._built and child.actual is not Compression.NONE):
            step.diff_id = _diff_id(manifest, slot)
        self._memo[key] = step
        return step

    def _stale(self, slot: Slot, step: Step) -> frozenset[str]:
        """The annotations of a recompressed layer that described its old bytes."""
        if step.recompress is None:
            return frozenset()
        stale = packing_annotations(slot.descriptor.annotations or {})
        for name in sorted(stale):
            message = f"{name} described the bytes before they were recompressed"
            self.find("packing-annotations-removed", step.node.where, message)
        return stale

    # -- platforms --------------------------------------------------------------------------

    def selected(self, platform: Platform | None) -> bool:
        if platform is None:
            return False
        self._seen_platforms[str(platform)] = None
        found = [wanted for wanted in self.options.platforms if matches(platform, wanted)]
        self._matched.update(found)
        return bool(found)

    def check_platforms(self) -> None:
        """Every ``--platform`` must have matched something."""
        if set(self.options.platforms) - self._matched:
            raise self._no_platform("")

    def _no_platform(self, where: str) -> RefusedError:
        wanted = self.options.platforms
        missing = next((p for p in wanted if p not in self._matched), " or ".join(wanted))
        return RefusedError(
            f"there is no image for {missing}",
            code="no-such-platform",
            where=where,
            remedy=listed(missing, self._seen_platforms),
        )


def _diff_id(manifest: Node, slot: Slot) -> Digest:
    """What the layer in ``slot`` must hash to when it is unpacked; from the image's config."""
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
            remedy="use --compress keep: to recompress, the config must say what the layer holds",
        )
    return Digest(diff_ids[slot.index])
