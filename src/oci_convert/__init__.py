"""Convert container images between the Docker and the OCI format, exactly, in both directions.

>>> from oci_convert import convert, translate
>>> report = convert("docker-archive:app.tar", "oci:layout:app")  # doctest: +SKIP
>>> report.digest_map["sha256:…"]  # doctest: +SKIP

The library never prints, exits, logs, changes directory or starts a process. Its errors have one
base, :class:`OciConvertError`.
"""

from oci_convert.ground.digest import Digest
from oci_convert.ground.errors import (
    BlobError,
    DocumentError,
    OciConvertError,
    RefusedError,
    StoreError,
    UsageError,
)
from oci_convert.ground.media_types import Compression, Family, Kind
from oci_convert.journey.carry import Progress
from oci_convert.journey.convert import convert
from oci_convert.journey.inspect import Inspected, Inspection, inspect
from oci_convert.papers.findings import Finding, Level
from oci_convert.papers.models import Descriptor, Platform
from oci_convert.papers.report import Change, ConvertedImage, MapRow, Report, Totals, read_map
from oci_convert.rules.layer_plan import Compress
from oci_convert.rules.translate import Translation, translate
from oci_convert.stores import Memory

__all__ = [
    "BlobError",
    "Change",
    "Compress",
    "Compression",
    "ConvertedImage",
    "Descriptor",
    "Digest",
    "DocumentError",
    "Family",
    "Finding",
    "Inspected",
    "Inspection",
    "Kind",
    "Level",
    "MapRow",
    "Memory",
    "OciConvertError",
    "Platform",
    "Progress",
    "RefusedError",
    "Report",
    "StoreError",
    "Totals",
    "Translation",
    "UsageError",
    "convert",
    "inspect",
    "read_map",
    "translate",
]
