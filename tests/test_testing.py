"""What ``oci_convert.testing`` gives to others: images, and the contract of stores."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import oci_convert.testing
from oci_convert import (
    Compression,
    Descriptor,
    Digest,
    Memory,
    UsageError,
    convert,
    inspect,
    open_images,
    verify,
)
from oci_convert.stores import ContainersDir, DockerArchive, OciArchive, OciLayout, Store
from oci_convert.testing import (
    SmallImage,
    attestation,
    docker_image,
    image_index,
    oci_image,
    referrer,
    write_images,
)
from support.pages import PROJECT, blocks

# -- images ----------------------------------------------------------------------------------------

IMAGES: dict[str, Callable[[], SmallImage]] = {
    "a Docker image": docker_image,
    "an OCI image": oci_image,
    "several layers": lambda: docker_image({"a": "1"}, {"b/": "", "b/c": b"2"}, {"d": "#!/bin/sh"}),
    "zstd": lambda: oci_image({"a": b"1" * 300_000}, compression="zstd"),
    "plain": lambda: oci_image(compression=Compression.NONE),
    "annotations": lambda: oci_image(annotations={"org.example": "1"}),
    "a manifest list": lambda: image_index(docker_image(), docker_image(platform="linux/arm/v7")),
    "an index": lambda: image_index(oci_image(), attestation(oci_image()), annotations={"a": "b"}),
    "an index in an index": lambda: image_index(image_index(oci_image())),
}


def test_a_small_image_is_told_in_a_line() -> None:
    image = docker_image({"a": "1" * 10_000})
    assert repr(image).startswith("SmallImage(descriptor=<sha256:")
    assert len(repr(image)) < 200


WINDOWS = ("windows/amd64:10.0.17763.1", "windows(10.0.20348.2+win32k)/amd64", "linux/arm/v7")


def test_an_image_is_made_for_any_platform_that_can_be_asked_for() -> None:
    images = [docker_image({"a": text}, platform=text) for text in WINDOWS]
    with open_images(write_images({"app:1": image_index(*images)}, Memory())) as opened:
        assert tuple(str(image.platform) for image in opened) == WINDOWS
        for text, image in zip(WINDOWS, list(opened), strict=True):
            assert opened.find(platform=text).files().read("a") == text.encode()
            assert image.platform is not None
            assert opened.find(platform=image.platform).digest == image.digest
            assert image.config.platform == image.platform
            made = docker_image({"a": text}, platform=image.platform)
            assert made.digest == image.digest
    with pytest.raises(UsageError, match="is not a platform"):
        docker_image(platform="linux")


STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _: Memory(),
    "a layout": lambda path: OciLayout(path / "x"),
    "a directory": lambda path: ContainersDir(path / "x"),
    "an OCI archive": lambda path: OciArchive(path / "x"),
    "a docker-save archive": lambda path: DockerArchive(path / "x"),
}


@pytest.mark.parametrize("make", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
def test_an_image_is_sound_in_every_store(
    make: Callable[[], SmallImage], store: Callable[[Path], Store], tmp_path: Path
) -> None:
    image = make()
    held = write_images({"example.com/app:1": image}, store(tmp_path))
    (found,) = inspect(held).images
    assert found.descriptor.triple() == image.descriptor.triple()
    answer = verify(held)
    assert answer.sound, answer.findings
    assert json.loads(image.raw)["schemaVersion"] == 2


def test_an_image_is_what_was_asked_for() -> None:
    files: dict[str, str | bytes] = {"etc/motd": "hello", "bin/run": "#!/bin/sh"}
    image = docker_image(files, platform="linux/arm64/v8", compression="none", Env=["A=1"])
    with open_images(write_images({"app": image}, Memory())) as images:
        (found,) = images
        assert str(found.platform) == "linux/arm64/v8"
        assert found.config.config is not None
        assert found.config.config.env == ("A=1",)
        assert found.layers[0].descriptor.media_type.endswith("diff.tar")
        assert found.digest == image.digest


def test_what_refers_to_an_image_is_found_with_it() -> None:
    image = oci_image()
    store = write_images({"app": image, "": referrer(image, b"{}")}, Memory())
    (found,) = inspect(store).images
    assert [other.artifact_type for other in found.referrers] == ["application/spdx+json"]
    index = image_index(image, attestation(image))
    kinds = [
        child.notes for child in inspect(write_images({"": index}, Memory())).images[0].children
    ]
    assert "attestation" in kinds[1]


def test_images_are_the_same_bytes_everywhere() -> None:
    """A golden digest of a test must not depend on a codec or a version of Python."""
    made = {name: str(make().digest)[7:19] for name, make in IMAGES.items()}
    assert made == {
        "a Docker image": "341d38e9bafa",
        "an OCI image": "955786176502",
        "several layers": "e7170263080c",
        "zstd": "7213b81c0e3b",
        "plain": "ad59362470cb",
        "annotations": "2d46e1390be2",
        "a manifest list": "8db9f1261c09",
        "an index": "522d35b12d07",
        "an index in an index": "7eaebb4d8ec6",
    }


def test_a_run_that_cannot_name_the_images_leaves_nothing(tmp_path: Path) -> None:
    images = {"a": docker_image(), "b": docker_image({"x": "y"})}
    with pytest.raises(ValueError, match="holds one image, and not 2"):
        write_images(images, ContainersDir(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_a_compression_without_a_media_type_is_refused() -> None:
    with pytest.raises(ValueError, match="no media type knows layers in xz"):
        docker_image(compression="xz")


# -- what it costs ---------------------------------------------------------------------------------


def test_every_name_is_there_and_the_package_does_not_load_it() -> None:
    for name in oci_convert.testing.__all__:
        assert getattr(oci_convert.testing, name).__module__.startswith("oci_convert.testing.")
    code = (
        "import sys, oci_convert, oci_convert.stores; print('oci_convert.testing' in sys.modules)\n"
        "from oci_convert.testing import docker_image; print('pytest' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\nFalse\n"


# -- the contract ----------------------------------------------------------------------------------


def example() -> dict[str, Any]:
    """The store of the page on stores of one's own, and its test."""
    page = (PROJECT / "docs/how-to/own-store.md").read_text(encoding="utf-8")
    code = {block.title: block.text for block in blocks(page) if block.language == "python"}
    names: dict[str, Any] = {"__name__": __name__}
    for title in ("objects.py", "test_objects.py"):
        exec(code[title].replace("from objects import Objects\n", ""), names)
    return names


class TestOwnStore(example()["TestObjects"]):  # type: ignore[misc]  # it is made of a page
    """Somebody's own store keeps the contract."""


def test_the_example_is_short() -> None:
    page = (PROJECT / "docs/how-to/own-store.md").read_text(encoding="utf-8")
    (code,) = [block.text for block in blocks(page) if block.title == "objects.py"]
    body = code[code.index("class Objects") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 65


def believing(self: Any, descriptor: Descriptor, **_: Any) -> bool:
    return True


def unverified(self: Any, chunks: Any, where: str, **options: Any) -> tuple[Digest, int]:
    data = b"".join(chunks)
    self.objects.put(str(Digest.of(data)), data)
    return Digest.of(data), len(data)


def hasty(self: Any, chunks: Any, where: str, **options: Any) -> tuple[Digest, int]:
    data, expected = b"", options.get("expected")
    for chunk in chunks:
        data += chunk
        self.objects.put(str(expected.digest if expected else Digest.of(data)), data)
    return Digest.of(data), len(data)


FAULTS: dict[str, tuple[str, Any, str]] = {
    "it has everything": ("has", believing, "test_a_blob_is_there_if_its_size_is_right"),
    "it verifies nothing": (
        "put",
        unverified,
        "test_an_algorithm_that_cannot_be_verified_is_refused",
    ),
    "what is unfinished can be seen": (
        "put",
        hasty,
        "test_nothing_is_visible_before_the_last_byte_is_verified",
    ),
}


@pytest.mark.parametrize(("method", "fault", "test"), FAULTS.values(), ids=FAULTS)
def test_a_store_that_breaks_the_contract_is_found(
    method: str, fault: Any, test: str, tmp_path: Path
) -> None:
    names = example()
    contract = names["TestObjects"]()
    contract.store = contract.make(tmp_path)
    getattr(contract, test)()
    setattr(names["ObjectSink"], method, fault)
    contract.store = contract.make(tmp_path)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(contract, test)()


def test_the_contract_is_what_a_conversion_needs() -> None:
    objects = example()["Objects"]()
    source = write_images(
        {"a": image_index(docker_image(), docker_image(platform="linux/arm64"))}, Memory()
    )
    convert(source, objects, to="oci")
    target = Memory()
    convert(objects, target, to="docker")
    assert inspect(target).images[0].descriptor == inspect(source).images[0].descriptor
