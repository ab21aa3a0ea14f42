"""Any text in the place of a name: references, digests, tags, paths, platforms, media types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from base import ours
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Family, counterpart, families, look_up
from oci_convert.spec.models import Descriptor, Platform
from oci_convert.spec.names import (
    annotations_for,
    called,
    find,
    is_repository_tag,
    normalised,
    renamed,
    repository_tag,
)
from oci_convert.spec.platforms import matches, spelled
from oci_convert.stores.base import Root
from oci_convert.stores.files.paths import cleaned, joined
from oci_convert.stores.references import parse

_SEEDS: Final = (
    "oci:path/to:app:1",
    "dir:/a/b:c",
    "docker-archive:app.tar:@1",
    "oci-archive:-",
    "docker://alpine",
    "app:1",
    "example.com:5000/a__b/c.d:Tag_1-x.y",
    "[::1]:80/a:b",
    "localhost/a:1",
    "library/app:1",
    "sha256:" + "0" * 64,
    "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
    "./a//b/../c",
    "../../x",
    "linux/arm64/v8",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.tar+gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "a\nb\0\u202e\ud7ff",
)


def run(data: bytes) -> None:
    """Read the text as everything that it might be."""
    text = data.decode("utf-8", "surrogateescape")
    with ours():
        reference = parse(text)
        assert parse(str(reference)) == reference
        assert reference.default_family in (None, *Family)
    with ours():
        digest = Digest(text)
        assert f"{digest.algorithm}:{digest.encoded}" == text
        assert "/" not in digest
        assert not digest.startswith(".")
    _check_tag(text)
    _check_path(text)
    with ours():
        spelled(text)
        matches(Platform(os="linux", architecture="arm64", variant="v8"), text)
    for family in Family:
        meaning, other = look_up(text), counterpart(text, family)
        # A name of before 1.0 is known, and current nowhere.
        assert meaning is not None or not families(text)
        assert other is None or family in families(other)


def _check_tag(text: str) -> None:
    full = normalised(text)
    assert normalised(full) == full
    assert is_repository_tag(full) == is_repository_tag(text)
    annotations = annotations_for(text)
    assert renamed({"a": "b"}, text) == {"a": "b", **annotations}
    assert repository_tag(annotations) == (full if is_repository_tag(text) else None)
    descriptor = Descriptor(media_type="a/b", digest="sha256:" + "0" * 64, size=0)
    roots = [Root(descriptor, annotations, called(annotations)), Root(descriptor, {}, None)]
    with ours():
        assert find(roots, text, "oci:app") in roots


def _check_path(text: str) -> None:
    name = cleaned(text)
    if name is not None:
        assert cleaned(name) == name
        assert not name.startswith("/")
        assert not {"", ".", ".."} & set(name.split("/"))
    folder, _, link = text.partition("\n")
    leads = joined(folder, link)
    assert leads is None or cleaned(leads) == leads


def seeds() -> Iterator[bytes]:
    """Names of every kind."""
    return (text.encode() for text in _SEEDS)
