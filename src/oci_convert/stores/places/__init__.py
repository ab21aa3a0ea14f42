"""Places: where the files of a store are, whatever they are made of."""

from oci_convert.stores.places.base import Pending, Place, WritablePlace
from oci_convert.stores.places.memory import MemoryPlace

__all__ = ["MemoryPlace", "Pending", "Place", "WritablePlace"]
