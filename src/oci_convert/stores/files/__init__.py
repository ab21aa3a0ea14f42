"""Places: where the files of a store are, whatever they are made of."""

from oci_convert.stores.files.base import Files, Pending, WritableFiles
from oci_convert.stores.files.memory import MemoryFiles

__all__ = ["Files", "MemoryFiles", "Pending", "WritableFiles"]
