"""Lists of tags, repositories and referrers are read to their end, however they are cut up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert.errors import StoreError
from oci_convert.spec.digest import Digest
from oci_convert.stores.registry import lists
from oci_convert.stores.registry.client import RegistryClient
from registry import FakeRegistry
from registry.messages import Reply, Request
from support.images import OCI_INDEX, OCI_MANIFEST
from support.registries import client, repository

SUBJECT: Final = Digest.of(b"subject")
NEXT = '<{path}?page={number}>; rel="next"'


def entry(name: str) -> dict[str, Any]:
    return {"mediaType": OCI_MANIFEST, "digest": str(Digest.of(name.encode())), "size": 1}


class Pages:
    """Answers that are pages of a list, and who asks for each kind of them."""

    def __init__(self, fake: FakeRegistry, registry: RegistryClient) -> None:
        self._fake = fake
        self._remote = registry.repository(repository(fake))
        self._registry = registry
        self._pages: Sequence[Sequence[str] | None] = ()
        self._link = NEXT
        self._ends = True
        self.asked = 0
        fake.protocol.answer = self._answer  # type: ignore[method-assign]

    def _answer(self, request: Request) -> Reply:
        self.asked += 1
        number = int(request.query("page") or 0)
        headers: dict[str, str] = {}
        if number + 1 < len(self._pages) or not self._ends:
            headers["Link"] = self._link.format(path=request.path, number=number + 1)
        page = self._pages[number % len(self._pages)]
        if "/referrers/" in request.path:
            index = {"schemaVersion": 2, "mediaType": OCI_INDEX}
            body: dict[str, Any] = index | {"manifests": list(map(entry, page or ()))}
            return Reply(200, headers | {"Content-Type": OCI_INDEX}, json.dumps(body).encode())
        body = {"repositories" if request.path.endswith("_catalog") else "tags": page}
        return Reply(200, headers, json.dumps(body).encode())

    def read(
        self,
        what: str,
        pages: Sequence[Sequence[str] | None],
        link: str = NEXT,
        *,
        ends: bool = True,
    ) -> set[str]:
        """What is listed, by the digests of their names where these are referrers."""
        self._pages, self._link, self._ends, self.asked = pages, link, ends, 0
        if what == "tags":
            return set(self._remote.tags())
        if what == "repositories":
            return set(self._registry.catalog(self._fake.host))
        found = [json.loads(page.raw) for page in self._remote.referrers(SUBJECT)]
        return {one["digest"] for page in found for one in page["manifests"]}


def listed(what: str, *names: str) -> set[str]:
    return {entry(name)["digest"] for name in names} if what == "referrers" else set(names)


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    with FakeRegistry() as fake, client() as registry:
        yield Pages(fake, registry)


KINDS = pytest.mark.parametrize("what", ["tags", "repositories", "referrers"])
CUTS: Mapping[str, Sequence[Sequence[str] | None]] = {
    "an empty page in the middle": [["1"], [], ["2"]],
    "an empty page at the beginning": [[], ["1", "2"]],
    "null in the middle": [["1"], None, ["2"]],
    "a page that comes twice": [["1"], ["1"], ["2"]],
}


@KINDS
@pytest.mark.parametrize("cut", CUTS)
def test_a_page_that_brings_nothing_new_is_not_the_last(pages: Pages, what: str, cut: str) -> None:
    assert pages.read(what, CUTS[cut]) == listed(what, "1", "2")
    assert pages.asked == len(CUTS[cut])


page = st.none() | st.lists(st.sampled_from("abcdefg"), max_size=3)


@given(
    st.sampled_from(["tags", "repositories", "referrers"]),
    st.lists(page, min_size=1, max_size=6),
    st.sampled_from(
        [NEXT, "<?page={number}>; rel=next", f"<{{path}}?page={{number}}&x={'y' * 9000}>; rel=next"]
    ),
)
def test_every_cut_of_a_list_gives_all_of_it(
    pages: Pages, what: str, cut: list[list[str] | None], link: str
) -> None:
    names = {name for some in cut for name in some or ()}
    assert pages.read(what, cut, link) == listed(what, *names)
    assert pages.asked == len(cut)


@KINDS
@pytest.mark.parametrize("back", [0, 1, 2])
def test_an_address_that_was_asked_before_ends_the_list(pages: Pages, what: str, back: int) -> None:
    link = NEXT.replace("{number}", str(back)) if back else "<>; rel=next"
    assert listed(what, "1") <= pages.read(what, [["1"], ["2"], ["3"]], link)
    assert pages.asked <= 3


@KINDS
def test_a_list_without_an_end_is_refused(
    pages: Pages, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "_MOST_PAGES", 5)
    with pytest.raises(StoreError, match="more than 5 pages") as caught:
        pages.read(what, [["1"]], ends=False)
    assert (caught.value.code, pages.asked) == ("bad-registry-answer", 5)


@KINDS
@pytest.mark.parametrize(
    "link",
    [
        '<https://elsewhere.invalid{path}?page=2>; rel="next"',
        '<http://elsewhere.invalid{path}?page=2>; rel="next"',
        '<http://127.0.0.1:1{path}?page=2>; rel="next"',
    ],
)
def test_a_next_page_at_another_host_is_refused(pages: Pages, what: str, link: str) -> None:
    with pytest.raises(StoreError) as caught:
        pages.read(what, [["1"], ["2"]], link)
    assert caught.value.code in {"bad-registry-answer", "redirect-refused"}
    assert pages.asked == 1


@pytest.mark.parametrize("wrong", ["", 0, False, {}, "abc", [1]], ids=repr)
@pytest.mark.parametrize("what", ["tags", "repositories"])
def test_a_list_that_is_none_is_refused(pages: Pages, what: str, wrong: Any) -> None:
    with pytest.raises(StoreError, match="that is none"):
        pages.read(what, [wrong])
