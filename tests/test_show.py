"""What one sees of images and of runs, at several widths."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oci_convert.cli import run as command
from oci_convert.cli import show
from oci_convert.cli.show.graph import graph as show_graph
from oci_convert.cli.show.plan import plan as show_plan
from oci_convert.cli.show.summary import summary as show_summary
from oci_convert.cli.show.tree import tree as show_tree
from oci_convert.conversion.convert import convert
from oci_convert.findings import Finding, Level
from oci_convert.inspection.inspect import inspect
from oci_convert.report import Change, Report
from oci_convert.stores.memory import Memory
from support.command import Command
from support.images import (
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
    oci_image,
    referrer,
    save_tar,
    write_layout,
)
from support.runs import AT_HOME, MISLABELLED, UNRETURNABLE, ZSTD, everything, platforms, store

Golden = Callable[[str, str], None]
Captured = pytest.CaptureFixture[str]

IMAGE = oci_image()
WINDOWS = oci_image(
    [layer("base", foreign=True, present=False), layer("app")], platform="windows/amd64"
)
HELM = manifest(
    Blob("application/vnd.cncf.helm.config.v1+json", b"{}"),
    [Blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart")],
)


def companions() -> Memory:
    """An image with all that may speak of it, in a layout with a second name of it."""
    files = layout_files(
        {
            "app:1": image_list([IMAGE, attestation(IMAGE)]),
            "app:latest": image_list([IMAGE, attestation(IMAGE)]),
            "note": referrer(IMAGE),
            cosign_tag(IMAGE): cosign_signature(IMAGE),
        }
    )
    return Memory(files)


SOURCES: dict[str, Callable[[], Memory]] = {
    "companions": companions,
    "everything": lambda: store(app=everything()),
    "foreign": lambda: store(**{"": image_list([WINDOWS, docker_image()])}),
    "artifact": lambda: store(chart=HELM),
}
WIDTHS = (40, 80, 200)


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def drawn(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], None], int | None], str]:
    """``drawn(act, 80)``: everything that ``act`` prints where lines have 80 columns."""

    def draw(act: Callable[[], None], width: int | None = None) -> str:
        if width is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", str(width))
        act()
        captured = capsys.readouterr()
        assert not (captured.out and captured.err)
        return captured.out or captured.err

    return draw


Drawn = Callable[[Callable[[], None], int | None], str]


def width_of(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)


# -- trees --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
def test_a_tree_is_drawn_for_every_width(name: str, drawn: Drawn, golden: Golden) -> None:
    inspection = inspect(SOURCES[name]())
    parts = []
    for width in (*WIDTHS, None):
        tree = drawn(lambda: show_tree(inspection), width)
        assert width is None or width_of(tree) <= width
        parts.append(f"{width or 'no end'}:\n{tree}")
    golden("\n".join(parts), f"show/tree-{name}.txt")


def test_a_whole_tree_has_whole_digests_and_types(drawn: Drawn) -> None:
    tree = drawn(lambda: show_tree(inspect(store(app=IMAGE)), full=True), 40)
    for digest in IMAGE.blobs:
        assert digest in tree
    assert "application/vnd.oci.image.layer.v1.tar+gzip" in tree


def test_every_fact_of_a_tree_is_there_at_eighty_columns(drawn: Drawn) -> None:
    inspection = inspect(store(app=everything()))
    tree = drawn(lambda: show_tree(inspection), 80)
    for image in inspection.images:
        for blob in image.walk():
            assert blob.descriptor.digest[7:19] in tree
            assert all(note.partition(" ")[0] in tree for note in blob.notes)
            assert blob.platform is None or blob.platform in tree


def test_a_second_name_of_an_image_is_told_in_a_line(drawn: Drawn) -> None:
    tree = drawn(lambda: show_tree(inspect(companions())), 80)
    assert "\napp:latest is the same as app:1\n" in tree


def test_what_an_image_says_of_itself_draws_no_lines(drawn: Drawn) -> None:
    name = "a\n└── layer\x1b[2J"
    tree = drawn(lambda: show_tree(inspect(store(**{name: IMAGE}))), 200)
    assert tree.splitlines()[0].startswith(r"a\n└── layer\x1b[2J  ")
    assert len(tree.splitlines()) == 5


# -- diagrams -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
def test_a_diagram_shows_the_relations(name: str, drawn: Drawn, golden: Golden) -> None:
    diagram = drawn(lambda: show_graph(inspect(SOURCES[name]())), 40)
    assert_mermaid(diagram)
    golden(diagram, f"show/graph-{name}.mmd")


_TEXT = r'"(?:[^"`%{}<>;#&@|\\]|#\d+;|<br>)*"'
_SIDES = (
    (r"\[\[", r"\]\]"),
    (r"\[", r"\]"),
    (r"\(", r"\)"),
    (r"\[\(", r"\)\]"),
    (r"\(\[", r"\]\)"),
)
_BOX = "|".join(f"{left}{_TEXT}{right}" for left, right in (*_SIDES, (r"\{\{", r"\}\}")))
_ID = r"(?:b|name)\d+"
GRAMMAR = re.compile(
    rf"flowchart TD|    {_ID}(?:{_BOX})|    {_ID} (?:-->|-\.->)(?:\|{_TEXT}\|)? {_ID}"
    rf"|    classDef absent stroke-dasharray: 4 4|    class {_ID}(?:,{_ID})* absent"
)
"""The part of Mermaid's grammar that is used, without whatever means something inside of texts."""


def assert_mermaid(diagram: str) -> None:
    """Every line is one of the grammar, and every arrow joins boxes that are there."""
    for line in diagram.splitlines():
        assert GRAMMAR.fullmatch(line), line
    boxes = set(re.findall(rf"^    ({_ID})[\[({{]", diagram, re.MULTILINE))
    ends = re.findall(rf"^    ({_ID}) -.*? ({_ID})$", diagram, re.MULTILINE)
    assert ends
    assert boxes == {end for pair in ends for end in pair}


def test_what_an_image_says_of_itself_is_no_mermaid(drawn: Drawn) -> None:
    name = 'x" --> b9; %%{init: {}}%% <script>`y` #quot; & end\n\x1b \u202e @{z} {{ }} | [[ ]]'
    diagram = drawn(lambda: show_graph(inspect(store(**{name: IMAGE}))), None)
    assert_mermaid(diagram)
    label = re.search(r'name0\(\["(.*)"\]\)', diagram)
    assert label is not None
    read = re.sub(r"#(\d+);", lambda match: chr(int(match[1])), label[1])
    assert read == name.encode("unicode_escape").decode()


def test_a_blob_has_one_box_whoever_names_it(drawn: Drawn) -> None:
    diagram = drawn(lambda: show_graph(inspect(store(a=image_list(platforms("a/b", "c/d"))))), None)
    shared = layer("base").digest[7:19]
    assert diagram.count(shared) == 1
    (box,) = re.findall(rf"(b\d+)\[\(.*{shared}", diagram)
    assert len(re.findall(rf"layers\[0\]\"\| {box}$", diagram, re.MULTILINE)) == 2


def test_layers_share_a_box_where_mermaid_would_give_up(drawn: Drawn) -> None:
    many = oci_image([layer(str(i)) for i in range(500)])
    diagram = drawn(lambda: show_graph(inspect(store(a=many))), None)
    assert_mermaid(diagram)
    assert "500 layers<br>" in diagram
    assert diagram.count("-->") == 3


# -- plans --------------------------------------------------------------------------------------

RUNS: dict[str, tuple[Callable[[], Image], str, dict[str, Any]]] = {
    "everything to docker": (everything, "docker", {}),
    "everything to oci": (everything, "oci", {}),
    "as zstd": (oci_image, "oci", {"compress": "zstd"}),
    "foreign": (lambda: WINDOWS, "docker", {}),
    "nested": (
        lambda: image_list([image_list([oci_image()], annotations={"level": "2"})]),
        "docker",
        {},
    ),
    "flattened": (
        lambda: image_list([IMAGE, attestation(IMAGE)]),
        "docker",
        {"flatten": True, "attestations": "keep"},
    ),
    "sparse": (
        lambda: image_list(platforms("a/b", "c/d")).without(platforms("c/d")[0].digest),
        "docker",
        {},
    ),
    "one platform": (lambda: image_list(platforms("a/b", "c/d")), "oci", {"platforms": ["a/b"]}),
}


def reported(image: Image, to: str, *, dry_run: bool = True, **options: Any) -> Report:
    return convert(store(app=image), Memory(), to=to, dry_run=dry_run, **options)


@pytest.mark.parametrize("name", RUNS)
def test_a_plan_is_drawn_for_every_width(name: str, drawn: Drawn, golden: Golden) -> None:
    make, to, options = RUNS[name]
    report = reported(make(), to, **options)
    parts = []
    for width in (*WIDTHS, None):
        plan = drawn(lambda: show_plan(report), width)
        assert width is None or width_of(plan) <= width
        parts.append(f"{width or 'no end'}:\n{plan}")
    golden("\n".join(parts), f"show/plan-{name.replace(' ', '-')}.txt")


def test_every_blob_is_in_the_plan_with_its_reason(drawn: Drawn) -> None:
    report = reported(everything(), "docker")
    lines = drawn(lambda: show_plan(report), 200).splitlines()[1:]
    assert len(lines) == len(report.map)
    for row, line in zip(report.map, lines, strict=True):
        assert line.startswith(row.change.label)
        assert row.old.digest[7:19] in line
        reason = line.rpartition("  ")[2]
        assert reason
        assert reason != row.old.media_type


def test_a_layer_of_a_daemon_is_packed_as_a_push_packs_it(drawn: Drawn, tmp_path: Any) -> None:
    (tmp_path / "app.tar").write_bytes(save_tar({"app:1": docker_image()}))
    report = convert(tmp_path / "app.tar", Memory(), to="docker", dry_run=True)
    plan = drawn(lambda: show_plan(report), 80)
    assert plan.startswith("docker.io/library/app:1\n")
    assert re.search(r"recompressed +layer tar → gzip .* as pushed$", plan, re.MULTILINE)


IMAGES: dict[str, tuple[Image, str, dict[str, Any]]] = {
    **{f"at home: {name}": (*case, {}) for name, case in AT_HOME.items()},
    **{f"unreturnable: {name}": (*case, {}) for name, case in UNRETURNABLE.items()},
    **{
        f"mislabelled: {name} to {to}": (image, to, {})
        for name, (image, _) in MISLABELLED.items()
        for to in ("docker", "oci")
    },
    **{name: (make(), to, options) for name, (make, to, options) in RUNS.items()},
    "zstd": (oci_image([layer("z", ZSTD), layer("g")]), "docker", {}),
}


@pytest.mark.parametrize("case", IMAGES)
def test_a_dry_run_tells_exactly_what_the_run_does(case: str, drawn: Drawn) -> None:
    image, to, options = IMAGES[case]
    dry, wet = (reported(image, to, dry_run=dry, **options) for dry in (True, False))
    assert [row.to_json() for row in dry.map] == [row.to_json() for row in wet.map]
    assert dry.findings == wet.findings
    assert dry.images == wet.images
    assert all(row.new is not None or row.change is Change.DROPPED for row in dry.map)
    plans = [drawn(lambda report=report: show_plan(report), 80) for report in (dry, wet)]  # type: ignore[misc]
    assert plans[0] == plans[1]


# -- summaries ----------------------------------------------------------------------------------


def summary(drawn: Drawn, report: Report) -> str:
    return drawn(lambda: show_summary(report), None)


def test_a_summary_says_what_was_done_and_that_it_can_be_undone(drawn: Drawn) -> None:
    report = reported(docker_image(), "oci", dry_run=False)
    (image,) = report.images
    assert image.old is not None
    assert summary(drawn, report).splitlines() == [
        f"app  {image.old.digest[7:19]} → {image.new.digest[7:19]}",
        "1 manifest edited, 2 layers kept, none recompressed, image ID kept",
        (
            f"{show.bytes_of(report.totals.bytes_written)} written; reversible: "
            "converting back gives the same bytes"
        ),
    ]


REVERSIBLE: dict[str, tuple[Callable[[], Image], str, str]] = {
    "same bytes": (docker_image, "oci", "reversible: converting back gives the same bytes"),
    "repacked": (
        lambda: oci_image([layer("z", ZSTD)]),
        "docker",
        "not reversible: 1 layer recompressed",
    ),
    "lost": (
        lambda: oci_image(annotations={"a": "b"}),
        "docker",
        "1 loss, 1 warning; not reversible: annotations removed",
    ),
    "both": (
        lambda: oci_image([layer("z", ZSTD), layer("y", ZSTD)], annotations={"a": "b"}),
        "docker",
        "not reversible: 2 layers recompressed, annotations removed",
    ),
}


@pytest.mark.parametrize("case", REVERSIBLE)
def test_a_summary_says_why_it_is_not_reversible(case: str, drawn: Drawn) -> None:
    make, to, told = REVERSIBLE[case]
    report = reported(make(), to)
    hint = " (--record FILE keeps the originals)" if report.losses else ""
    assert summary(drawn, report).endswith(f"{told}{hint}\n")
    assert "would be written" in summary(drawn, report)


def test_what_a_summary_counts_is_in_the_map(drawn: Drawn) -> None:
    report = reported(everything(), "docker")
    told = summary(drawn, report).splitlines()[1]
    assert told == (
        "1 index edited, 3 manifests edited, 4 layers kept, 1 recompressed, image IDs kept, "
        "1 index dropped, 1 manifest dropped"
    )


def test_of_many_images_there_is_a_count(drawn: Drawn) -> None:
    images = {f"app{i}": docker_image([layer(str(i))]) for i in range(4)}
    mixed = store(**images, same=oci_image())
    report = convert(mixed, Memory(), to="oci", dry_run=True)
    told = summary(drawn, report).splitlines()
    assert told[0] == "5 images: 4 with a new digest, 1 with the old one"
    few = convert(store(**images), Memory(), to="oci", dry_run=True)
    assert [line.split()[0] for line in summary(drawn, few).splitlines()[:4]] == list(images)


def test_an_image_that_stays_is_called_unchanged(drawn: Drawn) -> None:
    told = summary(drawn, reported(IMAGE, "oci")).splitlines()
    assert told[0] == f"app  {IMAGE.digest[7:19]} (unchanged)"
    assert told[1] == "1 manifest kept, 2 layers kept, none recompressed, image ID kept"


def test_an_image_without_a_manifest_had_none(drawn: Drawn, tmp_path: Any) -> None:
    (tmp_path / "app.tar").write_bytes(save_tar({"app:1": docker_image()}))
    report = convert(tmp_path / "app.tar", Memory(), to="docker", dry_run=True)
    assert summary(drawn, report).splitlines()[0].endswith("(it had no manifest)")


def test_what_is_no_image_keeps_no_image_id(drawn: Drawn) -> None:
    told = summary(drawn, reported(HELM, "oci"))
    assert "image ID" not in told
    assert "2 other blobs kept" in told


# -- findings -----------------------------------------------------------------------------------


def test_findings_may_be_told_by_their_weight(drawn: Drawn) -> None:
    codes = ("layer-repacked", "annotations-removed", "config-problem", "blob-missing")
    found = [Finding.of(code, "images[0]", "so it is") for code in codes]
    plain = drawn(lambda: show.findings(found), None)
    assert [line.partition(":")[0] for line in plain.splitlines()] == [
        "info", "loss", "warning", "error",
    ]  # fmt: skip
    weighed = drawn(lambda: show.findings(found, weightiest_first=True), None)
    assert weighed.splitlines() == [
        "error: images[0]: so it is [blob-missing]",
        "loss: images[0]: so it is [annotations-removed]",
        "warning: images[0]: so it is [config-problem]",
        "info: images[0]: so it is [layer-repacked]",
    ]


def test_many_findings_of_a_kind_are_counted(drawn: Drawn) -> None:
    found = [Finding.of("orphan-blob", f"blobs/{i}", "nobody names it") for i in range(10)]
    lines = drawn(lambda: show.findings(found), None).splitlines()
    assert len(lines) == 4
    assert lines[-1] == "info: 7 more places like this; -v lists all [orphan-blob]"
    assert len(drawn(lambda: show.findings(found, every=True), None).splitlines()) == 10


def test_findings_of_a_kind_in_one_image_are_one_line(drawn: Drawn) -> None:
    codes = ("layer-repacked", "attestation-dropped")
    places = [f"images[{i}].manifests[{j}]" for i in range(2) for j in range(6)]
    found = [Finding.of(code, where, "so it is") for where in places for code in codes]
    assert drawn(lambda: show.findings(found), None).splitlines() == [
        f"{level}: images[{i}].manifests[0]: so it is (and 5 more; -v lists all) [{code}]"
        for i in range(2)
        for level, code in (("info", codes[0]), ("loss", codes[1]))
    ]
    assert len(drawn(lambda: show.findings(found, every=True), None).splitlines()) == 24
    errors = [Finding.of("digest-mismatch", where, "so it is") for where in places[:3]]
    assert len(drawn(lambda: show.findings(errors), None).splitlines()) == 3


def test_a_conversion_of_six_platforms_takes_few_lines(command: Command, tmp_path: Path) -> None:
    images = platforms("a/1", "a/2", "a/3", "a/4", "a/5", "a/6")
    index = image_list([*images, *map(attestation, images)])
    write_layout({"app": index}, tmp_path / "in")
    call = ["convert", f"oci:{tmp_path}/in", "--to", "docker"]
    few = command(*call, f"dir:{tmp_path}/out").err.splitlines()
    every = command(*call, f"dir:{tmp_path}/other", "-v").err.splitlines()
    dropped = [line for line in few if line.startswith("loss: ")]
    assert len(dropped) == 1
    assert dropped[0].endswith("(and 5 more; -v lists all) [attestation-dropped]")
    assert len([line for line in every if line.startswith("loss: ")]) == 6
    assert "6 losses, 1 warning; not reversible: attestation dropped (6)" in few[-1]


def test_a_report_with_failures_gives_no_image_a_wrong_name(drawn: Drawn) -> None:
    report = reported(IMAGE, "docker")
    failed = convert(
        [store(bad=replace(IMAGE, blobs={})), store(app=IMAGE)],
        Memory(),
        to="docker",
        keep_going=True,
        dry_run=True,
    )
    assert drawn(lambda: show_plan(report), 80).startswith("app\n")
    assert failed.failures
    assert "bad" not in drawn(lambda: show_plan(failed), 80)


# -- the command --------------------------------------------------------------------------------


def test_standard_output_is_the_result_alone(
    capsys: Captured, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_layout({"app": IMAGE}, tmp_path / "in")
    words = ["convert", str(tmp_path / "in"), f"dir:{tmp_path}/out", "--to", "docker", "--dry-run"]
    for more, out in {(): None, ("--json",): "json", ("--quiet",): "quiet"}.items():
        monkeypatch.setattr("sys.argv", ["oci-convert", *words, *more])
        assert command._run() == 0
        captured = capsys.readouterr()
        if out == "json":
            assert json.loads(captured.out)["dry_run"] is True
        else:
            assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", captured.out)
        assert bool(captured.err) is (out != "quiet")


def test_an_error_does_not_hide_among_warnings_of_its_code(drawn: Drawn) -> None:
    found = [Finding.of("config-problem", f"images[{i}]", "odd") for i in range(9)]
    found.append(Finding("config-problem", Level.ERROR, "images[9]", "wrong"))
    lines = drawn(lambda: show.findings(found), None).splitlines()
    assert lines[-2:] == [
        "warning: 6 more places like this; -v lists all [config-problem]",
        "error: images[9]: wrong [config-problem]",
    ]
