"""The schemas of ``docs/schema``, made from the very classes that write and read the JSON.

Descriptions are the docstrings below the fields. Only what a type cannot say stands here: which
codes findings have, and what the values of a difference are.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, get_args, get_type_hints

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from oci_convert.cli.found_pins import RepinnedFiles
from oci_convert.comparison.difference import CompanionValue, Diff, DifferenceKind, LayerValue
from oci_convert.findings import CODES
from oci_convert.fleet.overview import Overview
from oci_convert.fleet.results import JobResult, Summary
from oci_convert.inspection.inspect import Inspected, Inspection
from oci_convert.plain import Plain
from oci_convert.profiles.check import Check
from oci_convert.profiles.rules import RULES
from oci_convert.profiles.schema import Profile
from oci_convert.proof.answer import Proof
from oci_convert.report import Report
from oci_convert.spec.matrix import Matrix
from oci_convert.spec.models import Model
from oci_convert.verification.verify import Verification, VerifiedImage

__all__ = ["NAMES", "text_of"]

_ROOTS: Final[dict[str, tuple[type, str]]] = {
    "check": (Check, "`check --json`"),
    "diff": (Diff, "`diff --json` and `verify --same-as --json`"),
    "inspection": (Inspection, "`inspect --json`"),
    "media-types": (Matrix, "`media-types --json`"),
    "overview": (Overview, "`report --json`"),
    "profile": (Profile, "a file of TOML that `--for` takes"),
    "proof": (Proof, "`prove --json`"),
    "record": (Report, "`convert --record`"),
    "repin": (RepinnedFiles, "`repin --json`"),
    "report": (Report, "`convert --json`"),
    "result": (JobResult, "a line of `--results`"),
    "summary": (Summary, "`batch --json` and `sync --json`"),
    "verification": (Verification, "`verify --json`"),
}
NAMES: Final = tuple(_ROOTS)
_DIGEST: Final = "^[a-z0-9]+([+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"
_KIND: Final = DifferenceKind
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_VALUES: Final[list[tuple[tuple[DifferenceKind, ...], dict[str, Any]]]] = [
    (
        (_KIND.PLATFORM, _KIND.IMAGE_ID, _KIND.DIGEST, _KIND.INDEX, _KIND.REPEATED),
        {"type": "string", "pattern": _DIGEST},
    ),
    ((_KIND.IMAGE, _KIND.MEDIA_TYPE, _KIND.MISLABELLED), {"type": "string"}),
    ((_KIND.LAYER, _KIND.PACKING), {"$ref": "#/$defs/LayerValue"}),
    ((_KIND.ORDER,), _TEXTS),
    ((_KIND.COMPANION,), {"$ref": "#/$defs/CompanionValue"}),
]
"""What both values of a difference are, by its kind."""
_ADDED: Final = ("title", "default", "readOnly", "additionalProperties")
"""What pydantic says besides, and nobody needs to know."""


class _AllThere(GenerateJsonSchema):
    """What is written has every field, also those that what is read may lack."""

    def field_is_required(self, field: Any, *args: Any, **options: Any) -> bool:
        if field["type"] in ("dataclass-field", "computed-field"):
            return True
        return super().field_is_required(field, *args, **options)


def text_of(name: str) -> str:
    """The schema of that name, as it stands in its file."""
    kind, printed = _ROOTS[name]
    made = _schema(kind)
    if name == "report":
        del made["properties"]["originals"]
        made["required"].remove("originals")
    if name == "diff":
        _describe_values(made)
    if name == "profile":
        _describe_file(made)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{name}.json",
        "title": name.replace("-", " ").capitalize(),
        "description": f"{made.pop('description').removesuffix('.')}: {printed}.",
    }
    definitions = made.pop("$defs", {})
    body = {**head, **made, "$defs": definitions}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _describe_file(profile: dict[str, Any]) -> None:
    """What a person writes: without its name, which is that of the file; and nothing else."""
    del profile["properties"]["name"]
    profile["required"].remove("name")
    rule = profile["$defs"]["Rule"]
    rule["properties"]["rule"]["enum"] = sorted(RULES)
    rule["properties"]["seen"]["pattern"] = "^20[0-9]{2}-[01][0-9](-[0-3][0-9])?$"
    for closed in (profile, rule):
        closed["additionalProperties"] = False


def _schema(kind: type) -> dict[str, Any]:
    # What is written has every member; what is read, those that it must have.
    written = issubclass(kind, Plain) or kind is Matrix
    made = TypeAdapter(kind).json_schema(
        mode="serialization" if written else "validation",
        schema_generator=_AllThere if written else GenerateJsonSchema,
    )
    del made["title"]
    _describe(made, kind)
    classes = {one.__name__: one for one in _named(kind, set())}
    for name, definition in made.get("$defs", {}).items():
        _describe(definition, classes[name])
    plain: dict[str, Any] = _plain(made)
    if "Finding" in plain.get("$defs", {}):
        code = plain["$defs"]["Finding"]["properties"]["code"]
        code.pop("type")
        code["enum"] = list(CODES)
    return plain


def _named(kind: Any, seen: set[Any]) -> Iterator[type]:
    """The classes of ours that the annotations of ``kind`` name, and so on."""
    if isinstance(kind, type) and kind.__module__.startswith("oci_convert."):
        if kind in seen:
            return
        seen.add(kind)
        yield kind
        kinds: list[Any] = [] if issubclass(kind, Enum) else [*get_type_hints(kind).values()]
        properties = [getattr(member, "wrapped", member) for member in tuple(vars(kind).values())]
        getters = [one.fget for one in properties if isinstance(one, property)]
        kinds += [get_type_hints(getter).get("return") for getter in getters]
    else:
        kinds = list(get_args(kind))
    for one in kinds:
        yield from _named(one, seen)


def _describe(definition: dict[str, Any], kind: type) -> None:
    """Describe a class and its members by its docstrings."""
    docs = dict(_docstrings(kind))
    definition["description"] = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]
    if issubclass(kind, Enum):
        told = [f"{member.value}: {docs[member.name]}" for member in kind if member.name in docs]
        definition["description"] = " ".join([definition["description"], *told])
    names = {}
    if issubclass(kind, Model):
        names = {field.alias: name for name, field in kind.model_fields.items() if field.alias}
    for member, described in definition.get("properties", {}).items():
        text = docs.get(names.get(member, member)) or docs.get(_spelled(member))
        if text is not None:
            described["description"] = text
        if member == "digest" and kind not in _AS_STATED:
            described["pattern"] = _DIGEST


_AS_STATED: Final = (Inspected, VerifiedImage)
"""What shows digests that are none, too: those of what is broken."""


def _spelled(member: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", member)


def _docstrings(kind: type) -> Iterator[tuple[str, str]]:
    """What stands below each field of a class, or each member of an enumeration."""
    for one in reversed(kind.__mro__):
        if not one.__module__.startswith("oci_convert"):
            continue
        # Not by the source of the class: where an enumeration ends, Python 3.13 cannot tell.
        module = ast.parse(inspect.getsource(sys.modules[one.__module__]))
        (tree,) = (
            found
            for found in module.body
            if isinstance(found, ast.ClassDef) and found.name == one.__name__
        )
        for before, after in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                target = before.targets[0] if isinstance(before, ast.Assign) else None
                target = before.target if isinstance(before, ast.AnnAssign) else target
                if isinstance(target, ast.Name):
                    yield target.id, inspect.cleandoc(str(after.value.value))


def _plain(value: Any) -> Any:
    """``value`` without what pydantic adds, its descriptions in the words of JSON."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for name, member in value.items():
        if name in ("title", "default", "readOnly", "additionalProperties") and not isinstance(
            member, dict
        ):
            continue
        made[name] = _plain(member)
        if name == "description" and isinstance(member, str):
            made[name] = _worded(member)
    return made


def _worded(text: str) -> str:
    text = re.sub(r":\w+:`~?([\w.]+)`", r"`\1`", " ".join(text.split()))
    text = text.replace("``None``", "null").replace("``", "`")
    return text if text.endswith(".") else f"{text}."


def _describe_values(diff: dict[str, Any]) -> None:
    """What the values of a difference are, by its kind; one of both must be there."""
    for kind in (LayerValue, CompanionValue):
        made = _schema(kind)
        diff["$defs"] |= made.pop("$defs", {}) | {kind.__name__: made}
    difference = diff["$defs"]["Difference"]
    sides = ("left", "right")
    difference["required"] = [name for name in difference["required"] if name not in sides]
    difference["anyOf"] = [{"required": [side]} for side in sides]
    difference["allOf"] = [
        {
            "if": {"properties": {"kind": {"enum": [*map(str, kinds)]}}, "required": ["kind"]},
            "then": {"properties": dict.fromkeys(sides, value)},
        }
        for kinds, value in _VALUES
    ]
