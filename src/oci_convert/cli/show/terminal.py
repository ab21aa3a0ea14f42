"""Where lines go: standard output and standard error, terminals or not.

Nothing else of the command prints, except for documents and JSON that are the result themselves.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Final, TextIO

from oci_convert.cli.show.text import Style, Text

__all__ = ["complain", "drawn", "is_live", "say", "say_json", "tell", "width_of"]

_ASCII: Final = str.maketrans("├└│─━╌→…×", "|`|-=~>~x")
"""What stands for the characters that we draw with, where an encoding has no others."""


def say(line: str | Text = "") -> None:
    """A line of the result, on standard output."""
    _print(line, sys.stdout)


def tell(line: str | Text = "") -> None:
    """A line about the run, on standard error; on a terminal it is broken between words.

    Not elsewhere, whatever ``COLUMNS`` says: scripts look for lines.
    """
    text = line if isinstance(line, Text) else Text(line)
    width = width_of(sys.stderr) if sys.stderr.isatty() else None
    for part in text.wrapped(width, Text("    ")):
        _print(part, sys.stderr)


def complain(line: str) -> None:
    """The one line of an error, on standard error."""
    tell(Text("error", Style.ERROR) + ": " + line)


def say_json(value: object, *, indent: int | None = 2) -> None:
    """An answer of the library as JSON, on standard output; without ``indent`` in one line.

    What a terminal could obey is escaped as JSON escapes it, so the value is the same.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=not _is_utf8(sys.stdout))
    print("\n".join(map(_escaped_json, text.split("\n"))))


def is_live(stream: TextIO) -> bool:
    """Whether lines on ``stream`` can be drawn again."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def width_of(stream: TextIO) -> int | None:
    """The columns of a terminal, or those that ``COLUMNS`` asks for; else lines have no end."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def drawn(line: Text, stream: TextIO) -> str:
    """What ``stream`` is to be sent for a line."""
    return _encodable(line.ansi() if _is_coloured(stream) else str(line), stream)


def _print(line: str | Text, stream: TextIO) -> None:
    print(drawn(line if isinstance(line, Text) else Text(line), stream), file=stream)


def _is_coloured(stream: TextIO) -> bool:
    """As https://no-color.org and https://force-color.org have it."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_live(stream)


def _encodable(text: str, stream: TextIO) -> str:
    """``text`` as far as the encoding of ``stream`` can write it."""
    if text.isascii() or _is_utf8(stream):
        return text
    encoding = stream.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        spelled = text.translate(_ASCII).encode(encoding, "backslashreplace")
        return spelled.decode(encoding)
    return text


def _is_utf8(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") == "utf8"


def _escaped_json(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)
