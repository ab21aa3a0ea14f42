"""Any text in which digests are to be replaced: nothing else changes, and there is a way back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from oci_convert.transform.repin import Outcome, repin

_OLD: Final = "sha256:" + "a" * 64
_NEW: Final = "sha256:" + "b" * 64
_LONG: Final = ("sha512:" + "c" * 128, "sha512:" + "d" * 128)
_DROPPED: Final = "sha256:" + "e" * 64
_PINS: Final = {_OLD: _NEW, _LONG[0]: _LONG[1], _DROPPED: None}
_BACK: Final = {_NEW: _OLD, _LONG[1]: _LONG[0]}
_HEX: Final = re.compile(r"[a-d]{64,128}")
_SEEDS: Final = (
    f"image: app@{_OLD}\n",
    f'FROM example.com:5000/a/b:1@{_LONG[0]} AS base # {_DROPPED}\r\n{{"digest": "{_OLD}"}}',
    f'digest=\\"{"a" * 64}\\" {"a" * 64} {"0" * 64} sha256-{"a" * 64}.sig',
    f"\\n{_OLD}{_OLD}_{_OLD}\t@{_NEW}\udcff",
)


def run(data: bytes) -> None:
    """Replace, replace again, go back."""
    text = data.decode("utf-8", "surrogateescape")
    for bare in (False, True):
        made = repin(text, _PINS, bare=bare)
        made.text.encode("utf-8", "surrogateescape")
        assert made.changed == (made.text != text)
        assert _HEX.sub("", made.text) == _HEX.sub("", text), "more than digests changed"
        assert [pin.line for pin in made.pins] == sorted(pin.line for pin in made.pins)
        again = repin(made.text, _PINS, bare=bare)
        assert not again.changed, "what is new was taken for old"
        if not {Outcome.ALREADY} & {pin.outcome for pin in made.pins} and "b" * 64 not in text:
            back = repin(made.text, _BACK, bare=bare)
            assert back.text == text or "d" * 128 in text, "there is no way back"


def seeds() -> Iterator[bytes]:
    """Pins as people write them."""
    return (text.encode("utf-8", "surrogateescape") for text in _SEEDS)
