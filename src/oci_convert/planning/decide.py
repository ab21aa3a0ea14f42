"""What becomes of every node of a tree: decided before anything is written.

Pure: a tree and options in, a plan out. Documents whose children all keep their bytes are settled
here and now; those above a recompressed layer once its new digest is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final, TypeGuard

from oci_convert.documents.document import Role
from oci_convert.enums import Keep as Policy
from oci_convert.errors import BlobError, OciConvertError, RefusedError
from oci_convert.findings import CODES, Finding, Level
from oci_convert.options import OnLoss, Options
from oci_convert.planning.context import Context
from oci_convert.planning.decisions import (
    Decision,
    Keep,
    LeftOut,
    Plan,
    PlannedImage,
    Recompress,
    Rewrite,
    included,
)
from oci_convert.planning.planner import Planner
from oci_convert.planning.platform_choice import PlatformChoice
from oci_convert.planning.referrer_rules import ReferrerRules
from oci_convert.planning.reversibility import WHY_IRREVERSIBLE, judge
from oci_convert.spec.media_types import Compression, Family, Kind
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import called
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import is_attestation
from oci_convert.tree.config_findings import (
    config_findings,
    config_of,
    platform_findings,
    reference_findings,
    value_findings,
)
from oci_convert.tree.nodes import DocumentNode, Image, Node, Tree
from oci_convert.tree.referrers import Referrer

__all__ = ["decide", "refuse_emptiness", "refuse_irreversible", "refuse_losses", "with_findings"]


_READ: Final = "sha256"
"""The algorithm of the digests that Docker reads."""
_LEAVES_OUT: Final = frozenset({"not-an-image", "unknown-layer", "no-such-platform"})
"""Why one entry of a store is left out, where it does not end the run."""
_LEAVE_OUT: Final = Wording('fetch the image again; {sparse="drop"} leaves it out')


def decide(
    tree: Tree,
    family: Family,
    options: Options,
    referrers: Sequence[Referrer] = (),
    *,
    orphans: Sequence[Referrer] = (),
    platforms: PlatformChoice | None = None,
    whole_store: bool = False,
    plain_layers: bool = False,
    holds_referrers: bool = True,
    has_entries: bool = True,
) -> Plan:
    """Decide what becomes of ``tree``; raises :class:`RefusedError` before anything is written.

    ``orphans`` are signatures of what is not in the source.
    ``platforms`` is what several trees of one run share; without it, this one must have all that
    are asked for. ``whole_store``: nobody named the images, so that what the target cannot hold is
    left out, as an entry of an index is. ``plain_layers``: the target keeps the plain layers of a
    docker-save archive as they are; ``holds_referrers``: it can hold what refers to its images;
    ``has_entries``: and what an index says of one of them.
    """
    planned = partial(
        _planned,
        tree,
        family,
        options,
        referrers,
        orphans=orphans,
        platforms=platforms,
        whole_store=whole_store,
        plain_layers=plain_layers,
        holds_referrers=holds_referrers,
        has_entries=has_entries,
    )
    not_carried: frozenset[str] = frozenset()
    plan, subjects = planned(not_carried=not_carried)
    # What refers to a document that does not come along keeps its digest. Which ones, is known now.
    while subjects and (gone := _not_carried(plan, subjects)):
        not_carried |= gone
        plan, subjects = planned(not_carried=not_carried)
    _refuse(plan)
    return plan


def _planned(
    tree: Tree,
    family: Family,
    options: Options,
    referrers: Sequence[Referrer],
    *,
    orphans: Sequence[Referrer],
    platforms: PlatformChoice | None,
    whole_store: bool,
    plain_layers: bool,
    holds_referrers: bool,
    has_entries: bool,
    not_carried: frozenset[str],
) -> tuple[Plan, Sequence[Rewrite | Keep]]:
    """A plan, and what subjects become in it, but for those that are ``not_carried``."""
    context = Context(family, options, platforms, partial=tree.sparse)
    planner = Planner(tree, context, plain_layers=plain_layers, not_carried=not_carried)
    images, left_out = _decide_images(
        tree, planner, context, whole_store=whole_store, has_entries=has_entries
    )
    unmatched = context.platforms.unmatched() if platforms is None else None
    if unmatched is not None:
        raise unmatched
    irreversible, findings = judge(images, family, options, context.rendered)
    rules = ReferrerRules(
        images, irreversible, family, options, context.rendered, holds_referrers=holds_referrers
    )
    planned_referrers = rules.plan(referrers, orphans)
    plan = Plan(
        family=family,
        options=options,
        images=images,
        referrers=planned_referrers,
        left_out=left_out,
        irreversible=(*irreversible, *rules.irreversible),
        settled=context.rendered.lasting,
    )
    configs = [found for root in plan.roots for found in _config_findings(root, options)]
    if family is Family.DOCKER:
        configs += [found for root in plan.roots for found in _digest_findings(root, options)]
    if options.fast:
        configs += [found for root in plan.roots for found in _packing_findings(root)]
    for planned in images:
        image = planned.image
        configs += _platform_findings(image.root.descriptor, image.node, image.node.where, options)
        if planned.decision.node is not image.node:
            configs += _flattened_findings(image.node, planned.decision.node, options)
    roots = (*(image.node for image in tree.images), *(referrer.node for referrer in referrers))
    remarks = (remark for root in roots for node in root.nodes() for remark in node.remarks)
    noted = (*context.findings, *findings, *rules.findings, *remarks, *configs)
    return with_findings(plan, (*tree.remarks, *noted)), planner.subjects


def _not_carried(plan: Plan, subjects: Sequence[Rewrite | Keep]) -> frozenset[str]:
    """The subjects that do not end in the target."""
    there = included(plan.roots)
    known = {id(decision) for decision in there}
    kept = {it.node.descriptor.digest for it in there if isinstance(it, Keep)}
    return frozenset(
        subject.node.descriptor.digest
        for subject in subjects
        if id(subject) not in known
        and not (isinstance(subject, Keep) and subject.node.descriptor.digest in kept)
    )


def _config_findings(root: Decision, options: Options) -> Iterator[Finding]:
    """What is wrong with the configs of the images that are converted.

    One that is read by request is read for this only if that is refused.
    """
    for decision in included((root,)):
        node = decision.node
        yield from _entry_findings(decision, options)
        if isinstance(node, DocumentNode):
            yield from value_findings(node)
        if not _is_known(node, options):
            continue
        for found in config_findings(node):
            # Whatever a config says, its bytes are kept.
            code = found.code if CODES[found.code].fault else "config-problem"
            yield Finding.of(code, found.where, found.message)


def _entry_findings(index: Decision, options: Options) -> Iterator[Finding]:
    """What is wrong with what entries say that end in an index, also those of nested ones."""
    left, followed = [index], set[int]()
    while left:
        decision = left.pop()
        if id(decision) in followed:
            continue
        followed.add(id(decision))
        places = set()
        for planned in decision.children:
            if planned.spliced:
                left.append(planned.decision)
            elif planned.included and planned.slot.role is Role.ENTRY:
                where = f"{decision.node.where}.{planned.slot.label}"
                places.add(where)
                named = planned.decision.node
                yield from _platform_findings(planned.slot.descriptor, named, where, options)
        for found in reference_findings(decision.node):
            if found.where in places:
                yield replace(found, level=Level.WARNING)


def _flattened_findings(index: Node, image: Node, options: Options) -> Iterator[Finding]:
    """The same for the only image of an index that takes its place."""
    for node in index.nodes():
        for slot, child in node.named if isinstance(node, DocumentNode) else ():
            if child is image:
                where = f"{node.where}.{slot.label}"
                yield from _platform_findings(slot.descriptor, child, where, options)


def _digest_findings(root: Decision, options: Options) -> Iterator[Finding]:
    """What of an image Docker refuses because of the algorithm of a digest."""
    nodes = [decision.node for decision in included((root,))]
    used = {node.descriptor.name.algorithm for node in nodes}
    for other in sorted(({options.digest.value} if options.digest else used) - {_READ}):
        message = f"digests by {other}: Docker and containerd read only those by {_READ}"
        yield Finding.of("digest-algorithm-unsupported", root.node.where, message)
    for node in nodes:
        config = config_of(node) if _is_known(node, options) else None
        diff_ids = () if config is None or config.rootfs is None else config.rootfs.diff_ids
        if any(not one.startswith(f"{_READ}:") for one in diff_ids):
            message = f"diff_ids that are not by {_READ}: they are in the config, which stays"
            yield Finding.of("digest-algorithm-unsupported", f"{node.where}.{Role.CONFIG}", message)


def _packing_findings(root: Decision) -> Iterator[Finding]:
    """That the processor decides over bytes of an image."""
    packed = (it for it in included((root,)) if isinstance(it, Recompress))
    if any(layer.to is Compression.GZIP for layer in packed):
        message = "the bytes of layers compressed fast depend on the processor"
        yield Finding.of("bytes-by-processor", root.node.where, message)


def _is_known(node: Node, options: Options) -> TypeGuard[DocumentNode]:
    """Whether the config of an image is here already, or needed to refuse what is wrong with it."""
    if not isinstance(node, DocumentNode) or node.config is None:
        return False
    return node.config.stored is not None or options.strict


def _platform_findings(
    entry: Descriptor, node: Node, where: str, options: Options
) -> Iterator[Finding]:
    """Where an entry contradicts the config: it is kept as it is, like the config."""
    if _is_known(node, options):
        for found in platform_findings(entry, node, where):
            yield replace(found, level=Level.WARNING)


def _decide_images(
    tree: Tree, planner: Planner, context: Context, *, whole_store: bool, has_entries: bool
) -> tuple[tuple[PlannedImage, ...], tuple[LeftOut, ...]]:
    """What becomes of each image, and what is left out of a whole store."""
    images: list[PlannedImage] = []
    left_out: list[LeftOut] = []
    closes = context.options.sparse in (Policy.AUTO, Policy.DROP)

    def leave_out(image: Image, why: OciConvertError, code: str, reason: str) -> None:
        left_out.append(LeftOut(image, why))
        name, digest = called(image.root.annotations), image.node.descriptor.digest
        told = digest if name is None else f"{name} ({digest})"
        context.find(code, image.node.where, f"{told} was left out: {reason}")

    for image in tree.images:
        try:
            images.append(planner.root(image, has_entries=has_entries))
        except RefusedError as refusal:
            if not whole_store or refusal.code not in _LEAVES_OUT:
                raise
            leave_out(image, refusal, refusal.code, refusal.message)
        except BlobError as missing:
            others = any(not _is_absent(other.node) for other in tree.images)
            if not whole_store or not _is_absent(image.node) or not others:
                raise
            if not closes:
                raise missing.but(remedy=_LEAVE_OUT) from None
            leave_out(image, missing, "missing-child", "its image is absent")
    return tuple(images), tuple(left_out)


def _is_absent(node: Node) -> bool:
    """Whether nothing of an image is here: no manifest, or none of those that its index lists."""
    if node.absent is node or node.kind is not Kind.INDEX:
        return node.absent is node
    images = [
        child
        for slot, child in node.named
        if slot.role is Role.ENTRY and not is_attestation(slot.descriptor)
    ]
    return bool(images) and all(map(_is_absent, images))


def with_findings(plan: Plan, findings: Iterable[Finding]) -> Plan:
    """The same plan with further findings, each told once."""
    return replace(plan, findings=tuple(dict.fromkeys((*plan.findings, *findings))))


def _refuse(plan: Plan) -> None:
    """End here what ``strict`` and ``on_loss`` forbid."""
    if plan.options.strict:
        fault = next((found for found in plan.findings if _is_fault(found)), None)
        if fault is not None:
            raise RefusedError(
                fault.message,
                code=fault.code,
                where=fault.where,
                remedy=Wording("{strict=True} refuses this; without it the image is converted"),
            )
    if plan.options.on_loss is OnLoss.FAIL:
        refuse_losses(plan)


def _is_fault(found: Finding) -> bool:
    """Whether ``strict`` refuses: for a fault, and for what ``verify`` calls an error."""
    code = CODES[found.code]
    return code.fault or code.level is Level.ERROR


def refuse_emptiness(plan: Plan, where: str) -> None:
    """Raise :class:`RefusedError` for what was left out of a plan, if anything was.

    For a run in which nothing else is left to convert.
    """
    for left_out in plan.left_out:
        raise left_out.why.within(where)
    for loss in (found for found in plan.findings if found.level is Level.LOSS):
        to_docker = plan.family is Family.DOCKER
        kept_by = "to oci" if to_docker else "to an OCI layout"
        if plan.options.signatures is Policy.DROP and loss.code == "signature-dropped":
            unasked = 'without {signatures="drop"}'
            kept_by = f"to oci {unasked}" if to_docker else unasked
        raise RefusedError(
            loss.message,
            code=loss.code,
            where=loss.where,
            remedy=Wording(
                f"nothing else is there to convert; convert {kept_by}, which keeps it unchanged"
            ),
        ).within(where)


def refuse_irreversible(plan: Plan) -> None:
    """Raise :class:`RefusedError` where converting an image back gives other bytes."""
    nodes = [node for planned in plan.images for node in plan.irreversible_in(planned)]
    nodes += [decision.node for decision in plan.irreversible]
    if nodes:
        raise RefusedError(
            _why_irreversible(plan, nodes[0].where),
            code="not-reversible",
            where=nodes[0].where,
            remedy=Wording(
                "{require_reversible=True} refuses this; without it, {dumps(originals=True)} keeps "
                "the originals"
            ),
        )


def _why_irreversible(plan: Plan, where: str) -> str:
    here = [found for found in plan.findings if found.where.startswith(where)]
    own = (found for found in here if found.code in WHY_IRREVERSIBLE and found.where == where)
    told = next(own, None)
    message = WHY_IRREVERSIBLE["not-reversible"] if told is None else told.message
    if message != WHY_IRREVERSIBLE["not-reversible"]:
        return message
    # What the source is at fault for, or Docker refuses, stays as it is.
    causes = (
        found.message
        for found in here
        if found.code not in (*WHY_IRREVERSIBLE, "digest-algorithm-unsupported")
        and not CODES[found.code].fault
    )
    return ": ".join([message, *islice(causes, 1)])


def refuse_losses(plan: Plan) -> None:
    """Raise :class:`RefusedError` for the first loss of a plan, if there is one."""
    losses = [found for found in plan.findings if found.level is Level.LOSS]
    if losses:
        more = f" (and {len(losses) - 1} more)" if len(losses) > 1 else ""
        raise RefusedError(
            f"{losses[0].message}{more}",
            code=losses[0].code,
            where=losses[0].where,
            remedy=Wording(
                '{on_loss="fail"} refuses this; without it, {dry_run=True} lists every loss'
            ),
        )
