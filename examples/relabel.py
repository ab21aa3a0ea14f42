"""Translate one manifest or index in a pipeline: a document in, a document out, byte by byte.

The report of a conversion says what the children of an index became.

python examples/relabel.py oci [report.json] < manifest.json > translated.json
"""

import sys
from pathlib import Path

from oci_convert import OciConvertError, read_map, translate

family, *reports = sys.argv[1:]
known = {old: new for path in reports for old, new in read_map(Path(path).read_bytes()).items()}
try:
    done = translate(sys.stdin.buffer.read(), to=family, digest_map=known)
except OciConvertError as error:
    sys.exit(f"{error.code}: {error}")
sys.stdout.buffer.write(done.raw)
print(done.media_type, done.digest, file=sys.stderr)
for finding in done.findings:
    print(f"{finding.level} {finding.code}: {finding.message}", file=sys.stderr)
