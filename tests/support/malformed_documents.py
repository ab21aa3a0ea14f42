"""Manifests and indexes with one fault each: what is said of it, and where."""

from __future__ import annotations

import base64
from typing import Any

from oci_convert.spec.media_types import Compression
from support import schema1
from support.archives import (
    compact,
)
from support.images import (
    DOCKER_MANIFEST,
    LAYERS,
    OCI_INDEX,
    OCI_MANIFEST,
    pack,
)
from support.malformed import (
    CONFIG,
    FIRST,
    IMAGE,
    TOP,
    Store,
    changed,
    flipped,
    layout,
)

RAW = IMAGE.manifest
GZIPPED = pack(LAYERS[0].tar, Compression.GZIP)
REPACK = {"compress": "zstd"}

# -- what documents are made of -----------------------------------------------------------------

TEXTS: dict[str, tuple[bytes, str, str]] = {
    # a manifest, the code, and what is said
    "is empty": (b"", "invalid-json", "the JSON text ends early (line 1, column 1)"),
    "is cut off": (RAW[:-1], "invalid-json", "(line 21, column 1)"),
    "is not JSON": (b"manifest", "invalid-json", "a JSON value is expected"),
    "is YAML": (b"{schemaVersion: 2}", "invalid-json", "a field name is expected"),
    "has a comma too many": (RAW[:-2] + b",}", "invalid-json", "a field name is expected"),
    "lacks a comma": (RAW.replace(b",", b"", 1), "invalid-json", "a comma or '}' is expected"),
    "lacks a colon": (RAW.replace(b":", b"", 1), "invalid-json", "a colon is expected"),
    "holds NaN": (RAW.replace(b": 2,", b": NaN,", 1), "invalid-json", "NaN is not JSON"),
    "holds Infinity": (RAW.replace(b": 2,", b":-Infinity,", 1), "invalid-json", "-Infinity is not"),
    "holds a number of base 16": (RAW.replace(b": 2,", b": 0x2,", 1), "invalid-json", "comma"),
    "holds a number of 5000 digits": (
        RAW.replace(b": 2,", b":  " + b"2" * 5000 + b",", 1),
        "invalid-json",
        "a number has more than 4000 digits",
    ),
    "holds a line end in a string": (
        RAW.replace(b"docker", b"doc\nker", 1),
        "invalid-json",
        "a string contains a control character",
    ),
    "holds an escape that JSON does not know": (
        RAW.replace(b"docker", rb"\docker", 1),
        "invalid-json",
        "a string has an escape that JSON does not define",
    ),
    "begins with a byte order mark": (b"\xef\xbb\xbf" + RAW, "byte-order-mark", "mark"),
    "is UTF-16": (RAW.decode().encode("utf-16"), "not-utf-8", "(byte 0)"),
    "is Latin-1": (RAW.replace(b"docker", b"d\xf6cker", 1), "not-utf-8", "not UTF-8 (byte"),
    "holds half a surrogate pair": (
        RAW.replace(b"docker", rb"\ud83d", 1),
        "lone-surrogate",
        "half a surrogate pair",
    ),
    "holds a surrogate in UTF-8": (RAW.replace(b"docker", b"\xed\xa0\x80", 1), "not-utf-8", "byte"),
    "says something twice": (
        RAW.replace(b'"layers"', b'"layers": [], "layers"'),
        "duplicate-member",
        "the field 'layers' appears twice",
    ),
    "says something twice in two spellings": (
        RAW.replace(b'"config"', b'"\\u0063onfig": {}, "config"'),
        "duplicate-member",
        "the field 'config' appears twice",
    ),
    "goes on": (RAW + b"\n{}", "trailing-data", "there is data after the JSON value"),
    "goes on with a zero byte": (RAW + b"\0", "trailing-data", "there is data after"),
    "is too large": (RAW + b" " * 4 * 1024 * 1024, "document-too-large", "the limit of 4194304"),
    "is nested too deep": (
        b'{"a":' + b"[" * 70 + b"]" * 70 + b"}",
        "too-deep",
        "nested deeper than 64 levels",
    ),
    "is nested far too deep": (
        b"[" * 200_000,
        "too-deep",
        "nested deeper than 64 levels (line 1, column 65)",
    ),
    "is an array": (b"[" + RAW + b"]", "invalid-document", "is not a JSON object"),
}

# -- what documents say -------------------------------------------------------------------------

PLATFORM = {"architecture": "amd64", "os": "linux"}
ENTRY = {"mediaType": DOCKER_MANIFEST, "digest": IMAGE.digest, "size": len(RAW)}


def listed(**members: Any) -> dict[str, Any]:
    """The entry of an index for :data:`IMAGE`."""
    return ENTRY | members


def index(*entries: Any, **members: Any) -> Store:
    """A layout of an index."""
    body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries), **members}
    return layout(compact(body), OCI_INDEX)


MEMBERS: dict[str, tuple[Any, str, str, str]] = {
    # a manifest or a store, the code, what is said, the place
    "a manifest that is an index, too": (
        changed(manifests=[]),
        "ambiguous-document",
        "a manifest with a field 'manifests'",
        TOP,
    ),
    "a manifest that is of schema 1, too": (
        changed(fsLayers=[]),
        "ambiguous-document",
        "a manifest with a field 'fsLayers'",
        TOP,
    ),
    "an index with layers": (
        index(ENTRY, layers=[]),
        "ambiguous-document",
        "an index with a field 'layers'",
        TOP,
    ),
    "an index with a config": (
        index(ENTRY, config={}),
        "ambiguous-document",
        "an index with a field 'config'",
        TOP,
    ),
    "a member in another case": (
        changed(Layers=[]),
        "ambiguous-document",
        "'Layers' differs from 'layers' only by case",
        TOP,
    ),
    "a member with a letter that folds": (
        compact({**IMAGE.json, "layer\u017f": []}),
        "ambiguous-document",
        "differs from 'layers' only by case",
        TOP,
    ),
    "a member of a descriptor in another case": (
        changed("layers", 0, Digest=LAYERS[1].digest),
        "ambiguous-document",
        "'Digest' differs from 'digest' only by case",
        FIRST,
    ),
    "a member of a platform in another case": (
        index(listed(platform={**PLATFORM, "OS": "windows"})),
        "ambiguous-document",
        "'OS' differs from 'os' only by case",
        f"{TOP}.manifests[0].platform",
    ),
    "a body that contradicts its descriptor": (
        layout(RAW, OCI_MANIFEST),
        "contradictory-media-type",
        f"type is {DOCKER_MANIFEST}, but the descriptor says {OCI_MANIFEST}",
        TOP,
    ),
    "a manifest that says it is an index": (
        changed(mediaType=OCI_INDEX),
        "contradictory-media-type",
        f"type is {OCI_INDEX}",
        TOP,
    ),
    "a media type that is a number": (
        changed(mediaType=2),
        "invalid-document",
        "mediaType must be a string",
        TOP,
    ),
    "another schema version": (
        changed(schemaVersion=3),
        "invalid-document",
        "schemaVersion must be 2",
        TOP,
    ),
    "no schema version": (
        changed(schemaVersion=...),
        "invalid-document",
        "schemaVersion is missing",
        TOP,
    ),
    "a schema version that is a string": (
        changed(schemaVersion="2"),
        "invalid-document",
        "schemaVersion must be an integer",
        TOP,
    ),
    "no config": (
        changed(config=...),
        "invalid-document",
        "this is missing",
        f"{TOP}.config",
    ),
    "a config that is null": (
        changed(config=None),
        "invalid-document",
        "this must be an object",
        f"{TOP}.config",
    ),
    "layers that are an object": (
        changed(layers={"0": {}}),
        "invalid-document",
        "layers must be an array",
        TOP,
    ),
    "a layer that is null": (
        changed(layers=[None]),
        "invalid-document",
        "this must be an object",
        f"{TOP}.layers[0]",
    ),
    "entries that are a string": (
        layout(compact({"schemaVersion": 2, "manifests": "none"}), OCI_INDEX),
        "invalid-document",
        "manifests must be an array",
        TOP,
    ),
    "a negative size": (
        changed("layers", 0, size=-1),
        "invalid-document",
        "size must not be negative",
        f"{TOP}.layers[0]",
    ),
    "a size that is a fraction": (
        changed("layers", 0, size=103.0),
        "invalid-document",
        "size must be an integer",
        f"{TOP}.layers[0]",
    ),
    "a size that is a string": (
        changed("layers", 1, size="103"),
        "invalid-document",
        "size must be an integer",
        f"{TOP}.layers[1]",
    ),
    "a size that is true": (
        changed("config", size=True),
        "invalid-document",
        "size must be an integer",
        f"{TOP}.config",
    ),
    "a size that no file can have": (
        changed("layers", 0, size=2**63),
        "invalid-document",
        "size is larger than any file can be",
        f"{TOP}.layers[0]",
    ),
    "a size of 30 digits": (
        changed("layers", 1, size=10**30),
        "invalid-document",
        "size is larger than",
        f"{TOP}.layers[1]",
    ),
    "no size": (
        changed("layers", 0, size=...),
        "invalid-document",
        "size is missing",
        f"{TOP}.layers[0]",
    ),
    "no digest": (
        changed("layers", 0, digest=...),
        "invalid-document",
        "digest is missing",
        f"{TOP}.layers[0]",
    ),
    "a digest that is a path": (
        changed("layers", 0, digest="sha256:../../../etc/passwd"),
        "invalid-digest",
        "digest: 'sha256:../../../etc/passwd' is not a digest",
        f"{TOP}.layers[0]",
    ),
    "an algorithm that is a path": (
        changed("layers", 0, digest="../..:" + "0" * 64),
        "invalid-digest",
        "is not a digest",
        f"{TOP}.layers[0]",
    ),
    "a digest in upper case": (
        changed("layers", 0, digest="sha256:" + "AB" * 32),
        "invalid-digest",
        "is not a digest",
        f"{TOP}.layers[0]",
    ),
    "a digest that is too short": (
        changed("config", digest="sha256:abc"),
        "invalid-digest",
        "digest: 'sha256:abc' is not a digest",
        f"{TOP}.config",
    ),
    "a digest that is empty": (
        changed("layers", 1, digest=""),
        "invalid-digest",
        "digest: '' is not a digest",
        f"{TOP}.layers[1]",
    ),
    "a digest with a line end": (
        changed("layers", 1, digest=LAYERS[1].digest + "\n"),
        "invalid-digest",
        "digest: ",
        f"{TOP}.layers[1]",
    ),
    "no media type of a layer": (
        changed("layers", 0, mediaType=...),
        "invalid-document",
        "mediaType is missing",
        f"{TOP}.layers[0]",
    ),
    "urls that are one string": (
        changed("layers", 0, urls="https://example.com"),
        "invalid-document",
        "urls must be an array",
        f"{TOP}.layers[0]",
    ),
    "a url that is no string": (
        changed("layers", 0, urls=[7]),
        "invalid-document",
        "urls[0] must be a string",
        f"{TOP}.layers[0]",
    ),
    "an annotation that is no string": (
        changed(annotations={"a": 1}),
        "invalid-document",
        "annotations.a must be a string",
        TOP,
    ),
    "annotations that are a list": (
        changed(annotations=["a"]),
        "invalid-document",
        "annotations must be an object",
        TOP,
    ),
    "a subject that is a string": (
        changed(subject=IMAGE.digest),
        "invalid-document",
        "this must be an object",
        f"{TOP}.subject",
    ),
    "a platform that is a string": (
        index(listed(platform="linux/amd64")),
        "invalid-document",
        "platform must be an object",
        f"{TOP}.manifests[0]",
    ),
    "a platform without an architecture": (
        index(listed(platform={"os": "linux"})),
        "invalid-document",
        "platform.architecture is missing",
        f"{TOP}.manifests[0]",
    ),
    "data that is not base64": (
        changed("config", data="?"),
        "wrong-data",
        "the embedded data is not base64",
        CONFIG,
    ),
    "data that is something else": (
        changed("config", data=base64.b64encode(flipped(IMAGE.config)).decode()),
        "wrong-data",
        "the embedded data is not what its descriptor says",
        CONFIG,
    ),
    "a manifest of schema 1 by another name": (
        layout(compact(schema1.body()), DOCKER_MANIFEST),
        "ambiguous-document",
        "a manifest with a field 'fsLayers'",
        TOP,
    ),
}
