"""Convert what is new or has changed since the last run, and what the target has lost since.

What is compared are digests of the source, written down when it was converted: a conversion changes
digests, so source and target never look alike.

python examples/skip_done.py ARCHIVES LAYOUT state.json
"""

import json
import sys
from pathlib import Path

from oci_convert import convert, open_images

folder, layout, written = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
state = json.loads(written.read_text()) if written.exists() else {}
there: set[str] = set()
if layout.exists():
    with open_images(layout) as images:
        there.update(image.top.digest for image in images)
for archive in sorted(folder.glob("*.tar")):
    with open_images(archive) as images:
        source = sorted({image.digest for image in images})
    before = state.get(archive.name)
    if before and before["source"] == source and there.issuperset(before["result"]):
        print(f"{archive.name}: nothing to do")
        continue
    report = convert(archive, f"oci:{layout}")
    print(f"{archive.name}: {len(report.images)} converted")
    state[archive.name] = {"source": source, "result": [it.new.digest for it in report.images]}
    written.write_text(json.dumps(state, indent=1))
