"""Building the report of a run, from the plans that were carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import starmap

from oci_convert.conversion.source_plan import SourcePlan
from oci_convert.conversion.transfer import Moved
from oci_convert.documents.document import Role
from oci_convert.findings import Finding
from oci_convert.options import Options
from oci_convert.planning.decisions import Decision
from oci_convert.planning.rendering import Rendered
from oci_convert.report import Change, ConvertedImage, Failure, MapRow, Report, Totals
from oci_convert.spec.media_types import Family, Kind
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import pair, unpinned
from oci_convert.stores.base import Root
from oci_convert.stores.traffic import Traffic
from oci_convert.transform.document_edits import is_attestation
from oci_convert.tree.nodes import BlobNode, ConfigNode, DocumentNode, Image, Node, platform_or_none
from oci_convert.tree.walk import Visit, walk

__all__ = ["build_report"]


def build_report(
    source_plans: Sequence[SourcePlan],
    failures: Sequence[Failure],
    moved: Moved,
    family: Family,
    options: Options,
    *,
    destination: str,
    name_of: Callable[[Root], str | None],
    seconds: float,
    traffic: Sequence[Traffic],
) -> Report:
    """The report of a run. ``name_of`` says what an image is called in the target."""
    done = [one for one in source_plans if one.failure is None]
    told = [found for one in done for found in one.plan.findings]
    warned = dict.fromkeys(text for one in traffic for text in one.warnings)
    told += (Finding.of("registry-warning", "registry", f"it warns: {text}") for text in warned)
    origins = [*(one.origin for one in source_plans), *(failed.source for failed in failures)]
    return Report(
        source=" ".join(dict.fromkeys(origins)),
        destination=destination,
        to=family.value,
        dry_run=options.dry_run,
        images=tuple(image for one in done for image in _images(one, name_of)),
        map=tuple(_rows(done)),
        findings=tuple(dict.fromkeys(told)),
        failures=tuple(failures),
        totals=Totals(
            blobs=len({digest for one in done for digest in _digests(one)}),
            bytes_read=moved.bytes_read,
            bytes_written=moved.bytes_written,
            layer_bytes=moved.layer_bytes,
            seconds=round(seconds, 3),
            requests=sum(one.requests for one in traffic),
            bytes_down=sum(one.bytes_down for one in traffic),
            bytes_up=sum(one.bytes_up for one in traffic),
        ),
        codecs=moved.codecs,
        options={
            "compress": options.compress.value,
            "attestations": options.attestations.value,
            "referrers": options.referrers.value,
            "signatures": options.signatures.value,
            "sparse": options.sparse.value,
            "keep_extensions": options.keep_extensions,
            "repair": options.repair,
            "digest": options.digest,
        },
        originals={node.old.digest: node.stored for one in done for node in _originals(one)},
    )


def _digests(source_plan: SourcePlan) -> Iterator[str]:
    """The digests of the blobs that are in the target."""
    for decision in source_plan.decisions():
        if isinstance(decision.node, BlobNode | ConfigNode | DocumentNode):
            yield source_plan.rendered.descriptor(decision).digest


def _originals(source_plan: SourcePlan) -> Iterator[DocumentNode]:
    """The documents whose bytes no conversion back gives.

    Among them the indexes that were replaced by what they name: flattened, or left without an
    entry.
    """
    plan = source_plan.plan
    there = {id(decision.node) for decision in source_plan.decisions()}
    for planned in plan.images:
        for visit in walk(planned.image.node, roles=frozenset({Role.ENTRY})):
            node = visit.node
            if node.kind is not Kind.INDEX or id(node) in there:
                continue
            if isinstance(node, DocumentNode):
                yield node
    for decision in plan.irreversible:
        if isinstance(decision.node, DocumentNode) and id(decision.node) in there:
            yield decision.node


def _images(
    source_plan: SourcePlan, name_of: Callable[[Root], str | None]
) -> Iterator[ConvertedImage]:
    pairs = zip(source_plan.images(), source_plan.plan.images, strict=True)
    for root, planned in pairs:
        yield ConvertedImage(
            name=name_of(root),
            source=source_plan.origin,
            old=None if planned.image.root.built else planned.image.node.old,
            new=root.descriptor,
            reversible=not source_plan.plan.irreversible_in(planned),
            platform=_stated(planned.decision.node, root.descriptor),
            pinned=_pinned(planned.image, source_plan.asked),
        )


def _pinned(image: Image, asked: str | None) -> str | None:
    """The digest that a name of an image stated, where that is not the one of its manifest."""
    old = None if image.root.built else image.node.old.digest
    digests = (unpinned(name)[1] for name in (*pair(image.root.annotations), asked) if name)
    return next((one for one in digests if one and one != old), None)


def _rows(source_plans: Sequence[SourcePlan]) -> Iterator[MapRow]:
    """One row for each distinct old descriptor, parents first.

    At its first place in the target: what is converted once may be left out elsewhere.
    """
    rows: dict[tuple[str, str, int], tuple[Visit, Decision | None, Rendered]] = {}
    for one in source_plans:
        decisions = {id(decision.node): decision for decision in one.decisions()}
        built = {id(p.image.node) for p in one.plan.images if p.image.root.built}
        roots = [planned.image.node for planned in one.plan.images]
        roots += [planned.referrer.node for planned in one.plan.referrers]
        roots += [left_out.image.node for left_out in one.plan.left_out]
        visits = [visit for root in roots for visit in walk(root)]
        # What an opaque blob names keeps its bytes, whatever becomes of it where it is read.
        for visit in sorted(visits, key=lambda visit: visit.node.role is Role.BLOB):
            old = visit.node.old
            key = (old.media_type, old.digest, old.size)
            if visit.node.role is Role.SUBJECT or id(visit.node) in built:
                continue
            decision = decisions.get(id(visit.node))
            if key not in rows or (rows[key][1] is None and decision is not None):
                rows[key] = (visit, decision, one.rendered)
    return starmap(_row, rows.values())


def _row(visit: Visit, decision: Decision | None, rendered: Rendered) -> MapRow:
    node = visit.node
    new = None if decision is None else rendered.find(decision)
    return MapRow(
        kind=node.kind,
        where=node.where,
        old=node.old,
        new=new,
        change=Change.DROPPED if decision is None else rendered.change(decision, new),
        platform=_stated(node, None if visit.slot is None else visit.entry),
        attestation=_attests(visit),
        foreign=node.is_foreign,
    )


def _attests(visit: Visit | None) -> bool:
    """Whether it is an attestation of an index, or below one."""
    return visit is not None and (is_attestation(visit.entry) or _attests(visit.parent))


def _stated(node: Node, entry: Descriptor | None) -> str | None:
    """The platform of a manifest, if it is known: a config that nobody can read is no error here.

    It was kept as it is, and the images are in the target by now. One that was not read so far,
    as that is a request, is not read for a report.
    """
    if node.kind is not Kind.MANIFEST:
        return None
    below = node.children if isinstance(node, DocumentNode) else ()
    unread = any(isinstance(it, ConfigNode) and it.content.known is None for it in below)
    if unread and (entry is None or entry.platform is None):
        return None
    stated = platform_or_none(node, entry)
    return None if stated is None else str(stated)
