"""Make what AWS Lambda and its like take of an image of several platforms with attestations.

One manifest instead of an index, of Docker's types, with gzip layers, for one platform.

python examples/lambda_image.py SOURCE DIRECTORY [PLATFORM]
"""

import sys

from oci_convert import convert, open_images

source, directory, *platform = sys.argv[1:]
report = convert(
    source,
    f"dir:{directory}",
    to="docker",
    platforms=platform or ["linux/amd64"],
    attestations="drop",
    compress="gzip",
    flatten=True,
)
with open_images(f"dir:{directory}") as images:
    image = images.find()
    print(image.top.media_type, image.digest)
