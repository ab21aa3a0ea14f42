"""Pins that were rewritten, and those that could not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oci_convert.cli.show.terminal import tell
from oci_convert.cli.show.text import Style, Text
from oci_convert.cli.show.words import count_of
from oci_convert.spec.digest import Digest
from oci_convert.transform.repin import Outcome

if TYPE_CHECKING:
    from oci_convert.cli.found_pins import FoundPins
    from oci_convert.transform.repin import Pin

__all__ = ["pins", "pins_summary"]

_REMARKS: Final = {
    Outcome.DROPPED: ("dropped", " by the conversion"),
    Outcome.UNKNOWN: ("unknown", ": not in any map"),
    Outcome.BARE: ("an old digest without sha256:", "; --bare rewrites it"),
}
_HEX: Final = 12


def pins(found: FoundPins) -> None:
    """Every pin but those that are as they should be, one line each, on standard error."""
    for file, repinned in found.files:
        for pin in repinned.pins:
            if pin.outcome is not Outcome.ALREADY:
                tell(Text(f"{file.name}:{pin.line}", Style.PLACE) + ": " + _line(pin))
    for name, what in found.left_alone:
        tell(Text(name, Style.PLACE) + f": not edited: this is {what}")


def _line(pin: Pin) -> Text:
    old = Text(f"{pin.name}@" if pin.name else "") + _short(pin.old)
    if pin.outcome is Outcome.REWRITTEN and pin.new is not None:
        return old + " → " + _short(pin.new)
    word, remark = _REMARKS[pin.outcome]
    return old + " " + Text(word, Style.WARNING) + remark


def _short(digest: str) -> Text:
    return Text(Digest(digest).short() if ":" in digest else digest[:_HEX], Style.DIGEST)


def pins_summary(found: FoundPins) -> None:
    """How many pins there are of each kind, in one line on standard error."""
    counts, files = found.counts, len(found.changed)
    rewritten = counts[Outcome.REWRITTEN]
    parts = ["no pins rewritten"]
    if rewritten:
        done = "rewritten" if found.written else "would be rewritten"
        parts = [f"{count_of('pin', rewritten)} {done} in {count_of('file', files)}"]
    parts += [
        f"{counts[outcome]} {words}"
        for outcome, words in (
            (Outcome.ALREADY, "up to date"),
            (Outcome.DROPPED, "dropped"),
            (Outcome.UNKNOWN, "unknown"),
            (Outcome.BARE, "without sha256:"),
        )
        if counts[outcome]
    ]
    refused = "; --strict: nothing was written" if found.refused else ""
    tell(", ".join(parts) + refused)
