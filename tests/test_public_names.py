"""The public surface: what is exported, and what importing it costs."""

from __future__ import annotations

import ast
import builtins
import collections.abc
import inspect
import json
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from importlib.metadata import version

import pytest

import oci_convert
import oci_convert.stores


def loaded_by(code: str) -> set[str]:
    """The modules that are loaded after ``code`` has run in an interpreter of its own."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_every_public_name_is_there_and_has_one_home() -> None:
    homes = [name for names in oci_convert._HOMES.values() for name in names.split()]
    assert sorted(oci_convert.__all__) == sorted(homes)
    assert dir(oci_convert) == sorted(oci_convert.__all__)
    for value in (getattr(oci_convert, name) for name in oci_convert.__all__):
        if inspect.isroutine(value) or inspect.isclass(value):
            assert value.__module__.startswith("oci_convert.")


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(oci_convert, "transmogrify")


def test_importing_the_library_loads_neither_a_command_line_nor_codecs() -> None:
    everything = f"from oci_convert import {', '.join(oci_convert.__all__)}"
    loaded = loaded_by(everything)
    unwanted = {"typer", "click", "rich", "urllib3", "zstandard", "isal", "zlib_ng", "tarfile"}
    assert "pydantic" in loaded
    assert loaded & unwanted == set()


def test_importing_the_package_alone_loads_nothing() -> None:
    assert not {"pydantic", "oci_convert.conversion"} & loaded_by("import oci_convert")


def test_the_help_needs_no_models_and_no_codecs() -> None:
    called = "import sys; sys.argv = ['oci-convert', '--help']"
    said = "from contextlib import suppress, redirect_stdout; import io"
    run = "with suppress(SystemExit), redirect_stdout(io.StringIO()):\n    main()"
    program = f"{called}\n{said}\nfrom oci_convert.__main__ import main\n{run}"
    assert not {"pydantic", "rich", "zstandard", "asyncio"} & loaded_by(program)


# -- what annotations name ----------------------------------------------------------------------

PUBLIC = {
    name: getattr(module, name)
    for module in (oci_convert, oci_convert.stores)
    for name in module.__all__
}
KNOWN = {
    *PUBLIC,
    *dir(builtins),
    *dir(typing),
    *dir(collections.abc),
    "ConfigDict",
    "Executor",
    "Path",
    "PathLike",
    "os",
}
OF_ITS_OWN = "RegistryClient.repository("
"""Speaks the protocol of registries call by call: only what stores make of it is promised."""


def annotated(name: str, value: object) -> Iterator[tuple[str, object]]:
    """Each annotation that users of a public name may read, and where it stands."""
    if not isinstance(value, type):
        yield from named(name, value)
        return
    for kind in value.__mro__:
        if not kind.__module__.startswith("oci_convert"):
            continue
        fields = inspect.get_annotations(kind)
        yield from ((f"{name}.{field}", text) for field, text in fields.items())
        for member, found in vars(kind).items():
            if not member.startswith("_") or member == "__init__":
                plain = getattr(found, "wrapped", found)  # of a property that JSON has, too
                function = plain.fget if isinstance(plain, property) else plain
                yield from named(f"{name}.{member}", getattr(function, "__func__", function))


def named(name: str, function: object) -> Iterator[tuple[str, object]]:
    function = inspect.unwrap(function) if callable(function) else function
    function = getattr(function, "func", function)  # a cached property
    for parameter, text in getattr(function, "__annotations__", {}).items():
        yield f"{name}({parameter})", text


@pytest.mark.parametrize("name", PUBLIC)
def test_what_annotations_name_is_public(name: str) -> None:
    for where, text in annotated(name, PUBLIC[name]):
        if re.search(r"[.(]_", where) or where.startswith(OF_ITS_OWN):
            continue  # what is private may be of any type
        spelled = text.__forward_arg__ if isinstance(text, typing.ForwardRef) else str(text)
        assert set(words(ast.parse(spelled, mode="eval"))) <= KNOWN, where


def words(tree: ast.AST) -> Iterator[str]:
    """The names in an annotation; of what is annotated, those of its type."""
    if isinstance(tree, ast.Name):
        yield tree.id
    elif isinstance(tree, ast.Subscript) and ast.unparse(tree.value) == "Annotated":
        assert isinstance(tree.slice, ast.Tuple)
        yield from words(tree.slice.elts[0])
    elif not (isinstance(tree, ast.Subscript) and ast.unparse(tree.value) == "Literal"):
        for below in ast.iter_child_nodes(tree):
            yield from words(below)


def test_the_version_is_that_of_the_distribution() -> None:
    assert oci_convert.__version__ == version("oci-convert")
