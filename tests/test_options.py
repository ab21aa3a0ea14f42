"""Options: one frozen object, the same values one by one, and the same again as JSON."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import (
    Compress,
    Family,
    Keep,
    Memory,
    OnLoss,
    Options,
    Platform,
    UsageError,
    convert,
)
from oci_convert.options import OptionValues
from support.images import docker_image, layout_files

CHOSEN: dict[str, Any] = {
    "to": Family.OCI,
    "platforms": ("linux/amd64", "linux/arm64"),
    "compress": Compress.ZSTD,
    "level": 3,
    "attestations": Keep.DROP,
    "on_loss": OnLoss.FAIL,
    "dry_run": True,
    "jobs": 2,
    "tmpdir": "/var/tmp",
}


def test_what_can_be_given_are_the_fields() -> None:
    assert set(get_type_hints(OptionValues)) == {field.name for field in fields(Options)}


def test_choices_may_be_texts_and_one_platform_is_no_list() -> None:
    given = Options(to="oci", compress="zstd", attestations="drop", platforms="linux/amd64")
    assert given == Options(
        to=Family.OCI, compress=Compress.ZSTD, attestations=Keep.DROP, platforms=["linux/amd64"]
    )
    assert Options(tmpdir=Path("tmp")).tmpdir == "tmp"


def test_an_object_of_a_platform_asks_for_all_that_it_says() -> None:
    said: dict[str, Any] = {
        "os": "windows",
        "architecture": "amd64",
        "variant": "v2",
        "os_version": "10.0.1",
    }
    for features, spelled in {
        (): "windows/amd64/v2:10.0.1",
        ("win32k",): "windows(10.0.1+win32k)/amd64/v2",
        ("a", "b"): "windows(10.0.1+a+b)/amd64/v2",
    }.items():
        options = Options(platforms=Platform(**said, os_features=features))
        assert options.platforms == (spelled,)
        assert Options.from_json(options.to_json()) == options


def test_options_are_frozen_and_survive_pickling() -> None:
    options = Options(**CHOSEN)
    assert pickle.loads(pickle.dumps(options)) == options
    with pytest.raises(FrozenInstanceError):
        options.level = 4  # type: ignore[misc]  # what must fail


def test_options_come_back_from_json() -> None:
    options = Options(**CHOSEN)
    assert Options.from_json(json.loads(json.dumps(options.to_json()))) == options
    assert Options().to_json() == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
NAMES = st.sampled_from([field.name for field in fields(Options)]) | st.text(max_size=6)


@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_any_json_gives_options_or_one_error(value: dict[str, Any]) -> None:
    try:
        options = Options.from_json(value)
    except UsageError:
        return
    assert Options.from_json(options.to_json()) == options


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"compress": "rar"}, "invalid-choice"),
        ({"level": 10}, "invalid-level"),
        ({"level": 1, "fast": True}, "invalid-level"),
        ({"level": "3"}, "invalid-level"),
        ({"level": True}, "invalid-level"),
        ({"jobs": -1}, "invalid-choice"),
        ({"jobs": "2"}, "invalid-choice"),
        ({"strict": "no"}, "invalid-choice"),
        ({"dry_run": None}, "invalid-choice"),
        ({"platforms": "amd64"}, "invalid-platform"),
        ({"platforms": b"linux/amd64"}, "invalid-platform"),
        ({"platforms": None}, "invalid-platform"),
        ({"to": "docker", "compress": "zstd"}, "no-media-type"),
    ],
)
def test_a_wrong_value_is_refused_when_the_object_is_made(values: Any, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        Options(**values)
    assert caught.value.code == code


def test_an_unknown_name_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        Options(colour="red")  # type: ignore[call-arg]  # what must fail


def test_values_beside_options_replace_those_in_it() -> None:
    source = Memory(layout_files({"app": docker_image()}))
    options = Options(to="docker", dry_run=True)
    target = Memory()
    assert convert(source, target, options=options).to == "docker"
    assert convert(source, target, options=options, to="oci").to == "oci"
    assert not target.files
    assert convert(source, target, options=options, dry_run=False).images
    assert target.files
