"""What a signature was made for: the digest in its payload, where nothing else says it.

Cosign's payloads are simple signing documents (containers/image ``atomic-signature``), and DSSE
envelopes around in-toto statements for attestations.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from oci_convert.documents.document import Document, Role, read_object
from oci_convert.errors import OciConvertError
from oci_convert.limits import limits
from oci_convert.spec.digest import Digest
from oci_convert.spec.flawed import Flawed
from oci_convert.stores.base import Source

__all__ = ["Signed", "is_signed", "may_be_signed", "signed_digest", "subject_of"]

_SIGNATURE: Final = (
    r"application/vnd\.dev\.(?:sigstore|cosign)\..+"
    r"|application/vnd\.cncf\.notary\..+"
    r"|application/vnd\.dsse\.envelope.*"
)
"""Types of signed statements: they speak of the digest that they were made for."""
_MARKS: Final = (b"vnd.dev.sigstore", b"vnd.dev.cosign", b"vnd.cncf.notary", b"vnd.dsse.envelope")
_SIMPLE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"


class Signed(NamedTuple):
    """That a document is a signature, or carries a signed statement."""

    digest: str | None
    """What it was made for; ``None`` if it does not say."""


def may_be_signed(raw: bytes) -> bool:
    """Whether the bytes of a document may name a type of signed statements."""
    return any(mark in raw for mark in _MARKS) or b"\\u" in raw


def is_signed(document: Document) -> bool:
    """Whether a document is a signature, or carries a signed statement."""
    if not may_be_signed(document.raw):  # asked of every document
        return False
    return any(re.fullmatch(_SIGNATURE, media_type) for media_type in _types(document))


def _types(document: Document) -> Iterator[str]:
    """Every type by which a document says what it is about."""
    yield document.model.artifact_type or ""
    for slot in document.slots:
        if slot.role in (Role.CONFIG, Role.LAYER):
            yield slot.descriptor.media_type


def subject_of(document: Document) -> Digest | None:
    """The digest that a document states as its subject."""
    named = (slot.descriptor for slot in document.slots if slot.role is Role.SUBJECT)
    return next((it.name for it in named if not isinstance(it, Flawed)), None)


def signed_digest(source: Source, document: Document, *, strict: bool = False) -> Digest | None:
    """The digest that a signature in the form of an image speaks of, by its payload.

    ``None`` if none of its layers says it, or can be trusted; ``strict`` raises for one that cannot
    be read.
    """
    for slot in document.slots:
        described = slot.descriptor
        if slot.role is not Role.LAYER or not re.fullmatch(_SIGNATURE, described.media_type):
            continue
        read = _simple if described.media_type == _SIMPLE else _enveloped
        if described.size <= limits().document_size:
            try:
                raw = b"".join(source.read(described, source.label))
            except (OciConvertError, OSError):
                if strict:
                    raise
                continue
            with suppress(OciConvertError, LookupError, TypeError, ValueError):
                return Digest(read(raw))
    return None


def _members(value: Any, *names: str) -> Any:
    for name in names:
        value = value[name]
    return value


def _simple(raw: bytes) -> str:
    _, root = read_object(raw, "")
    return str(_members(root.value, "critical", "image", "docker-manifest-digest"))


def _enveloped(raw: bytes) -> str:
    """The first subject of the in-toto statement in a DSSE envelope."""
    _, envelope = read_object(raw, "")
    try:
        statement = json.loads(base64.b64decode(_members(envelope.value, "payload")))
    except (binascii.Error, RecursionError) as error:
        raise ValueError from error
    digests: Mapping[str, str] = _members(statement, "subject")[0]["digest"]
    algorithm = next(name for name in ("sha256", "sha512") if name in digests)
    return f"{algorithm}:{digests[algorithm]}"
