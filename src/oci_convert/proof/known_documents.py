"""The documents of an image, and those that converting it back gives.

Nothing is written, and nothing dropped on the way: what an image holds beside its original must not
get lost here, or it would not be noticed that it was added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from oci_convert.errors import OciConvertError
from oci_convert.options import Keep, Options
from oci_convert.planning.decide import decide
from oci_convert.planning.decisions import documents_below
from oci_convert.planning.rendering import render
from oci_convert.proof.originals import Documents, Original
from oci_convert.spec.media_types import Compression, Family, Kind
from oci_convert.stores.base import Root
from oci_convert.transform.image_v1 import MeasuredLayer, upgrade
from oci_convert.transform.layer_rules import Compress
from oci_convert.transform.schema1 import Schema1
from oci_convert.tree.nodes import (
    BlobNode,
    DocumentNode,
    Image,
    MissingNode,
    Node,
    Tree,
    UnreadableNode,
)

__all__ = ["known_documents"]


def known_documents(tree: Tree, original: Original, digest: str) -> Documents:
    """Every document that is given, at hand, or the result of converting back what is at hand.

    ``digest`` is that of the original.
    """
    nodes = [node for node in tree.documents() if not node.faults]
    found = Documents(
        (*original.documents, *(node.document.raw for node in nodes), *_ways_back(tree))
    )
    schema1 = original.schema1(digest)
    for node in nodes:
        if node.upgraded_from is not None:
            found.put(node.upgraded_from.raw, node.document.raw)
        elif schema1 is not None and node.kind is Kind.MANIFEST:
            upgraded = _upgraded(schema1, node)
            if upgraded is not None:
                found.put(schema1.payload, upgraded)
    return found


def _ways_back(tree: Tree) -> Iterator[bytes]:
    """What the conversions to each family make of every document of ``tree``."""
    whole = _whole(tree)
    for family in Family:
        try:
            yield from _converted(whole, family)
        except OciConvertError:
            # One image that the family cannot hold must not hide the others.
            for node in whole.documents():
                try:
                    yield from _converted(_tree_of(node), family)
                except OciConvertError:
                    continue


def _converted(tree: Tree, family: Family) -> list[bytes]:
    options = Options(
        compress=Compress.KEEP,
        attestations=Keep.KEEP,
        keep_extensions=True,
    )
    plan = decide(tree, family, options, plain_layers=True)
    rendered = render(plan)
    documents = (made for root in plan.roots for made in documents_below(root))
    return [raw for made in documents if (raw := rendered.raw(made)) is not None]


def _tree_of(node: Node) -> Tree:
    return Tree((Image(Root(node.descriptor), node),))


def _whole(tree: Tree) -> Tree:
    """The same tree with every config and layer in its place: one that is missing is found missing
    when the blobs are read, and tells nothing about the documents. A document at fault has no way
    back.
    """
    made: dict[int, Node] = {}

    def whole(node: Node) -> Node:
        if id(node) not in made:
            made[id(node)] = _replaced(node)
        return made[id(node)]

    def _replaced(node: Node) -> Node:
        if isinstance(node, DocumentNode) and node.faults:
            return UnreadableNode(
                kind=node.kind, role=node.role, descriptor=node.descriptor, where=node.where
            )
        if isinstance(node, DocumentNode):
            return replace(node, children=tuple(whole(child) for child in node.children))
        if isinstance(node, MissingNode) and node.kind not in (Kind.INDEX, Kind.MANIFEST):
            return BlobNode(
                kind=node.kind, role=node.role, descriptor=node.descriptor, where=node.where
            )
        return node

    images = tuple(image._replace(node=whole(image.node)) for image in tree.images)
    return replace(tree, images=images)


def _upgraded(schema1: Schema1, node: DocumentNode) -> bytes | None:
    """The manifest that schema 1 becomes with the layers of ``node``, if they are its layers.

    What schema 1 does not say of a layer is taken from the image at hand; the digests by which the
    layers are proved are those of schema 1.
    """
    try:
        measured = {
            layer.descriptor.digest: MeasuredLayer(
                layer.descriptor.name,
                layer.descriptor.size,
                diff_id,
                layer.compression or Compression.NONE,
            )
            for _, layer, diff_id in node.contents()
            if diff_id is not None
        }
    except OciConvertError:
        return None
    layers = [measured[layer.blob] for layer in schema1.kept if layer.blob in measured]
    return upgrade(schema1.images, layers).manifest if len(layers) == len(schema1.kept) else None
