"""What a registry may answer: any status, any header, any body, to any request.

Only an error of the library may come out; a manifest or a blob that is given has its digest; no
other host is asked with our password.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Final
from unittest import mock

import urllib3

from base import DICE, Draws, ours, split
from oci_convert.spec.digest import Digest
from oci_convert.stores.registry.auth import Auth
from oci_convert.stores.registry.client import RegistryClient, RemoteRepository
from oci_convert.stores.registry.options import RegistryOptions
from oci_convert.stores.registry.reference import Repository
from oci_convert.stores.registry.transport import Body, Origin, Transport

__all__ = ["run", "seeds"]

HERE: Final = Origin("https", "registry.example", 443)
DATA: Final = b'{"schemaVersion": 2, "manifests": [], "tags": ["a", "b"], "token": "t"}'
DIGEST: Final = Digest.of(DATA)
PASSWORD: Final = "s3cr3t"  # noqa: S105 - it opens nothing
OPTIONS: Final = RegistryOptions(retries=2, backoff=0, longest_wait=0, certs_folders=())
STATUSES: Final = (200, 201, 202, 204, 206, 301, 307, 400, 401, 403, 404, 405, 408, 413, 415, 416)
MORE: Final = (429, 500, 503, 100, 299, 304, 599)
HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "Content-Type": (
        "application/vnd.oci.image.index.v1+json",
        "text/html",
        "application/json; charset=x",
    ),
    "Docker-Content-Digest": (DIGEST, "sha256:0", "sha512:" + "0" * 128),
    "Location": (
        "/v2/a/blobs/uploads/1?x=y",
        "http://127.0.0.1/",
        "https://elsewhere.example/v2/?a=b",
        "//[::1",
        "",
    ),
    "Range": ("0-0", "0-99", "bytes=0-9", "x"),
    "Content-Range": ("bytes 0-9/10", "bytes 5-70/71", "x"),
    "Link": ('</v2/a/tags/list?last=b>; rel="next"', "<x>; rel=next", "<"),
    "Retry-After": ("0", "Sat, 21 Nov 2026 12:00:00 GMT", "9" * 20),
    "WWW-Authenticate": (
        'Bearer realm="https://auth.example/token",service="s",scope="repository:a:pull"',
        'Bearer realm="http://auth.example/token"',
        "Basic",
        'Bearer realm="',
    ),
    "OCI-Chunk-Min-Length": ("1", "x", "-5"),
    "Warning": ('299 - "old"', "299"),
    "OCI-Subject": (DIGEST,),
}


class Answers:
    """A channel to a host, whose answers are read from the input."""

    def __init__(self, body: bytes, draws: Draws, origin: Origin) -> None:
        self.body = body
        self.draws = draws
        self.origin = origin

    def send(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: Body = None,
        *,
        hurried: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        sent = f"{target} {headers}"
        token = "scope=" in target  # its server may be anywhere, so long as it is secure
        if self.origin.host != HERE.host and not token:
            assert "Authorization" not in headers, "credentials have left the registry"
        assert PASSWORD not in sent
        if body is not None and not isinstance(body, bytes):
            drain(body)
        draws = self.draws
        status = draws.one_of(MORE if draws.rarely() else STATUSES)
        told = {
            name: self.value(values) for name, values in HEADERS.items() if draws.number(4) == 1
        }
        content = self.body if draws.number(4) == 3 else DATA
        if draws.number(3):
            told["Content-Length"] = str(len(content) + draws.number(2) * draws.number(3))
        return urllib3.HTTPResponse(
            io.BytesIO(content),
            told,
            status,
            preload_content=False,
            decode_content=False,
            enforce_content_length=True,
            request_method=method,
        )

    def value(self, values: tuple[str, ...]) -> str:
        if self.draws.rarely():
            return self.draws.take(20).decode("latin-1")
        return self.draws.one_of(values)

    def close(self) -> None:
        """There is nothing to close."""


def drain(body: Iterable[bytes]) -> None:
    for _ in body:
        pass


def run(data: bytes) -> None:
    """Ask everything of a registry that answers as the input says."""
    body, draws = split(data)

    def channel(_: Transport, origin: Origin, **__: bool) -> Answers:
        return Answers(body, draws, origin)

    with (
        mock.patch.object(Transport, "origin", return_value=HERE),
        mock.patch.object(Transport, "channel", channel),
        RegistryClient(Auth.basic("me", PASSWORD), OPTIONS) as client,
    ):
        remote = client.repository(Repository("registry.example", "a"), push=True)
        first = True
        while draws or first:
            first = False
            with ours():
                ask(remote, draws)
        with ours():
            client.catalog("registry.example")


def ask(remote: RemoteRepository, draws: Draws) -> None:
    """One thing, and what must hold of the answer."""
    what = draws.number(9)
    if what == 0:
        assert Digest.of(remote.manifest(DIGEST).raw) == DIGEST
    elif what == 1:
        remote.find_manifest("tag")
    elif what == 2:
        assert b"".join(remote.blob(DIGEST, len(DATA))) == DATA
    elif what == 3:
        remote.put_blob(
            Digest.of(b"%d" % draws.number(9)),
            1,
            lambda: [b"0"],
            mount_from=Repository("registry.example", "b"),
        )
    elif what == 4:
        assert remote.put_stream(lambda: [DATA, DATA])[0] == Digest.of(DATA + DATA)
    elif what == 5:
        remote.put_manifest(DATA, "application/json", tag="t")
    elif what == 6:
        assert remote.tags() == sorted(remote.tags())
    elif what == 7:
        remote.referrers(DIGEST)
    else:
        remote.add_referrer(DIGEST, {"digest": DIGEST, "size": 1})


def seeds() -> Iterator[bytes]:
    """Bodies of the field, each with the choices that lead to every request."""
    for body in (DATA, b"<html>", b'{"errors": [{"code": "DENIED", "message": "no"}]}', b""):
        for what in range(9):
            yield body + DICE + bytes([what]) + bytes(range(60))
