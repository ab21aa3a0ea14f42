"""``--link``: blobs become further names of the source's files, where that can be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oci_convert.conversion.convert import convert
from oci_convert.errors import BlobError
from oci_convert.verification.verify import verify
from support.images import docker_image, files_below, layer, write_dir, write_layout

IMAGE = docker_image([layer("one"), layer("two")])


def blob(path: Path, digest: str) -> Path:
    return path / "blobs" / digest.replace(":", "/")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there are no links to open files")
def test_a_linked_blob_is_one_file_under_two_names(tmp_path: Path) -> None:
    write_dir(IMAGE, tmp_path / "app")
    convert(tmp_path / "app", f"oci:{tmp_path / 'L'}:app", link=True)
    for each in IMAGE.layers:
        here, there = blob(tmp_path / "L", each.digest), tmp_path / "app" / each.digest[7:]
        assert here.samefile(there)
        assert here.stat().st_nlink == 2
    assert verify(f"oci:{tmp_path / 'L'}").sound


def test_without_link_every_file_is_a_new_one(tmp_path: Path) -> None:
    write_dir(IMAGE, tmp_path / "app")
    convert(tmp_path / "app", f"oci:{tmp_path / 'L'}:app")
    assert {path.stat().st_nlink for path in (tmp_path / "L").rglob("*") if path.is_file()} == {1}


def test_where_no_link_can_be_blobs_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    write_dir(IMAGE, tmp_path / "app")
    convert(tmp_path / "app", f"oci:{tmp_path / 'L'}:app", link=True)
    assert verify(f"oci:{tmp_path / 'L'}").sound
    assert not any((tmp_path / "L" / ".oci-convert").glob("**/*"))


def test_what_is_linked_is_verified_too(tmp_path: Path) -> None:
    write_layout({"app": IMAGE}, tmp_path / "in")
    bad = blob(tmp_path / "in", IMAGE.layers[0].digest)
    data = bad.read_bytes()
    bad.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    before = files_below(tmp_path / "in")
    with pytest.raises(BlobError, match="digest mismatch"):
        convert(f"oci:{tmp_path / 'in'}", f"dir:{tmp_path / 'out'}", to="docker", link=True)
    assert not (tmp_path / "out").exists()
    assert files_below(tmp_path / "in") == before


def test_what_is_linked_from_an_archive_is_copied(tmp_path: Path) -> None:
    write_dir(IMAGE, tmp_path / "app")
    convert(tmp_path / "app", f"docker-archive:{tmp_path / 'app.tar'}")
    convert(tmp_path / "app.tar", f"oci:{tmp_path / 'L'}:app", link=True)
    assert (tmp_path / "app.tar").stat().st_nlink == 1
