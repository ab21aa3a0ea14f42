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

__all__ = [
    "Capabilities",
    "ContainersDir",
    "DockerArchive",
    "LayoutNames",
    "Memory",
    "OciArchive",
    "OciLayout",
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
    },
)
