"""How digests, sizes, media types and numbers are written for people."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from oci_convert.cli.show.text import Style, Text
from oci_convert.errors import DocumentError
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.spec.media_types import Compression, look_up, usual_families
from oci_convert.text.words import bytes_of

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


def digest_of(digest: str, *, whole: bool = False) -> Text:
    """A digest as twelve digits, without sha256.

    An annotation may not be a valid digest; it is shown unchanged.
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
    """The families of a media type; of an unknown one, the media type."""
    known = usual_families(media_type)
    return family_of(known) if known else short_type(media_type)


def family_of(families: Collection[str]) -> str:
    """The families that have a name."""
    return "+".join(sorted(families))


def packing(compression: Compression) -> str:
    """How a layer is compressed; ``tar`` if it is not."""
    return "tar" if compression is Compression.NONE else compression.value


def packing_of(media_type: str) -> str:
    """The compression that a media type of a layer states, if any."""
    meaning = look_up(media_type)
    compression = None if meaning is None else meaning.cell.compression
    return "" if compression is None else packing(compression)
