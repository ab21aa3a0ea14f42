"""Which store files are, by their content."""

from __future__ import annotations

import re
from typing import Final

from oci_convert.errors import StoreError
from oci_convert.stores.base import HEAD
from oci_convert.stores.files import Files
from oci_convert.stores.files.folder import Folder

__all__ = [
    "INDEX",
    "MANIFEST_JSON",
    "REPOSITORIES",
    "V1_IMAGE",
    "is_docker_archive",
    "is_docker_legacy",
    "is_layout",
]

INDEX: Final = "index.json"
MANIFEST_JSON: Final = "manifest.json"
"""What ``docker save`` and a ``dir:`` have."""
REPOSITORIES: Final = "repositories"
"""What Docker before 1.10 has instead."""
V1_IMAGE: Final = re.compile(r"([0-9a-f]{64})/json")
"""The file of an image version 1."""
_CONFIG: Final = re.compile(r"[0-9a-f]{64}\.json")


def is_layout(files: Files) -> bool:
    """Whether ``files`` are an OCI layout of any version."""
    if files.size(INDEX) is not None:
        return True
    return files.size("oci-layout") is not None and any(files.names("refs"))


def is_docker_archive(files: Files) -> bool:
    """Whether ``files`` are what ``docker save`` wrote: ``manifest.json`` or ``repositories``."""
    if _begins(files, MANIFEST_JSON, b"[") or _begins(files, MANIFEST_JSON, b"null"):
        return True  # null is a list that is none: no manifest of a dir:, at least
    unlike = (MANIFEST_JSON, INDEX)
    return _begins(files, REPOSITORIES, b"{") and not any(_begins(files, n, b"") for n in unlike)


def _begins(files: Files, name: str, sign: bytes) -> bool:
    try:
        with files.open(name) as file:
            return file.read(HEAD).lstrip(b" \t\r\n").startswith(sign)
    except (FileNotFoundError, NotADirectoryError, StoreError):
        return False


def is_docker_legacy(files: Files) -> bool:
    """Whether ``files`` are what an old Docker saved: images version 1, and nothing newer.

    An archive of images without a name has no ``repositories``; a folder must have it, as nobody
    wants to have all that is below a wrong one looked through.
    """
    if any(files.size(name) is not None for name in (MANIFEST_JSON, INDEX)):
        return False
    if files.size(REPOSITORIES) is None and isinstance(files, Folder):
        return False
    names = list(files.names())
    # Docker 1.10 to 24 wrote such folders beside configs: where those are, a file is missing.
    return any(map(V1_IMAGE.fullmatch, names)) and not any(map(_CONFIG.fullmatch, names))
