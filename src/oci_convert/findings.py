"""Findings: things worth telling, each under a stable code.

:data:`CODES` is the one list of them; ``docs/findings.md`` is generated from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from oci_convert.fault_codes import FAULTS

__all__ = ["CODES", "Code", "Finding", "Level", "markdown"]


class Level(StrEnum):
    """How much a finding weighs."""

    INFO = "info"
    WARNING = "warning"
    LOSS = "loss"
    """Something of the source is not in the target; ``--on-loss fail`` refuses."""
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for."""

    level: Level
    meaning: str
    """What is the case and why it matters, in one or two sentences."""
    advice: str
    """What a user can do about it."""
    fault: bool = False
    """The source itself is at fault: ``--strict`` refuses."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth telling about one place."""

    code: str
    level: Level
    where: str
    message: str

    @classmethod
    def of(cls, code: str, where: str, message: str) -> Finding:
        """A finding at the level that :data:`CODES` gives its code."""
        return cls(code, CODES[code].level, where, message)

    def to_json(self) -> dict[str, str]:
        """The finding as it stands in a report."""
        return {
            "code": self.code,
            "level": self.level.value,
            "where": self.where,
            "message": self.message,
        }


def _removed(member: str, meaning: str) -> Code:
    return Code(
        Level.LOSS,
        f"{meaning} Docker's schema has no member `{member}`, so it was removed from a document "
        "that became a Docker document.",
        "`--keep-extensions` leaves it in place (most readers ignore it, some registries refuse "
        "it); `--record` keeps the original document; `--on-loss fail` refuses.",
    )


CODES: Final[dict[str, Code]] = {
    "not-reversible": Code(
        Level.LOSS,
        "The way back would not give the bytes of this document: something in it was removed, "
        "added, corrected, or spelled in a way that the target cannot hold.",
        "`--record FILE` keeps the original bytes, and `--restore FILE` brings them back.",
    ),
    "not-reversible-repacked": Code(
        Level.WARNING,
        "The way back would not give the bytes of this document, because a layer below it was "
        "recompressed: compressors cannot be run backwards. The content and the image ID stay.",
        "`--compress keep` recompresses nothing; `prove` shows that the content is the same.",
    ),
    "annotations-removed": _removed("annotations", "Annotations were lost."),
    "subject-removed": _removed("subject", "The link to what this document speaks of was lost."),
    "artifactType-removed": _removed("artifactType", "The type of an artifact was lost."),
    "data-removed": _removed("data", "An embedded copy of a blob was lost; the blob itself stays."),
    "urls-removed": _removed("urls", "Download addresses were lost."),
    "mislabelled-layer": Code(
        Level.WARNING,
        "The media type of a layer contradicts its bytes. The bytes win: the type was corrected.",
        "Tell whoever made the image; `--strict` refuses such images.",
        fault=True,
    ),
    "unrecognised-layer": Code(
        Level.WARNING,
        "The bytes of a layer are neither a tar nor packed in a way that is known. Its media type "
        "was believed.",
        "`verify` shows whether the image is sound; `--strict` refuses such images.",
        fault=True,
    ),
    "layer-repacked": Code(
        Level.INFO,
        "A layer was unpacked, checked against its `diff_id` and packed again, so it has a new "
        "digest. The tar inside and the image ID stay.",
        "`--compress keep` leaves layers as they are where the target has a name for them.",
    ),
    "schema1-upgraded": Code(
        Level.LOSS,
        "An image in Docker's format before 2016 was upgraded: a manifest of schema 1, or an "
        "archive of Docker before 1.10. Its layers, history and configuration stay; the "
        "signatures, the ids and what its v1 images said beside that went. The format is never "
        "written, so there is no way back.",
        "`--record FILE` keeps a manifest of schema 1, without its signatures; keep the archive.",
    ),
    "packing-annotations-removed": Code(
        Level.LOSS,
        "Annotations that described the packed bytes of a layer (eStargz, zstd:chunked, SOCI) went "
        "when the layer was recompressed, because they no longer tell the truth.",
        "`--compress keep` leaves the layer, and so its annotations, as they are.",
    ),
    "config-problem": Code(
        Level.WARNING,
        "A member of the image's config breaks the specification. The bytes travel as they are.",
        "Tell whoever made the image; runtimes may refuse it.",
        fault=True,
    ),
    "config-type-corrected": Code(
        Level.WARNING,
        "The config of a Docker manifest was labelled `application/octet-stream`, as registries of "
        "2015 and 2016 did; it was treated as the image config that it is.",
        "Nothing to do.",
    ),
    "count-mismatch": Code(
        Level.WARNING,
        "The config's history or `diff_ids` and the manifest's layers differ in number.",
        "Some runtimes refuse such images; rebuild it if one does.",
        fault=True,
    ),
    "missing-child": Code(
        Level.LOSS,
        "An entry was removed from an index because the image that it names is not in the source.",
        "Fetch the missing platforms first, or choose the present ones with `--platform`.",
    ),
    "sparse-index": Code(
        Level.WARNING,
        "An index names images that are not in the source. It needed no change and kept its bytes.",
        "Choose the present platforms with `--platform` for a closed index.",
    ),
    "foreign-layer-absent": Code(
        Level.INFO,
        "A non-distributable layer is not in the source; its descriptor and `urls` were kept.",
        "Runtimes fetch it from its `urls`.",
    ),
    "entry-dropped": Code(
        Level.LOSS,
        "An entry was removed from an index because the target cannot hold what it names.",
        "Keep the source, or choose what to convert with `--platform`.",
    ),
    "attestation-dropped": Code(
        Level.LOSS,
        "An attestation was left out: Docker's tools cannot read attestations, and it speaks of "
        "the digests before the conversion.",
        "`--attestations keep` carries it, `--attestations fail` refuses.",
    ),
    "attestation-names-old-digest": Code(
        Level.WARNING,
        "An attestation was carried. Its link was re-pointed to the converted image, but the "
        "statement inside names the digest before the conversion and is never rewritten.",
        "Keep the report: it maps the old digest to the new one.",
    ),
    "platform-added": Code(
        Level.INFO,
        "An entry stated no platform, which a Docker list requires; it was taken from the image's "
        "config.",
        "Nothing to do.",
    ),
    "platform-unknown": Code(
        Level.WARNING,
        "An entry states no platform, and neither does its config. A Docker list requires one.",
        "Build the list again with platforms, or convert its images one by one.",
    ),
    "nested-index-flattened": Code(
        Level.LOSS,
        "An index inside an index was replaced by its entries: Docker has no lists of lists.",
        "`--record FILE` keeps the original documents.",
    ),
    "index-flattened": Code(
        Level.LOSS,
        "An index of one image gave way to that image, as `--flatten` asked.",
        "`--record FILE` keeps the original index.",
    ),
    "platform-not-selected": Code(
        Level.INFO,
        "An entry was left out because `--platform` did not ask for it.",
        "Nothing to do.",
    ),
    "referrer-dropped": Code(
        Level.LOSS,
        "A document that refers to an image (an SBOM, for instance) was left behind: Docker has no "
        "subjects, or the target has no room for it.",
        "`--referrers keep` carries it where the target can hold it, `--referrers fail` refuses.",
    ),
    "signature-orphaned": Code(
        Level.LOSS,
        "A signature was left behind: it speaks of a digest that the conversion changed. "
        "Signatures are never re-pointed.",
        "Sign the new digest. `prove` shows that the new image is the one that was signed. "
        "`--signatures keep` carries the old signature all the same.",
    ),
    "signature-dropped": Code(
        Level.LOSS,
        "A signature was left behind, as `--signatures drop` asked, or because the target has no "
        "room for it.",
        "`--signatures auto` carries those that stay valid, where the target can hold them: an OCI "
        "layout those that are images of their own, a `dir:` those that are files.",
    ),
    "signature-names-old-digest": Code(
        Level.WARNING,
        "A signature was carried although the digest that it speaks of changed; it does not verify "
        "for the new image.",
        "Sign the new digest.",
    ),
    "no-repository-name": Code(
        Level.WARNING,
        "The name of an image is no repository with a tag, so Docker cannot load it by name; the "
        "archive holds it untagged.",
        "Give the destination a full reference such as `example.com/app:1`.",
    ),
    "subject-not-carried": Code(
        Level.WARNING,
        "A document speaks of a subject that is not part of this conversion; the link was kept as "
        "it is.",
        "Convert the subject together with what refers to it.",
    ),
    # What `verify` and `--same-as` add.
    "mixed-families": Code(
        Level.WARNING,
        "Media types of Docker and of OCI are mixed in one image. It is legal, and some registries "
        "and tools refuse it.",
        "Convert the image: every descriptor is normalised on its own.",
    ),
    "dangling-subject": Code(
        Level.WARNING,
        "A document speaks of a subject that is not in the store.",
        "Nothing to do if the subject is kept elsewhere.",
    ),
    "orphan-blob": Code(
        Level.INFO,
        "A file of a layout belongs to no image of it.",
        "Harmless but for its room; the tool that writes the layout may remove it.",
    ),
    "untagged-image": Code(
        Level.INFO,
        "An image of the store has no name.",
        "Choose it by its digest or its position (`@0`).",
    ),
    "leftover": Code(
        Level.INFO,
        "The folder of unfinished files, `.oci-convert`, is not empty: a run was killed, or one is "
        "writing right now.",
        "The next run that writes here removes what dead runs left.",
    ),
    "not-compared": Code(
        Level.INFO,
        "An attestation, an artifact or an absent image was left out of the comparison.",
        "Nothing to do: it is no image, or it is not here.",
    ),
    "layer-believed": Code(
        Level.INFO,
        "A layer could not be unpacked (it is absent, foreign or encrypted, or its config has no "
        "`diff_id` for it), so that a comparison had to believe what the documents say of it.",
        "Fetch the layer, if it is absent and you need to be sure.",
    ),
    **{code: Code(Level.ERROR, meaning, advice) for code, (meaning, advice) in FAULTS.items()},
}
"""Every code that a run can report. The errors are findings of ``verify``; they end a conversion.

``verify`` reports ``mislabelled-layer`` and ``count-mismatch`` as errors, too: a conversion can put
the one right and carry the other, but the image is not what it says.
"""


def markdown() -> str:
    """The codes as ``docs/findings.md``."""
    lines = [
        "# Findings",
        "",
        "Generated from `oci_convert.findings`. A finding has a stable code, a level, a",
        "place and a message. A *loss* is something of the source that is not in the target:",
        "`--on-loss fail` refuses it before anything is written. An *error* is what `verify`",
        "reports and what ends a conversion. `--strict` refuses the findings marked *fault*.",
    ]
    for level in (Level.LOSS, Level.WARNING, Level.INFO, Level.ERROR):
        lines += ["", f"## {level.value.capitalize()}"]
        for name, code in CODES.items():
            if code.level is level:
                fault = " *fault*" if code.fault else ""
                lines += ["", f"### `{name}`{fault}", "", code.meaning, "", code.advice]
    return "\n".join(lines) + "\n"
