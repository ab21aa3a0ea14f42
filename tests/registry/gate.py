"""Who may come in: everybody, those with a password, or those with a token of a token server."""

from __future__ import annotations

import base64
import json
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from registry.messages import Reply, Request, failure

__all__ = ["Gate", "Htpasswd", "Open", "TokenServer"]


class Gate(ABC):
    """Lets requests in, or refuses them with 401."""

    @abstractmethod
    def refuse(self, request: Request, scope: str, origin: str) -> Reply | None:
        """The refusal of a request that needs ``scope``, or ``None`` if it may come in."""

    def token(self, request: Request) -> Reply | None:
        """The answer of the token server, if there is one behind this gate."""
        return None


class Open(Gate):
    """Everybody may come in."""

    def refuse(self, request: Request, scope: str, origin: str) -> Reply | None:
        return None


@dataclass(frozen=True)
class Htpasswd(Gate):
    """Those with a name and its password may come in."""

    users: Mapping[str, str]
    scheme: str = "Basic"

    def refuse(self, request: Request, scope: str, origin: str) -> Reply | None:
        if _named(request, self.users) is not None:
            return None
        challenge = {"WWW-Authenticate": f'{self.scheme} realm="registry"'}
        return failure(401, "UNAUTHORIZED").with_headers(challenge)


def _named(request: Request, users: Mapping[str, str]) -> str | None:
    """Whoever sent the right password, if somebody did."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    user, _, password = base64.b64decode(encoded).decode().partition(":")
    return user if users.get(user) == password else None


@dataclass
class _Issued:
    scopes: frozenset[str]
    expires: float


class TokenServer(Gate):
    """Those with a token for what they want may come in; the token server is here, too.

    ``users`` are names and passwords, ``identities`` the identity tokens of those who have one, and
    ``readers`` the repositories (or ``*``) that everybody may read. Whoever has a name may do
    everything, but for what ``denied`` holds.
    """

    def __init__(
        self,
        users: Mapping[str, str] | None = None,
        *,
        identities: Iterable[str] = (),
        readers: Iterable[str] = (),
        denied: Iterable[str] = (),
        realm: str = "{origin}/token",
        lifetime: float | None = 300,
        oauth: bool = True,
        name: str = "token",
    ) -> None:
        self.users = dict(users or {})
        self.identities = set(identities)
        self.readers = frozenset(readers)
        self.denied = frozenset(denied)
        self.realm = realm
        self.lifetime = lifetime
        self.oauth = oauth
        """Whether POST is understood."""
        self.name = name
        """What the member with the token is called: ``token`` or ``access_token``."""
        self._issued: dict[str, _Issued] = {}

    def expire(self) -> None:
        """End the life of every token that was issued."""
        self._issued.clear()

    def refuse(self, request: Request, scope: str, origin: str) -> Reply | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        issued = self._issued.get(token)
        needed = set(_single(scope))
        if issued is not None and issued.expires > time.monotonic() and needed <= issued.scopes:
            return None
        realm = self.realm.format(origin=origin)
        challenge = f'Bearer realm="{realm}",service="fake, really"'
        if scope:
            challenge += f',scope="{scope}"'
        if issued is not None:
            challenge += ',error="insufficient_scope"'
        refused = failure(401, "UNAUTHORIZED", "authentication required")
        return refused.with_headers({"WWW-Authenticate": challenge})

    def token(self, request: Request) -> Reply | None:
        if request.path != "/token":
            return None
        if request.method == "POST":
            return self._oauth(request)
        query = parse_qs(urlsplit(request.target).query)
        user = _named(request, self.users)
        if user is None and "Authorization" in request.headers:
            return failure(401, "UNAUTHORIZED", "incorrect username or password")
        return self._granted(query.get("scope", []), user)

    def _oauth(self, request: Request) -> Reply:
        if not self.oauth:
            return failure(405, "UNSUPPORTED")
        form = parse_qs(request.body.decode())
        identity = form.get("refresh_token", [""])[0]
        if form.get("grant_type") != ["refresh_token"] or identity not in self.identities:
            return Reply(400, {"Content-Type": "application/json"}, b'{"error":"invalid_grant"}')
        return self._granted(form.get("scope", [""])[0].split(), "identity")

    def _granted(self, asked: list[str], user: str | None) -> Reply:
        single = {each for scope in asked for each in _single(scope)}
        granted = {scope for scope in single if self._may(scope, user)}
        token = f"tok-{secrets.token_hex(8)}"
        lifetime = 60 if self.lifetime is None else self.lifetime
        self._issued[token] = _Issued(frozenset(granted), time.monotonic() + lifetime)
        body: dict[str, object] = {self.name: token}
        if self.lifetime is not None:
            body["expires_in"] = self.lifetime
        return Reply(200, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _may(self, scope: str, user: str | None) -> bool:
        if scope in self.denied:
            return False
        _, name, action = scope.split(":", 2)
        readable = action == "pull" and not self.readers.isdisjoint({name, "*"})
        return user is not None or readable


def _single(scopes: str) -> Iterable[str]:
    """Scopes of several actions as several of one."""
    for scope in scopes.split():
        head, _, actions = scope.rpartition(":")
        yield from (f"{head}:{action}" for action in actions.split(","))
