"""Docker-save archives in every form that is found in the wild, made in code.

Each builder returns the members of an archive by name; :func:`archive` makes a tar of them and
:func:`in_memory` a place. The tools that write each form are named by the builder.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores.files.memory import MemoryFiles
from support.images import (
    DOCKER,
    LAYERS,
    OCI_LAYER,
    REF_NAME,
    Image,
    Layer,
    digest_of,
    docker_config,
    image_list,
    oci_image,
)

CONTAINERD_NAME = "io.containerd.image.name"


@dataclass(frozen=True, slots=True)
class Link:
    """A member that is a symbolic or a hard link."""

    target: str
    hard: bool = False


Members = dict[str, bytes | Link]


@dataclass(frozen=True, slots=True)
class Saved:
    """An image and the tags it was saved under."""

    tags: Sequence[str] | None = ("app:1",)
    layers: tuple[Layer, ...] = LAYERS
    platform: str = "linux/amd64"

    @property
    def config(self) -> bytes:
        return docker_config(self.layers, self.platform)


def compact(value: object) -> bytes:
    """JSON as Go writes it, but for its escapes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def hex_of(data: bytes) -> str:
    """The hex digits of the SHA-256 of ``data``."""
    return digest_of(data).partition(":")[2]


def blob(data: bytes) -> str:
    """Where a layout keeps ``data``."""
    return f"blobs/sha256/{hex_of(data)}"


def archive(
    members: Mapping[str, bytes | Link],
    *,
    prefix: str = "",
    form: int = tarfile.GNU_FORMAT,
    pax: Mapping[str, str] | None = None,
) -> bytes:
    """A tar file; ``prefix`` goes before each name, ``pax`` into a global header."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, pax_headers=pax) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(prefix + name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.type = tarfile.LNKTYPE if content.hard else tarfile.SYMTYPE
                info.linkname = content.target
                tar.addfile(info)
    return buffer.getvalue()


def extracted(members: Mapping[str, bytes | Link], folder: Path) -> Path:
    """``members`` as files and links below ``folder``; returns ``folder``."""
    for name, content in sorted(members.items(), key=lambda item: isinstance(item[1], Link)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content.hard:
            os.link(folder / content.target, path)
        else:
            path.symlink_to(content.target)
    return folder


def in_memory(members: Mapping[str, bytes | Link]) -> MemoryFiles:
    """A place with these files; it has no links."""
    return MemoryFiles({name: data for name, data in members.items() if isinstance(data, bytes)})


def _manifest(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return compact(list(rows)) + b"\n"


# -- without a layout ---------------------------------------------------------------------------


def docker_20(*images: Saved) -> Members:
    """Docker 1.10 to 24: plain layers in folders; one that repeats is a symbolic link."""
    members: Members = {}
    rows = []
    for number, image in enumerate(images):
        paths = []
        seen: dict[str, str] = {}
        for position, layer in enumerate(image.layers):
            folder = hex_of(f"{number} {position}".encode())
            paths.append(f"{folder}/layer.tar")
            members[f"{folder}/VERSION"] = b"1.0"
            members[f"{folder}/json"] = compact({"id": folder})
            twin = seen.setdefault(layer.diff_id, folder)
            members[paths[-1]] = layer.tar if twin == folder else Link(f"../{twin}/layer.tar")
        config = f"{hex_of(image.config)}.json"
        members[config] = image.config
        rows.append({"Config": config, "RepoTags": image.tags, "Layers": paths})
    return {**members, "manifest.json": _manifest(rows), "repositories": b"{}\n"}


def windows(image: Saved) -> Members:
    """Docker on Windows: the first layer is foreign, described but not stored."""
    members = docker_20(image)
    row = json.loads(_bytes(members["manifest.json"]))[0]
    base = image.layers[0]
    del members[row["Layers"][0]]
    source = {
        "mediaType": f"{DOCKER}image.rootfs.foreign.diff.tar.gzip",
        "size": len(base.data),
        "digest": base.digest,
        "urls": ["https://mcr.example.com/base"],
    }
    row |= {"Parent": "", "LayerSources": {base.diff_id: source}}
    return {**members, "manifest.json": _manifest([row])}


def podman(image: Saved) -> Members:
    """podman and skopeo: plain layers by ``diff_id``, each stored once; legacy links to them."""
    members: Members = {}
    for position, layer in enumerate(image.layers):
        folder = hex_of(f"v1 {position}".encode())
        members[f"{hex_of(layer.tar)}.tar"] = layer.tar
        members[f"{folder}/layer.tar"] = Link(f"../{hex_of(layer.tar)}.tar")
    config = f"{hex_of(image.config)}.json"
    layers = [f"{hex_of(layer.tar)}.tar" for layer in image.layers]
    row = {"Config": config, "RepoTags": image.tags, "Layers": layers}
    return {
        **members,
        config: image.config,
        "manifest.json": compact([row]),
        "repositories": b"{}",
    }


def crane(image: Saved) -> Members:
    """crane, kaniko, ko, bazel: layers as stored, under their own digest; a config with a colon."""
    suffixes = {Compression.NONE: ".tar", Compression.ZSTD: ".tar.zst"}
    layers = [
        hex_of(layer.data) + suffixes.get(layer.compression, ".tar.gz") for layer in image.layers
    ]
    row = {"Config": digest_of(image.config), "RepoTags": image.tags, "Layers": layers}
    return {
        digest_of(image.config): image.config,
        **{name: layer.data for name, layer in zip(layers, image.layers, strict=True)},
        "manifest.json": compact([row]),
    }


def crane_foreign(image: Saved, family: Family = Family.DOCKER) -> Members:
    """crane and ko with layers that are fetched from elsewhere: stored, and described by
    ``diff_id`` with all that their descriptors say.
    """
    members = crane(image)
    sources = {
        layer.diff_id: {
            "mediaType": layer.label(family),
            "size": len(layer.data),
            "digest": layer.digest,
            **layer.more,
        }
        for layer in image.layers
        if layer.foreign
    }
    row = json.loads(_bytes(members["manifest.json"]))[0] | {"LayerSources": sources}
    return {**members, "manifest.json": compact([row])}


def crane_legacy(image: Saved) -> Members:
    """``crane pull --format legacy``: plain layers in folders, one that repeats is stored twice."""
    folders = [hex_of(f"v1 {i}".encode()) for i, _ in enumerate(image.layers)]
    config = f"{hex_of(image.config)}.json"
    layers = [f"{folder}/layer.tar" for folder in folders]
    row = {"Config": config, "RepoTags": image.tags, "Layers": layers}
    return {
        config: image.config,
        **{path: layer.tar for path, layer in zip(layers, image.layers, strict=True)},
        "repositories": b"{}",
        "manifest.json": compact([row]),
    }


# -- with a layout ------------------------------------------------------------------------------

LAYOUT = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}


def entry(image: Image, name: str | None = None, **annotations: str) -> dict[str, Any]:
    """An entry of ``index.json``; ``name`` is annotated as Docker, containerd and BuildKit do."""
    if name is not None:
        annotations = {CONTAINERD_NAME: full(name), REF_NAME: name.rpartition(":")[2]} | annotations
    found = {
        "mediaType": image.media_type,
        "digest": image.digest,
        "size": len(image.manifest),
    }
    return found | ({"annotations": annotations} if annotations else {})


def full(name: str) -> str:
    """``app:1`` in full."""
    return name if "/" in name else f"docker.io/library/{name}"


def layout(images: Iterable[Image], entries: Iterable[Mapping[str, Any]]) -> Members:
    """The files of a layout with these entries."""
    blobs = {
        f"blobs/{digest.replace(':', '/')}": data
        for image in images
        for digest, data in image.blobs.items()
    }
    index = {"schemaVersion": 2, "manifests": list(entries)}
    return {**LAYOUT, **blobs, "index.json": compact(index)}


def row_of(image: Image, tags: Sequence[str] | None, **members: Any) -> dict[str, Any]:
    """The row for an image of a layout."""
    layers = [blob(layer.data) for layer in image.layers]
    return {"Config": blob(image.config), "RepoTags": tags, "Layers": layers, **members}


def docker_25(
    *images: Saved,
    order: Callable[[tuple[Layer, ...]], tuple[Layer, ...]] = tuple,
    indexed: bool = True,
) -> Members:
    """Docker 25 to 28: a layout of plain layers. 25.0 mixed up the ``order`` of the layers in the
    OCI manifests and left untagged images out of ``index.json`` (``indexed``)."""
    made, entries, rows = [], [], []
    for image in images:
        layers = tuple(Layer(layer.tar, Compression.NONE) for layer in image.layers)
        whole = oci_image(layers, config=image.config)
        # Where the order is wrong, the right manifest was never written.
        made += [whole.without(whole.digest), oci_image(order(layers), config=image.config)]
        tags: Sequence[str | None] = image.tags or ([None] if indexed else [])
        entries += [entry(made[-1], tag) for tag in tags]
        sources = {
            layer.diff_id: {
                "mediaType": OCI_LAYER.removesuffix("+gzip"),
                "size": len(layer.tar),
                "digest": layer.diff_id,
            }
            for layer in layers
        }
        rows.append(row_of(whole, image.tags, LayerSources=sources))
    return {**layout(made, entries), "manifest.json": _manifest(rows), "repositories": b"{}\n"}


def containerd(image: Saved, *absent: Image) -> Members:
    """Docker 29, ``ctr``, nerdctl: layers as stored; an index whose other platforms are absent."""
    here = oci_image(image.layers, config=image.config, platform=image.platform)
    top = image_list([*absent, here])
    top = top.without(
        *(digest for other in absent for digest in set(other.blobs) - set(here.blobs))
    )
    entries = [entry(top, tag) for tag in image.tags or ()] or [entry(top)]
    return {
        **layout([top], entries),
        "manifest.json": _manifest([row_of(here, image.tags)]),
    }


def regctl(image: Saved, reference: str = "ocidir://app:1", tag: str = "1") -> Members:
    """``regctl image export``: LayerSources by the wrong key, a name in regctl's spelling."""
    made = oci_image(image.layers, config=image.config)
    sources = {
        layer.digest: {"mediaType": OCI_LAYER, "size": len(layer.data), "digest": layer.digest}
        for layer in image.layers
    }
    annotations = {CONTAINERD_NAME: reference, REF_NAME: tag}
    row = row_of(made, image.tags, LayerSources=sources)
    return {
        **layout([made], [entry(made, **annotations)]),
        "manifest.json": compact([row]),
    }


def _bytes(member: bytes | Link) -> bytes:
    assert isinstance(member, bytes)
    return member
