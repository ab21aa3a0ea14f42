"""Commands of skopeo, regctl, crane, oras and others, and what does the same here."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from oci_convert.cli.other_options import known, replaced

__all__ = ["COMMANDS", "Words", "answer", "translated"]


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
        return reference
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


def _tarball(words: Words) -> list[str] | None:
    return [words.options["--tarball"]] if "--tarball" in words.options else None


_CONVERT: Final = "oci-convert convert SOURCE DEST"
_COPY: Final = Told(_CONVERT, "convert", _as_they_are(2))
_INSPECT: Final = Told("oci-convert inspect SOURCE, with --full or --json", "inspect", _first)
_UNCHANGED: Final = Told("an image is converted here, never changed")
_NAMED: Final = Told("oci-convert convert oci:LAYOUT:OLD oci:LAYOUT:NEW, which copies no layer")
_PIPE: Final = Told(
    "docker save IMAGE | oci-convert convert - DEST, or oci-convert convert SOURCE - | docker load"
)
_PULL: Final = Told("oci-convert convert docker://REF DEST")
_PUSH: Final = Told("oci-convert convert SOURCE docker://REF")
_REMOTE: Final = Told("of registries images are read and written here: crane and regctl do that")
_INDEX: Final = Told("an index is converted here, never made: regctl index create makes one")
COMMANDS: Final[Mapping[str, Told]] = {
    **dict.fromkeys(("copy", "cp", "image copy", "image convert"), _COPY),
    **dict.fromkeys(("image mod",), Told(_CONVERT, "convert", _created)),
    "image export": _COPY,
    **dict.fromkeys(("image import",), Told(_CONVERT, "convert", _swapped)),
    **dict.fromkeys(("export", "import", "save", "load"), _PIPE),
    **dict.fromkeys(("pull", "fetch"), _PULL),
    "push": _PUSH,
    **dict.fromkeys(("catalog", "delete", "rm", "login", "logout", "auth"), _REMOTE),
    **dict.fromkeys(("registry", "repo", "repository"), _REMOTE),
    **dict.fromkeys(("tag", "image tag", "rename", "mv"), _NAMED),
    **dict.fromkeys(("index", "manifest create", "imagetools"), _INDEX),
    **dict.fromkeys(("mutate", "rebase", "append", "edit", "insert", "config"), _UNCHANGED),
    **dict.fromkeys(("flatten", "optimize", "squash", "build", "repack"), _UNCHANGED),
    **dict.fromkeys(("image inspect", "image manifest", "image digest", "manifest"), _INSPECT),
    **dict.fromkeys(("manifest get", "manifest inspect", "manifest fetch"), _INSPECT),
    **dict.fromkeys(("digest", "ls", "list", "stat", "show"), _INSPECT),
    **dict.fromkeys(("tags", "list-tags", "tag ls", "images", "discover"), _INSPECT),
    **dict.fromkeys(("info", "cat", "image"), _INSPECT),
    **dict.fromkeys(
        ("validate", "image check", "fsck"),
        Told("oci-convert verify SOURCE", "verify", lambda words: _tarball(words) or _first(words)),
    ),
    **dict.fromkeys(("compare", "cmp"), Told("oci-convert diff A B", "diff", _as_they_are(2))),
    **dict.fromkeys(
        ("unpack", "extract", "mount", "blob"),
        Told("layers are not unpacked here: umoci unpack, or tar"),
    ),
    **dict.fromkeys(("sign", "standalone-sign", "attest"), Told("nothing is signed here")),
    "gc": Told("nothing is ever deleted here: umoci gc"),
    "version": Told("oci-convert --version"),
    "completion": Told("oci-convert --install-completion"),
}
"""What a command of one or two words is here."""


def answer(arguments: Sequence[str]) -> str | None:
    """What to write instead of a command line that begins with no command of ours.

    ``None`` if nobody has such a command.
    """
    for count in (2, 1):
        told = COMMANDS.get(" ".join(arguments[:count])) if len(arguments) >= count else None
        if told is not None:
            line = translated(told, arguments[count:])
            return f"write {line or told.said}" if told.said.startswith("oci-") else told.said
    if not _LIKE_A_REFERENCE.fullmatch(arguments[0]) and not os.path.lexists(arguments[0]):
        return None
    several = len([word for word in arguments if not word.startswith("--")]) > 1
    command = "convert" if several else "inspect"
    return f"did you mean {shlex.join(['oci-convert', command, *arguments])}?"


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
