"""Folders of images: which stores are in them, and how every verb takes them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from oci_convert import StoreError
from oci_convert.stores.collections import stores_in
from support import archives
from support.archives import Saved, archive, extracted
from support.images import dir_files, docker_image, layout_files, oci_image, write_files

APP = docker_image()
OTHER = docker_image(platform="linux/arm64")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What ``skopeo sync --scoped`` and years of ``docker save`` leave behind, and odd ends."""
    top = tmp_path / "images"
    write_files(dir_files(APP), top / "registry.test:5000/team/app:1.0")
    write_files(dir_files(OTHER), top / "registry.test:5000/team/app/sub:2")
    write_files(dir_files(APP), top / "unnamed")
    write_files(layout_files({"app:1": oci_image()}), top / "layout")
    extracted(archives.docker_20(Saved()), top / "extracted")
    (top / "saved").mkdir()
    (top / "saved/app.tar").write_bytes(archive(archives.docker_25(Saved())))
    (top / "saved/README.txt").write_text("what is here")
    (top / "empty").mkdir()
    write_files(layout_files({"app:1": oci_image()}), top / ".cache/layout")
    return top


def listed(folder: Path, **options: bool) -> dict[str, str | None]:
    """The stores below a folder, by their references below it, with their names."""
    prefix = f"{folder}{os.sep}"
    return {str(one).replace(prefix, ""): one.name for one in stores_in(folder, **options)}


def test_every_store_is_found_in_the_order_of_paths_and_none_inside_of_another(
    folder: Path,
) -> None:
    assert listed(folder) == {
        "docker-archive:extracted": None,
        "oci:layout": None,
        "dir:registry.test:5000/team/app/sub:2": "registry.test:5000/team/app/sub:2",
        "dir:registry.test:5000/team/app:1.0": "registry.test:5000/team/app:1.0",
        "saved/app.tar": None,
        "dir:unnamed": None,
    }
    assert list(listed(folder)) == list(listed(folder))


def test_each_can_be_opened_and_has_its_name(folder: Path) -> None:
    names: dict[str | None, str] = {}
    for one in stores_in(folder):
        with one.source() as source:
            names |= {root.name: root.descriptor.digest for root in source.roots()}
    assert names["registry.test:5000/team/app:1.0"] == APP.digest
    assert names["registry.test:5000/team/app/sub:2"] == OTHER.digest
    assert names[None] == APP.digest
    assert len(names) == 5


def test_a_folder_that_is_a_store_gives_itself(folder: Path) -> None:
    assert [str(one) for one in stores_in(folder / "layout")] == [f"oci:{folder}/layout"]


def test_links_to_folders_are_followed_only_where_that_is_asked_for(
    folder: Path, tmp_path: Path
) -> None:
    shutil.move(folder / "layout", tmp_path / "elsewhere")
    (folder / "layout").symlink_to(tmp_path / "elsewhere")
    (folder / "saved/again").symlink_to(folder)  # a circle
    (folder / "saved/linked.tar").symlink_to(folder / "saved/app.tar")
    assert "oci:layout" not in listed(folder)
    assert "saved/linked.tar" in listed(folder)
    followed = listed(folder, follow_links=True)
    assert "oci:layout" in followed
    assert len(followed) == 7


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_an_error(folder: Path) -> None:
    (folder / "empty").chmod(0)
    with pytest.raises(StoreError, match="permission denied"):
        list(stores_in(folder))
