"""What results come to: in lines, as a page, as a map; and pins that follow results."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from oci_convert.cli.overview_page import page
from oci_convert.fleet.overview import DURATIONS, overview
from oci_convert.fleet.results import JobResult, JobStatus
from oci_convert.report import ConvertedImage, Failure
from oci_convert.spec.digest import Digest
from oci_convert.spec.models import Descriptor
from support.command import Command


def descriptor(text: str) -> Descriptor:
    return Descriptor(media_type="a/b", digest=Digest.of(text.encode()), size=len(text))


def result(name: str, status: str = "done", *, new: str = "", **members: object) -> JobResult:
    image = ConvertedImage(
        name, f"oci:{name}", descriptor(name), descriptor(new or f"{name}!"), True
    )
    images = (image,) if status in ("done", "unchanged") else ()
    return JobResult(
        id=name,
        source=f"oci:{name}",
        destination="oci:out",
        status=JobStatus(status),
        images=images,
        **members,  # type: ignore[arg-type]
    )


def failure(code: str, message: str = "<b>it</b> & more") -> Failure:
    return Failure("oci:x", "StoreError", code, "x", message, "mend it")


RESULTS = [
    result("a", requests=12, documents=6, blobs=45, size=10**9, bytes_down=15_000, bytes_up=15_000),
    result("b", seconds=2.0, losses={"annotations-removed": 3, "attestation-removed": 1}),
    result("c", "unchanged"),
    result("d", "failed", failure=failure("blob-missing")),
    *(result(f"e{n}", "failed", failure=failure("no-such-tag", f"no {n}")) for n in range(5)),
    result("f", "lost", failure=failure("job-lost")),
    result("g", "skipped"),
]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results.jsonl"
    path.write_text("".join(it.line() for it in RESULTS) + RESULTS[-1].line()[:20])
    return path


def test_counts_failures_losses_and_what_was_saved() -> None:
    found = overview(RESULTS)
    assert found.total == len(RESULTS)
    assert {status.value: number for status, number in found.jobs.items()} == {
        "done": 2,
        "unchanged": 1,
        "skipped": 1,
        "lost": 1,
        "failed": 6,
    }
    assert list(found.failures) == ["no-such-tag", "blob-missing", "job-lost"]
    assert found.failures["no-such-tag"].jobs == 5
    assert len(found.failures["no-such-tag"].examples) == 3
    assert found.losses == {"annotations-removed": 3, "attestation-removed": 1}
    assert found.requests_saved == 6 * 2 + 45 * 4 - 12
    assert found.bytes_saved == 2 * 10**9 - 30_000
    assert sum(found.durations) == 2
    assert found.durations[DURATIONS.index(3.0)] == 1


def test_the_command_prints_it_and_writes_page_and_map(file: Path, command: Command) -> None:
    ended = command("report", str(file), "--html", "report.html", "--map", "map.csv")
    assert ended.status == 0, ended.err
    assert ended.out.startswith("11 jobs: 2 done, 1 unchanged, 1 skipped, 6 failed, 1 lost\n")
    assert "5 failed: no-such-tag" in ended.out
    rows = list(csv.DictReader(Path("map.csv").read_text("utf-8").splitlines()))
    assert [(row["old"], row["new"]) for row in rows] == [
        (descriptor(name).digest, descriptor(f"{name}!").digest) for name in "abc"
    ]
    assert command("report", str(file), "--json").json["jobs"]["failed"] == 6
    assert "<title>results.jsonl" in Path("report.html").read_text("utf-8")


def test_the_page_is_one_file_and_obeys_nothing_that_an_image_says() -> None:
    text = page(overview(RESULTS), "<script>x</script>")
    assert "<script" not in text
    assert "&lt;b&gt;it" in text
    assert not re.search(r"(?:src|href|url)\s*[=(]", text)
    body = text[text.index("<body>") : text.index("</body>")] + "</body>"
    assert len(list(ET.fromstring(body).iter("svg"))) == 2 + 2


def test_a_page_of_nothing_is_a_page() -> None:
    assert "<h1>" in page(overview([]), "empty")


# -- pins that follow results ---------------------------------------------------------------------


def test_results_are_a_map(file: Path, command: Command) -> None:
    (file.parent / "pin.yaml").write_text(f"image: app@{descriptor('a').digest}\n")
    ended = command("repin", "--map", str(file), "pin.yaml")
    assert ended.status == 0, ended.err
    assert (file.parent / "pin.yaml").read_text() == f"image: app@{descriptor('a!').digest}\n"


def test_a_digest_that_leads_to_two_is_named_with_its_jobs(file: Path, command: Command) -> None:
    with file.open("w") as results:
        one, two = result("a"), result("a", new="other")
        results.write(one.line() + two.line().replace('"id":"a"', '"id":"second"', 1))
    (file.parent / "pin.yaml").write_text("")
    ended = command("repin", "--map", str(file), "pin.yaml")
    assert ended.status == 2
    assert "results.jsonl: second" in ended.err
    assert "results.jsonl: a maps" in ended.err


def test_a_folder_of_records_is_a_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.chdir(tmp_path)
    testdata = Path(__file__).parent.parent / "testdata"
    (tmp_path / "jobs.csv").write_text(
        f"source,destination\n{testdata}/docker-list-dir,oci:out:1\n"
    )
    assert command("batch", "jobs.csv", "--records", "records").status == 0
    old = Digest.of((testdata / "docker-list-dir" / "manifest.json").read_bytes())
    (tmp_path / "pin.yaml").write_text(f"app@{old}\n")
    assert command("repin", "--map", "records", "pin.yaml").status == 0
    assert old not in (tmp_path / "pin.yaml").read_text()
