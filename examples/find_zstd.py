"""Find the images with zstd layers, which Docker before 23 and many a NAS cannot run.

The bytes decide: media types are sometimes wrong.

python examples/find_zstd.py SOURCE …
"""

import sys

from oci_convert import Compression, OciConvertError, open_images

for source in sys.argv[1:]:
    with open_images(source) as images:
        for image in images:
            try:
                packings = [layer.compression for layer in image.layers]
            except OciConvertError as error:
                print(f"{source}: {error}", file=sys.stderr)
                continue
            if Compression.ZSTD in packings:
                print(source, image, f"{packings.count(Compression.ZSTD)} of {len(packings)}")
