"""Build an image of a directory: one layer, typed documents, and any store as the target.

python examples/build_image.py DIRECTORY docker-archive:app.tar:app:1
"""

import sys
import tarfile
from io import BytesIO

from oci_convert import Descriptor, Digest, ImageConfig, Index, Manifest, Memory, RootFS, convert

memory = Memory()


def put(media_type: str, data: bytes) -> Descriptor:
    """Keep a blob, and describe it."""
    memory.files[f"blobs/sha256/{Digest.of(data).encoded}"] = data
    return Descriptor(media_type=media_type, digest=Digest.of(data), size=len(data))


with tarfile.open(fileobj=(buffer := BytesIO()), mode="w") as tar:
    tar.add(sys.argv[1], arcname=".")
layer = put("application/vnd.oci.image.layer.v1.tar", buffer.getvalue())
rootfs = RootFS(diff_ids=(layer.digest,))
config = ImageConfig(architecture="amd64", os="linux", rootfs=rootfs)
blob = put("application/vnd.oci.image.config.v1+json", config.model_dump_json().encode())
manifest = Manifest(schema_version=2, config=blob, layers=(layer,))
entry = put("application/vnd.oci.image.manifest.v1+json", manifest.model_dump_json().encode())
memory.files["index.json"] = Index(schema_version=2, manifests=(entry,)).model_dump_json().encode()
print(convert(memory, sys.argv[2]).images[0].new.digest)
