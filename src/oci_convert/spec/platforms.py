"""Platforms: how ``OS/ARCH[/VARIANT]`` is spelled, and what other spellings of it mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from oci_convert.errors import UsageError
from oci_convert.text.suggestion import did_you_mean, nearest

if TYPE_CHECKING:
    from oci_convert.spec.models import Platform, PlatformLike

__all__ = [
    "listed",
    "matches",
    "meant",
    "near",
    "spelled",
    "spelled_all",
]

_ARCHITECTURES: Final = (
    *("amd64", "arm64", "arm", "386", "s390x", "ppc64le", "ppc64", "riscv64", "loong64"),
    *("mips64le", "mips64", "mipsle", "mips", "wasm"),
)
"""As Go calls them, and therefore images (image-spec ``image-index.md``)."""
_OTHER_SPELLINGS: Final = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "x64": "amd64",
    "aarch64": "arm64",
    "armv8": "arm64",
    "arm64v8": "arm64/v8",
    "armhf": "arm/v7",
    "armv7l": "arm/v7",
    "armv7": "arm/v7",
    "armv6": "arm/v6",
    "i386": "386",
    "i686": "386",
}
"""As in ``uname -m``, Linux distributions and repositories of Docker Hub."""
_SHOWN: Final = 10
"""Platforms that an error lists."""


def spelled(platform: PlatformLike) -> str:
    """``platform`` as ``OS/ARCH[/VARIANT]``; raises :class:`UsageError` (``invalid-platform``)."""
    text = str(platform)
    parts = text.split("/")
    if not all(parts) or not 2 <= len(parts) <= 3:
        raise UsageError(
            f"{text!r} is not a platform",
            code="invalid-platform",
            where="--platform",
            remedy=did_you_mean(
                meant(text), "a platform is OS/ARCH or OS/ARCH/VARIANT, as in linux/arm64"
            ),
        )
    return text


def spelled_all(platforms: PlatformLike | Iterable[PlatformLike]) -> tuple[str, ...]:
    """Every platform of ``platforms``, which may also be a single one, as :func:`spelled`."""
    if isinstance(platforms, str):
        return (spelled(platforms),)
    from oci_convert.spec.models import Platform  # who has no object of it has not waited for it

    if isinstance(platforms, Platform):
        return (spelled(platforms),)
    return tuple(spelled(platform) for platform in platforms)


def matches(platform: Platform, wanted: str) -> bool:
    """Whether an image for ``platform`` is what ``OS/ARCH[/VARIANT]`` asks for."""
    system, architecture, *variant = wanted.split("/")
    if (platform.os, platform.architecture) != (system, architecture):
        return False
    return not variant or (platform.variant or "") == variant[0]


def meant(text: str) -> str | None:
    """The platform that ``arm64``, ``linux-arm64`` or ``linux/aarch64`` means, if any."""
    words = text.casefold()
    for other in sorted(_OTHER_SPELLINGS, key=len, reverse=True):
        words = re.sub(rf"(?<![a-z0-9]){other}(?![a-z0-9])", _OTHER_SPELLINGS[other], words)
    parts = re.findall("[a-z0-9.]+", words)
    if parts and parts[0] in _ARCHITECTURES:
        parts.insert(0, "linux")
    known = 2 <= len(parts) <= 3 and parts[1] in _ARCHITECTURES
    return "/".join(parts) if known else None


def near(wanted: str, known: Iterable[str]) -> str | None:
    """The ``known`` platform that ``wanted`` was probably meant to be, if any."""
    there = list(known)
    spelled = meant(wanted)
    if spelled == wanted:
        return None  # spelled as it should be: it is just not there
    return spelled if spelled in there else nearest(wanted, there)


def listed(wanted: str, known: Iterable[str]) -> str:
    """The remedy where there is no image for ``wanted``: which platforms there are."""
    there = list(dict.fromkeys(known))
    if not there:
        return "the image states no platform"
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    return did_you_mean(near(wanted, there), f"available: {', '.join(there[:_SHOWN])}{more}")
