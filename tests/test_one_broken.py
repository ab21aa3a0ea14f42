"""One broken entry, row or member hides nothing else from who looks, and ends every conversion."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from oci_convert import DocumentError, OciConvertError, convert
from oci_convert.inspection.inspect import Inspected, inspect
from oci_convert.spec.media_types import Kind
from oci_convert.stores import DockerArchive
from oci_convert.stores.memory import Memory
from oci_convert.verification.verify import verify
from support.archives import Saved, archive, compact, docker_20
from support.command import Command
from support.images import (
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    digest_of,
    image_list,
    layer,
    layout_files,
    oci_image,
    write_files,
)

GOOD = oci_image([layer("good")])
ODD = oci_image([layer("odd")])
LAST = oci_image([layer("last")])

Change = Callable[[dict[str, Any]], Any]


def with_(**members: Any) -> Change:
    return lambda entry: {
        name: value for name, value in (entry | members).items() if value is not ...
    }


ENTRIES: dict[str, tuple[Change, str, bool]] = {
    # what becomes of an entry; the code of that; whether what it names can still be read
    "null": (lambda _: None, "invalid-document", False),
    "a text": (lambda _: "x", "invalid-document", False),
    "an empty object": (lambda _: {}, "invalid-document", False),
    "no digest": (with_(digest=...), "invalid-document", False),
    "a digest that is none": (with_(digest="sha256:../../x"), "invalid-digest", False),
    "a digest that is a number": (with_(digest=5), "invalid-document", False),
    "no size": (with_(size=...), "invalid-document", True),
    "a size that is a text": (with_(size="418"), "invalid-document", True),
    "a negative size": (with_(size=-1), "invalid-document", True),
    "a media type that is a number": (with_(mediaType=5), "invalid-document", True),
    "an annotation that is no text": (
        lambda entry: entry | {"annotations": {**entry.get("annotations", {}), "x": 5}},
        "invalid-document",
        True,
    ),
    "annotations in a list": (with_(annotations=["x"]), "invalid-document", True),
    "half a platform": (with_(platform={"os": "linux"}), "invalid-document", True),
    "half a platform of the wrong type": (
        with_(platform={"os": 5, "architecture": "amd64"}),
        "invalid-document",
        True,
    ),
    "a platform that is a text": (with_(platform="linux/amd64"), "invalid-document", True),
    "features that are no texts": (
        with_(platform={"os": "linux", "architecture": "amd64", "os.features": [5]}),
        "invalid-document",
        True,
    ),
    "urls that are a text": (with_(urls="https://example.com"), "invalid-document", True),
    "a member in two spellings": (
        lambda entry: entry | {"Digest": entry["digest"]},
        "ambiguous-document",
        True,
    ),
}


def codes(blob: Inspected) -> set[str]:
    return {finding.code for finding in blob.findings}


def broken_store(change: Change) -> dict[str, bytes]:
    """A layout of three images, the entry of the second of which is changed."""
    files = layout_files({"good": GOOD, "odd": ODD, "last": LAST})
    index = json.loads(files["index.json"])
    index["manifests"][1] = change(index["manifests"][1])
    return {**files, "index.json": compact(index)}


@pytest.mark.parametrize(("change", "code", "readable"), ENTRIES.values(), ids=ENTRIES)
def test_a_broken_entry_is_shown_in_its_place_among_the_others(
    change: Change, code: str, readable: bool
) -> None:
    source = Memory(broken_store(change))
    found = inspect(source)
    good, odd, last = found.images
    assert not found.findings
    assert [(image.name, len(image.children)) for image in (good, last)] == [
        ("good", 2),
        ("last", 2),
    ]
    assert not codes(good) | codes(last)
    assert code in codes(odd)
    assert (len(odd.children) == 2, odd.present) == (readable, readable)
    verified = verify(source)
    assert not verified.sound
    assert (code, "images[1]") in {(it.code, it.where) for it in verified.findings}
    assert [image.name for image in verified.images][::2] == ["good", "last"]
    for ref in (None, "good"):
        with pytest.raises(OciConvertError) as refused:
            convert(Memory(source.files, ref=ref), Memory())
        assert (refused.value.code, refused.value.where) == (code, "index.json.manifests[1]")


def test_of_a_broken_entry_all_is_kept_that_can_be_read() -> None:
    named = with_(annotations={"org.opencontainers.image.ref.name": "odd", "x": 5})
    _, odd, _ = inspect(Memory(broken_store(named))).images
    assert (odd.name, odd.platform, odd.size) == ("odd", "linux/amd64", len(ODD.manifest))
    _, odd, _ = inspect(Memory(broken_store(with_(digest="x")))).images
    assert (odd.name, odd.digest, odd.media_type) == ("odd", "x", OCI_MANIFEST)
    with pytest.raises(DocumentError):
        _ = odd.descriptor
    _, odd, _ = inspect(Memory(broken_store(with_(size=...)))).images
    assert odd.size == len(ODD.manifest)


def test_who_looks_at_another_image_is_told_of_the_list() -> None:
    files = broken_store(with_(digest=...))
    found = inspect(Memory(files, ref="good"))
    assert [image.name for image in found.images] == ["good"]
    assert [(it.code, it.where) for it in found.findings] == [
        ("invalid-document", "memory: index.json.manifests[1]")
    ]


def twice(raw: bytes, name: str) -> bytes:
    """A member of a JSON text two times, at the last place where it stands."""
    before, quoted, behind = raw.rpartition(f'"{name}":'.encode())
    return before + quoted + b"null," + quoted + behind


def test_a_member_that_stands_twice_in_one_entry_hides_no_other() -> None:
    files = layout_files({"good": GOOD, "odd": ODD})
    source = Memory({**files, "index.json": twice(files["index.json"], "size")})
    good, odd = inspect(source).images
    assert (codes(good), codes(odd)) == (set(), {"duplicate-member"})
    assert len(odd.children) == 2
    with pytest.raises(DocumentError, match="appears twice"):
        convert(source, Memory())


HEADERS = {
    "of another version": (b'{"imageLayoutVersion":"2.0.0"}', "unknown-layout-version"),
    "without a version": (b"{}", "invalid-document"),
    "that is no JSON": (b"1.0.0", "trailing-data"),
}


@pytest.mark.parametrize(("header", "code"), HEADERS.values(), ids=HEADERS)
def test_a_header_hides_no_image(header: bytes, code: str) -> None:
    source = Memory({**layout_files({"good": GOOD}), "oci-layout": header})
    found = inspect(source)
    assert [finding.code for finding in found.findings] == [code]
    assert len(found.images[0].children) == 2
    assert [it.code for it in verify(source).findings] == [code]
    with pytest.raises(OciConvertError) as refused:
        convert(source, Memory())
    assert refused.value.code == code


def test_a_broken_file_of_an_old_layout_hides_no_other() -> None:
    files = layout_files({"good": GOOD})
    entry = json.loads(files.pop("index.json"))["manifests"][0]
    refs = {"good": compact(entry), "none": b"{", "odd": compact(entry | {"size": "x"})}
    source = Memory({**files, **{f"refs/{name}": raw for name, raw in refs.items()}})
    shown = {image.name: (codes(image), len(image.children)) for image in inspect(source).images}
    assert shown == {
        "good": (set(), 2),
        "none": ({"invalid-json"}, 0),
        "odd": ({"invalid-document"}, 2),
    }
    assert not verify(source).sound
    with pytest.raises(DocumentError):
        convert(Memory(source.files, ref="good"), Memory())


# -- documents ----------------------------------------------------------------------------------


def changed(image: Image, change: Change, media_type: str) -> dict[str, bytes]:
    """A layout of an image with another document: all of its blobs are there."""
    raw = compact(change(json.loads(image.manifest)))
    return layout_files({"app": Image(raw, media_type, {**image.blobs, digest_of(raw): raw}, {})})


def first_layer(change: Change) -> Change:
    return lambda body: body | {"layers": [change(body["layers"][0]), *body["layers"][1:]]}


MEMBERS: dict[str, tuple[Change, str, list[Kind]]] = {
    # what becomes of a manifest; the place of what is wrong, and the children that are shown
    "an annotation": (with_(annotations={"x": 5}), "", [Kind.CONFIG, Kind.LAYER, Kind.LAYER]),
    "the version": (with_(schemaVersion="2"), "", [Kind.CONFIG, Kind.LAYER, Kind.LAYER]),
    "no version": (with_(schemaVersion=...), "", [Kind.CONFIG, Kind.LAYER, Kind.LAYER]),
    "the media type": (with_(mediaType=5), "", [Kind.CONFIG, Kind.LAYER, Kind.LAYER]),
    "no config": (with_(config=...), ".config", [Kind.CONFIG, Kind.LAYER, Kind.LAYER]),
    "a config that is a list": (with_(config=[]), ".config", [Kind.CONFIG, *[Kind.LAYER] * 2]),
    "a layer that is null": (
        first_layer(lambda _: None),
        ".layers[0]",
        [Kind.CONFIG, Kind.LAYER, Kind.LAYER],
    ),
    "a layer without a media type": (
        first_layer(with_(mediaType=...)),
        ".layers[0]",
        [Kind.CONFIG, Kind.LAYER, Kind.LAYER],
    ),
    "the size of a layer": (
        first_layer(with_(size="5")),
        ".layers[0]",
        [Kind.CONFIG, Kind.LAYER, Kind.LAYER],
    ),
    "the layers": (with_(layers={}), "", [Kind.CONFIG]),
    "the subject": (with_(subject="x"), ".subject", [Kind.CONFIG, Kind.LAYER, Kind.LAYER]),
}


@pytest.mark.parametrize(("change", "place", "kinds"), MEMBERS.values(), ids=MEMBERS)
def test_a_broken_member_of_a_manifest_hides_nothing_else(
    change: Change, place: str, kinds: list[Kind]
) -> None:
    source = Memory(changed(oci_image(), change, OCI_MANIFEST))
    (image,) = inspect(source).images
    assert [child.kind for child in image.children] == kinds
    told = {(it.code, it.where) for blob in image.walk() for it in blob.findings}
    assert ("invalid-document", f"images[0]{place}") in told
    assert told <= {(it.code, it.where) for it in verify(source).findings}
    assert not verify(source).sound
    with pytest.raises(DocumentError) as refused:
        convert(source, Memory())
    assert (refused.value.code, refused.value.where) == ("invalid-document", f"images[0]{place}")


@pytest.mark.parametrize(("change", "code", "readable"), ENTRIES.values(), ids=ENTRIES)
def test_a_broken_entry_of_an_index_hides_no_other(
    change: Change, code: str, readable: bool
) -> None:
    def second(body: dict[str, Any]) -> dict[str, Any]:
        one, two, three = body["manifests"]
        return body | {"manifests": [one, change(two), three]}

    arms = [ODD.with_entry(platform={"os": "linux", "architecture": "amd64"}), LAST]
    source = Memory(changed(image_list([GOOD, *arms]), second, OCI_INDEX))
    (index,) = inspect(source).images
    one, two, three = index.children
    assert [len(child.children) for child in (one, three)] == [2, 2]
    assert code in codes(two)
    assert (len(two.children) == 2) == readable
    assert (code, "images[0].manifests[1]") in {
        (it.code, it.where) for it in verify(source).findings
    }
    with pytest.raises(OciConvertError) as refused:
        convert(source, Memory())
    assert (refused.value.code, refused.value.where) == (code, "images[0].manifests[1]")


# -- rows ---------------------------------------------------------------------------------------

NOWHERE = with_(Config="none.json")
SKETCHED = ("member-missing", "inconsistent-archive")
"""Codes of rows that make sense, so that what is there of their images is shown."""
ROWS: dict[str, tuple[Change, str]] = {
    # what becomes of a row, and the code of that
    "null": (lambda _: None, "invalid-document"),
    "a text": (lambda _: "x", "invalid-document"),
    "no config": (with_(Config=...), "invalid-document"),
    "a config that is a number": (with_(Config=5), "invalid-document"),
    "a config in two spellings": (with_(config="x"), "ambiguous-document"),
    "a config outside": (with_(Config="../x"), "path-outside"),
    "a config that is not there": (NOWHERE, "member-missing"),
    "layers that are a number": (with_(Layers=5), "invalid-document"),
    "a layer that is not there": (with_(Layers=["none"]), "member-missing"),
    "too few layers": (with_(Layers=[]), "inconsistent-archive"),
    "a tag that is a number": (with_(RepoTags=["odd:1", 5]), "invalid-document"),
    "sources that are texts": (with_(LayerSources={"x": "y"}), "invalid-document"),
}


@pytest.mark.parametrize(("change", "code"), ROWS.values(), ids=ROWS)
def test_a_broken_row_is_shown_in_its_place_among_the_others(
    change: Change, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [Saved((f"{name}:1",), (layer(name),)) for name in ("good", "odd", "last")]
    members = docker_20(*images)
    rows = json.loads(members["manifest.json"])  # type: ignore[arg-type]  # it is no link
    rows[1] = change(rows[1])
    monkeypatch.chdir(tmp_path)
    Path("a.tar").write_bytes(archive({**members, "manifest.json": compact(rows)}))
    good, odd, last = inspect("docker-archive:a.tar").images
    assert [len(image.children) for image in (good, last)] == [2, 2]
    readable = code in SKETCHED and change is not NOWHERE
    assert [child.kind for child in odd.children][:1] == ([Kind.CONFIG] if readable else [])
    assert odd.present == readable
    assert not codes(good) | codes(last)
    assert code in codes(odd)
    if isinstance(rows[1], dict):
        assert odd.name == "docker.io/library/odd:1"
    verified = verify("docker-archive:a.tar").findings
    assert (code, "images[1]") in {(it.code, it.where) for it in verified}
    assert all(it.where.startswith("images[1]") for it in verified)
    with pytest.raises(OciConvertError) as refused:
        convert("docker-archive:a.tar", Memory())
    assert refused.value.code == code


def test_of_an_image_that_lacks_a_layer_all_else_is_shown() -> None:
    both = Saved(("app:1",), (layer("kept"), layer("lost")))
    members = docker_20(both)
    (row,) = json.loads(members["manifest.json"])  # type: ignore[arg-type]  # it is no link
    lost = row["Layers"][1]
    archive_ = DockerArchive(BytesIO(archive({n: d for n, d in members.items() if n != lost})))
    (image,) = inspect(archive_).images
    assert (image.platform, codes(image)) == ("linux/amd64", {"member-missing"})
    assert [child.present for child in image.children] == [True, True, False]
    assert codes(image.children[2]) == {"blob-missing"}
    with pytest.raises(OciConvertError, match=re.escape(lost)):
        convert(archive_, Memory())


# -- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--full", "--json", "--graph", ""])
def test_the_command_shows_it_in_every_form(option: str, command: Command) -> None:
    write_files(broken_store(with_(digest="sha256:../../x")), Path("odd"))
    shown = command("inspect", "oci:odd", *filter(None, [option]))
    assert (shown.status, shown.err) == (0, "")
    for name in ("good", "odd", "last"):
        assert name in shown.out
    assert ("[invalid-digest]" in shown.out) == (option in ("", "--full"))


def test_a_finding_below_what_is_shown_says_where(command: Command) -> None:
    write_files(changed(GOOD, with_(subject="x"), OCI_MANIFEST), Path("odd"))
    assert "subject: this must be an object [invalid-document]" in command("inspect", "oci:odd").out
