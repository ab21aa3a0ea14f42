"""The packages of ``CONTRIBUTING.md`` and who may import whom, read from the sources."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "src" / "oci_convert"
LEVELS = (
    {"exports", "operating_system", "text", "version"},
    {"errors", "progress"},
    {"enums", "limits", "plain"},
    {"spec"},
    {"documents", "layers"},
    {"fault_codes"},
    {"findings"},
    {"report", "transform"},
    {"options", "stores"},
    {"tree"},
    {"planning", "checks"},
    {"conversion", "verification", "comparison", "inspection", "proof"},
    {"profiles"},
    {"fleet"},
    {"__init__", "testing"},
    {"cli"},
    {"__main__"},
)
"""The packages and the modules beside them, the lowest first. Neighbours do not know each other."""
LEVEL = {package: level for level, packages in enumerate(LEVELS) for package in packages}
CODECS = {"bz2", "deflate", "gzip", "isal", "lzma", "zlib", "zlib_ng", "zstandard"}
COMMAND_ONLY = {"logging", "rich", "typer"}
PROCESSES = {"multiprocessing", "subprocess", "pty"}
NETWORK = {"http", "requests", "socket", "ssl", "urllib", "urllib3"}
COMMAND_NAMES = {"print", "input", "exit", "quit", "breakpoint"}
COMMAND_ATTRIBUTES = {
    "os": {"environ", "environb", "getenv", "_exit", "abort"},
    "sys": {"exit", "stdin", "stdout", "stderr", "argv"},
}
NOBODY = {"os": {"chdir", "fchdir", "system", "popen", "fork", "putenv"}}

TREES = {
    path.relative_to(PACKAGE).as_posix().removesuffix(".py"): ast.parse(path.read_bytes())
    for path in sorted(PACKAGE.rglob("*.py"))
}
"""Every module by its path without the suffix: ``stores/files/tar``."""


def package(module: str) -> str:
    """The folder that ``module`` is in; itself if it is in none."""
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


def test_every_package_has_its_level() -> None:
    assert {package(module) for module in TREES} == set(LEVEL)


@pytest.mark.parametrize("module", TREES)
def test_imports_go_down_only(module: str) -> None:
    here = package(module)
    for other in own(TREES[module]):
        there = package(other)
        if there != here:
            assert LEVEL[there] < LEVEL[here], f"{module} imports {other}"


def test_the_page_and_the_picture_show_these_levels() -> None:
    table = (PROJECT / "CONTRIBUTING.md").read_text("utf-8").partition("| package |")[2]
    rows = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == [*reversed(LEVELS)]
    picture = (PROJECT / "docs/images/architecture.svg").read_text("utf-8")
    boxes = re.findall(r'class="name" .* y="(\d+)">(.+)</text>', picture)
    shown = [
        {name for _, names in row for name in names.split(", ")}
        for _, row in groupby(boxes, key=itemgetter(0))
    ]
    assert shown == [*reversed(LEVELS)]


def test_the_public_names_do_not_know_the_command() -> None:
    assert not {"cli", "__main__"} & {package(other) for other in own(TREES["__init__"])}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not inside a package either, nor inside of functions."""
    imported = {name: own(tree) - {name} for name, tree in TREES.items()}
    TopologicalSorter(imported).prepare()


@pytest.mark.parametrize("module", TREES)
def test_only_compression_imports_codecs(module: str) -> None:
    assert module == "layers/compression" or not foreign(TREES[module]) & CODECS


@pytest.mark.parametrize("module", TREES)
def test_only_registries_need_a_network(module: str) -> None:
    assert module.startswith("stores/registry/") or not foreign(TREES[module]) & NETWORK


@pytest.mark.parametrize("module", [module for module in TREES if package(module) != "cli"])
def test_only_the_command_prints_reads_the_environment_and_exits(module: str) -> None:
    tree = TREES[module]
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not foreign(tree) & COMMAND_ONLY
    assert not names & COMMAND_NAMES
    assert not used(tree, COMMAND_ATTRIBUTES)
    assert "SystemExit" not in names


@pytest.mark.parametrize("module", TREES)
def test_nothing_starts_a_process_or_changes_the_directory(module: str) -> None:
    """But for the programs that keep passwords, which a user's own configuration names."""
    helpers = module == "stores/registry/credential_helpers"
    assert helpers or not foreign(TREES[module]) & PROCESSES
    assert not used(TREES[module], NOBODY)


FILES = {"fdopen", "mkstemp", "read_bytes", "read_text", "write_bytes", "write_text"}
OPENS = {"io": {"open", "open_code"}, "os": {"open", "rename", "replace", "unlink"}}
OWN_FILES = ("stores/", "cli/", "fleet/records", "fleet/results_file", "testing/")
"""Who opens files: stores those of images, the command and a fleet those that they are told to
write, and tests."""


@pytest.mark.parametrize("module", [it for it in TREES if not it.startswith(OWN_FILES)])
def test_only_stores_open_files_of_images(module: str) -> None:
    tree = TREES[module]
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not {it.id for it in called if isinstance(it, ast.Name)} & {"open"}
    assert not {it.attr for it in called if isinstance(it, ast.Attribute)} & FILES
    assert not used(tree, OPENS)


def test_importing_the_library_is_light() -> None:
    # The standard library brings zlib, bz2, lzma and logging of its own accord.
    heavy = {"asyncio", "isal", "rich", "typer", "urllib3", "zlib_ng", "zstandard"}
    code = f"import sys, oci_convert; print(sorted({heavy!r} & set(sys.modules)))"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout == "[]\n"


LONGEST = 60
"""Lines of a function: what takes more has parts, and they have names."""
ASSERTS = 10
"""What types cannot say is said by few, each with its reason."""


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Each function and its lines; those that declare options count without their signature."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            is_command = any("command" in ast.unparse(it) for it in node.decorator_list)
            first = node.body[0].lineno if is_command else node.lineno
            yield node.name, (node.end_lineno or first) - first + 1


@pytest.mark.parametrize("module", TREES)
def test_functions_are_short(module: str) -> None:
    assert not [name for name, lines in functions(TREES[module]) if lines > LONGEST]


def test_asserts_are_few_and_say_why() -> None:
    """But for the contract of stores, which is made of them: it is run as tests."""
    found = []
    for module, tree in TREES.items():
        lines = (PACKAGE / f"{module}.py").read_text("utf-8").splitlines()
        found += [
            lines[node.lineno - 1]
            for node in ast.walk(tree)
            if isinstance(node, ast.Assert) and package(module) != "testing"
        ]
    assert len(found) <= ASSERTS
    assert not [line for line in found if "  # " not in line]


MODULES_AT_START = 115
"""Modules of ours that a short conversion loads: a fifth of its time goes into loading them."""
NOT_AT_START = {
    *("email", "html", "importlib.metadata", "logging", "rich", "socket", "ssl", "tarfile"),
    *("tempfile", "urllib3", "zipfile", "zstandard"),
    *(
        "oci_convert.text.html",
        "oci_convert.documents.json_diagnosis",
        "oci_convert.conversion.restore",
        "oci_convert.planning.flattening",
    ),
    *(
        "oci_convert.stores.docker_archive",
        "oci_convert.stores.files.tar",
        "oci_convert.stores.files.memory",
    ),
    *(
        "oci_convert.stores.recognition",
        "oci_convert.stores.registry.client",
        "oci_convert.transform.schema1",
    ),
    *(
        "oci_convert.comparison",
        "oci_convert.inspection",
        "oci_convert.proof",
        "oci_convert.verification",
    ),
}
"""What only errors, other stores, other commands or notebooks need."""


def test_a_short_conversion_loads_little(tmp_path: Path) -> None:
    """Counted in modules, as time depends on the machine."""
    target = f"oci:{tmp_path}/layout:app"
    source = str(PROJECT / "testdata/docker-dir")
    code = f"""
import sys
sys.argv = ["oci-convert", "convert", {source!r}, {target!r}, "--quiet", "--no-fsync"]
from oci_convert.cli.run import main
try:
    main()
except SystemExit as end:
    print(end.code, *sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status, *modules = run.stdout.splitlines()[-1].split()
    assert status == "0"
    ours = [name for name in modules if name.partition(".")[0] == "oci_convert"]
    assert len(ours) <= MODULES_AT_START
    assert not NOT_AT_START & set(modules)


def test_every_module_says_what_it_is_and_what_it_gives() -> None:
    for module, tree in TREES.items():
        assert ast.get_docstring(tree), f"{module} has no docstring"


def test_the_check_sees_what_it_forbids() -> None:
    tree = ast.parse("import os\nfrom sys import exit\nos.getenv('A')\nos.path.join('a')\n")
    assert used(tree, COMMAND_ATTRIBUTES) == {"os.getenv", "sys.exit"}
    assert own(ast.parse("from oci_convert.stores.files import Files")) == {"stores/files/__init__"}
    assert own(ast.parse("from oci_convert.spec.digest import Digest")) == {"spec/digest"}
    assert own(ast.parse("from oci_convert import tree")) == {"tree/__init__"}
