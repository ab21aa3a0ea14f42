"""What can be wrong with an image: the codes of errors that ``verify`` reports as findings.

The same codes end a conversion. Each comes with its meaning and advice;
:data:`~oci_convert.findings.CODES` includes them.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FAULTS"]

_FETCH: Final = "Fetch the image again; if the registry has the same bytes, rebuild it."
_REFUSE: Final = "Tools would read it differently. Do not use it; ask its producer to fix it."
_REBUILD: Final = "Rebuild the image with a current tool, or ask its producer to fix it."
_LIMIT: Final = "If you trust it, raise the limit with `{limited()}` ([limits](limits.md))."
_ARCHIVE: Final = "Save the image again, or fetch the archive again."

FAULTS: Final[dict[str, tuple[str, str]]] = {
    # Blobs.
    "blob-missing": ("A blob that the image needs is not in the store.", _FETCH),
    "blob-truncated": ("A blob has fewer bytes than its descriptor says.", _FETCH),
    "wrong-size": ("A blob has more bytes than its descriptor says.", _FETCH),
    "digest-mismatch": ("The bytes of a blob do not match its digest.", _FETCH),
    "unreadable": (
        "The operating system cannot read a blob.",
        "Check the disk and the permissions of the file.",
    ),
    "unsupported-algorithm": (
        "The algorithm of a digest is not supported, so the digest cannot be checked.",
        "Supported are sha256, sha384 and sha512.",
    ),
    "corrupt-layer": ("A layer cannot be decompressed, although its digest is correct.", _REBUILD),
    "window-too-large": (
        "Decompressing a layer needs more memory than the limit.",
        "Compress the layer again with a smaller window (dictionary), or raise the limit.",
    ),
    "layer-too-large": ("A layer unpacks to more bytes than the limit.", _LIMIT),
    "decompression-bomb": (
        "A layer unpacks to so many times its size that it must be an attack.",
        _LIMIT,
    ),
    "wrong-diff-id": (
        "A decompressed layer does not match its `diff_id` in the config. No runtime runs it.",
        _REBUILD,
    ),
    # Documents: what they are made of.
    "invalid-json": ("A document is not JSON.", _FETCH),
    "not-utf-8": ("A document is not UTF-8, as JSON must be.", _REFUSE),
    "byte-order-mark": ("A document begins with a byte order mark, which JSON forbids.", _REFUSE),
    "trailing-data": ("A document has data after its JSON value.", _REFUSE),
    "duplicate-member": ("A field appears twice in a document.", _REFUSE),
    "lone-surrogate": ("A string in a document contains half a surrogate pair.", _REFUSE),
    "too-deep": ("A document is nested deeper than the limit.", _REFUSE),
    "document-too-large": ("A document is larger than registries accept.", _LIMIT),
    # Documents: what they say.
    "invalid-document": ("A document violates its specification.", _REBUILD),
    "invalid-digest": (
        "A digest is not ALGORITHM:HEX: it could be a path to a file of yours.",
        "Do not use the image: it may be an attack.",
    ),
    "ambiguous-document": (
        "Tools could read a document as different things (CVE-2021-41190).",
        _REFUSE,
    ),
    "contradictory-media-type": (
        "The media type in a document differs from the one in its descriptor.",
        _REFUSE,
    ),
    "unknown-media-type": ("A document is neither a manifest nor an index.", _REBUILD),
    "schema-1": (
        "A manifest of Docker's schema 1 cannot be upgraded without its layers.",
        "Convert the image, not only the document.",
    ),
    "wrong-data": (
        "The embedded `data` of a descriptor does not match its digest and size.",
        _REFUSE,
    ),
    "tree-too-deep": ("Indexes are nested deeper than the limit.", _LIMIT),
    "too-many-nodes": ("The documents of a source have more descriptors than the limit.", _LIMIT),
    "unknown-layout-version": (
        "A layout is of another version than 1.0.0, and may mean something else.",
        "Fetch the image again, or ask its producer for a layout of version 1.0.0.",
    ),
    "unknown-directory-version": (
        "A `dir:` is of a version that is not known, and may mean something else.",
        "Write the image again, with `skopeo copy`.",
    ),
    # What documents say of each other.
    "platform-mismatch": (
        "An index entry and the config of its image state different platforms.",
        "Rebuild the index: clients choose by the entry, and may get an image they cannot run.",
    ),
    "dangling-reference": (
        "An attestation is for an image that its index does not list.",
        'Rebuild the index, or drop the attestation with `{attestations="drop"}`.',
    ),
    # Archives and directories.
    "bad-archive": ("An archive is damaged, or not complete.", _ARCHIVE),
    "too-many-members": ("An archive has more members than the limit.", _LIMIT),
    "name-too-long": ("A name in an archive is longer than the limit.", _LIMIT),
    "duplicate-archive-member": (
        "An archive contains a file twice that says which images it holds.",
        _REFUSE,
    ),
    "inconsistent-archive": ("The documents of an archive contradict each other.", _ARCHIVE),
    "member-missing": ("A file that an archive names is not in it.", _ARCHIVE),
    "not-a-file": ("A directory, a pipe or a device is where a file should be.", _FETCH),
    "path-outside": (
        "An archive refers to a file outside of itself.",
        "Do not use the archive: it may be an attack.",
    ),
    "link-outside": (
        "A symbolic link leads out of the image, or in a loop.",
        "Links are followed only inside an image. Do not use it if you did not make the link.",
    ),
}
"""From code to meaning and advice; the level is always an error."""
