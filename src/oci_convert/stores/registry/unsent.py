"""A repository that is read, but not written to: what a dry run would send is only counted."""

from __future__ import annotations

from oci_convert.layers.streams import Tally
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.stores.registry.calls import Access, Kind
from oci_convert.stores.registry.client import RemoteRepository
from oci_convert.stores.registry.manifests import Fetched, Pushed
from oci_convert.stores.registry.outgoing import Chunks
from oci_convert.stores.registry.reference import Repository
from oci_convert.stores.registry.uploads import Placed

__all__ = ["UnsentRepository"]


class UnsentRepository(RemoteRepository):
    """Answers as ``remote`` would, if it does everything that it is asked for, mounts included.

    Its requests are counted with those that were sent. What it would have by now, it knows for
    itself; other users of the client do not.
    """

    sends = False

    def __init__(self, remote: RemoteRepository) -> None:
        super().__init__(remote.host, remote.access, remote._known)
        self._there: set[object] = set()
        self._tagged: dict[str, Fetched] = {}

    def _count(self, size: int = 0, access: Access | None = None) -> None:
        access = access or self.access
        access.authorizer.header(access)  # a token that a push needs is a request, too
        access.traffic.sent(size)

    def knows(self, digest: Digest, kind: Kind = Kind.BLOB) -> bool:
        return self._key(digest, kind) in self._there or super().knows(digest, kind)

    def manifest(self, reference: str) -> Fetched:
        tagged = self._tagged.get(reference)
        if tagged is None:
            return super().manifest(reference)
        self._count()
        self.access.traffic.down(len(tagged.raw))
        return tagged

    def find_manifest(self, reference: str) -> Fetched | None:
        there = reference in self._tagged
        return self.manifest(reference) if there else super().find_manifest(reference)

    def put_manifest(
        self, raw: bytes, media_type: str, *, tag: str | None = None, algorithm: str = CANONICAL
    ) -> Pushed:
        digest = Digest.of(raw, algorithm)
        if tag is None and self.knows(digest, Kind.MANIFEST):
            return Pushed(digest, new=False)
        self._count(len(raw))
        self._there.add(self._key(digest, Kind.MANIFEST))
        if tag is not None:
            self._tagged[tag] = Fetched(raw, media_type, digest)
        return Pushed(digest, new=True, subject_handled=not self.lacks_api)

    def put_blob(
        self,
        digest: Digest,
        size: int,
        chunks: Chunks,
        *,
        where: str = "",
        mount_from: Repository | None = None,
    ) -> Placed:
        if self.knows(digest):
            return Placed.KNOWN
        self._there.add(self._key(digest))
        if mount_from is not None:
            self._count(access=self._mounting(mount_from))
            return Placed.MOUNTED
        for _ in chunks():
            pass  # what is wrong with them shows in a dry run, too
        self._upload(size, pieces=self.host.options.chunk is not None)
        return Placed.UPLOADED

    def put_stream(self, chunks: Chunks, algorithm: str = CANONICAL) -> tuple[Digest, int]:
        tally = Tally(algorithm)
        for chunk in chunks():
            tally.update(chunk)
        self._upload(tally.size, pieces=True)
        self._there.add(self._key(tally.digest))
        return tally.digest, tally.size

    def _upload(self, size: int, *, pieces: bool) -> None:
        """Count a session, what is sent in it, and its end, which may be one with the last byte."""
        self._count()
        if pieces:
            step = self.host.options.chunk or size or 1
            for start in range(0, size, step):
                self._count(min(step, size - start))
        self._count(0 if pieces else size)
