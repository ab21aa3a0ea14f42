"""A store in memory: an OCI layout in a dict, for conversions without a disk."""

from __future__ import annotations

from oci_convert.spec.media_types import Family
from oci_convert.stores.base import SinkOptions, SourceOptions
from oci_convert.stores.files.memory import MemoryFiles
from oci_convert.stores.oci_layout import OciLayoutSink, OciLayoutSource

__all__ = ["Memory"]


class Memory:
    """An OCI layout in memory; the source or the destination of a conversion, or both.

    ``files`` are the files of the layout by name (``index.json``, ``blobs/sha256/…``), ``ref`` is
    the one image that is meant, or what the one image is to be called. Several threads may write to
    one ``Memory``; two of them over one ``dict`` know nothing of each other.
    """

    label = "memory"
    default_family = Family.OCI

    def __init__(self, files: dict[str, bytes] | None = None, ref: str | None = None) -> None:
        self.files: dict[str, bytes] = {} if files is None else files
        self.ref = ref

    def image(self, ref: str) -> Memory:
        """One image of this very store: the one of that name, or one that is to have it."""
        return Memory(self.files, ref)

    def source(self, options: SourceOptions = SourceOptions()) -> OciLayoutSource:
        """Open it for reading."""
        return OciLayoutSource(MemoryFiles(self.files), self.label)

    def sink(self, options: SinkOptions = SinkOptions()) -> OciLayoutSink:
        """Open it for writing."""
        return OciLayoutSink(MemoryFiles(self.files), self.label, family=options.family)

    def __str__(self) -> str:
        return self.label if self.ref is None else f"{self.label}:{self.ref}"

    def __repr__(self) -> str:
        named = "" if self.ref is None else f", ref={self.ref!r}"
        return f"Memory(<{len(self.files)} files>{named})"
