"""What is said of many images, each with what provokes it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest import mock

from oci_convert import Job, Options, StoreError, convert_many, read_results
from oci_convert.fleet.results import Answer
from support.images import docker_image
from support.messages import Provoked, Step, files, layout

__all__ = ["FLEETS"]

IMAGE: Final = layout(app=docker_image())
JOB: Final = Job("oci:layout:app", "oci:new:app", Options(fsync=False))


class Engine(Executor):
    """Whatever is sent to it ends in the same way."""

    def __init__(self, outcome: object) -> None:
        self.outcome = outcome

    def submit(self, function: Any, /, *args: Any, **values: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if isinstance(self.outcome, BaseException):
            future.set_exception(self.outcome)
        else:
            future.set_result(self.outcome)
        return future


def told(executor: Executor | None = None) -> None:
    """Raise what a result tells."""
    for result in convert_many([JOB], executor=executor):
        if result.failure is not None:
            failure = result.failure
            raise StoreError(
                failure.message, code=failure.code, where=failure.where, remedy=failure.remedy
            )


def closed() -> Executor:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    return pool


def call(name: str, run: Callable[[], object]) -> partial[Any]:
    """The call of ``run``, which is shown as ``name``."""

    def shown() -> None:
        run()

    shown.__name__ = name
    return partial(shown)


def read(text: str) -> tuple[Step, partial[Any]]:
    return files(results_jsonl=text), call(
        "read_results", lambda: [*read_results(Path("results.jsonl"))]
    )


def _wrong(text: str) -> Provoked:
    step, reading = read(text)
    return Provoked("not-results", reading, (step,))


FLEETS: Final[dict[str, Provoked]] = {
    "a job of a fleet without a destination": Provoked(
        "invalid-job", partial(Job.from_json, {"source": "oci:layout:app"})
    ),
    "a job of a fleet with an unknown member": Provoked(
        "invalid-job", partial(Job.from_json, {"source": "a", "destination": "b", "option": {}})
    ),
    "a job of a fleet that is no object": Provoked("invalid-job", partial(Job.from_json, [])),
    "a job of a fleet whose id is a list": Provoked(
        "invalid-job", partial(Job.from_json, {"source": "a", "destination": "b", "id": []})
    ),
    "a job of a fleet whose options are a list": Provoked(
        "invalid-job",
        partial(Job.from_json, {"source": "a", "destination": "b", "options": ["to"]}),
    ),
    "results of which a line is no object": _wrong("7\n"),
    "results of which a line lacks a member": _wrong('{"id": "a"}\n'),
    "results that are not there": Provoked(
        "cannot-read", call("read_results", lambda: [*read_results("no.jsonl")])
    ),
    "a worker that goes away three times": Provoked(
        "job-lost", call("convert_many", lambda: told(Engine(RuntimeError("killed")))), (IMAGE,)
    ),
    "an executor that is closed": Provoked(
        "executor-broken", call("convert_many", lambda: told(closed())), (IMAGE,)
    ),
    "workers of another version": Provoked(
        "version-mismatch", call("convert_many", lambda: told(Engine(Answer("0.1", ())))), (IMAGE,)
    ),
    "workers without this package": Provoked(
        "version-mismatch",
        call("convert_many", lambda: told(Engine(ModuleNotFoundError("oci_convert")))),
        (IMAGE,),
    ),
    "a job that meets a fault of the program": Provoked(
        "internal-error",
        call("convert_many", told),
        (IMAGE,),
        partial(mock.patch, "oci_convert.fleet.work.converted", side_effect=ZeroDivisionError),
    ),
}
