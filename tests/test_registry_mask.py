"""What is secret is found in whatever a registry says, however it is spelled there."""

from __future__ import annotations

import base64
import html
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.stores.registry import transport
from oci_convert.stores.registry.mask import Mask
from oci_convert.stores.registry.secret import IdentityToken, RegistryToken, Secret, UserPassword

PASSWORDS: Final = {
    "a word": "marked-s3cr3t",
    "words": "two words  and a third",
    "quotes": 'it\'s "quoted" <here> & there',
    "backslashes": "\\a\\\\b\\",
    "other letters": "pässwörd",
    "another script": "пароль №1",
    "an emoji": "key-🔑-key",
    "base64": "ab+/cd/ef+==",
    "an address with a query": "p/a?ss word=1",
    "nothing but marks": "/+?=",
    "spaces around": "  inner  ",
    "a byte that is no UTF-8": "caf\udce9-noir",
}


def _in_latin_1(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _as_bytes(text: str) -> str:
    return repr(text.encode("utf-8", "surrogateescape"))[2:-1]


def _sent(text: str) -> str:
    """As a body that repeats the bytes is read."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _percent(how: Callable[..., str], safe: str) -> Callable[[str], str]:
    return lambda text: how(text, safe, "utf-8", "surrogateescape")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()


SPELLINGS: Final[dict[str, Callable[[str], str]]] = {
    "as it is": str,
    "as the bytes that were sent": _sent,
    "in other case": lambda text: text.swapcase() if text.isascii() else text,
    "in JSON": lambda text: json.dumps(text)[1:-1],
    "in JSON, with other letters": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "in JSON in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "in JSON, with slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "in the JSON of Go": lambda text: (
        json.dumps(text)[1:-1].replace("<", "\\u003c").replace("&", "\\u0026")
    ),
    "in a text of Python": lambda text: repr(text)[1:-1],
    "in bytes of Python": _as_bytes,
    "escaped by Python": ascii,
    "in HTML": html.escape,
    "in a path": _percent(quote, "/"),
    "in a query": _percent(quote, ""),
    "in a form": _percent(quote_plus, ""),
    "in a query in a query": lambda text: quote(_percent(quote, "")(text), ""),
    "in UTF-8 taken for Latin-1": _in_latin_1,
    "in base64": _base64,
    "in base64, for addresses": lambda text: _base64(text).translate(str.maketrans("+/", "-_")),
    "in base64, without padding": lambda text: _base64(text).rstrip("="),
    "in base64, in a query": lambda text: quote(_base64(text), ""),
    "in base64, with its name": lambda text: _base64(f"me:{text}"),
}


def mask_of(password: str) -> Mask:
    mask = Mask()
    mask.add(UserPassword("me", Secret(password)))
    return mask


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", PASSWORDS)
def test_a_password_is_found_however_it_is_spelled(name: str, spelling: str) -> None:
    password = PASSWORDS[name]
    said = SPELLINGS[spelling](password)
    told = mask_of(password).told(f"no user with [{said}] here")
    assert password.strip() not in told
    assert told.replace(" ", "").replace("+", "").replace("'", "") in {
        "nouserwith[…]here",
        "nouserwith[%20%20…%20%20]here",
        "nouserwith[%2520%2520…%2520%2520]here",
    }


@given(
    st.text(
        st.one_of(st.sampled_from("\"'\\/%&<>+=? äé\u20ac🔑aB1"), st.characters(codec="utf-8")),
        min_size=4,
        max_size=40,
    ),
    st.sampled_from(list(SPELLINGS)),
)
def test_any_password_is_found_in_any_spelling(password: str, spelling: str) -> None:
    if len(password.strip()) < 4:
        return
    said = SPELLINGS[spelling](password)
    masked = mask_of(password).masked(f"[{said}]")
    assert said not in masked
    assert "…" in masked
    assert password.strip() not in masked


@given(st.text(max_size=8), st.text("\\%u2\"'+ aé", max_size=200))
def test_any_text_is_masked(password: str, text: str) -> None:
    mask = mask_of(password)
    mask.add_token(password)
    mask.add_query(f"/?{password}={text}")
    assert len(mask.told(text)) <= 301
    assert not mask.hides(text) or len(text) >= 12


def test_every_kind_of_credential_is_secret() -> None:
    mask = Mask()
    mask.add(UserPassword("me", Secret("pass word")))
    mask.add(IdentityToken("<token>", Secret("identity")))
    mask.add(RegistryToken(Secret("registry")))
    mask.add(None)
    mask.add_token("eyJhbGciOi")
    said = ["pass word", "identity", "registry", "eyJhbGciOi", _base64("<token>:identity")]
    assert mask.told(" | ".join(said)) == " | ".join(["…"] * 5)
    assert "pass" not in repr(mask)


def test_a_short_password_leaves_other_words_alone() -> None:
    mask = mask_of("a")
    assert mask.told("a tag has a name") == "a tag has a name"
    assert mask.told(f"Basic {_base64('me:a')}, me:a") == "Basic …, …"


def test_a_secret_that_holds_another_one_goes_as_a_whole() -> None:
    mask = mask_of("inner")
    mask.add_token("outer-inner-outer")
    assert mask.told("outer-inner-outer inner") == "… …"


def test_words_are_cut_when_nothing_secret_is_left() -> None:
    told = mask_of("marked-s3cr3t").told("x" * 295 + "marked-s3cr3t")
    assert told == "x" * 295 + "…"


QUERIES: Final = {
    "a whole address": (
        "GET https://cdn/b?X-Sig=abcdef12&e=1 failed",
        "GET https://cdn/b?… failed",
    ),
    "a path": ('"/v2/a/blobs?_state=abcdef12"', '"/v2/a/blobs?…"'),
    "a value": ("bad signature abcdef12", "bad signature …"),
    "a value, decoded": ("bad token a/b c+d==", "bad token …"),
    "a value, encoded": ("bad token a%2Fb%20c%2Bd%3D%3D", "bad token …"),
    "an address that nobody followed": ("see https://example/?a=1", "see https://example/?…"),
    "a digest": ("no sha256:0123456789", "no sha256:0123456789"),
    "a question": ("who are you? and why?", "who are you? and why?"),
    "what is short": ("the host is 1", "the host is 1"),
}


@pytest.mark.parametrize("name", QUERIES)
def test_queries_are_not_told(name: str) -> None:
    said, told = QUERIES[name]
    mask = Mask()
    mask.add_query(
        "https://cdn/b?X-Sig=abcdef12&tok=a%2Fb%20c%2Bd%3D%3D&e=1&h=host&d=sha256:0123456789"
    )
    assert mask.told(said) == told


def test_the_newest_tokens_and_queries_are_known() -> None:
    mask = Mask()
    for number in range(10_000):
        mask.add_token(f"token-{number:05}")
        mask.add_query(f"/?k=value-{number:05}")
    assert mask.told("token-09999 value-09999") == "… …"
    assert mask.told("token-00000 value-00000") == "token-00000 value-00000"


NAMES: Final = {
    "a password": ("marked-s3cr3t", "marked-s3cr3t", True),
    "a password in a name": ("marked-s3cr3t", "team/marked-s3cr3t-app", True),
    "a header": ("admin", _base64("me:admin"), True),
    "a password that is a name": ("admin", "admin/app", False),
    "another name": ("marked-s3cr3t", "team/app", False),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_holds_a_long_credential_is_found(name: str) -> None:
    password, text, hidden = NAMES[name]
    assert mask_of(password).hides(text) is hidden


def test_every_logger_of_urllib3_passes_the_mask() -> None:
    folder = Path(urllib3.__file__).parent
    names = {
        ".".join(("urllib3", *file.relative_to(folder).with_suffix("").parts))
        for file in folder.rglob("*.py")
        if "getLogger(__name__)" in file.read_text("utf-8")
    }
    names -= {"urllib3.__init__", "urllib3.contrib.emscripten.response"}  # nothing; for browsers
    assert names
    assert {it for it in names if transport._masked not in logging.getLogger(it).filters} == set()
