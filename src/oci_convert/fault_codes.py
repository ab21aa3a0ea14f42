"""What can be wrong with an image: the codes of errors that ``verify`` reports as findings.

The same codes end a conversion, because nothing wrong gets through. Each comes with what is the
case and what a user can do; :data:`~oci_convert.findings.CODES` takes them in.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FAULTS"]

_FETCH: Final = "Fetch the image again; if its registry has the same bytes, build it again."
_REFUSE: Final = "Readers would disagree on what it says. Do not use it; ask whoever made it."
_REBUILD: Final = "Build the image again with a current tool; tell whoever made it."
_LIMIT: Final = "If you trust it, `--limit` takes more ([limits](limits.md))."
_ARCHIVE: Final = "Save the image again, or fetch the archive again."

FAULTS: Final[dict[str, tuple[str, str]]] = {
    # Blobs.
    "blob-missing": ("A blob that the image needs is not in the store.", _FETCH),
    "blob-truncated": ("A blob has fewer bytes than its descriptor says.", _FETCH),
    "wrong-size": ("A blob has more bytes than its descriptor says.", _FETCH),
    "digest-mismatch": ("The bytes of a blob do not hash to its digest.", _FETCH),
    "unreadable": (
        "The system does not let a blob be read.",
        "Look after the disk and the permissions of the file.",
    ),
    "unsupported-algorithm": (
        "A digest is of an algorithm that is not implemented, so nobody can check it.",
        "Supported are sha256, sha384 and sha512.",
    ),
    "corrupt-layer": ("A layer cannot be unpacked, although it has the digest stated.", _REBUILD),
    "window-too-large": (
        "A layer needs more memory to be unpacked than readers grant.",
        "Compress the layer again with a smaller window (dictionary), or raise the limit.",
    ),
    "layer-too-large": ("A layer unpacks to more bytes than the limit.", _LIMIT),
    "decompression-bomb": (
        "A layer unpacks to so many times its size that it can only be an attack.",
        _LIMIT,
    ),
    "wrong-diff-id": (
        "A layer, unpacked, is not the one that the image's config names. No runtime runs it.",
        _REBUILD,
    ),
    # Documents: what they are made of.
    "invalid-json": ("A document is not JSON.", _FETCH),
    "not-utf-8": ("A document is not UTF-8, as JSON must be.", _REFUSE),
    "byte-order-mark": ("A document begins with a byte order mark, which JSON forbids.", _REFUSE),
    "trailing-data": ("A document goes on after its JSON value.", _REFUSE),
    "duplicate-member": ("A member stands twice in a document.", _REFUSE),
    "lone-surrogate": ("A string in a document holds half a surrogate pair.", _REFUSE),
    "too-deep": ("A document is nested deeper than readers follow.", _REFUSE),
    "document-too-large": ("A document is larger than registries and readers take.", _LIMIT),
    # Documents: what they say.
    "invalid-document": ("A document breaks its specification.", _REBUILD),
    "invalid-digest": (
        "A digest breaks the grammar of digests: it could be a path that leads elsewhere.",
        "Do not use the image: whoever made it may be after your files.",
    ),
    "ambiguous-document": (
        "Readers can take a document for different things (CVE-2021-41190).",
        _REFUSE,
    ),
    "contradictory-media-type": (
        "A document calls itself something else than its descriptor calls it.",
        _REFUSE,
    ),
    "unknown-media-type": ("A document is neither a manifest nor an index.", _REBUILD),
    "schema-1": (
        "A manifest of Docker's schema 1 stands alone; what it lacks is measured on its layers.",
        "Convert the image, not the document: that upgrades it.",
    ),
    "wrong-data": (
        "The embedded `data` of a descriptor is not the content that it describes.",
        _REFUSE,
    ),
    "tree-too-deep": ("Indexes are nested deeper than readers follow.", _LIMIT),
    "too-many-nodes": ("The documents of a source name more blobs than the limit.", _LIMIT),
    # What documents say of each other.
    "platform-mismatch": (
        "An entry and the config of the image that it names state different platforms.",
        "Build the index again: machines choose by the entry, and may get what they cannot run.",
    ),
    "dangling-reference": (
        "An attestation speaks of an image that its index does not list.",
        "Build the index again, or drop the attestation with `--attestations drop`.",
    ),
    # Archives and folders.
    "bad-archive": ("An archive is damaged, or not complete.", _ARCHIVE),
    "too-many-members": ("An archive has more members than the limit.", _LIMIT),
    "name-too-long": ("A name in an archive is longer than file systems take.", _LIMIT),
    "duplicate-archive-member": ("A member of an archive stands twice, and decides.", _REFUSE),
    "inconsistent-archive": ("The documents of an archive contradict each other.", _ARCHIVE),
    "member-missing": ("A file that an archive names is not in it.", _ARCHIVE),
    "not-a-file": ("What should be a file is a folder, a pipe or a device.", _FETCH),
    "path-outside": (
        "An archive names a file outside of itself.",
        "Do not use the archive: whoever made it may be after your files.",
    ),
    "link-outside": (
        "A link leads out of the image, or round in circles.",
        "Links are followed only inside an image. Do not use it if you did not make the link.",
    ),
}
"""From code to meaning and advice; the level is always an error."""
