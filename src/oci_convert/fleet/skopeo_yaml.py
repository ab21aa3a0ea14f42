"""The YAML file of ``skopeo sync``: hosts, their repositories, and which tags of them.

Its grammar is that of the manual of skopeo (*YAML file content*). Credentials and TLS settings in
it are not used: they are options here, and :func:`unused` names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from oci_convert.errors import OciConvertError, UsageError
from oci_convert.fleet.tags import TagChoice, Unlisted, compiled, images_in
from oci_convert.fleet.yaml_files import document, lines
from oci_convert.stores.files.system import cannot_read
from oci_convert.stores.registry.reference import (
    SCHEME,
    ImageReference,
    parse_source,
)

__all__ = ["Unused", "images_of", "unused", "wanted"]

_SETTINGS: Final = ("credentials", "tls-verify", "cert-dir")
_NOTHING: Final[tuple[Any, ...]] = (None, "", "~", "null", [])
"""What stands where nothing is said; scalars are texts here."""
_FALSE: Final = ("false", "no", "off")


class Unused(NamedTuple):
    """A setting of a registry that has no effect here; what it says may be secret."""

    line: int
    host: str
    name: str
    """``credentials``, ``tls-verify`` or ``cert-dir``."""


def unused(path: Path) -> Iterator[Unused]:
    """The settings in the file that would change something, in their order.

    Raises as :func:`wanted` does.
    """
    text = _text(path)
    content = _mapping(document(text, str(path)), "", path)
    where = lines(text, depth=2)
    for host, registry in content.items():
        for name, value in _mapping(registry, host, path).items():
            # Certificates are checked anyway.
            is_false = str(value).lower() in _FALSE
            has_effect = is_false if name == "tls-verify" else value not in (*_NOTHING, {})
            if name in _SETTINGS and has_effect:
                yield Unused(where.get((host, name), 1), host, name)


def wanted(path: Path) -> list[tuple[str, str | None]]:
    """A reference for each entry of the file, with the pattern of its tags.

    Raises :class:`UsageError` (``invalid-job``) for what is no such file.
    """
    content = document(_text(path), str(path))
    return list(_wanted(_mapping(content, "", path), path))


def images_of(path: Path, choice: TagChoice) -> Iterator[ImageReference | Unlisted]:
    """Every image that the file means; raises as :func:`wanted` does, before it asks anything."""
    for text, pattern in wanted(path):
        yield from images_in(text, choice if pattern is None else TagChoice(f".*(?:{pattern}).*"))


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise cannot_read(
            "file", error, str(path), "give a file of skopeo sync, a folder, or a reference"
        ) from error


def _wanted(content: Mapping[str, Any], path: Path) -> Iterator[tuple[str, str | None]]:
    """A reference for each entry, with the pattern of its tags."""
    for host, registry in content.items():
        parts = _mapping(registry, host, path)
        for name, part in parts.items():
            if name == "images":
                for repository, tags in _mapping(part, f"{host}: images", path).items():
                    yield from _listed(f"{SCHEME}{host}/{repository}", tags, path)
            elif name == "images-by-tag-regex":
                for repository, pattern in _mapping(part, f"{host}: {name}", path).items():
                    compiled(str(pattern), f"{path}: {host}: {repository}")
                    yield f"{SCHEME}{host}/{repository}:*", str(pattern)
            elif name not in _SETTINGS:
                raise _invalid(f"{name} is not known here", f"{path}: {host}")


def _listed(repository: str, tags: object, path: Path) -> Iterator[tuple[str, str | None]]:
    if tags in _NOTHING:
        yield _checked(f"{repository}:*", path), None
        return
    texts = [tags] if isinstance(tags, str) else tags
    if not isinstance(texts, list):
        raise _invalid(f"the tags of {repository} are no list", str(path))
    for text in texts:
        yield _checked(f"{repository}{'@' if ':' in str(text) else ':'}{text}", path), None


def _checked(text: str, path: Path) -> str:
    try:
        parse_source(text)
    except OciConvertError as error:
        raise error.at(str(path)) from None
    return text


def _mapping(value: object, what: str, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _invalid(f"{what or 'the file'} is no mapping", str(path))
    return {str(name): member for name, member in value.items()}


def _invalid(message: str, where: str) -> UsageError:
    return UsageError(
        message,
        code="invalid-job",
        where=where,
        remedy="the manual of skopeo sync says what is in such a file",
    )
