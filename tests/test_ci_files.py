"""What runs on other people's machines: workflows, the action, the hook, the template.

Linters read them where they are installed; what the action and the template run in a shell runs
here, too, with the environment that GitHub and GitLab would give it.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from oci_convert import Report, convert
from support.images import docker_image, layer, oci_image, write_dir, write_layout
from support.pages import PROJECT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shells")

WORKFLOWS: Final = sorted(PROJECT.glob(".github/workflows/*.yml"))
ACTION: Final = PROJECT / "action.yml"
HOOKS: Final = PROJECT / ".pre-commit-hooks.yaml"
TEMPLATE: Final = PROJECT / "templates" / "oci-convert.gitlab-ci.yml"
BIN: Final = Path(sys.executable).parent
IMAGE: Final = docker_image([layer("base"), layer("app")])
DIGEST_MAP: Final = runpy.run_path(str(PROJECT / ".github" / "digest_map.py"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def texts(value: Any, key: str) -> list[str]:
    """Every text under a key, at any depth."""
    if isinstance(value, dict):
        here = [value[key]] if isinstance(value.get(key), str) else []
        return here + [text for each in value.values() for text in texts(each, key)]
    return [text for each in value for text in texts(each, key)] if isinstance(value, list) else []


# -- linters --------------------------------------------------------------------------------------

LINTERS: Final[dict[str, tuple[str | Path, ...]]] = {
    "workflows": ("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS),
    "the action": ("check-jsonschema", "--builtin-schema", "vendor.github-actions", ACTION),
    "the template": ("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", TEMPLATE),
    "the hook": ("pre-commit", "validate-manifest", HOOKS),
    "what attacks workflows": ("zizmor", "--offline", "--min-severity", "medium", PROJECT),
}


@pytest.mark.peers
@pytest.mark.parametrize("what", LINTERS)
def test_a_linter_has_nothing_to_say(
    what: str, peers: Callable[[str], str], tmp_path: Path
) -> None:
    tool, *arguments = LINTERS[what]
    done = subprocess.run(
        [peers(str(tool)), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PRE_COMMIT_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not installed")
def test_actionlint_has_nothing_to_say() -> None:
    subprocess.run(["actionlint", *WORKFLOWS], check=True)


# -- workflows ------------------------------------------------------------------------------------


def test_they_run_what_there_is() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    scripts = [text for path in WORKFLOWS for text in texts(read(path), "run")]
    targets = {name for text in scripts for name in re.findall(r"\bmake ([a-z]+)$", text)}
    assert targets == {"test", "dist"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    for file in re.findall(r"(?:^|\s)(\.\S+/\S+|release/\S+)", "\n".join(scripts)):
        assert (PROJECT / file).exists(), file


def test_they_run_on_every_python_that_the_metadata_names() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    named = re.findall(r":: (3\.\d+)", "\n".join(settings["project"]["classifiers"]))
    jobs = read(PROJECT / ".github/workflows/test.yml")["jobs"]
    assert jobs["pythons"]["strategy"]["matrix"]["python"] == named


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: str(path.name))
def test_nothing_that_others_say_becomes_part_of_a_script(path: Path) -> None:
    assert not [text for text in texts(read(path), "run") if "${{" in text]


# -- the action -----------------------------------------------------------------------------------


class Runner:
    """A machine of GitHub's, as far as the steps of the action see it."""

    def __init__(self, folder: Path, inputs: Mapping[str, str]) -> None:
        self.folder = folder
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        (self.temporary / "oci-convert").symlink_to(BIN.parent)  # what "Install" makes
        action = read(ACTION)
        self.steps = {step["name"]: step for step in action["runs"]["steps"]}
        self._inputs = {
            name: str(inputs.get(name, it.get("default"))) for name, it in action["inputs"].items()
        }
        self.output, self.summary = folder / "output", folder / "summary"

    def run(self, name: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a step as ``shell: bash`` does."""
        step = self.steps[name]
        given = {
            variable: self._inputs[found[1]]
            for variable, value in step.get("env", {}).items()
            if (found := re.fullmatch(r"\$\{\{ inputs\.(\S+) \}\}", value))
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "RUNNER_TEMP": str(self.temporary),
                "GITHUB_ACTION_PATH": str(PROJECT),
                "GITHUB_OUTPUT": str(self.output),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                **given,
                **more,
            },
        )


def test_the_action_converts_and_shows_the_digest_map(tmp_path: Path) -> None:
    write_dir(IMAGE, tmp_path / "app")
    runner = Runner(
        tmp_path,
        {"source": "dir:app", "destination": "oci:L:a b", "options": "--jobs\n1\n\n--no-fsync"},
    )
    done = runner.run("Convert")
    assert done.returncode == 0, done.stderr
    (image,) = Report.loads((runner.temporary / "oci-convert-report.json").read_bytes()).images
    said = runner.output.read_text()
    assert f"digest<<END\n{image.new.digest}\nEND\n" in said
    assert f"report={runner.temporary}/oci-convert-report.json\n" in said
    done = runner.run("Show the digest map")
    assert done.returncode == 0, done.stderr
    shown = runner.summary.read_text()
    assert f"| manifest | `linux/amd64` | `{IMAGE.digest}` | `{image.new.digest}` |" in shown
    assert "3 blobs kept their digest; losses: 0." in shown


def test_the_action_comments_what_it_shows(tmp_path: Path) -> None:
    runner = Runner(tmp_path, {"source": "", "destination": ""})
    gh = tmp_path / "gh"
    gh.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    gh.chmod(0o755)
    done = runner.run(
        "Comment the digest map",
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        NUMBER="7",
        GITHUB_REPOSITORY="a/b",
    )
    map_ = str(runner.temporary / "oci-convert-map.md")
    assert done.stdout.split() == ["pr", "comment", "7", "--repo", "a/b", "--body-file", map_]


def test_the_action_fails_on_a_loss_and_writes_nothing(tmp_path: Path) -> None:
    write_layout({"app": oci_image(annotations={"a": "b"})}, tmp_path / "L")
    runner = Runner(tmp_path, {"source": "oci:L:app", "destination": "dir:new", "to": "docker"})
    done = runner.run("Convert")
    assert done.returncode == 1
    assert "--on-loss fail refuses" in done.stderr
    assert not (tmp_path / "new").exists()
    assert not runner.output.exists()


def test_what_an_input_says_is_never_run(tmp_path: Path) -> None:
    evil = "$(touch evil)`touch evil`; touch evil"
    runner = Runner(tmp_path, {"source": evil, "destination": evil, "options": evil, "to": evil})
    assert runner.run("Convert").returncode
    assert not (tmp_path / "evil").exists()


def test_what_an_image_is_called_is_no_markdown(tmp_path: Path) -> None:
    write_layout({"app": oci_image(annotations={"a|`b\n@c": "d"})}, tmp_path / "L")
    report = convert(f"oci:{tmp_path}/L:app", f"dir:{tmp_path}/`x`|@y", to="docker")
    text = "\n".join(DIGEST_MAP["markdown"](report))
    assert "annotations-removed" in text
    for line in text.splitlines():
        assert "@" not in re.sub(r"`[^`]*`", "", line)
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5


# -- the hook and the template --------------------------------------------------------------------


@pytest.fixture
def pinned(tmp_path: Path) -> Path:
    """A folder with a report, a file that pins what it replaced, and one that pins nothing."""
    write_dir(IMAGE, tmp_path / "app")
    report = convert(f"dir:{tmp_path}/app", f"oci:{tmp_path}/L:app")
    (tmp_path / "report.json").write_text(report.dumps(), encoding="utf-8")
    (tmp_path / "old.yaml").write_text(f"image: app@{IMAGE.digest}\n")
    (tmp_path / "none.yaml").write_text("image: app\n")
    return tmp_path


def shell(script: str, folder: Path, **more: str) -> int:
    path = f"{BIN}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder,
        capture_output=True,
        check=False,
        env={**os.environ, "PATH": path, **more},
    ).returncode


def test_the_hook_fails_for_a_pin_that_is_out_of_date(pinned: Path) -> None:
    (hook,) = read(HOOKS)
    line = f"{hook['entry']} --map=report.json"
    assert shell(f"{line} none.yaml", pinned) == 0
    assert shell(f"{line} none.yaml old.yaml", pinned) == 3
    assert IMAGE.digest in (pinned / "old.yaml").read_text()


def test_the_template_converts_and_checks_pins(pinned: Path) -> None:
    template = read(TEMPLATE)
    job, pins = template[".oci-convert"], template[".oci-convert-pins"]
    given = {"OCI_CONVERT_SOURCE": "dir:app", "OCI_CONVERT_DESTINATION": "oci:again:app"}
    (pinned / "report.json").unlink()
    assert shell("\n".join(job["script"]), pinned, **{**job["variables"], **given}) == 0
    assert Report.loads((pinned / "report.json").read_bytes()).images
    for files, status in {"none.yaml": 0, "none.yaml old.yaml": 3}.items():
        assert shell("\n".join(pins["script"]), pinned, OCI_CONVERT_FILES=files) == status
