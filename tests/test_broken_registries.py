"""Every answer of a broken registry ends in one clear line, and leaves no image and no secret."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.broken_registries import BROKEN, SECRET, told
from support.messages import masked


def test_what_is_broken_is_told_in_one_line(
    golden: Callable[[str, str], None], tmp_path: Path
) -> None:
    """All at once, since most of the time is spent waiting."""

    def line(name: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        error = told(BROKEN[name], folder)
        assert (error.code if error else "") == BROKEN[name].code, (name, error)
        if error is None:
            return f"{name}\n    converted\n"
        assert error.place.startswith("docker://registry.example/team/"), name
        assert error.remedy, name
        assert str(error).isprintable(), name
        assert SECRET not in repr(vars(error)), name
        return f"{name}\n    {masked(str(error))}\n"

    with ThreadPoolExecutor(8) as pool:
        golden("\n".join(pool.map(line, BROKEN)), "broken_registries.txt")
