"""Archives in the shape that other producers give them, made here: there, back, and the same image.

``docs/reliability.md`` says which files of these producers were tried.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from oci_convert import convert, diff, inspect, verify
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression
from oci_convert.spec.names import normalised
from support.archives import Members, archive, blob, compact, hex_of
from support.images import OCI, OCI_CONFIG, REF_NAME, Layer, layer, tar_of

LAYERS = (layer("base", size=20_000), layer("app"))
WHEN = "1970-01-01T00:00:01+00:00"


def config(layers: tuple[Layer, ...], **more: Any) -> dict[str, Any]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/app"]},
        "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in layers]},
        **more,
    }


def saved(image: bytes, layers: dict[str, bytes], tags: list[str]) -> Members:
    name = f"{hex_of(image)}.json"
    row = {"Config": name, "RepoTags": tags, "Layers": list(layers)}
    return {**layers, name: image, "manifest.json": compact([row])}


def nix() -> bytes:
    """``dockerTools.streamLayeredImage``: plain layers by their hash, absolute names in them, the
    config with four spaces, no ``repositories``."""
    layers = tuple(
        Layer(tar_of({"/nix/store/x-app/bin": text}), Compression.NONE) for text in ("a", "b")
    )
    history = [{"created": WHEN, "comment": "store paths: ['/nix/store/x-app']"} for _ in layers]
    image = json.dumps(config(layers, created=WHEN, history=history), indent=4).encode()
    files = {f"{hex_of(each.tar)}/layer.tar": each.tar for each in layers}
    return archive(saved(image, files, ["app:1"]))


def dotnet() -> bytes:
    """``dotnet publish -t:PublishContainer`` to a Docker archive: packed layers called
    ``layer.tar``, headers of PAX."""
    image = compact(config(LAYERS, created="2025-01-01T00:00:00.0000000Z"))
    files = {f"{each.digest[7:]}/layer.tar": each.data for each in LAYERS}
    return archive(saved(image, files, ["app:1", "app:latest"]), form=tarfile.PAX_FORMAT)


def layout(image: bytes, layers: tuple[Layer, ...], *, kind: str, **entry: Any) -> Members:
    """A layout of one manifest."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}manifest.v1+json",
        "config": {"mediaType": OCI_CONFIG, "digest": str(Digest.of(image)), "size": len(image)},
        "layers": [
            {"mediaType": f"{OCI}layer.v1.tar{kind}", "digest": it.digest, "size": len(it.data)}
            for it in layers
        ],
        **({"annotations": {"io.systemd.mkosi.version": "25"}} if not entry else {}),
    }
    raw = compact(manifest).replace(b"manifest.v1+json", b"manifest.v1\\u002Bjson", 1)
    raw = raw if entry else compact(manifest)
    described = {
        "mediaType": f"{OCI}manifest.v1+json",
        "digest": str(Digest.of(raw)),
        "size": len(raw),
        **entry,
    }
    return {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        **{blob(each.data): each.data for each in layers},
        blob(image): image,
        blob(raw): raw,
        "index.json": compact(
            {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json", "manifests": [described]}
        ),
    }


def dotnet_oci() -> bytes:
    """The same to an OCI archive: a media type with an escape, the reference as ref name."""
    image = compact(config(LAYERS))
    members = layout(image, LAYERS, kind="+gzip", annotations={REF_NAME: "app:1"})
    return archive(members, form=tarfile.PAX_FORMAT)


def mkosi() -> bytes:
    """``mkosi --format=oci``: one zstd layer, JSON of Python, no name."""
    only = (Layer(LAYERS[0].tar, Compression.ZSTD),)
    image = json.dumps(config(only, history=[{"created": WHEN, "comment": "mkosi"}])).encode()
    return archive(layout(image, only, kind="+zstd"))


def jib() -> bytes:
    """``jib buildTar``: members in lower case, ``config.json``, packed layers."""
    image = compact(config(LAYERS, created="1970-01-01T00:00:00Z", container_config={}))
    files = {f"{each.digest[7:]}.tar.gz": each.data for each in LAYERS}
    row = {"config": "config.json", "repoTags": ["app:1"], "layers": list(files)}
    return archive({**files, "config.json": image, "manifest.json": compact([row])})


APP: Final = ["docker.io/library/app:1"]
PRODUCERS: Final[dict[str, tuple[Callable[[], bytes], list[str | None]]]] = {
    # what it writes, and what its images are called
    "nix": (nix, [*APP]),
    ".NET SDK, docker": (dotnet, [*APP, "docker.io/library/app:latest"]),
    ".NET SDK, oci": (dotnet_oci, [*APP]),
    "mkosi": (mkosi, [None]),
    "Jib": (jib, [*APP]),
}


def names(store: str | Path) -> list[str | None]:
    """What the images of a store are called, in full."""
    return [image.name and normalised(image.name) for image in inspect(store).images]


@pytest.mark.parametrize("name", PRODUCERS)
def test_its_images_convert_there_and_back(name: str, tmp_path: Path) -> None:
    write, called = PRODUCERS[name]
    source = tmp_path / "app.tar"
    source.write_bytes(write())
    assert verify(source).sound
    assert names(source) == called
    layout, saved = f"oci:{tmp_path}/layout", f"docker-archive:{tmp_path}/new.tar"
    for origin, target in ((source, layout), (layout, saved), (saved, f"oci:{tmp_path}/again")):
        convert(origin, target, fsync=False)
        assert verify(target).sound
        assert diff(source, target).same
        assert names(target) == called
