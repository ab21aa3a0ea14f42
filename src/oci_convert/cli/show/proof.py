"""A proof, and the chain of digests that it rests on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from oci_convert.cli.show.terminal import say
from oci_convert.cli.show.text import Style, Text, joined

if TYPE_CHECKING:
    from oci_convert.proof.answer import Link, Proof

__all__ = ["proof"]

_DIGEST: Final = re.compile(r"(sha\d+:[0-9a-f]{12})[0-9a-f]+")
_ANSWERS: Final = {
    "proved": Style.GOOD,
    "not-proved": Style.ERROR,
    "not-decidable": Style.WARNING,
}


def proof(found: Proof) -> None:
    """A chain, one line a link, then what it leaves open, then the answer."""
    answer = found.answer.value
    otherwise = Text("unknown", Style.WARNING)
    if answer == "not-proved":
        otherwise = Text("BROKEN", Style.ERROR)
    for link in found.chain:
        say(_link(link, otherwise))
    if found.reason:
        say(found.reason)
    say(Text(answer.replace("-", " "), _ANSWERS[answer]))


def _link(link: Link, otherwise: Text) -> Text:
    if link.expected == link.found or link.link == "left-out":
        told = link.expected or ""
    elif link.ok:
        told = f"{link.expected} → {link.found}"
    else:
        told = f"expected {link.expected or 'none'}, found {link.found or 'none'}"
    if link.link == "layer" and link.ok:
        told = _DIGEST.sub(r"\1", told)
    words = [
        Text(f"{link.link:<8}"),
        Text("" if link.link == "original" else link.where, Style.PLACE),
        Text(told, Style.DIGEST),
        Text(f"({link.note})" if link.note else ""),
        Text("ok", Style.GOOD) if link.ok else otherwise,
    ]
    return joined("  ", words)
