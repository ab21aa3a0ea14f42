"""Images with one fault each: stores are written as they should be, but for one thing.

A :data:`Store` writes into an empty folder and returns the reference to what it wrote, so that
links, pipes and folders can stand where files should::

    layout(IMAGE.json | {"layers": 7})        # a layout whose manifest says so
    spoiled(layout(), LAYER, pipe)            # the layout of IMAGE, a pipe in the place of a layer
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from support.archives import Link, Members, Saved, archive, compact, extracted
from support.images import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    LAYERS,
    Blob,
    Image,
    Layer,
    digest_of,
    dir_files,
    docker_image,
    layout_files,
    manifest,
    minimal_config,
    write_files,
)

Store = Callable[[Path], str]

IMAGE: Final = docker_image(config=minimal_config(LAYERS))
"""What is there before something goes wrong. A small config, so that offsets are easy to see."""
SAVED: Final = Saved()

TOP: Final = "images[0]"
CONFIG: Final = "images[0].config"
FIRST: Final = "images[0].layers[0]"


def _file(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


MANIFEST_FILE: Final = _file(IMAGE.digest)
CONFIG_FILE: Final = _file(digest_of(IMAGE.config))
LAYER_FILE: Final = _file(LAYERS[0].digest)
LAYER_HEX: Final = LAYERS[0].digest[7:]


@dataclass(frozen=True)
class Malformed:
    """A store with one fault, and what is said about it."""

    store: Store
    code: str
    said: str
    """A part of the message."""
    where: str = TOP
    """The place of the fault behind the label of the store; empty for the store itself."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What ``convert`` must be asked for so that it meets the fault."""
    verified: str = ""
    """The code under which ``verify`` tells it, if that is another one."""


# -- layouts and dir: ---------------------------------------------------------------------------


def layout(image: Image | bytes | Mapping[str, Any] = IMAGE, media_type: str = "") -> Store:
    """A layout of an image, or of :data:`IMAGE` with another manifest: its bytes or its members."""
    return files(layout_files({"app:1": _image(image, media_type)}))


def _image(image: Image | bytes | Mapping[str, Any], media_type: str) -> Image:
    if isinstance(image, Image):
        return image
    raw = image if isinstance(image, bytes) else compact(image)
    blobs = {**IMAGE.blobs, digest_of(raw): raw}
    return Image(raw, media_type or DOCKER_MANIFEST, blobs, {digest_of(raw): raw})


def files(content: Mapping[str, bytes], transport: str = "oci") -> Store:
    """A folder of these files, whatever they are."""

    def write(folder: Path) -> str:
        write_files(content, folder)
        return f"{transport}:{folder}"

    return write


def directory(image: Image | bytes | Mapping[str, Any] = IMAGE, media_type: str = "") -> Store:
    """The same as :func:`layout` in a ``dir:`` directory."""
    return files(dir_files(_image(image, media_type)), "dir")


def changed(*path: str | int, **members: Any) -> dict[str, Any]:
    """The manifest of :data:`IMAGE` with other members in what stands at ``path``.

    ``...`` removes one. A name that is no identifier is spelled with ``__`` for what it lacks.
    """
    body: dict[str, Any] = IMAGE.json
    target: Any = body
    for step in path:
        target = target[step]
    for name, value in members.items():
        if value is ...:
            del target[name]
        else:
            target[name] = value
    return body


def with_config(raw: bytes) -> Store:
    """A layout of an image with this config."""
    return layout(docker_image(config=raw))


def with_layer(data: bytes, media_type: str, tar: bytes = LAYERS[0].tar) -> Store:
    """A layout of an image with one layer of these bytes, which should hold ``tar``."""
    config = Blob(DOCKER_CONFIG, minimal_config([Layer(tar)]))
    return layout(replace(manifest(config, [Blob(media_type, data)]), layers=()))


# -- archives -----------------------------------------------------------------------------------


def saved(
    members: Mapping[str, bytes | Link] | bytes, transport: str = "docker-archive", **options: Any
) -> Store:
    """An archive of these members, or with these bytes. Options are those of :func:`archive`."""
    data = members if isinstance(members, bytes) else archive(members, **options)

    def write(folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "image.tar").write_bytes(data)
        return f"{transport}:{folder / 'image.tar'}"

    return write


def unpacked(members: Mapping[str, bytes | Link]) -> Store:
    """The same archive, extracted."""
    return lambda folder: f"docker-archive:{extracted(members, folder)}"


def packed(content: Mapping[str, bytes | Link] | bytes, **options: Any) -> Store:
    """The files of a layout as an ``oci-archive:``."""
    return saved(content, "oci-archive", **options)


def row(members: Members, **changes: Any) -> Members:
    """The members of an archive, the first row of its ``manifest.json`` changed."""
    rows = json.loads(content(members, "manifest.json"))
    first = {name: value for name, value in {**rows[0], **changes}.items() if value is not ...}
    return {**members, "manifest.json": compact([first, *rows[1:]])}


def content(members: Mapping[str, bytes | Link], name: str) -> bytes:
    """The bytes of a member."""
    data = members[name]
    assert isinstance(data, bytes)
    return data


def paths(members: Members) -> tuple[str, list[str]]:
    """The files that the first row names: the config's, and those of the layers."""
    first = json.loads(content(members, "manifest.json"))[0]
    return first["Config"], first["Layers"]


def without(members: Mapping[str, bytes | Link], *names: str) -> Members:
    """The members but for some."""
    return {name: data for name, data in members.items() if name not in names}


def appended(data: bytes, name: str, kind: bytes, **fields: Any) -> bytes:
    """An archive with one more member: of any kind, and as odd as its ``fields``."""
    member = tarfile.TarInfo(name)
    member.type = kind
    for key, value in fields.items():
        setattr(member, key, value)
    buffer = BytesIO(data)
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        tar.addfile(member)
    return buffer.getvalue()


def twice(members: Mapping[str, bytes | Link], name: str) -> bytes:
    """An archive in which one member stands twice, with two contents."""
    return archive({**members, f"./{name}": b"{}"})


# -- what stands in the place of a file ---------------------------------------------------------


def spoiled(store: Store, name: str, spoil: Callable[[Path], object]) -> Store:
    """A store that is a folder, one of its files replaced by something else."""

    def write(folder: Path) -> str:
        reference = store(folder)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        spoil(path)
        return reference

    return write


def gone(_: Path) -> None:
    """Nothing at all."""


def pipe(path: Path) -> None:
    """A pipe: whoever opens it to read waits for ever."""
    os.mkfifo(path)


def empty_folder(path: Path) -> None:
    """A folder."""
    path.mkdir()


def link_to(target: str) -> Callable[[Path], None]:
    """A symbolic link."""
    return lambda path: path.symlink_to(target)


def link_holding(data: bytes) -> Callable[[Path], None]:
    """A symbolic link to a file with these bytes, beside it."""

    def make(path: Path) -> None:
        (path.parent / "beside").write_bytes(data)
        path.symlink_to("beside")

    return make


def circle(path: Path) -> None:
    """A link to itself."""
    path.symlink_to(path.name)


def holding(data: bytes) -> Callable[[Path], object]:
    """A file with other bytes."""
    return lambda path: path.write_bytes(data)


def flipped(data: bytes, at: int = -1) -> bytes:
    """The same bytes but for one bit."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
