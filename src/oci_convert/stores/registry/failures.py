"""What goes wrong between us and a registry, by the errors of urllib3, in words that help."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Final

from urllib3.exceptions import (
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as AnyTimeoutError

from oci_convert.errors import OciConvertError, StoreError
from oci_convert.stores.registry.refusals import TryAgain
from oci_convert.stores.registry.transport import Origin
from oci_convert.text.wording import Wording

__all__ = ["failed"]

_CUT_OFF: Final = (IncompleteRead, RemoteDisconnected)
_PLAIN_ANSWERS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})


@dataclass(frozen=True, slots=True)
class _Failure:
    code: str
    message: str
    remedy: str
    passes: bool
    """Whether it may go well the next time."""


def failed(
    error: HTTPError, origin: Origin, where: str, *, reached: bool
) -> TryAgain | OciConvertError:
    """What an error means: worth another try, or not.

    ``reached`` says that the host has answered before: only then can a name that is not known, or
    a port where nobody listens, be a thing that passes.
    """
    failure = _failure(error, f"{origin.host}:{origin.port}", origin.host, reached=reached)
    told = StoreError(failure.message, code=failure.code, where=where, remedy=failure.remedy)
    return TryAgain(told) if failure.passes else told


def _failure(error: HTTPError, address: str, host: str, *, reached: bool) -> _Failure:
    if isinstance(error, ProxyError):
        # What it says holds the address of the proxy, where some people keep a password.
        return _Failure(
            "proxy-failed",
            f"the proxy makes no connection to {address}",
            "check HTTPS_PROXY and HTTP_PROXY; NO_PROXY names hosts that are asked directly",
            passes=True,
        )
    if isinstance(error, SSLError):
        return _tls(error, address, host)
    if isinstance(error, NameResolutionError):
        return _Failure(
            "registry-unreachable",
            f"no address is known for the host {host}",
            "check how it is spelled, and whether this machine has a network",
            passes=reached,
        )
    if isinstance(error, NewConnectionError):
        return _Failure(
            "registry-unreachable",
            f"{address} cannot be reached: {_cause(error)}",
            "check host and port; if only a proxy leads there, name it in HTTPS_PROXY",
            passes=reached,
        )
    if isinstance(error, AnyTimeoutError):
        return _Failure(
            "registry-timeout",
            f"{address} does not answer in time",
            "try again later; if only a proxy leads there, name it in HTTPS_PROXY",
            passes=True,
        )
    return _broken(error, address)


def _broken(error: HTTPError, address: str) -> _Failure:
    """A connection that broke off, or an answer that the library could not read."""
    if any(isinstance(it, HTTPException) and not isinstance(it, _CUT_OFF) for it in error.args):
        return _Failure(
            "bad-registry-answer",
            f"{address} answers in something else than HTTP, or with too large a header",
            "check host and port; the registry, or a proxy before it, may be broken",
            passes=False,
        )
    return _Failure(
        "connection-broken",
        f"the connection to {address} broke off",
        "try again; if it stays so, the registry or a proxy before it is broken",
        passes=True,
    )


def _cause(error: BaseException) -> str:
    """Why no connection was made, in the words of the system."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno and not isinstance(cause, socket.gaierror):
            return os.strerror(cause.errno).lower()
        cause = cause.__cause__ or cause.__context__
    return "nobody listens"


def _tls(error: SSLError, address: str, host: str) -> _Failure:
    cause = next((it for it in error.args if isinstance(it, ssl.SSLError)), None)
    reason = getattr(cause, "reason", None) or ""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _Failure(
            "tls-failed",
            f"the certificate of {address} is not trusted: {cause.verify_message}",
            Wording(
                f'{{ca_file=FILE}} trusts its authority; {{insecure={{"{host}"}}}} checks nothing'
            ),
            passes=False,
        )
    if reason in _PLAIN_ANSWERS:
        return _Failure(
            "tls-failed",
            f"{address} speaks plain http",
            Wording("if that is meant and the network is yours, add {plain_http=…} with this host"),
            passes=False,
        )
    if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError) or cause is None:
        return _Failure(
            "connection-broken",
            f"the connection to {address} broke off",
            "try again; if it stays so, the registry or a proxy before it is broken",
            passes=True,
        )
    return _Failure(
        "tls-failed",
        f"no secure connection to {address}: {reason.replace('_', ' ').lower() or 'TLS failed'}",
        Wording("it may want a certificate of ours ({certificate=…}), or an older version of TLS"),
        passes=False,
    )
