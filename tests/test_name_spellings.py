"""Two spellings of one name name one image: `app:1` and `docker.io/library/app:1`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oci_convert import Memory, OciConvertError, convert
from oci_convert.spec.names import CONTAINERD_NAME
from support.archives import Saved, archive, docker_20
from support.images import (
    REF_NAME,
    Image,
    docker_image,
    layer,
    layout_files,
    oci_image,
    write_files,
)

SHORT, FULL = "app:1", "docker.io/library/app:1"
SPELLINGS = [SHORT, "library/app:1", "docker.io/app:1", "index.docker.io/library/app:1", FULL]
A, B = docker_image([layer("a")]), docker_image([layer("b")])


def saved(path: Path, *images: Saved) -> str:
    path.write_bytes(archive(docker_20(*images)))
    return f"docker-archive:{path}"


def entries(target: Memory) -> list[dict[str, str]]:
    return [it["annotations"] for it in json.loads(target.files["index.json"])["manifests"]]


def layout_of(*named: tuple[dict[str, str], Image]) -> dict[str, bytes]:
    files = layout_files({str(i): image for i, (_, image) in enumerate(named)})
    index = json.loads(files["index.json"])
    for entry, (names, _) in zip(index["manifests"], named, strict=True):
        entry["annotations"] = names
    return {**files, "index.json": json.dumps(index).encode()}


def called(name: str) -> dict[str, str]:
    return {REF_NAME: name, CONTAINERD_NAME: FULL}


@pytest.mark.parametrize("other", SPELLINGS)
def test_a_row_names_an_image_once(other: str, tmp_path: Path) -> None:
    for tags in ([[SHORT], [other]], [[SHORT, other]], [[other], [SHORT], [other]]):
        source = saved(tmp_path / "app.tar", *(Saved(tags=it) for it in tags))
        target = Memory()
        report = convert(source, target, to="oci")
        assert [image.name for image in report.images] == [FULL]
        assert entries(target) == [called(tags[0][0])]


@pytest.mark.parametrize("other", SPELLINGS)
def test_an_archive_names_an_image_once(other: str, tmp_path: Path) -> None:
    """Also one whose entries have both names, where a layout keeps them: each can be looked up."""
    named = [({REF_NAME: SHORT}, A), ({REF_NAME: other, "a": "b"}, A), ({REF_NAME: other}, A)]
    source = Memory(layout_of(*named))
    path = tmp_path / "app.tar"
    report = convert(source, f"docker-archive:{path}")
    assert len(report.images) == 2
    target = Memory()
    convert(path, target, to="oci")
    assert entries(target) == [called(SHORT), {"a": "b", **called(other)}]
    convert(source, copied := Memory(), to="docker")
    assert entries(copied) == [it for i, (it, _) in enumerate(named) if i < 2 or other != SHORT]


TWO: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "a short and a full name": (called(SHORT), called(FULL)),
    "a tag and a full name": (called("1"), called(FULL)),
    "a tag and a short name": (called("1"), called(SHORT)),
    "a short name and only the full one": (called(SHORT), {CONTAINERD_NAME: FULL}),
}


@pytest.mark.parametrize("case", TWO)
def test_two_images_of_one_name_are_refused_in_any_spelling(case: str, tmp_path: Path) -> None:
    one, two = TWO[case]
    for target in (Memory(), f"docker-archive:{tmp_path}/app.tar"):
        with pytest.raises(OciConvertError) as refused:
            convert(Memory(layout_of((one, A), (two, B))), target, to="docker")
        assert refused.value.code == "same-name"


def test_an_archive_refuses_two_images_whose_refs_are_one_name(tmp_path: Path) -> None:
    source = Memory(layout_of(({REF_NAME: SHORT}, A), ({REF_NAME: FULL}, B)))
    with pytest.raises(OciConvertError) as refused:
        convert(source, f"docker-archive:{tmp_path}/app.tar")
    assert refused.value.code == "same-name"
    assert len(convert(source, Memory(), to="oci").images) == 2


def test_two_rows_of_one_name_are_refused(tmp_path: Path) -> None:
    other = Saved(tags=[FULL], layers=(layer("b"),))
    source = saved(tmp_path / "app.tar", Saved(tags=[SHORT]), other)
    with pytest.raises(OciConvertError) as refused:
        convert(source, Memory(), to="oci")
    assert refused.value.code == "same-name"


@pytest.mark.parametrize("case", TWO)
def test_an_image_gives_way_to_one_of_its_name(case: str) -> None:
    old, new = TWO[case]
    target = Memory(layout_of((old, A), ({REF_NAME: "other"}, A)))
    convert(Memory(layout_of((new, B))), target, to="docker")
    assert entries(target) == [new, {REF_NAME: "other"}]


def test_another_spelling_is_another_name_only_where_somebody_asks_for_it() -> None:
    layout = Memory(layout_of((called(SHORT), A)))
    layout.retag(SHORT, FULL)
    assert entries(layout) == [called(FULL)]
    layout.tag(FULL, SHORT)
    assert entries(layout) == [called(FULL), called(SHORT)]
    layout.untag(SHORT)
    assert entries(layout) == [called(FULL)]


def test_a_tag_alone_is_no_name(tmp_path: Path) -> None:
    """Docker calls images of several repositories by it."""
    names = [{REF_NAME: "1", CONTAINERD_NAME: f"docker.io/library/{it}:1"} for it in "abc"]
    images = [oci_image([layer(it)]) for it in "abc"]
    source = write_files(layout_of(*zip(names, images, strict=True)), tmp_path / "in")
    assert len(convert(source, tmp_path / "app.tar", to="docker").images) == 3
