"""Images in registries: what is asked for and sent on each way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from threading import Barrier
from typing import Any

import pytest

from oci_convert import (
    Family,
    Memory,
    OciConvertError,
    Report,
    convert,
    diff,
    inspect,
    verify,
)
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression
from oci_convert.stores import RegistryClient, RegistryImage
from oci_convert.stores.registry.client import RemoteRepository
from oci_convert.stores.registry.uploads import Placed
from registry import PERSONALITIES, FakeRegistry, Fault
from registry.messages import Request
from registry.personality import Personality
from support.images import (
    DOCKER_LIST,
    OCI_MANIFEST,
    Image,
    Layer,
    digest_of,
    docker_image,
    image_list,
    layout_files,
    tar_of,
)
from support.registries import client, load

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x", "linux/ppc64le", "linux/386")


def five() -> Image:
    """A Docker list of five platforms with eight distinct layers each."""
    return image_list(
        [
            docker_image(
                [Layer(tar_of({f"{platform} {i}": "x"})) for i in range(8)], platform=platform
            )
            for platform in PLATFORMS
        ],
        Family.DOCKER,
    )


LIST = five()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        push = convert(
            Memory(layout_files({"app": LIST})), f"docker://{fake.host}/team/app:1", to="docker"
        )
        assert push.images[0].new.digest == LIST.digest
        yield fake


def at(registry: FakeRegistry, name: str, client: RegistryClient) -> RegistryImage:
    return RegistryImage(f"docker://{registry.host}/{name}", client, keep_original=False)


def moved(
    registry: FakeRegistry, name: str, *, force: bool = False, dry_run: bool = False
) -> Report:
    """Convert the list inside the registry, with a client that knows nothing yet."""
    with RegistryClient() as client:
        source, target = at(registry, "team/app:1", client), at(registry, name, client)
        return convert(source, target, to="oci", force=force, dry_run=dry_run)


def test_inside_a_repository_only_documents_move(registry: FakeRegistry) -> None:
    before = len(registry.log.exchanges)
    report = moved(registry, "team/app:1-oci", force=True)
    asked = Counter(it.request.method for it in registry.log.exchanges[before:])
    assert asked == {"GET": 6, "PUT": 6}
    assert report.totals.requests == 12
    assert report.totals.bytes_down + report.totals.bytes_up < 40 * 1024
    assert not report.findings
    near = convert(Memory(layout_files({"app": LIST})), Memory(), to="oci")
    assert report.images[0].new.digest == near.images[0].new.digest


@pytest.mark.parametrize("checks_type", [True, False])
@pytest.mark.parametrize("label", ["application/json", "text/plain", OCI_MANIFEST])
def test_what_is_replaced_is_kept_as_what_it_is_and_not_by_its_label(
    label: str, checks_type: bool
) -> None:
    with FakeRegistry(Personality(serves_as=label, checks_type=checks_type)) as registry:
        load(registry, "team/app", "1", LIST)
        name = f"docker://{registry.host}/team/app:1"
        convert(name, name, to="oci", force=True)
        stored = registry.content.repository("team/app")
        kept = stored.tags[f"1-before-{LIST.digest.partition(':')[2][:12]}"]
        assert (kept, stored.manifests[kept].media_type) == (LIST.digest, DOCKER_LIST)


def test_what_a_registry_warns_of_is_told() -> None:
    with FakeRegistry(PERSONALITIES["warning"]) as registry:
        load(registry, "team/app", "1", LIST)
        report = moved(registry, "team/app:1-oci")
    told = [(it.code, it.where, it.message) for it in report.findings]
    assert told == [
        ("registry-warning", "registry", "it warns: this registry will be switched off")
    ]


def test_into_another_repository_every_distinct_blob_is_mounted(registry: FakeRegistry) -> None:
    near = convert(Memory(layout_files({"app": LIST})), Memory(), to="oci")
    blobs = {row.old.digest for row in near.map if row.kind in ("layer", "config")}
    report = moved(registry, "other/app:1", force=True)
    assert report.totals.requests == 12 + len(blobs)
    assert [finding.code for finding in report.findings] == ["referrers-not-sought"]
    assert report.totals.bytes_down + report.totals.bytes_up < 40 * 1024
    assert verify(f"docker://{registry.host}/other/app:1").sound


def test_docker_to_oci_and_back_gives_the_first_digest(registry: FakeRegistry) -> None:
    moved(registry, "team/app:oci")
    back = convert(
        f"docker://{registry.host}/team/app:oci",
        f"docker://{registry.host}/team/app:back",
        to="docker",
    )
    assert back.images[0].new.digest == LIST.digest


def test_a_tag_that_exists_is_replaced_only_by_force_and_kept(registry: FakeRegistry) -> None:
    name = f"docker://{registry.host}/team/app:1"
    with pytest.raises(OciConvertError) as caught:
        convert(name, name, to="oci")
    assert caught.value.code == "target-exists"
    convert(name, name, to="oci", force=True)
    kept = f"{name}-before-{LIST.digest.partition(':')[2][:12]}"
    assert inspect(kept).images[0].descriptor.digest == LIST.digest


def test_a_tag_that_was_just_read_and_is_said_to_be_gone_is_asked_for_again(
    registry: FakeRegistry,
) -> None:
    asked = count()
    registry.faults.when(
        lambda it: it.target.endswith("/manifests/1") and next(asked) == 1, Fault.NOT_FOUND
    )
    name = f"docker://{registry.host}/team/app:1"
    convert(name, name, to="oci", force=True)
    kept = f"{name}-before-{LIST.digest.partition(':')[2][:12]}"
    assert inspect(kept).images[0].descriptor.digest == LIST.digest


def test_a_dry_run_reads_documents_and_writes_nothing(registry: FakeRegistry) -> None:
    before = len(registry.log.exchanges)
    moved(registry, "other/app:1", dry_run=True, force=True)
    assert [it.request.method for it in registry.log.exchanges[before:]] == ["GET"] * 6


def test_every_tag_of_a_repository_becomes_an_image_of_a_layout(registry: FakeRegistry) -> None:
    moved(registry, "team/app:2")
    target = Memory()
    convert(f"docker://{registry.host}/team/app:*", target, to="oci")
    assert verify(target).sound
    assert [image.name for image in inspect(target).images] == [
        f"{registry.host}/team/app:1",
        f"{registry.host}/team/app:2",
    ]


def test_a_template_names_the_tags_of_several(registry: FakeRegistry) -> None:
    moved(registry, "team/app:2")
    convert(
        f"docker://{registry.host}/team/app:*",
        f"docker://{registry.host}/new/app:{{tag}}-oci",
        to="oci",
    )
    assert verify(f"docker://{registry.host}/new/app:1-oci").sound
    assert verify(f"docker://{registry.host}/new/app:2-oci").sound


def test_a_recompressed_layer_is_streamed_through(registry: FakeRegistry) -> None:
    name = f"docker://{registry.host}/team/app"
    report = convert(f"{name}:1", f"{name}:zstd", to="oci", compress="zstd")
    assert report.totals.bytes_up > 0
    assert verify(f"{name}:zstd").sound


def uploads(registry: FakeRegistry, since: int = 0) -> Counter[str | None]:
    """How often each blob was sent as a whole, and taken."""
    return Counter(
        it.request.query("digest")
        for it in registry.log.exchanges[since:]
        if it.request.method == "PUT" and "/uploads/" in it.request.path and it.status == 201
    )


@pytest.mark.parametrize("sent", [1, 7, 30, 44])
def test_an_interrupted_run_starts_again_where_blobs_already_are(sent: int) -> None:
    source = Memory(layout_files({"app": LIST}))
    with FakeRegistry() as registry, client(retries=0) as first, client() as second:
        name = f"docker://{registry.host}/team/app:1"

        def late(request: Request) -> bool:
            return uploads(registry).total() >= sent

        registry.faults.when(late, Fault.RESET, times=1000)
        with pytest.raises(OciConvertError) as caught:
            convert(source, RegistryImage(name, first), to="oci")
        assert caught.value.code == "connection-broken"
        registry.faults.clear()
        there, since = uploads(registry), len(registry.log.exchanges)
        assert there.total() >= sent  # a few go at a time
        convert(source, RegistryImage(name, second), to="oci")
        again = uploads(registry, since)
        assert not there.keys() & again.keys()
        assert {*(there + again).values()} == {1}
        assert verify(name).sound


def test_images_that_share_children_are_converted_at_the_same_time() -> None:
    """Also by runs that know nothing of each other, in a registry that loses what comes twice."""
    with (
        FakeRegistry(PERSONALITIES["lists at the wrong moment"]) as registry,
        client() as one,
        client() as other,
        ThreadPoolExecutor(8) as pool,
    ):
        name = f"docker://{registry.host}/team/app"
        source = RegistryImage(f"{name}:1", one)
        convert(Memory(layout_files({"app": LIST})), source, to="docker")
        targets = [RegistryImage(f"{name}:t{n}", one if n % 2 else other) for n in range(16)]
        reports = list(pool.map(lambda target: convert(source, target, to="oci"), targets))
        assert len({report.images[0].new.digest for report in reports}) == 1
        assert 400 in {it.status for it in registry.log.exchanges}
        assert verify(f"{name}:*").sound


def test_an_image_is_called_what_its_reference_says(registry: FakeRegistry) -> None:
    assert moved(registry, "other/app:2").images[0].name == f"{registry.host}/other/app:2"
    every = convert(
        f"docker://{registry.host}/team/app:*",
        f"docker://{registry.host}/new/app:{{tag}}-oci",
        to="oci",
    )
    assert [image.name for image in every.images] == [f"{registry.host}/new/app:1-oci"]


def test_an_image_without_a_name_is_refused_before_anything_is_sent(registry: FakeRegistry) -> None:
    files = layout_files({"": LIST})
    before = len(registry.log.exchanges)
    with RegistryClient() as client:
        target = at(registry, "new/app:{tag}-oci", client)
        with pytest.raises(OciConvertError) as caught:
            convert(Memory(files), target, to="oci", force=True)
    assert caught.value.code == "no-repository-name"
    assert len(registry.log.exchanges) == before


def test_four_blobs_are_sent_at_a_time_however_small_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = docker_image([Layer(tar_of({f"{i}": "x"})) for i in range(4)])
    layers = {layer.digest for layer in image.layers}
    meeting, put_blob = Barrier(4), RemoteRepository.put_blob

    def put(remote: RemoteRepository, digest: Digest, *args: Any, **kwargs: Any) -> Placed:
        if digest in layers:
            meeting.wait(5)  # breaks unless all four come
        return put_blob(remote, digest, *args, **kwargs)

    monkeypatch.setattr(RemoteRepository, "put_blob", put)
    with FakeRegistry() as registry, client() as some:
        convert(Memory(layout_files({"app": image})), at(registry, "app:1", some), to="oci")


def test_layers_that_both_sides_say_the_same_of_are_not_read_to_compare_them() -> None:
    same, other = Layer(tar_of({"same": "x"})), Layer(tar_of({"other": "x"}))
    packed = replace(other, compression=Compression.NONE)
    left, right = docker_image([same, other]), docker_image([same, packed])
    with FakeRegistry() as registry:
        for tag, image in (("1", left), ("2", right)):
            load(registry, "app", tag, image)
        found = diff(f"docker://{registry.host}/app:1", f"docker://{registry.host}/app:2")
        read = [it.target.rpartition("/")[2] for it in registry.log.requests]
    assert found.same
    assert found.differences
    assert same.digest not in read
    assert read.count(other.digest) == read.count(packed.digest) == 1


class Mistaken(Layer):
    """A layer of which the config says something else than it holds."""

    @property
    def diff_id(self) -> str:
        return digest_of(b"something else")


def test_a_layer_of_which_the_sides_say_different_things_is_read() -> None:
    layer, lie = Layer(tar_of({"a": "x"})), Mistaken(tar_of({"a": "x"}))
    with FakeRegistry() as registry:
        for tag, one in (("1", layer), ("2", lie)):
            load(registry, "app", tag, docker_image([one]))
        found = diff(f"docker://{registry.host}/app:1", f"docker://{registry.host}/app:2")
    assert "wrong-diff-id" in {it.code for it in found.findings}
