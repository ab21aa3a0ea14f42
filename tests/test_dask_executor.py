"""The executor on a client of Dask, with a client that ends its work as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from threading import Event, Thread
from typing import Any

import pytest

from oci_convert import Job, JobStatus, Options, convert_many
from oci_convert.fleet.dask_executor import DaskExecutor, that_answers


class Sent:
    """A future of Dask: awaited in the client's loop."""

    def __init__(self, outcome: Callable[[], Awaitable[Any]]) -> None:
        self._outcome = outcome
        self.cancelled = Event()

    def __await__(self) -> Any:
        return self._outcome().__await__()

    def cancel(self) -> None:
        self.cancelled.set()


class Client:
    """Work is a coroutine function here, which is run in a loop as Dask's client has one."""

    def __init__(self) -> None:
        self.loop = self
        self.settings: dict[str, Any] = {}
        self.sent: list[Sent] = []
        self.is_dead = False
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()

    def submit(self, function: Any, /, *args: Any, **settings: Any) -> Sent:
        self.settings = settings
        lost = partial(ends_with, ConnectionError("the worker died"))
        self.sent.append(Sent(lost if self.is_dead else partial(function, *args)))
        return self.sent[-1]

    def add_callback(self, function: Any, *args: Any) -> None:
        asyncio.run_coroutine_threadsafe(function(*args), self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.close()


async def ends_with(outcome: Any) -> Any:
    await asyncio.sleep(0)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def test_a_result_is_passed_on_and_settings_are_sent(client: Client) -> None:
    assert DaskExecutor(client, pure=False).submit(ends_with, 3).result(timeout=10) == 3
    assert client.settings == {"pure": False}


@pytest.mark.parametrize(
    "error",
    [ValueError("gone"), CancelledError(), asyncio.CancelledError(), GeneratorExit()],
    ids=lambda error: type(error).__module__ + "." + type(error).__name__,
)
def test_whatever_ends_the_work_is_an_answer(client: Client, error: BaseException) -> None:
    answer = DaskExecutor(client).submit(ends_with, error)
    assert isinstance(answer.exception(timeout=10), type(error))


def test_who_cancels_an_answer_cancels_the_work_and_is_not_disturbed_by_its_end(
    client: Client,
) -> None:
    begun, go_on = Event(), asyncio.Event()

    async def works() -> int:
        begun.set()
        await go_on.wait()
        return 1

    answer = DaskExecutor(client).submit(works)
    assert begun.wait(10)
    assert answer.cancel()
    assert client.sent[0].cancelled.is_set()
    last = DaskExecutor(client).submit(sets, go_on)  # ends after the work before it
    assert last.result(timeout=10) is None
    assert answer.cancelled()


async def sets(event: asyncio.Event) -> None:
    event.set()
    await asyncio.sleep(0.01)


def test_only_an_executor_of_dask_itself_is_replaced() -> None:
    class ClientExecutor(ThreadPoolExecutor):
        pass

    for executor in (ThreadPoolExecutor(1), ClientExecutor(1), DaskExecutor(None)):
        assert that_answers(executor) is executor


def test_dasks_own_executor_is_replaced_by_ours_on_the_same_client(client: Client) -> None:
    class ClientExecutor(ThreadPoolExecutor):
        _client = client
        _kwargs = {"pure": False}  # noqa: RUF012 - as Dask's has it

        def submit(self, function: Any, /, *args: Any, **values: Any) -> Future[Any]:
            raise AssertionError(function, args, values)

    ClientExecutor.__module__ = "distributed.cfexecutor"
    ClientExecutor.__qualname__ = "ClientExecutor"

    client.is_dead = True
    job = Job("oci:in:a", "oci:out:a", Options(to="docker"))
    results = list(convert_many([job], executor=ClientExecutor(1), workers=1))
    assert [(it.status, it.attempts) for it in results] == [(JobStatus.LOST, 3)]
    assert client.settings == {"pure": False}
