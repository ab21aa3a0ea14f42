"""Running the command: what every command has in common, from start-up to exit status."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from oci_convert.cli.show import complain
from oci_convert.cli.status import DONE, FAILED, USAGE
from oci_convert.ground.errors import OciConvertError, UsageError

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line of this process and exit with its status."""
    gc.disable()  # imports make no garbage, and looking for it takes a fifth of a short run
    # What reads documents here must not depend on what else is installed; nor look for it.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(_run())


def _run() -> int:  # noqa: PLR0911 - one return for each way to end
    from oci_convert.cli.app import app
    from oci_convert.cli.commands import load

    load(sys.argv[1:])
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # trees of documents live as long as the run
    gc.enable()
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except UsageError as error:
        complain(str(error))
        return USAGE
    except OciConvertError as error:
        complain(str(error))
        return FAILED
    except BrokenPipeError:
        # The reader of our output is gone; nothing that could be said would be heard.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        place = f"{error.filename}: " if error.filename is not None else ""
        complain(f"{place}{error.strerror or error}")
        return FAILED
    except KeyboardInterrupt:
        complain("interrupted; no image was written")
        return 128 + signal.SIGINT
    return DONE


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    """End as an interrupt does, so that unfinished files go."""
    raise KeyboardInterrupt
