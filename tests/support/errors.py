"""The errors of the library as a page of the documentation: every code, and how it reads.

The lines are those of ``tests/golden/messages.txt``, which the command has printed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from oci_convert.findings import CODES

__all__ = ["Entry", "entries", "markdown"]

_GOLDEN: Final = Path(__file__).parent.parent / "golden" / "messages.txt"
_HEAD: Final = """\
# Errors

Generated from what the command prints. An error is one line on standard error: where, what, and
what to do. The command ends with status 2 where the call is wrong (a `UsageError`), else with 1. In
the library every error is an `OciConvertError` with `code`, `store`, `where`, `message` and
`remedy`, and where something does not fit with `digest`, `expected` and `actual`: programs look at
these, and at the code, which is stable, never at the text. What to do is said in arguments of the
library (`force=True`), as in the lines here that begin with `>>>`; the command says `--force`.

| class | meaning |
|---|---|
| `UsageError` | the call itself is wrong: a reference, an option, a combination |
| `DocumentError` | a JSON document cannot be trusted or understood |
| `BlobError` | the bytes of a blob are missing, or not what its descriptor says |
| `StoreError` | a store cannot be read or written as asked |
| `RefusedError` | the image can be read, but a policy refuses it |

What can be wrong with an image ends a conversion, too, and `verify` reports it: these codes are
among the [findings](findings.md#error). What the system refuses is listed under
[reliability](reliability.md). Every other code is here, each with what brings it about.
"""
_ENDED: Final = {
    "archive-broken": (
        "An archive that is written to a pipe cannot be continued after an error: what fails first "
        "is told, and whatever else was to be written ends with this code."
    )
}
"""What no line of the command shows."""


@dataclass(frozen=True)
class Entry:
    """Something that was provoked, and what was said."""

    code: str
    name: str
    call: str
    lines: tuple[str, ...]


def entries() -> list[Entry]:
    """Everything in the golden list."""
    found = []
    for text in _GOLDEN.read_text(encoding="utf-8").rstrip("\n").split("\n\n"):
        head, call, *lines = text.split("\n")
        code, _, name = head.removeprefix("[").partition("] ")
        found.append(Entry(code, name, call, tuple(lines)))
    return found


def markdown() -> str:
    """``docs/errors.md``."""
    known: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries():
        if entry.code not in CODES:
            known[entry.code].append(entry)
    lines = [_HEAD]
    for code in sorted({*known, *_ENDED}):
        lines += [f"## `{code}`", ""]
        if code in _ENDED:
            lines += [_ENDED[code], ""]
        shown = ["\n".join([f"# {it.name}", it.call, *it.lines]) for it in known[code]]
        if shown:
            lines += ["```text", "\n\n".join(shown), "```", ""]
    return "\n".join(lines).rstrip() + "\n"
