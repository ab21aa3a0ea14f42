"""The images in ``testdata/`` are those of their recipe, sound, and small."""

from __future__ import annotations

import gzip
import hashlib
import json
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.images import files_below

TESTDATA = Path(__file__).parent.parent / "testdata"
WRITTEN_BY_HAND = {"README.md", "make.py"}

COMMITTED = {
    name: data
    for name, data in files_below(TESTDATA).items()
    if name not in WRITTEN_BY_HAND and "__pycache__" not in name
}


def test_the_recipe_gives_exactly_the_committed_bytes() -> None:
    assert runpy.run_path(str(TESTDATA / "make.py"))["files"]() == COMMITTED


def test_they_are_small() -> None:
    assert sum(map(len, COMMITTED.values())) < 200 * 1024


def test_each_of_them_is_described() -> None:
    described = (TESTDATA / "README.md").read_text(encoding="utf-8")
    assert [
        name for name in {name.split("/")[0] for name in COMMITTED} if name not in described
    ] == []


@pytest.mark.parametrize("name", [name for name in COMMITTED if len(Path(name).stem) >= 64])
def test_every_blob_has_the_digest_that_names_it(name: str) -> None:
    assert hashlib.sha256(COMMITTED[name]).hexdigest() == Path(name).name.partition(".")[0]


def test_the_layers_of_the_docker_image_have_the_diff_ids_of_its_config() -> None:
    def blob(descriptor: dict[str, Any]) -> bytes:
        return COMMITTED[f"docker-dir/{descriptor['digest'].partition(':')[2]}"]

    manifest = json.loads(COMMITTED["docker-dir/manifest.json"])
    config = json.loads(blob(manifest["config"]))
    layers = [gzip.decompress(blob(layer)) for layer in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == [
        f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers
    ]
    assert (
        len(layers) == len([step for step in config["history"] if "empty_layer" not in step]) == 4
    )
    assert {"Healthcheck", "OnBuild"} <= config["config"].keys()


@pytest.mark.peers
@pytest.mark.parametrize(
    "reference",
    [
        "dir:docker-dir",
        "dir:docker-list-dir",
        "docker-archive:docker-save.tar:example.com/greeting:1",
        "docker-archive:docker-save.tar:greeting:twice",
        "oci:oci-layout:1",
    ],
)
def test_skopeo_reads_them(reference: str, peers: Callable[[str], str], tmp_path: Path) -> None:
    copy = [peers("skopeo"), "copy", "--quiet", "--all", reference, f"dir:{tmp_path}/copy"]
    subprocess.run(copy, cwd=TESTDATA, check=True)
