"""Commands of skopeo, regctl, crane, oras and others, and what does the same here."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

from oci_convert.cli.other_options import known, replaced
from oci_convert.stores.other_spellings import in_a_registry

__all__ = ["COMMANDS", "Words", "answer", "translated", "with_a_command"]


class Words(NamedTuple):
    """A command line of another tool: what it names, and its options with their values."""

    named: list[str]
    options: dict[str, str]


class Told(NamedTuple):
    """A command of another tool."""

    said: str
    """What does the same here."""
    command: str = ""
    """The command of ours that does it."""
    arguments: Callable[[Words], list[str] | None] | None = None
    """The arguments of that, where the words leave no doubt."""


_TRANSPORT: Final = re.compile(r"(?:ocidir|oci-dir|oci|docker-archive|oci-archive):(?://)?(?=.)")
_TAGGED: Final = re.compile(r"(oci:[^:]+)(?::.*)?")
_LIKE_A_REFERENCE: Final = re.compile(r"-|[\w-]+:.*|.*[./].*")


def _ours(reference: str) -> str:
    """A reference to something on disk as it is spelled here."""
    match = _TRANSPORT.match(reference)
    if match is None:
        return in_a_registry(reference) or reference
    transport = match[0].partition(":")[0].replace("ocidir", "oci").replace("oci-dir", "oci")
    return f"{transport}:{reference[match.end() :]}"


def _as_they_are(count: int) -> Callable[[Words], list[str] | None]:
    def arguments(words: Words) -> list[str] | None:
        return [_ours(word) for word in words.named] if len(words.named) == count else None

    return arguments


def _swapped(words: Words) -> list[str] | None:
    return [_ours(word) for word in words.named[::-1]] if len(words.named) == 2 else None


def _created(words: Words) -> list[str] | None:
    """``regctl image mod REF --create NAME``: a new name in the same layout."""
    if len(words.named) != 1:
        return None
    source = _ours(words.named[0])
    name, match = words.options.get("--create"), _TAGGED.fullmatch(source)
    if name is None and "--replace" not in words.options:
        return None
    target = source if name is None else match and f"{match[1]}:{name}"
    return None if target is None else [source, target]


def _first(words: Words) -> list[str] | None:
    return [_ours(words.named[0])] if words.named else None


def _on_disk(words: Words) -> list[str] | None:
    """The first word, unless it names something in a registry."""
    first = _first(words)
    return None if first is None or first[0].startswith("docker://") else first


def _tarball(words: Words) -> list[str] | None:
    return [words.options["--tarball"]] if "--tarball" in words.options else None


_CONVERT: Final = "oci-convert convert SOURCE DEST"
_COPY: Final = Told(_CONVERT, "convert", _as_they_are(2))
_INSPECT: Final = Told("oci-convert inspect SOURCE, with --full or --json", "inspect", _first)
_LIST: Final = Told(
    "oci-convert inspect SOURCE for the images of a store, crane ls for the tags of a registry",
    "inspect",
    _on_disk,
)
_CHANGE: Final = Told(
    "an image is converted here, never changed: crane mutate and regctl image mod do that"
)
_NAMED: Final = Told("oci-convert convert oci:LAYOUT:OLD oci:LAYOUT:NEW, which copies no layer")
_PIPE: Final = Told(
    "docker save IMAGE | oci-convert convert - DEST, or oci-convert convert SOURCE - | docker load"
)
_PULL: Final = Told("oci-convert convert docker://REF DEST")
_PUSH: Final = Told("oci-convert convert SOURCE docker://REF")
_REMOVE: Final = Told(
    "nothing is ever deleted here: skopeo delete in a registry, umoci rm and umoci gc in a layout"
)
_LOGIN: Final = Told(
    "docker login and podman login do that, and what they keep is read here; or give --creds"
)
_REMOTE: Final = Told(
    "crane catalog and regctl repo ls list what a registry has; "
    "oci-convert sync 'docker://HOST/**' DEST converts all of it"
)
_INDEX: Final = Told("an index is converted here, never made: regctl index create makes one")
_ATTACH: Final = Told("nothing is attached here: oras attach and regctl artifact put do that")
_SIGN: Final = Told("nothing is signed here: cosign sign does that, or skopeo standalone-sign")
_SIGNED: Final = Told(
    "signatures are carried here, never checked: cosign verify does that, or podman image trust"
)
_UNPACK: Final = Told("layers are not unpacked here: umoci unpack does that, or tar")
_BLOB: Final = Told("single blobs are not served here: crane blob and regctl blob do that")
_MAKE: Final = Told("images are converted here, never made: umoci new does that, or docker build")
_RUN: Final = Told("nothing is run here: oci-convert convert SOURCE - | docker load, then docker")
_DAEMON: Final = Told("no daemon is asked here: docker save IMAGE | oci-convert convert - DEST")
_VERIFY: Final = Told(
    "oci-convert verify SOURCE", "verify", lambda words: _tarball(words) or _first(words)
)


def _each(*answers: tuple[str, Told]) -> dict[str, Told]:
    """Each name, between commas, with its answer."""
    return {name: told for names, told in answers for name in names.split(", ")}


_GROUPS: Final = ("image", "images", "manifest", "repo", "repository", "tag", "artifact", "buildx")
"""What other tools group commands by; what stands behind it is a command in most of them."""
COMMANDS: Final[Mapping[str, Told]] = _each(
    ("copy, cp, image copy, image convert, image export, transfer", _COPY),
    ("image mod", Told(_CONVERT, "convert", _created)),
    ("image import", Told(_CONVERT, "convert", _swapped)),
    ("import, save, load", _PIPE),
    (
        "export",
        Told(
            "for the files of an image crane export, for an image: "
            "docker save IMAGE | oci-convert convert - DEST"
        ),
    ),
    ("pull, fetch, download, backup", _PULL),
    ("push, upload, put", _PUSH),
    (
        "restore",
        Told("oci-convert convert SOURCE docker://REF; --restore FILE gives a record's bytes back"),
    ),
    ("layers", Told("oci-convert convert SOURCE dir:PATH, where each layer is a file")),
    ("delete, rm, rmi, remove, untag, prune, clean, tag delete, tag rm", _REMOVE),
    ("gc", _REMOVE),
    ("login, logout, auth, registry login, registry logout", _LOGIN),
    ("catalog, registry, repo, repository, search", _REMOTE),
    ("tag, image tag, rename, mv", _NAMED),
    ("index, manifest create, manifest add, imagetools, buildx, bundle", _INDEX),
    ("mutate, rebase, append, edit, insert, config, annotate, optimize, raw", _CHANGE),
    (
        "flatten, squash",
        Told(
            "layers are kept here, never merged: crane flatten does that; "
            "for an index of one image there is convert --flatten"
        ),
    ),
    ("build, init, new, create, repack, rebuild, commit", _MAKE),
    ("run, exec, start", _RUN),
    ("ctr, nerdctl, content, namespace, system", _DAEMON),
    ("proxy, serve", Told("nothing is served here: skopeo experimental-image-proxy does that")),
    ("attach, artifact, artifact put", _ATTACH),
    ("manifest put", Told("single documents are not pushed here: regctl manifest put does that")),
    (
        "image inspect, image manifest, image digest, image config, manifest, image, images",
        _INSPECT,
    ),
    ("manifest get, manifest head, manifest fetch, manifest fetch-config", _INSPECT),
    ("digest, stat, show, resolve, history, tree, get, head, info, cat", _INSPECT),
    ("discover, referrers, artifact tree, artifact list", _INSPECT),
    ("list, ls, tags, list-tags, tag ls, repo ls, repo tags, image ls, images ls", _LIST),
    (
        "manifest-digest, config-digest",
        Told("sha256sum FILE gives the digest of a document; oci-convert inspect SOURCE shows all"),
    ),
    ("ref, reference", Told("oci-convert help references")),
    ("validate, image check, fsck", _VERIFY),
    ("compare, cmp", Told("oci-convert diff A B", "diff", _as_they_are(2))),
    ("unpack, extract, mount, get-file, artifact get", _UNPACK),
    ("blob, layer", _BLOB),
    ("sign, standalone-sign, attest, generate-sigstore-key, keygen", _SIGN),
    ("standalone-verify, trust", _SIGNED),
    (
        "encrypt, decrypt",
        Told("encrypted layers are carried as they are: skopeo copy decrypts and encrypts them"),
    ),
    (
        "check-base, ratelimit",
        Told("a registry is asked for images only: regctl image check-base and ratelimit"),
    ),
    ("version", Told("oci-convert --version")),
    ("completion", Told("oci-convert --install-completion")),
)
"""What a command of one or two words is here."""


def answer(arguments: Sequence[str], ours: Collection[str]) -> str | None:
    """What to write instead of a command line that begins with none of ``ours``.

    ``None`` if nobody has such a command.
    """
    for count in (2, 1):
        told = COMMANDS.get(" ".join(arguments[:count])) if len(arguments) >= count else None
        if told is None:
            continue
        if count == 1 and arguments[0] in _GROUPS and len(arguments) > 1:
            if arguments[1] in ours:
                return f"write {shlex.join(['oci-convert', *arguments[1:]])}"
            if arguments[1] in COMMANDS:
                return answer(arguments[1:], ours)
        line = translated(told, arguments[count:])
        return f"write {line or told.said}" if told.said.startswith("oci-") else told.said
    if not _is_a_reference(arguments[0]):
        return None
    several = len([word for word in arguments if not word.startswith("--")]) > 1
    command = "convert" if several else "inspect"
    return f"did you mean {shlex.join(['oci-convert', command, *arguments])}?"


def with_a_command(arguments: Sequence[str], having: Sequence[str]) -> str:
    """A command line whose first option stands where the command should, with a command.

    ``having`` are our commands that have that option.
    """
    named = next((word for word in arguments if word in having), None)
    if named is not None:
        at = arguments.index(named)
        return shlex.join(["oci-convert", named, *arguments[:at], *arguments[at + 1 :]])
    several = sum(map(_is_a_reference, arguments)) > 1
    usual = ("convert", "inspect", "verify") if several else ("inspect", "verify", "convert")
    command = next((name for name in usual if name in having), having[0])
    return shlex.join(["oci-convert", command, *arguments])


def _is_a_reference(word: str) -> bool:
    return not word.startswith("--") and (
        _LIKE_A_REFERENCE.fullmatch(word) is not None or os.path.lexists(word)
    )


def translated(told: Told, arguments: Sequence[str]) -> str | None:
    """The whole command line as it is written here, where nothing in it takes thought."""
    words = _words(told.command, arguments)
    found = told.arguments(words) if told.arguments is not None else None
    if found is None:
        return None
    line = ["oci-convert", told.command, *found]
    taken = {"--create", "--replace", "--tarball"}
    for name, value in words.options.items():
        option = known(told.command).get(name)
        replacement = None if option is None else replaced(option, value)
        if replacement is None and name not in taken:
            return None
        line += (replacement or "").split()
    return shlex.join(line)


def _words(command: str, arguments: Sequence[str]) -> Words:
    named: list[str] = []
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            named.append(word)
            continue
        name, equals, value = word.partition("=")
        option = known(command).get(name)
        if not equals and option is not None and option.valued and rest:
            value = rest.pop(0)
        options[name] = value
    return Words(named, options)
