"""Stores: where images come from and go to."""

from oci_convert.stores.base import Capabilities, Root, Sink, Source
from oci_convert.stores.memory import Memory

__all__ = ["Capabilities", "Memory", "Root", "Sink", "Source"]
