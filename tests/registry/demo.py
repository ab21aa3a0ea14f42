"""A conversion inside a registry, with every request that it takes: ``make demo-registry``.

Needs nothing but Python: the registry is the one of the tests, in this process.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Final

from oci_convert.cli import run

PROJECT: Final = Path(__file__).parents[2]
LIST: Final = "testdata/docker-list-dir"


def main() -> None:
    """Push a list of three platforms, convert it where it is, prove it, and convert it back."""
    from registry.server import FakeRegistry

    os.chdir(PROJECT)
    os.dup2(sys.stdout.fileno(), sys.stderr.fileno())
    with FakeRegistry() as registry:
        image = f"docker://{registry.host}/demo/app"
        for command in (
            f"convert {LIST} {image}:1 --to docker",
            f"convert {image}:1 {image}:1-oci --to oci --dry-run",
            f"convert {image}:1 {image}:1-oci --to oci",
            f"prove {image}:1-oci --original {LIST}/manifest.json",
            f"convert {image}:1-oci {image}:1-back --to docker",
        ):
            registry.log.clear()
            print(f"$ oci-convert {command}", flush=True)
            sys.argv = ["oci-convert", *shlex.split(command)]
            if run._run():
                sys.exit(1)
            for line in registry.log.lines():
                print("   ", re.sub(r"(sha256:[0-9a-f]{12})[0-9a-f]+", r"\1…", line))
            print(flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT / "tests"))
    main()
