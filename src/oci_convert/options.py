"""What a conversion is asked to do: one frozen object, which can be pickled and written as JSON."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, Final, TypedDict, Unpack, cast

from oci_convert.enums import Algorithm, Keep, OnLoss, chosen
from oci_convert.errors import UsageError
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import PlatformLike
from oci_convert.spec.platforms import spelled_all
from oci_convert.text.brief import Brief
from oci_convert.text.wording import Wording
from oci_convert.transform.layer_rules import Compress, check_compress

__all__ = ["Algorithm", "Keep", "OnLoss", "OptionValues", "Options"]


class OptionValues(TypedDict, total=False):
    """The values that :class:`Options` takes, as callers may spell them."""

    to: Family | str | None
    platforms: PlatformLike | Iterable[PlatformLike]
    compress: Compress | str
    level: int | None
    fast: bool
    attestations: Keep | str
    referrers: Keep | str
    signatures: Keep | str
    keep_extensions: bool
    on_loss: OnLoss | str
    require_reversible: bool
    strict: bool
    repair: bool
    sparse: Keep | str
    flatten: bool
    digest: Algorithm | str | None
    dry_run: bool
    jobs: int | None
    verify_existing: bool
    fsync: bool
    force: bool
    link: bool
    follow_links: bool
    keep_going: bool
    tmpdir: str | os.PathLike[str] | None


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False)
class Options(Brief):
    """How to convert. The defaults lose as little as the target can hold.

    Values are checked when the object is made: :class:`UsageError` says which one is wrong. Names
    of choices may be given as text (``compress="zstd"``).
    """

    to: Family | None = None
    """The family of the target; ``None``: what the destination implies."""
    platforms: tuple[str, ...] = ()
    """The images to convert, as ``OS/ARCH[/VARIANT]``; empty for all. One text is one platform."""
    compress: Compress = Compress.AUTO
    """How the layers of images are compressed in the target."""
    level: int | None = None
    """Compression level, 1 to 9; ``None`` for the codec's default."""
    fast: bool = False
    """Compress as fast as can be: gzip in half the time, some 6 % larger, and with bytes that
    depend on the processor; zstd at level 1. In place of a level."""
    attestations: Keep = Keep.AUTO
    """What to do with the attestations in indexes."""
    referrers: Keep = Keep.AUTO
    """What to do with unsigned referrers of the images."""
    signatures: Keep = Keep.AUTO
    """What to do with signatures of the images."""
    keep_extensions: bool = False
    """Keep fields that the Docker schema does not define."""
    on_loss: OnLoss = OnLoss.REPORT
    """Whether a conversion that loses something is refused before anything is written."""
    require_reversible: bool = False
    """Refuse a conversion unless converting back gives the same bytes."""
    strict: bool = False
    """Refuse what is only a warning otherwise."""
    repair: bool = False
    """Correct sizes and media types that the bytes show to be wrong, instead of refusing them."""
    sparse: Keep = Keep.AUTO
    """What to do with entries of an index whose images are not in the source. ``AUTO`` removes them
    from an index that must change and leaves alone one that need not, ``KEEP`` keeps them as they
    are, ``DROP`` removes them always, ``FAIL`` refuses such an index."""
    flatten: bool = False
    """Replace an index by its only image."""
    digest: Algorithm | None = None
    """Compute digests with this algorithm; ``None``: each with that of the digest before. Layers
    and configs keep their bytes, so that the ``diff_ids`` in a config stay."""
    dry_run: bool = False
    """Write nothing, and report what would be written."""
    jobs: int | None = None
    """How many layers to work on at a time; ``None``: as many as there are cores, and at least four
    that go to or from a registry."""
    verify_existing: bool = False
    """Check the digest of what the target has already, and not only its size."""
    fsync: bool = True
    """Flush new files to the disk before the image appears."""
    force: bool = False
    """Replace the image in a ``dir:`` or in an archive."""
    link: bool = False
    """Let blobs of source and target be one file where they can be."""
    follow_links: bool = False
    """Read the files that the links of a store lead to, wherever that is."""
    keep_going: bool = False
    """Convert what can be converted, and report the rest as failures."""
    tmpdir: str | None = None
    """The directory for temporary files where the target is on no disk."""

    def __init__(self, **values: Unpack[OptionValues]) -> None:
        given: dict[str, Any] = {**values}
        for field in fields(self):
            value = given.pop(field.name, field.default)
            typed = _TYPED.get(field.name)
            object.__setattr__(self, field.name, value if typed is None else typed(value))
        for name in given:
            raise TypeError(f"Options() got an unexpected keyword argument {name!r}")
        self._check()

    def _check(self) -> None:
        """Raise :class:`UsageError` for what can be seen to be wrong before anything is read."""
        for field in fields(self):
            if isinstance(field.default, bool):
                _check_flag(field.name, getattr(self, field.name))
        if self.to is not None:
            check_compress(self.compress, self.to)
        if self.jobs is not None and not (_is_number(self.jobs) and self.jobs >= 1):
            raise UsageError(
                f"{self.jobs!r} is not a number of jobs",
                code="invalid-choice",
                where=Wording("{jobs}"),
                remedy="choose 1 or more",
            )
        if self.level is not None and not (_is_number(self.level) and 1 <= self.level <= 9):
            raise UsageError(
                f"{self.level!r} is not a compression level",
                code="invalid-level",
                where=Wording("{level}"),
                remedy="choose 1 to 9",
            )
        if self.fast and self.level is not None:
            raise UsageError(
                "fast compression has no level",
                code="invalid-level",
                where=Wording("{level}"),
                remedy=Wording("leave out {level} or {fast=True}"),
            )

    def but(self, **values: Unpack[OptionValues]) -> Options:
        """The same options with other values for some of them."""
        same = cast(
            "OptionValues", {field.name: getattr(self, field.name) for field in fields(self)}
        )
        same.update(values)
        return Options(**same)

    def to_json(self) -> dict[str, Any]:
        """The options that differ from the defaults, as plain data."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            field.name: _plain(values[field.name])
            for field in fields(self)
            if values[field.name] != field.default
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Options:
        """Options from what :meth:`to_json` gives.

        Raises :class:`UsageError` for unknown names and for values of another type.
        """
        known = {field.name: field.default for field in fields(cls)}
        for name, given in value.items():
            if name not in known:
                raise UsageError(
                    f"{name!r} is not an option",
                    code="invalid-choice",
                    where="options",
                    remedy=f"choose from {', '.join(known)}",
                )
            if not _is_plain(name, given, known[name]):
                raise UsageError(
                    f"the option {name} cannot be {given!r}",
                    code="invalid-choice",
                    where="options",
                    remedy=f"its default is {_plain(known[name])!r}",
                )
        return cls(**value)


def _family(value: Family | str | None) -> Family | None:
    return None if value is None else chosen(Family, value, "to")


def _check_flag(name: str, value: object) -> None:
    """Refuse what is neither yes nor no: the text ``no`` would count as yes."""
    if not isinstance(value, bool):
        raise UsageError(
            f"{value!r} is neither True nor False",
            code="invalid-choice",
            where=Wording(f"{{{name}}}"),
            remedy="choose one of them",
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _path(value: str | os.PathLike[str] | None) -> str | None:
    return None if value is None else os.fspath(value)


_TYPED: Final[Mapping[str, Callable[[Any], object]]] = {
    "to": _family,
    "platforms": spelled_all,
    "compress": lambda value: chosen(Compress, value, "compress"),
    "attestations": lambda value: chosen(Keep, value, "attestations"),
    "referrers": lambda value: chosen(Keep, value, "referrers"),
    "signatures": lambda value: chosen(Keep, value, "signatures"),
    "sparse": lambda value: chosen(Keep, value, "sparse"),
    "digest": lambda value: None if value is None else chosen(Algorithm, value, "digest"),
    "on_loss": lambda value: chosen(OnLoss, value, "on_loss"),
    "tmpdir": _path,
}


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _is_plain(name: str, value: object, default: object) -> bool:
    """Whether a value of JSON can be one of the option of that name and default."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, tuple):
        texts = value if isinstance(value, list) else [value]
        return all(isinstance(text, str) for text in texts)
    kind = int if name in ("level", "jobs") else str
    return value is None or (isinstance(value, kind) and not isinstance(value, bool))
