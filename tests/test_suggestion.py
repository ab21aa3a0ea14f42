"""What is misspelt is answered with what was meant, where that can be known."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from oci_convert import convert, inspect, open_images, translate
from oci_convert.errors import OciConvertError, StoreError, UsageError
from oci_convert.limits import parse_limits
from oci_convert.spec.platforms import meant
from oci_convert.stores.memory import Memory
from oci_convert.text.suggestion import did_you_mean, nearest
from support.images import (
    docker_image,
    image_list,
    oci_image,
    save_tar,
    write_files,
    write_layout,
)
from support.runs import platforms

IMAGES: Mapping[str, Any] = {
    "app": oci_image(),
    "example.com/team/web:1": image_list(platforms("linux/amd64", "linux/arm64", "linux/arm/v7")),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with stores to misspell, and what is none."""
    monkeypatch.chdir(tmp_path)
    write_layout(IMAGES, tmp_path / "layout")
    saved = save_tar({"app:1": docker_image()})
    write_files({"app.tar": saved}, tmp_path / "archives")
    write_files({"packed.tar.gz": gzip.compress(saved), "text": b"text"}, tmp_path)
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_the_word_that_is_most_alike_is_found_whatever_its_case() -> None:
    known = ("docker", "oci", "oci-rc2")
    assert nearest("OCI", known) == "oci"
    assert nearest("dokcer", known) == "docker"
    assert nearest("podman", ()) is None
    assert nearest("", known) is None
    assert nearest("quay", known) is None


def test_of_a_folder_without_end_only_the_beginning_is_looked_at() -> None:
    def endless() -> Any:
        for number in range(10_000):
            yield f"{number}"
        pytest.fail("it read on")

    assert nearest("app", endless()) is None


def test_a_remedy_is_a_question_or_what_there_is_or_both() -> None:
    assert did_you_mean("oci:", "there is oci:") == "did you mean oci:? there is oci:"
    assert did_you_mean("oci:") == "did you mean oci:?"
    assert did_you_mean(None, "there is oci:") == "there is oci:"
    assert did_you_mean(None) == ""


REFERENCES = {
    # what was written, the code, what is asked
    "oci:layout:ap": (
        "unknown-reference",
        "did you mean app? available: app, example.com/team/web:1",
    ),
    "oci:layout:APP": ("unknown-reference", "did you mean app? "),
    "oci:layout:web": ("unknown-reference", "did you mean example.com/team/web:1? "),
    "oci:layout:team/web:2": ("unknown-reference", "did you mean example.com/team/web:1? "),
    "oci:layout:@2": ("unknown-reference", "available: @0 to @1"),
    "oci:layout:nginx": ("unknown-reference", "available: app, example.com/team/web:1"),
    "oci:layuot:app": ("no-such-store", "did you mean oci:layout:app?"),
    "oci:Layout": ("no-such-store", "did you mean oci:layout?"),
    "archive/app.tar": ("no-such-store", "did you mean archives/app.tar?"),
    "docker-archive:archives/ap.tar:app:1": (
        "no-such-store",
        "did you mean docker-archive:archives/app.tar:app:1?",
    ),
    "layout:app": ("no-such-store", "did you mean oci:layout:app?"),
    "archives/app.tar:app:1": (
        "no-such-store",
        "did you mean docker-archive:archives/app.tar:app:1?",
    ),
    "oci:elsewhere": ("no-such-store", "a reference is oci:PATH[:REF], "),
    "no/where/at/all": ("no-such-store", "a reference is oci:PATH[:REF], "),
    "ocidir:layout": ("unknown-transport", "did you mean oci:layout? transports: oci:, dir:, "),
    "docker-dir:app": ("unknown-transport", "did you mean dir:app? transports: oci:, dir:, "),
    "docker_archive:app.tar": ("unknown-transport", "did you mean docker-archive:app.tar? "),
    "OCI:layout": ("unknown-transport", "for a file of that name write ./OCI:layout"),
    "oci:layuot:web:2": ("no-such-store", "did you mean oci:layout?"),
    "layout:web:2": ("no-such-store", "did you mean layout?"),
    "archives/app.tar:web": ("no-such-store", "did you mean archives/app.tar?"),
    "dir:layuot": ("no-such-store", "did you mean layout?"),
    "dir:archives/ap.tar": ("no-such-store", "did you mean archives/app.tar?"),
    "oci:archivs": ("no-such-store", "did you mean archives?"),
    "alpine:3.20": ("no-such-store", "did you mean docker://alpine:3.20?"),
    "localhost:5000/team/app": ("no-such-store", "did you mean docker://localhost:5000/team/app?"),
    "new.tar:1.tar": ("no-such-store", "a reference is oci:PATH[:REF], "),
    "archivs": ("no-such-store", "did you mean archives?"),
    "docker:app:1": (
        "unknown-transport",
        "for a registry write docker://app:1; for the daemon pipe it: docker save app:1 | ",
    ),
    "docker:": ("unknown-transport", "write docker://HOST/REPO:TAG; "),
    "registry:alpine": ("unknown-transport", "write docker://alpine"),
    "oci:archives/app.tar:app:1": ("other-store", "write docker-archive:archives/app.tar:app:1"),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", REFERENCES)
def test_a_reference_that_leads_nowhere_is_answered(text: str) -> None:
    code, asked = REFERENCES[text]
    with pytest.raises(OciConvertError) as caught:
        inspect(text)
    assert caught.value.code == code
    assert caught.value.remedy.startswith(asked) or asked in caught.value.remedy


@pytest.mark.usefixtures("here")
def test_what_is_asked_leads_to_the_image() -> None:
    """Every question that names a whole reference, taken at its word, is answered."""
    for text, (code, asked) in REFERENCES.items():
        if "docker://" in asked or asked == "did you mean archives?":
            continue  # in no registry of a test; not an image, but several
        if code == "no-such-store" and asked.startswith("did you mean"):
            inspect(asked.removeprefix("did you mean ").removesuffix("?"))
        elif code == "unknown-reference" and asked.startswith("did you mean"):
            store = ":".join(text.split(":")[:2])
            inspect(f"{store}:{asked.removeprefix('did you mean ').split('?')[0]}")


@pytest.mark.usefixtures("here")
def test_a_digest_that_was_cut_off_is_shown_whole() -> None:
    digest = IMAGES["app"].digest
    for cut in (digest[:19], digest[7:19], f"@{digest[:11]}"):
        with pytest.raises(StoreError) as caught:
            inspect(f"oci:layout:{cut}")
        assert caught.value.remedy.startswith(f"did you mean {digest}? ")


def test_a_layout_of_one_image_and_one_of_none_say_how_many_there_are(tmp_path: Path) -> None:
    for images, counted in (({"app": oci_image()}, "available: @0"), ({}, "holds no image")):
        target = write_layout(images, tmp_path / str(len(images)))
        with pytest.raises(StoreError) as caught:
            inspect(f"oci:{target}:@7")
        assert counted in caught.value.remedy


@pytest.mark.usefixtures("here")
def test_a_target_with_a_misspelt_transport_is_not_made() -> None:
    with pytest.raises(UsageError, match="unknown transport 'ocii'"):
        convert("layout", "ocii:new", to="oci")
    convert("oci:layout:app", "./ocii:new", to="oci", fsync=False)
    assert inspect("./ocii:new").images


CHOICES: dict[str, tuple[Callable[[], object], str]] = {
    "to": (lambda: convert(Memory(), Memory(), to="OCI"), "did you mean oci? choices: "),
    "compress": (
        lambda: convert(Memory(), Memory(), to="oci", compress="gz"),
        "did you mean gzip? choices: auto, keep, gzip, zstd, none",
    ),
    "signatures": (
        lambda: convert(Memory(), Memory(), to="oci", signatures="always"),
        "choices: auto, keep, drop, fail",
    ),
    "to, of a document": (lambda: translate(b"{}", to="Docker"), "did you mean docker? "),
    "compress, of a document": (
        lambda: translate(b"{}", to="oci", compress="zst"),
        "did you mean zstd? ",
    ),
    "limit": (lambda: parse_limits(["tree_depth=7"]), "did you mean tree-depth? "),
}


@pytest.mark.parametrize("option", CHOICES)
def test_a_choice_that_there_is_not_is_answered(option: str) -> None:
    call, asked = CHOICES[option]
    with pytest.raises(UsageError) as caught:
        call()
    assert caught.value.where == option.partition(",")[0]
    assert caught.value.remedy.startswith(asked)


MEANT = {
    "amd64": "linux/amd64",
    "linux-arm64": "linux/arm64",
    "linux/aarch64": "linux/arm64",
    "linux/x86_64": "linux/amd64",
    "x86-64": "linux/amd64",
    "linux_x86_64": "linux/amd64",
    "armv7l": "linux/arm/v7",
    "arm64v8": "linux/arm64/v8",
    "Windows/AMD64": "windows/amd64",
    "linux/arm/v7/": "linux/arm/v7",
    "linux": None,
    "linux/": None,
    "a/b/c/d": None,
    "toaster": None,
}


@pytest.mark.parametrize("text", MEANT)
def test_other_spellings_of_a_platform_are_known(text: str) -> None:
    assert meant(text) == MEANT[text]


PLATFORMS = {
    # what was asked for, the code, what is answered
    "amd64": ("invalid-platform", "did you mean linux/amd64? a platform is OS/ARCH "),
    "linux": ("invalid-platform", "a platform is OS/ARCH "),
    "linux/amd": ("no-such-platform", "did you mean linux/amd64? available: linux/amd64, linux/"),
    "linux/armv7l": ("no-such-platform", "did you mean linux/arm/v7? available: "),
    "linux/s390x": ("no-such-platform", "available: linux/amd64, linux/arm64, linux/arm/v7"),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", PLATFORMS)
def test_a_platform_that_there_is_not_is_answered(text: str) -> None:
    code, answer = PLATFORMS[text]
    with pytest.raises(OciConvertError) as caught:
        convert("oci:layout:example.com/team/web:1", "oci:new", platforms=[text])
    assert caught.value.code == code
    assert caught.value.remedy.startswith(answer)
    with open_images("layout") as images, pytest.raises(OciConvertError) as caught:
        images.find("example.com/team/web:1", platform=text)
    assert caught.value.code == code
    assert caught.value.remedy.partition("? ")[0] == answer.partition("? ")[0] or "?" not in answer
