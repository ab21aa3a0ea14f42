"""``make cut VERSION=X.Y.Z``: what is unreleased in the changelog becomes a version of today.

Writes ``CHANGELOG.md`` and ``pyproject.toml``, and commits nothing.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parent.parent
UNRELEASED: Final = "## Unreleased\n"
VERSION: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
RELEASED: Final = re.compile(rf"^## ({VERSION.pattern}) ", re.MULTILINE)


def order(version: str) -> list[int]:
    """What versions are compared by."""
    return [int(part) for part in version.split(".")]


def cut(changelog: str, version: str, date: str) -> str:
    """The changelog with a heading for the version; ends where there is nothing to cut."""
    if not VERSION.fullmatch(version):
        sys.exit(f"{version!r} is no version; write it as in 0.1.0")
    if changelog.count(UNRELEASED) != 1:
        sys.exit('CHANGELOG.md has nothing under "## Unreleased"')
    last = RELEASED.search(changelog)
    if last and order(last[1]) >= order(version):
        sys.exit(f"{version} does not come after {last[1]}, the last one in CHANGELOG.md")
    return changelog.replace(UNRELEASED, f"## {version} ({date})\n")


def main(version: str = "", date: str = f"{datetime.now(UTC):%Y-%m-%d}") -> None:
    """Write both files, or neither."""
    changelog, settings = PROJECT / "CHANGELOG.md", PROJECT / "pyproject.toml"
    changes = cut(changelog.read_text(encoding="utf-8"), version, date)
    versioned, found = re.subn(
        r'^version = ".*"$',
        f'version = "{version}"',
        settings.read_text(encoding="utf-8"),
        count=1,
        flags=re.MULTILINE,
    )
    if not found:
        sys.exit("pyproject.toml has no version")
    changelog.write_text(changes, encoding="utf-8", newline="\n")
    settings.write_text(versioned, encoding="utf-8", newline="\n")
    print(f"{version}: read CHANGELOG.md, commit, then: git tag --sign v{version}")


if __name__ == "__main__":
    main(*sys.argv[1:])
