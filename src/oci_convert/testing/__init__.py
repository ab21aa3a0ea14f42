"""For tests: small images, and the contract of stores to run against one's own.

:class:`StoreContract` needs pytest; nothing else here does.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from oci_convert.exports import lazy

if TYPE_CHECKING:
    from oci_convert.testing.contract import StoreContract
    from oci_convert.testing.images import (
        SmallImage,
        attestation,
        docker_image,
        image_index,
        oci_image,
        referrer,
        write_images,
    )

__all__ = [
    "SmallImage",
    "StoreContract",
    "attestation",
    "docker_image",
    "image_index",
    "oci_image",
    "referrer",
    "write_images",
]

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy(
    __name__,
    {
        "testing.contract": "StoreContract",
        "testing.images": (
            "SmallImage attestation docker_image image_index oci_image referrer write_images"
        ),
    },
)
