"""The options of commands that convert many images: each is written down once, here or there."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from oci_convert.cli.many import How
from oci_convert.cli.registry_options import NAMES, Registries

if TYPE_CHECKING:
    from oci_convert.options import Options

__all__ = ["with_options_of_many"]

_NOT_OF_MANY: Final = frozenset(
    {
        *("sources", "dest", "record", "restore", "jobs", "keep_going", "verbose"),
        *("tags", "as_json", "quiet"),
    }
)
"""What is asked of one conversion, or means something else where there are many."""
_SPELLED: Final = {"platform": "platforms"}
_MADE: Final = ("options", "registries", "how")
"""Parameters that stand for many options."""


def with_options_of_many(function: Callable[..., None]) -> Callable[..., None]:
    """The command ``function`` with the options of ``convert``: those for images as its argument
    ``options``, those for registries as ``registries``; and with those of :class:`How` as ``how``.
    """
    from oci_convert.cli.commands.convert import convert

    for name in _MADE:  # no options themselves, and slow to import
        function.__annotations__.pop(name)
    own = inspect.signature(function, eval_str=True).parameters
    one = inspect.signature(convert, eval_str=True).parameters
    taken = {name: it for name, it in one.items() if name not in _NOT_OF_MANY}
    many = inspect.signature(How, eval_str=True).parameters
    kept = {name: it for name, it in own.items() if name not in _MADE}

    def command(**values: Any) -> None:
        given = {name: values[name] for name in taken}
        function(
            options=_options(given),
            registries=Registries({name: given[name] for name in NAMES if name in given}),
            how=How(**{name: values[name] for name in many}),
            **{name: values[name] for name in kept},
        )

    only_many = {name: it for name, it in many.items() if name not in taken}
    parameters = sorted({**taken, **only_many, **kept}.values(), key=lambda it: it.kind)
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {it.name: it.annotation for it in parameters}
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command


def _options(given: dict[str, Any]) -> Options:
    from oci_convert.options import Options

    values: dict[str, Any] = {_SPELLED.get(name, name): value for name, value in given.items()}
    values["platforms"] = values.get("platforms") or ()
    values["fsync"] = not values.pop("no_fsync")
    known = {field.name for field in fields(Options)}
    return Options(**{name: value for name, value in values.items() if name in known})
