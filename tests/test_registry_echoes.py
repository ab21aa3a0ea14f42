"""A registry repeats what it was sent, wherever it says anything; nothing of it is seen again."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oci_convert.text.printable import printable
from registry import FakeRegistry, Htpasswd
from registry.messages import Reply, Request, failure
from support.command import Command
from support.images import docker_image, layer
from support.registries import load

PLACES: Final = {
    "a text": 403,
    "an error": 400,
    "an error of a repository": 404,
    "other JSON": 400,
    "Content-Type": 200,
    "RateLimit-Limit": 429,
    "Warning": 200,
    "a tag that is none": 200,
    "tags": 200,
    "Location": 307,
    "a Location that is not followed": 307,
    "WWW-Authenticate": 401,
    "a broken header": 200,
}
"""By what a registry repeats it in, the status."""
PASSWORDS: Final = st.sampled_from(
    ["two words and a third", 'q"uo\\te and \\', "pässwörd/ключ", "p/a?ss=word&more", "a+b%20c=="]
) | st.text("\"'\\/%&<>+=? äé\u20ac🔑aB1", min_size=12, max_size=30).filter(
    lambda text: len(set(text.strip())) > 5
)
RUNS: Final = (
    "convert HOST/team/app:1 HOST/team/new:1 --to oci --record record.json --debug",
    "inspect HOST/team/app:1 --json",
    "sync HOST/team/app:* oci:synced --to oci --results results.jsonl",
    "report results.jsonl",
)


class Echo:
    """Answers for a registry in one of the places."""

    def __init__(self, fake: FakeRegistry, password: str, place: str) -> None:
        self._usual = fake.protocol.answer
        self._origin = fake.origin
        self._password = password
        self._place = place
        self._key = f"key={quote(password, safe='')}"
        setattr(fake.protocol, "answer", self.answer)  # noqa: B010 - mypy takes no other method

    def answer(self, request: Request) -> Reply:
        usual = self._usual(request)
        sent = [request.target, *self._spelled(request.headers.get("Authorization", ""))]
        if request.query("key") is not None:  # the token server, or where a redirect leads
            return Reply(500, {"Content-Type": "text/plain"}, " ".join(sent).encode())
        if self._place == "WWW-Authenticate":
            realm = f'Bearer realm="{self._origin}/token?{self._key}",service="{self._key}"'
            return Reply(401, {"WWW-Authenticate": realm})
        if "Authorization" not in request.headers or request.path == "/v2/":
            return usual
        status = PLACES[self._place]
        if status >= 400:
            return self._refusal(status, request, sent)
        return self._repeating(request, usual, sent)

    def _refusal(self, status: int, request: Request, sent: list[str]) -> Reply:
        text = " ".join(sent)
        if self._place == "a text":
            return Reply(status, {"Content-Type": "text/plain"}, text.encode())
        if self._place == "other JSON":
            body = {"headers": dict(request.headers), "sent": sent}
            return Reply(status, {}, json.dumps(body).encode())
        if self._place == "RateLimit-Limit":
            return Reply(status, {"RateLimit-Limit": _header(text)})
        code = "NAME_UNKNOWN" if status == 404 else "UNKNOWN"
        return failure(status, code, text, {"digest": text} if status == 404 else text)

    def _repeating(self, request: Request, usual: Reply, sent: list[str]) -> Reply:
        text = " ".join(sent)
        place = self._place
        reply = usual
        listed = request.path.endswith("/tags/list")
        if place == "Content-Type" and "/manifests/" in request.path:
            reply = Reply(200, {"Content-Type": _header(text)}, json.dumps(sent).encode())
        elif place == "Warning":
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            reply = usual.with_headers({"Warning": _header(f'299 - "{escaped}"')})
        elif place == "a tag that is none" and listed:
            reply = Reply(200, {}, json.dumps({"tags": [text]}).encode())
        elif place == "tags" and listed:
            reply = Reply(200, {}, json.dumps({"tags": ["1", *sent]}).encode())
        elif place == "Location":
            reply = Reply(307, {"Location": f"/{quote(self._password)}?{self._key}"})
        elif place == "a Location that is not followed":
            reply = Reply(307, {"Location": f"http://registry.invalid/?{self._key}"})
        elif place == "a broken header":
            first = {"Content-Length": str(len(usual.body)), **usual.headers}
            broken = {"X-A": "b\r\nno header", "X-B": _header(text)}
            reply = Reply(usual.status, {**first, **broken}, usual.body)
        return reply

    def _spelled(self, header: str) -> Iterator[str]:
        """What a request was sent with, and what somebody may make of it."""
        password = self._password
        yield header
        yield base64.b64decode(header.partition(" ")[2]).decode()
        yield password
        yield json.dumps(password)
        yield quote(password, safe="")
        yield base64.b64encode(password.encode()).decode()


def _header(text: str) -> str:
    """As the bytes of a text go into a header."""
    return text.encode().decode("latin-1")


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(password=PASSWORDS)
def test_what_a_registry_repeats_is_not_seen_again(
    place: str,
    password: str,
    command: Command,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("run"))
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    produced: list[str] = []
    with FakeRegistry(gate=Htpasswd({"me": password})) as fake:
        load(fake, "team/app", "1", docker_image([layer("data")]))
        Echo(fake, password, place)
        for line in RUNS:
            words = line.replace("HOST", f"docker://{fake.host}").split()
            login = () if words[0] == "report" else ("--creds", f"me:{password}", "--retries", "0")
            ended = command(*words, *login)
            assert ended.status != 70, ended.err
            produced += [ended.out, ended.err]
        assert any("Authorization" in it.headers for it in fake.log.requests)
    produced += [caplog.text, *(repr(record.__dict__) for record in caplog.records)]
    assert len(caplog.records) > 5
    produced += [file.read_bytes().decode("utf-8", "replace") for file in _files()]
    everything = "\n".join(produced)
    for secret in _forms(password):
        assert secret not in everything


def test_a_redirect_to_a_host_that_is_named_so_is_refused(
    command: Command, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    led = Reply(307, {"Location": "https://Marked-s3cr3t.example/"})
    with FakeRegistry(gate=Htpasswd({"me": "marked-s3cr3t"})) as fake:
        setattr(fake.protocol, "answer", lambda _: led)  # noqa: B010 - as above
        reference = f"docker://{fake.host}/team/app:1"
        ended = command("inspect", reference, "--creds", "me:marked-s3cr3t", "--retries", "0")
    assert ended.status == 1
    assert "it leads to https://….example" in ended.err
    assert "s3cr3t" not in (ended.err + caplog.text).lower()


def _files() -> Iterator[Path]:
    return (file for file in Path().rglob("*") if file.is_file())


def _forms(password: str) -> Iterator[str]:
    for text in (password, f"me:{password}"):
        yield base64.b64encode(text.encode()).decode().rstrip("=")
    for form in (
        password,
        printable(password),
        password.encode().decode("latin-1"),
        json.dumps(password)[1:-1],
        json.dumps(password, ensure_ascii=False)[1:-1],
        quote(password),
        quote(password, safe=""),
        repr(password)[1:-1],
    ):
        yield form.strip()
