"""Pages of the documentation that are made from tables in the code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from oci_convert.cli.spelling import as_option
from oci_convert.findings import CODES, Level
from oci_convert.limits import Limits, spelled
from oci_convert.spec.matrix import matrix, other_spellings
from oci_convert.text.wording import Wording

__all__ = ["findings_page", "limits_page", "media_types_page"]

_LIMITS: Final = """# Limits

Generated from `oci_convert.limits`. An input beyond a limit is an error, and nothing is written.
The error names the limit, and `{limit} NAME=VALUE` raises or lowers it; the option may be
repeated. In the library, `with limited(tree_depth=32):` does the same for everything inside.

A layer that unpacks to less than a GiB is never taken for a decompression bomb, nor is a larger
one that compresses well: a tar of 20 GiB may unpack to 20 GiB. Only a layer that unpacks to more
than 200 times its size is refused, while it is unpacked.

| limit | default | what it counts |
|---|---|---|"""


def findings_page() -> str:
    """The codes as ``docs/findings.md``."""
    lines = [
        "# Findings",
        "",
        "Generated from `oci_convert.findings`. A finding has a stable code, a level, a",
        "location and a message. A *loss* is something of the source that is not in the target:",
        '`{on_loss="fail"}` refuses it before anything is written. An *error* is what `verify`',
        "reports and what ends a conversion. `{strict=True}` refuses the findings marked *fault*.",
    ]
    for level in (Level.LOSS, Level.WARNING, Level.INFO, Level.ERROR):
        lines += ["", f"## {level.value.capitalize()}"]
        for name, code in CODES.items():
            if code.level is level:
                fault = " *fault*" if code.fault else ""
                lines += ["", f"### `{name}`{fault}", "", code.meaning, "", code.advice]
    return Wording("\n".join(lines) + "\n").spelled(as_option)


def limits_page() -> str:
    """The table of the limits as a page of the documentation."""
    rows = [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in _limits()]
    return "\n".join([Wording(_LIMITS).spelled(as_option), *rows, ""])


def _limits() -> Iterator[tuple[str, str, str]]:
    for limit in fields(Limits):
        value = getattr(Limits(), limit.name)
        default = spelled(value) if limit.metadata["size"] else f"{value:,}"
        yield limit.name.replace("_", "-"), default, limit.metadata["meaning"]


def media_types_page() -> str:
    """The matrix as ``docs/media-types.md``."""
    lines = [
        "# Media types",
        "",
        "Generated from the table in `oci_convert.spec.media_types`; `oci-convert media-types`",
        "prints the same. *Interchangeable*: the same bytes serve both families, only the name",
        "changes. *Similar*: an edit of the document makes one from the other; the note says what",
        "differs.",
        "",
        "| | Docker | OCI | OCI 1.0.0-rc2 | |",
        "|---|---|---|---|---|",
    ]
    for row in matrix():
        names = " | ".join(f"`{name}`" if name else "–" for name in row.names.values())
        note = f": {row.note}" if row.note else ""
        lines.append(f"| {row.cell} | {names} | {row.relation}{note} |")
    lines += ["", "## Also recognised", "", "| name | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in other_spellings().items()]
    return "\n".join(lines) + "\n"
