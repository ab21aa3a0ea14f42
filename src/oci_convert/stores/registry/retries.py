"""How often one thing is tried again, and how long is waited before."""

from __future__ import annotations

import random
from typing import Final

from oci_convert.stores.registry.options import RegistryOptions
from oci_convert.stores.registry.pace import Pace
from oci_convert.stores.registry.refusals import TryAgain

__all__ = ["Retries"]

_LONGEST_PAUSE: Final = 30.0


class Retries:
    """The tries of one thing: each failure costs one, and the pauses double."""

    def __init__(self, options: RegistryOptions, pace: Pace, tries: int | None = None) -> None:
        self._options = options
        self._pace = pace
        self._most = options.retries if tries is None else tries
        self._failures = 0

    def wait(self, again: TryAgain) -> None:
        """Wait for the next try; raises the error itself if there is none."""
        asked = again.wait
        if self._failures >= self._most or (asked or 0) > self._options.longest_wait:
            raise again.error from None
        pause = min(self._options.backoff * 2.0**self._failures, _LONGEST_PAUSE)
        self._failures += 1
        jitter = random.uniform(0.5, 1.5)  # noqa: S311 - it spreads load, and hides nothing
        self._pace.sleep(pause * jitter if asked is None else asked)

    def progress(self) -> None:
        """Something was gained: what fails next, fails for the first time."""
        self._failures = 0
