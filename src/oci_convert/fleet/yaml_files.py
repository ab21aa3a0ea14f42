"""YAML: read where PyYAML is installed, which nothing else here needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from oci_convert.errors import UsageError

__all__ = ["document", "entries", "lines"]

_TEXT: Final = "tag:yaml.org,2002:str"
_MERGE: Final = "tag:yaml.org,2002:merge"


def entries(text: str, name: str, typed: str) -> Iterator[tuple[int, Any]]:
    """The entries of a list in YAML, each with its line; an error for one that says nothing.

    Members of an entry are the text that stands there, but for what stands below ``typed``.
    """
    yaml = _yaml(name)
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.SequenceNode):
            raise _invalid("the YAML is no list of jobs", name)
        for item in node.value:
            for key, value in item.value if isinstance(item, yaml.MappingNode) else ():
                if isinstance(value, yaml.ScalarNode) and key.value != typed:
                    value.tag = _TEXT
            try:
                entry = loader.construct_object(item, deep=True)
            except Exception as error:  # a value that is none of its type has it raise anything
                entry = _invalid(_told(error), "")
            yield item.start_mark.line + 1, entry
    except (yaml.YAMLError, RecursionError) as error:
        raise _invalid(_told(error), name) from error
    finally:
        loader.dispose()


def document(text: str, name: str) -> Any:
    """What a YAML document says, in which every scalar is the text that stands there: ``1.10``.

    Raises :class:`UsageError` (``invalid-job``, ``no-yaml``).
    """
    yaml = _yaml(name)
    every = yaml.SafeLoader.yaml_implicit_resolvers
    merges = {first: [it for it in every[first] if it[0] == _MERGE] for first in every}
    loader: Any = type("Texts", (yaml.SafeLoader,), {"yaml_implicit_resolvers": merges})
    try:
        return yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _invalid(_told(error), name) from error


def lines(text: str, depth: int) -> dict[tuple[str, ...], int]:
    """In which line the members of a document stand that :func:`document` reads, by their paths.

    Those of mappings in mappings, ``depth`` of them.
    """
    import yaml

    found: dict[tuple[str, ...], int] = {}

    def seek(node: Any, path: tuple[str, ...]) -> None:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            inner = (*path, str(key.value))
            if len(inner) == depth:
                found[inner] = key.start_mark.line + 1
            else:
                seek(value, inner)

    seek(yaml.compose(text, Loader=yaml.SafeLoader), ())
    return found


def _yaml(name: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise UsageError(
            "YAML needs PyYAML, which is not installed",
            code="no-yaml",
            where=name,
            remedy='pip install "oci-convert[yaml]", or write JSON Lines',
        ) from error
    return yaml


def _told(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    return "this is no YAML" + ("" if mark is None else f" from line {mark.line + 1} on")


def _invalid(message: str, name: str) -> UsageError:
    return UsageError(
        message,
        code="invalid-job",
        where=name,
        remedy="a list of jobs has entries with source and destination",
    )
