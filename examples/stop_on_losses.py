"""Convert only if nothing is lost but what one has agreed to, by the codes of the findings.

python examples/stop_on_losses.py SOURCE docker-archive:FILE [attestation-dropped …]
"""

import sys

from oci_convert import convert

source, target, *agreed = sys.argv[1:]
plan = convert(source, target, dry_run=True)
refused = [loss for loss in plan.losses if loss.code not in agreed]
for loss in refused:
    print(f"{loss.code}  {loss.where}: {loss.message}")
if refused:
    sys.exit(f"{len(refused)} losses; nothing was written")
print(*(image.new.digest for image in convert(source, target).images), sep="\n")
