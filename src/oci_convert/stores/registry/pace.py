"""When the next request to a host may be sent: its rate, and the pauses that it asks for."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock
from typing import Final

from oci_convert.errors import StoreError

__all__ = ["Pace"]

_HALVED: Final = 60.0
"""Seconds that a host is asked only half as often as it complained of."""
_WINDOW: Final = 10.0
"""Seconds over which it is counted how often a host is asked that has no limit."""
_BURST: Final = 0.1
"""Seconds whose requests may be sent at once."""
_SLOWEST: Final = 5.0
"""Requests a second, below which nobody is slowed down who has set no rate: pauses will do."""


class Pace:
    """Lets threads wait for their turn. ``stopped`` wakes them all up, with an error."""

    def __init__(
        self,
        host: str,
        rate: float | None,
        stopped: Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._configured = rate
        self._rate = rate
        self._halved_at = self._halved_until = 0.0
        self._held_until = 0.0
        self._next = 0.0
        self._counted = 0
        self._since = clock()
        self._clock = clock
        self._stopped = stopped
        self._lock = Lock()

    def turn(self) -> float:
        """Wait until a request may be sent; returns when that was, by the clock of this object.

        Raises :class:`StoreError` (``registry-closed``).
        """
        now, slot = self._reserve()
        while now < slot or now < self._held_until:
            self.sleep(max(slot, self._held_until) - now)
            now = self._clock()
        if self._stopped.is_set():
            raise self._ended()
        return now

    def _reserve(self) -> tuple[float, float]:
        with self._lock:
            now = self._clock()
            if self._halved_until and now >= self._halved_until:
                self._rate, self._halved_until = self._configured, 0.0
            if self._rate is None:
                if now - self._since > _WINDOW:
                    self._since, self._counted = now, 0
                self._counted += 1
                return now, now
            slot = max(self._next, now - max(_BURST, 1 / self._rate) + 1 / self._rate)
            self._next = slot + 1 / self._rate
            return now, slot

    def hold(self, seconds: float) -> None:
        """Let nobody send anything for a while: the host has asked for that."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)

    def slow_down(self, sent: float) -> None:
        """Halve the rate for a minute: the request that was sent then was one too many.

        Those that were under way when it was halved before do not count.
        """
        with self._lock:
            now = self._clock()
            if sent < self._halved_at:
                return
            if self._rate is not None:
                self._rate /= 2
            else:
                self._rate = max(self._counted / max(now - self._since, _BURST) / 2, _SLOWEST)
            self._halved_at, self._halved_until = now, now + _HALVED

    def sleep(self, seconds: float) -> None:
        """Wait, unless the run is over; raises :class:`StoreError` (``registry-closed``)."""
        if self._stopped.wait(max(0.0, seconds)):
            raise self._ended()

    def _ended(self) -> StoreError:
        return StoreError(
            "the connection to the registry was closed",
            code="registry-closed",
            where=self._host,
            remedy="start the run again",
        )
