"""Stores: where images come from and go to; public.

A verb takes a store as a reference, as a path, or as an object: one of those here, or any other
that keeps the contract of :class:`SourceStore`, :class:`SinkStore` or both (:class:`Store`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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
    from oci_convert.stores.files.base import Scratch
    from oci_convert.stores.files.borrowed import BinaryReader, BinaryWriter
    from oci_convert.stores.layout_names import LayoutNames
    from oci_convert.stores.local import ContainersDir, DockerArchive, OciArchive, OciLayout
    from oci_convert.stores.memory import Memory
    from oci_convert.stores.registry.auth import Auth
    from oci_convert.stores.registry.client import RegistryClient
    from oci_convert.stores.registry.image import RegistryImage
    from oci_convert.stores.registry.options import RegistryOptions
    from oci_convert.stores.registry.proxies import Proxies, Proxy
    from oci_convert.stores.registry.secret import Secret, UserPassword
    from oci_convert.stores.traffic import Traffic

__all__ = [
    "Auth",
    "BinaryReader",
    "BinaryWriter",
    "Capabilities",
    "ContainersDir",
    "DockerArchive",
    "LayoutNames",
    "Memory",
    "OciArchive",
    "OciLayout",
    "Proxies",
    "Proxy",
    "RegistryClient",
    "RegistryImage",
    "RegistryOptions",
    "Root",
    "Scratch",
    "Secret",
    "Sink",
    "SinkOptions",
    "SinkStore",
    "Source",
    "SourceOptions",
    "SourceStore",
    "Store",
    "Traffic",
    "UserPassword",
    "verified",
]

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy(
    __name__,
    {
        "layers.streams": "verified",
        "stores.base": (
            "Capabilities Root Sink SinkOptions SinkStore Source SourceOptions SourceStore Store"
        ),
        "stores.files.base": "Scratch",
        "stores.files.borrowed": "BinaryReader BinaryWriter",
        "stores.layout_names": "LayoutNames",
        "stores.local": "ContainersDir DockerArchive OciArchive OciLayout",
        "stores.memory": "Memory",
        "stores.registry.auth": "Auth",
        "stores.registry.client": "RegistryClient",
        "stores.registry.image": "RegistryImage",
        "stores.registry.options": "RegistryOptions",
        "stores.registry.proxies": "Proxies Proxy",
        "stores.registry.secret": "Secret UserPassword",
        "stores.traffic": "Traffic",
    },
)
