"""Enumerations: the value of an option, typed, or an error that lists the valid values."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from oci_convert.errors import UsageError
from oci_convert.text.suggestion import did_you_mean, nearest
from oci_convert.text.wording import Wording

__all__ = ["Algorithm", "Compress", "Keep", "OnLoss", "chosen"]

E = TypeVar("E", bound=StrEnum)


class Algorithm(StrEnum):
    """What digests are computed with."""

    SHA256 = "sha256"
    SHA512 = "sha512"


class Compress(StrEnum):
    """What to do with the compression of the layers of images."""

    AUTO = "auto"
    """Unchanged if the target has an official or customary media type for it, else gzip."""
    KEEP = "keep"
    """Unchanged, with an unofficial media type if necessary, else an error."""
    GZIP = "gzip"
    ZSTD = "zstd"
    NONE = "none"


class Keep(StrEnum):
    """What to do with attestations, referrers, signatures, or entries of absent images."""

    AUTO = "auto"
    KEEP = "keep"
    DROP = "drop"
    FAIL = "fail"


class OnLoss(StrEnum):
    """What to do when something of the source would not be in the target."""

    REPORT = "report"
    FAIL = "fail"


def chosen(kind: type[E], value: str, option: str) -> E:
    """``value`` as a member of ``kind``; raises :class:`UsageError` (``invalid-choice``)."""
    try:
        return kind(value)
    except ValueError:
        raise UsageError(
            f"{value!r} is not a choice",
            code="invalid-choice",
            where=Wording(f"{{{option}}}"),
            remedy=did_you_mean(nearest(str(value), kind), f"choices: {', '.join(kind)}"),
        ) from None
