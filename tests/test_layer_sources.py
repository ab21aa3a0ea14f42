"""``LayerSources`` of docker-save archives: what they say of foreign layers is read and written."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import convert, verify
from oci_convert.errors import OciConvertError
from oci_convert.findings import Level
from oci_convert.report import Report
from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores.memory import Memory
from support.archives import Link, Members, Saved, archive, compact, crane, crane_foreign, windows
from support.images import (
    DOCKER,
    OCI,
    OCI_LAYER,
    Layer,
    digest_of,
    layer,
    layout_files,
    minimal_config,
    oci_image,
)

URLS: Final = ["https://mcr.example.com/base"]
FOREIGN: Final = layer("base", foreign=True, more={"urls": URLS})
OWN: Final = layer("app")
IMAGE: Final = Saved(layers=(FOREIGN, OWN))


def saved(tmp_path: Path, members: Mapping[str, bytes | Link], name: str = "app.tar") -> str:
    path = tmp_path / name
    path.write_bytes(archive(members))
    return f"docker-archive:{path}"


def row_in(path: Path) -> dict[str, Any]:
    """The one row of an archive that was written."""
    with tarfile.open(path) as opened:
        member = opened.extractfile("manifest.json")
        assert member is not None
        (row,) = json.loads(member.read())
    assert isinstance(row, dict)
    return row


def layers_of(target: Memory, report: Report) -> list[dict[str, Any]]:
    digest = report.images[0].new.digest
    layers = json.loads(target.files[f"blobs/{digest.replace(':', '/')}"])["layers"]
    assert isinstance(layers, list)
    return layers


def described(one: Layer, media_type: str | None = None, **more: Any) -> dict[str, Any]:
    """What ``LayerSources`` says of a layer."""
    return {
        "mediaType": media_type or one.label(Family.DOCKER),
        "size": len(one.data),
        "digest": one.digest,
        **one.more,
        **more,
    }


def with_sources(members: Members, sources: Mapping[str, Any]) -> Members:
    raw = members["manifest.json"]
    assert isinstance(raw, bytes)
    return {**members, "manifest.json": compact([json.loads(raw)[0] | {"LayerSources": sources}])}


# -- read ---------------------------------------------------------------------------------------

PACKED: Final = {
    compression.value: layer("base", compression, foreign=True, more={"urls": URLS})
    for compression in (Compression.GZIP, Compression.NONE, Compression.ZSTD)
}


@pytest.mark.parametrize("family", [Family.DOCKER, Family.OCI])
@pytest.mark.parametrize("base", PACKED.values(), ids=PACKED)
def test_a_foreign_layer_that_is_there_keeps_its_type_its_digest_and_its_urls(
    tmp_path: Path, base: Layer, family: Family
) -> None:
    source = saved(tmp_path, crane_foreign(Saved(layers=(base, OWN)), family))
    target = Memory()
    report = convert(source, target, to="oci", compress="keep", on_loss="fail")
    first, second = layers_of(target, report)
    assert first == {
        "mediaType": base.label(Family.OCI),
        "digest": base.digest,
        "size": len(base.data),
        "urls": URLS,
    }
    assert second["mediaType"] == OCI_LAYER
    assert target.files[f"blobs/{base.digest.replace(':', '/')}"] == base.data
    assert report.findings == ()
    assert verify(source).sound


def test_what_else_is_said_of_it_is_kept_too(tmp_path: Path) -> None:
    base = replace(FOREIGN, more={"urls": URLS, "annotations": {"a": "b"}})
    source = saved(tmp_path, crane_foreign(Saved(layers=(base, OWN))))
    target = Memory()
    first, _ = layers_of(target, convert(source, target, to="oci"))
    assert (first["urls"], first["annotations"]) == (URLS, {"a": "b"})


def test_the_urls_of_an_ordinary_layer_are_kept(tmp_path: Path) -> None:
    members = with_sources(crane(IMAGE), {OWN.diff_id: described(OWN, urls=URLS)})
    target = Memory()
    report = convert(saved(tmp_path, members), target, to="oci")
    assert [one.get("urls") for one in layers_of(target, report)] == [None, URLS]


@pytest.mark.parametrize("key", [FOREIGN.diff_id, FOREIGN.digest], ids=["diff_id", "digest"])
def test_it_is_found_by_either_digest(tmp_path: Path, key: str) -> None:
    members = with_sources(crane(IMAGE), {key: described(FOREIGN)})
    target = Memory()
    report = convert(saved(tmp_path, members), target, to="oci")
    assert layers_of(target, report)[0]["urls"] == URLS


OTHER: Final = layer("other", foreign=True)
DISAGREE: Final = {
    "of other bytes": described(OTHER, urls=URLS),
    "of another size": described(FOREIGN, size=7),
    "of an algorithm that nobody knows": described(FOREIGN, digest="md5:" + "0" * 32),
    "of another digest of a known algorithm": described(FOREIGN, digest="sha512:" + "0" * 128),
    "of no layer": described(FOREIGN, "application/vnd.oci.image.config.v1+json"),
    "of an unknown type": described(FOREIGN, "application/x-unknown"),
}


@pytest.mark.parametrize("source", DISAGREE.values(), ids=DISAGREE)
def test_what_is_said_of_other_bytes_is_told_and_not_believed(
    tmp_path: Path, source: dict[str, Any]
) -> None:
    reference = saved(tmp_path, with_sources(crane(IMAGE), {FOREIGN.diff_id: source}))
    target = Memory()
    report = convert(reference, target, to="oci")
    first, _ = layers_of(target, report)
    assert first == {
        "mediaType": OCI_LAYER,
        "digest": FOREIGN.digest,
        "size": len(FOREIGN.data),
    }
    (told,) = (it for it in report.findings if it.code == "layer-source-unused")
    assert (told.level, told.where) == (Level.LOSS, "images[0].layers[0]")
    assert source["digest"] in told.message
    with pytest.raises(OciConvertError, match="LayerSources"):
        convert(reference, Memory(), to="oci", on_loss="fail")
    checked = verify(reference)
    assert checked.sound
    assert "layer-source-unused" in {it.code for it in checked.findings}


def test_docker_describes_what_is_published_and_saves_it_unpacked(tmp_path: Path) -> None:
    """The file is a plain tar, and ``LayerSources`` speaks of the compressed one in a registry."""
    plain = replace(FOREIGN, compression=Compression.NONE)
    members = crane(Saved(layers=(plain, OWN)))
    source = saved(tmp_path, with_sources(members, {FOREIGN.diff_id: described(FOREIGN)}))
    report = convert(source, Memory(), to="oci")
    assert "layer-source-unused" in {it.code for it in report.losses}


def test_a_contradiction_by_which_nothing_is_lost_is_a_warning(tmp_path: Path) -> None:
    source = described(replace(OTHER, foreign=False))
    reference = saved(tmp_path, with_sources(crane(IMAGE), {OWN.diff_id: source}))
    report = convert(reference, Memory(), to="oci", on_loss="fail")
    assert [(it.code, it.level) for it in report.findings] == [
        ("layer-source-unused", Level.WARNING)
    ]


def test_a_label_that_contradicts_the_bytes_is_put_right_as_ever(tmp_path: Path) -> None:
    said = described(FOREIGN, f"{DOCKER}image.rootfs.foreign.diff.tar")
    reference = saved(tmp_path, with_sources(crane(IMAGE), {FOREIGN.diff_id: said}))
    target = Memory()
    report = convert(reference, target, to="oci")
    assert layers_of(target, report)[0]["mediaType"] == FOREIGN.label(Family.OCI)
    assert "mislabelled-layer" in {it.code for it in report.findings}
    (told,) = verify(reference).findings
    assert (told.code, told.level) == ("mislabelled-layer", Level.ERROR)


def test_what_says_nothing_more_than_the_file_changes_nothing(tmp_path: Path) -> None:
    """Docker 25 and later describe every layer."""
    plain = tuple(replace(one, compression=Compression.NONE) for one in (FOREIGN, OWN))
    members = crane(Saved(layers=plain))
    sources = {one.diff_id: described(one, f"{OCI}layer.v1.tar") for one in plain}
    for said in sources.values():
        said.pop("urls", None)
    target, other = Memory(), Memory()
    convert(saved(tmp_path, with_sources(members, sources)), target, to="docker")
    convert(saved(tmp_path, members, "other.tar"), other, to="docker")
    assert target.files == other.files


def test_a_file_that_is_not_what_is_said_of_it_is_found_out(tmp_path: Path) -> None:
    """A plain layer is known by its ``diff_id``, but what gives it ``urls`` is hashed first."""
    plain = replace(FOREIGN, compression=Compression.NONE)
    members = crane_foreign(Saved(layers=(plain, OWN)))
    name = next(name for name, data in members.items() if data == plain.data)
    broken = {**members, name: b"\0" * len(plain.data)}
    reference = saved(tmp_path, broken)
    assert not verify(reference).sound
    with pytest.raises(OciConvertError):
        convert(reference, Memory(), to="oci")


# -- written ------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("to", ["docker", "oci"])
def test_a_there_and_back_keeps_what_is_said_of_a_foreign_layer(
    tmp_path: Path, base: Layer, to: str
) -> None:
    source = saved(tmp_path, crane_foreign(Saved(layers=(base, OWN))))
    convert(source, f"oci:{tmp_path}/layout:app:1", compress="keep")
    convert(f"oci:{tmp_path}/layout", f"docker-archive:{tmp_path}/b.tar", to=to, compress="keep")
    row = row_in(tmp_path / "b.tar")
    assert row["LayerSources"] == {base.diff_id: described(base, base.label(Family(to)))}
    # As an archive of rows alone, without the layout in it, it says the same.
    with tarfile.open(tmp_path / "b.tar") as opened:
        members: dict[str, bytes | Link] = {
            member.name: opened.extractfile(member).read()  # type: ignore[union-attr]  # files
            for member in opened
            if member.isfile() and member.name not in ("index.json", "oci-layout")
        }
    target, direct = Memory(), Memory()
    convert(saved(tmp_path, members, "c.tar"), target, to="oci", compress="keep")
    convert(source, direct, to="oci", compress="keep")
    assert target.files.keys() == direct.files.keys()


def test_a_foreign_layer_that_is_absent_is_described(tmp_path: Path) -> None:
    members = windows(Saved(layers=(FOREIGN, OWN)))
    convert(saved(tmp_path, members), f"docker-archive:{tmp_path}/b.tar")
    row = row_in(tmp_path / "b.tar")
    assert row["LayerSources"][FOREIGN.diff_id]["urls"] == URLS
    with tarfile.open(tmp_path / "b.tar") as opened:
        assert row["Layers"][0] not in opened.getnames()
        assert row["Layers"][1] in opened.getnames()


def test_an_archive_without_foreign_layers_says_nothing_of_sources(tmp_path: Path) -> None:
    store = Memory()
    convert(saved(tmp_path, crane(Saved(layers=(OWN,)))), store, to="oci")
    convert(store, f"docker-archive:{tmp_path}/b.tar", to="docker")
    assert "LayerSources" not in row_in(tmp_path / "b.tar")


def test_a_config_without_a_diff_id_for_each_layer_describes_none(tmp_path: Path) -> None:
    image = oci_image([FOREIGN, OWN], config=minimal_config([OWN]))
    store = Memory(layout_files({"app:1": image}))
    convert(store, f"docker-archive:{tmp_path}/b.tar", to="oci")
    assert "LayerSources" not in row_in(tmp_path / "b.tar")


layers: Final = st.lists(
    st.builds(
        lambda text, compression, foreign: layer(
            text,
            compression,
            foreign=foreign,
            more={"urls": [f"https://{text}"]} if foreign else {},
        ),
        st.sampled_from("abc"),
        st.sampled_from([Compression.GZIP, Compression.NONE]),
        st.booleans(),
    ),
    max_size=4,
    unique_by=lambda one: one.diff_id,
)


@given(layers, st.sampled_from(["docker", "oci"]))
def test_any_archive_comes_back_with_its_foreign_layers(
    tmp_path_factory: pytest.TempPathFactory, made: list[Layer], to: str
) -> None:
    folder = tmp_path_factory.mktemp("back")
    source = saved(folder, crane_foreign(Saved(layers=tuple(made))))
    convert(source, f"docker-archive:{folder}/b.tar", to=to)
    row = row_in(folder / "b.tar")
    assert row.get("LayerSources", {}) == {
        one.diff_id: described(one, one.label(Family(to))) for one in made if one.foreign
    }
    assert row["Config"].endswith(digest_of(Saved(layers=tuple(made)).config)[7:])
