"""Which images ``platforms`` chooses, and whether each platform that is asked for is found."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from oci_convert.errors import BlobError, OciConvertError, RefusedError
from oci_convert.spec.models import Platform
from oci_convert.spec.platforms import listed, matches
from oci_convert.tree.nodes import Node

__all__ = ["PlatformChoice"]


class PlatformChoice:
    """The platforms that are asked for, and those that were met in all trees of a run.

    Without any, nothing is chosen and nothing needs to be found.
    """

    def __init__(self, wanted: Sequence[str] = ()) -> None:
        self._wanted = tuple(wanted)
        self._matched: set[str] = set()
        self._here: dict[str, None] = {}
        self._absent: list[tuple[Platform, Node]] = []

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def asks_for(self, platform: Platform | None) -> bool:
        """Whether an image of this platform is asked for."""
        return platform is not None and bool(self._asked(platform))

    def _asked(self, platform: Platform) -> list[str]:
        return [wanted for wanted in self._wanted if matches(platform, wanted)]

    def select(self, platform: Platform | None) -> bool:
        """The same for an image that is here, which is noted."""
        if platform is None:
            return False
        self._here[str(platform)] = None
        found = self._asked(platform)
        self._matched.update(found)
        return bool(found)

    def miss(self, platform: Platform | None, node: Node) -> None:
        """Note an image that an index only names."""
        if platform is not None:
            self._absent.append((platform, node))

    def unmatched(self) -> OciConvertError | None:
        """The error where a platform matched nothing that is here."""
        return self.error("") if set(self._wanted) - self._matched else None

    def error(self, where: str) -> OciConvertError:
        """The error where nothing is here for a platform that was asked for."""
        missing = next((p for p in self._wanted if p not in self._matched), "")
        missing = missing or " or ".join(self._wanted)
        for platform, node in self._absent:
            if matches(platform, missing):
                return _absent(node, missing, self._here)
        return RefusedError(
            f"there is no image for {missing}",
            code="no-such-platform",
            where=where,
            remedy=listed(missing, self._here),
        )


def _absent(node: Node, wanted: str, here: Collection[str]) -> BlobError:
    others = f", or choose what is present: {', '.join(here)}" if here else ""
    return BlobError(
        f"the image for {wanted}, {node.descriptor.digest}, is absent",
        code="blob-missing",
        where=node.where,
        remedy=f"fetch the image again with this platform{others}",
        digest=node.descriptor.digest,
    )
