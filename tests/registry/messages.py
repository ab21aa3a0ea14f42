"""A request and its reply, and the log of both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["Exchange", "Log", "Reply", "Request", "failure"]


@dataclass(frozen=True)
class Request:
    """What a client has sent."""

    index: int
    """How many requests came before."""
    method: str
    target: str
    """The path and its query, as they were sent."""
    headers: Mapping[str, str]
    """By names of any case."""
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    def query(self, name: str) -> str | None:
        """The first value of a parameter."""
        values = parse_qs(urlsplit(self.target).query, keep_blank_values=True).get(name)
        return values[0] if values else None


@dataclass(frozen=True)
class Reply:
    """What a client gets."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def with_headers(self, headers: Mapping[str, str | None]) -> Reply:
        """The same reply with other headers; ``None`` takes one away."""
        merged = {**self.headers, **headers}
        kept = {name: value for name, value in merged.items() if value is not None}
        return Reply(self.status, kept, self.body)


def failure(status: int, code: str, message: str = "", detail: Any = None) -> Reply:
    """A refusal in the form of the specification."""
    error = {"code": code, "message": message or code.lower().replace("_", " "), "detail": detail}
    body = json.dumps({"errors": [error]}).encode()
    return Reply(status, {"Content-Type": "application/json"}, body)


@dataclass(frozen=True)
class Exchange:
    """A request and what became of it."""

    request: Request
    status: int
    """0 if there was no answer."""
    up: int
    """Bytes that came over the wire, headers and all."""
    down: int
    """Bytes that went over the wire."""

    def __str__(self) -> str:
        return f"{self.request.method} {self.request.target} {self.status}"


class Log:
    """Every exchange, in the order of the requests; several threads may write."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._next = 0
        self._exchanges: dict[int, Exchange] = {}

    def number(self) -> int:
        """The index of the next request."""
        with self._lock:
            self._next += 1
            return self._next - 1

    def add(self, exchange: Exchange) -> None:
        """Remember an exchange."""
        with self._lock:
            self._exchanges[exchange.request.index] = exchange

    def clear(self) -> None:
        """Forget everything, and count from 0 again."""
        with self._lock:
            self._next = 0
            self._exchanges.clear()

    @property
    def exchanges(self) -> list[Exchange]:
        with self._lock:
            return [exchange for _, exchange in sorted(self._exchanges.items())]

    @property
    def requests(self) -> list[Request]:
        return [exchange.request for exchange in self.exchanges]

    def lines(self) -> list[str]:
        """Every exchange as ``GET /v2/ 200``."""
        return [str(exchange) for exchange in self.exchanges]

    @property
    def bytes_up(self) -> int:
        return sum(exchange.up for exchange in self.exchanges)

    @property
    def bytes_down(self) -> int:
        return sum(exchange.down for exchange in self.exchanges)
