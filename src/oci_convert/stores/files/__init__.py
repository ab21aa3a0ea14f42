"""The files of a store: in a directory, in a tar file, or in memory."""

from oci_convert.stores.files.base import Files, Pending, WritableFiles
from oci_convert.stores.files.memory import MemoryFiles

__all__ = ["Files", "MemoryFiles", "Pending", "WritableFiles"]
