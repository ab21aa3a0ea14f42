"""What becomes of every node of a tree: decided before anything is written.

Pure: a tree and options in, a plan out. Documents whose children all keep their bytes are settled
here and now; those above a recompressed layer once its new digest is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from oci_convert.errors import RefusedError
from oci_convert.findings import CODES, Finding, Level
from oci_convert.options import OnLoss, Options
from oci_convert.planning.context import Context
from oci_convert.planning.decisions import Decision, Plan, PlannedImage, carried
from oci_convert.planning.planner import Planner
from oci_convert.planning.referrer_rules import Followers
from oci_convert.planning.reversibility import WHY_IRREVERSIBLE, judge
from oci_convert.spec.media_types import Family
from oci_convert.tree.config_findings import config_findings
from oci_convert.tree.nodes import DocumentNode, Tree
from oci_convert.tree.referrers import Referrer

__all__ = ["decide", "refuse_irreversible", "refuse_losses", "with_findings"]


def decide(
    tree: Tree,
    family: Family,
    options: Options,
    referrers: Sequence[Referrer] = (),
    *,
    plain_layers: bool = False,
    room: bool = True,
) -> Plan:
    """Decide what becomes of ``tree``; raises :class:`RefusedError` before anything is written.

    ``plain_layers``: the target keeps the plain layers of a docker-save archive as they are;
    ``room``: it can hold the ``referrers`` of its images.
    """
    context = Context(family, options, partial=tree.sparse)
    planner = Planner(tree, context, plain_layers=plain_layers)
    images = tuple(PlannedImage(image, planner.root(image)) for image in tree.images)
    context.check_platforms()
    irreversible, findings = judge(images, family, options, context.rendered)
    followers = Followers(images, irreversible, family, options, context.rendered, room=room)
    carried = followers.plan(referrers)
    plan = Plan(
        family=family,
        options=options,
        images=images,
        referrers=carried,
        irreversible=(*irreversible, *followers.irreversible),
        settled=context.rendered.lasting,
    )
    configs = (found for root in plan.roots for found in _config_findings(root, options))
    roots = (*(image.node for image in tree.images), *(referrer.node for referrer in referrers))
    remarks = (remark for root in roots for node in root.nodes() for remark in node.remarks)
    noted = (*context.findings, *findings, *followers.findings, *remarks, *configs)
    plan = with_findings(plan, (*tree.remarks, *noted))
    _refuse(plan)
    return plan


def _config_findings(root: Decision, options: Options) -> Iterator[Finding]:
    """What is wrong with the configs of the images that are converted.

    One that is read by request is read for this only if that is refused.
    """
    for decision in carried((root,)):
        node = decision.node
        if not isinstance(node, DocumentNode) or node.config is None:
            continue
        if node.config.stored is None and not options.strict:
            continue
        for found in config_findings(node):
            # Whatever a config says, its bytes are carried.
            code = found.code if CODES[found.code].fault else "config-problem"
            yield Finding.of(code, found.where, found.message)


def with_findings(plan: Plan, findings: Iterable[Finding]) -> Plan:
    """The same plan with further findings, each told once."""
    return replace(plan, findings=tuple(dict.fromkeys((*plan.findings, *findings))))


def _refuse(plan: Plan) -> None:
    """End here what ``--strict`` and ``--on-loss fail`` forbid."""
    if plan.options.strict:
        fault = next((found for found in plan.findings if CODES[found.code].fault), None)
        if fault is not None:
            raise RefusedError(
                fault.message,
                code=fault.code,
                where=fault.where,
                remedy="--strict refuses this; without it the image is converted",
            )
    if plan.options.on_loss is OnLoss.FAIL:
        refuse_losses(plan)


def refuse_irreversible(plan: Plan) -> None:
    """Raise :class:`RefusedError` where converting an image back gives other bytes."""
    nodes = [node for planned in plan.images for node in plan.irreversible_in(planned)]
    nodes += [decision.node for decision in plan.irreversible]
    if nodes:
        raise RefusedError(
            _why_irreversible(plan, nodes[0].where),
            code="not-reversible",
            where=nodes[0].where,
            remedy="--require-reversible refuses this; without it, --record FILE keeps the "
            "originals",
        )


def _why_irreversible(plan: Plan, where: str) -> str:
    here = [found for found in plan.findings if found.where.startswith(where)]
    if any((found.code, found.where) == ("not-reversible-repacked", where) for found in here):
        return WHY_IRREVERSIBLE["not-reversible-repacked"]
    causes = (found.message for found in here if found.code not in WHY_IRREVERSIBLE)
    return ": ".join([WHY_IRREVERSIBLE["not-reversible"], *islice(causes, 1)])


def refuse_losses(plan: Plan) -> None:
    """Raise :class:`RefusedError` for the first loss of a plan, if there is one."""
    losses = [found for found in plan.findings if found.level is Level.LOSS]
    if losses:
        more = f" (and {len(losses) - 1} more)" if len(losses) > 1 else ""
        raise RefusedError(
            f"{losses[0].message}{more}",
            code=losses[0].code,
            where=losses[0].where,
            remedy="--on-loss fail refuses this; without it, --dry-run lists every loss",
        )
