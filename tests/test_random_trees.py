"""Random trees with every option that changes a digest: results, or errors of ours.

The trees nest, repeat and miss images; attestations, signatures and referrers name anything that
was made before them, also an attestation, a nested index, or what has another parent. Indexes list
any of them, also under the tag for referrers of something.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oci_convert import Compression, Memory, OciConvertError, Report, convert, prove, verify
from oci_convert.options import Options
from oci_convert.planning.decide import decide
from oci_convert.planning.decisions import Plan
from oci_convert.planning.rendering import render
from oci_convert.spec.media_types import Family
from oci_convert.tree.reader import read_tree
from support.images import Blob, Layer, digest_of, docker_image, oci_image, tar_of

OCI: Final = "application/vnd.oci.image."
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
EMPTY: Final = Blob("application/vnd.oci.empty.v1+json", b"{}")
LAYERS: Final = tuple(
    Layer(tar_of({"app": name}), packed)
    for name in ("1", "2")
    for packed in (Compression.NONE, Compression.GZIP, Compression.ZSTD)
)


@dataclass
class Made:
    """A document of the random tree: its descriptor, and all blobs that there are so far."""

    entry: dict[str, Any]
    attests: str | None = None
    tag: str | None = None
    """The name of a list of referrers."""


@dataclass
class Forest:
    """Everything that was made, by digest."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    made: list[Made] = field(default_factory=list)

    def add(self, media_type: str, document: Mapping[str, Any]) -> Made:
        raw = json.dumps(document).encode()
        digest = digest_of(raw)
        self.blobs[digest] = raw
        self.made.append(Made({"mediaType": media_type, "digest": digest, "size": len(raw)}))
        return self.made[-1]

    def blob(self, blob: Blob) -> dict[str, Any]:
        self.blobs[blob.digest] = blob.data
        return {"mediaType": blob.media_type, "digest": blob.digest, "size": len(blob.data)}

    def files(self, roots: list[Made]) -> dict[str, bytes]:
        named = {root.tag or f"image{i}": root for i, root in enumerate(roots)}
        entries = [
            {**root.entry, "annotations": {"org.opencontainers.image.ref.name": name}}
            for name, root in named.items()
        ]
        index = {"schemaVersion": 2, "manifests": entries}
        blobs = {f"blobs/{digest.replace(':', '/')}": data for digest, data in self.blobs.items()}
        layout = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        return {**layout, "index.json": json.dumps(index).encode(), **blobs}


@st.composite
def forests(draw: st.DrawFn) -> dict[str, bytes]:
    """The files of a layout with a few roots over a random tree."""
    forest = Forest()
    _image(draw, forest)
    for _ in range(draw(st.integers(2, 9))):
        makes = [_image, _image, _attestation, _index, _index, _signature, _signature, _list]
        draw(st.sampled_from(makes))(draw, forest)
    count = min(len(forest.made), draw(st.integers(1, 3)))
    roots = [draw(st.sampled_from(forest.made)) for _ in range(count)] + forest.made[-1:]
    roots += [made for made in forest.made if made.tag is not None]
    unique = {root.entry["digest"]: root for root in roots}
    missing = draw(st.lists(st.sampled_from(sorted(forest.blobs)), max_size=1))
    for digest in missing if draw(st.booleans()) else ():
        if digest not in unique:
            del forest.blobs[digest]
    return forest.files(list(unique.values()))


def _image(draw: st.DrawFn, forest: Forest) -> None:
    layers = draw(st.lists(st.sampled_from(LAYERS), min_size=1, max_size=2))
    make = draw(st.sampled_from([docker_image, oci_image]))
    platform = draw(st.sampled_from(["linux/amd64", "linux/arm64", "windows/amd64"]))
    subjects = [None, *(made.entry for made in forest.made)]
    image = make(layers, platform=platform, subject=draw(st.sampled_from(subjects)))
    forest.blobs.update(image.blobs)
    entry = {"mediaType": image.media_type, "digest": image.digest, "size": len(image.manifest)}
    forest.made.append(Made(entry))


def _attestation(draw: st.DrawFn, forest: Forest) -> None:
    subject = draw(st.none() | st.sampled_from(forest.made)) if forest.made else None
    data = json.dumps({"of": len(forest.made)}).encode()
    statement = Blob("application/vnd.in-toto+json", data)
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": f"{OCI}manifest.v1+json"}
    if draw(st.booleans()):
        body["artifactType"] = "application/vnd.docker.attestation.manifest.v1+json"
    body["config"] = forest.blob(EMPTY)
    body["layers"] = [forest.blob(statement)]
    if subject is not None and draw(st.booleans()):
        body["subject"] = subject.entry
    made = forest.add(f"{OCI}manifest.v1+json", body)
    made.attests = None if subject is None else subject.entry["digest"]


SIGNED: Final = ("application/vnd.cncf.notary.signature", "application/vnd.dsse.envelope.v1+json")


def _signature(draw: st.DrawFn, forest: Forest) -> None:
    subject = draw(st.sampled_from(forest.made))
    data = json.dumps({"signs": len(forest.made)}).encode()
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": f"{OCI}manifest.v1+json"}
    if draw(st.booleans()):
        body |= {"artifactType": SIGNED[0], "config": forest.blob(EMPTY)}
        body["layers"] = [forest.blob(Blob("application/jose+json", data))]
    else:  # in the form of an image, as older tools write it
        body["config"] = forest.blob(Blob(f"{OCI}config.v1+json", b"{}"))
        body["layers"] = [forest.blob(Blob(SIGNED[1], data))]
    forest.add(f"{OCI}manifest.v1+json", {**body, "subject": subject.entry})


def _list(draw: st.DrawFn, forest: Forest) -> None:
    """What refers to something, under the tag of a registry without the API for it."""
    about = draw(st.sampled_from(forest.made)).entry["digest"]
    listed = draw(st.lists(st.sampled_from(forest.made), min_size=1, max_size=4))
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json"}
    body["manifests"] = [made.entry for made in listed]
    forest.add(body["mediaType"], body).tag = about.replace(":", "-")


def _index(draw: st.DrawFn, forest: Forest) -> None:
    if not forest.made:
        return
    chosen = draw(st.lists(st.sampled_from(forest.made), min_size=1, max_size=4))
    if draw(st.booleans()):  # with what the attestations are for, as a sound index has it
        chosen += [of for of in forest.made if of.entry["digest"] in {it.attests for it in chosen}]
    docker = draw(st.integers(0, 3)) == 0
    media_type = DOCKER_LIST if docker else f"{OCI}index.v1+json"
    entries = [_entry(draw, made) for made in chosen]
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    if draw(st.integers(0, 5)) == 0:
        body["subject"] = draw(st.sampled_from(forest.made)).entry
    forest.add(media_type, body)


def _entry(draw: st.DrawFn, made: Made) -> dict[str, Any]:
    if made.attests is None:
        platform = {"architecture": draw(st.sampled_from(["amd64", "arm64"])), "os": "linux"}
        return {**made.entry, "platform": platform} if draw(st.booleans()) else dict(made.entry)
    annotations = {"vnd.docker.reference.type": "attestation-manifest"}
    if draw(st.booleans()):
        annotations["vnd.docker.reference.digest"] = made.attests
    unknown = {"architecture": "unknown", "os": "unknown"}
    return {**made.entry, "annotations": annotations, "platform": unknown}


KEEPS: Final = ("auto", "keep", "drop", "fail")
options: Final = st.fixed_dictionaries(
    {"to": st.sampled_from(["oci", "docker", "oci-rc2"])},
    optional={
        "compress": st.sampled_from(["auto", "keep", "gzip", "zstd", "none"]),
        "level": st.sampled_from([1, 3]),
        "attestations": st.sampled_from(KEEPS),
        "referrers": st.sampled_from(KEEPS),
        "signatures": st.sampled_from(KEEPS),
        "keep_extensions": st.booleans(),
        "flatten": st.booleans(),
        "digest": st.sampled_from([None, "sha256", "sha512"]),
        "platforms": st.sampled_from([(), ("linux/amd64",), ("linux/arm64",)]),
        "on_loss": st.sampled_from(["report", "fail"]),
        "keep_going": st.booleans(),
        "sparse": st.sampled_from(KEEPS),
        "repair": st.booleans(),
        "strict": st.booleans(),
        "require_reversible": st.booleans(),
    },
)


def outcome(files: dict[str, bytes], given: dict[str, Any]) -> tuple[Report, Memory] | str:
    """What a conversion gives, or the code of its error. Anything else that it raises is a bug."""
    target = Memory()
    try:
        return convert(Memory(dict(files)), target, **given), target
    except OciConvertError as error:
        assert not target.files, "a run that fails leaves nothing"
        return error.code


def signatures(files: dict[str, bytes]) -> dict[str, bytes]:
    """The documents that are signed, by the names of their files."""
    return {
        name: data
        for name, data in files.items()
        if data[:1] == b"{"
        and b'"subject"' in data
        and any(signed.encode() in data for signed in SIGNED)
        and "manifests" not in json.loads(data)
    }


@settings(max_examples=300, deadline=None)
@given(forests(), options)
def test_only_results_and_errors_of_ours_come_out(
    files: dict[str, bytes], given: dict[str, Any]
) -> None:
    got = outcome(files, given)
    dry = outcome(files, given | {"dry_run": True})
    if isinstance(got, str) or isinstance(dry, str):
        assert got == dry
        return
    report, target = got
    assert signatures(target.files).items() <= signatures(files).items(), "none is re-pointed"
    assert report.map == dry[0].map, "a dry run gives the digests of the run"
    assert report.findings == dry[0].findings
    if report.images and verify(Memory(dict(files))).sound:
        assert verify(Memory(dict(target.files))).sound


@settings(max_examples=200, deadline=None)
@given(forests(), st.sampled_from(["docker", "oci"]), st.booleans(), st.sampled_from(KEEPS[:3]))
def test_what_converts_by_itself_converts_beside_others(
    files: dict[str, bytes], to: str, keep_extensions: bool, attestations: str
) -> None:
    given: dict[str, Any] = {
        "to": to,
        "keep_extensions": keep_extensions,
        "attestations": attestations,
        "signatures": "keep",  # else what is beside a signature decides whether it stays
    }
    together = outcome(files, given)
    if isinstance(together, str):
        return
    for found in together[0].findings:
        name, left_out, _ = found.message.partition(" was left out: ")
        if left_out:
            with pytest.raises(OciConvertError):
                convert(Memory(dict(files)).image(name.partition(" ")[0]), Memory(), **given)


@settings(max_examples=60, deadline=None)
@given(forests(), options, st.sampled_from(["oci", "docker", "oci-rc2"]))
def test_a_record_restores_and_proves_or_says_why_not(
    files: dict[str, bytes], given: dict[str, Any], back: str
) -> None:
    made = outcome(files, given)
    if isinstance(made, str):
        return
    report, target = made
    record = report.dumps(originals=True).encode()
    restored = outcome(dict(target.files), {"to": back, "restore": record})
    if isinstance(restored, tuple) and restored[0].images and verify(Memory(dict(files))).sound:
        assert verify(Memory(dict(restored[1].files))).sound
    for image in report.images:
        try:
            proof = prove(target.image(str(image.new.digest)), record)
        except OciConvertError:
            continue
        assert proof.original is None or proof.original in report.digest_map


@settings(max_examples=100, deadline=None)
@given(forests(), st.sampled_from(Family), st.sampled_from(["auto", "zstd", "none"]))
def test_a_plan_can_be_pickled_and_renders_the_same(
    files: dict[str, bytes], family: Family, compress: str
) -> None:
    source = Memory(dict(files)).source()
    try:
        tree = read_tree(source, source.roots())
        plan = decide(tree, family, Options(compress=compress))
    except OciConvertError:
        return
    twin: Plan = pickle.loads(pickle.dumps(plan))
    ours, theirs = render(plan), render(twin)
    mine = [
        (ours.find(one), ours.raw(one), ours.change(one, ours.find(one)))
        for one in plan.decisions()
    ]
    assert mine == [
        (theirs.find(one), theirs.raw(one), theirs.change(one, theirs.find(one)))
        for one in twin.decisions()
    ]
    assert [one.node.where for one in plan.irreversible] == [
        one.node.where for one in twin.irreversible
    ]


# -- attestations that a recompressed layer moves ------------------------------------------------


def attested(forest: Forest, image: Made) -> Made:
    """An attestation as current BuildKit writes it: an artifact with a subject."""
    data = json.dumps({"of": image.entry["digest"]}).encode()
    made = forest.add(
        f"{OCI}manifest.v1+json",
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}manifest.v1+json",
            "artifactType": "application/vnd.docker.attestation.manifest.v1+json",
            "config": forest.blob(EMPTY),
            "layers": [forest.blob(Blob("application/vnd.in-toto+json", data))],
            "subject": image.entry,
        },
    )
    made.attests = image.entry["digest"]
    return made


def attested_in_the_form_of_an_image(forest: Forest, image: Made) -> Made:
    """An attestation as BuildKit has long written it."""
    data = json.dumps({"of": image.entry["digest"]}).encode()
    rootfs = {"type": "layers", "diff_ids": [digest_of(data)]}
    config = {"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": rootfs}
    made = forest.add(
        f"{OCI}manifest.v1+json",
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}manifest.v1+json",
            "config": forest.blob(Blob(f"{OCI}config.v1+json", json.dumps(config).encode())),
            "layers": [forest.blob(Blob("application/vnd.in-toto+json", data))],
        },
    )
    made.attests = image.entry["digest"]
    return made


def listed(forest: Forest, *made: Made, subject: Made | None = None) -> Made:
    """An index over images and attestations, each attestation with its annotations."""
    entries = [
        one.entry
        if one.attests is None
        else {
            **one.entry,
            "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": one.attests,
            },
        }
        for one in made
    ]
    media_type = f"{OCI}index.v1+json"
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    return forest.add(media_type, body if subject is None else body | {"subject": subject.entry})


def _one_image(forest: Forest) -> Made:
    image = oci_image(LAYERS[:3])
    forest.blobs.update(image.blobs)
    entry = {"mediaType": image.media_type, "digest": image.digest, "size": len(image.manifest)}
    return Made(entry)


def an_image(forest: Forest) -> Made:
    image = _one_image(forest)
    return listed(forest, image, attested(forest, image))


def an_index_inside(forest: Forest) -> Made:
    image = _one_image(forest)
    inner = listed(forest, image)
    return listed(forest, inner, attested(forest, inner))


def an_attestation(forest: Forest) -> Made:
    image = _one_image(forest)
    first = attested(forest, image)
    return listed(forest, image, first, attested(forest, first))


@pytest.mark.parametrize("compress", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("shape", [an_image, an_index_inside, an_attestation])
def test_an_attestation_names_what_its_recompressed_image_becomes(
    shape: Callable[[Forest], Made], compress: str
) -> None:
    forest = Forest()
    root = shape(forest)
    target = Memory()
    report = convert(Memory(forest.files([root])), target, to="oci", compress=compress)
    assert report.images[0].new.digest != root.entry["digest"]
    assert verify(target).sound
    for made in forest.made:
        new = report.digest_map.get(made.entry["digest"])
        if made.attests is None or new is None:
            continue
        named = report.digest_map[made.attests].digest
        data = json.loads(target.files[f"blobs/{new.digest.replace(':', '/')}"])
        assert data["subject"]["digest"] == named
        [entry] = [
            entry
            for name, raw in target.files.items()
            if name.startswith("blobs/") and raw.startswith(b'{"schemaVersion"')
            for entry in json.loads(raw).get("manifests", ())
            if entry["digest"] == new.digest
        ]
        assert entry["annotations"]["vnd.docker.reference.digest"] == named


@st.composite
def attested_trees(draw: st.DrawFn) -> dict[str, bytes]:
    """The files of a layout of indexes, each with attestations of anything that it names."""
    forest = Forest()
    _image(draw, forest)
    _image(draw, forest)
    for _ in range(draw(st.integers(1, 3))):
        here = [made for made in forest.made if made.attests is None]
        members = draw(st.lists(st.sampled_from(here), min_size=1, max_size=2))
        subject = draw(st.sampled_from([None, None, *here]))
        for _ in range(draw(st.integers(1, 2))):
            named = members if subject is None else [*members, subject]
            make = draw(st.sampled_from([attested, attested_in_the_form_of_an_image]))
            members.append(make(forest, draw(st.sampled_from(named))))
        listed(forest, *draw(st.permutations(members)), subject=subject)
    return forest.files(forest.made[-1:])


@settings(max_examples=100, deadline=None)
@given(
    attested_trees(),
    st.fixed_dictionaries(
        {
            "to": st.sampled_from(["docker", "oci"]),
            "attestations": st.sampled_from(["keep", "auto"]),
            "keep_extensions": st.booleans(),
            "compress": st.sampled_from(["auto", "zstd"]),
            "platforms": st.sampled_from([(), ("linux/amd64",)]),
        }
    ),
)
def test_attestations_follow_or_go(files: dict[str, bytes], given: dict[str, Any]) -> None:
    assert not [it for it in verify(Memory(dict(files))).findings if it.code in REFERENCES]
    made = outcome(files, given)
    if not isinstance(made, str):
        assert not [it for it in verify(made[1]).findings if it.code in REFERENCES]


REFERENCES: Final = ("dangling-reference", "blob-missing")


def test_an_index_that_states_another_platform_is_left_out() -> None:
    """It is not read, so that nothing of it can be in the target."""
    forest = Forest()
    image = _one_image(forest)
    inner = listed(forest, image)
    stated = {**inner.entry, "platform": {"architecture": "arm64", "os": "linux"}}
    body = {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json"}
    outer = forest.add(f"{OCI}index.v1+json", {**body, "manifests": [image.entry, stated]})
    target = Memory()
    report = convert(Memory(forest.files([outer])), target, platforms="linux/amd64")
    assert [it.code for it in report.findings] == ["platform-not-selected", "not-reversible"]
    assert verify(target).findings == ()


def test_what_an_entry_says_of_an_index_is_not_said_of_its_image() -> None:
    forest = Forest()
    inner = listed(forest, _one_image(forest))
    stated = {**inner.entry, "platform": {"architecture": "arm64", "os": "linux"}}
    body = {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json", "manifests": [stated]}
    target = Memory()
    source = Memory(forest.files([forest.add(f"{OCI}index.v1+json", body)]))
    told = {it.where: it for it in convert(source, target, flatten=True).findings}
    assert told.keys() == {"images[0]", "images[0].manifests[0]"}
    assert told["images[0]"].message.endswith("; lost: the platform of an index, linux/arm64")
    assert verify(target).findings == ()


@pytest.mark.parametrize("compress", ["auto", "zstd", "none"])
def test_a_subject_that_does_not_come_along_keeps_its_digest(compress: str) -> None:
    """What becomes of its layers is known to nobody then, as nobody moves them."""
    forest = Forest()
    asked, other = oci_image(platform="linux/amd64"), docker_image(platform="linux/arm64")
    for image in (asked, other):
        forest.blobs.update(image.blobs)
    body = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}index.v1+json",
        "manifests": [image.descriptor.triple() for image in (asked, other)],
        "subject": other.descriptor.triple(),
    }
    outer = forest.add(f"{OCI}index.v1+json", body)
    target = Memory()
    report = convert(
        Memory(forest.files([outer])), target, platforms="linux/amd64", compress=compress
    )
    assert verify(target).sound
    new = report.images[0].new.digest.replace(":", "/")
    assert json.loads(target.files[f"blobs/{new}"])["subject"]["digest"] == other.digest


def test_an_attestation_of_the_subject_of_its_index_follows_it() -> None:
    forest = Forest()
    image = docker_image()
    forest.blobs.update(image.blobs)
    subject = Made(image.descriptor.triple())
    made = attested(forest, subject)
    body = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}index.v1+json",
        "manifests": [
            {
                **made.entry,
                "annotations": {
                    "vnd.docker.reference.type": "attestation-manifest",
                    "vnd.docker.reference.digest": image.digest,
                },
            }
        ],
        "subject": subject.entry,
    }
    source = Memory(forest.files([subject, forest.add(f"{OCI}index.v1+json", body)]))
    assert verify(source).sound
    convert(source, target := Memory(), to="oci")
    found = verify(target)
    assert found.sound, found.findings
