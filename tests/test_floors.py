"""The floors of ``CONTRIBUTING.md``, read from the sources."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "oci_convert"
FLOORS = {
    "ground": 0,
    "papers": 1,
    "blobs": 2,
    "rules": 2,
    "stores": 3,
    "journey": 4,
    "cli": 5,
    "__init__": 5,
    "__main__": 5,
}
CODECS = {"bz2", "deflate", "gzip", "isal", "lzma", "zlib", "zlib_ng", "zstandard"}
DESK_ONLY = {"logging", "rich", "typer"}
PROCESSES = {"multiprocessing", "subprocess", "pty"}
DESK_NAMES = {"print", "input", "exit", "quit", "breakpoint"}
DESK_ATTRIBUTES = {
    "os": {"environ", "environb", "getenv", "_exit", "abort"},
    "sys": {"exit", "stdin", "stdout", "stderr", "argv"},
}
NOBODY = {"os": {"chdir", "fchdir", "system", "popen", "fork", "putenv"}}

TREES = {
    path.relative_to(PACKAGE).as_posix().removesuffix(".py"): ast.parse(path.read_bytes())
    for path in sorted(PACKAGE.rglob("*.py"))
}
"""Every module by its path without the suffix: ``stores/places/tar``."""


def room(module: str) -> str:
    """The folder on a floor that ``module`` is in."""
    return module.partition("/")[0]


def imports(tree: ast.Module) -> Iterator[str]:
    """The dotted name of everything that is imported, inside functions, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def own(tree: ast.Module) -> set[str]:
    """The modules of the package that are imported, by their paths."""
    found = set()
    for name in imports(tree):
        first, *parts = name.split(".")
        while first == "oci_convert":
            path = "/".join(parts)
            if path in TREES or f"{path}/__init__" in TREES or not parts:
                found.add(path if path in TREES else f"{path}/__init__".lstrip("/"))
                break
            parts.pop()
    return found


def foreign(tree: ast.Module) -> set[str]:
    """The top-level names of everything else."""
    return {name.partition(".")[0] for name in imports(tree)} - {"oci_convert"}


def used(tree: ast.Module, attributes: dict[str, set[str]]) -> set[str]:
    """Which of ``attributes`` of modules are used, as attributes or imported by name."""
    found = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.attr in attributes.get(node.value.id, ())
    }
    dotted = {f"{module}.{name}" for module, names in attributes.items() for name in names}
    return found | dotted & set(imports(tree))


def test_every_folder_has_its_floor() -> None:
    assert {room(module) for module in TREES} <= set(FLOORS)


@pytest.mark.parametrize("module", TREES)
def test_imports_go_down_only(module: str) -> None:
    here = room(module)
    for other in own(TREES[module]):
        there = room(other)
        if there != here and FLOORS[here] < 5:
            assert FLOORS[there] < FLOORS[here], f"{module} imports {other}"


def test_the_public_names_do_not_know_the_command() -> None:
    assert not {"cli", "__main__"} & {room(other) for other in own(TREES["__init__"])}


def test_no_two_modules_import_each_other() -> None:
    """Not even in a circle of several; what a function imports comes later, and on purpose."""

    def at_once(tree: ast.Module) -> ast.Module:
        return ast.Module(
            [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], []
        )

    TopologicalSorter({name: own(at_once(tree)) for name, tree in TREES.items()}).prepare()


@pytest.mark.parametrize("module", TREES)
def test_only_compression_imports_codecs(module: str) -> None:
    assert module == "blobs/compression" or not foreign(TREES[module]) & CODECS


@pytest.mark.parametrize("module", [module for module in TREES if room(module) != "cli"])
def test_only_the_command_prints_reads_the_environment_and_exits(module: str) -> None:
    tree = TREES[module]
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not foreign(tree) & DESK_ONLY
    assert not names & DESK_NAMES
    assert not used(tree, DESK_ATTRIBUTES)
    assert "SystemExit" not in names


@pytest.mark.parametrize("module", TREES)
def test_nothing_starts_a_process_or_changes_the_directory(module: str) -> None:
    assert not foreign(TREES[module]) & PROCESSES
    assert not used(TREES[module], NOBODY)


def test_importing_the_library_is_light() -> None:
    # The standard library brings zlib, bz2, lzma and logging of its own accord.
    heavy = {"asyncio", "isal", "rich", "typer", "zlib_ng", "zstandard"}
    code = f"import sys, oci_convert; print(sorted({heavy!r} & set(sys.modules)))"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout == "[]\n"


def test_every_module_says_what_it_is_and_what_it_gives() -> None:
    for module, tree in TREES.items():
        assert ast.get_docstring(tree), f"{module} has no docstring"


def test_the_check_sees_what_it_forbids() -> None:
    tree = ast.parse("import os\nfrom sys import exit\nos.getenv('A')\nos.path.join('a')\n")
    assert used(tree, DESK_ATTRIBUTES) == {"os.getenv", "sys.exit"}
    assert own(ast.parse("from oci_convert.stores.places import Place")) == {
        "stores/places/__init__"
    }
    assert own(ast.parse("from oci_convert.ground.digest import Digest")) == {"ground/digest"}
    assert own(ast.parse("from oci_convert import rules")) == {"rules/__init__"}
