"""What is said when a registry is broken, strict, or not there, each with what provokes it.

Calls of the client, since what a registry answers is the same to every command. Every registry here
is a :class:`~registry.FakeRegistry`, shown as ``registry.example``.
"""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest import mock

from oci_convert.errors import OciConvertError
from oci_convert.spec.digest import Digest
from oci_convert.stores.registry.auth import Auth
from oci_convert.stores.registry.client import RegistryClient, RemoteRepository
from oci_convert.stores.registry.options import RegistryOptions, parse_rates
from oci_convert.stores.registry.proxies import Proxies
from oci_convert.stores.registry.reference import (
    ImageReference,
    parse_destination,
    parse_source,
)
from registry import PERSONALITIES, FakeRegistry, Fault, Htpasswd, Personality, TokenServer
from registry.gate import Gate
from registry.messages import Reply, Request
from support.images import OCI_INDEX, Image, cosign_tag, docker_image, oci_image
from support.messages import Provoked
from support.registries import load

__all__ = ["HOST", "REGISTRIES", "registry"]

HOST: Final = "registry.example"
IMAGE: Final = docker_image()
OCI: Final = oci_image()
LAYER: Final = IMAGE.layers[0]
ABSENT: Final = Digest.of(b"absent")
PULL: Final = f"docker://{HOST}/team/app:1"
PUSH: Final = f"docker://{HOST}/team/new:1"
"""An image that is there, and one that is not yet."""


@dataclass(frozen=True)
class Setting:
    """What a call is made against."""

    host: str
    auth: Auth
    options: RegistryOptions
    proxies: Proxies


_settings: list[Setting] = []
"""That of the call under way, the last one."""


@contextmanager
def registry(
    *faults: Fault,
    when: Callable[[Request], bool] = lambda request: "/token" not in request.path,
    personality: Personality | None = None,
    gate: Gate | None = None,
    auth: Auth | None = None,
    prepare: Callable[[FakeRegistry], object] = lambda _: None,
    **options: Any,
) -> Iterator[FakeRegistry]:
    """A registry with an image, for which ``when`` is true meeting each of ``faults`` for ever."""
    with FakeRegistry(personality, gate=gate) as fake:
        load(fake, "team/app", "1", IMAGE)
        load(fake, "team/app", "1.1", OCI)
        for fault in faults:
            fake.faults.when(when, fault, times=1000)
        prepare(fake)
        with against(fake.host, auth=auth, **options):
            yield fake


@contextmanager
def against(
    host: str, auth: Auth | None = None, proxies: Proxies | None = None, **options: Any
) -> Iterator[None]:
    """Let calls go to ``host``, without much patience."""
    patience: dict[str, Any] = {"retries": 1, "backoff": 0, "read_timeout": 0.3, "longest_wait": 5}
    settings = RegistryOptions(**{**patience, **options})
    _settings.append(Setting(host, auth or Auth.anonymous(), settings, proxies or Proxies()))
    try:
        yield
    finally:
        _settings.pop()


@contextmanager
def _opened(reference: str, *, push: bool = False) -> Iterator[tuple[RemoteRepository, str]]:
    """The repository of a reference, and its tag; errors speak of ``registry.example``."""
    setting = _settings[-1]
    try:
        parsed = parse_source(reference.replace(HOST, setting.host))
        assert isinstance(parsed, ImageReference)
        with RegistryClient(setting.auth, setting.options, setting.proxies) as client:
            yield client.repository(parsed.repository, push=push), parsed.target
    except OciConvertError as error:
        # Also as what the fake calls itself, and as addresses that change from run to run.
        told = {
            name: re.sub(
                r"127\.0\.0\.1:\d+", HOST, getattr(error, name).replace(setting.host, HOST)
            )
            for name in ("message", "store", "where", "remedy")
        }
        raise error.but(**told) from None


def pull(reference: str) -> None:
    """Read a manifest."""
    with _opened(reference) as (remote, target):
        remote.manifest(target)


def look(reference: str) -> None:
    """Ask for a manifest without reading it."""
    with _opened(reference) as (remote, target):
        remote.head_manifest(target)


def read_layer(reference: str) -> None:
    """Read the first layer of the image."""
    with _opened(reference) as (remote, _):
        size = len(LAYER.data)
        for _ in remote.blob(Digest(LAYER.digest), size):
            pass


def read_absent_layer(reference: str) -> None:
    """Read a layer that nobody has."""
    with _opened(reference) as (remote, _):
        list(remote.blob(ABSENT, 10))


def push(reference: str, image: Image = IMAGE) -> None:
    """Write an image: its blobs, then its manifest under the tag."""
    with _opened(reference, push=True) as (remote, tag):
        for digest, data in image.blobs.items():
            if digest not in image.documents:
                remote.put_blob(Digest(digest), len(data), partial(_once, data))
        remote.put_manifest(image.manifest, image.media_type, tag=tag)


def _once(data: bytes) -> list[bytes]:
    middle = len(data) // 2
    return [data[:middle], data[middle:]]


def push_manifest(reference: str) -> None:
    """Write a manifest whose blobs are not there."""
    with _opened(reference, push=True) as (remote, tag):
        remote.put_manifest(OCI.manifest, OCI.media_type, tag=tag)


def push_stream(reference: str) -> None:
    """Write a blob whose digest comes out at its end."""
    with _opened(reference, push=True) as (remote, _):
        remote.put_stream(lambda: [b"x" * 100, b"y" * 100])


def tags(reference: str) -> None:
    """List the tags."""
    with _opened(reference) as (remote, _):
        remote.tags()


def repositories(reference: str) -> None:
    """List the repositories of the host."""
    with _opened(reference) as (remote, _):
        remote.catalog()


def add_referrer(reference: str) -> None:
    """Put something into the index of referrers of the image."""
    with _opened(reference, push=True) as (remote, _):
        entry = {"mediaType": OCI.media_type, "digest": OCI.digest, "size": len(OCI.manifest)}
        remote.add_referrer(Digest(IMAGE.digest), entry)


def pull_after_the_end(reference: str) -> None:
    """Read a manifest with a client that was closed."""
    with _opened(reference) as (remote, target):
        remote.host.pace._stopped.set()
        remote.manifest(target)


# -- what is broken -----------------------------------------------------------------------------


def answering(
    reply: Reply, when: Callable[[Request], bool] = lambda _: True
) -> Callable[[FakeRegistry], None]:
    """A registry that gives the same answer to everything for which ``when`` is true."""

    def prepare(fake: FakeRegistry) -> None:
        usual = fake.protocol.answer
        fake.protocol.answer = (  # type: ignore[method-assign]
            lambda request: reply if when(request) else usual(request)
        )

    return prepare


def told(status: int, *errors: Mapping[str, object], **headers: str) -> Callable[..., None]:
    """A registry that refuses everything in these words."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps({"errors": errors}).encode()
    return answering(Reply(status, {"Content-Type": "application/json", **named}, body))


@contextmanager
def nobody() -> Iterator[None]:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
    with against(host):
        yield


@contextmanager
def deaf() -> Iterator[None]:
    """A port that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        with against(host, plain_http=frozenset({host})):
            yield


@contextmanager
def plain() -> Iterator[None]:
    """A registry of plain http, which is asked by https as one on another machine would be."""
    probe = "oci_convert.stores.registry.transport.speaks_tls"
    with mock.patch(probe, return_value=True), registry():
        yield


@contextmanager
def broken_proxy() -> Iterator[None]:
    """A proxy where nobody listens, whose address holds a password."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    proxy = f"http://me:s3cr3t@127.0.0.1:{port}"
    proxies = Proxies.from_environment({"HTTPS_PROXY": proxy})
    with against("registry.invalid", proxies=proxies):
        yield


def has(text: str) -> Callable[[Request], bool]:
    """Requests whose line has ``text`` in it: ``PUT``, ``/blobs/``."""
    return lambda request: text in f"{request.method} {request.target}"


def overwriting(fake: FakeRegistry) -> None:
    """Let somebody else put an empty index in the place of every index of referrers."""
    usual = fake.protocol.answer
    empty = json.dumps({"schemaVersion": 2, "manifests": []}).encode()

    def answer(request: Request) -> Reply:
        if request.method == "GET" and "/manifests/sha256-" in request.path:
            tag = request.path.rpartition("/")[2]
            fake.content.add_manifest("team/app", empty, OCI_INDEX, tag)
        return usual(request)

    setattr(fake.protocol, "answer", answer)  # noqa: B010 - mypy takes no other method for it


def tag_a_manifest(fake: FakeRegistry) -> None:
    """Put an image where the index of referrers belongs."""
    tag = cosign_tag(IMAGE).removesuffix(".sig")
    fake.content.add_manifest("team/app", OCI.manifest, OCI.media_type, tag)


def with_file(text: str, name: str = "auth.json") -> tuple[Callable[[], object], ...]:
    """A file with credentials in the folder of the call."""
    return (lambda: Path(name).write_text(text, encoding="utf-8"),)


def from_file() -> Any:
    return registry(auth=Auth.from_file("auth.json"))


OLD: Final = PERSONALITIES["distribution 2.8"]
BOUNCER: Final = TokenServer({"me": "s3cr3t"})
ELSEWHERE: Final = Reply(307, {"Location": "http://192.0.2.1/?signature=s3cr3t"})
FOR_EVER: Final = Reply(307, {"Location": "/v2/team/app/manifests/1"})
ECHO: Final = {"code": "UNAUTHORIZED", "message": "wrong password s3cr3t"}
NAMED: Final = base64.b64encode(b"no colon in it").decode()


def realm(url: str) -> Gate:
    return TokenServer({"me": "s3cr3t"}, realm=url)


def case(
    code: str, ask: Callable[..., None], reference: str, within: Callable[[], Any], **more: Any
) -> Provoked:
    return Provoked(code, partial(ask, reference), within=within, **more)


def met(code: str, ask: Callable[..., None], reference: str, *faults: Fault, **more: Any) -> Any:
    """A case in which a registry has faults."""
    return case(code, ask, reference, partial(registry, *faults, **more))


REGISTRIES: Final[dict[str, Provoked]] = {
    # -- references
    "a reference without a repository": Provoked(
        "invalid-reference", partial(parse_source, f"docker://{HOST}")
    ),
    "a repository in capitals": Provoked(
        "invalid-reference", partial(parse_source, f"docker://{HOST}/Team/app")
    ),
    "a password in a reference": Provoked(
        "invalid-reference", partial(parse_source, f"docker://me:s3cr3t@{HOST}/team/app")
    ),
    "a destination in a registry without a tag": Provoked(
        "invalid-reference", partial(parse_destination, f"docker://{HOST}/team/app")
    ),
    "a rate that is none": Provoked("invalid-option", partial(parse_rates, ["quay.io=fast"])),
    "a proxy of another kind": Provoked(
        "invalid-proxy",
        partial(Proxies.from_environment, {"HTTPS_PROXY": "socks5://proxy.example:1080"}),
    ),
    # -- the way there
    "nobody listens": case("registry-unreachable", pull, PULL, nobody),
    "a host that nobody knows": case(
        "registry-unreachable", pull, PULL, partial(against, "registry.invalid")
    ),
    "a registry that says nothing": case("registry-timeout", pull, PULL, deaf),
    "a registry that stops in the middle": met("registry-timeout", pull, PULL, Fault.STALLED),
    "a connection that is reset": met("connection-broken", pull, PULL, Fault.RESET),
    "a manifest that breaks off": met("connection-broken", pull, PULL, Fault.TRUNCATED),
    "a proxy that is not there": case("proxy-failed", pull, PULL, broken_proxy),
    "a client that was closed": met("registry-closed", pull_after_the_end, PULL),
    "a registry of plain http": case("tls-failed", pull, PULL, plain),
    "a certificate that is none": case(
        "invalid-certificate",
        pull,
        PULL,
        partial(against, "registry.invalid", ca_file=Path("ca.pem")),
        steps=with_file("no PEM", "ca.pem"),
    ),
    # -- who we are
    "a registry that wants a password": met(
        "registry-unauthorized", pull, PULL, gate=Htpasswd({"me": "s3cr3t"})
    ),
    "a registry that takes no password of ours": met(
        "registry-unauthorized",
        pull,
        PULL,
        gate=Htpasswd({"me": "s3cr3t"}),
        auth=Auth.basic("me", "wr0ng"),
    ),
    "a token server that takes no password of ours": met(
        "registry-unauthorized", pull, PULL, gate=BOUNCER, auth=Auth.basic("me", "wr0ng")
    ),
    "a registry that repeats our password": met(
        "registry-unauthorized",
        pull,
        PULL,
        auth=Auth.basic("me", "s3cr3t"),
        prepare=told(401, ECHO, WWW_Authenticate="Basic realm=x"),
    ),
    "a token server on plain http elsewhere": met(
        "realm-refused",
        pull,
        PULL,
        gate=realm("http://192.0.2.1/token"),
        auth=Auth.basic("me", "s3cr3t"),
    ),
    "a token server that is broken": met(
        "token-failed", pull, PULL, Fault.PAGE, gate=BOUNCER, when=has("/token")
    ),
    "an account that may not write": met(
        "registry-denied",
        push,
        PUSH,
        Fault.FORBIDDEN,
        when=has("POST"),
        auth=Auth.basic("me", "s3cr3t"),
    ),
    "a repository that is not for everybody": met("registry-denied", pull, PULL, Fault.FORBIDDEN),
    "a file with credentials that is not there": case("no-auth-file", pull, PULL, from_file),
    "a file with credentials that is no JSON": case(
        "invalid-auth-file", pull, PULL, from_file, steps=with_file('{"auths": s3cr3t')
    ),
    "a file with a password that is no base64": case(
        "invalid-auth-file",
        pull,
        PULL,
        from_file,
        steps=with_file(json.dumps({"auths": {HOST: {"auth": NAMED}}})),
    ),
    # -- what is not there
    "a host that is no registry": met(
        "not-a-registry", pull, PULL, prepare=answering(Reply(404, {}, b"<h1>Not Found</h1>"))
    ),
    "a repository that is not there": met("no-such-repository", pull, f"docker://{HOST}/team/ap:1"),
    "a registry that makes no repositories": met(
        "no-such-repository", push, PUSH, Fault.NOT_FOUND, when=has("POST")
    ),
    "a tag that is nearly there": met("no-such-tag", pull, f"docker://{HOST}/team/app:1.2"),
    "a tag that is not there": met("no-such-tag", pull, f"docker://{HOST}/team/app:latest"),
    "a digest that is not there": met(
        "no-such-manifest", pull, f"docker://{HOST}/team/app@{ABSENT}"
    ),
    "a layer that is not there": met("blob-missing", read_absent_layer, PULL),
    "the tags of nothing": met("no-such-repository", tags, f"docker://{HOST}/team/ap:1"),
    "a registry without a catalog": met(
        "no-catalog", repositories, PULL, personality=Personality(catalog=False)
    ),
    # -- wrong bytes
    "a manifest of other bytes": met(
        "digest-mismatch", pull, f"docker://{HOST}/team/app@{IMAGE.digest}", Fault.WRONG_BYTES
    ),
    "a manifest under another digest": met("digest-mismatch", pull, PULL, Fault.WRONG_DIGEST),
    "a layer of other bytes": met(
        "digest-mismatch", read_layer, PULL, Fault.WRONG_BYTES, when=has("/blobs/")
    ),
    "a layer that breaks off again and again": met(
        "blob-truncated", read_layer, PULL, Fault.TRUNCATED, when=has("/blobs/")
    ),
    "a layer that is too short": met(
        "blob-truncated", read_layer, PULL, prepare=answering(Reply(200, {}, b"short"))
    ),
    "a layer that is too long": met(
        "wrong-size", read_layer, PULL, prepare=answering(Reply(200, {}, bytes(5000)))
    ),
    "a layer that is shorter than we know": met(
        "blob-truncated", read_layer, PULL, Fault.RANGE, when=has("/blobs/")
    ),
    "another part of a layer than was asked for": met(
        "bad-registry-answer",
        read_layer,
        PULL,
        Fault.TRUNCATED,
        when=lambda request: "/blobs/" in request.path and "Range" not in request.headers,
        prepare=answering(
            Reply(206, {"Content-Range": "bytes 0-9/100"}, b"0123456789"),
            lambda request: "Range" in request.headers,
        ),
    ),
    "a manifest that never ends": met(
        "answer-too-large", pull, PULL, prepare=answering(Reply(200, {}, bytes(5 * 1024 * 1024)))
    ),
    "a digest that is none": met(
        "bad-registry-answer",
        pull,
        PULL,
        prepare=answering(Reply(200, {"Docker-Content-Digest": "none"}, IMAGE.manifest)),
    ),
    "tags that are no list": met(
        "bad-registry-answer", tags, PULL, prepare=answering(Reply(200, {}, b'{"tags": "1"}'))
    ),
    "a page in the place of tags": met("bad-registry-answer", tags, PULL, Fault.PAGE),
    "a next page elsewhere": met(
        "bad-registry-answer",
        tags,
        PULL,
        prepare=answering(
            Reply(200, {"Link": "<https://elsewhere.example/v2/>; rel=next"}, b'{"tags": ["1"]}')
        ),
    ),
    # -- where it leads
    "a redirect to plain http": met(
        "redirect-refused", read_layer, PULL, prepare=answering(ELSEWHERE)
    ),
    "a redirect in a circle": met("redirect-refused", pull, PULL, prepare=answering(FOR_EVER)),
    "an upload that is sent to plain http": met(
        "redirect-refused", push, PUSH, Fault.BAD_LOCATION, when=has("POST")
    ),
    "an upload that is sent on": met(
        "redirect-refused", push, PUSH, prepare=answering(ELSEWHERE, has("PUT"))
    ),
    # -- what is refused
    "too many requests": met(
        "too-many-requests",
        pull,
        PULL,
        prepare=told(
            429,
            {"code": "TOOMANYREQUESTS", "message": "You have reached your pull rate limit."},
            RateLimit_Limit="100;w=21600",
            Retry_After="3600",
        ),
    ),
    "a registry that is overwhelmed": met("registry-failed", pull, PULL, Fault.UNAVAILABLE),
    "a gateway that is broken": met("registry-failed", look, PULL, Fault.BAD_GATEWAY),
    "an answer in hostile words": met(
        "registry-failed",
        pull,
        PULL,
        prepare=told(400, {"code": "UNKNOWN", "message": "\x1b[31mred\nnews " + "x" * 400}),
    ),
    "a registry that takes OCI only": met(
        "manifest-refused", push, PUSH, personality=PERSONALITIES["OCI only"]
    ),
    "a registry that takes Docker only": Provoked(
        "manifest-refused",
        partial(push, PUSH, OCI),
        within=partial(registry, personality=PERSONALITIES["Docker only"]),
    ),
    "a manifest whose layer is not there": met("manifest-blob-unknown", push_manifest, PUSH),
    "a manifest that is too large for a proxy": met(
        "manifest-refused", push, PUSH, prepare=answering(Reply(413), has("PUT /v2/team/new/m"))
    ),
    "a layer that is too large for a proxy": met(
        "too-large-for-registry", push, PUSH, prepare=answering(Reply(413), has("PUT"))
    ),
    "a registry that loses what comes in pieces": met(
        "chunk-lost",
        push,
        PUSH,
        personality=PERSONALITIES["strict about members"],
        chunk=100,
    ),
    "a registry that takes nothing in pieces": met(
        "registry-failed", push_stream, PUSH, personality=PERSONALITIES["no chunks"]
    ),
    "a registry that reads only": met(
        "registry-failed",
        push,
        PUSH,
        prepare=answering(Reply(405, {}, b"read-only"), has("POST")),
    ),
    # -- referrers
    "an image in the place of referrers": met(
        "referrers-tag-taken", add_referrer, PULL, prepare=tag_a_manifest
    ),
    "referrers that others overwrite": met(
        "referrer-lost", add_referrer, PULL, prepare=overwriting, personality=OLD
    ),
    "a manifest that is taken and lost": met(
        "bad-registry-answer", push, PUSH, Fault.LOST, when=has("PUT /v2/team/new/m")
    ),
}
"""By what is wrong; with each, the first words of what is said are ``error: ``."""
