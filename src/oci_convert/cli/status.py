"""What the exit status of the command says."""

from __future__ import annotations

from typing import Final

__all__ = ["DONE", "FAILED", "INTERNAL", "NO", "USAGE"]

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NO: Final = 3
"""The answer is no: ``verify`` found faults, ``diff`` and ``--same-as`` a difference."""
INTERNAL: Final = 70
"""The program itself is at fault: ``EX_SOFTWARE`` of ``sysexits.h``."""
