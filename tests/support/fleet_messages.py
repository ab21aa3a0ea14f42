"""What is said of many images, each with what provokes it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest import mock

from oci_convert import Job, Options, StoreError, convert_many, read_results
from oci_convert.fleet.results import Answer
from oci_convert.spec.media_types import Compression
from support.images import docker_image, image_list, layer, oci_image
from support.messages import Provoked, Step, files, layout
from support.runs import platforms

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


def wrong(text: str, kind: str = "jsonl") -> Provoked:
    """A file of jobs of which something is wrong."""
    return Provoked("invalid-job", f"batch jobs.{kind}", (files(**{f"jobs_{kind}": text}),))


def skopeo(text: str) -> Provoked:
    """The same of ``skopeo sync``."""
    return Provoked("invalid-job", "sync sync.yaml oci:out", (files(sync_yaml=text),))


FILES: Final[dict[str, Provoked]] = {
    "a line of jobs that is no JSON": wrong("{\n"),
    "a file of jobs with the same id twice": wrong(
        '{"source": "a", "destination": "oci:b", "id": "x"}\n' * 2
    ),
    "a file of jobs with the same destination twice": wrong(
        "source,destination\na,oci:out:1\nb,oci:out:1\n", "csv"
    ),
    "a CSV of jobs without names": wrong("oci:a,oci:b\n", "csv"),
    "a CSV of jobs with a column twice": wrong("source,destination,source\na,oci:b,c\n", "csv"),
    "a member of a job that is there twice": wrong('{"source": "a", "source": "b"}\n'),
    "a CSV of jobs with too many values": wrong("source,destination\na,oci:b,c\n", "csv"),
    "a YAML of jobs that is no list": wrong("source: a\n", "yaml"),
    "a YAML of jobs that cannot be read": wrong("- a: [\n", "yaml"),
    "a job that says no format": Provoked(
        "no-family",
        "batch jobs.csv",
        (files(jobs_csv="source,destination\na,dir:b\n"),),
    ),
    "jobs that are not there": Provoked("cannot-read", "batch jobs.jsonl"),
    "a YAML where PyYAML is not installed": Provoked(
        "no-yaml",
        "batch jobs.yaml",
        (files(jobs_yaml="- source: a\n"),),
        partial(mock.patch.dict, sys.modules, {"yaml": None}),
    ),
    "a file of skopeo sync that is not there": Provoked("cannot-read", "sync no.yaml oci:out"),
    "a file of skopeo sync that is a list": skopeo("- a\n"),
    "a file of skopeo sync with something unknown": skopeo("quay.io: {images-by-semver: {}}\n"),
    "a file of skopeo sync whose tags are no list": skopeo("quay.io: {images: {a: {b: 1}}}\n"),
    "a pattern of tags that is none": Provoked(
        "invalid-option", "sync docker://registry.example/app:* oci:out --tags ("
    ),
    "a digest where {tag} is to stand": Provoked(
        "no-repository-name",
        f"sync docker://registry.example/app@sha256:{'0' * 64} oci:out:{{tag}}",
    ),
}

JOBS: Final = files(jobs_csv="source,destination\noci:layout:app,oci:new:app\n")
NO_SCHEDULER: Final = mock.MagicMock()
NO_SCHEDULER.Client.side_effect = OSError

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
        partial(mock.patch, "oci_convert.fleet.work.convert_for", side_effect=ZeroDivisionError),
    ),
    **FILES,
    "a scheduler on another machine without TLS": Provoked(
        "plain-scheduler", "batch jobs.csv --scheduler tcp://10.0.0.1:8786", (JOBS,)
    ),
    "a scheduler where Dask is not installed": Provoked(
        "no-dask",
        "batch jobs.csv --scheduler tcp://127.0.0.1:1",
        (JOBS,),
        partial(mock.patch.dict, sys.modules, {"distributed": None}),
    ),
    "a scheduler that is not there": Provoked(
        "no-scheduler",
        "batch jobs.csv --scheduler tcp://127.0.0.1:1",
        (JOBS,),
        partial(mock.patch.dict, sys.modules, {"distributed": NO_SCHEDULER}),
    ),
    "a path for workers": Provoked(
        "path-for-workers",
        "batch jobs.csv --scheduler tcp://127.0.0.1:1",
        (JOBS,),
        partial(mock.patch.dict, sys.modules, {"distributed": mock.MagicMock()}),
    ),
    "a password for workers": Provoked(
        "password-for-workers",
        "batch jobs.csv --scheduler tcp://127.0.0.1:1 --creds me:secret",
        (JOBS,),
    ),
    "a job of a fleet for a number": Provoked(
        "invalid-job", partial(Job.from_json, {"source": "a", "destination": "b", "for": 1})
    ),
    "a profile that is none": Provoked(
        "invalid-profile", "check oci:a --for acme.toml", (files(acme_toml="title = 1"),)
    ),
    "a profile that is not there": Provoked("cannot-read", "check oci:a --for acme.toml"),
    "a target that is unknown": Provoked("unknown-profile", "check oci:a --for lamda"),
    "a target that would refuse what is asked for": Provoked(
        "target-would-refuse",
        "convert oci:layout:app oci:new --for docker-20.10 --compress keep",
        (layout(app=oci_image([layer("z", Compression.ZSTD)])),),
    ),
    "a target that takes no index": Provoked(
        "not-one-image",
        "convert oci:layout:app dir:new --for lambda",
        (layout(app=image_list(platforms("linux/amd64", "linux/arm64"))),),
    ),
}
