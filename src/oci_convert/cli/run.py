"""Running the command: what every command has in common, from start-up to exit status."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Final, NoReturn

from oci_convert.cli.show import complain
from oci_convert.cli.show.terminal import tell
from oci_convert.cli.show.text import Style, Text
from oci_convert.cli.signals import StoppedError, listen, stopped_by
from oci_convert.cli.status import DONE, FAILED, INTERNAL, USAGE
from oci_convert.errors import OciConvertError, UsageError

__all__ = ["main"]

_SIGNAL: Final = 128
"""What a shell adds to the number of the signal that ended a command."""


def main() -> NoReturn:
    """Run the command line of this process and exit with its status."""
    gc.disable()  # imports make no garbage, and collecting takes a fifth of a short run
    _without_plugins()
    listen()
    status = _run()
    if status > _SIGNAL:
        _leave(status)
    gc.freeze()  # at its end, the interpreter would look through everything once more
    sys.exit(status)


def _leave(status: int) -> NoReturn:
    """Exit without waiting for threads: one may wait for work that nobody gives it any more."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)


def _without_plugins() -> None:
    """Let pydantic look for no plugins: what reads documents must not depend on what is installed.

    Its loader imports ``importlib.metadata`` before it reads that there are none, and with that
    ``email``, ``socket`` and ``zipfile``: a tenth of a short run. It need not be there.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    loader = ModuleType("pydantic.plugin._loader")
    vars(loader)["get_plugins"] = tuple
    sys.modules.setdefault(loader.__name__, loader)


def _run() -> int:
    try:
        status = _status(_loaded())
        sys.stdout.flush()
    except (StoppedError, Exception) as error:
        stopped = stopped_by(error)
        if stopped is None:
            return _failed(error)
        complain("stopped; the target has the complete image or none")
        return _SIGNAL + stopped.number
    return status


def _failed(error: BaseException) -> int:
    """Tell what ended the run, in one line; where in the program, only if that was asked for."""
    if "--debug" in sys.argv:
        import traceback

        for line in "".join(traceback.format_exception(error)).splitlines():
            tell(line)
    if isinstance(error, OciConvertError):
        return _told(error)
    if isinstance(error, OSError):
        return _refused(error)
    what = "".join((type(error).__name__, ": " if str(error) else "", *str(error).splitlines()[:1]))
    tell(Text("internal error", Style.ERROR) + f": {what}, please report it with --debug")
    return INTERNAL


def _loaded() -> Callable[[], object]:
    """The command that the command line names."""
    from oci_convert.cli.app import app
    from oci_convert.cli.commands import load
    from oci_convert.cli.completion import COMPLETE, complete

    load(sys.argv[1:])
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # trees of documents live as long as the run
    gc.enable()
    if COMPLETE in os.environ:
        return partial(complete, app)
    return app


def _status(app: Callable[[], object]) -> int:
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    return DONE


def _refused(error: OSError) -> int:
    """Tell what the system refused to the command itself: the library has told its own."""
    if error.filename is None:
        # Nothing more can be written there, and the interpreter need not try at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return FAILED  # the reader is gone; nothing that could be said would be heard
        error.filename = "standard output"
    from oci_convert.stores.files.system import system_error

    return _told(system_error(error))


def _told(error: OciConvertError) -> int:
    """Tell an error in the words of the command; returns the exit status."""
    from oci_convert.cli.spelling import line_of_error

    complain(line_of_error(error))
    return USAGE if isinstance(error, UsageError) else FAILED
