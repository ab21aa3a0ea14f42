"""What a conversion is done with is gone at once: no circle of references keeps a whole tree."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from oci_convert.conversion.convert import convert
from oci_convert.spec.media_types import Family
from oci_convert.stores.memory import Memory
from oci_convert.stores.registry.image import RegistryImage
from oci_convert.verification.verify import verify
from registry import FakeRegistry
from support.images import (
    attestation,
    docker_image,
    image_list,
    layer,
    layout_files,
    oci_image,
    referrer,
)
from support.registries import client

IMAGES = [docker_image([layer(name), layer(f"{name}+")]) for name in "ab"]
LIST = image_list(IMAGES, Family.DOCKER)
ATTESTED = image_list([oci_image([layer("a")]), attestation(oci_image([layer("a")]))])
FILES = layout_files({"list": LIST, "nested": image_list([ATTESTED]), "refers": referrer(LIST)})


def circles(run: Callable[[], object]) -> Counter[str]:
    """What of ours only the collector of garbage frees, after whatever is made once was made."""
    run()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        run()
        gc.collect()
        found = Counter(str(getattr(it, "__qualname__", type(it))) for it in gc.garbage if ours(it))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    return found


def ours(thing: object) -> bool:
    module = getattr(thing, "__module__", None) or type(thing).__module__
    return str(module).startswith("oci_convert")


@pytest.mark.parametrize("to", ["docker", "oci"])
@pytest.mark.parametrize("compress", ["auto", "none"])
def test_nothing_waits_for_the_collector(to: str, compress: str, tmp_path: Path) -> None:
    def run() -> None:
        convert(Memory(FILES), Memory(), to=to, compress=compress, sparse="keep", jobs=1)
        for name in ("list", "nested"):
            convert(Memory(FILES, name), f"oci:{tmp_path}/{to}-{compress}:{name}", to=to)
        assert verify(f"oci:{tmp_path}/{to}-{compress}").sound

    assert not circles(run)


def test_nothing_does_inside_a_registry() -> None:
    with FakeRegistry() as registry, client() as ours:
        name = f"docker://{registry.host}/team/app"
        convert(Memory(FILES, "list"), RegistryImage(f"{name}:1", ours), to="docker")

        def run() -> None:
            target = RegistryImage(f"{name}:2", ours, keep_original=False)
            convert(RegistryImage(f"{name}:1", ours), target, to="oci", force=True)

        assert not circles(run)
