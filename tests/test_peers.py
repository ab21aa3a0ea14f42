"""Other tools of the field read what is written here; the official schemas accept it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from oci_convert import Compression, convert
from oci_convert.documents.document import Role, read_document
from support.images import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    Layer,
    Spelling,
    attestation,
    docker_image,
    image_list,
    oci_image,
    tar_of,
    write_dir,
    write_layout,
)

pytestmark = pytest.mark.peers

SCHEMAS = Path("/usr/share/gocode/src/github.com/opencontainers/image-spec/schema")
BASE = tar_of({"etc/": b"", "etc/app.conf": "one\n", "bin/": b"", "bin/run": "#!/bin/sh\n"})
APP = tar_of({"etc/": b"", "etc/app.conf": "two\n"})
LAYERS = [Layer(BASE), Layer(APP)]
ZSTD = [Layer(BASE, Compression.ZSTD), Layer(APP, Compression.ZSTD)]
PLAIN = [Layer(BASE, Compression.NONE), Layer(APP)]

DOCKER = {
    "dockerd": docker_image(LAYERS),
    "skopeo": docker_image(LAYERS, Spelling.SKOPEO),
    "buildkit": docker_image(LAYERS, Spelling.BUILDKIT),
    "one layer plain": docker_image(PLAIN),
}
OCI = {
    "gzip": oci_image(LAYERS),
    "zstd": oci_image(ZSTD),
    "annotated": oci_image(LAYERS, annotations={"org.opencontainers.image.title": "<app>"}),
    "1.0": oci_image(LAYERS, stated=False),
}


def run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize("image", DOCKER.values(), ids=DOCKER.keys())
def test_skopeo_copies_and_inspects_what_is_written_as_oci(
    image: Image, tmp_path: Path, peers: Callable[[str], str]
) -> None:
    skopeo = peers("skopeo")
    write_dir(image, tmp_path / "in")
    report = convert(f"dir:{tmp_path}/in", f"oci:{tmp_path}/out:app")
    run(skopeo, "--insecure-policy", "copy", f"oci:{tmp_path}/out:app", f"dir:{tmp_path}/copy")
    written = (tmp_path / "copy" / "manifest.json").read_bytes()
    assert f"sha256:{_hash(written)}" == report.images[0].new.digest
    inspected = json.loads(run(skopeo, "inspect", f"oci:{tmp_path}/out:app"))
    assert inspected["Digest"] == report.images[0].new.digest
    assert inspected["Layers"] == [found.digest for found in _layers(written)]


@pytest.mark.parametrize("image", DOCKER.values(), ids=DOCKER.keys())
def test_umoci_unpacks_what_is_written_as_oci(
    image: Image, tmp_path: Path, peers: Callable[[str], str]
) -> None:
    umoci = peers("umoci")
    write_dir(image, tmp_path / "in")
    convert(f"dir:{tmp_path}/in", f"oci:{tmp_path}/out:app")
    run(umoci, "unpack", "--rootless", "--image", f"{tmp_path}/out:app", tmp_path / "bundle")
    assert (tmp_path / "bundle" / "rootfs" / "etc" / "app.conf").read_text() == "two\n"


@pytest.mark.parametrize("image", OCI.values(), ids=OCI.keys())
def test_skopeo_copies_what_is_written_as_docker(
    image: Image, tmp_path: Path, peers: Callable[[str], str]
) -> None:
    skopeo = peers("skopeo")
    write_layout({"app": image}, tmp_path / "in")
    report = convert(f"oci:{tmp_path}/in:app", f"dir:{tmp_path}/out", to="docker")
    raw = run(skopeo, "inspect", "--raw", f"dir:{tmp_path}/out")
    assert f"sha256:{_hash(raw.encode())}" == report.images[0].new.digest
    run(skopeo, "--insecure-policy", "copy", f"dir:{tmp_path}/out", f"oci:{tmp_path}/copy:app")
    index = json.loads((tmp_path / "copy" / "index.json").read_bytes())
    (entry,) = index["manifests"]
    copied = _blob(tmp_path / "copy", entry["digest"])
    diff_ids = json.loads(_blob(tmp_path / "copy", json.loads(copied)["config"]["digest"]))
    assert diff_ids["rootfs"] == json.loads(image.config)["rootfs"]


def test_skopeo_copies_a_whole_list_both_ways(tmp_path: Path, peers: Callable[[str], str]) -> None:
    skopeo = peers("skopeo")
    platforms = ("linux/amd64", "linux/arm64/v8", "linux/s390x")
    images = image_list([docker_image(LAYERS, platform=name) for name in platforms])
    write_dir(images, tmp_path / "in")
    convert(f"dir:{tmp_path}/in", f"oci:{tmp_path}/out:app")
    copy = (skopeo, "--insecure-policy", "copy", "--all")
    run(*copy, f"oci:{tmp_path}/out:app", f"dir:{tmp_path}/copy")
    convert(f"dir:{tmp_path}/copy", f"dir:{tmp_path}/back", to="docker")
    assert (tmp_path / "back" / "manifest.json").read_bytes() == images.manifest


def _all_images() -> dict[str, Image]:
    platforms = ("linux/amd64", "linux/arm64/v8")
    runnable = [docker_image(LAYERS, platform=name) for name in platforms]
    attested = oci_image(LAYERS)
    return {
        **DOCKER,
        "list": image_list(runnable),
        "list in dockerd's spelling": image_list(runnable, spelling=Spelling.DOCKERD),
        "attested": image_list([attested, attestation(attested)]),
        "mixed": image_list([docker_image(LAYERS), oci_image(LAYERS)]),
    }


@pytest.mark.parametrize("image", _all_images().values(), ids=_all_images().keys())
def test_the_official_schemas_accept_what_is_written_as_oci(
    image: Image, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if not SCHEMAS.is_dir():
        if request.config.getoption("--require-peers"):
            pytest.fail("the schemas of the OCI image specification are not installed")
        pytest.skip("the schemas of the OCI image specification are not installed")
    write_layout({"app": image}, tmp_path / "in")
    convert(f"oci:{tmp_path}/in", f"oci:{tmp_path}/out", to="oci")
    seen = []
    for name, document in _documents(tmp_path / "out"):
        seen.append(name)
        errors = [error.message for error in _validator(name).iter_errors(document)]
        assert errors == [], f"{name}: {document}"
    assert "image-index-schema.json" in seen
    assert "image-manifest-schema.json" in seen


def _documents(layout: Path) -> Iterator[tuple[str, Any]]:
    """The documents of a layout, each with the name of its schema."""
    yield "image-layout-schema.json", json.loads((layout / "oci-layout").read_bytes())
    todo = [(OCI_INDEX, (layout / "index.json").read_bytes())]
    while todo:
        media_type, raw = todo.pop()
        document = json.loads(raw)
        if media_type == OCI_INDEX:
            yield "image-index-schema.json", document
            todo += [(d["mediaType"], _blob(layout, d["digest"])) for d in document["manifests"]]
        elif media_type == OCI_MANIFEST:
            yield "image-manifest-schema.json", document
            if document["config"]["mediaType"] == OCI_CONFIG:
                yield "config-schema.json", json.loads(_blob(layout, document["config"]["digest"]))
        else:
            pytest.fail(f"{media_type} in an OCI layout")


def _validator(name: str) -> Draft4Validator:
    files = {file.name: json.loads(file.read_bytes()) for file in SCHEMAS.glob("*.json")}
    resources = [
        (known, DRAFT4.create_resource(_without_ids(schema))) for known, schema in files.items()
    ]
    registry: Registry[Any] = Registry().with_resources(resources)
    return Draft4Validator({"$ref": name}, registry=registry)


def _without_ids(schema: Any) -> Any:
    """The files refer to each other by name, which their ids of another form would hide."""
    if isinstance(schema, dict):
        return {
            key: _without_ids(value)
            for key, value in schema.items()
            if not (key == "id" and isinstance(value, str))
        }
    return [_without_ids(item) for item in schema] if isinstance(schema, list) else schema


def _blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


def _layers(manifest: bytes) -> list[Any]:
    slots = read_document(manifest, None).slots
    return [slot.descriptor for slot in slots if slot.role is Role.LAYER]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
