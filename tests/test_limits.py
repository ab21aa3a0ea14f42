"""Limits: what goes beyond one is refused by name, at once, and an option takes more."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zstandard

from oci_convert import OciConvertError, UsageError, convert, inspect, translate, verify
from oci_convert.errors import BlobError
from oci_convert.layers.compression import decompress
from oci_convert.limits import Limits, inherited, limited, limits, parse_limits
from oci_convert.spec.media_types import Compression
from oci_convert.stores.memory import Memory
from support.images import (
    Image,
    docker_image,
    image_list,
    layer,
    layout_files,
    oci_image,
    save_tar,
    write_files,
)

MIB = 1024 * 1024
GIB = 1024 * MIB
GZIP, ZSTD = Compression.GZIP, Compression.ZSTD


def nested(image: Image, depth: int) -> Image:
    """``image`` in an index, in an index, …"""
    return image if depth == 0 else nested(image_list([image]), depth - 1)


def deep(levels: int) -> dict[str, Any]:
    return {} if levels == 1 else {"inner": deep(levels - 1)}


def layout(image: Image) -> dict[str, bytes]:
    return layout_files({"app": image})


@dataclass(frozen=True)
class Case:
    """A source that needs exactly so much of a limit."""

    code: str
    needed: int
    files: Callable[[], dict[str, bytes]]
    archive: bool = False


def _config_size() -> int:
    return max(len(docker_image().config), len(docker_image().manifest))


CASES = {
    "document_size": Case("document-too-large", _config_size(), lambda: layout(docker_image())),
    "index_size": Case(
        "document-too-large",
        len(layout(docker_image())["index.json"]),
        lambda: layout(docker_image()),
    ),
    "json_depth": Case("too-deep", 9, lambda: layout(oci_image(deep=deep(8)))),
    "tree_depth": Case("tree-too-deep", 3, lambda: layout(nested(oci_image(), 3))),
    "nodes": Case(
        "too-many-nodes", 5, lambda: layout(oci_image([layer(str(i)) for i in range(3)]))
    ),
    "members": Case("too-many-members", 0, dict, archive=True),
    "name_length": Case("name-too-long", 74, dict, archive=True),
}
"""One for each limit of documents and archives, called as it is."""


def sources(case: Case, tmp_path: Path) -> str:
    if not case.archive:
        return f"oci:{write_files(case.files(), tmp_path / 'source')}"
    path = tmp_path / "app.tar"
    path.write_bytes(save_tar({"app:1": docker_image()}))
    return f"docker-archive:{path}"


@pytest.mark.parametrize("name", CASES)
def test_what_is_as_large_as_a_limit_is_read_and_what_is_larger_is_refused(
    name: str, tmp_path: Path
) -> None:
    case = CASES[name]
    source, target = sources(case, tmp_path), tmp_path / "target"
    needed = case.needed or _smallest(source, name)
    with limited(**{name: needed - 1}), pytest.raises(OciConvertError) as refused:
        convert(source, f"oci:{target}")
    assert refused.value.code == case.code
    assert f"limited({name}=" in str(refused.value)
    assert not target.exists()
    with limited(**{name: needed}):
        convert(source, f"oci:{target}")
        assert verify(f"oci:{target}").sound


def _smallest(source: str, name: str) -> int:
    """The smallest limit that lets a source be read."""
    most = 1
    while True:
        try:
            with limited(**{name: most}):
                inspect(source)
        except OciConvertError:
            most += 1
        else:
            return most


# -- layers ----------------------------------------------------------------------------------------


def zeros(size: int, codec: Compression) -> Iterator[bytes]:
    """Packed zeros: the same member again and again."""
    piece = bytes(32 * MIB)
    member = gzip.compress(piece, 6) if codec is GZIP else zstandard.compress(piece)
    yield from [member] * (size // len(piece))


def unpack(chunks: Iterator[bytes], codec: Compression, size: int | None = None) -> int:
    """How many bytes come out."""
    return sum(len(data) for data in decompress(chunks, codec, "images[0].layers[0]", size))


@pytest.mark.parametrize("codec", [GZIP, ZSTD])
def test_a_bomb_is_stopped_while_it_is_unpacked(codec: Compression) -> None:
    seen: list[int] = []
    content = decompress(zeros(10 * GIB, codec), codec, "images[0].layers[0]")
    with pytest.raises(BlobError) as refused:
        seen.extend(len(data) for data in content)
    assert refused.value.code == "decompression-bomb"
    assert refused.value.message.endswith(
        "unpacks to more than 200 times its size, like a decompression bomb"
    )
    assert "limited(layer_ratio=" in refused.value.remedy
    assert GIB - MIB <= sum(seen) <= GIB


def test_a_layer_that_begins_with_many_zeros_is_no_bomb() -> None:
    noise = gzip.compress(random.Random(0).randbytes(MIB), 1)
    blob = [*zeros(GIB + 32 * MIB, GZIP), *[noise] * 5]
    size = sum(map(len, blob))
    assert unpack(iter(blob), GZIP, size) == GIB + 37 * MIB
    with pytest.raises(BlobError, match="200 times"):
        unpack(iter(blob), GZIP)  # a stream whose length nobody knows is judged as it comes


def test_a_bomb_is_no_bomb_for_whoever_says_so() -> None:
    with limited(layer_ratio=2000):
        assert unpack(zeros(GIB + 32 * MIB, GZIP), GZIP) == GIB + 32 * MIB


def test_the_size_of_an_unpacked_layer_has_a_limit() -> None:
    with limited(layer_size=64 * MIB):
        assert unpack(zeros(64 * MIB, ZSTD), ZSTD) == 64 * MIB
        with pytest.raises(BlobError, match="more than the limit of 64MiB") as refused:
            unpack(zeros(96 * MIB, ZSTD), ZSTD)
    assert refused.value.code == "layer-too-large"
    assert "limited(layer_size=" in refused.value.remedy


@pytest.mark.parametrize("jobs", [1, 4])
def test_limits_hold_in_every_thread(jobs: int) -> None:
    image = oci_image([layer(str(i), ZSTD) for i in range(4)])
    source = Memory(layout_files({"app": image}))
    with limited(layer_size=100):
        with pytest.raises(BlobError) as refused:
            convert(source, Memory(), to="docker", jobs=jobs)
        assert {finding.code for finding in verify(source, jobs=jobs).findings} == {
            "layer-too-large"
        }
    assert refused.value.code == "layer-too-large"
    convert(source, Memory(), to="docker", jobs=jobs)


# -- changing them ---------------------------------------------------------------------------------


def test_limits_hold_inside_and_only_there() -> None:
    raw = docker_image().manifest
    with limited(document_size=10) as inside:
        assert limits() is inside == Limits(document_size=10)
        with limited(tree_depth=3):
            assert (limits().document_size, limits().tree_depth) == (10, 3)
        with limited(Limits()):
            translate(raw, to="oci")
        run = inherited(lambda: limits().document_size)
        with pytest.raises(OciConvertError, match="the limit of 10"):
            translate(raw, to="oci")
    assert run() == 10
    assert limits() == Limits()


def test_options_change_limits() -> None:
    changed = parse_limits(["document-size=8MiB", "tree-depth=32", "layer-size=20TiB", "nodes=7"])
    assert changed == Limits(
        document_size=8 * MIB, tree_depth=32, layer_size=20 * 1024 * GIB, nodes=7
    )


@pytest.mark.parametrize(
    ("text", "message"),
    {
        "document-sze=1": "'document-sze' is not a limit",
        "=1": "'' is not a limit",
        "tree-depth": "'' is not a valid value for tree-depth",
        "tree-depth=-1": "'-1' is not a valid value for tree-depth",
        "tree-depth=1MiB": "'1MiB' is not a valid value for tree-depth",
        "document-size=1MB": "'1MB' is not a valid value for document-size",
        "nodes=0": "0 is not a valid value for nodes",
        "json-depth=201": "201 is not a valid value for json-depth",
    }.items(),
)
def test_what_is_no_limit_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_limits([text])
    assert refused.value.code == "invalid-limit"
    assert refused.value.message == message


@pytest.mark.parametrize("value", [0, 201, "3", True, None])
def test_a_limit_that_cannot_be_is_told_as_the_argument_that_it_is(value: Any) -> None:
    with pytest.raises(UsageError) as refused, limited(json_depth=value):
        pass
    assert refused.value.where == "json_depth"
    assert refused.value.message == f"{value!r} is not a valid value"


@pytest.mark.parametrize("name", ["json_depth", "tree_depth"])
def test_the_largest_depths_can_be_kept(name: str) -> None:
    """They are recursions here: Python must not end them."""
    most = 200 if name == "json_depth" else 50
    image = oci_image(x=deep(most - 1)) if name == "json_depth" else nested(oci_image(), most)
    source, target = Memory(layout_files({"app": image})), Memory()
    with limited(**{name: most}):
        report = convert(source, target, to="oci-rc2")
        assert report.reversible
        convert(target, Memory(), to="oci")
    assert json.loads(json.dumps(report.to_json()))["images"]
