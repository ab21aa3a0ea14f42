"""The command, called in the process of the tests."""

from __future__ import annotations

import contextvars
import gc
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from oci_convert.cli import run

__all__ = ["Command", "Ended"]


@dataclass(frozen=True)
class Ended:
    """How a call ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Command:
    """``command("verify", "oci:layout")``: a command line, in the current directory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch = monkeypatch
        self._streams = capsys

    def __call__(self, *arguments: str) -> Ended:
        thresholds = gc.get_threshold()
        self._patch.setattr(sys, "argv", ["oci-convert", *arguments])
        self._streams.readouterr()
        status = contextvars.copy_context().run(run._run)  # --limit holds for a context
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        said = self._streams.readouterr()
        return Ended(status, said.out, said.err)
