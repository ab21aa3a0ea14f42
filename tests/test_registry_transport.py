"""How bytes travel: redirects, TLS, proxies, rates, patience, and the end of it all."""

from __future__ import annotations

import base64
import pickle
import shutil
import socket
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.errors import OciConvertError, StoreError, UsageError
from oci_convert.spec.digest import Digest
from oci_convert.stores.known import Known
from oci_convert.stores.registry.auth import Auth
from oci_convert.stores.registry.options import RegistryOptions, parse_rates
from oci_convert.stores.registry.pace import Pace
from oci_convert.stores.registry.proxies import Proxies, Proxy
from oci_convert.stores.registry.reference import Repository
from oci_convert.stores.registry.secret import Secret, UserPassword
from oci_convert.stores.registry.transport import (
    Origin,
    Transport,
    _connections,
    _Open,
    origin_of,
)
from registry import FakeRegistry, Fault, Htpasswd
from registry.messages import Reply, Request
from support.certificates import OPENSSL, Certificates, make_certificates
from support.images import docker_image
from support.registries import chunks_of, client, load, quick, repository

ONE = docker_image()
LAYER = ONE.layers[0]
DIGEST = Digest(LAYER.digest)
USERS = {"me": "s3cr3t"}
ME = Auth.basic("me", "s3cr3t")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        load(registry, "team/app", "1", ONE)
        yield registry


def answering(fake: FakeRegistry, answer: Callable[[Request], Reply]) -> None:
    """Let a registry answer otherwise."""
    setattr(fake.protocol, "answer", answer)  # noqa: B010 - mypy takes no other method for it


# -- redirects ----------------------------------------------------------------------------------


def test_credentials_do_not_follow_a_redirect_to_another_host(fake: FakeRegistry) -> None:
    with FakeRegistry(gate=Htpasswd(USERS), content=fake.content, blobs_at=fake.origin) as front:
        with client(ME) as registry:
            remote = registry.repository(repository(front))
            assert b"".join(remote.blob(DIGEST, len(LAYER.data))) == LAYER.data
            assert remote.access.traffic.requests == 3
        assert [it.status for it in front.log.exchanges] == [401, 307]
        (request,) = fake.log.requests
        assert request.target == f"/cdn/{DIGEST}?signature=s3cr3t"
        assert "Authorization" not in request.headers


def test_a_part_is_asked_for_behind_a_redirect_too(fake: FakeRegistry) -> None:
    with FakeRegistry(content=fake.content, blobs_at=fake.origin) as front, client() as registry:
        fake.faults.at(0, Fault.TRUNCATED)
        remote = registry.repository(repository(front))
        assert b"".join(remote.blob(DIGEST, len(LAYER.data))) == LAYER.data
        assert fake.log.requests[1].headers["Range"].startswith("bytes=")
        assert len(front.log.requests) == 2


def test_credentials_stay_on_a_redirect_within_the_registry() -> None:
    with FakeRegistry(gate=Htpasswd(USERS)) as fake, client(ME) as registry:
        load(fake, "team/app", "1", ONE)
        usual = fake.protocol.answer

        def moved(request: Request) -> Reply:
            if request.path.endswith("/1"):
                return Reply(302, {"Location": f"./{ONE.digest}"})
            return usual(request)

        answering(fake, moved)
        assert registry.repository(repository(fake)).manifest("1").digest == ONE.digest


@pytest.mark.parametrize(
    "location",
    [
        "http://192.0.2.1/",
        "http://127.0.0.1.example.com/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://me:pass@127.0.0.1/",
        "https://",
        "https://[::1/",
        "javascript:alert(1)",
        "",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_nowhere_else(fake: FakeRegistry, location: str, status: int) -> None:
    answering(fake, lambda _: Reply(status, {"Location": location}))
    with client() as registry, pytest.raises(StoreError) as caught:
        registry.repository(repository(fake)).manifest("1")
    assert caught.value.code == "redirect-refused"
    assert len(fake.log.requests) == 1


def test_an_address_whose_signature_has_ended_is_asked_for_anew(fake: FakeRegistry) -> None:
    with FakeRegistry(content=fake.content, blobs_at=fake.origin) as front, client() as registry:
        fake.faults.at(0, Fault.FORBIDDEN)
        fake.faults.at(1, Fault.UNAUTHORIZED)
        remote = registry.repository(repository(front))
        assert b"".join(remote.blob(DIGEST, len(LAYER.data))) == LAYER.data
        assert len(front.log.requests) == 3
        fake.faults.when(lambda _: True, Fault.FORBIDDEN, times=99)
        with pytest.raises(StoreError, match="403 Forbidden"):
            list(remote.blob(DIGEST, len(LAYER.data)))


def test_redirects_are_counted(fake: FakeRegistry) -> None:
    usual = fake.protocol.answer

    def hops(most: int) -> Callable[[Request], Reply]:
        def answer(request: Request) -> Reply:
            if request.index < most:
                return Reply(307, {"Location": f"/v2/team/app/manifests/1?hop={request.index}"})
            return usual(request)

        return answer

    with client() as registry:
        remote = registry.repository(repository(fake))
        answering(fake, hops(5))
        assert remote.manifest("1").digest == ONE.digest
        fake.log.clear()
        answering(fake, hops(6))
        with pytest.raises(StoreError, match="more than 5"):
            remote.manifest("1")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_nothing_with_a_body_is_sent_on(fake: FakeRegistry, method: str) -> None:
    usual = fake.protocol.answer

    def moved(request: Request) -> Reply:
        if request.method == method:
            return Reply(307, {"Location": "/elsewhere"})
        return usual(request)

    answering(fake, moved)
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        with pytest.raises(StoreError, match="is not sent on"):
            remote.put_blob(Digest.of(b"x"), 1, chunks_of(b"x"))


def test_an_upload_may_go_to_another_host_without_credentials(fake: FakeRegistry) -> None:
    with FakeRegistry(gate=Htpasswd(USERS), content=fake.content) as front:
        usual = front.protocol.answer

        def elsewhere(request: Request) -> Reply:
            reply = usual(request)
            location = reply.headers.get("Location", "").replace(front.origin, fake.origin)
            return reply.with_headers({"Location": location or None})

        answering(front, elsewhere)
        with client(ME) as registry:
            remote = registry.repository(repository(front), push=True)
            remote.put_blob(Digest.of(b"x"), 1, chunks_of(b"x"))
        assert [it.method for it in fake.log.requests] == ["PUT"]
        assert "Authorization" not in fake.log.requests[0].headers
        assert fake.content.data[Digest.of(b"x")] == b"x"


def test_an_address_has_an_origin_or_is_none_of_ours() -> None:
    assert origin_of("https://Quay.IO/v2/?a=b#c") == (Origin("https", "quay.io", 443), "/v2/?a=b")
    assert origin_of("http://[::1]:5000") == (Origin("http", "::1", 5000), "/")
    assert str(Origin("http", "::1", 5000)) == "http://[::1]:5000"
    assert str(Origin("https", "quay.io", 443)) == "https://quay.io"
    for other in ("ftp://a/", "https://", "/v2/", "https://u@h/", "https://h:x/", "https://[::1"):
        assert origin_of(other) is None


HOSTS = {
    "my_bucket.s3.example": True,
    "registry.example.": True,
    "a-.example": True,
    "[fe80::1%25lo]": True,
    "exa mple": False,
    "%00": False,
    "a\x00b": False,
    "\xad": False,
    "\xfc.example": False,
    "xn--\x7f": False,
    "a..b": False,
    "*": False,
    "[::g]": False,
    "[1.2.3.4]": False,
    "a" * 64: False,
    "a." * 127 + "aa": False,
    "1.2.3.4\\@evil.example": False,
}


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_can_be_none_is_no_origin(host: str) -> None:
    """What others would do with it is an error of theirs, which nobody here expects."""
    assert (origin_of(f"https://{host}/x") is not None) == HOSTS[host]


@pytest.fixture(scope="module")
def transport() -> Iterator[Transport]:
    transport = Transport(quick(), Proxies())
    yield transport
    transport.close()


@given(st.text(max_size=12) | st.text("[]:%.-_a1@/\\\0 \xad", max_size=12))
def test_every_origin_has_a_channel(transport: Transport, host: str) -> None:
    found = origin_of(f"http://{host}")
    if found is not None:
        transport.channel(found[0], ours=False)


@pytest.mark.parametrize("host", [host for host, fine in HOSTS.items() if not fine])
def test_a_redirect_to_what_is_no_host_is_told(fake: FakeRegistry, host: str) -> None:
    data = Digest.of(b"x")
    usual, location = fake.protocol.answer, f"https://{host}/x?key=s3cr3t"

    def answer(request: Request) -> Reply:
        if "/blobs/" in request.path and request.method == "GET":
            return Reply(307, {"Location": location})
        opened = usual(request)
        return opened.with_headers({"Location": location}) if request.method == "POST" else opened

    fake.protocol.answer = answer  # type: ignore[method-assign]
    with client() as registry:
        remote = registry.repository(repository(fake), push=True)
        with pytest.raises(StoreError) as read:
            list(remote.blob(data, 1))
        with pytest.raises(StoreError) as written:
            remote.put_blob(data, 1, chunks_of(b"x"))
    for caught in (read, written):
        assert caught.value.code == "redirect-refused"
        assert "s3cr3t" not in str(caught.value)


# -- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@contextmanager
def secure(certificates: Certificates, **context: Any) -> Iterator[FakeRegistry]:
    with FakeRegistry(tls=certificates.context(**context)) as fake:
        load(fake, "team/app", "1", ONE)
        yield fake


@needs_openssl
def test_an_authority_is_trusted_that_somebody_names(certificates: Certificates) -> None:
    with secure(certificates) as fake:
        with client(ca_file=certificates.authority) as registry:
            assert registry.repository(repository(fake)).manifest("1").digest == ONE.digest
        localhost = Repository(fake.host.replace("127.0.0.1", "localhost"), "team/app")
        with client(ca_file=certificates.authority) as registry:
            assert registry.repository(localhost).manifest("1").digest == ONE.digest


@needs_openssl
def test_nobody_else_is_trusted(certificates: Certificates) -> None:
    with secure(certificates) as fake, client() as registry:
        with pytest.raises(StoreError, match=r"is not trusted: .*ca_file=") as caught:
            registry.repository(repository(fake)).manifest("1")
        assert caught.value.code == "tls-failed"
        assert fake.log.requests == []


@needs_openssl
def test_a_certificate_of_another_host_is_not_trusted(tmp_path: Path) -> None:
    others = make_certificates(tmp_path, "DNS:registry.example")
    with secure(others) as fake, client(ca_file=others.authority) as registry:
        with pytest.raises(StoreError, match="is not trusted") as caught:
            registry.repository(repository(fake)).manifest("1")
        assert caught.value.code == "tls-failed"


@needs_openssl
def test_who_wants_no_checks_gets_none_for_that_host_only(certificates: Certificates) -> None:
    with secure(certificates) as one, secure(certificates) as other, warnings.catch_warnings():
        warnings.simplefilter("error")  # urllib3 says nothing, since we do
        with client(insecure=frozenset({one.host})) as registry:
            assert registry.repository(repository(one)).manifest("1").digest == ONE.digest
            with pytest.raises(StoreError, match="is not trusted"):
                registry.repository(repository(other)).manifest("1")


@needs_openssl
def test_certificates_are_found_where_docker_has_them(
    certificates: Certificates, tmp_path: Path
) -> None:
    with secure(certificates, wants_client=True) as fake:
        folder = tmp_path / "certs.d" / fake.host
        folder.mkdir(parents=True)
        shutil.copy(certificates.authority, folder / "ca.crt")
        places = (tmp_path / "none", tmp_path / "certs.d")
        with client(certs_folders=places) as registry, pytest.raises(StoreError) as caught:
            registry.repository(repository(fake)).manifest("1")
        assert caught.value.code in {"tls-failed", "connection-broken"}
        shutil.copy(certificates.client, folder / "client.cert")
        shutil.copy(certificates.client_key, folder / "client.key")
        with client(certs_folders=places) as registry:
            assert registry.repository(repository(fake)).manifest("1").digest == ONE.digest


@needs_openssl
def test_our_own_certificate_is_shown_to_registries(certificates: Certificates) -> None:
    with (
        secure(certificates, wants_client=True) as fake,
        client(
            ca_file=certificates.authority,
            certificate=certificates.client,
            key=certificates.client_key,
        ) as registry,
    ):
        assert registry.repository(repository(fake)).manifest("1").digest == ONE.digest


@needs_openssl
def test_our_own_certificate_is_not_shown_where_a_redirect_leads(
    certificates: Certificates,
) -> None:
    with secure(certificates, wants_client=True) as storage:
        with (
            FakeRegistry(
                tls=certificates.context(), content=storage.content, blobs_at=storage.origin
            ) as front,
            client(
                retries=0,
                ca_file=certificates.authority,
                certificate=certificates.client,
                key=certificates.client_key,
            ) as registry,
        ):
            remote = registry.repository(repository(front))
            with pytest.raises(StoreError):
                list(remote.blob(DIGEST, len(LAYER.data)))
        assert storage.log.requests == []


@needs_openssl
def test_a_secure_registry_sends_nobody_to_plain_http(
    certificates: Certificates, fake: FakeRegistry
) -> None:
    with FakeRegistry(
        tls=certificates.context(), content=fake.content, blobs_at=fake.origin
    ) as front:
        with client(ca_file=certificates.authority) as registry:
            remote = registry.repository(repository(front))
            with pytest.raises(StoreError) as caught:
                list(remote.blob(DIGEST, len(LAYER.data)))
        assert caught.value.code == "redirect-refused"
        assert fake.log.requests == []


@needs_openssl
def test_a_plain_registry_may_send_us_to_a_secure_one(
    certificates: Certificates, fake: FakeRegistry
) -> None:
    with (
        secure(certificates) as storage,
        FakeRegistry(content=fake.content, blobs_at=storage.origin) as front,
        client(ca_file=certificates.authority) as registry,
    ):
        remote = registry.repository(repository(front))
        assert b"".join(remote.blob(DIGEST, len(LAYER.data))) == LAYER.data


@needs_openssl
def test_a_registry_behind_a_proxy_may_take_itself_for_one_of_plain_http(
    certificates: Certificates,
) -> None:
    with secure(certificates) as fake, client(ca_file=certificates.authority) as registry:
        usual = fake.protocol.answer

        def believes(request: Request) -> Reply:
            reply = usual(request)
            location = reply.headers.get("Location", "").replace("https://", "http://")
            return reply.with_headers({"Location": location or None})

        answering(fake, believes)
        remote = registry.repository(repository(fake), push=True)
        remote.put_blob(Digest.of(b"x"), 1, chunks_of(b"x"))
        assert fake.content.data[Digest.of(b"x")] == b"x"


@needs_openssl
def test_a_token_server_on_plain_http_gets_no_password_of_a_secure_registry(
    certificates: Certificates, fake: FakeRegistry
) -> None:
    challenge = f'Bearer realm="{fake.origin}/token"'
    with secure(certificates) as front, client(ME, ca_file=certificates.authority) as registry:
        answering(front, lambda _: Reply(401, {"WWW-Authenticate": challenge}))
        with pytest.raises(StoreError) as caught:
            registry.repository(repository(front)).manifest("1")
        assert caught.value.code == "realm-refused"
        assert fake.log.requests == []


@needs_openssl
def test_a_folder_of_certificates_may_hold_anything_else(
    certificates: Certificates, tmp_path: Path
) -> None:
    with secure(certificates) as fake:
        places = [tmp_path / "first", tmp_path / "second", tmp_path / "third"]
        for place in places:
            place.mkdir()
        (places[0] / fake.host).write_text("a file", encoding="utf-8")
        folder = places[1] / fake.host
        folder.mkdir()
        shutil.copy(certificates.authority, folder / "ca.crt")
        (folder / "README").write_text("mine", encoding="utf-8")
        with client(certs_folders=tuple(places)) as registry:
            assert registry.repository(repository(fake)).manifest("1").digest == ONE.digest
        (folder / "old.cert").write_text("no PEM", encoding="utf-8")
        with client(certs_folders=tuple(places)) as registry, pytest.raises(StoreError) as caught:
            registry.repository(repository(fake))
        assert caught.value.where == str(folder / "old.cert")


def encrypt_key(key: Path, to: Path) -> None:
    command = [OPENSSL or "", "pkcs8", "-topk8", "-passout", "pass:x"]
    subprocess.run([*command, "-in", str(key), "-out", str(to)], check=True)


@needs_openssl
@pytest.mark.parametrize("what", ["no file", "no PEM", "a folder", "another key", "a passphrase"])
def test_files_that_are_no_certificates_are_said_to_be_none(
    what: str, certificates: Certificates, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.pem"
    options: dict[str, Any] = {"ca_file": wrong}
    if what == "no PEM":
        wrong.write_text("-----BEGIN CERTIFICATE-----\nnone\n", encoding="utf-8")
    elif what == "a folder":
        wrong.mkdir()
    elif what == "another key":
        options = {"certificate": certificates.client, "key": certificates.server_key}
    elif what == "a passphrase":
        encrypt_key(certificates.client_key, wrong)
        options = {"certificate": certificates.client, "key": wrong}
    with client(**options) as registry, pytest.raises(StoreError) as caught:
        registry.repository(Repository("registry.invalid", "team/app"))
    assert caught.value.code == "invalid-certificate"


def test_plain_http_needs_this_machine_or_somebody_who_wants_it(fake: FakeRegistry) -> None:
    """Another name of the same address stands for another machine."""
    port = fake.host.partition(":")[2]
    other = f"registry.example:{port}"
    usual = socket.getaddrinfo
    there = mock.patch(
        "socket.getaddrinfo", lambda _, *more, **named: usual("127.0.0.1", *more, **named)
    )
    with there, client(retries=0) as registry, pytest.raises(StoreError) as caught:
        registry.repository(Repository(other, "team/app")).manifest("1")
    assert caught.value.code == "tls-failed"
    assert "plain_http=" in caught.value.remedy
    assert fake.log.requests == []
    with there, client(plain_http=frozenset({other})) as registry:
        remote = registry.repository(Repository(other, "team/app"))
        assert remote.manifest("1").digest == ONE.digest


# -- proxies ------------------------------------------------------------------------------------

ENVIRONMENT = {
    "HTTP_PROXY": "proxy.example:3128",
    "HTTPS_PROXY": "http://me:s%40cret@proxy.example:3129/",
    "NO_PROXY": "internal.example, .corp.example,10.0.0.0/8,[fd00::1],direct.example:5000",
}
PROXIED = {
    ("https", "quay.io", 443): "http://proxy.example:3129",
    ("http", "quay.io", 80): "http://proxy.example:3128",
    ("https", "internal.example", 443): None,
    ("https", "registry.internal.example", 443): None,
    ("https", "notinternal.example", 443): "http://proxy.example:3129",
    ("https", "a.corp.example", 443): None,
    ("https", "corp.example", 443): None,
    ("https", "10.1.2.3", 443): None,
    ("https", "11.1.2.3", 443): "http://proxy.example:3129",
    ("https", "fd00::1", 443): None,
    ("https", "fd00::2", 443): "http://proxy.example:3129",
    ("https", "direct.example", 5000): None,
    ("https", "direct.example", 443): "http://proxy.example:3129",
    ("https", "127.0.0.1", 443): None,
    ("https", "localhost", 5000): None,
    ("https", "::1", 5000): None,
}


@pytest.mark.parametrize("host", PROXIED, ids=lambda host: host[1])
@pytest.mark.parametrize("lower", [False, True])
def test_who_is_asked_through_a_proxy(host: tuple[str, str, int], lower: bool) -> None:
    names = {name.lower() if lower else name: value for name, value in ENVIRONMENT.items()}
    proxy = Proxies.from_environment(names).find(*host)
    assert (proxy.url if proxy else None) == PROXIED[host]


def test_the_credentials_of_a_proxy_are_secret() -> None:
    proxies = Proxies.from_environment(ENVIRONMENT)
    assert proxies.https is not None
    assert proxies.https.credentials == UserPassword("me", Secret("s@cret"))
    assert "s@cret" not in repr(proxies)
    assert "s%40cret" not in repr(proxies)
    with pytest.raises(TypeError):
        pickle.dumps(proxies)
    assert pickle.loads(pickle.dumps(Proxies(http=Proxy("http://p:1")))).http is not None


def test_everything_may_be_asked_directly() -> None:
    everything = {**ENVIRONMENT, "NO_PROXY": "*"}
    assert Proxies.from_environment(everything).find("https", "quay.io", 443) is None
    assert Proxies.from_environment({"HTTPS_PROXY": " "}) == Proxies()


@pytest.mark.parametrize(
    "url", ["socks5://me:s3cr3t@p:1", "http://", "http://p:x", "http://me:s3cr3t@:1", "ftp://p:1"]
)
def test_a_proxy_of_another_kind_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Proxies.from_environment({"HTTPS_PROXY": url})
    assert caught.value.code == "invalid-proxy"
    assert "s3cr3t" not in str(caught.value)


class ForwardingProxy:
    """A proxy that leads everything to one address, and remembers what it was asked."""

    def __init__(self, target: str) -> None:
        host, _, port = target.partition(":")
        self.target = (host, int(port))
        self.heads: list[bytes] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"127.0.0.1:{self.server.getsockname()[1]}"
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                incoming, _ = self.server.accept()
            except OSError:
                return
            Thread(target=self._serve, args=(incoming,), daemon=True).start()

    def _serve(self, incoming: socket.socket) -> None:
        with incoming, socket.create_connection(self.target) as outgoing:
            head = b""
            while b"\r\n\r\n" not in head:
                head += incoming.recv(4096)
            self.heads.append(head)
            if head.startswith(b"CONNECT"):
                incoming.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                first, _, rest = head.partition(b"\r\n")
                method, url, version = first.split()
                path = b"/" + url.split(b"/", 3)[3]
                outgoing.sendall(b" ".join((method, path, version)) + b"\r\n" + rest)
            back = Thread(target=self._copy, args=(outgoing, incoming), daemon=True)
            back.start()
            self._copy(incoming, outgoing)
            back.join()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def __enter__(self) -> ForwardingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()


@needs_openssl
def test_a_secure_registry_is_asked_through_a_tunnel(tmp_path: Path) -> None:
    others = make_certificates(tmp_path, "DNS:registry.example")
    with secure(others) as fake, ForwardingProxy(fake.host) as proxy:
        proxies = Proxies.from_environment({"HTTPS_PROXY": f"http://me:s3cr3t@{proxy.url}"})
        with client(ME, proxies, ca_file=others.authority) as registry:
            remote = registry.repository(Repository("registry.example", "team/app"))
            assert remote.manifest("1").digest == ONE.digest
        (head,) = proxy.heads
        assert head.startswith(b"CONNECT registry.example:443 HTTP/1.")
        encoded = base64.b64encode(b"me:s3cr3t")
        assert b"Proxy-Authorization: Basic " + encoded in head
        assert all("Proxy-Authorization" not in it.headers for it in fake.log.requests)


def test_a_plain_registry_is_asked_through_a_proxy_that_forwards(fake: FakeRegistry) -> None:
    with ForwardingProxy(fake.host) as proxy:
        proxies = Proxies.from_environment({"HTTP_PROXY": proxy.url})
        with client(None, proxies, plain_http=frozenset({"registry.example:5000"})) as registry:
            remote = registry.repository(Repository("registry.example:5000", "team/app"))
            assert remote.manifest("1").digest == ONE.digest
        assert proxy.heads[0].startswith(
            b"GET http://registry.example:5000/v2/team/app/manifests/1 HTTP/1.1\r\n"
        )


# -- rates and pauses ---------------------------------------------------------------------------


class Time:
    """The time by hand: whoever sleeps moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False

    def pace(self, rate: float | None) -> Pace:
        stopped: Any = self
        return Pace("registry.example", rate, stopped, self)


def sent(pace: Pace, time: Time, number: int) -> float:
    """How long so many requests take."""
    began = time.now
    for _ in range(number):
        pace.turn()
    return time.now - began


@pytest.mark.parametrize("rate", [0.5, 5, 100, 1000])
def test_no_more_requests_are_sent_than_the_rate(rate: float) -> None:
    time = Time()
    pace = time.pace(rate)
    number = int(rate * 10) + 1
    assert sent(pace, time, number) == pytest.approx((number - 1) / rate, abs=0.11)


def test_what_was_not_sent_is_not_made_up_for() -> None:
    time = Time()
    pace = time.pace(10)
    pace.turn()
    time.now += 100
    assert sent(pace, time, 11) == pytest.approx(1.0, abs=0.11)


def test_without_a_rate_nobody_waits() -> None:
    time = Time()
    assert sent(time.pace(None), time, 10_000) == 0


def test_a_complaint_halves_the_rate_for_a_minute() -> None:
    time = Time()
    pace = time.pace(100)
    pace.slow_down(time.now)
    assert sent(pace, time, 101) == pytest.approx(2, abs=0.1)
    pace.slow_down(time.now)
    assert sent(pace, time, 101) == pytest.approx(4, abs=0.2)
    time.now += 60
    assert sent(pace, time, 101) == pytest.approx(1, abs=0.1)


def test_what_was_under_way_at_the_complaint_complains_in_vain() -> None:
    time = Time()
    pace = time.pace(100)
    began = pace.turn()
    time.now += 1
    for _ in range(10):
        pace.slow_down(began)
    assert sent(pace, time, 101) == pytest.approx(2, abs=0.1)


def test_without_a_rate_a_complaint_halves_what_was_sent() -> None:
    time = Time()
    pace = time.pace(None)
    for _ in range(400):
        pace.turn()
        time.now += 0.01
    pace.slow_down(time.now)
    assert sent(pace, time, 101) == pytest.approx(2, abs=0.1)
    time.now += 60
    assert sent(pace, time, 1000) == 0


def test_a_pause_holds_for_everybody() -> None:
    time = Time()
    pace = time.pace(None)
    pace.hold(7)
    pace.hold(3)
    assert pace.turn() == 107


def test_a_host_that_complains_is_asked_again_when_it_says(fake: FakeRegistry) -> None:
    fake.faults.at(0, Fault.TOO_MANY_REQUESTS)
    with client(backoff=100) as registry:  # Retry-After wins
        assert registry.repository(repository(fake)).manifest("1").digest == ONE.digest


def test_nobody_waits_for_hours(fake: FakeRegistry) -> None:
    answering(fake, lambda _: Reply(429, {"Retry-After": "7200"}))
    with client(longest_wait=60) as registry, pytest.raises(StoreError, match="in 7200 s"):
        registry.repository(repository(fake)).manifest("1")
    assert len(fake.log.requests) == 1


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_tries_are_counted(fake: FakeRegistry, retries: int) -> None:
    fake.faults.when(lambda _: True, Fault.BAD_GATEWAY, times=99)
    with client(retries=retries) as registry, pytest.raises(StoreError, match="502 Bad Gateway"):
        registry.repository(repository(fake)).manifest("1")
    assert len(fake.log.requests) == retries + 1


def test_a_host_that_nobody_has_heard_of_is_not_tried_again() -> None:
    with client(retries=9, backoff=100) as registry, pytest.raises(StoreError) as caught:
        registry.repository(Repository("registry.invalid", "a")).manifest("1")
    assert "no address is known" in caught.value.message
    assert caught.value.code == "registry-unreachable"


def test_a_host_that_has_answered_is_tried_again() -> None:
    with FakeRegistry() as fake, client(retries=2) as registry:
        load(fake, "team/app", "1", ONE)
        remote = registry.repository(repository(fake))
        remote.manifest("1")
        fake.stop()
        asked = remote.access.traffic.requests
        with pytest.raises(StoreError) as caught:
            remote.manifest("1")
        assert caught.value.code == "registry-unreachable"
        assert remote.access.traffic.requests == asked + 3


# -- the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.STALLED])
def test_who_waits_for_an_answer_is_woken_at_the_end(fake: FakeRegistry, fault: Fault) -> None:
    fake.faults.when(lambda _: True, fault, times=99)
    registry = client(read_timeout=60, retries=9)
    remote = registry.repository(repository(fake))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: b"".join(remote.blob(DIGEST, len(LAYER.data))))
        deadline = time.monotonic() + 20
        while not fake.log.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        began = time.monotonic()
        registry.close()
        with pytest.raises(OciConvertError):
            waiting.result()
        assert time.monotonic() - began < 10


def test_who_waits_for_another_try_is_woken_at_the_end(fake: FakeRegistry) -> None:
    fake.faults.when(lambda _: True, Fault.ERROR, times=99)
    registry = client(backoff=100)
    remote = registry.repository(repository(fake))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(remote.manifest, "1")
        deadline = time.monotonic() + 20
        while not fake.log.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        registry.close()
        with pytest.raises(StoreError) as caught:
            waiting.result(timeout=20)
        assert caught.value.code == "registry-closed"


def test_after_the_end_nothing_is_asked(fake: FakeRegistry) -> None:
    with client() as registry:
        remote = registry.repository(repository(fake))
    with pytest.raises(StoreError) as caught:
        remote.manifest("1")
    assert caught.value.code == "registry-closed"
    registry.close()  # closing twice is harmless
    assert fake.log.requests == []


def test_connections_are_kept(fake: FakeRegistry) -> None:
    with client() as registry, ThreadPoolExecutor(4) as pool:
        remote = registry.repository(repository(fake), push=True)
        assert fake.connections == 1  # whether it speaks TLS
        list(pool.map(lambda _: remote.manifest("1"), range(100)))
        assert fake.connections <= 5


# -- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1},
        {"backoff": -0.1},
        {"connect_timeout": 0},
        {"read_timeout": -1},
        {"rates": {"quay.io": 0}},
        {"connections": 0},
        {"chunk": 0},
        {"key": Path("key.pem")},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        RegistryOptions(**options)
    assert caught.value.code == "invalid-option"


def test_options_can_be_sent_to_others() -> None:
    options = RegistryOptions(
        rates={"quay.io": 5.0}, ca_file=Path("ca.pem"), plain_http=frozenset({"a:1"})
    )
    assert pickle.loads(pickle.dumps(options)) == options


def test_rates_are_read_as_people_write_them() -> None:
    texts = ["quay.io=300/s", "docker.io=120/m", "Localhost:5000=7200/h", "a=0.5/s"]
    assert parse_rates(texts) == {
        "quay.io": 300.0,
        "docker.io": 2.0,
        "localhost:5000": 2.0,
        "a": 0.5,
    }
    for wrong in ("quay.io", "quay.io=5", "quay.io=0/s", "=5/s", "quay.io=-5/s", "quay.io=5/d"):
        with pytest.raises(UsageError, match="is not a rate"):
            parse_rates([wrong])


# -- what is known ------------------------------------------------------------------------------


def test_what_is_known_is_bounded() -> None:
    known = Known(most=10)
    for number in range(100):
        known.add(number)
    assert [number for number in range(100) if number in known] == list(range(90, 100))
    known.discard(95)
    known.discard(5)
    assert 95 not in known


def test_one_at_a_time_works_on_one_thing() -> None:
    known = Known()
    inside: list[str] = []
    began = Event()

    def work(key: str) -> None:
        with known.alone(key):
            began.set()
            assert key not in inside
            inside.append(key)
            time.sleep(0.001)
            inside.remove(key)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, ["a", "b"] * 20))
    assert known._working == {}
    assert began.is_set()


def test_who_fails_lets_the_next_one_in() -> None:
    known = Known()
    with pytest.raises(ZeroDivisionError), known.alone("a"):
        raise ZeroDivisionError
    with known.alone("a"):
        assert known._working
    assert not known._working


class Recorder:
    """A socket that keeps what is sent through it, call by call."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.sent.append(bytes(data))

    def settimeout(self, _: object) -> None:
        """Nothing is waited for."""


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(
    ("body", "calls"),
    [([], 1), ([b"{}"], 1), ([b"a" * 70_000], 2), ([b"a", b"b"], 3)],
    ids=["none", "a manifest", "a large one", "chunks"],
)
def test_a_small_body_goes_with_its_headers(secure: bool, body: list[bytes], calls: int) -> None:
    connection = _connections(_Open(), verified=True)[secure]("example.com", 443)
    connection.sock = recorder = Recorder()
    connection.request("PUT", "/v2/", body[0] if len(body) == 1 else body or None, {})
    assert len(recorder.sent) == calls + (body == [b"a", b"b"])  # and the end of the chunks
    sent = b"".join(recorder.sent)
    assert sent.startswith(b"PUT /v2/ HTTP/1.1\r\n")
    assert len(body) > 1 or sent.endswith(b"\r\n\r\n" + b"".join(body))


def test_of_a_request_that_cannot_be_sent_nothing_is() -> None:
    connection = _connections(_Open(), verified=True)[0]("example.com", 80)
    connection.sock = recorder = Recorder()
    with pytest.raises(ValueError, match="header"):
        connection.request("PUT", "/v2/", b"{}", {"Odd": "a\nb"})
    assert recorder.sent == []
