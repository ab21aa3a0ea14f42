"""``batch`` and ``sync``: files of jobs, folders, repositories; what is told, and how they stop."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from oci_convert import Options, StoreError, UsageError, inspect, read_results
from oci_convert.cli import fleet_progress
from oci_convert.cli.fleet_progress import Board, CancelledError
from oci_convert.fleet.job_files import checked, read_jobs
from oci_convert.fleet.jobs import Job
from oci_convert.fleet.listing import jobs_of
from oci_convert.fleet.results import JobResult, JobStatus
from oci_convert.fleet.tags import TagChoice
from oci_convert.progress import Progress
from registry import FakeRegistry
from registry.gate import Htpasswd
from registry.messages import Reply, Request, failure
from support.command import Command
from support.images import docker_image, layer, oci_image, save_tar, write_dir, write_layout
from support.registries import client, load, use

OCI = Options(to="oci")


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake, client() as ours:
        for tag in ("1.9", "1.10", "1.10-rc1", "latest", "sha256-" + "0" * 64 + ".sig"):
            load(fake, "team/app", tag, docker_image([layer(tag)]))
        load(fake, "team/web/ui", "3", docker_image([layer("ui")]))
        load(fake, "other/job", "1", docker_image([layer("job")]))
        use(ours)
        yield fake
        use()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_layout({"a": oci_image([layer("a")]), "b": oci_image([layer("b")])}, tmp_path / "in")
    return tmp_path


def lines(text: str, name: str, folder: Path, within: Options = OCI) -> list[Any]:
    path = folder / name
    path.write_text(text)
    return list(checked(read_jobs(path, within, name), name))


# -- files of jobs ------------------------------------------------------------------------------

FILES = {
    "JSON Lines": (
        "jobs.jsonl",
        (
            '{"source": "oci:in:a", "destination": "oci:out:a"}\n\n'
            '{"source": "oci:in:b", "destination": "oci:out:b", "id": 7, '
            '"options": {"compress": "zstd", "platforms": ["linux/amd64"], "fsync": false}}\n'
        ),
    ),
    "CSV": (
        "jobs.csv",
        (
            "source,destination,id,compress,platforms,fsync\n"
            "oci:in:a,oci:out:a,,,,\n\noci:in:b,oci:out:b,7,zstd,linux/amd64,false\n"
        ),
    ),
    "YAML": (
        "jobs.yaml",
        (
            "# all of them\n- {source: 'oci:in:a', destination: 'oci:out:a'}\n- source: oci:in:b\n"
            "  destination: oci:out:b\n  id: 7\n"
            "  options: {compress: zstd, platforms: [linux/amd64], fsync: false}\n"
        ),
    ),
    "CSV by its content": (
        "jobs",
        (
            "source,destination,id,compress,platforms,fsync\n"
            "oci:in:a,oci:out:a,,,,\n\noci:in:b,oci:out:b,7,zstd,linux/amd64,false\n"
        ),
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_jobs_gives_them_with_their_options(kind: str, tmp_path: Path) -> None:
    name, text = FILES[kind]
    found = [line.job for line in lines(text, name, tmp_path)]
    other = OCI.but(compress="zstd", platforms="linux/amd64", fsync=False)
    assert found == [
        Job("oci:in:a", "oci:out:a", OCI),
        Job("oci:in:b", "oci:out:b", other, "7"),
    ]


WRONG = {
    "no JSON": ("j.jsonl", "{\n", "invalid-job", 1),
    "no object": ("j.jsonl", "[1]\n", "invalid-job", 1),
    "no destination": ("j.jsonl", '\n{"source": "oci:a"}\n', "invalid-job", 2),
    "a member that no job has": (
        "j.jsonl",
        '{"source": "a", "destination": "oci:b", "dest": 1}\n',
        "invalid-job",
        1,
    ),
    "an option that nothing has": (
        "j.jsonl",
        '{"source": "a", "destination": "oci:b", "options": {"comprss": 1}}\n',
        "invalid-choice",
        1,
    ),
    "a reference that is none": (
        "j.jsonl",
        '{"source": "registry:a", "destination": "oci:b"}\n',
        "unknown-transport",
        1,
    ),
    "a tag that is none": (
        "j.jsonl",
        '{"source": "oci:a", "destination": "docker://h.example/a:-"}\n',
        "invalid-reference",
        1,
    ),
    "an id twice": (
        "j.csv",
        "source,destination,id\na,oci:b:1,x\n\na,oci:b:2,x\n",
        "invalid-job",
        4,
    ),
    "a destination twice": (
        "j.csv",
        "source,destination\na,docker://h.example/a:1\nb,docker://h.example/a:1\n",
        "invalid-job",
        3,
    ),
    "more values than names": ("j.csv", "source,destination\na,oci:b,c\n", "invalid-job", 2),
    "a level that is no number": (
        "j.csv",
        "source,destination,level\na,oci:b,high\n",
        "invalid-choice",
        2,
    ),
    "YAML that is no job": ("j.yaml", "- a: 1\n\n- b\n", "invalid-job", 1),
    "a date that there is not": (
        "j.yaml",
        "- {source: a, destination: 'oci:b'}\n- {source: a, options: {level: 2024-02-30}}\n",
        "invalid-job",
        2,
    ),
    "a number that is none": ("j.yaml", "- {options: {jobs: !!int ''}}\n", "invalid-job", 1),
    "half a character in a source": (
        "j.jsonl",
        '{"source": "\\ud800", "destination": "oci:b"}\n',
        "invalid-job",
        1,
    ),
    "half a character in an id": (
        "j.jsonl",
        '{"source": "a", "destination": "oci:b", "id": "\\ud800"}\n',
        "invalid-job",
        1,
    ),
    "a member twice": (
        "j.jsonl",
        '{"source": "a", "source": "b", "destination": "oci:b"}\n',
        "invalid-job",
        1,
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_line_is_named_with_its_number(case: str, tmp_path: Path) -> None:
    name, text, code, number = WRONG[case]
    wrong = [line for line in lines(text, name, tmp_path) if line.error is not None]
    error = wrong[0].error
    assert (wrong[0].number, error.code) == (number, code)
    assert error.where.startswith(f"{name}: line {number}")


def test_many_jobs_may_share_a_layout(tmp_path: Path) -> None:
    text = "source,destination\na,oci:b\nc,oci:b\n"
    assert all(line.job for line in lines(text, "jobs.csv", tmp_path))


@pytest.mark.parametrize("text", ["- " + "[" * 3000, "a: 1"])
def test_yaml_that_is_no_list_of_jobs_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^jobs\.yaml: "):
        lines(text, "jobs.yaml", tmp_path)


def test_members_of_jobs_in_yaml_are_the_text_that_stands_there(tmp_path: Path) -> None:
    text = "- {source: 12:30, destination: 1.10, id: 010, options: {to: oci, level: 3}}\n"
    (line,) = lines(text, "jobs.yaml", tmp_path)
    assert line.job == Job("12:30", "1.10", OCI.but(level=3), "010")


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "source,destination,source\na,oci:b,c\n"])
def test_a_csv_without_names_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 1"):
        lines(text, "jobs.csv", tmp_path)


# -- batch --------------------------------------------------------------------------------------


def test_nothing_runs_if_a_line_is_wrong(here: Path, command: Command) -> None:
    (here / "jobs.jsonl").write_text('{"source": "oci:in:a", "destination": "oci:out:a"}\n{}\n')
    ended = command("batch", "jobs.jsonl")
    assert ended.status == 2
    assert "jobs.jsonl: line 2: the job has no source" in ended.err
    assert not (here / "out").exists()


def test_with_keep_going_the_other_lines_run(here: Path, command: Command) -> None:
    (here / "jobs.jsonl").write_text('{"source": "oci:in:a", "destination": "oci:out:a"}\n{}\n')
    ended = command("batch", "jobs.jsonl", "--keep-going")
    assert ended.status == 1
    assert "line 2" in ended.err
    assert "1 job: 1 done" in ended.err
    assert ended.out == f"{inspect('oci:out').images[0].descriptor.digest} oci:out:a\n"


def test_standard_input_is_a_file_of_jobs_too(
    here: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b'{"source": "oci:in:a", "destination": "dir:out"}\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    ended = command("batch", "-", "--to", "docker", "--results", "r", "--records", "records")
    assert ended.status == 0, ended.err
    assert len(list((here / "records").iterdir())) == 1
    again = [json.loads(line) for line in (here / "r").read_text().splitlines()]
    assert again[0]["status"] == "done"
    assert again[1]["summary"]["jobs"] == {"done": 1}


def test_a_second_run_resumes_and_no_resume_does_not(here: Path, command: Command) -> None:
    (here / "jobs.csv").write_text("source,destination\noci:in:a,oci:out:a\noci:in:no,oci:out:no\n")
    first = command("batch", "jobs.csv", "--results", "r")
    assert "2 jobs: " in first.err
    again = command("batch", "jobs.csv", "--results", "r")
    assert "1 unchanged" in again.err
    assert again.status == 1
    fresh = command("batch", "jobs.csv", "--results", "r", "--no-resume", "--json")
    assert fresh.json["jobs"] == {"done": 1, "failed": 1}


# -- sync ---------------------------------------------------------------------------------------


def test_sync_takes_every_store_below_a_folder(here: Path, command: Command) -> None:
    archives = here / "archives" / "deep"
    archives.mkdir(parents=True)
    (archives / "web.tar").write_bytes(save_tar({"web:2": docker_image([layer("web")])}))
    write_dir(docker_image([layer("dir")]), here / "archives" / "app")
    ended = command("sync", "archives", "oci:out", "--no-fsync")
    assert ended.status == 0, ended.err
    assert len(inspect("oci:out").images) == 2
    apart = command("sync", "archives", "oci:out/{name}:1", "--no-fsync", "--quiet")
    assert apart.err == ""
    assert len(inspect("oci:out/deep/web:1").images) == 1


def test_sync_tells_of_each_image_without_the_platform(here: Path, command: Command) -> None:
    for platform in ("linux/amd64", "linux/arm64"):
        image = oci_image([layer(platform)], platform=platform)
        write_layout({"1": image}, here / "all" / platform[6:])
    result = command("sync", "all", "oci:out", "--platform", "linux/amd64")
    assert result.status == 0
    told = "loss: oci:all/arm64: images[0]: there is no image for linux/amd64; available: linux/arm"
    assert told in result.err
    assert "2 jobs: 1 done, 1 left-out" in result.err
    result = command("sync", "all", "oci:out", "--platform", "linux/amd64", "--quiet")
    assert result.err == ""
    result = command("sync", "all", "oci:other", "--platform", "linux/amd64", "--on-loss", "fail")
    assert (result.status, "error: oci:all/arm64: " in result.err) == (1, True)
    for source in ("all", "oci:all/arm64"):
        result = command("sync", source, "oci:out", "--platform", "linux/riscv64")
        assert result.status == 1
        assert "error: oci:all/arm64: images[0]: there is no image for" in result.err


def test_a_dry_run_lists_and_writes_nothing(here: Path, command: Command) -> None:
    ended = command("sync", "in", "oci:out", "--dry-run", "--results", "r")
    assert ended.status == 0
    assert ended.out.startswith("oci:in → oci:out: ")
    assert sorted(path.name for path in here.iterdir()) == ["in"]


ALL = TagChoice()


def targets(source: str, destination: str, choice: TagChoice = ALL) -> list[str]:
    return [job.destination for job in jobs_of(source, destination, OCI, choice)]


def with_catalog(fake: FakeRegistry, *names: str) -> None:
    """Let the registry list these repositories, whatever it has."""
    usual = fake.protocol.answer

    def answer(request: Request) -> Reply:
        if request.path == "/v2/_catalog":
            body = json.dumps({"repositories": names}).encode()
            return Reply(200, {"Content-Type": "application/json"}, body)
        if "denied" in request.path:
            return failure(403, "DENIED")
        return usual(request)

    mock.patch.object(fake.protocol, "answer", answer).start()


UNLISTED = {
    "a repository without tags": ("team/none", "no-such-repository"),
    "a repository that one may not see": ("team/denied", "registry-denied"),
    "a name that is none": ("team/../x", "bad-registry-answer"),
    "a name with a query": ("team/app?x=1#y", "bad-registry-answer"),
    "a name with a tag": ("team/a:b", "bad-registry-answer"),
    "a name with a digest": ("team/a@sha256:00", "bad-registry-answer"),
    "half a character": ("team/\ud800", "bad-registry-answer"),
    "another line": ("team/a\r\nX: y", "bad-registry-answer"),
}


@pytest.mark.parametrize("case", UNLISTED)
def test_what_cannot_be_listed_is_a_failure_and_the_rest_goes_on(
    case: str, registry: FakeRegistry, command: Command, here: Path
) -> None:
    name, code = UNLISTED[case]
    with_catalog(registry, "team/app", name, "team/web/ui")
    source = f"docker://{registry.host}/team/**"
    with mock.patch("oci_convert.cli.registry_options.Registries.share"):
        ended = command("sync", source, "oci:out/**", "--results", "r.jsonl", "-j", "1")
    assert ended.status == 1
    assert "5 done, 1 failed" in ended.err
    results = {it.source: it for it in read_results("r.jsonl")}
    failed = [it for it in results.values() if it.failure is not None]
    assert [it.failure.code for it in failed if it.failure] == [code]
    assert failed[0].source.startswith(f"docker://{registry.host}/team/")
    asked = {it.path for it in registry.log.requests if it.path.endswith("/tags/list")}
    names = (
        ["team/app", "team/web/ui"]
        if code == "bad-registry-answer"
        else ["team/app", name, "team/web/ui"]
    )
    assert asked == {f"/v2/{name}/tags/list" for name in names}


def test_after_what_cannot_be_listed_fail_fast_begins_no_more(
    registry: FakeRegistry, command: Command, here: Path
) -> None:
    with_catalog(registry, "team/none", "team/web/ui")
    source = f"docker://{registry.host}/team/**"
    with mock.patch("oci_convert.cli.registry_options.Registries.share"):
        ended = command("sync", source, "oci:out/**", "--fail-fast")
    assert ended.status == 1
    assert "1 job: 1 failed" in ended.err


def test_a_tag_that_gets_too_long_is_a_failure_and_the_rest_goes_on(
    registry: FakeRegistry,
) -> None:
    load(registry, "team/app", "x" * 126, docker_image([layer("x")]))
    base = f"docker://{registry.host}/team/app"
    found = list(jobs_of(f"{base}:*", f"{base}:{{tag}}-oci", OCI, ALL))
    failed = [it for it in found if isinstance(it, JobResult)]
    assert (len(found), [it.source for it in failed]) == (5, [f"{base}:{'x' * 126}"])


def test_a_source_that_is_none_is_told_before_anything_runs(here: Path, command: Command) -> None:
    (here / "wrong.yaml").write_text("- a\n")
    for source in ("wrong.yaml", "docker:///**"):
        ended = command("sync", "in", source, "oci:out", "--quiet")
        assert ended.status == 2, ended.err
    assert not (here / "out").exists()


def test_what_ran_is_told_where_jobs_end_with_an_error(here: Path, command: Command) -> None:
    def broken(source: str, *_: object) -> Iterator[Job]:
        yield Job(source, "oci:out:a", OCI.but(fsync=False))
        raise StoreError("it broke", code="cannot-read")

    with mock.patch("oci_convert.fleet.listing.jobs_of", broken):
        ended = command("sync", "oci:in:a", "oci:out:a", "--results", "r.jsonl")
    assert ended.status == 1
    assert "1 job: 1 done" in ended.err
    assert ended.err.endswith("error: it broke\n")
    assert [it.status for it in read_results("r.jsonl")] == [JobStatus.DONE]


def test_every_tag_goes_where_its_template_says(registry: FakeRegistry) -> None:
    base = f"docker://{registry.host}/team/app"
    assert targets(f"{base}:*", f"{base}:{{tag}}-oci") == [
        f"{base}:{tag}-oci" for tag in ("1.9", "1.10", "1.10-rc1", "latest")
    ]
    some = TagChoice(r"1\..*", ".*rc.*", 1)
    assert targets(f"{base}:*", "oci:out:{tag}", some) == ["oci:out:1.10"]


def test_every_repository_below_a_prefix_keeps_its_name_there(registry: FakeRegistry) -> None:
    found = targets(f"docker://{registry.host}/team/**", "docker://new.example/old/**")
    assert "docker://new.example/old/web/ui:3" in found
    assert not any("job" in target for target in found)
    assert "docker://new.example/other/job:1" in targets(
        f"docker://{registry.host}/**", "docker://new.example/**"
    )


def test_a_file_of_skopeo_sync_is_read_as_it_is(registry: FakeRegistry, tmp_path: Path) -> None:
    digest = docker_image([layer("ui")]).digest
    (tmp_path / "sync.yaml").write_text(
        f"""
"{registry.host}":
  tls-verify: false
  images:
    team/app: ["1.9"]
    other/job: []
    team/web/ui: ["{digest}"]
  images-by-tag-regex:
    team/app: ^1\\.10$
"""
    )
    found = [job.source for job in jobs_of(str(tmp_path / "sync.yaml"), "oci:o", OCI, TagChoice())]
    base = f"docker://{registry.host}"
    assert found == [
        f"{base}/team/app:1.9",
        f"{base}/other/job:1",
        f"{base}/team/web/ui@{digest}",
        f"{base}/team/app:1.10",
    ]


@pytest.mark.parametrize(
    "tag", ["1.10", "010", "1_000", "0x10", "1e3", "yes", "off", "null", "2024-01-15", "2024-02-30"]
)
def test_tags_in_a_file_of_skopeo_are_the_text_that_stands_there(tag: str, tmp_path: Path) -> None:
    (tmp_path / "sync.yaml").write_text(f"h.example: {{images: {{team/app: [{tag}]}}}}\n")
    assert targets(str(tmp_path / "sync.yaml"), "oci:out:{tag}") == [f"oci:out:{tag}"]


def test_patterns_in_a_file_of_skopeo_are_the_text_that_stands_there(
    registry: FakeRegistry, tmp_path: Path
) -> None:
    regex = "images-by-tag-regex: {team/app: 1.10}"
    (tmp_path / "sync.yaml").write_text(f'"{registry.host}": {{{regex}}}\n')
    assert targets(str(tmp_path / "sync.yaml"), "oci:out:{tag}") == [
        "oci:out:1.10",
        "oci:out:1.10-rc1",
    ]


@pytest.mark.parametrize("nothing", ["", "[]", "null", "~"])
def test_no_tags_in_a_file_of_skopeo_are_all_of_them(
    nothing: str, registry: FakeRegistry, tmp_path: Path
) -> None:
    shared = f"&tags {{other/job: {nothing}}}"
    (tmp_path / "sync.yaml").write_text(f'"{registry.host}": {{images: {{<<: {shared}}}}}\n')
    assert targets(str(tmp_path / "sync.yaml"), "oci:out:{tag}") == ["oci:out:1"]


def test_a_file_of_skopeo_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sync.yaml").write_text("{" * 3000)
    with pytest.raises(UsageError, match="this is no YAML"):
        targets(str(tmp_path / "sync.yaml"), "oci:out")


def test_settings_in_a_file_of_skopeo_that_have_no_effect_are_told(
    registry: FakeRegistry, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "sync.yaml").write_text(
        f"""
"{registry.host}":
  credentials:
    username: me
    password: s3cr3t
  tls-verify: false
  cert-dir: /certs
  images:
    team/app: ["1.9"]
strict.example:
  tls-verify: true
  cert-dir: ""
  credentials: {{}}
  images: {{}}
"""
    )
    host, call = registry.host, ("sync", "sync.yaml", "oci:out", "--dry-run")
    with mock.patch("oci_convert.cli.registry_options.Registries.share"):
        ended = command(*call)
        given = command(*call, "--src-creds", "me:s3cr3t", "--insecure", host, "--ca-file", "a")
        quiet = command(*call, "--quiet")
    assert "s3cr3t" not in ended.err + given.err + quiet.err
    told = [line for line in ended.err.splitlines() if line.startswith("warning")]
    instead = {
        "sync.yaml:3: credentials": "give --authfile FILE or --src-creds",
        "sync.yaml:6: tls-verify": f"give --insecure {host}, or --plain-http {host} without TLS",
        "sync.yaml:7: cert-dir": "give --ca-file, --cert and --key",
    }
    assert told == [f"warning: {it} of {host} is not used; {instead[it]}" for it in instead]
    assert "is not used" not in given.err + quiet.err


def test_sync_converts_a_repository_in_place(registry: FakeRegistry, command: Command) -> None:
    base = f"docker://{registry.host}/team/app"
    with mock.patch("oci_convert.cli.registry_options.Registries.share"):
        ended = command("sync", f"{base}:*", f"{base}:{{tag}}-oci", "--to", "oci", "--tags", "1.*")
    assert ended.status == 0, ended.err
    assert "3 jobs: 3 done" in ended.err
    assert f"{base}:1.10-oci" in ended.out


def test_both_sides_of_many_jobs_may_have_credentials_of_their_own(command: Command) -> None:
    with (
        FakeRegistry(gate=Htpasswd({"me": "s3cr3t"})) as old,
        FakeRegistry(gate=Htpasswd({"you": "0th3r"})) as new,
    ):
        for tag in ("1", "2"):
            load(old, "team/app", tag, docker_image([layer(tag)]))
        line = [
            f"docker://{fake.host}/team/app:{tag}" for fake, tag in ((old, "*"), (new, "{tag}"))
        ]
        creds = ("--src-creds", "me:s3cr3t", "--dest-creds", "you:0th3r")
        ended = command("sync", *line, *creds, "--to", "oci", "--verify-written")
        again = command("sync", *line, *creds, "--to", "oci")
        use()
    assert ended.status == 0, ended.err
    assert "2 unchanged" in again.err
    tags = [text.split()[0] for text in new.log.lines() if "manifests/1" in text]
    assert tags[tags.index("PUT") + 1] == "GET"


@pytest.mark.parametrize("option", ["", "--no-keep-original"])
def test_what_many_jobs_replace_is_kept_unless_that_is_not_wanted(
    option: str, registry: FakeRegistry, here: Path, command: Command
) -> None:
    base = f"docker://{registry.host}/team/app"
    (here / "jobs.csv").write_text(f"source,destination\n{base}:1.9,{base}:1.10\n")
    ended = command("batch", "jobs.csv", "--to", "oci", "--force", *filter(None, [option]))
    assert ended.status == 0, ended.err
    tags = registry.content.repositories["team/app"].tags
    assert any("-before-" in tag for tag in tags) == (not option)


def test_layers_of_many_jobs_are_inspected_where_that_is_wanted(
    registry: FakeRegistry, command: Command
) -> None:
    base = f"docker://{registry.host}/team/app"
    line = ("sync", f"{base}:1.9", f"{base}:new", "--to", "oci", "--dry-run")
    for option, number in (("", 0), ("--inspect-layers", 1)):
        assert command(*line, *filter(None, [option])).status == 0
        asked = [
            text for text in registry.log.lines() if text.startswith("GET") and "/blobs/" in text
        ]
        assert len(asked) == number


# -- how it stops, and what is seen ---------------------------------------------------------------

PROGRAM = """
import sys, time
from oci_convert.cli import run
from oci_convert.fleet import work
real = work._convert
def slow(*args):
    time.sleep(float(sys.argv.pop()) if sys.argv[-1].startswith('0') else 0.5)
    return real(*args)
work._convert = slow
run.main()
"""


def start(here: Path, count: int = 40) -> subprocess.Popen[str]:
    rows = [f"oci:in:a,oci:out:{number}" for number in range(count)]
    (here / "jobs.csv").write_text("\n".join(["source,destination", *rows]) + "\n")
    run = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "batch", "jobs.csv", "--results", "r", "-j", "2"],
        cwd=here,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not (here / "r").exists() or (here / "r").stat().st_size == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return run


def test_after_an_interrupt_what_runs_comes_to_its_end(here: Path) -> None:
    run = start(here)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 130
    results = [json.loads(line) for line in (here / "r").read_text().splitlines()]
    assert {it["status"] for it in results[:-1]} <= {"done", "skipped"}
    assert len(results) < 40  # others did not begin
    assert results[-1]["summary"]["complete"] is False
    assert "Traceback" not in err


def test_a_second_interrupt_ends_it(here: Path) -> None:
    run = start(here)
    run.send_signal(signal.SIGINT)
    time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "Traceback" not in err


def test_the_board_tells_of_all_jobs_and_of_those_that_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(fleet_progress, "monotonic", lambda: now[0])
    board = Board(4)
    job = Job("oci:a", "oci:b")
    board.watch(job, None)
    board.watch(job, Progress("layers[0]", "sha256:0", 10, 5, 5, 10))
    board.add(JobResult(id="x", source="", destination="", status=JobStatus.FAILED))
    assert list(board.lines(102.0)) == [
        "1 of 4 jobs, 1 failed, 0.5/s, 0:06 left",
        "  5 B of 10 B  oci:a oci:b",
    ]
    board.watch(job, None)
    assert len(list(board.lines(103.0))) == 1
    board.cancel()
    with pytest.raises(CancelledError):
        board.watch(job, Progress("layers[0]", "sha256:0", 10, 5, 5, 10))


def test_on_a_terminal_the_board_is_drawn_and_goes(here: Path) -> None:
    write_layout({str(n): oci_image([layer(str(n))]) for n in range(3)}, here / "in")
    (here / "jobs.csv").write_text("source,destination\noci:in:0,oci:out:0\n")
    leader, follower = os.openpty()
    run = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "batch", "jobs.csv"],
        cwd=here,
        stderr=follower,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    seen = b""
    while True:
        try:
            seen += os.read(leader, 4096)
        except OSError:
            break
        if run.poll() is not None and b"1 job: 1 done" in seen:
            break
    run.wait(30)
    os.close(leader)
    assert b"0 of 1 job" in seen
    assert b"1 job: 1 done" in seen
