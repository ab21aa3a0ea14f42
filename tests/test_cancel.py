"""Whoever has waited long enough ends a run, from any thread, and nothing of it is left."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from oci_convert import Memory, Progress, convert, same_as, verify
from support.images import docker_image, files_below, layer, layout_files, write_dir, write_layout

IMAGE = docker_image([layer(f"{i}", size=1_100_000) for i in range(4)])
OTHER = docker_image([layer("other")])


class CancelledError(Exception):
    """What the caller raises; the library has no name for it."""


def watched(started: Event, cancelled: Event) -> Callable[[Progress], None]:
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
