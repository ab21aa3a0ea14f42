"""Registries on the command line: what the options make of ``docker://`` references.

Loaded only where a reference names a registry.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from threading import Lock
from typing import Any, Final

from oci_convert.cli.show.terminal import tell
from oci_convert.cli.signals import when_stopped
from oci_convert.errors import OciConvertError, UsageError
from oci_convert.limits import parse_size
from oci_convert.stores.registry.auth import Auth
from oci_convert.stores.registry.client import RegistryClient
from oci_convert.stores.registry.image import RegistryImage
from oci_convert.stores.registry.options import RegistryOptions, parse_rates
from oci_convert.stores.registry.proxies import Proxies
from oci_convert.stores.registry.reference import parse_destination

__all__ = ["Connections", "known_tags"]

_READ: Final[Mapping[str, Callable[[Any], object]]] = {
    "plain_http": frozenset,
    "insecure": frozenset,
    "rates": parse_rates,
    "chunk": lambda text: parse_size(text, "--chunk"),
}
"""How those options are read that the command has as text, and :class:`RegistryOptions` has not."""


class Connections:
    """Clients with the credentials of this user: one, unless source and target have their own."""

    def __init__(self, **given: Any) -> None:
        self._given = given
        self._clients: dict[str, RegistryClient] = {}
        self._lock = Lock()
        values: dict[str, Any] = {
            field.name: given[field.name]
            for field in fields(RegistryOptions)
            if given.get(field.name) not in (None, [])
        }
        values |= {name: read(values[name]) for name, read in _READ.items() if name in values}
        self._options = RegistryOptions(**values)
        for host in sorted(self._options.insecure):
            tell(f"warning: the TLS certificate of {host} is not checked (--insecure)")

    def source(self, reference: str) -> RegistryImage:
        """Images of a registry, to be read."""
        return RegistryImage(
            reference,
            self.client("src_creds"),
            tags=self._given.get("tags"),
            inspect_layers=bool(self._given.get("inspect_layers")),
        )

    def destination(self, reference: str) -> RegistryImage:
        """An image of a registry, to be written."""
        return RegistryImage(
            reference,
            self.client("dest_creds"),
            keep_original=not self._given.get("no_keep_original"),
            verify_written=bool(self._given.get("verify_written")),
        )

    def client(self, side: str) -> RegistryClient:
        """The client of ``src_creds``, ``dest_creds`` or, without those, ``creds``."""
        option = side if self._given.get(side) is not None else "creds"
        with self._lock:  # a password is asked for once
            client = self._clients.get(option)
            if client is None:
                proxies = Proxies.from_environment(os.environ)
                client = RegistryClient(self._auth(option), self._options, proxies)
                self._clients[option] = client
                when_stopped(client.close)
            return client

    def close(self) -> None:
        """End what waits for a registry."""
        for client in self._clients.values():
            client.close()

    def _auth(self, option: str) -> Auth:
        creds, authfile = self._given.get(option), self._given.get("authfile")
        if creds is not None:
            user, colon, password = creds.partition(":")
            return Auth.basic(user, password if colon else self._password(option, user))
        if self._given.get("password_stdin"):
            raise _no_password("there is a password, and no name", "write --creds USER, too")
        if authfile is not None:
            return Auth.from_file(authfile, environment=os.environ)
        return Auth.from_environment(os.environ)

    def _password(self, option: str, user: str) -> str:
        if self._given.get("password_stdin") and option == "creds":
            return sys.stdin.readline().rstrip("\r\n")
        if not sys.stdin.isatty():
            raise _no_password(
                "there is no password, and no terminal to ask for it",
                "write USER:PASSWORD, or use --password-stdin or --authfile",
                f"--{option.replace('_', '-')}",
            )
        from getpass import getpass

        return getpass(f"Password of {user}: ")


def known_tags(repository: str) -> list[str]:
    """The tags of ``docker://HOST/REPOSITORY``; none if they cannot be had at once."""
    try:
        found = parse_destination(f"{repository}:any")
        options = RegistryOptions(retries=0)
        auth, proxies = Auth.from_environment(os.environ), Proxies.from_environment(os.environ)
        with RegistryClient(auth, options, proxies) as client:
            return client.repository(found.repository).tags()
    except (OciConvertError, OSError):
        return []


def _no_password(message: str, remedy: str, where: str = "--password-stdin") -> UsageError:
    return UsageError(message, code="no-password", where=where, remedy=remedy)
