"""A cluster that carries jobs out: Dask, which nothing else here loads.

What is sent to workers is code and values, and no credentials: each worker reads its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from oci_convert.cli.registry_options import SCHEME, Registries
from oci_convert.errors import StoreError, UsageError
from oci_convert.fleet.dask_executor import DaskExecutor

if TYPE_CHECKING:
    from oci_convert.fleet.jobs import Job
    from oci_convert.fleet.results import JobResult

__all__ = ["cluster", "only_registries"]

_ENCRYPTED: Final = ("tls", "wss")
_CONNECT: Final = "15s"


class _OnWorkers(Executor):
    """Lets every function that is sent run with the settings of this command."""

    def __init__(self, executor: Executor, registries: Registries) -> None:
        self._executor = executor
        self._registries = registries

    def submit(self, function: Any, /, *args: Any, **values: Any) -> Future[Any]:
        return self._executor.submit(on_worker, self._registries, function, *args, **values)


def on_worker(
    registries: Registries, function: Callable[..., Any], *args: Any, **values: Any
) -> Any:
    """What a worker runs: ``function``, with registries as the command was told to use them."""
    registries.share()
    return function(*args, **values)


@contextmanager
def cluster(
    address: str, registries: Registries, *, insecure: bool
) -> Iterator[tuple[Executor, int]]:
    """The executor of a scheduler, and how many jobs its workers run at a time.

    Raises :class:`UsageError` (``plain-scheduler``, ``no-dask``, ``password-for-workers``) and
    :class:`StoreError` (``no-scheduler``).
    """
    _refuse_plain(address, insecure=insecure)
    if registries.password is not None:
        raise UsageError(
            "a password is not sent to workers",
            code="password-for-workers",
            where=registries.password,
            remedy="let the workers have a file with credentials; --authfile names it",
        )
    try:
        import distributed
    except ImportError as error:
        raise UsageError(
            "a scheduler needs Dask, which is not installed",
            code="no-dask",
            where="--scheduler",
            remedy='pip install "oci-convert[dask]", here and on the workers',
        ) from error
    connect: Any = distributed.Client
    try:
        client = connect(address, timeout=_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise StoreError(
            "no scheduler of Dask answers there",
            code="no-scheduler",
            where=address,
            remedy="check the address; dask scheduler prints its own",
        ) from error
    with client:
        places = sum(client.nthreads().values())
        executor = DaskExecutor(client, pure=False)  # else arguments are digested, to name the work
        yield _OnWorkers(executor, registries), places


def _refuse_plain(address: str, *, insecure: bool) -> None:
    from oci_convert.stores.registry.reference import is_loopback

    scheme, _, rest = address.rpartition("://")
    if scheme in _ENCRYPTED or insecure or is_loopback(rest):
        return
    raise UsageError(
        "whoever reaches a scheduler without TLS runs code on its workers",
        code="plain-scheduler",
        where=address,
        remedy="use tls://, or --insecure-scheduler in a network that is yours alone",
    )


def only_registries(jobs: Iterable[Job | JobResult]) -> Iterator[Job | JobResult]:
    """The same jobs; raises for one that reads or writes a path, which workers may not have."""
    for job in jobs:
        for reference in (job.source, job.destination):
            if not reference.startswith(SCHEME):
                raise UsageError(
                    "the workers may not have this path",
                    code="path-for-workers",
                    where=reference,
                    remedy="if all of them have it under this name, add --shared-filesystem",
                )
        yield job
