"""Plain data: what verbs return, as JSON.

A class is the one definition of its JSON: of what is written, of what is read back, and of the
schemas in ``docs/schema``, which are made from the classes.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

from oci_convert.text.brief import Brief

__all__ = ["Plain", "adapter", "dumped", "spelled_out"]

T = TypeVar("T")

_adapters: dict[type, TypeAdapter[Any]] = {}


def adapter(kind: type[T]) -> TypeAdapter[T]:
    """What writes and reads values of ``kind``; made when it is first needed."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


class Plain(Brief):
    """A dataclass that goes to JSON: its fields, and the properties that are marked as computed."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """The value as plain data, as its schema in ``docs/schema`` says."""
        members: dict[str, Any] = spelled_out(dumped(self))
        return members


def dumped(value: Plain, exclude: set[str] | None = None) -> dict[str, Any]:
    """``value`` as plain data, without some of its members."""
    members: dict[str, Any] = adapter(type(value)).dump_python(
        value, mode="json", by_alias=True, exclude_unset=True, exclude=exclude
    )
    return members


def spelled_out(value: Any) -> Any:
    """Plain data that every reader of JSON takes: paths may hold bytes that are no text."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {spelled_out(name): spelled_out(member) for name, member in value.items()}
    return [spelled_out(item) for item in value] if isinstance(value, list) else value
