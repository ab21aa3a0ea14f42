"""What the client asks of a registry, request by request, and what it makes of the answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from oci_convert.errors import BlobError, StoreError
from oci_convert.layers.streams import CHUNK
from oci_convert.limits import limited
from oci_convert.spec.digest import Digest
from oci_convert.spec.names import referrers_tag
from oci_convert.stores.registry.calls import Kind
from oci_convert.stores.registry.manifests import ACCEPT
from oci_convert.stores.registry.uploads import Placed
from oci_convert.stores.traffic import Traffic
from registry import PERSONALITIES, FakeRegistry, Fault, Personality
from registry.messages import Reply, Request
from registry.personality import Chunks, Framing, ReferrersApi
from support.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    docker_image,
    image_list,
    oci_image,
    referrer,
)
from support.registries import chunks_of, client, documents, load, push, repository

ONE = docker_image()
OCI = oci_image()
FIVE = image_list(
    [docker_image(platform=f"linux/{name}") for name in ("amd64", "arm64", "s390x", "riscv64")]
)
DATA = b"".join(f"line {number}\n".encode() for number in range(500_000))
BIG = Digest.of(DATA)


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


def known_as(personality: str | Personality) -> FakeRegistry:
    if isinstance(personality, str):
        personality = PERSONALITIES[personality]
    return FakeRegistry(personality)


def requests(fake: FakeRegistry) -> list[str]:
    """The requests without what differs from run to run."""
    return [
        re.sub(r"uploads/[0-9a-f]{16}", "uploads/…", line).replace("/v2/team/app/", "")
        for line in fake.log.lines()
    ]


# -- manifests ----------------------------------------------------------------------------------


def test_a_root_is_one_request_and_its_children_one_each(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", FIVE)
    traffic = Traffic()
    with client() as registry:
        remote = registry.repository(repository(fake), traffic=traffic)
        root = remote.manifest("1")
        children = [it["digest"] for it in json.loads(root.raw)["manifests"]]
        fetched = [remote.manifest(digest) for digest in children]
    assert (root.raw, root.media_type, root.digest) == (FIVE.manifest, DOCKER_LIST, FIVE.digest)
    assert [it.digest for it in fetched] == children
    assert requests(fake) == [f"GET manifests/{reference} 200" for reference in ("1", *children)]
    sizes = [len(root.raw), *(len(it.raw) for it in fetched)]
    assert (traffic.requests, traffic.bytes_up, traffic.bytes_down) == (5, 0, sum(sizes))


def test_a_root_of_any_type_is_asked_for(fake: FakeRegistry) -> None:
    load(fake, "team/app", "docker", ONE)
    load(fake, "team/app", "oci", OCI)
    with client() as registry:
        remote = registry.repository(repository(fake))
        assert remote.manifest("docker").media_type == DOCKER_MANIFEST
        assert remote.manifest("oci").media_type == OCI_MANIFEST
    assert fake.log.requests[0].headers["Accept"] == ACCEPT
    assert len(ACCEPT.split(", ")) == 8
    assert ";" not in ACCEPT


def test_a_label_is_read_without_its_parameters_and_the_body_knows_better() -> None:
    with known_as("a proxy that mislabels") as fake, client() as registry:
        load(fake, "team/app", "1", OCI)
        fetched = registry.repository(repository(fake)).manifest("1")
        assert (fetched.label, fetched.media_type) == (DOCKER_MANIFEST, OCI_MANIFEST)
        assert (fetched.digest, fetched.head().media_type) == (OCI.digest, OCI_MANIFEST)


def test_a_digest_need_not_be_stated() -> None:
    with known_as("no digests") as fake, client() as registry:
        load(fake, "team/app", "1", ONE)
        remote = registry.repository(repository(fake), push=True)
        assert remote.manifest("1").digest == ONE.digest
        push(remote, "2", OCI)
        assert fake.content.repository("team/app").tags["2"] == OCI.digest


def test_another_algorithm_is_verified_with_it(fake: FakeRegistry) -> None:
    raw = OCI.manifest
    digest = Digest.of(raw, "sha512")
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        fake.content.add_manifest("team/app", raw, OCI_MANIFEST, digest=digest)
        assert remote.manifest(digest).digest == digest
        fake.content.add_manifest("team/app", raw, OCI_MANIFEST, "1", digest=digest)
        assert remote.manifest("1").digest == OCI.digest
        other = Digest.of(b"other", "sha512")
        fake.content.add_manifest("team/app", raw, OCI_MANIFEST, "2", digest=other)
        with pytest.raises(BlobError, match="calls sha512"):
            remote.manifest("2")


def test_what_is_not_there_is_none_for_those_who_look(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", ONE)
    with client() as registry:
        remote = registry.repository(repository(fake))
        assert remote.find_manifest("2") is None
        assert remote.head_manifest("2") is None
        assert remote.head_blob(Digest.of(b"")) is None
        assert registry.repository(repository(fake, "no")).find_manifest("1") is None


def test_a_registry_that_says_what_is_missing_is_believed(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", ONE)
    fake.faults.at(0, Fault.NOT_FOUND)  # of the repository
    with client() as registry, pytest.raises(StoreError) as caught:
        registry.repository(repository(fake)).manifest("1")
    assert caught.value.code == "no-such-repository"
    assert fake.log.lines()[1:] == ["GET /v2/ 200"]


@pytest.mark.parametrize("lengths", [True, False])
def test_a_manifest_is_looked_at_without_its_bytes(lengths: bool) -> None:
    with known_as(Personality(head_length=lengths)) as fake, client() as registry:
        load(fake, "team/app", "1", ONE)
        remote = registry.repository(repository(fake))
        head = remote.head_manifest("1")
        assert head is not None
        assert (head.digest, head.media_type) == (ONE.digest, DOCKER_MANIFEST)
        assert head.size == (len(ONE.manifest) if lengths else None)
        digest = Digest(ONE.layers[0].digest)
        blob = remote.head_blob(digest)
        assert blob is not None
        assert blob.size == (len(ONE.layers[0].data) if lengths else None)
        assert remote.knows(digest)


def test_a_refusal_without_words_is_asked_for_them(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", ONE)
    with client() as registry:
        remote = registry.repository(repository(fake))
        fake.faults.when(lambda _: True, Fault.FORBIDDEN, times=2)
        with pytest.raises(StoreError, match="requested access is denied"):
            remote.head_manifest("1")
        assert [it.method for it in fake.log.requests] == ["HEAD", "GET"]
        fake.faults.at(2, Fault.RANGE)  # HEAD is broken, GET is not
        head = remote.head_manifest("1")
        assert head is not None
        assert (head.digest, head.size) == (ONE.digest, len(ONE.manifest))


def test_a_manifest_is_pushed_with_its_very_bytes(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", ONE)
    raw = ONE.manifest.replace(b"{", b"{ ", 1) + b"\n"
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        pushed = remote.put_manifest(raw, DOCKER_MANIFEST, tag="2")
    assert (pushed.digest, pushed.new, pushed.subject_handled) == (Digest.of(raw), True, False)
    request = fake.log.requests[0]
    assert (request.method, request.target) == ("PUT", "/v2/team/app/manifests/2")
    assert (request.body, request.headers["Content-Type"]) == (raw, DOCKER_MANIFEST)
    assert request.headers["Content-Length"] == str(len(raw))


def test_a_manifest_is_pushed_under_its_digest(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", ONE)
    digest = Digest.of(OCI.manifest, "sha512")
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        assert not remote.put_manifest(ONE.manifest, DOCKER_MANIFEST).subject_handled
        for layer in OCI.layers:
            fake.content.add_blob("team/app", layer.data)
        fake.content.add_blob("team/app", OCI.config)
        remote.put_manifest(OCI.manifest, OCI_MANIFEST, algorithm="sha512")
    assert requests(fake) == [
        f"PUT manifests/{ONE.digest} 201",
        f"PUT manifests/{digest} 201",
    ]


def test_what_is_known_to_be_there_is_not_put_again(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", FIVE)
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        remote.manifest("1")
        again = remote.put_manifest(FIVE.manifest, DOCKER_LIST)
        assert (again.new, len(fake.log.requests)) == (False, 1)
        named = remote.put_manifest(FIVE.manifest, DOCKER_LIST, tag="2")
        assert (named.new, len(fake.log.requests)) == (True, 2)
        layer = ONE.layers[0]
        remote.remember([Digest(layer.digest)])
        put = remote.put_blob(Digest(layer.digest), len(layer.data), chunks_of(layer.data))
        assert (put, len(fake.log.requests)) == (Placed.KNOWN, 2)
        other = registry.repository(repository(fake, "other"))
        assert not other.knows(Digest(layer.digest))


def test_a_conversion_in_one_repository_is_two_requests_a_document(fake: FakeRegistry) -> None:
    """Twelve for a list of five: the least that there can be."""
    load(fake, "team/app", "1", FIVE)
    traffic = Traffic()
    with client() as registry:
        remote = registry.repository(repository(fake), push=True, traffic=traffic)
        root = remote.manifest("1")
        children = [remote.manifest(it["digest"]) for it in root_entries(root.raw)]
        for child in children:
            remote.put_manifest(child.raw + b"\n", child.media_type)
        remote.put_manifest(root.raw + b"\n", root.media_type, tag="1-new")
    assert [line.split()[0] for line in fake.log.lines()] == ["GET"] * 5 + ["PUT"] * 5
    assert traffic.requests == 10
    assert not any("/blobs/" in line for line in fake.log.lines())
    assert fake.content.repository("team/app").tags["1"] == FIVE.digest


def root_entries(raw: bytes) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(raw)["manifests"]
    return entries


LATE = {
    "DIGEST_INVALID": Fault.DIGEST_INVALID,
    "MANIFEST_BLOB_UNKNOWN": Fault.BLOB_UNKNOWN,
}


@pytest.mark.parametrize("fault", LATE.values(), ids=LATE.keys())
@pytest.mark.parametrize("times", [1, 6, 7])
def test_a_root_that_came_too_early_is_put_again_six_times(
    fake: FakeRegistry, fault: Fault, times: int
) -> None:
    load(fake, "team/app", "1", FIVE)
    with client(retries=0) as registry:
        remote = registry.repository(repository(fake), push=True)
        fake.faults.when(lambda request: request.method == "PUT", fault, times)
        if times == 7:
            with pytest.raises(StoreError):
                remote.put_manifest(FIVE.manifest, DOCKER_LIST, tag="2")
        else:
            remote.put_manifest(FIVE.manifest, DOCKER_LIST, tag="2")
    assert len(fake.log.requests) == min(times + 1, 7)
    assert ("2" in fake.content.repository("team/app").tags) == (times < 7)


def test_a_blob_that_the_registry_lost_is_known_no_more(fake: FakeRegistry) -> None:
    lost = Digest(f"sha256:{'0' * 64}")  # what the fault names
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        remote.remember([lost])
        fake.faults.when(lambda request: request.method == "PUT", Fault.BLOB_UNKNOWN, times=9)
        with pytest.raises(StoreError, match=str(lost)) as caught:
            remote.put_manifest(OCI.manifest, OCI_MANIFEST, tag="1")
        assert caught.value.code == "manifest-blob-unknown"
        assert not remote.knows(lost)


def test_a_registry_that_calls_it_something_else_is_not_believed(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", ONE)
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        fake.faults.at(0, Fault.WRONG_DIGEST)
        with pytest.raises(BlobError) as caught:
            remote.put_manifest(ONE.manifest, DOCKER_MANIFEST, tag="2")
        assert caught.value.code == "digest-mismatch"
        assert not remote.knows(Digest(ONE.digest), Kind.MANIFEST)


# -- blobs that are read ------------------------------------------------------------------------


def test_a_blob_is_one_request_and_verified(fake: FakeRegistry) -> None:
    fake.content.add_blob("team/app", DATA)
    traffic = Traffic()
    with client() as registry:
        remote = registry.repository(repository(fake), traffic=traffic)
        chunks = list(remote.blob(BIG, len(DATA)))
    assert b"".join(chunks) == DATA
    assert max(map(len, chunks)) <= CHUNK
    assert requests(fake) == [f"GET blobs/{BIG} 200"]
    assert fake.log.requests[0].headers["Accept-Encoding"] == "identity"
    assert (traffic.requests, traffic.bytes_down) == (1, len(DATA))


@pytest.mark.parametrize("ranges", [True, False])
def test_a_blob_goes_on_where_it_broke_off(ranges: bool) -> None:
    with known_as(Personality(ranges=ranges)) as fake, client() as registry:
        fake.content.add_blob("team/app", DATA)
        fake.faults.at(0, Fault.TRUNCATED)
        fake.faults.at(1, Fault.RESET)
        remote = registry.repository(repository(fake))
        assert b"".join(remote.blob(BIG, len(DATA))) == DATA
        asked = [request.headers.get("Range") for request in fake.log.requests]
        had = len(DATA) // 2
        assert asked == [None, f"bytes={had}-", f"bytes={had}-"]
        assert [it.status for it in fake.log.exchanges] == [200, 0, 206 if ranges else 200]


@pytest.mark.parametrize("framing", Framing, ids=lambda framing: framing.name)
def test_a_body_ends_in_three_ways_and_may_break_off_in_each(framing: Framing) -> None:
    with known_as(Personality(framing=framing)) as fake, client() as registry:
        load(fake, "team/app", "1", ONE)
        fake.content.add_blob("team/app", DATA)
        remote = registry.repository(repository(fake), push=True)
        assert remote.manifest("1").raw == ONE.manifest
        for fault in (None, Fault.TRUNCATED):
            if fault is not None:
                fake.faults.when(lambda request: "/blobs/" in request.path, fault)
            assert b"".join(remote.blob(BIG, len(DATA))) == DATA
        with pytest.raises(BlobError) as caught:
            list(remote.blob(BIG, len(DATA) - 1))
        assert caught.value.code == "wrong-size"
        with pytest.raises(BlobError):
            list(remote.blob(BIG, len(DATA) + 1))
        with limited(document_size=100), pytest.raises(StoreError, match="larger than 100"):
            remote.manifest("1")
        if framing is Framing.CLOSE:
            return  # where such a manifest ends is where it breaks off, too
        fake.faults.when(lambda request: "/manifests/" in request.path, Fault.TRUNCATED)
        assert remote.manifest("1").raw == ONE.manifest


def test_half_a_manifest_is_none_even_where_nobody_says_how_long_it_is() -> None:
    with known_as(Personality(framing=Framing.CLOSE)) as fake, client() as registry:
        load(fake, "team/app", "1", ONE)
        fake.faults.at(0, Fault.TRUNCATED)
        with pytest.raises(BlobError) as caught:
            registry.repository(repository(fake)).manifest("1")
        assert caught.value.code == "digest-mismatch"


def test_tries_are_counted_anew_when_something_came_through(fake: FakeRegistry) -> None:
    fake.content.add_blob("team/app", DATA)
    fake.faults.when(lambda _: True, Fault.TRUNCATED, times=2)
    with client(retries=1) as registry:
        remote = registry.repository(repository(fake))
        assert b"".join(remote.blob(BIG, len(DATA))) == DATA
    assert len(fake.log.requests) == 3


def test_a_blob_that_is_not_wanted_any_more_leaves_no_open_connection(fake: FakeRegistry) -> None:
    fake.content.add_blob("team/app", DATA)
    with client() as registry:
        remote = registry.repository(repository(fake))
        reader = remote.blob(BIG, len(DATA))
        next(reader)
        assert hasattr(reader, "close")
        reader.close()
        assert b"".join(remote.blob(BIG, len(DATA))) == DATA


def test_an_empty_blob_is_read_and_written(fake: FakeRegistry) -> None:
    empty = Digest.of(b"")
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        assert remote.put_blob(empty, 0, list) is Placed.UPLOADED
        assert list(remote.blob(empty, 0)) == []
        assert remote.blob_head(empty, 0, 6) == b""
        assert fake.content.data[empty] == b""


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
@pytest.mark.parametrize("verify", [True, False])
def test_a_blob_of_another_size_is_refused_before_it_is_read(
    fake: FakeRegistry, size: int, verify: bool
) -> None:
    fake.content.add_blob("team/app", DATA)
    with client() as registry:
        remote = registry.repository(repository(fake))
        with pytest.raises(BlobError, match=f"has {len(DATA)} bytes, not the {size} stated"):
            next(remote.blob(BIG, size, verify=verify))


def test_wrong_bytes_are_found_unless_somebody_else_looks(fake: FakeRegistry) -> None:
    fake.content.add_blob("team/app", DATA)
    fake.faults.when(lambda _: True, Fault.WRONG_BYTES, times=9)
    with client() as registry:
        remote = registry.repository(repository(fake))
        with pytest.raises(BlobError) as caught:
            list(remote.blob(BIG, len(DATA)))
        assert caught.value.code == "digest-mismatch"
        assert len(b"".join(remote.blob(BIG, len(DATA), verify=False))) == len(DATA)


@pytest.mark.parametrize("ranges", [True, False])
def test_the_head_of_a_layer_is_a_part_of_it(ranges: bool) -> None:
    with known_as(Personality(ranges=ranges)) as fake, client() as registry:
        fake.content.add_blob("team/app", DATA)
        remote = registry.repository(repository(fake))
        assert remote.blob_head(BIG, len(DATA), 6) == DATA[:6]
        assert fake.log.requests[0].headers["Range"] == "bytes=0-5"
        assert remote.access.traffic.bytes_down == 6
        assert remote.blob_head(BIG, len(DATA), 10 * len(DATA)) == DATA


# -- blobs that are written ---------------------------------------------------------------------


def test_a_blob_is_two_requests(fake: FakeRegistry) -> None:
    traffic = Traffic()
    with client() as registry:
        remote = registry.repository(repository(fake), push=True, traffic=traffic)
        placed = remote.put_blob(BIG, len(DATA), chunks_of(DATA, CHUNK))
        assert placed is Placed.UPLOADED
        assert remote.put_blob(BIG, len(DATA), chunks_of(DATA)) is Placed.KNOWN
    assert requests(fake) == ["POST blobs/uploads/ 202", f"PUT blobs/uploads/…?digest={BIG} 201"]
    put = fake.log.requests[1]
    assert put.headers["Content-Length"] == str(len(DATA))
    assert put.headers["Content-Type"] == "application/octet-stream"
    assert "Transfer-Encoding" not in put.headers
    assert fake.content.data[BIG] == DATA
    assert (traffic.requests, traffic.bytes_up) == (2, len(DATA))


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("{path}", "?digest="),
        ("{origin}{path}", "?digest="),
        ("{origin}{path}?_state=a%3Db", "?_state=a%3Db&digest="),
        ("{path}?a=b&c=d", "?a=b&c=d&digest="),
    ],
)
def test_an_upload_goes_where_the_registry_says(location: str, target: str) -> None:
    with known_as(Personality(location=location)) as fake, client() as registry:
        remote = registry.repository(repository(fake), push=True)
        remote.put_blob(BIG, len(DATA), chunks_of(DATA, CHUNK))
        assert f"{target}{BIG}" in fake.log.requests[1].target
        assert fake.content.data[BIG] == DATA


def test_a_blob_of_the_same_registry_is_mounted(fake: FakeRegistry) -> None:
    fake.content.add_blob("team/app", DATA)
    with client() as registry:
        remote = registry.repository(repository(fake, "other/app"), push=True)
        placed = remote.put_blob(BIG, len(DATA), no_chunks, mount_from=repository(fake))
    assert placed is Placed.MOUNTED
    assert fake.log.lines() == [f"POST /v2/other/app/blobs/uploads/?mount={BIG}&from=team/app 201"]
    assert BIG in fake.content.repository("other/app").blobs
    assert remote.access.traffic.bytes_up == 0


@pytest.mark.parametrize("stated", [None, str(Digest.of(b"")), str(Digest.of(b"", "sha512"))])
@pytest.mark.parametrize("does", [True, False])
def test_a_mount_is_believed_that_states_the_digest_or_has_the_blob(
    fake: FakeRegistry, stated: str | None, *, does: bool
) -> None:
    """Some registries take a manifest whose blobs they do not have: nobody else would see it."""
    fake.content.add_blob("team/app", DATA)
    usual = fake.protocol.answer

    def answer(request: Request) -> Reply:
        if "mount=" not in request.target:
            return usual(request)
        reply = usual(request) if does else Reply(201, {"Location": "/v2/"})
        return reply.with_headers({"Docker-Content-Digest": stated})

    fake.protocol.answer = answer  # type: ignore[method-assign]
    with client() as registry:
        remote = registry.repository(repository(fake, "other/app"), push=True)
        placed = remote.put_blob(
            BIG, len(DATA), chunks_of(DATA, CHUNK), mount_from=repository(fake)
        )
    believed = does and stated != Digest.of(b"")
    assert placed is (Placed.MOUNTED if believed else Placed.UPLOADED)
    assert BIG in fake.content.repository("other/app").blobs


def no_chunks() -> list[bytes]:
    raise AssertionError("no byte has to move")


@pytest.mark.parametrize(
    ("personality", "statuses"),
    [("no mounts", [202, 201]), ("mounts refused", [405, 202, 201])],
)
def test_a_blob_that_is_not_mounted_is_uploaded(personality: str, statuses: list[int]) -> None:
    """In the session that the registry has opened instead, if it has."""
    with known_as(personality) as fake, client() as registry:
        fake.content.add_blob("team/app", DATA)
        remote = registry.repository(repository(fake, "other/app"), push=True)
        placed = remote.put_blob(
            BIG, len(DATA), chunks_of(DATA, CHUNK), mount_from=repository(fake)
        )
        assert placed is Placed.UPLOADED
        assert [it.status for it in fake.log.exchanges] == statuses
        assert len(fake.content.uploads) == 0


WRONG: dict[str, Callable[[], list[bytes]]] = {
    "another bit": lambda: [DATA[:CHUNK], DATA[CHUNK:-1] + b"!"],
    "a byte too many": lambda: [DATA, b"!"],
    "a chunk too many": lambda: [DATA[:CHUNK], DATA[CHUNK:], DATA],
    "a byte too few": lambda: [DATA[:-1]],
    "nothing": list,
}


@pytest.mark.parametrize("chunk", [None, 1_000_000])
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_bytes_never_become_a_blob(fake: FakeRegistry, wrong: str, chunk: int | None) -> None:
    with client(chunk=chunk) as registry:
        remote = registry.repository(repository(fake), push=True)
        with pytest.raises(BlobError):
            remote.put_blob(BIG, len(DATA), WRONG[wrong])
        assert not remote.knows(BIG)
    assert fake.content.data == {}
    assert not any("digest=" in line and line.endswith(" 201") for line in fake.log.lines())


class ReadingError(Exception):
    pass


@pytest.mark.parametrize("error", [ReadingError("no"), OSError(5, "no"), BrokenPipeError("no")])
@pytest.mark.parametrize("chunk", [None, 1_000_000])
def test_what_reading_raises_ends_an_upload_and_is_not_tried_again(
    fake: FakeRegistry, error: Exception, chunk: int | None
) -> None:
    def chunks() -> Iterator[bytes]:
        yield DATA[:CHUNK]
        yield DATA[CHUNK : 2 * CHUNK]
        raise error

    with client(chunk=chunk) as registry:
        remote = registry.repository(repository(fake), push=True)
        with pytest.raises(type(error)) as caught:
            remote.put_blob(BIG, len(DATA), chunks)
        assert caught.value is error
        assert [it.method for it in fake.log.requests].count("POST") == 1
        # The connection was given up, and the next one works.
        remote.put_blob(BIG, len(DATA), chunks_of(DATA, CHUNK))
    assert fake.content.data == {BIG: DATA}


def test_an_upload_that_breaks_off_begins_anew(fake: FakeRegistry) -> None:
    asked = []

    def chunks() -> list[bytes]:
        asked.append(1)
        return list(chunks_of(DATA, CHUNK)())

    fake.faults.at(1, Fault.RESET)
    with client() as registry:
        registry.repository(repository(fake), push=True).put_blob(BIG, len(DATA), chunks)
    assert len(asked) == 2
    assert fake.content.data == {BIG: DATA}


def test_an_upload_whose_answer_was_lost_is_looked_for_first(fake: FakeRegistry) -> None:
    fake.faults.at(1, Fault.RESET_AFTER)
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        remote.put_blob(BIG, len(DATA), chunks_of(DATA, CHUNK))
    assert [it.method for it in fake.log.requests] == ["POST", "PUT", "HEAD"]


def test_a_blob_in_pieces_is_compared_after_each(fake: FakeRegistry) -> None:
    size = 2_500_000
    with client(chunk=size) as registry:
        remote = registry.repository(repository(fake), push=True)
        remote.put_blob(BIG, len(DATA), chunks_of(DATA, 700_001))
    ranges = [it.headers["Content-Range"] for it in fake.log.requests if it.method == "PATCH"]
    assert ranges == [f"0-{size - 1}", f"{size}-{2 * size - 1}", f"{2 * size}-{len(DATA) - 1}"]
    assert requests(fake)[-1] == f"PUT blobs/uploads/…?digest={BIG} 201"
    assert fake.log.requests[-1].headers["Content-Length"] == "0"
    assert fake.content.data == {BIG: DATA}


def test_pieces_are_at_least_as_large_as_the_registry_wants() -> None:
    with known_as(Personality(least_chunk=2_000_000)) as fake, client(chunk=1) as registry:
        remote = registry.repository(repository(fake), push=True)
        remote.put_blob(BIG, len(DATA), chunks_of(DATA, CHUNK))
        sizes = [len(it.body) for it in fake.log.requests if it.method == "PATCH"]
        assert sizes[:-1] == [2_000_000] * (len(DATA) // 2_000_000)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.RESET_AFTER, Fault.ERROR, Fault.ERROR_AFTER])
def test_a_piece_of_unknown_fate_is_asked_after(fake: FakeRegistry, fault: Fault) -> None:
    fake.faults.at(2, fault)  # the second piece
    with client(chunk=2_500_000) as registry:
        remote = registry.repository(repository(fake), push=True)
        remote.put_blob(BIG, len(DATA), chunks_of(DATA, CHUNK))
    methods = [it.method for it in fake.log.requests]
    done = fault in {Fault.RESET_AFTER, Fault.ERROR_AFTER}
    again = [] if done else ["PATCH"]
    assert methods == ["POST", "PATCH", "PATCH", "GET", *again, "PATCH", "PUT"]
    assert fake.content.data == {BIG: DATA}


def test_a_piece_of_which_half_has_come_is_not_put_together(fake: FakeRegistry) -> None:
    fake.faults.at(2, Fault.PARTIAL)
    with client(chunk=2_500_000) as registry:
        remote = registry.repository(repository(fake), push=True)
        remote.put_blob(BIG, len(DATA), chunks_of(DATA, CHUNK))
    methods = [it.method for it in fake.log.requests]
    assert methods[:5] == ["POST", "PATCH", "PATCH", "GET", "POST"]
    assert fake.content.data == {BIG: DATA}


def test_a_registry_that_lost_the_upload_gets_all_of_it_again(fake: FakeRegistry) -> None:
    fake.faults.at(2, Fault.RESET)
    fake.faults.at(3, Fault.UPLOAD_UNKNOWN)
    with client(chunk=2_500_000) as registry:
        remote = registry.repository(repository(fake), push=True)
        remote.put_blob(BIG, len(DATA), chunks_of(DATA, CHUNK))
    assert [it.method for it in fake.log.requests].count("POST") == 2
    assert fake.content.data == {BIG: DATA}


@pytest.mark.parametrize("way", [Chunks.YES, Chunks.SILENT, Chunks.ONLY])
@pytest.mark.parametrize("chunk", [None, 1_000_000])
def test_a_blob_of_unknown_digest_is_pushed_the_way_docker_does(
    way: Chunks, chunk: int | None
) -> None:
    with known_as(Personality(chunks=way)) as fake, client(chunk=chunk) as registry:
        remote = registry.repository(repository(fake), push=True)
        digest, size = remote.put_stream(chunks_of(DATA, CHUNK))
        assert (digest, size) == (BIG, len(DATA))
        assert fake.content.data == {BIG: DATA}
        assert remote.knows(BIG)
        if chunk is None:
            assert [it.method for it in fake.log.requests] == ["POST", "PATCH", "PUT"]
            assert fake.log.requests[1].headers["Transfer-Encoding"] == "chunked"
        digest, _ = remote.put_stream(lambda: [b"other"], "sha512")
        assert digest == Digest.of(b"other", "sha512")


# -- one at a time ------------------------------------------------------------------------------


def test_what_many_put_at_once_is_put_once(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", ONE)
    with client() as registry, ThreadPoolExecutor(16) as pool:
        remotes = [registry.repository(repository(fake), push=True) for _ in range(16)]
        raw = ONE.manifest + b"\n"
        manifests = [pool.submit(remote.put_manifest, raw, DOCKER_MANIFEST) for remote in remotes]
        blobs = [
            pool.submit(remote.put_blob, BIG, len(DATA), chunks_of(DATA, CHUNK))
            for remote in remotes
        ]
        assert sorted(it.result().new for it in manifests) == [False] * 15 + [True]
        assert [it.result() for it in blobs].count(Placed.UPLOADED) == 1
    assert len(fake.log.requests) == 3


def test_nobody_puts_a_root_while_another_puts_the_same_bytes(fake: FakeRegistry) -> None:
    """Some registries truncate the file that the other one reads."""
    load(fake, "team/app", "1", ONE)
    under_way: list[str] = []
    usual = fake.protocol.answer

    def alone(request: Request) -> Any:
        under_way.append(request.target)
        try:
            assert len(under_way) == 1
            return usual(request)
        finally:
            under_way.remove(request.target)

    fake.protocol.answer = alone  # type: ignore[method-assign]
    with client() as registry, ThreadPoolExecutor(8) as pool:
        remote = registry.repository(repository(fake), push=True)
        put = partial(remote.put_manifest, ONE.manifest, DOCKER_MANIFEST)
        assert all(pool.map(lambda number: put(tag=f"t{number}").new, range(24)))
    assert len(fake.log.requests) == 24


def test_when_the_first_one_fails_the_next_one_tries(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", ONE)
    fake.faults.when(lambda _: True, Fault.FORBIDDEN)
    with client() as registry, ThreadPoolExecutor(4) as pool:
        remote = registry.repository(repository(fake), push=True)
        tries = [pool.submit(remote.put_manifest, ONE.manifest, DOCKER_MANIFEST) for _ in range(4)]
        failed = [it for it in tries if it.exception() is not None]
    assert (len(failed), len(fake.log.requests)) == (1, 2)


# -- lists --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "personality", ["the specification", "olareg", "distribution 2.8", "pages with opaque links"]
)
def test_tags_and_repositories_are_listed_to_the_end(personality: str) -> None:
    with known_as(personality) as fake, client() as registry:
        for number in range(5):
            fake.content.add_manifest("team/app", ONE.manifest, DOCKER_MANIFEST, f"v{number}")
            fake.content.add_manifest(f"r{number}", ONE.manifest, DOCKER_MANIFEST, "1")
        remote = registry.repository(repository(fake))
        assert remote.tags() == [f"v{number}" for number in range(5)]
        assert registry.catalog(fake.host) == [*(f"r{number}" for number in range(5)), "team/app"]


def test_an_address_of_the_next_page_is_followed_word_for_word() -> None:
    link = '</v2/team/app/tags/list?next=b3BhcXVl%3D%3D&n=1>; rel="next"'
    with known_as(Personality(page=1, link=link)) as fake, client() as registry:
        fake.content.add_manifest("team/app", ONE.manifest, DOCKER_MANIFEST, "a", "b")
        registry.repository(repository(fake)).tags()
        assert fake.log.requests[1].target == "/v2/team/app/tags/list?next=b3BhcXVl%3D%3D&n=1"


def test_a_registry_that_shows_the_same_page_for_ever_is_left() -> None:
    link = "</v2/team/app/tags/list?n=2>; rel=next"
    with known_as(Personality(page=2, link=link)) as fake:
        fake.content.add_manifest("team/app", ONE.manifest, DOCKER_MANIFEST, "a", "b", "c")
        with client() as registry:
            assert registry.repository(repository(fake)).tags() == ["a", "b"]
        assert len(fake.log.requests) == 2


def test_no_tags_are_an_empty_list(fake: FakeRegistry) -> None:
    fake.content.add_blob("team/app", b"")
    with client() as registry:
        assert registry.repository(repository(fake)).tags() == []


def test_lists_may_be_longer_than_documents(fake: FakeRegistry) -> None:
    fake.content.add_manifest("team/app", ONE.manifest, DOCKER_MANIFEST, *map(str, range(200)))
    with client() as registry, limited(document_size=500):
        remote = registry.repository(repository(fake))
        assert len(remote.tags()) == 200
        with pytest.raises(StoreError, match=r"limited\(document_size="):
            remote.manifest("1")
    with client() as registry, limited(index_size=500), pytest.raises(StoreError):
        registry.repository(repository(fake)).tags()


# -- referrers ----------------------------------------------------------------------------------

SIGNATURE = referrer(OCI)
SUBJECT = Digest(OCI.digest)
ENTRY = {"mediaType": OCI_MANIFEST, "digest": SIGNATURE.digest, "size": len(SIGNATURE.manifest)}


def listed(pages: tuple[Any, ...]) -> list[str]:
    return [entry["digest"] for page in pages for entry in json.loads(page.raw)["manifests"]]


def test_referrers_come_from_the_api(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", OCI)
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        assert listed(remote.referrers(SUBJECT)) == []
        push(remote, "signature", SIGNATURE)
        assert listed(remote.referrers(SUBJECT)) == [SIGNATURE.digest]
    assert requests(fake)[-1] == f"GET referrers/{OCI.digest} 200"


def test_a_registry_that_lists_referrers_says_so_when_one_is_pushed(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", OCI)
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        for digest, data in SIGNATURE.blobs.items():
            remote.put_blob(Digest(digest), len(data), chunks_of(data))
        # That its bytes are a blob there, too, does not make a manifest of them.
        pushed = remote.put_manifest(SIGNATURE.manifest, SIGNATURE.media_type)
        assert pushed.subject_handled


@pytest.mark.parametrize("api", [ReferrersApi.NO, ReferrersApi.PAGE])
def test_without_the_api_referrers_are_under_a_tag(api: ReferrersApi) -> None:
    with known_as(Personality(referrers=api)) as fake, client() as registry:
        load(fake, "team/app", "1", OCI)
        load(fake, "team/app", "signature", SIGNATURE)
        remote = registry.repository(repository(fake), push=True)
        assert remote.referrers(SUBJECT) == ()
        asked = len(fake.log.requests)
        remote.add_referrer(SUBJECT, ENTRY)
        assert listed(remote.referrers(SUBJECT)) == [SIGNATURE.digest]
        assert not any("/referrers/" in it.target for it in fake.log.requests[asked:])
        stored = fake.content.repository("team/app").find(referrers_tag(SUBJECT))
        assert stored is not None
        assert stored[1].media_type == OCI_INDEX


def test_what_others_put_into_the_index_of_referrers_stays() -> None:
    with known_as(PERSONALITIES["distribution 2.8"]) as fake, client() as registry:
        load(fake, "team/app", "1", OCI)
        load(fake, "team/app", "signature", SIGNATURE)
        other = {"mediaType": OCI_MANIFEST, "digest": OCI.digest, "size": 1, "x-ours": "ü"}
        index = {"schemaVersion": 2, "x-more": [1.0], "mediaType": OCI_INDEX, "manifests": [other]}
        tag = referrers_tag(SUBJECT)
        fake.content.add_manifest("team/app", json.dumps(index).encode(), OCI_INDEX, tag)
        remote = registry.repository(repository(fake), push=True)
        remote.add_referrer(SUBJECT, ENTRY)
        remote.add_referrer(SUBJECT, ENTRY)  # it is in there
        found = fake.content.repository("team/app").find(tag)
        assert found is not None
        assert json.loads(found[1].raw) == {**index, "manifests": [other, ENTRY]}


def test_many_who_add_referrers_lose_none() -> None:
    with known_as("distribution 2.8") as fake, client() as registry:
        load(fake, "team/app", "1", OCI)
        remote = registry.repository(repository(fake), push=True)
        entries = [{**ENTRY, "digest": OCI.digest, "size": size} for size in range(8)]
        entries = [
            {**entry, "digest": fake.content.add_blob("team/app", str(entry["size"]).encode())}
            for entry in entries
        ]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(partial(remote.add_referrer, SUBJECT), entries))
        assert len(listed(remote.referrers(SUBJECT))) == 8


def test_the_tag_of_referrers_is_a_tag_for_every_algorithm() -> None:
    assert referrers_tag(SUBJECT) == f"sha256-{SUBJECT.encoded}"
    long = Digest.of(b"", "sha512")
    assert referrers_tag(long) == f"sha512-{long.encoded[:64]}"


def test_pages_of_referrers_are_followed(fake: FakeRegistry) -> None:
    load(fake, "team/app", "1", OCI)
    usual = fake.protocol.answer

    def paged(request: Request) -> Any:
        reply = usual(request)
        if "/referrers/" in request.path and request.query("last") is None:
            return reply.with_headers({"Link": f"<{request.path}?last=x>; rel=next"})
        return reply

    fake.protocol.answer = paged  # type: ignore[method-assign]
    with client() as registry:
        assert len(registry.repository(repository(fake)).referrers(SUBJECT)) == 2


# -- besides ------------------------------------------------------------------------------------


def test_what_a_registry_warns_of_is_kept_once() -> None:
    with known_as("warning") as fake, client() as registry:
        load(fake, "team/app", "1", ONE)
        traffic = Traffic()
        remote = registry.repository(repository(fake), traffic=traffic)
        remote.manifest("1")
        remote.manifest("1")
        assert traffic.warnings == ("this registry will be switched off",)


def test_warnings_are_bounded_and_fit_to_be_shown() -> None:
    traffic = Traffic()
    for number in range(1000):
        traffic.warn(f"{number} \x1b[31m\n" + "x" * 1000)
    assert len(traffic.warnings) == 100
    assert all(text.isprintable() and len(text) < 400 for text in traffic.warnings)


@pytest.mark.parametrize("personality", PERSONALITIES)
def test_an_image_comes_back_from_every_kind_of_registry(personality: str) -> None:
    image = {"OCI only": OCI}.get(personality, image_list([docker_image(), docker_image()]))
    chunk = 100_000 if personality == "chunks only" else None
    with known_as(personality) as fake, client(chunk=chunk) as registry:
        remote = registry.repository(repository(fake), push=True)
        push(remote, "1", image)
        assert remote.manifest("1").raw == image.manifest
        for raw, _ in documents(image):
            assert remote.manifest(Digest.of(raw)).raw == raw
        for digest, data in image.blobs.items():
            if digest not in image.documents:
                assert b"".join(remote.blob(Digest(digest), len(data))) == data


def test_bytes_on_the_wire_are_few(fake: FakeRegistry) -> None:
    """Ten requests, headers and all: what is asserted of bodies is not hidden in headers."""
    load(fake, "team/app", "1", FIVE)
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        for raw, media_type in documents(FIVE):
            remote.manifest(Digest.of(raw))
            remote.put_manifest(raw + b"\n", media_type)
    bodies = 2 * sum(len(raw) for raw, _ in documents(FIVE))
    assert len(fake.log.requests) == 10
    assert fake.log.bytes_up + fake.log.bytes_down < bodies + 10 * 1300


def test_nothing_is_loaded_before_a_client_is_wanted() -> None:
    code = (
        "import sys, oci_convert, oci_convert.stores.registry.reference as r; "
        "r.parse_source('docker://alpine'); print('urllib3' in sys.modules, 'ssl' in sys.modules)"
    )
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout == "False False\n"


def test_a_client_asks_nothing_of_its_own_accord(fake: FakeRegistry) -> None:
    with client() as registry:
        registry.repository(repository(fake), push=True)
    assert fake.log.requests == []
