"""Many images: an engine that is lazy in both directions, loses nothing and never raises."""

from __future__ import annotations

import json
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from oci_convert import (
    Job,
    JobResult,
    JobStatus,
    Memory,
    OciConvertError,
    Options,
    convert,
    convert_many,
    inspect,
    read_results,
)
from oci_convert.fleet import work
from oci_convert.fleet.engine import Fleet
from oci_convert.fleet.jobs import Chunk
from oci_convert.fleet.results import Answer
from registry import FakeRegistry, Fault
from support.images import docker_image, image_list, layer, oci_image, save_tar, write_layout
from support.registries import client, load, use

TESTDATA = Path(__file__).parent.parent / "testdata"
FAST = Options(fsync=False)


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    write_layout(
        {str(number): oci_image([layer(str(number))]) for number in range(9)}, tmp_path / "in"
    )
    return tmp_path / "in"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        for number in range(9):
            load(fake, "team/app", str(number), docker_image([layer(str(number))]))
        with client() as ours:
            use(ours)
            yield fake
        use()


def copies(layout: Path, count: int = 9, options: Options = FAST) -> list[Job]:
    return [
        Job(f"oci:{layout}:{n}", f"dir:{layout.parent}/out{n}", options.but(to="docker"))
        for n in range(count)
    ]


def inside(fake: FakeRegistry, count: int = 9) -> list[Job]:
    base = f"docker://{fake.host}/team/app"
    return [Job(f"{base}:{n}", f"{base}:{n}-oci", Options(to="oci")) for n in range(count)]


def statuses(results: Any) -> dict[str, JobStatus]:
    return {result.id: result.status for result in results}


def test_every_job_has_a_result_and_every_image_is_there(layout: Path) -> None:
    results = list(convert_many(copies(layout)))
    assert {result.status for result in results} == {JobStatus.DONE}
    for result in results:
        assert inspect(result.destination).images[0].descriptor == result.images[0].new
        assert result.size > 0
        assert (result.documents, result.blobs) == (1, 2)


def test_a_failure_is_a_value_and_the_others_go_on(layout: Path) -> None:
    jobs = [*copies(layout, 3), Job(f"oci:{layout}:no", "dir:x", FAST.but(to="docker"), "odd")]
    results = {result.id: result for result in convert_many(jobs)}
    assert [result.status for result in results.values()].count(JobStatus.DONE) == 3
    failure = results["odd"].failure
    assert failure is not None
    assert failure.code == "unknown-reference"


ARM = oci_image([layer("arm")], platform="linux/arm64")
BOTH = image_list([oci_image([layer("both")]), ARM])
LACKING: dict[str, tuple[Options, list[str], list[int], bool]] = {
    "one has it, and one in a list": (
        Options(platforms=("linux/amd64",)),
        ["done", "left-out", "done"],
        [0, 1, 0],
        False,
    ),
    "a list has one of two": (
        Options(platforms=("linux/arm64", "linux/riscv64")),
        ["left-out", "done", "done"],
        [1, 0, 1],
        False,
    ),
    "none has it": (Options(platforms=("linux/riscv64",)), ["left-out"] * 3, [1] * 3, True),
    "with on_loss": (
        Options(platforms=("linux/amd64",), on_loss="fail"),
        ["done", "failed", "done"],
        [0, 0, 0],
        False,
    ),
    "with keep_going": (
        Options(platforms=("linux/amd64",), keep_going=True),
        ["done", "left-out", "done"],
        [0, 1, 0],
        False,
    ),
}


@pytest.mark.parametrize("case", LACKING)
def test_an_image_without_the_platform_is_a_loss_and_no_failure(case: str, tmp_path: Path) -> None:
    options, expected, lost, found_nothing = LACKING[case]
    write_layout({"0": oci_image([layer("0")]), "1": ARM, "2": BOTH}, tmp_path / "in")
    jobs = copies(tmp_path / "in", 3, options.but(fsync=False))
    jobs = [Job(it.source, f"oci:{tmp_path}/out{n}", it.options) for n, it in enumerate(jobs)]
    file = tmp_path / "results.jsonl"
    for again in (False, True):
        fleet = Fleet(jobs, results=file)
        results = sorted(fleet, key=lambda it: it.id)
        done = "unchanged" if again else "done"
        assert [it.status for it in results] == [done if it == "done" else it for it in expected]
        assert [it.losses.get("no-such-platform", 0) for it in results] == lost
        for it in results:
            assert (it.failure is None) is (it.status is not JobStatus.FAILED)
            assert bool(it.images) is it.status.good
        assert fleet.summary.bad == expected.count("failed")
        assert fleet.summary.losses == ({"no-such-platform": sum(lost)} if any(lost) else {})
        assert fleet.summary.found_nothing is found_nothing
    assert {it.status.value for it in read_results(file)} <= {"unchanged", *expected}
    stopped = list(convert_many(jobs, workers=1, fail_fast=True))
    assert "failed" in expected or len(stopped) == 3


def test_what_nobody_foresaw_is_a_value_too(layout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **values: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(work, "convert_for", broken)
    (result,) = convert_many(copies(layout, 1))
    assert result.failure is not None
    assert (result.status, result.failure.code) == (JobStatus.FAILED, "internal-error")


def test_jobs_and_results_go_to_other_processes(layout: Path) -> None:
    (result,) = convert_many(copies(layout, 1))
    assert pickle.loads(pickle.dumps(result)) == result
    job = copies(layout, 1)[0]
    assert pickle.loads(pickle.dumps(job)) == job
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job
    assert JobResult.from_json(json.loads(result.line())) == result


def test_no_more_jobs_are_taken_than_there_is_room_for(layout: Path) -> None:
    taken = []

    def endless() -> Iterator[Job]:
        for number in range(10**9):
            taken.append(number)
            yield Job(f"oci:{layout}:no{number}", "dir:x", FAST.but(to="docker"))

    results = convert_many(endless(), workers=2, window=3)
    assert not taken
    for _ in range(10):
        next(results)
    assert isinstance(results, Generator)
    results.close()
    assert len(taken) <= 10 + 3 + 3


def test_what_is_under_way_has_results_where_jobs_end_with_an_error(
    layout: Path, tmp_path: Path
) -> None:
    def jobs() -> Iterator[Job]:
        yield from copies(layout, 3)
        raise ZeroDivisionError

    results = tmp_path / "r.jsonl"
    with pytest.raises(ZeroDivisionError):
        list(convert_many(jobs(), workers=3, window=3, results=results))
    assert len(list(read_results(results))) == 3
    last = json.loads(results.read_text().splitlines()[-1])["summary"]
    assert (last["complete"], last["jobs"]) == (False, {"done": 3})


# -- results and resuming -----------------------------------------------------------------------


def test_a_second_run_does_only_what_has_changed(layout: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    jobs = copies(layout, 4)
    first = list(convert_many(jobs, results=results))
    convert(TESTDATA / "docker-dir", f"oci:{layout}:0", fsync=False)
    (tmp_path / "out0").rename(tmp_path / "old0")
    jobs[1] = Job(jobs[1].source, f"dir:{tmp_path}/again", jobs[1].options)
    jobs[2] = Job(jobs[2].source, jobs[2].destination, jobs[2].options.but(force=True))
    second = statuses(convert_many(jobs, results=results))
    assert [second[job.id].value for job in jobs] == ["done", "done", "done", "unchanged"]
    last = {result.id: result for result in read_results(results)}
    assert len(last) == 5
    assert last[jobs[3].id].images == next(it for it in first if it.id == jobs[3].id).images


def test_without_resume_results_begin_anew(layout: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    list(convert_many(copies(layout, 4), results=results))
    list(convert_many(copies(layout, 2, FAST.but(force=True)), results=results, resume=False))
    assert len(list(read_results(results))) == 2


@pytest.mark.parametrize("left", [1, 7, 40])
def test_a_torn_last_line_is_dropped_and_its_job_done_again(
    layout: Path, tmp_path: Path, left: int
) -> None:
    results = tmp_path / "results.jsonl"
    jobs = copies(layout, 3, FAST.but(force=True))
    list(convert_many(jobs, results=results, workers=1))
    lines = results.read_bytes().splitlines(keepends=True)
    results.write_bytes(lines[0] + lines[1] + lines[2][:left])
    assert len(list(read_results(results))) == 2
    again = statuses(convert_many(jobs, results=results))
    assert sorted(again.values()) == ["done", "unchanged", "unchanged"]
    assert set(statuses(read_results(results))) == {job.id for job in jobs}
    assert json.loads(results.read_text().splitlines()[-1])["summary"]["complete"]


def test_the_last_line_sums_up(layout: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    jobs = [*copies(layout, 2), Job("oci:nowhere:1", f"dir:{tmp_path}/x", FAST.but(to="docker"))]
    list(convert_many(jobs, results=results))
    summary = json.loads(results.read_text().splitlines()[-1])["summary"]
    assert summary["jobs"] == {"done": 2, "failed": 1}
    assert sum(summary["failures"].values()) == 1


def test_a_line_that_is_no_result_is_named(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    results.write_text('{"summary": {}}\n\n[]\n')
    with pytest.raises(OciConvertError, match="line 3") as caught:
        list(read_results(results))
    assert caught.value.code == "not-results"


def test_a_line_that_is_no_result_is_named_where_it_is_resumed(
    layout: Path, tmp_path: Path
) -> None:
    job = copies(layout, 1)[0]
    (tmp_path / "r.jsonl").write_text(json.dumps({"id": job.id, "status": "weird"}) + "\n")
    with pytest.raises(OciConvertError, match=r"r\.jsonl: oci:") as told:
        list(convert_many([job], results=tmp_path / "r.jsonl"))
    assert told.value.code == "not-results"


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are Unicode elsewhere")
def test_a_file_whose_name_is_no_unicode_has_a_result_and_a_record(tmp_path: Path) -> None:
    archive = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.tar"))
    archive.write_bytes(save_tar({"app:1": docker_image([layer("a")])}))
    jobs = [Job(str(archive), f"oci:{tmp_path}/out:a", FAST)]
    results, records = tmp_path / "r.jsonl", tmp_path / "records"
    assert set(statuses(convert_many(jobs, results=results, records=records)).values()) == {
        JobStatus.DONE
    }
    assert len(list(records.iterdir())) == 1
    assert [it.status for it in convert_many(jobs, results=results)] == [JobStatus.UNCHANGED]
    assert len(list(read_results(results))) == 1


def test_records_hold_what_a_report_says(layout: Path, tmp_path: Path) -> None:
    list(convert_many(copies(layout, 3), records=tmp_path / "records"))
    records = [json.loads(path.read_text()) for path in (tmp_path / "records").iterdir()]
    assert {record["destination"] for record in records} == {
        f"dir:{tmp_path}/out{n}" for n in range(3)
    }


def test_an_archive_that_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    archive = tmp_path / "app.tar"
    archive.write_bytes(save_tar({"app:1": docker_image()}))
    jobs = [Job(str(archive), f"oci:{tmp_path}/out", FAST)]
    assert [r.status.value for r in convert_many(jobs, results=tmp_path / "r")] == ["done"]
    assert [r.status.value for r in convert_many(jobs, results=tmp_path / "r")] == ["unchanged"]
    archive.write_bytes(save_tar({"app:1": docker_image([layer("other")])}))
    assert [r.status.value for r in convert_many(jobs, results=tmp_path / "r")] == ["done"]


# -- stopping -----------------------------------------------------------------------------------


def test_after_a_failure_no_job_begins(layout: Path) -> None:
    jobs = [Job("oci:nowhere", "dir:x", FAST.but(to="docker")), *copies(layout)]
    results = list(convert_many(iter(jobs), fail_fast=True, workers=1, window=2))
    assert results[0].status is JobStatus.FAILED
    assert len(results) < len(jobs)
    assert results[-1].status in {JobStatus.SKIPPED, JobStatus.DONE}


def test_a_run_that_is_stopped_says_that_it_is_not_complete(layout: Path, tmp_path: Path) -> None:
    fleet = Fleet(copies(layout), workers=1, window=4, results=tmp_path / "r")
    results = []
    for result in fleet:
        results.append(result)
        fleet.stop()
    assert {result.status for result in results} <= {JobStatus.DONE, JobStatus.SKIPPED}
    assert not json.loads((tmp_path / "r").read_text().splitlines()[-1])["summary"]["complete"]


# -- registries ---------------------------------------------------------------------------------


def test_inside_a_registry_an_unchanged_source_costs_one_request(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    results = tmp_path / "results.jsonl"
    first = list(convert_many(inside(registry), results=results))
    assert {result.status for result in first} == {JobStatus.DONE}
    assert {result.bytes_up < result.size for result in first} == {True}
    before = len(registry.log.lines())
    again = list(convert_many(inside(registry), results=results))
    assert {result.status for result in again} == {JobStatus.UNCHANGED}
    assert len(registry.log.lines()) - before == 9


def test_a_target_that_has_the_image_is_unchanged_and_another_one_is_not(
    registry: FakeRegistry,
) -> None:
    jobs = inside(registry, 2)
    list(convert_many(jobs))
    load(registry, "team/app", "1-oci", docker_image([layer("stranger")]))
    again = {result.id: result for result in convert_many(jobs)}
    assert again[jobs[0].id].status is JobStatus.UNCHANGED
    failure = again[jobs[1].id].failure
    assert failure is not None
    assert failure.code == "target-exists"


def test_what_a_killed_run_has_written_is_unchanged_and_another_image_is_not(
    layout: Path,
) -> None:
    jobs = copies(layout, 2)
    list(convert_many(jobs))
    convert(f"oci:{layout}:5", f"dir:{layout.parent}/out1", to="docker", force=True, fsync=False)
    again = {result.id: result for result in convert_many(jobs)}
    assert again[jobs[0].id].status is JobStatus.UNCHANGED
    assert again[jobs[1].id].status is JobStatus.FAILED


def test_what_may_pass_is_tried_again(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_PAUSE", 0)
    registry.faults.when(lambda request: "manifests/0" in request.path, Fault.RESET, times=4)
    (result,) = convert_many(inside(registry, 1))
    assert (result.status, result.attempts) == (JobStatus.DONE, 2)


# -- layers that images share -------------------------------------------------------------------


def test_a_layer_that_archives_share_is_compressed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        image = docker_image([layer("base"), layer(str(number))])
        (tmp_path / f"{number}.tar").write_bytes(save_tar({f"app:{number}": image}))
    packed = []
    from oci_convert.conversion.transfer import Transfer

    compressed = Transfer._compressed

    def counted(self: Transfer, load: Any, decision: Any) -> Any:
        packed.append(load.descriptor.digest)
        return compressed(self, load, decision)

    monkeypatch.setattr(Transfer, "_compressed", counted)
    jobs = [Job(f"{tmp_path}/{n}.tar", f"oci:{tmp_path}/out", FAST) for n in range(6)]
    assert {result.status for result in convert_many(jobs, workers=6)} == {JobStatus.DONE}
    assert len(packed) == len(set(packed)) == 7
    assert len(inspect(f"oci:{tmp_path}/out").images) == 6


# -- engines ------------------------------------------------------------------------------------


class Losing(Executor):
    """Loses every chunk for which ``lose`` is true, as an engine whose workers die."""

    def __init__(self, lose: Callable[[Chunk], bool]) -> None:
        self.lose = lose
        self.sent: list[Chunk] = []

    def submit(self, function: Any, /, *args: Any, **values: Any) -> Future[Any]:
        chunk = pickle.loads(pickle.dumps(args[0]))
        self.sent.append(chunk)
        future: Future[Any] = Future()
        if self.lose(chunk):
            future.set_exception(RuntimeError("the worker died"))
        else:
            future.set_result(pickle.loads(pickle.dumps(function(chunk))))
        return future


def test_what_is_lost_is_sent_again_job_by_job(layout: Path) -> None:
    engine = Losing(lambda chunk: len(chunk.tasks) > 1)
    results = list(convert_many(copies(layout), executor=engine, chunk=4))
    assert [result.status for result in results] == [JobStatus.DONE] * 9
    assert [len(chunk.tasks) for chunk in engine.sent[:3]] == [4, 4, 1]


def test_what_is_sent_again_is_not_what_was_sent_before(layout: Path) -> None:
    """An engine that knows work by its arguments would answer with what became of it."""
    engine = Losing(lambda _: len(engine.sent) < 3)
    assert all(r.status is JobStatus.DONE for r in convert_many(copies(layout, 2), executor=engine))
    assert len(set(engine.sent)) == len(engine.sent)


@pytest.mark.parametrize(
    ("seconds", "sizes"), [(0.0, [1, 2, 4, 8, 16, 32, 50, 50]), (0.4, [1, 2, 2]), (9, [1, 1])]
)
def test_as_many_jobs_are_sent_at_once_as_take_a_second(seconds: float, sizes: list[int]) -> None:
    class Timed(Executor):
        def submit(self, function: Any, /, *args: Any, **values: Any) -> Future[Any]:
            (chunk,) = args
            sent.append(len(chunk.tasks))
            future: Future[Any] = Future()
            future.set_result(Answer(chunk.version, tuple(took(task.job) for task in chunk.tasks)))
            return future

    def took(job: Job) -> JobResult:
        return JobResult(
            id=job.id,
            source=job.source,
            destination=job.destination,
            status=JobStatus.DONE,
            seconds=seconds,
        )

    sent: list[int] = []
    jobs = [Job("oci:a", f"oci:{number}") for number in range(sum(sizes))]
    list(convert_many(jobs, executor=Timed(), window=1))
    assert sent == sizes


def test_a_job_that_is_lost_three_times_is_lost_and_the_others_are_done(layout: Path) -> None:
    jobs = copies(layout)
    engine = Losing(lambda chunk: any(task.job.id == jobs[5].id for task in chunk.tasks))
    results = {r.id: r for r in convert_many(jobs, executor=engine, chunk=4)}
    assert len(results) == 9
    assert results[jobs[5].id].status is JobStatus.LOST
    assert results[jobs[5].id].attempts == 3
    failure = results[jobs[5].id].failure
    assert failure is not None
    assert failure.code == "job-lost"
    assert sum(result.status is JobStatus.DONE for result in results.values()) == 8


def test_workers_of_another_version_are_one_clear_error(layout: Path) -> None:
    class Old(ThreadPoolExecutor):
        def submit(self, function: Any, /, *args: Any, **values: Any) -> Future[Any]:
            return super().submit(partial(Answer, "0.0.1", ()))

    with Old(1) as old, pytest.raises(OciConvertError) as caught:
        list(convert_many(copies(layout), executor=old))
    assert caught.value.code == "version-mismatch"


def test_an_engine_that_takes_no_more_jobs_ends_the_run(layout: Path) -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(OciConvertError) as caught:
        list(convert_many(copies(layout), executor=pool))
    assert caught.value.code == "executor-broken"


def test_threads_are_told_of_and_can_end_their_jobs(layout: Path) -> None:
    class Enough(Exception):  # noqa: N818 - it is no error
        pass

    ended = threading.Event()

    def watch(job: Job, progress: object) -> None:
        if progress is not None and ended.is_set():
            raise Enough

    ended.set()
    results = list(Fleet(copies(layout, 2), watch=watch))
    assert {result.status for result in results} == {JobStatus.FAILED}
    assert not list(layout.parent.glob("out*"))


def test_five_platforms_are_counted_with_their_documents(tmp_path: Path) -> None:
    images = image_list([oci_image([layer("a")]), oci_image([layer("b")])])
    write_layout({"app": images}, tmp_path / "in")
    (result,) = convert_many(
        [Job(f"oci:{tmp_path}/in", f"dir:{tmp_path}/out", FAST.but(to="docker"))]
    )
    assert (result.documents, result.blobs) == (3, 4)


def test_paths_are_taken_from_the_folder_of_who_sends_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker has another one, in which it would find nothing, or write what nobody looks for."""
    write_layout({"a": oci_image([layer("a")])}, tmp_path / "here/in")
    for name in ("there", "here"):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
    elsewhere = ThreadPoolExecutor(initializer=monkeypatch.chdir, initargs=(tmp_path / "there",))
    job = Job("oci:in:a", "dir:out", FAST.but(to="docker"))
    with elsewhere:
        (result,) = convert_many([job], executor=elsewhere)
    assert result.status is JobStatus.DONE
    assert (result.id, result.destination) == ("oci:in:a dir:out", "dir:out")
    assert (tmp_path / "here/out/manifest.json").exists()
    assert not list((tmp_path / "there").iterdir())


def test_results_come_as_jobs_end_not_as_they_began(
    layout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, others = work._try, threading.Semaphore(0)

    def slow(task: Any, *rest: Any) -> JobResult:
        if task.job.source.endswith(":0"):
            for _ in range(2):
                assert others.acquire(timeout=60)
            time.sleep(0.1)
            return real(task, *rest)
        result = real(task, *rest)
        others.release()
        return result

    monkeypatch.setattr(work, "_try", slow)
    results = [result.source[-1] for result in convert_many(copies(layout, 3), workers=3)]
    assert results[-1] == "0"


@pytest.mark.parametrize("again", [False, True])
def test_a_name_that_two_jobs_give_to_different_images_is_told(
    tmp_path: Path, *, again: bool
) -> None:
    """The second one replaces the first; nothing is lost without a word, also after a resume."""
    jobs = []
    for number in range(3):
        archive = tmp_path / f"{number}.tar"
        archive.write_bytes(save_tar({"app:1": docker_image([layer(str(number // 2))])}))
        jobs.append(Job(str(archive), f"oci:{tmp_path / 'out'}", FAST))
    results = tmp_path / "results.jsonl"
    ran = list(convert_many(jobs, workers=1, results=results))
    if again:
        ran = list(convert_many(jobs, workers=1, results=results))
    by_id = {result.id: result for result in ran}
    assert [by_id[job.id].status.good for job in jobs] == [True, True, False]
    failure = by_id[jobs[2].id].failure
    assert failure is not None
    assert failure.code == "same-name"
    assert jobs[0].id in failure.message


def test_a_job_is_told_that_it_has_no_object() -> None:
    wrong: list[Any] = [(Memory(), "oci:x"), ("oci:x", Memory()), (Path("app.tar"), "oci:x")]
    for given in wrong:
        with pytest.raises(
            TypeError, match=r"no (Memory|PosixPath|WindowsPath); convert\(\) takes"
        ):
            Job(*given)
