"""What is wrong with an archive: one wording each, for the readers of all kinds."""

from __future__ import annotations

from oci_convert.errors import StoreError

__all__ = ["inconsistent", "member_missing", "unreadable"]


def unreadable(why: str, store: str) -> StoreError:
    """The error of bytes that are no archive, or a damaged one."""
    message, remedy = (
        f"the archive cannot be read: {why}",
        "fetch it again, or save the image again",
    )
    return StoreError(message, code="bad-archive", store=store, remedy=remedy)


def inconsistent(message: str, where: str) -> StoreError:
    """The error of files that contradict each other."""
    remedy = "save the image again"
    return StoreError(message, code="inconsistent-archive", where=where, remedy=remedy)


def member_missing(name: str, *, store: str = "", where: str = "") -> StoreError:
    """The error of a file that another one names and that is not there."""
    message, remedy = (
        f"the file {name} is missing",
        "the archive is incomplete; save the image again",
    )
    return StoreError(message, code="member-missing", store=store, where=where, remedy=remedy)
