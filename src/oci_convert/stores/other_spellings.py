"""References as other tools spell them, and how they are spelled here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from oci_convert.errors import UsageError
from oci_convert.stores.files.archive_names import is_archive_name
from oci_convert.text.suggestion import did_you_mean, nearest
from oci_convert.text.wording import Wording

__all__ = [
    "SPELLING",
    "in_a_registry",
    "refuse_address",
    "refuse_digest",
    "refuse_elsewhere",
    "refuse_misspelt",
    "refuse_url",
]

SPELLING: Final = "a reference is oci:PATH[:REF], dir:PATH, docker-archive:FILE[:REF], …"
"""The remedy of errors about references."""
_OTHER_TOOLS: Final = {
    "ocidir": "oci",
    "oci-dir": "oci",
    "oci-layout": "oci",
    "docker-dir": "dir",
    "tarball": "docker-archive",
    "file": None,
}
"""What other tools, and people, call a transport that we have; ``None``: a bare path."""
_WEB: Final = ("http", "https", "ftp", "s3", "gs", "oras", "git")
_LIKE_A_TRANSPORT: Final = "[a-zA-Z][a-zA-Z0-9]*(?:[-_][a-zA-Z0-9]+)*"
_TRANSPORTS: Final = ("oci", "dir", "docker-archive", "oci-archive", "docker")
_IN_A_REGISTRY: Final = re.compile(
    r"[a-z0-9][\w.-]*(?=.*[:@])(?::[0-9]+(?=/))?(?:/[\w.-]+)*(?::[\w.-]+)?(?:@\w+:\w+)?"
)
"""An image of a registry, as most tools name it: with a tag, a digest, or the port of its host."""
_ADDRESS: Final = r"(?:localhost|[\w-]+(?:\.[\w-]+)+)(?::[0-9]+)?/|[\w-]+:[0-9]+/"
"""How an address of a registry begins."""
_USER: Final = "//[^/@]*@"
_ALGORITHM: Final = "sha(?:256|384|512)"
_STORAGE: Final = r"^\[[^\]]*\]"
"""Where containers-storage has its files: podman knows."""


def _piped(save: str, load: str) -> Callable[[str, bool], str]:
    """The remedy for what a program keeps to itself: the pipe that works."""

    def remedy(image: str, destination: bool) -> str:  # noqa: FBT001 - which end of the pipe it is
        if destination:
            return Wording(f'pipe it: {{convert(…, "-", to="docker")}} | {load}')
        from shlex import quote

        name = quote(image) if image else "IMAGE"
        return Wording(f'pipe it: {save} {name} | {{convert("-", …)}}')

    return remedy


_DOCKER: Final = _piped("docker save", "docker load")
_PODMAN: Final = _piped("podman save", "podman load")
_CONTAINERD: Final = _piped("ctr image export -", "ctr image import -")


def _docker(image: str, destination: bool) -> str:  # noqa: FBT001 - which end of the pipe it is
    """The remedy for ``docker:``, by which people mean a registry or the daemon."""
    piped = _DOCKER(image, destination)
    marked = piped.marked if isinstance(piped, Wording) else piped
    return Wording(f"for a registry write {_registry(image)}; for the daemon {marked}")


def _registry(image: str) -> str:
    return f"docker://{image or 'HOST/REPO:TAG'}"


_ELSEWHERE: Final[dict[str, tuple[str, Callable[[str, bool], str]]]] = {
    "docker": ("docker: alone says neither registry nor daemon", _docker),
    "registry": (
        "there is no such transport",
        lambda image, _: f"write {_registry(image)}; else {SPELLING}",
    ),
    "docker-daemon": ("the storage of the Docker daemon is not read", _DOCKER),
    "containers-storage": ("the storage of podman is not read", _PODMAN),
    "podman": ("the storage of podman is not read", _PODMAN),
    "containerd": ("the storage of containerd is not read", _CONTAINERD),
    "sif": (
        "an image of Apptainer or Singularity (SIF) has no layers",
        lambda _, destination: (
            "write docker-archive: or oci:, which Apptainer reads"
            if destination
            else "convert the image that it was built from"
        ),
    ),
}
"""What we have no transport for, why, and what to do instead."""


def in_a_registry(text: str) -> str | None:
    """A name without a transport as the image of a registry, if it can be one and no file."""
    store = text.partition(":")[0]
    no_name = (
        store in _TRANSPORTS or is_archive_name(text) or re.fullmatch(_IN_A_REGISTRY, text) is None
    )
    return None if no_name or any(map(os.path.lexists, (store, text))) else f"docker://{text}"


def refuse_elsewhere(transport: str, rest: str, text: str, *, destination: bool) -> None:
    """Raise for what is on no disk that is read here, with the pipe that works."""
    found = _ELSEWHERE.get(transport)
    if found is None:
        return
    why, remedy = found
    image = re.sub(_STORAGE, "", rest.lstrip("/"))
    raise UsageError(why, code="unknown-transport", where=text, remedy=remedy(image, destination))


def refuse_url(transport: str, rest: str, text: str) -> None:
    """Raise for a path behind two slashes: nobody knows whether it begins at the root."""
    if rest.startswith("//") and not rest.startswith("///"):
        path = _path(rest)
        raise UsageError(
            "a path does not begin with two slashes",
            code="invalid-reference",
            where=text,
            remedy=did_you_mean(f"{transport}:{path}") if path else SPELLING,
        )


def refuse_digest(transport: str, path: str, ref: str, text: str, *, destination: bool) -> None:
    """Raise for a digest that stands where the path ends, as regctl writes it.

    Of a destination also for one that is its REF: the image would have it as a name.
    """
    store, at, algorithm = path.rpartition("@")
    meant = f"{transport}:{path}"
    if at and store and re.fullmatch(_ALGORITHM, algorithm) and re.fullmatch("[0-9a-f]+", ref):
        if os.path.lexists(path):
            return
        meant = f"{transport}:{store}"
    elif not destination or re.fullmatch(f"@?{_ALGORITHM}:[0-9a-f]{{32,}}", ref) is None:
        return
    raise UsageError(
        "a destination has no digest yet" if destination else "a digest stands behind a colon",
        code="invalid-reference",
        where=text,
        remedy=did_you_mean(meant if destination else f"{meant}:@{algorithm}:{ref}"),
    )


def refuse_misspelt(transport: str, rest: str, text: str, known: Sequence[str]) -> None:
    """Raise for what begins nearly as a reference does: it was meant as one.

    A path may hold colons, so one that exists is a path.
    """
    if re.fullmatch(_LIKE_A_TRANSPORT, transport) is None or os.path.lexists(text):
        return
    listed = f"transports: {', '.join(f'{name}:' for name in known)}"
    if rest.startswith("//") and transport in _WEB:
        raise UsageError(
            "nothing is fetched from the web",
            code="unknown-transport",
            where=re.sub(_USER, "//", text),
            remedy="download it first, then give the file",
        )
    if transport in _OTHER_TOOLS:
        name = _OTHER_TOOLS[transport]
        path = _of_url(rest) if name is None else _path(rest)
        meant: str | None = path if name is None or not path else f"{name}:{path}"
    else:
        name = nearest(transport, known) if len(transport) > 1 else None
        meant = None if name is None else f"{name}:{rest}"
    if meant is not None:
        raise UsageError(
            f"unknown transport {transport!r}",
            code="unknown-transport",
            where=text,
            remedy=did_you_mean(meant, f"{listed}; for a file of that name write ./{text}"),
        )


def refuse_address(text: str) -> None:
    """Raise for a path to write to that looks like the address of a registry."""
    if re.match(_ADDRESS, text) and not os.path.lexists(text):
        raise UsageError(
            "this is the address of a registry, not a path",
            code="invalid-reference",
            where=text,
            remedy=did_you_mean(f"docker://{text}", f"for a folder of that name write ./{text}"),
        )


def _of_url(rest: str) -> str:
    """The path that was meant behind ``file:``: of this host, and perhaps percent-encoded."""
    path = _path(re.sub("^//localhost(?=/)", "//", rest))
    with suppress(UnicodeDecodeError):
        raw = re.sub(b"%[0-9a-fA-F]{2}", lambda it: bytes([int(it[0][1:], 16)]), os.fsencode(path))
        plain = raw.decode("utf-8")
        return plain if plain.isprintable() and not _is_there(path) else path
    return path


def _path(rest: str) -> str:
    """The path that was meant behind the slashes of a URL: a relative one, unless only that at the
    root is there. It is empty if there are only the two slashes.
    """
    bare = rest.lstrip("/")
    if not rest.startswith("/") or not bare:
        return "" if rest == "//" else rest
    rooted = rest.startswith("///") or not rest.startswith("//")
    return f"/{bare}" if rooted or (_is_there(f"/{bare}") and not _is_there(bare)) else bare


def _is_there(path: str) -> bool:
    """Whether a path, or what it begins with up to a colon, exists."""
    return os.path.lexists(path) or os.path.lexists(path.partition(":")[0])
