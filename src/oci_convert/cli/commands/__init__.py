"""The commands: each turns its arguments into one call of the library and shows the answer."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from typer.models import CommandInfo

from oci_convert.cli.app import app

__all__ = ["NAMES", "load", "name_of"]

_MODULES: Final = {
    "convert": "convert",
    "sync": "sync",
    "batch": "batch",
    "report": "report",
    "check": "check",
    "profiles": "profiles",
    "inspect": "inspect",
    "verify": "verify",
    "diff": "diff",
    "prove": "prove",
    "repin": "repin",
    "translate": "translate",
    "media-types": "media_types",
    "help": "help",
}
"""Where each command is, in the order of the help."""
NAMES: Final = tuple(_MODULES)


def load(arguments: Sequence[str]) -> None:
    """Register the command that a command line begins with; all of them if it names none.

    To describe its options to typer takes a command longer than to convert a small image.
    """
    named = _MODULES.get(arguments[0]) if arguments else None
    for module in _MODULES.values() if named is None else (named,):
        import_module(f"{__name__}.{module}")
    # A command that was imported before is at the front.
    app.registered_commands.sort(key=lambda command: NAMES.index(name_of(command)))


def name_of(command: CommandInfo) -> str:
    """What a registered command is called."""
    return str(command.name or getattr(command.callback, "__name__", ""))
