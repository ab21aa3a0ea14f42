"""How numbers are written for people."""

from __future__ import annotations

__all__ = ["bytes_of"]


def bytes_of(size: int) -> str:
    """A size for people: ``1.1 MB``."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if unit != "B" and value < 99.5 else f"{value:.0f} {unit}"
