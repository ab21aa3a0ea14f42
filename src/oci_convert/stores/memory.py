"""A store in memory: an OCI layout in a dict, for conversions without a disk."""

from __future__ import annotations

from oci_convert.errors import located
from oci_convert.spec.media_types import Family
from oci_convert.stores.base import Sink, SinkOptions, Source, SourceOptions
from oci_convert.stores.files.memory import Held, MemoryFiles
from oci_convert.stores.layout_index_text import IndexReader
from oci_convert.stores.layout_names import LayoutNames
from oci_convert.stores.oci_layout import OciLayoutSink, OciLayoutSource
from oci_convert.text.brief import brief

__all__ = ["Memory"]


class Memory(LayoutNames):
    """An OCI layout in memory; the source or the destination of a conversion, or both.

    ``files`` are the files of the layout by name (``index.json``, ``blobs/sha256/…``), ``ref`` is
    the one image that is meant, or what the one image is to be called. Several threads may use one
    ``Memory``; two objects over one ``dict`` know nothing of each other. A copy has files of its
    own.
    """

    label = "memory"
    default_family = Family.OCI

    def __init__(self, files: dict[str, bytes] | None = None, ref: str | None = None) -> None:
        self._held = Held({} if files is None else files)
        self._reader = IndexReader()
        self.ref = ref

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the layout, by name."""
        return self._held.files

    def image(self, ref: str) -> Memory:
        """One image of this very store: the one of that name, or one that is to have it."""
        one = Memory(ref=ref)
        one._held, one._reader = self._held, self._reader
        return one

    def source(self, options: SourceOptions = SourceOptions()) -> Source:
        """Open it for reading."""
        with located(self.label):
            return OciLayoutSource(self._writable(), self.label, self._reader)

    def sink(self, options: SinkOptions = SinkOptions()) -> Sink:
        """Open it for writing."""
        with located(self.label):
            return OciLayoutSink(
                self._writable(), self.label, family=options.family, reader=self._reader
            )

    def _writable(self) -> MemoryFiles:
        return MemoryFiles(held=self._held)

    def __reduce__(self) -> tuple[type[Memory], tuple[dict[str, bytes], str | None]]:
        with self._held.lock:
            return Memory, (dict(self.files), self.ref)

    def __str__(self) -> str:
        return self.label if self.ref is None else f"{self.label}:{self.ref}"

    def __repr__(self) -> str:
        named = "" if self.ref is None else f", ref={brief(self.ref)}"
        return f"Memory(<{len(self.files)} files>{named})"
