"""What registries refuse, and what goes wrong on the way, as errors that say what to do.

What a registry says is repeated as its :class:`Mask` tells it: bounded, fit to be shown, and
without what is secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from oci_convert.errors import OciConvertError, StoreError
from oci_convert.stores.registry.calls import Call, Kind
from oci_convert.stores.registry.headers import media_type, retry_after
from oci_convert.stores.registry.transport import Answer
from oci_convert.text.wording import Wording

__all__ = ["TryAgain", "Words", "no_repository", "refused", "unexpected", "words_of"]

_MOST: Final = 5
_LIMITS: Final = ("RateLimit-Limit", "X-RateLimit-Limit", "RateLimit-Policy")


class TryAgain(Exception):  # noqa: N818 - it is an instruction first, and an error in the end only
    """Something went wrong that may go well the next time."""

    def __init__(self, error: OciConvertError, wait: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        """What it is if it never goes well."""
        self.wait = wait
        """Seconds that the registry asks to wait."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a registry says is wrong."""

    codes: frozenset[str]
    """The codes of the distribution specification, in upper case."""
    text: str
    """One line, bounded; empty if it says nothing."""
    digests: tuple[str, ...] = ()
    """What it names in the details, such as blobs that are not there: to look for, not to show."""

    def quoted(self) -> str:
        """The text as the end of a sentence."""
        return f": {self.text}" if self.text else ""


def words_of(answer: Answer) -> Words:
    """What an answer says, whatever its body is."""
    text = answer.body[: 64 * 1024].decode("utf-8", "replace")
    line = answer.mask.told
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return Words(frozenset(), "" if _is_page(answer, text) else line(text))
    errors = content.get("errors") if isinstance(content, dict) else None
    if not isinstance(errors, list):
        return Words(frozenset(), line(text))
    told = [error for error in errors if isinstance(error, dict)][:_MOST]
    return Words(
        frozenset(str(error.get("code", "")).upper() for error in told),
        line("; ".join(filter(None, map(_told, told)))),
        tuple(digest for error in told for digest in _digests(error.get("detail"))),
    )


def _is_page(answer: Answer, text: str) -> bool:
    """Whether somebody answers with a page for people: a proxy, a login, a gateway."""
    kind = media_type(answer.headers.get("Content-Type", ""))
    return kind == "text/html" or text.lstrip()[:1] == "<"


def _told(error: Mapping[str, Any]) -> str:
    code, message = (str(error.get(name) or "") for name in ("code", "message"))
    if message.lower().replace(" ", "_") == code.lower():
        message = ""
    detail = error.get("detail")
    more = detail if isinstance(detail, str) and detail != message else ""
    return ": ".join(filter(None, (code, message, more)))


def _digests(detail: object) -> list[str]:
    """The digests of a detail: a text, an object, or a list of either."""
    found = detail if isinstance(detail, list) else [detail]
    texts = [it.get("digest") or it.get("Digest") if isinstance(it, dict) else it for it in found]
    return [text for text in texts if isinstance(text, str) and ":" in text]


def refused(call: Call, answer: Answer) -> OciConvertError:
    """The error for a status that is no answer to the call, by its status and its codes."""
    words = words_of(answer)
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return call.access.authorizer.rejected(call.where, words.quoted())
    if answer.status in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}:
        denied = answer.status == HTTPStatus.FORBIDDEN
        return _denied(call, words) if denied else _too_many(call, answer, words)
    if answer.status == HTTPStatus.NOT_FOUND and "NAME_UNKNOWN" in words.codes:
        return no_repository(call, words)
    if call.kind is Kind.MANIFEST and call.method == "PUT":
        return _manifest_refused(call, answer, words)
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return StoreError(
            f"the registry does not take {call.size} bytes at once{words.quoted()}",
            code="too-large-for-registry",
            store=call.where,
            remedy=Wording("a proxy before it may have a limit; {chunk=SIZE} sends smaller pieces"),
        )
    return unexpected(call, answer, words)


def no_repository(call: Call, words: Words) -> OciConvertError:
    """The error for a repository that is not there."""
    read = call.method in {"GET", "HEAD"}
    return StoreError(
        f"there is no repository {call.access.repository.name}{words.quoted()}",
        code="no-such-repository",
        store=call.where,
        remedy="check the spelling; a repository without read access looks the same"
        if read
        else "make it first: this registry does not make repositories by itself",
    )


def unexpected(call: Call, answer: Answer, words: Words | None = None) -> OciConvertError:
    """The error for a status that means nothing here."""
    words = words or words_of(answer)
    verb = {"GET": "read", "HEAD": "look for"}.get(call.method, "write")
    asked = "upload a blob" if call.kind is Kind.UPLOAD else f"{verb} the {call.kind}"
    return StoreError(
        f"the registry answers {_status(answer)} to a request to {asked}{words.quoted()}",
        code="registry-failed",
        store=call.where,
        remedy="try again later, or ask the operator of the registry"
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        else "check whether this is the right host, and what its manual says",
    )


_RENAMED: Final = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""What RFC 9110 calls statuses that older versions of Python know by older names."""


def _status(answer: Answer) -> str:
    try:
        return f"{answer.status} {_RENAMED.get(answer.status, HTTPStatus(answer.status).phrase)}"
    except ValueError:
        return str(answer.status)


def _denied(call: Call, words: Words) -> OciConvertError:
    scopes = ", ".join(sorted(call.access.scopes))
    return StoreError(
        f"the registry does not allow this ({scopes}){words.quoted()}",
        code="registry-denied",
        store=call.where,
        remedy=f"{call.access.authorizer.needed()}; "
        "some registries also say so of a repository that is not there",
    )


def _too_many(call: Call, answer: Answer, words: Words) -> OciConvertError:
    limits = [answer.headers[name] for name in _LIMITS if name in answer.headers]
    limit = f" (its limit is {answer.mask.told(limits[0])})" if limits else ""
    wait = retry_after(answer.headers.get("Retry-After", ""))
    later = f"in {wait:.0f} s" if wait else "later"
    return StoreError(
        f"the registry asks for fewer requests{limit}{words.quoted()}",
        code="too-many-requests",
        store=call.where,
        remedy=Wording(
            f'slow down with {{rates={{"{call.access.repository.host}": N}}}}, or try again {later}'
        ),
    )


def _manifest_refused(call: Call, answer: Answer, words: Words) -> OciConvertError:
    if words.codes & {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"}:
        which = ", ".join(map(answer.mask.told, words.digests[:_MOST])) or "a blob of this manifest"
        return StoreError(
            f"the registry says that it has not got {which}{words.quoted()}",
            code="manifest-blob-unknown",
            store=call.where,
            remedy="start the run again; if it stays so, the registry lost what it had taken",
        )
    types = answer.mask.told(_media_types(call.body))
    return StoreError(
        f"the registry refuses this manifest with {_status(answer)}{words.quoted()}"
        + (f"; its media types are {types}" if types else ""),
        code="manifest-refused",
        store=call.where,
        remedy=Wording("it may take the other format, with {to=…}; its manual says what it takes"),
    )


def _media_types(body: object) -> str:
    """The media types in a manifest, for whoever asks why a registry does not like it."""
    try:
        content = json.loads(body) if isinstance(body, bytes) else None
    except (ValueError, RecursionError):
        return ""
    if not isinstance(content, dict):
        return ""
    within = [content, content.get("config")]
    for name in ("manifests", "layers"):
        entries = content.get(name)
        within += entries if isinstance(entries, list) else []
    types = [it.get("mediaType") for it in within if isinstance(it, dict)]
    return ", ".join(dict.fromkeys(it for it in types if isinstance(it, str)))
