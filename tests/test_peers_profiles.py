"""Profiles against the tools that they speak of: what fits is taken."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from oci_convert import Compression, check
from oci_convert.errors import OciConvertError
from oci_convert.spec.digest import Digest
from oci_convert.stores.registry.reference import Repository
from support.docker_registry import docker_registry
from support.images import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    EMPTY,
    OCI_CONFIG,
    OCI_LAYER,
    Blob,
    Image,
    attestation,
    digest_of,
    docker_image,
    image_list,
    layer,
    manifest,
    oci_image,
    write_dir,
    write_layout,
)
from support.registries import chunks_of, client, documents

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def program(request: pytest.FixtureRequest) -> str:
    path = shutil.which("docker-registry")
    if path is None and request.config.getoption("--require-peers"):
        pytest.fail("docker-registry is not installed", pytrace=False)
    if path is None:
        pytest.skip("docker-registry is not installed")
    return path


@pytest.fixture(scope="module")
def host(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(program, tmp_path_factory.mktemp("registry"), {}) as host:
        yield host


def edited(image: Image, **members: object) -> Image:
    """The image with other members in its manifest; ``None`` takes one away."""
    raw = json.dumps({k: v for k, v in {**image.json, **members}.items() if v is not None}).encode()
    blobs = {name: data for name, data in image.blobs.items() if data != image.manifest}
    digest = digest_of(raw)
    return replace(image, manifest=raw, blobs={**blobs, digest: raw}, documents={digest: raw})


def relabelled(image: Image, old: str, new: str) -> Image:
    """The image with one media type in its manifest written as another one."""
    return edited(image, **json.loads(image.manifest.replace(old.encode(), new.encode())))


def without(image: Image, data: bytes) -> Image:
    return replace(image, blobs={name: it for name, it in image.blobs.items() if it != data})


def far(image: Image, media_type: str) -> Image:
    """The image with its layer elsewhere."""
    first = {**image.json["layers"][0], "mediaType": media_type}
    elsewhere = edited(image, layers=[{**first, "urls": ["https://example.com/l"]}])
    return without(elsewhere, image.layers[0].data)


ONE, TWO = oci_image([layer("one")]), docker_image([layer("two")])
ZSTD = oci_image([layer("z", Compression.ZSTD)])
PAIR = image_list([oci_image([layer("a")]), oci_image([layer("b")])])
IMAGES = {
    "an OCI image": ONE,
    "a Docker image": TWO,
    "an OCI index": PAIR,
    "a Docker list": image_list([docker_image([layer("c")])]),
    "a nested index": image_list([image_list([ONE])]),
    "an index with an attestation": image_list([ONE, attestation(ONE)]),
    "zstd in OCI": ZSTD,
    "an artifact": manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"note")]),
    "no mediaType in OCI": edited(oci_image([layer("d")]), mediaType=None),
    "no mediaType in Docker": edited(docker_image([layer("e")]), mediaType=None),
    "a Docker layer in OCI": relabelled(oci_image([layer("f")]), OCI_LAYER, DOCKER_LAYER),
    "a Docker config in OCI": relabelled(oci_image([layer("g")]), OCI_CONFIG, DOCKER_CONFIG),
    "an OCI layer in Docker": relabelled(docker_image([layer("h")]), DOCKER_LAYER, OCI_LAYER),
    "zstd in Docker": relabelled(
        docker_image([layer("i", Compression.ZSTD)]),
        f"{DOCKER_LAYER.removesuffix('gzip')}gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
    ),
    "an entry that is not there": without(
        PAIR, next(iter(set(PAIR.documents.values()) - {PAIR.manifest}))
    ),
    "a foreign layer of Docker that is not there": far(
        TWO, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    ),
    "a foreign layer of OCI that is not there": far(
        ONE, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    ),
}


def judged(image: Image, profile: str, folder: Path) -> bool:
    write_layout({"app": image}, folder)
    try:
        return check(f"oci:{folder}:app", profile).fits
    except OciConvertError:
        return False


def is_pushed(host: str, name: str, image: Image) -> bool:
    """Whether a registry takes everything that there is of an image, pushed as it is."""
    with client(retries=0) as ours:
        remote = ours.repository(Repository(host, name), push=True)
        try:
            for digest, data in image.blobs.items():
                if digest not in image.documents:
                    remote.put_blob(Digest(digest), len(data), chunks_of(data))
            for raw, media_type in documents(image):
                tag = "1" if raw == image.manifest else None
                if raw in image.blobs.values():
                    remote.put_manifest(raw, media_type, tag=tag)
        except OciConvertError:
            return False
    return True


@pytest.mark.parametrize("case", IMAGES)
def test_the_registry_takes_what_check_calls_good_and_nothing_else(
    case: str, host: str, tmp_path: Path
) -> None:
    image = IMAGES[case]
    name = "".join(c if c.isalnum() else "-" for c in case.lower())
    assert is_pushed(host, name, image) is judged(image, "distribution-2.8", tmp_path)


@pytest.mark.parametrize("case", IMAGES)
def test_skopeo_takes_what_check_calls_good_and_nothing_else(case: str, tmp_path: Path) -> None:
    image = IMAGES[case]
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    good = judged(image, "podman", tmp_path / "layout")
    write_dir(image, tmp_path / "in")
    copied = subprocess.run(
        ["skopeo", "copy", "--all", f"dir:{tmp_path}/in", f"dir:{tmp_path}/out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (copied.returncode == 0) is good, copied.stderr
