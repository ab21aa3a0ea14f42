"""What the specification asks of the values in an image's config, beyond their types.

Implements ``config.md`` of the OCI image specification. A config that breaks these rules travels as
it is; some runtimes refuse it.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["broken_rules", "is_time"]

_TIME: Final = (
    r"(?a)(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))"
)
_SETS: Final = ("ExposedPorts", "Volumes")
"""Sets, which are written as objects whose values are empty objects."""


def is_time(text: str) -> bool:
    """Whether ``text`` is a date and time of RFC 3339, section 5.6."""
    match = re.fullmatch(_TIME, text)
    if match is None:
        return False
    year, month, day, hour, minute, second, *offset = (int(part or 0) for part in match.groups())
    # The calendar repeats every 400 years, and Python's has no year 0.
    return (
        1 <= month <= 12
        and 1 <= day <= monthrange(2000 + year % 400, month)[1]
        and hour <= 23
        and minute <= 59
        and second <= 60
        and offset[0] <= 23
        and offset[1] <= 59
    )


def broken_rules(config: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each rule that the values of ``config`` break.

    What has the wrong type altogether is somebody else's finding.
    """
    yield from _times(config)
    for name in ("architecture", "os"):
        if not config.get(name):
            yield f"{name} is missing"
    runtime = config.get("config")
    if isinstance(runtime, dict):
        yield from _runtime(runtime)
    rootfs = config.get("rootfs")
    if rootfs is None:
        yield "rootfs is missing"
    elif isinstance(rootfs, dict) and "diff_ids" not in rootfs:
        yield "rootfs.diff_ids is missing"
    if isinstance(rootfs, dict) and rootfs.get("type") != "layers":
        kind = rootfs.get("type")
        yield "rootfs.type is missing" if kind is None else f"rootfs.type is {kind!r}, not layers"


def _times(config: Mapping[str, Any]) -> Iterator[str]:
    history = config.get("history")
    steps = history if isinstance(history, list) else []
    places = [("created", config), *((f"history[{i}].created", s) for i, s in enumerate(steps))]
    for place, value in places:
        created = value.get("created") if isinstance(value, dict) else None
        if isinstance(created, str) and not is_time(created):
            yield f"{place} is no time of RFC 3339: {created!r}"


def _runtime(runtime: Mapping[str, Any]) -> Iterator[str]:
    env = runtime.get("Env")
    for i, entry in enumerate(env if isinstance(env, list) else ()):
        if isinstance(entry, str) and "=" not in entry:
            yield f"config.Env[{i}] has no '=': {entry!r}"
    for name in _SETS:
        value = runtime.get(name)
        for key, member in value.items() if isinstance(value, dict) else ():
            if not isinstance(member, dict):
                yield f"config.{name}[{key!r}] must be an object"
    if not isinstance(runtime.get("ArgsEscaped", False), bool | None):
        yield "config.ArgsEscaped must be true or false"
