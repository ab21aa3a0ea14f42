"""The text of a layout's ``index.json``: parsed once, and changed without being parsed again.

:mod:`~oci_convert.stores.oci_layout` writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Final

from oci_convert.documents.document import read_document
from oci_convert.documents.json_editor import Editor
from oci_convert.documents.json_reader import Array, Object, compact, representable
from oci_convert.errors import OciConvertError
from oci_convert.limits import limits
from oci_convert.spec.media_types import Cell, Family, Kind, name_of
from oci_convert.spec.models import Descriptor, Index
from oci_convert.spec.names import identity, pair, renamed
from oci_convert.stores.base import Root
from oci_convert.stores.contents import INDEX
from oci_convert.stores.files.base import Files

__all__ = ["IndexReader", "LayoutIndex", "carried", "entry_text", "said_by"]

_TYPE: Final = str(name_of(Cell(Kind.INDEX), Family.OCI))
_SPACE: Final = " \t\n\r"
_ENTRY: Final = re.compile(r"\.manifests\[([0-9]+)\]")
_LEADING: Final = re.compile(f"[{_SPACE}]*")


class IndexReader:
    """Reads the index of a layout again and again, and parses it only where somebody changed it.

    Several runs may share one, in several threads.
    """

    def __init__(self) -> None:
        self._last: LayoutIndex | None = None

    def read(self, files: Files, label: str) -> LayoutIndex | None:
        """The index of a layout; ``None`` if it has none."""
        if files.size(INDEX) is None:
            return None
        raw = files.read(INDEX, "index_size")
        last = self._last
        if last is None or last.raw != raw:
            last = self._last = LayoutIndex.read(raw, f"{label}: {INDEX}")
        return last

    def remember(self, index: LayoutIndex) -> None:
        """Know an index that was just written."""
        self._last = index


class LayoutIndex:
    """The text of an index, and the entries in it. It never changes: a change gives another one."""

    def __init__(
        self,
        text: str,
        start: int,
        entries: Sequence[Descriptor],
        faults: Sequence[tuple[OciConvertError, str]] = (),
        statements: Mapping[str, Any] = {},
    ) -> None:
        self.text = text
        self.entries = entries
        self.faults = faults
        """What is wrong with it although it can be read, and what it was read as."""
        self.flawed: Mapping[int, Sequence[OciConvertError]] = {}
        """Those of the faults that concern one entry alone, by its number."""
        self.statements = statements
        """What it says of itself: its members, but those that list the images."""
        self._start = start
        """Where its object begins."""

    @classmethod
    def read(cls, raw: bytes, where: str) -> LayoutIndex:
        """Parse an index as far as it can be read; raises :class:`DocumentError`."""
        faults: list[tuple[OciConvertError, str]] = []
        index = read_document(
            raw,
            _TYPE,
            where,
            size_limit=limits().index_size,
            settle=lambda *fault: faults.append(fault),
        )
        if isinstance(index.model, Index):
            entries = index.model.manifests or ()
            made = cls(index.text, index.root.start, entries, faults, _statements(index.model))
            made.flawed = _by_entry(faults, where)
            return made
        raise faults[0][0]  # it calls itself a manifest, and is one

    @classmethod
    def empty(cls, statements: Mapping[str, Any] = {}) -> LayoutIndex:
        """The index of a new layout, which states that of itself."""
        members = {"schemaVersion": 2, "mediaType": _TYPE, "manifests": [], **statements}
        return cls.read(compact(members).encode(), INDEX)

    @cached_property
    def raw(self) -> bytes:
        """Its bytes."""
        return self.text.encode()

    @cached_property
    def roots(self) -> list[Root]:
        """The images that it lists."""
        return [Root.of(entry, self.flawed.get(i, ())) for i, entry in enumerate(self.entries)]

    # -- changes ----------------------------------------------------------------------------

    def merged(self, roots: Iterable[Root]) -> LayoutIndex:
        """With ``roots`` added; entries of the same name give way where they stand.

        Among ``roots`` several may have one name: entries that say different things of one image,
        or what refers to it. What has no name gives way to nothing.
        """
        wanted: dict[object, dict[str, tuple[int, str]]] = {}
        for number, root in enumerate(roots):
            text = entry_text(root, root.annotations)
            same_name = wanted.setdefault(_key(root.entry), {})
            same_name.setdefault(_in_order(text), (number, text))
        replaced: dict[int, str] = {}
        gone: set[int] = set()
        fresh: list[tuple[int, str]] = []
        for key, new in wanted.items():
            places = self._positions.get(key, ())
            free = [i for i in places if new.pop(said_by(self.entries[i]), None) is None]
            texts = list(new.values())
            replaced |= zip(free, (text for _, text in texts), strict=False)
            gone.update(free[len(texts) :])
            fresh += texts[len(free) :]
        return self.edited(replaced, gone, [text for _, text in sorted(fresh)])

    def renamed(self, root: Root, name: str, *, keep: bool = False) -> LayoutIndex:
        """With another name for one of its images; with ``keep`` for one more entry of it.

        An entry that has the new name gives way.
        """
        mine = self._entries_of(root)
        new = [
            Root.of(
                entry.model_copy(update={"annotations": renamed(entry.annotations or {}, name)})
            )
            for entry in (self.entries[i] for i in mine)
        ]
        if pair(new[0].annotations) == pair(root.annotations):
            return self
        same_name = self._positions.get(_key(new[0].descriptor), ())
        others = [i for i in same_name if i not in mine]
        if keep and len(others) == len(same_name):
            return self.merged(new)
        texts = [entry_text(it, it.annotations) for it in new]
        if keep:  # another spelling of its own name
            return self.edited(gone=others, fresh=texts)
        return self.edited(dict(zip(mine, texts, strict=True)), others)

    def without(self, root: Root) -> LayoutIndex:
        """Without the entry of one of its images."""
        return self.edited(gone=self._entries_of(root))

    def _entries_of(self, root: Root) -> list[int]:
        wanted = root.descriptor.digest, pair(root.annotations)
        same_name = self._positions[_key(root.descriptor)]
        named = ((i, self.entries[i]) for i in same_name)
        return [i for i, it in named if (it.digest, pair(it.annotations or {})) == wanted]

    def edited(
        self,
        replaced: Mapping[int, str] = {},
        gone: Collection[int] = (),
        fresh: Sequence[str] = (),
    ) -> LayoutIndex:
        """With entries replaced, removed and appended, as texts; all else stays as it stands."""
        if not (replaced or gone or fresh):
            return self
        if self._array is None:
            return self._with_array(fresh)
        if replaced or gone:
            return self._rebuilt(*self._array, replaced, gone, fresh)
        return self._appended(*self._array, fresh)

    def _with_array(self, fresh: Iterable[str]) -> LayoutIndex:
        """With the first entries of an index that has no array for them."""
        editor, array = Editor(self.text), f"[{','.join(fresh)}]"
        member = self._object.members.get("manifests")
        if member is not None:  # null is how Go writes an empty list
            editor.replace(member.value, array)
        else:
            editor.insert(self._object, "manifests", array, after="schemaVersion")
        return LayoutIndex.read(editor.apply(), INDEX)

    def _appended(self, start: int, end: int, fresh: Sequence[str]) -> LayoutIndex:
        """For this it need not be known where the entries stand that are there."""
        at = start + 1
        separators = ["", *[","] * (len(fresh) - 1)]
        if self.entries:
            at = start + len(self.text[start : end - 1].rstrip(_SPACE))
            separators = [f",{self._leading(start)}"] * len(fresh)
        added, entries = _joined(separators, fresh), list(map(_entry, fresh))
        positions = dict(self._positions)
        for i, entry in enumerate(entries, start=len(self.entries)):
            key = _key(entry)
            positions[key] = [*positions.get(key, ()), i]
        return self._next(
            f"{self.text[:at]}{added}{self.text[at:]}",
            [*self.entries, *entries],
            _array=(start, end + len(added)),
            _positions=positions,
            _spans=[*self._spans, *_counted(at, separators, fresh)] if self._has_spans else None,
        )

    def _rebuilt(
        self,
        start: int,
        end: int,
        replaced: Mapping[int, str],
        gone: Collection[int],
        fresh: Sequence[str],
    ) -> LayoutIndex:
        """What separates two entries goes with the second of them."""
        lead, before = self._leading(start), start + 1
        separators, texts, entries = [], [], []
        for i, (begin, behind) in enumerate(self._spans):
            if i not in gone:
                separators.append(self.text[before:begin])
                texts.append(replaced.get(i) or self.text[begin:behind])
                entries.append(_entry(replaced[i]) if i in replaced else self.entries[i])
            before = behind
        separators = [lead, *separators[1:], *[f",{lead}"] * len(fresh)]
        texts += fresh
        entries += map(_entry, fresh)
        text = f"{self.text[: start + 1]}{_joined(separators, texts) or lead}{self.text[before:]}"
        return self._next(
            text,
            entries,
            _array=(start, end + len(text) - len(self.text)),
            _spans=_counted(start + 1, separators, texts),
        )

    def _next(self, text: str, entries: Sequence[Descriptor], **known: Any) -> LayoutIndex:
        """What this one becomes; what is known of it need not be looked up again."""
        new = LayoutIndex(text, self._start, entries, statements=self.statements)
        vars(new).update({name: value for name, value in known.items() if value is not None})
        return new

    # -- where things stand -----------------------------------------------------------------

    @cached_property
    def _positions(self) -> dict[object, list[int]]:
        """The entries, by what identifies them."""
        found: dict[object, list[int]] = {}
        for i, entry in enumerate(self.entries):
            found.setdefault(_key(entry), []).append(i)
        return found

    @property
    def _object(self) -> Object:
        """The object, as far as its text tells."""
        return Object(self._start, len(self.text), {}, self.text)

    @cached_property
    def _array(self) -> tuple[int, int] | None:
        """Where the array of entries begins and ends; ``None`` if there is none."""
        member = self._object.members.get("manifests")
        if member is None or not isinstance(member.value, Array):
            return None
        return member.value.start, member.value.end

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        """Where each entry begins and ends."""
        start, end = self._array or (0, 0)
        items = Array(start, end, [], self.text).items if self.entries else ()
        return [(item.start, item.end) for item in items]

    @property
    def _has_spans(self) -> bool:
        return "_spans" in vars(self)

    def _leading(self, start: int) -> str:
        """The white space before the first entry, with which others are added."""
        found = _LEADING.match(self.text, start + 1) if self.entries else None
        return "" if found is None else found[0]


def _joined(separators: Iterable[str], texts: Iterable[str]) -> str:
    return "".join(chain.from_iterable(zip(separators, texts, strict=False)))


def _counted(at: int, separators: Iterable[str], texts: Iterable[str]) -> list[tuple[int, int]]:
    """Where texts stand, each behind its separator, the first of which stands at ``at``."""
    spans = []
    for separator, text in zip(separators, texts, strict=False):
        at += len(separator)
        spans.append((at, at + len(text)))
        at += len(text)
    return spans


def _key(entry: Descriptor) -> object:
    """What identifies an entry: its names, or all that it says where it has none."""
    return identity(entry.annotations or {}) or said_by(entry)


def said_by(entry: Descriptor) -> str:
    """What an entry says, in whatever order it does."""
    return _in_order(entry_text(Root.of(entry), entry.annotations or {}))


def _in_order(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


def _by_entry(
    faults: Iterable[tuple[OciConvertError, str]], where: str
) -> dict[int, list[OciConvertError]]:
    """The faults whose place is in an entry of the index called ``where``."""
    found: dict[int, list[OciConvertError]] = {}
    for error, _ in faults:
        match = _ENTRY.match(error.where, len(where))
        if match is not None:
            found.setdefault(int(match[1]), []).append(error)
    return found


def _statements(index: Index) -> dict[str, Any]:
    known = index.model_dump(include={"artifact_type", "subject", "annotations"}, exclude_none=True)
    return known | (index.model_extra or {})


def carried(statements: Mapping[str, Any]) -> dict[str, Any]:
    """What another index can state of itself, too: not its subject, which may become another."""
    return {name: it for name, it in _writable(statements).items() if name != "subject"}


def _entry(text: str) -> Descriptor:
    return Descriptor.model_validate(json.loads(text))


def entry_text(root: Root, annotations: Mapping[str, str]) -> str:
    """The JSON text of an entry, in the order of the specification's Go structs."""
    top = root.descriptor
    entry = top.triple()
    if top.urls:
        entry["urls"] = list(top.urls)
    if annotations:
        entry["annotations"] = dict(annotations)
    if top.data is not None:
        entry["data"] = top.data
    if top.platform is not None:
        entry["platform"] = _writable(top.platform.model_dump(by_alias=True))
    if top.artifact_type is not None:
        entry["artifactType"] = top.artifact_type
    return compact(entry | _writable(top.model_extra or {}))


def _writable(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if representable(value)}
