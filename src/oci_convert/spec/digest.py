"""Digests: validated ``algorithm:encoded`` strings.

Implements the section *Digests* of the OCI image specification's ``descriptor.md``.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from oci_convert.errors import BlobError, DocumentError

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["CANONICAL", "Digest", "check_algorithm", "new_hash"]

CANONICAL: Final = "sha256"
"""The algorithm of every document that has no predecessor."""

_GRAMMAR = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_REGISTERED: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
_HEX = re.compile(r"[0-9a-f]+")
_LONGEST: Final = 255
_USUAL = re.compile(r"sha256:[0-9a-f]{64}")
"""What nearly all of them look like."""


class Digest(str):
    """A digest whose grammar was checked; it equals and hashes as the plain string.

    ``Digest(text)`` raises :class:`DocumentError` (``invalid-digest``) unless the text follows the
    grammar and, for the registered algorithms, has the right number of lower-case hex digits. It is
    therefore safe as a file name: it holds neither a slash nor a leading dot.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Digest:
        if isinstance(text, Digest):
            return text
        if _USUAL.fullmatch(text) is not None:
            return str.__new__(cls, text)
        algorithm, _, encoded = text.partition(":")
        length = _REGISTERED.get(algorithm)
        if length is None:
            valid = len(text) <= _LONGEST and _GRAMMAR.fullmatch(text) is not None
        else:
            valid = len(encoded) == length and _HEX.fullmatch(encoded) is not None
        if not valid:
            shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
            raise DocumentError(
                f"{shown!r} is not a digest",
                code="invalid-digest",
                remedy="a digest is an algorithm and its hex digits, as in sha256:9f86d0…",
            )
        return super().__new__(cls, text)

    @property
    def algorithm(self) -> str:
        """The part before the colon."""
        return self.partition(":")[0]

    @property
    def encoded(self) -> str:
        """The part after the colon."""
        return self.partition(":")[2]

    @classmethod
    def of(cls, data: bytes, algorithm: str = CANONICAL) -> Digest:
        """The digest of bytes in memory."""
        hasher = new_hash(algorithm)
        hasher.update(data)
        return cls(f"{algorithm}:{hasher.hexdigest()}")

    def short(self) -> str:
        """``sha256:`` and the first twelve hex digits, for people."""
        return f"{self.algorithm}:{self.encoded[:12]}"


def new_hash(algorithm: str) -> _Hash:
    """A fresh hash object; raises :class:`BlobError` as :func:`check_algorithm` does."""
    check_algorithm(algorithm)
    return hashlib.new(algorithm, usedforsecurity=False)


def check_algorithm(algorithm: str) -> None:
    """Refuse what cannot be verified, which is not copied.

    Raises :class:`BlobError` (``unsupported-algorithm``) for algorithms that follow the grammar
    but are not implemented.
    """
    if algorithm not in _REGISTERED:
        raise BlobError(
            f"the digest algorithm {algorithm!r} is not supported",
            code="unsupported-algorithm",
            remedy=f"rebuild the image with one of {', '.join(_REGISTERED)}",
        )
