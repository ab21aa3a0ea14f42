"""Images of a layout are given names, other names, and none, and nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import pytest

from oci_convert import Memory, OciConvertError, convert, inspect, verify
from oci_convert.spec.media_types import Family
from oci_convert.stores import OciLayout
from support.contract import image_for
from support.images import (
    REF_NAME,
    docker_image,
    files_below,
    layer,
    layout_files,
    oci_image,
    rc2_files,
    write_files,
)

Layout: TypeAlias = OciLayout | Memory
A, B = oci_image([layer("a")]), docker_image([layer("b")])


def in_a_directory(files: dict[str, bytes], path: Path) -> OciLayout:
    return OciLayout(write_files(files, path / "layout"))


def in_memory(files: dict[str, bytes], path: Path) -> Memory:
    return Memory(dict(files))


@pytest.fixture(params=[in_a_directory, in_memory])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[dict[str, bytes]], Layout]:
    return lambda files: request.param(files, tmp_path)


def names(layout: Layout) -> list[str | None]:
    return [image.name for image in inspect(layout).images]


def digests(layout: Layout) -> dict[str | None, str]:
    return {image.name: image.descriptor.digest for image in inspect(layout).images}


def files_of(layout: Layout) -> dict[str, bytes]:
    return dict(layout.files) if isinstance(layout, Memory) else files_below(Path(str(layout)[4:]))


Make: TypeAlias = Callable[[dict[str, bytes]], Layout]


def test_an_image_is_called_something_else_too(make: Make) -> None:
    layout = make(layout_files({"a": A, "b": B}))
    assert layout.tag("a", "registry.example.com/app:1").digest == A.digest
    full = "registry.example.com/app:1"
    assert digests(layout) == {"a": A.digest, "b": B.digest, full: A.digest}
    assert layout.tag("1", "a").digest == A.digest  # as it is already
    assert names(layout) == ["a", "b", full]


def test_an_image_gets_another_name_where_it_stands(make: Make) -> None:
    layout = make(layout_files({"a": A, "b": B}))
    layout.retag("a", "c")
    assert names(layout) == ["c", "b"]
    layout.retag("@0", "c")
    assert names(layout) == ["c", "b"]


def test_a_name_goes_over_from_another_image(make: Make) -> None:
    layout = make(layout_files({"a": A, "b": B}))
    layout.tag("a", "b")
    assert digests(layout) == {"a": A.digest, "b": A.digest}
    layout = make(layout_files({"a": A, "b": B}))
    layout.retag("b", "a")
    assert digests(layout) == {"a": B.digest}


def test_an_image_loses_its_name_and_keeps_its_blobs(make: Make) -> None:
    layout = make(layout_files({"a": A, "b": B}))
    before = files_of(layout)
    layout.untag("a")
    assert names(layout) == ["b"]
    layout.untag(B.digest)
    assert names(layout) == []
    after = files_of(layout)
    assert {**after, "index.json": b""} == {**before, "index.json": b""}
    convert(Memory(layout_files({"a": A})), layout.image("a"))
    assert names(layout) == ["a"]


def test_the_rest_of_the_index_and_of_an_entry_stays(make: Make) -> None:
    files = layout_files({"a": A, "b": B})
    index = json.loads(files["index.json"])
    index["x-unknown"] = 1.5
    index["manifests"][0] |= {"urls": ["https://example.com"], "x-unknown": {"a": None}}
    index["manifests"][0]["annotations"]["k"] = "v"
    files["index.json"] = json.dumps(index, indent=3).encode()
    layout = make(files)
    layout.retag("a", "c")
    index["manifests"][0]["annotations"] = {"k": "v", REF_NAME: "c"}
    assert json.loads(files_of(layout)["index.json"]) == index
    second = files["index.json"].rindex(b"},\n", 0, files["index.json"].index(B.digest.encode()))
    assert files_of(layout)["index.json"].endswith(files["index.json"][second:])


def test_a_layout_before_1_0_is_renamed_in_refs(make: Make) -> None:
    image = image_for(Family.OCI_RC2)
    layout = make(rc2_files({"a": image}))
    layout.tag("a", "b")
    assert files_of(layout) == rc2_files({"a": image, "b": image})
    layout.retag("a", "c")
    layout.untag("b")
    assert files_of(layout) == rc2_files({"c": image})
    with pytest.raises(OciConvertError) as refused:
        layout.tag("c", "d/e")
    assert refused.value.code == "no-ref-file"
    assert files_of(layout) == rc2_files({"c": image})


def test_what_is_not_there_is_an_error_and_nothing_is_written(make: Make, tmp_path: Path) -> None:
    layout = make(layout_files({"a": A, "b": B}))
    before = files_of(layout)
    attempts: list[Callable[[], object]] = [
        lambda: layout.tag("c", "d"),
        lambda: layout.retag("c", "d"),
        lambda: layout.untag("c"),
    ]
    for attempt in attempts:
        with pytest.raises(OciConvertError) as refused:
            attempt()
        assert refused.value.code == "unknown-reference"
    assert files_of(layout) == before
    with pytest.raises(OciConvertError) as absent:
        OciLayout(tmp_path / "nowhere").untag("a")
    assert absent.value.code == "no-such-store"
    assert not (tmp_path / "nowhere").exists()


def test_many_threads_rename_and_convert_and_nothing_is_lost(make: Make) -> None:
    images = {f"v{i}": docker_image([layer(f"{i}")]) for i in range(24)}
    layout = make(layout_files({name: image for name, image in images.items() if name < "v2"}))

    def run(name: str) -> None:
        if name < "v2":
            layout.retag(name, f"{name}-old")
        else:
            convert(Memory(layout_files({name: images[name]})), layout, to="docker", jobs=1)
            layout.tag(name, f"{name}-too")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, images))
    old = {f"{name}-old" for name in images if name < "v2"}
    new = {each for name in images if name >= "v2" for each in (name, f"{name}-too")}
    assert set(names(layout)) == old | new
    assert verify(layout).sound
