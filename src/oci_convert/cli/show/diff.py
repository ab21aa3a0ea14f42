"""A comparison of two images: only on the left (-), only on the right (+), or different (~)."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from oci_convert.cli.show.terminal import say, tell, width_of
from oci_convert.cli.show.text import Style, Text
from oci_convert.cli.show.words import bytes_of, count_of, digest_of, packing, short_type
from oci_convert.documents.alignment import common_start
from oci_convert.documents.json_diff import ABSENT
from oci_convert.documents.json_reader import compact
from oci_convert.spec.media_types import Compression

if TYPE_CHECKING:
    from oci_convert.comparison.difference import Diff, Difference

__all__ = ["answer", "content", "diff"]

_WIDTH: Final = 80
"""Columns, if their number is not known."""
_LEAST: Final = 20
"""Columns that a value always gets."""
_BEFORE: Final = 12
"""Characters that are shown before the first one in which two long values differ."""

_SIGNS: Final = {
    "-": Text("-", Style.ERROR),
    "+": Text("+", Style.GOOD),
    "~": Text("~", Style.NOTE),
}
_ANSWERS: Final = {
    "equal": Text("equal", Style.GOOD),
    "format": Text("equal except for the format", Style.GOOD),
    "different": Text("different", Style.ERROR),
}
_TITLES: Final = {
    "digest": "digests",
    "media-type": "media types",
    "packing": "compression",
    "mislabelled": "wrong media types (with the actual compression)",
    "annotation": "annotations",
    "member": "other fields",
    "index": "indexes",
    "order": "order of the platforms",
    "repeated": "listed more than once",
    "companion": "attestations, referrers, signatures",
}
"""The parts of the format, in the order in which they are shown."""


def diff(found: Diff) -> None:
    """Every difference, on standard output."""
    if found.differences:
        say(Text(f"--- {found.left}", Style.STRONG))
        say(Text(f"+++ {found.right}", Style.STRONG))
    painter = _Painter(found, width_of(sys.stdout) or _WIDTH)
    for line in (*painter.content(), *painter.format()):
        say(line)


def content(found: Diff) -> None:
    """The differences in content, on standard error."""
    for line in _Painter(found, width_of(sys.stderr) or _WIDTH).content():
        tell(line)


def answer(found: Diff) -> None:
    """The result of the comparison, on standard output."""
    say(_ANSWERS[found.answer.value])


class _Painter:
    def __init__(self, found: Diff, width: int) -> None:
        self._found = found
        self._width = width
        self._many_images = len(found.images) > 1
        self._many_platforms = len({it.platform for it in found if it.platform is not None}) > 1

    def content(self) -> Iterator[Text]:
        """What makes the images different ones."""
        listed = [it for it in self._found if it.kind.value in ("image", "platform")]
        if listed:
            yield Text("images", Style.STRONG)
        for it in listed:
            yield from self._lines(self._listed(it), it)
        rest = [it for it in self._found if it.content and it not in listed]
        for (image, platform), group in groupby(rest, lambda it: (it.image, it.platform)):
            named = image if self._many_images or platform is None else None
            yield Text(f"content of {', '.join(filter(None, (named, platform)))}", Style.STRONG)
            for it in group:
                yield from self._of_content(it)

    def format(self) -> Iterator[Text]:
        """What documents say beside that, and how layers are packed."""
        for kind, title in _TITLES.items():
            group = [it for it in self._found if it.kind.value == kind]
            if group:
                yield Text(title, Style.STRONG)
            for alike in _alike(group):
                first = alike[0]
                place = self._of(first)
                if len(alike) > 1:
                    place = count_of(first.blob.value, len(alike))
                yield from self._lines(" ".join(filter(None, (place, first.member))), first)

    def _listed(self, it: Difference) -> str:
        """What an image or an artifact is called that is on one side only."""
        what = "artifact" if it.blob.value == "artifact" else "image"
        if it.kind.value == "image":
            return what
        return f"{what} {it.image}" if what == "artifact" else f"{self._of(it)} image ID"

    def _of_content(self, it: Difference) -> Iterator[Text]:
        if it.kind.value != "layer":
            yield from self._lines(it.member or "image ID", it)
        elif _has_moved(it):
            moved = f"layer {it.left['position']} → {it.right['position']}"
            yield self._line("~", moved, _layer(it.left))
        else:
            for sign, side in (("-", it.left), ("+", it.right)):
                if side is not ABSENT:
                    yield self._line(sign, f"layer {side['position']}", _layer(side))

    def _of(self, it: Difference) -> str:
        """What a difference is about, as short as it is clear."""
        if it.kind.value == "companion":
            return it.where
        named = it.image if self._many_images else None
        if it.kind.value == "platform":
            return " ".join(filter(None, (named, it.platform)))
        part = re.search(r"layers\[(\d+)\]$", it.where)
        platform = it.platform if self._many_platforms else None
        blob = it.blob.value if part is None else f"layer {part[1]}"
        return " ".join(filter(None, (named, platform, blob)))

    def _lines(self, name: str, it: Difference) -> Iterator[Text]:
        """A difference: on one line if it has room, else on one for each side."""
        left, right = _told(it)
        if left is None or right is None:
            yield self._line("+" if left is None else "-", name, left or right or "")
            return
        line = self._start("~", name) + f"{left} → {right}"
        if line.width <= self._width:
            yield line
            return
        yield self._start("~", name, gap="")
        common = common_start(left, right)
        for sign, text in (("-", left), ("+", right)):
            room = self._width - 8
            yield Text("      ") + _SIGNS[sign] + " " + _from(text, common, room).cropped(room)

    def _line(self, sign: str, name: str, value: str) -> Text:
        line = self._start(sign, name)
        return line + Text(value).cropped(max(self._width - line.width, _LEAST))

    def _start(self, sign: str, name: str, gap: str = "  ") -> Text:
        return Text("  ") + _SIGNS[sign] + " " + Text(name, Style.PLACE) + gap


def _alike(group: Sequence[Difference]) -> Iterator[list[Difference]]:
    """Differences that are the same for several blobs, together."""
    found: dict[tuple[object, ...], list[Difference]] = {}
    for it in group:
        found.setdefault((it.blob, it.member, *_told(it)), []).append(it)
    yield from found.values()


def _told(it: Difference) -> tuple[str | None, str | None]:
    """Both values, in few words if these are enough to tell them apart."""
    words = _WORDS.get(it.kind.value, compact)
    nothing = "none" if it.kind.value == "digest" else None
    left, right = (nothing if side is ABSENT else words(side) for side in (it.left, it.right))
    if left == right:
        return compact(it.left), compact(it.right)
    return left, right


def _from(text: str, common: int, room: int) -> Text:
    """``text`` from a little before what differs, if it would else be out of sight."""
    if len(text) <= room or common <= room // 2:
        return Text(text)
    return Text("…", Style.FAINT) + text[common - _BEFORE :]


def _has_moved(it: Difference) -> bool:
    if it.left is ABSENT or it.right is ABSENT:
        return False
    return (it.left["diff_id"] or it.left["digest"]) in (it.right["diff_id"], it.right["digest"])


def _layer(facts: Mapping[str, Any]) -> str:
    """A layer by its diff_id; without one, by its digest."""
    return f"{_digest(facts['diff_id'] or facts['digest'])}  {_packed(facts)}"


def _packed(facts: Mapping[str, Any]) -> str:
    named = facts["compression"]
    how = "unknown" if named is None else packing(Compression(named))
    return f"{bytes_of(facts['size'])} {how}"


def _packing(facts: Mapping[str, Any]) -> str:
    return f"{_digest(facts['digest'])} {_packed(facts)}"


def _digest(digest: str) -> str:
    return str(digest_of(digest))


def _companion(facts: Mapping[str, Any]) -> str:
    here = "" if facts["present"] else ", absent"
    return f"{facts['what']} {_digest(facts['digest'])}{here}"


_WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    "image": str,
    "platform": _digest,
    "image-id": _digest,
    "digest": _digest,
    "index": _digest,
    "repeated": _digest,
    "media-type": short_type,
    "packing": _packing,
    "mislabelled": lambda named: packing(Compression(named)),
    "order": ", ".join,
    "companion": _companion,
}
"""How the values of a kind are told; of any other, as JSON."""
