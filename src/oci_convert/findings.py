"""Findings: what is reported about an image, each with a stable code.

:data:`CODES` is the one list of them; ``docs/findings.md`` is generated from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from oci_convert.fault_codes import FAULTS
from oci_convert.plain import Plain

if TYPE_CHECKING:
    from oci_convert.text.html import Html

__all__ = ["CODES", "Code", "Finding", "Level", "told"]


class Level(StrEnum):
    """How serious a finding is."""

    INFO = "info"
    WARNING = "warning"
    LOSS = "loss"
    """Something of the source is not in the target; ``on_loss`` refuses."""
    ERROR = "error"


class Code(NamedTuple):
    """What a code means."""

    level: Level
    meaning: str
    """What is the case and why it matters, in one or two sentences; arguments are in braces."""
    advice: str
    """What a user can do about it."""
    fault: bool = False
    """``strict`` refuses: the source is at fault, or holds what the target cannot hold."""


@dataclass(frozen=True, slots=True, repr=False)
class Finding(Plain):
    """One thing to report about one blob."""

    code: str
    """What it is: stable, and explained in findings.md."""
    level: Level
    """How serious it is."""
    where: str
    """The path of the blob in the source: images[0].layers[2]."""
    message: str
    """What was found, for people; it may change."""

    @classmethod
    def of(cls, code: str, where: str, message: str) -> Finding:
        """A finding at the level that :data:`CODES` gives its code."""
        return cls(code, CODES[code].level, where, message)


def told(findings: Sequence[Finding]) -> Html:
    """Findings as a table for notebooks."""
    from oci_convert.text.html import table, tag

    kinds = {Level.INFO: "faint", Level.ERROR: "bad"}
    return table(
        ("level", "where", "finding", "code"),
        (
            (
                tag("span", it.level, kind=kinds.get(it.level, "warning")),
                it.where,
                it.message,
                it.code,
            )
            for it in findings
        ),
    )


def _removed(member: str, meaning: str) -> Code:
    return Code(
        Level.LOSS,
        f"{meaning} The Docker schema does not define the field `{member}`, so it was removed.",
        "`{keep_extensions=True}` keeps the field (most readers ignore it, some registries "
        'refuse it); `{dumps(originals=True)}` keeps the original document; `{on_loss="fail"}` '
        "refuses.",
    )


CODES: Final[dict[str, Code]] = {
    "not-reversible": Code(
        Level.WARNING,
        "Converting back would not give the bytes of this document: something in it was removed, "
        "added or corrected, or it is a referrer that converting back drops. Where that is a loss, "
        "a finding of its own says so.",
        "`{dumps(originals=True)}` keeps the original bytes, and `{restore=FILE}` brings them "
        'back. `{referrers="keep"}` keeps referrers both ways. `{require_reversible=True}` '
        "refuses.",
    ),
    "not-reversible-repacked": Code(
        Level.WARNING,
        "Converting back would not give the bytes of this document, because a layer below it was "
        "recompressed and its original bytes cannot be computed. Content and image ID stay.",
        '`{compress="keep"}` recompresses nothing; `prove` shows that the content is the same. '
        "`{require_reversible=True}` refuses.",
    ),
    "annotations-removed": _removed("annotations", "Annotations were lost."),
    "subject-removed": _removed("subject", "The link to the subject was lost."),
    "artifactType-removed": _removed("artifactType", "The type of an artifact was lost."),
    "data-removed": _removed("data", "An embedded copy of a blob was lost; the blob itself stays."),
    "urls-removed": _removed("urls", "Download addresses were lost."),
    "platform-removed": _removed(
        "platform",
        "The platform in the descriptor of a config or a layer was lost, as Docker 25.0 writes it; "
        "the config itself states it, too.",
    ),
    "unofficial-media-type": Code(
        Level.WARNING,
        "A zstd layer has a Docker media type that the Docker schema does not define. Registries "
        "and versions of Docker differ in whether they take it.",
        '`{compress="gzip"}` gives the layer an official media type, as does converting to OCI.',
    ),
    "media-type-corrected": Code(
        Level.WARNING,
        "The media type of a document contradicted its descriptor, or `index.json` called itself "
        "something else. What the document names shows which one is right; `{repair=True}` "
        "corrected the other.",
        "Ask the image's producer to fix it; `{dumps(originals=True)}` keeps the original bytes.",
        fault=True,
    ),
    "size-corrected": Code(
        Level.WARNING,
        "A descriptor stated a wrong size. The blob has its digest; `{repair=True}` corrected "
        "the size.",
        "Ask the image's producer to fix it; `{dumps(originals=True)}` keeps the original bytes.",
        fault=True,
    ),
    "misspelled-media-type": Code(
        Level.WARNING,
        "The media type of a manifest, index, config or layer is known except for its case or for "
        "parameters (`; charset=utf-8`). Other tools may not recognise it. It is read as the known "
        "media type, which is also what the target says.",
        "Ask the image's producer to fix it; `{strict=True}` refuses such images.",
        fault=True,
    ),
    "mislabelled-document": Code(
        Level.WARNING,
        "A descriptor of a manifest or an index has no media type, a generic one "
        "(`application/json`) or an unknown one. What the document is follows from its own "
        "`mediaType`, or from its fields; the descriptor in the target says so.",
        "Ask the image's producer to fix it; `{strict=True}` refuses such images.",
        fault=True,
    ),
    "opaque-blob": Code(
        Level.WARNING,
        "An index or a store lists a blob that is neither a manifest nor an index. It is copied "
        "unchanged, together with the blobs that it describes by digest and size, or dropped.",
        "Nothing to do if it is meant to be there; `inspect` shows its media type.",
    ),
    "mislabelled-layer": Code(
        Level.WARNING,
        "The media type of a layer does not match its bytes. The media type was corrected.",
        "Ask the producer of the image to fix it; `{strict=True}` refuses such images.",
        fault=True,
    ),
    "oci-part-ignored": Code(
        Level.WARNING,
        "The OCI part of a `docker save` archive is damaged or contradicts its `manifest.json`: a "
        "wrong size, a corrupt `index.json` or one that does not list the image, an unknown layout "
        "version, layers in another order, another image of that name. The image is the one of "
        "`manifest.json`, whose layers the config confirms; what `index.json` says was not used.",
        "Save the image again with a current Docker; `{strict=True}` refuses such archives.",
        fault=True,
    ),
    "layer-source-unused": Code(
        Level.LOSS,
        "`LayerSources` of a `docker save` archive describes a foreign layer, or gives a layer "
        "`urls`, but by the digest of other bytes than those of its file. The file is used, so the "
        "layer becomes an ordinary one, without `urls`. A warning where nothing is lost by it.",
        "Keep the archive, or fetch the image from its registry.",
    ),
    "unrecognised-layer": Code(
        Level.WARNING,
        "The bytes of a layer are neither a tar nor compressed in a known format. The layer was "
        "treated as its media type says.",
        "`verify` shows whether the image is sound; `{strict=True}` refuses such images.",
        fault=True,
    ),
    "layer-repacked": Code(
        Level.INFO,
        "A layer was decompressed, checked against its `diff_id` and compressed again, so it has a "
        "new digest. The tar inside and the image ID stay.",
        '`{compress="keep"}` leaves layers unchanged if the target has a media type for them.',
    ),
    "schema1-upgraded": Code(
        Level.LOSS,
        "An image in Docker's format before 2016 was upgraded: a manifest of schema 1, or an "
        "archive of Docker before 1.10. Layers, history and configuration are kept; signatures, "
        "ids and the other fields of its v1 images are lost. The old format is never written, so "
        "this cannot be converted back.",
        "`{dumps(originals=True)}` keeps a manifest of schema 1, without its signatures; keep "
        "the archive.",
    ),
    "packing-annotations-removed": Code(
        Level.LOSS,
        "Annotations that described the compressed bytes of a layer (eStargz, zstd:chunked, SOCI) "
        "were removed when the layer was recompressed, because they are no longer true.",
        '`{compress="keep"}` leaves the layer, and so its annotations, unchanged.',
    ),
    "outdated-data-removed": Code(
        Level.LOSS,
        "A descriptor had an embedded copy of a blob that has become another one. The copy was "
        "removed, as it has the bytes before; the blob itself is in the target.",
        '`{compress="keep"}` leaves a layer, and so its copy, unchanged.',
    ),
    "misused-empty-type": Code(
        Level.WARNING,
        "A descriptor has the media type of the empty blob, `application/vnd.oci.empty.v1+json`, "
        "and describes something else than `{}`. Tools that know the type do not read the blob.",
        "Ask the image's producer to fix it; `{strict=True}` refuses such images.",
        fault=True,
    ),
    "config-problem": Code(
        Level.WARNING,
        "A field of the image's config violates the specification. The config is not changed.",
        "Ask the producer of the image to fix it; runtimes may refuse it.",
        fault=True,
    ),
    "missing-field": Code(
        Level.WARNING,
        "A manifest or an index lacks a field that its specification requires: `layers`, or "
        "`manifests`, the `artifactType` of an artifact with an empty config and, of Docker, "
        "`mediaType` and the `platform` of an entry. It is kept, or gets what the target needs.",
        "Ask the producer of the image to fix it; other tools may refuse it, and so does "
        "`{strict=True}`.",
        fault=True,
    ),
    "invalid-value": Code(
        Level.WARNING,
        "A value breaks the grammar of the specification: a media type or an `artifactType` that "
        "RFC 6838 does not allow, an address in `urls` that is none, a member of `Env` without `=`."
        " It is kept as it is.",
        "Ask the producer of the image to fix it; other tools may refuse it, and so does "
        "`{strict=True}`.",
        fault=True,
    ),
    "config-type-corrected": Code(
        Level.WARNING,
        "The config of a Docker manifest was labelled `application/octet-stream`, as registries of "
        "2015 and 2016 did; it was treated as an image config.",
        "Nothing to do.",
    ),
    "count-mismatch": Code(
        Level.WARNING,
        "The history or the `diff_ids` of the config are not as many as the manifest's layers.",
        "Some runtimes refuse such images; rebuild it if one does.",
        fault=True,
    ),
    "missing-child": Code(
        Level.LOSS,
        "An entry was removed from an index, or an image that the list of the store names was left "
        "out, because it is not in the source.",
        'Fetch the missing platforms first. `{sparse="keep"}` keeps such entries as they are, '
        'and `{sparse="fail"}` refuses them.',
    ),
    "bytes-by-processor": Code(
        Level.WARNING,
        "Layers are compressed fast. The same command on another processor may give them other "
        "bytes, and the image another digest; what they unpack to is the same.",
        "Leave out `{fast=True}` where others must come to the same digests.",
    ),
    "sparse-index": Code(
        Level.WARNING,
        "An index lists images that are not in the source, and does so in the target.",
        'Nothing to do if they are elsewhere. `{sparse="drop"}` removes their entries; `verify` '
        "with `{complete=True}` asks for all images.",
    ),
    "foreign-layer-absent": Code(
        Level.INFO,
        "A non-distributable layer is not in the source; its descriptor and `urls` were kept.",
        "Runtimes fetch it from its `urls`.",
    ),
    "registry-warning": Code(
        Level.INFO,
        "A registry sent a warning with an answer. It was taken down and changed nothing.",
        "Read it: it is from the operator of the registry, and may announce that something ends.",
    ),
    "referrers-not-sought": Code(
        Level.WARNING,
        "The image went to another repository of its registry. What refers to it, such as "
        "signatures, was not looked for, as that takes more requests than converting does.",
        'It is still at the source, under the old digest. `{referrers="keep"}` or '
        '`{signatures="keep"}` looks for it; with "drop" for both, it is not missed.',
    ),
    "missing-referrer": Code(
        Level.WARNING,
        "A registry lists something as a referrer of the image that it does not have. There is "
        "nothing to convert: it was deleted, or never pushed, and the list is out of date.",
        "Push the referrer (a signature, an SBOM) again if it is wanted; `{strict=True}` refuses.",
        fault=True,
    ),
    "entry-dropped": Code(
        Level.LOSS,
        "An entry was removed from an index because the target format has no such content.",
        "Keep the source, or choose what to convert with `{platforms}`. `{strict=True}` refuses.",
        fault=True,
    ),
    "zstd-twin-dropped": Code(
        Level.INFO,
        "An index has the same image twice, with gzip and with zstd layers. Towards Docker the one "
        "with zstd was dropped: recompressed, it would be the other one.",
        '`{compress="keep"}` keeps both, and the unofficial media type for zstd.',
    ),
    "not-an-image": Code(
        Level.LOSS,
        "Something in a store is no image but an artifact (a Helm chart, a Wasm module). It was "
        "left out, as Docker has only images and nobody asked for it by name.",
        "Convert it to OCI, which keeps it unchanged. `{strict=True}` refuses.",
        fault=True,
    ),
    "unknown-layer": Code(
        Level.LOSS,
        "Something in a store has layers for which Docker has no media type (a model, perhaps)."
        " It was left out, as nobody asked for it by name.",
        "Convert it to OCI, which keeps it unchanged. `{strict=True}` refuses.",
        fault=True,
    ),
    "no-such-platform": Code(
        Level.LOSS,
        "An image of a store was left out, because it is not for a platform that `{platforms}` "
        "asks for. Another one is.",
        "Name the images that you want, or ask for more platforms.",
    ),
    "attestation-dropped": Code(
        Level.LOSS,
        "An attestation was dropped: Docker's tools cannot read attestations, and its statement "
        "names the digests before the conversion.",
        '`{attestations="keep"}` keeps it, `{attestations="fail"}` refuses.',
    ),
    "attestation-names-old-digest": Code(
        Level.WARNING,
        "An attestation was kept. Its entry refers to the converted image, but the statement "
        "inside names the digest before the conversion and is never rewritten.",
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
        "An index inside an index was replaced by its entries: a Docker manifest list cannot "
        "contain another list.",
        "`{dumps(originals=True)}` keeps the original documents.",
    ),
    "index-flattened": Code(
        Level.LOSS,
        "An index was replaced by its only image, as `{flatten=True}` asked.",
        "`{dumps(originals=True)}` keeps the original index.",
    ),
    "entry-not-carried": Code(
        Level.LOSS,
        "The entry of an image in `index.json` says something of it that is not in the target: "
        "a `dir:` and a registry have no such entry, and `urls` of an image that changed serve "
        "the bytes from before. Where that is only the time at which BuildKit made the image, it "
        "is no loss: the config says it, too.",
        "Convert to an OCI layout or an archive, whose entries say the same; keep the source.",
    ),
    "list-not-carried": Code(
        Level.LOSS,
        "`index.json` says something of itself, beside its images (annotations, a member that "
        "nobody knows), that is not in the target: it has no `index.json`, or one that says "
        "something else.",
        "Convert into a new OCI layout or an archive, which takes it; keep the source.",
    ),
    "platform-not-selected": Code(
        Level.INFO,
        "An entry was dropped because `{platforms}` did not select it.",
        "Nothing to do.",
    ),
    "referrer-dropped": Code(
        Level.LOSS,
        "A referrer of an image (an SBOM, for instance) was dropped: Docker has no subjects, the "
        "target holds only one image, or it is a list of signatures that were dropped.",
        '`{referrers="keep"}` keeps it if the target can hold it, `{referrers="fail"}` refuses.',
    ),
    "signature-orphaned": Code(
        Level.LOSS,
        "A signature was dropped: it is for a digest that the conversion changed. A signature is "
        "never changed to refer to another digest.",
        "Sign the new digest. `prove` shows that the new image is the one that was signed. "
        '`{signatures="keep"}` keeps the old signature anyway.',
    ),
    "signature-dropped": Code(
        Level.LOSS,
        'A signature was dropped, as `{signatures="drop"}` asked, or because the target cannot '
        "hold it.",
        '`{signatures="auto"}` keeps those that stay valid, if the target can hold them: an OCI '
        "layout those that are images of their own, a `dir:` those that are files.",
    ),
    "signature-names-old-digest": Code(
        Level.WARNING,
        "A signature was kept although the digest that it is for changed; it does not verify for "
        "the new image.",
        "Sign the new digest.",
    ),
    "name-outside-grammar": Code(
        Level.WARNING,
        "A name of an image breaks its grammar: that of `org.opencontainers.image.ref.name` is "
        "letters and digits, joined by single separators; `RepoTags` and "
        "`io.containerd.image.name` are a repository in lower case and a tag. It is written as it "
        "is.",
        "Choose a name such as `app:1`; other tools may not find the image by this one.",
    ),
    "digest-algorithm-unsupported": Code(
        Level.WARNING,
        "Digests of an image for Docker are not by sha256. Docker and containerd refuse such "
        "images (moby/moby#48241).",
        '`{digest="sha256"}` computes the digests of documents, layers and configs anew; what they '
        "hold stays. `diff_ids` are in the config, which stays, too: build the image again where "
        "they are not by sha256.",
    ),
    "digest-in-name": Code(
        Level.WARNING,
        "A name states a digest, as `app:1@sha256:…`, and the digest of the image changed. The "
        "image is called by the tag, or by the repository, unless another image of the run has "
        "that name.",
        "`repin` replaces the old digest in files. Converted to the format that it has, an image "
        "keeps its digest.",
    ),
    "no-repository-name": Code(
        Level.WARNING,
        "The name of an image is not REPOSITORY:TAG, so Docker cannot load it by name; the archive "
        "holds it untagged.",
        "Give the destination a full reference such as `example.com/app:1`.",
    ),
    "subject-not-carried": Code(
        Level.WARNING,
        "The subject of a document is not part of this conversion; its digest was not changed.",
        "Convert the subject together with its referrers.",
    ),
    # What `verify` and `same_as` add.
    "mixed-families": Code(
        Level.WARNING,
        "Media types of Docker and of OCI are mixed in one image. It is legal, and some registries "
        "and tools refuse it.",
        "Convert the image: every descriptor gets a media type of the target format.",
    ),
    "dangling-subject": Code(
        Level.WARNING,
        "The subject of a document is not in the store.",
        "Nothing to do if the subject is kept elsewhere.",
    ),
    "orphan-blob": Code(
        Level.INFO,
        "A blob of a layout is not referenced by any image.",
        "Harmless except for the space; the tool that writes the layout may remove it.",
    ),
    "untagged-image": Code(
        Level.INFO,
        "An image of the store has no name.",
        "Choose it by its digest or its position (`@0`).",
    ),
    "leftover": Code(
        Level.INFO,
        "The directory of unfinished files, `.oci-convert`, is not empty: a run was killed, or one "
        "is writing now.",
        "The next run that writes here removes the files of killed runs.",
    ),
    "not-compared": Code(
        Level.INFO,
        "An attestation, a referrer, a signature or an absent image was not compared.",
        "Nothing to do: it is not an image, or it is absent.",
    ),
    "layer-believed": Code(
        Level.INFO,
        "A layer could not be decompressed (it is absent, foreign or encrypted, or the config has "
        "no `diff_id` for it). It was compared only by what the documents state.",
        "Fetch the layer if it is absent and you need to be sure.",
    ),
    **{code: Code(Level.ERROR, meaning, advice) for code, (meaning, advice) in FAULTS.items()},
}
"""Every code that a run can report. The errors are findings of ``verify``; they end a conversion.

``verify`` reports ``mislabelled-layer`` and ``count-mismatch`` as errors, too: a conversion can
correct the one and keep the other, but the image is wrong.
"""
