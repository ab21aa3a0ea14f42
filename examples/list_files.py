"""List the files in the layers of every image, without unpacking anything to a disk.

python examples/list_files.py SOURCE
"""

import sys
import tarfile

from oci_convert import open_images

with open_images(sys.argv[1]) as images:
    for image in images:
        print(image)
        for number, layer in enumerate(image.layers):
            if not layer.present:  # a layer of Windows, which is fetched from elsewhere
                continue
            with (
                layer.open(unpacked=True) as file,
                tarfile.open(fileobj=file, mode="r|") as tar,
            ):
                for member in tar:
                    print(f"  {number}  {member.size:>10}  {member.name}")
