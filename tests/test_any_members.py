"""Members of any type, known or not, in every document of a store: results, or errors of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import Memory, OciConvertError, convert, diff, inspect, open_images, prove, verify
from oci_convert.documents.document import DOCUMENT_MEMBERS, Role
from oci_convert.profiles.check import check
from oci_convert.profiles.schema import NAMES
from oci_convert.spec.digest import Digest
from oci_convert.transform.translate import translate
from support.images import attestation, image_list, layout_files, oci_image, referrer

IMAGE = oci_image()
DESCRIPTOR = ["annotations", "artifactType", "data", "digest", "mediaType", "platform", "size"]
MEMBERS = sorted({*DOCUMENT_MEMBERS, *Role, *DESCRIPTOR, "urls", "history", "rootfs", "os", "x"})
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, 5, -1, 1.5, 10**30, "", "x", "sha256:", "a/b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(MEMBERS), inner),
    max_leaves=4,
)
COMMANDS: dict[str, Callable[[Memory], object]] = {
    "inspect": inspect,
    "verify": verify,
    "diff": lambda store: diff(store, store),
    "to docker": lambda store: convert(store, Memory(), to="docker"),
    "to oci": lambda store: convert(store, Memory(), to="oci", compress="none"),
    "check": lambda store: check(store, NAMES),
    "prove": lambda store: prove(store, IMAGE.manifest),
    "open": lambda store: [list(layers_of(store))],
}


def layers_of(store: Memory) -> Iterator[object]:
    with open_images(store) as images:
        for image in images:
            yield image.layers


KINDS = {
    "a manifest": IMAGE,
    "an index": image_list([IMAGE, attestation(IMAGE)]),
    "a referrer": referrer(IMAGE),
}
CHANGED = ["index.json", "the document", "its first descriptor", "the config"]


def changed_store(kind: str, changed: str, member: str, value: Any) -> tuple[bytes, Memory]:
    """A document and a store around it, in which one object has a member of another type."""
    image = KINDS[kind]
    files = layout_files({"app": image})
    index, body = json.loads(files["index.json"]), json.loads(image.manifest)
    if changed == "the document":
        body[member] = value
    elif changed == "its first descriptor":
        (body.get("layers") or body.get("manifests"))[0][member] = value
    elif changed == "the config" and "config" in body:
        data = json.dumps({**json.loads(IMAGE.config), member: value}).encode()
        body["config"] |= {"digest": Digest.of(data), "size": len(data)}
        files[f"blobs/sha256/{Digest.of(data)[7:]}"] = data
    raw = json.dumps(body).encode()
    files[f"blobs/sha256/{Digest.of(raw)[7:]}"] = raw
    index["manifests"][0] |= {"digest": Digest.of(raw), "size": len(raw)}
    if changed == "index.json":
        index[member] = value
    return raw, Memory({**files, "index.json": json.dumps(index).encode()})


stores = st.builds(
    changed_store,
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(CHANGED),
    st.sampled_from(MEMBERS),
    VALUES,
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("changed", CHANGED)
def test_each_member_of_each_type_ends_in_a_result_or_in_our_error(
    command: str, changed: str
) -> None:
    for member, value in product(MEMBERS, [True, 5, "x", [5], {"x": 5}]):
        _, store = changed_store("a manifest", changed, member, value)
        with suppress(OciConvertError):
            COMMANDS[command](store)


@pytest.mark.parametrize("command", COMMANDS)
@given(stores)
def test_any_value_does(command: str, made: tuple[bytes, Memory]) -> None:
    with suppress(OciConvertError):
        COMMANDS[command](made[1])


@given(stores, st.sampled_from(["docker", "oci"]))
def test_such_a_document_is_translated_or_refused(made: tuple[bytes, Memory], to: str) -> None:
    with suppress(OciConvertError):
        translate(made[0], to)
