"""Platforms: how ``OS/ARCH[/VARIANT]`` is spelled, what other spellings mean, which are the same.

A version of the system is spelled as crane does, ``windows/amd64:10.0.20348.2655``, or as
containerd does, ``windows(10.0.20348)/amd64``, with features behind a plus. Platforms are the same
if containerd normalises them so: ``arm64`` is ``arm64/v8``, ``arm`` is ``arm/v7``, ``x86_64`` is
``amd64``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from oci_convert.errors import UsageError
from oci_convert.text.suggestion import did_you_mean, nearest
from oci_convert.text.wording import Wording

if TYPE_CHECKING:
    from oci_convert.spec.models import Platform, PlatformLike

__all__ = [
    "disagree",
    "identity_of",
    "listed",
    "matches",
    "meant",
    "near",
    "platform_of",
    "runs_elsewhere",
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


_SAME: Final = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "i386": ("386", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
"""Architectures under other names, with the variant that the name implies."""
_USUAL: Final = {("amd64", "v1"): "", ("arm64", "v8"): "", ("arm", ""): "v7"}
"""Variants that say what goes without saying, and the other way round."""
_WORD: Final = "[A-Za-z0-9_.-]+"
_SPELLING: Final = (
    rf"(?P<os>{_WORD})(?:\((?P<version>{_WORD})?(?P<features>(?:\+{_WORD})*)\))?"
    rf"/(?P<architecture>{_WORD})(?:/(?P<variant>{_WORD}))?(?::(?P<behind>{_WORD}))?"
)


class _Wanted(NamedTuple):
    """What a platform that is asked for says; what it leaves open is ``None``, or empty."""

    os: str
    architecture: str
    variant: str | None
    version: str
    features: frozenset[str]


def _normal(system: str, architecture: str, variant: str) -> tuple[str, str, str]:
    """System, architecture and variant as containerd spells them."""
    system, architecture = system.lower(), architecture.lower()
    architecture, implied = _SAME.get(architecture, (architecture, ""))
    variant = variant.lower() or implied
    if architecture in ("arm", "arm64") and variant.isdecimal():
        variant = f"v{variant}"
    system = "darwin" if system == "macos" else system
    return system, architecture, _USUAL.get((architecture, variant), variant)


@lru_cache(256)
def _parsed(text: str) -> _Wanted | None:
    match = re.fullmatch(_SPELLING, text)
    if match is None or (match["version"] and match["behind"]):
        return None
    stated = match["variant"] or _SAME.get(match["architecture"].lower(), ("", ""))[1]
    system, architecture, variant = _normal(match["os"], match["architecture"], stated)
    features = frozenset(filter(None, (match["features"] or "").split("+")))
    version = match["version"] or match["behind"] or ""
    return _Wanted(system, architecture, variant if stated else None, version, features)


def spelled(platform: PlatformLike) -> str:
    """``platform`` as it may be spelled; raises :class:`UsageError` (``invalid-platform``)."""
    text = platform if isinstance(platform, str) else str(platform)
    if _parsed(text) is None:
        raise UsageError(
            f"{text!r} is not a platform",
            code="invalid-platform",
            where=Wording("{platforms}"),
            remedy=did_you_mean(
                meant(text), "a platform is OS/ARCH or OS/ARCH/VARIANT, as in linux/arm64"
            ),
        )
    return text


def platform_of(platform: PlatformLike) -> Platform:
    """What a text says, as an object; raises as :func:`spelled`."""
    from oci_convert.spec.models import Platform

    if isinstance(platform, Platform):
        return platform
    said = re.fullmatch(_SPELLING, spelled(platform))
    assert said is not None  # what is spelled matches
    return Platform(
        architecture=said["architecture"],
        os=said["os"],
        os_version=said["version"] or said["behind"],
        os_features=tuple(filter(None, (said["features"] or "").split("+"))) or None,
        variant=said["variant"],
    )


def spelled_all(platforms: PlatformLike | Iterable[PlatformLike]) -> tuple[str, ...]:
    """Every platform of ``platforms``, as :func:`spelled`.

    It may be a single one, and a text may hold several between commas, with blanks beside them.
    """
    from oci_convert.spec.models import Platform  # who has no object of it has not waited for it

    if isinstance(platforms, str | bytes | Platform) or not isinstance(platforms, Iterable):
        platforms = (platforms,)
    several = (one.split(",") if isinstance(one, str) else [str(one)] for one in platforms)
    return tuple(
        dict.fromkeys(spelled(text) for texts in several for text in map(str.strip, texts))
    )


def matches(platform: Platform, wanted: str) -> bool:
    """Whether an image for ``platform`` is what is asked for.

    What is left open, a variant or a version, may be anything; of a version, its first parts do.
    """
    asked = _parsed(wanted)
    if asked is None:
        return False
    system, architecture, variant = _stated(platform)
    if (system, architecture) != (asked.os, asked.architecture):
        return False
    version = platform.os_version or ""
    return (
        (asked.variant is None or variant == asked.variant)
        and (not asked.version or f"{version}.".startswith(f"{asked.version}."))
        and asked.features <= set(platform.os_features or ())
    )


def _stated(platform: Platform) -> tuple[str, str, str]:
    return _normal(platform.os, platform.architecture, platform.variant or "")


def identity_of(platform: Platform) -> tuple[object, ...]:
    """What is the same for platforms that are the same."""
    features = (platform.os_features, platform.features)
    return (
        *_stated(platform),
        platform.os_version or "",
        *(frozenset(it or ()) for it in features),
    )


def runs_elsewhere(one: Platform, other: Platform) -> bool:
    """Whether two platforms are of different systems or architectures."""
    return _stated(one)[:2] != _stated(other)[:2]


def disagree(one: Platform, other: Platform) -> bool:
    """Whether two statements of a platform exclude each other.

    What one of them leaves open (``variant``, ``os.version``) excludes nothing: indexes say
    ``arm64/v8`` where configs say ``arm64``.
    """
    if runs_elsewhere(one, other):
        return True
    versions = one.os_version, other.os_version
    variants = one.variant, other.variant
    return (all(versions) and versions[0] != versions[1]) or (
        all(variants) and _stated(one) != _stated(other)
    )


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
    if spelled == wanted or wanted in there:
        return None  # spelled as it should be: it is just not there
    return spelled if spelled in there else nearest(wanted, there)


def listed(wanted: str, known: Iterable[str]) -> str:
    """The remedy where there is no image for ``wanted``: which platforms there are."""
    there = list(dict.fromkeys(known))
    if not there:
        return "the image states no platform"
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    return did_you_mean(near(wanted, there), f"available: {', '.join(there[:_SHOWN])}{more}")
