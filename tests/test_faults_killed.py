"""Runs that are killed, or asked by a signal to end; tests/faults/kill.py kills by the hundred."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, Timer
from typing import BinaryIO

import pytest

from oci_convert.conversion.convert import convert
from oci_convert.spec.media_types import Compression
from oci_convert.stores.files.folder import Folder
from oci_convert.stores.files_store import FilesSink
from support.images import docker_image, files_below, layer, save_tar, write_layout
from support.scenes import UNFINISHED

SCRIPTS = Path(__file__).parent / "faults"
COMMAND = [sys.executable, "-m", "oci_convert", "convert"]
PATIENCE = 60
"""Seconds after which a test gives up, on however busy a machine."""


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
@pytest.mark.parametrize(
    "kind", ["a layout with an image", "a dir:, replaced", "an oci-archive, recompressing"]
)
def test_a_run_may_be_killed_before_any_call(kind: str, tmp_path: Path) -> None:
    script = [sys.executable, str(SCRIPTS / "kill.py"), "--calls", kind, "--folder", str(tmp_path)]
    run = subprocess.run(script, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert " 0 over" in run.stdout


# -- signals --------------------------------------------------------------------------------------


@contextmanager
def running(
    *arguments: str,
    command: Sequence[str] = COMMAND,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process of its own; it is killed if the test ends before it."""
    process = subprocess.Popen(
        [*command, *arguments], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(met: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Wait for a sign that the run has come to the point."""
    end = time.monotonic() + PATIENCE
    while not met():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.001)


def assert_ends(process: subprocess.Popen[bytes], *signals: int) -> None:
    """Send signals; the run ends with one line, and the status of one of them.

    That need not be the first one sent: the system may give each to another thread.
    """
    for number in signals:
        process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode in {128 + number for number in signals}, said
    assert said == b"error: stopped; the target has the complete image or none\n"


SIGNALS = {
    "an interrupt": [signal.SIGINT],
    "a termination": [signal.SIGTERM],
    "two terminations": [signal.SIGTERM, signal.SIGTERM],
    "an interrupt and then all at once": [signal.SIGINT, signal.SIGTERM, signal.SIGINT],
}
TARGETS = {
    "a layout": "oci:{}/target:new",
    "a dir:": "dir:{}/target",
    "an archive": "docker-archive:{}/target.tar:example.com/new:1",
}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image whose layers take seconds to compress."""
    folder = tmp_path_factory.mktemp("large")
    plain = [("large", 60_000_000), ("too", 30_000_000)]
    layers = [layer(text, Compression.NONE, size=size) for text, size in plain]
    return f"oci:{write_layout({'new': docker_image(layers)}, folder)}"


@pytest.mark.parametrize("signals", SIGNALS.values(), ids=SIGNALS.keys())
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_a_signal_ends_a_run_that_compresses_and_nothing_is_left(
    target: str, signals: list[int], large: str, tmp_path: Path
) -> None:
    place = tmp_path / "new"
    options = ["--to", "docker", "--compress", "gzip", "--level", "9", "--jobs", "4", "--quiet"]
    with running(large, target.format(place), *options) as process:
        until(lambda: any(file.stat().st_size for file in unfinished(place)), process)
        assert_ends(process, *signals)
    assert not place.exists()


def unfinished(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if UNFINISHED in path.parts and path.is_file()]


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_a_signal_ends_a_run_that_waits_for_a_lock(large: str, tmp_path: Path) -> None:
    import fcntl

    target = write_layout({}, tmp_path / "target")
    before = files_below(target)
    lock = os.open(target, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with running(large, f"oci:{target}:new", "--jobs", "4") as process:
            until(lambda: waits(process.pid), process)
            assert_ends(process, signal.SIGTERM)
    finally:
        os.close(lock)
    assert files_below(target) == before
    assert not (target / UNFINISHED).exists()


def waits(pid: int) -> bool:
    """Whether a process waits for a lock, in whatever thread."""
    lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return any("->" in line and f" {pid} " in line for line in lines)


def test_a_signal_ends_a_run_that_waits_for_its_input(tmp_path: Path) -> None:
    place = tmp_path / "new"
    data = save_tar({"new:1": docker_image([layer("large", size=1_000_000)])})
    with running("-", f"oci:{place}/target", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(data[:-1000])
        process.stdin.flush()
        until(lambda: any(place.rglob(UNFINISHED)), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    assert not place.exists()


def test_a_signal_ends_a_run_whose_output_nobody_takes(large: str) -> None:
    reader, writer = os.pipe()
    try:
        with running(large, "-", "--to", "oci", stdout=writer) as process:
            assert os.read(reader, 512)
            assert_ends(process, signal.SIGINT)
    finally:
        os.close(reader)
        os.close(writer)


FLUSHING = """
import os, sys, time
from oci_convert.cli.run import main

mark, real = sys.argv.pop(), os.fsync

def slow(number):
    os.makedirs(mark, exist_ok=True)
    time.sleep(0.1)
    real(number)

os.fsync = slow
main()
"""
"""The command on a disk that takes its time."""


class StopError(BaseException):
    """What a signal may raise, wherever a thread is."""


def test_a_signal_between_the_starts_of_two_threads_leaves_none_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = docker_image([layer(str(number), size=2_000_000) for number in range(3)])
    source = f"oci:{write_layout({'new': image}, tmp_path / 'source')}"
    start, opened = Thread.start, Folder.open_blob
    at_work, go_on = Event(), Event()

    def interrupted(thread: Thread) -> None:
        monkeypatch.setattr(Thread, "start", start)
        start(thread)
        assert at_work.wait(PATIENCE)
        Timer(0.1, go_on.set).start()  # by then the run waits for the thread, or is over
        raise StopError

    def held(folder: Folder, name: str) -> BinaryIO:
        at_work.set()
        assert go_on.wait(PATIENCE)
        return opened(folder, name)

    def planned(sink: FilesSink) -> None:
        monkeypatch.setattr(Folder, "open_blob", held)
        monkeypatch.setattr(Thread, "start", interrupted)

    monkeypatch.setattr(FilesSink, "begin", planned)
    with pytest.raises(StopError):
        convert(source, f"oci:{tmp_path}/new/target:1", jobs=2)
    for thread in threading.enumerate():
        if "ThreadPoolExecutor" in thread.name:
            thread.join(PATIENCE)
    assert not (tmp_path / "new").exists()


ELSEWHERE = """
import os, signal, sys, threading, time
from oci_convert.cli.run import main

real, first, main_thread = os.fsync, threading.Lock(), threading.main_thread().ident

def until(met):
    end = time.monotonic() + 30
    while not met():
        if time.monotonic() > end:
            os._exit(1)
        time.sleep(0.001)

def waits():
    frame = sys._current_frames()[main_thread]
    return (frame.f_code.co_name, frame.f_back.f_code.co_name) == ("wait", "result")

def stopping():
    return signal.getsignal(signal.SIGTERM).__name__ != "_stop"

def signalled(number):
    if first.acquire(blocking=False):
        until(waits)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    until(stopping)
    real(number)

os.fsync = signalled
main()
"""
"""The command, in which a thread that flushes gets the signal, as the system may have it."""


def test_a_signal_ends_a_run_whatever_thread_gets_it(tmp_path: Path) -> None:
    source = f"oci:{write_layout({'new': docker_image()}, tmp_path / 'source')}"
    command = [sys.executable, "-c", ELSEWHERE, "convert"]
    with running(source, f"oci:{tmp_path}/new/target", command=command) as process:
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 128 + signal.SIGTERM, said
    assert not (tmp_path / "new").exists()


ON_THE_WAY_OUT = """
import signal
from oci_convert.cli.run import main
from oci_convert.conversion.transfer import Transfer
from oci_convert.errors import StoreError

def broken(*_):
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        raise {error}

Transfer.run = broken
main()
"""
"""The command, in which the end that a signal asks for raises something else."""


@pytest.mark.parametrize("error", ["RuntimeError('release unlocked lock')", "StoreError('late')"])
def test_a_signal_is_told_whatever_is_raised_on_the_way_out(error: str, tmp_path: Path) -> None:
    source = f"oci:{write_layout({'new': docker_image()}, tmp_path / 'source')}"
    command = [sys.executable, "-c", ON_THE_WAY_OUT.format(error=error), "convert"]
    with running(source, f"oci:{tmp_path}/new/target", command=command) as process:
        _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (
        128 + signal.SIGTERM,
        b"error: stopped; the target has the complete image or none\n",
    )
    assert not (tmp_path / "new").exists()


CLEARED_UP = """
import gc, signal, sys, time, weakref
from oci_convert import operating_system
if sys.argv[2] == "elsewhere":
    operating_system.system = operating_system.system._replace(wakes=False)
from oci_convert.cli.signals import StoppedError, listen

class Object:
    pass

class Last(Object):
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

def called(*_):
    signal.raise_signal(signal.SIGTERM)

listen()
thing = Last() if sys.argv[1] == "finalizer" else Object()
if sys.argv[1] == "weak reference":
    reference = weakref.ref(thing, called)
if sys.argv[1] == "collection":
    gc.callbacks.append(called)
try:
    del thing
    gc.collect()
    for _ in range(1000):
        time.sleep(0.01)
except StoppedError as stopped:
    print("stopped by", stopped.number)
"""
"""Where Python ignores what a handler of signals raises."""


@pytest.mark.parametrize("where", ["finalizer", "weak reference", "collection"])
@pytest.mark.parametrize("system", ["here", "elsewhere"])
def test_a_signal_while_an_object_is_cleared_up_ends_the_run(where: str, system: str) -> None:
    with running(where, system, command=[sys.executable, "-c", CLEARED_UP], stdout=-1) as process:
        printed, said = process.communicate(timeout=PATIENCE / 2)
    assert (printed.decode().strip(), said) == (f"stopped by {signal.SIGTERM.value}", b"")


def test_a_signal_ends_a_run_that_flushes(tmp_path: Path) -> None:
    image = docker_image([layer(str(number)) for number in range(60)])
    source = f"oci:{write_layout({'new': image}, tmp_path / 'source')}"
    place, mark = tmp_path / "new", tmp_path / "mark"
    slow = [sys.executable, "-c", FLUSHING]
    with running(source, f"oci:{place}/target", str(mark), command=[*slow, "convert"]) as process:
        until(mark.exists, process)
        assert_ends(process, signal.SIGTERM)
    assert not place.exists()
