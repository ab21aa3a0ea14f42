"""What the exit status of the command says."""

from __future__ import annotations

from typing import Final

__all__ = ["DONE", "FAILED", "INTERNAL", "MEANINGS", "NO", "USAGE"]

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NO: Final = 3
"""The answer is no: ``verify`` found faults, ``diff`` and ``--same-as`` a difference."""
INTERNAL: Final = 70
"""The program itself is at fault: ``EX_SOFTWARE`` of ``sysexits.h``."""

MEANINGS: Final = {
    f"{DONE}": "done; or: yes",
    f"{FAILED}": (
        "failed: something could not be read, was refused, or (with `--keep-going`) not everything "
        "was converted"
    ),
    f"{USAGE}": "the command line is wrong; nothing was read",
    f"{NO}": (
        "the answer is no: `verify` found faults or a difference, `diff` a difference, `prove` did "
        "not prove, `repin --check` would change a pin"
    ),
    f"{INTERNAL}": (
        "an internal error, which is a fault of oci-convert: one line, and the traceback with "
        "`--debug`; please report it. Nothing is left at the target"
    ),
    "130, 143": (
        "stopped by Ctrl-C (SIGINT) or by SIGTERM; the target has the complete image or none"
    ),
}
"""What each status means; `docs/exit-status.md` has the same words."""
