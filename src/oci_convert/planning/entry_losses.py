"""What the entry of an image in ``index.json`` says and the target does not, named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from oci_convert.documents.json_reader import representable
from oci_convert.findings import Finding, Level
from oci_convert.planning.decisions import Plan
from oci_convert.planning.rendering import Rendered
from oci_convert.spec.media_types import Family
from oci_convert.spec.names import NAMES
from oci_convert.stores.base import Root
from oci_convert.tree.nodes import DocumentNode, Node, platform_or_none

__all__ = ["entry_losses"]

_CREATED: Final = "annotation org.opencontainers.image.created"
"""BuildKit writes it into every entry; the config of the image says when it was made, too."""


def entry_losses(
    plan: Plan, rendered: Rendered, family: Family, *, has_entries: bool
) -> list[Finding]:
    """What is lost of the entries of all images, and of what refers to them.

    ``has_entries``: a target of that family has such entries, too.
    """
    planned = [(it.image.root, it.image.node, it.decision) for it in plan.images]
    planned += [(it.referrer.root, it.referrer.node, it.decision) for it in plan.referrers]
    findings = []
    for root, node, decision in planned:
        lost = []
        if root.descriptor.urls:
            new = rendered.find(decision)
            changed = new is None or new.digest != root.descriptor.digest
            # They serve the bytes from before.
            lost += ["urls"] if changed or not has_entries else []
        if not has_entries or family is Family.OCI_RC2:  # there, descriptors have no annotations
            lost += [f"annotation {name}" for name in root.annotations if name not in NAMES]
        lost += _unwritable(root) if has_entries else _unsaid(root, node)
        if lost:
            message = f"its entry in index.json says what the target does not: {', '.join(lost)}"
            found = Finding.of("entry-not-carried", node.where, message)
            findings.append(replace(found, level=Level.INFO) if lost == [_CREATED] else found)
    return findings


def _unwritable(root: Root) -> Iterator[str]:
    """Members that hold a number no JSON can."""
    top = root.descriptor
    for prefix, model in (("", top), ("platform.", top.platform)):
        extra = None if model is None else model.model_extra
        yield from (
            f"{prefix}{name}" for name, it in (extra or {}).items() if not representable(it)
        )


def _unsaid(root: Root, node: Node) -> Iterator[str]:
    """What the image does not say itself."""
    top = root.descriptor
    if top.platform is not None and top.platform != platform_or_none(node):
        yield f"platform {top.platform}"
    own = node.artifact_type if isinstance(node, DocumentNode) else None
    if top.artifact_type and top.artifact_type != own:
        yield f"artifactType {top.artifact_type}"
    yield from top.model_extra or ()
