"""Completion of references in the shell: transports, paths, and the images of a store."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import fields
from pathlib import Path
from threading import Thread
from typing import BinaryIO, Final

from oci_convert.cli.registry_options import SCHEME
from oci_convert.errors import OciConvertError, StoreError
from oci_convert.limits import Limits

__all__ = ["COMPLETE", "complete", "limit_names", "references"]

COMPLETE: Final = "_OCI_CONVERT_COMPLETE"
"""The variable that typer's scripts for shells set when they ask for completions."""

_SECONDS: Final = 0.3
"""How long a registry may take to list its tags."""
_TRANSPORTS: Final = ("oci", "dir", "docker-archive", "oci-archive")


def references(incomplete: str) -> list[str]:
    """What a reference that begins like this may become."""
    if incomplete.startswith(SCHEME):
        return _tagged(incomplete)
    transport, colon, rest = incomplete.partition(":")
    if not colon or transport not in _TRANSPORTS:
        spelled = [*(f"{name}:" for name in _TRANSPORTS), SCHEME]
        begun = [name for name in spelled if name.startswith(incomplete)]
        return begun + list(_paths(incomplete))
    path, colon, ref = rest.partition(":")
    if colon and transport != "dir":
        found = _refs(f"{transport}:{path}")
        return [f"{transport}:{path}:{name}" for name in found if name.startswith(ref)]
    return [f"{transport}:{path}" for path in _paths(rest)]


def _tagged(incomplete: str) -> list[str]:
    """References to the images of a repository, if its registry answers before anybody notices."""
    repository, colon, begun = incomplete.rpartition(":")
    if not colon or "/" in begun:
        return []
    from oci_convert.cli.registries import known_tags

    found: list[str] = []
    asking = Thread(target=lambda: found.extend(known_tags(repository)), daemon=True)
    asking.start()
    asking.join(_SECONDS)
    return [f"{repository}:{tag}" for tag in found if tag.startswith(begun)]


def limit_names(incomplete: str) -> list[str]:
    """The limits whose names begin like this."""
    names = (limit.name.replace("_", "-") for limit in fields(Limits))
    return [f"{name}=" for name in names if name.startswith(incomplete)]


def _paths(begun: str) -> Iterator[str]:
    folder, _, name = begun.rpartition("/")
    root = folder + "/" if "/" in begun else ""
    try:
        found = sorted(os.scandir(root or "."), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in found:
        hidden = entry.name.startswith(".") and not name.startswith(".")
        if entry.name.startswith(name) and not hidden:
            yield f"{root}{entry.name}" + ("/" if _is_plain_folder(entry) else "")


def _is_plain_folder(entry: os.DirEntry[str]) -> bool:
    """Whether completing may go on inside: a folder that is no store itself."""
    path = Path(entry.path)
    return entry.is_dir() and not any(
        (path / name).exists() for name in ("index.json", "oci-layout", "manifest.json")
    )


def _refs(store: str) -> list[str]:
    from oci_convert.spec.names import pair
    from oci_convert.stores.base import SourceOptions
    from oci_convert.stores.references import parse

    try:
        with parse(store).source(SourceOptions(_no_scratch)) as source:
            names = [pair(root.annotations) for root in source.roots()]
            return [name for ref, full in names if (name := ref or full)]
    except (OciConvertError, OSError):
        return []


def _no_scratch() -> BinaryIO:
    """To complete a word nothing is unpacked."""
    raise StoreError("the archive is compressed", code="compressed-archive")


def complete(run: Callable[[], object]) -> None:
    """Answer the question of a shell: ``run`` does, for shells that hand over whole words.

    Bash ends words at colons, and wants to hear only what comes behind the last one.
    """
    if os.environ.get(COMPLETE) != "complete_bash":
        run()
        return
    words = os.environ.get("COMP_WORDS", "").splitlines()
    begun, word = _rejoined(words[: int(os.environ.get("COMP_CWORD", "0")) + 1])
    os.environ["COMP_WORDS"] = "\n".join([*begun, word])
    os.environ["COMP_CWORD"] = str(len(begun))
    with redirect_stdout(io.StringIO()) as answers, suppress(SystemExit):
        run()
    heard = word.rfind(":") + 1
    for line in answers.getvalue().splitlines():
        print(line[heard:])


def _rejoined(words: list[str]) -> tuple[list[str], str]:
    """The words as they were typed, and the last of them."""
    joined: list[str] = []
    glue = False
    for word in words:
        if joined and (glue or word == ":"):
            joined[-1] += word
        else:
            joined.append(word)
        glue = word == ":"
    return joined[:-1], joined[-1] if joined else ""
