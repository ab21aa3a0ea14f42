"""Other tools of the field load the archives that are written here: same images, same names."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from oci_convert import Compression, convert
from support.archives import CONTAINERD_NAME, Saved, archive, docker_20
from support.images import (
    Image,
    Layer,
    attestation,
    digest_of,
    docker_image,
    image_list,
    oci_image,
    tar_of,
    write_dir,
    write_layout,
)

pytestmark = pytest.mark.peers

BASE = tar_of({"etc/": b"", "etc/app.conf": "one\n", "bin/": b"", "bin/run": "#!/bin/sh\n"})
APP = tar_of({"etc/": b"", "etc/app.conf": "two\n"})
LAYERS = (Layer(BASE), Layer(APP))
OTHER = (Layer(BASE), Layer(tar_of({"etc/": b"", "etc/app.conf": "three\n"})))
ZSTD = [Layer(BASE, Compression.ZSTD), Layer(APP, Compression.ZSTD)]
NAME = "example.com/team/app:1"

IMAGES = {
    "docker": docker_image(LAYERS),
    "oci": oci_image(LAYERS),
    "zstd": oci_image(ZSTD),
    "plain": docker_image([Layer(BASE, Compression.NONE), *LAYERS[1:]]),
    "twice": docker_image([*LAYERS, LAYERS[0]]),
    "an index of one": image_list([docker_image(LAYERS)]),
    "attested": image_list([oci_image(LAYERS), attestation(oci_image(LAYERS))]),
}


def run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@pytest.fixture
def podman(peers: Callable[[str], str]) -> Iterator[list[str | Path]]:
    """The command podman with a storage of its own."""
    tool = peers("podman")
    with TemporaryDirectory(prefix="podman-") as folder:  # podman wants a short path
        storage = ("--root", f"{folder}/root", "--runroot", f"{folder}/run")
        yield [tool, *storage, "--storage-driver", "vfs"]


def loaded(podman: list[str | Path], file: Path) -> dict[str, str]:
    """What podman has after loading an archive: names, and the IDs of their images."""
    run(*podman, "load", "--input", file)
    images = json.loads(run(*podman, "images", "--format", "json", "--no-trunc"))
    return {name: f"sha256:{image['Id']}" for image in images for name in image["Names"]}


def identity(image: Image) -> str:
    """The image ID of an image, or of the first one in an index."""
    config = image.config
    if not config:
        first = image.json["manifests"][0]["digest"]
        return str(json.loads(image.blobs[first])["config"]["digest"])
    return digest_of(config)


def written(image: Image, transport: str, folder: Path, **options: str) -> Path:
    """An archive of ``image``, made from a layout."""
    write_layout({"app": image}, folder / "in")
    target = folder / "app.tar"
    convert(f"oci:{folder}/in", f"{transport}:{target}:{NAME}", **options)  # type: ignore[arg-type]
    return target


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("compress", ["auto", "none"])
def test_podman_loads_a_docker_archive(
    image: Image, compress: str, podman: list[str | Path], tmp_path: Path
) -> None:
    file = written(image, "docker-archive", tmp_path, compress=compress)
    assert loaded(podman, file) == {NAME: identity(image)}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("to", ["docker", "oci"])
def test_podman_loads_an_oci_archive(
    image: Image, to: str, podman: list[str | Path], tmp_path: Path
) -> None:
    file = written(image, "oci-archive", tmp_path, to=to)
    assert loaded(podman, file) == {NAME: identity(image)}


def test_podman_loads_several_images_and_tags(podman: list[str | Path], tmp_path: Path) -> None:
    saved = [Saved(["app:1", NAME], layers=LAYERS), Saved(["app:2"], layers=OTHER)]
    (tmp_path / "saved.tar").write_bytes(archive(docker_20(*saved)))
    convert(tmp_path / "saved.tar", f"docker-archive:{tmp_path}/app.tar")
    first, second = (digest_of(image.config) for image in saved)
    assert loaded(podman, tmp_path / "app.tar") == {
        "docker.io/library/app:1": first,
        NAME: first,
        "docker.io/library/app:2": second,
    }


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("to", ["docker", "oci"])
def test_skopeo_reads_a_docker_archive_as_both(
    image: Image, to: str, tmp_path: Path, peers: Callable[[str], str]
) -> None:
    """Without a REF, as one that Debian's skopeo finds Docker types by."""
    skopeo = peers("skopeo")
    file = written(image, "docker-archive", tmp_path, to=to)
    for transport in ("docker-archive", "oci-archive"):
        copy = tmp_path / f"{transport}-copy"
        run(skopeo, "--insecure-policy", "copy", f"{transport}:{file}", f"dir:{copy}")
        manifest = json.loads((copy / "manifest.json").read_bytes())
        assert manifest["config"]["digest"] == identity(image)
    tags = json.loads(run(skopeo, "list-tags", f"docker-archive:{file}"))
    assert tags["Tags"] == [NAME]


def test_skopeo_chooses_an_image_of_several(tmp_path: Path, peers: Callable[[str], str]) -> None:
    """In a layout Debian's skopeo looks for a REF among OCI types only."""
    skopeo = peers("skopeo")
    saved = [Saved(["app:1"], layers=LAYERS), Saved(["app:2"], layers=OTHER)]
    (tmp_path / "saved.tar").write_bytes(archive(docker_20(*saved)))
    convert(tmp_path / "saved.tar", f"docker-archive:{tmp_path}/app.tar", to="oci")
    for transport in ("docker-archive", "oci-archive"):
        copy = tmp_path / transport
        source = f"{transport}:{tmp_path}/app.tar:app:2"
        run(skopeo, "--insecure-policy", "copy", source, f"dir:{copy}")
        manifest = json.loads((copy / "manifest.json").read_bytes())
        assert manifest["config"]["digest"] == digest_of(saved[1].config)


def test_skopeo_copies_a_docker_image_with_its_digest(
    tmp_path: Path, peers: Callable[[str], str]
) -> None:
    image = docker_image(LAYERS)
    write_dir(image, tmp_path / "in")
    convert(f"dir:{tmp_path}/in", f"docker-archive:{tmp_path}/app.tar:{NAME}")
    source, target = f"oci-archive:{tmp_path}/app.tar", f"dir:{tmp_path}/out"
    run(peers("skopeo"), "--insecure-policy", "copy", source, target)
    assert (tmp_path / "out" / "manifest.json").read_bytes() == image.manifest


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
@pytest.mark.parametrize("image", [oci_image(LAYERS), docker_image(LAYERS)], ids=["oci", "docker"])
def test_umoci_unpacks_what_was_in_an_archive(
    image: Image, transport: str, tmp_path: Path, peers: Callable[[str], str]
) -> None:
    write_layout({"app": image}, tmp_path / "in")
    convert(f"oci:{tmp_path}/in", f"{transport}:{tmp_path}/app.tar", to="oci")
    with tarfile.open(tmp_path / "app.tar") as opened:
        opened.extractall(tmp_path / "out", filter="data")
    layout = f"{tmp_path}/out:app"
    run(peers("umoci"), "unpack", "--rootless", "--image", layout, tmp_path / "bundle")
    assert (tmp_path / "bundle" / "rootfs" / "etc" / "app.conf").read_text() == "two\n"


def test_gnu_tar_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    file = written(docker_image([Layer(BASE, algorithm="sha512")]), "docker-archive", tmp_path)
    done = subprocess.run(["tar", "-tvf", file], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "blobs/sha512/" in done.stdout
    with tarfile.open(file) as opened:
        assert opened.getnames()[-3:] == ["manifest.json", "oci-layout", "index.json"]


def test_what_podman_saves_comes_back_with_its_names(
    podman: list[str | Path], tmp_path: Path
) -> None:
    file = written(docker_image(LAYERS), "docker-archive", tmp_path)
    run(*podman, "load", "--input", file)
    run(*podman, "save", "--output", tmp_path / "saved.tar", NAME)
    report = convert(tmp_path / "saved.tar", f"docker-archive:{tmp_path}/again.tar")
    assert [image.name for image in report.images] == [NAME]
    with tarfile.open(tmp_path / "again.tar") as opened:
        index = opened.extractfile("index.json")
        assert index is not None
        (entry,) = json.loads(index.read())["manifests"]
    assert entry["annotations"][CONTAINERD_NAME] == NAME
