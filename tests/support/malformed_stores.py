"""Layouts and ``dir:`` directories, old ones too, with one fault each."""

from __future__ import annotations

import lzma
from typing import Any

from oci_convert.spec.media_types import Compression
from support import schema1
from support.archives import (
    compact,
)
from support.images import (
    DOCKER_LAYER,
    LAYERS,
    OCI_INDEX,
    OCI_MANIFEST,
    digest_of,
    image_list,
    layer,
    layout_files,
    minimal_config,
    pack,
    rc2_files,
)
from support.malformed import (
    CONFIG,
    CONFIG_FILE,
    FIRST,
    IMAGE,
    LAYER_FILE,
    LAYER_HEX,
    MANIFEST_FILE,
    TOP,
    Malformed,
    Store,
    changed,
    circle,
    directory,
    empty_folder,
    files,
    flipped,
    gone,
    holding,
    layout,
    link_to,
    pipe,
    spoiled,
    with_config,
    with_layer,
)
from support.malformed_documents import ENTRY, GZIPPED, RAW, REPACK, index, listed

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
    "an index of an image that is not there": Malformed(
        index(listed(digest="sha256:" + "0" * 64)),
        "blob-missing",
        "is missing",
        f"{TOP}.manifests[0]",
    ),
    "a layer that is cut off": Malformed(
        spoiled(layout(), LAYER_FILE, holding(LAYERS[0].data[:-1])),
        "blob-truncated",
        f"but its descriptor says {len(LAYERS[0].data)}",
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
        f"but its descriptor says {len(LAYERS[0].data)}",
        FIRST,
    ),
    "a size that is too large": Malformed(
        layout(changed("config", size=len(IMAGE.config) + 1)), "blob-truncated", "bytes", CONFIG
    ),
    "a size that is too small": Malformed(
        layout(changed("config", size=0)), "wrong-size", "but its descriptor says 0", CONFIG
    ),
    "a layer with another bit": Malformed(
        spoiled(layout(), LAYER_FILE, holding(flipped(LAYERS[0].data))),
        "digest-mismatch",
        "digest mismatch",
        FIRST,
    ),
    "a config with another bit": Malformed(
        spoiled(layout(), CONFIG_FILE, holding(flipped(IMAGE.config, 9))),
        "digest-mismatch",
        "digest mismatch",
        CONFIG,
    ),
    "a manifest with another bit": Malformed(
        spoiled(layout(), MANIFEST_FILE, holding(flipped(RAW, 9))),
        "digest-mismatch",
        "digest mismatch",
    ),
    "an index that names itself": Malformed(
        files(
            layout_files({}) | {"index.json": CYCLE, "blobs/sha256/" + "0" * 64: CYCLE},
        ),
        "digest-mismatch",
        "digest mismatch: expected sha256:000000000000",
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
        spoiled(layout(), LAYER_FILE, pipe), "not-a-file", "is a pipe, not a regular file", FIRST
    ),
    "a folder in the place of a layer": Malformed(
        spoiled(layout(), LAYER_FILE, empty_folder),
        "not-a-file",
        "is a directory, not a regular file",
        FIRST,
    ),
    "a device in the place of a layer": Malformed(
        spoiled(layout(), LAYER_FILE, link_to("/dev/zero")),
        "not-a-file",
        "is a device, not a regular file",
        FIRST,
    ),
    "a link to itself in the place of a layer": Malformed(
        spoiled(layout(), LAYER_FILE, circle), "link-outside", "is part of a loop", FIRST
    ),
    "a link to another file in the place of a config": Malformed(
        spoiled(layout(), CONFIG_FILE, link_to("/etc/hostname")), "blob-truncated", "bytes", CONFIG
    ),
    # layers
    "gzip that is cut off": Malformed(
        with_layer(GZIPPED[:-6], DOCKER_LAYER),
        "corrupt-layer",
        "the gzip data is truncated",
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
        "is followed by other bytes",
        FIRST,
        REPACK,
    ),
    "zstd that is cut off": Malformed(
        with_layer(pack(LAYERS[0].tar, Compression.ZSTD)[:-6], f"{DOCKER_LAYER[:-4]}zstd"),
        "corrupt-layer",
        "the zstd data is truncated",
        FIRST,
        {"compress": "gzip"},
    ),
    "zstd with rubbish behind": Malformed(
        with_layer(pack(LAYERS[0].tar, Compression.ZSTD) + b"more", f"{DOCKER_LAYER[:-4]}zstd"),
        "corrupt-layer",
        "bytes that are not a zstd frame",
        FIRST,
        {"compress": "gzip"},
    ),
    "zstd that needs too much memory": Malformed(
        with_layer(b"\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00", f"{DOCKER_LAYER[:-4]}zstd"),
        "window-too-large",
        "needs a window larger than 128",
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
        with_layer(pack(GZIPPED, Compression.GZIP), DOCKER_LAYER),
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
        "but the bytes are uncompressed",
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
        "the field 'rootfs' appears twice",
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
        with_config(SHORT), "count-mismatch", "1 diff_id for 2 layers", TOP, REPACK
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
        "the field 'manifests' appears twice",
        "index.json",
    ),
    "an index.json that is a manifest": Malformed(
        indexed(RAW), "contradictory-media-type", "but the descriptor says", "index.json"
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
        "an index with a field 'layers'",
        "index.json",
    ),
    "an index.json with a digest that is a path": Malformed(
        indexed(INDEX.replace(IMAGE.digest.encode(), b"sha256:../../x")),
        "invalid-digest",
        "digest: 'sha256:../../x' is not a digest",
        "index.json.manifests[0]",
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
        {"sparse": "keep"},
    ),
    "an index.json that is a link out": Malformed(
        spoiled(layout(), "index.json", link_to("../index.json")),
        "link-outside",
        "index.json is a link that leaves the directory",
        "",
    ),
    "an index.json that is a link round in circles": Malformed(
        spoiled(layout(), "index.json", circle),
        "link-outside",
        "index.json is a link that is part of a loop",
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
        "the field 'imageLayoutVersion' appears twice",
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
        spoiled(directory(), LAYER_HEX, pipe), "not-a-file", f"{LAYER_HEX} is a pipe", FIRST
    ),
    "a directory without a layer": Malformed(
        spoiled(directory(), LAYER_HEX, gone), "blob-missing", "is missing", FIRST
    ),
    # schema 1
    "schema 1 with a history that is too short": Malformed(
        old(history=[]), "invalid-document", "history has 0 entries, fsLayers 3", TOP
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
        "a field name is expected",
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
        "its content is not what is signed",
        TOP,
    ),
    "schema 1 without a layer": Malformed(
        spoiled(old(), digest_of(schema1.BASE.data)[7:], gone),
        "blob-missing",
        "is missing",
        f"{TOP}.fsLayers[2]",
    ),
}
