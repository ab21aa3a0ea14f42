"""skopeo upgrades schema 1, too: the same layers, history and image ID come out."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from oci_convert import Memory, Report, convert
from support import schema1
from support.images import (
    Image,
    Layer,
    docker_config,
    docker_image,
    layer,
    tar_of,
    write_dir,
    write_files,
)
from support.schema1 import STEPS, TOP, Version1, body, identity, pretty, sign, v1_json

pytestmark = pytest.mark.peers

Skopeo = Callable[..., str]


@pytest.fixture
def skopeo(peers: Callable[[str], str]) -> Skopeo:
    path = peers("skopeo")

    def run(*arguments: str) -> str:
        command = [path, "--insecure-policy", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    return run


class Upgraded:
    """An upgraded image, whoever upgraded it."""

    def __init__(self, manifest: bytes, read: Callable[[str], bytes]) -> None:
        found = json.loads(manifest)
        self.layers = [
            (each["digest"], each["size"], each["mediaType"]) for each in found["layers"]
        ]
        self.config = read(found["config"]["digest"])
        assert found["config"]["size"] == len(self.config)
        self.values: dict[str, Any] = json.loads(self.config)


def by_skopeo(skopeo: Skopeo, source: Path) -> Upgraded:
    target = source.with_name("by-skopeo")
    skopeo("copy", "--format", "v2s2", f"dir:{source}", f"dir:{target}")
    manifest = (target / "manifest.json").read_bytes()
    return Upgraded(manifest, lambda digest: (target / digest[7:]).read_bytes())


def by_us(source: Path) -> tuple[Report, Upgraded]:
    memory = Memory()
    report = convert(f"dir:{source}", memory, to="docker")

    def read(digest: str) -> bytes:
        return memory.files[f"blobs/{digest.replace(':', '/')}"]

    return report, Upgraded(read(report.images[0].new.digest), read)


def config(layers: Sequence[Layer], *history: dict[str, Any]) -> bytes:
    return docker_config(layers, history=list(history))


ONE, TWO = layer("one", size=100_000), Layer(tar_of({"a/": "", "a/ä": b"\0\xff"}))
STEP = {"created": "2026-01-02T03:04:05.678901234Z", "created_by": "RUN a <b> && 'c' \"d\" \\ e"}
EMPTY = {**STEP, "empty_layer": True, "comment": "<nothing> & ü", "author": "Ada <ada@example.com>"}
IMAGES = {
    "of dockerd": docker_image(),
    "of several layers": docker_image([ONE, TWO, ONE]),
    "of one layer": docker_image([ONE]),
    "with empty steps between": docker_image(
        [ONE, TWO], config=config([ONE, TWO], EMPTY, STEP, EMPTY, EMPTY, STEP)
    ),
    "that ends in a layer": docker_image([ONE], config=config([ONE], EMPTY, STEP)),
    "for another platform": docker_image([TWO], platform="linux/arm64/v8"),
}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES.keys())
def test_what_skopeo_downgraded_is_upgraded_as_skopeo_does(
    image: Image, tmp_path: Path, skopeo: Skopeo
) -> None:
    write_dir(image, tmp_path / "new")
    skopeo("copy", "--format", "v2s1", f"dir:{tmp_path}/new", f"dir:{tmp_path}/old")
    report, ours = by_us(tmp_path / "old")
    theirs = by_skopeo(skopeo, tmp_path / "old")
    assert ours.layers == theirs.layers
    assert ours.config == theirs.config
    assert ours.values["rootfs"] == json.loads(image.config)["rootfs"]
    digest = skopeo("manifest-digest", str(tmp_path / "old" / "manifest.json")).strip()
    assert report.images[0].old is not None
    assert report.images[0].old.digest == digest


NEIGHBOURS = [
    Version1(layer("base"), {"comment": "base"}),
    Version1(layer("left out"), {"id": identity(1), "parent": identity(9)}),
    Version1(layer("top"), {**TOP, "parent": identity(1)}),
]
MADE: dict[str, tuple[Sequence[Version1], bytes]] = {
    "signed": (STEPS, sign(pretty(body()))),
    "unsigned": (STEPS, pretty(body())),
    "empty layers that are not thrown away": (
        two := [
            Version1(STEPS[0].layer, {"created": "2015-01-01T00:00:00.000+00:00"}),
            Version1(None, {"created": "2015-01-01T00:00:00.120-07:00"}),
            Version1(None, {**TOP, "created": "2015-01-01T00:00:00Z"}),
        ],
        pretty(body(two)),
    ),
    "nothing but the members that must be": (
        bare := [Version1(layer("bare"), {"created": ...})],
        pretty(body(bare)),
    ),
    "members that are null": (
        nulls := [
            Version1(
                layer("nulls"),
                {"parent": None, "container_config": None, "author": None, "config": None},
            )
        ],
        pretty(body(nulls)),
    ),
    "neighbours with one id": (NEIGHBOURS, pretty(body(NEIGHBOURS))),
    "white space and escapes in the JSON": (
        STEPS,
        pretty(
            body(
                history=[
                    {"v1Compatibility": json.dumps(v1_json(STEPS, i), indent=2, ensure_ascii=False)}
                    for i in (2, 1, 0)
                ]
            )
        ),
    ),
}


@pytest.mark.parametrize(("steps", "raw"), MADE.values(), ids=MADE.keys())
def test_any_schema_1_is_upgraded_as_skopeo_does(
    steps: Sequence[Version1], raw: bytes, tmp_path: Path, skopeo: Skopeo
) -> None:
    write_files(schema1.dir_files(raw, steps), tmp_path / "old")
    _, ours = by_us(tmp_path / "old")
    theirs = by_skopeo(skopeo, tmp_path / "old")
    assert ours.layers == theirs.layers
    assert ours.config == theirs.config


def test_of_configs_before_1_8_3_skopeo_keeps_only_what_it_knows(
    tmp_path: Path, skopeo: Skopeo
) -> None:
    steps = [STEPS[0], Version1(STEPS[2].layer, {**STEPS[2].more, "docker_version": "1.6.0"})]
    write_files(schema1.dir_files(pretty(body(steps)), steps), tmp_path / "old")
    _, ours = by_us(tmp_path / "old")
    theirs = by_skopeo(skopeo, tmp_path / "old")
    assert ours.layers == theirs.layers
    assert ours.values["history"] == theirs.values["history"]
    assert ours.values["rootfs"] == theirs.values["rootfs"]
    assert ours.values["config"].items() <= theirs.values["config"].items()
    assert set(ours.values) - set(theirs.values) == {"x-unknown"}


REFUSED = {
    "other ids": pretty(body(history=[{"v1Compatibility": '{"id":"a"}'}] * 3)),
    "fewer entries": pretty(body(history=[])),
    "a wrong parent": pretty(body([*STEPS[:2], Version1(STEPS[2].layer, {"parent": identity(9)})])),
    "a base with a parent": pretty(body([Version1(STEPS[0].layer, {"parent": identity(9)})])),
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_what_we_refuse_skopeo_refuses(
    raw: bytes, tmp_path: Path, peers: Callable[[str], str]
) -> None:
    write_files(schema1.dir_files(raw), tmp_path / "old")
    copy = [peers("skopeo"), "--insecure-policy", "copy", "--format", "v2s2"]
    done = subprocess.run(
        [*copy, f"dir:{tmp_path}/old", f"dir:{tmp_path}/new"], capture_output=True, check=False
    )
    assert done.returncode != 0


def test_skopeo_reads_what_was_upgraded_towards_oci(tmp_path: Path, skopeo: Skopeo) -> None:
    write_files(schema1.dir_files(sign(pretty(body()))), tmp_path / "old")
    report = convert(f"dir:{tmp_path}/old", f"oci:{tmp_path}/out:app")
    skopeo("copy", f"oci:{tmp_path}/out:app", f"dir:{tmp_path}/copy")
    written = (tmp_path / "copy" / "manifest.json").read_bytes()
    assert f"sha256:{hashlib.sha256(written).hexdigest()}" == report.images[0].new.digest
