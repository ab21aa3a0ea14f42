"""What is wrong with documents: with the config of an image, and with values in descriptors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from oci_convert.documents.document import Document, Role
from oci_convert.errors import DocumentError
from oci_convert.findings import Finding, Level
from oci_convert.spec.grammar import broken_values, is_media_type
from oci_convert.spec.media_types import EMPTY_CONFIG, Family, Kind
from oci_convert.spec.models import Descriptor, ImageConfig, Manifest, diff_ids_for
from oci_convert.spec.platforms import disagree, runs_elsewhere
from oci_convert.transform.document_edits import REFERENCE_DIGEST
from oci_convert.tree.nodes import DocumentNode, Node

__all__ = [
    "config_findings",
    "config_of",
    "platform_findings",
    "reference_findings",
    "value_findings",
]

_NAMED_OTHERWISE: Final = frozenset({"misspelled-media-type", "mislabelled-document"})
"""Remarks on a node whose media type is wrong, and known all the same."""


def value_findings(node: DocumentNode) -> Iterator[Finding]:
    """What a manifest or an index lacks, and its values that break the specification's grammar."""
    for message in _missing(node.document):
        yield Finding.of("missing-field", node.where, message)
    stated = node.document.model.artifact_type
    if stated and not is_media_type(stated):
        message = f"artifactType is no media type: {stated!r}"
        yield Finding.of("invalid-value", node.where, message)
    in_docker_list = node.kind is Kind.INDEX and Family.DOCKER in node.document.families
    for slot, child in node.named:
        where = f"{node.where}.{slot.label}"
        unstated = slot.descriptor.platform is None and child.kind is not Kind.INDEX
        if in_docker_list and unstated:
            message = "it has no platform, as entries of a Docker list must"
            yield Finding.of("missing-field", where, message)
        told = any(remark.code in _NAMED_OTHERWISE for remark in child.remarks)
        told = told or (bool(child.faults) and not slot.descriptor.media_type)
        for message in broken_values(slot.descriptor):
            if not (told and message.startswith("mediaType")):
                yield Finding.of("invalid-value", where, message)


def _missing(document: Document) -> Iterator[str]:
    """A sentence for each member that a document must have, and has not."""
    model, is_index = document.model, document.kind is Kind.INDEX
    what, listed = ("an index", "manifests") if is_index else ("a manifest", "layers")
    if listed not in document.root.value:
        yield f"it has no {listed}, as {what} must"
    if Family.DOCKER in document.families and not model.media_type:
        yield "it has no mediaType, as documents of Docker must"
    empty = isinstance(model, Manifest) and model.config.media_type == EMPTY_CONFIG
    if empty and not model.artifact_type:
        yield "it has no artifactType, as a manifest with an empty config must"


def config_findings(node: DocumentNode) -> Iterator[Finding]:
    """The findings on the config of a manifest, at the levels that ``verify`` gives them.

    None for what is no image; for what only borrows the form of one, those on single values. A
    config that cannot be trusted is one finding under the code of the error.
    """
    try:
        found = node.image_config
    except DocumentError as error:
        yield Finding(error.code, Level.ERROR, error.where, error.message)
        return
    if found is None:
        return
    config, problems = found
    for problem in problems:
        is_value = problem.startswith("config.Env[")
        if node.borrows_form and not is_value:
            continue
        # No reader need know another kind of root file system (config.md: MUST).
        level = Level.ERROR if problem.startswith("rootfs.type ") else Level.WARNING
        code = "invalid-value" if is_value else "config-problem"
        yield Finding(code, level, f"{node.where}.{Role.CONFIG}", problem)
    if not node.borrows_form:
        yield from _counts(node, config)


def config_of(node: Node) -> ImageConfig | None:
    """The config of an image; ``None`` for one that cannot be trusted."""
    try:
        found = node.image_config
    except DocumentError:
        return None
    return None if found is None else found[0]


def platform_findings(entry: Descriptor, node: Node, where: str) -> Iterator[Finding]:
    """Whether an entry contradicts the config of the image that it names.

    A config that cannot be trusted says nothing here.
    """
    config = config_of(node)
    stated = None if config is None else config.platform
    if entry.platform is None:
        return
    lacking = [name for name in ("os", "architecture") if not getattr(entry.platform, name)]
    if lacking:
        message = f"its platform lacks {' and '.join(lacking)}"
        yield Finding.of("missing-field", where, message)
        return
    if stated is None:
        return
    features = entry.platform.os_features, stated.os_features
    other_features = all(features) and set(features[0] or ()) != set(features[1] or ())
    if not (other_features or disagree(entry.platform, stated)):
        return
    # Clients choose by the entry: a slightly different variant in the config, as buildah writes it,
    # does no harm.
    level = Level.ERROR if runs_elsewhere(entry.platform, stated) else Level.WARNING
    message = f"the entry says {entry.platform}, the config {stated}"
    yield Finding("platform-mismatch", level, where, message)


def reference_findings(node: Node) -> Iterator[Finding]:
    """The attestations in an index that are for something that it does not list."""
    named = list(node.named) if isinstance(node, DocumentNode) else []
    listed = {slot.descriptor.digest for slot, _ in named}
    for slot, _ in named:
        subject = (slot.descriptor.annotations or {}).get(REFERENCE_DIGEST)
        if subject is not None and subject not in listed:
            message = f"the attestation is for {subject}, which the index does not list"
            yield Finding("dangling-reference", Level.ERROR, f"{node.where}.{slot.label}", message)


def _counts(node: DocumentNode, config: ImageConfig) -> Iterator[Finding]:
    count = sum(1 for _ in node.layers())
    diff_ids = config.rootfs.diff_ids if config.rootfs is not None else ()
    if len(diff_ids) != count:
        message = diff_ids_for(len(diff_ids), count)
        yield Finding("count-mismatch", Level.ERROR, node.where, message)
    steps = sum(not step.empty_layer for step in config.history or ())
    if config.history and steps != count:
        # Docker refuses a history of more layers than there are; nobody minds a shorter one.
        level = Level.ERROR if steps > count else Level.WARNING
        message = f"number of layers: {count} in the manifest, {steps} in the history"
        yield Finding("count-mismatch", level, node.where, message)
