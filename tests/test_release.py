"""What a release is made with: the changelog is cut, or nothing is changed."""

from __future__ import annotations

import runpy
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parent.parent
HEAD = "# Changes\n\nAll of them.\n\n"


@pytest.fixture
def script(tmp_path: Path) -> dict[str, Any]:
    """The script, in a folder with copies of what it writes."""
    (tmp_path / "release").mkdir()
    for name in ("release/cut.py", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(f"{HEAD}## Unreleased\n\n- More.\n", encoding="utf-8")
    return runpy.run_path(str(tmp_path / "release" / "cut.py"))


def test_what_is_unreleased_becomes_a_version_with_a_date(
    script: dict[str, Any], tmp_path: Path
) -> None:
    script["main"]("1.2.3", "2026-01-02")
    changelog = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changelog == f"{HEAD}## 1.2.3 (2026-01-02)\n\n- More.\n"
    before, after = (
        tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        for folder in (PROJECT, tmp_path)
    )
    assert after["project"].pop("version") == "1.2.3"
    before["project"].pop("version")
    assert before == after


@pytest.mark.parametrize(
    ("changelog", "version", "said"),
    {
        "no version": (f"{HEAD}## Unreleased\n", "", "no version"),
        "a version of something else": (f"{HEAD}## Unreleased\n", "v1.0.0", "no version"),
        "an unfinished version": (f"{HEAD}## Unreleased\n", "1.0.0.dev0", "no version"),
        "nothing that is new": (f"{HEAD}## 1.0.0 (2026-01-02)\n", "1.1.0", "nothing under"),
        "the same version": (
            f"{HEAD}## Unreleased\n\n## 1.0.0 (2026-01-02)\n",
            "1.0.0",
            "does not come after 1.0.0",
        ),
        "a version that is lower as a number": (
            f"{HEAD}## Unreleased\n\n## 1.10.0 (2026-01-02)\n\n## 1.9.0 (2026-01-01)\n",
            "1.9.1",
            "does not come after 1.10.0",
        ),
    }.values(),
)
def test_what_cannot_be_cut_stays(
    changelog: str, version: str, said: str, script: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    with pytest.raises(SystemExit, match=said):
        script["main"](version)
    assert (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8") == changelog
    assert (tmp_path / "pyproject.toml").read_bytes() == (PROJECT / "pyproject.toml").read_bytes()


def test_the_changelog_of_the_project_can_be_cut_or_just_was(script: dict[str, Any]) -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]
    if "## Unreleased\n" in changelog:
        assert "## 9999.0.0 (today)" in script["cut"](changelog, "9999.0.0", "today")
    else:
        assert f"## {version} (" in changelog


def test_every_tool_of_a_release_has_an_exact_version() -> None:
    asked, pinned = (
        [
            line.partition(";")[0].strip()
            for line in (PROJECT / "release" / name).read_text(encoding="utf-8").splitlines()
            if not line.startswith("#")
        ]
        for name in ("requirements.in", "requirements.txt")
    )
    names = [line.partition("==")[0] for line in pinned if "==" in line]
    assert len(names) == len(pinned)
    assert set(asked) <= set(names)
