"""Records: the reports of earlier runs, with the bytes of what no way back gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from oci_convert.documents.document import read_object
from oci_convert.errors import DocumentError, remedied
from oci_convert.options import Keep, Options
from oci_convert.report import REPORT_LIMIT, Report
from oci_convert.spec.models import Descriptor
from oci_convert.text.wording import Wording
from oci_convert.transform.layer_rules import Compress

__all__ = ["Record", "read_record"]

_REMEDY: Final = Wording("give a file written by {Report.dumps(originals=True)}")
_WHERE: Final = Wording("{restore}")


@dataclass(frozen=True)
class Record:
    """What a record holds that is needed to give originals back."""

    originals: Mapping[str, bytes]
    olds: Mapping[str, Descriptor]
    """From the digest of a converted document to the descriptor of its original."""
    options: Mapping[str, object]

    @classmethod
    def read(cls, raw: bytes) -> Record:
        """Read a record; raises as :func:`read_record`."""
        report = read_record(raw, _WHERE)
        olds = {
            row.new.digest: row.old
            for row in report.map
            if row.new is not None and row.old.digest in report.originals
        }
        return cls(report.originals, olds, report.options)

    def planned(self) -> Options:
        """The options under which the documents were converted."""
        try:
            return Options(
                compress=Compress(str(self.options.get("compress", Compress.AUTO.value))),
                attestations=Keep(str(self.options.get("attestations", Keep.AUTO.value))),
                keep_extensions=self.options.get("keep_extensions") is True,
                repair=self.options.get("repair") is True,
                sparse=Keep(str(self.options.get("sparse", Keep.AUTO.value))),
            )
        except ValueError:
            raise _not_a_record("its options are unknown", _WHERE) from None


def read_record(raw: bytes, where: str) -> Report:
    """The report that a record is; raises :class:`DocumentError`.

    With the code ``not-a-record``, or one of those of JSON.
    """
    with remedied(_REMEDY, where):
        _, root = read_object(raw, where, size_limit=REPORT_LIMIT)
        if "originals" not in root.members:
            raise _not_a_record("it has no originals", where)
        try:
            return Report.from_json(root.value)
        except DocumentError as error:
            raise _not_a_record(error.message, where) from None


def _not_a_record(why: str, where: str) -> DocumentError:
    return DocumentError(
        f"this is not a record of oci-convert: {why}",
        code="not-a-record",
        where=where,
        remedy=_REMEDY,
    )
