"""Every way that is known to break a converter ends in one clear error, and nothing is written."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from oci_convert.ground.errors import OciConvertError
from oci_convert.ground.media_types import Compression
from oci_convert.journey.convert import convert
from oci_convert.journey.inspect import inspect
from oci_convert.journey.verify import verify
from oci_convert.papers.faults import FAULTS
from oci_convert.papers.findings import Level
from support import schema1
from support.archives import (
    Link,
    Members,
    archive,
    compact,
    docker_20,
    docker_25,
    hex_of,
)
from support.images import (
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    LAYERS,
    OCI_INDEX,
    OCI_MANIFEST,
    digest_of,
    docker_image,
    files_below,
    image_list,
    layer,
    layout_files,
    minimal_config,
    oci_image,
    pack,
    rc2_files,
    write_layout,
)
from support.malformed import (
    CONFIG,
    CONFIG_FILE,
    FIRST,
    IMAGE,
    LAYER_FILE,
    LAYER_HEX,
    MANIFEST_FILE,
    SAVED,
    TOP,
    Malformed,
    Store,
    appended,
    changed,
    circle,
    content,
    directory,
    empty_folder,
    files,
    flipped,
    gone,
    holding,
    layout,
    link_holding,
    link_to,
    packed,
    paths,
    pipe,
    row,
    saved,
    spoiled,
    twice,
    unpacked,
    with_config,
    with_layer,
    without,
)

RAW = IMAGE.manifest
GZIPPED = gzip.compress(LAYERS[0].tar, mtime=0)
REPACK = {"compress": "zstd"}

# -- what documents are made of -----------------------------------------------------------------

TEXTS: dict[str, tuple[bytes, str, str]] = {
    # a manifest, the code, and what is said
    "is empty": (b"", "invalid-json", "the JSON text ends early (line 1, column 1)"),
    "is cut off": (RAW[:-1], "invalid-json", "(line 21, column 1)"),
    "is not JSON": (b"manifest", "invalid-json", "a JSON value is expected"),
    "is YAML": (b"{schemaVersion: 2}", "invalid-json", "a member name is expected"),
    "has a comma too many": (RAW[:-2] + b",}", "invalid-json", "a member name is expected"),
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
        "a string holds a control character",
    ),
    "holds an escape that JSON does not know": (
        RAW.replace(b"docker", rb"\docker", 1),
        "invalid-json",
        "a string holds an escape that JSON lacks",
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
        "the member 'layers' stands twice",
    ),
    "says something twice in two spellings": (
        RAW.replace(b'"config"', b'"\\u0063onfig": {}, "config"'),
        "duplicate-member",
        "the member 'config' stands twice",
    ),
    "goes on": (RAW + b"\n{}", "trailing-data", "there is more behind the JSON value"),
    "goes on with a zero byte": (RAW + b"\0", "trailing-data", "there is more behind"),
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
        "a manifest with a member 'manifests'",
        TOP,
    ),
    "a manifest that is of schema 1, too": (
        changed(fsLayers=[]),
        "ambiguous-document",
        "a manifest with a member 'fsLayers'",
        TOP,
    ),
    "an index with layers": (
        index(ENTRY, layers=[]),
        "ambiguous-document",
        "an index with a member 'layers'",
        TOP,
    ),
    "an index with a config": (
        index(ENTRY, config={}),
        "ambiguous-document",
        "an index with a member 'config'",
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
        f"calls itself {DOCKER_MANIFEST}, its descriptor calls it {OCI_MANIFEST}",
        TOP,
    ),
    "a manifest that says it is an index": (
        changed(mediaType=OCI_INDEX),
        "contradictory-media-type",
        f"calls itself {OCI_INDEX}",
        TOP,
    ),
    "a media type that is a number": (
        changed(mediaType=2),
        "invalid-document",
        "mediaType: must be a string",
        TOP,
    ),
    "another schema version": (
        changed(schemaVersion=3),
        "invalid-document",
        "schemaVersion: must be 2",
        TOP,
    ),
    "no schema version": (
        changed(schemaVersion=...),
        "invalid-document",
        "schemaVersion: is missing",
        TOP,
    ),
    "a schema version that is a string": (
        changed(schemaVersion="2"),
        "invalid-document",
        "schemaVersion: must be an integer",
        TOP,
    ),
    "no config": (changed(config=...), "invalid-document", "config: is missing", TOP),
    "a config that is null": (
        changed(config=None),
        "invalid-document",
        "config: must be an object",
        TOP,
    ),
    "layers that are an object": (
        changed(layers={"0": {}}),
        "invalid-document",
        "layers: must be an array",
        TOP,
    ),
    "a layer that is null": (
        changed(layers=[None]),
        "invalid-document",
        "layers[0]: must be an object",
        TOP,
    ),
    "entries that are a string": (
        layout(compact({"schemaVersion": 2, "manifests": "none"}), OCI_INDEX),
        "invalid-document",
        "manifests: must be an array",
        TOP,
    ),
    "a negative size": (
        changed("layers", 0, size=-1),
        "invalid-document",
        "layers[0].size: must not be negative",
        TOP,
    ),
    "a size that is a fraction": (
        changed("layers", 0, size=103.0),
        "invalid-document",
        "layers[0].size: must be an integer",
        TOP,
    ),
    "a size that is a string": (
        changed("layers", 1, size="103"),
        "invalid-document",
        "layers[1].size: must be an integer",
        TOP,
    ),
    "a size that is true": (
        changed("config", size=True),
        "invalid-document",
        "config.size: must be an integer",
        TOP,
    ),
    "a size that no file can have": (
        changed("layers", 0, size=2**63),
        "invalid-document",
        "layers[0].size: must not be larger than any file can be",
        TOP,
    ),
    "a size of 30 digits": (
        changed("layers", 1, size=10**30),
        "invalid-document",
        "layers[1].size: must not be larger",
        TOP,
    ),
    "no size": (
        changed("layers", 0, size=...),
        "invalid-document",
        "layers[0].size: is missing",
        TOP,
    ),
    "no digest": (
        changed("layers", 0, digest=...),
        "invalid-document",
        "layers[0].digest: is missing",
        TOP,
    ),
    "a digest that is a path": (
        changed("layers", 0, digest="sha256:../../../etc/passwd"),
        "invalid-digest",
        "layers[0].digest: 'sha256:../../../etc/passwd' is not a digest",
        TOP,
    ),
    "an algorithm that is a path": (
        changed("layers", 0, digest="../..:" + "0" * 64),
        "invalid-digest",
        "is not a digest",
        TOP,
    ),
    "a digest in upper case": (
        changed("layers", 0, digest="sha256:" + "AB" * 32),
        "invalid-digest",
        "is not a digest",
        TOP,
    ),
    "a digest that is too short": (
        changed("config", digest="sha256:abc"),
        "invalid-digest",
        "config.digest: 'sha256:abc' is not a digest",
        TOP,
    ),
    "a digest that is empty": (
        changed("layers", 1, digest=""),
        "invalid-digest",
        "layers[1].digest: '' is not a digest",
        TOP,
    ),
    "a digest with a line end": (
        changed("layers", 1, digest=LAYERS[1].digest + "\n"),
        "invalid-digest",
        "layers[1].digest: ",
        TOP,
    ),
    "no media type of a layer": (
        changed("layers", 0, mediaType=...),
        "invalid-document",
        "layers[0].mediaType: is missing",
        TOP,
    ),
    "urls that are one string": (
        changed("layers", 0, urls="https://example.com"),
        "invalid-document",
        "layers[0].urls: must be an array",
        TOP,
    ),
    "a url that is no string": (
        changed("layers", 0, urls=[7]),
        "invalid-document",
        "layers[0].urls[0]: must be a string",
        TOP,
    ),
    "an annotation that is no string": (
        changed(annotations={"a": 1}),
        "invalid-document",
        "annotations.a: must be a string",
        TOP,
    ),
    "annotations that are a list": (
        changed(annotations=["a"]),
        "invalid-document",
        "annotations: must be an object",
        TOP,
    ),
    "a subject that is a string": (
        changed(subject=IMAGE.digest),
        "invalid-document",
        "subject: must be an object",
        TOP,
    ),
    "a platform that is a string": (
        index(listed(platform="linux/amd64")),
        "invalid-document",
        "manifests[0].platform: must be an object",
        TOP,
    ),
    "a platform without an architecture": (
        index(listed(platform={"os": "linux"})),
        "invalid-document",
        "manifests[0].platform.architecture: is missing",
        TOP,
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
        "the embedded data is not the content",
        CONFIG,
    ),
    "a manifest of schema 1 by another name": (
        layout(compact(schema1.body()), DOCKER_MANIFEST),
        "ambiguous-document",
        "a manifest with a member 'fsLayers'",
        TOP,
    ),
}

# -- what is not what it should be --------------------------------------------------------------

DEEP = IMAGE
for _ in range(18):
    DEEP = image_list([DEEP])
ITSELF = {"mediaType": OCI_INDEX, "digest": "sha256:" + "0" * 64, "size": 183}
CYCLE = compact({"schemaVersion": 2, "manifests": [ITSELF]})
NOT_THE_TAR = layer("another").tar
SHORT = minimal_config(LAYERS[:1])


def config(**members: Any) -> Store:
    """A layout of an image with this in its config."""
    return with_config(minimal_config(LAYERS, **members))


BLOBS: dict[str, Malformed] = {
    # layouts
    "a manifest that is not there": Malformed(
        spoiled(layout(), MANIFEST_FILE, gone), "blob-missing", f"{IMAGE.digest} is missing"
    ),
    "a config that is not there": Malformed(
        spoiled(layout(), CONFIG_FILE, gone), "blob-missing", "is missing", CONFIG
    ),
    "a layer that is not there": Malformed(
        spoiled(layout(), LAYER_FILE, gone), "blob-missing", "is missing", FIRST
    ),
    "a link to nothing in the place of a layer": Malformed(
        spoiled(layout(), LAYER_FILE, link_to("nothing")), "blob-missing", "is missing", FIRST
    ),
    "an image of an index that is not there": Malformed(
        index(ENTRY, listed(digest="sha256:" + "0" * 64)),
        "blob-missing",
        "is missing",
        f"{TOP}.manifests[1]",
    ),
    "a layer that is cut off": Malformed(
        spoiled(layout(), LAYER_FILE, holding(LAYERS[0].data[:-1])),
        "blob-truncated",
        f"not the {len(LAYERS[0].data)} of its descriptor",
        FIRST,
    ),
    "a config that is empty": Malformed(
        spoiled(layout(), CONFIG_FILE, holding(b"")), "blob-truncated", "has 0 bytes", CONFIG
    ),
    "a manifest that is cut off": Malformed(
        spoiled(layout(), MANIFEST_FILE, holding(RAW[:-1])),
        "blob-truncated",
        f"has {len(RAW) - 1} bytes",
    ),
    "a layer that goes on": Malformed(
        spoiled(layout(), LAYER_FILE, holding(LAYERS[0].data + b"\0")),
        "wrong-size",
        f"not the {len(LAYERS[0].data)} of its descriptor",
        FIRST,
    ),
    "a size that is too large": Malformed(
        layout(changed("config", size=len(IMAGE.config) + 1)), "blob-truncated", "bytes", CONFIG
    ),
    "a size that is too small": Malformed(
        layout(changed("config", size=0)), "wrong-size", "not the 0 of its descriptor", CONFIG
    ),
    "a layer with another bit": Malformed(
        spoiled(layout(), LAYER_FILE, holding(flipped(LAYERS[0].data))),
        "digest-mismatch",
        "the bytes do not match",
        FIRST,
    ),
    "a config with another bit": Malformed(
        spoiled(layout(), CONFIG_FILE, holding(flipped(IMAGE.config, 9))),
        "digest-mismatch",
        "the bytes do not match",
        CONFIG,
    ),
    "a manifest with another bit": Malformed(
        spoiled(layout(), MANIFEST_FILE, holding(flipped(RAW, 9))),
        "digest-mismatch",
        "the bytes do not match",
    ),
    "an index that names itself": Malformed(
        files(
            layout_files({}) | {"index.json": CYCLE, "blobs/sha256/" + "0" * 64: CYCLE},
        ),
        "digest-mismatch",
        "the bytes do not match sha256:000000000000",
    ),
    "a digest of an algorithm that nobody knows": Malformed(
        spoiled(
            layout(changed("layers", 0, digest="blake3:" + "0" * 64)),
            "blobs/blake3/" + "0" * 64,
            holding(LAYERS[0].data),
        ),
        "unsupported-algorithm",
        "the digest algorithm 'blake3' is not supported",
        FIRST,
    ),
    "indexes inside of indexes": Malformed(
        layout(DEEP),
        "tree-too-deep",
        "nested deeper than 16 levels",
        TOP + ".manifests[0]" * 17,
    ),
    "a pipe in the place of a layer": Malformed(
        spoiled(layout(), LAYER_FILE, pipe), "not-a-file", "is not a regular file but a pipe", FIRST
    ),
    "a folder in the place of a layer": Malformed(
        spoiled(layout(), LAYER_FILE, empty_folder),
        "not-a-file",
        "is not a regular file but a folder",
        FIRST,
    ),
    "a device in the place of a layer": Malformed(
        spoiled(layout(), LAYER_FILE, link_to("/dev/zero")),
        "not-a-file",
        "is not a regular file but a device",
        FIRST,
    ),
    "a link to itself in the place of a layer": Malformed(
        spoiled(layout(), LAYER_FILE, circle), "link-outside", "round in circles", FIRST
    ),
    "a link to another file in the place of a config": Malformed(
        spoiled(layout(), CONFIG_FILE, link_to("/etc/hostname")), "blob-truncated", "bytes", CONFIG
    ),
    # layers
    "gzip that is cut off": Malformed(
        with_layer(GZIPPED[:-6], DOCKER_LAYER),
        "corrupt-layer",
        "the gzip data ends",
        FIRST,
        REPACK,
    ),
    "gzip with a wrong checksum": Malformed(
        with_layer(flipped(GZIPPED, -8), DOCKER_LAYER),
        "corrupt-layer",
        "the gzip data is damaged",
        FIRST,
        REPACK,
    ),
    "gzip of another length than it says": Malformed(
        with_layer(flipped(GZIPPED, -4), DOCKER_LAYER),
        "corrupt-layer",
        "the gzip data is damaged",
        FIRST,
        REPACK,
    ),
    "gzip with rubbish inside": Malformed(
        with_layer(GZIPPED[:10] + b"\xff" * 30 + GZIPPED[40:], DOCKER_LAYER),
        "corrupt-layer",
        "the gzip data is damaged",
        FIRST,
        REPACK,
    ),
    "gzip with rubbish behind": Malformed(
        with_layer(GZIPPED + b"rubbish", DOCKER_LAYER),
        "corrupt-layer",
        "is followed by bytes that do not belong to it",
        FIRST,
        REPACK,
    ),
    "zstd that is cut off": Malformed(
        with_layer(pack(LAYERS[0].tar, Compression.ZSTD)[:-6], f"{DOCKER_LAYER[:-4]}zstd"),
        "corrupt-layer",
        "the zstd data ends",
        FIRST,
        {"compress": "gzip"},
    ),
    "zstd with rubbish behind": Malformed(
        with_layer(pack(LAYERS[0].tar, Compression.ZSTD) + b"more", f"{DOCKER_LAYER[:-4]}zstd"),
        "corrupt-layer",
        "bytes that are no zstd frame",
        FIRST,
        {"compress": "gzip"},
    ),
    "xz that is damaged": Malformed(
        with_layer(flipped(lzma.compress(LAYERS[0].tar), 40), DOCKER_LAYER),
        "corrupt-layer",
        "the xz data is damaged",
        FIRST,
    ),
    "a layer that is packed twice": Malformed(
        with_layer(gzip.compress(GZIPPED, mtime=0), DOCKER_LAYER),
        "wrong-diff-id",
        digest_of(GZIPPED)[7:19],
        FIRST,
        REPACK,
    ),
    "a layer of another image": Malformed(
        with_layer(GZIPPED, DOCKER_LAYER, NOT_THE_TAR),
        "wrong-diff-id",
        LAYERS[0].diff_id[7:19],
        FIRST,
        REPACK,
    ),
    "zstd that is called gzip": Malformed(
        with_layer(pack(LAYERS[0].tar, Compression.ZSTD), DOCKER_LAYER),
        "mislabelled-layer",
        "but the bytes are zstd",
        FIRST,
        {"strict": True},
    ),
    "a plain tar that is called gzip": Malformed(
        with_layer(LAYERS[0].tar, DOCKER_LAYER),
        "mislabelled-layer",
        "but the bytes are a plain tar",
        FIRST,
        {"strict": True},
    ),
    # configs, where something in them is needed
    "a config that is an array": Malformed(
        with_config(b"[]"), "invalid-document", "the document is not a JSON object", CONFIG, REPACK
    ),
    "a config that says something twice": Malformed(
        with_config(b'{"rootfs":{},"rootfs":{}}'),
        "duplicate-member",
        "the member 'rootfs' stands twice",
        CONFIG,
        REPACK,
    ),
    "a config with a member in another case": Malformed(
        config(RootFS={}),
        "ambiguous-document",
        "'RootFS' differs from 'rootfs' only by case",
        CONFIG,
        REPACK,
    ),
    "a config with diff_ids in two spellings": Malformed(
        config(rootfs={"type": "layers", "diff_ids": [], "diff_IDs": []}),
        "ambiguous-document",
        "'diff_IDs' differs from 'diff_ids' only by case",
        f"{CONFIG}.rootfs",
        REPACK,
    ),
    "a config of fewer layers": Malformed(
        with_config(SHORT), "count-mismatch", "1 diff_ids for 2 layers", TOP, REPACK
    ),
    "a config without layers": Malformed(
        config(rootfs=None), "count-mismatch", "0 diff_ids for 2 layers", TOP, REPACK
    ),
    "a diff_id that is no digest": Malformed(
        config(rootfs={"type": "layers", "diff_ids": ["../x", "sha256:0"]}),
        "count-mismatch",
        "diff_ids[0]: '../x' is not a digest",
        TOP,
        REPACK,
    ),
}


# -- stores -------------------------------------------------------------------------------------

INDEX = layout_files({"app:1": IMAGE})["index.json"]
LAYOUT_HEADER = b'{"imageLayoutVersion":"1.0.0"}'


def indexed(raw: bytes) -> Store:
    """A layout with this ``index.json``."""
    return spoiled(layout(), "index.json", holding(raw))


def headed(raw: bytes) -> Store:
    """A layout with this ``oci-layout``."""
    return spoiled(layout(), "oci-layout", holding(raw))


def referred(raw: bytes) -> Store:
    """A layout of 1.0.0-rc2 with this file in ``refs/``."""
    return files({**rc2_files({"1": IMAGE}), "refs/1": raw})


def old(*steps: schema1.Version1, **members: Any) -> Store:
    """A ``dir:`` with a manifest of schema 1."""
    body = schema1.body(steps or schema1.STEPS, **members)
    return files(schema1.dir_files(schema1.pretty(body)), "dir")


OLD = schema1.pretty(schema1.body())

STORES: dict[str, Malformed] = {
    # layouts
    "an index.json with a byte order mark": Malformed(
        indexed(b"\xef\xbb\xbf" + INDEX), "byte-order-mark", "a byte order mark", "index.json"
    ),
    "an index.json that is empty": Malformed(
        indexed(b""), "invalid-json", "the JSON text ends early", "index.json"
    ),
    "an index.json that lists its images twice": Malformed(
        indexed(INDEX.replace(b'"manifests"', b'"manifests":[],"manifests"')),
        "duplicate-member",
        "the member 'manifests' stands twice",
        "index.json",
    ),
    "an index.json that is a manifest": Malformed(
        indexed(RAW), "contradictory-media-type", "its descriptor calls it", "index.json"
    ),
    "an index.json that is an array": Malformed(
        indexed(b"[]"), "invalid-document", "is not a JSON object", "index.json"
    ),
    "an index.json without a version": Malformed(
        indexed(b'{"manifests":[]}'), "invalid-document", "schemaVersion", "index.json"
    ),
    "an index.json with a manifest's layers": Malformed(
        indexed(INDEX[:-1] + b',"layers":[]}'),
        "ambiguous-document",
        "an index with a member 'layers'",
        "index.json",
    ),
    "an index.json with a digest that is a path": Malformed(
        indexed(INDEX.replace(IMAGE.digest.encode(), b"sha256:../../x")),
        "invalid-digest",
        "manifests[0].digest: 'sha256:../../x' is not a digest",
        "index.json",
    ),
    "an index.json with two images of one name": Malformed(
        indexed(
            compact(
                {
                    "schemaVersion": 2,
                    "manifests": [
                        listed(annotations={"org.opencontainers.image.ref.name": "a"}),
                        listed(
                            annotations={"org.opencontainers.image.ref.name": "a"},
                            digest="sha256:" + "0" * 64,
                        ),
                    ],
                }
            )
        ),
        "blob-missing",
        "is missing",
        "images[1]",
    ),
    "an index.json that is a link out": Malformed(
        spoiled(layout(), "index.json", link_to("../index.json")),
        "link-outside",
        "index.json is a link that leaves the folder",
        "",
    ),
    "an index.json that is a link round in circles": Malformed(
        spoiled(layout(), "index.json", circle),
        "link-outside",
        "index.json is a link that goes round in circles",
        "",
    ),
    "an index.json that is a pipe": Malformed(
        spoiled(layout(), "index.json", pipe), "not-a-file", "index.json is", ""
    ),
    "an index.json that is a folder": Malformed(
        spoiled(layout(), "index.json", empty_folder), "not-a-file", "index.json is", ""
    ),
    "no index.json": Malformed(
        spoiled(layout(), "index.json", gone), "not-an-image-store", "neither index.json nor", ""
    ),
    "a layout of another version": Malformed(
        headed(b'{"imageLayoutVersion":"2.0.0"}'),
        "unknown-layout-version",
        "the layout has version '2.0.0'",
        "oci-layout",
    ),
    "an oci-layout that is empty": Malformed(
        headed(b""), "invalid-json", "the JSON text ends early", "oci-layout"
    ),
    "an oci-layout with two versions": Malformed(
        headed(LAYOUT_HEADER[:-1] + b',"imageLayoutVersion":"2.0.0"}'),
        "duplicate-member",
        "the member 'imageLayoutVersion' stands twice",
        "oci-layout",
    ),
    "an oci-layout with two versions in two spellings": Malformed(
        headed(LAYOUT_HEADER[:-1] + b',"ImageLayoutVersion":"2.0.0"}'),
        "ambiguous-document",
        "differs from 'imageLayoutVersion' only by case",
        "oci-layout",
    ),
    "an oci-layout without a version": Malformed(
        headed(b"{}"), "invalid-document", "imageLayoutVersion", "oci-layout"
    ),
    "an oci-layout that is a link out": Malformed(
        spoiled(layout(), "oci-layout", link_to("/etc/hostname")),
        "link-outside",
        "oci-layout is a link that leaves",
        "",
    ),
    "an old layout with two media types": Malformed(
        referred(compact(ENTRY | {"mediatype": OCI_MANIFEST})),
        "ambiguous-document",
        "'mediatype' differs from 'mediaType' only by case",
        "refs/1",
    ),
    "an old layout with a digest in another case": Malformed(
        referred(compact(ENTRY | {"Digest": "sha256:" + "0" * 64})),
        "ambiguous-document",
        "'Digest' differs from 'digest' only by case",
        "refs/1",
    ),
    "an old layout with a name that is a list": Malformed(
        referred(b"[]"), "invalid-document", "is not a JSON object", "refs/1"
    ),
    "an old layout with a name that is a link out": Malformed(
        spoiled(files(rc2_files({"1": IMAGE})), "refs/1", link_to("/etc/hostname")),
        "link-outside",
        "refs/1 is a link that leaves",
        "",
    ),
    # dir:
    "a directory without a manifest": Malformed(
        spoiled(directory(), "manifest.json", gone), "not-an-image-store", "no manifest.json", ""
    ),
    "a directory of another version": Malformed(
        spoiled(directory(), "version", holding(b"Directory Transport Version: 9\n")),
        "unknown-directory-version",
        "the directory has the version 'Directory Transport Version: 9'",
        "",
    ),
    "a directory with a manifest of nothing": Malformed(
        directory(b"{}"), "unknown-media-type", "neither a manifest nor an index", "manifest.json"
    ),
    "a directory with a manifest that is a config": Malformed(
        directory(changed(mediaType="application/vnd.oci.image.config.v1+json")),
        "unknown-media-type",
        "application/vnd.oci.image.config.v1+json is neither a manifest nor an index",
        "manifest.json",
    ),
    "a directory with a manifest that is cut off": Malformed(
        spoiled(directory(), "manifest.json", holding(RAW[:-1])),
        "invalid-json",
        "a comma or",
        "manifest.json",
    ),
    "a directory with a manifest that is a link out": Malformed(
        spoiled(directory(), "manifest.json", link_to("/etc/hostname")),
        "link-outside",
        "manifest.json is a link that leaves",
        "",
    ),
    "a directory with the rows of docker save": Malformed(
        spoiled(directory(), "manifest.json", holding(b"[]")),
        "invalid-document",
        "is not a JSON object",
        "manifest.json",
    ),
    "a directory with a pipe in the place of a layer": Malformed(
        spoiled(directory(), LAYER_HEX, pipe), "not-a-file", f"{LAYER_HEX} is not", FIRST
    ),
    "a directory without a layer": Malformed(
        spoiled(directory(), LAYER_HEX, gone), "blob-missing", "is missing", FIRST
    ),
    # schema 1
    "schema 1 with a history that is too short": Malformed(
        old(history=[]), "invalid-document", "0 entries in history for 3 in fsLayers", TOP
    ),
    "schema 1 without layers": Malformed(
        old(history=[], fsLayers=[]), "invalid-document", "the image has no layers", TOP
    ),
    "schema 1 with a digest that is a path": Malformed(
        old(fsLayers=[{"blobSum": "sha256:../x"}] * 3),
        "invalid-digest",
        "'sha256:../x' is not a digest",
        f"{TOP}.fsLayers[0].blobSum",
    ),
    "schema 1 with a history that is not JSON": Malformed(
        old(history=[{"v1Compatibility": "{"}] * 3),
        "invalid-json",
        "a member name is expected",
        f"{TOP}.history[0].v1Compatibility",
    ),
    "schema 1 that signs something else": Malformed(
        files(
            schema1.dir_files(
                schema1.sign(OLD, [schema1.signature(len(OLD) - 2, b',"tag2":"2"}')])
            ),
            "dir",
        ),
        "ambiguous-document",
        "what it says is not what is signed",
        TOP,
    ),
    "schema 1 without a layer": Malformed(
        spoiled(old(), digest_of(schema1.BASE.data)[7:], gone),
        "blob-missing",
        "is missing",
        f"{TOP}.fsLayers[2]",
    ),
}


# -- archives -----------------------------------------------------------------------------------

CLASSIC = docker_20(SAVED)
CLASSIC_CONFIG, CLASSIC_LAYERS = paths(CLASSIC)
NEWER = docker_25(SAVED)
NEWER_MANIFEST = "blobs/" + json.loads(content(NEWER, "index.json"))["manifests"][0][
    "digest"
].replace(":", "/")
PLAIN = archive(CLASSIC)
WHERE = "manifest.json[0]"
BEFORE_1_10 = schema1.saved({"app": {"1": schema1.identity(3)}}, schema1.STEPS)
BASE, TOPMOST = schema1.identity(1), schema1.identity(3)
LAYOUT_FILES = layout_files({"app:1": IMAGE})


def layer_is(link: bytes | Link) -> Members:
    """A docker-save archive whose first layer is something else."""
    return {**CLASSIC, CLASSIC_LAYERS[0]: link}


def version1(folder: str, **members: Any) -> Store:
    """An archive of a Docker before 1.10, the JSON of one image changed."""
    body = json.loads(content(BEFORE_1_10, f"{folder}/json")) | members
    return saved({**BEFORE_1_10, f"{folder}/json": compact(body)})


def header_flipped(data: bytes, at: int) -> bytes:
    """An archive whose header at ``at`` has a wrong checksum."""
    return flipped(data, at + 150)


ARCHIVES: dict[str, Malformed] = {
    # the tar
    "an archive that is empty": Malformed(saved(b""), "bad-archive", "empty", ""),
    "an archive that is text": Malformed(saved(b"hello\n" * 400), "bad-archive", "", ""),
    "an archive that is cut off in a member": Malformed(
        saved(PLAIN[: PLAIN.index(b"etc/motd") + 700]),
        "bad-archive",
        "it ends after",
        "",
    ),
    "an archive with a damaged header": Malformed(
        saved(header_flipped(PLAIN, 1024)), "bad-archive", "it is damaged at byte 1024", ""
    ),
    "an archive that is packed and cut off": Malformed(
        saved(gzip.compress(PLAIN, mtime=0)[:-20]), "bad-archive", "the gzip data ends", ""
    ),
    "an archive that is packed and damaged": Malformed(
        saved(flipped(gzip.compress(PLAIN, mtime=0), -8)),
        "bad-archive",
        "the gzip data is damaged",
        "",
    ),
    "an archive that is packed twice": Malformed(
        saved(gzip.compress(gzip.compress(PLAIN))), "bad-archive", "there is no tar file in it", ""
    ),
    "an archive with two manifest.json": Malformed(
        saved(twice(CLASSIC, "manifest.json")),
        "duplicate-archive-member",
        "the member manifest.json stands twice",
        "",
    ),
    "an archive with two index.json": Malformed(
        packed(twice(LAYOUT_FILES, "index.json")),
        "duplicate-archive-member",
        "the member index.json stands twice",
        "",
    ),
    "an archive with two oci-layout": Malformed(
        packed(twice(LAYOUT_FILES, "oci-layout")),
        "duplicate-archive-member",
        "the member oci-layout stands twice",
        "",
    ),
    "an archive with two repositories": Malformed(
        saved(twice(BEFORE_1_10, "repositories")),
        "duplicate-archive-member",
        "the member repositories stands twice",
        "",
    ),
    "an archive of nothing that is known": Malformed(
        saved({"README": b"hello"}), "not-an-image-store", "there is no manifest.json", ""
    ),
    "an archive that was not saved to its end": Malformed(
        saved(without(CLASSIC, "manifest.json")),
        "no-manifest-json",
        "there is no manifest.json",
        "",
    ),
    # rows
    "rows that are an object": Malformed(
        saved({"manifest.json": b"{}"}), "invalid-document", "not a JSON array", "manifest.json"
    ),
    "rows that say something twice": Malformed(
        saved({**CLASSIC, "manifest.json": b'[{"Config":"a","Config":"b"}]'}),
        "duplicate-member",
        "the member 'Config' stands twice",
        "manifest.json",
    ),
    "rows with a byte order mark": Malformed(
        saved({**CLASSIC, "manifest.json": b"\xef\xbb\xbf[]"}),
        "byte-order-mark",
        "a byte order mark",
        "manifest.json",
    ),
    "a row that is a number": Malformed(
        saved({**CLASSIC, "manifest.json": b"[7]"}), "invalid-document", "must be an object", WHERE
    ),
    "a row without a config": Malformed(
        saved(row(CLASSIC, Config=...)), "invalid-document", "Config: is missing", WHERE
    ),
    "a row with layers that are a string": Malformed(
        saved(row(CLASSIC, Layers="all")), "invalid-document", "Layers: must be an array", WHERE
    ),
    "a row with tags that are a string": Malformed(
        saved(row(CLASSIC, RepoTags="app:1")),
        "invalid-document",
        "RepoTags: must be an array",
        WHERE,
    ),
    "a row with a member in another case": Malformed(
        saved(row(CLASSIC, layers=[])),
        "ambiguous-document",
        "'layers' differs from 'Layers' only by case",
        WHERE,
    ),
    "a row with a source in another case": Malformed(
        saved(row(CLASSIC, LayerSources={"x": ENTRY | {"Size": 0}})),
        "ambiguous-document",
        "'Size' differs from 'size' only by case",
        f"{WHERE}.LayerSources.x",
    ),
    "a layer outside of the archive": Malformed(
        saved(row(CLASSIC, Layers=["../../etc/passwd", CLASSIC_LAYERS[1]])),
        "path-outside",
        "'../../etc/passwd' is not a path inside the archive",
        f"{WHERE}.Layers[0]",
    ),
    "a layer with an absolute path": Malformed(
        saved(row(CLASSIC, Layers=[CLASSIC_LAYERS[0], "/etc/passwd"])),
        "path-outside",
        "'/etc/passwd' is not a path inside the archive",
        f"{WHERE}.Layers[1]",
    ),
    "a layer whose path climbs in the middle": Malformed(
        saved(row(CLASSIC, Layers=["a/../../b", CLASSIC_LAYERS[1]])),
        "path-outside",
        "'a/../../b' is not a path inside the archive",
        f"{WHERE}.Layers[0]",
    ),
    "a config outside of the archive": Malformed(
        saved(row(CLASSIC, Config="../config.json")),
        "path-outside",
        "'../config.json' is not a path inside the archive",
        f"{WHERE}.Config",
    ),
    "a config with a zero byte in its path": Malformed(
        saved(row(CLASSIC, Config="config\0.json")),
        "path-outside",
        "is not a path inside the archive",
        f"{WHERE}.Config",
    ),
    # what rows name
    "a config that is not in the archive": Malformed(
        saved(without(CLASSIC, CLASSIC_CONFIG)),
        "member-missing",
        f"the file {CLASSIC_CONFIG} is missing",
        f"{WHERE}.Config",
    ),
    "a layer that is not in the archive": Malformed(
        saved(without(CLASSIC, CLASSIC_LAYERS[1])),
        "member-missing",
        f"the file {CLASSIC_LAYERS[1]} is missing",
        f"{WHERE}.Layers[1]",
    ),
    "a layer that is a link out of the archive": Malformed(
        saved(layer_is(Link("../../../../etc/passwd"))),
        "link-outside",
        f"{CLASSIC_LAYERS[0]} is a link that leaves the archive",
        TOP,
    ),
    "a layer that is a link to itself": Malformed(
        saved(layer_is(Link("layer.tar"))),
        "link-outside",
        f"{CLASSIC_LAYERS[0]} is a link that goes round in circles",
        TOP,
    ),
    "a layer that is a device": Malformed(
        saved(appended(archive(CLASSIC), CLASSIC_LAYERS[0], tarfile.CHRTYPE, devmajor=1)),
        "not-a-file",
        f"{CLASSIC_LAYERS[0]} is not a regular file but a device",
        TOP,
    ),
    "a config that is a pipe in the archive": Malformed(
        saved(appended(archive(CLASSIC), CLASSIC_CONFIG, tarfile.FIFOTYPE)),
        "not-a-file",
        f"{CLASSIC_CONFIG} is not a regular file but a pipe",
        TOP,
    ),
    "a saved config that is not JSON": Malformed(
        saved({**CLASSIC, CLASSIC_CONFIG: b"config"}),
        "invalid-json",
        "a JSON value is expected",
        f"{WHERE}.Config ({CLASSIC_CONFIG})",
    ),
    "a saved config that is an array": Malformed(
        saved({**CLASSIC, CLASSIC_CONFIG: b"[]"}),
        "invalid-document",
        "is not a JSON object",
        f"{WHERE}.Config ({CLASSIC_CONFIG})",
    ),
    "a saved config of fewer layers": Malformed(
        saved({**CLASSIC, CLASSIC_CONFIG: SHORT}),
        "inconsistent-archive",
        "the config has 1 diff_ids, and the row 2 layers",
        f"{WHERE}.Config ({CLASSIC_CONFIG})",
    ),
    "a saved config with a diff_id that is no digest": Malformed(
        saved(
            {
                **CLASSIC,
                CLASSIC_CONFIG: minimal_config(
                    LAYERS, rootfs={"type": "layers", "diff_ids": ["../x"]}
                ),
            }
        ),
        "inconsistent-archive",
        "rootfs.diff_ids[0]: '../x' is not a digest",
        f"{WHERE}.Config ({CLASSIC_CONFIG})",
    ),
    "a saved layer with another bit": Malformed(
        saved(layer_is(flipped(LAYERS[0].tar))),
        "digest-mismatch",
        "the bytes do not match",
        FIRST,
        verified="wrong-diff-id",
    ),
    "a saved layer that is packed and cut off": Malformed(
        saved(layer_is(GZIPPED[:-6])), "corrupt-layer", "the gzip data ends too early", FIRST
    ),
    "a saved layer that is packed and something else": Malformed(
        saved(layer_is(gzip.compress(NOT_THE_TAR, mtime=0))),
        "wrong-diff-id",
        "the unpacked layer hashes to",
        FIRST,
    ),
    # layouts with rows
    "a newer archive with a manifest cut off": Malformed(
        saved({**NEWER, NEWER_MANIFEST: content(NEWER, NEWER_MANIFEST)[:-1]}),
        "blob-truncated",
        "bytes",
        TOP,
    ),
    "a newer archive of another layout": Malformed(
        saved({**NEWER, "oci-layout": b'{"imageLayoutVersion":"3"}'}),
        "unknown-layout-version",
        "the layout has version '3'",
        "oci-layout",
    ),
    "a newer archive with an index that is a manifest": Malformed(
        saved(
            {
                **NEWER,
                "index.json": compact(json.loads(content(NEWER, "index.json")) | {"config": {}}),
            }
        ),
        "ambiguous-document",
        "an index with a member 'config'",
        "index.json",
    ),
    # before 1.10
    "an image version 1 in the folder of another": Malformed(
        version1(BASE, id=TOPMOST),
        "inconsistent-archive",
        f"the id in it is {TOPMOST}",
        f"{BASE}/json",
    ),
    "an image version 1 that stands on itself": Malformed(
        version1(BASE, parent=TOPMOST), "inconsistent-archive", "stands on itself", TOPMOST
    ),
    "an image version 1 that stands on nothing": Malformed(
        version1(BASE, parent="f" * 64),
        "member-missing",
        f"the file {'f' * 64}/json is missing",
        "",
    ),
    "an image version 1 with an id that is a path": Malformed(
        version1(BASE, id="../x"), "invalid-document", "id: ", f"{BASE}/json"
    ),
    "an image version 1 with two ids": Malformed(
        version1(BASE, ID=TOPMOST), "ambiguous-document", "'ID' differs from 'id'", f"{BASE}/json"
    ),
    "an image version 1 without a layer": Malformed(
        saved(without(BEFORE_1_10, f"{BASE}/layer.tar")),
        "member-missing",
        f"the file {BASE}/layer.tar is missing",
        "",
    ),
    "repositories that are no objects": Malformed(
        saved({**BEFORE_1_10, "repositories": b'{"app":["1"]}'}),
        "invalid-document",
        "the tags of a repository must be an object of strings",
        "repositories.app",
    ),
    # oci-archive:
    "an oci-archive without a layer": Malformed(
        packed(without(LAYOUT_FILES, LAYER_FILE)), "blob-missing", "is missing", FIRST
    ),
    "an oci-archive with a layer that is a hard link to outside": Malformed(
        packed({**LAYOUT_FILES, LAYER_FILE: Link("/etc/passwd", hard=True)}),
        "link-outside",
        f"{LAYER_FILE} is a link that leaves the archive",
        FIRST,
    ),
    "an oci-archive with an index.json that is a link out": Malformed(
        packed({**LAYOUT_FILES, "index.json": Link("../index.json")}),
        "link-outside",
        "index.json is a link that leaves the archive",
        "",
    ),
    "an oci-archive with a layer cut off": Malformed(
        packed({**LAYOUT_FILES, LAYER_FILE: LAYERS[0].data[:-1]}),
        "blob-truncated",
        "bytes",
        FIRST,
    ),
    # extracted archives
    "rows that are a link out of the folder": Malformed(
        spoiled(unpacked(CLASSIC), "manifest.json", link_to("/etc/hostname")),
        "link-outside",
        "manifest.json is a link that leaves the folder",
        "",
    ),
    "an extracted layer that is a link out of the folder": Malformed(
        spoiled(unpacked(CLASSIC), CLASSIC_LAYERS[0], link_to("/etc/hostname")),
        "link-outside",
        "layer.tar is a link that leaves the folder",
        TOP,
    ),
    "an extracted config that is a pipe": Malformed(
        spoiled(unpacked(CLASSIC), CLASSIC_CONFIG, pipe),
        "not-a-file",
        f"{CLASSIC_CONFIG} is not a regular file but a pipe",
        TOP,
    ),
    "an extracted layer with a name that no folder can hold": Malformed(
        unpacked(row(CLASSIC, Layers=["n" * 300, CLASSIC_LAYERS[1]])),
        "member-missing",
        "is missing",
        f"{WHERE}.Layers[0]",
    ),
    "an old archive, extracted, with a link out": Malformed(
        spoiled(unpacked(BEFORE_1_10), f"{BASE}/json", link_to("/etc/hostname")),
        "link-outside",
        f"{BASE}/json is a link that leaves",
        "",
    ),
}


# -- what is to be shown of each ----------------------------------------------------------------

MALFORMED: dict[str, Malformed] = {
    **{
        f"a manifest that {name}": Malformed(layout(raw), code, said)
        for name, (raw, code, said) in TEXTS.items()
    },
    **{
        name: Malformed(store if callable(store) else layout(store), code, said, where)
        for name, (store, code, said, where) in MEMBERS.items()
    },
    **BLOBS,
    **STORES,
    **ARCHIVES,
}


@pytest.fixture(params=MALFORMED)
def case(request: pytest.FixtureRequest) -> Malformed:
    return MALFORMED[request.param]


SAME: dict[str, str] = {
    "a manifest of schema 1 by another name": "a manifest that is of schema 1, too",
    "a link to nothing in the place of a layer": "a layer that is not there",
    "an index that names itself": "a manifest with another bit",
    "gzip of another length than it says": "gzip with a wrong checksum",
    "a layer of another image": "a layer that is packed twice",
}
"""Faults that are told as others are, as nobody could do anything else about them."""


def refused(case: Malformed, source: str, target: Path) -> OciConvertError:
    """What a conversion is ended by."""
    asked: dict[str, Any] = {"to": "oci", "fsync": False, **case.options}
    with pytest.raises(OciConvertError) as caught:
        convert(source, f"oci:{target}", **asked)
    return caught.value


def place(case: Malformed, source: str) -> str:
    return f"{source}: {case.where}" if case.where else source


def test_it_ends_in_one_error_that_says_what_is_wrong_where_and_what_to_do(
    case: Malformed, tmp_path: Path
) -> None:
    source = case.store(tmp_path / "source")
    error = refused(case, source, tmp_path / "new" / "target")
    assert type(error) in OciConvertError.__subclasses__()
    assert error.code == case.code
    assert case.said in error.message
    assert error.where == place(case, source)
    assert error.remedy
    assert str(error).isprintable()
    assert not (tmp_path / "new").exists()


def test_what_is_in_a_layout_stays(case: Malformed, tmp_path: Path) -> None:
    source = case.store(tmp_path / "source")
    target = write_layout({"old": oci_image([layer("old")])}, tmp_path / "target")
    before = files_below(target)
    assert refused(case, source, target).code == case.code
    after = files_below(target)
    added = after.keys() - before.keys()
    assert {name: after[name] for name in before} == before
    # A blob that is whole may stay: another run may have counted on it.
    assert all(digest_of(after[name]) == f"sha256:{name[-64:]}" for name in added)


SAMPLE = (
    "a manifest that holds NaN",
    "a digest that is a path",
    "a layer with another bit",
    "a pipe in the place of a layer",
    "an index.json that is a link out",
    "a directory of another version",
    "schema 1 without a layer",
    "an archive with two manifest.json",
    "a layer outside of the archive",
    "a saved layer that is packed and cut off",
    "an image version 1 that stands on itself",
    "an oci-archive without a layer",
    "an extracted config that is a pipe",
)


@pytest.mark.parametrize("name", SAMPLE)
@pytest.mark.parametrize("transport", ["dir", "docker-archive", "oci-archive"])
def test_what_would_be_replaced_stays(name: str, transport: str, tmp_path: Path) -> None:
    good = write_layout({"app:1": docker_image([layer("old")])}, tmp_path / "good")
    target = f"{transport}:{tmp_path / 'target' / 'image'}"
    (tmp_path / "target").mkdir()
    convert(f"oci:{good}", target, to="docker", fsync=False)
    before = files_below(tmp_path / "target")
    source = MALFORMED[name].store(tmp_path / "source")
    with pytest.raises(OciConvertError) as caught:
        convert(source, target, to="docker", fsync=False, force=True)
    assert caught.value.code == MALFORMED[name].code
    after = files_below(tmp_path / "target")
    whole = {name: data for name, data in after.items() if hex_of(data) not in name}
    assert whole == {name: data for name, data in before.items() if hex_of(data) not in name}


def test_verify_tells_the_same(case: Malformed, tmp_path: Path) -> None:
    source = case.store(tmp_path / "source")
    found = answered(partial(verify, source), case, source)
    if found is None:
        return
    told = {finding.code for finding in found.findings if finding.level is Level.ERROR}
    assert (case.verified or case.code) in told
    assert not found.sound


def test_inspect_shows_it_or_says_why_not(case: Malformed, tmp_path: Path) -> None:
    source = case.store(tmp_path / "source")
    shown = answered(partial(inspect, source), case, source)
    if shown is not None:
        assert shown.images
        json.dumps(shown.to_json())


T = TypeVar("T")


def answered(question: Callable[[], T], case: Malformed, source: str) -> T | None:
    """The answer, or none where the question cannot be put to such a store, and is told so."""
    try:
        return question()
    except OciConvertError as error:
        told = (error.code, error.where)
    assert told == (case.code, place(case, source))
    return None


def test_every_fault_is_told_in_its_own_words(tmp_path: Path) -> None:
    """By code, place and message, whatever the paths and the digests are."""
    told: dict[object, str] = {}
    for number, (name, case) in enumerate(MALFORMED.items()):
        source = case.store(tmp_path / str(number))
        error = refused(case, source, tmp_path / "target")
        transport, _, path = source.partition(":")
        message = re.sub("[0-9a-f]{12,}", "…", error.message)
        twin = told.setdefault(
            (error.code, (transport, Path(path).is_dir(), case.where), message), name
        )
        assert twin in (name, SAME.get(name)), f"{name} is told as {twin}: {error}"


# -- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLE)
@pytest.mark.parametrize("command", ["convert", "inspect", "verify"])
def test_the_command_prints_one_line(name: str, command: str, tmp_path: Path) -> None:
    source = MALFORMED[name].store(tmp_path / "source")
    target = [f"oci:{tmp_path / 'target'}"] if command == "convert" else []
    done = run(command, source, *target)
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    if command == "verify" and MALFORMED[name].code in FAULTS:
        assert done.returncode == 3
        assert done.stdout == "not sound\n"
        assert any(line.startswith("error: ") for line in lines)
    elif done.returncode == 0:
        assert command == "inspect"
        assert lines == []
    else:
        assert done.returncode == 1
        assert done.stdout == ""
        assert len(lines) == 1
        assert lines[0].startswith(f"error: {place(MALFORMED[name], source)}: ")
        assert MALFORMED[name].said in lines[0]
    assert not (tmp_path / "target").exists()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it."""
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return subprocess.run(
        [sys.executable, "-m", "oci_convert", *arguments],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=environment,
        timeout=60,
    )


# -- what is odd, and no fault ------------------------------------------------------------------

ODD: dict[str, Store] = {
    "layers that are null": layout(
        changed(layers=None, config=IMAGE.json["config"]),
    ),
    "no layers": layout(changed(layers=...)),
    "white space around a document": layout(b"\n\t " + RAW + b"\r\n"),
    "members that nobody knows": layout(changed(unknown={"size": -1, "digest": "../x"})),
    "the same layer twice": layout(docker_image([LAYERS[0], LAYERS[0]])),
    "gzip of several members": with_layer(
        gzip.compress(LAYERS[0].tar[:700], mtime=0) + gzip.compress(LAYERS[0].tar[700:], mtime=0),
        DOCKER_LAYER,
    ),
    "gzip with zero bytes behind": with_layer(GZIPPED + bytes(512), DOCKER_LAYER),
    "urls of any kind, which nobody opens": layout(
        changed("layers", 0, urls=["file:///etc/passwd", "javascript:0", "\u202e", ""])
    ),
    "a blob that is a link, and the right one": spoiled(
        layout(), LAYER_FILE, link_holding(LAYERS[0].data)
    ),
    "an index.json that is a link inside": spoiled(layout(), "index.json", link_holding(INDEX)),
    "no oci-layout": spoiled(layout(), "oci-layout", gone),
    "names with a dot and a slash before them": saved(CLASSIC, prefix="./"),
    "names with more than that": saved(CLASSIC, prefix=".//x/../"),
    "a global header with a comment": saved(
        CLASSIC, form=tarfile.PAX_FORMAT, pax={"comment": "by git"}
    ),
    "rows that are spelled as nobody spells them": saved(
        row(CLASSIC, Layers=[f"./x/..//{name}" for name in CLASSIC_LAYERS])
    ),
    "a device that nobody asks for": saved(
        appended(PLAIN, "dev/zero", tarfile.CHRTYPE, devmajor=1, devminor=5)
    ),
    "a link out that nobody asks for": saved({**CLASSIC, "out": Link("../../etc/passwd")}),
    "names out of the archive that nobody asks for": saved({**CLASSIC, "../../up": b"x"}),
    "rubbish behind the end of the archive": saved(PLAIN + b"rubbish" * 200),
    "an archive without an end": saved(
        PLAIN.rstrip(b"\0").ljust(-(-len(PLAIN.rstrip(b"\0")) // 512) * 512, b"\0")
    ),
    "no tags": saved(row(CLASSIC, RepoTags=None)),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_converted(name: str, tmp_path: Path) -> None:
    source = ODD[name](tmp_path / "source")
    report = convert(source, f"oci:{tmp_path / 'target'}", to="oci", fsync=False)
    assert len(report.images) == 1
    again = verify(f"oci:{tmp_path / 'target'}")
    faults = {f.code for f in again.findings if f.level is Level.ERROR}
    assert faults <= {"count-mismatch"}  # of images whose config tells of layers that are not there


def test_a_signature_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    source = spoiled(directory(), "signature-1", pipe)(tmp_path / "source")
    with pytest.raises(OciConvertError, match="signature-1 is not a regular file but a pipe") as no:
        convert(source, f"dir:{tmp_path / 'target'}", to="docker", fsync=False)
    assert no.value.code == "not-a-file"
    assert not (tmp_path / "target").exists()
