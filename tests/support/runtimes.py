"""Runtimes on this machine with folders of their own: would they make a container of an image?"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

__all__ = [
    "RUNTIMES",
    "Containerd",
    "Docker",
    "NotStartedError",
    "Podman",
    "Runtime",
    "may_mount",
]

_FILE: Final = "etc/motd"
"""What every layer of the tests has."""
_SECONDS: Final = 30


class NotStartedError(Exception):
    """A daemon that this machine does not let run."""


def may_mount(folder: Path) -> bool:
    """Whether layers can be put on each other below ``folder``, which some containers forbid."""
    lower, upper, work, merged = (folder / name for name in ("lower", "upper", "work", "merged"))
    for part in (lower, upper, work, merged):
        part.mkdir()
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    command = ["mount", "-t", "overlay", "overlay", "-o", options, str(merged)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        return False
    subprocess.run(["umount", str(merged)], check=True)
    return True


@dataclass
class Runtime(ABC):
    """A runtime whose images are in ``folder``."""

    folder: Path
    said: str = ""
    """What it said of the last image that it did not take."""

    programs: ClassVar[tuple[str, ...]]
    """What must be installed."""

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Runtime]:
        """The runtime, with its daemon if it has one."""
        yield cls(folder)

    @abstractmethod
    def profile(self) -> str | None:
        """The profile that speaks of this version."""

    @abstractmethod
    def takes(self, reference: str) -> bool:
        """Whether it pulls an image, and makes a root file system of it."""

    def _version(self, program: str) -> int:
        """The first number of the version."""
        said = self._call(program, "--version") or ""
        return int(next(re.finditer(r"(\d+)\.\d+", said))[1])

    def _call(self, *command: str | Path) -> str | None:
        ended = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            self.said = ended.stderr
            return None
        return ended.stdout.strip()


class Containerd(Runtime):
    """containerd; ``ctr`` pulls for one platform, as Kubernetes does."""

    programs = ("containerd", "ctr")

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Runtime]:
        config = folder / "config.toml"
        places = {"root": "root", "state": "state"}
        lines = ["version = 2", *(f'{name} = "{folder / it}"' for name, it in places.items())]
        lines += ['disabled_plugins = ["io.containerd.grpc.v1.cri"]']
        lines += ["[grpc]", f'address = "{folder / "socket"}"']
        lines += ["[ttrpc]", f'address = "{folder / "ttrpc"}"']
        config.write_text("\n".join(lines), encoding="utf-8")
        with _daemon(folder, folder / "socket", "containerd", "--config", str(config)):
            yield cls(folder)

    def profile(self) -> str | None:
        return "containerd-1.6" if self._version("containerd") < 2 else "containerd"

    def takes(self, reference: str) -> bool:
        image = ("ctr", "-a", self.folder / "socket", "images")
        here = ("--local", "--skip-metadata") if self._version("containerd") >= 2 else ()
        mounted = self.folder / "mounted"
        mounted.mkdir(exist_ok=True)
        if self._call(*image, "pull", *here, "--plain-http", reference) is None:
            return False
        if self._call(*image, "mount", reference, mounted) is None:
            return False
        try:
            return (mounted / _FILE).is_file()
        finally:
            self._call(*image, "unmount", "--rm", mounted)


class Docker(Runtime):
    """The daemon of Docker; from 28 on with the image store of containerd."""

    programs = ("dockerd", "docker", "containerd")

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Runtime]:
        own = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        config = {
            **{name: str(folder / it) for name, it in own.items()},
            "iptables": False,
            "ip-forward": False,
            "ip-masq": False,
            "bridge": "none",
            "userland-proxy": False,
            "insecure-registries": ["127.0.0.0/8"],
            "hosts": [f"unix://{folder / 'socket'}"],
        }
        made = cls(folder)
        if made._version("dockerd") >= 28:
            config["features"] = {"containerd-snapshotter": True}
        else:
            config["storage-driver"] = "vfs"
        file = folder / "daemon.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        with _daemon(folder, folder / "socket", "dockerd", "--config-file", str(file)):
            yield made

    def profile(self) -> str | None:
        major = self._version("dockerd")
        return "docker-20.10" if major == 20 else "docker-29" if major >= 28 else None

    def takes(self, reference: str) -> bool:
        docker = ("docker", "--host", f"unix://{self.folder / 'socket'}")
        if self._call(*docker, "pull", "--quiet", reference) is None:
            return False
        made = self._call(*docker, "create", reference, "sh")
        if made is None:
            return False
        copied = self._call(*docker, "cp", f"{made}:/{_FILE}", self.folder / "copied")
        self._call(*docker, "rm", made)
        return copied is not None


class Podman(Runtime):
    """podman, which has no daemon."""

    programs = ("podman",)

    def profile(self) -> str | None:
        return "podman"

    def takes(self, reference: str) -> bool:
        places = ("--root", self.folder / "root", "--runroot", self.folder / "run")
        podman = ("podman", *places, "--storage-driver", "vfs")
        if self._call(*podman, "pull", "--quiet", "--tls-verify=false", reference) is None:
            return False
        mounted = self._call(*podman, "image", "mount", reference)
        try:
            return mounted is not None and (Path(mounted) / _FILE).is_file()
        finally:
            self._call(*podman, "image", "unmount", reference)


RUNTIMES: Final[dict[str, type[Runtime]]] = {
    "containerd": Containerd,
    "docker": Docker,
    "podman": Podman,
}


@contextmanager
def _daemon(folder: Path, listens: Path, *command: str) -> Iterator[None]:
    log = folder / "log"
    with log.open("wb") as file:
        program = shutil.which(command[0]) or command[0]
        process = subprocess.Popen([program, *command[1:]], stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + _SECONDS
        while not _answers(listens):
            if process.poll() is not None or time.monotonic() > deadline:
                last = log.read_text("utf-8").strip().splitlines()[-1:]
                raise NotStartedError(f"{command[0]} does not start here: {''.join(last)}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()
        # What a runtime mounted keeps its folder from being removed.
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
        for mount in sorted(mounts, reverse=True):
            if mount.startswith(f"{folder}{os.sep}"):
                subprocess.run(["umount", "--lazy", mount], check=False)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0
