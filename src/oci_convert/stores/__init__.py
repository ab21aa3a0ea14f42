"""Stores: where images come from and go to; public.

A verb takes a store as a reference, as a path, or as an object: one of those here, or any other
that keeps the contract of :class:`SourceStore`, :class:`SinkStore` or both (:class:`Store`).
"""

from typing import TYPE_CHECKING

from oci_convert.exports import lazy

if TYPE_CHECKING:
    from oci_convert.layers.streams import verified
    from oci_convert.stores.base import (
        Capabilities,
        Root,
        Sink,
        SinkOptions,
        SinkStore,
        Source,
        SourceOptions,
        SourceStore,
        Store,
    )
    from oci_convert.stores.layout_names import LayoutNames
    from oci_convert.stores.local import ContainersDir, DockerArchive, OciArchive, OciLayout
    from oci_convert.stores.memory import Memory
    from oci_convert.stores.registry.auth import Auth
    from oci_convert.stores.registry.client import RegistryClient
    from oci_convert.stores.registry.image import RegistryImage
    from oci_convert.stores.registry.options import RegistryOptions

__all__ = [
    "Auth",
    "Capabilities",
    "ContainersDir",
    "DockerArchive",
    "LayoutNames",
    "Memory",
    "OciArchive",
    "OciLayout",
    "RegistryClient",
    "RegistryImage",
    "RegistryOptions",
    "Root",
    "Sink",
    "SinkOptions",
    "SinkStore",
    "Source",
    "SourceOptions",
    "SourceStore",
    "Store",
    "verified",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "layers.streams": ("verified",),
        "stores.base": (
            "Capabilities",
            "Root",
            "Sink",
            "SinkOptions",
            "SinkStore",
            "Source",
            "SourceOptions",
            "SourceStore",
            "Store",
        ),
        "stores.layout_names": ("LayoutNames",),
        "stores.local": ("ContainersDir", "DockerArchive", "OciArchive", "OciLayout"),
        "stores.memory": ("Memory",),
        "stores.registry.auth": ("Auth",),
        "stores.registry.client": ("RegistryClient",),
        "stores.registry.image": ("RegistryImage",),
        "stores.registry.options": ("RegistryOptions",),
    },
)
