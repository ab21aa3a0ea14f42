"""Any document translated, there and back: what is called reversible comes back as itself.

The input is a document, then ``0xff``, then the choices of how to translate it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from base import DICE, Draws, ours, split
from oci_convert.documents.document import Document, Role, read_document
from oci_convert.errors import OciConvertError
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor
from oci_convert.transform.document_edits import home_of
from oci_convert.transform.translate import translate
from stores import documents

_TO: Final = (Family.OCI, Family.DOCKER, Family.OCI_RC2)
_COMPRESS: Final = ("auto", "keep", "gzip")


def run(data: bytes) -> None:
    """Translate; compare the way back with what the findings say of it."""
    raw, draws = split(data)
    to = draws.one_of(_TO)
    options: dict[str, Any] = {
        "compress": draws.one_of(_COMPRESS),
        "keep_extensions": draws.rarely(),
    }
    with ours():
        document = read_document(raw, None)
        new = _children(document, draws)
        made = translate(raw, to, digest_map=new, **options)
        json.loads(made.raw)
        assert read_document(made.raw, made.media_type).media_type == made.media_type
        old = {new[it.digest].digest: it for it in _named(document) if it.digest in new}
        try:
            back = translate(made.raw, home_of(document, to), digest_map=old, **options).raw
        except OciConvertError:
            back = None
        assert made.reversible == (back == raw)


def _named(document: Document) -> list[Descriptor]:
    return [s.descriptor for s in document.slots if s.role in (Role.ENTRY, Role.SUBJECT)]


def _children(document: Document, draws: Draws) -> dict[str, Descriptor]:
    """What became of the children: each is another one, unless that is not known."""
    return {
        child.digest: Descriptor(
            media_type="application/x-any",
            digest=f"sha256:{hashlib.sha256(child.digest.encode()).hexdigest()}",
            size=draws.number(2**16),
        )
        for child in _named(document)
        if not draws.rarely()
    }


def seeds() -> Iterator[bytes]:
    """Documents, to each family."""
    for document in documents():
        for choices in (b"", b"\1", b"\2", b"\1\1", b"\0\2", b"\1\1\7"):
            yield document + DICE + choices
