"""Give every image of a layout another registry in its name, where it stands: no blob is copied.

What is in the layout beside, and what others write to it meanwhile, stays.

python examples/retag.py layout old.example.com registry.example.com
"""

import sys

from oci_convert import inspect
from oci_convert.stores import OciLayout

path, old, new = sys.argv[1:]
layout = OciLayout(path)
for image in inspect(layout).images:
    if image.name and image.name.startswith(f"{old}/"):
        name = f"{new}/{image.name.removeprefix(f'{old}/')}"
        layout.retag(image.name, name)
        print(image.name, "→", name)
