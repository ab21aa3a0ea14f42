"""What runs when an image is started, whatever it is stored in.

python examples/entrypoint.py SOURCE [PLATFORM]
"""

import json
import sys

from oci_convert import open_images

source, platform = sys.argv[1], next(iter(sys.argv[2:]), None)
with open_images(source) as images:
    runtime = images.find(platform=platform).config.config
command = [*(runtime.entrypoint or ()), *(runtime.cmd or ())] if runtime else []
print(json.dumps(command))
