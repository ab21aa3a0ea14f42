"""The links of an image: config and layers at hand, compared with the signed manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from oci_convert.checks.blobs import check_all
from oci_convert.errors import OciConvertError
from oci_convert.progress import Progress
from oci_convert.proof.answer import Link
from oci_convert.proof.matching import Pair, config_digest, config_of, layers_of
from oci_convert.spec.digest import Digest
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Root, Source
from oci_convert.tree.nodes import DocumentNode, Image, Node, Tree

__all__ = ["LinkCheck"]


@dataclass
class LinkCheck:
    """Reads the blobs of matched images, each once, and gives their links."""

    source: Source
    pairs: Sequence[Pair]
    built: bool
    """The digests of the layers follow from what the config says: only their content counts."""
    jobs: int | None = None
    on_progress: Callable[[Progress], object] | None = None

    def run(self) -> list[Link]:
        """All links, pair by pair."""
        images = tuple(
            Image(Root(pair.held.node.descriptor, built=self.built), pair.held.node)
            for pair in self.pairs
        )
        _, self._blobs = check_all(Tree(images), self.source, self.jobs, self.on_progress)
        self._notes = {finding.where: finding.message for finding in self._blobs.findings}
        return [link for pair in self.pairs for link in self._image(pair)]

    def _image(self, pair: Pair) -> Iterator[Link]:
        held, signed = pair.held, pair.signed
        note = "the same" if held.node.old.digest == signed.digest else "converted"
        node = held.node
        if not isinstance(node, DocumentNode) or node.faults:
            yield self._lump(pair)
            return
        yield Link("manifest", held.where, signed.digest, held.node.old.digest, ok=True, note=note)
        # Where no other document is known, the two are one and the same.
        theirs = signed.document or node.document
        yield self._config(node, config_of(theirs), f"{held.where}.config")
        layers, expected = list(node.layers()), layers_of(theirs)
        if len(layers) != len(expected):
            counts = (str(len(expected)), str(len(layers)))
            yield Link("layers", held.where, *counts, ok=False, note="the number of layers")
            return
        # Of schema 1 only the layers are signed; its config is made from what they hold.
        derived = theirs.digest(Digest(signed.digest).algorithm) != signed.digest
        diff_ids = _diff_ids(node)
        for i, (layer, one) in enumerate(zip(layers, expected, strict=True)):
            diff_id = diff_ids[i] if diff_ids else None
            yield self._layer(layer, one, diff_id, f"{held.where}.layers[{i}]", derived=derived)

    def _lump(self, pair: Pair) -> Link:
        """A blob that is not a document, absent or damaged: it is known only by its digest."""
        node, expected = pair.held.node, pair.signed.digest
        found = self._found(node) if node.present else pair.held.node.old.digest
        ok = found == expected
        note = "the same" if node.present else "absent, but the same digest"
        note = note if ok else self._why(node)
        return Link("manifest", pair.held.where, expected, found, ok=ok, note=note)

    def _config(self, node: DocumentNode, expected: Descriptor, where: str) -> Link:
        config = node.children[0]
        found = self._found(config) and config_digest(node, expected)
        ok = found == expected.digest
        note = "image ID" if ok and config.stored is not None else self._why(config)
        return Link("config", where, expected.digest, found, ok=ok, note=note)

    def _layer(
        self, layer: Node, signed: Descriptor, diff_id: Digest | None, where: str, *, derived: bool
    ) -> Link:
        """A layer is the signed one by its bytes or, as the signed config says, by its content."""
        digest, found = layer.descriptor.digest, self._found(layer)
        content = self._blobs.unpacked.get(digest, ())
        holds = diff_id is not None and diff_id in content
        if found == signed.digest and (holds or not derived):
            note = f"diff_id {diff_id}" if holds else "the same bytes"
            return Link("layer", where, signed.digest, found, ok=True, note=note)
        if not layer.present and layer.is_foreign and digest == signed.digest and not layer.faults:
            note = "absent; it is fetched from its urls"
            return Link("layer", where, signed.digest, digest, ok=True, note=note)
        if holds and (found == digest or self.built):
            note = f"diff_id of {digest}, which is recompressed"
            return Link("layer", where, str(diff_id), str(diff_id), ok=True, note=note)
        if diff_id is not None and found == digest and content:
            note = f"diff_id; the content of {digest} is different"
            return Link("layer", where, str(diff_id), str(content[0]), ok=False, note=note)
        return Link("layer", where, signed.digest, found, ok=False, note=self._why(layer))

    def _found(self, node: Node) -> str | None:
        """What the bytes of a blob hash to; ``None`` if they cannot be read or trusted."""
        if node.faults:
            return None
        if node.stored is not None:  # a config, verified when the tree was read
            return node.descriptor.digest
        return self._blobs.packed.get(node.descriptor.digest)

    def _why(self, node: Node) -> str:
        """What is wrong with a blob."""
        if node.faults:
            return node.faults[0].message
        return self._notes.get(node.where, "") if node.present else "the blob is missing"


def _diff_ids(node: DocumentNode) -> tuple[Digest, ...]:
    """What the layers of an image must unpack to, if its config can be read and says it for all."""
    try:
        return node.diff_ids
    except OciConvertError:
        return ()
