"""Let manifests of Kubernetes, charts and Dockerfiles pin the digests that a conversion gave.

The reports are what ``oci-convert convert --json`` or ``--record`` wrote.

python examples/update_pins.py FOLDER report.json …
"""

import sys
from pathlib import Path

from oci_convert import read_pins, repin

folder, *reports = sys.argv[1:]
pins = {old: new for file in reports for old, new in read_pins(Path(file).read_bytes()).items()}
for path in sorted(Path(folder).rglob("*")):
    if not path.is_file():
        continue
    done = repin(path.read_bytes().decode("utf-8", "surrogateescape"), pins)
    for pin in done.pins:
        print(f"{path.name}:{pin.line}: {pin.name} {pin.outcome} {pin.new or pin.old}")
    if done.changed:
        path.write_bytes(done.text.encode("utf-8", "surrogateescape"))
