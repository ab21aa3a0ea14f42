"""What a conversion is asked to do: the options of the command line, typed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from oci_convert.errors import UsageError
from oci_convert.spec.media_types import Family
from oci_convert.spec.platforms import check_platform
from oci_convert.transform.layer_rules import Compress, check_compress

__all__ = ["Keep", "OnLoss", "Options"]


class Keep(StrEnum):
    """What to do with attestations, referrers or signatures."""

    AUTO = "auto"
    KEEP = "keep"
    DROP = "drop"
    FAIL = "fail"


class OnLoss(StrEnum):
    """What to do when something of the source would not be in the target."""

    REPORT = "report"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to convert. The defaults lose as little as the target can hold."""

    to: Family
    platforms: tuple[str, ...] = ()
    """``OS/ARCH[/VARIANT]``; empty for all."""
    compress: Compress = Compress.AUTO
    level: int | None = None
    """Compression level, 1 to 9; ``None`` for the codec's default."""
    attestations: Keep = Keep.AUTO
    referrers: Keep = Keep.AUTO
    signatures: Keep = Keep.AUTO
    keep_extensions: bool = False
    on_loss: OnLoss = OnLoss.REPORT
    strict: bool = False
    allow_missing: bool = False
    flatten: bool = False

    def check(self) -> None:
        """Raise :class:`UsageError` for what can be seen to be wrong before anything is read."""
        check_compress(self.compress, self.to)
        if self.level is not None and not 1 <= self.level <= 9:
            raise UsageError(
                f"there is no compression level {self.level}",
                code="invalid-level",
                where="--level",
                remedy="choose 1 to 9",
            )
        for platform in self.platforms:
            check_platform(platform)
