"""Conversions from, into and inside registries in which something goes wrong.

A :class:`Scene` is a registry behind a token server, with another host that serves its blobs, and a
conversion. :meth:`Scene.survive` lets it meet a fault and checks what must hold afterwards.
"""

from __future__ import annotations

import base64
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from oci_convert import Family, OciConvertError, Report, convert, verify
from oci_convert.stores import ContainersDir, OciLayout, RegistryImage
from oci_convert.stores.registry.auth import Auth
from registry import FakeRegistry, Fault, TokenServer
from registry.content import digest_of
from registry.faults import INSTEAD
from registry.messages import Request
from support.images import docker_image, image_list, layer, oci_image, write_dir
from support.registries import client, load

__all__ = ["LASTING", "WAYS", "Place", "Scene", "Way"]

OLD: Final = oci_image([layer("old")])
_BASE: Final = layer("base", size=3000)
SOURCE: Final = image_list(
    [docker_image([_BASE]), docker_image([_BASE, layer("top")], platform="linux/arm64")],
    Family.DOCKER,
)
PASSWORD: Final = "marked-s3cr3t-of-the-tests"
_HASTY: Final[dict[str, Any]] = {"retries": 1, "backoff": 0, "read_timeout": 0.15}


@dataclass(frozen=True)
class Place:
    """Where a fault is: at requests to the registry, or to the other host that serves its blobs."""

    name: str
    when: Callable[[Request], bool]
    times: int = 1
    elsewhere: bool = False


LASTING: Final = (
    Place("every read", lambda it: it.method in {"GET", "HEAD"}, 10_000),
    Place("every PUT", lambda it: it.method == "PUT", 10_000),
    Place("every beginning of an upload", lambda it: it.method in {"POST", "PATCH"}, 10_000),
)
"""Where things go wrong for good."""


@dataclass(frozen=True)
class Way:
    """From where to where; ``target`` is the repository, or ``None`` for a layout."""

    go: Callable[[Scene], Report]
    target: str | None = "team/app"
    chunk: int | None = None


def _in_place(scene: Scene) -> Report:
    image = scene.image("team/app:1")
    return convert(image, image, to="oci", force=True)


def _mounted(scene: Scene) -> Report:
    return convert(scene.image("source:1"), scene.image("team/app:1"), to="oci", force=True)


def _from_dir(scene: Scene) -> Report:
    source = ContainersDir(scene.folder / "dir")
    return convert(source, scene.image("team/app:1"), to="oci", force=True)


def _recompressed(scene: Scene) -> Report:
    source, target = scene.image("source:1"), scene.image("team/app:1")
    return convert(source, target, to="oci", compress="zstd", force=True)


def _to_layout(scene: Scene) -> Report:
    return convert(scene.image("source:1"), OciLayout(scene.folder / "layout"), to="oci")


WAYS: Final[dict[str, Way]] = {
    "in one repository": Way(_in_place),
    "into another repository, with mounts": Way(_mounted),
    "from a directory into a registry": Way(_from_dir),
    "the same in pieces": Way(_from_dir, chunk=2000),
    "recompressed inside a registry": Way(_recompressed),
    "from a registry into a layout": Way(_to_layout, target=None),
}


class Scene:
    """One conversion, and what is around it."""

    def __init__(self, way: Way, folder: Path) -> None:
        self.way = way
        self.folder = folder
        self.produced: list[str] = []
        """Everything that came of it, in which no secret may be found."""
        write_dir(SOURCE, folder / "dir")

    @contextmanager
    def _registry(self) -> Iterator[None]:
        gate = TokenServer({"me": PASSWORD})
        with (
            FakeRegistry() as self.storage,
            FakeRegistry(
                gate=gate, content=self.storage.content, blobs_at=self.storage.origin
            ) as self.fake,
        ):
            in_place = self.way.go is _in_place
            load(self.fake, "source", "1", SOURCE)
            load(self.fake, "team/app", "1", SOURCE if in_place else OLD)
            self.old = SOURCE.digest if in_place else OLD.digest
            yield

    def image(self, name: str) -> RegistryImage:
        """An image of the registry, in the name of the one who may write."""
        return RegistryImage(f"docker://{self.fake.host}/{name}", self.client)

    def _run(self, **patience: Any) -> tuple[Report | None, OciConvertError | None]:
        # So that a complaint of too many requests does not slow down for long.
        options = {**patience, "rates": {self.fake.host: 1e4}, "chunk": self.way.chunk}
        with client(Auth.basic("me", PASSWORD), **options) as self.client:
            try:
                return self.way.go(self), None
            except OciConvertError as error:
                return None, error

    @cached_property
    def undisturbed(self) -> tuple[str, int, int]:
        """The new digest, and how many requests go to the registry and to the other host."""
        with self._registry():
            report, error = self._run()
            assert report is not None, error
            self._check(report, None)
            new = report.images[0].new.digest
            return new, len(self.fake.log.requests), len(self.storage.log.requests)

    def single(self) -> Iterator[Place]:
        """Each request alone."""

        def at(index: int, *, elsewhere: bool) -> Place:
            name = f"request {index}{' elsewhere' if elsewhere else ''}"
            return Place(name, lambda it: it.index == index, elsewhere=elsewhere)

        _, ours, others = self.undisturbed
        yield from (at(index, elsewhere=False) for index in range(ours))
        yield from (at(index, elsewhere=True) for index in range(others))

    def survive(self, fault: Fault, place: Place) -> str:
        """Meet a fault, run again without it, and check everything; what was there in between."""
        new = self.undisturbed[0]
        with self._registry():
            faulty = self.storage if place.elsewhere else self.fake
            faulty.faults.when(place.when, fault, place.times)
            with self._logged():
                report, error = self._run(**_HASTY)
            ended = self._check(report, error)
            # Whoever is told that there is no image under the tag, keeps none, unless he had it.
            absent = fault in INSTEAD and INSTEAD[fault].status == HTTPStatus.NOT_FOUND
            absent = absent and self.way.go is not _in_place
            assert ended == "old" or absent or self._keeps_old()
            assert error is not None or ended == "new"
            for each in (self.fake, self.storage):
                each.faults.clear()
            again, failure = self._run()
            assert again is not None, failure
            assert again.images[0].new.digest == new
            assert self._check(again, None) == "new"
            self._check_secrets()
        return ended

    # -- what must hold ---------------------------------------------------------------------

    def _check(self, report: Report | None, error: OciConvertError | None) -> str:
        if report is not None:
            self.produced += [
                repr(report),
                json.dumps(report.to_json()),
                repr(pickle.dumps(report)),
            ]
        if error is not None:
            assert error.code
            assert "\n" not in str(error)
            self.produced += traceback.format_exception(error)
            self.produced += [repr(pickle.dumps(error)), repr(vars(error))]
        for digest, data in list(self.fake.content.data.items()):
            assert digest_of(data) == digest, "a blob of a wrong digest was taken"
        return self._shown_layout() if self.way.target is None else self._shown(self.way.target)

    def _shown(self, name: str) -> str:
        """Whether the tag shows the old image or the new one; it is there as a whole."""
        held = self.fake.content.repository(name)
        root = held.tags["1"]
        todo = [root]
        while todo:
            digest = todo.pop()
            if digest not in held.manifests:
                assert digest in held.blobs, f"{digest} is missing"
                continue
            raw = held.manifests[digest].raw
            assert digest_of(raw) == digest
            body = json.loads(raw)
            entries = [body.get("config"), *body.get("layers", ()), *body.get("manifests", ())]
            todo += [entry["digest"] for entry in entries if entry]
        if root == self.old:
            return "old"
        assert "undisturbed" not in vars(self) or root == self.undisturbed[0]
        return "new"

    def _keeps_old(self) -> bool:
        """Whether the image that was replaced still has a tag, if there was one."""
        if self.way.target is None:
            return True
        tags = self.fake.content.repository(self.way.target).tags
        return self.old in {digest for tag, digest in tags.items() if "-before-" in tag}

    def _shown_layout(self) -> str:
        layout = self.folder / "layout"
        if not layout.exists():
            return "old"
        assert verify(OciLayout(layout)).sound
        for file in sorted(layout.rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()
        layout.rmdir()
        return "new"

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """Keep what is logged, at the finest level, by anybody."""
        handler, root = _Keeping(self.produced), logging.getLogger()
        before = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.removeHandler(handler)
            root.setLevel(before)

    def _check_secrets(self) -> None:
        """No secret in what was produced, in an address, or in what another host was sent."""
        sent = self.storage.log.requests
        assert not any("Authorization" in request.headers for request in sent)
        self.produced += [f"{it.path} {dict(it.headers)}" for it in sent]
        self.produced += [it.target for it in self.fake.log.requests]
        everything = "\n".join(self.produced)
        self.produced.clear()
        basic = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
        for secret in (PASSWORD, basic, "tok-", "signature=s3cr3t"):
            assert secret not in everything


class _Keeping(logging.Handler):
    def __init__(self, kept: list[str]) -> None:
        super().__init__()
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append(record.getMessage())
