"""``index.json`` is edited in place, parsed once, and never believed when somebody changed it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import Memory, convert, inspect
from oci_convert.documents.document import Role, read_document
from oci_convert.documents.json_editor import Editor
from oci_convert.documents.json_reader import Array
from oci_convert.spec.digest import Digest
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import pair
from oci_convert.stores import OciLayout, Root, Store
from oci_convert.stores.layout_index_text import LayoutIndex, entry_text
from support.images import OCI_INDEX, OCI_MANIFEST, REF_NAME, docker_image, layer, layout_files

# -- the same as an editor does that knows nothing but the text ------------------------------------


def by_editor(old: bytes, roots: Sequence[Root]) -> bytes:
    """The index with ``roots`` merged, from scratch: what must come out."""
    index = read_document(old, OCI_INDEX)
    editor = Editor(index.text)
    slots = [slot for slot in index.slots if slot.role is Role.ENTRY]
    fresh: dict[object, str] = {}
    gone: set[int] = set()
    for root in roots:
        same = [slot for slot in slots if _key(slot.descriptor) == _key(root.entry)]
        text = entry_text(root, root.annotations)
        # One that says the same stays, wherever it stands; else the first gives way.
        stays = next((slot for slot in same if slot.object.value == json.loads(text)), None)
        if not same:
            fresh[_key(root.entry)] = text
        elif stays is None:
            stays = same[0]
            editor.replace(stays.object, text)
        gone.update(slot.index for slot in same if slot is not stays)
    array = index.root.get("manifests")
    assert isinstance(array, Array)
    editor.remove_items(array, gone)
    editor.append_items(array, list(fresh.values()))
    return editor.apply()


def _key(entry: Descriptor) -> object:
    names = pair(entry.annotations or {})
    return names if any(names) else entry.digest


def described(content: str, name: str | None) -> Root:
    digest = Digest.of(content.encode())
    descriptor = Descriptor(media_type=OCI_MANIFEST, digest=digest, size=len(content))
    return Root(descriptor, {REF_NAME: name} if name else {}, name)


SPACE = st.text(" \n\t\r", max_size=3)
ROOTS = st.builds(
    described, st.sampled_from("abcdef"), st.none() | st.sampled_from(["1", "2", "ä", '"', "4"])
)


@st.composite
def indexes(draw: st.DrawFn) -> bytes:
    """An index in any spelling, with names that stand in it more than once, and strange members."""
    entries = [entry_text(root, root.annotations) for root in draw(st.lists(ROOTS, max_size=6))]
    items = ",".join(f"{draw(SPACE)}{entry}{draw(SPACE)}" for entry in entries)
    members = [
        '"schemaVersion":2',
        f'"manifests"{draw(SPACE)}:{draw(SPACE)}[{items}{"" if entries else draw(SPACE)}]',
        *draw(st.lists(st.just('"x-unknown":{"manifests":[1,"ö"]}'), max_size=1)),
    ]
    inside = ",".join(f"{draw(SPACE)}{member}" for member in draw(st.permutations(members)))
    return f"{draw(SPACE)}{{{inside}}}{draw(SPACE)}".encode()


RUNS = st.lists(ROOTS, min_size=1, max_size=3, unique_by=lambda root: _key(root.entry))
"""The images of one run; that two of them have one name is refused before."""


@given(indexes(), st.lists(RUNS, min_size=1, max_size=6))
def test_runs_one_after_the_other_write_what_an_editor_writes(
    raw: bytes, runs: list[list[Root]]
) -> None:
    index = LayoutIndex.read(raw, "")
    for roots in runs:
        raw = by_editor(raw, roots)
        index = index.merged(roots)
        assert index.raw == raw
        assert_known(index)


@given(indexes(), st.sets(st.integers(0, 5)), st.lists(ROOTS, max_size=2))
def test_entries_are_removed_as_an_editor_removes_them(
    raw: bytes, some: set[int], added: list[Root]
) -> None:
    index = LayoutIndex.read(raw, "")
    gone = {i for i in some if i < len(index.entries)}
    document = read_document(raw, OCI_INDEX)
    editor, array = Editor(document.text), document.root.get("manifests")
    assert isinstance(array, Array)
    editor.remove_items(array, gone)
    fresh = [entry_text(root, root.annotations) for root in added]
    editor.append_items(array, fresh)
    edited = index.edited(gone=gone, fresh=fresh)
    assert edited.raw == editor.apply()
    assert_known(edited)


def assert_known(index: LayoutIndex) -> None:
    """What was counted is what one finds who reads it again."""
    again = LayoutIndex.read(index.raw, "")
    assert list(index.entries) == list(again.entries)
    for name in ("_array", "_spans", "_positions", "roots"):
        assert getattr(index, name) == getattr(again, name), name


# -- read once -------------------------------------------------------------------------------------

SOURCES = {
    f"v{i}": Memory(layout_files({f"v{i}": docker_image([layer(f"{i}")])})) for i in range(12)
}


@pytest.fixture
def parsed() -> Iterator[list[str]]:
    """Where indexes were parsed."""
    places: list[str] = []
    read = LayoutIndex.read

    def noted(raw: bytes, where: str) -> LayoutIndex:
        places.append(where)
        return read(raw, where)

    with mock.patch.object(LayoutIndex, "read", noted):
        yield places


def stores(path: Path) -> dict[str, tuple[Store, str]]:
    return {
        "a directory": (OciLayout(path / "layout"), f"oci:{path}/layout: index.json"),
        "memory": (Memory(), "memory: index.json"),
    }


@pytest.mark.parametrize("kind", ["a directory", "memory"])
def test_runs_that_share_a_store_parse_its_index_once(
    kind: str, tmp_path: Path, parsed: list[str]
) -> None:
    store, where = stores(tmp_path)[kind]
    first, *others = SOURCES.items()
    convert(first[1], store)
    parsed.clear()
    for name, source in others:
        convert(source, store)
        convert(source, store.image(f"{name}-again"))  # type: ignore[attr-defined]  # both have it
    assert [image.name for image in inspect(store).images][:3] == ["v0", "v1", "v1-again"]
    assert parsed.count(where) == 0


def test_a_run_parses_the_index_once(tmp_path: Path, parsed: list[str]) -> None:
    target = f"oci:{tmp_path}/layout"
    convert(SOURCES["v0"], target)
    parsed.clear()
    convert([SOURCES["v1"], SOURCES["v2"]], target)
    assert parsed.count(f"{target}: index.json") == 1


def test_what_somebody_else_writes_is_noticed(tmp_path: Path) -> None:
    one, other = OciLayout(tmp_path / "layout"), OciLayout(tmp_path / "layout")
    for i, (name, source) in enumerate(SOURCES.items()):
        convert(source, one if i % 2 else other)
        assert name in {image.name for image in inspect(one).images}
    index = tmp_path / "layout" / "index.json"
    index.write_bytes(index.read_bytes().replace(b'"v3"', b'"x3"'))
    convert(SOURCES["v3"], one)
    names = {image.name for image in inspect(other).images}
    assert names == {*SOURCES, "x3"}


def test_what_is_broken_meanwhile_is_an_error(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path / "layout")
    convert(SOURCES["v0"], layout)
    index = tmp_path / "layout" / "index.json"
    index.write_bytes(index.read_bytes()[:-1])
    for attempt in (lambda: convert(SOURCES["v1"], layout), lambda: inspect(layout)):
        with pytest.raises(Exception, match=r"index\.json: the JSON text ends|a comma or"):
            attempt()


def test_threads_that_share_a_layout_and_others_lose_no_image(tmp_path: Path) -> None:
    shared = OciLayout(tmp_path / "layout")

    def run(name: str) -> Any:
        store = shared if int(name[1:]) % 3 else f"oci:{tmp_path}/layout"
        return convert(SOURCES[name], store, jobs=1, fsync=False)

    for _ in range(4):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(run, SOURCES))
        assert {image.name for image in inspect(shared).images} == set(SOURCES)


def test_a_layout_object_is_pickled_without_what_it_knows(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path / "layout", "v0")
    convert(SOURCES["v0"], layout)
    assert len(pickle.dumps(layout)) < 500
    assert pickle.loads(pickle.dumps(layout)) == layout
