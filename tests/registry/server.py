"""The sockets: an HTTP server in threads of this process, with everything around it."""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Any, Final, cast

from registry.content import Content, digest_of
from registry.faults import INSTEAD, Fault, Faults
from registry.gate import Gate, Open
from registry.messages import Exchange, Log, Reply, Request
from registry.personality import Framing, Personality
from registry.protocol import Protocol

__all__ = ["FakeRegistry"]

_LOOPBACK: Final = "127.0.0.1"
_UNANSWERED: Final = frozenset({Fault.RESET, Fault.RESET_AFTER, Fault.PARTIAL, Fault.SILENT})
_NO_BODY: Final = frozenset({204, 304})


class FakeRegistry:
    """A registry on this machine, as a context manager: it listens from its beginning to its end.

    ``content`` may be shared by several. ``blobs_at`` is the origin of another one, which then
    serves the blobs of this one. With ``tls``, it speaks https.
    """

    def __init__(
        self,
        personality: Personality | None = None,
        *,
        gate: Gate | None = None,
        content: Content | None = None,
        blobs_at: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.content = content or Content()
        self.log = Log()
        self.faults = Faults()
        self.ended = Event()
        self.errors: list[BaseException] = []
        """What is wrong with this registry itself; the end of its context raises it."""
        self._server = _Server((_LOOPBACK, 0), _Handler)
        self._server.registry = self
        if tls is not None:
            # The handshake is made by the thread of the connection: a client may be slow.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.host = f"{_LOOPBACK}:{self._server.server_address[1]}"
        """Host and port, as a reference spells them."""
        self.origin = f"{'https' if tls else 'http'}://{self.host}"
        self.protocol = Protocol(
            self.content, personality or Personality(), gate or Open(), self.origin, blobs_at
        )
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def connections(self) -> int:
        """How many connections were ever made."""
        return len(self._server.connections)

    def stop(self) -> None:
        """End everything, connections that are open, too. Stopping twice is harmless."""
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> FakeRegistry:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self.errors:
            raise self.errors[0]


class _Server(ThreadingHTTPServer):
    registry: FakeRegistry
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def server_close(self) -> None:
        super().server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away in the midst of a request: that is what they are tested for."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.registry.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a reply leaves in one piece
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base
        """Requests are in the log of the registry, not on the terminal."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        registry = self.server.registry
        body = self._body()
        if body is None:
            self.close_connection = True
            return
        index = registry.log.number()
        headers = cast("Mapping[str, str]", self.headers)
        request = Request(index, self.command, self.path, headers, body)
        fault = registry.faults.find(request)
        if fault in _UNANSWERED:
            self._note(request, 0, 0)
            if fault is Fault.RESET_AFTER:
                registry.protocol.answer(request)
            elif fault is Fault.PARTIAL:
                # What has come is kept, whatever was announced.
                half = replace(request, headers={}, body=body[: len(body) // 2])
                registry.protocol.answer(half)
            elif fault is Fault.SILENT:
                registry.ended.wait(60)
            self._reset()
            return
        reply = INSTEAD[fault] if fault in INSTEAD else registry.protocol.answer(request)
        self._send(request, reply if fault is None else _spoilt(reply, fault), fault)

    def _body(self) -> bytes | None:
        """What was sent; ``None`` if the client went away in the midst of it."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().partition(b";")[0] or b"-1", 16):
                if size < 0:
                    return None
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        return body if len(body) == size else None

    def _send(self, request: Request, reply: Reply, fault: Fault | None) -> None:
        bodyless = self.command == "HEAD" or reply.status in _NO_BODY
        body = b"" if bodyless else reply.body
        self.send_response_only(reply.status)
        for name, value in {**reply.headers, **self._framing(reply, bodyless=bodyless)}.items():
            self.send_header(name, value)
        if body and self.server.registry.protocol.personality.framing is Framing.CHUNKED:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        if fault in {Fault.TRUNCATED, Fault.STALLED}:
            body = body[: len(body) // 2]
        head = sum(len(line) for line in self._headers_buffer)
        self._note(request, reply.status, head + 2 + len(body))  # before anybody can ask
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if fault is Fault.STALLED:
            self.server.registry.ended.wait(60)
        if fault in {Fault.TRUNCATED, Fault.STALLED}:
            self.close_connection = True

    def _framing(self, reply: Reply, *, bodyless: bool) -> dict[str, str]:
        """The headers that say where the body ends."""
        personality = self.server.registry.protocol.personality
        framing = personality.framing if reply.body and not bodyless else Framing.LENGTH
        if framing is Framing.CHUNKED:
            return {"Transfer-Encoding": "chunked"}
        if framing is Framing.CLOSE:
            self.close_connection = True
            return {"Connection": "close"}
        if reply.status in _NO_BODY or (self.command == "HEAD" and not personality.head_length):
            return {}
        return {"Content-Length": str(len(reply.body))}

    def _note(self, request: Request, status: int, down: int) -> None:
        head = sum(len(name) + len(value) + 4 for name, value in self.headers.items())
        up = len(self.raw_requestline) + head + 2 + len(request.body)
        self.server.registry.log.add(Exchange(request, status, up, down))

    def _reset(self) -> None:
        """End the connection as a router does that has had enough."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _spoilt(reply: Reply, fault: Fault) -> Reply:
    """The reply as it comes out of something broken."""
    if fault is Fault.WRONG_BYTES and reply.body:
        body = bytearray(reply.body)
        body[len(body) // 2] ^= 1
        return Reply(reply.status, reply.headers, bytes(body))
    if fault is Fault.WRONG_DIGEST:
        return reply.with_headers({"Docker-Content-Digest": digest_of(b"something else")})
    if fault is Fault.BAD_LOCATION:
        return reply.with_headers({"Location": "http://192.0.2.1/elsewhere"})
    if fault is Fault.ERROR_AFTER:
        return INSTEAD[Fault.ERROR]
    return reply
