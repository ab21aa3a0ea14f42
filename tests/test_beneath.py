"""Files are opened beneath their folder, as POSIX can and as Windows can."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from oci_convert import operating_system
from oci_convert.stores.files.beneath import LeftError, files_beneath, open_beneath
from support.images import write_files


@pytest.fixture(params=["by folders", "by path"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with links in it, opened as POSIX can and as Windows can."""
    if request.param == "by folders" and not operating_system.system.beneath:
        pytest.skip("this system opens nothing relative to a folder")
    here = operating_system.system._replace(beneath=request.param == "by folders")
    monkeypatch.setattr(operating_system, "system", here)
    folder = write_files({"in/side": b"inside", "deep/er/file": b"file"}, tmp_path / "root")
    (tmp_path / "secret").write_bytes(b"secret")
    links = {
        "link": "in/side",
        "folder": "deep",
        "deep/up": "../in/side",
        "out": "../secret",
        "deep/far": "../../secret",
        "round": "again",
        "again": "round",
        "dangling": "absent",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    return folder


def content(root: Path, name: str) -> bytes:
    with os.fdopen(open_beneath(root, name), "rb") as file:
        return file.read()


@pytest.mark.parametrize("name", ["in/side", "link", "deep/up", "folder/up", "deep/../in/side"])
def test_a_name_leads_anywhere_inside(root: Path, name: str) -> None:
    assert content(root, name) == b"inside"


@pytest.mark.parametrize(
    "name", ["out", "deep/far", "folder/far", "../secret", "deep/../../secret"]
)
def test_a_name_leads_nowhere_outside(root: Path, name: str) -> None:
    with pytest.raises(LeftError):
        open_beneath(root, name)


@pytest.mark.parametrize("name", ["absent", "dangling", "in/absent/side"])
def test_what_is_not_there_is_not_found(root: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        open_beneath(root, name)


def test_circles_end(root: Path) -> None:
    with pytest.raises(OSError, match="symbolic links") as refused:
        open_beneath(root, "round")
    assert refused.value.errno == errno.ELOOP


def test_names_are_those_of_files_at_any_depth(root: Path) -> None:
    links = {"link", "out", "round", "again", "dangling", "deep/up", "deep/far"}
    assert set(files_beneath(root, "", "in")) - {"folder"} == {"deep/er/file"} | links
    assert "in/side" in set(files_beneath(root, "", ".oci-convert"))
    assert set(files_beneath(root, "deep", "er")) == {"deep/er/file", "deep/up", "deep/far"}
    assert list(files_beneath(root, "in/side", "")) == []


def test_the_folder_itself_may_be_a_link(root: Path) -> None:
    root.with_name("other").symlink_to("root")
    assert content(root.with_name("other"), "deep/up") == b"inside"
    assert "in/side" in set(files_beneath(root.with_name("other"), "", ""))
