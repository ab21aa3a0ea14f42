"""What a registry has: the tags of a repository, and the repositories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from oci_convert.errors import OciConvertError, StoreError
from oci_convert.stores.registry.calls import Call, Kind
from oci_convert.stores.registry.headers import next_link
from oci_convert.stores.registry.reference import is_tag
from oci_convert.stores.registry.refusals import no_repository, refused, words_of
from oci_convert.stores.registry.remote import Remote, bad_answer, read_object
from oci_convert.stores.registry.transport import Answer
from oci_convert.text.suggestion import did_you_mean, nearest

__all__ = ["Lists", "shortened"]

_PAGE: Final = 1000
_MOST_PAGES: Final = 10_000
_SHOWN: Final = 5
_LIMIT: Final = "index_size"


class Lists(Remote):
    """Lists what is there, page by page, the address of the next page word for word."""

    def tags(self) -> list[str]:
        """Every tag of the repository, sorted.

        Raises :class:`StoreError` (``no-such-repository``).
        """
        call = replace(self._call(Kind.TAGS, "GET", f"tags/list?n={_PAGE}"), limit=_LIMIT)
        found = sorted(self._listed(call, "tags"))
        wrong = next((tag for tag in found if not is_tag(tag)), None)
        if wrong is not None:
            raise bad_answer(
                call, f"with a tag that is none: {self.host.mask.masked(wrong)[:80]!r}"
            )
        return found

    def catalog(self) -> list[str]:
        """Every repository of the registry, sorted, as far as it tells us.

        Raises :class:`StoreError` (``no-catalog``) if it has no such list.
        """
        target = f"/v2/_catalog?n={_PAGE}"
        call = Call(self.access, Kind.CATALOG, "GET", target, limit=_LIMIT)
        return sorted(self._listed(call, "repositories"))

    def _listed(self, call: Call, name: str) -> set[str]:
        found: set[str] = set()
        for page, answer in self._pages(call):
            if answer.status != HTTPStatus.OK:
                raise self._no_list(page, answer)
            entries = read_object(page, answer).get(name)
            entries = [] if entries is None else entries  # so registries in Go write an empty list
            if not isinstance(entries, list) or not all(isinstance(it, str) for it in entries):
                raise bad_answer(page, f"with a list of {name} that is none")
            if self.host.mask.hides("\0".join(entries)):
                raise bad_answer(page, f"with a list of {name} that repeats our credentials")
            found.update(entries)
        return found

    def _pages(self, call: Call) -> Iterator[tuple[Call, Answer]]:
        """What a call is answered, and what is answered at the address that each page gives for the
        next one; whether it is a page is for the caller to say.

        A page may bring nothing new and have a next one all the same. An address that was asked
        before ends it: a registry that knows no pages gives the same one for ever.
        """
        asked: set[str] = set()
        while call.target not in asked:
            if len(asked) == _MOST_PAGES:
                raise bad_answer(call, f"with more than {_MOST_PAGES} pages")
            asked.add(call.target)
            answer = self.host.ask(call)
            yield call, answer
            link = next_link(answer.headers.get("Link", ""))
            if not link:
                return
            target = self.host.locate(call, link)
            if not target.startswith("/"):
                raise bad_answer(call, "with a next page at another host")
            call = replace(call, target=target)

    def _no_list(self, call: Call, answer: Answer) -> OciConvertError:
        if call.kind is Kind.CATALOG and answer.status in {
            HTTPStatus.NOT_FOUND,
            HTTPStatus.METHOD_NOT_ALLOWED,
        }:
            return StoreError(
                "the registry does not list its repositories",
                code="no-catalog",
                store=call.where,
                remedy="name them one by one, or in a file",
            )
        if answer.status == HTTPStatus.NOT_FOUND:
            return self._no_repository(call, answer)
        return refused(call, answer)

    def _no_repository(self, call: Call, answer: Answer) -> OciConvertError:
        if not self._is_registry():
            return StoreError(
                f"{self.host.origin} is not a registry",
                code="not-a-registry",
                store=call.where,
                remedy="check host and port",
            )
        return no_repository(call, words_of(answer))

    def absent(self, call: Call, answer: Answer) -> OciConvertError:
        """Why a manifest is not there: the host, the repository, the tag or the digest."""
        if "NAME_UNKNOWN" in words_of(answer).codes:
            return self._no_repository(call, answer)
        try:
            tags = self.tags()
        except OciConvertError as error:
            if error.code in {"no-such-repository", "not-a-registry"}:
                return error.within(call.where)
            tags = []
        if ":" in call.subject:
            return StoreError(
                f"the repository has no manifest {call.subject}",
                code="no-such-manifest",
                store=call.where,
                remedy="its tag may have moved on, and what it was may have been deleted",
            )
        if call.subject in tags:
            return bad_answer(call, f"that there is no tag {call.subject}, but lists it")
        return StoreError(
            f"the repository has no tag {call.subject}",
            code="no-such-tag",
            store=call.where,
            remedy=did_you_mean(
                nearest(call.subject, tags),
                f"its tags are {shortened(tags)}" if tags else "it has no tags",
            ),
        )


def shortened(tags: Sequence[str]) -> str:
    """The first few of several tags."""
    return ", ".join(tags[:_SHOWN]) + (", …" if len(tags) > _SHOWN else "")
