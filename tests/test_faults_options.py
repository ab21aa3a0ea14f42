"""No option and no pair of options makes any store crash a conversion.

A few of the runs that ``tests/faults/options.py`` makes.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from oci_convert import Memory
from support.images import Image, attestation, docker_image, image_list, layout_files, oci_image
from support.sweep import choices, crash_of, targets

TESTDATA = Path(__file__).parent.parent / "testdata"
EVERY = list(choices())
IMAGE: Image = oci_image(annotations={"a": "b"})
ATTESTED = image_list([IMAGE, attestation(IMAGE), docker_image(platform="linux/arm64")])


def test_every_pair_is_among_them() -> None:
    assert {} in EVERY
    assert {"digest": "sha512", "flatten": True} in EVERY
    assert len({tuple(sorted(map(str, one.items()))) for one in EVERY}) == len(EVERY) > 400


@pytest.mark.parametrize("to", targets())
def test_an_index_with_everything_takes_many_pairs(to: str) -> None:
    source = Memory(layout_files({"app:1": ATTESTED, "": docker_image(algorithm="sha512")}))
    for options in islice(EVERY, targets().index(to), None, 7):
        assert crash_of(source, {**options, "to": to}) is None, options


@pytest.mark.parametrize("store", sorted(path.name for path in TESTDATA.iterdir()))
def test_what_stands_in_the_repository_takes_some_pairs(store: str) -> None:
    for options in islice(EVERY, 0, None, 23):
        assert crash_of(TESTDATA / store, {**options, "to": "docker"}) is None, options
