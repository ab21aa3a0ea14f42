"""Names that state a digest, as ``app:1@sha256:…``: true only as long as the digest is the same.

An image whose digest changes is called without it: by its tag, or by its repository. Where another
image of the run has that name, the name stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from oci_convert.conversion.source_plan import SourcePlan
from oci_convert.findings import Finding
from oci_convert.planning.decide import with_findings
from oci_convert.planning.decisions import PlannedImage
from oci_convert.spec.names import CONTAINERD_NAME, REF_NAME, called, pair, renamed, unpinned
from oci_convert.stores.base import Root

__all__ = ["tell_old_digests", "without_old_digests"]


def without_old_digests(source_plans: Sequence[SourcePlan]) -> None:
    """Call every image by a name that stays true."""
    named = [
        (one, [_true(one, *both) for both in zip(one.roots, one.plan.images, strict=True)])
        for one in source_plans
    ]
    images = {(pair(it.annotations), it.descriptor.digest) for _, roots in named for it in roots}
    taken = Counter(names for names, _ in images)
    for one, roots in named:
        one.roots = [
            new if taken[pair(new.annotations)] == 1 else old
            for old, new in zip(one.roots, roots, strict=True)
        ]


def _true(one: SourcePlan, root: Root, planned: PlannedImage) -> Root:
    """``root`` without the digests in its names that are those of something else."""
    new = one.rendered.find(planned.decision)
    node = planned.image.node
    same = new is not None and not planned.image.root.built and new.digest == node.old.digest
    found = {}
    for key in (REF_NAME, CONTAINERD_NAME):
        name, digest = unpinned(root.annotations.get(key, ""))
        true = new is not None and digest == new.digest
        # What an image was called that does not change is left alone; a new name must be true.
        if digest is not None and not true and not (same and one.ref is None):
            found[key] = name
    if one.ref is not None:
        found = renamed(root.annotations, found[REF_NAME]) if found else {}
    return replace(root, annotations={**root.annotations, **found}) if found else root


def tell_old_digests(one: SourcePlan) -> None:
    """Note each digest in a name that is another one than that of the image in the target."""
    told = []
    for root, planned in zip(one.images(), one.plan.images, strict=True):
        names = pair(planned.image.root.annotations) if one.ref is None else (one.ref,)
        for name in filter(None, dict.fromkeys((*names, one.asked))):
            digest = unpinned(name)[1]
            new = root.descriptor.digest
            if digest is not None and digest != new:
                message = f"{name} states {digest}, but the image is {new}; it is called "
                message += called(root.annotations) or name
                told.append(Finding.of("digest-in-name", planned.image.node.where, message))
    if told:
        one.plan = with_findings(one.plan, told)
