"""The library speaks of its arguments, and the command of its options."""

from __future__ import annotations

import ast
import pickle
import re
from dataclasses import fields
from inspect import signature
from pathlib import Path

import pytest

import oci_convert
from oci_convert import Options, check, convert, convert_many, prove, translate, verify
from oci_convert.cli.spelling import as_option, line_of_error, spelled
from oci_convert.errors import UsageError
from oci_convert.findings import CODES
from oci_convert.limits import Limits
from oci_convert.stores import RegistryOptions
from oci_convert.text.wording import Wording
from support import command_line

PACKAGE = Path(oci_convert.__file__).parent
LIBRARY = [path for path in sorted(PACKAGE.rglob("*.py")) if "cli" not in path.parts]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OTHERS = {"xz --format=lzma"}
"""Words of the library that are options of other programs."""
MARKED = re.compile(r"\{(\w(?:[^{}]|\{[^{}]*\})*)\}")
CALLABLE = (check, convert, convert_many, prove, translate, verify)
KNOWN = {
    *(field.name for kind in (Options, RegistryOptions) for field in fields(kind)),
    *(name for call in CALLABLE for name in signature(call).parameters),
    *("Auth.basic", "Auth.from_file", "limit"),
}
CALLS = ("limited(", "convert(", "convert_many(", "dumps(", "Report.dumps(")


def texts(path: Path) -> list[str]:
    """Every text of a module, docstrings, too; what is filled in is ``x``."""
    found = []
    inside: set[int] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.JoinedStr):
            inside.update(map(id, node.values))
            parts = [v.value if isinstance(v, ast.Constant) else "x" for v in node.values]
            found.append("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [] if id(node) in inside else [node.value]
    return found


def arguments() -> set[str]:
    """Everything that is marked as an argument somewhere in the library."""
    found = {code for code in CODES.values() for code in MARKED.findall(code.advice + code.meaning)}
    for path in LIBRARY:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Wording":
                [text] = node.args
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                whole = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts
                )
                found.update(MARKED.findall(whole.replace("{xs=", "{signatures=")))
    return found


def test_no_option_is_named_outside_of_the_command() -> None:
    named = {(path.name, text) for path in LIBRARY for text in texts(path) if OPTION.search(text)}
    assert {text for _, text in named} <= OTHERS, named


def test_every_argument_is_one_of_the_library_and_an_option_of_the_command() -> None:
    options = {"--debug"} | {
        option for it in command_line.commands().values() for option in command_line.options(it)
    }
    marked = arguments() - {"x"}
    assert len(marked) > 20
    for argument in marked:
        name = argument.partition("=")[0]
        assert name in KNOWN or argument.startswith(CALLS), argument
        spelled = as_option(argument)
        named = OPTION.findall(spelled)
        assert named or spelled.startswith("oci-convert "), argument
        assert set(named) <= options, argument


def test_every_limit_is_an_option() -> None:
    for limit in fields(Limits):
        spelling = limit.name.replace("_", "-")
        assert as_option(f"limited({limit.name}=…)") == f"--limit {spelling}=…"


@pytest.mark.parametrize(
    ("marked", "library", "command"),
    [
        ("{force=True} replaces it", "force=True replaces it", "--force replaces it"),
        ('use {to="oci"}', 'use to="oci"', "use --to oci"),
        ("choose with {platforms=…}", "choose with platforms=…", "choose with --platform"),
        ('{insecure={"a:5000"}}', 'insecure={"a:5000"}', "--insecure a:5000"),
        ('{rates={"a": N}}', 'rates={"a": N}', "--rate a=N/s"),
        ('{convert(…, "-", to="oci")} | load', 'convert(…, "-", to="oci") | load',
         "oci-convert convert … - --to oci | load"),
        ("{chunk=SIZE} sends", "chunk=SIZE sends", "--chunk SIZE sends"),
        ("ours ({certificate=…})", "ours (certificate=…)", "ours (--cert)"),
        ("no {} and { force }", "no {} and { force }", "no {} and { force }"),
    ],
)  # fmt: skip
def test_a_text_has_two_spellings(marked: str, library: str, command: str) -> None:
    text = Wording(marked)
    assert text == library
    assert spelled(text) == command
    assert spelled(pickle.loads(pickle.dumps(text))) == command
    assert spelled(library) == library  # what is not marked is a text like any other


def test_an_error_speaks_to_whoever_reads_it() -> None:
    with pytest.raises(UsageError) as caught:
        convert("a", "b", to="OCI")
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.where, str(error)[:4]) == ("to", "to: ")
    assert line_of_error(error).startswith("--to: 'OCI' is not a choice")
    with pytest.raises(UsageError, match=r'add to="docker" or to="oci"') as caught:
        convert("dir:a", "dir:b")
    assert line_of_error(caught.value).endswith("add --to docker or --to oci")
