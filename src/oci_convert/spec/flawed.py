"""Manifests and indexes that may break their specification: what is wrong, and what can be seen.

``settle`` is told of each fault, at its place. Whoever converts lets it raise; who looks at what is
broken lets it go on, and sees all but that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field, PrivateAttr, ValidationError

from oci_convert.errors import DocumentError, OciConvertError, Settle
from oci_convert.spec.digest import Digest
from oci_convert.spec.models import Descriptor, Model, sentence

__all__ = ["Flawed", "described", "tolerated"]

D = TypeVar("D", bound=Model)

_TRIPLE: Final = ("mediaType", "digest", "size")
_ABSENT: Final = object()
_SINGLE: Final[Sequence[str]] = ("config", "subject")
_LISTS: Final[Sequence[str]] = ("layers", "manifests")


class Flawed(Descriptor, frozen=True):
    """What stands for a descriptor that does not say what, which or how large its blob is.

    It holds what is stated as it is stated, also a digest that is none; what is not stated is empty
    or zero. Nothing is ever written from it.
    """

    media_type: str = ""
    digest: str = ""
    size: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    _flaws: tuple[OciConvertError, ...] = PrivateAttr(())

    @classmethod
    def of(cls, stated: Mapping[str, Any], flaws: Sequence[OciConvertError]) -> Flawed:
        """What stands for a descriptor that ``stated`` is left of, because of its ``flaws``."""
        made = cls.model_validate(stated)
        object.__setattr__(made, "__pydantic_private__", {"_flaws": tuple(flaws)})
        return made

    @property
    def flaws(self) -> tuple[OciConvertError, ...]:
        """What is wrong with it: at least one error."""
        return self._flaws

    @property
    def identified(self) -> bool:
        """Whether it says which blob is meant."""
        try:
            return bool(Digest(self.digest))
        except DocumentError:
            return False

    @property
    def name(self) -> Digest:
        """The digest, typed; raises what is wrong with it."""
        if not self.identified:
            raise self._flaws[0]
        return Digest(self.digest)


def tolerated(model: type[D], value: Mapping[str, Any], where: str, settle: Settle) -> D:
    """A manifest or an index, as far as it can be read; every descriptor stands in its place."""
    try:
        return model.model_validate(value)
    except ValidationError:
        found = dict(value)
    fields = model.model_fields
    for single in (name for name in _SINGLE if name in fields):
        if found.get(single) or single == "config":
            found[single] = described(found.get(single, _ABSENT), _place(where, single), settle)
    for several in (name for name in _LISTS if name in fields):
        if isinstance(found.get(several), list):
            found[several] = [
                described(item, _place(where, f"{several}[{i}]"), settle)
                for i, item in enumerate(found[several])
            ]
    found, _ = _pruned(model, found, where, settle)
    return model.model_validate({"schemaVersion": 2, **found})


def described(value: Any, where: str, settle: Settle) -> Descriptor:
    """A descriptor as far as it can be read: a :class:`Flawed` one if it names no blob."""
    if not isinstance(value, dict):
        message = "this is missing" if value is _ABSENT else "this must be an object"
        error = DocumentError(message, code="invalid-document", where=where)
        settle(error, "")
        return Flawed.of({}, [error])
    found, flaws = _pruned(Descriptor, value, where, settle)
    if all(name in found for name in _TRIPLE):
        return Descriptor.model_validate(found)
    digest = value.get("digest")
    return Flawed.of(found | ({"digest": digest} if isinstance(digest, str) else {}), flaws)


def _pruned(
    model: type[Model],
    value: Mapping[str, Any],
    where: str,
    settle: Settle,
) -> tuple[dict[str, Any], list[DocumentError]]:
    """The members that break nothing, and what is wrong with the others: each is noted."""
    found, flaws = dict(value), list[DocumentError]()
    pruned = set[tuple[str | int, ...]]()
    for detail in _faults(model, found):
        place = _without(found, detail["loc"])
        if place not in pruned:
            pruned.add(place)
            message = sentence(detail)
            code = "invalid-digest" if "is not a digest" in message else "invalid-document"
            flaws.append(DocumentError(message, code=code, where=where))
            settle(flaws[-1], "")
    # What is left of an object may lack what was taken from it.
    while lacking := [it["loc"] for it in _faults(model, found) if it["loc"][0] in found]:
        for path in lacking:
            _without(found, path)
    return found, flaws


def _faults(model: type[Model], value: Mapping[str, Any]) -> Sequence[Any]:
    """What breaks ``model``, as pydantic tells it."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        return error.errors(include_url=False)
    return ()


def _without(members: dict[str, Any], path: Sequence[str | int]) -> tuple[str | int, ...]:
    """Take the innermost member away that can go alone; returns its path.

    A list goes as a whole, and an object that lacks something.
    """
    name, *rest = path
    inner = members.get(str(name))
    if rest and isinstance(inner, dict) and rest[0] in inner:
        members[str(name)] = inner = dict(inner)
        return name, *_without(inner, rest)
    members.pop(str(name), None)
    return (name,)


def _place(where: str, name: str) -> str:
    return f"{where}.{name}".lstrip(".")
