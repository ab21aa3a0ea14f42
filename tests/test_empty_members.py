"""Empty is absent: ``null``, ``""``, ``{}`` and ``[]`` of optional members say and lose nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oci_convert import Level, Memory, convert, inspect, verify
from support.images import (
    LAYERS,
    Image,
    Layer,
    docker_image,
    image_list,
    layout_files,
    minimal_config,
    oci_image,
    tar_of,
)

PLATFORM: Final = {"architecture": "amd64", "os": "linux"}
OF_DOCUMENT: Final = {"annotations": {}, "subject": {}, "artifactType": ""}
OF_DESCRIPTOR: Final = {
    "annotations": {},
    "artifactType": "",
    "data": "",
    "platform": {},
    "urls": [],
}
OF_PLATFORM: Final = {"variant": "", "os.version": "", "os.features": [], "features": []}
OF_CONFIG: Final[dict[str, Any]] = {
    "author": "",
    "config": {},
    "created": None,
    "history": [],
    "os.features": [],
    "os.version": "",
    "variant": "",
}
OF_RUNTIME: Final = {
    "Cmd": [],
    "Entrypoint": [],
    "Env": [],
    "ExposedPorts": {},
    "Labels": {},
    "StopSignal": "",
    "User": "",
    "Volumes": {},
    "WorkingDir": "",
}
"""Optional members, each with the empty value of its type; ``null`` is one of every type."""

Make = Callable[..., Image]


def with_entry(make: Make, said: dict[str, Any]) -> Image:
    """An image and its entry, which says a platform where a Docker list must."""
    if "platform" not in said or make is docker_image:
        said = {**said, "platform": PLATFORM}
    return make().with_entry(**said)


def with_config(make: Make, members: Mapping[str, Any]) -> Image:
    config = {**json.loads(minimal_config(LAYERS)), **members}
    return make(config=json.dumps(config).encode())


KINDS: Final[dict[str, tuple[Mapping[str, Any], Callable[[Make, dict[str, Any]], Image]]]] = {
    "a manifest": (OF_DOCUMENT, lambda make, said: make(**said)),
    "an index": (OF_DOCUMENT, lambda make, said: image_list([make()], **said)),
    "a layer": (OF_DESCRIPTOR, lambda make, said: make([Layer(tar_of({"a": "b"}), more=said)])),
    "an entry": (OF_DESCRIPTOR, lambda make, said: image_list([with_entry(make, said)])),
    "a platform": (
        OF_PLATFORM,
        lambda make, said: image_list([make().with_entry(platform={**PLATFORM, **said})]),
    ),
    "a config": (OF_CONFIG, with_config),
    "a container's config": (OF_RUNTIME, lambda make, said: with_config(make, {"config": said})),
}


@st.composite
def images(draw: st.DrawFn) -> Image:
    make = draw(st.sampled_from([docker_image, oci_image]))
    members, made = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    names = draw(st.lists(st.sampled_from(sorted(members)), min_size=1, unique=True))
    return made(make, {name: draw(st.sampled_from([None, members[name]])) for name in names})


@settings(max_examples=40)
@given(image=images(), to=st.sampled_from(["docker", "oci"]))
def test_what_says_nothing_is_neither_lost_nor_wrong(image: Image, to: str) -> None:
    source = Memory(layout_files({"app": image}))
    target = Memory()
    report = convert(source, target, to=to, on_loss="fail")
    assert {found.code for found in report.findings} <= {"not-reversible", "platform-added"}
    for found in (verify(source), verify(target)):
        assert not [it for it in found.findings if it.level is not Level.INFO]
    for place in (source, target):
        assert "None" not in json.dumps([it.notes for it in inspect(place).images[0].walk()])


@pytest.mark.parametrize("platform", [None, {}])
def test_an_empty_platform_is_filled_in_for_a_docker_list(platform: dict[str, str] | None) -> None:
    image = oci_image()
    index = image_list([replace(image, entry={**image.entry, "platform": platform})])
    target = Memory()
    report = convert(Memory(layout_files({"app": index})), target, to="docker")
    written = json.loads(target.files[f"blobs/{report.images[0].new.digest.replace(':', '/')}"])
    assert written["manifests"][0]["platform"] == PLATFORM
