"""Archives that are a layout, too, whose OCI half is damaged: the rows are used, and it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import Memory, OciConvertError, RefusedError, convert, inspect, verify
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Compression
from oci_convert.stores.docker_archive import DockerArchiveSource
from support import archives
from support.archives import Members, Saved, archive, blob, compact, in_memory
from support.images import Image, Layer, layer, oci_image, write_files

CODE = "oci-part-ignored"
SAVED = Saved()
DUAL = archives.docker_25(SAVED)
Change = Callable[[Members], Members]


def text(members: Members, name: str) -> bytes:
    data = members[name]
    assert isinstance(data, bytes)
    return data


def entry_of(members: Members) -> dict[str, Any]:
    (entry,) = json.loads(text(members, "index.json"))["manifests"]
    found: dict[str, Any] = entry
    return found


def replaced(name: str, data: bytes) -> Change:
    return lambda members: {**members, name: data}


def manifest(change: Callable[[dict[str, Any]], object]) -> Change:
    """Another OCI manifest, of which everything but what it says of the image is right."""

    def changed(members: Members) -> Members:
        entry = entry_of(members)
        name = f"blobs/{entry['digest'].replace(':', '/')}"
        body = json.loads(text(members, name))
        change(body)
        raw = compact(body)
        entry |= {"digest": Digest.of(raw), "size": len(raw)}
        index = compact({"schemaVersion": 2, "manifests": [entry]})
        rest = {key: data for key, data in members.items() if key != name}
        return {**rest, blob(raw): raw, "index.json": index}

    return changed


def entry(**members: Any) -> Change:
    """Another entry in ``index.json``."""
    return lambda given: {
        **given,
        "index.json": compact({"schemaVersion": 2, "manifests": [entry_of(given) | members]}),
    }


def manifest_bytes(change: Callable[[bytes], bytes | None]) -> Change:
    """Other bytes under the digest of the manifest; ``None``: they are missing."""

    def changed(members: Members) -> Members:
        name = f"blobs/{entry_of(members)['digest'].replace(':', '/')}"
        data = change(text(members, name))
        rest = {key: value for key, value in members.items() if key != name}
        return rest if data is None else {**rest, name: data}

    return changed


def sized(role: str) -> Callable[[dict[str, Any]], object]:
    def change(body: dict[str, Any]) -> None:
        blobs = [body["config"]] if role == "config" else body["layers"]
        blobs[0]["size"] -= 1

    return change


DAMAGE: dict[str, Change] = {
    "a wrong size of a layer": manifest(sized("layer")),
    "a wrong size of the config": manifest(sized("config")),
    "layers in another order": manifest(lambda body: body["layers"].reverse()),
    "a layer too few": manifest(lambda body: body["layers"].pop()),
    "a wrong size of the manifest": entry(size=7),
    "a manifest that is cut off": manifest_bytes(lambda data: data[:-1]),
    "a manifest with another byte": manifest_bytes(lambda data: data.replace(b"2", b"3")),
    "a manifest that is missing": manifest_bytes(lambda _: None),
    "an index.json that is empty": replaced("index.json", b""),
    "an index.json that is cut off": replaced("index.json", b'{"schemaVersion":2,"mani'),
    "an index.json that is no JSON": replaced("index.json", b"\0" * 400),
    "an index.json with a byte order mark": lambda members: {
        **members,
        "index.json": b"\xef\xbb\xbf" + text(members, "index.json"),
    },
    "an index.json that is an array": replaced("index.json", b"[]"),
    "an unknown layout version": replaced("oci-layout", b'{"imageLayoutVersion":"3.0.0"}'),
    "an oci-layout that is empty": replaced("oci-layout", b""),
}


@pytest.mark.parametrize("tags", [("app:1",), ("app:1", "app:2"), None], ids=["one", "two", "none"])
@pytest.mark.parametrize("name", DAMAGE)
def test_the_row_is_used_and_the_damage_is_told(name: str, tags: tuple[str, ...] | None) -> None:
    members = archives.docker_25(Saved(tags)) if tags != ("app:1", "app:2") else None
    if members is None:
        members = {**DUAL, "manifest.json": compact([_row(DUAL) | {"RepoTags": list(tags or ())}])}
    roots = DockerArchiveSource(in_memory(DAMAGE[name](members)), "app").roots()
    assert [root.name for root in roots] == [archives.full(tag) for tag in tags or ()] or [None]
    for root in roots:
        assert root.built
        (remark,) = [remark for remark in root.remarks if remark.code == CODE]
        assert "was not used: " in remark.message


def _row(members: Members) -> dict[str, Any]:
    (row,) = json.loads(text(members, "manifest.json"))
    found: dict[str, Any] = row
    return found


@pytest.mark.parametrize("family", ["docker", "oci"])
@pytest.mark.parametrize("name", DAMAGE)
def test_the_image_is_the_one_of_the_row(name: str, family: str, tmp_path: Path) -> None:
    write_files(
        {"good.tar": archive(archives.docker_20(SAVED)), "bad.tar": archive(DAMAGE[name](DUAL))},
        tmp_path,
    )
    options: dict[str, Any] = {"to": family, "fsync": False}
    good = convert(tmp_path / "good.tar", f"oci:{tmp_path}/good", **options)
    report = convert(tmp_path / "bad.tar", f"oci:{tmp_path}/bad", **options)
    assert [image.new.digest for image in report.images] == [
        image.new.digest for image in good.images
    ]
    (finding,) = [finding for finding in report.findings if finding.code == CODE]
    assert (finding.level, finding.where) == ("warning", "images[0]")
    assert Digest.of(SAVED.config) in [row.new.digest for row in report.map if row.new]
    assert verify(f"oci:{tmp_path}/bad").sound


def test_every_verb_tells_it_and_strict_refuses(tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    path.write_bytes(archive(DAMAGE["a wrong size of a layer"](DUAL)))
    verified = verify(path)
    assert verified.sound
    assert CODE in [finding.code for finding in verified.findings]
    assert inspect(path).images
    with pytest.raises(RefusedError, match="strict=True"):
        convert(path, f"oci:{tmp_path}/new", strict=True)
    assert not (tmp_path / "new").exists()


# -- what is not passed over --------------------------------------------------------------------

REFUSED: dict[str, tuple[Change, str]] = {
    "an index.json that is a manifest, too": (
        lambda members: {
            **members,
            "index.json": compact(json.loads(text(members, "index.json")) | {"config": {}}),
        },
        "ambiguous-document",
    ),
    "an index.json that says something twice": (
        replaced("index.json", b'{"schemaVersion":2,"manifests":[],"manifests":[]}'),
        "duplicate-member",
    ),
    "a layer that is damaged": (
        lambda members: {
            **members,
            _row(members)["Layers"][0]: text(members, _row(members)["Layers"][0])[:-512]
            + bytes(511),
        },
        "blob-truncated",
    ),
    "rows that are none": (
        lambda members: {**members, "index.json": b"", "manifest.json": b"[]"},
        "invalid-json",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_two_readers_could_take_for_two_things_is_refused(name: str, tmp_path: Path) -> None:
    change, code = REFUSED[name]
    (tmp_path / "app.tar").write_bytes(archive(change(DUAL)))
    with pytest.raises(OciConvertError) as caught:
        convert(tmp_path / "app.tar", f"oci:{tmp_path}/new")
    assert caught.value.code == code
    assert not (tmp_path / "new").exists()


# -- halves that name other images --------------------------------------------------------------

IMAGES = [oci_image([Layer(one.tar, Compression.NONE)]) for one in map(layer, "abcd")]
X, Y, Z, _ = IMAGES


def halves(
    entries: Sequence[tuple[Image, str | None]],
    rows: Sequence[tuple[Image, Sequence[str] | None]],
    held: Sequence[Image] = IMAGES,
) -> Members:
    """An archive with ``entries`` in its index.json, ``rows``, and the manifests of those held."""
    listed = [it for it, _ in entries]
    blobs = [it if it in held or it in listed else it.without(it.digest) for it in IMAGES]
    made = archives.layout(blobs, [archives.entry(image, name) for image, name in entries])
    return made | {"manifest.json": compact([archives.row_of(*row) for row in rows])}


CONTRADICTING: dict[str, tuple[Members, list[str]]] = {
    "the image of the row is in the archive": (halves([(X, "a:1")], [(Y, ["a:1"])]), [X.digest]),
    "it is not": (halves([(X, "a:1")], [(Y, ["a:1"])], held=()), [X.digest]),
    "it is listed under another name": (
        halves([(X, "a:1"), (Y, "b:1")], [(Y, ["a:1"]), (Y, ["b:1"])]),
        [X.digest],
    ),
    "each name is that of the other one": (
        halves([(X, "a:1"), (Y, "b:1")], [(Y, ["a:1"]), (X, ["b:1"])]),
        [X.digest, Y.digest],
    ),
    "two images have the name": (
        halves([(X, "a:1"), (Y, "a:1")], [(Z, ["a:1"])]),
        [X.digest, Y.digest],
    ),
    "two names of one row are those of others": (
        halves([(X, "a:1"), (Y, "b:1")], [(Z, ["a:1", "b:1"])]),
        [X.digest, Y.digest],
    ),
    "the image of the row is listed without a name": (
        halves([(X, None), (Y, "a:1")], [(X, ["a:1"])]),
        [Y.digest],
    ),
    "nothing contradicts": (halves([(X, "a:1")], [(X, ["a:1"]), (Y, None)]), []),
}


UNLISTED: dict[str, tuple[Members, int]] = {
    "nothing is listed": (halves([], [(X, ["a:1"])]), 1),
    "nothing is listed, and no manifest is there": (halves([], [(X, ["a:1"])], held=()), 1),
    "nothing is listed, and the image has no name": (halves([], [(X, None)]), 1),
    "nothing is listed of several": (halves([], [(X, ["a:1", "a:2"]), (Y, None)]), 3),
    "something else is listed": (halves([(Y, "b:1")], [(X, ["a:1"])]), 1),
    "one of two is listed": (halves([(Y, "b:1")], [(X, ["a:1"]), (Y, ["b:1"])]), 1),
    "something without a name is listed": (halves([(Y, None)], [(X, None)]), 1),
    "another one is named, as Docker 25 wrote": (
        halves([(Y, "b:1")], [(Y, ["b:1"]), (X, None)]),
        0,
    ),
    "it has another name": (halves([(X, "b:1")], [(X, ["a:1", "b:1"])]), 0),
    "it has no name": (halves([(X, None)], [(X, ["a:1"])]), 0),
}


@pytest.mark.parametrize("listed", [b"[]", b"null"])
@pytest.mark.parametrize("name", UNLISTED)
def test_an_image_that_index_json_does_not_list_is_told(
    name: str, listed: bytes, tmp_path: Path
) -> None:
    members, count = UNLISTED[name]
    index = text(members, "index.json").replace(b"[]", listed)
    path = tmp_path / "app.tar"
    path.write_bytes(archive({**members, "index.json": index}))
    assert (CODE in [it.code for it in verify(path).findings]) is bool(count)
    report = convert(path, Memory(), to="oci")
    assert [it.code for it in report.findings].count(CODE) == count
    assert {X.json["config"]["digest"]} <= report.digest_map.keys()
    if count:
        with pytest.raises(RefusedError):
            convert(path, Memory(), to="oci", strict=True)


@pytest.mark.parametrize("name", CONTRADICTING)
def test_an_image_that_gives_way_to_a_row_is_named(name: str, tmp_path: Path) -> None:
    members, gone = CONTRADICTING[name]
    path = tmp_path / "app.tar"
    path.write_bytes(archive(members))
    for findings in (verify(path).findings, convert(path, Memory(), to="oci").findings):
        told = [finding.message for finding in findings if finding.code == CODE]
        assert sorted({digest for digest in gone for one in told if digest in one}) == sorted(gone)
        assert bool(told) == bool(gone)
    if gone:
        with pytest.raises(RefusedError):
            convert(path, Memory(), to="oci", strict=True)


NAMES = st.none() | st.sampled_from(["a:1", "b:1", "c:1"])
NUMBERS = st.integers(0, len(IMAGES) - 1)
LISTED = st.lists(st.tuples(NUMBERS, NAMES), max_size=4)
TAGS = st.none() | st.lists(st.sampled_from(["a:1", "b:1"]), max_size=2)
ROWS = st.lists(st.tuples(NUMBERS, TAGS), min_size=1, max_size=3)


@given(LISTED, ROWS, st.sets(NUMBERS))
def test_every_image_of_both_halves_is_read_or_named(
    listed: list[tuple[int, str | None]],
    rows: list[tuple[int, list[str] | None]],
    held: set[int],
) -> None:
    members = halves(
        [(IMAGES[i], name) for i, name in listed],
        [(IMAGES[i], tags) for i, tags in rows],
        [IMAGES[i] for i in held],
    )
    roots = DockerArchiveSource(in_memory(members), "app").roots()
    told = " ".join(remark.message for root in roots for remark in root.remarks)
    read = {root.descriptor.digest for root in roots}
    assert all(IMAGES[i].digest in read or IMAGES[i].digest in told for i, _ in listed)
    names = [archives.full(tag) for _, tags in rows for tag in tags or ()]
    assert {root.name for root in roots} >= set(names)


def test_a_sound_archive_is_told_nothing_of(tmp_path: Path) -> None:
    for number, members in enumerate((DUAL, archives.containerd(SAVED), archives.regctl(SAVED))):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(archive(members))
        report = convert(path, f"oci:{tmp_path}/{number}", fsync=False)
        assert CODE not in [finding.code for finding in report.findings]
