"""Names of the images in a layout: given, changed and taken away, while every blob stays."""

from __future__ import annotations

from abc import ABC, abstractmethod

from oci_convert.errors import located
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor
from oci_convert.stores.base import Source
from oci_convert.stores.contents import INDEX
from oci_convert.stores.files.base import WritableFiles
from oci_convert.stores.files.system import system_errors
from oci_convert.stores.layout_index_text import IndexReader
from oci_convert.stores.oci_layout import OciLayoutSink

__all__ = ["LayoutNames"]


class LayoutNames(ABC):
    """A layout whose images can be renamed.

    ``ref`` is what stands behind a reference: a name, ``@N``, or a digest. Names that other images
    have go over to the new one. Only what lists the images is written, at once and under the lock
    of the layout; blobs are neither moved nor removed. All raise :class:`StoreError`
    (``unknown-reference``, ``ambiguous-reference``) and return the descriptor of the image.
    """

    _reader: IndexReader

    def tag(self, ref: str, name: str) -> Descriptor:
        """Call an image ``name``, too."""
        return self._rename(ref, name, keep=True)

    def retag(self, ref: str, name: str) -> Descriptor:
        """Call an image ``name`` from now on; other names of it stay."""
        return self._rename(ref, name)

    def untag(self, ref: str) -> Descriptor:
        """Take the name from an image: it is no longer listed under it."""
        return self._rename(ref, None)

    @abstractmethod
    def source(self) -> Source:
        """Open it for reading."""

    @abstractmethod
    def _writable(self) -> WritableFiles:
        """Its files, to be written to by one run."""

    def _rename(self, ref: str, name: str | None, *, keep: bool = False) -> Descriptor:
        with system_errors():
            with self.source() as source:  # nothing is written where there is no layout
                label = source.label
            files = self._writable()
            family = Family.OCI_RC2 if files.size(INDEX) is None else Family.OCI
            with (
                located(label),
                OciLayoutSink(files, label, family=family, reader=self._reader) as sink,
            ):
                return sink.rename(ref, name, keep=keep)
