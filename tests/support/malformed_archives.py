"""Archives of docker save and of layouts, packed and extracted, with one fault each."""

from __future__ import annotations

import json
import tarfile
from typing import Any

from oci_convert.spec.media_types import Compression
from support import schema1
from support.archives import (
    Link,
    Members,
    archive,
    compact,
    docker_20,
    docker_25,
)
from support.images import (
    LAYERS,
    layout_files,
    minimal_config,
    pack,
)
from support.malformed import (
    FIRST,
    IMAGE,
    LAYER_FILE,
    SAVED,
    TOP,
    Malformed,
    Store,
    appended,
    content,
    flipped,
    link_to,
    packed,
    paths,
    pipe,
    row,
    saved,
    spoiled,
    twice,
    unpacked,
    without,
)
from support.malformed_documents import ENTRY, GZIPPED
from support.malformed_stores import NOT_THE_TAR, SHORT

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
    "an archive that is text": Malformed(saved(b"hello\n" * 400), "not-an-archive", "text", ""),
    "an archive that is nothing that is known": Malformed(
        saved(b"\x01hello\n" * 400), "bad-archive", "", ""
    ),
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
        saved(pack(PLAIN, Compression.GZIP)[:-20]), "bad-archive", "the gzip data is truncated", ""
    ),
    "an archive that is packed and damaged": Malformed(
        saved(flipped(pack(PLAIN, Compression.GZIP), -8)),
        "bad-archive",
        "the gzip data is damaged",
        "",
    ),
    "an archive that is packed twice": Malformed(
        saved(pack(pack(PLAIN, Compression.GZIP), Compression.GZIP)),
        "bad-archive",
        "it contains no tar file",
        "",
    ),
    "an archive with two manifest.json": Malformed(
        saved(twice(CLASSIC, "manifest.json")),
        "duplicate-archive-member",
        "the archive contains manifest.json twice",
        "",
    ),
    "an archive with two index.json": Malformed(
        packed(twice(LAYOUT_FILES, "index.json")),
        "duplicate-archive-member",
        "the archive contains index.json twice",
        "",
    ),
    "an archive with two oci-layout": Malformed(
        packed(twice(LAYOUT_FILES, "oci-layout")),
        "duplicate-archive-member",
        "the archive contains oci-layout twice",
        "",
    ),
    "an archive with two repositories": Malformed(
        saved(twice(BEFORE_1_10, "repositories")),
        "duplicate-archive-member",
        "the archive contains repositories twice",
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
        "the field 'Config' appears twice",
        "manifest.json[0]",
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
        saved(row(CLASSIC, Config=...)), "invalid-document", "Config is missing", WHERE
    ),
    "a row with layers that are a string": Malformed(
        saved(row(CLASSIC, Layers="all")), "invalid-document", "Layers must be an array", WHERE
    ),
    "a row with tags that are a string": Malformed(
        saved(row(CLASSIC, RepoTags="app:1")),
        "invalid-document",
        "RepoTags must be an array",
        WHERE,
    ),
    "a row with a member in two cases": Malformed(
        saved(row(CLASSIC, layers=[])),
        "ambiguous-document",
        "its members 'Layers' and 'layers' differ only by case",
        WHERE,
    ),
    "a row with a member of a source in two cases": Malformed(
        saved(row(CLASSIC, LayerSources={"x": ENTRY | {"Size": 0}})),
        "ambiguous-document",
        "its members 'size' and 'Size' differ only by case",
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
        f"{CLASSIC_LAYERS[0]} is a link that is part of a loop",
        TOP,
    ),
    "a layer that is a device": Malformed(
        saved(appended(archive(CLASSIC), CLASSIC_LAYERS[0], tarfile.CHRTYPE, devmajor=1)),
        "not-a-file",
        f"{CLASSIC_LAYERS[0]} is a device, not a regular file",
        TOP,
    ),
    "a config that is a pipe in the archive": Malformed(
        saved(appended(archive(CLASSIC), CLASSIC_CONFIG, tarfile.FIFOTYPE)),
        "not-a-file",
        f"{CLASSIC_CONFIG} is a pipe, not a regular file",
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
        "the config has 1 diff_id for 2 layers",
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
        "digest mismatch",
        FIRST,
        verified="wrong-diff-id",
    ),
    "a saved layer that is packed and cut off": Malformed(
        saved(layer_is(GZIPPED[:-6])), "corrupt-layer", "the gzip data is truncated", FIRST
    ),
    "a saved layer that is packed and something else": Malformed(
        saved(layer_is(pack(NOT_THE_TAR, Compression.GZIP))),
        "wrong-diff-id",
        "the unpacked layer has",
        FIRST,
    ),
    # layouts with rows
    "a newer archive with a manifest cut off, and no layer": Malformed(
        saved(
            {
                **row(NEWER, Layers=["a.tar", "b.tar"]),
                NEWER_MANIFEST: content(NEWER, NEWER_MANIFEST)[:-1],
            }
        ),
        "member-missing",
        "the file a.tar is missing",
        f"{WHERE}.Layers[0]",
    ),
    "a newer archive of another layout, without rows": Malformed(
        saved({**NEWER, "oci-layout": b'{"imageLayoutVersion":"3"}', "manifest.json": b"[]"}),
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
        "an index with a field 'config'",
        "index.json",
    ),
    # before 1.10
    "an image version 1 in the folder of another": Malformed(
        version1(BASE, id=TOPMOST),
        "inconsistent-archive",
        f"its id is {TOPMOST}",
        f"{BASE}/json",
    ),
    "an image version 1 that is its own parent": Malformed(
        version1(BASE, parent=TOPMOST), "inconsistent-archive", "is its own parent", TOPMOST
    ),
    "an image version 1 that stands on nothing": Malformed(
        version1(BASE, parent="f" * 64),
        "member-missing",
        f"the file {'f' * 64}/json is missing",
        "",
    ),
    "an image version 1 with an id that is a path": Malformed(
        version1(BASE, id="../x"), "invalid-document", "id has the wrong form", f"{BASE}/json"
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
        "manifest.json is a link that leaves the directory",
        "",
    ),
    "an extracted layer that is a link out of the folder": Malformed(
        spoiled(unpacked(CLASSIC), CLASSIC_LAYERS[0], link_to("/etc/hostname")),
        "link-outside",
        "layer.tar is a link that leaves the directory",
        TOP,
    ),
    "an extracted config that is a pipe": Malformed(
        spoiled(unpacked(CLASSIC), CLASSIC_CONFIG, pipe),
        "not-a-file",
        f"{CLASSIC_CONFIG} is a pipe, not a regular file",
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
