"""How registries are spoken to: patience, speed, and what is trusted. Plain values, no secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from oci_convert.errors import UsageError
from oci_convert.text.brief import Brief
from oci_convert.text.wording import Wording

__all__ = ["RegistryOptions", "parse_rates"]

_RATE: Final = re.compile(r"(.+)=([0-9]+(?:\.[0-9]+)?)/(s|m|h)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, kw_only=True, repr=False)
class RegistryOptions(Brief):
    """Options for every registry of a run. Times are in seconds, sizes in bytes.

    Hosts are written as in a reference: ``localhost:5000``. Raises :class:`UsageError`
    (``invalid-option``) for values that make no sense.
    """

    retries: int = 5
    """How often a request is sent again that did not come through."""
    backoff: float = 0.5
    """About how long to wait before the first of them; it doubles each time."""
    longest_wait: float = 300.0
    """If a registry asks to wait for longer (``Retry-After``), that is an error."""
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    """How long a connection may stand still, in either direction."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """The most requests a second, by host."""
    connections: int = 64
    """Connections to a host that are kept for the next request."""
    chunk: int | None = None
    """Upload blobs in pieces of this size, for a registry that demands it; else in one."""
    plain_http: frozenset[str] = frozenset()
    """Hosts without TLS; a loopback address is asked whether it has it."""
    insecure: frozenset[str] = frozenset()
    """Hosts whose certificates are not checked."""
    ca_file: Path | None = None
    """More authorities to trust, in PEM, besides those of the system."""
    certificate: Path | None = None
    """Our own certificate, in PEM, for registries that ask for one."""
    key: Path | None = None
    """Its key, if it does not stand in the same file."""
    certs_folders: tuple[Path, ...] = (
        Path("/etc/docker/certs.d"),
        Path("/etc/containers/certs.d"),
    )
    """Folders with one of certificates for each host, as Docker and podman have them."""

    def __post_init__(self) -> None:
        wrong = [
            name
            for name, fine in {
                "retries": self.retries >= 0,
                "backoff": self.backoff >= 0,
                "longest_wait": self.longest_wait >= 0,
                "connect_timeout": self.connect_timeout > 0,
                "read_timeout": self.read_timeout > 0,
                "rates": all(rate > 0 for rate in self.rates.values()),
                "connections": self.connections > 0,
                "chunk": self.chunk is None or self.chunk > 0,
            }.items()
            if not fine
        ]
        if wrong:
            raise UsageError(
                f"{getattr(self, wrong[0])!r} is no value for {wrong[0]}",
                code="invalid-option",
                remedy="it takes a larger one",
            )
        if self.key is not None and self.certificate is None:
            raise UsageError(
                f"the key {self.key} has no certificate",
                code="invalid-option",
                remedy=Wording("name it, too: {certificate=…}"),
            )


def parse_rates(texts: Iterable[str]) -> dict[str, float]:
    """Requests a second by host, from texts such as ``quay.io=300/s`` or ``docker.io=100/h``.

    Raises :class:`UsageError` (``invalid-option``).
    """
    rates = {}
    for text in texts:
        match = _RATE.fullmatch(text)
        if match is None or not float(match[2]):
            raise UsageError(
                f"{text!r} is not a rate",
                code="invalid-option",
                where=Wording("{rates}"),
                remedy="it takes HOST=N/s, also /m and /h, as in quay.io=50/s",
            )
        rates[match[1].lower()] = float(match[2]) / _SECONDS[match[3]]
    return rates
