"""Convert every archive of a folder, four at a time, and write down what every digest became.

python examples/convert_folder.py ARCHIVES LAYOUT digests.csv
"""

import csv
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from oci_convert import convert

folder, layout, table = sys.argv[1:]
archives = sorted(Path(folder).glob("*.tar"))
with ThreadPoolExecutor(4) as pool, open(table, "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["archive", "place", "change", "old digest", "new digest"])
    reports = pool.map(partial(convert, destination=f"oci:{layout}"), archives)
    for done, (archive, report) in enumerate(zip(archives, reports, strict=True), 1):
        for row in report.map:
            new = row.new.digest if row.new else ""
            rows.writerow([archive.name, row.where, row.change, row.old.digest, new])
        print(f"{done} of {len(archives)}: {archive.name}", file=sys.stderr)
