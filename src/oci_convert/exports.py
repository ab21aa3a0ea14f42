"""Public names that are imported when they are first used, so that importing stays fast."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy"]


def lazy(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of ``package``.

    ``homes`` says which names a module has, with spaces between them. Modules are named within
    ``oci_convert``.
    """
    modules = {name: module for module, names in homes.items() for name in names.split()}

    def attribute(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"oci_convert.{modules[name]}"), name)
        vars(sys.modules[package])[name] = value
        return value

    return attribute, lambda: sorted(modules)
