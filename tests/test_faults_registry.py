"""Conversions from, into and inside registries survive what goes wrong: a sample of the matrix.

``python tests/faults/registries.py`` lets everything go wrong at every request.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from registry import Fault
from support.registry_faults import LASTING, WAYS, Scene

RUNS = 7


@pytest.mark.parametrize("way", WAYS)
def test_the_old_image_or_the_new_one_and_no_secret_anywhere(way: str, tmp_path: Path) -> None:
    scene = Scene(WAYS[way], tmp_path)
    cases = [(fault, place) for place in (*scene.single(), *LASTING) for fault in Fault]
    for fault, place in cases[:: len(cases) // RUNS]:
        scene.survive(fault, place)
