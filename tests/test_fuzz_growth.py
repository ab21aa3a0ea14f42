"""Small inputs that ask for much: what is done follows the size of what is read.

No fuzzer finds these, as its inputs are small and so is what grows with their square.
"""

from __future__ import annotations

import tarfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from oci_convert import (
    Memory,
    OciConvertError,
    StoreError,
    convert,
    inspect,
    open_images,
    prove,
    same_as,
    verify,
)
from oci_convert.limits import limited
from oci_convert.stores.docker_archive import DockerArchiveSource
from oci_convert.stores.docker_index_json import IndexEntries
from oci_convert.stores.files.tar import Tar
from support.archives import compact, entry, in_memory, layout, row_of
from support.images import Image, image_list, layer, layout_files, oci_image

LEVELS, ENTRIES = 6, 100
"""Five thousand bytes a level, and a million million images to whoever follows every path."""


def laughs(image: Image) -> Image:
    """Indexes that each list the one below again and again."""
    for _ in range(LEVELS):
        image = image_list([image] * ENTRIES)
    return image


IMAGE = oci_image([layer("a")])
LAUGHS = layout_files({"app": laughs(IMAGE)})
ASKED: dict[str, Callable[[Memory], Any]] = {
    "convert --to oci": lambda source: convert(source, Memory(), to="oci"),
    "convert --to docker": lambda source: convert(source, Memory(), to="docker"),
    "convert --to oci-rc2": lambda source: convert(source, Memory(), to="oci-rc2"),
    "convert --flatten": lambda source: convert(source, Memory(), to="oci", flatten=True),
    "convert --platform": lambda source: convert(
        source, Memory(), to="oci", platforms=["linux/amd64"]
    ),
    "verify": verify,
    "inspect": inspect,
    "prove": lambda source: prove(source, IMAGE.digest),
    "same_as": lambda source: same_as(source, source),
    "open_images": lambda source: list(open_images(source)),
}


@pytest.mark.parametrize("asked", ASKED)
def test_indexes_that_list_each_other_again_and_again_are_read_once(asked: str) -> None:
    began = time.monotonic()
    with limited(document_size=64 * 1024), suppress(OciConvertError):  # “too large” is fair, too
        ASKED[asked](Memory(dict(LAUGHS)))
    # That is no measure of speed: who follows every path is not done in years.
    assert time.monotonic() - began < 60


def test_so_are_those_that_a_row_may_stand_for() -> None:
    row = {"Config": "x.json", "RepoTags": ["app:1"], "Layers": []}
    top = laughs(IMAGE)
    files = {**layout([top], [entry(top, "b:1")]), "manifest.json": compact([row])}
    roots = DockerArchiveSource(in_memory(files), "app.tar").roots()
    assert [root.name for root in roots] == ["docker.io/library/app:1", "docker.io/library/b:1"]


@pytest.mark.parametrize("size", [2**31, 2**62])
def test_an_archive_whose_sparse_member_is_nearly_all_hole_is_a_bomb(
    size: int, tmp_path: Path
) -> None:
    path = tmp_path / "app.tar"
    path.write_bytes(sparse("layer.tar", size))
    found = verify(f"docker-archive:{path}")
    assert [finding.code for finding in found.findings] == ["decompression-bomb"]
    with limited(layer_ratio=2**60), closing(Tar(path)) as place:
        assert place.size("layer.tar") == size


def sparse(name: str, size: int) -> bytes:
    """An archive with one member: 512 bytes, and a hole up to ``size`` (GNU's format 1.0)."""
    content = b"1\n0\n512\n".ljust(512, b"\0") + b"x" * 512
    header = tarfile.TarInfo(name)
    header.size = len(content)
    header.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": name,
        "GNU.sparse.realsize": str(size),
    }
    return header.tobuf(tarfile.PAX_FORMAT) + content + bytes(1024)


@pytest.mark.parametrize("headers", [1, 300])
def test_global_headers_are_short_as_every_member_pays_for_them(
    headers: int, tmp_path: Path
) -> None:
    path = tmp_path / "app.tar"
    header = tarfile.TarInfo("pax_global_header")
    header.type = tarfile.XGLTYPE
    records = b"".join(b"12 k%05d=x\n" % i for i in range(6000 // headers))
    header.size = len(records)
    one = header.tobuf() + records + bytes(-len(records) % tarfile.BLOCKSIZE)
    path.write_bytes(one * headers + bytes(1024))
    with pytest.raises(StoreError, match="global headers have more than 4096 bytes"):
        Tar(path)


def test_rows_are_compared_with_the_entries_of_their_config_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = [oci_image([layer(str(i))], platform=f"linux/a{i}") for i in range(60)]
    rows = [row_of(image, [f"app:{i}"]) for i, image in enumerate(images)]
    entries = [entry(image, f"other:{i}") for i, image in enumerate(reversed(images))]
    files = {**layout(images, entries), "manifest.json": compact(rows)}
    compared = 0
    same = IndexEntries._same

    def count(*arguments: Any) -> bool:
        nonlocal compared
        compared += 1
        return same(*arguments)

    monkeypatch.setattr(IndexEntries, "_same", count)
    roots = DockerArchiveSource(in_memory(files), "app.tar").roots()
    assert len(roots) == 2 * len(images)
    assert [root.descriptor.digest for root in roots[: len(images)]] == [it.digest for it in images]
    assert compared <= 2 * len(images)
