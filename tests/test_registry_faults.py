"""Whatever goes wrong, at whatever request: the old image or the new one, and no secret told."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from oci_convert.errors import OciConvertError
from oci_convert.spec.digest import Digest
from oci_convert.stores.registry.auth import Auth
from oci_convert.stores.registry.calls import scope
from oci_convert.stores.registry.client import RegistryClient, RemoteRepository
from oci_convert.stores.registry.proxies import Proxies
from oci_convert.stores.traffic import Traffic
from registry import FakeRegistry, Fault, Htpasswd, TokenServer
from registry.content import digest_of
from registry.gate import Gate
from registry.messages import Reply
from support.images import Image, docker_image, image_list, layer, oci_image
from support.registries import chunks_of, client, documents, load, push, repository

OLD: Final = oci_image([layer("old")])
NEW: Final = image_list([docker_image([layer("base"), layer("top", size=5000)])])
PASSWORD: Final = "s3cr3t-of-the-tests"
USERS: Final = {"me": PASSWORD}
HASTY: Final[dict[str, Any]] = {"retries": 1, "backoff": 0, "read_timeout": 0.15}


# -- the ways -----------------------------------------------------------------------------------


def push_all(registry: RegistryClient, fake: FakeRegistry) -> None:
    """From somewhere else into the registry."""
    push(registry.repository(repository(fake), push=True), "1", NEW)


def push_pieces(registry: RegistryClient, fake: FakeRegistry) -> None:
    """The same, with layers whose digest is not known before."""
    remote = registry.repository(repository(fake), push=True)
    for digest, data in NEW.blobs.items():
        if digest not in NEW.documents:
            remote.put_stream(chunks_of(data))
    push_documents(remote, NEW)


def mount_all(registry: RegistryClient, fake: FakeRegistry) -> None:
    """From another repository of the same registry."""
    source = registry.repository(repository(fake, "source"))
    remote = registry.repository(repository(fake), push=True, scopes=[scope(source.repository)])
    for digest, data in NEW.blobs.items():
        if digest not in NEW.documents:
            content = source.blob(Digest(digest), len(data))
            remote.put_blob(
                Digest(digest),
                len(data),
                lambda content=content: content,  # type: ignore[misc]
                mount_from=source.repository,
            )
    push_documents(remote, NEW)


def convert_in_place(registry: RegistryClient, fake: FakeRegistry) -> None:
    """Documents only: everything else is there."""
    remote = registry.repository(repository(fake), push=True)
    for raw, _ in documents(NEW):
        try:
            remote.manifest(Digest.of(raw))
        except OciConvertError as error:
            if error.code not in {"no-such-manifest", "no-such-repository"}:
                raise
    push_documents(remote, NEW)


def push_documents(remote: RemoteRepository, image: Image) -> None:
    *children, (root, media_type) = documents(image)
    for raw, kind in children:
        remote.put_manifest(raw, kind)
    remote.put_manifest(root, media_type, tag="1")


@dataclass(frozen=True)
class Way:
    """A way of an image, how many requests it takes, and what has to be there before."""

    go: Callable[[RegistryClient, FakeRegistry], None]
    requests: int
    gate: Callable[[], Gate] | None = None
    present: bool = False
    options: tuple[tuple[str, Any], ...] = ()


BLOBS = len(NEW.blobs) - len(NEW.documents)
WAYS: Final = {
    "from elsewhere": Way(push_all, 2 * BLOBS + 2),
    "from elsewhere in pieces": Way(push_all, 10, options=(("chunk", 2000),)),
    "recompressed": Way(push_pieces, 3 * BLOBS + 2),
    "from another repository": Way(mount_all, BLOBS + 2),
    "in one repository": Way(convert_in_place, 4, present=True),
    "with a token": Way(mount_all, BLOBS + 4, gate=lambda: TokenServer(USERS)),
}


@contextmanager
def prepared(way: Way) -> Iterator[FakeRegistry]:
    with FakeRegistry(gate=way.gate() if way.gate else None) as fake:
        load(fake, "team/app", "1", OLD)
        load(fake, "source", "1", NEW)
        if way.present:
            for digest, data in NEW.blobs.items():
                if digest not in NEW.documents:
                    fake.content.add_blob("team/app", data, digest)
        yield fake


def shown(fake: FakeRegistry) -> str:
    """The image that the tag shows, which is all there."""
    content = fake.content.repository("team/app")
    digest = content.tags["1"]
    todo = [digest]
    while todo:
        each = todo.pop()
        if each in content.manifests:
            raw = content.manifests[each].raw
            assert digest_of(raw) == each
            body = json.loads(raw)
            entries = [body.get("config"), *body.get("layers", []), *body.get("manifests", [])]
            todo += [entry["digest"] for entry in entries if entry]
        else:
            assert each in content.blobs, f"{each} is missing"
    for each, data in fake.content.data.items():
        assert digest_of(data, each.partition(":")[0]) == each
    return digest


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
@pytest.mark.parametrize("way", WAYS)
def test_the_tag_shows_the_old_image_or_the_new_one(way: str, fault: Fault) -> None:
    """And where a run failed, a second one succeeds. One fault, at every request in turn."""
    it = WAYS[way]
    for index in range(it.requests):
        with prepared(it) as fake:
            fake.faults.at(index, fault)
            error = run(it, fake)
            image = shown(fake)
            assert image in {OLD.digest, NEW.digest}, index
            assert image == NEW.digest or error is not None, index
            if error is None:
                continue
            check_no_secret(error)
            fake.faults.clear()
            assert run(it, fake) is None, index
            assert shown(fake) == NEW.digest, index


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_broken_for_good_ends_with_one_error(way: str, fault: Fault) -> None:
    """Every request that writes, or every one that reads, is broken: the tag stays."""
    it = WAYS[way]
    for methods in ({"GET", "HEAD"}, {"PUT"}, {"POST", "PATCH"}):
        with prepared(it) as fake:
            fake.faults.when(lambda request, broken=methods: request.method in broken, fault, 999)  # type: ignore[misc]
            error = run(it, fake)
            assert error is None or error.code
            assert shown(fake) in {OLD.digest, NEW.digest}
            check_no_secret(error)
            fake.faults.clear()
            assert run(it, fake) is None
            assert shown(fake) == NEW.digest


def run(way: Way, fake: FakeRegistry) -> OciConvertError | None:
    auth = Auth.basic("me", PASSWORD)
    # So that a complaint of too many requests does not slow down for long.
    options = {**HASTY, "rates": {fake.host: 10_000.0}, **dict(way.options)}
    with client(auth, **options) as registry:
        try:
            way.go(registry, fake)
        except OciConvertError as error:
            return error
    return None


def check_no_secret(error: OciConvertError | None) -> None:
    if error is not None:
        told = "".join(traceback.format_exception(error)) + repr(pickle.dumps(error))
        for secret in (PASSWORD, base64.b64encode(f"me:{PASSWORD}".encode()).decode(), "tok-"):
            assert secret not in told


def test_the_ways_take_as_many_requests_as_they_are_tested_at() -> None:
    for way in WAYS.values():
        with prepared(way) as fake:
            assert run(way, fake) is None
            assert shown(fake) == NEW.digest
            assert len(fake.log.requests) >= way.requests


# -- secrets ------------------------------------------------------------------------------------


def in_a_file(folder: Path, entry: dict[str, str], host: str) -> Auth:
    file = folder / "auth.json"
    file.write_text(json.dumps({"auths": {host: entry}}), encoding="utf-8")
    return Auth.from_file(file)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def by_helper(folder: Path, _: str) -> Auth:
    program = folder / "docker-credential-x"
    answer = json.dumps({"Username": "me", "Secret": PASSWORD})
    program.write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    program.chmod(0o755)
    (folder / "config.json").write_text('{"credsStore": "x"}', encoding="utf-8")
    environment = {"DOCKER_CONFIG": str(folder), "PATH": f"{folder}:/bin:/usr/bin", "X": PASSWORD}
    return Auth.from_environment(environment)


SOURCES: Final[dict[str, Callable[[Path, str], Auth]]] = {
    "by hand": lambda _, __: Auth.basic("me", PASSWORD),
    "a file": lambda folder, host: in_a_file(folder, {"auth": encoded(f"me:{PASSWORD}")}, host),
    "a plain file": lambda folder, host: in_a_file(
        folder, {"username": "me", "password": PASSWORD}, host
    ),
    "an identity token": lambda folder, host: in_a_file(folder, {"identitytoken": PASSWORD}, host),
    "a registry token": lambda folder, host: in_a_file(folder, {"registrytoken": PASSWORD}, host),
    "a helper": by_helper,
}
GATES: Final[dict[str, Callable[[], Gate]]] = {
    "a password": lambda: Htpasswd(USERS),
    "a token": lambda: TokenServer(USERS, identities=[PASSWORD]),
    "nobody": lambda: Htpasswd({}),
}


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("source", SOURCES)
def test_a_marked_secret_is_found_in_no_log_error_value_or_other_host(
    source: str, gate: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    produced: list[str] = []
    with (
        FakeRegistry() as storage,
        FakeRegistry(gate=GATES[gate](), content=storage.content, blobs_at=storage.origin) as fake,
    ):
        load(fake, "team/app", "1", NEW)
        auth = SOURCES[source](tmp_path, fake.host)
        traffic = Traffic()
        with client(auth, **HASTY) as registry:
            remote = registry.repository(repository(fake), push=True, traffic=traffic)
            for ask in asks(remote, fake):
                try:
                    produced.append(repr(ask()))
                except OciConvertError as error:
                    produced.append("".join(traceback.format_exception(error)))
                    produced.append(repr(pickle.dumps(error)) + repr(vars(error)))
            values = [auth, registry.options, traffic, remote.access, remote.host, registry]
            produced += map(repr, values)
            produced.append(repr(remote.access.authorizer._found))
        # What went to the other host, and what the registry was sent in the clear.
        produced += [f"{it.target} {dict(it.headers)}" for it in storage.log.requests]
        produced += [it.target for it in fake.log.requests]
        tokens = {
            header.partition(" ")[2]
            for it in fake.log.requests
            if (header := it.headers.get("Authorization"))
        }
    produced += [record.getMessage() for record in caplog.records]
    assert len(caplog.records) > 5
    everything = "\n".join(produced)
    for secret in {PASSWORD, encoded(f"me:{PASSWORD}"), *tokens}:
        assert secret not in everything


def asks(remote: RemoteRepository, fake: FakeRegistry) -> Iterator[Callable[[], object]]:
    """What goes well, what is refused, and a registry that repeats what it was sent."""
    blob = next(digest for digest in NEW.blobs if digest not in NEW.documents)
    data = NEW.blobs[blob]
    yield lambda: remote.manifest("1")
    yield lambda: b"".join(remote.blob(Digest(blob), len(data)))
    yield lambda: push(remote, "2", OLD)
    yield lambda: remote.manifest("absent")
    for fault in (Fault.FORBIDDEN, Fault.UNAUTHORIZED, Fault.ERROR, Fault.RESET, Fault.TRUNCATED):
        fake.faults.clear()
        fake.faults.when(lambda _: True, fault, 99)
        yield lambda: remote.manifest("1")
    fake.faults.clear()
    usual = fake.protocol.answer

    def repeating(request: Any) -> Reply:
        sent = f"{dict(request.headers)} {request.body!r} {PASSWORD}"
        return Reply(403, {"Content-Type": "text/plain"}, sent.encode())

    setattr(fake.protocol, "answer", repeating)  # noqa: B010 - mypy takes no other method for it
    yield lambda: remote.manifest("1")
    yield lambda: push(remote, "3", OLD)
    setattr(fake.protocol, "answer", usual)  # noqa: B010 - likewise


def test_the_password_of_a_proxy_is_found_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    proxies = Proxies.from_environment({"HTTPS_PROXY": f"http://me:{PASSWORD}@127.0.0.1:1"})
    with FakeRegistry() as fake, client(None, proxies, **HASTY) as registry:
        there = repository(fake)
        with pytest.raises(OciConvertError) as caught:
            registry.repository(type(there)("registry.invalid", "a")).manifest("1")
        assert caught.value.code == "proxy-failed"
    told = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(proxies)
    assert PASSWORD not in told
    assert encoded(f"me:{PASSWORD}") not in told
