"""Translating one document without its image, by its media types: bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oci_convert.documents.document import Document, Role, Slot, read_document
from oci_convert.documents.identity import misspelled
from oci_convert.enums import chosen
from oci_convert.errors import RefusedError
from oci_convert.findings import Finding
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import (
    SPELLINGS,
    Family,
    Kind,
    counterpart,
    document_type,
    look_up,
    meant,
)
from oci_convert.spec.models import Descriptor
from oci_convert.text.brief import Brief
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import (
    Child,
    Edit,
    changes_family,
    config_type,
    edit,
    embedded,
    fits,
    home_of,
    is_attestation,
    is_image,
    not_an_image,
)
from oci_convert.transform.layer_rules import Compress, Layer, check_compress, plan_layer

__all__ = ["Translation", "translate"]


@dataclass(frozen=True, slots=True, repr=False)
class Translation(Brief):
    """A document translated on its own."""

    raw: bytes
    """The bytes of the translated document; the same bytes if nothing had to change."""
    media_type: str
    findings: tuple[Finding, ...]
    """What was lost, and whether translating back gives the same bytes."""

    @property
    def digest(self) -> Digest:
        """The digest of the translated document."""
        return Digest.of(self.raw)

    @property
    def reversible(self) -> bool:
        """Whether translating back gives the bytes that were given."""
        return not any(finding.code.startswith("not-reversible") for finding in self.findings)


def translate(
    raw: bytes,
    to: Family | str,
    *,
    media_type: str | None = None,
    digest_map: Mapping[str, Descriptor] | None = None,
    compress: Compress | str = Compress.AUTO,
    keep_extensions: bool = False,
    where: str = "",
) -> Translation:
    """Translate one manifest or index, trusting its media types.

    ``digest_map`` maps the digests of an index's children, before, to their descriptors, after: the
    :attr:`~oci_convert.Report.digest_map` of a report. ``media_type`` is what the document's
    descriptor says, if it has one. Raises :class:`DocumentError` for documents that cannot be
    trusted, and :class:`RefusedError` where a layer would have to be recompressed
    (``needs-repacking``), a child's new digest is not known (``unknown-child``), or the document is
    no image and the target Docker (``not-an-image``).
    """
    family = chosen(Family, to, "to")
    compress = chosen(Compress, compress, "compress")
    check_compress(compress, family)
    document = read_document(raw, media_type, where)
    alone = _Alone(digest_map or {}, compress, where, keep_extensions=keep_extensions)
    edited = alone.edit(document, family)
    findings = list(edited.findings)
    if document.fault is not None:
        code, message = document.fault
        findings.insert(0, Finding.of(code, where, message))
    if edited.raw != raw and alone.back(document, edited, home_of(document, family)) != raw:
        message = "converting back gives other bytes"
        findings.append(Finding.of("not-reversible", where, message))
    return Translation(edited.raw, edited.media_type, tuple(findings))


class _Alone:
    """The children of a document, which were not read: what their descriptors say."""

    def __init__(
        self,
        digest_map: Mapping[str, Descriptor],
        compress: Compress,
        where: str,
        *,
        keep_extensions: bool,
    ):
        self._map = digest_map
        self._compress = compress
        self._where = where
        self._keep_extensions = keep_extensions

    def edit(self, document: Document, family: Family) -> Edit:
        """Translate ``document``, deciding for each child by its descriptor only."""
        if changes_family(document, family) and not fits(document, family):
            raise not_an_image(document, self._where)
        findings: list[Finding] = []
        children = [self._child(document, slot, family, findings) for slot in document.slots]
        edited = edit(
            document, family, children, where=self._where, keep_extensions=self._keep_extensions
        )
        return Edit(edited.raw, edited.media_type, (*findings, *edited.findings))

    def back(self, document: Document, edited: Edit, home: Family) -> bytes | None:
        """The bytes that translating back gives, or ``None`` if it is refused."""
        inverse = {
            str(self._map[slot.descriptor.digest].digest): slot.descriptor
            for slot in document.slots
            if slot.descriptor.digest in self._map
        }
        way_back = _Alone(
            inverse, self._compress, self._where, keep_extensions=self._keep_extensions
        )
        try:
            return way_back.edit(read_document(edited.raw, edited.media_type), home).raw
        except RefusedError:
            return None

    def _child(
        self, document: Document, slot: Slot, family: Family, findings: list[Finding]
    ) -> Child:
        old = slot.descriptor
        where = f"{self._where}.{slot.label}".lstrip(".")
        embedded(old, where)
        fault = None if slot.role is Role.SUBJECT else misspelled(old.media_type)
        if fault is not None:
            code, message = fault
            findings.append(Finding.of(code, where, message))
        if slot.role is Role.CONFIG:
            return Child(old.renamed(config_type(document, old.media_type, family)))
        if slot.role is Role.LAYER:
            return Child(old.renamed(self._layer_type(document, old.media_type, family, where)))
        if slot.role is Role.SUBJECT:
            return self._subject(document, old, family, where, findings)
        return self._entry(document, old, family, where, findings)

    def _subject(
        self,
        document: Document,
        old: Descriptor,
        family: Family,
        where: str,
        findings: list[Finding],
    ) -> Child:
        new = self._map.get(old.digest)
        if new is None and changes_family(document, family) and family is not Family.DOCKER:
            message = f"the new digest of the subject {old.digest} is not known"
            findings.append(Finding.of("subject-not-carried", where, message))
        return Child(new or old)

    def _layer_type(self, document: Document, media_type: str, family: Family, where: str) -> str:
        meaning = look_up(media_type)
        label = meaning.cell.compression if meaning is not None else None
        at_home = not changes_family(document, family)
        layer = Layer(media_type, label, where, at_home=at_home, of_image=is_image(document))
        plan = plan_layer(layer, family, self._compress)
        if plan.recompress is not None:
            raise RefusedError(
                f"the layer would have to be recompressed as {plan.recompress}",
                code="needs-repacking",
                where=where,
                remedy=Wording(
                    'convert the image, not only the document, or use {compress="keep"}'
                ),
            )
        return plan.media_type

    def _entry(
        self,
        document: Document,
        old: Descriptor,
        family: Family,
        where: str,
        findings: list[Finding],
    ) -> Child:
        to_docker = family is Family.DOCKER and changes_family(document, family)
        if to_docker and is_attestation(old):
            message = f"attestation {old.digest} dropped"
            findings.append(Finding.of("attestation-dropped", where, message))
            return Child(None)
        new = self._map.get(old.digest)
        # Of a blob that no media type vouches for, the report of its conversion knows what it is.
        listed = document_type(old.media_type)
        if listed is None and new is not None:
            listed = document_type(new.media_type)
        if listed is None:
            return self._unlisted(old, new, where, findings, to_docker=to_docker)
        if to_docker and SPELLINGS[listed].cell.kind is Kind.INDEX:
            raise RefusedError(
                "a Docker manifest list cannot contain another list",
                code="nested-index",
                where=where,
                remedy="convert the image, not only the document: that flattens it",
            )
        if to_docker and old.platform is None:
            findings.append(Finding.of("platform-unknown", where, "the entry states no platform"))
        media_type = counterpart(listed, family) or listed
        if new is None and media_type != old.media_type:
            raise RefusedError(
                f"the new digest of {old.digest} is not known",
                code="unknown-child",
                where=where,
                remedy=Wording("give the report of its conversion: {digest_map}"),
            )
        return Child((new or old).renamed(media_type))

    def _unlisted(
        self,
        old: Descriptor,
        new: Descriptor | None,
        where: str,
        findings: list[Finding],
        *,
        to_docker: bool,
    ) -> Child:
        """An entry whose media type is no document's."""
        if to_docker:
            what = old.media_type or "a blob without a media type"
            message = f"a Docker manifest list cannot contain {what}"
            findings.append(Finding.of("entry-dropped", where, message))
            return Child(None)
        if new is None and meant(old.media_type) is None:
            message = f"no table knows {old.media_type!r}; {old.digest} was left as it is"
            findings.append(Finding.of("opaque-blob", where, message))
        return Child(new or old)
