"""Options, fixtures and profiles of the whole suite."""

from __future__ import annotations

import difflib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support.command import Command

pytest.register_assert_rewrite("oci_convert.testing.contract", "support.contract")

# A suite that a shell runs in the background ignores interrupts, and so would every command that
# the tests start and interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

GOLDEN = Path(__file__).parent / "golden"
PEERS = ("skopeo", "umoci")

# A deadline measures the machine, not the code.
settings.register_profile("dev", deadline=None, max_examples=100)
# What decides on a change draws the same examples each time; those of developers are new ones.
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=150,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate-golden",
        action="store_true",
        help="write what the tests got into tests/golden/ instead of comparing it",
    )
    parser.addoption(
        "--require-peers",
        action="store_true",
        help="let a test fail, not skip, when a tool it is compared with is not installed",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(text, name)``: ``text`` is what stands in ``tests/golden/<name>``."""

    def compare(text: str, name: str) -> None:
        file = GOLDEN / name
        if request.config.getoption("--regenerate-golden"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
            return
        if not file.exists():
            pytest.fail(f"there is no {file}; pytest --regenerate-golden writes it")
        expected = file.read_bytes().decode("utf-8")
        if text != expected:
            lines = difflib.unified_diff(
                expected.splitlines(), text.splitlines(), f"golden/{name}", "got", lineterm=""
            )
            pytest.fail("\n".join(lines) or f"golden/{name}: line ends differ", pytrace=False)

    return compare


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """``command("verify", "oci:layout")``: the command in this process and a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    return Command(monkeypatch, capsys)


@pytest.fixture
def peers(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """``peers("skopeo")``: the path of the tool; the test is skipped where there is none.

    With ``--require-peers`` it fails, so that CI cannot lose these tests unnoticed.
    """

    def find(tool: str) -> str:
        here = Path(sys.executable).parent  # linters that come from PyPI
        path = shutil.which(tool, path=os.pathsep.join([str(here), os.environ.get("PATH", "")]))
        if path is None and request.config.getoption("--require-peers"):
            pytest.fail(f"{tool} is not installed", pytrace=False)
        if path is None:
            pytest.skip(f"{tool} is not installed")
        return path

    return find
