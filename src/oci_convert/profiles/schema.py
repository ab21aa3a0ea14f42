"""Profiles: what a target takes. Each is a TOML file in ``data/``, and this is its schema."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final

from oci_convert.errors import UsageError
from oci_convert.options import Options
from oci_convert.text.brief import Brief
from oci_convert.text.suggestion import did_you_mean, nearest
from oci_convert.text.wording import Wording

__all__ = ["NAMES", "Evidence", "Profile", "Rule", "profile_of", "profiles_of"]

_FOLDER: Final = files("oci_convert.profiles") / "data"
NAMES: Final = (
    *("docker-20.10", "docker-29", "containerd", "containerd-1.6", "podman", "skopeo"),
    *("distribution-2.8", "oci-1.0", "oci-1.1", "docker-v2s2"),
    *("lambda", "ecr", "gar", "ghcr", "gitlab", "quay", "zot", "nexus", "harbor"),
)
"""Every profile: first those that are tried by the tests of this project, or are specifications."""
_DATE: Final = re.compile(r"20[0-9]{2}-[01][0-9](?:-[0-3][0-9])?")


class Evidence(StrEnum):
    """How a rule is known."""

    MEASURED = "measured"
    """Tried by this project, and tried again by its tests."""
    DOCUMENTED = "documented"
    """In a specification, or in what the vendor says."""
    REPORTED = "reported"
    """Told by others, and not tried here."""


@dataclass(frozen=True, slots=True, repr=False)
class Rule(Brief):
    """One thing that a target refuses."""

    rule: str
    """What is looked for: one of :data:`oci_convert.profiles.rules.RULES`."""
    says: str
    """What the target does, in a sentence without its end."""
    evidence: Evidence
    source: str
    """Where it is said, or how it was measured."""
    seen: str
    """The date of that."""
    value: Any = None
    """What the rule takes: a number, or a list."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options of a conversion that mend it; empty if none does."""
    advice: str = ""
    """What else to do."""


@dataclass(frozen=True, slots=True, repr=False)
class Profile(Brief):
    """A target."""

    name: str
    title: str
    about: str
    """What is meant, with its version."""
    to: str | None = None
    """The family to convert to where the destination does not say it."""
    rules: tuple[Rule, ...] = ()

    @classmethod
    def from_toml(cls, name: str, text: str) -> Profile:
        """The profile in a file; raises :class:`ValueError` for one that breaks the schema."""
        content = tomllib.loads(text)
        rules = tuple(_rule(name, member) for member in content.pop("rules", []))
        profile = cls(name, rules=rules, **content)
        if not profile.title or not profile.about:
            raise ValueError(f"{name} has no title, or does not say what is meant")
        return profile


def _rule(name: str, content: dict[str, Any]) -> Rule:
    from oci_convert.profiles.rules import RULES

    advice = Wording(content.get("advice", ""))
    rule = Rule(**{**content, "evidence": Evidence(content["evidence"]), "advice": advice})
    if rule.rule not in RULES:
        raise ValueError(f"{name}: there is no rule {rule.rule}")
    if not _DATE.fullmatch(rule.seen) or not rule.source or rule.says.endswith("."):
        raise ValueError(f"{name}: {rule.rule} lacks a source or a date, or ends with a stop")
    Options.from_json(rule.options)
    return rule


@cache
def profile_of(name: str) -> Profile:
    """The profile of that name; raises :class:`UsageError` (``unknown-profile``)."""
    if name not in NAMES:
        raise UsageError(
            f"there is no profile {name!r}",
            code="unknown-profile",
            where=Wording("{profiles}"),
            remedy=did_you_mean(nearest(name, NAMES), f"profiles: {', '.join(NAMES)}"),
        )
    with (_FOLDER / f"{name}.toml").open(encoding="utf-8") as file:
        return Profile.from_toml(name, file.read())


def profiles_of(text: str) -> tuple[Profile, ...]:
    """The profiles that a text names, with commas between them."""
    return tuple(profile_of(name.strip()) for name in text.split(","))
