"""Blobs that are read: streamed, verified, and taken up again where a connection broke off.

Implements *Pulling blobs* of the OCI distribution specification 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from typing import Final

from urllib3.exceptions import HTTPError, ProtocolError

from oci_convert.errors import BlobError, OciConvertError
from oci_convert.layers.streams import CHUNK, Tally
from oci_convert.spec.digest import Digest
from oci_convert.stores.registry.calls import Call, Kind
from oci_convert.stores.registry.failures import failed
from oci_convert.stores.registry.headers import content_range
from oci_convert.stores.registry.manifests import Head, head_of
from oci_convert.stores.registry.refusals import TryAgain, refused
from oci_convert.stores.registry.remote import Remote, bad_answer, stated_digest
from oci_convert.stores.registry.retries import Retries
from oci_convert.stores.registry.transport import Answer, Response

__all__ = ["Downloads"]

_BROKEN: Final = "the registry or a proxy before it is broken"


class Downloads(Remote):
    """Reads blobs."""

    def head_blob(self, digest: Digest) -> Head | None:
        """What the registry says of a blob, or ``None`` if it is not there."""
        call = self._call(Kind.BLOB, "HEAD", f"blobs/{digest}", digest)
        answer = self.host.ask(call)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise refused(call, answer)
        self._known.add(self._key(digest))
        return head_of(call, answer)

    def not_taken(self, call: Call, answer: Answer, digest: Digest) -> str | None:
        """What is wrong with an answer that says that a blob was taken or mounted; ``None`` if it
        is true.

        An answer that does not state a digest to compare is not believed: the blob is asked for.
        """
        stated = stated_digest(call, answer)
        if stated is None or stated.algorithm != digest.algorithm:
            there = self.head_blob(digest) is not None
            return None if there else "that it took a blob, and has not got it"
        if stated != digest:
            return f"that {stated.short()} is what hashes to {digest.short()}"
        return None

    def blob(self, digest: Digest, size: int | None, *, verify: bool = True) -> Iterator[bytes]:
        """The chunks of a blob, none of them empty.

        A connection that breaks off is opened again where it was (``Range``); tries are counted
        anew whenever a chunk has come through. Without ``verify``, for a reader that does so, only
        the length is checked, where it is known. Raises :class:`BlobError` (``blob-missing``,
        ``blob-truncated``, ``wrong-size``, ``digest-mismatch``) and :class:`StoreError`.
        """
        call = self._call(Kind.BLOB, "GET", f"blobs/{digest}", digest)
        tally = Tally(digest.algorithm) if verify else None
        had = 0
        retries = Retries(self.host.options, self.host.pace)
        while True:
            try:
                for chunk in self._from(call, had, size):
                    had += len(chunk)
                    if tally is not None:
                        tally.update(chunk)
                    if len(chunk) == CHUNK:
                        retries.progress()
                    yield chunk
                break
            except TryAgain as again:
                retries.wait(again)
        if tally is not None and tally.digest != digest:
            how = f"it hashes to {tally.digest.short()}, in {had} bytes"
            raise _broken(call, "digest-mismatch", how, digest, tally.digest)
        self._known.add(self._key(digest))

    def blob_head(self, digest: Digest, size: int, most: int) -> bytes:
        """The first bytes of a blob, at most ``most``; not verified."""
        most = min(most, size)
        headers = {"Range": f"bytes=0-{most - 1}"}
        call = self._call(Kind.BLOB, "GET", f"blobs/{digest}", digest, headers=headers)

        def once() -> bytes:
            with closing(self._opened(call)) as response:
                try:
                    head = response.read(most, decode_content=False)
                except HTTPError as error:
                    raise failed(error, self.host.origin, call.where, reached=True) from None
            call.access.traffic.down(len(head))
            return head

        return self.host.persist(once) if most else b""

    def _from(self, call: Call, start: int, size: int | None) -> Iterator[bytes]:
        """The chunks of a blob from ``start`` on; raises :class:`TryAgain` where they break off."""
        if start == size and size:
            return
        headers = {"Range": f"bytes={start}-"} if start else {}
        ranged = self._call(
            Kind.BLOB, "GET", f"blobs/{call.subject}", call.subject, headers=headers
        )
        with closing(self._opened(ranged)) as response:
            skip = start if response.status == HTTPStatus.OK else 0
            first = start - skip
            if start and not skip:
                _check_range(ranged, response, start)
            stated = response.length_remaining
            if stated is not None and size is not None and stated != size - first:
                has = first + stated
                code = "blob-truncated" if has < size else "wrong-size"
                how = f"it has {has} bytes, not the {size} stated"
                raise _broken(call, code, how, size, has)
            yield from self._rest(ranged, response, first, skip, size)

    def _rest(
        self, call: Call, response: Response, first: int, skip: int, size: int | None
    ) -> Iterator[bytes]:
        at = first
        traffic = self.access.traffic
        try:
            for chunk in response.stream(CHUNK, decode_content=False):
                at += len(chunk)
                traffic.down(len(chunk))
                if size is not None and at > size:
                    how = f"it goes on after the {size} bytes stated"
                    raise _broken(call, "wrong-size", how, size, at)
                new = chunk[max(0, len(chunk) - (at - first - skip)) :] if skip else chunk
                if new:
                    yield new
        except ProtocolError:
            what = f"the connection broke off after {at}{f' of {size}' if size else ''} bytes"
            raise TryAgain(_broken(call, "blob-truncated", what, size, at)) from None
        except HTTPError as error:
            raise failed(error, self.host.origin, call.where, reached=True) from None
        if size is not None and at < size:
            what = f"it ends after {at} of {size} bytes"
            raise TryAgain(_broken(call, "blob-truncated", what, size, at))

    def _opened(self, call: Call) -> Response:
        response = self.host.open(call)
        if response.status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            return response
        answer = self.host.read(response, call)
        if answer.status == HTTPStatus.NOT_FOUND:
            self._known.discard(self._key(call.subject))
            raise BlobError(
                f"the registry has no blob {call.subject}",
                code="blob-missing",
                store=call.where,
                remedy="push the image again",
                digest=call.subject,
            )
        raise _refused(call, answer)


def _refused(call: Call, answer: Answer) -> OciConvertError:
    if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return _broken(call, "blob-truncated", "the registry has no more of it")
    return refused(call, answer)


def _check_range(call: Call, response: Response, start: int) -> None:
    stated = content_range(response.headers.get("Content-Range", ""))
    if stated is None or stated[0] != start:
        raise bad_answer(call, "with another part of a blob than it was asked for")


def _broken(
    call: Call,
    code: str,
    how: str,
    expected: str | int | None = None,
    actual: str | int | None = None,
) -> BlobError:
    return BlobError(
        f"the blob {call.subject[:19]} cannot be read whole: {how}",
        code=code,
        store=call.where,
        remedy=_BROKEN,
        digest=call.subject,
        expected=expected,
        actual=actual,
    )
