"""Give all blobs of an image to a client of one's own, in the order in which registries take them.

Layers are streams, verified to their last byte; the manifest comes last.

python examples/push_bytes.py SOURCE [PLATFORM]
"""

import io
import sys
from typing import BinaryIO

from oci_convert import open_images


def upload(media_type: str, digest: str, body: BinaryIO) -> None:
    """What a client does: here it counts."""
    print(media_type, digest, sum(map(len, iter(lambda: body.read(1 << 20), b""))))


source, *platform = sys.argv[1:]
with open_images(source) as images:
    image = images.find(platform=platform[0] if platform else None)
    for layer in image.layers:
        with layer.open() as file:
            upload(layer.media_type, layer.digest, file)
    config = image.manifest.config
    upload(config.media_type, config.digest, io.BytesIO(image.config_bytes))
    upload(image.media_type, image.digest, io.BytesIO(image.manifest_bytes))
