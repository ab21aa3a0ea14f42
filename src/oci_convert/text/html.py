"""HTML for notebooks: one piece without scripts or anything from elsewhere, readable on any ground.

Whatever is no :class:`Html` is text, and escaped: nothing that an image says of itself is obeyed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Final

from oci_convert.text.printable import printable

__all__ = ["Html", "drawn", "short_digest", "table", "tag", "tree"]

_MOST: Final = 1000
"""Rows of a table, and lines of a tree: a browser draws no million of them."""
_STYLE: Final = """
.oci-convert { color: inherit; font-size: 90%; line-height: 1.5; overflow-x: auto }
.oci-convert details, .oci-convert .leaf { margin-left: 1.2em }
.oci-convert summary { cursor: pointer }
.oci-convert table { border-collapse: collapse; margin: .3em 0 }
.oci-convert th, .oci-convert td { text-align: left; vertical-align: top; padding: .1em .8em .1em 0;
  border-bottom: 1px solid rgba(128, 128, 128, .4); background: transparent;
  overflow-wrap: anywhere; min-width: 4em }
.oci-convert .faint { opacity: .75 }
.oci-convert .good { color: #28843b }
.oci-convert .warning { color: #a36a00 }
.oci-convert .bad { color: #d63d3d }
"""
"""Colours that are read on white and on black alike: nothing says which of them a notebook has."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *content: str, kind: str = "", title: str = "") -> Html:
    """An element around its content; ``kind`` is its class, ``title`` what hovering shows."""
    attributes = "".join(
        f' {key}="{escape(printable(value))}"'
        for key, value in (("class", kind), ("title", title))
        if value
    )
    inner = "".join(one if isinstance(one, Html) else escape(printable(one)) for one in content)
    return Html(f"<{name}{attributes}>{inner}</{name}>")


def drawn(*content: str) -> str:
    """The whole piece."""
    return str(tag("div", tag("style", Html(_STYLE)), *content, kind="oci-convert"))


def tree(lines: Iterable[tuple[int, Html]]) -> Html:
    """Lines with their depths, parents first, as a tree whose branches can be folded away."""
    shown = list(islice(lines, _MOST + 1))
    cut = len(shown) > _MOST
    inner: dict[int, list[Html]] = {}
    for depth, line in reversed(shown[:_MOST]):
        below = inner.pop(depth + 1, [])
        made = tag("div", line, kind="leaf")
        if below:
            summary = tag("summary", line)
            made = Html(f"<details open>{summary}{''.join(reversed(below))}</details>")
        inner.setdefault(depth, []).append(made)
    more = tag("div", f"only the first {_MOST} are shown", kind="faint")
    return Html("".join(reversed(inner.get(0, []))) + (more if cut else ""))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """A table; of a very long one the beginning."""
    shown = [tag("tr", *(tag("td", cell) for cell in row)) for row in islice(rows, _MOST + 1)]
    if not shown:
        return Html("")
    more = tag("div", f"only the first {_MOST} are shown", kind="faint")
    head = tag("tr", *(tag("th", cell) for cell in heads))
    return Html(tag("table", head, *shown[:_MOST]) + (more if len(shown) > _MOST else ""))


def short_digest(digest: str | None) -> Html:
    """A digest by its first digits; hovering shows all of it."""
    if digest is None:
        return Html("–")
    return tag("code", digest[:19], title=digest)
