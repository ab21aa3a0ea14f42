"""Jobs on workers of Dask, one of which is killed; a scheduler on this machine."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

import pytest

from oci_convert import Job, JobStatus, Options, convert_many
from oci_convert.fleet.dask_executor import that_answers
from oci_convert.fleet.jobs import Chunk
from support.images import layer, oci_image, write_layout

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # Dask's own
]


@pytest.fixture
def distributed(request: pytest.FixtureRequest) -> Any:
    try:
        return import_module("distributed")
    except ImportError:
        assert not request.config.getoption("--require-peers"), "distributed is not installed"
        pytest.skip("distributed is not installed")


@pytest.fixture
def cluster(distributed: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # workers know this module, too
    dask: Any = import_module("dask")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),  # each death is ours
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as made,
        distributed.Client(made, set_as_default=False) as client,
    ):
        yield client


def jobs(folder: Path, count: int) -> list[Job]:
    write_layout({"a": oci_image([layer("a")])}, folder / "in")
    options = Options(to="docker", fsync=False)
    return [Job(f"oci:{folder}/in:a", f"dir:{folder}/out{n}", options) for n in range(count)]


def test_all_jobs_are_done_although_a_worker_is_killed(cluster: Any, tmp_path: Path) -> None:
    pids = list(cluster.run(os.getpid).values())
    results = []
    for result in convert_many(
        jobs(tmp_path, 200), executor=cluster.get_executor(), workers=2, chunk=5
    ):
        results.append(result)
        if len(results) == 20:
            os.kill(pids[0], signal.SIGKILL)
    assert len({result.id for result in results}) == 200
    assert all(result.status.good for result in results)


class Deadly:
    """A client whose workers are ended by the job with the ID ``deadly``."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.loop = client.loop

    def submit(self, function: Any, /, *args: Any, **values: Any) -> Any:
        return self._client.submit(carried_out, function, *args, **values)


def carried_out(function: Any, chunk: Chunk) -> Any:
    if any(task.job.id == "deadly" for task in chunk.tasks):
        os.kill(os.getpid(), signal.SIGKILL)
    return function(chunk)


@pytest.mark.parametrize("pure", [True, False])
def test_a_job_that_kills_three_workers_is_lost_and_all_others_are_done(
    cluster: Any, tmp_path: Path, *, pure: bool
) -> None:
    """Also those that wait at the same worker, which Dask holds as suspect as the one that runs."""
    many = jobs(tmp_path, 200)
    many[100] = Job(many[100].source, many[100].destination, many[100].options, "deadly")
    executor = type(cluster.get_executor())(Deadly(cluster), pure=pure)
    results = list(convert_many(many, executor=executor, workers=2, chunk=5))
    assert [(it.id, it.attempts) for it in results if it.status is JobStatus.LOST] == [
        ("deadly", 3)
    ]
    assert Counter(result.status.good for result in results) == {True: 199, False: 1}
    assert len({result.id for result in results}) == 200


class EndsWhoSendsIt:
    """A result that its worker does not survive sending."""

    def __reduce__(self) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


def deadly_both_times(done: Path) -> EndsWhoSendsIt:
    if done.exists():
        os.kill(os.getpid(), signal.SIGKILL)
    done.touch()
    return EndsWhoSendsIt()


def test_work_is_answered_whose_result_is_lost_and_that_then_fails(
    cluster: Any, tmp_path: Path
) -> None:
    """Dask's own executor, asked the same, never answers."""
    executor = that_answers(cluster.get_executor(pure=False))
    answer = executor.submit(deadly_both_times, tmp_path / "done")
    assert type(answer.exception(timeout=60)).__name__ == "KilledWorker"


def test_jobs_wait_for_workers_that_come_later_and_the_command_says_so(
    distributed: Any, tmp_path: Path
) -> None:
    write_layout({"a": oci_image([layer("a")])}, tmp_path / "in")
    (tmp_path / "jobs.csv").write_text(
        "source,destination\n" + "".join(f"oci:in:a,dir:out{n}\n" for n in range(20))
    )
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as made:
        address = made.scheduler_address
        command = [sys.executable, "-m", "oci_convert", "batch", "jobs.csv", "--to", "docker"]
        command += ["--scheduler", address, "--shared-filesystem", "--results", "results.jsonl"]
        with Popen(command, cwd=tmp_path, stderr=PIPE, stdout=DEVNULL, text=True) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == (
                f"{address} has no workers yet; the jobs wait for them\n"
            )
            made.scale(1)
            _, told = process.communicate(timeout=60)
    assert told.startswith("20 jobs: 20 done")
    assert process.returncode == 0
