"""Platforms: which spellings are the same, and how one of several images is chosen."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import open_images
from oci_convert.conversion.convert import convert
from oci_convert.errors import OciConvertError, RefusedError, UsageError
from oci_convert.inspection.inspect import inspect
from oci_convert.options import Options
from oci_convert.report import Report
from oci_convert.spec.media_types import Compression, Family
from oci_convert.spec.models import Platform
from oci_convert.spec.platforms import disagree, identity_of, matches, spelled
from oci_convert.stores.memory import Memory
from oci_convert.verification.verify import verify
from support.command import Command
from support.images import (
    Image,
    archive_of,
    attestation,
    cosign_signature,
    cosign_tag,
    docker_image,
    image_list,
    layer,
    layout_files,
    minimal_config,
    oci_image,
    write_files,
    write_layout,
)
from support.runs import codes, entries, run, store

# -- which are the same ----------------------------------------------------------------------------

SAME = [
    ["linux/arm64", "linux/arm64/v8", "linux/aarch64", "linux/arm64/8", "Linux/ARM64"],
    ["linux/arm", "linux/arm/v7", "linux/armhf", "linux/arm/7"],
    ["linux/amd64", "linux/x86_64", "linux/x86-64", "linux/amd64/v1"],
    ["linux/386", "linux/i386"],
    ["linux/arm/v6", "linux/armel", "linux/arm/6"],
    ["linux/amd64/v2"],
    ["darwin/arm64", "macos/arm64"],
    ["windows/amd64"],
]
SPELLINGS = [text for same in SAME for text in same]


def platform(text: str) -> Platform:
    system, architecture, *variant = text.split("/")
    return Platform(os=system, architecture=architecture, variant=variant[0] if variant else None)


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_platform_is_found_under_every_name_that_it_has(text: str) -> None:
    (same,) = (group for group in SAME if text in group)
    for other in same:
        assert matches(platform(other), text), other
        assert matches(platform(other), spelled(text))
        assert not disagree(platform(other), platform(text))
        assert identity_of(platform(other)) == identity_of(platform(text))


@pytest.mark.parametrize("text", SPELLINGS)
def test_another_one_is_not(text: str) -> None:
    for group in SAME:
        for other in group if text not in group else ():
            assert identity_of(platform(other)) != identity_of(platform(text))
            if len(text.split("/")) == 3 or text.endswith(("hf", "el")):  # says which variant
                assert not matches(platform(other), text), other


WINDOWS = Platform(
    os="windows", architecture="amd64", os_version="10.0.20348.2655", os_features=("win32k",)
)
VERSIONS = {
    "windows/amd64": True,
    "windows/amd64:10.0.20348.2655": True,
    "windows/amd64:10.0.20348": True,
    "windows(10.0.20348)/amd64": True,
    "windows(10.0.20348.2655)/x86_64": True,
    "windows(10.0.20348+win32k)/amd64": True,
    "windows(+win32k)/amd64": True,
    "windows(+other)/amd64": False,
    "windows(10.0.2034)/amd64": False,
    "windows/amd64:10.0.2034": False,
    "windows/amd64:10.0.17763.1": False,
    "linux/amd64:10.0.20348.2655": False,
}


@pytest.mark.parametrize("text", VERSIONS)
def test_a_version_of_windows_is_spelled_as_crane_and_containerd_do(text: str) -> None:
    assert matches(WINDOWS, text) == VERSIONS[text]
    assert Options(platforms=text).platforms == (text,)
    assert str(WINDOWS) == "windows(10.0.20348.2655+win32k)/amd64"
    assert matches(WINDOWS, str(WINDOWS))


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "a/b/c/d", "a(b/c", "a(1)/b:2", "a/b:", "/"]
)
def test_what_is_no_platform_is_a_wrong_call(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Options(platforms=text)
    assert refused.value.code == "invalid-platform"


def test_several_stand_between_commas() -> None:
    several = ("linux/amd64", "linux/arm64")
    assert Options(platforms="linux/amd64,linux/arm64").platforms == several
    assert Options(platforms=" linux/amd64 , linux/arm64").platforms == several
    assert Options(platforms=["linux/amd64,linux/arm64", "linux/amd64"]).platforms == several
    with pytest.raises(UsageError):
        Options(platforms="linux/amd64,")


@given(st.text(max_size=20))
def test_any_text_is_a_platform_or_a_wrong_call(text: str) -> None:
    try:
        assert spelled(text) == text
    except UsageError as refused:
        assert refused.code == "invalid-platform"  # noqa: PT017
    else:
        matches(WINDOWS, text)


# -- in an index -----------------------------------------------------------------------------------


def listed(*texts: str, make: Any = docker_image) -> Image:
    """An index whose entries state these platforms."""
    images = []
    for text in texts:
        stated = platform(text).model_dump(by_alias=True, exclude_none=True)
        images.append(make([layer(text)], platform=text).with_entry(platform=stated))
    return image_list(images)


def chosen(report: Report, target: Memory) -> list[str]:
    return [entry["platform"]["architecture"] for entry in entries(report, target)]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("linux/arm64/v8", ["arm64"]),
        ("linux/aarch64", ["arm64"]),
        ("linux/arm/v7", ["arm"]),
        ("linux/armhf", ["arm"]),
        ("linux/amd64,linux/arm64/v8", ["amd64", "arm64"]),
        ("linux/x86_64", ["amd64"]),
    ],
)
@pytest.mark.parametrize("to", ["oci", "docker"])
def test_entries_need_not_state_what_goes_without_saying(
    asked: str, found: list[str], to: str
) -> None:
    report, target = run(listed("linux/amd64", "linux/arm64", "linux/arm"), to, platforms=asked)
    assert chosen(report, target) == found


def test_a_list_that_states_the_variant_is_chosen_without_it() -> None:
    report, target = run(listed("linux/amd64", "linux/arm64/v8"), "oci", platforms="linux/arm64")
    assert chosen(report, target) == ["arm64"]


def test_an_entry_and_a_config_agree_if_they_mean_the_same() -> None:
    said = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    image = docker_image(platform="linux/arm64").with_entry(platform=said)
    assert verify(store(app=image_list([image]))).findings == ()
    report, _ = run(image_list([image]), "oci", strict=True)
    assert report.findings == ()


def test_an_entry_that_contradicts_the_config_is_told_and_refused_by_strict() -> None:
    wrong = docker_image().with_entry(platform={"os": "linux", "architecture": "arm64"})
    for source in (store(app=image_list([wrong])), store(app=image_list([image_list([wrong])]))):
        for to in ("oci", "docker"):
            report = convert(source, Memory(), to=to)
            (found,) = (f for f in report.findings if f.code == "platform-mismatch")
            assert found.level == "warning"
            assert "linux/arm64" in found.message
            assert "linux/amd64" in found.message
            with pytest.raises(RefusedError) as refused:
                convert(source, Memory(), to=to, strict=True)
            assert refused.value.code == "platform-mismatch"
    assert not verify(store(app=image_list([wrong]))).sound


def test_it_is_told_also_where_its_index_is_replaced() -> None:
    wrong = oci_image().with_entry(platform={"os": "linux", "architecture": "arm64"})
    nested, chosen = image_list([image_list([wrong])]), image_list([wrong])
    runs: list[tuple[Image, dict[str, Any]]] = [
        (nested, {"to": "docker"}),
        (chosen, {"to": "oci", "flatten": True, "platforms": "linux/arm64"}),
    ]
    for image, options in runs:
        report = convert(store(app=image), Memory(), **options)
        assert "platform-mismatch" in {it.code for it in report.findings}
        with pytest.raises(RefusedError) as refused:
            convert(store(app=image), Memory(), strict=True, **options)
        assert refused.value.code == "platform-mismatch"


def test_an_attestation_of_what_its_index_does_not_list_is_told_and_refused_by_strict() -> None:
    index = image_list([oci_image(), attestation(docker_image(platform="linux/arm64"))])
    assert "dangling-reference" in {it.code for it in verify(store(app=index)).findings}
    report = convert(store(app=index), Memory(), to="oci")
    (found,) = (it for it in report.findings if it.code == "dangling-reference")
    assert (found.level, found.where) == ("warning", "images[0].manifests[1]")
    with pytest.raises(RefusedError) as refused:
        convert(store(app=index), Memory(), to="oci", strict=True)
    assert refused.value.code == "dangling-reference"


def test_an_entry_that_says_unknown_of_an_image_contradicts_the_config_too() -> None:
    unknown = docker_image().with_entry(platform={"os": "unknown", "architecture": "unknown"})
    source = store(app=image_list([docker_image(platform="linux/arm64"), unknown]))
    assert "platform-mismatch" in {it.code for it in verify(source).findings}
    report = convert(source, Memory(), to="oci", attestations="keep")
    assert "platform-mismatch" in {it.code for it in report.findings}
    with pytest.raises(RefusedError) as refused:
        convert(source, Memory(), to="oci", attestations="keep", strict=True)
    assert refused.value.code == "platform-mismatch"


# -- several of one platform -----------------------------------------------------------------------

BUILDS = ("10.0.17763.6189", "10.0.20348.2655", "10.0.26100.1")


def windows() -> list[Image]:
    images = []
    for build in BUILDS:
        layers = [layer(build)]
        config = minimal_config(layers, "windows/amd64", **{"os.version": build})
        said = {"os": "windows", "architecture": "amd64", "os.version": build}
        images.append(oci_image(layers, config=config).with_entry(platform=said))
    return images


@pytest.mark.parametrize("spelling", ["windows/amd64:{}", "windows({})/amd64"])
@pytest.mark.parametrize("short", [True, False])
def test_a_build_of_windows_is_chosen_by_its_version(
    spelling: str,
    short: bool,
    tmp_path: Path,
) -> None:
    images = windows()
    source = store(app=image_list(images))
    for build, image in zip(BUILDS, images, strict=True):
        wanted = spelling.format(build.rpartition(".")[0] if short else build)
        report = convert(source, Memory(), to="oci", platforms=wanted, flatten=True)
        assert report.images[0].new.digest == image.digest
        convert(source, f"docker-archive:{tmp_path}/{build}.tar", platforms=wanted)


def test_versions_are_shown() -> None:
    (shown,) = inspect(store(app=image_list(windows()))).images
    assert [child.platform for child in shown.children] == [f"windows/amd64:{b}" for b in BUILDS]
    report, _ = run(image_list(windows()), "docker")
    platforms = [row.platform for row in report.map if row.kind == "manifest"]
    assert platforms == [f"windows/amd64:{build}" for build in BUILDS]


def suggested(error: OciConvertError) -> list[str]:
    return re.findall(r"sha256:[0-9a-f]{64}|windows/amd64:[0-9.]+", error.remedy)


def test_no_error_suggests_what_was_given(tmp_path: Path) -> None:
    write_layout({"app": image_list(windows())}, tmp_path / "in")
    source, target = f"oci:{tmp_path}/in", f"docker-archive:{tmp_path}/app.tar"
    with pytest.raises(OciConvertError) as refused:
        convert(source, target, platforms="windows/amd64")
    assert "choose one with platforms=…" in refused.value.remedy
    assert "windows/amd64:10.0.17763.6189" in refused.value.message
    with pytest.raises(OciConvertError) as refused:
        convert(source, target, platforms="windows/amd64:10.0.1")
    assert set(suggested(refused.value)) == {f"windows/amd64:{build}" for build in BUILDS}
    for platform_there in suggested(refused.value):
        assert convert(source, Memory(), to="oci", platforms=platform_there).images


def test_features_that_contradict_the_config_are_told() -> None:
    layers, said = [layer("a")], {"os": "windows", "architecture": "amd64"}
    config = minimal_config(layers, "windows/amd64", **{"os.features": ["b"]})
    for features, expected in ((["a"], {"platform-mismatch"}), (["b"], set()), ([], set())):
        entry = said | {"os.features": features}
        image = oci_image(layers, config=config).with_entry(platform=entry)
        found = {it.code for it in verify(store(app=image_list([image]))).findings}
        assert found == expected


FEATURES: dict[str, tuple[list[list[str]], list[str], bool]] = {
    # the features of images that are alike else; how they are shown; whether that chooses them
    "others": ([["a"], ["b"]], ["windows(10.0.1+a)/amd64", "windows(10.0.1+b)/amd64"], True),
    "none": ([[], ["a"]], ["windows/amd64:10.0.1", "windows(10.0.1+a)/amd64"], False),
    "more": ([["a"], ["a", "b"]], ["windows(10.0.1+a)/amd64", "windows(10.0.1+a+b)/amd64"], False),
}


@pytest.mark.parametrize(("features", "shown", "tell"), FEATURES.values(), ids=FEATURES)
def test_features_are_shown_and_suggested_where_they_tell_apart(
    features: list[list[str]], shown: list[str], tell: bool, command: Command
) -> None:
    images = []
    for some in features:
        layers = [layer("".join(some))]
        said = {"os": "windows", "architecture": "amd64", "os.version": "10.0.1"}
        config = minimal_config(layers, "windows/amd64")
        platform = said | ({"os.features": some} if some else {})
        images.append(oci_image(layers, config=config).with_entry(platform=platform))
    write_layout({"app": image_list(images)}, Path("in"))
    for option in ("--full", "--json", "--graph"):
        assert all(one.split("(")[0] in command("inspect", "oci:in", option).out for one in shown)
    assert all(one in command("inspect", "oci:in").out for one in shown)
    (index,) = inspect("oci:in").images
    assert [child.platform for child in index.children] == shown
    target = "docker-archive:app.tar"
    with pytest.raises(OciConvertError) as refused:
        convert("oci:in", target, platforms="windows/amd64")
    assert all(one in refused.value.message for one in shown)
    assert ("platforms=…" in refused.value.remedy) == tell
    wanted = shown if tell else [f"oci:in:{image.digest}" for image in images]
    for one, image in zip(wanted, images, strict=True):
        if tell:
            report = convert("oci:in", Memory(), to="oci", platforms=one, flatten=True)
        else:
            assert image.digest in refused.value.remedy
            report = convert(one, Memory(), to="oci")
        assert report.images[0].new.digest == image.digest


def test_twins_are_told_apart_by_their_digests(tmp_path: Path) -> None:
    one, other = oci_image([layer("one")]), oci_image([layer("other")])
    write_layout({"app": image_list([one, other])}, tmp_path / "in")
    source, target = f"oci:{tmp_path}/in", f"docker-archive:{tmp_path}/app.tar"
    asked: list[dict[str, Any]] = [{}, {"platforms": "linux/amd64"}, {"flatten": True}]
    for options in asked:
        with pytest.raises(OciConvertError) as refused:
            convert(source, target, **options)
        assert "--platform" not in refused.value.remedy
        assert len(suggested(refused.value)) == 2
        for digest in suggested(refused.value):
            assert convert(f"{source}:{digest}", Memory(), to="oci").images


def test_what_an_index_lists_is_chosen_by_its_digest(tmp_path: Path) -> None:
    one, other = docker_image([layer("one")]), docker_image([layer("b")], platform="linux/arm64")
    deep = image_list([image_list([image_list([one, other]), attestation(one)])])
    write_layout({"app": deep}, tmp_path / "in")
    for image in (one, other):
        ref = f"oci:{tmp_path}/in:{image.digest}"
        report = convert(ref, f"oci:{tmp_path}/out:new", to="docker")
        assert report.images[0].new.digest == image.digest
        (shown,) = inspect(ref).images
        assert shown.descriptor.digest == image.digest
        assert [it.descriptor.digest for it in verify(ref).images] == [image.digest]
        with open_images(f"oci:{tmp_path}/in") as images:
            assert images.find(image.digest).digest == image.digest
    with pytest.raises(OciConvertError) as refused:
        convert(f"oci:{tmp_path}/in:sha256:{'0' * 64}", Memory(), to="oci")
    assert refused.value.code == "unknown-reference"


def test_what_refers_to_it_comes_along(tmp_path: Path) -> None:
    one = docker_image([layer("one")])
    index = image_list([one, docker_image([layer("other")], platform="linux/arm64")])
    files = layout_files({"app": index, cosign_tag(one): cosign_signature(one)})
    write_files(files, tmp_path / "in")
    target = Memory()
    convert(f"oci:{tmp_path}/in:{one.digest}", target, to="docker")
    assert cosign_tag(one).encode() in target.files["index.json"]


# -- gzip and zstd ---------------------------------------------------------------------------------

GZIP = oci_image([layer("a")])
ZSTD = oci_image([layer("a", Compression.ZSTD)])
MARKED = ZSTD.with_entry(annotations={"io.github.containers.compression.zstd": "true"})


TWINS = {
    "the one with zstd is marked": [GZIP, MARKED],
    "the one with zstd is marked and first": [MARKED, GZIP],
    "nothing says it": [GZIP, ZSTD],
    "each is in a nested index": [image_list([GZIP]), image_list([ZSTD])],
    "each is in a nested index, zstd first": [image_list([ZSTD]), image_list([GZIP])],
    "only zstd is in a nested index": [GZIP, image_list([ZSTD])],
    "only gzip is in a nested index": [image_list([GZIP]), ZSTD],
    "both are in one nested index": [image_list([GZIP, ZSTD])],
    "one is deeper": [image_list([image_list([ZSTD])]), image_list([GZIP])],
    "zstd is there twice": [image_list([ZSTD]), image_list([GZIP]), image_list([ZSTD])],
}


@pytest.mark.parametrize("case", TWINS)
def test_of_twins_the_one_with_gzip_goes_to_docker(case: str, tmp_path: Path) -> None:
    images = TWINS[case]
    source = store(app=image_list([*images, attestation(ZSTD)]))
    report = convert(source, f"docker-archive:{tmp_path}/app.tar")
    assert "zstd-twin-dropped" in codes(report)
    assert GZIP.digest in next(f.message for f in report.findings if f.code == "zstd-twin-dropped")
    assert "layer-repacked" not in codes(report)
    assert GZIP.digest in report.digest_map
    assert ZSTD.digest not in report.digest_map
    assert "entry-dropped" not in codes(report)
    report, target = run(image_list(images), "docker")
    assert [entry["digest"] for entry in entries(report, target)] == [
        report.digest_map[GZIP.digest].digest
    ]
    report = convert(source, Memory(), to="docker", attestations="keep")
    assert codes(report).count("attestation-dropped") == 1
    assert convert(source, Memory(), to="docker", flatten=True).digest_map.keys() >= {GZIP.digest}
    report, target = run(image_list(images), "oci")
    assert {GZIP.digest, ZSTD.digest} <= report.digest_map.keys()
    report, target = run(image_list(images), "docker", compress="keep")
    assert {GZIP.digest, ZSTD.digest} <= report.digest_map.keys()


def test_an_index_that_an_entry_gives_another_platform_is_not_chosen() -> None:
    """It is not read then, and so cannot be kept."""
    arm = docker_image(platform="linux/arm64").with_entry(platform=None)
    nested = image_list([arm], family=Family.DOCKER).with_entry(
        platform={"architecture": "amd64", "os": "linux"}
    )
    both = image_list([nested, docker_image([layer("x")], platform="linux/arm64")])
    for family in Family:
        report, target = run(both, family, platforms=["linux/arm64"])
        assert len(entries(report, target)) == 1
        assert verify(target).sound


def test_what_only_looks_like_a_twin_is_kept() -> None:
    other = oci_image([layer("b", Compression.ZSTD)])
    arm = oci_image([layer("a", Compression.ZSTD)], platform="linux/arm64")
    labelled = minimal_config(GZIP.layers, author="somebody else")
    settings = oci_image([layer("a", Compression.ZSTD)], config=labelled)
    for image in (other, arm, settings):
        report, target = run(image_list([GZIP, image]), "docker")
        assert len(entries(report, target)) == 2
        assert "zstd-twin-dropped" not in codes(report)


REFUSED = oci_image([layer("a"), layer("b", media_type="application/x-odd")])
ZSTD_OF_TWO = oci_image([layer("a", Compression.ZSTD), layer("b", Compression.ZSTD)])
ARM = oci_image([layer("arm")], platform="linux/arm64")
ARM_ENTRY = {"architecture": "arm64", "os": "linux"}
TWINS_GONE = {
    "it is refused": image_list([REFUSED, ZSTD_OF_TWO, ARM]),
    "it is refused, and stands behind": image_list([ZSTD_OF_TWO, REFUSED, ARM]),
    "it is here in part": image_list([GZIP, ZSTD, ARM]).without(GZIP.layers[0].digest),
    "it is listed for another platform": image_list(
        [GZIP.with_entry(platform=ARM_ENTRY), ZSTD, ARM]
    ),
    "it is refused, and both are nested": image_list(
        [image_list([REFUSED]), image_list([ZSTD_OF_TWO]), ARM]
    ),
    "it is here in part, and nested": image_list(
        [image_list([GZIP]), image_list([ZSTD]), ARM]
    ).without(GZIP.layers[0].digest),
}


@pytest.mark.parametrize("options", [{}, {"platforms": "linux/amd64"}, {"sparse": "keep"}])
@pytest.mark.parametrize("case", TWINS_GONE)
def test_a_twin_stays_if_the_other_one_goes(
    case: str, options: dict[str, Any], tmp_path: Path
) -> None:
    index, target = TWINS_GONE[case], Memory()
    rows = json.dumps(
        [
            {
                "Config": blob_path(ARM.json["config"]["digest"]),
                "RepoTags": ["app:1"],
                "Layers": [blob_path(ARM.layers[0].digest)],
            }
        ]
    ).encode()
    source = tmp_path / "app.tar"
    source.write_bytes(archive_of({**layout_files({"app:1": index}), "manifest.json": rows}))
    report = convert(source, target, to="docker", **options)
    assert "zstd-twin-dropped" not in codes(report)
    assert (ZSTD_OF_TWO if REFUSED.digest in index.blobs else ZSTD).digest in report.digest_map
    assert verify(target).sound or not verify(source).sound


def blob_path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def test_each_twin_is_judged_by_its_own_platform_and_by_all_that_stay() -> None:
    """An image may be listed for several platforms, and several times."""
    arm = ZSTD.with_entry(platform=ARM_ENTRY)
    report, target = run(image_list([ZSTD, arm, GZIP]), "docker")
    assert [entry["platform"]["architecture"] for entry in entries(report, target)] == [
        "arm64",
        "amd64",
    ]
    again = oci_image([layer("a", Compression.ZSTD)], annotations={"built": "again"})
    report, target = run(image_list([ZSTD, again, GZIP]), "docker")
    assert len(entries(report, target)) == 1
    assert codes(report).count("zstd-twin-dropped") == 2


ARCHITECTURES = st.sampled_from(["amd64", "arm64"])
PACKINGS = st.sampled_from([Compression.GZIP, Compression.ZSTD, Compression.NONE])


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), PACKINGS, ARCHITECTURES, st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_of_each_image_that_docker_can_hold_one_is_in_the_list(
    listed: list[tuple[str, Compression, str, bool]],
) -> None:
    images, held = [ARM], {(ARM.json["config"]["digest"], "arm64")}
    for name, packing, architecture, odd in listed:
        image = oci_image([layer(name, packing, media_type="application/x-odd" if odd else None)])
        images.append(image.with_entry(platform={"architecture": architecture, "os": "linux"}))
        if not odd:
            held.add((image.json["config"]["digest"], architecture))
    report, target = run(image_list(images), "docker")
    found = set()
    for entry in entries(report, target):
        made = json.loads(target.files[blob_path(entry["digest"])])
        found.add((made["config"]["digest"], entry["platform"]["architecture"]))
    assert found == held
