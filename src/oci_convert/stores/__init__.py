"""Stores: where images come from and go to."""

from oci_convert.stores.base import Holds, Root, Sink, Source
from oci_convert.stores.memory import Memory

__all__ = ["Holds", "Memory", "Root", "Sink", "Source"]
