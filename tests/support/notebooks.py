"""Notebooks run without Jupyter, and as pages: their cells are plain Python.

What a cell shows is what it prints, and what its last line is worth: drawn, if it can be drawn.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final

__all__ = ["Cell", "cells", "executed", "page"]

_NOTE: Final = """\
!!! note

    This page is `examples/{name}` of the sources, as it was run.
"""


@dataclass(frozen=True)
class Cell:
    """A cell, and what it shows once it was run."""

    kind: str
    source: str
    printed: str = ""
    drawn: str = ""


def cells(path: Path) -> list[Cell]:
    """The cells of a file."""
    notebook: Any = json.loads(path.read_text(encoding="utf-8"))
    return [Cell(it["cell_type"], "".join(it["source"])) for it in notebook["cells"]]


def executed(path: Path) -> Iterator[Cell]:
    """The cells, run one after the other in the current directory."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells(path):
        yield _run(cell, names) if cell.kind == "code" else cell


def _run(cell: Cell, names: dict[str, Any]) -> Cell:
    body = ast.parse(cell.source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    value = None
    with redirect_stdout(StringIO()) as printed:
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    drawn = "" if value is None else value._repr_html_()
    return Cell(cell.kind, cell.source, printed.getvalue(), drawn)


def page(path: Path) -> str:
    """The notebook as a page of the site."""
    parts = []
    for cell in executed(path):
        if cell.kind == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        if cell.printed:
            parts.append(f"```text\n{cell.printed.rstrip()}\n```")
        if cell.drawn:
            parts.append(cell.drawn)
    parts.insert(1, _NOTE.format(name=path.name))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"
