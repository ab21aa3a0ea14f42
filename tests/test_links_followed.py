"""Stores of links, as git-annex and stow keep them: refused without ``--follow-links``."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from oci_convert import OciConvertError, convert, diff, inspect, open_images, prove, same_as, verify
from oci_convert.limits import limited
from oci_convert.options import Options
from oci_convert.stores.files.folder import Folder, WritableFolder
from support import archives
from support.archives import Saved, extracted
from support.command import Command
from support.images import dir_files, docker_image, layout_files

APP = docker_image()
STORES: dict[str, tuple[Mapping[str, Any], str]] = {
    "a layout": (layout_files({"app:1": APP}), "oci:{}"),
    "a dir:": (dir_files(APP), "dir:{}"),
    "an archive of docker save": (archives.docker_20(Saved()), "docker-archive:{}"),
    "one that is a layout, too": (archives.docker_25(Saved()), "docker-archive:{}"),
    "a bare path": (layout_files({"app:1": APP}), "{}"),
}


def annexed(members: Mapping[str, Any], folder: Path) -> Path:
    """A store whose files are links into a folder beside it, as git-annex has them."""
    store = extracted(dict(members), folder / "store")
    objects = folder / ".git" / "annex" / "objects"
    objects.mkdir(parents=True)
    for number, path in enumerate(sorted(store.rglob("*"))):
        if path.is_file() and not path.is_symlink():
            kept = objects / str(number)
            path.rename(kept)
            path.symlink_to(os.path.relpath(kept, path.parent))
    return store


def stowed(members: Mapping[str, Any], folder: Path) -> Path:
    """A store whose folders are links into another tree, as stow makes them."""
    package = extracted(dict(members), folder / "stow" / "package")
    store = folder / "store"
    store.mkdir()
    for path in package.iterdir():
        (store / path.name).symlink_to(os.path.relpath(path, store))
    return store


@pytest.fixture(params=[annexed, stowed], ids=["git-annex", "stow"])
def linked(request: pytest.FixtureRequest) -> Callable[[Mapping[str, Any], Path], Path]:
    """How a store becomes one of links."""
    made: Callable[[Mapping[str, Any], Path], Path] = request.param
    return made


@pytest.mark.parametrize("name", STORES)
def test_links_out_of_a_store_are_refused_and_the_remedy_is_said(
    name: str, linked: Callable[[Mapping[str, Any], Path], Path], tmp_path: Path
) -> None:
    members, reference = STORES[name]
    source = reference.format(linked(members, tmp_path))
    for ask in (inspect, lambda source: convert(source, tmp_path / "new", to="oci")):
        with pytest.raises(OciConvertError) as caught:
            ask(source)
        assert caught.value.code == "link-outside"
        assert "follow_links=True" in caught.value.remedy
        assert "cp -rL" in caught.value.remedy
    assert not (tmp_path / "new").exists()
    assert not verify(source).sound


@pytest.mark.parametrize("name", STORES)
def test_what_links_lead_to_is_read_where_that_is_asked_for(
    name: str, linked: Callable[[Mapping[str, Any], Path], Path], tmp_path: Path
) -> None:
    members, reference = STORES[name]
    plain = reference.format(extracted(dict(members), tmp_path / "plain"))
    source = reference.format(linked(members, tmp_path))
    expected = convert(plain, f"oci:{tmp_path}/expected", fsync=False)
    report = convert(source, f"oci:{tmp_path}/got", follow_links=True, fsync=False)
    assert [image.new for image in report.images] == [image.new for image in expected.images]
    assert verify(f"oci:{tmp_path}/got").sound
    for path in (tmp_path / "got").rglob("*"):
        assert not path.is_symlink()


def test_every_verb_follows_where_it_is_asked_to(tmp_path: Path) -> None:
    plain = extracted(dict(layout_files({"app": APP})), tmp_path / "plain")
    source = annexed(layout_files({"app": APP}), tmp_path)
    assert inspect(source, follow_links=True).images == inspect(plain).images
    assert verify(source, follow_links=True).sound
    assert diff(source, plain, follow_links=True).same
    assert same_as(source, plain, follow_links=True)
    assert prove(source, APP.digest, follow_links=True).proved
    with open_images(source, follow_links=True) as images:
        assert [image.name for image in images] == ["app"]
    assert Options.from_json(Options(follow_links=True).to_json()).follow_links


LINES = {
    "inspect store": 0,
    "verify store": 0,
    "verify store --same-as plain": 0,
    "diff store plain": 0,
    f"prove store --original {APP.digest}": 0,
    "convert store oci:new": 0,
}


@pytest.mark.parametrize("line", LINES)
def test_every_command_has_the_option(
    line: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    extracted(dict(layout_files({"app": APP})), tmp_path / "plain")
    annexed(layout_files({"app": APP}), tmp_path)
    words = shlex.split(line)
    refused = command(*words)
    assert refused.status in (1, 3)
    assert "--follow-links" in refused.err or "link-outside" in refused.err
    assert command(*words, "--follow-links").status == LINES[line]


# -- bounded, and regular files only ------------------------------------------------------------


def test_what_is_no_regular_file_is_never_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for target in ("/dev/zero", "/dev/null", str(tmp_path / "pipe"), str(tmp_path)):
        store = extracted(dict(layout_files({"app": APP})), tmp_path / target.replace("/", "_"))
        (store / "index.json").unlink()
        (store / "index.json").symlink_to(target)
        with pytest.raises(OciConvertError) as caught:
            inspect(store, follow_links=True)
        assert caught.value.code == "not-a-file", target


def test_a_document_behind_a_link_is_bounded_as_any_other(tmp_path: Path) -> None:
    store = annexed(layout_files({"app": APP}), tmp_path)
    with limited(index_size=100), pytest.raises(OciConvertError) as caught:
        inspect(store, follow_links=True)
    assert caught.value.code == "document-too-large"


def test_what_git_annex_has_not_fetched_is_told(tmp_path: Path) -> None:
    store = annexed(layout_files({"app": APP}), tmp_path)
    (store / "index.json").resolve().unlink()
    with pytest.raises(OciConvertError) as caught:
        inspect(store, follow_links=True)
    assert caught.value.code == "link-outside"
    assert "git annex get" in caught.value.remedy


def test_links_round_in_circles_end(tmp_path: Path) -> None:
    store = extracted(dict(layout_files({"app": APP})), tmp_path / "store")
    (store / "blobs" / "loop").symlink_to("..")
    (store / "blobs" / "self").symlink_to("self")
    names = sorted(Folder(store, follow_links=True).names())
    plain = [name for name in names if "loop" not in name and "self" not in name]
    assert plain == sorted(layout_files({"app": APP}))
    assert len(names) <= len(plain) + 2
    assert inspect(store, follow_links=True).images
    assert verify(store, follow_links=True).sound


def test_names_below_links_are_those_that_can_be_opened(tmp_path: Path) -> None:
    members = layout_files({"app": APP})
    files = Folder(stowed(members, tmp_path), follow_links=True)
    assert sorted(files.names()) == sorted(members)
    assert sorted(files.names("blobs")) == sorted(it for it in members if it.startswith("blobs/"))
    for name in files.names():
        with files.open(name) as file:
            assert file.read() == members[name]


def test_a_target_is_never_written_through_a_link(tmp_path: Path) -> None:
    target = annexed(layout_files({"app": APP}), tmp_path)
    source = extracted(dict(layout_files({"new": docker_image()})), tmp_path / "plain")
    with pytest.raises(OciConvertError) as caught:
        convert(source, f"oci:{target}", to="oci", follow_links=True)
    assert caught.value.code == "link-outside"
    assert "follow_links=True" not in caught.value.remedy
    with pytest.raises(OciConvertError, match="leaves the directory"):
        WritableFolder(target).size("index.json")
