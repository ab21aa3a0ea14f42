"""What broken registries, and what stands before them, answer; a table of sentences and answers.

Each is met by a conversion from the registry, into it, or of all its tags. Every registry here is a
:class:`~registry.FakeRegistry`, shown as ``registry.example``.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from oci_convert import OciConvertError, convert
from oci_convert.stores import OciLayout, RegistryImage
from oci_convert.stores.registry.auth import Auth
from registry import FakeRegistry, Fault, TokenServer
from registry.gate import Gate
from registry.messages import Reply, Request, failure
from support.images import Image, docker_image, image_list, layer, write_layout
from support.registries import client, load

__all__ = ["BROKEN", "SECRET", "Broken", "told"]

SECRET: Final = "marked-s3cr3t"
_HOST: Final = "registry.example"
IMAGE: Final = docker_image([layer("data", size=3000)])
LIST: Final = image_list([IMAGE])
LAYER: Final = IMAGE.layers[0]
_HASTY: Final[dict[str, Any]] = {"retries": 1, "backoff": 0, "read_timeout": 0.3, "longest_wait": 5}

Answers = Callable[[Request, Callable[[], Reply]], Reply]
"""What is answered to a request, with what does as a sound registry would, and gives its answer."""


@dataclass(frozen=True)
class Broken:
    """What is answered to requests for which ``when`` is true, and the code of the error."""

    code: str
    """Empty if nothing is wrong for us."""
    answers: Answers | Fault
    when: str = "/manifests/1 "
    """What the line ``GET /v2/team/app/manifests/1 `` has in it."""
    way: str = "pull"
    image: Image = IMAGE
    gate: Gate | None = None
    chunk: int | None = None


def told(broken: Broken, folder: Path) -> OciConvertError | None:
    """What a conversion says that meets such answers; checks that it has left no image."""
    with _registry(broken) as fake:
        options = {**_HASTY, "chunk": broken.chunk}
        with client(Auth.basic("me", SECRET), **options) as asked:
            try:
                _WAYS[broken.way](fake, folder, lambda name: RegistryImage(name, asked))
            except OciConvertError as error:
                assert "1" not in fake.content.repository("team/new").tags
                assert not (folder / "target").exists()
                shown = {
                    name: re.sub(r"127\.0\.0\.1:\d+", _HOST, getattr(error, name))
                    for name in ("message", "store", "where", "remedy")
                }
                return error.but(**shown)
    return None


@contextmanager
def _registry(broken: Broken) -> Iterator[FakeRegistry]:
    with FakeRegistry(gate=broken.gate) as fake:
        load(fake, "team/app", "1", broken.image)
        fitting = _fitting(broken.when)
        if isinstance(broken.answers, Fault):
            fake.faults.when(fitting, broken.answers, times=10_000)
        else:
            usual, answers = fake.protocol.answer, broken.answers

            def answer(request: Request) -> Reply:
                sound = partial(usual, request)
                return answers(request, sound) if fitting(request) else sound()

            setattr(fake.protocol, "answer", answer)  # noqa: B010 - mypy takes no other method for it
        yield fake


def _fitting(text: str) -> Callable[[Request], bool]:
    return lambda request: text in f"{request.method} {request.target} "


def _pull(fake: FakeRegistry, folder: Path, image: Callable[[str], RegistryImage]) -> None:
    convert(
        image(f"docker://{fake.host}/team/app:1"), OciLayout(folder / "target"), to="oci", jobs=1
    )


def _push(fake: FakeRegistry, folder: Path, image: Callable[[str], RegistryImage]) -> None:
    write_layout({"app": LIST}, folder / "layout")
    convert(
        OciLayout(folder / "layout"), image(f"docker://{fake.host}/team/new:1"), to="oci", jobs=1
    )


def _mount(fake: FakeRegistry, _: Path, image: Callable[[str], RegistryImage]) -> None:
    new = image(f"docker://{fake.host}/team/new:1")
    convert(image(f"docker://{fake.host}/team/app:1"), new, to="oci", jobs=1)


def _tags(fake: FakeRegistry, folder: Path, image: Callable[[str], RegistryImage]) -> None:
    convert(
        image(f"docker://{fake.host}/team/app:*"), OciLayout(folder / "target"), to="oci", jobs=1
    )


_WAYS: Final = {"pull": _pull, "push": _push, "mount": _mount, "tags": _tags}


# -- answers ------------------------------------------------------------------------------------


def always(status: int, body: bytes = b"", **headers: str) -> Answers:
    """The same answer to everything."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _, __: Reply(status, named, body)


def refusal(status: int, code: str, message: str = "", detail: object = None) -> Answers:
    """A refusal in the form of the specification."""
    return lambda _, __: failure(status, code, message, detail)


def but(**headers: str | None) -> Answers:
    """The right answer with other headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _, sound: sound().with_headers(named)


def body(change: Callable[[bytes], bytes], **headers: str) -> Answers:
    """The right answer with another body, and no digest that would tell."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(_: Request, sound: Callable[[], Reply]) -> Reply:
        bare = sound().with_headers({"Docker-Content-Digest": None, **named})
        return Reply(bare.status, bare.headers, change(bare.body))

    return answer


def document(text: str | bytes) -> Answers:
    """Something else in the place of a manifest."""
    raw = text if isinstance(text, bytes) else text.encode()
    return body(lambda _: raw)


def realm(url: str, answers: Answers | None = None) -> dict[str, Any]:
    """A token server, and what it answers."""
    return {"gate": TokenServer({"me": SECRET}, realm=url), "answers": answers or but()}


def echo(request: Request, _: object) -> Reply:
    """A page that repeats what it was sent."""
    return Reply(500, {"Content-Type": "text/plain"}, f"{dict(request.headers)} {SECRET}".encode())


def login(request: Request, _: object) -> Reply:
    """Everybody is sent to a page to log in."""
    if request.path != "/login":
        return Reply(302, {"Location": "/login"})
    return Reply(200, {"Content-Type": "text/html"}, PAGE)


PAGE: Final = b"<!doctype html><html><body>Please log in</body></html>"
HTML: Final = {"Content_Type": "text/html"}
BLOBS: Final = f"GET /v2/team/app/blobs/{LAYER.digest}"
UPLOADS: Final = "POST /v2/team/new/blobs/uploads/"
SENT: Final = "PUT /v2/team/new/blobs/uploads/"
PUT: Final = "PUT /v2/team/new/manifests/"
ROOT: Final = "PUT /v2/team/new/manifests/1 "
TAGS: Final = "/tags/list"
TOKEN: Final = "/token"
GRUDGING: Final = TokenServer({"me": SECRET}, denied=["repository:team/app:pull"])
BOUNCER: Final = "{origin}/token"
ELSEWHERE: Final = f"http://192.0.2.1/?signature={SECRET}"
_RAW: Final = IMAGE.manifest.decode()
_TWICE: Final = _RAW.replace("{", '{"schemaVersion": 2, ', 1)
_CHILD: Final = f"/manifests/{IMAGE.digest} "


def tags(value: object, **more: object) -> Answers:
    """A list of tags."""
    return always(200, json.dumps({"name": "team/app", "tags": value, **more}).encode())


def linked(link: str) -> Answers:
    """A list of tags that goes on."""
    return always(200, b'{"name": "team/app", "tags": ["1"]}', Link=link)


BROKEN: Final[dict[str, Broken]] = {
    # -- a manifest
    "the page of a proxy in the place of a manifest": Broken(
        "bad-registry-answer", always(200, PAGE, **HTML)
    ),
    "no body": Broken("invalid-json", document("")),
    "a manifest that is cut off": Broken("invalid-json", document(_RAW[:100])),
    "a manifest of an array": Broken("invalid-document", document("[]")),
    "a manifest of null": Broken("invalid-document", document("null")),
    "a manifest with a member twice": Broken("duplicate-member", document(_TWICE)),
    "a manifest that is not UTF-8": Broken("not-utf-8", document(b'{"schemaVersion": "\xff"}')),
    "a manifest of nothing": Broken("invalid-document", document("{}")),
    "a manifest of schema 3": Broken("invalid-document", document('{"schemaVersion": 3}')),
    "a connection that ends in a manifest": Broken("connection-broken", Fault.TRUNCATED),
    "a manifest that is packed": Broken("not-utf-8", body(gzip.compress, Content_Encoding="gzip")),
    "a manifest with a wrong digest": Broken("digest-mismatch", Fault.WRONG_DIGEST),
    "a manifest with a digest that is none": Broken(
        "bad-registry-answer", but(Docker_Content_Digest="sha256:xyz")
    ),
    "a manifest with a wrong Content-Type": Broken("", but(Content_Type="text/plain")),
    "a manifest without a Content-Type": Broken("", but(Content_Type=None)),
    "a manifest that is too large": Broken("answer-too-large", document(b" " * 5_000_000)),
    "no content, with success": Broken("registry-failed", always(204)),
    "a part of a manifest": Broken("registry-failed", always(206, IMAGE.manifest[:50])),
    "not modified": Broken("registry-failed", always(304)),
    "a status of nobody": Broken("registry-failed", always(299, IMAGE.manifest)),
    "a status that no standard knows": Broken("registry-failed", always(799)),
    "a manifest that is not found, as a page": Broken(
        "bad-registry-answer", always(404, PAGE, **HTML)
    ),
    "a child of other bytes": Broken("digest-mismatch", document("{}"), _CHILD, image=LIST),
    "a child that is not there": Broken(
        "blob-missing", refusal(404, "MANIFEST_UNKNOWN"), _CHILD, image=LIST
    ),
    "a page in the place of a child": Broken(
        "digest-mismatch", always(200, PAGE, **HTML), _CHILD, image=LIST
    ),
    # -- headers, redirects
    "a header of 100 kB": Broken("bad-registry-answer", but(X_Long="x" * 100_000)),
    "two hundred headers": Broken(
        "bad-registry-answer", but(**{f"X_{n}": "x" for n in range(200)})
    ),
    "a redirect without end": Broken(
        "redirect-refused", always(307, Location="/v2/team/app/manifests/1")
    ),
    "a redirect to nowhere": Broken("redirect-refused", always(302)),
    "a redirect to plain http": Broken("redirect-refused", always(307, Location=ELSEWHERE)),
    "a redirect to a file": Broken("redirect-refused", always(307, Location="file:///etc/passwd")),
    "a redirect to ftp": Broken(
        "redirect-refused", always(307, Location=f"ftp://me:{SECRET}@192.0.2.1/")
    ),
    "a redirect with a password": Broken(
        "redirect-refused", always(307, Location=f"https://me:{SECRET}@registry.invalid/")
    ),
    "a redirect that is no address": Broken(
        "redirect-refused", always(307, Location="https://[::1")
    ),
    "a redirect to a login page": Broken("bad-registry-answer", login, "/"),
    # -- who we are
    "401 without a challenge": Broken("registry-unauthorized", refusal(401, "UNAUTHORIZED")),
    "401 with a challenge of another kind": Broken(
        "registry-unauthorized", always(401, WWW_Authenticate="Negotiate")
    ),
    "401 whatever we send": Broken(
        "registry-unauthorized", always(401, WWW_Authenticate='Basic realm="x"')
    ),
    "401 whatever token we bring": Broken("registry-unauthorized", but(), "-", gate=GRUDGING),
    "a challenge that is garbled": Broken(
        "registry-unauthorized", always(401, WWW_Authenticate='Bearer realm="')
    ),
    "a challenge without a realm": Broken(
        "registry-unauthorized", always(401, WWW_Authenticate='Bearer service="x"')
    ),
    "a realm that is no address": Broken("realm-refused", when="-", **realm("nonsense")),
    "a realm of plain http elsewhere": Broken(
        "realm-refused", when="-", **realm("http://192.0.2.1/token")
    ),
    "a realm of another scheme": Broken(
        "realm-refused", when="-", **realm("ftp://192.0.2.1/token")
    ),
    "a token server with a page": Broken(
        "token-failed", when=TOKEN, **realm(BOUNCER, always(200, PAGE))
    ),
    "a token server without a token": Broken(
        "token-failed", when=TOKEN, **realm(BOUNCER, always(200, b"{}"))
    ),
    "a token that is a number": Broken(
        "token-failed", when=TOKEN, **realm(BOUNCER, always(200, b'{"token": 17}'))
    ),
    "a token with a line end": Broken(
        "token-failed", when=TOKEN, **realm(BOUNCER, always(200, b'{"token": "a\\r\\nX: b"}'))
    ),
    "a token server that fails": Broken("registry-failed", when=TOKEN, **realm(BOUNCER, echo)),
    "a token server that sends us on": Broken(
        "token-failed", when=TOKEN, **realm(BOUNCER, always(307, Location=ELSEWHERE))
    ),
    "403 with a page": Broken("registry-denied", always(403, PAGE, **HTML)),
    # -- the traffic
    "429 without Retry-After": Broken(
        "too-many-requests", refusal(429, "TOOMANYREQUESTS", "slow down")
    ),
    "429 until tomorrow": Broken("too-many-requests", always(429, Retry_After="86400")),
    "429 with a time that is none": Broken("too-many-requests", always(429, Retry_After="soon")),
    "500 that repeats what it was sent": Broken("registry-failed", echo),
    "502 with a page": Broken("registry-failed", Fault.BAD_GATEWAY),
    "503 for ever": Broken("registry-failed", Fault.UNAVAILABLE),
    "an answer in hostile words": Broken(
        "registry-failed", refusal(400, "UNKNOWN", "\x1b[31mred\r\nnews \u202e" + "x" * 400)
    ),
    "no answer at all": Broken("connection-broken", Fault.RESET),
    "silence": Broken("registry-timeout", Fault.SILENT),
    # -- a blob
    "a page in the place of a layer": Broken("blob-truncated", always(200, PAGE, **HTML), BLOBS),
    "a layer of other bytes": Broken("digest-mismatch", Fault.WRONG_BYTES, BLOBS),
    "a layer that is too short": Broken("blob-truncated", body(lambda data: data[:-1]), BLOBS),
    "a layer that is too long": Broken("wrong-size", body(lambda data: data + b"x"), BLOBS),
    "a layer without bytes": Broken("blob-truncated", body(lambda _: b""), BLOBS),
    "a layer that is packed once more": Broken(
        "blob-truncated", body(gzip.compress, Content_Encoding="gzip"), BLOBS
    ),
    "a layer that breaks off again and again": Broken("blob-truncated", Fault.TRUNCATED, BLOBS),
    "a layer that stands still": Broken("registry-timeout", Fault.STALLED, BLOBS),
    "a layer that is not there": Broken("blob-missing", refusal(404, "BLOB_UNKNOWN"), BLOBS),
    "another part than was asked for": Broken(
        "blob-truncated", always(206, LAYER.data[:9], Content_Range="bytes 0-8/3000"), BLOBS
    ),
    "a layer at a host of plain http": Broken(
        "redirect-refused", always(307, Location=ELSEWHERE), BLOBS
    ),
    # -- tags
    "tags that are null": Broken("no-image", tags(None), TAGS, "tags"),
    "tags that are a text": Broken("bad-registry-answer", tags("1"), TAGS, "tags"),
    "tags that are numbers": Broken("bad-registry-answer", tags([1, 2]), TAGS, "tags"),
    "tags that are none": Broken("bad-registry-answer", tags(["../../etc"]), TAGS, "tags"),
    "no tags": Broken("no-image", tags([]), TAGS, "tags"),
    "a tag that is not there": Broken("bad-registry-answer", tags(["2"]), TAGS, "tags"),
    "a page in the place of tags": Broken("bad-registry-answer", always(200, PAGE), TAGS, "tags"),
    "pages of tags in a circle": Broken(
        "", linked('</v2/team/app/tags/list?n=1>; rel="next"'), TAGS, "tags"
    ),
    "a next page at another host": Broken(
        "bad-registry-answer", linked("<https://elsewhere.invalid/v2/>; rel=next"), TAGS, "tags"
    ),
    # -- writing
    "an upload without an address": Broken("redirect-refused", always(202), UPLOADS, "push"),
    "an upload at another scheme": Broken(
        "redirect-refused", always(202, Location="ftp://x/y"), UPLOADS, "push"
    ),
    "an upload at plain http elsewhere": Broken(
        "redirect-refused", Fault.BAD_LOCATION, UPLOADS, "push"
    ),
    "an upload that is done already": Broken("registry-failed", always(201), UPLOADS, "push"),
    "no uploads": Broken("registry-failed", always(405, b"read-only"), UPLOADS, "push"),
    "an upload of nobody": Broken(
        "no-such-repository", refusal(404, "NAME_UNKNOWN"), UPLOADS, "push"
    ),
    "a blob that does not arrive whole": Broken(
        "registry-failed", refusal(400, "DIGEST_INVALID"), SENT, "push"
    ),
    "a blob that is too large": Broken("too-large-for-registry", always(413), SENT, "push"),
    "a blob that is sent on": Broken(
        "redirect-refused", always(307, Location=ELSEWHERE), SENT, "push"
    ),
    "a blob under another digest": Broken("", Fault.WRONG_DIGEST, SENT, "push"),
    "a blob that is taken and lost": Broken("bad-registry-answer", Fault.LOST, SENT, "push"),
    "an upload that is forgotten": Broken(
        "registry-failed", refusal(404, "BLOB_UPLOAD_UNKNOWN"), SENT, "push"
    ),
    "a piece that is thrown away": Broken(
        "chunk-lost", but(Range="0-9"), "PATCH ", "push", chunk=1000
    ),
    "a range that is refused": Broken("registry-failed", always(416), "PATCH ", "push", chunk=1000),
    "a look for a blob that fails": Broken("registry-failed", always(500), "HEAD ", "push"),
    "a manifest that is invalid": Broken(
        "manifest-refused", refusal(400, "MANIFEST_INVALID", "manifest invalid"), PUT, "push"
    ),
    "a manifest of a type that is not taken": Broken("manifest-refused", always(415), PUT, "push"),
    "a manifest under another digest": Broken("digest-mismatch", Fault.WRONG_DIGEST, PUT, "push"),
    "a manifest that is taken and lost": Broken("bad-registry-answer", Fault.LOST, ROOT, "push"),
    "a manifest whose blob is unknown": Broken(
        "manifest-blob-unknown", Fault.BLOB_UNKNOWN, PUT, "push"
    ),
    "a manifest whose digest is invalid": Broken(
        "manifest-refused", Fault.DIGEST_INVALID, ROOT, "push"
    ),
    "a manifest that is sent on": Broken(
        "redirect-refused", always(308, Location=ELSEWHERE), PUT, "push"
    ),
    "a manifest met with a page": Broken(
        "bad-registry-answer", always(200, PAGE, **HTML), ROOT, "push"
    ),
    "a look for the tag that fails": Broken(
        "registry-failed", always(500), "GET /v2/team/new/manifests/1 ", "push"
    ),
    # -- mounts
    "a mount of nothing": Broken("", always(201), "?mount=", "mount"),  # it is uploaded
    "a mount that is sent on": Broken(
        "redirect-refused", always(307, Location=ELSEWHERE), "?mount=", "mount"
    ),
    "a mount that fails": Broken("registry-failed", always(500), "?mount=", "mount"),
}
"""By what is wrong."""
