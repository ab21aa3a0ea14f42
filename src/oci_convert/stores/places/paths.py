"""Names of files as archives spell them: cleaned as text, never looked up to do so."""

from __future__ import annotations

from typing import Final

__all__ = ["cleaned", "joined"]

_LONGEST: Final = 4096
"""Characters of a name: what file systems take. Longer ones only cost time."""


def cleaned(name: str) -> str | None:
    """``./a//b/../c`` as ``a/c``; ``None`` for a name that leaves the archive or names nothing."""
    parts: list[str] = []
    if name.startswith("/") or "\0" in name or len(name) > _LONGEST:
        return None
    for part in name.split("/"):
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or None


def joined(folder: str, link: str) -> str | None:
    """Where ``link``, the target of a symbolic link in ``folder``, leads; ``None``: out."""
    return None if link.startswith("/") else cleaned(f"./{folder}/{link}")
