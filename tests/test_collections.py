"""Folders of images: which stores are in them, and how every verb takes them."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from oci_convert import OciConvertError, StoreError, convert, inspect
from oci_convert.stores.collections import stores_in
from support import archives
from support.archives import Saved, archive, extracted
from support.command import Command
from support.images import (
    LAYERS,
    dir_files,
    docker_image,
    layout_files,
    oci_image,
    write_files,
)

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


def test_an_error_of_one_store_suggests_what_the_command_has(
    folder: Path, command: Command
) -> None:
    named = folder / "unnamed/manifest.json"
    named.rename(folder / "elsewhere")
    named.symlink_to(folder / "elsewhere")
    ended = command("inspect", str(folder))
    assert ended.status == 1
    assert "--follow-links" in ended.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_an_error(folder: Path) -> None:
    (folder / "empty").chmod(0)
    with pytest.raises(StoreError, match="permission denied"):
        list(stores_in(folder))


# -- what the verbs make of such a folder -------------------------------------------------------


def test_inspect_shows_each_store_and_tells_what_is_none(folder: Path, command: Command) -> None:
    (folder / "saved/page.tar").write_text("<!DOCTYPE html>")
    shown = command("inspect", str(folder))
    assert shown.status == 1
    titles = [line for line in shown.out.splitlines() if line.endswith(":")]
    assert len(titles) == 6
    assert "registry.test:5000/team/app:1.0  " in shown.out
    assert re.fullmatch(r"error: \S+/saved/page.tar: this is not an archive: .*\n", shown.err)


def test_verify_answers_for_each_store_and_ends_with_the_worst_answer(
    folder: Path, command: Command
) -> None:
    whole = command("verify", str(folder))
    assert whole.status == 0
    assert len(whole.out.splitlines()) == 6
    assert f"oci:{folder}/layout: sound\n" in whole.out
    damage(folder / "unnamed")
    damaged = command("verify", str(folder))
    assert damaged.status == 3
    assert f"dir:{folder}/unnamed: not sound\n" in damaged.out
    assert f"error: dir:{folder}/unnamed: images[0]." in damaged.err
    (folder / "saved/page.tar").write_text("<!DOCTYPE html>")
    assert command("verify", str(folder)).status == 1


@pytest.mark.parametrize("verb", ["inspect", "verify"])
@pytest.mark.parametrize("below", ["", "registry.test:5000", "registry.test:5000/team"])
def test_a_tree_of_dir_images_is_taken_by_its_transport(
    folder: Path, command: Command, verb: str, below: str
) -> None:
    whole, named = (command(verb, f"{prefix}{folder / below}") for prefix in ("", "dir:"))
    assert named.status == whole.status == 0
    assert named.out == whole.out
    assert f"dir:{folder}/registry.test:5000/team/app:1.0" in named.out


def test_a_folder_without_dir_images_is_none_of_them(folder: Path, command: Command) -> None:
    refused = command("inspect", f"dir:{folder / 'saved'}")
    assert refused.status == 1
    assert "a directory of images" in refused.err


INTERRUPTED = {
    "a dir: without a manifest": ("dir", "version", "Directory Transport Version: 1.1\n"),
    "a layout without a list": ("oci", "oci-layout", '{"imageLayoutVersion":"1.0.0"}'),
}


@pytest.mark.parametrize("verb", ["inspect", "verify"])
@pytest.mark.parametrize("case", INTERRUPTED)
def test_what_was_interrupted_is_told_by_its_name_and_stops_nothing(
    folder: Path, command: Command, verb: str, case: str
) -> None:
    transport, name, content = INTERRUPTED[case]
    (folder / "empty" / name).write_text(content)
    ended = command(verb, str(folder))
    assert ended.status == 1
    assert re.fullmatch(rf"error: {transport}:{folder}/empty: .*\n", ended.err)
    assert "unnamed" in ended.out


@pytest.mark.parametrize("verb", ["inspect", "verify"])
def test_json_is_a_line_for_each_store(folder: Path, command: Command, verb: str) -> None:
    lines = command(verb, str(folder), "--json").out.splitlines()
    assert [json.loads(line)["source"] for line in lines] == [str(s) for s in stores_in(folder)]


def test_the_images_of_a_folder_are_converted_under_their_names(
    folder: Path, tmp_path: Path
) -> None:
    shutil.rmtree(folder / "layout")
    shutil.rmtree(folder / "extracted")
    report = convert(folder, f"oci:{tmp_path}/layout")
    assert {image.name for image in report.images} == {
        "registry.test:5000/team/app/sub:2",
        "registry.test:5000/team/app:1.0",
        "docker.io/library/app:1",
        None,
    }
    assert inspect(f"oci:{tmp_path}/layout:registry.test:5000/team/app:1.0").images


def test_what_is_none_ends_a_conversion_unless_it_is_to_keep_going(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "saved/page.tar").write_text("<!DOCTYPE html>")
    with pytest.raises(StoreError, match="HTML page"):
        convert(folder, f"oci:{tmp_path}/layout")
    shutil.rmtree(folder / "extracted")
    report = convert(folder, f"oci:{tmp_path}/layout", keep_going=True)
    assert [failure.source for failure in report.failures] == [f"{folder}/saved/page.tar"]
    assert len(report.images) == 5


def test_an_image_without_the_platform_is_a_loss_that_names_it(
    folder: Path, tmp_path: Path
) -> None:
    shutil.rmtree(folder / "extracted")
    report = convert(folder, f"oci:{tmp_path}/layout", platforms="linux/arm64")
    assert [image.name for image in report.images] == ["registry.test:5000/team/app/sub:2"]
    losses = [finding.message for finding in report.losses]
    assert len(losses) == 4
    assert any("registry.test:5000/team/app:1.0" in message for message in losses), losses
    with pytest.raises(OciConvertError, match="there is no image for linux/s390x"):
        convert(folder, f"oci:{tmp_path}/other", platforms="linux/s390x")


def test_stores_of_links_are_found_and_told_how_to_be_read(folder: Path, command: Command) -> None:
    annex = folder / ".annex"
    annex.mkdir()
    for file in [path for path in (folder / "layout").rglob("*") if path.is_file()]:
        target = annex / file.name
        file.rename(target)
        file.symlink_to(target)
    assert command("verify", str(folder)).status == 3
    assert "index.json is a link" in command("verify", str(folder)).err
    assert command("verify", str(folder), "--follow-links").status == 0


def damage(directory: Path) -> None:
    """Cut a layer of a ``dir:`` short."""
    name = LAYERS[0].digest.partition(":")[2]
    (directory / name).write_bytes(b"")
