"""List the files of every image as a container sees them, and the layer that each comes from.

What upper layers replace or hide is left out. Nothing is unpacked to a disk.

python examples/list_files.py SOURCE
"""

import sys

from oci_convert import OciConvertError, open_images

with open_images(sys.argv[1]) as images:
    for image in images:
        print(image)
        try:
            for file in image.files().values():
                print(f"  {file.kind:9}  {file.size:>10}  {file.layer.digest[:19]}  {file.path}")
        except OciConvertError as error:  # a layer of Windows, which is fetched from elsewhere
            print(f"  {error}", file=sys.stderr)
