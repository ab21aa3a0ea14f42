"""Verify everything in a folder, and print what is wrong: how often, and where first.

python examples/fault_table.py FOLDER
"""

import sys
from pathlib import Path

from oci_convert import Level, OciConvertError, verify

faults: dict[str, list[str]] = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        findings = verify(path).findings
    except OciConvertError as error:  # no image at all
        faults.setdefault(error.code, []).append(path.name)
        continue
    for finding in findings:
        if finding.level is Level.ERROR:
            faults.setdefault(finding.code, []).append(f"{path.name}: {finding.where}")
for code, places in sorted(faults.items(), key=lambda item: -len(item[1])):
    print(f"{len(places):>5}  {code:<24}  {places[0]}")
sys.exit(3 if faults else 0)
