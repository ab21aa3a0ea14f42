"""Whatever an image says of itself is shown, and obeyed by no terminal and no reader of JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oci_convert.report import read_map
from support import schema1
from support.archives import CONTAINERD_NAME, archive, compact, docker_20
from support.command import Command
from support.images import (
    EMPTY,
    Blob,
    attestation,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
    referrer,
    write_files,
)
from support.malformed import SAVED, row

EVIL = (
    "evil\x1b[31m\x1b]0;title\x07\r\n\t\x00\x9b2J\x7f"
    "\u202egnp\u2066\u200b\u2028\U000e0041[red]x[/red]"
)
"""Colours, a title, a bell, line ends, the one-byte form of escapes, other directions, text that
nobody sees, and the markup of rich."""


def hostile() -> dict[str, bytes]:
    """A layout in which everything that is free text is hostile."""
    said = {EVIL: EVIL, "org.opencontainers.image.title": EVIL}
    odd = oci_image(
        [
            layer("base"),
            layer("f", foreign=True, more={"urls": [EVIL], "annotations": said}, present=False),
        ],
        config=minimal_config(
            [layer("base"), layer("f")],
            platform=f"linux/{EVIL}/{EVIL}".replace("/red", "|red"),
            created=7,
            author=EVIL,
            config={"Env": [EVIL], "Cmd": EVIL, "Labels": {EVIL: EVIL}},
            history=[{"created_by": EVIL}, {"created_by": EVIL, "comment": EVIL}],
        ),
        annotations=said,
    ).with_entry(
        platform={"os": EVIL, "architecture": EVIL, "variant": EVIL, "os.version": EVIL},
        annotations=said,
    )
    artifact = manifest(
        Blob(EMPTY, b"{}"), [Blob(f"text/{EVIL}", b"hello")], artifactType=EVIL, annotations=said
    )
    speaking = attestation(odd)
    speaking = speaking.with_entry(
        annotations={**speaking.entry["annotations"], "vnd.docker.reference.digest": EVIL}
    )
    top = image_list([odd, artifact, speaking], annotations=said)
    others = {f"{EVIL}:2": oci_image([layer("other")]), "3": referrer(odd, EVIL, annotations=said)}
    files = layout_files({EVIL: top, **others})
    index = json.loads(files["index.json"])
    index["manifests"][0]["annotations"][CONTAINERD_NAME] = EVIL
    return {
        **files,
        "index.json": compact(index),
        f"blobs/sha256/{EVIL.replace('/', '|').replace(chr(0), '')}": b"an orphan",
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"oci:{write_files(hostile(), tmp_path_factory.mktemp('hostile'))}"


def run(*arguments: str | bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own, for what depends on the encoding of its streams."""
    plain = {n: v for n, v in os.environ.items() if n not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    done = subprocess.run(
        [sys.executable, "-m", "oci_convert", *arguments],
        capture_output=True,
        check=False,
        env={**plain, "PYTHONUTF8": "1", **environment},
        timeout=60,
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done


def assert_harmless(text: str) -> str:
    """Nothing in it but what is seen, and the ends of our own lines."""
    strange = {c for c in text if c != "\n" and not c.isprintable()}
    assert not strange, sorted(map(hex, map(ord, strange)))
    return text


COMMANDS: dict[str, tuple[str, ...]] = {
    "inspect": ("inspect", "{source}"),
    "inspect in full": ("inspect", "{source}", "--full"),
    "inspect as a graph": ("inspect", "{source}", "--graph"),
    "inspect as JSON": ("inspect", "{source}", "--json"),
    "verify": ("verify", "{source}"),
    "verify as JSON": ("verify", "{source}", "--json"),
    "verify the same": ("verify", "{source}:@0", "--same-as", "{source}:@1"),
    "verify the same as JSON": ("verify", "{source}:@0", "--same-as", "{source}:@1", "--json"),
    "convert to docker": ("convert", "{source}", "oci:{target}", "--to", "docker"),
    "convert as JSON": ("convert", "{source}", "oci:{target}", "--to", "oci", "--json"),
    "convert to a record": (
        "convert",
        "{source}",
        "oci:{target}",
        "--to",
        "docker",
        "--record",
        "{target}.json",
    ),
    "convert one platform": ("convert", "{source}:@0", "oci:{target}", "--platform", "a/b"),
    "convert strictly": ("convert", "{source}:@0", "oci:{target}", "--to", "oci", "--strict"),
    "convert without losses": (
        "convert",
        "{source}:@0",
        "oci:{target}",
        "--to",
        "docker",
        "--on-loss",
        "fail",
    ),
    "convert without an artifact": (
        "convert",
        "{source}",
        "docker-archive:{target}",
        "--to",
        "docker",
    ),
    "convert two into one": ("convert", "{source}", "dir:{target}", "--to", "oci"),
    "a name that is not there": ("inspect", "{source}:nothing"),
    "prove": ("prove", "{source}:@0", "--original", "sha256:" + "0" * 64),
    "prove as JSON": ("prove", "{source}:@0", "--original", "sha256:" + "0" * 64, "--json"),
    "diff": ("diff", "{source}:@0", "{source}:@1"),
    "diff as JSON": ("diff", "{source}:@0", "{source}:@1", "--json"),
}


SILENT = {
    "convert strictly",
    "verify the same",
    "verify the same as JSON",
    "prove",
    "prove as JSON",
    "diff",
    "diff as JSON",
}
"""They have nothing to say of what is hostile here, or end with what is wrong before it."""


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_prints_what_a_terminal_obeys(
    name: str, source: str, command: Command, tmp_path: Path
) -> None:
    arguments = [part.format(source=source, target="target") for part in COMMANDS[name]]
    done = command(*arguments)
    out, told = assert_harmless(done.out), assert_harmless(done.err)
    assert out or told
    if name not in SILENT:
        assert "evil" in out + told
    if "--json" in arguments and out:
        assert name in SILENT or EVIL in "".join(strings(json.loads(out)))
    if done.status not in (0, 3):
        assert len(told.splitlines()) == 1
    for record in tmp_path.glob("*.json"):
        assert EVIL in "".join(strings(json.loads(record.read_bytes())))


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    for name, item in value.items() if isinstance(value, dict) else ():
        yield name
        yield from strings(item)
    for item in value if isinstance(value, list) else ():
        yield from strings(item)


@pytest.mark.parametrize("verb", ["inspect", "verify"])
def test_colours_are_ours_alone(
    verb: str, source: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    done = command(verb, source)
    ours = re.compile(r"\x1b\[[0-9;]*m")
    assert ours.search(done.out + done.err)
    assert_harmless(ours.sub("", done.out))
    assert_harmless(ours.sub("", done.err))


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "a row": lambda: archive(row(docker_20(SAVED), RepoTags=[EVIL, f"{EVIL}:1"])),
    "a row that names a file": lambda: archive(row(docker_20(SAVED), Layers=[f"x/{EVIL}", "y"])),
    "a row that names a file outside": lambda: archive(row(docker_20(SAVED), Config=f"../{EVIL}")),
    "a member in another case": lambda: archive(
        {"manifest.json": compact([{"Config": "a", EVIL: 1, "CONFIG": EVIL}])}
    ),
    "a row that says something twice": lambda: archive(
        {"manifest.json": f"[{{{json.dumps(EVIL)}: 1, {json.dumps(EVIL)}: 2}}]".encode()}
    ),
    "a repository": lambda: archive(
        schema1.saved({EVIL: {EVIL: schema1.identity(3)}}, schema1.STEPS)
    ),
    "a repository that is none": lambda: archive(
        {**schema1.saved({"a": {}}, schema1.STEPS), "repositories": compact({EVIL: [EVIL]})}
    ),
    "a version of a layout": lambda: archive(
        {**layout_files({"1": docker_image()}), "oci-layout": compact({"imageLayoutVersion": EVIL})}
    ),
}


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("verb", ["inspect", "verify", "convert"])
def test_no_archive_prints_what_a_terminal_obeys(name: str, verb: str, command: Command) -> None:
    Path("image.tar").write_bytes(ARCHIVES[name]())
    done = command(verb, "image.tar", *(["oci:target"] if verb == "convert" else []))
    out, told = assert_harmless(done.out), assert_harmless(done.err)
    assert done.status in (0, 1, 3)
    assert out or told


def test_what_stands_in_the_way_is_named_harmlessly(command: Command) -> None:
    write_files(layout_files({"1": docker_image()}), Path("source"))
    Path("target").mkdir()
    Path("target", EVIL.replace("/", "|").replace("\0", "")).write_bytes(b"")
    done = command("convert", "oci:source", "dir:target", "--to", "docker")
    assert done.status == 1
    assert "evil" in assert_harmless(done.err)


def test_paths_may_be_of_any_bytes(tmp_path: Path) -> None:
    place = os.fsencode(tmp_path)
    source = place + b"/caf\xe9"
    write_files(layout_files({"1": docker_image()}), Path(os.fsdecode(source)))
    for arguments in (
        ("inspect", b"oci:" + source),
        ("inspect", b"oci:" + source, "--json"),
        ("verify", b"oci:" + source, "--json"),
        ("convert", b"oci:" + source, b"oci:" + place + b"/neu\xe9", "--json"),
        ("convert", b"oci:" + source, b"oci:" + place + b"/b", "--record", b"%s/r\xe9" % place),
        ("inspect", b"oci:" + source + b"\xe9"),
    ):
        done = run(*arguments)
        assert_harmless(done.stderr.decode())
        out = assert_harmless(done.stdout.decode())
        if "--json" in arguments:
            json.loads(out)
    record = Path(os.fsdecode(place + b"/r\xe9")).read_bytes()
    assert read_map(record)
    assert json.loads(record)["source"].endswith(r"caf\udce9")


@pytest.mark.parametrize("name", ["inspect", "inspect as JSON", "verify as JSON"])
def test_a_terminal_of_few_characters_is_written_to_as_well(name: str, source: str) -> None:
    arguments = [part.format(source=source, target="") for part in COMMANDS[name]]
    done = run(*arguments, PYTHONUTF8="0", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode in (0, 3)
    out = done.stdout.decode("ascii")
    assert assert_harmless(out)
    if "--json" in arguments:
        assert EVIL in "".join(strings(json.loads(out)))
