"""The client of registries: one for a run, for all its hosts and threads."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Event, Lock

from oci_convert.stores.base import Closing
from oci_convert.stores.known import Known
from oci_convert.stores.registry.auth import Auth, Keychain
from oci_convert.stores.registry.calls import Access, catalog_scope, scope
from oci_convert.stores.registry.host import Host
from oci_convert.stores.registry.options import RegistryOptions
from oci_convert.stores.registry.pace import Pace
from oci_convert.stores.registry.proxies import Proxies
from oci_convert.stores.registry.reference import Repository
from oci_convert.stores.registry.referrers import Referrers
from oci_convert.stores.registry.transport import Transport
from oci_convert.stores.registry.uploads import Uploads
from oci_convert.stores.traffic import Traffic

__all__ = ["RegistryClient", "RemoteRepository"]


class RemoteRepository(Referrers, Uploads):
    """A repository of a registry: its manifests, blobs, tags and referrers."""

    sends = True
    """Whether what is put here is sent; else it is only counted."""


class RegistryClient(Closing):
    """Connections, tokens, rates and what is known of registries, shared by all threads of a run.

    It is a context manager.
    """

    def __init__(
        self,
        auth: Auth | None = None,
        options: RegistryOptions | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        self.options: RegistryOptions = options or RegistryOptions()
        self._keychain = Keychain(auth or Auth.anonymous())
        self._transport = Transport(self.options, proxies or Proxies())
        self._known = Known()
        self._closed = Event()
        self._hosts: dict[str, Host] = {}
        self._lock = Lock()

    def repository(
        self,
        repository: Repository,
        *,
        push: bool = False,
        scopes: Iterable[str] = (),
        traffic: Traffic | None = None,
    ) -> RemoteRepository:
        """A repository to read, or to write, too, with ``push``.

        ``scopes`` is what the run needs besides (:func:`scope`), so that one token is asked for
        all of it: that of the repository that is converted from, for example. ``traffic`` counts
        what goes over the wire. Raises :class:`StoreError` and :class:`UsageError` for files with
        credentials, and certificates, that cannot be used.
        """
        wanted = frozenset((scope(repository, push=push), *scopes))
        return self._open(repository, wanted, traffic)

    def catalog(self, host: str) -> list[str]:
        """The names of every repository at a host, sorted, as far as the registry tells.

        Raises :class:`StoreError` (``no-catalog``).
        """
        return self._open(Repository(host, ""), frozenset({catalog_scope()})).catalog()

    def _open(
        self, repository: Repository, scopes: frozenset[str], traffic: Traffic | None = None
    ) -> RemoteRepository:
        host = self._host(repository)
        access = Access(repository, host.authorizer(repository), scopes, traffic or Traffic())
        return RemoteRepository(host, access, self._known)

    def _host(self, repository: Repository) -> Host:
        with self._lock:
            host = self._hosts.get(repository.host)
            if host is None:
                pace = Pace(repository.host, self.options.rates.get(repository.host), self._closed)
                host = Host(repository, self._transport, self._keychain, self.options, pace)
                self._hosts[repository.host] = host
            return host

    def close(self) -> None:
        """End everything: who waits, for an answer or for a turn, gets an error at once."""
        self._closed.set()
        self._transport.close()
