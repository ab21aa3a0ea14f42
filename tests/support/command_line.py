"""The command line as a page of the documentation: what every command takes, from its signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

from oci_convert.cli.app import app
from oci_convert.cli.commands import load, name_of
from oci_convert.cli.help import EXAMPLE

__all__ = ["commands", "markdown", "options"]

_HEAD = """\
# Command line

Generated from `oci_convert.cli`; every command says the same with `--help`, and
`oci-convert --version` prints the version. How sources and targets are spelled is told in
[Stores and references](concepts/stores.md), what the exit status says in
[Exit status](exit-status.md).
"""

_Info = ArgumentInfo | OptionInfo


def commands() -> dict[str, Callable[..., Any]]:
    """The function of every command, in the order of the help."""
    load(())
    return {name_of(it): it.callback for it in app.registered_commands if it.callback is not None}


def options(command: Callable[..., Any]) -> frozenset[str]:
    """Every spelling of every option of a command."""
    named = {"--help", "-h"}
    for name, info, _, _ in _parameters(command):
        if isinstance(info, OptionInfo):
            named.update(_spellings(name, info))
    return frozenset(named)


def markdown() -> str:
    """``docs/command-line.md``."""
    lines = [_HEAD]
    for name, command in commands().items():
        lines += [f"## {name}", "", *_section(name, command)]
    return "\n".join(lines).rstrip() + "\n"


def _section(name: str, command: Callable[..., Any]) -> Iterator[str]:
    parameters = list(_parameters(command))
    places = [info.metavar for _, info, _, _ in parameters if isinstance(info, ArgumentInfo)]
    yield f"`oci-convert {' '.join([name, *filter(None, places), '[OPTIONS]'])}`"
    yield ""
    for paragraph in inspect.cleandoc(command.__doc__ or "").split("\n\n"):
        text, _, example = " ".join(paragraph.split()).partition(EXAMPLE)
        if text:
            yield from (text.strip(), "")
        if example:
            yield from (f"{EXAMPLE}`{example}`", "")
    ended = next(it.epilog for it in app.registered_commands if it.callback is command)
    yield f"Exit status: {ended}."
    yield ""
    yield "| | value | default | |"
    yield "|---|---|---|---|"
    for parameter in parameters:
        yield f"| {' | '.join(_row(*parameter))} |"
    yield ""


def _row(name: str, info: _Info, kind: object, default: object) -> tuple[str, ...]:
    if isinstance(info, ArgumentInfo):
        spelled, value = f"`{info.metavar}`", ""
    else:
        spelled = ", ".join(f"`{spelling}`" for spelling in _spellings(name, info))
        value = f"`{info.metavar}`" if info.metavar else _value(kind)
    required = default is inspect.Parameter.empty
    return spelled, value, "required" if required else _default(default), _help(info)


def _help(info: _Info) -> str:
    text = info.help or ""
    return f"{text} Environment: `{info.envvar}`." if info.envvar else text


def _default(default: object) -> str:
    if default is None or default is False or default == "":
        return ""
    return f"`{default.value if isinstance(default, Enum) else default}`"


def _value(kind: object) -> str:
    """What stands for the value of an option; nothing for a flag."""
    if kind is bool:
        return ""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    return "`N`" if kind is int else "`TEXT`"


def _spellings(name: str, info: OptionInfo) -> list[str]:
    # In an annotation, the first spelling stands where a default would.
    spelled = (info.default, *(info.param_decls or ()))
    return [text for text in spelled if isinstance(text, str)] or [
        f"--{name.strip('_').replace('_', '-')}"
    ]


def _parameters(
    command: Callable[..., Any],
) -> Iterator[tuple[str, _Info, object, object]]:
    """Name, description, type and default of each parameter."""
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        hint = hints[name]
        if get_origin(hint) is Annotated:
            kind, info, *_ = get_args(hint)
            yield name, info, _without_none(kind), parameter.default


def _without_none(kind: object) -> object:
    """The type itself of one that may be absent, or repeated."""
    kinds = [each for each in get_args(kind) if each is not NoneType]
    return _without_none(kinds[0]) if kinds else kind
