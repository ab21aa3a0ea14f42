"""List the images of some stores: name, platform, image ID, size, and what refers to each.

Signatures, SBOMs and attestations are what refers to an image.

python examples/list_images.py SOURCE …
"""

import sys

from oci_convert import OciConvertError, open_images

for source in sys.argv[1:]:
    with open_images(source) as images:
        for image in images:
            try:
                print(image.name, image.platform, image.id[:19], image.size, sep="\t")
                for referrer in image.referrers:
                    kind = "attestation" if referrer.attestation else referrer.artifact_type
                    print("", referrer.digest[:19], kind or "signature or other", sep="\t")
            except OciConvertError as error:
                print(source, error.code, error, sep="\t", file=sys.stderr)
