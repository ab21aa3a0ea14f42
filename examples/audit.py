"""Show to an auditor that an image is the one that was signed, and write down why.

python examples/audit.py SOURCE sha256:… evidence.json
"""

import json
import sys
from pathlib import Path

from oci_convert import prove

source, signed, evidence = sys.argv[1:]
proof = prove(source, signed)
Path(evidence).write_text(json.dumps(proof.to_json(), indent=2))
for link in proof.chain:
    print(f"{'ok    ' if link.ok else 'BROKEN'}  {link.link:<8}  {link.where}")
print(proof.answer, proof.reason)
sys.exit(0 if proof.proved else 3)
