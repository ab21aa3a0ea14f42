"""Names that break the grammar of where they stand are told wherever they are read and written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oci_convert import Memory, convert, inspect, verify
from oci_convert.findings import Finding
from oci_convert.spec.names import CONTAINERD_NAME
from support.archives import Saved, archive, docker_20, docker_25
from support.images import REF_NAME, docker_image, layer, layout_files, oci_image

CODE = "name-outside-grammar"
IMAGE = docker_image([layer("a")])
FULL = "docker.io/library/app:1"


def told(findings: tuple[Finding, ...]) -> list[str]:
    return [found.message.split("'")[1] for found in findings if found.code == CODE]


ENTRIES: dict[str, tuple[dict[str, str], list[str]]] = {
    "no ref name": ({REF_NAME: "a//b"}, ["a//b"]),
    "a tag is missing": ({REF_NAME: "a:"}, ["a:"]),
    "a space": ({REF_NAME: "my app"}, ["my app"]),
    "beside a good one": ({REF_NAME: "a//b", CONTAINERD_NAME: FULL}, ["a//b"]),
    "upper case in a full name": (
        {CONTAINERD_NAME: "docker.io/library/App:1"},
        [FULL[:18] + "App:1"],
    ),
    "the same twice": ({REF_NAME: "a//b", CONTAINERD_NAME: "a//b"}, ["a//b"]),
    "upper case in a ref name is allowed": ({REF_NAME: "App:1"}, []),
    "a name with a digest": ({REF_NAME: f"app@{IMAGE.digest}"}, []),
    "a full name with a digest": ({CONTAINERD_NAME: f"docker.io/library/app@{IMAGE.digest}"}, []),
    "an empty one is none": ({REF_NAME: ""}, []),
}


def layout(names: dict[str, str]) -> Memory:
    files = layout_files({"": IMAGE, "good": oci_image([layer("b")])})
    index = json.loads(files["index.json"])
    index["manifests"][0]["annotations"] = names
    return Memory({**files, "index.json": json.dumps(index).encode()})


@pytest.mark.parametrize("case", ENTRIES)
def test_a_name_of_an_entry_is_told(case: str, tmp_path: Path) -> None:
    names, expected = ENTRIES[case]
    source = layout(names)
    assert told(verify(source).findings) == expected
    for family in ("docker", "oci"):
        report = convert(source, target := Memory(), to=family)
        assert told(report.findings) == expected
        assert {it.where for it in report.findings if it.code == CODE} <= {"images[0]"}
        (entry, _) = json.loads(target.files["index.json"])["manifests"]
        assert entry.get("annotations", {}) == names or entry["digest"] != IMAGE.digest
    assert told(convert(source, f"docker-archive:{tmp_path}/app.tar").findings) == expected
    for destination in (f"oci:{tmp_path}/new:app:1", f"dir:{tmp_path}/dir"):
        one = source.image("@0")
        assert told(convert(one, destination, to="docker").findings) == []


ROWS: dict[str, tuple[str, list[str]]] = {
    "upper case": ("App:1", ["App:1"]),
    "a tag is missing": ("a:", ["a:"]),
    "no tag": ("app", ["app"]),
    "nothing between slashes": ("a//b:1", ["a//b:1"]),
    "a good one": ("app:1", []),
    "an empty one is none": ("", []),
    "a name with a digest": (f"app:1@{IMAGE.digest}", []),
}


@pytest.mark.parametrize("writer", [docker_20, docker_25])
@pytest.mark.parametrize("case", ROWS)
def test_a_name_of_a_row_is_told(case: str, writer: object, tmp_path: Path) -> None:
    tag, expected = ROWS[case]
    members = docker_20(Saved([tag])) if writer is docker_20 else docker_25(Saved([tag]))
    source = tmp_path / "app.tar"
    source.write_bytes(archive(members))
    assert told(verify(source).findings) == expected
    assert told(convert(source, Memory(), to="oci").findings) == expected
    assert told(convert(source, f"oci:{tmp_path}/new:app:1").findings) == []
    assert inspect(source).images
