"""What somebody signed, as it was given: a digest, a document, or the record of a conversion.

Documents are found by their digests alone. Where one comes from does not matter: it has the digest
that was signed, or it is not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from oci_convert.documents.document import Document, read_document, read_object, type_of
from oci_convert.errors import BlobError, DocumentError, UsageError, remedied
from oci_convert.planning.record import read_record
from oci_convert.report import REPORT_LIMIT, Report
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import SCHEMA1, SCHEMA1_SIGNED
from oci_convert.text.wording import Wording
from oci_convert.transform.schema1 import Schema1, read_schema1

__all__ = ["ORIGINAL", "Documents", "Original", "read_original"]

ORIGINAL: Final = Wording("{original}")
"""The location of errors in what was given."""


@dataclass(frozen=True)
class Original:
    """What was given to prove against."""

    digest: Digest | None
    """``None``: a record, which says it for each image."""
    documents: tuple[bytes, ...] = ()
    olds: Mapping[str, str] = field(default_factory=dict)
    """Of a record: from the digest of what was converted to that of its original."""
    claimed: Mapping[str, bytes] = field(default_factory=dict)
    """Of a record: what it says are the bytes under a digest."""

    def schema1(self, digest: str) -> Schema1 | None:
        """The manifest of schema 1 that has ``digest``, if that is what was given."""
        for raw in self.documents:
            if _is_schema1(raw):
                found = read_schema1(raw, ORIGINAL)
                if Digest.of(found.payload, Digest(digest).algorithm) == digest:
                    return found
        return None


def read_original(original: str | bytes) -> Original:
    """Read a digest (text), or the content of a file: a document or a record.

    Raises :class:`UsageError` for a text that is no digest and :class:`DocumentError` for a file
    that is neither.
    """
    if isinstance(original, str):
        try:
            return Original(Digest(original))
        except DocumentError as error:
            raise UsageError(
                error.message, code=error.code, where=ORIGINAL, remedy=error.remedy
            ) from None
    with remedied("give the digest or the document that was signed, or a record"):
        _, root = read_object(original, ORIGINAL, size_limit=REPORT_LIMIT)
        if "map" in root.members:
            return _read_record(original, has_originals="originals" in root.members)
        if _is_schema1(original):
            return Original(Digest.of(read_schema1(original, ORIGINAL).payload), (original,))
        read_document(original, None, ORIGINAL)
        return Original(Digest.of(original), (original,))


def _read_record(raw: bytes, *, has_originals: bool) -> Original:
    report = read_record(raw, ORIGINAL) if has_originals else Report.loads(raw, ORIGINAL)
    olds: dict[str, str] = {}
    for old, new in report.digest_map.items():
        olds.setdefault(new.digest, old)
    true = (raw for digest, raw in report.originals.items() if _has(raw, digest))
    return Original(None, tuple(true), olds, report.originals)


def _has(raw: bytes, digest: str) -> bool:
    try:
        return Digest.of(raw, Digest(digest).algorithm) == digest
    except (BlobError, DocumentError):  # no digest, or of an unsupported algorithm
        return False


def _is_schema1(raw: bytes) -> bool:
    return type_of(raw, ORIGINAL) in (SCHEMA1, SCHEMA1_SIGNED)


class Documents:
    """Documents by their digests."""

    def __init__(self, raws: Iterable[bytes] = ()) -> None:
        self._found: list[tuple[bytes, bytes]] = [(raw, raw) for raw in dict.fromkeys(raws)]
        self._tables: dict[str, dict[str, bytes]] = {}

    def put(self, signed: bytes, upgraded: bytes) -> None:
        """Let the digest of a payload of schema 1 lead to the manifest that it becomes."""
        self._found.append((signed, upgraded))
        self._tables.clear()

    def find(self, digest: str, where: str) -> Document | None:
        """The document that has ``digest``, if it is known and of a kind that is read here."""
        raw = self._table(Digest(digest).algorithm).get(digest)
        if raw is None or _is_schema1(raw):
            return None
        return read_document(raw, None, where)

    def _table(self, algorithm: str) -> dict[str, bytes]:
        if algorithm not in self._tables:
            try:
                table = {str(Digest.of(key, algorithm)): raw for key, raw in self._found}
            except BlobError:  # an unsupported algorithm
                table = {}
            self._tables[algorithm] = table
        return self._tables[algorithm]
