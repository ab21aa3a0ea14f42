"""Credential helpers: programs that keep passwords, and are asked for one.

The one module of the package that starts a process. Implements the ``get`` of
docker-credential-helpers: no shell, the server on standard input, JSON on standard output, and a
limit of time. What a helper prints is never shown, since it may be the secret.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from oci_convert.operating_system import end_group
from oci_convert.stores.registry.secret import Credential, IdentityToken, Secret, UserPassword

__all__ = ["HelperError", "Helpers"]

_PREFIX: Final = "docker-credential-"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_TOKEN_USER: Final = "<token>"  # noqa: S105 - the name that marks an identity token
_NOT_FOUND: Final = b"credentials not found in native keychain"
_MOST: Final = 1024 * 1024


class HelperError(Exception):
    """Why a helper gave no answer, in words that hold nothing of what it printed."""


@dataclass(frozen=True)
class Helpers:
    """How helpers are run.

    An environment may hold secrets: it is neither shown nor pickled, and whoever unpickles this
    runs helpers in an environment of its own.
    """

    environment: Mapping[str, str] | None = field(default=None, repr=False, compare=False)
    """Their environment, and the ``PATH`` they are found in; ``None`` for that of this process."""
    timeout: float = 30.0
    """Seconds until a helper that does not answer is ended."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Helpers, (None, self.timeout))

    def ask(self, name: str, server: str) -> Credential | None:
        """What ``docker-credential-NAME`` keeps for a server, or ``None``.

        Raises :class:`HelperError`.
        """
        if _NAME.fullmatch(name) is None:
            raise HelperError(f"{name[:100]!r} is no name of a credential helper")
        search = None if self.environment is None else self.environment.get("PATH", os.defpath)
        program = shutil.which(_PREFIX + name, path=search)
        if program is None:
            raise HelperError(f"{_PREFIX}{name} is not installed")
        status, printed = self._run(program, name, server)
        if status:
            if _NOT_FOUND in printed:
                return None
            raise HelperError(f"{_PREFIX}{name} ended with status {status}")
        return _read(name, printed)

    def _run(self, program: str, name: str, server: str) -> tuple[int, bytes]:
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell, and the program has a fixed prefix
                [program, "get"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=None if self.environment is None else dict(self.environment),
                start_new_session=True,  # so that its own children end with it
            )
        except OSError as error:
            raise HelperError(f"{_PREFIX}{name} cannot be started: {error.strerror}") from None
        try:
            with process:
                try:
                    printed, _ = process.communicate(server.encode(), self.timeout)
                except BaseException:
                    _end(process)
                    raise
        except subprocess.TimeoutExpired:
            raise HelperError(f"{_PREFIX}{name} did not answer within {self.timeout:g} s") from None
        return process.returncode, printed


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a helper and whatever it has started, which would keep its output open."""
    end_group(process.pid)
    process.kill()


def _read(name: str, printed: bytes) -> Credential | None:
    try:
        answer = json.loads(printed) if len(printed) <= _MOST else None
        user, secret = answer["Username"], answer["Secret"]  # type: ignore[index] # then TypeError
    except (ValueError, TypeError, KeyError, RecursionError):
        user = secret = None
    if not isinstance(user, str) or not isinstance(secret, str):
        raise HelperError(f"{_PREFIX}{name} answered with no JSON of a Username and a Secret")
    if not secret:
        return None  # docker-credential-pass says so that it knows nothing
    if user == _TOKEN_USER:
        return IdentityToken("", Secret(secret))
    return UserPassword(user, Secret(secret))
