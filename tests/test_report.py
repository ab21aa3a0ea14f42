"""The report: the keys that scripts rely on, and what the library gives out of it."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oci_convert.conversion.convert import convert
from oci_convert.errors import DocumentError, OciConvertError
from oci_convert.findings import CODES, Finding, Level
from oci_convert.inspection.images import open_images
from oci_convert.report import Change, Failure, Report, read_map, read_pins
from oci_convert.spec.media_types import Compression
from oci_convert.stores.memory import Memory
from oci_convert.transform.translate import translate
from oci_convert.verification.verify import verify
from support import archives
from support.images import (
    Image,
    attestation,
    docker_image,
    image_list,
    layer,
    layout_files,
    oci_image,
)
from support.runs import blobs

REPORT = {
    "version", "source", "destination", "to", "dry_run", "images", "map", "findings", "failures",
    "totals", "codecs", "options",
}  # fmt: skip
IMAGE = {"name", "source", "old", "new", "reversible", "platform", "pinned"}
ROW = {"kind", "where", "old", "new", "change", "platform", "attestation", "foreign"}
DESCRIPTOR = {"mediaType", "digest", "size"}
FINDING = {"code", "level", "where", "message"}
TOTALS = {
    "blobs",
    "bytes_read",
    "bytes_written",
    "layer_bytes",
    "seconds",
    "requests",
    "bytes_down",
    "bytes_up",
}


def test_a_manifest_that_is_listed_twice_and_left_out_once_is_converted() -> None:
    image = docker_image()
    stated = [{"os": "linux", "architecture": "arm", "variant": it} for it in ("v6", "v7")]
    for platforms in (stated, stated[::-1]):
        entries = [{**image.descriptor.triple(), "platform": it} for it in platforms]
        listed = image_list([image], manifests=entries)
        target = Memory()
        report = convert(
            Memory(layout_files({"app": listed})), target, to="oci", platforms=["linux/arm/v7"]
        )
        (made,) = json.loads(blobs(target)[report.images[0].new.digest])["manifests"]
        assert report.digest_map[image.digest].digest == made["digest"]
        assert Change.DROPPED not in {row.change for row in report.map}


def mixed() -> Image:
    """An index of which something is kept, relabelled, edited, recompressed and dropped."""
    zstd = oci_image([layer("base"), layer("zstd", Compression.ZSTD)])
    return image_list(
        [zstd, attestation(zstd), oci_image(platform="linux/arm64/v8", annotations={"a": "b"})]
    )


def converted(image: Image, to: str, **options: Any) -> Report:
    return convert(Memory(layout_files({"app": image})), Memory(), to=to, **options)


@pytest.fixture(scope="module")
def report() -> Report:
    return converted(mixed(), "docker")


def test_the_keys_are_those_that_scripts_rely_on(report: Report) -> None:
    value = json.loads(report.dumps())
    assert value.keys() == REPORT
    assert value["version"] == 1
    assert (value["source"], value["destination"]) == ("memory", "memory")
    assert (value["to"], value["dry_run"], value["failures"]) == ("docker", False, [])
    assert [image.keys() for image in value["images"]] == [IMAGE]
    assert {frozenset(row) for row in value["map"]} == {frozenset(ROW)}
    assert {frozenset(finding) for finding in value["findings"]} == {frozenset(FINDING)}
    assert value["totals"].keys() == TOTALS
    placed = [*value["images"], *value["map"]]
    found = {frozenset(item[name]) for item in placed for name in ("old", "new") if item[name]}
    assert found == {frozenset(DESCRIPTOR)}
    assert report.dumps().endswith("}\n")


def test_the_words_are_those_that_scripts_rely_on(report: Report) -> None:
    value = report.to_json()
    kinds = {"index", "manifest", "config", "layer", "artifact"}
    assert {row["kind"] for row in value["map"]} == kinds
    changes = {"relabelled", "edited", "repacked", "dropped"}
    assert {row["change"] for row in value["map"]} == changes
    assert {finding["level"] for finding in value["findings"]} == {"info", "warning", "loss"}
    assert {finding["code"] for finding in value["findings"]} <= CODES.keys()
    kept = converted(mixed(), "oci").to_json()
    assert {row["change"] for row in kept["map"]} == {"kept"}


def test_the_map_has_one_row_for_each_distinct_descriptor_at_its_first_place(
    report: Report,
) -> None:
    rows = {row.where: row for row in report.map}
    assert list(rows) == [
        "images[0]",
        "images[0].manifests[0]",
        "images[0].manifests[0].config",
        "images[0].manifests[0].layers[0]",
        "images[0].manifests[0].layers[1]",
        "images[0].manifests[1]",
        "images[0].manifests[1].config",
        "images[0].manifests[1].layers[0]",
        "images[0].manifests[2]",
        "images[0].manifests[2].config",
        "images[0].manifests[2].layers[1]",
    ]
    assert len({row.old.digest for row in report.map}) == len(report.map)
    assert rows["images[0].manifests[0]"].platform == "linux/amd64"
    assert rows["images[0].manifests[2]"].platform == "linux/arm64/v8"
    assert rows["images[0]"].platform is None


def test_the_digest_map_leads_from_old_to_new(report: Report) -> None:
    image = mixed()
    assert report.digest_map[image.digest] == report.images[0].new
    dropped = {row.old.digest for row in report.map if row.change == "dropped"}
    assert len(dropped) == 3
    assert not dropped & report.digest_map.keys()
    assert report.digest_map.keys() | dropped == image.blobs.keys()
    for row in report.map:
        if row.change == "relabelled":
            new = report.digest_map[row.old.digest]
            assert (new.digest, new.size) == (row.old.digest, row.old.size)
            assert new.media_type != row.old.media_type


def test_losses_are_what_a_migration_may_want_to_stop_at(report: Report) -> None:
    assert {finding.code for finding in report.losses} == {
        "attestation-dropped",
        "annotations-removed",
    }
    assert all(finding.level is Level.LOSS for finding in report.losses)
    assert not report.reversible
    assert converted(docker_image(), "oci").losses == ()
    assert converted(docker_image(), "oci").reversible


def test_a_record_holds_the_bytes_that_do_not_come_back(report: Report) -> None:
    assert "originals" not in report.to_json()
    originals = json.loads(report.dumps(originals=True))["originals"]
    image = mixed()
    found = {digest: base64.b64decode(text) for digest, text in originals.items()}
    assert found == {digest: image.blobs[digest] for digest in found}
    assert image.digest in found
    irreversible = {finding.where for finding in report.findings if "not-rev" in finding.code}
    assert {row.old.digest for row in report.map if row.where in irreversible} == found.keys()


def test_a_report_is_a_map_for_translate() -> None:
    images = [docker_image(platform=name) for name in ("linux/amd64", "linux/arm64")]
    index = image_list(images)
    report = converted(index, "oci")
    for originals in (False, True):
        digest_map = read_map(report.dumps(originals=originals).encode())
        assert {old: new.triple() for old, new in digest_map.items()} == {
            old: new.triple() for old, new in report.digest_map.items()
        }
        made = translate(index.manifest, "oci", digest_map=digest_map)
        assert made.digest == report.images[0].new.digest


def test_the_pins_of_a_written_report_are_those_of_the_report(report: Report) -> None:
    for written in (report, converted(image_list([oci_image()]), "docker", flatten=True)):
        for originals in (False, True):
            assert read_pins(written.dumps(originals=originals).encode()) == written.pins
    assert None in report.pins.values()


ROW_OF = (
    b'{"version":1,"map":[{"kind":"layer","where":"a","change":"dropped","old":%s,"new":null}]}'
)


@pytest.mark.parametrize("read", [read_map, read_pins])
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "invalid-json"),
        (b"[]", "invalid-document"),
        (b"{}", "not-a-report"),
        (b'{"version":2,"map":[]}', "not-a-report"),
        (b'{"version":1,"map":{}}', "not-a-report"),
        (b'{"version":1,"map":[7]}', "not-a-report"),
        (b'{"version":1,"map":[{"new":{}}]}', "not-a-report"),
        (b'{"version":1,"map":[{"new":null}]}', "not-a-report"),
        (ROW_OF % b'{"mediaType":"a/b","digest":"sha256:x","size":1}', "not-a-report"),
        (ROW_OF % b'{"mediaType":"a/b","size":1}', "not-a-report"),
    ],
)
def test_what_is_no_report_is_refused(
    read: Callable[[bytes, str], object], raw: bytes, code: str
) -> None:
    with pytest.raises(DocumentError) as refused:
        read(raw, "FILE")
    assert refused.value.code == code
    assert refused.value.where.startswith("FILE")
    assert "Report.dumps()" in refused.value.remedy


def test_a_report_is_read_as_it_was_written(report: Report) -> None:
    for written in (report, converted(docker_image(), "oci"), converted(mixed(), "oci-rc2")):
        for originals in (False, True):
            read = Report.loads(written.dumps(originals=originals), "FILE")
            assert read.dumps(originals=originals) == written.dumps(originals=originals)
            assert (read.digest_map, read.pins) == (written.digest_map, written.pins)
            assert (read.losses, read.reversible) == (written.losses, written.reversible)
        assert read == replace(written, totals=read.totals)


def test_what_nobody_knows_in_a_report_is_passed_over(report: Report) -> None:
    later = json.loads(report.dumps())
    later["news"] = later["map"][0]["news"] = later["images"][0]["news"] = {"a": 1}
    assert Report.from_json(later).digest_map == report.digest_map
    del later["totals"], later["findings"], later["images"][0]["platform"]
    assert Report.from_json(later).pins == report.pins


def test_the_maps_of_a_report_cannot_be_changed_and_it_can_be_pickled(report: Report) -> None:
    for found in (report.digest_map, report.pins):
        with pytest.raises(TypeError):
            found["a"] = None  # type: ignore[index]
    twin = pickle.loads(pickle.dumps(report))
    assert twin == report
    assert twin.digest_map == report.digest_map


def test_every_image_has_its_platform(tmp_path: Path) -> None:
    """That of an archive without manifests, too."""
    (tmp_path / "app.tar").write_bytes(archives.archive(archives.docker_20(archives.Saved())))
    saved = convert(str(tmp_path / "app.tar"), Memory(), to="oci").images[0]
    assert (saved.old, saved.platform) == (None, "linux/amd64")
    assert converted(oci_image(platform="linux/arm64/v8"), "docker").images[0].platform == (
        "linux/arm64/v8"
    )
    assert converted(mixed(), "oci").images[0].platform is None


def test_attestations_and_foreign_layers_are_fields() -> None:
    foreign = oci_image([layer("base"), layer("f", foreign=True, more={"urls": ["http://a/b"]})])
    rows = converted(image_list([foreign, attestation(foreign)]), "oci").map
    attested = [row.where for row in rows if row.attestation]
    assert attested == [
        "images[0].manifests[1]",
        "images[0].manifests[1].config",
        "images[0].manifests[1].layers[0]",
    ]
    assert [row.where for row in rows if row.foreign] == ["images[0].manifests[0].layers[1]"]


def test_a_failure_keeps_the_class_and_the_remedy_of_its_error() -> None:
    broken = layout_files({"b": oci_image([layer("x")])})
    broken.pop(f"blobs/{layer('x').digest.replace(':', '/')}")
    with pytest.raises(OciConvertError) as raised:
        convert(Memory(broken), Memory(), to="oci")
    report = convert([Memory(broken)], Memory(), to="oci", keep_going=True)
    assert report.failures == (Failure.of("memory", raised.value),)
    assert report.failures[0].error == "BlobError"
    assert report.failures[0].remedy == raised.value.remedy != ""
    assert Report.loads(report.dumps()).failures == report.failures


@pytest.mark.parametrize("damaged", [True, False], ids=["damaged", "missing"])
def test_an_error_has_the_number_that_the_image_has_in_its_store(damaged: bool) -> None:
    good, bad = oci_image([layer("good")]), oci_image([layer("x")])
    blob = f"blobs/{layer('x').digest.replace(':', '/')}"
    files = layout_files({"a": good, "b": good, "c": bad})
    data = files.pop(blob)
    if damaged:
        files[blob] = b"?" * len(data)
    sources = [Memory(layout_files({"first": good})), Memory(files)]
    with pytest.raises(OciConvertError) as raised:
        convert(sources, Memory(), to="oci")
    assert raised.value.where == open_images(sources[1]).find("c").layers[0].where
    sources.append(sources[1].image("c"))
    report = convert(sources, Memory(), to="oci", keep_going=True)
    assert {(one.source, one.store, one.where) for one in report.failures} == {
        ("memory", "memory", "images[2].layers[0]"),
        ("memory:c", "memory", "images[0].layers[0]"),
    }


def test_what_one_source_has_wrong_is_taken_from_the_next_one() -> None:
    image = oci_image([layer("x")])
    files = layout_files({"a": image, "b": oci_image([layer("x"), layer("y")])})
    blob = f"blobs/{layer('x').digest.replace(':', '/')}"
    wrong = Memory({**files, blob: b"?" * len(files[blob])})
    target = Memory()
    report = convert([wrong, Memory(files).image("a")], target, to="oci", keep_going=True)
    assert [one.name for one in report.images] == ["a"]
    assert [one.where for one in report.failures] == [f"images[{i}].layers[0]" for i in (0, 1)]
    assert target.files[blob] == files[blob]
    assert verify(target).sound


def test_the_images_of_a_report_must_be_rows() -> None:
    for images in (b"7", b"[7]"):
        with pytest.raises(DocumentError) as refused:
            read_pins(b'{"version":1,"map":[],"images":%s}' % images, "FILE")
        assert refused.value.code == "not-a-report"


def test_every_code_says_what_is_the_case_and_what_to_do() -> None:
    for name, code in CODES.items():
        assert code.meaning.endswith("."), name
        assert code.advice.endswith("."), name
        assert Finding.of(name, "here", "this").level is code.level
    faults = {code.level for code in CODES.values() if code.fault}
    assert faults == {Level.WARNING, Level.LOSS}
