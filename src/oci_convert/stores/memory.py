"""A store in memory: an OCI layout in a dict, for conversions without a disk."""

from __future__ import annotations

from oci_convert.spec.media_types import Family
from oci_convert.stores.files.memory import MemoryFiles
from oci_convert.stores.oci_layout import OciLayoutSink, OciLayoutSource

__all__ = ["Memory"]


class Memory:
    """An OCI layout in memory; the source or the destination of a conversion, or both.

    ``files`` are the files of the layout by name (``index.json``, ``blobs/sha256/…``).
    """

    label = "memory"

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files: dict[str, bytes] = {} if files is None else files

    def source(self) -> OciLayoutSource:
        """The store as a source."""
        return OciLayoutSource(MemoryFiles(self.files), self.label)

    def sink(self, family: Family = Family.OCI) -> OciLayoutSink:
        """The store as a sink."""
        return OciLayoutSink(MemoryFiles(self.files), self.label, family=family)

    def __str__(self) -> str:
        return self.label
