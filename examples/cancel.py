"""End a conversion after some seconds, or by Ctrl-C; any thread may press the button.

python examples/cancel.py SOURCE LAYOUT SECONDS
"""

import signal
import sys
import time
from threading import Event

from oci_convert import Progress, convert

source, layout, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
button, end = Event(), time.monotonic() + seconds
signal.signal(signal.SIGINT, lambda *_: button.set())


def watch(progress: Progress) -> None:
    """What this raises ends the run."""
    if button.is_set() or time.monotonic() > end:
        raise TimeoutError(f"cancelled after {progress.done} of {progress.total} bytes")


try:
    convert(source, f"oci:{layout}", on_progress=watch)
except TimeoutError as error:
    sys.exit(f"{error}; nothing of it is left")
