"""How digests, sizes, media types and numbers are written for people."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from oci_convert.cli.show.text import Style, Text
from oci_convert.errors import DocumentError
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.spec.media_types import Compression, Family, families, look_up

__all__ = [
    "bytes_of",
    "count_of",
    "digest_of",
    "family_of",
    "in_words",
    "packing",
    "packing_of",
    "plural",
    "short_type",
]

_HEX: Final = 12
_PREFIXES: Final = ("application/vnd.", "application/")


def bytes_of(size: int) -> str:
    """A size for people: ``1.1 MB``."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if unit != "B" and value < 99.5 else f"{value:.0f} {unit}"


def digest_of(digest: str, *, whole: bool = False) -> Text:
    """A digest: twelve digits are enough for people, and sha256 goes without saying.

    What an annotation gives as one may be no digest; it is shown as it is.
    """
    if whole:
        return Text(digest, Style.DIGEST)
    try:
        name = Digest(digest)
    except DocumentError:
        return Text(digest, Style.DIGEST)
    short = name.encoded[:_HEX] if name.algorithm == CANONICAL else name.short()
    return Text(short, Style.DIGEST)


def plural(word: str, count: int) -> str:
    """``word``, for as many as there are."""
    if count == 1:
        return word
    return f"{word}es" if word.endswith(("x", "s")) else f"{word}s"


def count_of(word: str, count: int) -> str:
    """``3 layers``."""
    return f"{count} {plural(word, count)}"


def short_type(media_type: str) -> str:
    """A media type without the beginning that nearly all of them share."""
    for prefix in _PREFIXES:
        if media_type.startswith(prefix):
            return media_type.removeprefix(prefix)
    return media_type


def in_words(media_type: str) -> str:
    """The families that know a media type; of a type that no table knows, the type."""
    known = families(media_type)
    return family_of(known) if known else short_type(media_type)


def family_of(families: Collection[str]) -> str:
    """The families that know a name; where OCI does, that 1.0.0-rc2 did goes without saying."""
    return "+".join(
        sorted(f for f in families if f != Family.OCI_RC2 or Family.OCI not in families)
    )


def packing(compression: Compression) -> str:
    """How a layer is packed: a plain tar is called so."""
    return "tar" if compression is Compression.NONE else compression.value


def packing_of(media_type: str) -> str:
    """How a layer of that type is packed, if it says so."""
    meaning = look_up(media_type)
    compression = None if meaning is None else meaning.cell.compression
    return "" if compression is None else packing(compression)
