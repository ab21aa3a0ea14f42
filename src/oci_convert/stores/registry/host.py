"""One registry: in whose name it is asked, when, and what is tried again.

The one loop that sends anything twice. It follows redirects of reads, at most five, to https or,
from plain http, to where plain http is allowed; credentials stay with the registry they are for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from threading import Lock
from typing import Final, TypeVar
from urllib.parse import urljoin

from urllib3.exceptions import HTTPError

from oci_convert.errors import StoreError
from oci_convert.limits import inherited, limits, raised_by
from oci_convert.stores.registry.auth import Found, Keychain
from oci_convert.stores.registry.calls import Access, Call, Kind
from oci_convert.stores.registry.failures import failed
from oci_convert.stores.registry.headers import retry_after, warning_texts
from oci_convert.stores.registry.mask import Mask
from oci_convert.stores.registry.options import RegistryOptions
from oci_convert.stores.registry.pace import Pace
from oci_convert.stores.registry.reference import Repository, is_loopback
from oci_convert.stores.registry.refusals import TryAgain, refused, unexpected
from oci_convert.stores.registry.retries import Retries
from oci_convert.stores.registry.secret import Credential
from oci_convert.stores.registry.tokens import Authorizer, Wish
from oci_convert.stores.registry.transport import Answer, Origin, Response, Transport, origin_of
from oci_convert.text.wording import Wording

__all__ = ["Host"]

S = TypeVar("S")
T = TypeVar("T")

_AGENT: Final = "oci-convert"
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_EXPIRED: Final = frozenset({401, 403})
"""What another host answers to an address whose signature has ended; a new one may be given."""
_MOST_REDIRECTS: Final = 5
_MOST_CHALLENGES: Final = 2
"""A token may have ended, and the next one may lack a scope."""
_LONGEST_WORDS: Final = 64 * 1024
"""Bytes of an answer that are read to learn why something failed."""


_TOGETHER: Final = 16
"""Documents that are fetched at a time."""
_ASKERS: Final = 4
"""Users of a registry that fetch theirs together."""
_TO_HTTPS: Final = Wording(
    'a redirect has to lead to https, or to an address of {plain_http={"HOST"}}'
)
_BROKEN: Final = "check that this is a registry; it, or a proxy before it, may be broken"


class Host:
    """A registry, for all threads of a run."""

    def __init__(
        self,
        repository: Repository,
        transport: Transport,
        keychain: Keychain,
        options: RegistryOptions,
        pace: Pace,
    ) -> None:
        self.name: str = repository.host
        self.options = options
        self.pace = pace
        self.origin: Origin = transport.origin(repository)
        self.mask: Mask = transport.mask
        """What everything passes that this registry says, before it is shown."""
        self._transport = transport
        self._keychain = keychain
        self._channel = transport.channel(self.origin, ours=True)
        self._authorizers: dict[Credential | None, Authorizer] = {}
        self._lock = Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._askers = 0
        """Who is at work in :meth:`together`."""
        self._reached = False

    def authorizer(self, repository: Repository) -> Authorizer:
        """Whoever shows the credentials for a repository; one for each of them."""

        def find_again() -> Found:
            self._keychain.forget()
            return self._keychain.find(repository)

        found = self._keychain.find(repository)
        with self._lock:
            authorizer = self._authorizers.get(found.credential)
            if authorizer is None:
                authorizer = Authorizer(self.name, found, find_again, self.trade, self.mask)
                self._authorizers[found.credential] = authorizer
        return authorizer

    def together(self, function: Callable[[S], T], several: Sequence[S]) -> list[T]:
        """What ``function`` makes of each, several at a time; it must not call this itself.

        The threads are those of all users of this registry: they end with it. Where several users
        want them, the next one does without: it would wait for a thread, and gain nothing.
        """
        with self._lock:
            alone = len(several) < 2 or self._askers >= _ASKERS
            self._askers += 1
            if self._pool is None and not alone:
                self._pool = ThreadPoolExecutor(_TOGETHER)
        try:
            if alone or self._pool is None:
                return [function(one) for one in several]
            return list(self._pool.map(inherited(function), several))
        finally:
            with self._lock:
                self._askers -= 1

    def persist(self, attempt: Callable[[], T]) -> T:
        """Try something until it goes well, as often as the options say."""
        retries = None
        while True:
            try:
                return attempt()
            except TryAgain as again:
                retries = retries or Retries(self.options, self.pace)
                retries.wait(again)

    def ask(self, call: Call) -> Answer:
        """The answer to a call, whatever its status, but for those that pass and for 401.

        Raises :class:`StoreError`.
        """
        return self.persist(partial(self.attempt, call))

    def attempt(self, call: Call) -> Answer:
        """The same, once: raises :class:`TryAgain` for what passes."""
        return self.read(self.open(call), call)

    def open(self, call: Call, *, fresh: bool = False) -> Response:
        """Send a call once, and give its answer, which is still to be read.

        Raises :class:`TryAgain` for what passes, and :class:`StoreError`. ``fresh`` as in
        :meth:`Authorizer.header`.
        """
        header = call.access.authorizer.header(call.access, fresh=fresh)
        here, target = self._aim(call)
        redirects = challenges = 0
        while True:
            sent, response = self._send(call, header, here, target)
            status, ours = response.status, here == self.origin
            if status == HTTPStatus.UNAUTHORIZED and ours and challenges < _MOST_CHALLENGES:
                challenges += 1
                header = self._other_header(call, header, response)
            elif status in _REDIRECTS:
                redirects += 1
                here, target = self._led(call, redirects, here, target, response)
            else:
                break
        if status == HTTPStatus.UNAUTHORIZED and ours:
            raise refused(call, self.read(response, call))
        if status in _PASSING or (not ours and status in _EXPIRED):
            raise self._passing(call, response, sent if ours else None)
        return response

    def _other_header(self, call: Call, used: str | None, response: Response) -> str:
        """What a call is sent with again that was refused."""
        challenge = response.headers.get("WWW-Authenticate", "")
        answer = self.read(response, call)
        other = call.access.authorizer.challenged(challenge, call.access, used)
        if other is None:
            raise refused(call, answer)
        if not call.repeatable:
            raise TryAgain(refused(call, answer), 0.0)
        return other

    def _led(
        self, call: Call, redirects: int, here: Origin, target: str, response: Response
    ) -> tuple[Origin, str]:
        """Where a redirect leads."""
        self.read(response, call)
        location = response.headers.get("Location", "")
        if not location or call.method not in {"GET", "HEAD"}:
            why = f"a {call.method} is not sent on" if location else "it has no Location"
            raise self._led_astray(call, why, _BROKEN)
        if redirects > _MOST_REDIRECTS:
            raise self._led_astray(call, f"there are more than {_MOST_REDIRECTS}", _BROKEN)
        url = _joined(f"{here}{target}", location)
        found = self.allowed(url, here)
        if found is None:
            raise self._led_astray(call, f"it leads to {self._bare(url)}")
        self.mask.add_query(location)
        return found

    def _send(
        self, call: Call, authorization: str | None, origin: Origin, target: str
    ) -> tuple[float, Response]:
        """Send a call, and say when that was; credentials go to the registry only."""
        ours = origin == self.origin
        sent = self.pace.turn() if ours else 0.0
        headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **call.headers}
        if ours and authorization is not None:
            headers["Authorization"] = authorization
        channel = self._channel if ours else self._transport.channel(origin, ours=False)
        body = call.body
        traffic = call.access.traffic
        traffic.sent(len(body) if isinstance(body, bytes) else 0)
        try:
            response = channel.send(call.method, target, headers, body, hurried=call.hurried)
        except HTTPError as error:
            raise failed(error, origin, call.where, reached=self._reached) from None
        self._reached = True
        # A token server may repeat the token that it gives: nobody knows it before it was read.
        if "Warning" in response.headers and call.kind is not Kind.TOKEN:
            for text in warning_texts(response.headers["Warning"]):
                traffic.warn(self.mask.told(text))
        return sent, response

    def read(self, response: Response, call: Call) -> Answer:
        """An answer, read to its end; raises :class:`TryAgain` where it breaks off.

        Raises :class:`StoreError` (``answer-too-large``).
        """
        failure = response.status >= HTTPStatus.BAD_REQUEST
        most: int = _LONGEST_WORDS if failure else getattr(limits(), call.limit)
        stated = response.length_remaining
        try:
            if stated is None:
                body = response.read(most + 1, decode_content=False)
            else:
                body = response.read(decode_content=False) if stated <= most else b""
        except HTTPError as error:
            raise failed(error, self.origin, call.where, reached=True) from None
        size = len(body) if stated is None else stated
        if size > most:
            response.close()
            if failure:
                return Answer(response.status, response.headers, self.mask)
            raise StoreError(
                f"the answer of the registry is larger than {most} bytes",
                code="answer-too-large",
                store=call.where,
                remedy=f"check that this is a registry; {raised_by(call.limit)}",
            )
        call.access.traffic.down(len(body))
        return Answer(response.status, response.headers, self.mask, body)

    def trade(
        self,
        authorizer: Authorizer,
        wish: Wish,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
    ) -> Answer:
        """Ask a token server, where credentials may be sent: see :class:`Trade`."""
        found = self.allowed(url, self.origin)
        access = Access(wish.repository, authorizer, wish.scopes, wish.traffic)
        call = Call(access, Kind.TOKEN, method, url, headers=headers, body=body)
        if found is None:
            raise StoreError(
                f"the registry sends us for a token to {self._bare(url)}, where no password may go",
                code="realm-refused",
                store=call.where,
                remedy=Wording(
                    'its token server needs https; for a network of your own, {plain_http={"HOST"}}'
                ),
            )

        def once() -> Answer:
            _, response = self._send(call, None, *found)
            if response.status in _PASSING:
                raise self._passing(call, response, None)
            return self.read(response, call)

        return self.persist(once)

    def allowed(self, url: str, here: Origin) -> tuple[Origin, str] | None:
        """What an address leads to, if it may be followed from an answer of ``here``.

        To https always; to plain http only from plain http, and there only to the registry itself,
        to a host of ``plain_http``, or from this machine to this machine.
        """
        found = origin_of(url)
        if found is None or found[0] == self.origin:
            return found
        if self.mask.hides(found[0].host):
            return None  # errors could not name it
        if found[0].scheme == "https":
            return found
        origin = found[0]
        plain = origin.address in self.options.plain_http
        local = is_loopback(origin.host) and is_loopback(self.origin.host)
        return found if here.scheme == "http" and (plain or local) else None

    def locate(self, call: Call, location: str) -> str:
        """The target that an answer to a call names, as a path where it stays at this registry.

        A registry behind a proxy may take itself for one of plain http: it is believed to be
        where it is. Raises :class:`StoreError` (``redirect-refused``).
        """
        if not location:
            raise self._led_astray(call, "it has no Location", _BROKEN)
        base = call.target if "://" in call.target else f"{self.origin}{call.target}"
        url = _joined(base, location)
        if call.kind is Kind.UPLOAD:
            self.mask.add_query(location)
        found = origin_of(url)
        if found is not None and found[0].host == self.origin.host:
            same_port = found[0].port == self.origin.port
            if same_port or found[0] == Origin("http", self.origin.host, 80):
                return found[1]
        if self.allowed(url, self.origin) is None:
            raise self._led_astray(call, f"it leads to {self._bare(url)}")
        return url

    def _aim(self, call: Call) -> tuple[Origin, str]:
        """The origin and the path of a call."""
        if call.target.startswith("/"):
            return self.origin, call.target
        found = self.allowed(call.target, self.origin)
        if found is None:
            raise self._led_astray(call, f"it leads to {self._bare(call.target)}")
        return found

    def _passing(self, call: Call, response: Response, sent: float | None) -> TryAgain:
        """What passes; ``sent`` is when the registry itself was asked, if it was."""
        wait = retry_after(response.headers.get("Retry-After", ""))
        answer = self.read(response, call)
        if sent is None:
            return TryAgain(unexpected(call, answer), wait)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            self.pace.slow_down(sent)
        if wait is not None and wait <= self.options.longest_wait:
            self.pace.hold(wait)
        return TryAgain(refused(call, answer), wait)

    def _bare(self, url: str) -> str:
        """Where an address leads, without its path and query, which may hold what is secret."""
        found = origin_of(url)
        if found is None and "@" in url:
            return "an address that holds credentials"
        return (
            self.mask.told(str(found[0]))
            if found
            else "something that is no address of http or https"
        )

    def _led_astray(self, call: Call, why: str, remedy: str = _TO_HTTPS) -> StoreError:
        return StoreError(
            f"the redirect of the registry is not followed: {why}",
            code="redirect-refused",
            store=call.where,
            remedy=remedy,
        )


def _joined(base: str, location: str) -> str:
    try:
        return urljoin(base, location)
    except ValueError:
        return location
