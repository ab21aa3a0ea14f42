"""Any document: a manifest, an index, a config, one of schema 1, or an error.

The input is a document, then ``0xff``, then the choice of what its descriptor calls it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from base import DICE, ours, split
from oci_convert.documents.document import read_config, read_document, type_of
from oci_convert.documents.opaque import look_inside, named_blobs
from oci_convert.spec.digest import Digest
from oci_convert.spec.models import LayoutHeader, validate
from oci_convert.stores.docker_manifest_json import SavedImage
from oci_convert.transform.image_v1 import read_v1
from oci_convert.transform.schema1 import read_schema1
from stores import documents
from support.images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, RC2_LIST

_TYPES: Final = (None, DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX, RC2_LIST, "", "a/b")


def run(data: bytes) -> None:
    """Read the document as everything that it might be."""
    raw, draws = split(data)
    with ours():
        document = read_document(raw, draws.one_of(_TYPES), "images[0]")
        assert document.raw == raw
        assert document.digest() == Digest.of(raw)
        for slot in document.slots:
            described = json.loads(document.text[slot.object.start : slot.object.end])
            assert described["digest"] == slot.descriptor.digest == slot.descriptor.name
            assert described["size"] == slot.descriptor.size >= 0
    with ours():
        assert type_of(raw)
    with ours():
        found = look_inside(raw, draws.one_of(_TYPES) or "", "images[0]")
        assert found is None or found.media_type
    with ours():
        for slot in named_blobs(raw, "images[0]"):
            assert slot.descriptor.name == slot.object.value["digest"]
    with ours():
        config, problems = read_config(raw)
        assert all(problem.isprintable() for problem in problems)
        assert config.platform is None or "/" in str(config.platform)
    with ours():
        assert read_schema1(raw).layers is not None
    with ours():
        assert read_v1(raw).identity
    for model in (LayoutHeader, SavedImage):
        with ours():
            validate(model, json.loads(raw) if raw.isascii() and _is_json(raw) else None, "")


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return True


def seeds() -> Iterator[bytes]:
    """Documents, called by each name."""
    for document in documents():
        yield document
        for choice in range(1, len(_TYPES)):
            yield document + DICE + bytes([choice])
