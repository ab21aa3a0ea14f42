"""What is refused of a JSON text and of a document, each with a sample; and the page that says so.

The samples are short, so that they can be read; the messages come from the code.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from oci_convert.documents.document import read_document
from oci_convert.documents.json_reader import scan
from oci_convert.errors import DocumentError
from support.images import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

TEXTS: Final[dict[str, tuple[bytes, str]]] = {
    "nothing": (b"", "invalid-json"),
    "only white space": (b" \n", "invalid-json"),
    "no JSON": (b"manifest", "invalid-json"),
    "an object without its end": (b'{"a": 1', "invalid-json"),
    "an array without its end": (b"[", "invalid-json"),
    "the wrong bracket": (b"[1}", "invalid-json"),
    "a space that is none": ("[\u00a01]".encode(), "invalid-json"),
    "a string without its end": (b'{"a": "b', "invalid-json"),
    "a comma too many in an object": (b'{"a": 1,}', "invalid-json"),
    "a comma too many in an array": (b"[1,]", "invalid-json"),
    "a comma too few": (b'{"a": 1 "b": 2}', "invalid-json"),
    "a colon too few": (b'{"a" 1}', "invalid-json"),
    "a name without quotes": (b"{a: 1}", "invalid-json"),
    "single quotes": (b"{'a': 1}", "invalid-json"),
    "a comment": (b"{} // as in JSON5", "trailing-data"),
    "another value behind": (b"{} {}", "trailing-data"),
    "a zero byte behind": (b"{}\0", "trailing-data"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "byte-order-mark"),
    "UTF-16": ("{}".encode("utf-16"), "not-utf-8"),
    "Latin-1": (b'"\xe4"', "not-utf-8"),
    "a surrogate in UTF-8": (b'"\xed\xa0\x80"', "not-utf-8"),
    "an overlong spelling": (b'"\xc0\xaf"', "not-utf-8"),
    "half a surrogate pair": (rb'"\ud83d"', "lone-surrogate"),
    "a surrogate pair the wrong way round": (rb'"\ude00\ud83d"', "lone-surrogate"),
    "half a surrogate pair in a name": (rb'{"\udc00": 1}', "lone-surrogate"),
    "a line end in a string": (b'"a\nb"', "invalid-json"),
    "an escape that JSON lacks": (rb'"\x41"', "invalid-json"),
    "an escape that is cut off": (rb'"\u12"', "invalid-json"),
    "NaN": (b'{"a": NaN}', "invalid-json"),
    "Infinity": (b'{"a": -Infinity}', "invalid-json"),
    "a number with a plus": (b"+1", "invalid-json"),
    "a number with a zero before it": (b"[01]", "invalid-json"),
    "a number of base 16": (b"[0x1]", "invalid-json"),
    "a fraction without a digit": (b"[1.]", "invalid-json"),
    "Arabic digits": ("٣".encode(), "invalid-json"),
    "a number of 5000 digits": (b"9" * 5000, "invalid-json"),
    "True, as Python writes it": (b"[True]", "invalid-json"),
    "a name twice": (b'{"a": 1, "a": 2}', "duplicate-member"),
    "a name twice in two spellings": (rb'{"a": 1, "\u0061": 2}', "duplicate-member"),
    "a name twice, deep inside": (b'[{"b": {"a": 1, "a": 1}}]', "duplicate-member"),
    "65 arrays inside each other": (b"[" * 65 + b"]" * 65, "too-deep"),
}
"""What is no strict JSON, by a sentence: the text, and the code of the error."""

TAKEN: Final[dict[str, bytes]] = {
    "white space around a value": b" \r\n\t{}\n",
    "numbers as large as they like": b"123456789012345678901234567890",
    "fractions, where nobody needs an integer": b'{"a": 1.50, "b": -0, "c": 1e400}',
    "escapes that nobody needs": rb'"\u0061\/"',
    "a whole surrogate pair": rb'"\ud83d\ude00"',
    "a name that is empty": b'{"": null}',
    "names that differ in case, where neither is known": b'{"a": 1, "A": 2}',
    "a zero, escaped": rb'"\u0000"',
    "64 arrays inside each other": b"[" * 64 + b"]" * 64,
}
"""What looks odd and is strict JSON: it is kept as it is spelled."""

_CONFIG: Final = b'"config": {"mediaType": "a/b", "digest": "sha256:' + b"0" * 64 + b'", "size": 2}'


def _manifest(more: bytes, version: bytes = b"2") -> bytes:
    return b'{"schemaVersion": ' + version + b", " + _CONFIG + more + b"}"


def _layer(members: bytes) -> bytes:
    return _manifest(b', "layers": [{"mediaType": "a/b", ' + members + b"}]")


_DIGEST: Final = b'"digest": "sha256:' + b"0" * 64 + b'"'

DOCUMENTS: Final[dict[str, tuple[bytes, str | None, str]]] = {
    "an array": (b"[]", OCI_MANIFEST, "invalid-document"),
    "an object of nothing that is known": (b"{}", None, "unknown-media-type"),
    "another version": (_manifest(b"", b"1"), OCI_MANIFEST, "invalid-document"),
    "a version that is a fraction": (_manifest(b"", b"2.0"), OCI_MANIFEST, "invalid-document"),
    "a manifest that is an index, too": (
        _manifest(b', "manifests": []'),
        OCI_MANIFEST,
        "ambiguous-document",
    ),
    "an index that is a manifest, too": (
        b'{"schemaVersion": 2, "manifests": [], "layers": []}',
        OCI_INDEX,
        "ambiguous-document",
    ),
    "a manifest with the layers of schema 1": (
        _manifest(b', "fsLayers": []'),
        OCI_MANIFEST,
        "ambiguous-document",
    ),
    "a name in another case": (_manifest(b', "Layers": []'), OCI_MANIFEST, "ambiguous-document"),
    "a name of a descriptor in another case": (
        _layer(_DIGEST + b', "size": 1, "Size": 2'),
        OCI_MANIFEST,
        "ambiguous-document",
    ),
    "a type that its descriptor does not say": (
        _manifest(b', "mediaType": "' + DOCKER_MANIFEST.encode() + b'"'),
        OCI_MANIFEST,
        "contradictory-media-type",
    ),
    "a type that is no document's": (
        _manifest(b', "mediaType": "text/plain"'),
        None,
        "unknown-media-type",
    ),
    "a manifest of schema 1, alone": (b'{"fsLayers": []}', None, "schema-1"),
    "layers that are no array": (_manifest(b', "layers": {}'), OCI_MANIFEST, "invalid-document"),
    "a layer that is no object": (
        _manifest(b', "layers": [null]'),
        OCI_MANIFEST,
        "invalid-document",
    ),
    "no digest": (_layer(b'"size": 1'), OCI_MANIFEST, "invalid-document"),
    "a digest that is a path": (
        _layer(b'"digest": "sha256:../../x", "size": 1'),
        OCI_MANIFEST,
        "invalid-digest",
    ),
    "a digest in upper case": (
        _layer(b'"digest": "sha256:' + b"A" * 64 + b'", "size": 1'),
        OCI_MANIFEST,
        "invalid-digest",
    ),
    "a size that is a fraction": (
        _layer(_DIGEST + b', "size": 1.0'),
        OCI_MANIFEST,
        "invalid-document",
    ),
    "a size that is a string": (
        _layer(_DIGEST + b', "size": "1"'),
        OCI_MANIFEST,
        "invalid-document",
    ),
    "a size below zero": (_layer(_DIGEST + b', "size": -1'), OCI_MANIFEST, "invalid-document"),
    "a size that no file can have": (
        _layer(_DIGEST + b', "size": 9223372036854775808'),
        OCI_MANIFEST,
        "invalid-document",
    ),
    "an annotation that is no string": (
        _manifest(b', "annotations": {"a": 1}'),
        OCI_MANIFEST,
        "invalid-document",
    ),
}
"""What is strict JSON and no document: the text, the media type of its descriptor, the code."""


def refusal(raw: bytes) -> DocumentError | None:
    """Why a text is no strict JSON, if it is none."""
    try:
        scan(raw, where="index.json")
    except DocumentError as error:
        return error
    return None


def document_refusal(raw: bytes, media_type: str | None) -> DocumentError | None:
    """Why a text is no document, if it is none."""
    try:
        read_document(raw, media_type)
    except DocumentError as error:
        return error
    return None


def markdown() -> str:
    """The samples and what is said of them as ``docs/strict-json.md``."""
    texts = [(name, raw, refusal(raw)) for name, (raw, _) in TEXTS.items()]
    documents = [
        (name, raw, document_refusal(raw, media_type))
        for name, (raw, media_type, _) in DOCUMENTS.items()
    ]
    lines = [
        "# Strict JSON",
        "",
        "Generated from `tests/support/strict_json.py`. Readers of JSON differ in what they",
        "forgive, and where they differ, one image is two: a scanner sees one of two members of a",
        "name, a runtime the other. So every document is read as the image specification asks",
        "(`canonicalization.md`, RFC 7493), and what two readers could take for different things",
        "is refused before anything is written. Lines and columns are counted from 1.",
        "",
        "## Texts that are refused",
        "",
        *_table(texts),
        "",
        "## Texts that are taken",
        "",
        "They are odd, and mean one thing only. What is kept is kept as it is spelled.",
        "",
        "| text | sample |",
        "|---|---|",
        *(f"| {name} | {_spelled(raw)} |" for name, raw in TAKEN.items()),
        "",
        "## Documents that are refused",
        "",
        "These are strict JSON, and no manifest or index that one could believe.",
        "",
        *_table(documents),
    ]
    return "\n".join(lines) + "\n"


def _table(rows: Iterable[tuple[str, bytes, DocumentError | None]]) -> list[str]:
    return [
        "| text | sample | code | message |",
        "|---|---|---|---|",
        *(
            f"| {name} | {_spelled(raw)} | `{error.code}` | {_message(error)} |"
            for name, raw, error in rows
            if error is not None
        ),
    ]


def _message(error: DocumentError) -> str:
    """What is wrong, and with which descriptor."""
    place = error.where.removeprefix("index.json")
    return f"{place.lstrip('.')}: {error.message}" if place else error.message


_LONGEST: Final = 120
"""Characters of a sample that are shown."""


def _spelled(raw: bytes) -> str:
    """A sample as code in a table: what cannot be seen is spelled as Python spells bytes."""
    text = raw.decode("utf-8", "backslashreplace")
    text = text.replace(_CONFIG.decode(), '"config": {…}').replace("0" * 64, "0…")
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    shown = shown if len(shown) <= _LONGEST else f"{shown[:40]} … {shown[-20:]}"
    return f"`{shown}`" if shown else "(empty)"
