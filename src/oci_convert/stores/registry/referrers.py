"""Referrers: what speaks of an image, by the API of a registry or by the tag that stands for it.

Implements *Listing referrers* and *Referrers tag schema* of the OCI distribution specification 1.1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

from oci_convert.errors import StoreError
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Cell, Family, name_of
from oci_convert.spec.media_types import Kind as BlobKind
from oci_convert.spec.names import referrers_tag
from oci_convert.stores.registry.calls import Kind
from oci_convert.stores.registry.headers import media_type
from oci_convert.stores.registry.manifests import Fetched, Manifests
from oci_convert.stores.registry.refusals import refused
from oci_convert.stores.registry.remote import bad_answer

__all__ = ["INDEX", "Referrers"]

INDEX: Final = name_of(Cell(BlobKind.INDEX), Family.OCI) or ""
"""The type of a list of referrers."""
_NO_API: Final = "no referrers API"
_TRIES: Final = 3


class Referrers(Manifests):
    """Reads and extends the list of what speaks of an image."""

    @property
    def lacks_api(self) -> bool:
        """Whether the registry was asked for referrers of anything, and did not understand."""
        return (self.repository.host, _NO_API) in self._known

    def referrers(self, subject: Digest, *, tagged: bool = True) -> tuple[Fetched, ...]:
        """Indexes of everything that speaks of ``subject``, one for each page of the list.

        Only an answer that is an OCI index counts, by what it says itself or by its label: some
        registries say 200 and show a page for people. A registry without the API has an index
        under a tag, or nothing; without ``tagged`` it is not asked for.
        """
        # Behind one host, repositories may be of several makes.
        if (self.repository, _NO_API) not in self._known:
            pages = self._from_api(subject)
            if pages:
                return pages
            self._known.add((self.repository, _NO_API))
            self._known.add((self.repository.host, _NO_API))
        found = self.find_manifest(referrers_tag(subject)) if tagged else None
        return (found,) if found is not None and _is_list(found) else ()

    def _from_api(self, subject: Digest) -> tuple[Fetched, ...]:
        """The pages of the API, at least one; none where there is no API."""
        headers = {"Accept": INDEX}
        call = self._call(Kind.REFERRERS, "GET", f"referrers/{subject}", subject, headers=headers)
        call = replace(call, limit="index_size")
        pages: list[Fetched] = []
        for page, answer in self._pages(call):
            label = media_type(answer.headers.get("Content-Type", ""))
            found = Fetched(answer.body, label, Digest.of(answer.body))
            if answer.status != HTTPStatus.OK or not _is_list(found):
                if pages:
                    raise bad_answer(page, "with a page of referrers that is none")
                if answer.status == HTTPStatus.FORBIDDEN:
                    raise refused(page, answer)
                return ()
            pages.append(found)
        return tuple(pages)

    def add_referrer(self, subject: Digest, entry: Mapping[str, Any]) -> None:
        """Put the descriptor of a referrer into the index under the tag of its subject.

        For a registry that did not say that it does so itself (:attr:`Pushed.subject_handled`).
        Whoever writes the same index at the same moment may undo it: it is read again, and the
        entry put in again, three times. Everything else in the index stays. Raises
        :class:`StoreError` (``referrers-tag-taken``, ``referrer-lost``).
        """
        tag = referrers_tag(subject)
        with self._known.alone((self.repository, tag)):
            for _ in range(_TRIES):
                index = self._index_under(tag)
                entries = index.setdefault("manifests", [])
                if any(it.get("digest") == entry["digest"] for it in entries):
                    return
                entries.append(dict(entry))
                raw = json.dumps(index, separators=(",", ":"), ensure_ascii=False).encode()
                self.put_manifest(raw, INDEX, tag=tag)
        raise self._no_index(tag, "referrer-lost", "others write it all the time: try again later")

    def _index_under(self, tag: str) -> dict[str, Any]:
        found = self.find_manifest(tag)
        if found is None:
            return {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
        try:
            index = json.loads(found.raw)
        except (ValueError, RecursionError):
            index = None
        entries = index.get("manifests", []) if isinstance(index, dict) else None
        fine = isinstance(entries, list) and all(isinstance(it, dict) for it in entries)
        if found.media_type != INDEX or not fine:
            raise self._no_index(tag, "referrers-tag-taken", "move what is there to another tag")
        return dict(index)

    def _no_index(self, tag: str, code: str, remedy: str) -> StoreError:
        return StoreError(
            "the index of referrers under this tag cannot be extended",
            code=code,
            where=f"docker://{self.repository}:{tag}",
            remedy=remedy,
        )


def _is_list(found: Fetched) -> bool:
    """Whether a document is a list of referrers, or is called one: then its reader judges it."""
    return INDEX in (found.label, found.media_type)
