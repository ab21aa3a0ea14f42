"""The files of a store: in a directory, in a tar file, or in memory."""

from oci_convert.stores.files.base import Files, Pending, WritableFiles

__all__ = ["Files", "Pending", "WritableFiles"]
