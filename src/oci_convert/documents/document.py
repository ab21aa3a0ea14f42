"""Documents: the bytes of a manifest or an index, with a typed view.

Unchanged means the same bytes. What a document *is*, :mod:`~oci_convert.documents.identity` says;
one that can be read as two things is refused (CVE-2021-41190).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from oci_convert.documents.identity import Identity, identify
from oci_convert.documents.json_reader import Array, Object, compact, scan
from oci_convert.errors import DocumentError, Settle, refuse
from oci_convert.spec.config_rules import broken_rules
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.spec.flawed import tolerated
from oci_convert.spec.media_types import (
    SCHEMA1,
    SCHEMA1_SIGNED,
    SPELLINGS,
    Cell,
    Family,
    Kind,
    families,
    name_of,
)
from oci_convert.spec.models import (
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    RootFS,
    lenient,
    members,
)
from oci_convert.text.brief import Brief

__all__ = [
    "DESCRIPTOR_MEMBERS",
    "DOCUMENT_MEMBERS",
    "Document",
    "Role",
    "Slot",
    "built_manifest",
    "of_two_kinds",
    "read_config",
    "read_document",
    "read_object",
    "refuse_case_variants",
    "settle_variants",
    "spelled_as_go_reads",
    "type_of",
]

DOCUMENT_MEMBERS: Final = frozenset(
    ("schemaVersion", "mediaType", "artifactType", "annotations", "subject", "manifests", "layers")
) | {"config", "fsLayers"}
"""What a manifest or an index can say, in both families."""
DESCRIPTOR_MEMBERS: Final = frozenset(
    ("mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType")
)
"""What a descriptor can say, in both families."""
_PLATFORM_NAMES: Final = frozenset(
    ("architecture", "os", "os.version", "os.features", "variant", "features")
)
_FOREIGN_TO: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.INDEX: ("layers", "config", "fsLayers"),
    Kind.MANIFEST: ("manifests", "fsLayers"),
}


class Role(StrEnum):
    """What a descriptor names for the document it stands in."""

    CONFIG = "config"
    LAYER = "layers"
    ENTRY = "manifests"
    SUBJECT = "subject"
    BLOB = "blobs"
    """Something that a document names which is not read here."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Slot(Brief):
    """A descriptor and its position in a document."""

    role: Role
    index: int
    descriptor: Descriptor
    object: Object

    @property
    def label(self) -> str:
        """``config``, ``layers[3]``, ``manifests[0]`` or ``subject``."""
        return _label(self.role, self.index)


def _label(role: Role, index: int) -> str:
    return role.value if role in (Role.CONFIG, Role.SUBJECT) else f"{role}[{index}]"


class Document:
    """A manifest or an index: :attr:`raw` is what it is, everything else a view of it."""

    def __init__(
        self,
        raw: bytes,
        text: str,
        root: Object,
        kind: Kind,
        identity: Identity,
        where: str,
        settle: Settle = refuse,
    ):
        self.raw = raw
        self.text = text
        self.root = root
        self.kind = kind
        """:attr:`Kind.INDEX` or :attr:`Kind.MANIFEST`."""
        self.media_type: str = identity.media_type
        """What the document is, also where nobody calls it so."""
        self.fault: tuple[str, str] | None = identity.fault
        """What is wrong with what it is called: the code of a finding, and its message."""
        model: type[Manifest] | type[Index] = Manifest if kind is Kind.MANIFEST else Index
        value = root.value if kind is Kind.MANIFEST else _typed(root.value)
        self.model: Manifest | Index = tolerated(model, value, where, settle)
        if self.model.schema_version != 2:
            error = DocumentError("schemaVersion must be 2", code="invalid-document", where=where)
            settle(error, "")

    @property
    def is_misnamed(self) -> bool:
        """Whether it calls itself something else than it is."""
        return (self.root.value.get("mediaType") or self.media_type) != self.media_type

    @property
    def families(self) -> frozenset[Family]:
        """The families whose name for this kind the document bears."""
        return families(self.media_type)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Every descriptor, in the order config, layers or manifests, subject."""
        found: list[Slot] = []
        if isinstance(self.model, Manifest):
            found += self._slots(Role.CONFIG, (self.model.config,))
            found += self._slots(Role.LAYER, self.model.layers or ())
        else:
            found += self._slots(Role.ENTRY, self.model.manifests or ())
        if self.model.subject is not None:
            found += self._slots(Role.SUBJECT, (self.model.subject,))
        return tuple(found)

    def _slots(self, role: Role, descriptors: tuple[Descriptor, ...]) -> list[Slot]:
        if not descriptors:
            return []
        member = self.root.members.get(role)
        stated = None if member is None else member.value
        single = role in (Role.CONFIG, Role.SUBJECT)
        items = stated.items if isinstance(stated, Array) and not single else [stated]
        return [
            # What is no object stands for itself where only the shape of the document is of use.
            Slot(role, i, descriptor, item if isinstance(item, Object) else self.root)
            for i, (descriptor, item) in enumerate(zip(descriptors, items, strict=True))
        ]

    def digest(self, algorithm: str = CANONICAL) -> Digest:
        """The digest of the bytes."""
        return Digest.of(self.raw, algorithm)


def built_manifest(config: Descriptor, layers: Sequence[Descriptor]) -> bytes:
    """A Docker manifest that has no original: compact, in the order of the Go structs."""
    return compact(
        {
            "schemaVersion": 2,
            "mediaType": name_of(Cell(Kind.MANIFEST), Family.DOCKER),
            "config": config.triple(),
            "layers": [
                layer.triple()
                | ({"urls": list(layer.urls)} if layer.urls else {})
                | ({"annotations": layer.annotations} if layer.annotations else {})
                for layer in layers
            ],
        }
    ).encode()


def read_object(
    raw: bytes, where: str, *, size_limit: int | None = None, settle: Settle = refuse
) -> tuple[str, Object]:
    """Read a document that must be a JSON object: its text and the object with its positions.

    ``settle`` is that of :func:`~oci_convert.documents.json_reader.scan`.
    """
    text, value = scan(raw, size_limit=size_limit, where=where, settle=settle)
    if not isinstance(value, Object):
        raise DocumentError(
            "the document is not a JSON object", code="invalid-document", where=where
        )
    return text, value


def read_document(
    raw: bytes,
    media_type: str | None,
    where: str = "",
    *,
    size_limit: int | None = None,
    settle: Settle = refuse,
) -> Document:
    """Read a manifest or an index; ``media_type`` is what its descriptor says, if it has one.

    ``settle`` decides about a member that another reader would read in another way, and about media
    types that contradict each other where the document shows which one is right; and about what
    breaks the specification: who goes on sees the document without it.

    Raises :class:`DocumentError`: ``ambiguous-document``, ``contradictory-media-type``,
    ``unknown-media-type``, ``schema-1``, ``invalid-document`` or one of those of
    :func:`~oci_convert.documents.json_reader.scan`.
    """
    text, root = read_object(raw, where, size_limit=size_limit, settle=settle)
    settle_variants(root.value, DOCUMENT_MEMBERS, where, settle)
    identity = _identity(root, media_type, where, settle)
    kind = _kind(identity.media_type, where)
    for name in _FOREIGN_TO[kind]:
        if name in root.value:
            settle(of_two_kinds(_article(kind), name, where), "")
    document = Document(raw, text, root, kind, identity, where, settle)
    for role, i, descriptor in _descriptors(root.value):
        platform = descriptor.get("platform")
        if platform is None and descriptor.keys() <= DESCRIPTOR_MEMBERS:
            continue  # most are like that
        place = f"{where}.{_label(role, i)}".lstrip(".")
        settle_variants(descriptor, DESCRIPTOR_MEMBERS, place, settle)
        if isinstance(platform, dict):
            settle_variants(platform, _PLATFORM_NAMES, f"{place}.platform", settle)
    return document


def _typed(index: dict[str, Any]) -> dict[str, Any]:
    """An index whose entries all have a media type: one that states none says as much as an empty
    one, as in Go, and what it describes says what it is.
    """
    entries = index.get("manifests")
    if not isinstance(entries, list) or all(map(_says_its_type, entries)):
        return index
    typed = [entry if _says_its_type(entry) else {**entry, "mediaType": ""} for entry in entries]
    return {**index, "manifests": typed}


def _says_its_type(entry: Any) -> bool:
    return not isinstance(entry, dict) or entry.get("mediaType") is not None


def _descriptors(document: Mapping[str, Any]) -> Iterator[tuple[Role, int, dict[str, Any]]]:
    """The descriptors of a document by role and number, without looking up where they stand."""
    for role in Role:
        found = document.get(role)
        if role in (Role.CONFIG, Role.SUBJECT):
            found = [found]
        for i, item in enumerate(found if isinstance(found, list) else ()):
            if isinstance(item, dict):
                yield role, i, item


def type_of(raw: bytes, where: str = "") -> str:
    """The media type of a document that no descriptor describes: its own, else by its shape.

    Raises :class:`DocumentError` as :func:`read_document` does, but not for schema 1.
    """
    _, root = read_object(raw, where)
    return _identity(root, None, where, refuse).media_type


def read_config(raw: bytes, where: str = "") -> tuple[ImageConfig, list[str]]:
    """Read an image config, strictly as JSON and leniently in its values.

    Returns the view and a sentence for every member that breaks the specification.
    """
    _, root = read_object(raw, where)
    refuse_case_variants(root, members(ImageConfig), where)
    rootfs = root.get("rootfs")
    if isinstance(rootfs, Object):
        # Which layers an image has must not depend on who reads it.
        refuse_case_variants(rootfs, members(RootFS), f"{where}.rootfs".lstrip("."))
    view, problems = lenient(ImageConfig, root.value)
    return view, [*problems, *broken_rules(root.value)]


def of_two_kinds(what: str, name: str, where: str) -> DocumentError:
    """The error of a document that has a member of another kind."""
    return DocumentError(
        f"the document is ambiguous: {what} with a field {name!r}",
        code="ambiguous-document",
        where=where,
        remedy="tools would read it differently (CVE-2021-41190); do not use it",
    )


def _article(kind: Kind) -> str:
    return "an index" if kind is Kind.INDEX else "a manifest"


def _identity(root: Object, media_type: str | None, where: str, settle: Settle) -> Identity:
    """What a document is, which its descriptor calls ``media_type``."""
    found = identify(root, media_type, where, settle)
    if found is None:
        named = media_type or root.value.get("mediaType")
        raise DocumentError(
            f"{named} is neither a manifest nor an index"
            if named
            else "the document is neither a manifest nor an index: it has none of the fields "
            "config, manifests and fsLayers",
            code="unknown-media-type",
            where=where,
        )
    return found


def _kind(media_type: str, where: str) -> Kind:
    """What a document of this type is, if it is one that is read here."""
    if media_type in (SCHEMA1, SCHEMA1_SIGNED):
        raise DocumentError(
            "the manifest is schema 1", code="schema-1", where=where, remedy=_SCHEMA1_REMEDY
        )
    return SPELLINGS[media_type].cell.kind


_SCHEMA1_REMEDY = "upgrading it needs its layers: convert the image, not only the document"


def refuse_case_variants(target: Object, known: frozenset[str], where: str) -> None:
    """Refuse members that are called like known ones but for their case.

    Go reads ``Layers`` as ``layers``; nobody else does.
    """
    settle_variants(target.value, known, where, refuse)


def settle_variants(
    members: Mapping[str, Any], known: frozenset[str], where: str, settle: Settle
) -> None:
    """The same of plain data, where ``settle`` decides."""
    strange = members.keys() - known
    folded = {name.casefold(): name for name in known} if strange else {}
    for name in sorted(strange):
        twin = folded.get(name.casefold())
        if twin is not None:
            error = DocumentError(
                f"the document is ambiguous: its field {name!r} differs from {twin!r} only by case",
                code="ambiguous-document",
                where=where,
                remedy="tools would read it differently; do not use it",
            )
            settle(error, "")


def spelled_as_go_reads(
    members: Mapping[str, Any], known: frozenset[str], where: str
) -> dict[str, Any]:
    """The same members, each known one under its own name however its case is spelled.

    For the one document for whose bytes no digest vouches, so that to read it as every other reader
    does harms nobody. Raises :class:`DocumentError` where two members are the same one to Go.
    """
    names = {name.casefold(): name for name in known}
    found: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for name, value in members.items():
        meant = names.get(name.casefold(), name)
        if meant in spelled:
            raise DocumentError(
                f"the document is ambiguous: its members {spelled[meant]!r} and {name!r} differ "
                "only by case",
                code="ambiguous-document",
                where=where,
                remedy="tools would read it differently; do not use it",
            )
        spelled[meant] = name
        found[meant] = value
    return found
