"""Any store, and everything that can be asked of it: no answer is an error of another kind, and
nothing is proved of an image that is not what a conversion gives.

The input is a byte for the store, one for the family that it was converted to, and the accidents
that befell the conversion.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from base import Draws, ours
from mutations import damaged
from oci_convert import Memory, convert, inspect, open_images, prove, same_as, verify
from oci_convert.errors import OciConvertError
from oci_convert.inspection.images import Image
from oci_convert.spec.digest import Digest
from oci_convert.spec.media_types import Family
from stores import LAYOUTS

_STORES: Final = tuple(LAYOUTS.values())
_TO: Final = (Family.OCI, Family.DOCKER)


@cache
def _converted(store: int, to: Family) -> tuple[Memory, str | None, str | None]:
    """A conversion, the digest of what was converted, and of what it became."""
    target = Memory()
    try:
        report = convert(Memory(dict(_STORES[store])), target, to=to, jobs=1)
    except OciConvertError:
        return Memory(dict(_STORES[store])), None, None
    image = report.images[0]
    one = len(report.images) == 1 and image.old is not None
    return target, image.old.digest if one and image.old else None, image.new.digest


def run(data: bytes) -> None:
    """Ask everything."""
    draws = Draws(data)
    sound, old, new = _converted(draws.number(len(_STORES)), draws.one_of(_TO))
    source = Memory(damaged(sound.files, draws))
    with ours():
        assert verify(source, jobs=1).to_json()
    with ours():
        assert inspect(source).to_json()
    with ours():
        same_as(source, sound, jobs=1)
    if old is not None:
        _prove(source, old, new)
    _open(source)


def _prove(source: Memory, old: str, new: str | None) -> None:
    with ours():
        proof = prove(source, old, jobs=1)
        assert proof.to_json()
        tops = {image.descriptor.digest for image in verify(source, jobs=1).images}
        assert not proof.proved or new in tops or old in tops, "a damaged image was proved"


def _open(source: Memory) -> None:
    with ours(), open_images(source) as images:
        for image in images:
            with ours():
                _read(image)


def _read(image: Image) -> None:
    """Read an image; what is read without an error has its digest."""
    assert Digest.of(image.manifest_bytes, image.digest.algorithm) == image.digest
    assert image.config is not None
    for layer in image.layers:
        with ours():
            with layer.open() as file:
                data = file.read()
            assert Digest.of(data, layer.digest.algorithm) == layer.digest
            with layer.open(unpacked=True) as file:
                tar = file.read()
            assert layer.diff_id in (None, Digest.of(tar))


def seeds() -> Iterator[bytes]:
    """Every store, converted to each family, without and with an accident."""
    for store in range(len(_STORES)):
        for to in range(len(_TO)):
            yield bytes([store, to])
            yield bytes([store, to, store, 0, to])
