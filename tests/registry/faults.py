"""What goes wrong, and when: at a request by its index, or at those that somebody describes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from threading import Lock
from typing import Final

from registry.messages import Reply, Request, failure

__all__ = ["INSTEAD", "Fault", "Faults"]


class Fault(Enum):
    """What can go wrong with a request."""

    RESET = "the connection is reset before anything is done"
    RESET_AFTER = "it is done, and then the connection is reset"
    PARTIAL = "half of what was sent has come, and then the connection is reset"
    SILENT = "no answer comes"
    STALLED = "half of the body comes"
    TRUNCATED = "half of the body comes, and then the end of the connection"
    WRONG_BYTES = "a bit of the body is another one"
    WRONG_DIGEST = "Docker-Content-Digest is that of something else"
    BAD_LOCATION = "the address to go on leads to plain http elsewhere"
    LOST = "201, and nothing is done"
    PAGE = "a page for people, with 200"
    REQUEST_TIMEOUT = "408"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    TOO_MANY_REQUESTS = "429, try again at once"
    ERROR = "500"
    ERROR_AFTER = "it is done, and then 500"
    BAD_GATEWAY = "502, with a page"
    UNAVAILABLE = "503, try again at once"
    GATEWAY_TIMEOUT = "504"
    DIGEST_INVALID = "400 DIGEST_INVALID"
    BLOB_UNKNOWN = "400 MANIFEST_BLOB_UNKNOWN"
    UPLOAD_UNKNOWN = "404 BLOB_UPLOAD_UNKNOWN"
    RANGE = "416"


_PAGE: Final = b"<!doctype html><html><body>Please log in</body></html>"
_HTML: Final = {"Content-Type": "text/html; charset=utf-8"}
_AT_ONCE: Final = {"Retry-After": "0"}
_DETAIL: Final = {"digest": f"sha256:{'0' * 64}"}

INSTEAD: Final = {
    Fault.LOST: Reply(201),
    Fault.PAGE: Reply(200, _HTML, _PAGE),
    Fault.REQUEST_TIMEOUT: failure(408, "UNKNOWN", "too slow"),
    Fault.UNAUTHORIZED: failure(401, "UNAUTHORIZED"),
    Fault.FORBIDDEN: failure(403, "DENIED", "requested access is denied"),
    Fault.NOT_FOUND: failure(404, "NAME_UNKNOWN"),
    Fault.TOO_MANY_REQUESTS: failure(429, "TOOMANYREQUESTS", "slow down").with_headers(_AT_ONCE),
    Fault.ERROR: failure(500, "UNKNOWN", "unknown error"),
    Fault.BAD_GATEWAY: Reply(502, _HTML, b"<html><body>502 Bad Gateway</body></html>"),
    Fault.UNAVAILABLE: failure(503, "UNAVAILABLE").with_headers(_AT_ONCE),
    Fault.GATEWAY_TIMEOUT: Reply(504),
    Fault.DIGEST_INVALID: failure(400, "DIGEST_INVALID", detail=_DETAIL),
    Fault.BLOB_UNKNOWN: failure(400, "MANIFEST_BLOB_UNKNOWN", detail=_DETAIL),
    Fault.UPLOAD_UNKNOWN: failure(404, "BLOB_UPLOAD_UNKNOWN"),
    Fault.RANGE: Reply(416),
}
"""What is answered, with nothing done."""


@dataclass
class _Rule:
    matches: Callable[[Request], bool]
    fault: Fault
    left: int


class Faults:
    """Which request meets which fault; the first rule that fits is used up."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = Lock()

    def at(self, index: int, fault: Fault) -> None:
        """Let the request with this index go wrong."""
        self.when(lambda request: request.index == index, fault)

    def when(self, matches: Callable[[Request], bool], fault: Fault, times: int = 1) -> None:
        """Let the next requests go wrong for which ``matches`` is true."""
        with self._lock:
            self._rules.append(_Rule(matches, fault, times))

    def clear(self) -> None:
        """Let everything go well."""
        with self._lock:
            self._rules.clear()

    def find(self, request: Request) -> Fault | None:
        """The fault that a request meets."""
        with self._lock:
            for rule in self._rules:
                if rule.left and rule.matches(request):
                    rule.left -= 1
                    return rule.fault
        return None
