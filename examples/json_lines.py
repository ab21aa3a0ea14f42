"""Convert many stores into one, go on where one fails, and write a line of JSON for each image.

A line has either an image, with its old and its new digest, or an error with its code and place.

python examples/json_lines.py LAYOUT SOURCE … > lines.jsonl
"""

import json
import sys

from oci_convert import convert

layout, *sources = sys.argv[1:]
report = convert(sources, f"oci:{layout}", keep_going=True)
for image in report.images:
    print(json.dumps({"ok": True, **image.to_json()}))
for failure in report.failures:
    print(json.dumps({"ok": False, **failure.to_json()}))
sys.exit(1 if report.failures else 0)
