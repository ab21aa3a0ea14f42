"""Names of images, and how one kind of name is converted to another.

An entry of an index is identified by a pair of annotations: ``org.opencontainers.image.ref.name``
(image-spec ``annotations.md``: a tag or any reference) and ``io.containerd.image.name`` (a full
reference, written by containerd, Docker and BuildKit). ``docker save`` has ``RepoTags``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from oci_convert.errors import StoreError
from oci_convert.spec.models import Descriptor
from oci_convert.text.suggestion import did_you_mean, nearest

__all__ = [
    "CONTAINERD_NAME",
    "KIND",
    "NAMES",
    "REF_NAME",
    "annotations_for",
    "called",
    "find",
    "identity",
    "is_ref_name",
    "is_repository_tag",
    "meant",
    "normalised",
    "outside_grammar",
    "pair",
    "referrer_kind",
    "referrers_tag",
    "renamed",
    "repository_tag",
    "unpinned",
]

REF_NAME: Final = "org.opencontainers.image.ref.name"
CONTAINERD_NAME: Final = "io.containerd.image.name"
KIND: Final = "kind"
NAMES: Final = frozenset({REF_NAME, CONTAINERD_NAME, KIND})
"""Annotations of an entry that say what it is called, or what it is for another one."""
_REFERRER_KIND: Final = re.compile(
    r"(?:dev\.cosignproject\.cosign|dev\.hauler)/(?P<kind>sigs|atts|sboms|referrers)(?:/.*)?"
)
"""What an entry is that belongs to the image of the same name, in the annotation ``kind``, as
``cosign save``, hauler and RKE2 write it."""

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN: Final = rf"{_HOST_LABEL}(?:\.{_HOST_LABEL})*(?::[0-9]+)?"
_REPOSITORY_TAG: Final = (
    rf"(?:(?P<domain>{_DOMAIN}|\[[0-9a-fA-F:]+\](?::[0-9]+)?)/)?"
    rf"(?P<path>{_COMPONENT}(?:/{_COMPONENT})*):(?P<tag>[a-zA-Z0-9_][a-zA-Z0-9_.-]{{0,127}})"
)
"""The grammar of ``distribution/reference``, with a tag and without a digest."""


_PINNED: Final = re.compile(
    r"(?P<name>[^@]+)@(?P<digest>sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})"
)
"""A name that states a digest."""
_REF_COMPONENT: Final = r"[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*"
_REF: Final = rf"{_REF_COMPONENT}(?:/{_REF_COMPONENT})*"
"""The grammar of ref names (image-spec ``annotations.md``)."""


class Named(Protocol):
    """Anything that stands in an index: a descriptor and the annotations of its entry."""

    @property
    def descriptor(self) -> Descriptor: ...
    @property
    def annotations(self) -> Mapping[str, str]: ...


N = TypeVar("N", bound=Named)


def pair(annotations: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The names of an entry of an index."""
    return annotations.get(REF_NAME), annotations.get(CONTAINERD_NAME)


def referrers_tag(digest: str) -> str:
    """The tag of the list of what refers to ``digest`` (distribution-spec, *Referrers Tag Schema*):
    of a long digest only the beginning, as a tag has at most 128 characters.
    """
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm[:32]}-{encoded[:64]}"


def meant(annotations: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The same, whichever way they are spelled.

    Beside the full name, its tag says nothing more, and neither does another spelling of it.
    """
    ref, full = pair(annotations)
    if ref and full and normalised(full) in (normalised(ref), _with_tag(full, ref)):
        return None, normalised(full)
    return ref, full


def _with_tag(full: str, tag: str) -> str | None:
    parts = _split(full)
    return normalised(full) if parts is not None and parts[2] == tag else None


def referrer_kind(annotations: Mapping[str, str]) -> str | None:
    """What an entry is for the image that it belongs to; ``None`` if it belongs to none.

    ``sigs``, ``atts``, ``sboms`` or ``referrers``, by its annotation ``kind``. It has the name of
    its image.
    """
    match = _REFERRER_KIND.fullmatch(annotations.get(KIND, ""))
    return None if match is None else match["kind"]


def identity(annotations: Mapping[str, str]) -> tuple[str | None, str | None, str | None] | None:
    """What identifies an entry among others: its names and, if it belongs to an image, as what.

    ``None`` for an entry without a name.
    """
    names = meant(annotations)
    if not any(names):
        return None
    return *names, annotations[KIND] if referrer_kind(annotations) else None


def called(annotations: Mapping[str, str]) -> str | None:
    """The name of the image: its full reference if it has one, else its ref name."""
    ref, full = pair(annotations)
    return full or ref


def is_ref_name(name: str) -> bool:
    """Whether ``name`` is of the grammar of ref names, so that every tool can look it up."""
    return re.fullmatch(_REF, name) is not None


def is_repository_tag(name: str) -> bool:
    """Whether Docker takes ``name`` for a repository with a tag (``invalid tag`` otherwise)."""
    return _split(name) is not None


def outside_grammar(annotations: Mapping[str, str]) -> list[str]:
    """The names of an entry that break the grammar which each of them has."""
    ref, full = pair(annotations)
    found = [ref] if ref and not is_ref_name(ref) else []
    if full and full not in found:
        name, _ = unpinned(full)
        if not is_repository_tag(name) and not is_repository_tag(f"{name}:latest"):
            found.append(full)
    return found


def normalised(name: str) -> str:
    """A repository with a tag in full: ``app:1`` is ``docker.io/library/app:1``."""
    parts = _split(name)
    if parts is None:
        return name
    domain, path, tag = parts
    if domain in (None, "index.docker.io"):
        domain = "docker.io"
    if domain == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return f"{domain}/{path}:{tag}"


def _split(name: str) -> tuple[str | None, str, str] | None:
    """Domain, path and tag of a reference, as ``distribution/reference`` splits it."""
    match = re.fullmatch(_REPOSITORY_TAG, name)
    if match is None:
        return None
    domain, path, tag = match.group("domain", "path", "tag")
    if domain is not None and not (
        set(".:") & set(domain) or domain == "localhost" or domain != domain.lower()
    ):
        # The first part of `library/app` is no host: hosts have a dot or a port.
        return None, f"{domain}/{path}", tag
    return domain, path, tag


def annotations_for(name: str) -> dict[str, str]:
    """The pair for a name that was given on its own: a RepoTag, or the REF of a destination."""
    if is_repository_tag(name):
        return {REF_NAME: name, CONTAINERD_NAME: normalised(name)}
    return {REF_NAME: name}


def unpinned(name: str) -> tuple[str, str | None]:
    """A name without the digest that it states, and the digest: ``app:1`` of ``app:1@sha256:…``."""
    match = _PINNED.fullmatch(name)
    return (name, None) if match is None else (match["name"], match["digest"])


def repository_tag(annotations: Mapping[str, str]) -> str | None:
    """The RepoTag of an image: the name by which Docker loads it, or ``None`` if it has none.

    In full, as podman takes ``app:1`` for ``localhost/app:1`` and Docker for its hub's.
    """
    ref, full = pair(annotations)
    names = (unpinned(name)[0] for name in (full, ref) if name)
    return next((normalised(name) for name in names if is_repository_tag(name)), None)


def renamed(annotations: Mapping[str, str], name: str) -> dict[str, str]:
    """The annotations of an entry under a new name; everything else in them stays."""
    kept = {
        key: value for key, value in annotations.items() if key not in (REF_NAME, CONTAINERD_NAME)
    }
    return {**kept, **annotations_for(name)}


def find(roots: Sequence[N], ref: str, where: str) -> N:
    """The one image that ``ref`` means: ``@N``, a digest, or a name.

    A name is looked up exactly, then as a full name, then as the one name that ends in ``:ref``.
    Raises :class:`StoreError` (``unknown-reference``, ``ambiguous-reference``) with the names.
    """
    if re.fullmatch(r"@[0-9]{1,9}", ref):
        position = int(ref[1:])
        if position < len(roots):
            return roots[position]
        raise StoreError(
            f"there is no image {ref}",
            code="unknown-reference",
            where=where,
            remedy=_counted(len(roots)),
        )
    for found in _candidates(roots, ref):
        matches = _images(found)
        distinct = {(root.descriptor.digest, pair(root.annotations)): root for root in matches}
        if len(distinct) == 1:
            return next(iter(distinct.values()))
        if distinct:
            raise StoreError(
                f"{ref!r} matches several images",
                code="ambiguous-reference",
                where=where,
                remedy=f"choose one of {_listed(roots, matches)}",
            )
    raise StoreError(
        f"there is no image {ref!r}",
        code="unknown-reference",
        where=where,
        remedy=did_you_mean(_meant(roots, ref), f"available: {_listed(roots, _images(roots))}")
        if roots
        else _counted(0),
    )


def _images(roots: Sequence[N]) -> Sequence[N]:
    """Those that do not just belong to another one of that name; all, if there is no other."""
    return [root for root in roots if referrer_kind(root.annotations) is None] or roots


def _counted(images: int) -> str:
    if images == 0:
        return "the store holds no image"
    return f"available: @0 to @{images - 1}" if images > 1 else "available: @0"


def _meant(roots: Sequence[N], ref: str) -> str | None:
    """A name that is nearly the same, or a digest that begins like this."""
    shortened = re.fullmatch(r"@?(?:sha256:)?([0-9a-f]{4,63})", ref)
    if shortened is not None:
        for root in roots:
            if root.descriptor.digest.partition(":")[2].startswith(shortened[1]):
                return str(root.descriptor.digest)
    spelled: dict[str, str] = {}
    for name in (name for root in roots for name in pair(root.annotations) if name):
        for part in _parts(name):
            spelled.setdefault(part, name)
    near = nearest(ref, spelled)
    return None if near is None else spelled[near]


def _parts(name: str) -> Iterator[str]:
    """The parts of a name that people write: the whole, without host, the last word, the tag."""
    yield name
    parts = _split(name)
    if parts is not None:
        _, path, tag = parts
        last = path.rpartition("/")[2]
        yield from (f"{path}:{tag}", f"{last}:{tag}", path, last, tag)


def _candidates(roots: Sequence[N], ref: str) -> list[list[N]]:
    """The images that ``ref`` may mean, best reading first."""
    full = normalised(ref) if is_repository_tag(ref) else ref
    digest = unpinned(ref)[1] or ref.removeprefix("@")
    readings = (
        lambda root: root.descriptor.digest == digest,
        lambda root: root.annotations.get(REF_NAME) == ref,
        lambda root: full in pair(root.annotations),
        lambda root: (
            full in (normalised(unpinned(name)[0]) for name in pair(root.annotations) if name)
        ),
        lambda root: any(name.endswith(f":{ref}") for name in pair(root.annotations) if name),
        # A name without a tag means the tag that everybody takes then.
        lambda root: any(normalised(f"{it}:latest") == full for it in pair(root.annotations) if it),
    )
    return [[root for root in roots if reading(root)] for reading in readings]


def _listed(roots: Sequence[N], some: Sequence[N]) -> str:
    names = [called(root.annotations) or f"@{roots.index(root)}" for root in some]
    ambiguous = len(set(names)) < len(names)
    if ambiguous:
        names = [f"{name} (@{roots.index(root)})" for name, root in zip(names, some, strict=True)]
    shown = names[:20]
    return ", ".join(shown) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
