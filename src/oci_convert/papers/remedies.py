"""Remedies: what to do about a document that is no part of an image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from oci_convert.ground.errors import DocumentError

__all__ = ["remedied"]


@contextmanager
def remedied(remedy: str, where: str | None = None) -> Iterator[None]:
    """Let the errors of documents inside say ``remedy``, where they say what is said of images.

    With ``where`` they name that place, too.
    """
    try:
        yield
    except DocumentError as error:
        raise DocumentError(
            error.message,
            code=error.code,
            where=error.where if where is None else where,
            remedy=remedy if error.remedy == error.usual_remedy else error.remedy,
        ) from None
