"""Certificates for tests, made by the openssl command: an authority, a server, and a client."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["OPENSSL", "Certificates", "make_certificates"]

OPENSSL: Final = shutil.which("openssl")
_DAYS: Final = "30"


@dataclass(frozen=True)
class Certificates:
    """Files in PEM."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    def context(self, *, wants_client: bool = False) -> ssl.SSLContext:
        """The context of a server on this machine."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server, self.server_key)
        if wants_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.authority)
        return context


def make_certificates(folder: Path, *names: str) -> Certificates:
    """An authority of its own, and what it has signed: for ``names``, by default this machine."""
    subjects = names or ("IP:127.0.0.1", "DNS:localhost")
    authority, authority_key = folder / "ca.pem", folder / "ca.key"
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", _DAYS, "-subj", "/CN=an authority of the tests"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-keyout", authority_key, "-out", authority),
    )
    made = {}
    for name in ("server", "client"):
        request, key = folder / f"{name}.csr", folder / f"{name}.key"
        extensions = folder / f"{name}.ext"
        extensions.write_text(
            f"subjectAltName={','.join(subjects)}\nextendedKeyUsage={name}Auth\n", encoding="utf-8"
        )
        _openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request),
        )
        certificate = made[name] = folder / f"{name}.pem"
        _openssl(
            *("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key),
            *("-CAcreateserial", "-days", _DAYS, "-extfile", extensions, "-out", certificate),
        )
    return Certificates(
        authority, made["server"], folder / "server.key", made["client"], folder / "client.key"
    )


def _openssl(*arguments: str | Path) -> None:
    command = [OPENSSL or "openssl", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
