"""How credentials are shown to a registry: Basic, or tokens that are asked for by scope.

Implements the token authentication of distribution (*Docker Registry v2 authentication*), with its
OAuth2 variant for identity tokens. One :class:`Authorizer` serves one credential at one registry.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from oci_convert.errors import OciConvertError, StoreError
from oci_convert.stores.registry.auth import Found
from oci_convert.stores.registry.headers import challenges
from oci_convert.stores.registry.mask import Mask
from oci_convert.stores.registry.reference import Repository
from oci_convert.stores.registry.secret import IdentityToken, RegistryToken, UserPassword
from oci_convert.stores.registry.transport import Answer
from oci_convert.stores.traffic import Traffic
from oci_convert.text.wording import Wording

__all__ = ["Authorizer", "Trade", "Wish"]

_CLIENT: Final = "oci-convert"
_LIFE: Final = 60.0
"""Seconds that a token lives of which nothing is said."""
_LONGEST_LIFE: Final = 365 * 24 * 3600.0
"""Seconds that a token lives at most, whatever is stated: it may be more than a float holds."""
_RENEWED_AT: Final = 0.8
_FRESH_UNTIL: Final = 0.5
_NO_OAUTH: Final = frozenset({400, 401, 404, 405})
"""What token servers answer that know no OAuth2, or not this token by it."""
_REFUSED: Final = frozenset({400, 401, 403})
_MOST_TOKENS: Final = 1000


class Wish(Protocol):
    """What a token is wanted for, and who counts the request."""

    @property
    def repository(self) -> Repository: ...
    @property
    def scopes(self) -> frozenset[str]: ...
    @property
    def traffic(self) -> Traffic: ...


class Trade(Protocol):
    """Asks a token server; what comes back is read, and 5xx and the like were tried again."""

    def __call__(
        self,
        authorizer: Authorizer,
        wish: Wish,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
    ) -> Answer: ...


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    fresh_until: float
    renew_at: float
    expires: float


@dataclass(frozen=True, slots=True)
class _Service:
    """The token server of a registry, and what the registry is called there."""

    realm: str
    name: str


class Authorizer:
    """What goes into ``Authorization``, for one credential at one registry; for several threads.

    Scopes that belong together are asked for together, one request is in flight for each set of
    them, and a token is renewed after 80 % of its life, or when the registry refuses it.
    """

    def __init__(
        self,
        host: str,
        found: Found,
        find_again: Callable[[], Found],
        trade: Trade,
        mask: Mask,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._find_again = find_again
        self._trade = trade
        self._mask = mask
        self._clock = clock
        self._found = found
        self._fixed: str | None = None
        """The header that goes with every request, once that is known."""
        self._service: _Service | None = None
        self._refresh: str | None = None
        """The identity token that the token server gave us in exchange for the old one."""
        self._tokens: dict[frozenset[str], _Token] = {}
        self._extra: dict[frozenset[str], frozenset[str]] = {}
        """What the registry demanded besides."""
        self._locks: dict[frozenset[str], Lock] = {}
        self._lock = Lock()
        self._take(found)

    def _take(self, found: Found) -> None:
        self._found = found
        self._mask.add(found.credential)
        if isinstance(found.credential, RegistryToken):
            self._fixed = f"Bearer {found.credential.token.reveal()}"

    def header(self, wish: Wish, *, fresh: bool = False) -> str | None:
        """The header for a request, or ``None`` as long as the registry has not asked for one.

        ``fresh`` is for what takes long: the token is then in the first half of its life.
        """
        if self._fixed is not None or self._service is None:
            return self._fixed
        token = self._tokens.get(wish.scopes)
        if token is not None:
            if self._clock() < (token.fresh_until if fresh else token.renew_at):
                return token.header
            return self._renewed(wish, token.header)
        return self._renewed(wish, None)

    def challenged(self, challenge: str, wish: Wish, used: str | None) -> str | None:
        """Another header than the one that was refused with ``WWW-Authenticate: challenge``.

        ``None`` if there is none. Raises :class:`StoreError` if the token server gives no token.
        """
        offered = challenges(challenge)
        for it in offered:
            realm = it.parameters.get("realm", "")
            if it.scheme == "bearer" and realm and self._fixed is None:
                self._mask.add_query(realm)
                self._service = _Service(realm, it.parameters.get("service", ""))
                wanted = frozenset(it.parameters.get("scope", "").split())
                self._extra[wish.scopes] = self._extra.get(wish.scopes, frozenset()) | wanted
                return self._renewed(wish, used, refused=True)
        if used is not None and not self._look_again():
            return None
        credential = self._found.credential
        if isinstance(credential, UserPassword) and any(it.scheme == "basic" for it in offered):
            self._fixed = credential.header()
        return self._fixed if self._fixed != used else None

    def _look_again(self) -> bool:
        """Whether there are other credentials by now, where a helper gives them for a while."""
        found = self._find_again()
        other = found.credential != self._found.credential
        if other:
            self._take(found)
        return other

    def _renewed(self, wish: Wish, stale: str | None, *, refused: bool = False) -> str:
        """A token that is not ``stale``; one that was not refused may have to do once more."""
        with self._lock:
            alone = self._locks.setdefault(wish.scopes, Lock())
        with alone:
            token = self._tokens.get(wish.scopes)
            if token is not None and token.header != stale:
                return token.header
            try:
                token = self._ask(wish)
            except OciConvertError:
                if token is None or refused or self._clock() >= token.expires:
                    raise
                return token.header
            if len(self._tokens) >= _MOST_TOKENS:
                self._tokens.clear()
                self._locks.clear()
                self._extra.clear()
            self._tokens[wish.scopes] = token
            return token.header

    def _ask(self, wish: Wish) -> _Token:
        asked = self._clock()
        scopes = sorted(wish.scopes | self._extra.get(wish.scopes, frozenset()))
        answer = self._traded(wish, scopes)
        if answer.status == HTTPStatus.UNAUTHORIZED and self._look_again():
            answer = self._traded(wish, scopes)
        where = f"docker://{wish.repository}"
        if answer.status in _REFUSED:
            raise self.rejected(where)
        content = _object(answer)
        text = content.get("token") or content.get("access_token")
        if answer.status != HTTPStatus.OK or not isinstance(text, str) or not _is_plain(text):
            raise StoreError(
                f"the token server of {self._host} gives no token (status {answer.status})",
                code="token-failed",
                where=where,
                remedy="try again later, or ask the operator of the registry",
            )
        refresh = content.get("refresh_token")
        if isinstance(refresh, str) and refresh:
            self._mask.add_token(refresh)
            self._refresh = refresh
        self._mask.add_token(text)
        stated = content.get("expires_in")
        told = stated if isinstance(stated, int | float) and stated > 0 else _LIFE
        life = min(told, _LONGEST_LIFE)
        return _Token(
            f"Bearer {text}",
            asked + life * _FRESH_UNTIL,
            asked + life * _RENEWED_AT,
            asked + life,
        )

    def _traded(self, wish: Wish, scopes: list[str]) -> Answer:
        """The answer of the token server, asked in the way that suits the credential."""
        service = self._service
        assert service is not None  # whoever asks for a token was challenged before
        named = {"service": service.name} if service.name else {}
        credential = self._found.credential
        if isinstance(credential, IdentityToken):
            identity = self._refresh or credential.token.reveal()
            form = {
                "grant_type": "refresh_token",
                "refresh_token": identity,
                "client_id": _CLIENT,
                "scope": " ".join(scopes),
                **named,
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            body = urlencode(form).encode()
            answer = self._trade(self, wish, "POST", service.realm, headers, body)
            if answer.status not in _NO_OAUTH:
                return answer
            credential = UserPassword(credential.user, credential.token)
        query = urlencode([*named.items(), *(("scope", it) for it in scopes)])
        mark = "&" if "?" in service.realm else "?"
        headers = (
            {"Authorization": credential.header()} if isinstance(credential, UserPassword) else {}
        )
        return self._trade(self, wish, "GET", f"{service.realm}{mark}{query}", headers, None)

    def rejected(self, where: str, words: str = "") -> StoreError:
        """The error for a registry that wants to know who we are, and is not content."""
        notes = "".join(f"; {note}" for note in self._found.notes)
        if self._found.credential is None:
            return StoreError(
                f"{self._host} requires credentials, but there are none for it{words}{notes}",
                code="registry-unauthorized",
                where=where,
                remedy=Wording(
                    "give some with {Auth.basic} or {Auth.from_file}, or run docker login or "
                    "podman login"
                ),
            )
        if self._fixed is None and self._service is None:
            return StoreError(
                f"{self._host} wants a login, but by none of the ways Basic and Bearer{words}",
                code="registry-unauthorized",
                where=where,
                remedy="check host and port; a proxy before it may want a login of its own",
            )
        return StoreError(
            f"{self._host} does not accept the credentials of {self._found.origin}{words}{notes}",
            code="registry-unauthorized",
            where=where,
            remedy=Wording("log in again, or give others with {Auth.basic} or {Auth.from_file}"),
        )

    def needed(self) -> str:
        """What to do about a right that we have not got, for the remedy of an error."""
        if self._found.credential is None:
            return "log in with an account that has that right: no credentials were found"
        return f"the account of {self._found.origin} needs that right"


def _object(answer: Answer) -> dict[str, Any]:
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_plain(text: str) -> bool:
    """Whether a text can stand in a header."""
    return text.isascii() and text.isprintable()
