"""The options of ``convert`` for commands that convert many images: each is written down once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from oci_convert.cli.registry_options import NAMES, Registries

if TYPE_CHECKING:
    from oci_convert.options import Options

__all__ = ["with_conversion_options"]

_NOT_OF_MANY: Final = frozenset(
    {
        *("sources", "dest", "record", "restore", "jobs", "keep_going", "verbose", "as_json"),
        *("src_creds", "dest_creds", "no_keep_original", "verify_written", "inspect_layers"),
    }
)
"""What is asked of one conversion, or means something else where there are many."""
_SPELLED: Final = {"platform": "platforms"}


def with_conversion_options(function: Callable[..., None]) -> Callable[..., None]:
    """The command ``function`` with the options of ``convert``: those for images as its argument
    ``options``, those for registries as ``registries``. What it has itself is its own.
    """
    from oci_convert.cli.commands.convert import convert

    for name in ("options", "registries"):  # no options themselves, and slow to import
        function.__annotations__.pop(name)
    own = inspect.signature(function, eval_str=True).parameters
    theirs = inspect.signature(convert, eval_str=True).parameters
    taken = {
        name: parameter
        for name, parameter in theirs.items()
        if name not in _NOT_OF_MANY and name not in own
    }

    def command(**values: Any) -> None:
        given = {name: values.pop(name) for name in taken}
        far = Registries({name: given.pop(name) for name in NAMES if name in given})
        function(options=_options(given), registries=far, **values)

    kept = [parameter for name, parameter in own.items() if name not in ("options", "registries")]
    positional = [it for it in kept if it.kind is not inspect.Parameter.KEYWORD_ONLY]
    named = [it for it in kept if it.kind is inspect.Parameter.KEYWORD_ONLY]
    parameters = [*positional, *taken.values(), *named]
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
