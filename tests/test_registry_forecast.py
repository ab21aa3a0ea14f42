"""What a dry run foretells of requests and bytes is what the run then takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oci_convert import Family, Memory, Report, convert
from oci_convert.stores import Auth, RegistryClient, RegistryImage, RegistryOptions
from registry.gate import TokenServer
from registry.server import FakeRegistry
from support.command import Command
from support.images import Image, Layer, docker_image, image_list, layout_files, tar_of

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x", "linux/ppc64le", "linux/386")
FIVE = image_list(
    [
        docker_image([Layer(tar_of({f"{platform} {i}": "x"})) for i in range(8)], platform=platform)
        for platform in PLATFORMS
    ],
    Family.DOCKER,
)
BLOBS = len(FIVE.blobs) - 6
"""Distinct blobs of it that are no documents: 40 layers and 5 configs."""
SOUGHT = 6 * 4
"""Questions for what refers to its documents: one by the API, three for the tags of cosign."""
NEAR = Memory(layout_files({"app": FIVE}))
MOVED = ("requests", "bytes_down", "bytes_up", "bytes_written", "layer_bytes")


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        push(fake, FIVE)
        yield fake


def push(fake: FakeRegistry, image: Image) -> None:
    convert(Memory(layout_files({"app": image})), f"docker://{fake.host}/team/app:1", to="docker")


def both(
    source: Any, target: Any, *, options: RegistryOptions | None = None, **settings: Any
) -> tuple[Report, Report]:
    """The dry run and the run, each with a client that knows nothing yet."""
    stored = {name: settings.pop(name) for name in ("verify_written",) if name in settings}
    kept = settings.pop("keep_original", False)
    settings.setdefault("to", "oci")

    def store(given: Any, client: RegistryClient) -> Any:
        if not isinstance(given, str) or not given.startswith("docker://"):
            return given
        return RegistryImage(given, client, keep_original=kept, **stored)

    reports = []
    for dry_run in (True, False):
        with RegistryClient(Auth.basic("me", "s3cr3t"), options) as client:
            ends = store(source, client), store(target, client)
            reports.append(convert(*ends, dry_run=dry_run, **settings))
    return reports[0], reports[1]


def foretold(source: Any, target: Any, **settings: Any) -> Report:
    """The run, after it was seen to be what the dry run had said."""
    dry, wet = both(source, target, **settings)
    assert {name: getattr(dry.totals, name) for name in MOVED} == {
        name: getattr(wet.totals, name) for name in MOVED
    }
    assert dry.digest_map == wet.digest_map
    return wet


def of(registry: FakeRegistry, name: str) -> str:
    return f"docker://{registry.host}/{name}"


def test_the_same_repository_takes_two_requests_a_document(registry: FakeRegistry) -> None:
    before = len(registry.log.exchanges)
    totals = foretold(of(registry, "team/app:1"), of(registry, "team/app:2"), force=True).totals
    assert (totals.requests, totals.layer_bytes) == (12, 0)
    assert totals.bytes_down + totals.bytes_up < 40 * 1024
    targets = [request.target for request in registry.log.requests[before:]]
    assert len(targets) == 6 + 12
    assert not any("/blobs/" in target for target in targets)


def test_a_tag_that_must_be_free_is_asked_for_once(registry: FakeRegistry) -> None:
    # Nothing in the protocol pushes a tag only if it is free, so this is the least.
    report = foretold(of(registry, "team/app:1"), of(registry, "team/app:2"))
    assert report.totals.requests == 13


def test_another_repository_takes_a_mount_more_for_each_distinct_blob(
    registry: FakeRegistry,
) -> None:
    before = len(registry.log.exchanges)
    totals = foretold(of(registry, "team/app:1"), of(registry, "other/app:1"), force=True).totals
    assert (totals.requests, totals.layer_bytes) == (12 + BLOBS, 0)
    assert totals.bytes_down + totals.bytes_up < 40 * 1024
    asked = registry.log.requests[before + 6 :]
    mounts = [request for request in asked if "mount=" in request.target]
    assert len(mounts) == BLOBS
    assert not any(request.body for request in mounts)


def test_a_replaced_image_that_is_kept_and_a_tag_that_is_read_again(registry: FakeRegistry) -> None:
    there = of(registry, "team/app:1")
    totals = foretold(there, there, force=True, keep_original=True, verify_written=True).totals
    assert totals.requests == 12 + 3


def test_a_directory_into_a_registry(registry: FakeRegistry) -> None:
    blobs = 3 * BLOBS
    assert foretold(NEAR, of(registry, "new/app:1"), force=True).totals.requests == 6 + blobs
    # What is there by now is asked for, and not sent again.
    again = foretold(NEAR, of(registry, "new/app:2"), force=True).totals
    assert (again.requests, again.layer_bytes) == (6 + BLOBS, 0)


def test_a_registry_into_a_layout(registry: FakeRegistry, tmp_path: Path) -> None:
    layers = {row.old.digest: row.old.size for row in convert(NEAR, Memory(), to="oci").map}
    report = foretold(of(registry, "team/app:1"), f"oci:{tmp_path / 'layout'}:app")
    assert report.totals.requests == 6 + SOUGHT + BLOBS
    assert report.totals.bytes_down < 1.05 * sum(layers.values())


def test_a_registry_into_another_one(registry: FakeRegistry) -> None:
    with FakeRegistry() as other:
        totals = foretold(of(registry, "team/app:1"), of(other, "app:1"), force=True).totals
    assert totals.requests == 12 + SOUGHT + 4 * BLOBS


def test_a_recompressed_layer_and_pieces(registry: FakeRegistry) -> None:
    foretold(of(registry, "team/app:1"), of(registry, "team/app:zstd"), compress="zstd")
    pieces = RegistryOptions(chunk=100)
    foretold(NEAR, of(registry, "pieces/app:1"), options=pieces, compress="zstd")
    foretold(NEAR, of(registry, "pieces/app:2"), options=pieces, to="docker")


def test_tokens_are_counted_with_the_rest() -> None:
    with FakeRegistry(gate=TokenServer({"me": "s3cr3t"})) as fake:
        with RegistryClient(Auth.basic("me", "s3cr3t")) as client:
            convert(NEAR, RegistryImage(of(fake, "team/app:1"), client), to="docker")
        foretold(of(fake, "team/app:1"), of(fake, "team/app:2"), force=True)
        fake.log.clear()
        foretold(of(fake, "team/app:1"), of(fake, "other/app:2"), force=True)
        # One challenge each, the first: what a mount needs besides is asked for with it.
        assert [it.status for it in fake.log.exchanges].count(401) == 2


def test_the_command_says_what_moves(registry: FakeRegistry, command: Command) -> None:
    ends = of(registry, "team/app:1"), of(registry, "team/app:2")
    dry = command("convert", *ends, "--to", "oci", "--dry-run")
    assert "0 B of layers move, 13 requests (" in dry.err
    done = command("convert", *ends, "--to", "oci")
    assert "0 B of layers moved, 13 requests (" in done.err


@pytest.mark.parametrize("to", ["oci", "docker"])
def test_a_single_image_takes_two_requests(registry: FakeRegistry, to: str) -> None:
    convert(
        Memory(layout_files({"app": docker_image()})), of(registry, "team/app:single"), to="docker"
    )
    ends = of(registry, "team/app:single"), of(registry, "team/app:new")
    assert foretold(*ends, force=True, to=to).totals.requests == 2
