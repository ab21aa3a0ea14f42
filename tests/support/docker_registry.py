"""Debian's ``docker-registry`` (distribution 2.8) on this machine, with its storage in memory."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

__all__ = ["HTPASSWD", "docker_registry", "memory_folder"]

HTPASSWD: Final = "me:$2y$05$abcdefghijklmnopqrstuu9Avu/WgbsK7g7xfCY1X3pdjsTgxqQLS\n"
"""The name ``me`` with the password ``s3cr3t``: perl -e 'print crypt("s3cr3t", "$2y$05$abc…u")'."""
_SHM: Final = Path("/dev/shm")
_SECONDS: Final = 20


@contextmanager
def memory_folder(otherwise: Path) -> Iterator[Path]:
    """A folder that is in memory where there is a place for that, and gone at the end."""
    made = Path(tempfile.mkdtemp(dir=_SHM if _SHM.is_dir() else otherwise))
    try:
        yield made
    finally:
        shutil.rmtree(made)


@contextmanager
def docker_registry(
    program: str, folder: Path, config: Mapping[str, Any], storage: Path | None = None
) -> Iterator[str]:
    """A registry with some configuration, and its host and port; its log is in ``folder``.

    It keeps everything in ``storage``, by default in memory.
    """
    if storage is None:
        with memory_folder(folder) as made, docker_registry(program, folder, config, made) as host:
            yield host
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    http = {"addr": host, **config.get("http", {})}
    whole = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(storage)}, "delete": {"enabled": True}},
        **config,
        "http": http,
    }
    file = folder / "registry.yml"
    file.write_text(json.dumps(whole), encoding="utf-8")  # JSON is YAML
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(file)], stdout=log, stderr=log)
    try:
        _wait(host, process, folder)
        yield host
    finally:
        process.terminate()
        process.wait()


def _wait(host: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    address, _, port = host.partition(":")
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, (folder / "registry.log").read_text("utf-8")
        try:
            socket.create_connection((address, int(port)), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("docker-registry does not listen")
