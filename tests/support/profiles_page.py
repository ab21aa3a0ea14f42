"""The profiles as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from oci_convert.cli.spelling import spelled
from oci_convert.profiles.check import marked
from oci_convert.profiles.schema import NAMES, Profile, Rule, profile_of
from oci_convert.text.wording import Wording

__all__ = ["markdown"]

_HEAD: Final = """\
# Profiles of targets

Generated from `src/oci_convert/profiles/data`. `oci-convert check IMAGE --for PROFILE` says whether
a target would take an image, and `convert --for PROFILE` makes it fit. Nothing is sent anywhere: an
image is judged by its documents. What is not listed here is not known to be refused, which is less
than a promise that it is taken.

Each rule says how it is known: *measured* is tried by the tests of this project, *documented*
stands in a specification or in what the vendor says, *reported* is told by others and not tried
here. A report that is no longer true is worth an issue. [What was tried](how-to/targets.md), with
which versions, and what could not be, is on a page of its own.
"""


def markdown() -> str:
    """The page."""
    return "\n".join([_HEAD, *(line for name in NAMES for line in _section(profile_of(name)))])


def _section(profile: Profile) -> Iterator[str]:
    yield f"## `{profile.name}`"
    yield ""
    to = f" Converted to {profile.to} where the destination does not say it." if profile.to else ""
    yield f"{profile.title}: {profile.about}.{to}"
    yield ""
    yield "| rule | what happens | mended by | known |"
    yield "|---|---|---|---|"
    for rule in profile.rules:
        yield f"| {_named(rule)} | {rule.says} | {_mended(rule)} | {_known(rule)} |"
    yield ""


def _named(rule: Rule) -> str:
    if rule.value is None:
        return f"`{rule.rule}`"
    value = ", ".join(map(str, rule.value)) if isinstance(rule.value, list) else rule.value
    return f"`{rule.rule}`: {value}"


def _mended(rule: Rule) -> str:
    options = " ".join(spelled(Wording(marked(it))) for it in rule.options.items())
    told = (f"`{options}`" if options else "", spelled(rule.advice))
    return "; ".join(filter(None, told)) or "nothing here"


def _known(rule: Rule) -> str:
    link = f"[{rule.evidence.value}]({rule.source})" if ":" in rule.source else rule.evidence.value
    return f"{link} {rule.seen}"
