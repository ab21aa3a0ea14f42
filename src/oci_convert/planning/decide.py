"""What becomes of every node of a tree: decided before anything is written.

Pure: a tree and options in, a plan out. Documents whose children all keep their bytes are
translated here and now; those above a recompressed layer once its new digest is known.
"""

from __future__ import annotations

from collections.abc import Sequence

from oci_convert.errors import RefusedError
from oci_convert.findings import CODES, Level
from oci_convert.planning.decisions import Plan
from oci_convert.planning.options import OnLoss, Options
from oci_convert.planning.planner import Planner
from oci_convert.planning.referrer_rules import follow
from oci_convert.planning.reversibility import judge_way_back
from oci_convert.tree.reader import Tree
from oci_convert.tree.referrers import Companion

__all__ = ["decide", "refuse_losses"]


def decide(
    tree: Tree,
    options: Options,
    companions: Sequence[Companion] = (),
    *,
    plain_layers: bool = False,
    room: bool = True,
) -> Plan:
    """Decide what becomes of ``tree``; raises :class:`RefusedError` before anything is written.

    ``plain_layers``: the target keeps the plain layers of a docker-save archive as they are;
    ``room``: it can hold the ``companions`` of its images.
    """
    plan = Plan(options)
    planner = Planner(tree, plan, plain_layers=plain_layers)
    for image in tree.images:
        plan.tops.append((image, planner.top(image)))
    planner.check_platforms()
    plan.findings += judge_way_back(plan)
    follow(plan, companions, room=room)
    plan.findings = list(dict.fromkeys(plan.findings))
    _refuse(plan)
    return plan


def _refuse(plan: Plan) -> None:
    """End here what ``--strict`` and ``--on-loss fail`` forbid."""
    if plan.options.strict:
        fault = next((found for found in plan.findings if CODES[found.code].fault), None)
        if fault is not None:
            raise RefusedError(
                fault.message,
                code=fault.code,
                where=fault.where,
                remedy="--strict refuses this; leave it out to convert the image all the same",
            )
    if plan.options.on_loss is OnLoss.FAIL:
        refuse_losses(plan)


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
