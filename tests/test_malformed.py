"""Every way that is known to break a converter ends in one clear error, and nothing is written."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from oci_convert.conversion.convert import convert
from oci_convert.errors import OciConvertError
from oci_convert.findings import Level
from oci_convert.inspection.inspect import inspect
from oci_convert.verification.verify import verify
from support.archives import (
    Link,
    hex_of,
)
from support.command import Command
from support.images import (
    DOCKER_LAYER,
    LAYERS,
    digest_of,
    docker_image,
    files_below,
    layer,
    oci_image,
    write_layout,
)
from support.malformed import (
    IMAGE,
    LAYER_FILE,
    TOP,
    Malformed,
    Store,
    appended,
    changed,
    directory,
    gone,
    layout,
    link_holding,
    pipe,
    row,
    saved,
    spoiled,
    with_layer,
)
from support.malformed_archives import ARCHIVES, CLASSIC, CLASSIC_LAYERS, PLAIN
from support.malformed_documents import GZIPPED, MEMBERS, RAW, TEXTS
from support.malformed_stores import BLOBS, INDEX, STORES

# -- what is to be shown of each ----------------------------------------------------------------

MALFORMED: dict[str, Malformed] = {
    **{
        f"a manifest that {name}": Malformed(layout(raw), code, said)
        for name, (raw, code, said) in TEXTS.items()
    },
    **{
        name: Malformed(store if callable(store) else layout(store), code, said, where)
        for name, (store, code, said, where) in MEMBERS.items()
    },
    **BLOBS,
    **STORES,
    **ARCHIVES,
}


@pytest.fixture(params=MALFORMED)
def case(request: pytest.FixtureRequest) -> Malformed:
    return MALFORMED[request.param]


SAME: dict[str, str] = {
    "a manifest of schema 1 by another name": "a manifest that is of schema 1, too",
    "a link to nothing in the place of a layer": "a layer that is not there",
    "an index that names itself": "a manifest with another bit",
    "gzip of another length than it says": "gzip with a wrong checksum",
    "a layer of another image": "a layer that is packed twice",
}
"""Faults that are told as others are, as nobody could do anything else about them."""


def refused(case: Malformed, source: str, target: Path) -> OciConvertError:
    """What a conversion is ended by."""
    asked: dict[str, Any] = {"to": "oci", "fsync": False, **case.options}
    with pytest.raises(OciConvertError) as caught:
        convert(source, f"oci:{target}", **asked)
    return caught.value


def place(case: Malformed, source: str) -> str:
    return f"{source}: {case.where}" if case.where else source


def test_it_ends_in_one_error_that_says_what_is_wrong_where_and_what_to_do(
    case: Malformed, tmp_path: Path
) -> None:
    source = case.store(tmp_path / "source")
    error = refused(case, source, tmp_path / "new" / "target")
    assert type(error) in OciConvertError.__subclasses__()
    assert error.code == case.code
    assert case.said in error.message
    assert (error.store, error.where) == (source, case.where)
    assert error.remedy
    assert str(error).isprintable()
    assert not (tmp_path / "new").exists()


def test_what_is_in_a_layout_stays(case: Malformed, tmp_path: Path) -> None:
    source = case.store(tmp_path / "source")
    target = write_layout({"old": oci_image([layer("old")])}, tmp_path / "target")
    before = files_below(target)
    assert refused(case, source, target).code == case.code
    after = files_below(target)
    added = after.keys() - before.keys()
    assert {name: after[name] for name in before} == before
    # A blob that is whole may stay: another run may have counted on it.
    assert all(digest_of(after[name]) == f"sha256:{name[-64:]}" for name in added)


SAMPLE = (
    "a manifest that holds NaN",
    "a digest that is a path",
    "a layer with another bit",
    "a pipe in the place of a layer",
    "an index.json that is a link out",
    "a directory of another version",
    "schema 1 without a layer",
    "an archive with two manifest.json",
    "a layer outside of the archive",
    "a saved layer that is packed and cut off",
    "an image version 1 that is its own parent",
    "an oci-archive without a layer",
    "an extracted config that is a pipe",
)


@pytest.mark.parametrize("name", SAMPLE)
@pytest.mark.parametrize("transport", ["dir", "docker-archive", "oci-archive"])
def test_what_would_be_replaced_stays(name: str, transport: str, tmp_path: Path) -> None:
    good = write_layout({"app:1": docker_image([layer("old")])}, tmp_path / "good")
    target = f"{transport}:{tmp_path / 'target' / 'image'}"
    (tmp_path / "target").mkdir()
    convert(f"oci:{good}", target, to="docker", fsync=False)
    before = files_below(tmp_path / "target")
    source = MALFORMED[name].store(tmp_path / "source")
    with pytest.raises(OciConvertError) as caught:
        convert(source, target, to="docker", fsync=False, force=True)
    assert caught.value.code == MALFORMED[name].code
    after = files_below(tmp_path / "target")
    whole = {name: data for name, data in after.items() if hex_of(data) not in name}
    assert whole == {name: data for name, data in before.items() if hex_of(data) not in name}


def test_verify_tells_the_same(case: Malformed, tmp_path: Path) -> None:
    source = case.store(tmp_path / "source")
    found = answered(partial(verify, source), case, source)
    if found is None:
        return
    told = {finding.code for finding in found.findings if finding.level is Level.ERROR}
    assert (case.verified or case.code) in told
    assert not found.sound


def test_inspect_shows_it_or_says_why_not(case: Malformed, tmp_path: Path) -> None:
    source = case.store(tmp_path / "source")
    shown = answered(partial(inspect, source), case, source)
    if shown is not None:
        assert shown.images
        json.dumps(shown.to_json())


T = TypeVar("T")


def answered(question: Callable[[], T], case: Malformed, source: str) -> T | None:
    """The answer, or none where the question cannot be put to such a store, and is told so."""
    try:
        return question()
    except OciConvertError as error:
        told = (error.code, error.place)
    assert told == (case.code, place(case, source))
    return None


def test_every_fault_is_told_in_its_own_words(tmp_path: Path) -> None:
    """By code, place and message, whatever the paths and the digests are."""
    told: dict[object, str] = {}
    for number, (name, case) in enumerate(MALFORMED.items()):
        source = case.store(tmp_path / str(number))
        error = refused(case, source, tmp_path / "target")
        transport, _, path = source.partition(":")
        message = re.sub("[0-9a-f]{12,}", "…", error.message)
        twin = told.setdefault(
            (error.code, (transport, Path(path).is_dir(), case.where), message), name
        )
        assert twin in (name, SAME.get(name)), f"{name} is told as {twin}: {error}"


# -- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["convert", "inspect", "verify"])
def test_the_command_prints_one_line(case: Malformed, verb: str, command: Command) -> None:
    source = case.store(Path("source"))
    options = [
        f"--{name}={value}" if value is not True else f"--{name}"
        for name, value in case.options.items()
    ]
    done = command(
        verb, source, *(["oci:target", "--to=oci", *options] if verb == "convert" else [])
    )
    lines = done.err.splitlines()
    if done.status == 1:
        assert done.out == ""
        (line,) = lines
        assert line.startswith(f"error: {place(case, source)}: ")
        assert case.said in line
    elif verb == "verify":
        assert (done.status, done.out) == (3, "not sound\n")
        assert any(line.startswith("error: ") for line in lines)
    else:
        assert (verb, done.status, lines) == ("inspect", 0, [])
    assert not Path("target").exists()


def test_the_command_ends_so_in_a_process_of_its_own(tmp_path: Path) -> None:
    source = MALFORMED["a digest that is a path"].store(tmp_path / "source")
    done = subprocess.run(
        [sys.executable, "-m", "oci_convert", "convert", source, f"oci:{tmp_path / 'target'}"],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"},
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {source}: {TOP}.layers[0]: digest: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "target").exists()


# -- what is odd, and no fault ------------------------------------------------------------------

ODD: dict[str, Store] = {
    "layers that are null": layout(
        changed(layers=None, config=IMAGE.json["config"]),
    ),
    "no layers": layout(changed(layers=...)),
    "white space around a document": layout(b"\n\t " + RAW + b"\r\n"),
    "members that nobody knows": layout(changed(unknown={"size": -1, "digest": "../x"})),
    "the same layer twice": layout(docker_image([LAYERS[0], LAYERS[0]])),
    "gzip of several members": with_layer(
        gzip.compress(LAYERS[0].tar[:700], mtime=0) + gzip.compress(LAYERS[0].tar[700:], mtime=0),
        DOCKER_LAYER,
    ),
    "gzip with zero bytes behind": with_layer(GZIPPED + bytes(512), DOCKER_LAYER),
    "urls of any kind, which nobody opens": layout(
        changed("layers", 0, urls=["file:///etc/passwd", "javascript:0", "\u202e", ""])
    ),
    "a blob that is a link, and the right one": spoiled(
        layout(), LAYER_FILE, link_holding(LAYERS[0].data)
    ),
    "an index.json that is a link inside": spoiled(layout(), "index.json", link_holding(INDEX)),
    "no oci-layout": spoiled(layout(), "oci-layout", gone),
    "names with a dot and a slash before them": saved(CLASSIC, prefix="./"),
    "names with more than that": saved(CLASSIC, prefix=".//x/../"),
    "a global header with a comment": saved(
        CLASSIC, form=tarfile.PAX_FORMAT, pax={"comment": "by git"}
    ),
    "rows that are spelled as nobody spells them": saved(
        row(CLASSIC, Layers=[f"./x/..//{name}" for name in CLASSIC_LAYERS])
    ),
    "a device that nobody asks for": saved(
        appended(PLAIN, "dev/zero", tarfile.CHRTYPE, devmajor=1, devminor=5)
    ),
    "a link out that nobody asks for": saved({**CLASSIC, "out": Link("../../etc/passwd")}),
    "names out of the archive that nobody asks for": saved({**CLASSIC, "../../up": b"x"}),
    "rubbish behind the end of the archive": saved(PLAIN + b"rubbish" * 200),
    "an archive without an end": saved(
        PLAIN.rstrip(b"\0").ljust(-(-len(PLAIN.rstrip(b"\0")) // 512) * 512, b"\0")
    ),
    "no tags": saved(row(CLASSIC, RepoTags=None)),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_converted(name: str, tmp_path: Path) -> None:
    source = ODD[name](tmp_path / "source")
    report = convert(source, f"oci:{tmp_path / 'target'}", to="oci", fsync=False)
    assert len(report.images) == 1
    again = verify(f"oci:{tmp_path / 'target'}")
    faults = {f.code for f in again.findings if f.level is Level.ERROR}
    assert faults <= {"count-mismatch"}  # of images whose config tells of layers that are not there


def test_a_signature_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    source = spoiled(directory(), "signature-1", pipe)(tmp_path / "source")
    with pytest.raises(OciConvertError, match="signature-1 is a pipe, not a regular file") as no:
        convert(source, f"dir:{tmp_path / 'target'}", to="docker", fsync=False)
    assert no.value.code == "not-a-file"
    assert not (tmp_path / "target").exists()
