"""The client against Debian's docker-registry: http, TLS, passwords and tokens; others read it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from urllib3 import connection_from_url

from oci_convert import Memory, Report, convert, verify
from oci_convert.errors import StoreError
from oci_convert.spec.digest import Digest
from oci_convert.stores import RegistryImage
from oci_convert.stores.registry.auth import Auth
from oci_convert.stores.registry.calls import scope
from oci_convert.stores.registry.reference import Repository
from oci_convert.stores.registry.uploads import Placed
from oci_convert.stores.traffic import Traffic
from registry import PERSONALITIES, FakeRegistry
from support.certificates import OPENSSL, Certificates, make_certificates
from support.docker_registry import HTPASSWD, docker_registry
from support.images import (
    Image,
    cosign_signature,
    cosign_tag,
    docker_image,
    image_list,
    layer,
    layout_files,
    oci_image,
    referrer,
    write_dir,
)
from support.registries import chunks_of, client, documents, push
from support.signed_tokens import token_server

pytestmark = pytest.mark.peers

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x", "linux/riscv64", "linux/ppc64le")
FIVE = image_list([docker_image(platform=name) for name in PLATFORMS])
OCI = oci_image()
DATA = b"".join(f"line {number}\n".encode() for number in range(500_000))
BIG = Digest.of(DATA)
ME = Auth.basic("me", "s3cr3t")


@pytest.fixture(scope="module")
def program(request: pytest.FixtureRequest) -> str:
    path = shutil.which("docker-registry")
    if path is None and request.config.getoption("--require-peers"):
        pytest.fail("docker-registry is not installed", pytrace=False)
    if path is None:
        pytest.skip("docker-registry is not installed")
    return path


@pytest.fixture(scope="module")
def host(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that everybody may write."""
    with docker_registry(program, tmp_path_factory.mktemp("registry"), {}) as host:
        yield host


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if OPENSSL is None:
        pytest.skip("openssl is not installed")
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def round_trip(registry: Any, host: str, image: Image = FIVE) -> None:
    """Push an image, and read every byte of it back."""
    remote = registry.repository(Repository(host, "round/trip"), push=True)
    push(remote, "1", image)
    assert remote.manifest("1").raw == image.manifest
    for raw, media_type in documents(image):
        fetched = remote.manifest(Digest.of(raw))
        assert (fetched.raw, fetched.media_type) == (raw, media_type)
    for digest, data in image.blobs.items():
        if digest not in image.documents:
            head = remote.head_blob(Digest(digest))
            assert head is not None
            assert head.size == len(data)
            assert b"".join(remote.blob(Digest(digest), len(data))) == data


@pytest.mark.parametrize("image", [FIVE, OCI], ids=["Docker", "OCI"])
def test_an_image_comes_back_from_it(host: str, image: Image) -> None:
    with client() as registry:
        round_trip(registry, host, image)


def test_twelve_requests_convert_a_list_of_five_and_no_blob_is_asked_for(host: str) -> None:
    repository = Repository(host, "in/place")
    with client() as registry:
        push(registry.repository(repository, push=True), "docker", FIVE)
    traffic = Traffic()
    with client() as registry:
        remote = registry.repository(repository, push=True, traffic=traffic)
        root = remote.manifest("docker")
        children = [remote.manifest(entry["digest"]) for entry in json.loads(root.raw)["manifests"]]
        entries = json.loads(root.raw)
        for child, entry in zip(children, entries["manifests"], strict=True):
            raw = child.raw + b"\n"
            entry.update(digest=Digest.of(raw), size=len(raw))
            assert remote.put_manifest(raw, child.media_type).new
        remote.put_manifest(json.dumps(entries).encode(), root.media_type, tag="new")
    assert traffic.requests == 12
    assert traffic.bytes_up + traffic.bytes_down < 40 * 1024


def test_another_repository_gets_its_blobs_by_mounts(host: str) -> None:
    source, target = Repository(host, "mount/from"), Repository(host, "mount/to")
    traffic = Traffic()
    with client() as registry:
        push(registry.repository(source, push=True), "1", FIVE)
        remote = registry.repository(target, push=True, traffic=traffic)
        blobs = [it for it in FIVE.blobs.items() if it[0] not in FIVE.documents]
        for digest, data in blobs:
            placed = remote.put_blob(Digest(digest), len(data), chunks_of(data), mount_from=source)
            assert placed is Placed.MOUNTED
        assert (traffic.requests, traffic.bytes_up) == (len(blobs), 0)
        for raw, media_type in documents(FIVE):
            remote.put_manifest(raw, media_type, tag="1" if raw == FIVE.manifest else None)
        assert remote.manifest("1").raw == FIVE.manifest


def test_what_cannot_be_mounted_is_uploaded(host: str) -> None:
    with client() as registry:
        remote = registry.repository(Repository(host, "mount/nothing"), push=True)
        nowhere = Repository(host, "mount/nowhere")
        placed = remote.put_blob(BIG, len(DATA), chunks_of(DATA, 700_000), mount_from=nowhere)
        assert placed is Placed.UPLOADED
        assert b"".join(remote.blob(BIG, len(DATA))) == DATA


@pytest.mark.parametrize("chunk", [None, 1_000_000])
def test_a_blob_is_written_in_every_way(host: str, chunk: int | None) -> None:
    with client(chunk=chunk) as registry:
        remote = registry.repository(Repository(host, f"ways/{chunk or 'whole'}"), push=True)
        remote.put_blob(BIG, len(DATA), chunks_of(DATA, 700_000))
        assert b"".join(remote.blob(BIG, len(DATA))) == DATA
        other = DATA[::-1]
        assert remote.put_stream(chunks_of(other, 700_000)) == (Digest.of(other), len(other))
        assert remote.blob_head(Digest.of(other), len(other), 6) == other[:6]
        empty = Digest.of(b"")
        remote.put_blob(empty, 0, list)
        assert list(remote.blob(empty, 0)) == []


def test_its_lists_and_its_refusals_are_understood(host: str) -> None:
    with client() as registry:
        remote = registry.repository(Repository(host, "lists/app"), push=True)
        for tag in ("b", "a", "c"):
            push(remote, tag, OCI)
        assert remote.tags() == ["a", "b", "c"]
        assert "lists/app" in registry.catalog(host)
        with pytest.raises(StoreError) as caught:
            remote.manifest("d")
        assert (caught.value.code, caught.value.remedy) == ("no-such-tag", "its tags are a, b, c")
        with pytest.raises(StoreError) as caught:
            registry.repository(Repository(host, "lists/ap")).manifest("a")
        assert caught.value.code == "no-such-repository"
        missing = oci_image([layer("never pushed")])
        with pytest.raises(StoreError) as caught:
            remote.put_manifest(missing.manifest, missing.media_type, tag="e")
        assert caught.value.code == "manifest-blob-unknown"
        assert missing.layers[0].digest in str(caught.value)
        with pytest.raises(StoreError) as caught:
            remote.put_manifest(OCI.manifest, FIVE.media_type, tag="f")
        assert caught.value.code == "manifest-refused"


def test_without_an_api_referrers_are_under_a_tag(host: str) -> None:
    signature = referrer(OCI)
    with client() as registry:
        remote = registry.repository(Repository(host, "referrers/app"), push=True)
        push(remote, "1", OCI)
        assert remote.referrers(Digest(OCI.digest)) == ()
        for digest, data in signature.blobs.items():
            if digest not in signature.documents:
                remote.put_blob(Digest(digest), len(data), chunks_of(data))
        pushed = remote.put_manifest(signature.manifest, signature.media_type)
        assert not pushed.subject_handled
        entry = {"mediaType": signature.media_type, "digest": pushed.digest, "size": 1}
        remote.add_referrer(Digest(OCI.digest), entry)
        (index,) = remote.referrers(Digest(OCI.digest))
        assert json.loads(index.raw)["manifests"] == [entry]


def test_many_images_that_share_children_are_pushed_at_once(host: str) -> None:
    """By one run, and by two runs that know nothing of each other."""
    images = [
        image_list([docker_image(platform=name) for name in PLATFORMS[:2]]) if number % 2 else FIVE
        for number in range(32)
    ]
    with client() as one, client() as other, ThreadPoolExecutor(16) as pool:
        remotes = [it.repository(Repository(host, "shared/app"), push=True) for it in (one, other)]
        push(remotes[0], "first", FIVE)
        tasks = [
            pool.submit(push, remotes[number // 2 % 2], f"t{number}", image)
            for number, image in enumerate(images)
        ]
        for task in tasks:
            task.result()
        for number, image in enumerate(images):
            assert remotes[0].manifest(f"t{number}").digest == image.digest


# -- who comes in -------------------------------------------------------------------------------


def test_a_password_is_asked_for(program: str, tmp_path: Path) -> None:
    file = tmp_path / "htpasswd"
    file.write_text(HTPASSWD, encoding="utf-8")
    config = {"auth": {"htpasswd": {"realm": "basic-realm", "path": str(file)}}}
    with docker_registry(program, tmp_path, config) as host:
        with client(ME) as registry:
            round_trip(registry, host)
        for auth in (Auth.anonymous(), Auth.basic("me", "wrong")):
            with client(auth) as registry, pytest.raises(StoreError) as caught:
                registry.repository(Repository(host, "round/trip")).manifest("1")
            assert caught.value.code == "registry-unauthorized"


def test_a_secure_registry_is_trusted_by_its_authority(
    program: str, certificates: Certificates, tmp_path: Path
) -> None:
    files = {"certificate": str(certificates.server), "key": str(certificates.server_key)}
    with docker_registry(program, tmp_path, {"http": {"tls": files}}) as host:
        with client(ca_file=certificates.authority) as registry:
            round_trip(registry, host)
        with client() as registry, pytest.raises(StoreError, match="is not trusted"):
            registry.repository(Repository(host, "round/trip")).manifest("1")
        with client(insecure=frozenset({host})) as registry:
            assert registry.repository(Repository(host, "round/trip")).tags() == ["1"]


def test_a_token_server_lets_us_in(program: str, tmp_path: Path) -> None:
    if OPENSSL is None:
        pytest.skip("openssl is not installed")
    with (
        token_server(tmp_path) as (tokens, config),
        docker_registry(program, tmp_path, config) as host,
    ):
        with client(ME) as registry:
            round_trip(registry, host)
            assert len(tokens.log.requests) == 1
            remote = registry.repository(
                Repository(host, "mounted/to"),
                push=True,
                scopes=[scope(Repository(host, "round/trip"))],
            )
            digest = next(it for it in FIVE.blobs if it not in FIVE.documents)
            placed = remote.put_blob(
                Digest(digest), 1, list, mount_from=Repository(host, "round/trip")
            )
            assert placed is Placed.MOUNTED
            assert len(tokens.log.requests) == 2
        with client() as registry, pytest.raises(StoreError) as caught:
            registry.repository(Repository(host, "round/trip")).manifest("1")
        assert caught.value.code == "registry-unauthorized"


# -- others -------------------------------------------------------------------------------------


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_skopeo_reads_what_we_push(host: str, peers: Callable[[str], str], tmp_path: Path) -> None:
    skopeo = peers("skopeo")
    with client() as registry:
        push(registry.repository(Repository(host, "skopeo/app"), push=True), "1", FIVE)
    reference = f"docker://{host}/skopeo/app:1"
    raw = run(skopeo, "inspect", "--raw", "--tls-verify=false", reference)
    assert raw.encode() == FIVE.manifest
    copy = ("--insecure-policy", "copy", "--all", "--src-tls-verify=false")
    run(skopeo, *copy, reference, f"dir:{tmp_path}/copy")
    assert (tmp_path / "copy" / "manifest.json").read_bytes() == FIVE.manifest


def test_we_read_what_skopeo_pushes(host: str, peers: Callable[[str], str], tmp_path: Path) -> None:
    skopeo = peers("skopeo")
    write_dir(FIVE, tmp_path / "image")
    copy = ("--insecure-policy", "copy", "--all", "--dest-tls-verify=false")
    run(skopeo, *copy, f"dir:{tmp_path}/image", f"docker://{host}/skopeo/pushed:1")
    with client() as registry:
        remote = registry.repository(Repository(host, "skopeo/pushed"))
        assert remote.manifest("1").raw == FIVE.manifest


# -- conversions --------------------------------------------------------------------------------


def test_a_conversion_takes_what_its_dry_run_has_foretold(host: str) -> None:
    near = Memory(layout_files({"app": FIVE}))
    convert(near, f"docker://{host}/forecast/app:1", to="docker")
    there = f"docker://{host}/forecast/app:1"
    ways: list[tuple[Any, Any, int]] = [
        (there, f"docker://{host}/forecast/app:2", 13),
        (there, f"docker://{host}/forecast/other:1", 13 + len(FIVE.blobs) - 6),
        (near, f"docker://{host}/forecast/new:1", 7 + 3 * (len(FIVE.blobs) - 6)),
        # It has no API, as one question shows; what refers to a document has four tags.
        (there, Memory(), 6 + 1 + 4 * 6 + len(FIVE.blobs) - 6),
    ]
    for source, target, requests in ways:
        moved = []
        for dry_run in (True, False):
            with client() as registry:  # that knows nothing yet
                ends = [
                    RegistryImage(end, registry) if isinstance(end, str) else end
                    for end in (source, target)
                ]
                totals = convert(*ends, to="oci", dry_run=dry_run).totals
            moved.append((totals.requests, totals.bytes_down, totals.bytes_up))
        assert moved[0] == moved[1]
        assert moved[0][0] == requests


def test_referrers_and_signatures_follow(host: str) -> None:
    image = oci_image()
    note, signature = referrer(image), cosign_signature(image)
    files = layout_files({"app": image, "": note, cosign_tag(image): signature})
    here, there = f"docker://{host}/followed/old:1", f"docker://{host}/followed/new:1"
    convert(Memory(files), here, to="oci")
    report = convert(here, there, to="docker", referrers="keep", signatures="keep")
    assert report.pins[signature.digest] == signature.digest
    with client() as registry:
        remote = registry.repository(Repository(host, "followed/new"))
        assert remote.manifest(cosign_tag(image)).digest == signature.digest
        (page,) = remote.referrers(Digest(report.images[0].new.digest))
        (entry,) = json.loads(page.raw)["manifests"]
    assert entry["digest"] == report.pins[note.digest]
    assert entry["artifactType"] == "application/vnd.example.note"


EIGHT = image_list(
    [
        docker_image([layer(f"{platform} {i}") for i in range(8)], platform=platform)
        for platform in PLATFORMS
    ]
)
"""A Docker list of five platforms with eight distinct layers each."""


def converted(host: str, source: str, target: str) -> Report:
    """A conversion to OCI inside the registry, by a client that knows nothing yet."""
    with client() as registry:
        names = [f"docker://{host}/{name}" for name in (source, target)]
        old, new = (RegistryImage(name, registry, keep_original=False) for name in names)
        return convert(old, new, to="oci", force=True)


def pushed(host: str, name: str, image: Image = EIGHT) -> str:
    """The reference of an image that is brought there."""
    with client() as registry:
        repository, _, tag = name.rpartition(":")
        push(registry.repository(Repository(host, repository), push=True), tag, image)
    return f"docker://{host}/{name}"


def test_inside_it_documents_move_alone_and_back_is_the_first_digest(host: str) -> None:
    name = pushed(host, "convert/app:1")
    near = convert(Memory(layout_files({"app": EIGHT})), Memory(), to="oci")
    report = converted(host, "convert/app:1", "convert/app:oci")
    assert report.images[0].new.digest == near.images[0].new.digest
    assert report.totals.requests == 12
    assert report.totals.bytes_down + report.totals.bytes_up < 40 * 1024
    back = convert(f"docker://{host}/convert/app:oci", f"{name}-back", to="docker")
    assert back.images[0].new.digest == EIGHT.digest


def test_another_repository_of_it_gets_mounts_and_documents(host: str) -> None:
    pushed(host, "convert/from:1")
    blobs = [digest for digest in EIGHT.blobs if digest not in EIGHT.documents]
    report = converted(host, "convert/from:1", "convert/to:1")
    assert report.totals.requests == 12 + len(blobs)
    assert report.totals.bytes_down + report.totals.bytes_up < 40 * 1024
    assert verify(f"docker://{host}/convert/to:1").sound


def test_conversions_that_share_children_all_succeed_in_it(host: str) -> None:
    """By two clients that know nothing of each other."""
    name = pushed(host, "convert/shared:1")
    with client() as one, client() as other, ThreadPoolExecutor(16) as pool:
        source = RegistryImage(name, one)
        targets = [
            RegistryImage(f"docker://{host}/convert/shared:t{n}", one if n % 2 else other)
            for n in range(32)
        ]
        reports = list(pool.map(lambda target: convert(source, target, to="oci"), targets))
    assert len({report.images[0].new.digest for report in reports}) == 1


def test_skopeo_and_podman_read_what_was_converted_in_it(
    host: str, peers: Callable[[str], str], tmp_path: Path
) -> None:
    pushed(host, "convert/read:1", FIVE)
    report = converted(host, "convert/read:1", "convert/read:oci")
    name = f"docker://{host}/convert/read:oci"
    skopeo, podman = peers("skopeo"), peers("podman")
    raw = run(skopeo, "inspect", "--raw", "--tls-verify=false", name)
    assert Digest.of(raw.encode()) == report.images[0].new.digest
    copy = ("--insecure-policy", "copy", "--all", "--src-tls-verify=false")
    run(skopeo, *copy, name, f"oci:{tmp_path}/layout:1")
    assert verify(f"oci:{tmp_path}/layout").sound
    policy = tmp_path / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}', encoding="utf-8")
    pull = ("pull", "--quiet", "--tls-verify=false", f"--signature-policy={policy}")
    with TemporaryDirectory() as short:  # podman takes no long one
        folders = [f"--root={short}/root", f"--runroot={short}/run", "--storage-driver=vfs"]
        image = run(podman, *folders, *pull, name.removeprefix("docker://")).strip()
    assert f"sha256:{image}" in FIVE.blobs  # its config, as it was


# -- the fake is like it ------------------------------------------------------------------------

CONFIG, LAYER = Digest.of(OCI.config), Digest(OCI.layers[0].digest)
ACCEPT_OCI = {"Accept": OCI.media_type}
PIECES = {"Content-Type": "application/octet-stream"}
UPLOAD = "{upload}"
"""Where the last answer that opened an upload has led to."""

ASKED: list[tuple[str, str, dict[str, str], bytes]] = [
    ("GET", "/v2/", {}, b""),
    ("GET", "/v2/like/app/tags/list", {}, b""),
    ("GET", "/v2/like/app/manifests/1", ACCEPT_OCI, b""),
    ("HEAD", f"/v2/like/app/blobs/{CONFIG}", {}, b""),
    ("PUT", "/v2/like/app/manifests/1", {"Content-Type": OCI.media_type}, OCI.manifest),
    ("POST", "/v2/like/app/blobs/uploads/", {}, b""),
    ("GET", UPLOAD, {}, b""),
    ("PATCH", UPLOAD, {**PIECES, "Content-Range": "0-9"}, OCI.config[:10]),
    ("GET", UPLOAD, {}, b""),
    ("PUT", f"{UPLOAD}&digest={CONFIG}", PIECES, OCI.config[10:]),
    ("HEAD", f"/v2/like/app/blobs/{CONFIG}", {}, b""),
    ("GET", f"/v2/like/app/blobs/{CONFIG}", {"Range": "bytes=5-9"}, b""),
    ("GET", f"/v2/like/app/blobs/{CONFIG}", {"Range": "bytes=5-"}, b""),
    ("POST", "/v2/like/app/blobs/uploads/", {}, b""),
    ("PUT", f"{UPLOAD}&digest={LAYER}", PIECES, b"something else"),
    ("POST", "/v2/like/app/blobs/uploads/", {}, b""),
    ("DELETE", UPLOAD, {}, b""),
    ("GET", UPLOAD, {}, b""),
    *(
        request
        for each in OCI.layers
        for request in (
            ("POST", "/v2/like/app/blobs/uploads/", {}, b""),
            ("PUT", f"{UPLOAD}&digest={each.digest}", PIECES, each.data),
        )
    ),
    ("PUT", "/v2/like/app/manifests/1", {"Content-Type": FIVE.media_type}, OCI.manifest),
    ("PUT", "/v2/like/app/manifests/1", {"Content-Type": OCI.media_type}, OCI.manifest),
    ("GET", "/v2/like/app/manifests/1", ACCEPT_OCI, b""),
    ("HEAD", f"/v2/like/app/manifests/{OCI.digest}", ACCEPT_OCI, b""),
    ("GET", "/v2/like/app/manifests/1", {"Accept": FIVE.media_type}, b""),
    ("GET", f"/v2/like/app/referrers/{OCI.digest}", {}, b""),
    ("GET", "/v2/like/app/tags/list", {}, b""),
    ("GET", "/v2/_catalog?n=1", {}, b""),
    ("POST", f"/v2/like/other/blobs/uploads/?mount={CONFIG}&from=like/app", {}, b""),
    ("POST", f"/v2/like/other/blobs/uploads/?mount={CONFIG}&from=like/none", {}, b""),
]
SAME = ("Content-Length", "Content-Range", "Docker-Content-Digest", "Range")


def answers(host: str) -> list[tuple[str, int, dict[str, str]]]:
    """What a registry answers to all that is asked."""
    found = []
    upload = ""
    with connection_from_url(f"http://{host}") as pool:
        for method, target, headers, body in ASKED:
            path = target.replace(UPLOAD, upload)
            reply = pool.urlopen(method, path, body, headers, retries=False, redirect=False)
            location = reply.headers.get("Location", "")
            if "/uploads/" in location:
                upload = location.partition(host)[2]
            told = {name: reply.headers[name] for name in SAME if name in reply.headers}
            if reply.status >= 400:
                told = {}
                if reply.data and reply.headers["Content-Type"].startswith("application/json"):
                    told["code"] = json.loads(reply.data)["errors"][0]["code"]
            elif "list" in target or "catalog" in target:
                told = json.loads(reply.data)
            found.append((f"{method} {target}", reply.status, told))
    return found


def test_the_fake_answers_as_it_does(program: str, tmp_path: Path) -> None:
    with docker_registry(program, tmp_path, {}) as host:
        theirs = answers(host)
    with FakeRegistry(PERSONALITIES["distribution 2.8"]) as fake:
        ours = answers(fake.host)
    for got, wanted in zip(ours, theirs, strict=True):
        assert got == wanted
