"""The library speaks of its arguments; here they become what the command calls them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from oci_convert.text.wording import worded

if TYPE_CHECKING:
    from oci_convert.errors import OciConvertError

__all__ = ["as_option", "line_of_error", "spelled"]

_OPTIONS: Final = {
    "Auth.basic": "--creds",
    "Auth.from_file": "--authfile",
    "certificate": "--cert",
    "convert()": "with --debug, convert",
    'convert("-", …)': "oci-convert convert - …",
    "convert_many(results=FILE)": "batch or sync with --results FILE",
    "digest_map": "--map FILE",
    "fsync": "--no-fsync",
    "platforms": "--platform",
    "profiles": "--for",
    "rates": "--rate",
    "dumps(originals=True)": "--record FILE",
    "limited()": "--limit",
    "Report.dumps()": "convert --json or --record",
    "Report.dumps(originals=True)": "convert --record",
}
"""What is not the same word with dashes."""
_LIMIT: Final = re.compile(r"limited\((\w+)=(.*)\)")
_PIPE: Final = re.compile(r'convert\(…, "-", to="([\w-]+)"\)')


def as_option(argument: str) -> str:
    """What an argument of the library is on the command line: ``--to oci`` for ``to="oci"``."""
    if argument in _OPTIONS:
        return _OPTIONS[argument]
    if limit := _LIMIT.fullmatch(argument):
        return f"--limit {limit[1].replace('_', '-')}={limit[2]}"
    if pipe := _PIPE.fullmatch(argument):
        return f"oci-convert convert … - --to {pipe[1]}"
    name, _, value = argument.partition("=")
    option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
    word = re.sub(r'[{}"]', "", value).replace(": ", "=")
    if name == "rates" and word:
        word += "/s"
    return option if word in ("", "True", "…") else f"{option} {word}"


def spelled(text: str) -> str:
    """What the library says, in the words of the command."""
    return worded(text, as_option)


def line_of_error(error: OciConvertError) -> str:
    """The line of an error, in the words of the command."""
    return error.told(as_option)
