"""Names: what is a repository with a tag, how it is written in full, and how one is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from oci_convert.errors import StoreError
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import (
    CONTAINERD_NAME,
    REF_NAME,
    annotations_for,
    called,
    find,
    is_ref_name,
    is_repository_tag,
    normalised,
    pair,
    renamed,
)

NORMALISED = {
    "app:1": "docker.io/library/app:1",
    "library/app:1": "docker.io/library/app:1",
    "docker.io/x:1": "docker.io/library/x:1",
    "docker.io/library/x:1": "docker.io/library/x:1",
    "index.docker.io/x:1": "docker.io/library/x:1",
    "me/app:1": "docker.io/me/app:1",
    "docker.io/me/app:1": "docker.io/me/app:1",
    "my_org/app:1": "docker.io/my_org/app:1",
    "localhost/x:1": "localhost/x:1",
    "localhost:5000/x:1": "localhost:5000/x:1",
    "registry:5000/x:tag": "registry:5000/x:tag",
    "registry.example.com/a/b/c:v1.0-rc_2": "registry.example.com/a/b/c:v1.0-rc_2",
    "127.0.0.1:5000/corpus/bb:1": "127.0.0.1:5000/corpus/bb:1",
    "[::1]:5000/x:1": "[::1]:5000/x:1",
    "Registry/x:1": "Registry/x:1",
    "Example.COM:443/x:1": "Example.COM:443/x:1",
    "app:5000": "docker.io/library/app:5000",
}

NO_REPOSITORY_TAG = [
    "",
    "1",
    "latest",
    "app",
    "registry:5000/x",
    "App:1",
    "example.com/App:1",
    "app:",
    ":1",
    "/app:1",
    "app/:1",
    "a//b:1",
    "app:a b",
    "app:-1",
    "app:" + "a" * 129,
    "app:1@sha256:" + "0" * 64,
    "app@sha256:" + "0" * 64,
    "app:1\n",
    "a..b:1",
    "a___b/c:1",
    "sha256:" + "0" * 129,
]


@pytest.mark.parametrize(("name", "full"), NORMALISED.items())
def test_a_repository_with_a_tag_is_written_in_full(name: str, full: str) -> None:
    assert is_repository_tag(name)
    assert normalised(name) == full
    assert normalised(full) == full
    assert annotations_for(name) == {REF_NAME: name, CONTAINERD_NAME: full}


@pytest.mark.parametrize("name", NO_REPOSITORY_TAG)
def test_any_other_name_stays_as_it_is(name: str) -> None:
    assert not is_repository_tag(name)
    assert normalised(name) == name
    assert annotations_for(name) == {REF_NAME: name}


def test_a_renamed_entry_keeps_its_other_annotations() -> None:
    old = {"a": "b", REF_NAME: "1", CONTAINERD_NAME: "example.com/app:1"}
    assert renamed(old, "2") == {"a": "b", REF_NAME: "2"}
    assert renamed(old, "app:2") == {
        "a": "b",
        REF_NAME: "app:2",
        CONTAINERD_NAME: "docker.io/library/app:2",
    }
    assert old[REF_NAME] == "1"


def test_an_image_is_called_by_its_full_name_first() -> None:
    assert called({REF_NAME: "1", CONTAINERD_NAME: "example.com/app:1"}) == "example.com/app:1"
    assert called({REF_NAME: "1"}) == "1"
    assert called({}) is None
    assert pair({REF_NAME: "1"}) == ("1", None)


# -- finding ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    descriptor: Descriptor
    annotations: Mapping[str, str] = field(default_factory=dict)


def entry(number: int, ref: str | None = None, full: str | None = None) -> Entry:
    names = {REF_NAME: ref, CONTAINERD_NAME: full}
    return Entry(
        Descriptor(media_type="a/b", digest=f"sha256:{number:064}", size=1),
        {key: name for key, name in names.items() if name is not None},
    )


BY_TAG = entry(0, "v1")
DOCKER_29 = entry(1, "2", "docker.io/library/app:2")
BY_REFERENCE = entry(2, "example.com/app:3")
UNNAMED = entry(3)
ROOTS = [BY_TAG, DOCKER_29, BY_REFERENCE, UNNAMED]


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("v1", BY_TAG),
        ("2", DOCKER_29),
        ("docker.io/library/app:2", DOCKER_29),
        ("app:2", DOCKER_29),
        ("library/app:2", DOCKER_29),
        ("example.com/app:3", BY_REFERENCE),
        ("3", BY_REFERENCE),
        ("@0", BY_TAG),
        ("@3", UNNAMED),
        (f"sha256:{3:064}", UNNAMED),
        (f"@sha256:{3:064}", UNNAMED),
    ],
)
def test_an_image_is_found_by_name_number_and_digest(ref: str, found: Entry) -> None:
    assert find(ROOTS, ref, "oci:layout") is found


@pytest.mark.parametrize("ref", ["", "4", "v", "pp:2", "app", "@", "@-1", "app:3", "V1", "@x"])
def test_a_name_that_nothing_has_is_refused_with_those_there_are(ref: str) -> None:
    with pytest.raises(StoreError) as refused:
        find(ROOTS, ref, "oci:layout")
    assert refused.value.code == "unknown-reference"
    assert refused.value.place == "oci:layout"
    assert "v1, docker.io/library/app:2, example.com/app:3, @3" in str(refused.value)


@pytest.mark.parametrize("ref", ["@4", "@99999999999999999999", "@" + "9" * 5000])
def test_a_number_that_is_too_high_is_refused(ref: str) -> None:
    with pytest.raises(StoreError) as refused:
        find(ROOTS, ref, "oci:layout")
    assert refused.value.code == "unknown-reference"


def test_a_store_without_images_says_so() -> None:
    with pytest.raises(StoreError) as refused:
        find([], "v1", "oci:layout")
    assert "the store holds no image" in str(refused.value)


def test_a_name_of_several_images_is_refused_with_all_their_names() -> None:
    """Docker 25 to 29 save three images that are all called ``1``."""
    three = [entry(i, "1", f"example.com/{name}:1") for i, name in enumerate("abc")]
    with pytest.raises(StoreError) as refused:
        find(three, "1", "docker-archive:app.tar")
    assert refused.value.code == "ambiguous-reference"
    assert str(refused.value) == (
        "docker-archive:app.tar: '1' matches several images; "
        "choose one of example.com/a:1, example.com/b:1, example.com/c:1"
    )
    assert find(three, "example.com/b:1", "") is three[1]
    assert find(three, "@1", "") is three[1]


def test_images_of_one_name_are_told_apart_by_their_numbers() -> None:
    twins = [entry(0, "1"), entry(1), entry(2, "1")]
    with pytest.raises(StoreError) as refused:
        find(twins, "1", "oci:layout")
    assert "choose one of 1 (@0), 1 (@2)" in str(refused.value)


def test_the_same_entry_twice_is_one_image() -> None:
    twins = [entry(0, "1"), entry(0, "1")]
    assert find(twins, "1", "oci:layout") in twins


def test_an_exact_name_goes_before_the_end_of_another() -> None:
    roots = [entry(0, "example.com/app:1"), entry(1, "1")]
    assert find(roots, "1", "") is roots[1]


def test_a_long_list_of_names_is_cut() -> None:
    with pytest.raises(StoreError) as refused:
        find([entry(i, f"v{i}") for i in range(30)], "x", "")
    assert "v19 and 10 more" in str(refused.value)


# -- the grammar of ref names, and the tag that goes without saying --------------------------------


@pytest.mark.parametrize(
    "name", ["a//b", "--x", "anot++her", "", "a/", "/a", "a:", "a b", "ä", "a..b"]
)
def test_a_name_outside_of_the_grammar_is_told(name: str) -> None:
    assert not is_ref_name(name)


@pytest.mark.parametrize(
    "name", ["app", "app:1", "example.com:5000/a/b:1.2", "a--b", "v1.0+x", "a@sha256:0", "A_b"]
)
def test_a_name_of_the_grammar(name: str) -> None:
    assert is_ref_name(name)


def test_latest_finds_what_has_no_tag() -> None:
    roots = [entry(0, "app"), entry(1, "other")]
    assert find(roots, "app:latest", "s") is roots[0]
    exact = entry(2, "app:latest")
    assert find([*roots, exact], "app:latest", "s") is exact
    with pytest.raises(StoreError):
        find(roots, "app:1", "s")
