"""Test one's own code with small images: an index of two platforms, an attestation, a fault.

python examples/fixtures.py
"""

from oci_convert import Memory, convert, open_images, verify
from oci_convert.testing import attestation, docker_image, image_index, oci_image, write_images

amd64 = oci_image({"etc/motd": "hello\n"}, platform="linux/amd64")
index = image_index(amd64, oci_image(platform="linux/arm64"), attestation(amd64))
store = write_images({"app:1": index, "old:1": docker_image(Env=["A=1"])}, Memory())
with open_images(store) as images:
    assert [str(image.platform) for image in images] == [
        "linux/amd64",
        "linux/arm64",
        "linux/amd64",
    ]
    assert images.find("app:1", platform="linux/amd64").files().read("etc/motd") == b"hello\n"
report = convert(store.image("app:1"), Memory(), to="docker")
assert {loss.code for loss in report.losses} == {"attestation-dropped"}
blob = max(name for name in store.files if name.startswith("blobs/"))
store.files[blob] = b"?" + store.files[blob][1:]
print(", ".join(finding.code for finding in verify(store).findings))
