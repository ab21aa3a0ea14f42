"""The errors of the library as a page of the documentation: every code, from where it is raised."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import oci_convert

__all__ = ["markdown"]

_SOURCES: Final = Path(oci_convert.__file__).parent
_HEAD: Final = """\
# Errors

Generated from the sources. An error is one line: where, what, and what to do. The command prints
it on standard error and ends with status 2 for a `UsageError`, 1 for all others. In the library
every error is an `OciConvertError` with `code`, `where`, `message` and `remedy`: programs look at
the code, which is stable, never at the text.

| class | meaning |
|---|---|
| `UsageError` | the call itself is wrong: a reference, an option, a combination |
| `DocumentError` | a JSON document cannot be trusted or understood |
| `BlobError` | the bytes of a blob are missing, or not what its descriptor says |
| `StoreError` | a place cannot be read or written as asked |
| `RefusedError` | everything is readable, but a policy forbids to go on |

Codes that `verify` reports, too, are explained among the [findings](findings.md#error). Below, `…`
stands for what differs from case to case.
"""


@dataclass(frozen=True, order=True)
class _Raised:
    kind: str
    message: str
    remedy: str


def markdown() -> str:
    """``docs/errors.md``."""
    found: defaultdict[str, set[_Raised]] = defaultdict(set)
    for file in _SOURCES.rglob("*.py"):
        for code, raised in _raised(ast.parse(file.read_text(encoding="utf-8"))):
            found[code].add(raised)
    lines = [_HEAD]
    for code, cases in sorted(found.items()):
        kinds = ", ".join(f"`{kind}`" for kind in sorted({case.kind for case in cases}))
        lines += [f"## `{code}`", "", kinds, ""]
        lines += [f"- {_told(case)}" for case in sorted(cases)]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _told(case: _Raised) -> str:
    return f"`{case.message}`" + (f" What to do: {case.remedy}." if case.remedy.strip("…") else "")


def _raised(tree: ast.Module) -> Iterator[tuple[str, _Raised]]:
    """Every code with which an error is made, and what it says."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        members = {keyword.arg: keyword.value for keyword in node.keywords}
        code = members.get("code")
        if node.func.id.endswith("Error") and isinstance(code, ast.Constant):
            remedy = _text(members["remedy"]) if "remedy" in members else ""
            yield str(code.value), _Raised(node.func.id, _text(node.args[0]), remedy)


def _text(node: ast.expr) -> str:
    """What an expression says, with ``…`` for what is known only when it runs."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    return "…"
