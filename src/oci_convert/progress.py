"""How far a run is: what callbacks get while blobs are read."""

from __future__ import annotations

from dataclasses import dataclass

from oci_convert.text.brief import Brief

__all__ = ["Progress"]


@dataclass(frozen=True, slots=True, repr=False)
class Progress(Brief):
    """How far a run is. Bytes are those of the source's layers and other blobs."""

    where: str
    """The path of the blob that was read last: ``images[0].layers[2]``."""
    digest: str
    size: int
    """Bytes of that blob."""
    step: int
    """Bytes of it that are done since the last call."""
    done: int
    total: int
