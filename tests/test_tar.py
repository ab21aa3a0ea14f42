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

from oci_convert.errors import StoreError
from oci_convert.limits import limited
from oci_convert.stores.files.tar import Tar
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


def summed(data: bytearray, at: int = 0) -> bytes:
    """An archive whose header at ``at`` has the checksum that it should have."""
    header = data[at : at + 512]
    data[at + 148 : at + 156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    return bytes(data)


def record(name: str, value: str) -> bytes:
    """A record of PAX, with its length before it."""
    rest = f" {name}={value}\n".encode()
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def with_records(
    records: list[tuple[str, str]] | bytes,
    info: tarfile.TarInfo,
    data: bytes,
    kind: bytes = tarfile.XHDTYPE,
) -> bytes:
    """An archive of a header with records and the member that they speak of."""
    if not isinstance(records, bytes):
        records = b"".join(record(name, value) for name, value in records)
    return tar_of((member("records", kind), records), (info, data))


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


@pytest.mark.parametrize("comment", ["by git", "size=7", "x" * 5000])
def test_records_that_nobody_knows_change_nothing(opened: Opened, comment: str) -> None:
    records = [("comment", comment), ("SCHILY.xattr.user.path", "../x"), ("mtime", "-1.5")]
    assert content(opened(with_records(records, member("a"), b"1")), "a") == b"1"


def test_records_override_the_header(opened: Opened) -> None:
    place = opened(with_records([("path", "./b//c"), ("size", "3")], member("a"), b"123"))
    assert list(place.names()) == ["b/c"]
    assert content(place, "b/c") == b"123"
    link = member("l", tarfile.SYMTYPE, linkname="nowhere")
    there = tar_of((member("there"), b"1"))[:1024]
    place = opened(there + with_records([("linkpath", "there")], link, b""))
    assert content(place, "l") == b"1"


@pytest.mark.parametrize("path", ["../up", "/../up", "a/../../up"])
def test_a_record_does_not_lead_out_of_the_archive(opened: Opened, path: str) -> None:
    assert list(opened(with_records([("path", path)], member("a"), b"1")).names()) == []
    link = member("l", tarfile.SYMTYPE, linkname="a")
    place = opened(with_records([("linkpath", path)], link, b""))
    with pytest.raises(StoreError, match="l is a link that leaves the archive"):
        place.size("l")


@pytest.mark.parametrize(
    "records",
    [
        b"99 path=a\n",
        b"0 path=a\n",
        b"-9 path=a\n",
        b"path=a\n",
        b"9 path a\n",
        b"x path=a\n",
        b"8 path=ab\n",
    ],
)
def test_a_record_that_lies_about_its_length_is_refused(opened: Opened, records: bytes) -> None:
    with pytest.raises(StoreError) as refused:
        opened(with_records(records, member("a"), b"1"))
    assert refused.value.code == "bad-archive"


@pytest.mark.parametrize("size", ["-1", "-512", "1000000", "99999999999999999999"])
def test_a_record_that_lies_about_the_size_is_refused(opened: Opened, size: str) -> None:
    with pytest.raises(StoreError) as refused:
        opened(with_records([("size", size)], member("a"), b"1"))
    assert refused.value.code == "bad-archive"


@pytest.mark.parametrize("name", ["path", "linkpath", "size", "GNU.sparse.name"])
def test_a_global_header_that_speaks_of_one_member_is_refused(opened: Opened, name: str) -> None:
    """Some readers apply it to every member, some to none: two archives in one."""
    with pytest.raises(StoreError, match="a global header contains values of a single member"):
        opened(with_records([(name, "1")], member("a"), b"1", tarfile.XGLTYPE))


def test_a_size_may_be_written_in_base_256(opened: Opened) -> None:
    data = bytearray(archive({"a": b"123", "b": b"4"}))
    data[124:136] = b"\x80" + (3).to_bytes(11, "big")
    place = opened(summed(data))
    assert (content(place, "a"), content(place, "b")) == (b"123", b"4")


@pytest.mark.parametrize(
    "name", ["../up", "/../up", "a/../../up", ".", "", "/", "/manifest.json", "//index.json"]
)
def test_names_that_leave_the_archive_are_passed_over(opened: Opened, name: str) -> None:
    place = opened(archive({name: b"bad", "good": b"1"}))
    assert list(place.names()) == ["good"]
    assert place.size(name) is None
    with pytest.raises(FileNotFoundError):
        place.open(name)


def test_a_name_that_begins_with_a_slash_is_that_of_a_member(opened: Opened) -> None:
    place = opened(archive({"/sha256:1.tar": b"1", "//a/b": b"2"}))
    assert list(place.names()) == ["sha256:1.tar", "a/b"]
    assert (content(place, "sha256:1.tar"), content(place, "a/b")) == (b"1", b"2")
    assert place.size("/a/b") is None


@pytest.mark.parametrize("names", [("/a", "a"), ("a", "/a")])
def test_no_member_stands_for_one_without_its_slash(opened: Opened, names: tuple[str, str]) -> None:
    with pytest.raises(StoreError, match="the archive contains a twice") as refused:
        opened(archive(dict.fromkeys(names, b"1")))
    assert refused.value.code == "duplicate-archive-member"


def test_members_that_are_no_files_are_passed_over(opened: Opened) -> None:
    kinds = [tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, b"V"]
    others = [(member(f"m{i}", kind), b"") for i, kind in enumerate(kinds)]
    place = opened(tar_of(*others, (member("file"), b"1")))
    assert [name for name in place.names() if name != "m4"] == ["file"]
    assert place.size("m0") is None
    for name, kind in {"m1": "a pipe", "m2": "a device", "m3": "a device"}.items():
        for attempt in (place.size, place.open, place.blob_size, place.open_blob):
            with pytest.raises(StoreError, match=f"{name} is {kind}, not a regular file") as no:
                attempt(name)
            assert no.value.code == "not-a-file"


def test_of_several_members_the_last_counts(opened: Opened) -> None:
    place = opened(tar_of((member("a"), b"first"), (member("./a"), b"last")))
    assert content(place, "a") == b"last"


def test_a_file_gives_way_to_what_replaces_it(opened: Opened) -> None:
    place = opened(tar_of((member("a"), b"first"), (member("a", tarfile.FIFOTYPE), b"")))
    with pytest.raises(StoreError, match="is a pipe"):
        place.size("a")
    place = opened(tar_of((member("a", tarfile.FIFOTYPE), b""), (member("a"), b"last")))
    assert content(place, "a") == b"last"


@pytest.mark.parametrize("name", ["manifest.json", "index.json", "oci-layout", "repositories"])
@pytest.mark.parametrize("second", [b"2", Link("other"), Link("/etc/passwd")])
def test_an_archive_that_is_two_is_refused(opened: Opened, name: str, second: bytes | Link) -> None:
    with pytest.raises(StoreError, match=r"contains .* twice") as caught:
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
        {"x": Link("a/../../x")},
        {"x": Link("x")},
        {"x": Link("x", hard=True)},
        {"x": Link("y"), "y": Link("x")},
        {"x": Link("y"), "y": Link("../z")},
        {"x": Link("x/x")},
        {"x": Link("/etc/passwd", hard=True)},
        {"x": Link("../x", hard=True)},
        {"x": Link("")},
        {f"l{i}": Link(f"l{i + 1}") for i in range(50)} | {"x": Link("l0"), "l50": Link("file")},
    ],
)
def test_links_that_leave_the_archive_or_go_round_in_circles_are_refused(
    opened: Opened, links: dict[str, bytes | Link]
) -> None:
    place = opened(archive({**links, "file": b"1"}))
    assert "x" not in place.names()
    assert content(place, "file") == b"1"
    for attempt in (place.size, place.open, place.blob_size, place.open_blob):
        with pytest.raises(StoreError, match="x is a link that") as refused:
            attempt("x")
        assert refused.value.code == "link-outside"


@pytest.mark.parametrize("hard", [False, True])
def test_a_link_to_nothing_is_no_file(opened: Opened, hard: bool) -> None:
    place = opened(archive({"x": Link("missing", hard=hard), "file": b"1"}))
    assert list(place.names()) == ["file"]
    assert place.size("x") is None


def test_a_folder_that_leads_out_holds_nothing(opened: Opened) -> None:
    place = opened(archive({"d": Link("/etc"), "d/passwd": b"mine"}))
    assert content(place, "d/passwd") == b"mine"
    with pytest.raises(StoreError, match="d/shadow is a link that leaves the archive"):
        place.size("d/shadow")


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


def test_a_sparse_member_of_the_form_before_has_its_holes(opened: Opened) -> None:
    """Version 0.1: the map is a record of PAX."""
    info = member("layer.tar")
    info.pax_headers = {"GNU.sparse.map": "1000,3,5000,4", "GNU.sparse.size": "6000"}
    place = opened(tar_of((info, b"onelast"), (member("next"), b"1"), form=tarfile.PAX_FORMAT))
    expected = b"\0" * 1000 + b"one" + b"\0" * 3997 + b"last" + b"\0" * 996
    assert content(place, "layer.tar") == expected
    assert content(place, "next") == b"1"


def test_a_sparse_member_of_the_first_form_has_its_holes(opened: Opened) -> None:
    """Version 0.0: a record for each number, all of one name."""
    parts = {"offset": (1000, 5000), "numbytes": (3, 4)}
    records = [("GNU.sparse.size", "6000"), ("GNU.sparse.numblocks", "2")]
    for i in range(2):
        records += [(f"GNU.sparse.{name}", str(values[i])) for name, values in parts.items()]
    place = opened(with_records(records, member("layer.tar"), b"onelast"))
    expected = b"\0" * 1000 + b"one" + b"\0" * 3997 + b"last" + b"\0" * 996
    assert content(place, "layer.tar") == expected


def test_a_sparse_member_of_old_gnu_tar_has_its_holes(opened: Opened) -> None:
    """The map stands in the header itself."""
    data = bytearray(tar_of((member("layer.tar", tarfile.GNUTYPE_SPARSE), b"onelast")))
    numbers = (1000, 3, 5000, 4)
    data[386:434] = b"".join(b"%011o\0" % number for number in numbers)
    data[483:495] = b"%011o\0" % 6000
    expected = b"\0" * 1000 + b"one" + b"\0" * 3997 + b"last" + b"\0" * 996
    assert content(opened(summed(data)), "layer.tar") == expected


@pytest.mark.parametrize(
    "numbers", [b"x\n", b"2\n0\n1\n", b"999999999\n" + b"0\n" * 200, b"", b"\n" * 9]
)
def test_a_sparse_map_that_is_not_there_is_refused(opened: Opened, numbers: bytes) -> None:
    info = member("GNUSparseFile.0/layer.tar")
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "layer.tar",
        "GNU.sparse.realsize": "6000",
    }
    with pytest.raises(StoreError) as refused:
        opened(tar_of((info, numbers.ljust(512, b"\0")), form=tarfile.PAX_FORMAT))
    assert refused.value.code == "bad-archive"


def test_a_sparse_member_without_parts_is_one_hole(opened: Opened) -> None:
    info = member("layer.tar")
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.realsize": "6000",
    }
    data = tar_of((info, b"0\n".ljust(512, b"\0")), (member("a"), b"1"), form=tarfile.PAX_FORMAT)
    assert content(opened(data), "layer.tar") == bytes(6000)


def test_a_sparse_map_without_end_is_refused(opened: Opened) -> None:
    info = member("layer.tar")
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.realsize": "6000",
    }
    numbers = b"9" * 9 + b"\n" + b"0\n" * 4_000_000
    with pytest.raises(StoreError, match="a member has too many headers"):
        opened(tar_of((info, numbers), form=tarfile.PAX_FORMAT))


@pytest.mark.parametrize("parts", ["5,3", "0,3,1,3", "0,9999", "0,-1", "a,b", ""])
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
    with pytest.raises(StoreError) as caught:
        opened(summed(data, 1024))
    assert caught.value.code == "bad-archive"


def test_a_huge_header_is_not_read(opened: Opened) -> None:
    with pytest.raises(StoreError, match="a header says that it has"):
        opened(archive({"n" * 2_000_000: b"1"}))


def test_a_name_that_no_file_system_takes_is_refused(opened: Opened) -> None:
    with pytest.raises(
        StoreError, match="has 6001 characters, more than the limit of 4096"
    ) as caught:
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
        with pytest.raises(StoreError, match="more members than the limit of 3") as caught:
            opened(archive({str(i): b"" for i in range(4)}))
    assert caught.value.code == "too-many-members"
    assert "limited(members=" in caught.value.remedy


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


def test_links_whose_names_can_only_cost_time_are_refused(opened: Opened) -> None:
    long = "n/" * 1900
    chain = {f"{long}{i}": Link(str(i + 1)) for i in range(1000)}
    members: dict[str, bytes | Link] = {**chain, "manifest.json": b"[]"}
    with pytest.raises(StoreError, match="are too long") as refused:
        list(opened(archive(members)).names())
    assert refused.value.code == "bad-archive"


def test_many_empty_members_in_a_row_are_no_endless_header(opened: Opened) -> None:
    members = {str(i): b"" for i in range(9000)}
    assert len(list(opened(archive(members)).names())) == 9000
