"""Who we are to a registry: given by hand, by a file, or where Docker and podman keep it.

An :class:`Auth` says where credentials are, is immutable, and can be sent to other processes unless
somebody typed a password into it. A :class:`Keychain` looks there, once, when a registry asks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Final

from oci_convert.errors import StoreError, UsageError
from oci_convert.operating_system import user_number
from oci_convert.stores.registry.auth_files import AuthFile, read_auth_file
from oci_convert.stores.registry.credential_helpers import HelperError, Helpers
from oci_convert.stores.registry.reference import Repository
from oci_convert.stores.registry.secret import Credential, Secret, UserPassword
from oci_convert.text.printable import printable

__all__ = ["Auth", "Found", "Keychain"]

_GIVEN: Final = "this run"


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    named: bool
    """Somebody named it: if it cannot be read, that is an error."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for a repository, and how to speak of it without showing it."""

    credential: Credential | None
    """``None`` for nobody in particular."""
    origin: str = ""
    """The file and its key, or the option, that it comes from."""
    notes: tuple[str, ...] = ()
    """What kept other places from being looked into."""


@dataclass(frozen=True)
class Auth:
    """Where credentials are. Made by its class methods; the first place that has some wins."""

    _given: UserPassword | None = None
    _files: tuple[_File, ...] = ()
    _helpers: Helpers = field(default_factory=Helpers)

    @classmethod
    def anonymous(cls) -> Auth:
        """Nobody in particular."""
        return cls()

    @classmethod
    def basic(cls, user: str, password: str) -> Auth:
        """A name and a password, for every registry that asks."""
        return cls(_given=UserPassword(user, Secret(password)))

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        environment: Mapping[str, str] | None = None,
        helper_timeout: float = 30.0,
    ) -> Auth:
        """A ``config.json`` of Docker or an ``auth.json`` of podman.

        ``environment`` is that of the credential helpers which the file names, by default the one
        of this process; ``helper_timeout`` is in seconds.
        """
        helpers = Helpers(environment, helper_timeout)
        return cls(_files=(_File(Path(path), named=True),), _helpers=helpers)

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str],
        *,
        home: str | os.PathLike[str] | None = None,
        helper_timeout: float = 30.0,
    ) -> Auth:
        """The places where Docker and podman keep credentials, in the order of their manuals.

        ``environment`` is what ``os.environ`` is to a program; ``home`` the folder of the user, by
        default its ``HOME``.
        """
        folder = home if home is not None else environment.get("HOME") or None
        files = _places(environment, None if folder is None else Path(folder))
        return cls(
            _files=tuple(dict.fromkeys(files)), _helpers=Helpers(environment, helper_timeout)
        )

    def otherwise(self, other: Auth) -> Auth:
        """The same places, and after them those of ``other``; helpers run as ``other`` has them."""
        return replace(
            self,
            _given=self._given or other._given,
            _files=self._files + other._files,
            _helpers=other._helpers,
        )


def _places(environment: Mapping[str, str], home: Path | None) -> Iterator[_File]:
    def at(variable: str, *parts: str, named: bool = False) -> Iterator[_File]:
        folder = environment.get(variable)
        if folder:
            yield _File(Path(folder, *parts), named)

    containers = ("containers", "auth.json")
    yield from at("REGISTRY_AUTH_FILE", named=True)
    yield from at("DOCKER_CONFIG", "config.json")
    yield from at("XDG_RUNTIME_DIR", *containers)
    number = user_number()
    if not environment.get("XDG_RUNTIME_DIR") and number is not None:
        yield _File(Path("/run/containers", str(number), "auth.json"), named=False)
    yield from at("XDG_CONFIG_HOME", *containers)
    if home is None:
        return
    if not environment.get("XDG_CONFIG_HOME"):
        yield _File(home.joinpath(".config", *containers), named=False)
    if not environment.get("DOCKER_CONFIG"):  # as for Docker, which then looks nowhere else
        yield _File(home / ".docker" / "config.json", named=False)
    yield _File(home / ".dockercfg", named=False)


class Keychain:
    """Looks for credentials where an :class:`Auth` says, and remembers; for several threads.

    Each file is read once, and each helper asked once for a server.
    """

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._files: dict[Path, AuthFile | str] = {}
        """What was read, or why it could not be."""
        self._helped: dict[tuple[str, str], Credential | None] = {}
        self._lock = Lock()

    def find(self, repository: Repository) -> Found:
        """The credentials for a repository.

        Raises :class:`StoreError` or :class:`UsageError` for a file that somebody named and that
        cannot be read. What is wrong with the others is among the notes, since a registry may well
        do without.
        """
        if self._auth._given is not None:
            return Found(self._auth._given, _GIVEN)
        notes = []
        with self._lock:
            for place in self._auth._files:
                content = self._read(place)
                if isinstance(content, str):
                    notes.append(content)
                    continue
                try:
                    found = content.find(repository, self._ask)
                except HelperError as error:
                    notes.append(f"{place.path}: {error}")
                    continue
                if found is not None:
                    credential, key = found
                    return Found(credential, printable(f"{key} in {place.path}"), tuple(notes))
        return Found(None, notes=tuple(notes))

    def forget(self) -> None:
        """Ask helpers again: what they gave may have had its time."""
        with self._lock:
            self._helped.clear()

    def _ask(self, name: str, server: str) -> Credential | None:
        if (name, server) not in self._helped:
            self._helped[name, server] = self._auth._helpers.ask(name, server)
        return self._helped[name, server]

    def _read(self, place: _File) -> AuthFile | str:
        content = self._files.get(place.path)
        if content is None:
            content = self._files[place.path] = _content(place)
        return content


def _content(place: _File) -> AuthFile | str:
    """What a file says, or what is wrong with it."""
    try:
        return read_auth_file(place.path)
    except (FileNotFoundError, NotADirectoryError):
        if not place.named:
            return AuthFile()
        raise UsageError(
            "there is no such file with credentials",
            code="no-auth-file",
            where=str(place.path),
            remedy="docker login and podman login write one",
        ) from None
    except OSError as error:
        if place.named:
            raise StoreError(
                f"the file with credentials cannot be read: {error.strerror}",
                code="invalid-auth-file",
                where=str(place.path),
                remedy="check who may read it",
            ) from None
        return printable(f"{place.path}: {error.strerror}")
    except StoreError as error:
        if place.named:
            raise
        return printable(f"{place.path}: {error.message}")
