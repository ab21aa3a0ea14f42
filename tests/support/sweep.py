"""Options of a conversion, each alone and in every pair: what they do to any store."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from oci_convert import Memory, OciConvertError, convert
from oci_convert.stores.opening import SourceLike

__all__ = ["choices", "crash_of", "targets"]

_KEEPS: Final = ("keep", "drop", "fail")
_OTHERS: Final[Mapping[str, tuple[Any, ...]]] = {
    "attestations": _KEEPS,
    "compress": ("keep", "gzip", "zstd", "none"),
    "digest": ("sha256", "sha512"),
    "dry_run": (True,),
    "flatten": (True,),
    "follow_links": (True,),
    "keep_extensions": (True,),
    "keep_going": (True,),
    "level": (1,),
    "on_loss": ("fail",),
    "platforms": (("linux/amd64",), ("linux/arm64",)),
    "referrers": _KEEPS,
    "repair": (True,),
    "require_reversible": (True,),
    "signatures": _KEEPS,
    "sparse": _KEEPS,
    "strict": (True,),
    "verify_existing": (True,),
}
"""The options that decide what becomes of an image, with their values beside the default."""


def choices() -> Iterator[dict[str, Any]]:
    """No option, every single one with each of its values, and every pair of two."""
    singles = [(name, value) for name, values in _OTHERS.items() for value in values]
    yield {}
    yield from ({name: value} for name, value in singles)
    for (one, value), (other, another) in combinations(singles, 2):
        if one != other:
            yield {one: value, other: another}


def targets() -> tuple[str, ...]:
    """The formats to convert to."""
    return "oci", "docker", "oci-rc2"


def crash_of(source: SourceLike, options: Mapping[str, Any]) -> str | None:
    """What came out of a conversion that must not, in one line; ``None`` if nothing did.

    A report, or an error of the library in one line, may come out, and nothing may be left of a
    run that failed.
    """
    target = Memory()
    try:
        convert(source, target, **options).to_json()
    except OciConvertError as error:
        if "\n" in str(error):
            return f"an error of several lines: {error}"
        return "a failed run left files" if target.files else None
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {Path(frame.filename).name}:{frame.name}: {error}"
    return None
