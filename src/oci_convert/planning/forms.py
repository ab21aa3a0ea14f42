"""Forms: what converting a document back depends on, and nothing that is each document's own.

Most documents of a fleet are alike but for their digests and sizes. What holds for one of a form
holds for all of it, so that the way back is gone once for each form.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from oci_convert.documents.document import Role
from oci_convert.limits import limits
from oci_convert.planning.decisions import Decision, DescriptorPlan, Keep, Relabel, Rewrite
from oci_convert.planning.rendering import Rendered
from oci_convert.spec.media_types import Compression, Kind
from oci_convert.tree.nodes import BlobNode, ConfigNode

__all__ = ["Forms"]

_LARGE: Final = 64 * 1024
"""Bytes of a document from which it counts as one of a kind."""
_OWN: Final = re.compile(
    r'"(?P<digest>(?P<algorithm>[a-z0-9]+):[0-9a-f]{32,})"|"size"\s*:\s*[0-9]+(?![0-9.eE])'
)
"""What is each document's own: its digests and sizes, where they are spelled plainly."""


class Forms:
    """The forms of the documents of one plan, as ``rendered`` there, each as a hash of it."""

    def __init__(self, rendered: Rendered) -> None:
        self._rendered = rendered
        self._known: dict[int, bytes | None] = {}

    def find(self, decision: Decision) -> bytes | None:
        """The form of a manifest, or of an index of manifests; ``None`` for all that is unusual.

        Two documents of one form differ in nothing but digests and sizes, also in all that they
        name. Digests that are equal in the one are equal in the other, before and after.
        """
        if not isinstance(decision, Rewrite):
            return None
        if id(decision) not in self._known:
            self._known[id(decision)] = self._form(decision)
        return self._known[id(decision)]

    def _form(self, decision: Rewrite) -> bytes | None:
        document, old = decision.node.document, decision.node.descriptor
        # Images that are there as gzip and as zstd have to do with each other.
        most = min(_LARGE, limits().document_size // 2)  # another size must not reach the limit
        if len(document.raw) > most or "zstd" in document.text:
            return None
        numbers: dict[str, int] = {}

        def numbered(own: re.Match[str]) -> str:
            digest, algorithm = own.groups()
            if digest is None:
                return own[0].rstrip("0123456789")
            return f"{algorithm}:{numbers.setdefault(digest, len(numbers))}"

        text = _OWN.sub(numbered, document.text)
        named: list[tuple[int, object]] = []
        for planned in decision.children:
            form, new = self._named(planned), self._rendered.find(planned.decision)
            if form is None or new is None:
                return None
            named.append((numbers.setdefault(new.digest, len(numbers)), form))
        called = document.kind, document.media_type, old.media_type, old.name.algorithm
        return sha256(repr((text, called, decision.family, named)).encode()).digest()

    def _named(self, planned: DescriptorPlan) -> object:
        """What a descriptor names, where it says nothing unusual and what it says is right."""
        decision, slot, node = planned.decision, planned.slot, planned.decision.node
        stated, found = slot.descriptor, node.descriptor
        amended = planned.platform is not None or planned.reference is not None
        if amended or planned.spliced or planned.keeps or planned.stale or stated.data:
            return None
        if (stated.media_type, stated.digest, stated.size) != (
            found.media_type,
            found.digest,
            found.size,
        ):
            return None
        if slot.role is Role.ENTRY:
            usual = stated.platform is not None and node.kind is Kind.MANIFEST
            return self.find(decision) if usual else None
        if slot.role is Role.SUBJECT or type(node) not in (BlobNode, ConfigNode):
            return None
        if not isinstance(decision, Keep | Relabel) or node.compression is Compression.ZSTD:
            return None
        renamed = decision.media_type if isinstance(decision, Relabel) else None
        return node.kind, node.compression, renamed
