"""Each call that changes files fails in its turn: the image is there whole or not at all, nothing
else of the run is left, one error says why, and the next run succeeds."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from support.faults import Faults, calls_of, survive
from support.scenes import KINDS, UNFINISHED, Kind, Scene

FAILURES = {
    # the error, whether it stays, and the calls it meets: tests/faults/inject.py takes all
    "a full disk, once": (errno.ENOSPC, False, 2),
    "a disk that fails from then on": (errno.EIO, True, 3),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_kind_of_call_is_met(kind: Kind, tmp_path: Path) -> None:
    """So that the tests below mean something; tests/faults/inject.py compares with strace."""
    assert {"mkdir", "open", "write", "rename", "fsync", "rmdir"} <= calls_of(
        Scene(kind, tmp_path)
    ).keys()


@pytest.mark.parametrize(("error", "lasting", "step"), FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_failing_call_does_no_harm(
    kind: Kind, error: int, lasting: bool, step: int, tmp_path: Path
) -> None:
    scene = Scene(kind, tmp_path)
    calls = calls_of(scene).total()
    for number in range(1, calls + 1, step):
        faults = Faults(scene.folder, number, error=error, lasting=lasting)
        survive(scene, faults)
        assert faults.failed, number


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_everything_is_on_the_disk_before_the_image_appears(kind: Kind, tmp_path: Path) -> None:
    """A file that was written and takes its name without a flush may be empty after a power cut."""
    scene = Scene(kind, tmp_path)
    scene.begin()
    with Faults(scene.folder).injected() as faults:
        scene.run()
    mark = str(scene.folder / scene.mark)
    shown = faults.calls.index(("rename", mark))
    flushed = {path for call, path in faults.calls[:shown] if call == "fsync"}
    visible = {path for path in faults.renamed if UNFINISHED not in Path(path).parts}
    assert mark in visible
    for path in visible:
        assert path in flushed or faults.renamed[path] in flushed, path
    assert ("fsync", str(Path(mark).parent)) in faults.calls[shown:]
