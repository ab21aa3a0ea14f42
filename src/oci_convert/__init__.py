"""Convert container images between the Docker and the OCI format, exactly, in both directions.

>>> from oci_convert import convert, translate
>>> report = convert("docker-archive:app.tar", "oci:layout:app")  # doctest: +SKIP
>>> report.digest_map["sha256:…"]  # doctest: +SKIP

The library never prints, exits, logs, changes directory or starts a process. Its errors have one
base, :class:`OciConvertError`. A public name is imported when it is first used, so that importing
the package is fast.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from oci_convert.exports import lazy

if TYPE_CHECKING:
    from oci_convert.checks.documents import Presence
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
    from oci_convert.fleet.engine import convert_many
    from oci_convert.fleet.jobs import Job
    from oci_convert.fleet.results import JobResult, JobStatus
    from oci_convert.fleet.results_file import read_results
    from oci_convert.inspection.image_files import FileKind, ImageFile, ImageFiles
    from oci_convert.inspection.images import Image, Images, Layer, open_images
    from oci_convert.inspection.inspect import Inspected, Inspection, inspect
    from oci_convert.limits import Limits, limited
    from oci_convert.options import Algorithm, Keep, OnLoss, Options, OptionValues
    from oci_convert.profiles.check import Breach, Check, check
    from oci_convert.profiles.schema import Evidence
    from oci_convert.progress import Progress
    from oci_convert.proof.answer import Answer, Link, Proof
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
    from oci_convert.spec.models import (
        Descriptor,
        History,
        ImageConfig,
        Index,
        Manifest,
        Platform,
        PlatformLike,
        RootFS,
        RuntimeConfig,
    )
    from oci_convert.stores.memory import Memory
    from oci_convert.stores.opening import SinkLike, SourceLike
    from oci_convert.transform.layer_rules import Compress
    from oci_convert.transform.repin import Outcome, Pin, Repinned, repin
    from oci_convert.transform.translate import Translation, translate
    from oci_convert.verification.verify import Effort, Verification, VerifiedImage, verify
    from oci_convert.version import __version__

__all__ = [
    "ABSENT",
    "Algorithm",
    "Answer",
    "BlobError",
    "Breach",
    "Change",
    "Check",
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
    "Effort",
    "Evidence",
    "Failure",
    "Family",
    "FileKind",
    "Finding",
    "History",
    "Image",
    "ImageConfig",
    "ImageFile",
    "ImageFiles",
    "Images",
    "Index",
    "Inspected",
    "Inspection",
    "Job",
    "JobResult",
    "JobStatus",
    "Keep",
    "Kind",
    "Layer",
    "Level",
    "Limits",
    "Link",
    "Manifest",
    "MapRow",
    "Memory",
    "OciConvertError",
    "OnLoss",
    "OptionValues",
    "Options",
    "Outcome",
    "Pin",
    "Platform",
    "PlatformLike",
    "Presence",
    "Progress",
    "Proof",
    "RefusedError",
    "Repinned",
    "Report",
    "RootFS",
    "RuntimeConfig",
    "SinkLike",
    "SourceLike",
    "StoreError",
    "Totals",
    "Translation",
    "UsageError",
    "Verdict",
    "Verification",
    "VerifiedImage",
    "__version__",
    "check",
    "convert",
    "convert_many",
    "diff",
    "inspect",
    "limited",
    "open_images",
    "prove",
    "read_map",
    "read_pins",
    "read_results",
    "repin",
    "same_as",
    "translate",
    "verify",
]

_HOMES: Final = {
    "checks.documents": "Presence",
    "comparison.diff": "diff same_as",
    "comparison.difference": "Compared Diff Difference DifferenceKind Verdict",
    "conversion.convert": "convert",
    "documents.json_diff": "ABSENT",
    "errors": "BlobError DocumentError OciConvertError RefusedError StoreError UsageError",
    "findings": "Finding Level",
    "fleet.engine": "convert_many",
    "fleet.jobs": "Job",
    "fleet.results": "JobResult JobStatus",
    "fleet.results_file": "read_results",
    "inspection.image_files": "FileKind ImageFile ImageFiles",
    "inspection.images": "Image Images Layer open_images",
    "inspection.inspect": "Inspected Inspection inspect",
    "limits": "Limits limited",
    "options": "Algorithm Keep OnLoss OptionValues Options",
    "profiles.check": "Breach Check check",
    "profiles.schema": "Evidence",
    "progress": "Progress",
    "proof.answer": "Answer Link Proof",
    "proof.prove": "prove",
    "report": "Change ConvertedImage Failure MapRow Report Totals read_map read_pins",
    "spec.digest": "Digest",
    "spec.media_types": "Compression Family Kind",
    "spec.models": (
        "Descriptor History ImageConfig Index Manifest Platform PlatformLike RootFS RuntimeConfig"
    ),
    "stores.memory": "Memory",
    "stores.opening": "SinkLike SourceLike",
    "transform.layer_rules": "Compress",
    "transform.repin": "Outcome Pin Repinned repin",
    "transform.translate": "Translation translate",
    "verification.verify": "Effort Verification VerifiedImage verify",
    "version": "__version__",
}
__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy(__name__, _HOMES)
