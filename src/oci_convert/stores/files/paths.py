"""Names of files as archives spell them: cleaned as text, never looked up to do so."""

from __future__ import annotations

from oci_convert.errors import StoreError
from oci_convert.limits import limits, raised_by

__all__ = ["check_length", "cleaned", "joined"]


def check_length(name: str, where: str) -> None:
    """Raise :class:`StoreError` for a name that no file system takes: it would only cost time."""
    if len(name) > limits().name_length:
        raise StoreError(
            f"the name {name[:40]!r}… has {len(name)} characters, more than the limit of "
            f"{limits().name_length}",
            code="name-too-long",
            where=where,
            remedy=raised_by("name_length"),
        )


def cleaned(name: str) -> str | None:
    """``./a//b/../c`` as ``a/c``; ``None`` for a name that leaves the archive or names nothing."""
    parts: list[str] = []
    if name.startswith("/") or "\0" in name:
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
