"""Proxies: which one a request goes through, by the variables that everybody knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import unquote, urlsplit

from oci_convert.errors import UsageError
from oci_convert.stores.registry.reference import is_loopback
from oci_convert.stores.registry.secret import Secret, UserPassword
from oci_convert.text.brief import Brief

__all__ = ["Proxies", "Proxy"]

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, repr=False)
class Proxy(Brief):
    """A proxy, without the credentials that its address may hold, and those."""

    url: str
    credentials: UserPassword | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Proxies(Brief):
    """The proxies of a run; ``Proxies()`` has none."""

    http: Proxy | None = None
    https: Proxy | None = None
    exceptions: tuple[str, ...] = ()
    """Hosts, domains, addresses and networks that are asked directly."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """Those of ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY``, also in lower case.

        ``environment`` is what ``os.environ`` is to a program. Raises :class:`UsageError`
        (``invalid-proxy``).
        """

        def variable(name: str) -> str:
            return (environment.get(name) or environment.get(name.lower()) or "").strip()

        exceptions = variable("NO_PROXY").replace(",", " ").split()
        return cls(
            _proxy("HTTP_PROXY", variable("HTTP_PROXY")),
            _proxy("HTTPS_PROXY", variable("HTTPS_PROXY")),
            tuple(entry.lower() for entry in exceptions),
        )

    def find(self, scheme: str, host: str, port: int) -> Proxy | None:
        """The proxy for a host, given without brackets; this very machine is asked directly."""
        proxy = self.https if scheme == "https" else self.http
        if proxy is None or is_loopback(host):
            return None
        return None if any(_matches(entry, host, port) for entry in self.exceptions) else proxy


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return ip_address(host) in ip_network(entry, strict=False)
        except ValueError:
            return False
    name, colon, number = entry.rpartition(":")
    if colon and number.isascii() and number.isdigit() and (":" not in name or "]" in name):
        if int(number) != port:
            return False
        entry = name
    entry = entry.removeprefix("[").removesuffix("]").removeprefix("*").lstrip(".")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))


def _proxy(name: str, url: str) -> Proxy | None:
    if not url:
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        host = port = None
    if not host or parts.scheme not in _PORTS:
        raise UsageError(
            "this is not a usable proxy address",  # its address may hold a password
            code="invalid-proxy",
            where=name,
            remedy="it takes http://HOST:PORT or https://HOST:PORT",
        )
    credentials = None
    if parts.username is not None:
        password = Secret(unquote(parts.password or ""))
        credentials = UserPassword(unquote(parts.username), password)
    netloc = f"[{host}]" if ":" in host else host
    return Proxy(f"{parts.scheme}://{netloc}:{port}", credentials)
