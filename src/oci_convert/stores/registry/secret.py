"""Secrets, and the credentials that are made of them: they are used, and never shown."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hmac import compare_digest
from typing import NoReturn

__all__ = ["Credential", "IdentityToken", "RegistryToken", "Secret", "UserPassword"]


class Secret:
    """A text that no ``repr``, format, log or pickle shows; :meth:`reveal` gives it.

    It cannot be pickled at all: what travels to other processes names the place of a secret, and
    each process reads it there.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for the header that carries it, and nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        ours, theirs = (it._text.encode("utf-8", "surrogateescape") for it in (self, other))
        return compare_digest(ours, theirs)

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("secrets are not pickled: every process reads its own credentials")


@dataclass(frozen=True, slots=True)
class UserPassword:
    """A name and its password, sent as they are or traded for a token."""

    user: str
    password: Secret

    def pair(self) -> str:
        """Both as one text: a secret, too."""
        return f"{self.user}:{self.password.reveal()}"

    def header(self) -> str:
        """The value of an ``Authorization`` header that holds them: a secret, too."""
        return f"Basic {b64encode(self.pair().encode('utf-8', 'surrogateescape')).decode()}"


@dataclass(frozen=True, slots=True)
class IdentityToken:
    """A token that a token server trades for others (``identitytoken``), and whose it is."""

    user: str
    token: Secret


@dataclass(frozen=True, slots=True)
class RegistryToken:
    """A token that the registry takes as it is (``registrytoken``)."""

    token: Secret


Credential = UserPassword | IdentityToken | RegistryToken
"""What a registry is shown; nobody in particular is ``None``."""
