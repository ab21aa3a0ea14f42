"""Blobs that are written: mounted where that is possible, else uploaded; each once in a run."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import urlencode

from oci_convert.errors import StoreError
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.stores.registry.calls import Access, Kind, scope
from oci_convert.stores.registry.downloads import Downloads
from oci_convert.stores.registry.outgoing import Chunks
from oci_convert.stores.registry.reference import Repository
from oci_convert.stores.registry.upload_session import UploadSession

__all__ = ["Chunks", "Placed", "Uploads"]


class Placed(StrEnum):
    """How a blob came to be where it is."""

    KNOWN = "known"
    """This run knew that it is there."""
    MOUNTED = "mounted"
    """The registry took it from another of its repositories; no byte moved."""
    UPLOADED = "uploaded"


class Uploads(Downloads):
    """Writes blobs."""

    def put_blob(
        self,
        digest: Digest,
        size: int,
        chunks: Chunks,
        *,
        where: str = "",
        mount_from: Repository | None = None,
    ) -> Placed:
        """Put a blob of a known digest here, unless this run knows that it is.

        With ``mount_from``, the registry is asked to take it from that repository of its own; where
        it does not, the blob is uploaded after all. Its last bytes are sent when ``chunks`` have
        proved to have the digest and the size, and nobody else in this run puts the same blob
        meanwhile. Raises :class:`BlobError` at ``where`` for what ``chunks`` are not, whatever they
        raise, and :class:`StoreError`.
        """
        key = self._key(digest)
        with self._known.alone(key):
            if key in self._known:
                return Placed.KNOWN
            mounted, session = False, None
            if mount_from is not None:
                mounted, session = self._mount(digest, mount_from)
            if not mounted:
                UploadSession(self, chunks, (digest, size), digest.algorithm, where).run(session)
            self._known.add(key)
        return Placed.MOUNTED if mounted else Placed.UPLOADED

    def put_stream(self, chunks: Chunks, algorithm: str = CANONICAL) -> tuple[Digest, int]:
        """Put a blob whose digest and size come out only at its end, and give these.

        It goes as one piece of unknown length, the way Docker pushes layers, or in pieces with the
        option ``chunk``.
        """
        digest, size = UploadSession(self, chunks, None, algorithm).run()
        self._known.add(self._key(digest))
        return digest, size

    def _mounting(self, source: Repository) -> Access:
        """In whose name a blob is mounted: it has to be read there, too."""
        return replace(self.access, scopes=self.access.scopes | {scope(source)})

    def _mount(self, digest: Digest, source: Repository) -> tuple[bool, str | None]:
        """Whether a blob was mounted, and the session that the registry opened instead.

        One that is not there although the registry says so is not mounted: it can be uploaded.
        """
        query = urlencode({"mount": digest, "from": source.name}, safe=":/")
        call = self._call(Kind.UPLOAD, "POST", f"blobs/uploads/?{query}", digest)
        call = replace(call, access=self._mounting(source))
        try:
            answer = self.host.ask(call)
        except StoreError as error:
            if error.code != "registry-unauthorized":
                raise
            return False, None  # we may not read there; whether we may write here, comes out next
        if answer.status == HTTPStatus.ACCEPTED:
            return False, self.host.locate(call, answer.headers.get("Location", ""))
        made = answer.status == HTTPStatus.CREATED
        return made and self.not_taken(call, answer, digest) is None, None
