"""Whoever has waited long enough ends a run, from any thread, and nothing of it is left."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from oci_convert import BlobError, Memory, Progress, convert, open_images, same_as, verify
from support.images import docker_image, files_below, layer, layout_files, write_dir, write_layout

IMAGE = docker_image([layer(f"{i}", size=1_100_000) for i in range(4)])
OTHER = docker_image([layer("other")])
Watch = Callable[[Progress], None]


class CancelledError(Exception):
    """What the caller raises; the library has no name for it."""


def watched(started: Event, cancelled: Event) -> Watch:
    """A progress that waits for the button once it has begun, so that no run is over too early."""

    def watch(_: Progress) -> None:
        started.set()
        assert cancelled.wait(60)
        raise CancelledError

    return watch


TARGETS = {
    "a layout": ("oci:target:app:1", "oci"),
    "a dir:": ("dir:target", "docker"),
    "an oci-archive": ("oci-archive:target.tar:app:1", "oci"),
    "a docker-archive": ("docker-archive:target.tar:app:1", "docker"),
}


@pytest.mark.parametrize("compress", ["keep", "gzip", "zstd"])
@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("target", TARGETS)
def test_a_run_that_another_thread_ends_leaves_nothing(
    target: str, jobs: int, compress: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reference, family = TARGETS[target]
    if compress == "zstd" and family == "docker":
        compress = "none"
    write_dir(IMAGE, tmp_path / "source")
    before = files_below(tmp_path)
    started, cancelled = Event(), Event()
    watch = watched(started, cancelled)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(
            convert,
            "dir:source",
            reference,
            to=family,
            compress=compress,
            jobs=jobs,
            on_progress=watch,
        )
        run.add_done_callback(lambda _: started.set())  # too early, and result() tells why
        assert started.wait(60)
        cancelled.set()
        with pytest.raises(CancelledError):
            run.result(60)
    assert files_below(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
    report = convert("dir:source", reference, to=family, compress=compress)  # nothing is locked
    assert verify(reference).sound
    assert report.images[0].old is not None


def open_below(folder: Path) -> list[str]:
    """The files of a folder that this process has open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            target = str(descriptor.readlink())
            found += [target] if target.startswith(f"{folder}/") else []
    return found


def convert_to(target: str, family: str, compress: str, jobs: int) -> Callable[[Watch], object]:
    return lambda watch: convert(
        "dir:source", target, to=family, compress=compress, jobs=jobs, on_progress=watch
    )


READERS: dict[str, Callable[[Watch], object]] = {
    **{
        f"{target}, {compress}, {jobs}": convert_to(*TARGETS[target], compress, jobs)
        for target in TARGETS
        for compress in ("keep", "gzip", "none")
        for jobs in (1, 4)
    },
    "sha512": lambda watch: convert(
        "dir:source", "oci:target:a", to="oci", digest="sha512", on_progress=watch
    ),
    "a dry run": lambda watch: convert(
        "dir:source", "oci:target:a", compress="none", dry_run=True, on_progress=watch
    ),
    "to memory": lambda watch: convert("dir:source", Memory(), on_progress=watch),
    "verify": lambda watch: verify("dir:source", on_progress=watch),
    "same_as": lambda watch: same_as("dir:source", "dir:source", on_progress=watch),
}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are not listed here")
@pytest.mark.parametrize("reader", READERS)
def test_a_run_that_is_ended_has_no_file_open(
    reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while its error is known, which knows all frames that it has passed."""
    monkeypatch.chdir(tmp_path)
    write_dir(IMAGE, tmp_path / "source")
    cancelled = Event()
    cancelled.set()
    with pytest.raises(CancelledError) as raised:
        READERS[reader](watched(Event(), cancelled))
    assert open_below(tmp_path) == []
    assert raised.value.__traceback__ is not None


def read_first_layer(reference: str) -> None:
    with open_images(reference) as images, next(iter(images)).layers[0].open() as file:
        file.read()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "other bytes": lambda data: data[: len(data) // 2] + bytes(16) + data[len(data) // 2 + 16 :],
    "too many": lambda data: data + bytes(2_000_000),
    "too few": lambda data: data[:-1],
}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are not listed here")
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("options", [{}, {"compress": "none"}, {"digest": "sha512"}])
def test_a_run_that_fails_has_no_file_open(
    damage: str, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    layer_file = write_dir(IMAGE, tmp_path / "source") / IMAGE.json["layers"][0]["digest"][7:]
    layer_file.write_bytes(DAMAGES[damage](layer_file.read_bytes()))
    for target in (f"oci:{tmp_path}/target:a", Memory()):
        with pytest.raises(BlobError) as raised:
            convert("dir:source", target, to="oci", **options)
        assert open_below(tmp_path) == []
        assert raised.value.__traceback__ is not None
    with pytest.raises(BlobError) as raised:
        read_first_layer("dir:source")
    assert open_below(tmp_path) == []
    assert raised.value.__traceback__ is not None


def test_a_living_layout_keeps_its_images_and_gains_none(tmp_path: Path) -> None:
    write_layout({"other": OTHER}, tmp_path)
    before = (tmp_path / "index.json").read_bytes()
    cancelled = Event()
    cancelled.set()
    with pytest.raises(CancelledError):
        convert(
            Memory(layout_files({"app": IMAGE})),
            f"oci:{tmp_path}:app",
            on_progress=watched(Event(), cancelled),
        )
    assert (tmp_path / "index.json").read_bytes() == before
    assert files_below(tmp_path / ".oci-convert") == {}
    assert verify(f"oci:{tmp_path}").sound


def test_verifying_and_comparing_end_in_the_same_way() -> None:
    memory, cancelled = Memory(layout_files({"app": IMAGE})), Event()
    cancelled.set()
    watch = watched(Event(), cancelled)
    with pytest.raises(CancelledError):
        verify(memory, on_progress=watch)
    with pytest.raises(CancelledError):
        same_as(memory, memory, on_progress=watch)
