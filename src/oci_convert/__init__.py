"""Convert container images between the Docker and the OCI format, exactly, in both directions.

>>> from oci_convert import convert, translate
>>> report = convert("docker-archive:app.tar", "oci:layout:app")  # doctest: +SKIP
>>> report.digest_map["sha256:…"]  # doctest: +SKIP

The library never prints, exits, logs, changes directory or starts a process. Its errors have one
base, :class:`OciConvertError`. A public name is imported when it is first used, so that importing
the package is fast.
"""

from typing import TYPE_CHECKING, Final

from oci_convert.exports import lazy

if TYPE_CHECKING:
    from oci_convert.comparison.diff import diff, same_as
    from oci_convert.comparison.difference import (
        Compared,
        Diff,
        Difference,
        DifferenceKind,
        Verdict,
    )
    from oci_convert.conversion.convert import convert
    from oci_convert.documents.json_diff import ABSENT
    from oci_convert.errors import (
        BlobError,
        DocumentError,
        OciConvertError,
        RefusedError,
        StoreError,
        UsageError,
    )
    from oci_convert.findings import Finding, Level
    from oci_convert.inspection.images import Image, Images, Layer, open_images
    from oci_convert.inspection.inspect import Inspected, Inspection, inspect
    from oci_convert.limits import Limits, limited
    from oci_convert.options import Keep, OnLoss, Options
    from oci_convert.progress import Progress
    from oci_convert.proof.answer import Answer, Proof
    from oci_convert.proof.prove import prove
    from oci_convert.report import (
        Change,
        ConvertedImage,
        Failure,
        MapRow,
        Report,
        Totals,
        read_map,
        read_pins,
    )
    from oci_convert.spec.digest import Digest
    from oci_convert.spec.media_types import Compression, Family, Kind
    from oci_convert.spec.models import Descriptor, ImageConfig, Manifest, Platform
    from oci_convert.stores.memory import Memory
    from oci_convert.transform.layer_rules import Compress
    from oci_convert.transform.repin import Outcome, Pin, Repinned, repin
    from oci_convert.transform.translate import Translation, translate
    from oci_convert.verification.verify import Verification, verify

__all__ = [
    "ABSENT",
    "Answer",
    "BlobError",
    "Change",
    "Compared",
    "Compress",
    "Compression",
    "ConvertedImage",
    "Descriptor",
    "Diff",
    "Difference",
    "DifferenceKind",
    "Digest",
    "DocumentError",
    "Failure",
    "Family",
    "Finding",
    "Image",
    "ImageConfig",
    "Images",
    "Inspected",
    "Inspection",
    "Keep",
    "Kind",
    "Layer",
    "Level",
    "Limits",
    "Manifest",
    "MapRow",
    "Memory",
    "OciConvertError",
    "OnLoss",
    "Options",
    "Outcome",
    "Pin",
    "Platform",
    "Progress",
    "Proof",
    "RefusedError",
    "Repinned",
    "Report",
    "StoreError",
    "Totals",
    "Translation",
    "UsageError",
    "Verdict",
    "Verification",
    "convert",
    "diff",
    "inspect",
    "limited",
    "open_images",
    "prove",
    "read_map",
    "read_pins",
    "repin",
    "same_as",
    "translate",
    "verify",
]

_HOMES: Final = {
    "spec.digest": ("Digest",),
    "errors": (
        "BlobError",
        "DocumentError",
        "OciConvertError",
        "RefusedError",
        "StoreError",
        "UsageError",
    ),
    "limits": ("Limits", "limited"),
    "options": ("Keep", "OnLoss", "Options"),
    "spec.media_types": ("Compression", "Family", "Kind"),
    "progress": ("Progress",),
    "conversion.convert": ("convert",),
    "comparison.diff": ("diff", "same_as"),
    "comparison.difference": ("Compared", "Diff", "Difference", "DifferenceKind", "Verdict"),
    "inspection.images": ("Image", "Images", "Layer", "open_images"),
    "inspection.inspect": ("Inspected", "Inspection", "inspect"),
    "proof.answer": ("Answer", "Proof"),
    "proof.prove": ("prove",),
    "verification.verify": ("Verification", "verify"),
    "findings": ("Finding", "Level"),
    "documents.json_diff": ("ABSENT",),
    "spec.models": ("Descriptor", "ImageConfig", "Manifest", "Platform"),
    "report": (
        "Change",
        "ConvertedImage",
        "Failure",
        "MapRow",
        "Report",
        "Totals",
        "read_map",
        "read_pins",
    ),
    "transform.layer_rules": ("Compress",),
    "transform.repin": ("Outcome", "Pin", "Repinned", "repin"),
    "transform.translate": ("Translation", "translate"),
    "stores.memory": ("Memory",),
}
__getattr__, __dir__ = lazy(__name__, _HOMES)
