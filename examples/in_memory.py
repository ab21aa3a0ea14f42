"""Convert without a disk: a zip of an OCI layout comes in, a zip of a Docker one goes out.

So may a service do that is sent images and keeps nothing.

python examples/in_memory.py < layout.zip > docker.zip
"""

import io
import sys
import zipfile

from oci_convert import Memory, convert

with zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())) as archive:
    source = Memory({name: archive.read(name) for name in archive.namelist() if name[-1] != "/"})
target = Memory()
report = convert(source, target, to="docker")
with zipfile.ZipFile(sys.stdout.buffer, "w") as archive:
    for name, data in target.files.items():
        archive.writestr(name, data)
for image in report.images:
    print(image.name, image.new.digest, file=sys.stderr)
