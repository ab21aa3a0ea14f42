"""The files of an image: layers upon layers, as a container sees them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oci_convert import (
    BlobError,
    FileKind,
    ImageFiles,
    Memory,
    OciConvertError,
    StoreError,
    limited,
    open_images,
)
from oci_convert.spec.media_types import Compression
from support.images import Layer, docker_image, layout_files, oci_image

Entry = str | tuple[bytes, str]
"""Content, or the type of a link and where it leads."""
Members = list[tuple[str, Entry]]


def tar_of(members: Members) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, entry in members:
            info = tarfile.TarInfo(name.rstrip("/"))
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            if isinstance(entry, tuple):
                info.type, info.linkname = entry
                tar.addfile(info)
            else:
                info.size = len(entry.encode())
                tar.addfile(info, io.BytesIO(entry.encode()))
    return buffer.getvalue()


def files_of(*layers: Members, packing: Compression = Compression.GZIP) -> ImageFiles:
    made = [Layer(tar_of(members), packing) for members in layers]
    return files_in(Memory(layout_files({"app": oci_image(made)})))


def files_in(store: Memory) -> ImageFiles:
    return open_images(store).find().files()


def contents(files: ImageFiles) -> dict[str, str]:
    """Files with their contents, directories with a slash, links with an arrow."""
    shown = {}
    for path, file in files.items():
        assert path == file.path
        if file.kind is FileKind.FILE:
            shown[path] = file.read().decode()
            assert len(shown[path].encode()) == file.size
        elif file.kind is FileKind.DIRECTORY:
            shown[f"{path}/"] = ""
        else:
            shown[path] = f"→ {file.target}"
    return shown


SYM, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE
CASES: dict[str, tuple[list[Members], dict[str, str]]] = {
    "an upper file replaces a lower one": ([[("a", "1")], [("a", "2")]], {"a": "2"}),
    "a whiteout hides a file": ([[("d/", ""), ("d/a", "1")], [("d/.wh.a", "")]], {"d/": ""}),
    "a whiteout hides a directory": (
        [[("d/", ""), ("d/e/", ""), ("d/e/a", "1"), ("d/f", "2")], [("d/.wh.e", "")]],
        {"d/": "", "d/f": "2"},
    ),
    "a whiteout hides nothing of its own layer": (
        [[("a", "1")], [(".wh.a", ""), ("a", "2")]],
        {"a": "2"},
    ),
    "nor what stands before it": ([[("a", "1")], [("a", "2"), (".wh.a", "")]], {"a": "2"}),
    "a directory that is hidden and made anew": (
        [[("d/", ""), ("d/a", "1")], [("d/", ""), ("d/b", "2"), (".wh.d", "")]],
        {"d/": "", "d/b": "2"},
    ),
    "an opaque directory": (
        [[("d/", ""), ("d/a", "1"), ("d/e/", ""), ("d/e/b", "1")],
         [("d/", ""), ("d/c", "2"), ("d/.wh..wh..opq", "")]],
        {"d/": "", "d/c": "2"},
    ),
    "an opaque directory without an entry": (
        [[("d/", ""), ("d/a", "1")], [("d/.wh..wh..opq", "")]],
        {"d/": ""},
    ),
    "an opaque root": ([[("a", "1")], [(".wh..wh..opq", ""), ("b", "2")]], {"b": "2"}),
    "AUFS's own files": ([[(".wh..wh.plnk/", ""), (".wh..wh.aufs", ""), ("a", "1")]], {"a": "1"}),
    "what AUFS linked": (
        [[(".wh..wh.plnk/", ""), (".wh..wh.plnk/1.2", "1"), ("a", (HARD, ".wh..wh.plnk/1.2"))]],
        {"a": "1"},
    ),
    "a file where a directory was": (
        [[("d/", ""), ("d/a", "1")], [("d", "2")], [("d/b", "3")]],
        {"d/b": "3"},
    ),
    "a directory where a file was": (
        [[("d", "1")], [("d/", ""), ("d/a", "2")]],
        {"d/": "", "d/a": "2"},
    ),
    "the same file twice": ([[("a", "1"), ("a", "2")]], {"a": "2"}),
    "names as they come": (
        [[("./a", "1"), ("/b", "2"), ("../c", "3"), ("d/../e", "4"), ("./", "")]],
        {"a": "1", "b": "2", "e": "4"},
    ),
    "a hard link": ([[("a", "1"), ("b", (HARD, "a"))]], {"a": "1", "b": "1"}),
    "a hard link to a lower layer": ([[("a", "1")], [("b", (HARD, "./a"))]], {"a": "1", "b": "1"}),
    "a hard link outlives what it leads to": (
        [[("a", "1"), ("b", (HARD, "a")), ("a", "2")], [(".wh.a", "")]],
        {"b": "1"},
    ),
    "a hard link to a link": (
        [[("a", "1"), ("b", (SYM, "a")), ("c", (HARD, "b"))]],
        {"a": "1", "b": "→ a", "c": "→ a"},
    ),
    "a file below a link": (
        [[("usr/lib/", ""), ("lib", (SYM, "usr/lib")), ("usr/lib/a", "1")], [("lib/a", "2")]],
        {"lib": "→ usr/lib", "usr/lib/": "", "usr/lib/a": "2"},
    ),
    "a whiteout below a link": (
        [[("usr/a", "1"), ("x", (SYM, "/usr"))], [("x/.wh.a", ""), ("x/b", "2")]],
        {"usr/b": "2", "x": "→ /usr"},
    ),
    "a link that a directory replaces": (
        [[("usr/a", "1"), ("x", (SYM, "usr"))], [("x/", ""), ("x/b", "2")]],
        {"usr/a": "1", "x/": "", "x/b": "2"},
    ),
    "a link that is hidden": (
        [[("usr/a", "1"), ("x", (SYM, "usr"))], [(".wh.x", ""), ("x/b", "2")]],
        {"usr/a": "1", "x/b": "2"},
    ),
    "a link that leads out": (
        [[("x", (SYM, "../../../etc"))], [("x/passwd", "1")]],
        {"etc/passwd": "1", "x": "→ ../../../etc"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_layers_are_applied_one_upon_the_other(case: str) -> None:
    layers, expected = CASES[case]
    assert contents(files_of(*layers)) == expected


@pytest.mark.parametrize("packing", [Compression.GZIP, Compression.ZSTD, Compression.NONE])
def test_layers_may_be_packed_in_any_way(packing: Compression) -> None:
    files = files_of([("a", "1"), ("b", "2" * 100_000)], [(".wh.a", "")], packing=packing)
    assert contents(files) == {"b": "2" * 100_000}


# -- against a model ----------------------------------------------------------------------------

PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
LAYERS = st.lists(
    st.dictionaries(PATHS, st.sampled_from(["file", "folder", "whiteout", "opaque"]), max_size=5),
    min_size=1,
    max_size=4,
)


def model(layers: list[dict[str, str]]) -> dict[str, str]:
    """What image-spec says, on a dict: first what is hidden, then what is there."""
    state: dict[str, str] = {}
    for number, layer in enumerate(layers):
        for path, what in layer.items():
            if what in ("whiteout", "opaque"):
                empty(state, path)
            if what == "whiteout":
                state.pop(path, None)
        for path, what in layer.items():
            if what in ("file", "folder"):
                put(state, path, str(number) if what == "file" else "/")
    return state


def empty(state: dict[str, str], path: str) -> None:
    for known in [known for known in state if known.startswith(f"{path}/")]:
        del state[known]


def put(state: dict[str, str], path: str, value: str) -> None:
    for parent in (path[:i] for i, char in enumerate(path) if char == "/"):
        if state.get(parent, "/") != "/":
            del state[parent]
    if value != "/":
        empty(state, path)
    state[path] = value


@given(LAYERS)
@settings(max_examples=60)
def test_any_layers_give_what_the_specification_says(layers: list[dict[str, str]]) -> None:
    def member(number: int, path: str, what: str) -> tuple[str, Entry]:
        folder, _, name = path.rpartition("/")
        hidden = f"{folder}/.wh.{name}".lstrip("/")
        names = {"whiteout": hidden, "opaque": f"{path}/.wh..wh..opq", "folder": f"{path}/"}
        return names.get(what, path), f"{number}" if what == "file" else ""

    made = [
        [member(number, path, what) for path, what in layer.items()]
        for number, layer in enumerate(layers)
    ]
    found = {
        path: "/" if file.kind is FileKind.DIRECTORY else file.read().decode()
        for path, file in files_of(*made, packing=Compression.NONE).items()
    }
    assert found == model(layers)


# -- finding files ------------------------------------------------------------------------------

LINKED: Members = [
    ("usr/lib/os-release", "ID=x"),
    ("etc/", ""),
    ("etc/os-release", (SYM, "../usr/lib/os-release")),
    ("etc/far", (SYM, "../../../../etc/os-release")),
    ("lib", (SYM, "/usr/lib")),
    ("round", (SYM, "about")),
    ("about", (SYM, "round")),
]


@pytest.mark.parametrize(
    "path",
    ["usr/lib/os-release", "etc/os-release", "/etc/os-release", "./etc/../lib/os-release",
     "etc/far", "../lib/os-release"],
)  # fmt: skip
def test_a_file_is_found_through_links_that_never_leave_the_image(path: str) -> None:
    files = files_of(LINKED)
    assert files.read(path) == b"ID=x"
    assert files.find(path).path == "usr/lib/os-release"
    with files.open(path) as file:
        assert file.read(2) == b"ID"


@pytest.mark.parametrize(
    ("path", "code"),
    [("etc/os-releas", "no-such-file"), ("", "no-such-file"), ("round", "link-outside"),
     ("etc", "not-a-file"), ("lib/none", "no-such-file")],
)  # fmt: skip
def test_what_cannot_be_read_is_told(path: str, code: str) -> None:
    with pytest.raises(StoreError) as caught:
        files_of(LINKED).read(path)
    assert caught.value.code == code
    assert caught.value.store == "memory"
    assert caught.value.where.startswith("images[0]")
    assert caught.value.remedy


def test_a_missing_file_is_answered_with_one_like_it() -> None:
    with pytest.raises(StoreError, match=r"did you mean etc/os-release\?"):
        files_of(LINKED).find("etc/os-releas")


# -- what is wrong with a layer -----------------------------------------------------------------


def broken(tar: bytes) -> Memory:
    return Memory(layout_files({"app": docker_image([Layer(tar)])}))


WRONG: Mapping[str, bytes] = {
    "a hard link to nothing": tar_of([("a", (HARD, "b"))]),
    "links round in circles": tar_of([("a", (SYM, "b")), ("b", (SYM, "a")), ("a/c", "1")]),
    "cut off": tar_of([("a", "1" * 5000)])[:2048],
    "a damaged header": tar_of([("a", "1"), ("b", "2")]).replace(
        b"b" + bytes(99), b"c" + bytes(99)
    ),
    "no tar": b"no tar at all" * 100,
}


@pytest.mark.parametrize("case", WRONG)
def test_a_layer_that_makes_no_sense_is_one_clear_error(case: str) -> None:
    with pytest.raises(BlobError) as caught:
        files_in(broken(WRONG[case]))
    error = caught.value
    assert (error.code, error.store, error.where) == (
        "corrupt-layer",
        "memory",
        "images[0].layers[0]",
    )


def test_every_byte_of_every_layer_is_verified() -> None:
    plain = Compression.NONE  # of which the last byte is padding
    image = oci_image([Layer(tar_of([(name, name)]), plain) for name in "ab"])
    files = layout_files({"app": image})
    blob = f"blobs/{image.layers[0].digest.replace(':', '/')}"
    good = files[blob]
    listed = files_in(Memory(files))
    files[blob] = good[:-1] + bytes([good[-1] ^ 1])
    with pytest.raises(BlobError):
        files_in(Memory(files))
    with pytest.raises(BlobError):
        listed["a"].read()  # also where it was listed before
    assert listed["b"].read() == b"b"
    with listed["a"].open() as file:
        assert file.read(1) == b"a"
        file.close()


def test_there_are_no_more_files_than_the_limit() -> None:
    members: list[tuple[str, Entry]] = [(f"{i}", "") for i in range(6)]
    with limited(members=12):
        assert len(files_of(members, members)) == 6
    with limited(members=11), pytest.raises(OciConvertError) as caught:
        files_of(members, members)
    assert caught.value.code == "too-many-members"
    with limited(name_length=10), pytest.raises(OciConvertError) as caught:
        files_of([("x" * 11, "")])
    assert caught.value.code == "name-too-long"


def test_a_sparse_file_has_its_holes() -> None:
    # GNU sparse 1.0: a map at the head of the data.
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        data = b"1\n1000\n3\n".ljust(512, b"\0") + b"end"
        info = tarfile.TarInfo("GNUSparseFile.0/a")
        info.size = len(data)
        info.pax_headers = {
            "GNU.sparse.major": "1", "GNU.sparse.minor": "0",
            "GNU.sparse.name": "a", "GNU.sparse.realsize": "1003",
        }  # fmt: skip
        tar.addfile(info, io.BytesIO(data))
    files = files_in(broken(buffer.getvalue()))
    assert files["a"].read() == bytes(1000) + b"end"
