"""Any store, in memory: an error that leaves nothing, or a target in which nothing is wrong.

The input is a byte for the store, one for each option, and the accidents that befell it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from base import Draws, ours
from mutations import damaged
from oci_convert.conversion.convert import convert
from oci_convert.errors import OciConvertError
from oci_convert.findings import Level
from oci_convert.inspection.inspect import inspect
from oci_convert.report import Report
from oci_convert.spec.media_types import Family
from oci_convert.stores.memory import Memory
from oci_convert.stores.opening import SourceLike
from oci_convert.verification.verify import Verification, verify
from stores import LAYOUTS
from support.images import DOCKER_LIST, DOCKER_MANIFEST, OCI_MANIFEST, RC2_LIST

__all__ = ["assert_sound", "options", "run", "seeds"]

_STORES: Final = tuple(LAYOUTS.values())
_TO: Final = (Family.OCI, Family.DOCKER, Family.OCI_RC2)
_COMPRESS: Final = ("auto", "auto", "keep", "gzip", "none", "zstd")
_KEEP: Final = ("auto", "keep", "drop")

_CARRIED: Final = frozenset(
    {
        # A layer that is kept is not unpacked.
        *("wrong-diff-id", "corrupt-layer", "window-too-large", "mislabelled-layer"),
        # What documents say of each other is carried, right or wrong.
        *("platform-mismatch", "dangling-reference", "count-mismatch"),
    }
)
"""What may be wrong in a target if it was wrong in the source."""
_BYTES: Final = frozenset({"digest-mismatch", "blob-truncated", "wrong-size", "wrong-data"})
"""What is never wrong in a target: every byte of it was verified."""


def run(data: bytes) -> None:
    """Convert; look at what came of it."""
    draws = Draws(data)
    files = draws.one_of(_STORES)
    asked = options(draws)
    source, target = Memory(damaged(files, draws)), Memory()
    with ours():
        inspect(source)
    with ours():
        try:
            report = convert(source, target, jobs=1, **asked)
        except OciConvertError:
            assert target.files == {}, "a failed run left something behind"
            raise
        assert_sound(target, source)
        _compare_way_back(report, target, asked)


def options(draws: Draws) -> dict[str, Any]:
    """How to convert."""
    asked: dict[str, Any] = {"to": draws.one_of(_TO), "compress": draws.one_of(_COMPRESS)}
    flags = draws.number(256)
    asked["sparse"] = ("auto", "auto", "auto", "keep", "drop", "fail")[(flags ^ flags >> 3) % 6]
    asked["keep_extensions"] = bool(flags & 2)
    asked["flatten"] = bool(flags & 4)
    asked["strict"] = flags & 24 == 24
    asked["attestations"] = _KEEP[(flags >> 5) % 3]
    asked["referrers"] = asked["signatures"] = _KEEP[(flags >> 6) % 3]
    return asked


def assert_sound(target: SourceLike, source: SourceLike) -> None:
    """Nothing is wrong with a target but what it took over: no byte of any blob is among that.

    A config is carried as it is, and read only where something in it is needed.
    """
    carried = {
        (code, of_config)
        for code, of_config in _wrong(verify(source, jobs=1))
        if (of_config or code in _CARRIED) and code not in _BYTES
    }
    left = _wrong(verify(target, jobs=1)) - carried
    assert not left, f"{sorted(left)} in the target"


def _wrong(found: Verification) -> set[tuple[str, bool]]:
    """The codes of the errors that were found, and whether they are those of a config."""
    errors = (finding for finding in found.findings if finding.level is Level.ERROR)
    return {(error.code, error.where.endswith(".config")) for error in errors}


def _compare_way_back(report: Report, target: Memory, asked: dict[str, Any]) -> None:
    """What is called reversible comes back as what it was."""
    if len(report.images) != 1 or not report.reversible or asked["flatten"]:
        return
    old = report.images[0].old
    assert old is not None
    back = convert(target, Memory(), jobs=1, **asked | {"to": _home(old.media_type, asked["to"])})
    assert back.images[0].new.digest == old.digest, "what is called reversible did not come back"


def _home(media_type: str, to: Family) -> Family:
    if media_type in (DOCKER_MANIFEST, DOCKER_LIST):
        return Family.DOCKER
    if media_type == RC2_LIST or (media_type, to) == (OCI_MANIFEST, Family.OCI_RC2):
        return Family.OCI_RC2
    return Family.OCI


def seeds() -> Iterator[bytes]:
    """Every store, to every family, without and with an accident."""
    for store in range(len(_STORES)):
        for to in range(len(_TO)):
            yield bytes([store, to])
            yield bytes([store, to, 0, 1, store, 0, store])
