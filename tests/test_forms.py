"""Documents that are alike: the way back is gone once for all of them, with the same verdict."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oci_convert.conversion.convert import convert
from oci_convert.errors import OciConvertError
from oci_convert.limits import limited
from oci_convert.planning import decide, reversibility
from oci_convert.planning.forms import Forms
from oci_convert.report import Report
from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores.known import Known
from oci_convert.stores.memory import Memory
from support.images import (
    Image,
    Spelling,
    cosign_signature,
    docker_image,
    image_list,
    layer,
    layout_files,
    oci_image,
)
from test_convert_any import options_of_both_ways, options_of_one_way, trees

DOCKER: Final = Family.DOCKER


def converted(image: Image, to: Family | str = "oci", **options: Any) -> Report:
    return convert(Memory(layout_files({"app": image})), Memory(), to=to, **options)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reversibility, "_returning", Known(10_000))


@pytest.fixture
def gone_back(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The places of documents that are converted back."""
    places: list[str] = []
    returns = reversibility._ConvertedBack._returns

    def counted(back: Any, decision: Any) -> bool:
        places.append(decision.node.where)
        return returns(back, decision)

    monkeypatch.setattr(reversibility._ConvertedBack, "_returns", counted)
    return places


def listed(*texts: str, platform: str = "linux/amd64", **options: Any) -> Image:
    images = [docker_image([layer(text), layer(f"{text}+")], platform=platform) for text in texts]
    return image_list(images, DOCKER, **options)


def test_documents_that_differ_in_digests_and_sizes_are_of_one_form(gone_back: list[str]) -> None:
    assert converted(listed("a", "b", "a longer one")).reversible
    assert gone_back == ["images[0].manifests[0]", "images[0]"]
    assert converted(listed("d", "e", "f")).reversible
    assert len(gone_back) == 2


A: Final = docker_image([layer("a"), layer("b")])
OTHERS: Final = {
    "spelling": docker_image([layer("c"), layer("d")], Spelling.DOTNET),
    "a layer more": docker_image([layer("c"), layer("d"), layer("e")]),
    "the same layer twice": docker_image([layer("c"), layer("c")]),
    "annotations": docker_image([layer("c"), layer("d")], annotations={"k": "v"}),
    "a plain layer": docker_image([layer("c"), layer("d", Compression.NONE)]),
    "another family": oci_image([layer("c"), layer("d")]),
    "another algorithm": docker_image([layer("c"), layer("d")], algorithm="sha512"),
    "no media type": docker_image([layer("c"), layer("d")], stated=False),
    "a foreign layer": docker_image(
        [layer("c"), layer("d", foreign=True, more={"urls": ["https://example.com"]})]
    ),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_whatever_else_differs_makes_another_form(other: Image, gone_back: list[str]) -> None:
    converted(A)
    gone_back.clear()
    converted(other)
    assert gone_back == ["images[0]"]


def test_what_was_asked_for_belongs_to_it(gone_back: list[str]) -> None:
    converted(A)
    converted(A, keep_extensions=True)
    assert len(gone_back) == 2


def test_what_does_not_return_is_no_example_for_others(gone_back: list[str]) -> None:
    annotated = oci_image([layer("a")], annotations={"k": "v"})
    assert not converted(annotated, "docker").reversible
    assert not converted(annotated, "docker").reversible
    assert len(gone_back) == 2


ZSTD: Final = oci_image([layer("a", Compression.ZSTD)], platform="linux/arm64")
UNUSUAL: Final = {
    "zstd": ("docker", image_list([oci_image([layer("a")], platform="linux/amd64"), ZSTD])),
    "an entry without a platform": ("oci", image_list([A.with_entry(platform=None)], DOCKER)),
    "an index in an index": ("oci", image_list([listed("a")], Family.OCI)),
    "a subject": ("oci", oci_image([layer("a")], subject=A.descriptor.triple())),
    "a signature": (
        "oci",
        image_list([ZSTD, cosign_signature(ZSTD).with_entry(platform=ZSTD.entry["platform"])]),
    ),
}


@pytest.mark.parametrize(("to", "image"), UNUSUAL.values(), ids=UNUSUAL.keys())
def test_an_index_that_is_unusual_has_no_form(to: str, image: Image, gone_back: list[str]) -> None:
    converted(image, to, compress="keep")
    gone_back.clear()
    converted(image, to, compress="keep")
    assert "images[0]" in gone_back


def test_a_large_document_has_no_form(
    gone_back: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oci_convert.planning.forms._LARGE", len(A.manifest) - 1)
    converted(A)
    converted(A)
    assert len(gone_back) == 2


def test_only_so_many_are_remembered(gone_back: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reversibility, "_returning", Known(3))
    found = [A, *OTHERS.values()][:4]
    for image in (*found, found[-1]):
        converted(image)
    assert len(gone_back) == len(found)
    converted(A)  # the first one gave way to the fourth
    assert len(gone_back) == len(found) + 1


def test_any_verdict_is_that_of_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was remembered of other trees says of this one what going back says."""
    find, judge = Forms.find, reversibility.judge

    def judged(*arguments: Any) -> Any:
        found = judge(*arguments)
        with pytest.MonkeyPatch.context() as forgetful:
            forgetful.setattr(Forms, "find", lambda *_: None)
            assert judge(*arguments) == found
        return found

    def counted(forms: Forms, decision: Any) -> bytes | None:
        form = find(forms, decision)
        seen[form] += 1
        return form

    seen: Counter[bytes | None] = Counter()
    monkeypatch.setattr(Forms, "find", counted)
    monkeypatch.setattr(decide, "judge", judged)

    @settings(suppress_health_check=list(HealthCheck))
    @given(trees, st.sampled_from([*Family]), options_of_both_ways, options_of_one_way)
    def compare(
        image: Image, to: Family, both_ways: dict[str, Any], one_way: dict[str, Any]
    ) -> None:
        with suppress(OciConvertError):
            converted(image, to, dry_run=True, **both_ways, **one_way)

    compare()
    assert any(count > 1 for form, count in seen.items() if form is not None)


def test_a_document_near_the_limit_has_no_form(gone_back: list[str]) -> None:
    image = docker_image([layer(str(number)) for number in range(8)])
    with limited(document_size=2 * len(image.manifest) - 1):
        converted(image)
        converted(image)
    assert len(gone_back) == 2
