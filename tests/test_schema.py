"""What the command prints as JSON is what docs/schema says, member by member.

The published schemas are open, as a later release may add members. Here they are closed, so that no
member can appear without its description.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from oci_convert import (
    Job,
    Options,
    check,
    convert,
    convert_many,
    diff,
    inspect,
    prove,
    translate,
    verify,
)
from oci_convert.cli.found_pins import find_pins
from oci_convert.cli.text_files import TextFile
from oci_convert.comparison.difference import DifferenceKind, Verdict
from oci_convert.errors import OciConvertError
from oci_convert.findings import Level
from oci_convert.fleet.overview import overview
from oci_convert.profiles.schema import NAMES as PROFILES
from oci_convert.profiles.schema import Profile
from oci_convert.proof.answer import Answer
from oci_convert.report import Report
from oci_convert.spec.media_types import Family
from oci_convert.stores.memory import Memory
from oci_convert.transform.repin import Outcome
from support import archives
from support.command import Command
from support.images import (
    Image,
    attestation,
    cosign_signature,
    cosign_tag,
    docker_image,
    image_list,
    layer,
    layout_files,
    oci_image,
    referrer,
    write_layout,
)
from support.malformed import Malformed
from support.runs import AT_HOME, FIVE, MISLABELLED, UNRETURNABLE, everything, platforms
from support.schema import NAMES, text_of
from support.strategies import odd_documents
from support.target_images import IMAGES as FOR_TARGETS
from test_diff import SINGLE
from test_malformed import MALFORMED
from test_profiles import BROKEN, profile_text

PROJECT: Final = Path(__file__).parent.parent
FOLDER: Final = PROJECT / "docs" / "schema"
TESTDATA: Final = ("docker-dir", "docker-list-dir", "docker-save.tar", "oci-layout", "oci-rc2")
SCHEMAS: Final[dict[str, Any]] = {
    path.stem: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))
}


# -- the schemas themselves ---------------------------------------------------------------------


def nodes(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every object in a schema, with its path."""
    if isinstance(value, dict):
        yield path, value
        for name, member in value.items():
            yield from nodes(member, f"{path}/{name}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from nodes(item, f"{path}/{i}")


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_made_of_its_class(name: str, request: pytest.FixtureRequest) -> None:
    file, made = FOLDER / f"{name}.json", text_of(name)
    if request.config.getoption("--regenerate-golden"):
        file.write_text(made, encoding="utf-8", newline="\n")
    assert file.read_text(encoding="utf-8") == made, "pytest --regenerate-golden writes it"


def test_every_schema_is_of_a_class() -> None:
    assert sorted(SCHEMAS) == sorted(NAMES)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_and_names_itself(name: str) -> None:
    made = SCHEMAS[name]
    Draft202012Validator.check_schema(made)
    assert made["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert made["$id"] == f"{name}.json"
    assert made["title"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_member_says_what_it_is(name: str) -> None:
    definitions = SCHEMAS[name].get("$defs", {})
    for path, node in nodes(SCHEMAS[name]):
        if "/allOf/" in path:
            continue  # conditions
        for member, described in node.get("properties", {}).items():
            told = described.get("description")
            if "$ref" in described and not told:
                told = definitions[described["$ref"].removeprefix("#/$defs/")]["description"]
            assert told or "const" in described, f"{path}/{member}"
        if "properties" in node:
            assert node["description"].endswith("."), path


def test_what_several_schemas_define_they_define_alike() -> None:
    known: dict[str, Any] = {}
    for made in SCHEMAS.values():
        for name, definition in made.get("$defs", {}).items():
            assert known.setdefault(name, definition) == definition, name


def at(path: str) -> Any:
    name, *steps = path.split("/")
    node = SCHEMAS[name]
    for step in steps:
        node = node[step]
    return node


def test_the_page_lists_every_schema() -> None:
    page = (PROJECT / "docs" / "json.md").read_text(encoding="utf-8")
    for name in SCHEMAS:
        assert f"(schema/{name}.json)" in page


# -- what is printed ----------------------------------------------------------------------------


def closed(schema: Any) -> Any:
    """The schema without room for a member that it does not describe."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(member) for name, member in schema.items() if name != "if"}
    if "if" in schema:
        made["if"] = schema["if"]
    if "properties" in made and "type" in made:
        made.setdefault("additionalProperties", False)
    return made


@cache
def validators() -> dict[str, Draft202012Validator]:
    resources = {f"{name}.json": Resource.from_contents(closed(it)) for name, it in SCHEMAS.items()}
    registry: Registry[Any] = Registry().with_resources(resources.items())
    return {
        name: Draft202012Validator(resources[f"{name}.json"].contents, registry=registry)
        for name in SCHEMAS
    }


def valid(name: str, value: Any) -> None:
    """What is printed is described, and printing it changes nothing."""
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    found = next(validators()[name].iter_errors(value), None)
    assert found is None, f"{name}: {found.json_path}: {found.message}"


def report_is_valid(report: Report) -> None:
    valid("report", report.to_json())
    valid("record", report.to_json(originals=True))


SBOM = referrer(docker_image(), "packages")
SIGNED = {
    "app": docker_image(),
    "": SBOM,
    cosign_tag(docker_image()): cosign_signature(docker_image()),
}
IMAGES: dict[str, Image] = {
    **{name: image for name, (image, _) in {**AT_HOME, **MISLABELLED, **UNRETURNABLE}.items()},
    "everything": everything(),
    "five layers": oci_image(FIVE),
    "platforms": image_list(platforms("linux/amd64", "linux/arm/v7", "windows/amd64")),
    "attested": image_list([oci_image(), attestation(oci_image())]),
}


OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"compress": "keep", "dry_run": True},
    {"compress": "gzip", "level": 1},
)


@pytest.mark.parametrize("to", Family)
@pytest.mark.parametrize("name", IMAGES)
def test_a_report_is_described(name: str, to: str) -> None:
    source = Memory(layout_files({"app": IMAGES[name]}))
    for options in OPTIONS:
        try:
            report_is_valid(convert(source, Memory(), to=to, **options))
        except OciConvertError:
            assert to != "oci"


def test_what_speaks_of_images_and_what_failed_is_described(tmp_path: Path) -> None:
    source = Memory(layout_files(SIGNED))
    for policy in ("auto", "keep", "drop"):
        options: dict[str, Any] = {"referrers": policy, "signatures": policy}
        report_is_valid(convert(source, Memory(), to="oci", **options))
        report_is_valid(convert(source, Memory(), to="docker", **options))
    broken = layout_files({"b": oci_image([layer("x")])})
    broken.pop(f"blobs/{layer('x').digest.replace(':', '/')}")
    report = convert([source, Memory(broken)], Memory(), to="oci", keep_going=True)
    assert report.failures
    report_is_valid(report)


@given(odd_documents())
def test_odd_documents_are_described(document: dict[str, Any]) -> None:
    definitions = {"$defs": closed(SCHEMAS["report"]["$defs"]), "$ref": "#/$defs/Finding"}
    described = Draft202012Validator(definitions)
    try:
        found = translate(archives.compact(document), to="oci").findings
    except OciConvertError:
        return
    for finding in found:
        described.validate(finding.to_json())


ANSWERS: dict[str, Callable[[Any], Any]] = {"inspection": inspect, "verification": verify}


@pytest.mark.parametrize("name", [*IMAGES, "signed"])
def test_an_inspection_and_a_verification_are_described(name: str) -> None:
    images = SIGNED if name == "signed" else {"app": IMAGES[name], "": oci_image([layer("_")])}
    source = Memory(layout_files(images))
    for schema, ask in ANSWERS.items():
        valid(schema, ask(source).to_json())


@pytest.mark.parametrize("case", MALFORMED.values(), ids=MALFORMED.keys())
def test_faults_are_described(case: Malformed, tmp_path: Path) -> None:
    source = case.store(tmp_path / "source")
    for schema, ask in ANSWERS.items():
        with suppress(OciConvertError):  # where a store cannot be read at all, there is no answer
            valid(schema, ask(source).to_json())


@pytest.mark.parametrize("name", TESTDATA)
def test_testdata_is_described(name: str) -> None:
    source = PROJECT / "testdata" / name
    for schema, ask in ANSWERS.items():
        valid(schema, ask(source).to_json())
    target = Memory()
    report_is_valid(convert(source, target, to="oci"))
    valid("diff", diff(source, target).to_json())


def test_findings_of_every_level_were_among_them() -> None:
    found: Counter[Level] = Counter()
    for image in IMAGES.values():
        source = Memory(layout_files({"app": image}))
        found.update(finding.level for finding in verify(source).findings)
        with suppress(OciConvertError):
            found.update(f.level for f in convert(source, Memory(), to="docker").findings)
    assert set(found) == set(Level)


@pytest.mark.parametrize("case", SINGLE.values(), ids=SINGLE.keys())
def test_a_difference_is_described(case: tuple[Image, Image, Verdict, Any]) -> None:
    left, right = (Memory(layout_files({"app": image})) for image in case[:2])
    for found in (diff(left, right), diff(right, left), diff(left, left)):
        valid("diff", found.to_json())


def test_differences_beside_the_images_are_described() -> None:
    one, other = Memory(layout_files(SIGNED)), Memory(layout_files({"app": docker_image()}))
    found = diff(one, other)
    assert any(it.kind is DifferenceKind.COMPANION for it in found)
    valid("diff", found.to_json())
    valid("diff", diff(other, Memory(layout_files({"b": everything()}))).to_json())


def test_every_answer_of_prove_is_described() -> None:
    image = docker_image()
    source = Memory(layout_files({"app": image}))
    kept, packed = Memory(), Memory()
    convert(source, kept, to="oci")
    report = convert(source, packed, to="oci", compress="zstd")
    record = report.dumps(originals=True).encode()
    other = docker_image([layer("evil")])
    proofs = [
        prove(kept, image.digest),
        prove(packed, image.digest),
        prove(packed, image.manifest),
        prove(packed, record),
        prove(kept, other.manifest),
        prove(kept, other.digest),
        prove(Memory(layout_files({"app": other})), record),
    ]
    assert {proof.answer for proof in proofs} == set(Answer)
    for proof in proofs:
        valid("proof", proof.to_json())


def test_every_outcome_of_repin_is_described() -> None:
    old, new, gone = (f"sha256:{digit * 64}" for digit in "123")
    text = f"a@{old} b@{new} {gone} c@sha256:{'4' * 64}\n{old[7:]}\n"
    pins = {old: new, gone: None}
    seen: set[Any] = set()
    for bare in (False, True):
        files = [TextFile("app.yaml", Path("app.yaml"), text)]
        files.append(TextFile("list.json", Path("list.json"), f'{{"manifests": [], "a": "{old}"}}'))
        found = find_pins(files, pins, bare=bare)
        valid("repin", found.to_json())
        seen.update(pin.outcome for _, repinned in found.files for pin in repinned.pins)
    assert seen == set(Outcome)


def test_a_check_is_described(tmp_path: Path) -> None:
    for at, image in enumerate(FOR_TARGETS.values()):
        write_layout({"app": image}, tmp_path / str(at))
        with suppress(OciConvertError):
            valid("check", check(f"oci:{tmp_path / str(at)}:app", PROFILES).to_json())


def test_results_of_a_fleet_are_described(tmp_path: Path) -> None:
    write_layout({"app": everything()}, tmp_path / "layout")
    source, results = f"oci:{tmp_path}/layout:app", tmp_path / "results.jsonl"
    jobs = [
        Job(source, f"dir:{tmp_path}/docker", Options(to="docker", platforms=("linux/s390x",))),
        Job(f"{source}-2", f"oci:{tmp_path}/out:a"),
        Job(source, f"oci:{tmp_path}/out:b", targets=("podman",)),
    ]
    found = [*convert_many(jobs, results=results), *convert_many(jobs, results=results)]
    assert {it.status.value for it in found} == {"done", "failed", "unchanged"}
    for result in found:
        valid("result", result.to_json())
    valid("overview", overview(found).to_json())
    *lines, last = map(json.loads, results.read_text("utf-8").splitlines())
    valid("summary", last["summary"])
    for line in lines:
        if "summary" not in line:
            valid("result", line)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_described(name: str) -> None:
    text = (PROJECT / f"src/oci_convert/profiles/data/{name}.toml").read_text("utf-8")
    valid("profile", tomllib.loads(text))


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_a_profile_is_not_described_or_refused(case: str) -> None:
    text = profile_text(**BROKEN[case])
    with pytest.raises(ValueError, match=r".+"):
        Profile.from_toml("x", text)
    refused = not validators()["profile"].is_valid(tomllib.loads(text))
    assert refused is (case in ("no such rule", "no date", "no such evidence", "a member too many"))


# -- the command --------------------------------------------------------------------------------


def test_the_command_prints_what_the_schemas_say(tmp_path: Path, command: Command) -> None:
    write_layout({"app": everything(), "other": oci_image()}, tmp_path / "layout")
    (tmp_path / "app.yaml").write_text(f"image: app@{oci_image().digest}\n")
    job = {"source": "oci:layout:other", "destination": "oci:third:a"}
    (tmp_path / "jobs.jsonl").write_text(f"{json.dumps(job)}\n")
    calls: dict[str, tuple[str, ...]] = {
        "report": ("convert", "oci:layout", "oci:new", "--json", "--record", "record.json"),
        "inspection": ("inspect", "oci:layout", "--json"),
        "verification": ("verify", "oci:layout", "--json"),
        "diff": ("diff", "oci:layout:other", "oci:layout:app", "--json"),
        "proof": ("prove", "oci:layout:other", "--original", oci_image().digest, "--json"),
        "repin": ("repin", "--map", "record.json", "app.yaml", "--check", "--json"),
        "media-types": ("media-types", "--json"),
        "check": ("check", "oci:layout:app", "--for", "lambda,podman", "--json"),
        "summary": ("batch", "jobs.jsonl", "--results", "results.jsonl", "--json"),
        "overview": ("report", "results.jsonl", "--json"),
    }
    for name, arguments in calls.items():
        valid(name, command(*arguments).json)
    for profile in command("profiles", "--json").json["profiles"]:
        valid("profile", {key: value for key, value in profile.items() if key != "name"})
    valid("record", json.loads((tmp_path / "record.json").read_bytes()))
    valid("diff", command("verify", "oci:new", "--same-as", "oci:layout", "--json").json)
