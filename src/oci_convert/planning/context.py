"""What the planning of one tree has in common: what is asked, and what was found on the way."""

from __future__ import annotations

from collections.abc import Collection

from oci_convert.errors import BlobError, OciConvertError, RefusedError
from oci_convert.findings import Finding
from oci_convert.options import Options
from oci_convert.planning.rendering import Rendered
from oci_convert.spec.media_types import Family, Kind
from oci_convert.spec.models import Platform
from oci_convert.spec.platforms import listed, matches
from oci_convert.tree.nodes import Node

__all__ = ["Context", "missing_blob"]


class Context:
    """What is asked of a tree, the findings so far, and the documents as they are known so far."""

    def __init__(self, family: Family, options: Options, *, partial: bool = False) -> None:
        self.family = family
        self.options = options
        self.partial = partial
        """Images of indexes may be there in part, as in the archives of Docker 29: they count as
        absent."""
        self.findings: list[Finding] = []
        self.rendered = Rendered(keep_extensions=options.keep_extensions)
        self._matched: set[str] = set()
        self._here: dict[str, None] = {}
        self._absent: list[tuple[Platform, Node]] = []

    def find(self, code: str, where: str, message: str) -> None:
        """Note a finding."""
        self.findings.append(Finding.of(code, where, message))

    def asks_for(self, platform: Platform | None) -> bool:
        """Whether ``--platform`` asks for an image of this platform."""
        return platform is not None and bool(self._asked(platform))

    def _asked(self, platform: Platform) -> list[str]:
        return [wanted for wanted in self.options.platforms if matches(platform, wanted)]

    def select(self, platform: Platform | None) -> bool:
        """The same for an image that is here, which is noted."""
        if platform is None:
            return False
        self._here[str(platform)] = None
        found = self._asked(platform)
        self._matched.update(found)
        return bool(found)

    def miss(self, platform: Platform | None, node: Node) -> None:
        """Note an image that is not here."""
        if platform is not None:
            self._absent.append((platform, node))

    def check_platforms(self) -> None:
        """Every ``--platform`` must have matched something that is here."""
        if set(self.options.platforms) - self._matched:
            raise self.no_platform("")

    def no_platform(self, where: str) -> OciConvertError:
        """The error where nothing is there for a platform that was asked for."""
        wanted = self.options.platforms
        missing = next((p for p in wanted if p not in self._matched), " or ".join(wanted))
        for platform, node in self._absent:
            if matches(platform, missing):
                return _missing_image(node, missing, self._here)
        return RefusedError(
            f"there is no image for {missing}",
            code="no-such-platform",
            where=where,
            remedy=listed(missing, self._here),
        )


def missing_blob(node: Node) -> BlobError:
    """The error for a blob that should be there and is not."""
    of_entry = node.kind not in (Kind.INDEX, Kind.MANIFEST) and ".manifests[" in node.where
    others = ", or choose another image with --platform" if of_entry else ""
    return BlobError(
        f"the blob {node.descriptor.digest} is missing",
        code="blob-missing",
        where=node.where,
        remedy=f"fetch the image again{others}",
    )


def _missing_image(node: Node, wanted: str, here: Collection[str]) -> BlobError:
    """The error for an image that was asked for, and that an index only names."""
    others = f", or choose what is present: {', '.join(here)}" if here else ""
    return BlobError(
        f"the image for {wanted}, {node.descriptor.digest}, is absent",
        code="blob-missing",
        where=node.where,
        remedy=f"fetch the image again with this platform{others}",
    )
