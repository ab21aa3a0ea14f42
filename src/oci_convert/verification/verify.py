"""Verifying: everything that an image states is checked, and all faults are reported."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, computed_field

from oci_convert.checks.blobs import check_all
from oci_convert.checks.documents import Presence
from oci_convert.documents.document import Role
from oci_convert.errors import OciConvertError
from oci_convert.fault_codes import FAULTS
from oci_convert.findings import Finding, Level, told
from oci_convert.plain import Plain
from oci_convert.progress import Progress
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Kind
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import called, referrer_kind
from oci_convert.stores.base import Root, Source
from oci_convert.stores.containers_dir import ContainersDirSource
from oci_convert.stores.files.folder import UNFINISHED
from oci_convert.stores.files_store import FilesSource
from oci_convert.stores.oci_layout import OciLayoutSource, blob_name
from oci_convert.stores.opening import SourceLike, opened
from oci_convert.text.html import drawn, short_digest, table, tag
from oci_convert.text.words import bytes_of
from oci_convert.tree.nodes import Image, Tree
from oci_convert.tree.reader import Faults, read_tree

__all__ = ["Effort", "Verification", "VerifiedImage", "verify"]


@dataclass(frozen=True, slots=True, repr=False)
class VerifiedImage(Plain):
    """An image that was verified."""

    name: str | None
    """What the store calls it."""
    media_type: Annotated[str, Field(alias="mediaType")]
    """The media type of its manifest or index."""
    digest: str
    """Its digest, as it is stated: of what is broken it may be none, or empty."""
    size: int
    """Bytes of its manifest or index."""

    @property
    def descriptor(self) -> Descriptor:
        """The media type, digest and size of the image; raises :class:`DocumentError` without."""
        digest = Digest(self.digest)
        return Descriptor(media_type=self.media_type, digest=digest, size=self.size)


@dataclass(frozen=True, slots=True, repr=False)
class Effort(Plain):
    """How much was read."""

    blobs: int
    """Distinct blobs, documents among them."""
    bytes_read: int
    """Bytes that were read."""
    seconds: float
    """How long it took."""


@dataclass(frozen=True, repr=False)
class Verification(Plain):
    """The result: what was verified, and all findings."""

    version: Literal[1] = field(default=1, init=False)
    """The version of this format: a key that goes, or changes its meaning, changes it."""
    source: str
    """The reference of the source."""
    images: tuple[VerifiedImage, ...]
    """The images that were verified; none if the source is too damaged to list them."""
    findings: tuple[Finding, ...]
    """In the order of the tree, then what concerns the store as a whole."""
    totals: Effort
    """How much was read."""
    presence: Presence
    """How many of the images that the source names are in it."""

    @computed_field  # type: ignore[prop-decorator] # as pydantic says of properties
    @property
    def sound(self) -> bool:
        """Whether nothing is wrong: no finding is an error."""
        return not any(finding.level is Level.ERROR for finding in self.findings)

    def _repr_html_(self) -> str:
        answer = tag("b", "sound", kind="good") if self.sound else tag("b", "not sound", kind="bad")
        images = table(
            ("image", "digest", "size"),
            (
                (image.name or "(unnamed)", short_digest(image.digest), bytes_of(image.size))
                for image in self.images
            ),
        )
        return drawn(tag("div", f"{self.source}: ", answer), images, told(self.findings))

    @property
    def sparse(self) -> bool:
        """Whether an index names something that is not here, so that it must be elsewhere."""
        return any(finding.code == "sparse-index" for finding in self.findings)


def verify(
    source: SourceLike,
    *,
    complete: bool = False,
    documents: bool = False,
    follow_links: bool = False,
    jobs: int | None = None,
    on_progress: Callable[[Progress], object] | None = None,
) -> Verification:
    """Check everything that the images of a source state: every document and blob is read once.

    ``source`` is a store, as :func:`convert` takes it: with a REF, only that image is verified. An
    index may name images that are not in the source: that is a warning unless ``complete`` asks for
    all of them. An index of which no image is there is never sound. With ``documents``, layers and
    other blobs are not read: manifests, indexes and configs alone are. ``follow_links`` reads the
    files that the links of a store lead to, wherever that is. ``jobs`` is the number of blobs that
    are read at a time (default: the number of CPUs); ``on_progress`` is called by one thread at a
    time, and what it raises ends the run.

    What is wrong with the images is in :attr:`Verification.findings`. Raises
    :class:`OciConvertError` only where there is no image to verify: no such store, no such REF.
    """
    began = time.monotonic()
    try:
        with opened(source, follow_links=follow_links) as (reference, store, roots):
            if not roots:
                raise store.empty()
            run = _Run(store, roots, complete=complete, whole=not documents)
            findings = run.findings(jobs, on_progress)
            effort = Effort(run.blobs, run.bytes_read, round(time.monotonic() - began, 3))
            return Verification(str(reference), run.images, findings, effort, run.presence)
    except OciConvertError as error:
        if error.code not in FAULTS:
            raise
        # An unreadable store is reported like a fault of one image.
        finding = Finding.of(error.code, error.place, error.message)
        effort = Effort(0, 0, round(time.monotonic() - began, 3))
        return Verification(str(source), (), (finding,), effort, Presence(0, 0))


class _Run:
    def __init__(
        self, source: Source, roots: Sequence[Root], *, complete: bool, whole: bool
    ) -> None:
        self._source = source
        self._roots = roots
        self.tree = read_tree(source, roots, faults=Faults.NOTE)
        self._complete = complete
        self._whole = whole
        self.presence = Presence(0, 0)
        self.bytes_read = sum(len(node.stored or b"") for node in self.tree.nodes())

    @property
    def images(self) -> tuple[VerifiedImage, ...]:
        return tuple(
            VerifiedImage(
                called(image.root.annotations),
                image.node.old.media_type,
                image.node.old.digest,
                image.node.old.size,
            )
            for image in self.tree.images
        )

    @property
    def blobs(self) -> int:
        nodes = (node for node in self.tree.nodes() if node.present)
        return len({node.descriptor.digest for node in nodes})

    def findings(
        self, jobs: int | None, on_progress: Callable[[Progress], object] | None
    ) -> tuple[Finding, ...]:
        documents, blobs = check_all(
            self.tree,
            self._source,
            jobs,
            on_progress,
            complete=self._complete,
            whole=self._whole,
        )
        self.presence = documents.presence()
        self.bytes_read += blobs.bytes_read
        everything = list(self._roots) == list(self._source.roots())
        store = _of_store(self._source, self.tree, everything=everything)
        return (*_in_order([*documents.findings, *blobs.findings]), *store)


def _in_order(findings: Iterable[Finding]) -> list[Finding]:
    """By path, ``layers[2]`` before ``layers[10]``; the same finding only once."""

    def place(finding: Finding) -> list[tuple[int, str]]:
        parts = re.split(r"([0-9]+)", finding.where)
        return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]

    return sorted(dict.fromkeys(findings), key=place)


def _of_store(source: Source, tree: Tree, *, everything: bool) -> Iterator[Finding]:
    """What is worth knowing of the store as a whole."""
    if not isinstance(source, ContainersDirSource):
        for image in tree.images:
            digest = image.node.descriptor.digest
            if digest and called(image.root.annotations) is None and not _refers(image):
                message = f"{digest} has no name"
                yield Finding.of("untagged-image", image.node.where, message)
    if everything and isinstance(source, OciLayoutSource):
        yield from _orphans(source, tree)
    if isinstance(source, FilesSource):
        unfinished = len(list(source.files.names(UNFINISHED)))
        if unfinished:
            message = "there is 1 unfinished file"
            if unfinished > 1:
                message = f"there are {unfinished} unfinished files"
            yield Finding.of("leftover", UNFINISHED, message)


def _refers(image: Image) -> bool:
    """Whether it refers to another image, so that it needs no name."""
    document = image.node.document_or_none
    subjects = () if document is None else (s for s in document.slots if s.role is Role.SUBJECT)
    return referrer_kind(image.root.annotations) is not None or any(subjects)


def _orphans(source: OciLayoutSource, tree: Tree) -> Iterator[Finding]:
    """The files below ``blobs/`` that no image names."""
    named: set[str] = set()
    for node in tree.nodes():
        unread = node.kind in (Kind.INDEX, Kind.MANIFEST) or node.faults
        if node.document_or_none is None and unread and node.role is not Role.SUBJECT:
            return  # its children are unknown
        named.add(blob_name(node.descriptor.name))
    named |= {blob_name(image.root.descriptor.name) for image in tree.images}
    for name in sorted(source.files.names("blobs")):
        if name not in named:
            yield Finding.of("orphan-blob", name, "not referenced by any image")
