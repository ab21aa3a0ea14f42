"""An executor on a client of Dask that answers for everything it was sent.

Dask's own (``Client.get_executor``, distributed 2026.8) never answers for work whose result is lost
with its worker while it is being fetched, and which then fails where it is done again: the
exception ends the coroutine that should have passed it on. Nothing here loads Dask.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Any, Final

__all__ = ["DaskExecutor", "that_answers"]

_DASKS_OWN: Final = ("distributed.cfexecutor", "ClientExecutor")


class DaskExecutor(Executor):
    """Sends work to the workers of ``client``; ``settings`` are those of ``Client.submit``."""

    def __init__(self, client: Any, **settings: Any) -> None:
        self._client = client
        self._settings = settings

    def submit(self, function: Any, /, *args: Any, **values: Any) -> Future[Any]:
        sent = self._client.submit(function, *args, **self._settings, **values)
        answer: Future[Any] = Future()
        answer.add_done_callback(lambda done: sent.cancel() if done.cancelled() else None)
        self._client.loop.add_callback(_pass_on, sent, answer)
        return answer


async def _pass_on(sent: Any, answer: Future[Any]) -> None:
    """Answer as ``sent`` ends, however it does, unless nobody waits for it any more."""
    result, error = None, None
    try:
        result = await sent
    except BaseException as raised:  # a cancellation is an answer, too
        error = raised
    if not answer.set_running_or_notify_cancel():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


def that_answers(executor: Executor) -> Executor:
    """The executor itself, or ours on the same client if it is Dask's own."""
    kind = type(executor)
    if (kind.__module__, kind.__qualname__) != _DASKS_OWN:
        return executor
    own: Any = executor
    return DaskExecutor(own._client, **own._kwargs)  # what its maker was given, and keeps only here
