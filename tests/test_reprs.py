"""What a debugger or a notebook shows of a value is one short line, however much it holds."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from inspect import isabstract
from pathlib import Path
from typing import Any, Final, get_origin

import pytest
from pydantic import BaseModel

import oci_convert
import oci_convert.stores
from oci_convert import (
    Descriptor,
    Digest,
    Job,
    Limits,
    Memory,
    OciConvertError,
    Options,
    Platform,
    Progress,
    check,
    convert,
    diff,
    inspect,
    open_images,
    prove,
    repin,
    stores,
    translate,
    verify,
)
from oci_convert.cli.found_pins import find_pins
from oci_convert.cli.text_files import TextFile
from support.images import (
    attestation,
    docker_image,
    image_list,
    layer,
    layout_files,
    oci_image,
    referrer,
)

LONGEST: Final = 120
LONG: Final = "long/" * 400
LABEL: Final = "l" * 128
MANY: Final = docker_image([layer(f"{i}") for i in range(60)])
LARGE: Final = image_list(
    [oci_image(annotations={LONG: LONG}), MANY, attestation(MANY)], annotations={LONG: LONG}
)
PUBLIC: Final = {
    name: value
    for module in (oci_convert, oci_convert.stores)
    for name in module.__all__
    if isinstance(value := getattr(module, name), type)
}
CONTRACTS: Final = {"BinaryReader", "BinaryWriter", "SinkStore", "SourceStore", "Store"}
CONTRACTS_OF_OURS: Final = {"Sink", "Source", "LayoutNames", "OptionValues"}
"""What is only kept by others, and what a class of another name keeps."""


def values() -> Iterator[Any]:
    """What every verb returns for a large image, and what somebody may pass to one."""
    source = Memory(layout_files({f"example.com/{LONG}:1": LARGE, "": referrer(MANY, LONG)}))
    target = Memory()
    report = convert(source, target, to="docker", compress="gzip", level=1)
    broken = layout_files({"b": MANY})
    broken.pop(f"blobs/{layer('1').digest.replace(':', '/')}")
    yield source
    yield report
    yield convert([source, Memory(broken)], Memory(), to="oci", keep_going=True)
    yield inspect(source)
    yield check(source, "oci-1.0")
    yield verify(source)
    yield verify(Memory(broken))
    yield diff(source, target)
    yield prove(target, MANY.digest)
    yield prove(target, report.dumps(originals=True).encode())
    yield translate(MANY.manifest, "oci")
    text = f"{LONG}@{MANY.digest}\n" * 100
    yield repin(text, report.pins)
    yield find_pins([TextFile(LONG, Path(LONG), text)], report.pins, bare=True)
    with open_images(source) as images:
        yield images
        for image in images:
            yield from (image, image.config, image.manifest, *image.layers)
    with open_images(Memory(layout_files({"app": oci_image()}))) as images:
        for image in images:
            yield image.files()
            yield from image.files().values()
    yield oci_convert.check(source, ["docker-20.10", "oci-1.0"])
    yield from oci_convert.convert_many([Job(f"dir:{LONG}", f"oci:{LONG}", id=LONG)])
    yield Job(LONG, LONG, Options(to="oci"), LONG)
    yield from arguments()


def arguments() -> Iterator[Any]:
    descriptor = Descriptor(
        media_type=LONG,
        digest=MANY.digest,
        size=2**60,
        annotations={LONG: LONG},
        platform=Platform(os=LONG, architecture=LONG, os_version=LONG),
    )
    yield descriptor
    yield descriptor.platform
    yield Limits(nodes=7, tree_depth=3, document_size=2**40)
    yield Options(to="oci", platforms=["linux/amd64"] * 50, compress="zstd", tmpdir=LONG)
    yield oci_convert.Job(LONG, LONG, id=LONG)
    yield oci_convert.JobResult(
        id=LONG, source=LONG, destination=LONG, status=oci_convert.JobStatus.DONE
    )
    yield Progress(LONG, MANY.digest, 1, 2, 3, 4)
    for error in ("OciConvertError", "UsageError", "DocumentError", "BlobError", "StoreError"):
        yield getattr(oci_convert, error)(LONG, code="a-code", where=LONG, remedy=LONG)
    yield oci_convert.RefusedError(LONG, code="a-code")
    yield from (oci_convert.History(comment=LONG), oci_convert.RootFS(type=LONG))
    yield oci_convert.Index(schema_version=2, manifests=(descriptor,) * 1000)
    yield oci_convert.RuntimeConfig(cmd=(LONG,) * 100, env=(LONG,) * 100)
    yield from (stores.OciLayout(LONG, LABEL), stores.ContainersDir(LONG), Digest(MANY.digest))
    yield from (stores.DockerArchive(LONG, LABEL), stores.OciArchive(LONG))
    yield stores.RegistryImage(f"example.com/{'a' * 200}:{LABEL}")
    yield from (stores.SinkOptions(oci_convert.Family.OCI), stores.SourceOptions())
    yield from (stores.Capabilities(), stores.Root(descriptor, {LONG: LONG}, LONG))
    yield from (stores.Traffic(), stores.Auth.anonymous(), stores.RegistryOptions())
    secret = stores.Secret(LONG)
    proxy = stores.Proxy("http://example.com:3128", stores.UserPassword("u", secret))
    yield from (secret, stores.UserPassword("u", secret), proxy, stores.Proxies(proxy))
    with stores.RegistryClient() as client:
        yield client


def inside(value: Any, seen: set[int]) -> Iterator[Any]:
    """The value and everything that its fields hold."""
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    held: list[Any] = []
    if isinstance(value, BaseModel):
        held = [getattr(value, name) for name in type(value).model_fields]
    elif is_dataclass(value):
        held = [getattr(value, field.name, None) for field in fields(value) if field.name[0] != "_"]
    elif isinstance(value, tuple | list | set | frozenset):
        held = list(value)
    elif isinstance(value, dict):
        held = list(value.values())
    for one in held:
        yield from inside(one, seen)


@cache
def met() -> dict[str, list[str]]:
    """What was shown of the objects of each public class."""
    found: dict[str, list[str]] = {}
    seen: set[int] = set()
    kept = list(values())
    for value in kept:
        for one in inside(value, seen):
            name = type(one).__name__
            if PUBLIC.get(name) is type(one):
                found.setdefault(name, []).append(repr(one))
    gc.collect()
    return found


def kinds(wanted: Callable[[type], bool]) -> list[str]:
    return [name for name, kind in PUBLIC.items() if wanted(kind)]


@pytest.mark.parametrize("name", kinds(lambda kind: get_origin(kind) is None))
def test_a_repr_is_one_short_line(name: str) -> None:
    kind = PUBLIC[name]
    if name in CONTRACTS | CONTRACTS_OF_OURS:
        assert isabstract(kind) or name in CONTRACTS | {"OptionValues"}
        return
    shown = [repr(member) for member in kind] if issubclass(kind, Enum) else met()[name]
    for line in shown:
        assert len(line) <= LONGEST, line
        assert line.isprintable(), line
        assert " object at 0x" not in line or name == "RegistryClient", line


def test_a_repr_says_what_is_unusual() -> None:
    assert repr(Limits()) == "Limits()"
    assert repr(Limits(nodes=7)) == "Limits(nodes=7)"
    assert repr(Options(to="oci")) == "Options(to='oci')"
    found = inspect(Memory(layout_files({"app": MANY})))
    assert repr(found) == "Inspection(source='memory', images=<1>)"
    assert repr(found.images[0].descriptor) == (
        "Descriptor(media_type='application/vnd.dock…ion.manifest.v2+json', "
        f"digest={MANY.digest[:19]}, size={len(MANY.manifest)})"
    )
    error = OciConvertError("it ends", code="c", where="dir:app")
    assert repr(error) == "OciConvertError(message='it ends', code='c', where='dir:app')"
