"""A fleet that is killed, and whose registry fails; tests/faults/fleet.py does it at length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "faults" / "fleet.py"


def test_no_job_is_lost_when_a_run_is_killed_and_resumed() -> None:
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--jobs", "60", "--kills", "2", "--faults", "0.02"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert " requests, " in run.stdout
