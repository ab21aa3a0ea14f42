"""How far a run is: what callers of the verbs are told while blobs are read."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Bytes are those of the source's layers and other blobs."""

    where: str
    """The place of the blob that moved last."""
    digest: str
    size: int
    """Bytes of that blob."""
    step: int
    """Bytes of it that are done since the last call."""
    done: int
    total: int
