"""What is wrong with configs: told by ``verify`` and ``convert``, and refused by ``--strict``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import convert, verify
from oci_convert.documents.document import read_config
from oci_convert.errors import OciConvertError
from oci_convert.findings import Level
from oci_convert.spec.config_rules import broken_rules, is_time
from oci_convert.stores.memory import Memory
from support.images import (
    EMPTY,
    LAYERS,
    Blob,
    Image,
    attestation,
    cosign_signature,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
)

PLATFORM: Final = {"architecture": "amd64", "os": "linux"}


def memory(image: Image) -> Memory:
    return Memory(layout_files({"app": image}))


def image_with(config: dict[str, Any]) -> Image:
    body = json.loads(minimal_config(LAYERS))
    return oci_image(config=json.dumps({**body, **config}).encode())


def without(*names: str) -> Image:
    body = json.loads(minimal_config(LAYERS))
    for name in names:
        del body[name]
    return oci_image(config=json.dumps(body).encode())


FAULTS: Final = {"config-problem", "count-mismatch", "invalid-value"}
DIFF_IDS: Final = [one.diff_id for one in LAYERS]
WARNED: Final[dict[str, tuple[Image, str]]] = {
    "created is no time": (image_with({"created": "yesterday"}), "created is no time of RFC 3339"),
    "created is empty": (image_with({"created": ""}), "created is no time"),
    "created has no zone": (image_with({"created": "2026-01-02T03:04:05"}), "created is no time"),
    "created is no day": (image_with({"created": "2026-02-30T00:00:00Z"}), "created is no time"),
    "created is a number": (image_with({"created": 7}), "created must be a string"),
    "a step has no time": (
        image_with({"history": [{"created": "x"}, {"created": "2026-01-02T03:04:05Z"}]}),
        "history[0].created is no time",
    ),
    "no architecture": (without("architecture"), "architecture is missing"),
    "an empty architecture": (image_with({"architecture": ""}), "architecture is missing"),
    "no os": (without("os"), "os is missing"),
    "an entry of Env without a value": (
        image_with({"config": {"Env": ["PATH=/bin", "HOME"]}}),
        "config.Env[1] has no '='",
    ),
    "a port that is true": (
        image_with({"config": {"ExposedPorts": {"80/tcp": True}}}),
        "config.ExposedPorts['80/tcp'] must be an object",
    ),
    "a port that is null": (
        image_with({"config": {"ExposedPorts": {"80/tcp": None}}}),
        "config.ExposedPorts['80/tcp'] must be an object",
    ),
    "a volume that is a string": (
        image_with({"config": {"Volumes": {"/data": ""}}}),
        "config.Volumes['/data'] must be an object",
    ),
    "volumes that are an array": (
        image_with({"config": {"Volumes": ["/data"]}}),
        "config.Volumes must be an object",
    ),
    "ArgsEscaped is a string": (
        image_with({"config": {"ArgsEscaped": "true"}}),
        "config.ArgsEscaped must be true or false",
    ),
}


@pytest.mark.parametrize(("image", "said"), WARNED.values(), ids=WARNED)
def test_what_breaks_a_rule_is_told_and_does_not_make_the_image_unsound(
    image: Image, said: str
) -> None:
    found = verify(memory(image))
    assert found.sound
    codes = ("config-problem", "invalid-value")
    (told,) = (it for it in found.findings if it.code in codes)
    assert (told.level, told.where) == (Level.WARNING, "images[0].config")
    assert told.message.startswith(said)


WRONG: Final = {
    "another type": image_with({"rootfs": {"type": "layers+base", "diff_ids": DIFF_IDS}}),
    "an empty type": image_with({"rootfs": {"type": "", "diff_ids": DIFF_IDS}}),
    "a type in capitals": image_with({"rootfs": {"type": "Layers", "diff_ids": DIFF_IDS}}),
    "no type": image_with({"rootfs": {"diff_ids": DIFF_IDS}}),
    "null": image_with({"rootfs": {"type": None, "diff_ids": DIFF_IDS}}),
    "a number": image_with({"rootfs": {"type": 7, "diff_ids": DIFF_IDS}}),
}


@pytest.mark.parametrize("image", WRONG.values(), ids=WRONG)
def test_a_root_file_system_of_another_type_is_wrong(image: Image) -> None:
    found = verify(memory(image))
    assert not found.sound
    errors = [it for it in found.findings if it.level is Level.ERROR]
    assert ("config-problem", "images[0].config") in {(it.code, it.where) for it in errors}
    assert any(it.message.startswith("rootfs.type ") for it in errors)


@pytest.mark.parametrize(
    "image",
    [
        *(image for image, _ in WARNED.values()),
        *WRONG.values(),
        oci_image(config=minimal_config(LAYERS[:1])),
        image_with({"history": [{"created_by": "RUN true"}]}),
        oci_image(config=b'{"architecture":"amd64","architecture":"arm64"}'),
        oci_image(config=b"no JSON"),
        oci_image(LAYERS, config=b"[]"),
    ],
)
@pytest.mark.parametrize("to", ["oci", "docker"])
def test_what_is_wrong_with_a_config_is_told_and_refused_if_that_is_wanted(
    image: Image, to: str
) -> None:
    """Also where no layer is recompressed, so that nobody needs what the config says."""
    target = Memory()
    report = convert(memory(image), target, to=to)
    told = {it.code for it in report.findings}
    assert told & FAULTS
    assert not report.losses
    assert image.config in target.files.values()
    refused = Memory()
    with pytest.raises(OciConvertError) as error:
        convert(memory(image), refused, to=to, strict=True)
    assert error.value.code in FAULTS
    assert not refused.files


def test_sound_configs_are_not_complained_of() -> None:
    for image in (docker_image(), oci_image(), image_list([oci_image(), docker_image()])):
        assert not verify(memory(image)).findings or verify(memory(image)).sound
        assert convert(memory(image), Memory(), to="oci", strict=True).images


def test_what_only_borrows_the_form_of_an_image_is_not_judged_as_one() -> None:
    signed = cosign_signature(oci_image())
    attested = image_list([oci_image(), attestation(oci_image())])
    for image in (signed, attested):
        assert "config-problem" not in {it.code for it in verify(memory(image)).findings}
        convert(memory(image), Memory(), to="oci", strict=True)


def test_an_image_that_is_left_out_is_not_judged() -> None:
    odd = oci_image([layer("arm")], config=b"{}", platform="linux/arm64")
    index = image_list([oci_image(), odd])
    convert(memory(index), Memory(), to="oci", strict=True, platforms=["linux/amd64"])
    with pytest.raises(OciConvertError):
        convert(memory(index), Memory(), to="oci", strict=True)


@pytest.mark.parametrize("content", [b"", b"{ }", b"{}\n", b'{"a":1}'])
def test_an_empty_blob_that_is_something_else_is_told(content: bytes) -> None:
    for image in (
        manifest(Blob(EMPTY, content), [Blob("text/plain", b"a")], artifactType="a/b"),
        manifest(Blob("application/x-any", b"c"), [Blob(EMPTY, content)]),
    ):
        found = [it for it in verify(memory(image)).findings if it.level is not Level.INFO]
        assert [it.code for it in found] == ["misused-empty-type"]
        with pytest.raises(OciConvertError) as refused:
            convert(memory(image), Memory(), to="oci", strict=True)
        assert refused.value.code == "misused-empty-type"


def test_the_empty_blob_is_known_by_any_digest() -> None:
    for algorithm in ("sha256", "sha512"):
        blob = Blob(EMPTY, b"{}", algorithm=algorithm)
        image = manifest(blob, [Blob(EMPTY, b"{}")], artifactType="a/b")
        assert "misused-empty-type" not in {it.code for it in verify(memory(image)).findings}


# -- the rules ------------------------------------------------------------------------------------


@given(st.datetimes(timezones=st.timezones() | st.just(UTC)))
def test_every_time_that_python_writes_is_one(moment: datetime) -> None:
    zone = moment.utcoffset()
    if zone is not None and zone.seconds % 60 == 0:
        assert is_time(moment.isoformat())


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00Z",
        "0000-02-29T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-01-02t03:04:05z",
        "2026-01-02T03:04:05.123456789+23:59",
    ],
)
def test_odd_times_are_times(text: str) -> None:
    assert is_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-02",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04Z",
        "2026-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:04:05",
        "1767323045",
        "2026-01-02T03:04:05+0100",
        "2026-01-02T03:04:05.Z",
        "２026-01-02T03:04:05Z",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert not is_time(text)


values: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
names: Final = st.sampled_from(
    [
        "created",
        "history",
        "architecture",
        "os",
        "config",
        "rootfs",
        "Env",
        "Volumes",
        "type",
        "ExposedPorts",
        "ArgsEscaped",
        "diff_ids",
    ]
)


@given(st.dictionaries(names, st.dictionaries(names, values) | values))
def test_any_config_gives_a_view_and_sentences(config: dict[str, Any]) -> None:
    assert all(sentence.isprintable() for sentence in broken_rules(config))
    view, problems = read_config(json.dumps(config).encode())
    assert all(problems)
    assert view.platform is None or view.platform.os
