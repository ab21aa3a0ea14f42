"""What indexes and entries say beside what they name: what is lost if they go, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from oci_convert.spec.models import Descriptor
from oci_convert.tree.nodes import DocumentNode

__all__ = ["lost_annotations", "lost_with", "said_beside", "said_by_index"]


def said_by_index(node: DocumentNode, *, stripped: bool) -> Iterator[str]:
    """What an index says of itself; ``stripped``: what Docker has not is told to be removed."""
    model = node.document.model
    if not stripped:
        yield from lost_annotations("the index", model.annotations or {})
        if model.artifact_type:
            yield f"the artifactType of the index, {model.artifact_type}"
        if model.subject is not None:
            yield f"the subject of the index, {model.subject.digest}"
    yield from (f"{name} of the index" for name in model.model_extra or ())


def said_beside(of: str, entry: Descriptor) -> Iterator[str]:
    """What an entry says of what it names, beside its platform and its annotations."""
    if entry.urls:
        yield f"the urls of {of}, {', '.join(entry.urls)}"
    if entry.artifact_type:
        yield f"the artifactType of {of}, {entry.artifact_type}"
    if entry.data:
        yield f"the data of {of}"
    yield from (f"{name} of {of}" for name in entry.model_extra or ())


def lost_annotations(of: str, annotations: Mapping[str, str]) -> Iterator[str]:
    """Annotations with their values."""
    listed = ", ".join(f"{key}={text}" for key, text in annotations.items())
    if listed:
        yield f"the annotations of {of}: {listed}"


def lost_with(message: str, lost: list[str]) -> str:
    """A message that ends with what is lost, each thing once."""
    return f"{message}; lost: {'; '.join(dict.fromkeys(lost))}" if lost else message
