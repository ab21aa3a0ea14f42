"""A marked secret, wherever credentials are kept, is found in nothing that a run produced.

Whole runs of the command, that succeed and that fail: what they print and log, the files that they
write, what the registry is asked for, and everything that another host gets to see.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from oci_convert.stores.registry.auth import Auth
from oci_convert.stores.registry.proxies import Proxies
from registry import FakeRegistry, Fault, Htpasswd, TokenServer
from registry.gate import Gate
from registry.messages import Reply, Request
from support.command import Command
from support.images import docker_image, layer, oci_image
from support.registries import load

SECRET: Final = "marked-s3cr3t"
USERS: Final = {"me": SECRET}
BASIC: Final = base64.b64encode(f"me:{SECRET}".encode()).decode()
PLACES: Final = ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")


@dataclass(frozen=True)
class Kept:
    """What is kept where, and what the command is given."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Texts by paths in the folder of the user; ``HOST`` stands for the registry."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables; ``FOLDER`` stands for the folder of the user."""
    arguments: tuple[str, ...] = ()
    gate: Callable[[], Gate] = lambda: Htpasswd(USERS)
    failing: tuple[str, ...] = ()
    """Runs that fail, besides those of all."""


def auths(**entry: str) -> str:
    return json.dumps({"auths": {"HOST": entry}})


class Bearer(Gate):
    """Those with one token may come in."""

    def refuse(self, request: Request, scope: str, origin: str) -> Reply | None:
        if request.headers.get("Authorization") == f"Bearer {SECRET}":
            return None
        return Reply(401, {"WWW-Authenticate": f'Bearer realm="{origin}/token"'}, b"{}")


class Renewing(TokenServer):
    """Tokens come with an identity token for the next time."""

    def token(self, request: Request) -> Reply | None:
        reply = super().token(request)
        if reply is None or reply.status != 200:
            return reply
        body = {**json.loads(reply.body), "refresh_token": f"refresh-{SECRET}"}
        return Reply(200, reply.headers, json.dumps(body).encode())


PASSWORD: Final = auths(auth=BASIC)
HELPER: Final = f"""#!/bin/sh
echo '{{"Username": "me", "Secret": "{SECRET}"}}'
"""
IDENTITY: Final = f"""#!/bin/sh
echo '{{"Username": "<token>", "Secret": "{SECRET}"}}'
"""
BY_HELPER: Final = {"DOCKER_CONFIG": "FOLDER", "PATH": "FOLDER:/usr/bin:/bin"}


def identities() -> Gate:
    return Renewing(USERS, identities=[SECRET, f"refresh-{SECRET}"])


KEPT: Final[dict[str, Kept]] = {
    "--creds": Kept(arguments=("--creds", f"me:{SECRET}")),
    "--authfile": Kept({"auth.json": PASSWORD}, arguments=("--authfile", "FOLDER/auth.json")),
    "REGISTRY_AUTH_FILE": Kept({"auth": PASSWORD}, {"REGISTRY_AUTH_FILE": "FOLDER/auth"}),
    "DOCKER_CONFIG": Kept({"config.json": PASSWORD}, {"DOCKER_CONFIG": "FOLDER"}),
    "XDG_RUNTIME_DIR": Kept({"containers/auth.json": PASSWORD}, {"XDG_RUNTIME_DIR": "FOLDER"}),
    "XDG_CONFIG_HOME": Kept({"containers/auth.json": PASSWORD}, {"XDG_CONFIG_HOME": "FOLDER"}),
    "the home directory": Kept({".docker/config.json": auths(username="me", password=SECRET)}),
    "a credential helper": Kept(
        {"config.json": '{"credHelpers": {"HOST": "x"}}', "docker-credential-x": HELPER}, BY_HELPER
    ),
    "a credential store": Kept(
        {"config.json": '{"credsStore": "x"}', "docker-credential-x": IDENTITY},
        BY_HELPER,
        gate=identities,
    ),
    "an identity token": Kept(
        {".docker/config.json": auths(identitytoken=SECRET)}, gate=identities
    ),
    "a registry token": Kept({".docker/config.json": auths(registrytoken=SECRET)}, gate=Bearer),
    "tokens of a token server": Kept(
        {".docker/config.json": PASSWORD}, gate=lambda: Renewing(USERS)
    ),
    "the address of a proxy": Kept(
        {".docker/config.json": PASSWORD},
        {"HTTPS_PROXY": f"http://me:{SECRET}@127.0.0.1:1", "HTTP_PROXY": f"http://{SECRET}@p:1"},
        failing=("verify docker://registry.invalid/team/app:1 --debug --retries 0",),
    ),
    "a file that is broken": Kept({".docker/config.json": f'{{"auths": {SECRET}'}),
    "a password that nobody takes": Kept(
        arguments=("--creds", f"me:{SECRET}"), gate=lambda: Htpasswd({"me": "another"})
    ),
}
"""By where the secret is kept."""

RUNS: Final = (
    "convert IMAGE oci:layout -v --record record.json",
    "convert IMAGE HOST/team/new:1 --to oci --json --debug",
    "inspect IMAGE --json",
    "verify IMAGE -v",
    "diff IMAGE HOST/team/app:2 --json",
    "convert HOST/team/app:absent oci:other --debug",
)
FAILING: Final = (
    "convert IMAGE oci:failed --debug --retries 0",
    "inspect IMAGE --json --debug --retries 0",
)
"""While the registry repeats what it was sent, and while it breaks off."""


@pytest.mark.parametrize("name", KEPT)
def test_no_run_shows_a_secret(
    name: str,
    command: Command,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept, folder = KEPT[name], tmp_path_factory.mktemp("user")
    caplog.set_level(logging.DEBUG)
    produced: list[str] = []
    with (
        FakeRegistry() as storage,
        FakeRegistry(gate=kept.gate(), content=storage.content, blobs_at=storage.origin) as fake,
    ):
        load(fake, "team/app", "1", docker_image([layer("data", size=2000)]))
        load(fake, "team/app", "2", oci_image([layer("other")]))
        _keep(kept, folder, fake.host, monkeypatch)
        arguments = [it.replace("FOLDER", str(folder)) for it in kept.arguments]
        statuses = []

        def run(line: str) -> None:
            words = line.replace("IMAGE", "HOST/team/app:1").replace(
                "HOST/", f"docker://{fake.host}/"
            )
            ended = command(*words.split(), *arguments)
            statuses.append(ended.status)
            produced.extend((ended.out, ended.err))

        for line in (*RUNS, *kept.failing):
            run(line)
        for _ in _broken(fake):
            for line in FAILING:
                run(line)
        produced += [it.target for it in fake.log.requests]
        # The signature in its address is for that host.
        produced += [f"{it.path} {dict(it.headers)}" for it in storage.log.requests]
    welcome = name not in {"a file that is broken", "a password that nobody takes"}
    assert statuses[:5] == [0, 0, 0, 0, 3] if welcome else all(statuses[:5])
    assert all(statuses[5:])
    produced += [record.getMessage() for record in caplog.records]
    assert not welcome or len(caplog.records) > 20
    produced += [repr(file.read_bytes()) for file in Path().rglob("*") if file.is_file()]
    produced += _pickled()
    everything = "\n".join(produced)
    for secret in (SECRET, BASIC, "tok-", "signature=s3cr3t"):
        assert secret not in everything


def _keep(kept: Kept, folder: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, text in kept.files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("HOST", host), encoding="utf-8")
        file.chmod(0o700)
    for variable in PLACES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    for variable, value in kept.environment.items():
        monkeypatch.setenv(variable, value.replace("FOLDER", str(folder)))


def _broken(fake: FakeRegistry) -> Iterator[None]:
    """A registry that repeats what it was sent, and one that breaks off."""
    usual = fake.protocol.answer

    def repeating(request: Request) -> Reply:
        sent = f"{dict(request.headers)} {request.body!r} {SECRET} {BASIC}"
        return Reply(403, {"Content-Type": "text/plain"}, sent.encode())

    setattr(fake.protocol, "answer", repeating)  # noqa: B010 - mypy takes no other method for it
    yield
    setattr(fake.protocol, "answer", usual)  # noqa: B010 - likewise
    fake.faults.when(lambda request: "manifests" in request.path, Fault.TRUNCATED, times=10_000)
    yield


def _pickled() -> Iterator[str]:
    """Where credentials are, as another process gets to know it."""
    for value in (Auth.from_environment(os.environ), Proxies.from_environment(os.environ)):
        yield repr(value)
        with suppress(TypeError):  # it refuses to be pickled
            yield repr(pickle.dumps(value))
