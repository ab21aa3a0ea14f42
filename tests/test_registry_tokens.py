"""How we show who we are: what is asked of which token server, how often, and when anew."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from oci_convert.errors import StoreError
from oci_convert.spec.digest import Digest
from oci_convert.stores.registry.auth import Auth, Found
from oci_convert.stores.registry.calls import scope
from oci_convert.stores.registry.mask import Mask
from oci_convert.stores.registry.reference import Repository
from oci_convert.stores.registry.secret import Secret, UserPassword
from oci_convert.stores.registry.tokens import Authorizer
from oci_convert.stores.registry.transport import Answer
from oci_convert.stores.traffic import Traffic
from registry import FakeRegistry, Fault, Htpasswd, TokenServer
from registry.gate import Gate
from registry.messages import Request
from support.images import DOCKER_MANIFEST, docker_image
from support.registries import chunks_of, client, load, repository

ONE = docker_image()
HUGE = {"expires_in": 10**400}
USERS = {"me": "s3cr3t"}
ME = Auth.basic("me", "s3cr3t")
BASIC = f"Basic {base64.b64encode(b'me:s3cr3t').decode()}"


@contextmanager
def behind(gate: Gate) -> Iterator[FakeRegistry]:
    with FakeRegistry(gate=gate) as fake:
        load(fake, "team/app", "1", ONE)
        yield fake


def identity(token: str, folder: Path, host: str, user: str = "") -> Auth:
    """An auth file with an identity token."""
    entry = {"auth": base64.b64encode(f"{user}:".encode()).decode(), "identitytoken": token}
    file = folder / "auth.json"
    file.write_text(json.dumps({"auths": {host: entry}}), encoding="utf-8")
    return Auth.from_file(file)


def paths(fake: FakeRegistry) -> list[str]:
    return [f"{it.request.method} {it.request.path} {it.status}" for it in fake.log.exchanges]


def asked(fake: FakeRegistry) -> list[dict[str, list[str]]]:
    """The queries of all requests for a token."""
    return [
        parse_qs(urlsplit(request.target).query)
        for request in fake.log.requests
        if request.path == "/token"
    ]


# -- passwords ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Basic", "BASIC", "basic"])
def test_a_password_goes_with_every_request_once_it_is_asked_for(scheme: str) -> None:
    with behind(Htpasswd(USERS, scheme)) as fake, client(ME) as registry:
        remote = registry.repository(repository(fake), push=True)
        remote.manifest("1")
        remote.put_blob(Digest.of(b"x"), 1, chunks_of(b"x"))
        assert [it.status for it in fake.log.exchanges] == [401, 200, 202, 201]
        sent = [request.headers.get("Authorization") for request in fake.log.requests]
        assert sent == [None, BASIC, BASIC, BASIC]


def test_a_wrong_password_is_sent_once() -> None:
    with behind(Htpasswd(USERS)) as fake, client(Auth.basic("me", "wrong")) as registry:
        with pytest.raises(StoreError, match="does not accept the credentials of this run"):
            registry.repository(repository(fake)).manifest("1")
        assert [it.status for it in fake.log.exchanges] == [401, 401]


def test_who_has_no_password_is_told_what_was_looked_at(tmp_path: Path) -> None:
    docker = tmp_path / ".docker" / "config.json"
    docker.parent.mkdir()
    docker.write_text('{"credsStore": "desktop"}', encoding="utf-8")
    places = Auth.from_environment({"HOME": str(tmp_path), "PATH": str(tmp_path)})
    with behind(Htpasswd(USERS)) as fake, client(places) as registry:
        with pytest.raises(StoreError) as caught:
            registry.repository(repository(fake)).manifest("1")
        assert "docker-credential-desktop is not installed" in str(caught.value)
        assert caught.value.code == "registry-unauthorized"


def test_each_repository_has_its_own_credentials(tmp_path: Path) -> None:
    with behind(Htpasswd({"one": "a", "two": "b"})) as fake:
        load(fake, "team/other", "1", ONE)
        entries = {
            f"{fake.host}/team/app": {"auth": base64.b64encode(b"one:a").decode()},
            fake.host: {"auth": base64.b64encode(b"two:b").decode()},
        }
        file = tmp_path / "auth.json"
        file.write_text(json.dumps({"auths": entries}), encoding="utf-8")
        with client(Auth.from_file(file)) as registry:
            for name in ("team/app", "team/other"):
                registry.repository(repository(fake, name)).manifest("1")
        users = {
            base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")[0]: it.path
            for it in fake.log.requests
            if (header := it.headers.get("Authorization"))
        }
        assert users == {
            "one": "/v2/team/app/manifests/1",
            "two": "/v2/team/other/manifests/1",
        }


# -- tokens -------------------------------------------------------------------------------------


def test_a_run_asks_for_one_token_with_everything_it_needs() -> None:
    with behind(TokenServer(USERS)) as fake, client(ME) as registry:
        app, new = repository(fake), repository(fake, "team/new")
        scopes = frozenset({scope(app), scope(new, push=True)})
        source = registry.repository(app, scopes=scopes)
        sink = registry.repository(new, push=True, scopes=scopes)
        raw = source.manifest("1").raw
        for digest, data in ONE.blobs.items():
            if digest not in ONE.documents:
                sink.put_blob(Digest(digest), len(data), chunks_of(data), mount_from=app)
        sink.put_manifest(raw, DOCKER_MANIFEST, tag="1")
        (query,) = asked(fake)
        assert query["scope"] == ["repository:team/app:pull", "repository:team/new:pull,push"]
        assert query["service"] == ["fake, really"]
        assert paths(fake)[:3] == [
            "GET /v2/team/app/manifests/1 401",
            "GET /token 200",
            "GET /v2/team/app/manifests/1 200",
        ]
        assert [it.status for it in fake.log.exchanges].count(401) == 1
        assert fake.log.requests[1].headers["Authorization"] == BASIC
        assert fake.log.requests[2].headers["Authorization"].startswith("Bearer tok-")


def test_what_everybody_may_read_needs_a_token_and_no_password() -> None:
    with behind(TokenServer(readers=["*"])) as fake, client() as registry:
        remote = registry.repository(repository(fake), push=True)
        assert remote.manifest("1").digest == ONE.digest
        assert all("me" not in str(it.headers) for it in fake.log.requests)
        with pytest.raises(StoreError, match="there are none for it"):
            remote.put_manifest(ONE.manifest, DOCKER_MANIFEST, tag="2")


def test_many_threads_ask_for_one_token() -> None:
    with (
        behind(TokenServer(USERS)) as fake,
        client(ME) as registry,
        ThreadPoolExecutor(16) as pool,
    ):
        remote = registry.repository(repository(fake))
        found = pool.map(lambda _: remote.manifest("1").digest, range(64))
        assert set(found) == {ONE.digest}
        assert len(asked(fake)) == 1


def test_a_token_that_the_registry_refuses_is_renewed_once() -> None:
    gate = TokenServer(USERS)
    with behind(gate) as fake, client(ME) as registry:
        remote = registry.repository(repository(fake))
        remote.manifest("1")
        gate.expire()
        fake.log.clear()
        remote.manifest("1")
        assert paths(fake) == [
            "GET /v2/team/app/manifests/1 401",
            "GET /token 200",
            "GET /v2/team/app/manifests/1 200",
        ]


def test_a_token_that_never_helps_is_an_error() -> None:
    gate = TokenServer(USERS, denied=["repository:team/app:push"])
    with behind(gate) as fake, client(ME) as registry:
        remote = registry.repository(repository(fake), push=True)
        with pytest.raises(StoreError) as caught:
            remote.put_manifest(ONE.manifest, DOCKER_MANIFEST, tag="2")
        assert caught.value.code == "registry-unauthorized"
        assert len(fake.log.requests) <= 6


def test_a_scope_that_was_not_asked_for_is_asked_for_when_it_is_needed() -> None:
    """The registry knows better than we what a request needs."""
    with behind(TokenServer(USERS)) as fake, client(ME) as registry:
        remote = registry.repository(repository(fake))  # to read only
        remote.manifest("1")
        remote.put_manifest(ONE.manifest, DOCKER_MANIFEST, tag="2")
        assert asked(fake)[-1]["scope"] == [
            "repository:team/app:pull",
            "repository:team/app:pull,push",
        ]


def test_an_upload_that_is_refused_in_its_middle_begins_anew() -> None:
    gate = TokenServer(USERS)
    data = b"x" * 3_000_000
    with behind(gate) as fake, client(ME) as registry:
        remote = registry.repository(repository(fake), push=True)
        remote.manifest("1")
        fake.faults.when(lambda request: request.method == "PUT", Fault.UNAUTHORIZED)
        usual = fake.protocol.answer

        def expiring(request: Request) -> Any:
            reply = usual(request)
            if request.method == "POST":
                gate.expire()
            return reply

        fake.protocol.answer = expiring  # type: ignore[method-assign]
        fake.faults.clear()
        with pytest.raises(StoreError):  # it expires again and again, and that ends
            remote.put_blob(Digest.of(data), len(data), chunks_of(data, 1_000_000))
        fake.protocol.answer = usual  # type: ignore[method-assign]
        remote.put_blob(Digest.of(data), len(data), chunks_of(data, 1_000_000))
        assert fake.content.data[Digest.of(data)] == data


@pytest.mark.parametrize("name", ["token", "access_token"])
@pytest.mark.parametrize("lifetime", [300, None])
def test_a_token_may_go_by_two_names_and_say_nothing_of_its_life(
    name: str, lifetime: float | None
) -> None:
    with behind(TokenServer(USERS, name=name, lifetime=lifetime)) as fake, client(ME) as registry:
        assert registry.repository(repository(fake)).manifest("1").digest == ONE.digest


@pytest.mark.parametrize("oauth", [True, False])
def test_an_identity_token_is_traded_by_post_or_else_by_get(oauth: bool, tmp_path: Path) -> None:
    gate = TokenServer({"me": "identity"}, identities=["identity"], oauth=oauth)
    with behind(gate) as fake:
        auth = identity("identity", tmp_path, fake.host, "me")
        with client(auth) as registry:
            assert registry.repository(repository(fake)).manifest("1").digest == ONE.digest
        methods = [it.method for it in fake.log.requests if it.path == "/token"]
        assert methods == (["POST"] if oauth else ["POST", "GET"])
        form = parse_qs(fake.log.requests[1].body.decode())
        assert form == {
            "grant_type": ["refresh_token"],
            "refresh_token": ["identity"],
            "client_id": ["oci-convert"],
            "scope": ["repository:team/app:pull"],
            "service": ["fake, really"],
        }
        assert "identity" not in fake.log.requests[1].target


def test_an_identity_token_that_has_ended_is_an_error(tmp_path: Path) -> None:
    with behind(TokenServer(identities=["new"])) as fake:
        with (
            client(identity("old", tmp_path, fake.host)) as registry,
            pytest.raises(StoreError) as caught,
        ):
            registry.repository(repository(fake)).manifest("1")
        assert caught.value.code == "registry-unauthorized"
        assert "auth.json" in caught.value.message


def test_a_registry_token_is_sent_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    with behind(Htpasswd({})) as fake:
        entry = {"registrytoken": "ready-made"}
        file.write_text(json.dumps({"auths": {fake.host: entry}}), encoding="utf-8")
        with (
            client(Auth.from_file(file)) as registry,
            pytest.raises(StoreError, match="does not accept"),
        ):
            registry.repository(repository(fake)).manifest("1")
        assert [it.headers["Authorization"] for it in fake.log.requests] == ["Bearer ready-made"]


def test_a_token_server_is_asked_again_when_it_fails_for_a_moment() -> None:
    with behind(TokenServer(USERS)) as fake, client(ME) as registry:
        fake.faults.at(1, Fault.UNAVAILABLE)
        fake.faults.at(2, Fault.RESET)
        fake.faults.at(3, Fault.TOO_MANY_REQUESTS)
        assert registry.repository(repository(fake)).manifest("1").digest == ONE.digest
        assert len(asked(fake)) == 4


NO_TOKENS: dict[str, Callable[[FakeRegistry], None]] = {
    "a page": lambda fake: fake.faults.at(1, Fault.PAGE),
    "not found": lambda fake: fake.faults.at(1, Fault.NOT_FOUND),
}


@pytest.mark.parametrize("how", NO_TOKENS)
def test_a_token_server_that_gives_none_is_an_error(how: str) -> None:
    with behind(TokenServer(USERS)) as fake, client(ME) as registry:
        NO_TOKENS[how](fake)
        with pytest.raises(StoreError, match="gives no token"):
            registry.repository(repository(fake)).manifest("1")


@pytest.mark.parametrize(
    "realm",
    [
        "http://192.0.2.1/token",
        "ftp://192.0.2.1/token",
        "file:///etc/passwd",
        "//192.0.2.1/token",
        "token",
        "https://me:pass@192.0.2.1/token",
        "https://192.0.2.1:99999/token",
        "https://[::1/token",
    ],
)
def test_a_password_never_goes_where_it_has_no_business(realm: str) -> None:
    with behind(TokenServer(USERS, realm=realm)) as fake, client(ME) as registry:
        with pytest.raises(StoreError) as caught:
            registry.repository(repository(fake)).manifest("1")
        assert caught.value.code == "realm-refused"
        assert len(fake.log.requests) == 1


def test_a_token_server_of_its_own_gets_the_password_and_the_registry_does_not() -> None:
    with FakeRegistry(gate=TokenServer(USERS)) as tokens:
        gate = tokens.protocol.gate
        assert isinstance(gate, TokenServer)
        gate.realm = f"{tokens.origin}/token?client=x"
        with behind(gate) as fake, client(ME) as registry:
            registry.repository(repository(fake)).manifest("1")
            assert BASIC not in str([dict(it.headers) for it in fake.log.requests])
        assert [it.target.partition("&")[0] for it in tokens.log.requests] == ["/token?client=x"]
        assert tokens.log.requests[0].headers["Authorization"] == BASIC


def test_a_helper_is_asked_again_when_what_it_gave_has_ended(tmp_path: Path) -> None:
    if not hasattr(Path, "chmod"):
        pytest.skip("helpers are shell scripts")
    program = tmp_path / "docker-credential-x"
    program.write_text(
        f'#!/bin/sh\necho \'{{"Username": "me", "Secret": "\'$(cat {tmp_path}/now)\'"}}\'\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    (tmp_path / "now").write_text("old", encoding="utf-8")
    gate = Htpasswd({"me": "old"})
    with behind(gate) as fake:
        file = tmp_path / "config.json"
        file.write_text(json.dumps({"credsStore": "x"}), encoding="utf-8")
        environment = {"PATH": f"{tmp_path}:/bin:/usr/bin"}
        with client(Auth.from_file(file, environment=environment)) as registry:
            remote = registry.repository(repository(fake))
            remote.manifest("1")
            fake.protocol.gate = Htpasswd({"me": "new"})
            (tmp_path / "now").write_text("new", encoding="utf-8")
            remote.manifest("1")
        assert [it.status for it in fake.log.exchanges] == [401, 200, 401, 200]


# -- time ---------------------------------------------------------------------------------------

APP = Repository("registry.example", "team/app")
CHALLENGE = 'Bearer realm="https://token.example/",service="s"'


class Wish:
    repository = APP
    scopes = frozenset({"repository:team/app:pull"})
    traffic = Traffic()


class Clock:
    """A token server and the time, by hand."""

    def __init__(self, **answer: Any) -> None:
        self.now = 1000.0
        self.asked = 0
        self.answer = answer
        self.status = 200
        found = Found(UserPassword("me", Secret("s3cr3t")), "this run")
        self.authorizer = Authorizer(
            "registry.example", found, lambda: found, self.trade, Mask(), lambda: self.now
        )

    def trade(self, *_: Any, **__: Any) -> Answer:
        self.asked += 1
        body = {"token": f"t{self.asked}", **self.answer}
        return Answer(self.status, {}, Mask(), json.dumps(body).encode())

    def header(self, *, fresh: bool = False) -> str | None:
        return self.authorizer.header(Wish(), fresh=fresh)


@pytest.mark.parametrize(
    ("answer", "life"),
    [
        ({"expires_in": 300}, 300),
        ({}, 60),
        ({"expires_in": "x"}, 60),
        (HUGE, 31_536_000),
        ({"expires_in": 0}, 60),
    ],
)
def test_a_token_is_renewed_after_four_fifths_of_its_life(
    answer: dict[str, Any], life: int
) -> None:
    clock = Clock(**answer)
    assert clock.header() is None
    assert clock.authorizer.challenged(CHALLENGE, Wish(), None) == "Bearer t1"
    clock.now += life * 0.79
    assert clock.header() == "Bearer t1"
    clock.now += life * 0.02
    assert clock.header() == "Bearer t2"
    assert clock.header() == "Bearer t2"


def test_what_takes_long_begins_with_a_token_in_the_first_half_of_its_life() -> None:
    clock = Clock(expires_in=300)
    clock.authorizer.challenged(CHALLENGE, Wish(), None)
    clock.now += 149
    assert clock.header(fresh=True) == "Bearer t1"
    clock.now += 2
    assert clock.header() == "Bearer t1"
    assert clock.header(fresh=True) == "Bearer t2"


def test_a_token_that_is_still_good_is_used_while_the_token_server_is_down() -> None:
    clock = Clock(expires_in=300)
    clock.authorizer.challenged(CHALLENGE, Wish(), None)
    clock.status = 500
    clock.now += 250
    assert clock.header() == "Bearer t1"
    with pytest.raises(StoreError, match="gives no token"):  # the registry has refused it
        clock.authorizer.challenged(CHALLENGE, Wish(), "Bearer t1")
    clock.now += 51
    with pytest.raises(StoreError, match="gives no token"):
        clock.header()


@pytest.mark.parametrize("token", ["two\nlines", "\x00", "ü", "", 5, None, ["x"]])
def test_a_token_that_fits_no_header_is_none(token: object) -> None:
    clock = Clock(token=token)
    with pytest.raises(StoreError, match="gives no token"):
        clock.authorizer.challenged(CHALLENGE, Wish(), None)


@pytest.mark.parametrize(
    "challenge", ["", "Negotiate", "Bearer", 'Bearer service="s"', "Digest x=y"]
)
def test_a_challenge_that_nobody_can_meet_is_not_met(challenge: str) -> None:
    assert Clock().authorizer.challenged(challenge, Wish(), None) is None


def test_of_several_challenges_the_token_is_taken() -> None:
    clock = Clock()
    both = f'Basic realm="x", {CHALLENGE}'
    assert clock.authorizer.challenged(both, Wish(), None) == "Bearer t1"


def test_tokens_of_many_scopes_are_bounded() -> None:
    clock = Clock(expires_in=300)
    for number in range(2500):
        wish = Wish()
        wish.scopes = frozenset({f"repository:r{number}:pull"})
        clock.authorizer.challenged(CHALLENGE, wish, None)
    assert len(clock.authorizer._tokens) <= 1000
    assert len(clock.authorizer._locks) <= 1001
