"""The documents with which the schemas of the OCI image specification test themselves.

What they call wrong, ``verify`` must find, and nothing in what they call right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from oci_convert import Memory, verify
from support.images import OCI_INDEX, OCI_MANIFEST, digest_of, layout_files, oci_image

pytestmark = pytest.mark.peers

TESTS: Final = Path("/usr/share/gocode/src/github.com/opencontainers/image-spec/schema")
CASE: Final = re.compile(r"\{\n\t\t\t(\w+): `(.*?)`,\n\t\t\tfail: +(true|false),", re.DOTALL)
"""A row of the tables in ``*_test.go``: a document, and whether it is wrong."""
BESIDE: Final = frozenset(
    ("blob-missing", "sparse-index", "untagged-image", "count-mismatch", "wrong-diff-id")
)
"""What is found because only the document itself is here."""
RELAXED: Final = '"layers": []'
"""Wrong in 1.0, and since 1.1 only advised against (``manifest.md``: SHOULD)."""


def documents() -> Iterator[tuple[str, str, bool]]:
    for file in sorted(TESTS.glob("*_test.go")):
        for kind, text, fails in CASE.findall(file.read_text()):
            yield kind, text, fails == "true" and RELAXED not in text


def found_in(kind: str, text: str) -> set[str]:
    """The codes of what is wrong with a document."""
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    if kind == "config":
        files = layout_files({"app": oci_image(config=text.encode())})
    elif kind == "imageLayout":
        files = {**layout_files({"app": oci_image()}), "oci-layout": text.encode()}
    else:
        listed = f'{{"schemaVersion":2,"manifests":[{text}]}}' if kind == "descriptor" else text
        raw = listed.encode()
        media_type = OCI_MANIFEST if kind == "manifest" else OCI_INDEX
        entry = {"mediaType": media_type, "digest": digest_of(raw), "size": len(raw)}
        files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
        files[f"blobs/{digest_of(raw).replace(':', '/')}"] = raw
    return {found.code for found in verify(Memory(files)).findings} - BESIDE


def test_verify_agrees_with_the_documents_of_the_specification(
    request: pytest.FixtureRequest,
) -> None:
    rows = list(documents())
    if not rows:
        if request.config.getoption("--require-peers"):
            pytest.fail("the tests of the OCI image specification are not installed")
        pytest.skip("the tests of the OCI image specification are not installed")
    assert {kind for kind, *_ in rows} == {
        "config",
        "descriptor",
        "imageIndex",
        "imageLayout",
        "manifest",
    }
    for kind, text, wrong in rows:
        assert bool(found_in(kind, text)) is wrong, text
