"""Print a file as a container would see it, of an image in any store, without unpacking anything.

python examples/read_file.py SOURCE etc/os-release [PLATFORM]
"""

import sys

from oci_convert import StoreError, open_images

source, path, *platform = sys.argv[1:]
with open_images(source) as images:
    try:
        content = images.find(platform=platform[0] if platform else None).files().read(path)
    except StoreError as error:
        sys.exit(str(error))
sys.stdout.buffer.write(content)
