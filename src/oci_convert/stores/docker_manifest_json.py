"""The rows of the ``manifest.json`` that ``docker save`` writes, and the manifests made from them.

A row names the files of an image and nothing else: no digest, no size, no media type. Names of
files mean nothing (``abc.json`` need not hash to ``abc``); what counts is the order of the row, the
``diff_ids`` of the config, and the bytes.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_pascal

from oci_convert.documents.document import (
    DESCRIPTOR_MEMBERS,
    Role,
    built_manifest,
    read_config,
    spelled_as_go_reads,
)
from oci_convert.documents.json_reader import Array, scan
from oci_convert.errors import DocumentError, OciConvertError, StoreError
from oci_convert.findings import Finding
from oci_convert.layers.compression import sniff
from oci_convert.layers.streams import Tally, read_chunks
from oci_convert.limits import limits
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.spec.flawed import Flawed
from oci_convert.spec.media_types import (
    Cell,
    Compression,
    Family,
    Kind,
    name_of,
)
from oci_convert.spec.models import Descriptor, Model, diff_ids_for, validate
from oci_convert.stores.base import HEAD
from oci_convert.stores.contents import MANIFEST_JSON, REPOSITORIES
from oci_convert.stores.files import Files
from oci_convert.stores.files.archive_errors import inconsistent, member_missing
from oci_convert.stores.files.paths import check_length, cleaned
from oci_convert.stores.layer_sources import agreed, docker_named, is_foreign, source_of
from oci_convert.stores.oci_layout import blob_name

__all__ = [
    "SOURCES",
    "Built",
    "Row",
    "RowFiles",
    "SavedImage",
    "build",
    "read_rows",
    "unreadable",
]

_MANIFEST: Final = str(name_of(Cell(Kind.MANIFEST), Family.DOCKER))
_CONFIG: Final = str(name_of(Cell(Kind.CONFIG), Family.DOCKER))
_PLAIN: Final = str(name_of(Cell(Kind.LAYER, Compression.NONE), Family.DOCKER))
SOURCES: Final = "LayerSources"
"""The member of a row that describes layers."""
_ROW: Final = re.compile(r"\[([0-9]+)\]")
_MEMBERS: Final = frozenset(("Config", "RepoTags", "Layers", "Parent", SOURCES))


class SavedImage(Model, frozen=True):
    """A row of the ``manifest.json`` that ``docker save`` writes."""

    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_pascal)

    config: str
    repo_tags: tuple[str, ...] | None = Field(default=None, strict=False)
    layers: tuple[str, ...] | None = Field(default=None, strict=False)
    parent: str | None = None
    layer_sources: dict[str, Descriptor] | None = None


class Row(NamedTuple):
    """An image as ``manifest.json`` describes it; paths are cleaned."""

    where: str
    config: str
    layers: tuple[str, ...]
    tags: tuple[str, ...]
    sources: Mapping[str, Descriptor]
    """``LayerSources``: descriptors of layers, by their ``diff_id``."""
    fault: OciConvertError | None = None
    """Why it cannot be read; it names no file then."""


def read_rows(files: Files, label: str) -> list[Row]:
    """Every row, in order, also those that make no sense.

    Raises :class:`StoreError` or :class:`DocumentError` if there are none.
    """
    where = f"{label}: {MANIFEST_JSON}"
    if files.size(MANIFEST_JSON) is None:
        raise _no_rows(files, label)
    faults: dict[int, OciConvertError] = {}

    def settle(error: OciConvertError, _: str) -> None:
        match = _ROW.match(error.where, len(where))
        if match is None:
            raise error
        faults.setdefault(int(match[1]), error)

    _, value = scan(
        files.read(MANIFEST_JSON, "index_size"),
        size_limit=limits().index_size,
        where=where,
        settle=settle,
    )
    if not isinstance(value, Array):
        raise DocumentError(
            "the document is not a JSON array of images",
            code="invalid-document",
            where=where,
            remedy="this is not a docker-save archive; a dir: also has a manifest.json",
        )
    rows = [_row_or_fault(row, f"{where}[{i}]", files) for i, row in enumerate(value.value)]
    return [row._replace(fault=faults.get(i, row.fault)) for i, row in enumerate(rows)]


def _no_rows(files: Files, label: str) -> StoreError:
    if files.size(REPOSITORIES) is None:
        return StoreError(
            f"there is no {MANIFEST_JSON}",
            code="not-an-image-store",
            store=label,
            remedy="it was not written by docker save, or is incomplete",
        )
    return StoreError(
        f"there is no {MANIFEST_JSON}, and the archive is not of Docker before 1.10",
        code="no-manifest-json",
        store=label,
        remedy="it is incomplete; save the image again",
    )


def _row_or_fault(row: Any, where: str, files: Files) -> Row:
    try:
        return _row(row, where, files)
    except OciConvertError as error:
        stated = row.get("RepoTags") if isinstance(row, dict) else None
        tags = [tag for tag in stated if isinstance(tag, str)] if isinstance(stated, list) else []
        return Row(where, "", (), _distinct(tags), {}, error)


def _row(row: Any, where: str, files: Files) -> Row:
    saved = validate(SavedImage, _members(row, where) if isinstance(row, dict) else row, where)
    layers = enumerate(saved.layers or ())
    return Row(
        where,
        _path(saved.config, f"{where}.Config", files),
        tuple(_path(layer, f"{where}.Layers[{i}]", files) for i, layer in layers),
        _distinct(saved.repo_tags or ()),
        saved.layer_sources or {},
    )


def _distinct(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _members(row: dict[str, Any], where: str) -> dict[str, Any]:
    """The members of a row by the names that Docker writes; Jib begins them in lower case."""
    found = spelled_as_go_reads(row, _MEMBERS, where)
    sources = found.get(SOURCES)
    if isinstance(sources, dict):
        found[SOURCES] = {
            name: spelled_as_go_reads(source, DESCRIPTOR_MEMBERS, f"{where}.{SOURCES}.{name}")
            if isinstance(source, dict)
            else source
            for name, source in sources.items()
        }
    return found


def _path(value: str, where: str, files: Files) -> str:
    """A file of the archive, also where its name begins with a slash, as buildpacks write it."""
    check_length(value, where)
    name = cleaned(value)
    if name is None and value.startswith("/"):
        inside = cleaned(value.lstrip("/"))
        name = inside if inside is not None and files.size(inside) is not None else None
    if name is None:
        raise StoreError(
            f"{value!r} is not a path inside the archive",
            code="path-outside",
            where=where,
            remedy="do not use this archive: it may be an attack",
        )
    return name


class RowFiles:
    """The files of an archive, and what they hash to: each is read once to know."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._blobs: dict[Digest, str] = {}
        """Where the configs and layers of built images are."""
        self._shown: dict[Digest, str] = {}
        """Where those are that only who looks at a broken image reads."""
        self._digests: dict[tuple[str, str], Digest] = {}

    def size(self, path: str) -> int | None:
        """Bytes of a file; ``None`` if it is not there."""
        return self.files.size(path)

    def packing(self, path: str) -> Compression:
        """How a layer is packed; what no magic fits counts as plain."""
        with self.files.open(path) as file:
            return sniff(file.read(HEAD)) or Compression.NONE

    def digest(self, path: str, algorithm: str = CANONICAL) -> Digest:
        """What a file hashes to."""
        known = self._digests.get((path, algorithm))
        if known is None:
            tally = Tally(algorithm)
            with self.files.open(path) as file:
                deque(tally.through(read_chunks(file)), maxlen=0)
            known = self._digests[path, algorithm] = tally.digest
        return known

    def digest_all(self, paths: Iterable[str]) -> None:
        """Hash files side by side; :meth:`digest` then knows them."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.digest, dict.fromkeys(paths)))

    def keep(self, blob: Descriptor, path: str, where: str) -> None:
        """Note where a blob is; of several files with one digest the first serves them all.

        They are held against each other: what no longer is read must not be believed.
        """
        self._blobs.setdefault(blob.name, path)
        first = self.where(blob.name)
        if self.files.same(first, path):
            return
        if self.size(first) != blob.size:
            differ = "differ in size"
        elif self.digest(first) != self.digest(path):
            differ = "hold different bytes"
        else:
            return
        raise inconsistent(f"{path} and {first} should be the same, but {differ}", where)

    def show(self, blob: Descriptor, path: str) -> None:
        """Note where a blob of a broken image is, unless a sound one has it."""
        self._shown.setdefault(blob.name, path)

    def where(self, digest: Digest) -> str:
        """The file of a blob: that of the layout, if the archive is one and has it."""
        name = blob_name(digest)
        if self.files.blob_size(name) is not None:
            return name
        return self._blobs.get(digest) or self._shown.get(digest, name)


class Built(NamedTuple):
    """The Docker manifest that was made from a row."""

    descriptor: Descriptor
    manifest: bytes
    remarks: tuple[Finding, ...]
    """What is worth telling of it; places begin at the manifest: ``layers[0]``, or are empty."""


def build(row: Row, files: RowFiles) -> Built:
    """The Docker manifest of a row; ``files`` then knows the blobs.

    A plain layer has the digest that the config gives as its ``diff_id`` (verified when it is
    read); a compressed one is hashed here. What ``LayerSources`` says of a layer counts if it is
    said of the bytes in its file, or if the layer is foreign and its file was not saved.
    """
    if row.fault is not None:
        raise row.fault
    if files.size(row.config) is None:
        raise member_missing(row.config, where=f"{row.where}.Config")
    raw = files.files.read(row.config)
    config = Descriptor(media_type=_CONFIG, digest=Digest.of(raw), size=len(raw))
    files.keep(config, row.config, f"{row.where}.Config")
    layers, remarks = _layers(row, _diff_ids(raw, row), files)
    manifest = built_manifest(config, layers)
    descriptor = Descriptor(media_type=_MANIFEST, digest=Digest.of(manifest), size=len(manifest))
    return Built(descriptor, manifest, tuple(remarks))


def unreadable(row: Row, files: RowFiles, error: OciConvertError) -> tuple[Descriptor, bytes]:
    """What stands for the manifest of a row that cannot be built, because of ``error``.

    For who looks at it, a manifest of what is there; it is empty if its config is not.
    """
    stated: dict[str, Any] = {"mediaType": _MANIFEST}
    manifest = b""
    with suppress(OciConvertError):
        if row.fault is None and files.size(row.config) is not None:
            manifest = _sketched(row, files)
            stated |= {"digest": Digest.of(manifest), "size": len(manifest)}
    return Flawed.of(stated, [error]), manifest


def _sketched(row: Row, files: RowFiles) -> bytes:
    """A manifest of the config of a row and its layers, of which some may be missing."""
    raw = files.files.read(row.config)
    config = Descriptor(media_type=_CONFIG, digest=Digest.of(raw), size=len(raw))
    files.show(config, row.config)
    diff_ids: Sequence[str | None] = [None] * len(row.layers)
    with suppress(OciConvertError):
        diff_ids = _diff_ids(raw, row)
    layers = []
    for path, diff_id in zip(row.layers, diff_ids, strict=True):
        if files.size(path) is not None:
            layers.append(_layer(path, files.packing(path), diff_id or files.digest(path), files))
            files.show(layers[-1], path)
        elif diff_id is not None:
            layers.append(Descriptor(media_type=_PLAIN, digest=diff_id, size=0))
    return built_manifest(config, layers)


def _diff_ids(raw: bytes, row: Row) -> tuple[str, ...]:
    where = f"{row.where}.Config ({row.config})"
    config, problems = read_config(raw, where)
    diff_ids = config.rootfs.diff_ids if config.rootfs is not None else ()
    if len(diff_ids) != len(row.layers):
        counts = diff_ids_for(len(diff_ids), len(row.layers))
        broken = [problem for problem in problems if problem.startswith("rootfs")]
        raise inconsistent("; ".join([counts, *broken]), where)
    return diff_ids


def _layers(
    row: Row, diff_ids: tuple[str, ...], files: RowFiles
) -> tuple[list[Descriptor], list[Finding]]:
    present = (path for path in dict.fromkeys(row.layers) if files.size(path) is not None)
    packings = {path: files.packing(path) for path in present}
    files.digest_all(path for path, packing in packings.items() if packing != Compression.NONE)
    layers, remarks = [], []
    for i, (path, diff_id) in enumerate(zip(row.layers, diff_ids, strict=True)):
        where = f"{row.where}.Layers[{i}]"
        if path in packings:
            layer = _layer(path, packings[path], diff_id, files)
            source = source_of(row.sources, diff_id, layer.digest)
            if source is not None:
                hashed = partial(files.digest, path)
                layer, remark = agreed(layer, source, hashed, f"{Role.LAYER}[{i}]")
                remarks += [] if remark is None else [remark]
            files.keep(layer, path, where)
        else:
            layer = _foreign(row, diff_id, path, where)
        layers.append(layer)
    return layers, remarks


def _layer(path: str, packing: Compression, diff_id: str, files: RowFiles) -> Descriptor:
    plain = packing is Compression.NONE
    return Descriptor(
        media_type=name_of(Cell(Kind.LAYER, packing), Family.DOCKER) or _PLAIN,
        digest=diff_id if plain else files.digest(path),
        size=files.size(path) or 0,
    )


def _foreign(row: Row, diff_id: str, path: str, where: str) -> Descriptor:
    source = source_of(row.sources, diff_id)
    if source is None or not is_foreign(source):
        raise member_missing(path, where=where)
    return docker_named(source)
