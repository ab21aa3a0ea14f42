"""One upload of one blob, from its session to its end, and again from the first byte.

Implements *Pushing blobs* of the OCI distribution specification 1.1. A blob goes as a whole; or in
pieces whose arrival is compared with what was sent, since some registries drop what they do not
expect; or, while its digest is not known, as one piece without a length.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from oci_convert.errors import OciConvertError, StoreError
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import OCTET_STREAM
from oci_convert.stores.registry.calls import Call, Kind
from oci_convert.stores.registry.downloads import Downloads
from oci_convert.stores.registry.headers import last_received, number
from oci_convert.stores.registry.outgoing import Chunks, Outgoing, ReadingError
from oci_convert.stores.registry.refusals import TryAgain, refused, words_of
from oci_convert.stores.registry.remote import bad_answer
from oci_convert.stores.registry.retries import Retries
from oci_convert.stores.registry.transport import Answer

__all__ = ["UploadSession"]

_BINARY: Final = {"Content-Type": OCTET_STREAM}
_ANEW: Final = frozenset({"DIGEST_INVALID", "SIZE_INVALID", "BLOB_UPLOAD_UNKNOWN"})
"""What says that an upload went wrong on its way: from the first byte, it may go well."""


class UploadSession:
    """Uploads a blob. ``expected`` is its digest and size where they are known before.

    ``where`` is the place that errors of what is read name.
    """

    def __init__(
        self,
        remote: Downloads,
        chunks: Chunks,
        expected: tuple[Digest, int] | None,
        algorithm: str,
        where: str = "",
    ) -> None:
        self._remote = remote
        self._host = remote.host
        self._chunks = chunks
        self._expected = expected
        self._algorithm = algorithm
        self._where = where or f"docker://{remote.repository}"
        self._opened: str | None = None
        """Where the session is that the registry keeps for us."""

    def run(self, location: str | None = None) -> tuple[Digest, int]:
        """Upload, in the session at ``location`` if there is one; gives digest and size.

        A session that will not be used, because there is nothing to send or the run ends, is
        given back.
        """
        self._opened = location
        try:
            return self._run(location)
        except ReadingError as failed:
            self._cancel()
            raise failed.error from None
        except OciConvertError:
            raise  # the registry is not well: it is left alone
        except BaseException:
            self._cancel()
            raise

    def _run(self, location: str | None) -> tuple[Digest, int]:
        retries = Retries(self._host.options, self._host.pace)
        while True:
            outgoing = Outgoing(
                self._chunks(),
                self._remote.access.traffic,
                self._where,
                expected=self._expected,
                algorithm=self._algorithm,
            )
            try:
                self._send(location, outgoing)
            except TryAgain as again:
                retries.wait(again)
                location = self._opened = None
                if not outgoing.finished or self._remote.head_blob(outgoing.digest) is None:
                    continue  # else only the answer was lost
            return outgoing.digest, outgoing.size

    def _send(self, location: str | None, outgoing: Outgoing) -> None:
        least = 0
        if location is None:
            location, least = self._begin()
        chunk = self._host.options.chunk
        if chunk is not None:
            location = self._in_pieces(location, outgoing, max(chunk, least))
        elif self._expected is not None:
            self._at_once(location, outgoing, self._expected)
            return
        else:
            location = self._without_length(location, outgoing)
        self._close(location, outgoing)

    def _cancel(self) -> None:
        """Give the session back, so that the registry need not keep what came: tried once."""
        if self._opened is not None:
            call = replace(self._call("DELETE", self._opened), hurried=True)
            with suppress(OciConvertError, TryAgain):
                self._host.attempt(call)

    def _begin(self) -> tuple[str, int]:
        """Open a session; gives its address, and the least that a piece has to have."""
        call = self._call("POST", f"/v2/{self._remote.repository.name}/blobs/uploads/")
        answer = self._host.attempt(call)
        if answer.status != HTTPStatus.ACCEPTED:
            raise refused(call, answer)
        least = number(answer.headers.get("OCI-Chunk-Min-Length", ""))
        return self._located(call, answer), least or 0

    def _at_once(self, location: str, outgoing: Outgoing, expected: tuple[Digest, int]) -> None:
        digest, size = expected
        headers = {**_BINARY, "Content-Length": str(size)}
        call = self._call("PUT", _closing(location, digest), digest, headers, outgoing, size)
        self._check_end(call, self._streamed(call), digest)

    def _without_length(self, location: str, outgoing: Outgoing) -> str:
        call = self._call("PATCH", location, "", _BINARY, outgoing)
        answer = self._streamed(call)
        if answer.status != HTTPStatus.ACCEPTED:
            raise self._refused(call, answer)
        self._check_arrived(call, answer, outgoing.size)
        return self._located(call, answer)

    def _streamed(self, call: Call) -> Answer:
        """Send a body that can be sent once, with a token that lives long enough."""
        return self._host.read(self._host.open(call, fresh=True), call)

    def _in_pieces(self, location: str, outgoing: Outgoing, size: int) -> str:
        start = 0
        for piece in outgoing.pieces(size):
            location = self._piece(location, start, piece)
            start += len(piece)
        return location

    def _piece(self, location: str, start: int, piece: bytes) -> str:
        """Send a piece, and give where the next one goes.

        If it is not sure what became of it, the registry is asked how much it has.
        """
        end = start + len(piece)
        headers = {**_BINARY, "Content-Range": f"{start}-{end - 1}"}
        retries = Retries(self._host.options, self._host.pace)
        while True:
            call = self._call("PATCH", location, "", headers, piece, len(piece))
            try:
                return self._sent(call, end)
            except TryAgain as again:
                retries.wait(again)
                has, location = self._arrived(location)
                if has == end:
                    return location
                if has != start:
                    raise TryAgain(again.error, 0.0) from None

    def _sent(self, call: Call, end: int) -> str:
        answer = self._host.attempt(call)
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise TryAgain(refused(call, answer))
        if answer.status != HTTPStatus.ACCEPTED:
            raise self._refused(call, answer)
        self._check_arrived(call, answer, end)
        return self._located(call, answer)

    def _arrived(self, location: str) -> tuple[int | None, str]:
        """The bytes that the registry has of an upload, if it says so, and where it goes on."""
        call = self._call("GET", location)
        answer = self._host.ask(call)
        if answer.status != HTTPStatus.NO_CONTENT:
            return None, location
        if answer.headers.get("Location"):
            location = self._located(call, answer)
        # Of an upload without a byte, there is no way to spell the range.
        last = last_received(answer.headers.get("Range", ""))
        return 0 if last in (None, 0) else last + 1, location

    def _close(self, location: str, outgoing: Outgoing) -> None:
        digest = outgoing.digest
        headers = {**_BINARY, "Content-Length": "0"}
        call = self._call("PUT", _closing(location, digest), digest, headers)
        self._check_end(call, self._host.attempt(call), digest)

    def _check_arrived(self, call: Call, answer: Answer, size: int) -> None:
        """Compare what has arrived with what was sent, where the registry says it."""
        has = last_received(answer.headers.get("Range", ""))
        if has is not None and has != size - 1:
            raise StoreError(
                f"the registry kept {has + 1} of the {size} bytes that it was sent",
                code="chunk-lost",
                store=call.where,
                remedy="it does not take blobs in pieces: leave out chunk=…",
            )

    def _check_end(self, call: Call, answer: Answer, digest: Digest) -> None:
        if answer.status != HTTPStatus.CREATED:
            raise self._refused(call, answer)
        wrong = self._remote.not_taken(call, answer, digest)
        if wrong is not None:
            raise TryAgain(bad_answer(call, wrong))

    def _refused(self, call: Call, answer: Answer) -> Exception:
        error = refused(call, answer)
        if words_of(answer).codes.isdisjoint(_ANEW):
            return error
        return TryAgain(error)

    def _located(self, call: Call, answer: Answer) -> str:
        self._opened = self._host.locate(call, answer.headers.get("Location", ""))
        return self._opened

    def _call(
        self,
        method: str,
        target: str,
        subject: str = "",
        headers: dict[str, str] | None = None,
        body: bytes | Outgoing | None = None,
        size: int = 0,
    ) -> Call:
        access = self._remote.access
        return Call(access, Kind.UPLOAD, method, target, subject, headers or {}, body, size)


def _closing(location: str, digest: Digest) -> str:
    """The address that ends an upload: what the registry gave, which may have a query already."""
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"
