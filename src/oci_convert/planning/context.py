"""What the planning of one tree has in common: what is asked, and what was found on the way."""

from __future__ import annotations

from oci_convert.documents.document import Document
from oci_convert.errors import BlobError, RefusedError
from oci_convert.findings import Finding
from oci_convert.options import Options
from oci_convert.planning.platform_choice import PlatformChoice
from oci_convert.planning.rendering import Rendered
from oci_convert.spec.media_types import Family, Kind
from oci_convert.text.wording import Wording
from oci_convert.transform.document_edits import strips
from oci_convert.tree.nodes import Node

__all__ = ["Context", "missing_blob", "no_image"]


class Context:
    """What is asked of a tree, the findings so far, and the documents as they are known so far."""

    def __init__(
        self,
        family: Family,
        options: Options,
        platforms: PlatformChoice | None = None,
        *,
        partial: bool = False,
    ) -> None:
        self.family = family
        self.options = options
        self.platforms: PlatformChoice = platforms or PlatformChoice(options.platforms)
        self.partial = partial
        """Images of indexes may be there in part, as in the archives of Docker 29: they count as
        absent."""
        self.findings: list[Finding] = []
        self.refusals: list[RefusedError] = []
        """Why the target cannot hold what indexes lost."""
        self.rendered: Rendered = Rendered(
            keep_extensions=options.keep_extensions, digest=options.digest
        )

    def find(self, code: str, where: str, message: str) -> None:
        """Note a finding."""
        self.findings.append(Finding.of(code, where, message))

    def strips(self, document: Document) -> bool:
        """Whether what Docker does not define goes from a document, and is told to be removed."""
        return strips(document, self.family, keep_extensions=self.options.keep_extensions)


def no_image(node: Node) -> RefusedError:
    """The error for a blob that is no document, towards Docker."""
    return RefusedError(
        f"this is not an image but a blob of type {node.descriptor.media_type}",
        code="not-an-image",
        where=node.where,
        remedy="convert to oci, which keeps it unchanged",
    )


def missing_blob(node: Node) -> BlobError:
    """The error for a blob that should be there and is not."""
    of_entry = node.kind not in (Kind.INDEX, Kind.MANIFEST) and ".manifests[" in node.where
    others = ", or choose another image with {platforms=…}" if of_entry else ""
    return BlobError(
        f"the blob {node.descriptor.digest} is missing",
        code="blob-missing",
        where=node.where,
        remedy=Wording(f"fetch the image again{others}"),
        digest=node.descriptor.digest,
    )
