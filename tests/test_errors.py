"""Errors: one base, one line, fields for programs."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable
from typing import NamedTuple

import pytest

from oci_convert import (
    Descriptor,
    Digest,
    ImageConfig,
    Index,
    Manifest,
    Memory,
    RootFS,
    convert,
    errors,
    open_images,
)
from oci_convert.errors import BlobError, OciConvertError
from support.images import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, tar_of

CLASSES = [kind for name in errors.__all__ if isinstance(kind := getattr(errors, name), type)]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_the_one_base_and_survives_pickling(kind: type[OciConvertError]) -> None:
    error = kind("it ends", code="blob-truncated", where="dir:app", remedy="fetch it again")
    twin = pickle.loads(pickle.dumps(error))
    assert issubclass(kind, OciConvertError)
    assert type(twin) is kind
    assert (twin.message, twin.code, twin.where, twin.remedy) == (
        "it ends",
        "blob-truncated",
        "dir:app",
        "fetch it again",
    )
    assert str(twin) == str(error)


def test_the_line_says_where_what_and_what_to_do() -> None:
    bare = BlobError("it ends", code="c")
    assert str(bare) == "it ends"
    assert str(bare.at("layers[3]")) == "layers[3]: it ends"
    full = BlobError("it ends", code="c", where="layers[3]", remedy="fetch it again")
    assert str(full.at("dir:app")) == "dir:app: layers[3]: it ends; fetch it again"


def test_an_error_at_another_place_is_another_error_of_the_same_kind() -> None:
    error = BlobError("it ends", code="c", where="layers[3]")
    moved = error.at("dir:app")
    assert type(moved) is BlobError
    assert moved.code == "c"
    assert error.where == "layers[3]"


def test_an_error_is_one_line_whatever_a_document_or_a_path_holds() -> None:
    error = BlobError(
        "the type 'a\nb' is \x1b[31mred", code="c", where="dir:new\rline", remedy="é \u202e"
    )
    assert str(error) == "dir:new\\rline: the type 'a\\nb' is \\x1b[31mred; é \\u202e"
    assert str(error).isprintable()


# -- the blob that is wrong ------------------------------------------------------------------------

TAR = tar_of({"a": b"1"})
PACKED = gzip.compress(TAR, mtime=0)
OTHER = Digest.of(b"other")


class Wrong(NamedTuple):
    """An image with one thing wrong, and what an error says of it."""

    code: str
    blob: str
    expected: str | int | None = None
    actual: str | int | None = None
    diff_id: str = Digest.of(TAR)
    layer: bytes = PACKED
    manifest: Callable[[bytes], bytes] = bytes
    media_type: str = OCI_MANIFEST


WRONG = {
    "a diff_id": Wrong("wrong-diff-id", "layer", OTHER, Digest.of(TAR), diff_id=OTHER),
    "a layer that ends early": Wrong("corrupt-layer", "layer", layer=PACKED[:-9]),
    "a media type": Wrong(
        "contradictory-media-type", "manifest", OCI_INDEX, OCI_MANIFEST, media_type=OCI_INDEX
    ),
    "a document": Wrong("invalid-json", "manifest", manifest=lambda raw: raw[:-1]),
    "a member": Wrong(
        "invalid-document", "manifest", manifest=lambda raw: raw.replace(b'"size":', b'"size":-')
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_error_names_the_blob_that_is_wrong(what: str) -> None:
    wrong, memory = WRONG[what], Memory()

    def put(media_type: str, data: bytes) -> Descriptor:
        descriptor = Descriptor(media_type=media_type, digest=Digest.of(data), size=len(data))
        memory.files[f"blobs/sha256/{descriptor.name.encoded}"] = data
        return descriptor

    layer = put(OCI_LAYER, wrong.layer)
    config = ImageConfig(architecture="arm", os="linux", rootfs=RootFS(diff_ids=(wrong.diff_id,)))
    about = put(OCI_CONFIG, config.model_dump_json().encode())
    document = Manifest(schema_version=2, config=about, layers=(layer,)).model_dump_json().encode()
    manifest = put(wrong.media_type, wrong.manifest(document))
    index = Index(schema_version=2, manifests=(manifest,))
    memory.files["index.json"] = index.model_dump_json().encode()
    with pytest.raises(OciConvertError) as converting:
        convert(memory, Memory(), compress="zstd")
    with pytest.raises(OciConvertError) as reading, open_images(memory) as images:
        images.find().layers[0].open(unpacked=True).read()
    for error in (converting.value, reading.value):
        assert (error.code, error.store) == (wrong.code, "memory")
        assert error.digest == {"layer": layer, "manifest": manifest}[wrong.blob].digest
        assert (error.expected, error.actual) == (wrong.expected, wrong.actual)
