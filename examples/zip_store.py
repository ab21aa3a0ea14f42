"""Read images from a store of one's own: an OCI layout in a zip file, as artifact servers keep it.

Whatever has these two members is a store; docs/how-to/own-store.md shows one that is written, too.

python examples/zip_store.py layout.zip DESTINATION
"""

import sys
import zipfile

from oci_convert import Memory, convert
from oci_convert.stores import Source, SourceOptions


class Zipped:
    """A layout in a zip file, read when a conversion opens it."""

    ref = None  # all of its images are meant

    def source(self, options: SourceOptions) -> Source:
        """Open it for reading."""
        with zipfile.ZipFile(sys.argv[1]) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            return Memory({name: archive.read(name) for name in names}).source(options)


print(convert(Zipped(), sys.argv[2]).images[0].new.digest)
