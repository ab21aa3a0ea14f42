"""Planning one source: its images, together or each by itself, and what refers to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from oci_convert.conversion.source_plan import SourcePlan, in_store
from oci_convert.errors import BlobError, OciConvertError, StoreError
from oci_convert.findings import Finding
from oci_convert.options import Keep as Policy
from oci_convert.options import OnLoss, Options
from oci_convert.planning.decide import (
    decide,
    refuse_irreversible,
    refuse_losses,
    with_findings,
)
from oci_convert.planning.decisions import Plan, PlannedImage
from oci_convert.planning.entry_losses import entry_losses
from oci_convert.planning.platform_choice import PlatformChoice
from oci_convert.planning.rendering import render
from oci_convert.planning.signature_rules import kept_signatures
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Root, Sink, Source
from oci_convert.stores.contents import INDEX
from oci_convert.stores.files.system import system_errors
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import is_attestation
from oci_convert.tree.nodes import Tree
from oci_convert.tree.reader import Faults, read_node, read_tree
from oci_convert.tree.referrers import (
    Referrer,
    SortedRoots,
    Subject,
    referrers_of,
    seek_referrers,
    sort_roots,
)

if TYPE_CHECKING:
    from oci_convert.planning.record import Record

__all__ = ["Settings", "SourcePlanner"]

_UNSOUGHT: Final = Wording(
    'try again later; with {referrers="drop"} and {signatures="drop"} nobody looks for it'
)
Orphan = tuple[Root, Subject]
"""A signature of something that is not in the source."""
R = TypeVar("R")


class Settings(NamedTuple):
    """What the plans of all sources of a run have in common."""

    family: Family
    options: Options
    sink: Sink
    platforms: PlatformChoice
    record: Record | None
    fail: Callable[[str, OciConvertError], None]
    """Told the origin of what cannot be converted; raises unless the run keeps going."""


@dataclass(eq=False, repr=False)
class SourcePlanner:
    """Plans what a source gives.

    Images are numbered from ``count``, through all sources, as the report does it; errors have the
    numbers of the store.
    """

    settings: Settings
    origin: str
    source: Source
    count: int
    asked: str | None = None
    """The REF of the source, which chose an image."""
    plans: list[SourcePlan] = field(default_factory=list)
    _tried: int = 0
    """How many images of the source have been planned, or could not be."""
    _numbers: Counter[str] = field(default_factory=Counter)
    """How many referrers and signatures were numbered."""
    _unstated: Sequence[str] | None = None
    """What the target cannot say of what the list of images says of itself, once it was told."""

    def plan(self, roots: Sequence[Root], *, named: bool) -> None:
        """Plan ``roots``: those that were ``named``, or all that there are."""
        rest = [root for root in self.source.roots() if not named or root not in roots]
        found = sort_roots(self.source, rest)
        if named:
            found.images = list(roots)
        for some in self._shares(found.images):
            self._plan_share(some, found, whole_store=not named)
        if named:
            return
        # What refers to nothing that was converted is something of its own; but not a signature.
        alone, found.referrers = _without_signatures(found.referrers)
        for some in self._shares(alone):
            self._plan_share(some, found, whole_store=True)
        orphans = [(root, subject) for root, subject in found.referrers if subject.signed]
        found.referrers = [one for one in found.referrers if one not in orphans]
        for several in self._shares(orphans):
            self._plan_share((), found, whole_store=True, orphans=several)

    def _shares(self, roots: list[R]) -> list[list[R]]:
        """What is planned together: everything, or each image that may fail alone."""
        alone = self.settings.options.keep_going or not roots
        return [[root] for root in roots] if alone else [roots]

    def _plan_share(
        self,
        roots: Sequence[Root],
        found: SortedRoots,
        *,
        whole_store: bool,
        orphans: Sequence[Orphan] = (),
    ) -> None:
        """Plan some images and what refers to them; ``found`` keeps what refers to others."""
        try:
            with system_errors():
                tree = self._read(roots, found)
                plan = self._decided(tree, found, orphans, whole_store=whole_store)
                self.plans.append(self._finished(plan, whole_store=whole_store))
        except OciConvertError as error:
            told = error.within(self.source.label)
            where = in_store(told.where, self.count - self._tried)
            self.settings.fail(self.origin, told.but(where=where))
        else:
            self.count += len(roots)
        self._tried += len(roots)

    def _read(self, roots: Sequence[Root], found: SortedRoots) -> Tree:
        return read_tree(
            self.source,
            roots,
            first=self.count,
            asked=self._asked,
            known=found.known,
            faults=self._faults,
        )

    @property
    def _faults(self) -> Faults:
        return Faults.REPAIR if self.settings.options.repair else Faults.REFUSE

    def _asked(self, entry: Descriptor) -> bool:
        """Whether an entry is to be read: one whose platform nobody wants is not."""
        platforms = self.settings.platforms
        if not platforms or entry.platform is None or is_attestation(entry):
            return True
        return platforms.asks_for(entry.platform)

    def _decided(
        self, tree: Tree, found: SortedRoots, orphans: Sequence[Orphan], *, whole_store: bool
    ) -> Plan:
        tree, sought = self._sought(tree, found)
        read = partial(read_node, self.source, found.known, faults=self._faults)
        signatures = [
            Referrer.read(root, subject, read, self._numbers) for root, subject in orphans
        ]
        roots = [*tree.documents(), *(signature.node for signature in signatures)]
        digests: set[str] = {node.descriptor.digest for node in roots}
        referrers, others = referrers_of(digests, [*found.referrers, *sought], read, self._numbers)
        target = self.settings.sink.capabilities
        plan = decide(
            tree,
            self.settings.family,
            self.settings.options,
            referrers,
            orphans=signatures,
            platforms=self.settings.platforms,
            whole_store=whole_store,
            plain_layers=target.plain_layers,
            holds_referrers=target.referrers,
            has_entries=target.entries,
        )
        found.referrers = others
        return plan

    def _sought(
        self, tree: Tree, found: SortedRoots
    ) -> tuple[Tree, Sequence[tuple[Root, Subject]]]:
        """The tree with what is remarked on its referrers, and those that had to be looked for."""
        if not self._seeks_referrers():
            return tree, ()
        try:
            return seek_referrers(self.source, tree, found)
        except (BlobError, StoreError) as error:
            if error.code == "registry-unauthorized":
                raise
            raise error.but(remedy=_UNSOUGHT) from None

    def _seeks_referrers(self) -> bool:
        """Whether what refers to the images is looked for where that takes requests.

        Without being asked to, only for images that leave their registry: inside of it, nothing is
        lost, and looking would take more requests than converting.
        """
        options, sink = self.settings.options, self.settings.sink
        policies = {options.referrers, options.signatures}
        if policies & {Policy.KEEP, Policy.FAIL}:
            return True
        return Policy.AUTO in policies and not sink.is_near(self.source)

    def _passes_over_referrers(self) -> bool:
        """Whether nobody knows what is left behind, as it was neither sought nor is unwanted."""
        options, sink = self.settings.options, self.settings.sink
        wanted = Policy.AUTO in (options.referrers, options.signatures)
        return wanted and not self._seeks_referrers() and not sink.shares(self.source)

    def _finished(self, plan: Plan, *, whole_store: bool) -> SourcePlan:
        """The plan with what is restored, and with the files of signatures that go along."""
        settings = self.settings
        if settings.record is not None:
            from oci_convert.conversion.restore import restore_originals

            plan = restore_originals(plan, settings.record, settings.sink)
        if settings.options.require_reversible:
            refuse_irreversible(plan)
        signatures, findings = kept_signatures(
            plan,
            render(plan),
            self.source.signatures(),
            holds_signatures=settings.sink.capabilities.signatures,
        )
        plan = with_findings(plan, [*findings, *self._not_listed(plan, whole_store=whole_store)])
        if self.source.remote and self._passes_over_referrers():
            plan = with_findings(plan, map(_not_sought, plan.images))
        if settings.options.on_loss is OnLoss.FAIL:
            refuse_losses(plan)
        ahead = self.count - self._tried
        return SourcePlan(self.origin, self.source, plan, signatures, ahead, asked=self.asked)

    def _not_listed(self, plan: Plan, *, whole_store: bool) -> list[Finding]:
        """What the list of images says of them, or of itself, and the target does not say."""
        sink = self.settings.sink
        has_entries = sink.capabilities.entries
        lost = entry_losses(plan, render(plan), self.settings.family, has_entries=has_entries)
        if not whole_store or not self.source.statements:
            return lost
        if self._unstated is None:
            self._unstated = sink.state(self.source.statements)
        if self._unstated:
            message = f"it says of itself what the target does not: {', '.join(self._unstated)}"
            lost.append(Finding.of("list-not-carried", INDEX, message))
        return lost


def _not_sought(planned: PlannedImage) -> Finding:
    message = "what refers to the image in the registry was not looked for"
    return Finding.of("referrers-not-sought", planned.image.node.where, message)


def _without_signatures(found: Sequence[Orphan]) -> tuple[list[Root], list[Orphan]]:
    """What is something of its own; and signatures with what refers to them, also in a chain."""
    signed = {root.descriptor.digest for root, subject in found if subject.signed}
    count = 0
    while count != len(signed):
        count = len(signed)
        signed |= {root.descriptor.digest for root, subject in found if subject.digest in signed}
    alone = [root for root, _ in found if root.descriptor.digest not in signed]
    return alone, [(root, subject) for root, subject in found if root.descriptor.digest in signed]
