"""TLS: which authorities are trusted for a host, which certificate is shown to it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

from oci_convert.errors import StoreError
from oci_convert.stores.registry.options import RegistryOptions

__all__ = ["context_for", "speaks_tls"]

_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})


def context_for(
    names: tuple[str, ...], options: RegistryOptions, *, ours: bool = True
) -> ssl.SSLContext:
    """The context for a host, by its ``names`` as a reference spells them.

    Without ``ours``, for a host that nobody named (a redirect led there), no certificate of ours is
    shown. Raises :class:`StoreError` (``invalid-certificate``) for files that cannot be used.
    """
    context = ssl.create_default_context()
    if options.insecure.intersection(names):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.ca_file is not None:
        _trust(context, options.ca_file)
    if ours and options.certificate is not None:
        _show(context, options.certificate, options.key)
    for folder in _folders(names, options):
        for file in sorted(folder):
            if file.suffix == ".crt":
                _trust(context, file)
            elif ours and file.suffix == ".cert":
                _show(context, file, file.with_suffix(".key"))
    return context


def _folders(names: tuple[str, ...], options: RegistryOptions) -> Iterator[list[Path]]:
    for above in options.certs_folders:
        for name in names:
            folder = above / name
            try:
                yield list(folder.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                _refuse(folder, error.strerror or "it cannot be read")


def _trust(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(file)
    except ssl.SSLError:
        _refuse(file, "it holds no certificate in PEM")
    except OSError as error:
        _refuse(file, error.strerror or "it cannot be read")


def _show(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    try:
        # A key with a passphrase would be asked for on the terminal, by OpenSSL itself.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError:
        _refuse(certificate, "certificate and key are not PEM, do not fit, or need a passphrase")
    except OSError as error:
        _refuse(certificate, f"certificate or key: {error.strerror}")


def _refuse(file: Path, why: str) -> NoReturn:
    raise StoreError(
        f"this cannot be used as a certificate: {why}",
        code="invalid-certificate",
        where=str(file),
        remedy="registries want PEM; openssl x509 -in FILE shows what it holds",
    )


def speaks_tls(host: str, port: int, timeout: float) -> bool:
    """Whether a server answers to TLS, whatever its certificate is worth; nothing is sent to it.

    Only one that answers in plain text does not: who cannot be reached, or says nothing, is taken
    to speak TLS, and what is wrong comes out later.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout) as raw,
            context.wrap_socket(raw, server_hostname=host),
        ):
            return True
    except ssl.SSLError as error:
        return error.reason not in _NOT_TLS
    except OSError:
        return True
