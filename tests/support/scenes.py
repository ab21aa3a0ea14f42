"""Scenes of a conversion that something happens to, and what must hold whatever it was.

A :class:`Scene` is a source, and a target as it is before the run; it knows what an undisturbed run
leaves there. :meth:`Scene.check` is the promise: the image is there whole or not at all, what was
there before is as it was, and no file that anybody can see is half written.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from oci_convert.conversion.convert import convert
from oci_convert.report import Report
from oci_convert.verification.verify import verify
from support.images import (
    Image,
    digest_of,
    docker_image,
    files_below,
    layer,
    save_tar,
    write_dir,
    write_layout,
)

UNFINISHED: Final = ".oci-convert"
OLD: Final = docker_image([layer("old"), layer("shared", size=5_000)])


def new_image(size: int) -> Image:
    """An image with a large layer, a small one, and one that the old image has, too."""
    return docker_image([layer("new", size=size), layer("small"), layer("shared", size=5_000)])


@dataclass(frozen=True)
class Kind:
    """A kind of conversion."""

    target: str
    """A reference; ``{}`` stands for the folder."""
    options: Mapping[str, Any] = field(default_factory=dict)
    old: bool = False
    """Whether another image is there before."""
    saved: bool = False
    """Whether the source is an archive that must be unpacked beside the target."""


KINDS: Final[dict[str, Kind]] = {
    "a new layout": Kind("oci:{}/target:new"),
    "a layout with an image": Kind("oci:{}/target:new", old=True),
    "a layout, recompressing": Kind("oci:{}/target:new", {"compress": "zstd"}, old=True),
    "a layout, linking": Kind("oci:{}/target:new", {"link": True}, old=True),
    "a layout of rc2": Kind("oci:{}/target:new", {"to": "oci-rc2"}),
    "a layout, from a saved archive": Kind("oci:{}/target:new", saved=True),
    "a new dir:": Kind("dir:{}/target", {"to": "docker"}),
    "a dir:, replaced": Kind("dir:{}/target", {"to": "docker", "force": True}, old=True),
    "a dir:, linking": Kind("dir:{}/target", {"to": "docker", "link": True}),
    "an oci-archive": Kind("oci-archive:{}/target.tar:new"),
    "an oci-archive, recompressing": Kind("oci-archive:{}/target.tar:new", {"compress": "zstd"}),
    "an oci-archive, packed": Kind("oci-archive:{}/target.tar.gz:new"),
    "a docker-archive, replaced": Kind(
        "docker-archive:{}/target.tar:example.com/new:1", {"force": True}, old=True
    ),
}
"""By what is written."""


class Scene:
    """One conversion in a folder of its own, as often as it takes."""

    def __init__(self, kind: Kind, folder: Path, size: int = 300_000) -> None:
        self.kind = kind
        self.folder = self.place(folder)
        self.target = kind.target.format(self.folder)
        self.transport, path, *_ = self.target.split(":")
        self.path = Path(path)
        if kind.saved:
            self.source = str(folder / "source.tar.gz")
            packed = gzip.compress(save_tar({"new:1": new_image(size)}), 1)
            Path(self.source).write_bytes(packed)
        else:
            self.source = f"oci:{write_layout({'new': new_image(size)}, folder / 'source')}"
        self.begin()
        self.before = files_below(self.folder)
        self.run()
        self.after = files_below(self.folder)
        """What an undisturbed run leaves."""

    @staticmethod
    def place(folder: str | Path) -> Path:
        """Where the target is, if the scene is set in ``folder``."""
        return Path(folder) / "place"

    def begin(self) -> None:
        """Make the target what it is before the run, whatever is there."""
        self.clear()
        self.prepare()

    def clear(self) -> None:
        """Remove the target and everything beside it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self) -> None:
        """Make the target what it is before the run, where nothing is."""
        if not self.kind.old:
            return
        if self.transport == "dir":
            write_dir(OLD, self.path)
        elif self.transport == "oci":
            write_layout({"old": OLD}, self.path)
        else:
            self.folder.mkdir(exist_ok=True)
            self.path.write_bytes(save_tar({"old:1": OLD}))

    def run(self, **options: Any) -> Report:
        """Convert."""
        asked = {"to": None, "jobs": 2, **self.kind.options, **options}
        return convert(self.source, self.target, **asked)

    @property
    def mark(self) -> str:
        """The file whose appearance makes the image appear."""
        if self.transport == "dir":
            return "target/manifest.json"
        if self.transport == "oci":
            return "target/refs/new" if "to" in self.kind.options else "target/index.json"
        return self.path.name

    def check(self) -> bool:
        """Hold what is there to the promise; says whether the image is there."""
        now = {
            name: data
            for name, data in files_below(self.folder).items()
            if UNFINISHED not in name.split("/")
        }
        for name, data in now.items():
            known = (self.before.get(name), self.after.get(name))
            assert data in known or digest_of(data)[7:] in name, f"{name} is half written"
        assert now.keys() >= self.before.keys(), "something that was there is gone"
        there = now.get(self.mark) == self.after[self.mark]
        if there:
            assert now == self.after
        if there or self.kind.old:
            verification = verify(f"{self.transport}:{self.path}")
            assert verification.sound, verification.findings
        return there

    def leftovers(self) -> list[str]:
        """What is there and would not be there after an undisturbed run, nor was before."""
        known = self.before.keys() | self.after.keys()
        return [
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if not any(
                f"{name}/".startswith(f"{path.relative_to(self.folder).as_posix()}/")
                for name in known
            )
        ]

    def repeat(self, *, there: bool) -> None:
        """Run again, as somebody would after a failure: it succeeds, and nothing is left over."""
        self.run(fsync=False, **({"force": True} if there else {}))
        assert files_below(self.folder) == self.after
        assert self.leftovers() == []
