"""Profiles against a registry and skopeo: what fits is taken, what does not is refused."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from oci_convert.errors import OciConvertError
from oci_convert.spec.digest import Digest
from oci_convert.stores.registry.reference import Repository
from support.docker_registry import docker_registry
from support.images import Image, write_dir
from support.registries import chunks_of, client, documents
from support.target_images import IMAGES, fits

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
    assert is_pushed(host, name, image) is fits(image, "distribution-2.8", tmp_path)


# A directory has no limit; of a registry, it reads 4 MiB.
@pytest.mark.parametrize("case", sorted(IMAGES.keys() - {"a manifest of 5 MB"}))
def test_skopeo_takes_what_check_calls_good_and_nothing_else(case: str, tmp_path: Path) -> None:
    image = IMAGES[case]
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    good = fits(image, "skopeo", tmp_path / "layout")
    write_dir(image, tmp_path / "in")
    copied = subprocess.run(
        ["skopeo", "copy", "--all", f"dir:{tmp_path}/in", f"dir:{tmp_path}/out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (copied.returncode == 0) is good, copied.stderr
