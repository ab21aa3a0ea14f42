"""Convert only what is Docker: images that are OCI already are told and left alone.

python examples/only_docker.py LAYOUT SOURCE …
"""

import sys

from oci_convert import Family, convert, inspect

layout, *sources = sys.argv[1:]
for source in sources:
    families = {family for image in inspect(source).images for family in image.family}
    if Family.DOCKER in families:
        report = convert(source, f"oci:{layout}")
        print(f"{source}: {len(report.images)} converted, {len(report.losses)} losses")
    else:
        print(f"{source}: is OCI already")
