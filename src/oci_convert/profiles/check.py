"""``check``: would a target take an image; and the options that make it fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from oci_convert.conversion.source_plan import SourcePlan
from oci_convert.errors import RefusedError
from oci_convert.options import Options
from oci_convert.plain import Plain
from oci_convert.profiles.content import Content, content_of, planned_content
from oci_convert.profiles.rules import RULES
from oci_convert.profiles.schema import Evidence, Profile, profile_of
from oci_convert.spec.media_types import Family
from oci_convert.stores.opening import SourceLike, opened, source_stores
from oci_convert.text.wording import Wording

__all__ = ["Breach", "Check", "approval", "check", "fitting", "marked", "remedy_of"]


@dataclass(frozen=True, slots=True, repr=False)
class Breach(Plain):
    """Something that a target refuses."""

    profile: str
    """The target."""
    rule: str
    """What kind of thing it is."""
    where: str
    """Its place in the image, the first of them."""
    found: str
    """What is there."""
    says: str
    """What the target does about it."""
    evidence: Evidence
    """How that is known."""
    source: str
    """Where it is said, or how it was measured."""
    seen: str
    """When."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options of a conversion that mend it; empty if none does."""
    advice: str = ""
    """What else to do."""
    places: int = 1
    """In how many places it is."""


@dataclass(frozen=True, slots=True, repr=False)
class Check(Plain):
    """Whether targets would take the images of a source."""

    version: Literal[1] = field(default=1, init=False)
    """The version of this format: a key that goes, or changes its meaning, changes it."""
    source: str
    """The reference of the source."""
    profiles: tuple[str, ...]
    """The targets that were asked for."""
    breaches: tuple[Breach, ...] = ()
    """What they refuse."""

    @property
    def fits(self) -> bool:
        """Whether all of them would take it, as far as it is known."""
        return not self.breaches


def check(
    source: SourceLike, profiles: str | Iterable[str], *, follow_links: bool = False
) -> Check:
    """Whether targets would take the images of ``source``, by their documents; nothing is sent.

    ``profiles`` are names of profiles. Raises :class:`UsageError` (``unknown-profile``) and, for an
    image that cannot be read, other :class:`OciConvertError`.
    """
    names = (profiles,) if isinstance(profiles, str) else tuple(profiles)
    targets = [profile_of(name) for name in names]
    with opened(source, follow_links=follow_links) as (reference, store, roots):
        content = content_of(store, roots)
    return Check(str(reference), names, tuple(_breaches(content, targets)))


def _breaches(content: Content, profiles: Sequence[Profile]) -> Iterator[Breach]:
    parts = {place.where: place.part for place in content.places()}
    for profile in profiles:
        for rule in profile.rules:
            found = list(RULES[rule.rule](content, rule.value))
            if found:
                where, what = found[0]
                yield Breach(
                    profile.name,
                    rule.rule,
                    where,
                    what,
                    rule.says,
                    rule.evidence,
                    rule.source,
                    rule.seen,
                    rule.options or _dropping(parts, [where for where, _ in found]),
                    rule.advice,
                    len(found),
                )


def _dropping(parts: Mapping[str, str], places: Sequence[str]) -> dict[str, str]:
    """The options that drop what is at some places, if none of them is of an image itself."""
    found = set()
    for place in places:
        where = place
        while where and where not in parts:  # a member, or one further below
            where = where.rpartition(".")[0]
        found.add(parts.get(where, "images"))
    return {} if "images" in found else dict.fromkeys(sorted(found), "drop")


def fitting(
    sources: SourceLike | Iterable[SourceLike],
    profiles: Sequence[Profile],
    options: Options,
    implied: Family | None = None,
) -> tuple[Options, dict[str, Any]]:
    """The options with those that make the images fit, and which these are.

    Only what the targets refuse in these images is changed, and no option that was given.
    ``implied`` is the family that the destination asks for. An OCI layout holds the other, too: it
    is chosen if the target takes no other, or wants it where the source is of OCI already.
    """
    values: dict[str, Any] = {}
    wanted = next((profile.to for profile in profiles if profile.to is not None), None)
    if options.to is None and wanted is not None and implied is None:
        values["to"] = wanted
    for source in source_stores(sources):
        with opened(source, follow_links=options.follow_links) as (_, store, roots):
            content = content_of(store, roots)
        for breach in _breaches(content, profiles):
            values |= breach.options
        if implied is Family.OCI and any(RULES["family"](content, implied)):
            values.pop("to", None)
    rules = (rule for profile in profiles for rule in profile.rules)
    values |= next(({"to": rule.value} for rule in rules if rule.rule == "family"), {})
    if values.get("to") == implied:
        values.pop("to", None)
    given = options.to_json()
    if implied not in (None, Family.OCI):
        given.setdefault("to", implied.value)
    chosen = {name: value for name, value in values.items() if name not in given}
    return Options.from_json({**options.to_json(), **chosen}), chosen


def approval(
    profiles: Sequence[Profile], options: Options
) -> Callable[[Sequence[SourcePlan]], None]:
    """What refuses a conversion with ``options`` whose result one of the targets would refuse."""
    given = options.to_json()

    def approve(plans: Sequence[SourcePlan]) -> None:
        for breach in _breaches(planned_content(plans), profiles):
            raise RefusedError(
                f"{breach.profile} would refuse {breach.found}: {breach.says} "
                f"({breach.evidence.value} {breach.seen})",
                code="target-would-refuse",
                where=breach.where,
                remedy=remedy_of(breach, given),
            )

    return approve


def remedy_of(breach: Breach, given: Mapping[str, Any] | None = None) -> Wording:
    """What to do about a breach, beside the options that are ``given``."""
    others = [it for it in breach.options.items() if it not in (given or {}).items()]
    arguments = ", ".join(map(marked, others))
    wanted = f"convert it with {arguments}" if arguments else ""
    advice = breach.advice.marked if isinstance(breach.advice, Wording) else breach.advice
    told = "; ".join(filter(None, (wanted, advice)))
    return Wording(told or "no option of a conversion mends it")


def marked(option: tuple[str, object]) -> str:
    """An option as errors write the arguments of the library."""
    name, value = option
    return f"{{{name}={value}}}" if isinstance(value, bool) else f'{{{name}="{value}"}}'
