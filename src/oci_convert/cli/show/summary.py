"""What a conversion did, in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from oci_convert.cli.show.terminal import tell
from oci_convert.cli.show.text import Style, Text, joined
from oci_convert.cli.show.words import bytes_of, count_of, digest_of, plural
from oci_convert.spec.media_types import Kind

if TYPE_CHECKING:
    from oci_convert.report import ConvertedImage, MapRow, Report

__all__ = ["summary"]

_FEW: Final = 4
"""Images that are listed one by one."""
_CORRECTED: Final = {
    "config-type-corrected": "config type corrected",
    "mislabelled-document": "media type corrected",
    "mislabelled-layer": "media type corrected",
    "misspelled-media-type": "media type corrected",
    "platform-added": "platform added",
}
"""What changes a document for good without a loss, and how it is told."""


def summary(report: Report) -> None:
    """What a conversion did, on standard error."""
    for line in _images(report):
        tell(line)
    tell(", ".join(_blobs(report)) or "nothing to convert")
    totals = report.totals
    if totals.requests:
        moved = "move" if report.dry_run else "moved"
        traffic = f"{bytes_of(totals.bytes_down)} down, {bytes_of(totals.bytes_up)} up"
        sent = f"{count_of('request', totals.requests)} ({traffic})"
        tell(f"{bytes_of(totals.layer_bytes)} of layers {moved}, {sent}")
        tell(_reversible(report))
        return
    done = "would be written" if report.dry_run else "written"
    tell(Text(f"{bytes_of(totals.bytes_written)} {done}; ") + _reversible(report))


def _images(report: Report) -> Iterator[Text]:
    """What each image was and is; of many, only how many."""
    if len(report.images) <= _FEW:
        yield from map(_image, report.images)
        return
    changed = sum(
        image.old is None or image.old.digest != image.new.digest for image in report.images
    )
    kept = len(report.images) - changed
    counts = [f"{count_of('image', len(report.images))}: {changed} with a new digest"]
    yield Text(", ".join([*counts, *([f"{kept} with the old one"] if kept else [])]))


def _image(image: ConvertedImage) -> Text:
    name = Text(image.name or image.source, Style.STRONG) + "  "
    new = digest_of(image.new.digest)
    if image.old is None:
        return name + new + Text(" (it had no manifest)", Style.FAINT)
    if image.old.digest == image.new.digest:
        return name + new + Text(" (unchanged)", Style.FAINT)
    return name + digest_of(image.old.digest) + " → " + new


def _blobs(report: Report) -> Iterator[str]:
    """What became of the blobs: documents, layers, configs, the rest."""
    counts = Counter((row.kind, _fate(row)) for row in report.map)
    for kind in (Kind.INDEX, Kind.MANIFEST):
        for fate in ("edited", "kept"):
            if counts[kind, fate]:
                yield f"{count_of(kind.value, counts[kind, fate])} {fate}"
    kept, recompressed = counts[Kind.LAYER, "kept"], counts[Kind.LAYER, "repacked"]
    if kept:
        yield f"{count_of('layer', kept)} kept"
        yield f"{recompressed or 'none'} recompressed"
    elif recompressed:
        yield f"{count_of('layer', recompressed)} recompressed"
    if counts[Kind.ARTIFACT, "kept"]:
        yield f"{count_of('other blob', counts[Kind.ARTIFACT, 'kept'])} kept"
    configs = counts[Kind.CONFIG, "kept"]
    if configs and not any(found.code == "schema1-upgraded" for found in report.findings):
        yield f"{plural('image ID', configs)} kept"
    for kind in (Kind.INDEX, Kind.MANIFEST, Kind.LAYER):
        if counts[kind, "dropped"]:
            yield f"{count_of(kind.value, counts[kind, 'dropped'])} dropped"


def _reasons(report: Report) -> Iterator[str]:
    """Why converting back gives other bytes: what was recompressed, lost, corrected or added."""
    if recompressed := sum(row.change.value == "repacked" for row in report.map):
        yield f"{count_of('layer', recompressed)} recompressed"
    if any(row.change.value == "rehashed" for row in report.map):
        yield "digests computed anew"
    placed = [found for found in report.findings if found.where.startswith("images[")]
    causes = Counter(found.code for found in placed if found.level.value == "loss")
    causes.update(found.code for found in placed if found.code in _CORRECTED)
    for code, times in causes.items():
        yield _CORRECTED.get(code, code.replace("-", " ")) + (f" ({times})" if times > 1 else "")


def _fate(row: MapRow) -> str:
    """What became of the bytes; neither a new media type nor a new digest changes them.

    But the digest of a config is the ID of its image.
    """
    same = ("relabelled",) if row.kind is Kind.CONFIG else ("relabelled", "rehashed")
    return "kept" if row.change.value in same else row.change.value


def _weights(report: Report) -> Iterator[Text]:
    """How many losses and how many warnings there are."""
    warnings = sum(found.level.value == "warning" for found in report.findings)
    if report.losses:
        yield Text(count_of("loss", len(report.losses)), Style.LOSS)
    if warnings:
        yield Text(count_of("warning", warnings), Style.WARNING)


def _reversible(report: Report) -> Text:
    """Whether converting back gives the same bytes, or why not."""
    told = joined(", ", _weights(report))
    if not report.images:
        return told or Text("no image")
    if report.reversible:
        back = Text("reversible", Style.GOOD) + ": converting back gives the same bytes"
        # What refers to the images may not come back as itself.
        codes = {"not-reversible", "not-reversible-repacked"}
        others = report.losses or any(found.code in codes for found in report.findings)
        back = back + (" of the images" if others else "")
        return joined("; ", [told, back])
    back = Text("not reversible", Style.WARNING)
    if reasons := list(_reasons(report)):
        back = back + f": {', '.join(reasons)}"
    if report.losses or any(found.code == "not-reversible" for found in report.findings):
        back = back + Text(" (--record FILE keeps the originals)", Style.FAINT)
    return joined("; ", [told, back])
