"""References to images in registries: ``docker://HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]``.

Spelled as skopeo spells them, with the names of Docker Hub filled in as Docker does it:
``docker://alpine`` is ``docker://docker.io/library/alpine:latest``. The grammar of names and tags
is that of the OCI distribution specification (*Pulling manifests*).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NoReturn

from oci_convert.errors import DocumentError, UsageError
from oci_convert.spec.digest import Digest
from oci_convert.text.suggestion import did_you_mean
from oci_convert.text.wording import Wording

__all__ = [
    "SCHEME",
    "EveryRepository",
    "EveryTag",
    "ImageReference",
    "Repository",
    "TagTemplate",
    "is_loopback",
    "is_tag",
    "parse_destination",
    "parse_source",
]

SCHEME: Final = "docker://"
"""What a reference to a registry begins with."""

HUB: Final = "docker.io"
"""What people call Docker Hub."""
HUB_ALIASES: Final = frozenset({HUB, "index.docker.io", "registry-1.docker.io"})
"""Its other names: that of its credentials, and that of the machine that answers."""

_HUB_ENDPOINT: Final = "registry-1.docker.io"
_PLACEHOLDER: Final = "{tag}"
_SPELLING: Final = "it is spelled like docker://HOST/REPOSITORY:TAG"
_LONGEST: Final = 255
_LABEL: Final = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::([0-9]{{1,5}}))?")
_NAME: Final = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """A repository of a registry, its names in full: ``docker.io`` and ``library/alpine``."""

    host: str
    """As people write it, in lower case, with its port if it has one: ``localhost:5000``."""
    name: str

    @property
    def endpoint(self) -> str:
        """The host and port that requests go to."""
        return _HUB_ENDPOINT if self.host == HUB else self.host

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"


@dataclass(frozen=True, slots=True)
class ImageReference:
    """One image. At least one of ``tag`` and ``digest`` is there."""

    repository: Repository
    tag: str | None = None
    """With a digest, only what the image is called."""
    digest: Digest | None = None

    def __post_init__(self) -> None:
        if self.tag is None and self.digest is None:
            raise UsageError(
                "there is neither a tag nor a digest in it",
                code="invalid-reference",
                where=f"{SCHEME}{self.repository}",
                remedy=_SPELLING,
            )

    @property
    def target(self) -> str:
        """What a registry is asked for: the digest decides."""
        return self.digest or self.tag or ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{SCHEME}{self.repository}{tag}{digest}"


@dataclass(frozen=True, slots=True)
class EveryTag:
    """Every image of a repository that has a tag: ``docker://HOST/REPOSITORY:*``."""

    repository: Repository

    def __str__(self) -> str:
        return f"{SCHEME}{self.repository}:*"


@dataclass(frozen=True, slots=True)
class EveryRepository:
    """Every repository below a prefix: ``docker://HOST/PREFIX/**``; without one, all of a host."""

    host: str
    prefix: str

    def __str__(self) -> str:
        prefix = f"{self.prefix}/" if self.prefix else ""
        return f"{SCHEME}{self.host}/{prefix}**"


@dataclass(frozen=True, slots=True)
class TagTemplate:
    """Where several images go: ``{tag}`` in ``template`` stands for the tag of the source."""

    repository: Repository
    template: str

    def fill(self, tag: str) -> ImageReference:
        """The reference for the image that is tagged ``tag``.

        Raises :class:`UsageError` (``invalid-reference``) if what comes out is no tag.
        """
        return ImageReference(
            self.repository, _checked_tag(self.template.replace(_PLACEHOLDER, tag), str(self))
        )

    def __str__(self) -> str:
        return f"{SCHEME}{self.repository}:{self.template}"


def parse_source(text: str) -> ImageReference | EveryTag | EveryRepository:
    """Take apart what images are read from; ``latest`` where neither tag nor digest is given.

    Raises :class:`UsageError` (``invalid-reference``).
    """
    if text.endswith("/**"):
        host, _, prefix = _body(text).removesuffix("**").strip("/").partition("/")
        if not _is_host(host):
            _refuse(text, "every repository of what? there is no host in it")
        return EveryRepository(_checked_host(host, text), _checked_name(prefix, text, empty=True))
    repository, tag, digest = _take_apart(text)
    if _PLACEHOLDER in (tag or ""):
        _refuse(text, "{tag} stands for the tag of a source", "write it in the destination only")
    if tag == "*":
        if digest is not None:
            _refuse(text, "it names every tag, and one digest", "leave out one of them")
        return EveryTag(repository)
    if tag is not None:
        _checked_tag(tag, text)
    return ImageReference(repository, tag if tag or digest else "latest", digest)


def parse_destination(text: str) -> ImageReference | TagTemplate:
    """Take apart what an image is written to: a tag, or a template for the tags of several.

    Raises :class:`UsageError` (``invalid-reference``): for a reference without a tag, too, since
    none is invented.
    """
    repository, tag, digest = _take_apart(text)
    if digest is not None:
        _refuse(
            text,
            "a destination has no digest before its bytes are known",
            "name it by a tag, as in docker://HOST/REPOSITORY:TAG",
        )
    if tag is None:
        _refuse(
            text,
            "a destination needs a tag",
            f"for that of the source's default, write {SCHEME}{repository}:latest",
        )
    if _PLACEHOLDER in tag:
        _checked_tag(tag.replace(_PLACEHOLDER, "x"), text)
        return TagTemplate(repository, tag)
    if tag == "*":
        _refuse(text, "a destination names no tags by *", "for those of the source, write :{tag}")
    return ImageReference(repository, _checked_tag(tag, text))


def is_tag(text: str) -> bool:
    """Whether a text can be a tag."""
    return _TAG.fullmatch(text) is not None


def is_loopback(host: str) -> bool:
    """Whether ``host``, with or without a port, is this very machine by its name alone."""
    name = re.sub(r":[0-9]+\Z", "", host) if host.count(":") == 1 or "]" in host else host
    name = name.removeprefix("[").removesuffix("]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    for kind in (IPv4Address, IPv6Address):
        try:
            return kind(name).is_loopback
        except AddressValueError:
            continue
    return False


def _body(text: str) -> str:
    """What stands behind ``docker://``; credentials in it are refused without being repeated."""
    if not text.startswith(SCHEME):
        _refuse(text, "it does not begin with docker://")
    body = text.removeprefix(SCHEME)
    authority, _, path = body.partition("/")
    if "@" in authority and path:
        raise UsageError(
            "a reference holds no credentials",
            code="invalid-reference",
            where=f"{SCHEME}…@{authority.rpartition('@')[2]}/{path}",
            remedy=Wording("give them with {Auth.basic} or {Auth.from_file}"),
        )
    if body.startswith(("http://", "https://")):
        _refuse(text, "it has two schemes", Wording('for plain http, add {plain_http={"HOST"}}'))
    return body


def _take_apart(text: str) -> tuple[Repository, str | None, Digest | None]:
    named, at, digest = _body(text).partition("@")
    path, colon, tag = named, "", ""
    if ":" in named[named.rfind("/") + 1 :]:
        path, colon, tag = named.rpartition(":")
    first, slash, rest = path.partition("/")
    if not slash and (_is_host(first) or first.startswith("[")):
        _refuse(text, "it has no repository")
    if slash and _is_host(first):
        repository = Repository(_checked_host(first, text), _checked_name(rest, text))
    else:
        repository = Repository(HUB, _checked_name(path, text))
    if repository.host == HUB and "/" not in repository.name:
        repository = Repository(HUB, f"library/{repository.name}")
    if colon and not tag:
        _refuse(text, "there is nothing behind the last colon")
    return repository, tag or None, _checked_digest(digest, text) if at else None


def _is_host(first: str) -> bool:
    """Whether the first part of a path is a host: Docker's rule, but for mere capitals.

    Docker would take the ``Team`` of ``Team/app`` for a host, which nobody means.
    """
    return any(c in first for c in ".:[") or first.lower() == "localhost"


def _checked_host(host: str, text: str) -> str:
    host = host.lower()
    match = _HOST.fullmatch(host) if len(host) <= _LONGEST else None
    if match is None or (match[1] and not 0 < int(match[1]) < 65536):
        _refuse(text, f"{_shown(host)} is not a host")
    if host.startswith("["):
        try:
            IPv6Address(host[1 : host.index("]")])
        except AddressValueError:
            _refuse(text, f"{_shown(host)} is not a host")
    return HUB if host in HUB_ALIASES else host


def _checked_name(name: str, text: str, *, empty: bool = False) -> str:
    if empty and not name:
        return name
    if not name:
        _refuse(text, "it has no repository")
    if len(name) > _LONGEST:
        _refuse(text, f"the name of the repository is longer than {_LONGEST} characters")
    for part in name.split("/"):
        if _NAME.fullmatch(part) is None:
            lower = part != part.lower() and _NAME.fullmatch(part.lower()) is not None
            _refuse(
                text,
                f"{_shown(part)} is not a repository name",
                did_you_mean(
                    part.lower() if lower else None,
                    "such names are lower-case letters, digits, and single . _ - between them",
                ),
            )
    return name


def _checked_tag(tag: str, text: str) -> str:
    if not is_tag(tag):
        _refuse(
            text,
            f"{_shown(tag)} is not a tag",
            "a tag is up to 128 letters, digits and . _ -, and begins with neither . nor -",
        )
    return tag


def _checked_digest(digest: str, text: str) -> Digest:
    try:
        return Digest(digest)
    except DocumentError as error:
        _refuse(text, error.message, error.remedy)


def _shown(part: str) -> str:
    return repr(part if len(part) <= 80 else part[:80] + "…")


def _refuse(text: str, why: str, remedy: str = _SPELLING) -> NoReturn:
    raise UsageError(
        f"this is not a reference to a registry: {why}",
        code="invalid-reference",
        where=text if len(text) <= _LONGEST else text[:_LONGEST] + "…",
        remedy=remedy,
    )
