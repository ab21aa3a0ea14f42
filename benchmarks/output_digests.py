"""What conversions write, as one line each: to hold two versions of the code against each other.

usage: output_digests.py FOLDER… > now.txt

Converts every image below the folders into every family, with several options, in memory, and
prints the digest of all that was written, or the code of the error. Run it with each version on the
path, and compare the outputs: a line that differs is a change of bytes.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from oci_convert import Memory, OciConvertError, convert

OPTIONS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"compress": "gzip"},
    {"compress": "zstd"},
    {"compress": "none"},
    {"compress": "keep"},
    {"platforms": ["linux/amd64"]},
    {"flatten": True},
    {"attestations": "keep", "referrers": "keep", "signatures": "keep"},
    {"keep_extensions": True},
)


def stores(folder: Path) -> Iterator[Path]:
    """Everything below a folder that may be a store."""
    for path in sorted(folder.rglob("*")):
        found = any((path / name).is_file() for name in ("index.json", "manifest.json"))
        if found or (path.suffix == ".tar" and path.is_file()):
            yield path


def written(store: Path, family: str, options: dict[str, Any]) -> str:
    """The digest of what one conversion writes."""
    target = Memory()
    try:
        convert(str(store), target, to=family, **options)
    except OciConvertError as error:
        return error.code
    except Exception as error:
        return f"crash: {type(error).__name__}"
    total = hashlib.sha256()
    for name, data in sorted(target.files.items()):
        total.update(f"{name} {hashlib.sha256(data).hexdigest()}\n".encode())
    return total.hexdigest()[:16]


def main() -> None:
    """Print a line for each image, family and options."""
    for folder in map(Path, sys.argv[1:]):
        for store in stores(folder):
            for family in ("oci", "docker", "oci-rc2"):
                for options in OPTIONS:
                    told = " ".join(f"{name}={value}" for name, value in options.items())
                    print(f"{store} {family} {told}: {written(store, family, options)}")


if __name__ == "__main__":
    main()
