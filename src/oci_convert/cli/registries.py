"""Registries on the command line: the credentials and connections of ``docker://`` references."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from oci_convert.cli.show.terminal import tell
from oci_convert.errors import UsageError

if TYPE_CHECKING:
    from oci_convert.stores.registry.auth import Auth
    from oci_convert.stores.registry.client import RegistryClient

__all__ = [
    "AuthFile",
    "CaFile",
    "Creds",
    "Insecure",
    "PlainHttp",
    "Rate",
    "Retries",
    "prepare",
]

_GROUP: Final = "Registries"


@dataclass
class _Given:
    """What the options say; they are read before a registry is asked."""

    creds: str | None = None
    authfile: Path | None = None
    values: dict[str, Any] = field(default_factory=dict)


_given: Final = _Given()


def _set(name: str, value: object) -> None:
    if value is not None:
        _given.values[name] = value


def _hosts(name: str) -> Any:
    return lambda hosts: _set(name, frozenset(hosts) if hosts else None)


def _rates(texts: list[str] | None) -> None:
    if texts:
        from oci_convert.stores.registry.options import parse_rates

        _set("rates", parse_rates(texts))


Creds = Annotated[
    str | None,
    typer.Option(
        "--creds",
        metavar="USER[:PASSWORD]",
        callback=lambda text: setattr(_given, "creds", text),
        help="Name and password for registries; a missing password is asked for.",
        rich_help_panel=_GROUP,
    ),
]
AuthFile = Annotated[
    Path | None,
    typer.Option(
        "--authfile",
        metavar="FILE",
        callback=lambda path: setattr(_given, "authfile", path),
        help="File with credentials; default: those of docker and podman.",
        rich_help_panel=_GROUP,
    ),
]
PlainHttp = Annotated[
    list[str] | None,
    typer.Option(
        "--plain-http",
        metavar="HOST",
        callback=_hosts("plain_http"),
        help="Use http without TLS for this registry.",
        rich_help_panel=_GROUP,
    ),
]
Insecure = Annotated[
    list[str] | None,
    typer.Option(
        "--insecure",
        metavar="HOST",
        callback=_hosts("insecure"),
        help="Do not check the TLS certificate of this registry.",
        rich_help_panel=_GROUP,
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        callback=lambda path: _set("ca_file", path),
        help="More certificate authorities to trust, in PEM.",
        rich_help_panel=_GROUP,
    ),
]
Rate = Annotated[
    list[str] | None,
    typer.Option(
        "--rate",
        metavar="HOST=N/s",
        callback=_rates,
        help="The most requests a second to a registry.",
        rich_help_panel=_GROUP,
    ),
]
Retries = Annotated[
    int | None,
    typer.Option(
        "--retries",
        metavar="N",
        min=0,
        callback=lambda number: _set("retries", number),
        help="How often a failed request is sent again; default: 5.",
        rich_help_panel=_GROUP,
    ),
]


def prepare(arguments: Sequence[str]) -> None:
    """Let references of the command line use the credentials of this user, if they name a registry.

    Nothing is loaded, read or asked for where none does.
    """
    if any(argument.startswith("docker://") for argument in arguments):
        from oci_convert.stores.registry.image import set_default_client

        set_default_client(_client)


def _client() -> RegistryClient:
    from oci_convert.stores.registry.client import RegistryClient
    from oci_convert.stores.registry.options import RegistryOptions
    from oci_convert.stores.registry.proxies import Proxies

    options = RegistryOptions(**_given.values)
    for host in sorted(options.insecure):
        tell(f"warning: the TLS certificate of {host} is not checked (--insecure)")
    return RegistryClient(_auth(), options, Proxies.from_environment(os.environ))


def _auth() -> Auth:
    from oci_convert.stores.registry.auth import Auth

    if _given.creds is not None:
        user, colon, password = _given.creds.partition(":")
        return Auth.basic(user, password if colon else _asked(user))
    if _given.authfile is not None:
        return Auth.from_file(_given.authfile, environment=os.environ)
    return Auth.from_environment(os.environ)


def _asked(user: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no password, and no terminal to ask for it",
            code="no-password",
            where="--creds",
            remedy="write USER:PASSWORD, or use --authfile",
        )
    from getpass import getpass

    return getpass(f"Password of {user}: ")
