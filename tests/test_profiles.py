"""Profiles: each rule has a source and a date, finds what it should, and is mended by options."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import binary

from oci_convert import (
    Compression,
    Job,
    JobStatus,
    Memory,
    OciConvertError,
    Options,
    RefusedError,
    StoreError,
    UsageError,
    check,
    convert_many,
)
from oci_convert.profiles.check import approval, fitting
from oci_convert.profiles.conversion import convert_for
from oci_convert.profiles.rules import RULES
from oci_convert.profiles.schema import NAMES, Evidence, Profile, profile_of
from support import schema1
from support.command import Command
from support.images import (
    EMPTY,
    IN_TOTO,
    OCI_CONFIG,
    OCI_LAYER,
    Blob,
    Image,
    attestation,
    cosign_signature,
    cosign_tag,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
    rc2_files,
    referrer,
    save_tar,
    write_files,
    write_layout,
)
from support.runs import everything
from support.target_images import IMAGES, edited

DATA = Path(__file__).parent.parent / "src/oci_convert/profiles/data"
TESTDATA = Path(__file__).parent.parent / "testdata"


def test_every_profile_is_there_once() -> None:
    assert sorted(NAMES) == sorted(path.stem for path in DATA.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_has_a_source_a_date_and_options_that_exist(name: str) -> None:
    profile = profile_of(name)
    assert profile.rules
    for rule in profile.rules:
        assert rule.source.startswith("https://") or (
            rule.evidence is Evidence.MEASURED and (DATA.parents[3] / rule.source).is_file()
        )
        Options.from_json(rule.options)


GOOD = {"rule": "index", "says": "x", "evidence": "reported", "source": "y", "seen": "2026-01"}
BROKEN: dict[str, dict[str, object]] = {
    "no such rule": {"rule": "nonsense"},
    "no date": {"seen": "lately"},
    "no source": {"source": ""},
    "no such evidence": {"evidence": "heard"},
    "a sentence with its end": {"says": "x."},
    "a member too many": {"sinc": "2026-01"},
    "a rule without its value": {"rule": "layers"},
    "a value of another kind": {"rule": "family", "value": "podman"},
    "a compression that is none": {"rule": "compression", "value": ["gzip", "rar"]},
    "a value for a rule without": {"value": 7},
    "an option that does not exist": {"options": {"flat": True}},
}


def profile_text(**members: object) -> str:
    """A profile with one rule, whose other members are those."""
    lines = [f"{name} = {_toml(value)}" for name, value in {**GOOD, **members}.items()]
    return "\n".join(['title = "X"', 'about = "Y"', "[[rules]]", *lines])


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_toml(it)}' for name, it in value.items())} }}"
    return json.dumps(value)


def profile(**members: object) -> Profile:
    return Profile.from_toml("x", profile_text(**members))


@pytest.mark.parametrize("case", BROKEN)
def test_a_profile_that_breaks_the_schema_is_refused(case: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        profile(**BROKEN[case])
    assert profile().rules


def test_a_profile_of_somebodys_own_is_a_file(tmp_path: Path, command: Command) -> None:
    (tmp_path / "acme.toml").write_text(
        profile_text(rule="layers", value=1, advice="squash it"), encoding="utf-8"
    )
    write_layout({"app": oci_image([layer("a"), layer("b")])}, tmp_path / "in")
    ended = command("check", "oci:in:app", "--for", "lambda,acme.toml")
    assert (ended.status, ended.out) == (3, "would be refused by acme\n")
    assert "squash it" in ended.err
    done = command("convert", "oci:in:app", "oci:out:app", "--for", "acme.toml")
    assert done.status == 1
    assert "acme would refuse 2 layers" in done.err
    job = {"source": "oci:in:app", "destination": "oci:out:a", "for": "acme.toml"}
    (result,) = convert_many([Job.from_json(job)])
    assert result.status is JobStatus.FAILED
    (tmp_path / "acme.toml").write_text(
        profile_text(rule="layers", value=2, advice="squash it"), encoding="utf-8"
    )
    assert command("check", "oci:in:app", "--for", "acme.toml").out == "fits\n", "it is read again"


@given(binary())
def test_any_bytes_are_a_profile_or_an_error(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "any.toml")
        path.write_bytes(data)
        with suppress(UsageError, StoreError):
            profile_of(str(path))


# -- what each rule finds -------------------------------------------------------------------------


ZSTD = oci_image([layer("z", Compression.ZSTD)])
ATTESTED = image_list([oci_image(), attestation(oci_image())])
NESTED = image_list([image_list([oci_image()])])


def attested_by_a_subject() -> Image:
    """An image with an attestation as BuildKit makes them of late."""
    image = oci_image([layer("attested")])
    statement = [Blob(IN_TOTO, b"{}")]
    made = manifest(Blob(EMPTY, b"{}"), statement, subject=image.descriptor.triple())
    return image_list([image, replace(made, entry=attestation(image).entry)])


ARTIFACT = manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"note")])
FOUND: dict[str, tuple[Image, Any]] = {
    "family": (docker_image(), "oci"),
    "index": (ATTESTED, None),
    "nested-index": (NESTED, None),
    "compression": (ZSTD, ["gzip"]),
    "unknown-members": (edited(oci_image(), extra=1), None),
    "no-media-type": (edited(oci_image(), mediaType=None), None),
    "subject": (
        edited(oci_image(), subject=json.loads(oci_image().manifest)["config"]),
        None,
    ),
    "oci-1.1": (ARTIFACT, None),
    "config-type": (ARTIFACT, None),
    "not-an-image": (ARTIFACT, None),
    "attestation": (ATTESTED, None),
    "layers": (oci_image([layer("a"), layer("b")]), 1),
    "layer-size": (oci_image([layer("large", size=5000)]), 5000),
    "document-size": (oci_image(), 10),
    "mixed-families": (IMAGES["an OCI layer in Docker"], "docker"),
    "mixed-config": (IMAGES["a Docker config in OCI"], "oci"),
    "wrong-label": (IMAGES["gzip called plain in OCI"], ["application/vnd.oci.image.layer.v1.tar"]),
    "media-type": (IMAGES["zstd in OCI"], ["application/vnd.oci.image.layer.v1.tar+zstd"]),
    "parameters": (IMAGES["a media type with parameters"], None),
    "digest": (IMAGES["a layer by sha512"], ["sha256"]),
    "encrypted": (oci_image([layer("en", media_type=f"{OCI_LAYER}+encrypted")]), None),
    "data": (IMAGES["embedded data"], None),
    "layer-type": (IMAGES["a layer of an unknown type"], None),
    "docker-annotations": (IMAGES["annotations in Docker"], None),
    "no-platform": (IMAGES["an entry without a platform"], None),
    "platform": (image_list([oci_image(platform="windows/amd64")]), ["linux"]),
    "urls": (IMAGES["a foreign layer of OCI that is there and elsewhere"], None),
    "absent": (IMAGES["an entry that is not there"], None),
    "absent-foreign": (IMAGES["a foreign layer of OCI that is not there"], None),
}


def test_every_rule_has_an_image_that_breaks_it() -> None:
    assert FOUND.keys() | {"schema1"} == RULES.keys()


def judged(image: Image, rule: str, value: Any, folder: Path) -> int:
    from oci_convert.profiles.content import content_of
    from oci_convert.stores.opening import opened

    write_layout({"app": image}, folder)
    with opened(f"oci:{folder}:app") as (_, store, roots):
        return len(list(RULES[rule](content_of(store, roots), value)))


@pytest.mark.parametrize("rule", FOUND)
def test_a_rule_finds_what_it_is_about_and_nothing_in_a_plain_image(
    rule: str, tmp_path: Path
) -> None:
    image, value = FOUND[rule]
    assert judged(image, rule, value, tmp_path / "bad") > 0
    larger = {"layers": 9, "layer-size": 9999, "document-size": 9999}
    assert judged(oci_image(), rule, larger.get(rule, value), tmp_path / "good") == 0


# -- making images fit ----------------------------------------------------------------------------

SIGNED = oci_image([layer("signed")])
NAMED: dict[str, dict[str, Image]] = {
    **{case: {"app": it} for case, it in IMAGES.items() if case != "a manifest of 5 MB"},
    "an image with a referrer": {"app": SIGNED, "": referrer(SIGNED)},
    "an image that cosign signed": {"app": SIGNED, cosign_tag(SIGNED): cosign_signature(SIGNED)},
    "an image and a chart": {"app": SIGNED, "chart": IMAGES["a Helm chart"]},
    "two platforms": {"app": image_list([oci_image(), oci_image(platform="linux/arm64")])},
    "an image for Windows": {"app": image_list([oci_image(platform="windows/amd64")])},
    "an attestation with a subject": {"app": attested_by_a_subject()},
    "a bit of everything": {"app": everything()},
}


def sources(folder: Path) -> Iterator[tuple[str, Any]]:
    """Every kind of image, and what it is."""
    for case, images in NAMED.items():
        yield case, Memory(layout_files(images))
    yield "1.0.0-rc2", Memory(rc2_files({"app": image_list([oci_image([layer("rc2")])])}))
    old = json.dumps(schema1.body()).encode()
    yield "schema 1", f"dir:{write_files(schema1.dir_files(old), folder / 'schema1')}"
    save = write_files({"save.tar": save_tar({"app:1": docker_image()})}, folder)
    yield "docker save", f"docker-archive:{save}/save.tar"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_converted_for_a_target_fits_it_or_says_why_not(
    name: str, golden: Callable[[str, str], None], tmp_path: Path
) -> None:
    told = []
    for case, source in sources(tmp_path):
        made = Memory()
        try:
            convert_for(source, made, Options(), [profile_of(name)])
        except OciConvertError as error:
            why = str(error).replace(str(tmp_path), "").partition(": ")[2]
            told.append(f"{case}: {why}\n")
            if made.files or not error.remedy:
                pytest.fail(f"{case}: {error}")
        else:
            assert check(made, name).breaches == (), case
    golden("".join(told), f"profiles/{name}.txt")


def test_only_what_the_image_needs_is_set_and_nothing_that_was_given(tmp_path: Path) -> None:
    write_layout({"plain": oci_image(), "zstd": ZSTD}, tmp_path)
    old = [profile_of("docker-20.10")]
    _, chosen = fitting(f"oci:{tmp_path}:plain", old, Options())
    assert chosen == {"to": "docker"}
    options, chosen = fitting(f"oci:{tmp_path}:zstd", old, Options(to="oci"))
    assert chosen == {"compress": "gzip"}
    assert options.to == "oci"
    _, chosen = fitting(f"oci:{tmp_path}:zstd", old, Options(to="oci", compress="none"))
    assert chosen == {}


def test_a_result_that_a_target_would_refuse_is_not_written(tmp_path: Path) -> None:
    write_layout({"zstd": ZSTD}, tmp_path / "in")
    from oci_convert.conversion.convert import converted

    with pytest.raises(RefusedError, match=r"docker-20\.10 would refuse a layer in zstd") as caught:
        converted(
            f"oci:{tmp_path}/in:zstd",
            f"oci:{tmp_path}/out",
            Options(compress="keep", fsync=False),
            approve=approval([profile_of("docker-20.10")], Options()),
        )
    assert caught.value.code == "target-would-refuse"
    assert not (tmp_path / "out").exists()


def test_a_mislabelled_layer_is_found_by_its_bytes(tmp_path: Path) -> None:
    write_layout({"app": IMAGES["zstd called plain"]}, tmp_path)
    assert not check(f"oci:{tmp_path}:app", "containerd").fits
    convert_for(f"oci:{tmp_path}:app", f"oci:{tmp_path}:new", Options(), [profile_of("containerd")])
    assert check(f"oci:{tmp_path}:new", "containerd").fits


def test_check_and_convert_for_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.chdir(tmp_path)
    write_layout({"zstd": ZSTD}, tmp_path / "in")
    ended = command("check", "oci:in:zstd", "--for", "docker-20.10,oci-1.1")
    assert (ended.status, ended.out) == (3, "would be refused by docker-20.10\n")
    assert "convert it with --compress gzip" in ended.err
    done = command("convert", "oci:in:zstd", "oci:out:app", "--for", "docker-20.10")
    assert done.status == 0
    assert "for docker-20.10: --compress gzip" in done.err
    assert command("check", "oci:out:app", "--for", "docker-20.10").out == "fits\n"
    answer = command("check", "oci:in:zstd", "--for", "docker-20.10", "--json").json
    assert answer["breaches"][0]["options"] == {"compress": "gzip"}


def test_a_job_of_a_fleet_may_be_for_a_target(tmp_path: Path) -> None:
    write_layout({"zstd": ZSTD}, tmp_path / "in")
    job = Job.from_json(
        {
            "source": f"oci:{tmp_path}/in:zstd",
            "destination": f"oci:{tmp_path}/out:a",
            "for": "docker-20.10",
        }
    )
    assert Job.from_json(job.to_json()) == job
    (result,) = convert_many([job])
    assert result.status is JobStatus.DONE
    assert result.options == {"for": ["docker-20.10"]}
    assert check(f"oci:{tmp_path}/out:a", "docker-20.10").fits


def test_a_foreign_layer_that_is_not_there_is_found(tmp_path: Path) -> None:
    foreign = Blob("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", b"far")
    image = manifest(Blob(OCI_CONFIG, minimal_config([])), [foreign])
    layers = [{**it, "urls": ["https://example.com/l"]} for it in image.json["layers"]]
    absent = edited(image, layers=layers)
    there = {name: data for name, data in absent.blobs.items() if data != b"far"}
    write_layout({"app": replace(absent, blobs=there)}, tmp_path)
    found = check(f"oci:{tmp_path}:app", "docker-20.10")
    assert [breach.rule for breach in found.breaches] == ["absent-foreign"]
