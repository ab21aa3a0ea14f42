"""Many processes convert into one layout at once, and no image is lost.

``python tests/faults/crowd.py [--processes 32] [--conversions 25]``: each process writes as many
images, each under a name of its own, and one more under a name that all of them write. Then every
name is there, names its own image, and everything verifies; nothing unfinished is left.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from oci_convert.conversion.convert import convert
from oci_convert.inspection.inspect import inspect
from oci_convert.verification.verify import verify
from support.images import docker_image, layer, write_layout
from support.scenes import UNFINISHED

SHARED = "shared"


def writes(process: int, conversions: int, source: Path, target: Path) -> None:
    """What one process does."""
    for number in range(conversions):
        convert(f"oci:{source}:{process}", f"oci:{target}:{process}-{number}", jobs=1)
    convert(f"oci:{source}:{process}", f"oci:{target}:{SHARED}", jobs=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=32)
    parser.add_argument("--conversions", type=int, default=25)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary one)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        images = {
            str(process): docker_image([layer("base", size=50_000), layer(f"top {process}")])
            for process in range(given.processes)
        }
        source, target = write_layout(images, Path(folder) / "source"), Path(folder) / "target"
        began = time.perf_counter()
        crowd = []
        for process in range(given.processes):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    writes(process, given.conversions, source, target)
                    status = 0
                finally:
                    os._exit(status)
            crowd.append(pid)
        failed = [pid for pid in crowd if os.waitpid(pid, 0)[1]]
        seconds = time.perf_counter() - began
        assert not failed, f"{len(failed)} processes failed"
        found = {root.name: root.descriptor.digest for root in inspect(f"oci:{target}").images}
        alone = Path(folder) / "alone"
        for image in images:
            new = convert(f"oci:{source}:{image}", f"oci:{alone}").images[0].new.digest
            for number in range(given.conversions):
                assert found.pop(f"{image}-{number}") == new
        shared = found.pop(SHARED)
        assert not found, "there are names that nobody wrote"
        assert shared in {root.descriptor.digest for root in inspect(f"oci:{alone}").images}
        verification = verify(f"oci:{target}")
        assert verification.findings == (), verification.findings
        assert not (target / UNFINISHED).exists()
        count = given.processes * given.conversions
        print(
            f"{given.processes} processes x {given.conversions} conversions, and one name that all "
            f"wrote: {count} of {count} names, {verification.totals.blobs} blobs verified, no "
            f"finding; {seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
