"""Credentials: where they are looked for, what is found there, and that nobody sees them."""

from __future__ import annotations

import base64
import copy
import json
import os
import pickle
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.errors import StoreError, UsageError
from oci_convert.limits import limited
from oci_convert.stores.registry.auth import Auth, Found, Keychain
from oci_convert.stores.registry.auth_files import AuthFile, read_auth_file
from oci_convert.stores.registry.credential_helpers import HelperError, Helpers
from oci_convert.stores.registry.reference import Repository
from oci_convert.stores.registry.secret import (
    IdentityToken,
    RegistryToken,
    Secret,
    UserPassword,
)

APP = Repository("quay.io", "team/app")
HUB = Repository("docker.io", "library/alpine")
SECRET = "s3cr3t-in-a-test"
CREDENTIAL = UserPassword("me", Secret(SECRET))

posix = pytest.mark.skipif(os.name != "posix", reason="helpers are shell scripts")


def auth(user: str = "me", password: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def helper(folder: Path, name: str, script: str) -> None:
    """A credential helper: a program in a folder of the ``PATH``."""
    file = write(folder / f"docker-credential-{name}", f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def find(content: object, folder: Path, repository: Repository = APP, **more: Any) -> Found:
    path = write(folder / "config.json", content)
    return Keychain(Auth.from_file(path, **more)).find(repository)


# -- what a file says ---------------------------------------------------------------------------

FILES: dict[str, tuple[object, Repository, object]] = {
    "by host": ({"auths": {"quay.io": auth()}}, APP, CREDENTIAL),
    "by address": ({"auths": {"https://quay.io/v1/": auth()}}, APP, CREDENTIAL),
    "by address of version 2": ({"auths": {"https://quay.io/v2": auth()}}, APP, CREDENTIAL),
    "in other letters": ({"auths": {"Quay.IO": auth()}}, APP, CREDENTIAL),
    "by repository": (
        {"auths": {"quay.io": auth("other"), "quay.io/team/app": auth()}},
        APP,
        CREDENTIAL,
    ),
    "by a part of the repository": (
        {"auths": {"quay.io": auth("other"), "quay.io/team": auth()}},
        APP,
        CREDENTIAL,
    ),
    "of another repository": ({"auths": {"quay.io/tea": auth()}}, APP, None),
    "of another host": ({"auths": {"quay.io.example": auth(), "quay": auth()}}, APP, None),
    "of another port": ({"auths": {"quay.io:5000": auth()}}, APP, None),
    "Docker Hub by its old address": (
        {"auths": {"https://index.docker.io/v1/": auth()}},
        HUB,
        CREDENTIAL,
    ),
    "Docker Hub by its name": ({"auths": {"docker.io": auth()}}, HUB, CREDENTIAL),
    "Docker Hub by its machine": ({"auths": {"registry-1.docker.io": auth()}}, HUB, CREDENTIAL),
    "a namespace of Docker Hub": ({"auths": {"docker.io/library": auth()}}, HUB, CREDENTIAL),
    "name and password apart": (
        {"auths": {"quay.io": {"username": "me", "password": SECRET}}},
        APP,
        CREDENTIAL,
    ),
    "a password with colons": (
        {"auths": {"quay.io": auth("me", "a:b:c")}},
        APP,
        UserPassword("me", Secret("a:b:c")),
    ),
    "a password with a null at its end": (
        {"auths": {"quay.io": auth("me", f"{SECRET}\0")}},
        APP,
        CREDENTIAL,
    ),
    "an identity token": (
        {"auths": {"quay.io": {**auth("<token>", ""), "identitytoken": SECRET}}},
        APP,
        IdentityToken("<token>", Secret(SECRET)),
    ),
    "a registry token": (
        {"auths": {"quay.io": {**auth(), "registrytoken": "t"}}},
        APP,
        RegistryToken(Secret("t")),
    ),
    "an empty entry": ({"auths": {"quay.io": {}, "quay.io/team": {}}}, APP, None),
    "nothing": ({}, APP, None),
    "no auths": ({"auths": None, "credsStore": None}, APP, None),
    "an empty file": ("", APP, None),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_is_read_as_docker_and_podman_read_it(case: str, tmp_path: Path) -> None:
    content, repository, expected = FILES[case]
    assert find(content, tmp_path, repository).credential == expected


def test_a_file_of_before_2015_has_nothing_but_auths(tmp_path: Path) -> None:
    path = write(tmp_path / ".dockercfg", {"https://quay.io/v1/": {**auth(), "email": "a@b.c"}})
    assert read_auth_file(path) == AuthFile(auths={"quay.io": CREDENTIAL})


BROKEN = {
    "no JSON": "{" + SECRET,
    "no object": [SECRET],
    "auths are a list": {"auths": [SECRET]},
    "an auth that is no text": {"auths": {"quay.io": {"auth": {SECRET: 1}}}},
    "an auth that is no base64": {"auths": {"quay.io": {"auth": f"{SECRET}!"}}},
    "an auth without a colon": {
        "auths": {"quay.io": {"auth": base64.b64encode(SECRET.encode()).decode()}}
    },
    "helpers are a text": {"credHelpers": SECRET},
    "a deep well": "[" * 100_000,
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_said_to_be_one_without_what_is_in_it(case: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        find(BROKEN[case], tmp_path)
    assert caught.value.code == "invalid-auth-file"
    assert str(tmp_path / "config.json") in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_is_not_read_without_end(tmp_path: Path) -> None:
    with limited(document_size=100), pytest.raises(StoreError, match="larger than 100 bytes"):
        find({"auths": {"x": "y" * 100}}, tmp_path)


MEMBERS = (
    *("auths", "auth", "quay.io", "credsStore", "credHelpers", "username", "password"),
    *("identitytoken", "registrytoken", ""),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(json_values)
def test_whatever_a_file_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    write(path, json.dumps(content))
    code = "invalid-auth-file"
    try:
        read_auth_file(path).find(APP, lambda _, __: None)
    except StoreError as error:
        code = error.code
    assert code == "invalid-auth-file"


# -- where it is looked for ---------------------------------------------------------------------


def places(folder: Path) -> dict[str, tuple[dict[str, str], Path]]:
    """Every place, the first one first: the environment that leads there, and the file."""
    home = folder / "home"
    return {
        "REGISTRY_AUTH_FILE": ({"REGISTRY_AUTH_FILE": f"{folder}/named"}, folder / "named"),
        "DOCKER_CONFIG": ({"DOCKER_CONFIG": f"{folder}/docker"}, folder / "docker/config.json"),
        "XDG_RUNTIME_DIR": (
            {"XDG_RUNTIME_DIR": f"{folder}/run"},
            folder / "run/containers/auth.json",
        ),
        "XDG_CONFIG_HOME": (
            {"XDG_CONFIG_HOME": f"{folder}/config"},
            folder / "config/containers/auth.json",
        ),
        "~/.dockercfg": ({"HOME": str(home)}, home / ".dockercfg"),
    }


def content_of(path: Path, user: str) -> object:
    auths = {"quay.io": auth(user)}
    return auths if path.name == ".dockercfg" else {"auths": auths}


def test_the_first_place_that_has_credentials_wins(tmp_path: Path) -> None:
    found = places(tmp_path)
    environment: dict[str, str] = {}
    for name, (variables, path) in found.items():
        environment.update(variables)
        write(path, content_of(path, name))
    for name, (_, path) in found.items():
        keychain = Keychain(Auth.from_environment(environment))
        credential = keychain.find(APP).credential
        assert isinstance(credential, UserPassword)
        assert credential.user == name
        write(path, {} if path.name == ".dockercfg" else {"auths": {}})
    assert Keychain(Auth.from_environment(environment)).find(APP) == Found(None)


@pytest.mark.parametrize(
    ("variables", "file"),
    [
        ({}, ".docker/config.json"),
        ({"XDG_CONFIG_HOME": ""}, ".config/containers/auth.json"),
        ({"DOCKER_CONFIG": ""}, ".docker/config.json"),
    ],
)
def test_what_is_not_set_is_below_the_home_of_the_user(
    variables: Mapping[str, str], file: str, tmp_path: Path
) -> None:
    write(tmp_path / file, {"auths": {"quay.io": auth()}})
    by_variable = Auth.from_environment({"HOME": str(tmp_path), **variables})
    by_argument = Auth.from_environment(variables, home=tmp_path)
    for places in (by_variable, by_argument):
        found = Keychain(places).find(APP)
        assert found.credential == CREDENTIAL
        assert str(tmp_path / file) in found.origin


def test_with_a_folder_of_its_own_docker_looks_nowhere_else(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", {"auths": {"quay.io": auth()}})
    elsewhere = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path / "empty")}
    assert Keychain(Auth.from_environment(elsewhere)).find(APP).credential is None


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file with credentials"):
        Keychain(Auth.from_file(tmp_path / "none")).find(APP)
    missing = {"REGISTRY_AUTH_FILE": str(tmp_path / "none")}
    with pytest.raises(UsageError):
        Keychain(Auth.from_environment(missing)).find(APP)


def test_what_is_wrong_with_other_files_is_noted(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", "{")
    (tmp_path / ".config/containers/auth.json").mkdir(parents=True)
    write(tmp_path / ".dockercfg", {"quay.io": auth()})
    found = Keychain(Auth.from_environment({"HOME": str(tmp_path)})).find(APP)
    assert found.credential == CREDENTIAL
    assert [str(tmp_path) in note for note in found.notes] == [True, True]
    assert "Is a directory" in found.notes[0]
    assert "it is not JSON" in found.notes[1]


def test_what_is_given_by_hand_comes_first(tmp_path: Path) -> None:
    path = write(tmp_path / "auth.json", {"auths": {"quay.io": auth("other")}})
    both = Auth.basic("me", SECRET).otherwise(Auth.from_file(path))
    assert Keychain(both).find(APP) == Found(CREDENTIAL, "this run")
    files = Auth.from_file(write(tmp_path / "empty.json", {})).otherwise(Auth.from_file(path))
    assert Keychain(files).find(APP).origin == f"quay.io in {path}"
    assert Keychain(Auth.anonymous()).find(APP) == Found(None)


# -- helpers ------------------------------------------------------------------------------------


def answer(user: str = "me", secret: str = SECRET) -> str:
    return f"cat <<'END'\n{json.dumps({'ServerURL': 'x', 'Username': user, 'Secret': secret})}\nEND"


@posix
@pytest.mark.parametrize(
    ("content", "repository", "server"),
    [
        ({"credHelpers": {"quay.io": "a"}}, APP, "quay.io"),
        ({"credsStore": "a"}, APP, "quay.io"),
        ({"credsStore": "a"}, HUB, "https://index.docker.io/v1/"),
        ({"credHelpers": {"https://index.docker.io/v1/": "a"}}, HUB, "https://index.docker.io/v1/"),
        ({"credHelpers": {"docker.io": "a"}}, HUB, "https://index.docker.io/v1/"),
        ({"credHelpers": {"quay.io": "a"}, "credsStore": "b"}, APP, "quay.io"),
        ({"credsStore": "a", "auths": {"quay.io": auth("other")}}, APP, "quay.io"),
    ],
)
def test_a_helper_is_asked_for_the_server(
    content: object, repository: Repository, server: str, tmp_path: Path
) -> None:
    helper(tmp_path, "a", f'echo "$1 $(cat)" >> {tmp_path}/asked\n{answer()}')
    helper(tmp_path, "b", "exit 1")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    keychain = Keychain(
        Auth.from_file(write(tmp_path / "config.json", content), environment=environment)
    )
    for _ in range(2):
        found = keychain.find(repository)
        assert found.credential == CREDENTIAL
        assert found.origin == f"docker-credential-a in {tmp_path}/config.json"
    assert (tmp_path / "asked").read_text("utf-8") == f"get {server}\n"
    keychain.forget()
    keychain.find(repository)
    assert len((tmp_path / "asked").read_text("utf-8").splitlines()) == 2


@posix
@pytest.mark.parametrize(
    "script",
    [
        "echo credentials not found in native keychain; exit 1",
        answer("", ""),
    ],
)
def test_a_helper_that_knows_nothing_leaves_the_rest_of_the_file(
    script: str, tmp_path: Path
) -> None:
    helper(tmp_path, "a", script)
    content = {"credsStore": "a", "auths": {"quay.io": auth()}}
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert find(content, tmp_path, environment=environment).credential == CREDENTIAL


@posix
def test_a_helper_may_have_an_identity_token(tmp_path: Path) -> None:
    helper(tmp_path, "a", answer("<token>", SECRET))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found = find({"credsStore": "a"}, tmp_path, environment=environment)
    assert found.credential == IdentityToken("", Secret(SECRET))


FAILING = {
    "ended with status 3": f"echo {SECRET}; echo {SECRET} >&2; exit 3",
    "no JSON of a Username": f"echo {SECRET}",
    "and a Secret": f"echo '[\"{SECRET}\"]'",
    "no JSON of a Username and": f'echo \'{{"Username": "{SECRET}", "Secret": 1}}\'',
}


@posix
@pytest.mark.parametrize("why", FAILING)
def test_a_helper_that_fails_is_noted_without_what_it_printed(why: str, tmp_path: Path) -> None:
    helper(tmp_path, "a", FAILING[why])
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found = find({"credsStore": "a"}, tmp_path, environment=environment)
    assert found.credential is None
    assert why in found.notes[0]
    assert SECRET not in repr(found)


@pytest.mark.parametrize("name", ["../../bin/sh", "a/b", "", "-x", "a b", "a;b", "x" * 200])
def test_a_helper_is_a_program_of_that_name_and_nothing_else(name: str) -> None:
    with pytest.raises(HelperError):
        Helpers({"PATH": "/bin"}).ask(name, "quay.io")


def test_a_helper_that_is_not_installed_is_noted(tmp_path: Path) -> None:
    found = find({"credsStore": "desktop"}, tmp_path, environment={"PATH": str(tmp_path)})
    assert "docker-credential-desktop is not installed" in found.notes[0]


@posix
def test_a_helper_that_is_no_program_is_noted(tmp_path: Path) -> None:
    file = tmp_path / "docker-credential-x"
    file.write_bytes(b"\x7fELF of something else")
    file.chmod(0o755)
    found = find({"credsStore": "x"}, tmp_path, environment={"PATH": str(tmp_path)})
    assert "cannot be started: Exec format error" in found.notes[0]


@posix
def test_a_helper_that_does_not_answer_is_ended_with_all_its_children(tmp_path: Path) -> None:
    helper(tmp_path, "slow", f"sleep 60 &\necho $! > {tmp_path}/child\nsleep 60")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    began = time.monotonic()
    found = find({"credsStore": "slow"}, tmp_path, environment=environment, helper_timeout=0.3)
    assert time.monotonic() - began < 20
    assert "did not answer within 0.3 s" in found.notes[0]
    child = int((tmp_path / "child").read_text("utf-8"))
    deadline = time.monotonic() + 10
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(child)


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@posix
def test_a_helper_runs_in_the_environment_that_it_is_given(tmp_path: Path) -> None:
    helper(tmp_path, "a", 'echo "{\\"Username\\": \\"me\\", \\"Secret\\": \\"$MINE\\"}"')
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MINE": SECRET}
    found = find({"credsStore": "a"}, tmp_path, environment=environment)
    assert found.credential == CREDENTIAL


# -- nobody sees them ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "holder",
    [
        Secret(SECRET),
        CREDENTIAL,
        IdentityToken("me", Secret(SECRET)),
        RegistryToken(Secret(SECRET)),
        Auth.basic("me", SECRET),
        Found(CREDENTIAL, "this run"),
        AuthFile(auths={"quay.io": CREDENTIAL}),
    ],
    ids=lambda holder: type(holder).__name__,
)
def test_a_secret_is_not_shown_and_not_pickled(holder: object) -> None:
    for shown in (repr(holder), str(holder), f"{holder}", f"{holder!r:>99}", repr([holder])):
        assert SECRET not in shown
        assert base64.b64encode(f"me:{SECRET}".encode()).decode() not in shown
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="secrets are not pickled"):
            pickle.dumps(holder, protocol)
    with pytest.raises(TypeError):
        copy.deepcopy(holder)


def test_where_credentials_are_can_be_sent_to_others_and_the_environment_cannot(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "auth.json", {"auths": {"quay.io": auth()}})
    environment = {"HOME": str(tmp_path), "TOKEN": SECRET, "REGISTRY_AUTH_FILE": str(path)}
    places = Auth.from_environment(environment).otherwise(Auth.from_file(path))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        sent = pickle.dumps(places, protocol)
        assert SECRET.encode() not in sent
        assert Keychain(pickle.loads(sent)).find(APP).credential == CREDENTIAL
    assert SECRET not in repr(places)
    assert pickle.loads(pickle.dumps(places)) == places


def test_secrets_are_equal_by_what_they_hold() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) == hash(Secret("a"))
    assert not Secret("")
    assert UserPassword("ü", Secret("\udcff")).header() == "Basic w7w6/w=="


def test_what_is_immutable_cannot_be_changed() -> None:
    places = Auth.basic("me", SECRET)
    with pytest.raises(AttributeError):
        places._given = None  # type: ignore[misc]
