"""Find out whether copies, from several registries perhaps, still hold the same images.

Formats, names of media types and the packing of layers do not count; what is run does.

python examples/compare_copies.py COPY OTHER …
"""

import sys

from oci_convert import Level, diff

first, *others = sys.argv[1:]
differ = 0
for other in others:
    compared = diff(first, other)
    differ += not compared.same
    print(f"{other}: {compared.answer}")
    for difference in compared:
        if difference.content:
            print(f"  {difference.kind}: {difference.where} {difference.member or ''}")
    for fault in compared.findings:
        if fault.level is Level.ERROR:
            print(f"  {fault.code}: {fault.where}")
sys.exit(3 if differ else 0)
