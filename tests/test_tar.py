"""A tar file as a place: members in every spelling, and archives that nobody should believe."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oci_convert.ground.errors import StoreError
from oci_convert.ground.limits import limited
from oci_convert.stores.places.tar import Tar
from support.archives import Link, archive

Opened = Callable[[bytes], Tar]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """``opened(data)``: the bytes of an archive as a place; closed at the end."""
    places: list[Tar] = []

    def open_archive(data: bytes) -> Tar:
        path = tmp_path / f"{len(places)}.tar"
        path.write_bytes(data)
        places.append(Tar(path))
        return places[-1]

    yield open_archive
    for place in places:
        place.close()
        place.close()


def content(place: Tar, name: str) -> bytes:
    with place.open(name) as file:
        return file.read()


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def tar_of(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as writer:
        for info, data in members:
            info.size = info.size or len(data)
            writer.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


# -- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("prefix", ["", "./", ".//x/../"])
def test_members_are_found_by_their_cleaned_names(opened: Opened, form: int, prefix: str) -> None:
    place = opened(archive({"a/b": b"one", "c": b"two"}, prefix=prefix, form=form))
    assert sorted(place.names()) == ["a/b", "c"]
    assert list(place.names("a")) == ["a/b"]
    assert [place.size(name) for name in ("a/b", "./a//b", "c", "a")] == [3, 3, 3, None]
    assert content(place, "a/b") == b"one"


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_whole(opened: Opened, form: int) -> None:
    name = "/".join(["folder" * 10] * 6) + "/ü"
    assert content(opened(archive({name: b"here"}, form=form)), name) == b"here"


def test_a_global_pax_header_is_no_member(opened: Opened) -> None:
    place = opened(archive({"a": b"1"}, form=tarfile.PAX_FORMAT, pax={"comment": "by git"}))
    assert list(place.names()) == ["a"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../up", ".", ""])
def test_names_that_leave_the_archive_are_passed_over(opened: Opened, name: str) -> None:
    place = opened(archive({name: b"bad", "good": b"1"}))
    assert list(place.names()) == ["good"]
    assert place.size(name) is None
    with pytest.raises(FileNotFoundError):
        place.open(name)


def test_members_that_are_no_files_are_passed_over(opened: Opened) -> None:
    kinds = [tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, b"V"]
    others = [(member(f"m{i}", kind), b"") for i, kind in enumerate(kinds)]
    place = opened(tar_of(*others, (member("file"), b"1")))
    assert [name for name in place.names() if name != "m4"] == ["file"]


def test_of_several_members_the_last_counts(opened: Opened) -> None:
    place = opened(tar_of((member("a"), b"first"), (member("./a"), b"last")))
    assert content(place, "a") == b"last"


def test_a_file_gives_way_to_what_replaces_it(opened: Opened) -> None:
    place = opened(tar_of((member("a"), b"first"), (member("a", tarfile.FIFOTYPE), b"")))
    assert place.size("a") is None


@pytest.mark.parametrize("name", ["manifest.json", "index.json", "oci-layout", "repositories"])
@pytest.mark.parametrize("second", [b"2", Link("other")])
def test_an_archive_that_is_two_is_refused(opened: Opened, name: str, second: bytes | Link) -> None:
    with pytest.raises(StoreError, match="stands twice") as caught:
        opened(archive({name: b"1", f"./{name}": second, "other": b"3"}))
    assert caught.value.code == "duplicate-archive-member"


# -- links --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("links", "name"),
    [
        ({"l/x": Link("../d/file")}, "l/x"),
        ({"l/x": Link("y"), "l/y": Link("../z"), "z": Link("d/file")}, "l/x"),
        ({"l": Link("d")}, "l/file"),
        ({"l": Link("./m"), "m": Link("d/.")}, "l/file"),
        ({"x": Link("d/file", hard=True)}, "x"),
        ({"x": Link("./d//file", hard=True), "y": Link("x", hard=True)}, "y"),
        ({"x": Link("d/file"), "y": Link("x", hard=True)}, "y"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_links_are_followed_inside_the_archive(
    opened: Opened, links: dict[str, bytes | Link], name: str, first: bool
) -> None:
    file: dict[str, bytes | Link] = {"d/file": b"content"}
    place = opened(archive({**file, **links} if first else {**links, **file}))
    assert content(place, name) == b"content"
    assert place.size(name) == 7
    assert "d/file" in place.names()


@pytest.mark.parametrize(
    "links",
    [
        {"x": Link("/etc/passwd")},
        {"x": Link("../x")},
        {"x": Link("x")},
        {"x": Link("x", hard=True)},
        {"x": Link("y"), "y": Link("x")},
        {"x": Link("x/x")},
        {"x": Link("missing")},
        {"x": Link("/etc/passwd", hard=True)},
        {"x": Link("")},
    ],
)
def test_links_that_lead_nowhere_are_no_files(
    opened: Opened, links: dict[str, bytes | Link]
) -> None:
    place = opened(archive({**links, "file": b"1"}))
    assert list(place.names()) == ["file"]
    assert place.size("x") is None


def test_a_hard_link_is_the_file_of_its_time(opened: Opened) -> None:
    link = member("link", tarfile.LNKTYPE, linkname="a")
    place = opened(tar_of((member("a"), b"old"), (link, b""), (member("a"), b"new")))
    assert (content(place, "link"), content(place, "a")) == (b"old", b"new")


# -- reading ------------------------------------------------------------------------------------


def test_threads_read_at_the_same_time(opened: Opened) -> None:
    files = {f"f{i}": bytes([i]) * 700_000 for i in range(16)}
    place = opened(archive(files))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda name: content(place, name), files)) == list(files.values())


def test_a_closed_archive_is_not_read(opened: Opened) -> None:
    place = opened(archive({"a": b"1"}))
    with place.open("a") as file:
        place.close()
        with pytest.raises(ValueError, match="closed"):
            file.read()


def test_a_part_of_a_tar_is_no_file_of_its_own(opened: Opened) -> None:
    assert opened(archive({"a": b"1"})).file_of("a") is None


def test_a_sparse_member_has_its_holes(opened: Opened) -> None:
    """The PAX form of GNU tar and libarchive, version 1.0: a map, then the parts."""
    parts = b"2\n1000\n3\n5000\n4\n".ljust(512, b"\0") + b"one" + b"last"
    info = member("GNUSparseFile.0/layer.tar")
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "layer.tar",
        "GNU.sparse.realsize": "6000",
    }
    place = opened(tar_of((info, parts), (member("next"), b"1"), form=tarfile.PAX_FORMAT))
    expected = b"\0" * 1000 + b"one" + b"\0" * 3997 + b"last" + b"\0" * 996
    assert content(place, "layer.tar") == expected
    assert place.size("layer.tar") == 6000
    assert content(place, "next") == b"1"


@pytest.mark.parametrize("parts", ["5,3", "0,3,1,3", "0,9999", "0,-1"])
def test_a_sparse_map_that_makes_no_sense_is_refused(opened: Opened, parts: str) -> None:
    info = member("layer.tar")
    info.pax_headers = {"GNU.sparse.map": parts, "GNU.sparse.size": "6"}
    with pytest.raises(StoreError) as caught:
        opened(tar_of((info, b"abcdef"), form=tarfile.PAX_FORMAT))
    assert caught.value.code == "bad-archive"


# -- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [100, 511, 512 + 1, 512 + 699, 512 + 1024 + 100])
def test_a_truncated_archive_is_refused(opened: Opened, left: int) -> None:
    with pytest.raises(StoreError) as caught:
        opened(archive({"a": b"x" * 700, "b": b"y" * 700})[:left])
    assert caught.value.code == "bad-archive"
    assert "\n" not in str(caught.value)


def test_a_missing_end_is_forgiven(opened: Opened) -> None:
    assert list(opened(archive({"a": b"1"})[:1024]).names()) == ["a"]


def test_what_follows_the_end_is_ignored(opened: Opened) -> None:
    place = opened(archive({"a": b"1"}) + archive({"b": b"2"}))
    assert list(place.names()) == ["a"]


def test_a_damaged_header_is_not_the_end(opened: Opened) -> None:
    data = bytearray(archive({"a": b"1", "b": b"2", "c": b"3"}))
    data[1024 + 150] ^= 1  # the checksum of the second header
    with pytest.raises(StoreError, match="damaged at byte 1024"):
        opened(bytes(data))


@pytest.mark.parametrize("data", [b"", b"x" * 2000, b"{}"])
def test_what_is_no_tar_is_refused(opened: Opened, data: bytes) -> None:
    with pytest.raises(StoreError) as caught:
        opened(data)
    assert caught.value.code == "bad-archive"


@pytest.mark.parametrize("size", [-512, -1024, -(2**40), 2**95 + 2**70])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_leads_astray_is_refused(opened: Opened, size: int, kind: bytes) -> None:
    data = bytearray(archive({"first": b"1", "a": b"2"}))
    data[1024 + 124 : 1024 + 136] = (size % 2**96).to_bytes(12, "big")
    data[1024 + 156 : 1024 + 157] = kind
    header = data[1024:1536]
    total = sum(header[:148]) + 8 * 32 + sum(header[156:])
    data[1024 + 148 : 1024 + 156] = b"%06o\0 " % total
    with pytest.raises(StoreError) as caught:
        opened(bytes(data))
    assert caught.value.code == "bad-archive"


def test_a_huge_header_is_not_read(opened: Opened) -> None:
    with pytest.raises(StoreError, match="a header says that it has"):
        opened(archive({"n" * 2_000_000: b"1"}))


def test_a_name_that_no_file_system_takes_is_refused(opened: Opened) -> None:
    with pytest.raises(StoreError, match="has 6001 characters, and 4096 are the limit") as caught:
        opened(archive({"n/" * 3000 + "n": b"1"}))
    assert caught.value.code == "name-too-long"
    assert len(str(caught.value)) < 250


def test_headers_without_end_are_refused(opened: Opened) -> None:
    headers = tar_of((member("x", tarfile.XHDTYPE), b"10 path=ab\n"))[:1024]
    with pytest.raises(StoreError) as caught:
        opened(headers * 2000 + archive({"a": b"1"}))
    assert caught.value.code == "bad-archive"


def test_too_many_members_are_refused(opened: Opened) -> None:
    with limited(members=3):
        opened(archive({str(i): b"" for i in range(3)}))
        with pytest.raises(StoreError, match="more than the 3 members") as caught:
            opened(archive({str(i): b"" for i in range(4)}))
    assert caught.value.code == "too-many-members"
    assert "--limit members=" in caught.value.remedy


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_archive_is_named_as_such(
    opened: Opened, pack: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(StoreError, match="compressed") as caught:
        opened(pack(archive({"a": b"1"})))
    assert caught.value.code == "compressed-archive"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), min_size=1, max_size=8))
def test_no_damage_gives_another_error(opened: Opened, flips: list[tuple[int, int]]) -> None:
    data = bytearray(archive({"a": b"1", "b" * 120: b"22", "c": Link("a")})[:4096])
    for at, value in flips:
        data[at] = value
    try:
        place = opened(bytes(data))
    except StoreError:
        return
    for name in place.names():
        content(place, name)
