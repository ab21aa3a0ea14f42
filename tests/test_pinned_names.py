"""Names that state a digest: what becomes of them when the digest changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from oci_convert import Memory, Report, StoreError, convert, inspect, read_pins
from support import archives
from support.archives import Saved, archive
from support.images import Image, docker_image, image_list, layout_files, write_layout

OLD: Final = docker_image()
SAME: Final = f"example.com/app:1@{OLD.digest}"
OTHER: Final = f"example.com/app@sha256:{'0' * 64}"


def named(name: str, image: Image = OLD) -> Memory:
    return Memory(layout_files({name: image}))


def told(report: Report) -> list[str]:
    return [found.message for found in report.findings if found.code == "digest-in-name"]


@pytest.mark.parametrize(
    ("name", "called"), [(SAME, "example.com/app:1"), (OTHER, "example.com/app")]
)
def test_a_digest_goes_from_a_name_when_it_is_no_longer_true(name: str, called: str) -> None:
    report = convert(named(name), Memory(), to="oci")
    (image,) = report.images
    assert image.name == called
    digest = name.partition("@")[2]
    assert told(report) == [
        f"{name} states {digest}, but the image is {image.new.digest}; it is called {called}"
    ]
    assert report.pins[digest] == image.new.digest
    assert read_pins(report.dumps().encode())[digest] == image.new.digest


def test_a_name_that_stays_true_is_left_alone() -> None:
    for name in (SAME, OTHER):
        report = convert(named(name), Memory(), to="docker")
        assert report.images[0].name == name
    assert not told(convert(named(SAME), Memory(), to="docker"))


def test_two_names_that_would_become_one_stay_as_they_are() -> None:
    other = docker_image(platform="linux/arm64")
    names = {SAME: OLD, f"example.com/app:1@{other.digest}": other}
    report = convert(Memory(layout_files(names)), Memory(), to="oci")
    assert {image.name for image in report.images} == set(names)
    assert len(told(report)) == 2


def test_the_tag_beside_a_digest_is_the_name_in_an_archive_of_docker(tmp_path: Path) -> None:
    for to in ("docker-archive", "oci-archive"):
        convert(named(SAME), f"{to}:{tmp_path}/{to}.tar")
        assert inspect(f"{to}:{tmp_path}/{to}.tar:example.com/app:1").images
    saved = archives.docker_20(Saved(tags=(f"app:1@sha256:{'0' * 64}",)))
    (tmp_path / "saved.tar").write_bytes(archive(saved))
    report = convert(f"docker-archive:{tmp_path}/saved.tar", Memory(), to="oci")
    assert report.images[0].name == "app:1"
    assert report.pins[f"sha256:{'0' * 64}"] == report.images[0].new.digest


def test_a_reference_may_state_the_digest_that_it_means(tmp_path: Path) -> None:
    layout = f"oci:{tmp_path}/layout"
    report = convert(named("example.com/app:1"), f"{layout}:app:2@{OLD.digest}", to="oci")
    assert report.images[0].name == "docker.io/library/app:2"
    assert len(told(report)) == 1
    new = report.images[0].new.digest
    for ref in (f"app:2@{new}", f"app@{new}", f"@{new}", "app:2"):
        assert inspect(f"{layout}:{ref}").images[0].digest == new
    again = convert(f"{layout}:app:2", f"{layout}:app:3@{new}")
    assert again.images[0].name == f"app:3@{new}"
    assert not told(again)
    assert inspect(f"{layout}:app:3").images[0].digest == new
    with pytest.raises(StoreError, match="there is no image"):
        inspect(f"{layout}:app:2@sha256:{'0' * 64}")


ASKED: dict[str, tuple[str, str | None]] = {
    "a name with a tag": ("app:1", "app:1"),
    "a repository": ("app", "app:1"),
    "only the digest": ("", "app:1"),
    "another name": ("other:1", "app:1"),
}


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("case", ASKED)
def test_a_reference_of_a_source_that_states_a_digest_is_told(
    case: str, flatten: bool, tmp_path: Path
) -> None:
    name, called = ASKED[case]
    image = image_list([OLD]) if flatten else OLD
    write_layout({"app:1": image}, tmp_path / "in")
    source = f"oci:{tmp_path}/in:{name}@{image.digest}"
    options: dict[str, Any] = {"flatten": flatten, "fsync": False}
    for target in (f"oci:{tmp_path}/out", f"oci:{tmp_path}/new:app:2", f"dir:{tmp_path}/dir"):
        report = convert(source, target, to="oci", **options)
        new = report.images[0].new.digest
        expected = [f"{name}@{image.digest} states {image.digest}, but the image is {new}"]
        assert [it.partition(";")[0] for it in told(report)] == (expected if name else [])
        assert report.pins[image.digest] == new
        assert report.images[0].name in (called, "docker.io/library/app:2", None)
    same = convert(source, f"oci:{tmp_path}/same", to="docker")
    assert told(same) == []


def test_the_digest_of_a_manifest_that_was_built_is_known_to_pins(tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    path.write_bytes(archive(archives.docker_20(Saved())))
    digest = inspect(path).images[0].digest
    report = convert(f"docker-archive:{path}:app:1@{digest}", Memory(), to="oci")
    new = report.images[0].new.digest
    assert told(report)[0].startswith(f"app:1@{digest} states {digest}, but the image is {new}")
    assert read_pins(report.dumps().encode())[digest] == new
