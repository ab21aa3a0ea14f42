"""What people give for an archive that is none: told by its first bytes, in one line."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from oci_convert.errors import StoreError
from oci_convert.text.wording import Wording

__all__ = ["Stranger", "not_an_archive", "recognised"]


class Stranger(NamedTuple):
    """Something that is no archive of images."""

    what: str
    remedy: str


def _unpacked_by(tool: str) -> str:
    return Wording(f'unpack it first, as in: {tool} < FILE | {{convert("-", …)}}')


_FETCH: Final = "download it again, and check what the server answers (curl -fL)"
_SAVE: Final = "save the image again"
_UNPACK: Final = "unpack it, and give what is in it"
_MAGICS: Final[tuple[tuple[int, bytes, Stranger], ...]] = (
    (0, b"PK\x03\x04", Stranger("a zip file", _UNPACK)),
    (0, b"PK\x05\x06", Stranger("an empty zip file", _SAVE)),
    (0, b"7z\xbc\xaf\x27\x1c", Stranger("a 7z file", _UNPACK)),
    (0, b"Rar!\x1a\x07", Stranger("a RAR file", _UNPACK)),
    (0, b"\x04\x22\x4d\x18", Stranger("compressed with lz4", _unpacked_by("lz4 -dc"))),
    (0, b"LZIP", Stranger("compressed with lzip", _unpacked_by("lzip -dc"))),
    (0, b"\x1f\x9d", Stranger("compressed with compress", _unpacked_by("zcat"))),
    (0, b"\x5d\x00\x00", Stranger("compressed with lzma", _unpacked_by("xz -dc"))),
    (
        32,
        b"SIF_MAGIC",
        Stranger(
            "an image of Apptainer or Singularity (SIF), which has no layers",
            "convert the image that it was built from",
        ),
    ),
    (0, b"hsqs", Stranger("a file system (squashfs)", "give the image that it was made from")),
    (0, b"QFI\xfb", Stranger("a disk image (qcow2)", "give the image that it was made from")),
    (0, b"\x7fELF", Stranger("a program", "give the archive or the directory of an image")),
    (0, b"!<arch>\n", Stranger("an ar file, perhaps a package of Debian", _SAVE)),
    (0, b"\xed\xab\xee\xdb", Stranger("an RPM package", _SAVE)),
    (0, b"070701", Stranger("a cpio archive", _SAVE)),
    (
        0,
        b"version https://git-lfs",
        Stranger("a pointer of Git LFS, not the file itself", "fetch the file: git lfs pull"),
    ),
    (
        0,
        b"/annex/objects/",
        Stranger("a pointer of git-annex, not the file itself", "fetch the file: git annex get"),
    ),
    (0, b"../.git/annex/objects/", Stranger("a link of git-annex", "fetch it: git annex get")),
)
"""Where bytes of a file say what it is."""
_UTF_16: Final = Stranger(
    "text in UTF-16: the > of PowerShell turns binary data into text",
    "save the image again, with docker save -o FILE",
)
_REPLACED: Final = Stranger(
    "binary data that was rewritten as text, as the > of PowerShell does",
    "save the image again, with docker save -o FILE",
)
_MARKUP: Final = (
    (re.compile(rb"<!doctype html|<html|<head|<title"), "an HTML page"),
    (re.compile(rb"<\?xml|<error"), "an XML text"),
)
_WHOLE: Final = "give the archive or the directory that it is a part of"
_JSON: Final = Stranger("a JSON text", f"{_WHOLE}; translate takes single documents")
_DOCUMENTS: Final = (
    (re.compile(rb'\{\s*"imagelayoutversion"\s*:'), "the oci-layout file of a layout", _WHOLE),
    (re.compile(rb'\[.*"repotags"\s*:', re.DOTALL), "the manifest.json of docker save", _WHOLE),
    (re.compile(rb'\{.*"manifests"\s*:', re.DOTALL), "an index", _JSON.remedy),
    (re.compile(rb'\{.*"layers"\s*:', re.DOTALL), "a manifest", _JSON.remedy),
    (re.compile(rb'\{.*"rootfs"\s*:', re.DOTALL), "the config of an image", _WHOLE),
)
"""What JSON texts are, by a member in their first bytes, and what to do."""
_ERROR: Final = re.compile(
    rb'\{\s*"(?:errors?|message|detail)"\s*:(?:\s*[\[{]*\s*"code"\s*:\s*"([A-Za-z_]{1,40})")?'
)
"""How registries and daemons say what is wrong, some of them with a code."""
_TEXT: Final = Stranger("text, perhaps an error message", "read it, then " + _SAVE)
_REPLACEMENT: Final = "\ufffd".encode()
_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")


def recognised(head: bytes) -> Stranger | None:
    """What a file is by its first bytes, where it is one of what people give for an archive.

    For what is neither a tar nor packed in a way that is read here.
    """
    for at, magic, stranger in _MAGICS:
        if head[at : at + len(magic)] == magic:
            return stranger
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _UTF_16
    if head.count(_REPLACEMENT) > 1 and b"\0" in head:
        return _REPLACED
    return _text(head) if head.strip() and not _BINARY.search(head) else None


def _text(head: bytes) -> Stranger:
    begun = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for form, what in _MARKUP:
        if form.match(begun):
            return Stranger(f"{what}, perhaps the answer of a server", _FETCH)
    if error := _ERROR.match(begun):
        code = f" ({error[1].decode().upper()})" if error[1] else ""
        return Stranger(f"the error answer of a registry{code}", _FETCH)
    for form, what, remedy in _DOCUMENTS:
        if form.match(begun):
            return Stranger(f"{_JSON.what}, {what}", remedy)
    return _JSON if begun[:1] in (b"{", b"[") else _TEXT


def not_an_archive(stranger: Stranger, label: str, within: str = "") -> StoreError:
    """The error for it; ``within`` is what it was packed with, if it was."""
    content = f"the content of this {within} file" if within else "this"
    return StoreError(
        f"{content} is not an archive: it is {stranger.what}",
        code="not-an-archive",
        store=label,
        remedy=stranger.remedy,
    )
