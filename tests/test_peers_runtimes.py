"""Profiles against the runtimes that they speak of: what fits is pulled, what does not fails.

Taken is an image that a runtime pulls, and of which it makes a root file system with the files of
the layers.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from registry import FakeRegistry
from registry.personality import Personality
from support.certificates import OPENSSL, make_certificates
from support.docker_registry import memory_folder
from support.images import docker_image, layer
from support.registries import load
from support.runtimes import RUNTIMES, Docker, NotStartedError, Runtime, may_mount
from support.target_images import FOREIGN, IMAGES, far, fits

pytestmark = pytest.mark.peers

ELSEWHERE = docker_image([layer("elsewhere")])
FAR = {
    *("a foreign layer of Docker that is not there", "a foreign layer of OCI that is not there"),
    "a foreign layer of OCI that is there and elsewhere",
}
"""Whether the address of a layer answers does not stand in an image."""
NOT_ASKED = {
    "containerd": FAR,
    "containerd-1.6": FAR,
    "docker-29": FAR,
    # Our own limit, of what registries take, comes before any of Docker's.
    "docker-20.10": {"a manifest of 5 MB"},
    # It unpacks a layer of any type, if it can.
    "podman": {*FAR, "a layer of an unknown type"},
}


@pytest.fixture(scope="module", params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    kind = RUNTIMES[request.param]
    missing = [it for it in kind.programs if shutil.which(it) is None]
    reason = f"{missing[0]} is not installed" if missing else ""
    if os.geteuid() != 0:
        reason = "a runtime wants to be started by root"
    if reason and request.config.getoption("--require-peers"):
        pytest.fail(reason, pytrace=False)
    if reason:
        pytest.skip(reason)
    # In a short path: sockets have no room for a long one.
    with ExitStack() as stack:
        folder = stack.enter_context(memory_folder(Path("/tmp")))
        if not may_mount(folder):
            pytest.skip("this machine lets nobody mount layers on each other")
        try:
            made = stack.enter_context(kind.running(folder))
        except NotStartedError as error:
            pytest.skip(str(error))
        yield made


@pytest.fixture(scope="module")
def registry(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeRegistry]:
    tls = None
    if isinstance(runtime, Docker):
        if OPENSSL is None:
            pytest.skip("openssl is not installed")
        tls = make_certificates(tmp_path_factory.mktemp("tls")).context()
    # It says by itself which documents a runtime understands.
    with FakeRegistry(Personality(heeds_accept=False), tls=tls) as made:
        yield made


@pytest.fixture(scope="module")
def profile(runtime: Runtime) -> str:
    name = runtime.profile()
    if name is None:
        pytest.skip("no profile speaks of this version")
    return name


@pytest.mark.parametrize("case", IMAGES)
def test_a_runtime_takes_what_check_calls_good_and_nothing_else(
    case: str, runtime: Runtime, registry: FakeRegistry, profile: str, tmp_path: Path
) -> None:
    if case in NOT_ASKED[profile]:
        pytest.skip("not for this runtime: NOT_ASKED")
    name = "".join(c if c.isalnum() else "-" for c in case.lower())
    load(registry, name, "1", IMAGES[case])
    taken = runtime.takes(f"{registry.host}/{name}:1")
    assert taken is fits(IMAGES[case], profile, tmp_path), runtime.said


def test_a_foreign_layer_is_fetched_from_its_address(
    runtime: Runtime, registry: FakeRegistry, profile: str, tmp_path: Path
) -> None:
    with FakeRegistry() as other:
        (there,) = ELSEWHERE.layers
        other.content.add_blob("foreign", there.data)
        url = f"{other.origin}/v2/foreign/blobs/{there.digest}"
        image = far(ELSEWHERE, FOREIGN, url)
        load(registry, "elsewhere", "1", image)
        taken = runtime.takes(f"{registry.host}/elsewhere:1")
    assert taken is fits(image, profile, tmp_path), runtime.said
