"""What refers to an image in a registry is found there, and follows it as it does on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oci_convert import Family, Memory, OciConvertError, Report, convert, inspect
from oci_convert.spec.digest import Digest
from oci_convert.stores import RegistryClient, RegistryImage, RegistryOptions
from oci_convert.stores.registry.reference import Repository
from registry.faults import Fault
from registry.messages import Reply, Request, failure
from registry.personality import PERSONALITIES
from registry.server import FakeRegistry
from support.images import (
    DOCKER_LIST,
    EMPTY,
    OCI_INDEX,
    Blob,
    Image,
    cosign_signature,
    cosign_tag,
    docker_image,
    image_list,
    layout_files,
    manifest,
    oci_image,
    referrer,
)

WAYS = ("the specification", "distribution 2.8", "pages for people", "olareg")
CHILD = docker_image(platform="linux/arm64")
LIST = image_list([docker_image(), CHILD], Family.DOCKER)
SBOM = referrer(LIST, "packages")
NOTE = referrer(CHILD, "about a child")
REMARK = referrer(SBOM, "about the packages")
SIGNATURE = cosign_signature(LIST)
UNSIGNED = (SBOM, NOTE, REMARK)
SIGNED = manifest(
    Blob(EMPTY, b"{}"),
    [Blob("text/plain", b"bundle")],
    artifactType="application/vnd.dev.sigstore.bundle.v0.3+json",
    subject=LIST.descriptor.triple(),
)
Answer = Callable[[Reply], Reply]
"""What becomes of a sound answer."""


@pytest.fixture(params=WAYS)
def fake(request: pytest.FixtureRequest) -> Iterator[FakeRegistry]:
    with FakeRegistry(PERSONALITIES[request.param]) as registry:
        publish(registry, LIST, *UNSIGNED)
        put(registry, SIGNATURE, cosign_tag(LIST))
        yield registry


def put(fake: FakeRegistry, image: Image, *tags: str) -> None:
    """As another tool would."""
    for digest, data in image.blobs.items():
        if digest in image.documents:
            kind = json.loads(data)["mediaType"]
            fake.content.add_manifest("team/app", data, kind, digest=digest)
        else:
            fake.content.add_blob("team/app", data, digest)
    fake.content.add_manifest("team/app", image.manifest, image.media_type, *tags)


def publish(fake: FakeRegistry, image: Image, *referrers: Image) -> None:
    put(fake, image, "1")
    listed: dict[str, list[Any]] = {}
    for one in referrers:
        put(fake, one)
        subject = one.json["subject"]["digest"]
        listed.setdefault(subject, []).append(one.descriptor.triple())
    for subject, entries in listed.items():
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        raw = json.dumps(index).encode()
        fake.content.add_manifest("team/app", raw, OCI_INDEX, subject.replace(":", "-"))


def at(fake: FakeRegistry, name: str = "team/app:1") -> str:
    return f"docker://{fake.host}/{name}"


def converted(source: str, target: Any, **options: Any) -> Report:
    with RegistryClient() as client:
        ends = [
            RegistryImage(end, client) if isinstance(end, str) else end for end in (source, target)
        ]
        return convert(*ends, **{"to": "oci", **options})


def on_disk(**options: Any) -> Report:
    """The same conversion where everything is in one layout."""
    files = layout_files({"app": LIST, "": SBOM, cosign_tag(LIST): SIGNATURE})
    index = json.loads(files["index.json"])
    for one in (NOTE, REMARK):
        index["manifests"].append(one.descriptor.triple())
        files |= {f"blobs/{digest.replace(':', '/')}": data for digest, data in one.blobs.items()}
    files["index.json"] = json.dumps(index).encode()
    return convert(Memory(files), Memory(), **{"to": "oci", **options})


def changed(report: Report, *images: Image) -> dict[str, str | None]:
    return {image.digest: report.pins.get(image.digest) for image in images}


def codes(report: Report) -> list[str]:
    return sorted(finding.code for finding in report.findings)


def listed(fake: FakeRegistry, name: str, subject: str) -> dict[str, Any]:
    """What a registry has about a subject, by the API or by the tag that stands for it."""
    host, _, path = f"{fake.host}/{name}".partition("/")
    with RegistryClient() as client:
        pages = client.repository(Repository(host, path)).referrers(Digest(subject))
    entries = [entry for page in pages for entry in json.loads(page.raw)["manifests"]]
    return {entry["digest"]: entry for entry in entries}


@pytest.mark.parametrize("options", [{}, {"signatures": "keep"}, {"referrers": "drop"}], ids=str)
def test_into_a_layout_everything_becomes_what_it_becomes_on_disk(
    fake: FakeRegistry, options: dict[str, Any]
) -> None:
    target = Memory()
    report, near = converted(at(fake), target, **options), on_disk(**options)
    assert changed(report, *UNSIGNED, SIGNATURE) == changed(near, *UNSIGNED, SIGNATURE)
    assert codes(report) == codes(near)
    there = {one.digest for image in inspect(target).images for one in image.walk()}
    assert there >= {digest for digest in changed(near, *UNSIGNED, SIGNATURE).values() if digest}


def test_another_registry_lists_them_under_the_new_digests(fake: FakeRegistry) -> None:
    with FakeRegistry(fake.protocol.personality) as other:
        report = converted(at(fake), at(other, "new/app:2"))
        for subject, about in ((LIST, SBOM), (CHILD, NOTE), (SBOM, REMARK)):
            new, of = report.pins[about.digest], report.pins[subject.digest]
            assert new is not None
            assert of is not None
            entry = listed(other, "new/app", of)[new]
            assert entry["artifactType"] == "application/vnd.example.note"
        assert cosign_tag(LIST) not in other.content.repository("new/app").tags


def test_a_signature_goes_along_where_its_image_keeps_its_digest(fake: FakeRegistry) -> None:
    with FakeRegistry() as other:
        converted(at(fake), at(other, "new/app:2"), to="docker")
        assert other.content.repository("new/app").tags[cosign_tag(LIST)] == SIGNATURE.digest


def test_inside_a_registry_they_are_looked_for_if_asked(fake: FakeRegistry) -> None:
    quiet = converted(at(fake), at(fake, "new/app:1"))
    assert codes(quiet) == ["referrers-not-sought"]
    kept = converted(at(fake), at(fake, "new/app:2"), referrers="keep")
    assert changed(kept, *UNSIGNED) == changed(on_disk(), *UNSIGNED)
    again = converted(at(fake), at(fake, "team/app:2"), referrers="keep")
    assert changed(again, *UNSIGNED) == changed(kept, *UNSIGNED)
    new = again.pins[LIST.digest]
    assert new is not None
    assert again.pins[SBOM.digest] in listed(fake, "team/app", new)
    assert (
        codes(converted(at(fake), at(fake, "new/app:3"), referrers="drop", signatures="drop")) == []
    )


@pytest.mark.parametrize("policy", ["referrers", "signatures"])
def test_they_can_be_refused(fake: FakeRegistry, policy: str) -> None:
    with pytest.raises(OciConvertError) as caught:
        converted(at(fake), at(fake, "team/app:2"), **{policy: "fail"})
    assert caught.value.code == f"{policy.removesuffix('s')}-present"
    assert "2" not in fake.content.repository("team/app").tags


def test_every_tag_brings_each_of_them_once(fake: FakeRegistry) -> None:
    target = Memory()
    report = converted(at(fake, "team/app:*"), target)
    assert changed(report, *UNSIGNED) == changed(on_disk(), *UNSIGNED)
    assert len(report.images) == 1


def test_tags_that_are_chosen_bring_what_was_not_chosen_with_them(fake: FakeRegistry) -> None:
    put(fake, oci_image(), "2")
    with RegistryClient() as client:
        chosen = RegistryImage(at(fake, "team/app:*"), client, tags="1")
        report = convert(chosen, Memory(), to="oci", signatures="keep")
    assert changed(report, *UNSIGNED, SIGNATURE) == changed(
        on_disk(signatures="keep"), *UNSIGNED, SIGNATURE
    )
    assert len(report.images) == 1


def test_inspect_shows_them(fake: FakeRegistry) -> None:
    (image,) = inspect(at(fake)).images
    found = {one.digest for one in image.walk() if one.subject}
    assert found == {one.digest for one in (*UNSIGNED, SIGNATURE)}


def test_the_forecast_counts_them(fake: FakeRegistry) -> None:
    for end in ("team/app:2", "new/app:2"):
        runs = [
            converted(at(fake), at(fake, end), dry_run=dry, referrers="keep")
            for dry in (True, False)
        ]
        assert runs[0].totals.requests == runs[1].totals.requests
        assert runs[0].totals.bytes_up == runs[1].totals.bytes_up


def test_what_is_listed_and_refers_to_something_else_is_passed_over() -> None:
    stranger = referrer(oci_image(), "about another")
    with FakeRegistry(PERSONALITIES["distribution 2.8"]) as fake:
        publish(fake, LIST)
        put(fake, stranger)
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX}
        raw = json.dumps(index | {"manifests": [stranger.descriptor.triple()]}).encode()
        fake.content.add_manifest("team/app", raw, OCI_INDEX, LIST.digest.replace(":", "-"))
        report = converted(at(fake), Memory())
    assert stranger.digest not in report.pins
    assert not report.findings


def test_a_registry_that_fails_there_says_how_to_do_without(fake: FakeRegistry) -> None:
    fake.faults.when(lambda request: "sha256-" in request.path, Fault.ERROR, times=99)
    with RegistryClient(options=RegistryOptions(retries=0)) as client:
        source = RegistryImage(at(fake), client)
        with pytest.raises(OciConvertError) as caught:
            convert(source, Memory(), to="oci")
        assert caught.value.code == "registry-failed"
        assert 'signatures="drop"' in caught.value.remedy
        assert convert(source, Memory(), to="oci", referrers="drop", signatures="drop").images


LABELS = ["application/json", "text/plain", None, DOCKER_LIST, "a/b; charset=utf-8"]


def labelled(fake: FakeRegistry, label: str | None) -> None:
    """Let a proxy before the registry call everything that is read by one name."""
    usual = fake.protocol.answer

    def answer(request: Request) -> Reply:
        reply = usual(request)
        reads = request.method == "GET" and "/blobs/" not in request.path and reply.status == 200
        return reply.with_headers({"Content-Type": label}) if reads else reply

    fake.protocol.answer = answer  # type: ignore[method-assign]


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("way", ["the specification", "distribution 2.8"])
def test_a_wrong_label_hides_no_referrers(way: str, label: str | None) -> None:
    with FakeRegistry(PERSONALITIES[way]) as fake:
        publish(fake, LIST, *UNSIGNED)
        labelled(fake, label)
        report = converted(at(fake), Memory())
    assert changed(report, *UNSIGNED) == changed(on_disk(), *UNSIGNED)


@pytest.mark.parametrize("label", LABELS)
def test_a_wrong_label_does_not_keep_from_adding_to_a_list(label: str | None) -> None:
    with FakeRegistry(PERSONALITIES["distribution 2.8"]) as fake:
        publish(fake, LIST, SBOM)
        labelled(fake, label)
        other = referrer(LIST, "another")
        with RegistryClient() as client:
            host, _, path = f"{fake.host}/team/app".partition("/")
            remote = client.repository(Repository(host, path), push=True)
            put(fake, other)
            remote.add_referrer(Digest(LIST.digest), other.descriptor.triple())
        assert set(listed(fake, "team/app", LIST.digest)) == {SBOM.digest, other.digest}


# -- what is listed and cannot be read ----------------------------------------------------------

UNREADABLE: dict[str, tuple[str, Answer]] = {
    "it fails": ("registry-failed", lambda _: Reply(500)),
    "not now": ("registry-failed", lambda _: Reply(503)),
    "too many requests": ("too-many-requests", lambda _: Reply(429)),
    "not for us": ("registry-denied", lambda _: failure(403, "DENIED")),
    "other bytes": ("digest-mismatch", lambda it: Reply(200, it.headers, b"{}")),
    "no bytes": ("digest-mismatch", lambda it: Reply(200, it.headers, b"")),
}
"""By what becomes of the request for a referrer: the code of the error."""


def instead(fake: FakeRegistry, path: str, answer: Answer) -> None:
    """Let whatever is at the end of a path be answered in another way."""
    usual = fake.protocol.answer

    def answered(request: Request) -> Reply:
        reply = usual(request)
        return answer(reply) if request.method == "GET" and request.path.endswith(path) else reply

    fake.protocol.answer = answered  # type: ignore[method-assign]


def impatient(source: str, **options: Any) -> Report:
    with RegistryClient(options=RegistryOptions(retries=0)) as client:
        return convert(RegistryImage(source, client), Memory(), **{"to": "oci", **options})


@pytest.mark.parametrize("way", ["the specification", "distribution 2.8"])
@pytest.mark.parametrize("what", UNREADABLE)
@pytest.mark.parametrize(
    "lost", [SBOM, NOTE, REMARK, SIGNED], ids=["image", "child", "chain", "signed"]
)
def test_what_refers_to_an_image_and_cannot_be_read_is_an_error(
    way: str, what: str, lost: Image
) -> None:
    code, answer = UNREADABLE[what]
    with FakeRegistry(PERSONALITIES[way]) as fake:
        publish(fake, LIST, *UNSIGNED, SIGNED)
        instead(fake, lost.digest, answer)
        with pytest.raises(OciConvertError) as caught:
            impatient(at(fake))
        assert caught.value.code == code
        assert caught.value.store == f"docker://{fake.host}/team/app@{lost.digest}"
        assert 'signatures="drop"' in caught.value.remedy
        report = impatient(at(fake), keep_going=True)
        assert ([it.code for it in report.failures], report.images) == ([code], ())
        assert impatient(at(fake), referrers="drop", signatures="drop").images


def test_of_an_image_that_failed_for_one_of_them_nothing_is_converted() -> None:
    with FakeRegistry() as fake:
        publish(fake, LIST, *UNSIGNED)
        tags = fake.content.repository("team/app").tags
        for name in tags.keys() - {"1"}:
            del tags[name]  # those of lists: the API has them
        put(fake, oci_image(), "2")
        instead(fake, NOTE.digest, lambda _: Reply(503))
        report = impatient(at(fake, "team/app:*"), keep_going=True)
    assert [it.code for it in report.failures] == ["registry-failed"]
    assert [it.new.digest for it in report.images] == [oci_image().digest]
    assert not any(changed(report, *UNSIGNED).values())


STATED: dict[str, tuple[str, dict[str, Any]]] = {
    "too small": ("wrong-size", {"size": 5}),
    "too large": ("blob-truncated", {"size": 50_000}),
    "beyond the limit": ("document-too-large", {"size": 50_000_000}),
    "of another kind": ("contradictory-media-type", {"mediaType": OCI_INDEX}),
}


@pytest.mark.parametrize("wrong", STATED)
def test_a_descriptor_that_lies_is_an_error(wrong: str) -> None:
    code, members = STATED[wrong]
    with FakeRegistry() as fake:
        publish(fake, LIST, SBOM, NOTE)
        entries = [SBOM.descriptor.triple() | members]
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        body = json.dumps(index).encode()
        instead(fake, f"referrers/{LIST.digest}", lambda it: Reply(200, it.headers, body))
        with pytest.raises(OciConvertError) as caught:
            impatient(at(fake))
        assert caught.value.code == code
        assert caught.value.store.startswith(f"docker://{fake.host}/team/app")


@pytest.mark.parametrize("way", ["the specification", "distribution 2.8"])
@pytest.mark.parametrize("options", [{}, {"referrers": "keep"}, {"referrers": "fail"}], ids=str)
@pytest.mark.parametrize(("dead", "where"), [(SBOM, "images[0]"), (NOTE, "images[0].manifests[1]")])
def test_what_is_listed_and_gone_is_told_and_ends_nothing(
    way: str, options: dict[str, Any], dead: Image, where: str
) -> None:
    with FakeRegistry(PERSONALITIES[way]) as fake:
        publish(fake, LIST, dead)
        instead(fake, dead.digest, lambda _: failure(404, "MANIFEST_UNKNOWN"))
        report = impatient(at(fake), **options)
        assert [(it.code, it.where) for it in report.findings] == [("missing-referrer", where)]
        assert dead.digest in report.findings[0].message
        assert (len(report.images), dead.digest in report.pins) == (1, False)
        with pytest.raises(OciConvertError) as caught:
            impatient(at(fake), strict=True)
        assert caught.value.code == "missing-referrer"
        told = {
            it.code
            for image in inspect(at(fake)).images
            for one in image.walk()
            for it in one.findings
        }
        assert "missing-referrer" in told


def test_what_is_gone_keeps_nothing_else_behind() -> None:
    told = []
    for listed in (UNSIGNED, (SBOM, NOTE)):
        with FakeRegistry() as fake:
            publish(fake, LIST, *listed)
            instead(fake, REMARK.digest, lambda _: failure(404, "MANIFEST_UNKNOWN"))
            report = converted(at(fake), Memory())
        assert changed(report, SBOM, NOTE) == changed(on_disk(), SBOM, NOTE)
        told.append(codes(report))
    assert told[0] == sorted(["missing-referrer", *told[1]])


def test_inspect_says_what_it_cannot_read() -> None:
    with FakeRegistry() as fake:
        publish(fake, LIST, *UNSIGNED)
        instead(fake, SBOM.digest, lambda _: failure(403, "DENIED"))
        (image,) = inspect(at(fake)).images
        told = [it for one in image.walk() for it in one.findings]
        assert [(it.code, it.level, it.where) for it in told] == [
            ("registry-denied", "error", "images[0]")
        ]
        assert SBOM.digest in told[0].message
        assert NOTE.digest in {one.digest for one in image.walk()}


def test_a_listed_signature_whose_payload_cannot_be_read_is_an_error() -> None:
    """It has no subject: only its payload says what it is for."""
    (payload,) = SIGNATURE.blobs.keys() - SIGNATURE.documents - {SIGNATURE.json["config"]["digest"]}
    with FakeRegistry(PERSONALITIES["distribution 2.8"]) as fake:
        publish(fake, LIST)
        put(fake, SIGNATURE)
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX}
        raw = json.dumps(index | {"manifests": [SIGNATURE.descriptor.triple()]}).encode()
        fake.content.add_manifest("team/app", raw, OCI_INDEX, LIST.digest.replace(":", "-"))
        assert codes(impatient(at(fake))) == ["signature-orphaned"]
        instead(fake, payload, lambda _: Reply(503))
        with pytest.raises(OciConvertError) as caught:
            impatient(at(fake))
    assert caught.value.code == "registry-failed"


def test_a_list_that_is_called_one_and_is_none_is_refused() -> None:
    with FakeRegistry() as fake:
        publish(fake, LIST, SBOM)
        usual = fake.protocol.answer

        def answer(request: Request) -> Reply:
            reply = usual(request)
            wrong = "/referrers/" in request.path
            return Reply(200, reply.headers, LIST.manifest) if wrong else reply

        fake.protocol.answer = answer  # type: ignore[method-assign]
        with pytest.raises(OciConvertError) as caught:
            converted(at(fake), Memory())
    assert caught.value.code == "contradictory-media-type"


def test_a_list_that_is_none_does_not_count() -> None:
    with FakeRegistry(PERSONALITIES["distribution 2.8"]) as fake:
        publish(fake, LIST)
        put(fake, oci_image(), LIST.digest.replace(":", "-"))  # an image, by chance of that name
        assert not converted(at(fake), Memory()).findings
