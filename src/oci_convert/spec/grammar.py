"""The grammar of values: media types (RFC 6838) and addresses (RFC 3986).

Implements what ``descriptor.md`` and ``manifest.md`` of the OCI image specification require of
``mediaType``, ``artifactType`` and ``urls``. What breaks it travels as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from oci_convert.spec.models import Descriptor

__all__ = ["broken_values", "is_media_type", "is_uri"]

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE: Final = re.compile(rf"{_NAME}/{_NAME}")
"""Two restricted names (RFC 6838, section 4.2)."""
_URI: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
)


@lru_cache(maxsize=1024)  # images have thousands of descriptors, and few media types
def is_media_type(text: str) -> bool:
    """Whether ``text`` is the name of a media type, without parameters."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def is_uri(text: str) -> bool:
    """Whether ``text`` has a scheme and only characters that an address may have."""
    return _URI.fullmatch(text) is not None


def broken_values(descriptor: Descriptor) -> Iterator[str]:
    """A sentence for each value of ``descriptor`` that breaks the grammar."""
    if not is_media_type(descriptor.media_type):
        yield f"mediaType is no media type: {descriptor.media_type!r}"
    if descriptor.artifact_type and not is_media_type(descriptor.artifact_type):
        yield f"artifactType is no media type: {descriptor.artifact_type!r}"
    for i, url in enumerate(descriptor.urls or ()):
        if not is_uri(url):
            yield f"urls[{i}] is no address: {url!r}"
