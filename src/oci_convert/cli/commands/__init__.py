"""The commands: each turns its arguments into one call of the library and shows the answer."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from typer.models import CommandInfo

from oci_convert.cli.app import app

__all__ = ["NAMES", "load", "name_of"]

NAMES: Final = (
    *("convert", "sync", "batch", "report", "check", "profiles", "inspect", "verify"),
    *("diff", "prove", "repin", "translate", "media-types", "help"),
)
"""The commands, in the order of the help; each is in the module of its name."""


def load(arguments: Sequence[str]) -> None:
    """Register the command that a command line begins with; all of them if it names none.

    To describe its options to typer takes a command longer than to convert a small image.
    """
    named = arguments[0] if arguments else ""
    for name in (named,) if named in NAMES else NAMES:
        import_module(f"{__name__}.{name.replace('-', '_')}")
    # A command that was imported before is at the front.
    app.registered_commands.sort(key=lambda command: NAMES.index(name_of(command)))


def name_of(command: CommandInfo) -> str:
    """What a registered command is called."""
    return str(command.name or getattr(command.callback, "__name__", ""))
