"""How bytes travel: origins, pools of connections, proxies, timeouts. One request, one answer.

Nothing is tried again here, no redirect is followed, and credentials are only kept out of logs.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from threading import Lock, local
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from weakref import WeakSet

import urllib3
from urllib3 import connectionpool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import Retry, Timeout

from oci_convert.stores.registry.mask import Mask
from oci_convert.stores.registry.options import RegistryOptions
from oci_convert.stores.registry.proxies import Proxies, Proxy
from oci_convert.stores.registry.reference import Repository, is_loopback
from oci_convert.stores.registry.tls import context_for, speaks_tls

__all__ = ["Answer", "Body", "Channel", "Origin", "Response", "Transport", "origin_of"]

Response = urllib3.BaseHTTPResponse
"""An answer whose body is still to be read."""
Body = bytes | Iterable[bytes] | None
"""What is sent; chunks need a ``Content-Length`` among the headers, or go as they come."""

PORTS: Final = {"http": 80, "https": 443}
_NAME: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_LONGEST_NAME: Final = 254
_NEVER: Final = Retry(total=False)
"""Made once for all requests: trying again is for those who know what was asked."""
_BLOCK: Final = 1024 * 1024
_SMALL: Final = 64 * 1024
"""Bytes of a body that goes with its headers: a manifest, and no layer."""
_HURRY: Final = Timeout(connect=1, read=1)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """By names of any case."""
    mask: Mask
    """What its words have to pass before they are shown."""
    body: bytes = field(repr=False, default=b"")


class Origin(NamedTuple):
    """A scheme, a host in lower case and without brackets, and a port."""

    scheme: str
    host: str
    port: int

    @property
    def address(self) -> str:
        """Host and port, as a reference spells them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address}"


def origin_of(url: str) -> tuple[Origin, str] | None:
    """The origin of an absolute address and what is asked of it; ``None`` if it is none of ours.

    An address that is not http or https is none, and neither is one that holds credentials, or
    whose host can be none: what it would do further down, nobody says.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    if not parts.hostname or not _is_host(parts.hostname) or "@" in parts.netloc:
        return None
    query = f"?{parts.query}" if parts.query else ""
    return Origin(parts.scheme, parts.hostname, port), f"{parts.path or '/'}{query}"


def _is_host(host: str) -> bool:
    """Whether a host, in lower case and without brackets, can be one.

    Names may have underscores and a dot at the end here: they are not ours to choose.
    """
    if ":" not in host:
        return len(host) <= _LONGEST_NAME and _NAME.fullmatch(host) is not None
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return host.isascii()


class _Sending(local):
    """Whether this thread sends a request of ours: its mask."""

    mask: Mask | None = None


_sending: Final = _Sending()
_LOGGERS: Final = (
    "connection",
    "connectionpool",
    "contrib.pyopenssl",
    "http2.connection",
    "poolmanager",
    "response",
    "util.retry",
)
"""Those of urllib3: a filter is not asked of what other loggers below it log."""


def _masked(record: Any) -> bool:
    """Take what is secret out of what urllib3 logs of our requests: headers and addresses hold it.

    An exception repeats what the message says.
    """
    if _sending.mask is not None:
        record.msg, record.args = _sending.mask.masked(record.getMessage()), ()
        record.exc_info = record.exc_text = None
    return True


for _name in _LOGGERS:
    connectionpool.log.manager.getLogger(f"urllib3.{_name}").addFilter(_masked)


class _Open:
    """The sockets of a run, so that whoever ends it wakes those who wait for an answer."""

    def __init__(self) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._is_over = False
        self._lock = Lock()

    def add(self, sock: socket.socket | None) -> None:
        if sock is not None:
            with self._lock:
                self._sockets.add(sock)
                if self._is_over:  # it was connected meanwhile
                    _shut(sock)

    def shut(self) -> None:
        with self._lock:
            self._is_over = True
            for sock in list(self._sockets):
                _shut(sock)


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class _AtOnce(HTTPConnection):
    """A connection that sends a small body with its headers: one packet instead of two."""

    _waiting: list[bytes] | None = None

    def request(self, method: str, url: str, body: Any = None, *rest: Any, **options: Any) -> None:
        """Send a request, as urllib3 does."""
        small = isinstance(body, bytes) and len(body) <= _SMALL
        self._waiting = [] if small else None
        try:
            super().request(method, url, body, *rest, **options)
        finally:
            waiting, self._waiting = self._waiting, None
        if waiting:
            self.send(b"".join(waiting))

    def send(self, data: Any) -> None:
        """Send a part of a request, or keep it until the request is whole."""
        if self._waiting is None:
            super().send(data)
        else:
            self._waiting.append(data)


def _connections(opened: _Open, *, verified: bool) -> tuple[type, type]:
    """The classes of connections for http and https, whose sockets ``opened`` knows."""

    class Plain(_AtOnce):
        def connect(self) -> None:
            super().connect()
            opened.add(self.sock)

    class Secure(_AtOnce, HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            opened.add(self.sock)
            if not verified:
                # Whoever asked for no checks is told so once. urllib3 would warn of every
                # connection, by a filter that belongs to the whole program.
                self.is_verified = True

    return Plain, Secure


class Channel:
    """Sends requests to one origin over connections that it keeps."""

    def __init__(
        self,
        pool: urllib3.HTTPConnectionPool,
        prefix: str,
        options: RegistryOptions,
        mask: Mask,
    ) -> None:
        self._pool = pool
        self._mask = mask
        self._prefix = prefix
        """What stands before a target: nothing, but for a proxy that forwards."""
        self._timeout = Timeout(connect=options.connect_timeout, read=options.read_timeout)
        # While a body is sent, urllib3 lets the connection stand still as long as while connecting.
        self._sending = Timeout(connect=options.read_timeout, read=options.read_timeout)

    def send(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: Body = None,
        *,
        hurried: bool = False,
    ) -> Response:
        """Send a request; its answer, of whatever status, is to be read or closed.

        Raises ``urllib3.exceptions.HTTPError``, and whatever the chunks of ``body`` raise.
        """
        chunks = body is not None and not isinstance(body, bytes)
        timeout = self._sending if chunks else self._timeout
        before, _sending.mask = _sending.mask, self._mask
        try:
            return self._pool.urlopen(
                method,
                self._prefix + target,
                body,
                headers,
                _NEVER,
                redirect=False,
                assert_same_host=False,
                timeout=_HURRY if hurried else timeout,
                preload_content=False,
                decode_content=False,
            )
        finally:
            _sending.mask = before  # the chunks of a body may come from another request

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.close()


class Transport:
    """The channels of a run: one for each origin."""

    def __init__(self, options: RegistryOptions, proxies: Proxies) -> None:
        self._options = options
        self._proxies = proxies
        self.mask: Mask = Mask()
        """What is secret in this run."""
        for proxy in filter(None, (proxies.http, proxies.https)):
            self.mask.add(proxy.credentials)
        self._channels: dict[tuple[Origin, bool], Channel] = {}
        self._opened = _Open()
        self._lock = Lock()

    def origin(self, repository: Repository) -> Origin:
        """Where the registry of a repository is: https, but for loopback and where one says so."""
        parts = urlsplit(f"https://{repository.endpoint}")
        host = parts.hostname or ""
        plain = not self._options.plain_http.isdisjoint((repository.host, repository.endpoint))
        if not plain and is_loopback(host):
            port = parts.port or PORTS["https"]
            plain = not speaks_tls(host, port, self._options.connect_timeout)
        scheme = "http" if plain else "https"
        return Origin(scheme, host, parts.port or PORTS[scheme])

    def channel(self, origin: Origin, *, ours: bool) -> Channel:
        """The channel to an origin; ``ours`` for one that a reference names."""
        key = (origin, ours)
        channel = self._channels.get(key)
        if channel is None:
            with self._lock:
                channel = self._channels.get(key)
                if channel is None:
                    channel = self._channels[key] = self._open(origin, ours=ours)
        return channel

    def _open(self, origin: Origin, *, ours: bool) -> Channel:
        proxy = self._proxies.find(*origin)
        manager = self._manager(proxy)
        secure = origin.scheme == "https"
        special: dict[str, object] = {}
        if secure:
            names = tuple(dict.fromkeys((origin.address, f"{origin.host}:{origin.port}")))
            special["ssl_context"] = context_for(names, self._options, ours=ours)
            if self._options.insecure.intersection(names):
                special["assert_hostname"] = False
        pool = manager.connection_from_host(
            origin.host, origin.port, origin.scheme, pool_kwargs=special
        )
        plain, tls = _connections(self._opened, verified="assert_hostname" not in special)
        pool.ConnectionCls = tls if secure else plain
        return Channel(
            pool, "" if secure or proxy is None else str(origin), self._options, self.mask
        )

    def _manager(self, proxy: Proxy | None) -> urllib3.PoolManager:
        if proxy is None:
            return urllib3.PoolManager(maxsize=self._options.connections, blocksize=_BLOCK)
        known = proxy.credentials
        secure = proxy.url.startswith("https:")
        return urllib3.ProxyManager(
            proxy.url,
            proxy_headers={"Proxy-Authorization": known.header()} if known else None,
            proxy_ssl_context=context_for((), self._options, ours=False) if secure else None,
            maxsize=self._options.connections,
            blocksize=_BLOCK,
        )

    def close(self) -> None:
        """Close all connections; who waits for an answer gets none."""
        self._opened.shut()
        with self._lock:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()
