"""Profiles: what a target takes. Each is a TOML file in ``data/``, or somebody's own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import ConfigDict, ValidationError

from oci_convert.errors import UsageError
from oci_convert.options import Options
from oci_convert.plain import adapter
from oci_convert.spec.media_types import Compression, Family
from oci_convert.spec.models import first_fault
from oci_convert.stores.files.system import cannot_read
from oci_convert.text.brief import Brief
from oci_convert.text.suggestion import did_you_mean, nearest
from oci_convert.text.wording import Wording

__all__ = ["NAMES", "Evidence", "Profile", "Rule", "names_in", "profile_of", "profiles_of"]

_FOLDER: Final = files("oci_convert.profiles") / "data"
NAMES: Final = (
    *("docker-20.10", "docker-29", "containerd", "containerd-1.6", "podman", "skopeo"),
    *("distribution-2.8", "oci-1.0", "oci-1.1", "docker-v2s2"),
    *("lambda", "ecr", "gar", "ghcr", "gitlab", "quay", "zot", "nexus", "harbor"),
)
"""Every profile: first those that are tried by the tests of this project, or are specifications."""
_FILE: Final = ".toml"
"""How the name of a profile ends that is a file of somebody's own."""
_MOST: Final = 1 << 20
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

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    rule: str
    """What is looked for: one of :data:`oci_convert.profiles.rules.RULES`."""
    says: str
    """What the target does, in a sentence without its end."""
    evidence: Evidence
    """How it is known."""
    source: str
    """Where it is said, or how it was measured."""
    seen: str
    """The date of that."""
    value: Any = None
    """What the rule takes: a number, a family, or a list."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options of a conversion that mend it; empty if none does."""
    advice: str = ""
    """What else to do."""


@dataclass(frozen=True, slots=True, repr=False)
class Profile(Brief):
    """A target: a registry, a runtime or a platform."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    name: str
    """How it is asked for: the name of its file."""
    title: str
    """What it is called."""
    about: str
    """What is meant, with its version."""
    to: str | None = None
    """The family to convert to where the destination does not say it."""
    rules: tuple[Rule, ...] = ()
    """What it refuses."""

    @classmethod
    def from_toml(cls, name: str, text: str) -> Profile:
        """The profile in a file; raises :class:`ValueError` for one that breaks the schema."""
        content = tomllib.loads(text)
        try:
            profile = adapter(cls).validate_python({**content, "name": name})
        except ValidationError as error:
            raise ValueError(first_fault(error)) from None
        if not profile.title or not profile.about:
            raise ValueError("it has no title, or does not say what is meant")
        if profile.to not in (None, *Family):
            raise ValueError(f"to: there is no family {profile.to!r}")
        rules = [_checked(f"rules[{at}]", rule) for at, rule in enumerate(profile.rules)]
        return replace(profile, rules=tuple(rules))


def _checked(where: str, rule: Rule) -> Rule:
    """A rule with its advice in words; raises :class:`ValueError` for one that says too little."""
    from oci_convert.profiles.rules import RULES

    if rule.rule not in RULES:
        near = did_you_mean(nearest(rule.rule, tuple(RULES)), f"rules: {', '.join(RULES)}")
        raise ValueError(f"{where}: there is no rule {rule.rule!r}; {near}")
    if not _takes(rule):
        raise ValueError(f"{where}: {rule.rule} does not take the value {rule.value!r}")
    if not _DATE.fullmatch(rule.seen) or not rule.source:
        raise ValueError(f"{where}: {rule.rule} lacks a source, or a date such as 2026-11")
    if rule.says.endswith("."):
        raise ValueError(f"{where}: what {rule.rule} says ends with a stop")
    try:
        Options.from_json(rule.options)
    except UsageError as error:
        raise ValueError(f"{where}: {error}") from None
    return replace(rule, advice=Wording(rule.advice))


def _takes(rule: Rule) -> bool:
    """Whether the value of a rule is of the kind that it looks for."""
    value, name = rule.value, rule.rule
    if name in ("layers", "layer-size", "document-size"):
        return isinstance(value, int) and value > 0
    if name in ("family", "mixed-config"):
        return value in list(Family)
    if name == "mixed-families":
        return value in (None, *Family)
    if name == "compression":
        return isinstance(value, list) and set(map(str, value)) <= set(Compression)
    texts = isinstance(value, list) and all(isinstance(it, str) for it in value)
    return texts or (value is None and name not in ("media-type", "digest", "platform"))


def profile_of(name: str) -> Profile:
    """The profile of that name, or in that file, if it ends in ``.toml``.

    Raises :class:`UsageError` (``unknown-profile``, ``invalid-profile``), and :class:`StoreError`
    (``cannot-read``) for a file that cannot be read.
    """
    if name.endswith(_FILE):
        return _own(Path(name))
    if name not in NAMES:
        raise UsageError(
            f"there is no profile {name!r}",
            code="unknown-profile",
            where=Wording("{profiles}"),
            remedy=did_you_mean(nearest(name, NAMES), f"profiles: {', '.join(NAMES)}"),
        )
    return _shipped(name)


@cache
def _shipped(name: str) -> Profile:
    with (_FOLDER / f"{name}{_FILE}").open(encoding="utf-8") as file:
        return Profile.from_toml(name, file.read())


def _own(path: Path) -> Profile:
    """A profile of somebody's own."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MOST)
    except (OSError, UnicodeDecodeError) as error:
        raise cannot_read(
            "profile", error, str(path), "give a file of TOML, or the name of a profile"
        ) from error
    try:
        return Profile.from_toml(path.stem, text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"this is no profile: {error}",
            code="invalid-profile",
            where=str(path),
            remedy="docs/schema/profile.json says what is in one",
        ) from None


def profiles_of(text: str) -> tuple[Profile, ...]:
    """The profiles that a text names, with commas between them."""
    return tuple(map(profile_of, names_in([text])))


def names_in(texts: Iterable[str]) -> tuple[str, ...]:
    """The names in such texts, each of which has a profile; raises as :func:`profile_of` does."""
    names = tuple(name.strip() for text in texts for name in text.split(","))
    for name in names:
        profile_of(name)
    return names
