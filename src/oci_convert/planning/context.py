"""What the planning of one tree has in common: what is asked, and what was found on the way."""

from __future__ import annotations

from oci_convert.errors import BlobError, RefusedError
from oci_convert.findings import Finding
from oci_convert.options import Options
from oci_convert.planning.rendering import Rendered
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Platform
from oci_convert.spec.platforms import listed, matches
from oci_convert.tree.nodes import Node

__all__ = ["Context", "missing_blob"]


class Context:
    """What is asked of a tree, the findings so far, and the documents as they are known so far."""

    def __init__(self, family: Family, options: Options, *, allow_missing: bool) -> None:
        self.family = family
        self.options = options
        self.allow_missing = allow_missing
        self.findings: list[Finding] = []
        self.rendered = Rendered(keep_extensions=options.keep_extensions)
        self._matched: set[str] = set()
        self._seen_platforms: dict[str, None] = {}

    def find(self, code: str, where: str, message: str) -> None:
        """Note a finding."""
        self.findings.append(Finding.of(code, where, message))

    def selected(self, platform: Platform | None) -> bool:
        """Whether ``--platform`` asks for an image of this platform."""
        if platform is None:
            return False
        self._seen_platforms[str(platform)] = None
        found = [wanted for wanted in self.options.platforms if matches(platform, wanted)]
        self._matched.update(found)
        return bool(found)

    def check_platforms(self) -> None:
        """Every ``--platform`` must have matched something."""
        if set(self.options.platforms) - self._matched:
            raise self.no_platform("")

    def no_platform(self, where: str) -> RefusedError:
        """The error where nothing is there for a platform that was asked for."""
        wanted = self.options.platforms
        missing = next((p for p in wanted if p not in self._matched), " or ".join(wanted))
        return RefusedError(
            f"there is no image for {missing}",
            code="no-such-platform",
            where=where,
            remedy=listed(missing, self._seen_platforms),
        )


def missing_blob(node: Node) -> BlobError:
    """The error for a blob that should be there and is not."""
    return BlobError(
        f"the blob {node.descriptor.digest} is missing",
        code="blob-missing",
        where=node.where,
        remedy="fetch the image again, or choose what is there with --platform or --allow-missing",
    )
