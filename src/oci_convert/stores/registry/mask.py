"""What registries say, fit to be shown: without anything secret that they were sent.

Some registries, and proxies before them, repeat what they were sent, wherever they say something:
in reasons, headers, names and addresses. So whatever they say passes :class:`Mask` before it gets
into a message, a finding or a log.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from functools import cache
from itertools import chain
from threading import Lock
from typing import Final
from urllib.parse import unquote

from oci_convert.stores.registry.secret import Credential, IdentityToken, UserPassword
from oci_convert.text.printable import printable

__all__ = ["Mask"]

_SHORTEST: Final = 4
"""Characters of a credential: what is shorter would be found in every other word."""
_SHORTEST_VALUE: Final = 6
"""The same of a value in a query, which may as well be a number or a common word."""
_SHORTEST_IN_NAMES: Final = 12
"""The same in a name, which has to be shown whole: ``admin/app`` may well belong to ``admin``."""
_MOST_TOKENS: Final = 1000
_MOST_VALUES: Final = 4000
"""Of these, the newest are known: a run may follow any number of addresses."""
_LONGEST: Final = 300
_GAP: Final = "…"

_RUN: Final = re.compile(r"""[^\s"'<>]+""")
"""What may be an address, whose query may be a key to what is there."""
_DIGEST: Final = re.compile(r"sha(?:256|384|512):[0-9a-f]+")
_CORE: Final = re.compile(r"[A-Za-z0-9]+")
_PART: Final = re.compile(r"(\\*)(?:(\s+)|([^\\]))|(\\+)")
_ESCAPES: Final = r"\\{0,3}+"
"""Backslashes before a character: a JSON text may stand in another one."""
_NAMES: Final = {'"': "&quot;", "&": "&amp;", "'": "&apos;", "<": "&lt;", ">": "&gt;"}
_SPACE: Final = r"\s|\+|%(?:25)?(?:20|09|0[ad])|\\{0,7}+(?:[tnrfv]|(?:u00|x)(?:20|09|0[ad]))"
_BACKSLASH: Final = r"\\{0,3}+(?:u00|x)5c|%(?:25)?5c|\\"


class Mask:
    """Knows what is secret in a run, and takes it out of texts; for several threads.

    Credentials are found in any spelling: as they are, escaped in JSON, HTML or Python,
    percent-encoded, in base64, in other case, and in UTF-8 that was taken for Latin-1.
    """

    def __init__(self) -> None:
        self._credentials: dict[str, str] = {}
        """With the part of each that has one spelling only."""
        self._tokens: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._lock = Lock()

    def add(self, credential: Credential | None) -> None:
        """Let nothing show a credential, nor the header that it is sent in."""
        if isinstance(credential, UserPassword):
            self._add(credential.password.reveal())
            self._add(credential.pair())
        elif isinstance(credential, IdentityToken):
            self.add(UserPassword(credential.user, credential.token))
        elif credential is not None:
            self._add(credential.token.reveal())

    def _add(self, credential: str) -> None:
        raw = _encoded(credential)
        forms = (encode(raw).decode() for encode in (b64encode, urlsafe_b64encode))
        for form in (credential.strip(), *forms):
            if len(form) >= _SHORTEST:
                self._keep(self._credentials, form)

    def add_token(self, token: str) -> None:
        """Let nothing show a token, of which a run may need many."""
        if len(token) >= _SHORTEST:
            self._keep(self._tokens, token, _MOST_TOKENS)

    def add_query(self, url: str) -> None:
        """Let nothing show what stands in the query of an address that a registry gave."""
        for parameter in url.partition("?")[2].split("&"):
            name, _, value = parameter.partition("=")
            value = unquote(value or name).strip()
            if len(value) >= _SHORTEST_VALUE and not _DIGEST.fullmatch(value):
                self._keep(self._values, value, _MOST_VALUES)

    def _keep(self, kept: dict[str, str], text: str, most: int | None = None) -> None:
        core = max(_CORE.findall(text), key=len, default="").lower()
        with self._lock:
            kept.pop(text, None)
            kept[text] = core
            if most is not None and len(kept) > most:
                oldest = next(iter(kept))
                del kept[oldest]
                self._patterns.pop(oldest, None)

    def told(self, text: str) -> str:
        """What a registry says as one line, bounded, fit to be shown, and without secrets."""
        line = printable(" ".join(self.masked(text).split()))
        return line if len(line) <= _LONGEST else line[:_LONGEST] + _GAP

    def masked(self, text: str) -> str:
        """A text of any length without secrets, and without the queries of addresses."""
        with self._lock:
            found = self._found(text, self._credentials, self._tokens, self._values)
        for pattern in found:
            text = pattern.sub(_GAP, text)
        return _RUN.sub(_without_query, text) if "?" in text else text

    def hides(self, name: str) -> bool:
        """Whether a name holds a credential, so that it cannot be shown.

        Only a long one counts: a short one may well be a name.
        """
        with self._lock:
            found = self._found(name, self._credentials, self._tokens)
        return any(
            len(match[0]) >= _SHORTEST_IN_NAMES
            for pattern in found
            for match in pattern.finditer(name)
        )

    def _found(self, text: str, *kept: dict[str, str]) -> list[re.Pattern[str]]:
        """The patterns of what a text may hold, the longest first: one secret may hold another."""
        lower = text.lower()
        likely = [
            secret
            for secret, core in chain.from_iterable(some.items() for some in kept)
            if core in lower
        ]
        return [self._pattern(secret) for secret in sorted(likely, key=len, reverse=True)]

    def _pattern(self, secret: str) -> re.Pattern[str]:
        pattern = self._patterns.get(secret)
        if pattern is None:
            pattern = self._patterns[secret] = re.compile(_pattern(secret), re.IGNORECASE)
        return pattern

    def __repr__(self) -> str:
        return "Mask(…)"


def _without_query(run: re.Match[str]) -> str:
    address, _, query = run[0].partition("?")
    return f"{address}?{_GAP}" if query and "/" in address else run[0]


def _encoded(text: str) -> bytes:
    """The bytes that are sent for a text, which may hold some that are no UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _pattern(secret: str) -> str:
    body = secret.rstrip("=")
    if len(body) < _SHORTEST:
        body = secret
    padding = len(secret) - len(body)  # of base64, which some leave out
    end = f"{_spelled('=')}{{0,{padding}}}" if padding else ""
    return "".join(map(_part, _PART.finditer(body))) + end


def _part(match: re.Match[str]) -> str:
    """A pattern for a character, or several spaces, and the backslashes before."""
    before, spaces, char, last = match.groups()
    slashes = before or last or ""
    part = f"(?:{_BACKSLASH}){{{len(slashes)},{7 * len(slashes)}}}+" if slashes else ""
    if spaces:
        others = "|".join(map(_spelled, sorted(set(spaces) - {" "})))
        return f"{part}(?:{_SPACE}{'|' if others else ''}{others}){{1,{3 * len(spaces)}}}"
    return part + (_spelled(char) if char else "")


@cache
def _spelled(char: str) -> str:
    """A pattern for a character in any spelling."""
    if char.isascii() and char.isalnum():
        return char
    number = ord(char)
    spellings = [
        "".join(_ESCAPES + _byte(byte) for byte in _encoded(char)),
        rf"&#(?:0{{0,4}}{number}|x0{{0,4}}{number:x});",
    ]
    if char in _NAMES:
        spellings.append(_NAMES[char])
    if char == "\b":
        spellings.append(f"{_ESCAPES}b")
    if not char.isascii():
        units = char.encode("utf_16_be", "surrogatepass").hex()
        escaped = "".join(f"{_ESCAPES}u{units[at : at + 4]}" for at in range(0, len(units), 4))
        python = f"{_ESCAPES}(?:U{number:08x}|x{number:02x})"
        spellings += [re.escape(char), "\ufffd", escaped, python]
    return f"(?:{'|'.join(spellings)})"


def _byte(byte: int) -> str:
    return rf"(?:{re.escape(chr(byte))}|%(?:25)?{byte:02x}|(?:u00|x){byte:02x})"
