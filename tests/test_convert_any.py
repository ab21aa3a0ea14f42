"""Converting any tree that somebody might have made: the promises hold for all of them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from oci_convert.conversion.convert import convert
from oci_convert.errors import OciConvertError, UsageError
from oci_convert.report import Report
from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores.memory import Memory
from support.images import (
    DOCKER,
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY,
    OCI,
    OCI_CONFIG,
    OCI_MANIFEST,
    RC2_LIST,
    Blob,
    Image,
    Spelling,
    artifact_manifest,
    attestation,
    digest_of,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    mislabelled,
    oci_image,
    opaque,
    referrer,
)

NONE, ZSTD = Compression.NONE, Compression.ZSTD
TOC: Final = {"kept": "y", "io.containers.estargz.uncompressed-size": "1"}
LAYERS: Final = (
    layer("a"),
    layer("a", NONE),
    layer("b", NONE),
    layer("c", ZSTD),
    layer("d", more={"data": base64.b64encode(layer("d").data).decode()}),
    layer("e", more={"annotations": TOC}),
    layer("gzip", media_type=f"{OCI}layer.v1.tar"),
    layer("zstd", ZSTD, media_type=DOCKER_LAYER),
    layer("f", foreign=True, more={"urls": ["https://example.com"]}),
    layer("g", foreign=True, present=False),
)
ARTIFACTS: Final = (
    manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"hello")]),
    manifest(Blob("application/x-chart", b"{}"), [layer("a").blob(Family.OCI)]),
    manifest(
        Blob(f"{DOCKER}plugin.v1+json", b"{}"),
        [layer("a").blob(Family.DOCKER)],
        family=Family.DOCKER,
    ),
    artifact_manifest([Blob("text/plain", b"hello"), layer("a").blob(Family.OCI)]),
    opaque(b"neither a manifest nor an index", "text/plain"),
)


def rarely(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 5)) == 0


odd_types: Final = st.sampled_from(["", "application/json", "invalid", "text/plain; charset=utf-8"])


def odd_members(draw: st.DrawFn) -> dict[str, Any]:
    annotations = {"annotations": {"k": "v"}} if rarely(draw) else {}
    return annotations | ({"stated": False} if rarely(draw) else {})


@st.composite
def images(draw: st.DrawFn) -> Image:
    options = odd_members(draw)
    if rarely(draw):
        odd = ["application/octet-stream", EMPTY, DOCKER_CONFIG, OCI_CONFIG]
        options["config_type"] = draw(st.sampled_from(odd))
    if rarely(draw):
        options["algorithm"] = "sha512"
    make = draw(st.sampled_from([docker_image, oci_image]))
    image: Image = make(
        draw(st.lists(st.sampled_from(LAYERS), max_size=3)),
        draw(st.sampled_from(Spelling)),
        platform=draw(st.sampled_from(["linux/amd64", "linux/arm64/v8", "windows/amd64"])),
        **options,
    )
    if rarely(draw):
        image = mislabelled(image, draw(odd_types))
    if rarely(draw):
        image = image.with_entry(platform=None)
    return image.with_entry(annotations={"e": "f"}) if rarely(draw) else image


@st.composite
def indexes(draw: st.DrawFn, children: st.SearchStrategy[Image]) -> Image:
    listed = draw(st.lists(children, max_size=4))
    families = st.sampled_from([Family.OCI, Family.DOCKER])
    listed += [attestation(image, draw(families)) for image in listed if rarely(draw)]
    if listed and rarely(draw):
        listed.append(draw(st.sampled_from(listed)))
    index = image_list(
        listed,
        draw(st.sampled_from([None, *Family])),
        draw(st.sampled_from(Spelling)),
        **odd_members(draw),
    )
    if rarely(draw):
        index = mislabelled(index, draw(odd_types))
    absent = draw(st.sampled_from(sorted(index.blobs))) if rarely(draw) else index.digest
    return index if absent == index.digest else index.without(absent)


trees: Final = st.recursive(images() | images() | st.sampled_from(ARTIFACTS), indexes, max_leaves=6)
options_of_both_ways: Final = st.fixed_dictionaries(
    {
        "compress": st.sampled_from(["auto", "auto", "auto", "keep", "gzip", "none"]),
        "attestations": st.sampled_from(["auto", "keep", "drop"]),
        "keep_extensions": st.booleans(),
        "sparse": st.sampled_from(["auto", "auto", "keep", "drop", "fail"]),
    }
)
options_of_one_way: Final = st.sampled_from(
    [{}, {}, {}, {"flatten": True}, {"platforms": ("linux/amd64",)}]
)


@dataclass(frozen=True)
class Run:
    """A conversion that went well."""

    report: Report
    target: Memory

    @property
    def digest(self) -> str:
        return self.report.images[0].new.digest

    @property
    def blobs(self) -> dict[str, bytes]:
        found = self.target.files.items()
        return {name[6:].replace("/", ":"): data for name, data in found if name[:6] == "blobs/"}


def run(source: Memory, to: str, options: dict[str, Any]) -> Run | OciConvertError:
    target = Memory()
    try:
        report = convert(source, target, to=to, jobs=1, **options)
    except OciConvertError as error:
        assert target.files == {}
        return error
    return Run(report, target)


def home_of(image: Image, to: str) -> str:
    """The family that an image came from."""
    known = (DOCKER_MANIFEST, DOCKER_LIST, RC2_LIST, OCI_MANIFEST)
    media_type = image.media_type if image.media_type in known else type_of(image.manifest)
    if media_type in (DOCKER_MANIFEST, DOCKER_LIST):
        return "docker"
    if media_type == RC2_LIST or (media_type, to) == (OCI_MANIFEST, "oci-rc2"):
        return "oci-rc2"
    return "oci"


def type_of(raw: bytes) -> str:
    """What a document says that it is, or shows by its config."""
    document: dict[str, Any] = json.loads(raw) if raw[:1] == b"{" else {}
    if document.get("config", {}).get("mediaType") == DOCKER_CONFIG:
        return str(document.get("mediaType", DOCKER_MANIFEST))
    return str(document.get("mediaType", "" if "manifests" in document else OCI_MANIFEST))


def assert_closed(blobs: dict[str, bytes], digest: str, *, sparse: bool) -> None:
    """Every blob is what its name says, and whatever is named is there."""
    assert all(digest_of(data, name.partition(":")[0]) == name for name, data in blobs.items())
    document = json.loads(blobs[digest]) if blobs[digest][:1] == b"{" else {}
    named = [*document.get("layers", ()), document["config"]] if "config" in document else []
    for described in named:
        foreign = any(word in described["mediaType"] for word in ("foreign", "nondistributable"))
        assert foreign or len(blobs[described["digest"]]) == described["size"]
    for entry in document.get("manifests") or ():
        assert sparse or entry["digest"] in blobs
        if entry["digest"] in blobs and "manifest" in entry["mediaType"]:
            assert_closed(blobs, entry["digest"], sparse=sparse)


# -- nothing is left behind -----------------------------------------------------------------------

LISTS: Final = ("manifests", "layers", "blobs")
DROPPED: Final = frozenset(
    {
        "attestation-dropped",
        "entry-dropped",
        "missing-child",
        "no-such-platform",
        "not-an-image",
        "platform-not-selected",
        "referrer-dropped",
        "signature-dropped",
        "signature-orphaned",
        "sparse-index",
        "unknown-layer",
        "zstd-twin-dropped",
    }
)
"""Findings by which everything below a place is left behind."""


def reached(files: dict[str, bytes]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Every blob that a layout leads to: its places, each with the digests that lead there.

    By its JSON alone: through whatever has the members of a manifest or an index.
    """
    found: dict[str, dict[str, tuple[str, ...]]] = {}

    def follow(described: Any, where: str, above: tuple[str, ...]) -> None:
        digest = described["digest"]
        data = files.get(f"blobs/{digest.replace(':', '/')}")
        if data is None:
            return
        way = found.setdefault(digest, {})[where] = (*above, digest)
        document = json.loads(data) if data[:1] == b"{" else None
        if not isinstance(document, dict):
            return
        if isinstance(document.get("config"), dict) and "digest" in document["config"]:
            follow(document["config"], f"{where}.config", way)
        for name in LISTS:
            for i, one in enumerate(document.get(name) or ()):
                follow(one, f"{where}.{name}[{i}]", way)

    for i, entry in enumerate(json.loads(files["index.json"])["manifests"]):
        follow(entry, f"images[{i}]", ())
    return found


def assert_nothing_is_left(source: Memory, made: Run) -> None:
    """Whatever the source leads to is in the target, or a finding names it."""
    become = {row.old.digest: row.new for row in made.report.map}
    found = made.report.findings
    there = reached(source.files)
    told = {it.where for it in found}
    gone = {it.where for it in found if it.code in DROPPED}
    for twin in (it for it in found if it.code == "zstd-twin-dropped"):
        taker = become[twin.message.split()[0]]
        assert taker is not None
        assert taker.digest in made.blobs
    # What is told at one place holds for all; what refers to an image is told by its digest.
    said = " ".join(it.message for it in found if it.code in DROPPED)
    dropped = {digest for digest, places in there.items() if gone & set(places) or digest in said}
    for digest, places in there.items():
        new = become.get(digest)
        if digest in made.blobs or (new is not None and new.digest in made.blobs):
            continue
        assert told & set(places) or all(dropped & set(way) for way in places.values()), places


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    trees, st.sampled_from(["docker", "oci", "oci-rc2"]), options_of_both_ways, options_of_one_way
)
def test_what_is_promised_holds_for_any_tree(
    image: Image, to: str, both_ways: dict[str, Any], one_way: dict[str, Any]
) -> None:
    source = Memory(layout_files({"app": image}))
    options = both_ways | one_way
    made = run(source, to, options)
    dry = run(source, to, {**options, "dry_run": True})
    if isinstance(made, OciConvertError):
        event(made.code)
        assert isinstance(dry, OciConvertError)
        assert str(dry) == str(made)
        return
    # A dry run tells the same.
    assert isinstance(dry, OciConvertError) or not dry.target.files
    assert isinstance(dry, Run)
    assert (dry.report.images, dry.report.map) == (made.report.images, made.report.map)
    assert dry.report.findings == made.report.findings
    # Losses and other bytes are refused each by its own option.
    lossless = run(source, to, {**options, "on_loss": "fail", "dry_run": True})
    assert isinstance(lossless, Run) == (not made.report.losses)
    exact = run(source, to, {**options, "require_reversible": True, "dry_run": True})
    assert isinstance(exact, Run) == made.report.reversible
    assert isinstance(exact, Run) or exact.code == "not-reversible"
    # The target is whole, and of the family: converting it again changes nothing.
    assert_nothing_is_left(source, made)
    assert_closed(made.blobs, made.digest, sparse=both_ways["sparse"] in ("auto", "keep"))
    again = run(made.target, to, both_ways)
    assert isinstance(again, Run)
    assert again.digest == made.digest
    assert again.report.reversible
    # It is called reversible exactly if it comes back, and then needs no record.
    home = home_of(image, to)
    back = run(made.target, home, both_ways)
    if isinstance(back, UsageError):  # what was asked of the target cannot be asked of the source
        return
    event(f"reversible: {made.report.reversible}")
    assert made.report.reversible == (isinstance(back, Run) and back.digest == image.digest)
    record = made.report.dumps(originals=True).encode()
    restored = run(made.target, home, {**both_ways, "restore": record})
    assert isinstance(restored, Run) or not made.report.reversible
    if isinstance(restored, Run) and not one_way:
        event("restored")
        assert restored.digest == image.digest


SIGNED: Final = "application/vnd.cncf.notary.signature"


def artifact(draw: st.DrawFn, subject: Image, blobs: dict[str, bytes]) -> Image:
    """An artifact, or a signature, that refers to something and may have blobs of an image."""
    signed: dict[str, Any] = {"artifactType": SIGNED} if draw(st.booleans()) else {}
    data = draw(st.sampled_from([b"{}", b"a note", *blobs.values()]))
    config = Blob(draw(st.sampled_from([EMPTY, "application/x-one", "application/x-two"])), b"{}")
    blob = Blob(draw(st.sampled_from(["text/plain", "application/x-data"])), data)
    return manifest(config, [blob], subject=subject.descriptor.triple(), **signed)


@st.composite
def notes_of(draw: st.DrawFn, image: Image, number: int) -> dict[str, Image]:
    """What refers to an image in a store: alone, or in a list under the tag for it."""
    blobs = {digest: data for digest, data in image.blobs.items() if data[:1] != b"{"}
    notes = [artifact(draw, image, blobs) for _ in range(draw(st.integers(1, 3)))]
    notes += [artifact(draw, notes[0], blobs)] if draw(st.booleans()) else []
    if draw(st.booleans()):
        return {image.digest.replace(":", "-"): image_list(notes)}
    return {f"note{number}.{i}": note for i, note in enumerate(notes)}


def assert_only_subjects_change(images: dict[str, Image], made: Run) -> None:
    """No signature is re-pointed, and an artifact keeps all but what it refers to."""
    blobs = {digest: data for image in images.values() for digest, data in image.blobs.items()}
    for digest, raw in made.blobs.items():
        signature = SIGNED.encode() in raw and b'"layers"' in raw
        assert not signature or blobs.get(digest) == raw
    become = {row.old.digest: row.new for row in made.report.map}
    for digest, raw in blobs.items():
        new = become.get(digest)
        if b"application/x-" in raw and b'"layers"' in raw and new is not None:
            old, document = json.loads(raw), json.loads(made.blobs[new.digest])
            assert [document[name] for name in ("config", "layers")] == [
                old[name] for name in ("config", "layers")
            ]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(trees, min_size=1, max_size=3),
    st.sampled_from(["docker", "oci", "oci-rc2"]),
    options_of_both_ways,
    st.sampled_from(["auto", "keep", "drop"]),
    st.sampled_from(["auto", "keep", "drop"]),
    st.data(),
)
def test_what_refers_to_images_is_never_something_else(
    found: list[Image],
    to: str,
    both_ways: dict[str, Any],
    referrers: str,
    signatures: str,
    data: st.DataObject,
) -> None:
    images = {f"app{i}": image for i, image in enumerate(found)}
    for i, image in enumerate(found):
        if image.media_type not in ("", "invalid"):
            images |= data.draw(notes_of(image, i))
    source = Memory(layout_files(images))
    options = {**both_ways, "referrers": referrers, "signatures": signatures}
    made = run(source, to, options)
    if isinstance(made, OciConvertError):
        event(made.code)
        return
    event("converted")
    assert_nothing_is_left(source, made)
    assert_only_subjects_change(images, made)
    homes = {home_of(image, to) for image in found}
    told = any(it.code.startswith("not-reversible") for it in made.report.findings)
    lists = any(image.media_type == f"{OCI}index.v1+json" for image in images.values())
    if len(homes) > 1 or made.report.losses or (lists and "oci-rc2" in homes):
        return
    # What is not told comes back.
    back = run(made.target, homes.pop(), options)
    event(f"told of the way back: {told}")
    if not told and isinstance(back, Run):
        assert {image.digest for image in images.values()} <= back.blobs.keys()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(trees, min_size=1, max_size=3),
    st.sampled_from(["docker", "oci", "oci-rc2"]),
    options_of_both_ways,
    options_of_one_way,
    st.data(),
)
def test_a_conversion_leaves_nothing_behind_that_it_does_not_tell(
    found: list[Image],
    to: str,
    both_ways: dict[str, Any],
    one_way: dict[str, Any],
    data: st.DataObject,
) -> None:
    images = {f"app{i}": image for i, image in enumerate(found)}
    for i, image in enumerate(found):
        if data.draw(st.booleans()) and image.media_type not in ("", "invalid"):
            note = referrer(image, f"{i}")
            odd = data.draw(st.booleans())
            images[f"note{i}"] = mislabelled(note, data.draw(odd_types)) if odd else note
    source = Memory(layout_files(images))
    made = run(source, to, both_ways | one_way)
    if isinstance(made, OciConvertError):
        event(made.code)
        return
    event("converted")
    assert_nothing_is_left(source, made)
