"""The command on references to registries: its options, and every verb."""

from __future__ import annotations

import getpass
import io
import json
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest

from oci_convert import Compression, Family, Memory, Progress, convert, open_images
from oci_convert.cli.completion import references
from oci_convert.cli.registry_options import Registries
from oci_convert.stores.registry.image import image_of, set_images
from registry.faults import Fault
from registry.gate import Htpasswd
from registry.messages import Request
from registry.personality import PERSONALITIES
from registry.server import FakeRegistry
from support.command import Command
from support.images import (
    Image,
    docker_image,
    image_list,
    layer,
    layout_files,
    oci_image,
    write_layout,
)

LIST = image_list([docker_image(), docker_image(platform="linux/arm64")], Family.DOCKER)
LAYERS = {one.digest for one in docker_image().layers}


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        put(registry, LIST, "1")
        yield registry


def put(fake: FakeRegistry, image: Image, *tags: str, name: str = "team/app") -> None:
    for digest, data in image.blobs.items():
        if digest in image.documents:
            kind = json.loads(data)["mediaType"]
            fake.content.add_manifest(name, data, kind, digest=digest)
        else:
            fake.content.add_blob(name, data, digest)
    fake.content.add_manifest(name, image.manifest, image.media_type, *tags)


def at(fake: FakeRegistry, name: str = "team/app:1") -> str:
    return f"docker://{fake.host}/{name}"


def blobs(fake: FakeRegistry) -> list[str]:
    """The requests for blobs."""
    return [line for line in fake.log.lines() if "/blobs/" in line]


def tags(fake: FakeRegistry, name: str = "team/app") -> set[str]:
    return set(fake.content.repository(name).tags)


# -- options ------------------------------------------------------------------------------------


def test_tags_that_match_are_converted_each_under_its_own(
    fake: FakeRegistry, command: Command
) -> None:
    for tag in ("1.1", "1.2", "nightly", "x1.1"):
        put(fake, docker_image(), tag)
    every, target = at(fake, "team/app:*"), at(fake, "new/app:{tag}-oci")
    ended = command("convert", every, target, "--to", "oci", "--tags", r"1\.\d")
    assert ended.status == 0, ended.err
    assert tags(fake, "new/app") == {"1.1-oci", "1.2-oci"}
    none = command("convert", every, target, "--to", "oci", "--tags", "2.*")
    assert (none.status, "there are 1, 1.1, 1.2, nightly, x1.1" in none.err) == (1, True)


@pytest.mark.parametrize(
    ("name", "pattern", "said"),
    [
        ("team/app:1", "1.*", "this names one image"),
        ("team/app:*", "1(", "is no regular expression"),
    ],
)
def test_tags_need_many_images_and_an_expression(
    fake: FakeRegistry, command: Command, name: str, pattern: str, said: str
) -> None:
    target = at(fake, "new/app:{tag}")
    ended = command("convert", at(fake, name), target, "--to", "oci", "--tags", pattern)
    assert (ended.status, said in ended.err) == (2, True)
    assert fake.log.lines() == []


def test_what_is_replaced_keeps_a_tag_unless_that_is_not_wanted(
    fake: FakeRegistry, command: Command
) -> None:
    again = ("convert", at(fake), at(fake), "--to", "oci", "--force")
    assert command(*again, "--no-keep-original").status == 0
    assert tags(fake) == {"1"}
    assert command(*again[:4], "docker", "--force").status == 0
    assert len(tags(fake)) == 2


def test_what_was_written_is_read_again(fake: FakeRegistry, command: Command) -> None:
    command("convert", at(fake), at(fake, "team/app:2"), "--to", "oci", "--verify-written")
    assert fake.log.lines()[-2:] == [
        "PUT /v2/team/app/manifests/2 201",
        "GET /v2/team/app/manifests/2 200",
    ]


def test_both_sides_may_have_credentials_of_their_own(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        FakeRegistry(gate=Htpasswd({"me": "s3cr3t"})) as old,
        FakeRegistry(gate=Htpasswd({"you": "0th3r"})) as new,
    ):
        put(old, LIST, "1")
        line = ("convert", at(old), at(new), "--to", "oci", "--force")
        assert command(*line, "--creds", "me:s3cr3t").status == 1
        assert command(*line, "--src-creds", "me:s3cr3t", "--dest-creds", "you:0th3r").status == 0
        monkeypatch.setattr(sys, "stdin", io.StringIO("s3cr3t\n"))
        mixed = ("--creds", "me", "--password-stdin", "--dest-creds", "you:0th3r")
        ended = command(*line, *mixed)
        assert ended.status == 0, ended.err


def test_a_missing_password_is_asked_for_on_a_terminal(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "s3cr3t"

    with FakeRegistry(gate=Htpasswd({"me": "s3cr3t"})) as fake:
        put(fake, LIST, "1")
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        monkeypatch.setattr(getpass, "getpass", answer)
        both = ("verify", at(fake), "--same-as", at(fake), "--creds", "me")
        assert command(*both).status == 0
        assert asked == ["Password of me: "]


def test_a_password_on_standard_input_needs_a_name(fake: FakeRegistry, command: Command) -> None:
    ended = command("inspect", at(fake), "--password-stdin")
    assert (ended.status, "write --creds USER" in ended.err) == (2, True)


def test_blobs_go_in_pieces_where_that_is_demanded(command: Command, tmp_path: Path) -> None:
    write_layout({"app": oci_image()}, tmp_path / "layout")
    with FakeRegistry(PERSONALITIES["chunks only"]) as fake:
        line = ("convert", f"oci:{tmp_path / 'layout'}:app", at(fake), "--to", "oci")
        assert command(*line).status == 1
        assert command(*line, "--chunk", "1KiB").status == 0
        assert any(line.startswith("PATCH") for line in fake.log.lines())
        wrong = command(*line, "--chunk", "1kB")
        assert (wrong.status, "as in 8MiB" in wrong.err) == (2, True)


def test_a_key_needs_its_certificate(fake: FakeRegistry, command: Command) -> None:
    ended = command("inspect", at(fake), "--key", "key.pem")
    assert (ended.status, "--cert" in ended.err) == (2, True)


def test_layers_are_believed_unless_they_are_inspected(command: Command) -> None:
    packed = layer("base", Compression.ZSTD)
    lying = oci_image([packed])
    manifest = lying.manifest.replace(
        packed.label(Family.OCI).encode(), layer("base").label(Family.OCI).encode()
    )
    with FakeRegistry() as fake:
        for digest, data in lying.blobs.items():
            fake.content.add_blob("team/app", data, digest)
        fake.content.add_manifest("team/app", manifest, lying.media_type, "1")
        line = ("convert", at(fake), at(fake, "team/app:2"), "--to", "oci", "--dry-run")
        assert command(*line).status == 0
        assert blobs(fake) == []
        ended = command(*line, "--inspect-layers", "--json")
        assert "mislabelled-layer" in {found["code"] for found in ended.json["findings"]}
        assert len(blobs(fake)) == 1


def test_documents_are_verified_without_a_layer(fake: FakeRegistry, command: Command) -> None:
    ended = command("verify", at(fake), "--documents")
    assert (ended.status, ended.out) == (0, "sound; layers were not read\n")
    asked = blobs(fake)
    assert not [line for line in asked if any(digest in line for digest in LAYERS)]
    config = next(line.split()[1].rpartition("/")[2] for line in asked)
    fake.content.data[config] = b"{}"
    broken = command("verify", at(fake), "--documents")
    assert broken.status == 3


# -- verbs --------------------------------------------------------------------------------------


def test_every_verb_reads_a_registry(fake: FakeRegistry, command: Command, tmp_path: Path) -> None:
    original = tmp_path / "original.json"
    original.write_bytes(LIST.manifest)
    line = ("convert", at(fake), at(fake, "team/app:oci"), "--to", "oci")
    new = command(*line).out.strip()
    assert new in command("inspect", at(fake, "team/app:oci"), "--full").out
    assert command("diff", at(fake), at(fake, "team/app:oci")).status == 0
    assert command("verify", at(fake), "--same-as", at(fake, "team/app:oci")).status == 0
    assert command("prove", at(fake, "team/app:oci"), "--original", str(original)).status == 0
    with open_images(at(fake, "team/app:oci")) as images:
        assert {str(image.platform) for image in images} == {"linux/amd64", "linux/arm64"}


def test_a_document_is_translated_where_it_is(fake: FakeRegistry, command: Command) -> None:
    put(fake, docker_image(), "single")
    ended = command("translate", at(fake, "team/app:single"), "--to", "oci")
    target = Memory()
    convert(Memory(layout_files({"app": docker_image()})), target, to="oci")
    entry = json.loads(target.files["index.json"])["manifests"][0]
    assert ended.out.encode() == target.files[f"blobs/{entry['digest'].replace(':', '/')}"]
    many = command("translate", at(fake, "team/app:*"), "--to", "oci")
    assert (many.status, "there are 2 images" in many.err) == (2, True)


# -- completion, start and progress -------------------------------------------------------------


def test_tags_are_completed(fake: FakeRegistry) -> None:
    put(fake, docker_image(), "1.2", "2")
    assert references(at(fake, "team/app:1")) == [at(fake), at(fake, "team/app:1.2")]
    assert references(at(fake, "team/none:")) == []
    assert references(at(fake, "team/ap")) == []
    assert references("docker") == ["docker-archive:", "docker://"]


def test_a_registry_that_takes_its_time_is_not_waited_for(fake: FakeRegistry) -> None:
    began = time.monotonic()
    with fake.content.lock:  # no request is answered meanwhile
        assert references(at(fake, "team/app:")) == []
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("given", [[], ["--creds", "me:x", "--rate", "quay.io=3/s"]], ids=str)
def test_nothing_of_registries_is_loaded_without_a_reference(
    given: list[str], tmp_path: Path
) -> None:
    write_layout({"app": oci_image()}, tmp_path / "layout")
    script = (
        "import sys\n"
        "from oci_convert.cli import run\n"
        f"sys.argv = ['oci-convert', 'inspect', {str(tmp_path / 'layout')!r}, *{given!r}]\n"
        "assert run._run() == 0\n"
        "loaded = [name for name in sys.modules if name.startswith(('urllib3', 'oci_convert.cli.r',"
        " 'oci_convert.stores.registry'))]\n"
        "assert sorted(set(loaded) - {'oci_convert.cli.run'}) == "
        "['oci_convert.cli.registry_options'], loaded\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("end", ["team/app:2", "new/app:2", "elsewhere"])
def test_progress_ends_at_the_whole_whatever_the_way(fake: FakeRegistry, end: str) -> None:
    told: list[Progress] = []
    target: object = Memory() if end == "elsewhere" else at(fake, end)
    convert(at(fake), target, to="oci", on_progress=told.append)  # type: ignore[arg-type] # both are
    assert told[-1].done == told[-1].total == sum(step.step for step in told)


def test_progress_counts_no_byte_twice_where_a_connection_breaks(fake: FakeRegistry) -> None:
    fake.faults.when(lambda request: "/blobs/sha256" in request.path, Fault.TRUNCATED, times=2)
    told: list[Progress] = []
    convert(at(fake), Memory(), to="oci", on_progress=told.append)
    assert told[-1].done == told[-1].total == sum(step.step for step in told)


def test_the_demonstration_shows_every_request() -> None:
    demo = Path(__file__).parent / "registry" / "demo.py"
    ended = subprocess.run([sys.executable, demo], check=True, capture_output=True, text=True)
    steps = ended.stdout.split("$ oci-convert ")[1:]
    assert [step.count(" /v2/") for step in steps] == [26, 5, 9, 11, 9]
    assert "0 B of layers move, 9 requests" in steps[1]
    assert "0 B of layers moved, 9 requests" in steps[2]
    assert "\nproved\n" in steps[3]


def test_what_the_options_say_reaches_workers_and_references_as_text(fake: FakeRegistry) -> None:
    given = Registries({"retries": 0, "creds": None, "rates": [f"{fake.host}=1000/s"]})
    assert given.password is None
    assert Registries({"dest_creds": "me:s3cr3t"}).password == "--dest-creds"
    assert "s3cr3t" not in repr(Registries({"creds": "me:s3cr3t"}))
    try:
        given.source(at(fake))
        pickle.loads(pickle.dumps(given)).share()
        shared = image_of(at(fake)).client
        assert (shared.options.retries, shared.options.rates) == (0, {fake.host: 1000.0})
        given.share()
        assert image_of(at(fake), destination=True).client is shared
    finally:
        set_images()


UNANSWERED: dict[str, tuple[str, tuple[str, ...]]] = {
    "the manifests of a list": ("/manifests/sha256:", ("inspect", "{source}:1")),
    "the manifests of two lists": ("/manifests/sha256:", ("diff", "{source}:1", "{source}:2")),
    "several tags": ("/manifests/", ("convert", "{source}:*", "oci:new", "--to", "oci")),
    "layers": ("/blobs/", ("convert", "{source}:1", "oci:new", "--to", "oci")),
    "layers that are verified": ("/blobs/", ("verify", "{source}:1")),
    "mounts": ("/blobs/uploads/", ("convert", "{source}:1", "{other}:1", "--to", "oci")),
}


def ended_by(number: int, asked: Event, arguments: Sequence[str], folder: Path) -> tuple[int, str]:
    """The status of a command, and what it told, that gets a signal once the registry is asked."""
    with subprocess.Popen(
        [sys.executable, "-m", "oci_convert", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert asked.wait(30)
            process.send_signal(number)
            _, told = process.communicate(timeout=30)
        finally:
            process.kill()
    return process.returncode, told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("path", "command"), UNANSWERED.values(), ids=UNANSWERED)
def test_a_signal_ends_a_run_that_waits_for_a_registry(
    path: str, command: tuple[str, ...], number: int, fake: FakeRegistry, tmp_path: Path
) -> None:
    """Also in threads that the main one waits for; the registry would be silent for a minute."""
    put(fake, LIST, "2")
    asked = Event()

    def waits(request: Request) -> bool:
        asked.set() if path in request.path else None
        return path in request.path

    fake.faults.when(waits, Fault.SILENT, 100)
    source, other = at(fake, "team/app"), at(fake, "other/app")
    arguments = [part.format(source=source, other=other) for part in command]
    status, told = ended_by(number, asked, arguments, tmp_path)
    assert told == "error: stopped; the target has the complete image or none\n"
    assert status == 128 + number
    assert not list(tmp_path.iterdir())


def test_an_interrupt_ends_the_search_for_images_and_what_runs_comes_to_its_end(
    fake: FakeRegistry, tmp_path: Path
) -> None:
    put(fake, LIST, "1")
    asked = Event()

    def waits(request: Request) -> bool:
        asked.set() if request.path.endswith("/other/app/tags/list") else None
        return "/other/app/tags/list" in request.path

    fake.faults.when(waits, Fault.SILENT, 100)
    sources = [at(fake, "team/app") + ":*", at(fake, "other/app") + ":*"]
    command = ["sync", *sources, "oci:new:{tag}", "--to", "oci", "--results", "results"]
    status, told = ended_by(signal.SIGINT, asked, command, tmp_path)
    assert status == 130
    assert "1 job: 1 done" in told
    results = [json.loads(line) for line in (tmp_path / "results").read_text().splitlines()]
    assert [line["status"] for line in results[:-1]] == ["done"]
    assert results[-1]["summary"]["complete"] is False
