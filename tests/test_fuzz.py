"""The targets of ``fuzz/``, each with a few inputs, and with every input that ever broke one.

``python fuzz/soak.py`` does the same with as many inputs as one likes.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("the limits of memory are those of Linux", allow_module_level=True)

FUZZ = Path(__file__).parent.parent / "fuzz"
sys.path.insert(0, str(FUZZ))
base: Any = import_module("base")
limits: Any = import_module("limits")
soak: Any = import_module("soak")

EXAMPLES = 60

BROKE = {
    "a config that is no JSON, found when the image was there already": (
        "conversion",
        b"\x00\x00\x00\x00\x00\x00\x03",
    ),
    "a header that points to where no file system goes": (
        "docker_save",
        b"\x07\x00\x01\x00\x03\x074",
    ),
}
"""From what an input is to its target and itself, as small as it could be made."""


@pytest.mark.parametrize("target", base.TARGETS)
def test_no_input_breaks_a_target(target: str) -> None:
    assert soak.soak(target, EXAMPLES) >= EXAMPLES


@pytest.mark.parametrize("name", BROKE)
def test_what_broke_a_target_does_so_no_more(name: str) -> None:
    target, data = BROKE[name]
    with limits.limited():
        base.load(target).run(data)


@pytest.mark.parametrize("target", base.TARGETS)
def test_every_target_has_seeds_that_do_not_break_it(target: str) -> None:
    seeds = list(base.load(target).seeds())
    assert seeds
    for data in seeds[:: len(seeds) // 20 + 1]:
        base.load(target).run(data)


def test_choices_behind_the_end_are_the_first_ones() -> None:
    draws = base.Draws(b"\x05\x01")
    assert [draws.number(4), bool(draws), draws.one_of("ab"), bool(draws)] == [1, True, "b", False]
    assert (draws.number(1000), draws.one_of("ab"), draws.take(3), draws.rarely()) == (
        *(0, "a", b""),
        False,
    )


def test_an_error_of_another_kind_gets_through() -> None:
    with pytest.raises(KeyError), base.ours():
        raise KeyError


def test_what_knows_no_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.05)
    with pytest.raises(limits.TooSlow), limits.limited():
        all(iter(lambda: True, False))


def test_what_takes_all_memory_is_stopped() -> None:
    with pytest.raises(MemoryError), limits.limited():
        bytearray(2 * limits.MEMORY)
