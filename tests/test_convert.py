"""Converting images: there and back, layer by layer, from every kind of store."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from oci_convert.conversion.convert import convert
from oci_convert.errors import (
    BlobError,
    RefusedError,
    UsageError,
)
from oci_convert.progress import Progress
from oci_convert.report import Change
from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores.base import SourceOptions
from oci_convert.stores.files.memory import MemoryFiles
from oci_convert.stores.memory import Memory
from oci_convert.stores.oci_layout import OciLayoutSource
from support import archives
from support.images import (
    DOCKER,
    DOCKER_LAYER,
    LAYERS,
    OCI,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    REF_NAME,
    Blob,
    Image,
    Spelling,
    digest_of,
    dir_files,
    docker_image,
    files_below,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
    write_dir,
    write_layout,
)
from support.runs import (
    AT_HOME,
    FIVE,
    MISLABELLED,
    ZSTD,
    assert_sound,
    blobs,
    changes,
    codes,
    everything,
    run,
    store,
    top,
)

# -- there and back --------------------------------------------------------------------------------


def docker_list(spelling: Spelling) -> Image:
    names = ("linux/amd64", "linux/arm64/v8", "windows/amd64")
    return image_list(
        [docker_image([layer(name)], spelling, platform=name) for name in names], spelling=spelling
    )


@pytest.mark.parametrize("via", ["oci", "oci-rc2"])
@pytest.mark.parametrize("make", [docker_image, docker_list], ids=["image", "list"])
@pytest.mark.parametrize("spelling", Spelling)
def test_docker_images_come_back_with_every_digest(
    spelling: Spelling, make: Callable[..., Image], via: str
) -> None:
    image = make(spelling=spelling)
    there, between = run(image, via)
    assert there.reversible
    assert there.findings == ()
    assert there.images[0].new.digest != image.digest
    target = Memory()
    back = convert(between, target, to="docker")
    assert back.images[0].new.triple() == image.descriptor.triple()
    assert blobs(target) == image.blobs
    assert back.findings == ()


@pytest.mark.parametrize("spelling", Spelling)
def test_docker_images_come_back_through_folders_file_by_file(
    spelling: Spelling, tmp_path: Path
) -> None:
    for name, image in (
        ("image", docker_image(spelling=spelling)),
        ("list", docker_list(spelling)),
    ):
        source = f"dir:{write_dir(image, tmp_path / name)}"
        convert(source, f"oci:{tmp_path}/{name}.oci:1", fsync=False)
        report = convert(
            f"oci:{tmp_path}/{name}.oci:1", f"dir:{tmp_path}/{name}.back", to="docker", fsync=False
        )
        assert report.images[0].new.digest == image.digest
        assert files_below(tmp_path / f"{name}.back") == dir_files(image)


@pytest.mark.parametrize("via", ["docker", "oci-rc2"])
@pytest.mark.parametrize("spelling", Spelling)
def test_oci_images_come_back_with_every_digest(spelling: Spelling, via: str) -> None:
    names = ("linux/amd64", "linux/arm64/v8")
    image = image_list(
        [oci_image([layer(name)], spelling, platform=name) for name in names], spelling=spelling
    )
    there, between = run(image, via)
    assert there.reversible
    target = Memory()
    assert convert(between, target, to="oci").images[0].new.triple() == image.descriptor.triple()
    assert blobs(target) == image.blobs


def test_a_document_of_sha512_keeps_its_algorithm() -> None:
    image = docker_image(algorithm="sha512")
    there, between = run(image, "oci")
    assert there.images[0].new.digest.startswith("sha512:")
    target = Memory()
    assert convert(between, target, to="docker").images[0].new.digest == image.digest


@pytest.mark.parametrize(("image", "family"), AT_HOME.values(), ids=AT_HOME.keys())
def test_what_is_already_of_the_family_is_copied_byte_for_byte(image: Image, family: str) -> None:
    for options in ({}, {"strict": True}, {"on_loss": "fail"}, {"compress": "keep"}):
        report, target = run(image, family, **options)
        assert blobs(target) == image.blobs
        assert report.images[0].new.triple() == image.descriptor.triple()
        assert changes(report) == {Change.KEPT}
        assert report.reversible
        assert report.losses == ()


# -- layers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", ["auto", "keep", "gzip", "zstd", "none"])
@pytest.mark.parametrize("to", ["docker", "oci", "oci-rc2"])
@pytest.mark.parametrize(
    "image",
    [docker_image(FIVE), oci_image((*FIVE[:-1], layer("top", ZSTD)))],
    ids=["docker", "oci"],
)
def test_the_image_id_stays_in_every_direction_and_every_packing(
    image: Image, to: str, compress: str
) -> None:
    impossible = {("docker", "zstd"), ("oci-rc2", "zstd"), ("oci-rc2", "none")}
    if (to, compress) in impossible:
        with pytest.raises(UsageError) as wrong:
            run(image, to, compress=compress)
        assert wrong.value.code == "no-media-type"
        return
    if (to, compress) == ("oci-rc2", "keep"):
        with pytest.raises(RefusedError) as refused:
            run(image, to, compress=compress)
        assert refused.value.code == "no-media-type"
        return
    report, target = run(image, to, compress=compress)
    made = top(report, target)
    assert made["config"]["digest"] == digest_of(image.config)
    assert blobs(target)[made["config"]["digest"]] == image.config
    assert len(made["layers"]) == len(FIVE)
    assert_sound(made, target)
    suffixes = {"gzip": {"gzip"}, "zstd": {"zstd"}, "none": {"tar"}}.get(compress)
    found = {described["mediaType"][-4:].lstrip(".") for described in made["layers"]}
    assert suffixes is None or found == suffixes


def test_the_same_tar_is_recompressed_once_into_the_same_bytes() -> None:
    report, target = run(docker_image(FIVE), "oci", compress="zstd")
    layers = top(report, target)["layers"]
    assert layers[1]["digest"] == layers[3]["digest"]
    assert [row.change for row in report.map if row.kind == "layer"] == [Change.REPACKED] * 5
    assert codes(report).count("layer-repacked") == 5
    assert not report.reversible
    assert {"not-reversible-repacked"} == set(codes(report)) - {"layer-repacked"}
    assert report.codecs["zstd"].keys() == {"library", "version", "engine", "level"}


@pytest.mark.parametrize("dry_run", [True, False])
def test_fast_compression_is_told_before_and_after(dry_run: bool) -> None:
    report, _ = run(docker_image(FIVE), "oci", compress="gzip", fast=True, dry_run=dry_run)
    assert codes(report).count("bytes-by-processor") == 1
    if not dry_run:
        assert report.codecs["gzip"]["level"] == "fast"


def test_fast_compression_of_nothing_or_to_zstd_is_the_same_everywhere() -> None:
    for values in ({}, {"compress": "zstd"}):
        report, _ = run(docker_image([layer("a", Compression.GZIP)]), "oci", fast=True, **values)
        assert "bytes-by-processor" not in codes(report)


def test_a_recompressed_layer_loses_what_was_said_of_its_bytes() -> None:
    stale = {"io.github.containers.zstd-chunked.manifest-checksum": "x"}
    both = layer("a", ZSTD, more={"annotations": {**stale, "kept": "y"}})
    alone = layer("b", ZSTD, more={"annotations": stale})
    report, target = run(oci_image([both, alone]), "oci", compress="gzip")
    layers = top(report, target)["layers"]
    assert layers[0]["annotations"] == {"kept": "y"}
    assert "annotations" not in layers[1]
    assert [(f.code, f.where) for f in report.losses] == [
        ("packing-annotations-removed", "images[0].layers[0]"),
        ("packing-annotations-removed", "images[0].layers[1]"),
    ]


@pytest.mark.parametrize("packed", [Compression.BZIP2, Compression.XZ])
def test_a_packing_without_a_name_becomes_gzip(packed: Compression) -> None:
    report, target = run(docker_image([layer("x", packed, media_type=DOCKER_LAYER)]), "oci")
    assert_sound(top(report, target), target)
    assert codes(report) == ["mislabelled-layer", "layer-repacked", "not-reversible-repacked"]
    with pytest.raises(RefusedError) as refused:
        run(docker_image([layer("x", packed, media_type=DOCKER_LAYER)]), "oci", compress="keep")
    assert refused.value.code == "no-media-type"


@pytest.mark.parametrize(("image", "right"), MISLABELLED.values(), ids=MISLABELLED.keys())
def test_a_wrong_label_is_corrected_and_told_and_refused_if_strict(
    image: Image, right: str
) -> None:
    report, target = run(image, "oci")
    assert top(report, target)["layers"][0]["mediaType"] == right
    assert image.layers[0].digest in blobs(target)
    assert codes(report) == ["mislabelled-layer", "not-reversible"]
    assert report.findings[0].where == "images[0].layers[0]"
    target = Memory()
    with pytest.raises(RefusedError) as refused:
        convert(store(app=image), target, to="oci", strict=True)
    assert refused.value.code == "mislabelled-layer"
    assert target.files == {}


def test_bytes_that_are_no_layer_leave_the_label_alone() -> None:
    config = minimal_config([layer("a")])
    image = manifest(Blob(OCI_CONFIG, config), [Blob(OCI_LAYER, b"what is this?")])
    report, target = run(image, "docker")
    assert top(report, target)["layers"][0]["mediaType"] == DOCKER_LAYER
    assert codes(report) == ["unrecognised-layer"]
    with pytest.raises(RefusedError):
        run(image, "docker", strict=True)


def test_layers_of_artifacts_and_plugins_are_never_recompressed() -> None:
    """ORAS and Helm put things under the types of layers that no config knows."""
    packed = LAYERS[0].blob(Family.OCI)
    chart = manifest(Blob("application/vnd.cncf.helm.config.v1+json", b"{}"), [packed])
    plugin = manifest(
        Blob(f"{DOCKER}plugin.v1+json", b"{}"),
        [LAYERS[0].blob(Family.DOCKER)],
        family=Family.DOCKER,
    )
    for compress in ("auto", "none", "zstd", "gzip"):
        _, target = run(chart, "oci", compress=compress)
        assert blobs(target) == chart.blobs
        report, target = run(plugin, "oci", compress=compress)
        assert LAYERS[0].digest in blobs(target)
        assert report.reversible
        back = Memory()
        convert(target, back, to="docker")
        assert blobs(back) == plugin.blobs


def test_foreign_layers_keep_their_urls_and_may_be_absent() -> None:
    foreign = layer("f", foreign=True, more={"urls": ["https://example.com/f"]}, present=False)
    image = docker_image([foreign, layer("own")])
    report, target = run(image, "oci", compress="zstd")
    first = top(report, target)["layers"][0]
    assert first["mediaType"] == f"{OCI}layer.nondistributable.v1.tar+gzip"
    assert first["urls"] == ["https://example.com/f"]
    assert first["digest"] == foreign.digest
    assert foreign.digest not in blobs(target)
    assert "foreign-layer-absent" in codes(report)
    report, target = run(image, "oci")
    back = Memory()
    assert convert(target, back, to="docker").images[0].new.digest == image.digest


def test_one_layer_under_two_configs_is_checked_against_both() -> None:
    """What one config says of a layer must not vouch for what another one says."""
    shared = layer("shared", ZSTD)
    wrong = minimal_config([layer("another")])
    index = image_list([oci_image([shared]), oci_image([shared], config=wrong)])
    target = Memory()
    with pytest.raises(BlobError) as broken:
        convert(store(app=index), target, to="docker", attestations="drop")
    assert broken.value.code == "wrong-diff-id"
    assert target.files == {}


# -- the same again --------------------------------------------------------------------------------


def test_two_runs_give_the_same_bytes_and_the_same_report() -> None:
    first, one = run(everything(), "docker")
    second, two = run(everything(), "docker", jobs=1)
    third, three = run(everything(), "docker", jobs=4)
    assert one.files == two.files == three.files
    told = [report.to_json(originals=True) for report in (first, second, third)]
    for report in told:
        report["totals"].pop("seconds")
    assert told[0] == told[1] == told[2]


def test_a_second_run_into_the_same_target_writes_nothing() -> None:
    source, target = store(app=everything()), Memory()
    convert(source, target, to="docker")
    before = dict(target.files)
    again = convert(source, target, to="docker", compress="auto")
    assert target.files == before
    recompressed = {
        row.new.digest: row.new.size
        for row in again.map
        if row.new is not None and row.change is Change.REPACKED
    }
    assert again.totals.bytes_written == sum(recompressed.values())


@pytest.mark.parametrize("to", ["docker", "oci", "oci-rc2"])
def test_a_dry_run_tells_the_same_and_writes_nothing(to: str, tmp_path: Path) -> None:
    source = f"oci:{write_layout({'app': everything()}, tmp_path / 'source')}"
    target = f"oci:{tmp_path / 'target'}"
    dry = convert(source, target, to=to, dry_run=True)
    assert dry.dry_run
    assert not (tmp_path / "target").exists()
    real = convert(source, target, to=to, fsync=False)
    assert dry.images == real.images
    assert dry.map == real.map
    assert dry.findings == real.findings
    assert dry.totals.blobs == real.totals.blobs
    assert dry.digest_map == real.digest_map


# -- inside one layout -----------------------------------------------------------------------------


class Watched(Memory):
    """A layout that counts the bytes read of each blob, and the blobs written."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(files)
        self.read: Counter[str] = Counter()

    def source(self, options: SourceOptions = SourceOptions()) -> OciLayoutSource:
        return OciLayoutSource(_WatchedFiles(self), self.label)


class _WatchedFiles(MemoryFiles):
    def __init__(self, watched: Watched) -> None:
        super().__init__(watched.files)
        self._watched = watched

    def open(self, name: str) -> BinaryIO:
        return _WatchedFile(self.files[name], name, self._watched.read)


class _WatchedFile(io.BytesIO):
    def __init__(self, data: bytes, name: str, read: Counter[str]) -> None:
        super().__init__(data)
        self._name, self._read = name, read

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        self._read[self._name] += len(chunk)
        return chunk


def test_inside_one_layout_no_layer_is_read_nor_written() -> None:
    big = layer("big", size=100_000)
    image = oci_image([big, layer("small")])
    both = Watched(layout_files({"app": image}))
    before = dict(both.files)
    report = convert(both, both, to="docker")
    assert both.read[f"blobs/{big.digest.replace(':', '/')}"] <= 4096
    fresh = {name: data for name, data in both.files.items() if name not in before}
    assert [digest_of(data) for data in fresh.values()] == [report.images[0].new.digest]
    assert report.totals.bytes_written == len(next(iter(fresh.values())))


def test_inside_one_folder_both_families_stand_side_by_side(tmp_path: Path) -> None:
    image = docker_image()
    path = write_layout({"app:1": image}, tmp_path / "layout")
    before = files_below(path)
    report = convert(f"oci:{path}:app:1", f"oci:{path}:app:oci", fsync=False)
    after = files_below(path)
    assert len(after) == len(before) + 1
    names = [
        entry["annotations"][REF_NAME] for entry in json.loads(after["index.json"])["manifests"]
    ]
    assert names == ["app:1", "app:oci"]
    back = convert(f"oci:{path}:app:oci", f"oci:{path}:app:back", to="docker", fsync=False)
    assert back.images[0].new.digest == image.digest
    assert back.totals.bytes_written == 0
    assert len(files_below(path)) == len(after)
    assert report.images[0].name == "docker.io/library/app:oci"


# -- progress --------------------------------------------------------------------------------------


class EnoughError(Exception):
    """What a caller raises who has seen enough."""


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("compress", ["auto", "zstd"])
def test_a_caller_who_has_seen_enough_ends_the_run(
    compress: str, jobs: int, tmp_path: Path
) -> None:
    def stop(_: Progress) -> None:
        raise EnoughError

    image = docker_image([layer(f"{i}", size=50_000) for i in range(5)])
    source = f"dir:{write_dir(image, tmp_path / 'source')}"
    with pytest.raises(EnoughError):
        convert(source, f"oci:{tmp_path}/target:1", compress=compress, jobs=jobs, on_progress=stop)
    assert not (tmp_path / "target").exists()


def test_progress_ends_at_the_total() -> None:
    image = docker_image([layer("a", size=600_000), layer("b"), layer("b")])
    for target in (Memory(), store(app=image)):
        seen: list[Progress] = []
        convert(store(app=image), target, to="oci", on_progress=seen.append)
        total = len(image.layers[0].data) + len(image.layers[1].data)
        assert {progress.total for progress in seen} == {total}
        assert seen[-1].done == total
        assert sum(progress.step for progress in seen) == total


# -- archives --------------------------------------------------------------------------------------


def saved(members: Mapping[str, Any], tmp_path: Path) -> str:
    path = tmp_path / "saved.tar"
    path.write_bytes(archives.archive(members))
    return f"docker-archive:{path}"


ARCHIVES: dict[str, tuple[Callable[[archives.Saved], Any], str]] = {
    "docker 20": (archives.docker_20, OCI_LAYER),
    "docker 25": (archives.docker_25, OCI_LAYER.removesuffix("+gzip")),  # of OCI already
    "docker 29": (archives.containerd, OCI_LAYER),
    "podman": (archives.podman, OCI_LAYER),
    "crane": (archives.crane, OCI_LAYER),
    "crane legacy": (archives.crane_legacy, OCI_LAYER),
    "regctl": (archives.regctl, OCI_LAYER),
}


@pytest.mark.parametrize(("make", "label"), ARCHIVES.values(), ids=ARCHIVES.keys())
def test_a_saved_image_becomes_a_layout_and_keeps_its_image_id(
    make: Callable[[archives.Saved], Any], label: str, tmp_path: Path
) -> None:
    image = archives.Saved(tags=("example.com/app:1",))
    source = saved(make(image), tmp_path)
    target = Memory()
    report = convert(source, target, to="oci")
    made = top(report, target)
    if "manifests" in made:
        made = json.loads(blobs(target)[made["manifests"][0]["digest"]])
    assert made["mediaType"] == OCI_MANIFEST
    assert made["config"]["digest"] == digest_of(image.config)
    assert_sound(made, target)
    assert {described["mediaType"] for described in made["layers"]} == {label}
    assert [image.name for image in report.images] == ["example.com/app:1"]
    for packing, compress in (("gzip", "gzip"), ("tar", "none")):
        packed = Memory()
        made = top(convert(source, packed, to="docker", compress=compress), packed)
        if "manifests" in made:
            made = json.loads(blobs(packed)[made["manifests"][0]["digest"]])
        assert made["config"]["digest"] == digest_of(image.config)
        assert_sound(made, packed)
        assert all(described["mediaType"].endswith(packing) for described in made["layers"])


def test_a_saved_layer_of_another_content_is_refused(tmp_path: Path) -> None:
    members = archives.docker_20(archives.Saved())
    name = next(name for name in members if name.endswith("layer.tar"))
    members[name] = layer("evil").tar
    target = Memory()
    with pytest.raises(BlobError) as broken:
        convert(saved(members, tmp_path), target, to="oci")
    assert broken.value.code in ("wrong-diff-id", "digest-mismatch")
    assert target.files == {}


def test_a_saved_packed_layer_is_checked_against_its_diff_id(tmp_path: Path) -> None:
    image = archives.Saved(layers=(layer("good"),))
    members = archives.crane(image)
    evil = layer("evil")
    name = next(name for name in members if name.endswith(".tar.gz"))
    members[name] = evil.data
    target = Memory()
    with pytest.raises(BlobError) as broken:
        convert(saved(members, tmp_path), target, to="oci")
    assert broken.value.code == "wrong-diff-id"
    assert target.files == {}
