"""The table of media types: complete, without a name in two cells, the same there and back."""

from __future__ import annotations

import pytest

from oci_convert.spec.media_types import (
    CELLS,
    EMPTY_CONFIG,
    SPELLINGS,
    Cell,
    Compression,
    Family,
    Kind,
    Standing,
    counterpart,
    families,
    layer_cell,
    look_up,
    name_of,
)

D = "application/vnd.docker."
O = "application/vnd.oci.image."  # noqa: E741 - beside D it is a name, not a zero
BOTH = {Family.OCI, Family.OCI_RC2}

DOCKER_AND_OCI = {
    D + "distribution.manifest.v2+json": O + "manifest.v1+json",
    D + "distribution.manifest.list.v2+json": O + "index.v1+json",
    D + "container.image.v1+json": O + "config.v1+json",
    D + "image.rootfs.diff.tar": O + "layer.v1.tar",
    D + "image.rootfs.diff.tar.gzip": O + "layer.v1.tar+gzip",
    D + "image.rootfs.diff.tar.zstd": O + "layer.v1.tar+zstd",
    D + "image.rootfs.foreign.diff.tar": O + "layer.nondistributable.v1.tar",
    D + "image.rootfs.foreign.diff.tar.gzip": O + "layer.nondistributable.v1.tar+gzip",
    D + "image.rootfs.foreign.diff.tar.zstd": O + "layer.nondistributable.v1.tar+zstd",
}

OCI_ALONE = [
    O + "layer.v1.tar+encrypted",
    O + "layer.v1.tar+gzip+encrypted",
    O + "layer.v1.tar+zstd+encrypted",
    O + "layer.nondistributable.v1.tar+encrypted",
    O + "layer.nondistributable.v1.tar+gzip+encrypted",
    O + "layer.nondistributable.v1.tar+zstd+encrypted",
]

RC2_NAMES = {
    O + "manifest.list.v1+json",
    O + "manifest.v1+json",
    O + "config.v1+json",
    O + "layer.v1.tar+gzip",
    O + "layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.descriptor.v1+json",
}

LEGACY = {
    D + "distribution.manifest.v1+json": Kind.MANIFEST,
    D + "distribution.manifest.v1+prettyjws": Kind.MANIFEST,
    D + "image.rootfs.diff.tar+encrypted": Kind.LAYER,
    D + "image.rootfs.diff.tar.gzip+encrypted": Kind.LAYER,
    O + "serialization.v1+json": Kind.CONFIG,
    O + "serialization.config.v1+json": Kind.CONFIG,
    O + "serialization.rootfs.tar.gzip": Kind.LAYER,
    O + "rootfs.tar.gzip": Kind.LAYER,
    O + "layer.tar+gzip": Kind.LAYER,
    O + "layer.nondistributable.tar+gzip": Kind.LAYER,
}

ARTIFACTS = [
    O + "serialization.combined.v1+json",
    D + "plugin.v1+json",
    D + "ai.model.config.v0.1+json",
    D + "ai.model.config.v0.2+json",
    D + "ai.gguf.v3",
    D + "ai.safetensors",
    D + "ai.license",
    D + "ai.mmproj",
    D + "ai.chat.template.jinja",
    D + "ai.vllm.config.tar",
    "application/vnd.oci.artifact.manifest.v1+json",
    "application/vnd.oci.scratch.v1+json",
    "application/vnd.oci.empty.v1+json",
    "application/vnd.in-toto+json",
]


@pytest.mark.parametrize(("docker", "oci"), DOCKER_AND_OCI.items())
def test_docker_and_oci_names_translate_there_and_back(docker: str, oci: str) -> None:
    assert counterpart(docker, Family.OCI) == oci
    assert counterpart(oci, Family.DOCKER) == docker
    assert families(docker) == {Family.DOCKER}
    assert Family.OCI in families(oci)


@pytest.mark.parametrize("name", OCI_ALONE)
def test_what_docker_has_no_name_for_is_an_empty_cell(name: str) -> None:
    assert counterpart(name, Family.DOCKER) is None
    assert counterpart(name, Family.OCI) == name


def test_the_names_of_rc2_are_those_of_its_specification() -> None:
    assert {names[Family.OCI_RC2] for names in CELLS.values()} - {None} == RC2_NAMES
    assert counterpart(O + "index.v1+json", Family.OCI_RC2) == O + "manifest.list.v1+json"
    assert counterpart(O + "layer.v1.tar", Family.OCI_RC2) is None


@pytest.mark.parametrize(("name", "kind"), LEGACY.items())
def test_an_older_spelling_is_read_and_belongs_to_no_family(name: str, kind: Kind) -> None:
    meaning = SPELLINGS[name]
    assert meaning.cell.kind is kind
    assert meaning.standing is Standing.LEGACY
    assert families(name) == frozenset()
    assert counterpart(name, Family.OCI) != name


@pytest.mark.parametrize("name", ARTIFACTS)
def test_a_known_artifact_has_no_counterpart_and_is_no_part_of_an_image(name: str) -> None:
    assert SPELLINGS[name].cell.kind is Kind.ARTIFACT
    assert families(name) == frozenset()
    assert {counterpart(name, family) for family in Family} == {None}


def test_every_name_that_is_known_stands_in_one_of_these_lists() -> None:
    others = {"application/vnd.oci.layout.header.v1+json"}
    listed = {*DOCKER_AND_OCI, *DOCKER_AND_OCI.values(), *OCI_ALONE, *RC2_NAMES, *LEGACY}
    assert set(SPELLINGS) == {*listed, *ARTIFACTS, *others}


def test_no_name_stands_in_two_cells() -> None:
    cells: dict[str, set[Cell]] = {}
    for cell, names in CELLS.items():
        for name in filter(None, names.values()):
            cells.setdefault(name, set()).add(cell)
    assert [name for name, found in cells.items() if len(found) > 1] == []
    assert not set(cells) & ({*LEGACY} | {*ARTIFACTS})


@pytest.mark.parametrize("family", Family)
def test_every_cell_of_a_family_leads_to_itself(family: Family) -> None:
    for cell, names in CELLS.items():
        name = names[family]
        assert name_of(cell, family) == name
        if name is not None:
            assert SPELLINGS[name].cell == cell
            assert family in families(name)
            assert counterpart(name, family) == name
            for other in Family:
                there = counterpart(name, other)
                assert there is None or counterpart(there, family) == name


@pytest.mark.parametrize("name", ["", "application/json", "text/plain", O + "layer.dummy", D])
def test_what_no_table_knows_is_guessed_by_nobody(name: str) -> None:
    assert look_up(name) is None
    assert families(name) == frozenset()
    assert counterpart(name, Family.OCI) is None


def test_another_compression_is_another_cell_of_the_same_layer() -> None:
    foreign = Cell(Kind.LAYER, Compression.GZIP, distributable=False)
    plain = layer_cell(foreign, Compression.NONE)
    assert name_of(plain, Family.OCI) == O + "layer.nondistributable.v1.tar"
    assert name_of(layer_cell(plain, Compression.XZ), Family.OCI) is None


def test_the_docker_names_that_no_specification_has_say_so() -> None:
    standings = {name: SPELLINGS[name].standing for name in DOCKER_AND_OCI}
    unusual = {name: value for name, value in standings.items() if value != Standing.OFFICIAL}
    assert unusual == {
        D + "image.rootfs.diff.tar": Standing.CUSTOMARY,
        D + "image.rootfs.foreign.diff.tar": Standing.CUSTOMARY,
        D + "image.rootfs.diff.tar.zstd": Standing.UNOFFICIAL,
        D + "image.rootfs.foreign.diff.tar.zstd": Standing.UNOFFICIAL,
    }


def test_a_cell_is_readable() -> None:
    assert str(Cell(Kind.LAYER, Compression.GZIP, distributable=False)) == (
        "non-distributable layer (gzip)"
    )
    assert str(SPELLINGS[O + "layer.v1.tar+zstd+encrypted"].cell) == "encrypted layer (zstd)"
    assert str(SPELLINGS[EMPTY_CONFIG].cell) == "artifact"
    assert f"{Family.OCI_RC2:>8}" == " oci-rc2"
