"""A token server whose tokens Debian's ``docker-registry`` takes: signed by the openssl command."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from registry import FakeRegistry, TokenServer
from registry.messages import Reply
from support.certificates import OPENSSL

__all__ = ["token_server"]

_SERVICE = "registry of the tests"
_ISSUER = "tests"


@contextmanager
def token_server(folder: Path) -> Iterator[tuple[FakeRegistry, Mapping[str, Any]]]:
    """A token server for ``me`` with the password ``s3cr3t``, and the configuration that names it.

    Its key and certificate are made in ``folder``.
    """
    key, certificate = folder / "token.key", folder / "token.pem"
    command = [OPENSSL or "", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    command += ["-subj", f"/CN={_ISSUER}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    with FakeRegistry(gate=SigningServer(key, certificate)) as tokens:
        told = {
            "realm": f"{tokens.origin}/token",
            "service": _SERVICE,
            "issuer": _ISSUER,
            "rootcertbundle": str(certificate),
        }
        yield tokens, {"auth": {"token": told}}


class SigningServer(TokenServer):
    """A token server whose tokens distribution takes: signed, with the certificate within."""

    def __init__(self, key: Path, certificate: Path) -> None:
        super().__init__({"me": "s3cr3t"}, lifetime=300)
        self.key = key
        self.certificate = certificate

    def _granted(self, asked: list[str], user: str | None) -> Reply:
        now = int(time.time())
        access = []
        for each in asked:
            head, _, actions = each.rpartition(":")
            kind, _, name = head.partition(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        lines = self.certificate.read_text("utf-8").splitlines()
        body = "".join(line for line in lines if "CERTIFICATE" not in line)
        claims = {
            "iss": _ISSUER,
            "sub": user or "",
            "aud": _SERVICE,
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": str(now),
            "access": access if user else [],
        }
        parts = [
            _unpadded(json.dumps(it).encode())
            for it in ({"typ": "JWT", "alg": "RS256", "x5c": [body]}, claims)
        ]
        signed = ".".join(parts)
        sign = [OPENSSL or "", "dgst", "-sha256", "-sign", str(self.key)]
        signature = subprocess.run(sign, input=signed.encode(), capture_output=True, check=True)
        token = f"{signed}.{_unpadded(signature.stdout)}"
        answer = json.dumps({"token": token, "expires_in": 300}).encode()
        return Reply(200, {"Content-Type": "application/json"}, answer)


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
