"""Files are opened beneath their folder, and what one system has, others can do without."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from oci_convert.conversion.convert import convert
from oci_convert.stores import references
from oci_convert.stores.files import beneath, run_folder
from oci_convert.stores.files.beneath import LeftError, files_beneath, open_beneath
from oci_convert.verification.verify import verify
from support.images import docker_image, layer, write_dir, write_files

IMAGE = docker_image([layer("one"), layer("two")])


@pytest.fixture(params=["by folders", "by path"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with links in it, opened as POSIX can and as Windows can."""
    if request.param == "by folders" and not beneath._BY_FOLDERS:
        pytest.skip("this system opens nothing relative to a folder")
    monkeypatch.setattr(beneath, "_BY_FOLDERS", request.param == "by folders")
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


def test_a_system_without_descriptors_locks_and_folders_to_flush_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as that can be shown here: what Windows lacks is taken away."""
    monkeypatch.setattr(beneath, "_BY_FOLDERS", False)
    monkeypatch.setattr(run_folder, "fcntl", None)
    monkeypatch.setattr(run_folder, "_WINDOWS", True)
    monkeypatch.delattr(os, "preadv")
    write_dir(IMAGE, tmp_path / "app")
    convert(tmp_path / "app", f"oci:{tmp_path / 'L'}:app")
    convert(f"oci:{tmp_path / 'L'}", f"docker-archive:{tmp_path / 'app.tar'}")
    convert(tmp_path / "app.tar", f"dir:{tmp_path / 'back'}", to="docker")
    assert verify(f"dir:{tmp_path / 'back'}").sound
    assert (tmp_path / "back" / "manifest.json").read_bytes() == IMAGE.manifest


@pytest.mark.parametrize(
    ("text", "path", "ref"),
    [
        (r"oci:C:\images\L:app", r"C:\images\L", "app"),
        (r"oci:C:\images\L", r"C:\images\L", None),
        ("docker-archive:d:/app.tar:app:1", "d:/app.tar", "app:1"),
        (r"dir:C:\app", r"C:\app", None),
        (r"C:\app.tar", r"C:\app.tar", None),
        ("oci:L:app", "L", "app"),
    ],
)
def test_drives_of_windows_are_no_refs_there(
    text: str, path: str, ref: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "_WINDOWS", True)
    parsed = references.parse(text)
    assert (parsed.path, parsed.ref) == (path, ref)
