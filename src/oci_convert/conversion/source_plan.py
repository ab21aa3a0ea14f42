"""What one source has to do with a conversion: its plan, and what its images are called."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from oci_convert.errors import OciConvertError
from oci_convert.planning.decide import with_findings
from oci_convert.planning.decisions import Decision, Outcome, Plan, PlannedImage
from oci_convert.planning.referrer_rules import annotations_of
from oci_convert.planning.rendering import Rendered, render
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import NAMES, is_ref_name, pair, referrer_kind, renamed, repository_tag
from oci_convert.stores.base import Root, Source, name_remark
from oci_convert.stores.layout_index_text import said_by
from oci_convert.tree.referrers import cosign_tag

__all__ = ["SourcePlan", "in_store", "said_beside_names", "said_in_row"]


def in_store(where: str, ahead: int) -> str:
    """A place, with the number that its image has in its store: a run has ``ahead`` more."""
    return re.sub(r"^images\[(\d+)\]", lambda found: f"images[{int(found[1]) - ahead}]", where)


@dataclass(eq=False, repr=False)
class SourcePlan:
    """The share of one source in a run, or of one of its images where each stands for itself."""

    origin: str
    """The reference that it was opened by."""
    source: Source
    plan: Plan
    signatures: Mapping[str, bytes]
    """The ``signature-N`` files that go with its images."""
    ahead: int = 0
    """How many images the run numbers before those of this source, and the store does not."""
    roots: Sequence[Root] = ()
    """What its images are called in the target; parallel to ``plan.images``."""
    failure: OciConvertError | None = None
    rendered: Rendered = field(init=False)
    asked: str | None = None
    """The REF by which its one image was chosen."""
    ref: str | None = None
    """What its one image was asked to be called."""
    _ordered: tuple[Plan, list[Decision]] | None = None

    def __post_init__(self) -> None:
        self.settle({})
        self.roots = [planned.image.root for planned in self.plan.images]

    def place(self, where: str) -> str:
        """The store, and in it what the run calls ``where``."""
        return f"{self.source.label}: {in_store(where, self.ahead)}"

    def settle(self, made: Mapping[Outcome, Descriptor]) -> None:
        """Render the documents, now that what is ``made`` of blobs has its digests."""
        self.rendered = render(self.plan, made)

    def decisions(self) -> list[Decision]:
        """Those of its plan, children before parents: put in order once."""
        if self._ordered is None or self._ordered[0] is not self.plan:
            self._ordered = (self.plan, self.plan.decisions())
        return self._ordered[1]

    def without_known(self, known: set[object], said: Callable[[Root], object]) -> None:
        """Keep the first of all images of which the same is ``said``.

        ``known`` is what is said of those that are kept, in this source and those before it.
        """
        kept: list[tuple[Root, PlannedImage]] = []
        for root, planned in zip(self.roots, self.plan.images, strict=True):
            if (it := said(root)) not in known:
                known.add(it)
                kept.append((root, planned))
        self.roots = [root for root, _ in kept]
        images = tuple(planned for _, planned in kept)
        self.plan = replace(self.plan, images=images, referrers=self.plan.referrers if kept else ())

    def rename(self, ref: str) -> None:
        """Let its one image be called ``ref`` in the target, and what has its name."""
        self.ref = ref
        self.forget_names()
        self.roots = [
            replace(root, annotations=renamed(root.annotations, ref)) for root in self.roots
        ]
        if not is_ref_name(ref):
            where = self.plan.images[0].image.node.where
            self.plan = with_findings(self.plan, [replace(name_remark(ref), where=where)])

    def forget_names(self) -> None:
        """Tell nothing of the names in the source, which are not carried."""
        findings = self.plan.findings
        told = tuple(found for found in findings if found.code != "name-outside-grammar")
        self.plan = replace(self.plan, findings=told)

    def images(self) -> list[Root]:
        """Its images as they stand in the target."""
        pairs = zip(self.roots, self.plan.images, strict=True)
        return [replace(root, descriptor=self._entry(root, p.decision)) for root, p in pairs]

    def referrers(self) -> list[Root]:
        """What refers to its images and goes with them, as it stands in the target."""
        if not self.plan.referrers:
            return []
        made = {
            below.node.descriptor.digest: self.rendered.descriptor(below)
            for below in self.decisions()
        }
        return [
            Root(
                self._entry(planned.referrer.root, planned.decision),
                self._named(annotations_of(planned.referrer, made)),
                name=cosign_tag(planned.referrer),
                referrer=True,
            )
            for planned in self.plan.referrers
        ]

    def _named(self, annotations: Mapping[str, str]) -> Mapping[str, str]:
        """The annotations of a referrer, which may have the name of its image."""
        if self.ref is None or referrer_kind(annotations) is None or not any(pair(annotations)):
            return annotations
        return renamed(annotations, self.ref)

    def _entry(self, root: Root, decision: Decision) -> Descriptor:
        """The descriptor of what became of a root, as it stands in an ``index.json``."""
        old, new = root.descriptor, self.rendered.descriptor(decision)
        entry = old.but(media_type=new.media_type, digest=new.digest, size=new.size)
        if new.digest == old.digest:
            return entry
        raw = self.rendered.raw(decision) if old.data else None
        data = None if raw is None else base64.b64encode(raw).decode("ascii")
        return entry.but(urls=None, data=data)  # what both were is no longer true


def said_in_row(root: Root) -> object:
    """What is said of an image that stands in a row: there a name has one spelling."""
    return repository_tag(root.annotations) or pair(root.annotations), said_beside_names(root)


def said_beside_names(root: Root) -> str:
    """What an entry says of its image, whatever this is called."""
    others = {key: text for key, text in root.annotations.items() if key not in NAMES}
    return said_by(replace(root, annotations=others).entry)
