"""References to registries: what they mean, and what is none."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_convert.errors import UsageError
from oci_convert.spec.digest import Digest
from oci_convert.stores.registry.reference import (
    EveryRepository,
    EveryTag,
    ImageReference,
    Repository,
    TagTemplate,
    is_loopback,
    parse_destination,
    parse_source,
)

DIGEST = Digest(f"sha256:{'9f' * 32}")
HUB = "docker.io"

SOURCES = {
    "alpine": (HUB, "library/alpine", "latest", None),
    "alpine:3.20": (HUB, "library/alpine", "3.20", None),
    "team/app": (HUB, "team/app", "latest", None),
    "docker.io/alpine": (HUB, "library/alpine", "latest", None),
    "index.docker.io/team/app:1": (HUB, "team/app", "1", None),
    "registry-1.docker.io/library/alpine:1": (HUB, "library/alpine", "1", None),
    f"alpine@{DIGEST}": (HUB, "library/alpine", None, DIGEST),
    "quay.io/app": ("quay.io", "app", "latest", None),
    "Quay.IO/app": ("quay.io", "app", "latest", None),
    f"quay.io/a/b/c:1@{DIGEST}": ("quay.io", "a/b/c", "1", DIGEST),
    "localhost/app": ("localhost", "app", "latest", None),
    "localhost:5000/team/app:1": ("localhost:5000", "team/app", "1", None),
    "127.0.0.1:5000/app:v1.0_x-y": ("127.0.0.1:5000", "app", "v1.0_x-y", None),
    "[::1]:5000/app:1": ("[::1]:5000", "app", "1", None),
    "[2001:db8::1]/app": ("[2001:db8::1]", "app", "latest", None),
    "host:80/a__b/c--d.e_f:T": ("host:80", "a__b/c--d.e_f", "T", None),
}


@pytest.mark.parametrize("text", SOURCES)
def test_a_source_names_its_parts_in_full(text: str) -> None:
    host, name, tag, digest = SOURCES[text]
    assert parse_source(f"docker://{text}") == ImageReference(Repository(host, name), tag, digest)


def test_the_digest_decides_and_the_tag_is_what_it_is_called() -> None:
    both = parse_source(f"docker://quay.io/app:1@{DIGEST}")
    assert isinstance(both, ImageReference)
    assert both.target == DIGEST
    assert str(both) == f"docker://quay.io/app:1@{DIGEST}"


def test_requests_to_docker_hub_go_to_the_machine_that_answers() -> None:
    assert Repository(HUB, "library/alpine").endpoint == "registry-1.docker.io"
    assert Repository("quay.io", "app").endpoint == "quay.io"


def test_several_images_are_named_by_patterns() -> None:
    app = Repository("quay.io", "team/app")
    assert parse_source("docker://quay.io/team/app:*") == EveryTag(app)
    assert parse_source("docker://quay.io/team/**") == EveryRepository("quay.io", "team")
    assert parse_source("docker://localhost:5000/**") == EveryRepository("localhost:5000", "")
    template = parse_destination("docker://quay.io/team/app:{tag}-oci")
    assert template == TagTemplate(app, "{tag}-oci")
    assert template.fill("1.0") == ImageReference(app, "1.0-oci")
    for pattern in ("quay.io/team/app:*", "quay.io/team/**", "localhost:5000/**"):
        assert str(parse_source(f"docker://{pattern}")) == f"docker://{pattern}"


def test_a_template_makes_no_tag_that_is_none() -> None:
    template = parse_destination(f"docker://quay.io/app:{{tag}}-{'x' * 100}")
    assert isinstance(template, TagTemplate)
    with pytest.raises(UsageError, match="is not a tag"):
        template.fill("y" * 100)


NO_SOURCES = {
    "": "no repository",
    "alpine:": "nothing behind the last colon",
    "localhost": "no repository",
    "quay.io": "no repository",
    "localhost:5000": "no repository",
    "quay.io/": "no repository",
    "Team/app": "not a repository name",
    "quay.io/Team/app": "did you mean team",
    "quay.io/a//b": "not a repository name",
    "quay.io/-a": "not a repository name",
    "quay.io/a___b": "not a repository name",
    "quay.io/app:-1": "is not a tag",
    f"quay.io/app:{'x' * 129}": "is not a tag",
    "quay.io/app:a:b": "not a repository name",
    "quay.io/app:1@sha256:short": "is not a digest",
    "quay.io/app@": "is not a digest",
    f"quay.io/app:*@{DIGEST}": "every tag, and one digest",
    "quay.io/app:{tag}": "the tag of a source",
    "quay.io:0/app": "is not a host",
    "quay.io:65536/app": "is not a host",
    "quay.io:port/app": "is not a host",
    "quay_.io/app": "is not a host",
    "-quay.io/app": "is not a host",
    "[::zz]/app": "is not a host",
    "[1.2.3.4]/app": "is not a host",
    "https://quay.io/app": "two schemes",
    "quay.io/app?x=1": "not a repository name",
    "quay.io/app\n": "not a repository name",
    "**": "no host",
    "team/**": "no host",
    f"quay.io/{'x' * 300}": "longer than 255",
}


@pytest.mark.parametrize("text", NO_SOURCES)
def test_what_is_no_source_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(NO_SOURCES[text])) as caught:
        parse_source(f"docker://{text}")
    assert caught.value.code == "invalid-reference"
    assert caught.value.remedy


NO_DESTINATIONS = {
    "quay.io/app": "needs a tag",
    "alpine": "needs a tag",
    f"quay.io/app@{DIGEST}": "no digest before",
    "quay.io/app:*": "names no tags by *",
    "quay.io/app:{tag}:x": "not a repository name",
    "quay.io/app:-{tag}": "is not a tag",
}


@pytest.mark.parametrize("text", NO_DESTINATIONS)
def test_what_is_no_destination_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(NO_DESTINATIONS[text])) as caught:
        parse_destination(f"docker://{text}")
    assert caught.value.code == "invalid-reference"


@pytest.mark.parametrize("parse", [parse_source, parse_destination])
@pytest.mark.parametrize(
    "text", ["quay.io/app:1", "registry:quay.io/app:1", "http://quay.io/app:1", "docker:alpine:1"]
)
def test_a_reference_to_a_registry_begins_with_docker(parse: object, text: str) -> None:
    assert callable(parse)
    with pytest.raises(UsageError, match="does not begin with docker://"):
        parse(text)


@pytest.mark.parametrize("parse", [parse_source, parse_destination])
def test_a_password_in_a_reference_is_refused_and_not_repeated(parse: object) -> None:
    assert callable(parse)
    with pytest.raises(UsageError, match="holds no credentials") as caught:
        parse("docker://me:s3cr3t@quay.io/team/app:1")
    assert "s3cr3t" not in str(caught.value)
    assert "docker://…@quay.io/team/app:1" in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("registry.localhost", True),
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("::1", True),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("128.0.0.1", False),
        ("[::2]", False),
        ("quay.io:443", False),
    ],
)
def test_this_machine_is_known_by_its_name(host: str, is_one: bool) -> None:
    assert is_loopback(host) == is_one


# -- whatever it is -----------------------------------------------------------------------------

part = st.from_regex(r"[a-z0-9]{1,5}(?:(?:[._]|__|--?)[a-z0-9]{1,3}){0,2}", fullmatch=True)
host = st.one_of(
    st.sampled_from([HUB, "localhost", "localhost:5000", "quay.io", "[::1]:443", "a-b.example:1"]),
    st.from_regex(r"[a-z0-9]{1,5}\.[a-z]{2,3}(?::[1-9][0-9]{0,3})?", fullmatch=True),
)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
names = st.lists(part, min_size=2, max_size=4).map("/".join)


@given(host, names, tags, st.booleans(), st.booleans())
def test_a_reference_is_read_back_from_what_it_is_written_as(
    host: str, name: str, tag: str, with_tag: bool, with_digest: bool
) -> None:
    if not with_tag and not with_digest:
        with_tag = True
    reference = ImageReference(
        Repository(host, name), tag if with_tag else None, DIGEST if with_digest else None
    )
    assert parse_source(str(reference)) == reference


@given(st.one_of(st.text(), st.text(alphabet="a1A./:@-_[]{}*"), names))
@example("[")
@example("a/[::1]:@")
@example("x" * 100_000)
@example("-" * 100_000)
@example("a" + "-" * 100_000)
@example("quay.io/" + "a/" * 100_000)
def test_every_text_is_a_reference_or_an_error(text: str) -> None:
    for parse in (parse_source, parse_destination):
        try:
            found = parse(f"docker://{text}")
        except UsageError as error:
            told = error
        else:
            assert parse(str(found)) == found
            continue
        assert len(str(told)) < 1000
        assert told.code == "invalid-reference"
