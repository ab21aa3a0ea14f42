"""Convert what a spreadsheet lists, go on where the last run ended, and write down the results.

The sheet is a CSV with the columns source, destination, to and platforms (with spaces between).

python examples/sheet.py fleet.csv results.jsonl
"""

import csv
import sys

from oci_convert import Job, Options, convert_many

sheet, results = sys.argv[1:]
with open(sheet, newline="") as file:
    jobs = [
        Job(
            row["source"],
            row["destination"],
            Options(to=row["to"] or None, platforms=(row["platforms"] or "").split()),
        )
        for row in csv.DictReader(file)
    ]
failed = 0
for result in convert_many(jobs, workers=4, results=results):
    failed += not result.status.good
    why = f": {result.failure.message}" if result.failure else ""
    print(f"{result.status.value:9}  {result.source}{why}")
sys.exit(1 if failed else 0)
