"""Giving back originals: documents that no way back can make, from the record of an earlier run.

A record is not trusted. An original takes the place of a document only if it has its digest, if
converting it again gives the very document that it replaces, and if every blob it names is there.
"""

from __future__ import annotations

from typing import Final

from oci_convert.documents.document import Document, Role, read_document
from oci_convert.errors import DocumentError, OciConvertError, RefusedError
from oci_convert.planning.decisions import Plan, Step, documents_below
from oci_convert.planning.record import Record
from oci_convert.planning.reversibility import converted_again
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import SCHEMA1, SCHEMA1_SIGNED, Family, families
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Sink
from oci_convert.transform.translate import home_of

__all__ = ["restore_originals"]

_SCHEMA1: Final = (SCHEMA1, SCHEMA1_SIGNED)
_REMEDY: Final = "give a file that was written with --record"
_OTHER_RECORD: Final = "give the record of the very conversion that made the image"


def restore_originals(plan: Plan, record: Record, sink: Sink) -> None:
    """Put the originals of ``record`` in the place of what the way back would give.

    Raises :class:`RefusedError`: ``restore-missing-blob``, ``restore-mismatch`` or
    ``restore-schema-1``.
    """
    for _, top in plan.tops:
        for step in documents_below(top):
            if step.node.document is None:
                continue
            old = record.olds.get(step.node.descriptor.digest)
            if any(below.new is None for below in step.below):
                if old is not None:
                    raise _needs_layer(step)
                continue
            plan.resolve(step)
            if old is not None:
                if step is top and not _is_of(old, plan.options.to):
                    why = f"its original is {old.media_type}, and --to is {plan.options.to}"
                    raise _mismatch(step.node.where, why, "convert to the format of the original")
                _restore(step, old, record, plan, sink)


def _is_of(descriptor: Descriptor, family: Family) -> bool:
    return family in families(descriptor.media_type) or descriptor.media_type in _SCHEMA1


def _needs_layer(step: Step) -> RefusedError:
    layer = next(below for below in step.below if below.new is None)
    return RefusedError(
        f"the original cannot be restored: the layer {layer.node.descriptor.digest} was "
        "recompressed",
        code="restore-missing-blob",
        where=step.node.where,
        remedy="a record gives back documents, never recompressed layers; leave out --restore",
    )


def _restore(step: Step, old: Descriptor, record: Record, plan: Plan, sink: Sink) -> None:
    where = step.node.where
    if old.media_type in _SCHEMA1:
        raise _never_written(where)
    raw = record.originals[old.digest]
    if Digest.of(raw, old.name.algorithm) != old.digest:
        raise _mismatch(where, f"its original does not have the digest {old.digest}")
    try:
        original = read_document(raw, old.media_type, where)
    except DocumentError as error:
        raise _mismatch(where, error.message) from None
    _refuse_missing(original, step, where, sink)
    document = step.node.document
    assert document is not None
    home = home_of(document, plan.options.to)
    planned = record.planned(home)
    try:
        again = converted_again(original, step, planned)
    except OciConvertError as error:
        raise _mismatch(where, error.message) from None
    if again != document.raw:
        raise _mismatch(where, "converting its original again does not give this document")
    for entry in step.entries:
        entry.spliced = False  # the original names its nested indexes
    step.raw = raw
    step.media_type = original.media_type
    step.new = step.node.descriptor.model_copy(
        update={"media_type": original.media_type, "digest": old.name, "size": len(raw)}
    )
    step.reversible = True


def _never_written(where: str) -> RefusedError:
    return RefusedError(
        "the original is a manifest of schema 1, which is never written",
        code="restore-schema-1",
        where=where,
        remedy="convert without --restore; the record itself holds the bytes of the original",
    )


def _refuse_missing(original: Document, step: Step, where: str, sink: Sink) -> None:
    """What an original names must be carried along, or be in the target already."""
    made = {below.new.digest for below in step.below if below.new is not None}
    for slot in original.slots:
        descriptor = slot.descriptor
        if slot.role is Role.SUBJECT or descriptor.digest in made:
            continue
        if not sink.has(descriptor, document=slot.role is Role.ENTRY):
            raise RefusedError(
                f"the original names the blob {descriptor.digest}, which is not there",
                code="restore-missing-blob",
                where=f"{where}.{slot.label}",
                remedy="a record gives back documents, not recompressed layers or lost entries",
            )


def _mismatch(where: str, why: str, remedy: str = _OTHER_RECORD) -> RefusedError:
    return RefusedError(
        f"the record does not belong to this image: {why}",
        code="restore-mismatch",
        where=where,
        remedy=remedy,
    )
