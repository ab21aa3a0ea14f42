"""OCI image layouts (image-spec ``image-layout.md``): 1.x, and those before 1.0 with ``refs/``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from oci_convert.documents.document import (
    DESCRIPTOR_MEMBERS,
    read_object,
    refuse_case_variants,
    settle_variants,
)
from oci_convert.documents.json_reader import compact
from oci_convert.errors import DocumentError, OciConvertError, StoreError, UsageError
from oci_convert.spec.digest import Digest
from oci_convert.spec.flawed import Flawed, described
from oci_convert.spec.media_types import Family
from oci_convert.spec.models import Descriptor, LayoutHeader, validate
from oci_convert.spec.names import REF_NAME, find, renamed
from oci_convert.stores.base import Capabilities, Root, stated
from oci_convert.stores.contents import INDEX
from oci_convert.stores.files import Files, WritableFiles
from oci_convert.stores.files_store import FilesSink, FilesSource
from oci_convert.stores.layout_index_text import IndexReader, LayoutIndex, carried, entry_text

__all__ = ["HEADER", "OciLayoutSink", "OciLayoutSource", "blob_name"]

HEADER: Final = b'{"imageLayoutVersion":"1.0.0"}'

_REF_FILE: Final = re.compile(r"[A-Za-z0-9._-]+")
"""What 1.0.0-rc2 allows in the name of a file in ``refs/``."""


def blob_name(digest: Digest) -> str:
    """The file of a blob in a layout."""
    return f"blobs/{digest.algorithm}/{digest.encoded}"


class OciLayoutSource(FilesSource):
    """The images of a layout: the entries of its ``index.json``, or of its ``refs/``."""

    def __init__(self, files: Files, label: str, reader: IndexReader | None = None) -> None:
        super().__init__(files, label)
        faults: list[tuple[OciConvertError, str]] = []
        try:
            self._check_header()
        except OciConvertError as error:
            faults.append((error, ""))
        self.index: LayoutIndex | None = (reader or IndexReader()).read(files, label)
        """``None`` in a layout of before 1.0, which has ``refs/``."""
        self._refs = self._read_refs() if self.index is None else []
        if self.index is None:
            faults += [(fault, "") for root in self._refs for fault in root.faults]
        else:
            faults += self.index.faults
        self.faults: Sequence[tuple[OciConvertError, str]] = faults
        self.statements: Mapping[str, Any] = {} if self.index is None else self.index.statements

    def _check_header(self) -> None:
        if self.files.size("oci-layout") is None:
            return  # common in layouts made by hand, and harmless: the version only ever was one
        where = f"{self.label}: oci-layout"
        _, root = read_object(self.files.read("oci-layout"), where)
        refuse_case_variants(root, frozenset(("imageLayoutVersion",)), where)
        version = validate(LayoutHeader, root.value, where).version
        if version != "1.0.0":
            raise StoreError(
                f"the layout has version {version!r}",
                code="unknown-layout-version",
                where=where,
                remedy="only 1.0.0 is supported; fetch the image again",
            )

    def _read_refs(self) -> list[Root]:
        return [self._read_ref(name) for name in sorted(self.files.names("refs"))]

    def _read_ref(self, name: str) -> Root:
        where, flaws = f"{self.label}: {name}", list[OciConvertError]()
        try:
            _, found = read_object(self.files.read(name), where)
        except DocumentError as error:
            flaws.append(error)
            descriptor: Descriptor = Flawed.of({}, flaws)
        else:
            value = dict(found.value)
            # Before 1.0 the member was spelled in lower case.
            lower = {"mediatype"} if "mediaType" not in value else set()
            known = DESCRIPTOR_MEMBERS | lower
            settle_variants(value, known, where, lambda error, _: flaws.append(error))
            for spelled in lower & value.keys():
                value["mediaType"] = value.pop(spelled)
            descriptor = described(value, where, lambda error, _: flaws.append(error))
        annotations = {**(descriptor.annotations or {}), REF_NAME: name.removeprefix("refs/")}
        return Root(descriptor, annotations, annotations[REF_NAME], faults=tuple(flaws))

    def roots(self) -> Sequence[Root]:
        return self._refs if self.index is None else self.index.roots

    def name(self, digest: Digest) -> str:
        return blob_name(digest)


class OciLayoutSink(FilesSink):
    """Writes a layout, or adds to one; ``reader`` is what runs that write to it share."""

    def __init__(
        self,
        files: WritableFiles,
        label: str,
        *,
        family: Family = Family.OCI,
        reader: IndexReader | None = None,
    ) -> None:
        super().__init__(files, label)
        self._reader = reader or IndexReader()
        self._refs = family is Family.OCI_RC2
        self.capabilities: Capabilities = Capabilities(
            families=frozenset({family}) if self._refs else frozenset({Family.OCI, Family.DOCKER})
        )
        self._stated: Mapping[str, Any] = {}
        # What cannot be read fails now, not after the last blob.
        for error, _ in OciLayoutSource(files, label, self._reader).faults:
            raise error
        self._refuse_mixture()

    def _refuse_mixture(self) -> None:
        has_index = self.files.size(INDEX) is not None
        has_refs = self.files.size("oci-layout") is not None and any(self.files.names("refs"))
        if (has_index and self._refs) or (has_refs and not has_index and not self._refs):
            old, new = ("1.0", "1.0.0-rc2") if self._refs else ("1.0.0-rc2", "1.0")
            raise StoreError(
                f"the target is a layout of version {old}, not {new}",
                code="other-layout-version",
                store=self.label,
                remedy="choose an empty directory",
            )

    def name(self, digest: Digest, *, document: bool) -> str:
        return blob_name(digest)

    def holds_image(self) -> bool:
        return self.files.size(INDEX) is not None or any(self.files.names("refs"))

    def check(self, roots: Sequence[Root]) -> None:
        for name in [root.annotations.get(REF_NAME) for root in roots] if self._refs else ():
            if name is None or _REF_FILE.fullmatch(name) is None or name in (".", ".."):
                raise UsageError(
                    f"the name {name!r} cannot be a file name in refs/"
                    if name
                    else "a layout of version 1.0.0-rc2 needs a name for each image",
                    code="no-ref-file",
                    store=self.label,
                    remedy="give the destination a REF of letters, digits, '.', '_' and '-'",
                )

    def state(self, statements: Mapping[str, Any]) -> Sequence[str]:
        """A new layout says what its first source says; one that has images says what it said."""
        if self._refs:
            return super().state(statements)
        old = self._reader.read(self.files, self.label)
        if old is None and not self._stated:
            self._stated = carried(statements)
        there = stated(self._stated if old is None else old.statements)
        return [
            name
            for name, value in stated(statements).items()
            if name not in there or compact(there[name]) != compact(value)
        ]

    def commit(self, roots: Sequence[Root]) -> None:
        self.check(roots)
        if self.files.size("oci-layout") is None:
            self.write("oci-layout", HEADER)
        self.files.flush()
        with self.files.locked():
            if self._refs:
                self._write_refs(roots)
            else:
                self._write_index(roots)
            self.settle()

    def _write_index(self, roots: Sequence[Root]) -> None:
        old = self._reader.read(self.files, self.label)  # somebody else may have been faster
        self._replace_index(old, (old or LayoutIndex.empty(self._stated)).merged(roots))

    def _replace_index(self, old: LayoutIndex | None, new: LayoutIndex) -> None:
        if new is not old:
            self.write(INDEX, new.raw, durable=True)
            self._reader.remember(new)

    def rename(self, ref: str, name: str | None, *, keep: bool = False) -> Descriptor:
        """Give an image another name, or with ``keep`` one more, or with ``None`` none any more.

        An image that has the name gives way. Nothing else is to be written by this run. Raises
        :class:`StoreError` (``unknown-reference``, ``ambiguous-reference``).
        """
        self.begin()
        with self.files.locked():
            layout = OciLayoutSource(self.files, self.label, self._reader)
            root = find(layout.roots(), ref, self.label)
            if name is not None:
                self.check([replace(root, annotations=renamed(root.annotations, name))])
            if layout.index is None:
                self._rename_file(root, name, keep=keep)
            else:
                self._replace_index(
                    layout.index,
                    layout.index.without(root)
                    if name is None
                    else layout.index.renamed(root, name, keep=keep),
                )
            self.settle()
        return root.descriptor

    def _rename_file(self, root: Root, name: str | None, *, keep: bool) -> None:
        old = root.annotations[REF_NAME]
        if name is not None:
            self.write(f"refs/{name}", self.files.read(f"refs/{old}"), durable=True)
        if not keep and name != old:
            self.files.remove(f"refs/{old}")

    def _write_refs(self, roots: Sequence[Root]) -> None:
        for root in roots:
            name = f"refs/{root.annotations[REF_NAME]}"
            self.write(name, entry_text(root, {}).encode(), durable=True)
