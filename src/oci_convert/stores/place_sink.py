"""What every sink over a place has in common: how a blob gets there."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

from oci_convert.blobs.streams import Tally, read_chunks, verified
from oci_convert.ground.digest import CANONICAL, Digest
from oci_convert.ground.errors import BlobError
from oci_convert.papers.models import Descriptor
from oci_convert.stores.base import Sink
from oci_convert.stores.places import WritablePlace

__all__ = ["PlaceSink"]


class PlaceSink(Sink):
    """Writes blobs as files of a place, under names that a subclass gives them."""

    def __init__(self, place: WritablePlace, label: str) -> None:
        self.place = place
        self.label = label

    @abstractmethod
    def name(self, digest: Digest, *, document: bool) -> str:
        """The file of a blob."""

    @abstractmethod
    def sealed(self) -> bool:
        """Whether the place holds an image, so that nothing in it may be removed."""

    def has(self, descriptor: Descriptor, *, document: bool = False, verify: bool = False) -> bool:
        name = self.name(descriptor.name, document=document)
        if not self.place.has(name, descriptor.size):
            return False
        return not verify or self._is_sound(name, descriptor)

    def _is_sound(self, name: str, descriptor: Descriptor) -> bool:
        try:
            with self.place.open(name) as file:
                chunks = read_chunks(file)
                for _ in verified(chunks, descriptor.name, descriptor.size, self.label):
                    pass
        except BlobError:
            return False
        return True

    def put(
        self,
        chunks: Iterable[bytes],
        where: str,
        *,
        expected: Descriptor | None = None,
        algorithm: str = CANONICAL,
        document: bool = False,
    ) -> tuple[Digest, int]:
        tally = Tally(expected.name.algorithm if expected is not None else algorithm)
        pending = self.place.create()
        try:
            for chunk in chunks:
                tally.update(chunk)
                if expected is not None and tally.size > expected.size:
                    tally.check(expected.name, expected.size, where)
                pending.write(chunk)
            if expected is not None:
                tally.check(expected.name, expected.size, where)
            digest = tally.digest
            pending.publish(self.name(digest, document=document))
        except BaseException:
            pending.discard()
            raise
        return digest, tally.size

    def write(self, name: str, data: bytes) -> None:
        """Write a small file that no digest names."""
        pending = self.place.create()
        try:
            pending.write(data)
            pending.publish(name)
        except BaseException:
            pending.discard()
            raise

    def abort(self) -> None:
        self.place.undo(sealed=self.sealed())

    def close(self) -> None:
        self.place.close()
