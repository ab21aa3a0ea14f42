"""Convert container images between the Docker and the OCI format, exactly, in both directions.

>>> from oci_convert import convert, translate
>>> report = convert("docker-archive:app.tar", "oci:layout:app")  # doctest: +SKIP
>>> report.digest_map["sha256:…"]  # doctest: +SKIP

The library never prints, exits, logs, changes directory or starts a process. Its errors have one
base, :class:`OciConvertError`. A public name is imported when it is first used, so that whoever
needs one verb does not wait for the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from oci_convert.ground.digest import Digest
    from oci_convert.ground.errors import (
        BlobError,
        DocumentError,
        OciConvertError,
        RefusedError,
        StoreError,
        UsageError,
    )
    from oci_convert.ground.limits import Limits, limited
    from oci_convert.ground.media_types import Compression, Family, Kind
    from oci_convert.journey.carry import Progress
    from oci_convert.journey.convert import convert
    from oci_convert.journey.diff import diff, same_as
    from oci_convert.journey.difference import Compared, Diff, Difference, DifferenceKind, Verdict
    from oci_convert.journey.images import Image, Images, Layer, open_images
    from oci_convert.journey.inspect import Inspected, Inspection, inspect
    from oci_convert.journey.proof import Answer, Proof
    from oci_convert.journey.prove import prove
    from oci_convert.journey.verify import Verification, verify
    from oci_convert.papers.findings import Finding, Level
    from oci_convert.papers.members import ABSENT
    from oci_convert.papers.models import Descriptor, ImageConfig, Manifest, Platform
    from oci_convert.papers.report import (
        Change,
        ConvertedImage,
        Failure,
        MapRow,
        Report,
        Totals,
        read_map,
        read_pins,
    )
    from oci_convert.rules.layer_plan import Compress
    from oci_convert.rules.repin import Outcome, Pin, Repinned, repin
    from oci_convert.rules.translate import Translation, translate
    from oci_convert.stores.memory import Memory

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
    "Kind",
    "Layer",
    "Level",
    "Limits",
    "Manifest",
    "MapRow",
    "Memory",
    "OciConvertError",
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
    "ground.digest": ("Digest",),
    "ground.errors": (
        "BlobError",
        "DocumentError",
        "OciConvertError",
        "RefusedError",
        "StoreError",
        "UsageError",
    ),
    "ground.limits": ("Limits", "limited"),
    "ground.media_types": ("Compression", "Family", "Kind"),
    "journey.carry": ("Progress",),
    "journey.convert": ("convert",),
    "journey.diff": ("diff", "same_as"),
    "journey.difference": ("Compared", "Diff", "Difference", "DifferenceKind", "Verdict"),
    "journey.images": ("Image", "Images", "Layer", "open_images"),
    "journey.inspect": ("Inspected", "Inspection", "inspect"),
    "journey.proof": ("Answer", "Proof"),
    "journey.prove": ("prove",),
    "journey.verify": ("Verification", "verify"),
    "papers.findings": ("Finding", "Level"),
    "papers.members": ("ABSENT",),
    "papers.models": ("Descriptor", "ImageConfig", "Manifest", "Platform"),
    "papers.report": (
        "Change",
        "ConvertedImage",
        "Failure",
        "MapRow",
        "Report",
        "Totals",
        "read_map",
        "read_pins",
    ),
    "rules.layer_plan": ("Compress",),
    "rules.repin": ("Outcome", "Pin", "Repinned", "repin"),
    "rules.translate": ("Translation", "translate"),
    "stores.memory": ("Memory",),
}
_MODULES: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
