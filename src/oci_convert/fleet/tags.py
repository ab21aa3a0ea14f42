"""The tags of repositories, and which of them are meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from oci_convert.errors import OciConvertError, StoreError, UsageError
from oci_convert.stores.registry.reference import (
    SCHEME,
    EveryRepository,
    EveryTag,
    ImageReference,
    Repository,
    parse_source,
)

__all__ = ["TagChoice", "Unlisted", "compiled", "images_in"]

_COMPANION: Final = re.compile(r"sha(?:256|512)-[0-9a-f]{64}.*")
"""Tags that stand for what refers to an image: they are converted with it, or not at all."""
_SHOWN: Final = 80
_PARTS: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class TagChoice:
    """Which tags are meant; patterns match a whole tag."""

    include: str | None = None
    exclude: str | None = None
    newest: int | None = None
    """Only the last so many in the order of versions: 1.10 comes after 1.9."""

    def __post_init__(self) -> None:
        compiled(self.include, "tags")
        compiled(self.exclude, "exclude_tags")

    def of(self, tags: list[str]) -> list[str]:
        """Those of ``tags`` that are meant, in the order of versions."""
        wanted, unwanted = (
            compiled(self.include, "tags"),
            compiled(self.exclude, "exclude_tags"),
        )
        found = [
            tag
            for tag in tags
            if not _COMPANION.fullmatch(tag)
            and (wanted is None or wanted.fullmatch(tag))
            and (unwanted is None or not unwanted.fullmatch(tag))
        ]
        found.sort(key=_version)
        return found if self.newest is None else found[-self.newest :]


def compiled(pattern: str | None, where: str) -> re.Pattern[str] | None:
    """A regular expression; raises :class:`UsageError` (``invalid-option``)."""
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"{pattern!r} is no regular expression: {error.msg}",
            code="invalid-option",
            where=where,
            remedy=r"write one as in Python: 1\.[0-9]+",
        ) from error


def _version(tag: str) -> list[tuple[bool, int, str]]:
    """What tags are ordered by: numbers by their value."""
    return [
        (part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _PARTS.split(tag)
    ]


@dataclass(frozen=True, slots=True)
class Unlisted:
    """What could not be listed, and why."""

    reference: str
    """Every tag of a repository, or every repository."""
    error: OciConvertError


def images_in(text: str, choice: TagChoice) -> Iterator[ImageReference | Unlisted]:
    """The images that a reference to a registry means: one, every tag, or every repository.

    A repository that cannot be listed is no end of the others.
    """
    reference = parse_source(text)
    if isinstance(reference, ImageReference):
        yield reference
        return
    from oci_convert.stores.registry.image import image_of

    client = image_of(text).client
    if isinstance(reference, EveryTag):
        every = [text]
    else:
        try:
            names = client.catalog(reference.host)
        except OciConvertError as error:
            yield Unlisted(text, error)
            return
        every = [f"{SCHEME}{reference.host}/{it}:*" for it in names if _is_below(it, reference)]
    for each in every:
        try:
            repository = _repository(each)
            tags = choice.of(client.repository(repository).tags())
        except OciConvertError as error:
            yield Unlisted(each, error)
            continue
        for tag in tags:
            yield ImageReference(repository, tag)


def _repository(every_tag: str) -> Repository:
    """The repository of which every tag is meant, as registries write them in their catalogs."""
    try:
        found = parse_source(every_tag)
    except UsageError:
        found = None
    if isinstance(found, EveryTag):
        return found.repository
    host, _, name = every_tag.removeprefix(SCHEME).removesuffix(":*").partition("/")
    raise StoreError(
        f"the registry lists {name[:_SHOWN]!r}, which is no name of a repository",
        code="bad-registry-answer",
        where=host,
        remedy="the registry, or a proxy before it, may be broken",
    )


def _is_below(name: str, every: EveryRepository) -> bool:
    return not every.prefix or name.startswith(f"{every.prefix}/")
