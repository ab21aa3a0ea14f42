"""Limits: how much is read before an input counts as an attack.

They apply to everything that is read within :func:`limited`, in all threads of that run. The error
names the limit, and :func:`limited` raises it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, ParamSpec, TypeVar

from oci_convert.errors import UsageError
from oci_convert.text.brief import Brief
from oci_convert.text.suggestion import did_you_mean, nearest
from oci_convert.text.wording import Wording

__all__ = [
    "RATIO_COUNTS_FROM",
    "Limits",
    "inherited",
    "limited",
    "limits",
    "parse_limits",
    "parse_size",
    "raised_by",
    "set_limits",
    "spelled",
]

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_GIB: Final = 1024 * _MIB
_UNITS: Final = {"": 1, "KiB": _KIB, "MiB": _MIB, "GiB": _GIB, "TiB": 1024 * _GIB}
_VALUE: Final = r"([0-9]{1,15})(|KiB|MiB|GiB|TiB)"


def _limit(default: int, meaning: str, *, size: bool = False, most: int | None = None) -> Any:
    return field(default=default, metadata={"meaning": meaning, "size": size, "most": most})


@dataclass(frozen=True, kw_only=True, repr=False)
class Limits(Brief):
    """How much is read. Sizes are in bytes; a value equal to the limit is accepted.

    Raises :class:`UsageError` (``invalid-limit``) for an invalid value.
    """

    document_size: int = _limit(
        4 * _MIB, "bytes of a manifest, an index or a config: what registries accept", size=True
    )
    index_size: int = _limit(
        64 * _MIB,
        "bytes of the list of images of a store: `index.json`, `manifest.json` of docker save",
        size=True,
    )
    json_depth: int = _limit(64, "nested objects and arrays in a document", most=200)
    tree_depth: int = _limit(16, "nested indexes", most=50)
    nodes: int = _limit(250_000, "descriptors in the documents of one source")
    members: int = _limit(250_000, "members of an archive")
    name_length: int = _limit(4096, "characters of a file name in an archive")
    layer_size: int = _limit(1024 * _GIB, "bytes of an unpacked layer", size=True)
    layer_ratio: int = _limit(
        200, "how many times larger than its compressed form a layer may be, beyond 1 GiB"
    )
    zstd_window: int = _limit(
        128 * _MIB, "window of a zstd frame: the memory needed to decompress it", size=True
    )
    xz_dictionary: int = _limit(64 * _MIB, "dictionary of an xz stream: the same", size=True)

    def __post_init__(self) -> None:
        for limit in fields(self):
            value, most = getattr(self, limit.name), limit.metadata["most"]
            is_number = isinstance(value, int) and not isinstance(value, bool)
            if not is_number or value < 1 or (most is not None and value > most):
                raise UsageError(
                    f"{value!r} is not a valid value",
                    code="invalid-limit",
                    where=limit.name,
                    remedy="it must be at least 1" if most is None else f"it must be 1 to {most}",
                )


RATIO_COUNTS_FROM: Final = _GIB
"""Bytes of an unpacked layer from which :attr:`Limits.layer_ratio` counts: zeros pack well."""

_current: ContextVar[Limits] = ContextVar("limits", default=Limits())  # noqa: B039 - it is frozen

P = ParamSpec("P")
R = TypeVar("R")


def limits() -> Limits:
    """The limits that apply here."""
    return _current.get()


@contextmanager
def limited(within: Limits | None = None, /, **changes: int) -> Iterator[Limits]:
    """Other limits, for what is read inside of ``with``, as in ``limited(tree_depth=32)``.

    They start from ``within``, by default the current ones.
    """
    token = _current.set(replace(within or limits(), **changes))
    try:
        yield _current.get()
    finally:
        _current.reset(token)


def set_limits(within: Limits) -> None:
    """Change the limits from now on: for a program that does one thing, such as the command."""
    _current.set(within)


def inherited(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` for another thread, with the limits that apply here."""
    ours = limits()

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with limited(ours):
            return function(*args, **kwargs)

    return run


def raised_by(name: str) -> str:
    """The remedy of an error about a limit."""
    return Wording(f"if you trust it, raise the limit: {{limited({name}=…)}}")


def parse_limits(texts: Iterable[str]) -> Limits:
    """The current limits with changes such as ``tree-depth=32`` and ``document-size=8MiB``.

    Raises :class:`UsageError` (``invalid-limit``).
    """
    changes = {}
    known = {_option(limit.name): limit for limit in fields(Limits)}
    for text in texts:
        name, _, value = text.partition("=")
        match = re.fullmatch(_VALUE, value)
        if name not in known:
            raise UsageError(
                f"{name!r} is not a limit",
                code="invalid-limit",
                where=Wording("{limit}"),
                remedy=did_you_mean(nearest(name, known), f"limits: {', '.join(known)}"),
            )
        if match is None or (match[2] and not known[name].metadata["size"]):
            usual = spelled(getattr(Limits(), known[name].name))
            what = "a size, also in KiB, MiB, …" if known[name].metadata["size"] else "a number"
            raise UsageError(
                f"{value!r} is not a valid value for {name}",
                code="invalid-limit",
                where=Wording("{limit}"),
                remedy=f"it must be {what}, as in {name}={usual}",
            )
        changes[known[name].name] = int(match[1]) * _UNITS[match[2]]
    try:
        return replace(limits(), **changes)
    except UsageError as error:
        message = f"{error.message} for {_option(error.where)}"
        raise error.but(message=message, where=Wording("{limit}")) from None


def parse_size(text: str, where: str) -> int:
    """Bytes, from a text such as ``8MiB``; raises :class:`UsageError` (``invalid-option``)."""
    match = re.fullmatch(_VALUE, text)
    if match is None or not int(match[1]):
        raise UsageError(
            f"{text!r} is not a size",
            code="invalid-option",
            where=where,
            remedy="it takes bytes, also in KiB, MiB, …, as in 8MiB",
        )
    return int(match[1]) * _UNITS[match[2]]


def _option(name: str) -> str:
    return name.replace("_", "-")


def spelled(value: int) -> str:
    """``4MiB`` for 4194304."""
    for unit, size in reversed(_UNITS.items()):
        if value >= size and value % size == 0:
            return f"{value // size}{unit}"
    return str(value)
