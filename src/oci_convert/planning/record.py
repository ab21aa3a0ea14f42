"""Records: the reports of earlier runs, with the bytes of what no way back gives."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from oci_convert.documents.document import read_object
from oci_convert.errors import DocumentError, remedied
from oci_convert.options import Keep, Options
from oci_convert.report import REPORT_LIMIT
from oci_convert.spec.models import Descriptor, validate
from oci_convert.transform.layer_rules import Compress

__all__ = ["Record"]

_REMEDY: Final = "give a file written by convert --record"


@dataclass(frozen=True)
class Record:
    """What a record holds that is needed to give originals back."""

    originals: Mapping[str, bytes]
    olds: Mapping[str, Descriptor]
    """From the digest of a converted document to the descriptor of its original."""
    options: Mapping[str, object]

    @classmethod
    def read(cls, raw: bytes) -> Record:
        """Read a record; raises :class:`DocumentError` (``not-a-record`` and those of JSON)."""
        with remedied(_REMEDY, "--restore"):
            return cls._read(raw)

    @classmethod
    def _read(cls, raw: bytes) -> Record:
        _, root = read_object(raw, "--restore", size_limit=REPORT_LIMIT)
        encoded, rows = root.value.get("originals"), root.value.get("map")
        if not isinstance(encoded, dict) or not isinstance(rows, list):
            raise _not_a_record("it has no originals")
        try:
            originals = {
                digest: base64.b64decode(text, validate=True) for digest, text in encoded.items()
            }
        except (TypeError, ValueError, binascii.Error):
            raise _not_a_record("an original is not base64") from None
        olds = {}
        for row in rows:
            if not isinstance(row, dict):
                raise _not_a_record("an entry of its map is not an object")
            if row.get("new") is not None:
                old = validate(Descriptor, row.get("old"), "map")
                new = validate(Descriptor, row["new"], "map")
                if old.digest in originals:
                    olds[new.digest] = old
        options = root.value.get("options")
        return cls(originals, olds, options if isinstance(options, dict) else {})

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
            raise _not_a_record("its options are unknown") from None


def _not_a_record(why: str) -> DocumentError:
    return DocumentError(
        f"this is not a record of oci-convert: {why}",
        code="not-a-record",
        where="--restore",
        remedy=_REMEDY,
    )
