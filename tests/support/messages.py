"""Everything that the command can say is wrong or worth telling, each with what provokes it.

A :class:`Provoked` prepares a folder and is a command line that is called in it, or a call of the
library. The images of :mod:`support.malformed` are provoked besides.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest import mock

from oci_convert import convert, open_images, translate
from oci_convert.cli.show import complain
from oci_convert.errors import OciConvertError
from oci_convert.layers.compression import compress
from oci_convert.spec.media_types import Compression, Family
from oci_convert.stores.files.file import File
from oci_convert.stores.files.system import REFUSALS, system_error
from oci_convert.stores.files.tar import Tar
from oci_convert.version import __version__
from support import schema1
from support.archives import Members, Saved, archive, crane, crane_foreign, docker_20, docker_25
from support.command import Command
from support.faults import Faults
from support.images import (
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    EMPTY,
    LAYERS,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Blob,
    Image,
    Layer,
    artifact_manifest,
    attestation,
    cosign_signature,
    cosign_tag,
    dir_files,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    mislabelled,
    oci_image,
    opaque,
    pack,
    referrer,
    save_tar,
    write_files,
)
from support.runs import MISLABELLED, docker_attested, embedded, platforms

__all__ = ["PROVOKED", "Provoked", "Told", "masked"]

Step = Callable[[], object]
ONE: Final = docker_image()
OTHER: Final = docker_image([layer("other")])
OCI: Final = oci_image()
ZSTD: Final = oci_image([layer("z", Compression.ZSTD)])
BOTH_IMAGES: Final = platforms("linux/amd64", "linux/arm64")
BOTH: Final = image_list(BOTH_IMAGES)
SAVED: Final = save_tar({"app:1": ONE})
ARTIFACT: Final = manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"note")])
MODEL: Final = manifest(
    Blob(OCI_CONFIG, minimal_config([])), [Blob("application/vnd.example.model", b"weights")]
)
URLS: Final = {"urls": ["https://example.com/layer"]}
ATTESTED: Final = image_list([OCI, attestation(OCI)])
SIGNED: Final = {"app": ONE, cosign_tag(ONE): cosign_signature(ONE)}
ABSENT: Final = image_list([OCI, replace(ZSTD, blobs={})])


@dataclass(frozen=True)
class Provoked:
    """How a message is provoked."""

    code: str
    call: str | partial[Any]
    """A command line without its name, or a call of the library."""
    steps: tuple[Step, ...] = ()
    """What is done in an empty folder before."""
    within: Callable[[], AbstractContextManager[object]] = nullcontext
    """What holds while the command runs."""

    def __str__(self) -> str:
        """The call as one would write it."""
        if isinstance(self.call, str):
            return f"$ oci-convert {_shortened(self.call)}"
        arguments = [repr(str(it)) if isinstance(it, Enum) else repr(it) for it in self.call.args]
        arguments += [f"{name}={value!r}" for name, value in self.call.keywords.items()]
        return f">>> {self.call.func.__name__}({', '.join(arguments)})"

    def provoke(self, command: Command) -> Told:
        """What is said, in the current directory, which is empty."""
        for step in self.steps:
            step()
        codes: list[str] = []

        def heard(line: str) -> None:
            error = sys.exc_info()[1]
            if isinstance(error, OSError):
                error = system_error(error)
            assert isinstance(error, OciConvertError)
            codes.append(error.code)
            complain(line)

        with mock.patch("oci_convert.cli.run.complain", heard), self.within():
            if isinstance(self.call, str):
                ended = command(*shlex.split(self.call))
                lines = [line for line in ended.err.splitlines() if _LEVEL.match(line)]
                codes += [match[1] for line in lines if (match := _FINDING.search(line))]
                return Told(codes, list(map(masked, lines)), ended.status)
            try:
                self.call()
            except OciConvertError as error:
                return Told([error.code], [masked(f"error: {error}")])
        raise AssertionError("nothing is wrong")


@dataclass(frozen=True)
class Told:
    """What is said, and how the command ended."""

    codes: list[str]
    lines: list[str]
    status: int | None = None
    """``None`` for a call of the library."""


_LEVEL: Final = re.compile("(error|loss|warning|info): ")
_FINDING: Final = re.compile(r" \[([a-zA-Z0-9-]+)\]$")
_MASKS: Final = {
    r"([0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])": r"\1…",  # nobody reads all of it
    r"data is damaged: [^;\[]*": "data is damaged: …",  # the words of the codec
    r"\d+ more bytes are needed, \d+ are free": "N more bytes are needed, N are free",
}


def masked(line: str) -> str:
    """The line without what differs from machine to machine, and from release to release."""
    line = line.replace(f"oci-convert {__version__}", "oci-convert VERSION")
    line = line.replace(f"{Path.cwd()}/", "").replace(os.path.realpath(Path.cwd()) + "/", "")
    for pattern, shown in _MASKS.items():
        line = re.sub(pattern, shown, line)
    return line


def _shortened(call: str) -> str:
    return re.sub("([0-9a-f]{12})[0-9a-f]{52}", r"\1…", call)


def layout(name: str = "layout", /, **images: Image) -> Step:
    """A layout; an image called ``_`` has no name."""
    named = {"" if ref == "_" else ref: image for ref, image in images.items()}
    return lambda: write_files(layout_files(named), Path(name))


def annotate(name: str, annotations: Mapping[str, str]) -> None:
    """Let the index.json of a layout say something of itself."""
    path = Path(name) / "index.json"
    index = json.loads(path.read_bytes()) | {"annotations": dict(annotations)}
    path.write_text(json.dumps(index))


def images(named: Mapping[str, Image]) -> Step:
    return lambda: write_files(layout_files(named), Path("layout"))


def folder(image: Image, name: str = "app") -> Step:
    """A ``dir:`` directory."""
    return lambda: write_files(dir_files(image), Path(name))


def files(**content: bytes | str) -> Step:
    """Files; what is no letter in a name is spelled ``_``, but for the last one, the dot."""
    return lambda: write_files(
        {
            ".".join(name.rsplit("_", 1)): data.encode() if isinstance(data, str) else data
            for name, data in content.items()
        },
        Path(),
    )


def converted(source: str, target: str, **options: Any) -> Step:
    return lambda: convert(source, target, fsync=False, **options)


def recorded(source: str, target: str, **options: Any) -> Step:
    """A conversion with ``--record record.json``."""

    def run() -> None:
        report = convert(source, target, fsync=False, **options)
        Path("record.json").write_text(report.dumps(originals=True), encoding="utf-8")

    return run


def listed(**members: Any) -> Step:
    """Other members in the first entry of a layout's ``index.json``."""
    return edited("layout/index.json", lambda index: index["manifests"][0].update(members))


def edited(name: str, change: Callable[[Any], object]) -> Step:
    """A JSON file, changed."""

    def run() -> None:
        value = json.loads(Path(name).read_bytes())
        change(value)
        Path(name).write_text(json.dumps(value), encoding="utf-8")

    return run


def without(name: str) -> Step:
    return lambda: Path(name).unlink()


def blob_file(digest: str, name: str = "layout") -> str:
    return f"{name}/blobs/{digest.replace(':', '/')}"


def refusing(number: int, at: int = 1) -> Callable[[], AbstractContextManager[object]]:
    """The system refuses the call number ``at`` that changes a file here."""
    return lambda: Faults(Path.cwd(), at, error=number).injected()


def a_terminal() -> AbstractContextManager[object]:
    return mock.patch("os.isatty", return_value=True)


def opened(name: str) -> Tar:
    """An archive as a place, where nothing can be unpacked."""
    return Tar(name, File(name))


def read(path: str) -> None:
    """Read a file of the only image of an open store."""
    with open_images("oci:layout") as found:
        found.find().files().read(path)


def find(**options: Any) -> object:
    """:meth:`Images.find` of the layout."""
    with open_images("oci:layout") as found:
        return found.find(**options)


REFERENCES: Final[dict[str, Provoked]] = {
    "a reference that is empty": Provoked("invalid-reference", "inspect ''"),
    "a reference without a path": Provoked("invalid-reference", "inspect oci:"),
    "a reference to a registry": Provoked("unknown-transport", "inspect registry:alpine"),
    "no password, and nobody to ask": Provoked(
        "no-password", "inspect docker://registry.example/app:1 --creds me"
    ),
    "a transport that is misspelt": Provoked("unknown-transport", "inspect ocidir:app"),
    "a path that is misspelt": Provoked("no-such-store", "inspect oci:layuot", (layout(app=OCI),)),
    "a path that is not there": Provoked("no-such-store", "verify nowhere/app"),
    "a bare path with a name": Provoked("no-such-store", "verify layout:app", (layout(app=OCI),)),
    "a file where a folder is meant": Provoked(
        "not-a-folder", "inspect oci:a.tar", (files(a_tar=bytes(1024)),)
    ),
    "a folder that is no store": Provoked("not-an-image-store", "inspect .", (files(a_txt="a"),)),
    "a name that is misspelt": Provoked(
        "unknown-reference", "inspect oci:layout:ap", (layout(app=OCI),)
    ),
    "a name that is not there": Provoked(
        "unknown-reference", "inspect oci:layout:web", (layout(app=OCI, db=ONE),)
    ),
    "a position that is not there": Provoked(
        "unknown-reference", "inspect oci:layout:@2", (layout(app=OCI, db=ONE),)
    ),
    "a digest that is cut off": Provoked(
        "unknown-reference", f"inspect oci:layout:{OCI.digest[:19]}", (layout(app=OCI, db=ONE),)
    ),
    "a tag of two names": Provoked(
        "ambiguous-reference",
        "inspect oci:layout:1",
        (images({"example.com/a:1": OCI, "example.com/b:1": ONE}),),
    ),
    "a layout without an image": Provoked("no-image", "convert oci:layout oci:new", (layout(),)),
    "a layout without an image, verified": Provoked("no-image", "verify oci:layout", (layout(),)),
    "a layout without an image, compared": Provoked(
        "no-image", "diff oci:layout oci:layout", (layout(),)
    ),
    "a layout without an image, to be proved": Provoked(
        "no-image", f"prove oci:layout --original {ONE.digest}", (layout(),)
    ),
    "a layout without an image, opened": Provoked("no-image", partial(find), (layout(),)),
    "an archive in an archive": Provoked(
        "bad-archive",
        "inspect app.tar",
        (files(app_tar=pack(pack(SAVED, Compression.GZIP), Compression.GZIP)),),
    ),
    "a compressed archive where it cannot be unpacked": Provoked(
        "compressed-archive",
        partial(opened, "app.tar"),
        (files(app_tar=pack(SAVED, Compression.GZIP)),),
    ),
    "an archive from a terminal": Provoked("terminal", "inspect -", within=a_terminal),
    "an archive to a terminal": Provoked(
        "terminal", "convert oci:layout docker-archive:-", (layout(app=OCI),), a_terminal
    ),
}

SAVED_FILE: Final = files(app_tar=SAVED)
DOORS: Final[dict[str, Provoked]] = {
    "a layout as dir:": Provoked("other-store", "inspect dir:layout", (layout(app=OCI),)),
    "a dir: as a layout": Provoked("other-store", "inspect oci:app", (folder(ONE),)),
    "an archive as a layout": Provoked("other-store", "inspect oci:app.tar:app:1", (SAVED_FILE,)),
    "an OCI archive as one of docker save": Provoked(
        "other-store",
        "inspect docker-archive:app.tar",
        (files(app_tar=archive({**layout_files({"app": OCI})})),),
    ),
    "a layout where a dir: is to be written": Provoked(
        "other-store", "convert oci:layout dir:layout --to docker", (layout(app=OCI),)
    ),
    "a dir: where a layout is to be written": Provoked(
        "other-store", "convert oci:layout oci:app", (layout(app=OCI), folder(ONE))
    ),
    "a layout where an archive is to be written": Provoked(
        "other-store", "convert oci:layout docker-archive:layout", (layout(app=OCI),)
    ),
    "the address of a registry as a path to write to": Provoked(
        "invalid-reference", "convert oci:layout localhost:5000/app --to oci", (layout(app=OCI),)
    ),
    "a file of a layout": Provoked(
        "not-an-image-store", "inspect layout/index.json", (layout(app=OCI),)
    ),
    "a layout one folder down": Provoked(
        "not-an-image-store", "inspect oci:.", (layout(app=OCI), SAVED_FILE)
    ),
    "an archive of a directory": Provoked(
        "not-an-image-store",
        "inspect app.tar",
        (files(app_tar=archive({**layout_files({"app": OCI})}, prefix="app/")),),
    ),
    "a file system": Provoked(
        "not-an-image-store",
        "inspect app.tar",
        (files(app_tar=archive({"etc/passwd": b"", "bin/sh": b""})),),
    ),
    "a page": Provoked("not-an-archive", "inspect app.tar", (files(app_tar="<html>404</html>"),)),
    "a page that is packed": Provoked(
        "not-an-archive", "inspect app.tgz", (files(app_tgz=pack(b"<html>", Compression.GZIP)),)
    ),
    "an error text": Provoked("not-an-archive", "inspect app.tar", (files(app_tar="Error: no\n"),)),
    "a document": Provoked("not-an-archive", "inspect a.json", (files(a_json=ONE.manifest),)),
    "a text of PowerShell": Provoked(
        "not-an-archive", "inspect app.tar", (files(app_tar="ustar".encode("utf-16")),)
    ),
    "a zip": Provoked("not-an-archive", "inspect a.zip", (files(a_zip=b"PK\x03\x04" + bytes(99)),)),
    "an option of skopeo": Provoked("unknown-option", "convert a b --format v2s2"),
    "another option of skopeo": Provoked("unknown-option", "convert a b --dest-tls-verify=false"),
    "a command of skopeo": Provoked("unknown-command", "copy --format oci dir:a oci:b"),
    "a command of crane": Provoked("unknown-command", "push app.tar example.com/app:1"),
    "no command": Provoked("unknown-command", "app.tar oci:layout"),
    "no topic": Provoked("unknown-topic", "help reference"),
    "an archive that is packed as nobody does here": Provoked(
        "cannot-compress", "convert app.tar new.tar.xz --to docker", (SAVED_FILE,)
    ),
    "an archive that is none by its name": Provoked(
        "cannot-compress", "convert app.tar new.zip --to docker", (SAVED_FILE,)
    ),
    "what the daemon keeps": Provoked("unknown-transport", "inspect docker-daemon:app:1"),
    "what podman keeps, as a target": Provoked(
        "unknown-transport", "convert oci:layout containers-storage:app:1"
    ),
    "an address of the web": Provoked("unknown-transport", "inspect https://example.com/app.tar"),
    "a path behind two slashes": Provoked("invalid-reference", "convert oci:layout oci://new"),
    "an archive whose name would be cut off": Provoked(
        "invalid-reference", "convert oci:layout docker-archive:app:1.0.tar"
    ),
    "a link to nothing": Provoked(
        "no-such-store", "inspect app.tar", (lambda: Path("app.tar").symlink_to("../app.tar"),)
    ),
}

CALLS: Final[dict[str, Provoked]] = {
    "a target that implies no format": Provoked("no-family", "convert a dir:b"),
    "a format that there is not": Provoked("invalid-choice", partial(convert, "a", "b", to="OCI")),
    "a packing that there is not": Provoked(
        "invalid-choice", partial(convert, "a", "b", to="oci", compress="gz")
    ),
    "a document into a format that there is not": Provoked(
        "invalid-choice", partial(translate, b"{}", to="podman")
    ),
    "a level that there is not": Provoked(
        "invalid-level", partial(convert, "a", "b", to="oci", level=10)
    ),
    "a level of fast compression": Provoked("invalid-level", "convert a oci:b --fast --level 2"),
    "a compression that nobody writes": Provoked(
        "cannot-compress", partial(compress, [b""], Compression.XZ, None)
    ),
    "a platform without a system": Provoked("invalid-platform", "convert a oci:b --platform arm64"),
    "a platform that is no platform": Provoked("invalid-platform", "convert a oci:b --platform x"),
    "a limit that there is not": Provoked("invalid-limit", "inspect a --limit document=7"),
    "a limit that is no number": Provoked("invalid-limit", "inspect a --limit nodes=many"),
    "a limit that is no size": Provoked("invalid-limit", "inspect a --limit document-size=8MB"),
    "a limit of nothing": Provoked("invalid-limit", "inspect a --limit nodes=0"),
    "a limit that nobody can keep": Provoked("invalid-limit", "inspect a --limit json-depth=999"),
    "layers that the target has no name for": Provoked(
        "no-media-type", "convert a dir:b --to docker --compress zstd"
    ),
    "an archive and JSON on one stream": Provoked(
        "two-outputs", "convert a docker-archive:- --json"
    ),
    "two questions at once": Provoked("two-questions", "verify a --complete --same-as b"),
    "a patch and JSON on one stream": Provoked("two-outputs", "repin --map a b --diff --json"),
    "a text and JSON on one stream": Provoked("two-outputs", "repin --map a - --json"),
    "a text from standard input beside others": Provoked("two-inputs", "repin --map a - b"),
    "a record in a folder that is not there": Provoked(
        "no-such-directory", "convert oci:layout oci:new --record no/a.json", (layout(app=OCI),)
    ),
    "several images for one place": Provoked(
        "several-images", "convert oci:layout dir:new --to docker", (layout(app=OCI, db=ONE),)
    ),
    "several images to be proved": Provoked(
        "several-images", f"prove oci:layout --original {ONE.digest}", (layout(app=OCI, db=ONE),)
    ),
    "several images where one is wanted": Provoked(
        "several-images", partial(find), (layout(app=OCI, db=ONE),)
    ),
    "two images of one name": Provoked(
        "same-name",
        "convert oci:layout oci:other oci:new",
        (layout(app=OCI), layout("other", app=ONE)),
    ),
    "a platform that is not there": Provoked(
        "no-such-platform", "convert oci:layout oci:new --platform linux/amd", (layout(app=BOTH),)
    ),
    "a platform of an image that states none": Provoked(
        "no-such-platform",
        "convert oci:layout oci:new --platform linux/amd64",
        (layout(app=ARTIFACT),),
    ),
    "a platform that an open store does not have": Provoked(
        "no-such-platform", partial(find, platform="linux/arm"), (layout(app=BOTH),)
    ),
    "a file that is nearly in an image": Provoked(
        "no-such-file", partial(read, "etc/mot"), (layout(app=ONE),)
    ),
    "a directory that is read as a file": Provoked(
        "not-a-file", partial(read, "etc"), (layout(app=ONE),)
    ),
    "several platforms for one row": Provoked(
        "several-platforms", "convert oci:layout docker-archive:new.tar", (layout(app=BOTH),)
    ),
    "an old format for an archive of docker save": Provoked(
        "no-such-form",
        "convert oci:layout docker-archive:new.tar --to oci-rc2",
        (layout(app=OCI),),
    ),
    "an image without a name for 1.0.0-rc2": Provoked(
        "no-ref-file", "convert oci:layout oci:new --to oci-rc2", (layout(_=OCI),)
    ),
    "a name that is no file for 1.0.0-rc2": Provoked(
        "no-ref-file",
        "convert oci:layout oci:new --to oci-rc2",
        (images({"example.com/app:1": OCI}),),
    ),
    "two maps that contradict each other": Provoked(
        "contradictory-maps",
        "repin --map one.json --map other.json app.yaml",
        (
            layout(app=ONE),
            recorded("oci:layout", "oci:new"),
            lambda: Path("record.json").rename("one.json"),
            recorded("oci:layout", "oci:other", compress="none"),
            lambda: Path("record.json").rename("other.json"),
            files(app_yaml=""),
        ),
    ),
}

TARGETS: Final[dict[str, Provoked]] = {
    "a dir: with an image": Provoked(
        "target-exists", "convert oci:layout dir:app --to docker", (layout(app=OCI), folder(ONE))
    ),
    "a dir: with something else": Provoked(
        "target-not-empty",
        "convert oci:layout dir:. --to docker",
        (layout(app=OCI), files(notes_txt="mine")),
    ),
    "a file that is there": Provoked(
        "target-exists",
        "convert oci:layout docker-archive:app.tar",
        (layout(app=OCI), files(app_tar="mine")),
    ),
    "a folder of the name of an archive": Provoked(
        "target-exists",
        "convert oci:layout docker-archive:app",
        (layout(app=OCI), lambda: write_files({"mine": b""}, Path("app"))),
    ),
    "a file of the name of a layout": Provoked(
        "target-exists", "convert oci:layout oci:a.txt", (layout(app=OCI), files(a_txt="mine"))
    ),
    "a target of another version": Provoked(
        "other-layout-version",
        "convert oci:layout oci:old",
        (layout(app=OCI), converted("oci:layout", "oci:old", to="oci-rc2")),
    ),
    "a link where unfinished files would go": Provoked(
        "not-a-folder",
        "convert oci:layout oci:new",
        (
            layout(app=OCI),
            layout("new"),
            lambda: Path("elsewhere").mkdir(),
            lambda: Path("new/.oci-convert").symlink_to("../elsewhere"),
        ),
    ),
}

REFUSED: Final[dict[str, Provoked]] = {
    "an encrypted layer for Docker": Provoked(
        "encrypted-layer",
        "convert oci:layout dir:new --to docker",
        (
            layout(
                app=manifest(
                    Blob(OCI_CONFIG, minimal_config([])), [Blob(f"{OCI_LAYER}+encrypted", b"?")]
                )
            ),
        ),
    ),
    "a layer of a type that nobody knows for Docker": Provoked(
        "unknown-layer",
        "convert oci:layout dir:new --to docker",
        (layout(app=manifest(Blob(OCI_CONFIG, minimal_config([])), [Blob("a/b", b"x")])),),
    ),
    "a foreign zstd layer for Docker": Provoked(
        "no-docker-type",
        "convert oci:layout dir:new --to docker",
        (layout(app=oci_image([layer("f", Compression.ZSTD, foreign=True, more=URLS)])),),
    ),
    "a zstd layer that must stay so, for rc2": Provoked(
        "no-media-type",
        "convert oci:layout oci:new --to oci-rc2 --compress keep",
        (layout(app=ZSTD),),
    ),
    "an artifact for Docker": Provoked(
        "not-an-image", "convert oci:layout dir:new --to docker", (layout(app=ARTIFACT),)
    ),
    "an index of artifacts for Docker": Provoked(
        "not-an-image",
        "convert oci:layout dir:new --to docker",
        (layout(app=image_list([ARTIFACT])),),
    ),
    "an index of signatures for Docker": Provoked(
        "not-an-image",
        "convert oci:layout:app dir:new --to docker",
        (layout(app=image_list([cosign_signature(OCI)])),),
    ),
    "an artifact for docker load": Provoked(
        "not-an-image",
        "convert oci:layout docker-archive:new.tar --to oci",
        (layout(app=ARTIFACT),),
    ),
    "an index of several images to flatten": Provoked(
        "not-one-image", "convert oci:layout oci:new --flatten", (layout(app=BOTH),)
    ),
    "attestations that are to fail": Provoked(
        "attestation-present",
        "convert oci:layout dir:new --to docker --attestations fail",
        (layout(app=ATTESTED),),
    ),
    "referrers that are to fail": Provoked(
        "referrer-present",
        "convert oci:layout oci:new --referrers fail",
        (layout(app=OCI, _=referrer(OCI)),),
    ),
    "signatures that are to fail": Provoked(
        "signature-present", "convert oci:layout oci:new --signatures fail", (images(SIGNED),)
    ),
    "signature files that are to fail": Provoked(
        "signature-present",
        "convert dir:app dir:new --to docker --signatures fail",
        (folder(ONE), lambda: Path("app/signature-1").write_bytes(b"signed")),
    ),
    "losses that are to fail": Provoked(
        "annotations-removed",
        "convert oci:layout dir:new --to docker --on-loss fail",
        (layout(app=oci_image(annotations={"a": "b"})),),
    ),
    "bytes that must come back": Provoked(
        "not-reversible",
        "convert oci:layout dir:new --to docker --require-reversible",
        (layout(app=oci_image(annotations={"a": "b"})),),
    ),
    "a layer that must come back": Provoked(
        "not-reversible",
        "convert oci:layout oci:new --compress zstd --require-reversible",
        (layout(app=ONE),),
    ),
    "a fault that --strict refuses": Provoked(
        "mislabelled-layer",
        "convert oci:layout oci:new --strict",
        (layout(app=MISLABELLED["gzip as zstd"][0]),),
    ),
    "a document whose layer would be recompressed": Provoked(
        "needs-repacking", "translate a.json --to docker", (files(a_json=ZSTD.manifest),)
    ),
    "a list of lists as a document for Docker": Provoked(
        "nested-index",
        "translate a.json --to docker",
        (files(a_json=image_list([BOTH]).manifest),),
    ),
    "an index whose images nobody converted": Provoked(
        "unknown-child", "translate a.json --to docker", (files(a_json=BOTH.manifest),)
    ),
    "an artifact as a document for Docker": Provoked(
        "not-an-image", "translate a.json --to docker", (files(a_json=ARTIFACT.manifest),)
    ),
    "a manifest of schema 1 as a document": Provoked(
        "schema-1",
        "translate a.json --to oci",
        (files(a_json=schema1.pretty(schema1.body())),),
    ),
    "a document that is no manifest": Provoked(
        "unknown-media-type", "translate a.json --to oci", (files(a_json="{}"),)
    ),
    "a file that is not JSON": Provoked(
        "invalid-json", "translate a.json --to oci", (files(a_json="{"),)
    ),
}


def record_of(source: Image, **options: Any) -> tuple[Step, ...]:
    return (layout(app=source), recorded("oci:layout", "dir:app", to="docker", **options))


NOTED: Final = oci_image(annotations={"a": "b"})
RECORDS: Final[dict[str, Provoked]] = {
    "a record that is not JSON": Provoked(
        "invalid-json", "convert a oci:b --restore a.json", (files(a_json="record"),)
    ),
    "a report in the place of a record": Provoked(
        "not-a-record",
        "convert a oci:b --restore a.json",
        (files(a_json='{"version": 1, "map": []}'),),
    ),
    "a record with an original that is not base64": Provoked(
        "not-a-record",
        "convert a oci:b --restore a.json",
        (files(a_json='{"version": 1, "map": [], "originals": {"sha256:0": "!"}}'),),
    ),
    "a record with options that nobody knows": Provoked(
        "not-a-record",
        "convert dir:app oci:new --restore record.json",
        (
            *record_of(NOTED),
            edited("record.json", lambda it: it["options"].update(compress="rar")),
        ),
    ),
    "a record of another image": Provoked(
        "restore-mismatch",
        "convert dir:app oci:new --restore record.json",
        (
            *record_of(NOTED),
            edited(
                "record.json",
                lambda it: it["originals"].update(dict.fromkeys(list(it["originals"]), "e30=")),
            ),
        ),
    ),
    "a record of another format": Provoked(
        "restore-mismatch",
        "convert dir:app dir:new --to docker --restore record.json",
        record_of(NOTED),
    ),
    "a record of a layer that was recompressed": Provoked(
        "restore-missing-blob",
        "convert dir:app oci:new --restore record.json",
        record_of(oci_image([layer("z", Compression.ZSTD)], annotations={"a": "b"})),
    ),
    "a record with an image of schema 1": Provoked(
        "restore-schema-1",
        "convert oci:new dir:old --to docker --restore record.json",
        (
            lambda: write_files(schema1.dir_files(schema1.pretty(schema1.body())), Path("app")),
            recorded("dir:app", "oci:new"),
        ),
    ),
    "a map that is no report": Provoked(
        "not-a-report", "repin --map a.json b.yaml", (files(a_json="{}", b_yaml=""),)
    ),
    "a map that is not JSON": Provoked(
        "invalid-json", "repin --map a.json b.yaml", (files(a_json="", b_yaml=""),)
    ),
    "a map with a row that is none": Provoked(
        "not-a-report",
        "repin --map a.json b.yaml",
        (files(a_json='{"version": 1, "map": [7]}', b_yaml=""),),
    ),
    "a map that is not there": Provoked("cannot-read", "repin --map a.json b.yaml"),
    "a text that is not there": Provoked(
        "cannot-read",
        "repin --map a.json b.yaml",
        (files(a_json='{"version": 1, "map": []}'),),
    ),
    "a text that is none": Provoked(
        "not-a-text",
        "repin --map a.json b.bin",
        (files(a_json='{"version": 1, "map": []}', b_bin=b"\0"),),
    ),
    "a text that is a pipe": Provoked(
        "not-a-file",
        "repin --map a.json b",
        (files(a_json='{"version": 1, "map": []}'), lambda: os.mkfifo("b")),
    ),
    "a text that cannot be replaced": Provoked(
        "cannot-write",
        "repin --map record.json b.yaml",
        (
            layout(app=ONE),
            recorded("oci:layout", "oci:new"),
            files(b_yaml=f"image: app@{ONE.digest}\n"),
        ),
        refusing(errno.EROFS),
    ),
    "an original that is no document": Provoked(
        "invalid-json", "prove oci:layout --original a.txt", (layout(app=OCI), files(a_txt="a"))
    ),
    "an original that is cut off": Provoked(
        "invalid-digest", "prove oci:layout --original sha256:0123", (layout(app=OCI),)
    ),
    "an original that is not there": Provoked(
        "not-found", "prove oci:layout --original a.txt", (layout(app=OCI),)
    ),
}


def limit(text: str) -> str:
    return f"convert oci:layout oci:new --limit {text}"


LIMITS: Final[dict[str, Provoked]] = {
    "a document beyond the limit": Provoked(
        "document-too-large", limit("document-size=100"), (layout(app=OCI),)
    ),
    "an index.json beyond the limit": Provoked(
        "document-too-large", limit("index-size=100"), (layout(app=OCI),)
    ),
    "more descriptors than the limit": Provoked(
        "too-many-nodes", limit("nodes=2"), (layout(app=OCI),)
    ),
    "more members than the limit": Provoked(
        "too-many-members",
        "inspect docker-archive:app.tar --limit members=2",
        (files(app_tar=SAVED),),
    ),
    "a longer name than the limit": Provoked(
        "name-too-long",
        "inspect docker-archive:app.tar --limit name-length=9",
        (files(app_tar=SAVED),),
    ),
    "a larger layer than the limit": Provoked(
        "layer-too-large",
        "convert oci:layout oci:new --compress zstd --limit layer-size=1KiB",
        (layout(app=oci_image([layer("a", size=5_000)])),),
    ),
    "a larger window than the limit": Provoked(
        "window-too-large",
        "convert oci:layout oci:new --compress gzip --limit zstd-window=1KiB",
        (layout(app=oci_image([layer("a", Compression.ZSTD, size=50_000)])),),
    ),
}


def saved_unpacked() -> Members:
    """An archive with a plain foreign layer that is described as it was published: compressed."""
    published = layer("base", foreign=True, more={"urls": ["https://example.com/base"]})
    described = crane_foreign(Saved(layers=(published,)))["manifest.json"]
    plain = Saved(layers=(replace(published, compression=Compression.NONE),))
    (name,) = (name for name in crane(plain) if name.endswith(".tar"))
    assert isinstance(described, bytes)
    (row,) = json.loads(described)
    return {**crane(plain), "manifest.json": json.dumps([row | {"Layers": [name]}]).encode()}


FINDINGS: Final[dict[str, Provoked]] = {
    "a document that does not come back": Provoked(
        "not-reversible",
        "convert oci:layout oci:new",
        (layout(app=docker_image(config_type="application/octet-stream")),),
    ),
    "a layer that is recompressed fast": Provoked(
        "bytes-by-processor",
        "convert oci:layout oci:new --compress gzip --fast",
        (layout(app=docker_image([layer("a", Compression.NONE)])),),
    ),
    "a layer that is recompressed": Provoked(
        "not-reversible-repacked", "convert oci:layout dir:new --to docker", (layout(app=ZSTD),)
    ),
    "the annotations of a manifest for Docker": Provoked(
        "annotations-removed", "convert oci:layout dir:new --to docker", (layout(app=NOTED),)
    ),
    "the annotations of a layer, its urls and its data": Provoked(
        "urls-removed",
        "convert oci:layout dir:new --to docker",
        (layout(app=image_list([OCI.with_entry(urls=["https://example.com"])])),),
    ),
    "a copy of the config in a manifest": Provoked(
        "data-removed", "convert oci:layout dir:new --to docker", (layout(app=embedded(OCI)),)
    ),
    "a subject and a type of artifact": Provoked(
        "subject-removed",
        "convert oci:layout dir:new --to docker --referrers keep",
        (
            layout(
                app=oci_image(
                    artifactType="application/vnd.example",
                    subject=ZSTD.descriptor.triple(),
                )
            ),
        ),
    ),
    "the type of an artifact": Provoked(
        "artifactType-removed",
        "convert oci:layout dir:new --to docker",
        (layout(app=image_list([OCI], artifactType="application/vnd.example")),),
    ),
    "a foreign layer that is described by another digest": Provoked(
        "layer-source-unused",
        "convert docker-archive:app.tar oci:new",
        (files(app_tar=archive(saved_unpacked())),),
    ),
    "a name outside of the grammar": Provoked(
        "name-outside-grammar", "convert oci:layout oci:new:a//b", (layout(app=OCI),)
    ),
    "an empty blob that is not empty": Provoked(
        "misused-empty-type",
        "convert oci:layout oci:new",
        (layout(app=manifest(Blob(EMPTY, b"{ }"), [])),),
    ),
    "a config that breaks the rules": Provoked(
        "config-problem",
        "verify oci:layout",
        (
            layout(
                app=oci_image(
                    config=minimal_config(
                        LAYERS,
                        created="yesterday",
                        architecture="",
                        config={"Env": ["HOME"], "Volumes": {"/data": 7}, "ArgsEscaped": 1},
                        rootfs={"type": "x", "diff_ids": [one.diff_id for one in LAYERS]},
                    )
                )
            ),
        ),
    ),
    "a config that breaks the rules, converted": Provoked(
        "config-problem",
        "convert oci:layout oci:new --strict",
        (layout(app=oci_image(config=minimal_config(LAYERS, created="yesterday"))),),
    ),
    "a wrong size, repaired": Provoked(
        "size-corrected",
        "convert oci:layout oci:new --repair",
        (layout(app=OCI), listed(size=7)),
    ),
    "a manifest under the type of the other format": Provoked(
        "contradictory-media-type",
        "convert oci:layout oci:new",
        (layout(app=OCI), listed(mediaType=DOCKER_MANIFEST)),
    ),
    "a manifest under the type of the other format, repaired": Provoked(
        "media-type-corrected",
        "convert oci:layout oci:new --repair",
        (layout(app=OCI), listed(mediaType=DOCKER_MANIFEST)),
    ),
    "a manifest whose media type has parameters": Provoked(
        "misspelled-media-type",
        "convert oci:layout oci:new",
        (layout(app=mislabelled(OCI, f"{OCI_MANIFEST}; charset=utf-8")),),
    ),
    "a manifest of a generic media type": Provoked(
        "mislabelled-document",
        "convert oci:layout oci:new",
        (layout(app=mislabelled(OCI, "application/json")),),
    ),
    "a manifest without a media type, verified": Provoked(
        "mislabelled-document",
        "verify oci:layout",
        (layout(app=mislabelled(oci_image(stated=False), "")),),
    ),
    "something else in the place of a manifest": Provoked(
        "opaque-blob", "convert oci:layout oci:new", (layout(app=opaque(b"hello", "text/plain")),)
    ),
    "something else, and what it names": Provoked(
        "opaque-blob",
        "convert oci:layout oci:new",
        (
            layout(
                app=artifact_manifest(
                    [Blob("text/plain", b"hello"), Blob("text/plain", b"world", present=False)]
                )
            ),
        ),
    ),
    "an entry of an unknown type as a part of a document": Provoked(
        "opaque-blob",
        "translate a.json --to oci",
        (files(a_json=image_list([opaque(b"hello", "text/plain")], Family.DOCKER).manifest),),
    ),
    "a layer with a wrong label": Provoked(
        "mislabelled-layer",
        "convert oci:layout oci:new",
        (layout(app=MISLABELLED["gzip as zstd"][0]),),
    ),
    "a layer with a wrong label, verified": Provoked(
        "mislabelled-layer", "verify oci:layout", (layout(app=MISLABELLED["gzip as tar"][0]),)
    ),
    "a layer that is no tar": Provoked(
        "unrecognised-layer",
        "convert oci:layout oci:new",
        (layout(app=manifest(Blob(OCI_CONFIG, minimal_config([])), [Blob(OCI_LAYER, b"text")])),),
    ),
    "a config with a platform for Docker": Provoked(
        "platform-removed",
        "convert oci:layout dir:new --to docker",
        (
            layout(
                app=manifest(
                    Blob(
                        OCI_CONFIG,
                        minimal_config(LAYERS),
                        {"platform": {"os": "linux", "architecture": "amd64"}},
                    ),
                    [each.blob(Family.OCI) for each in LAYERS],
                )
            ),
        ),
    ),
    "a zstd layer of Docker": Provoked(
        "unofficial-media-type",
        "convert oci:layout dir:new --to docker",
        (layout(app=docker_image([layer("z", Compression.ZSTD)])),),
    ),
    "an archive with layers in another order": Provoked(
        "oci-part-ignored",
        "convert docker-archive:app.tar oci:new --compress none",
        (files(app_tar=archive(docker_25(Saved(), order=lambda layers: layers[::-1]))),),
    ),
    "a plain layer that is packed": Provoked(
        "layer-repacked",
        "convert docker-archive:app.tar oci:new",
        (files(app_tar=archive(docker_20(Saved()))),),
    ),
    "a layer that is packed in an odd way": Provoked(
        "layer-repacked",
        "convert oci:layout oci:new",
        (layout(app=oci_image([layer("x", Compression.XZ, media_type=OCI_LAYER)])),),
    ),
    "an image of schema 1": Provoked(
        "schema1-upgraded",
        "convert dir:app oci:new",
        (lambda: write_files(schema1.dir_files(schema1.pretty(schema1.body())), Path("app")),),
    ),
    "an entry that says more than a folder can": Provoked(
        "entry-not-carried",
        "convert oci:layout dir:new --to oci",
        (layout(app=OCI.with_entry(annotations={"org.opencontainers.image.created": "2024"})),),
    ),
    "a list that says something of itself": Provoked(
        "list-not-carried",
        "convert oci:layout dir:new --to oci",
        (layout(app=OCI), partial(annotate, "layout", {"com.example.release": "42"})),
    ),
    "annotations of packed bytes": Provoked(
        "packing-annotations-removed",
        "convert oci:layout oci:new --compress zstd",
        (
            layout(
                app=oci_image(
                    [
                        layer(
                            "a",
                            more={"annotations": {"containerd.io/snapshot/stargz/toc.digest": "x"}},
                        )
                    ]
                )
            ),
        ),
    ),
    "an embedded copy of a layer that is packed anew": Provoked(
        "outdated-data-removed",
        "convert oci:layout oci:new --compress zstd",
        (layout(app=oci_image([layer("a", more={"data": b64encode(layer("a").data).decode()})])),),
    ),
    "a config that breaks its specification": Provoked(
        "config-problem",
        "verify oci:layout",
        (layout(app=oci_image(config=minimal_config(LAYERS, created=7))),),
    ),
    "a config with a label of 2015": Provoked(
        "config-type-corrected",
        "convert oci:layout oci:new",
        (layout(app=docker_image(config_type="application/octet-stream")),),
    ),
    "a config of fewer layers": Provoked(
        "count-mismatch",
        "verify oci:layout",
        (layout(app=docker_image(config=minimal_config(LAYERS[:1]))),),
    ),
    "a history of fewer layers": Provoked(
        "count-mismatch",
        "verify oci:layout",
        (layout(app=docker_image(config=minimal_config(LAYERS, history=[{}]))),),
    ),
    "a layer that is no tar, verified": Provoked(
        "unrecognised-layer",
        "verify oci:layout",
        (layout(app=oci_image([Layer(b"text", Compression.NONE)])),),
    ),
    "an absent image of an index that changes": Provoked(
        "missing-child",
        "convert oci:layout dir:new --to docker",
        (layout(app=ABSENT),),
    ),
    "an absent image of an index that stays": Provoked(
        "sparse-index", "convert oci:layout oci:new", (layout(app=ABSENT),)
    ),
    "an absent image of an index that is closed": Provoked(
        "missing-child", "convert oci:layout oci:new --sparse drop", (layout(app=ABSENT),)
    ),
    "an absent image that is not allowed": Provoked(
        "blob-missing", "convert oci:layout oci:new --sparse fail", (layout(app=ABSENT),)
    ),
    "an absent image that is asked for": Provoked(
        "blob-missing",
        "convert oci:layout oci:new --platform linux/arm64",
        (layout(app=image_list([OCI, replace(BOTH_IMAGES[1], blobs={})])),),
    ),
    "an absent image, verified": Provoked(
        "sparse-index", "verify oci:layout", (layout(app=ABSENT),)
    ),
    "an absent image of what must be complete": Provoked(
        "blob-missing", "verify oci:layout --complete", (layout(app=ABSENT),)
    ),
    "a foreign layer that is absent": Provoked(
        "foreign-layer-absent",
        "convert oci:layout oci:new",
        (layout(app=docker_image([layer("f", foreign=True, present=False, more=URLS)])),),
    ),
    "an entry that Docker cannot hold": Provoked(
        "entry-dropped",
        "convert oci:layout dir:new --to docker",
        (layout(app=image_list([OCI, ARTIFACT])),),
    ),
    "an image with gzip and with zstd layers": Provoked(
        "zstd-twin-dropped",
        "convert oci:layout dir:new --to docker",
        (layout(app=image_list([oci_image([layer("z")]), ZSTD])),),
    ),
    "an entry that contradicts its image": Provoked(
        "platform-mismatch",
        "convert oci:layout oci:new",
        (
            layout(
                app=image_list([OCI.with_entry(platform={"os": "linux", "architecture": "arm64"})])
            ),
        ),
    ),
    "two images that only their digests tell apart": Provoked(
        "not-one-image",
        "convert oci:layout oci:new --flatten",
        (layout(app=image_list([OCI, ZSTD])),),
    ),
    "an artifact in a store for Docker": Provoked(
        "not-an-image",
        "convert oci:layout oci:new --to docker",
        (layout(app=OCI, note=ARTIFACT),),
    ),
    "an artifact in a store that must be clean": Provoked(
        "not-an-image",
        "convert oci:layout oci:new --to docker --strict",
        (layout(app=OCI, note=ARTIFACT),),
    ),
    "a model in a store for Docker": Provoked(
        "unknown-layer", "convert oci:layout oci:new --to docker", (layout(app=OCI, model=MODEL),)
    ),
    "an image of another platform in a store": Provoked(
        "no-such-platform",
        "convert oci:layout oci:new --platform linux/arm64",
        (layout(app=BOTH, other=OCI),),
    ),
    "a signature of nothing that is there": Provoked(
        "signature-orphaned",
        "convert oci:layout oci:new --to docker",
        (layout(app=OCI, signature=cosign_signature(ONE)),),
    ),
    "a signature of something else, refused": Provoked(
        "signature-present",
        "convert oci:layout oci:new --signatures fail",
        (layout(app=OCI, signature=cosign_signature(ONE)),),
    ),
    "an attestation for Docker": Provoked(
        "attestation-dropped", "convert oci:layout dir:new --to docker", (layout(app=ATTESTED),)
    ),
    "an attestation that is carried": Provoked(
        "attestation-names-old-digest",
        "convert oci:layout oci:new",
        (layout(app=docker_attested()),),
    ),
    "an entry without a platform": Provoked(
        "platform-added",
        "convert oci:layout dir:new --to docker",
        (layout(app=image_list([OCI.with_entry(platform=None)])),),
    ),
    "an image that nobody knows the platform of": Provoked(
        "platform-unknown",
        "translate a.json --to docker --map report.json",
        (
            files(a_json=image_list([OCI.with_entry(platform=None)]).manifest),
            layout(app=OCI),
            recorded("oci:layout", "dir:new", to="docker"),
            lambda: Path("record.json").rename("report.json"),
        ),
    ),
    "an index in an index": Provoked(
        "nested-index-flattened",
        "convert oci:layout dir:new --to docker",
        (layout(app=image_list([BOTH])),),
    ),
    "an index that gives way to its image": Provoked(
        "index-flattened", "convert oci:layout oci:new --flatten", (layout(app=image_list([OCI])),)
    ),
    "a platform that is left out": Provoked(
        "platform-not-selected",
        "convert oci:layout oci:new --platform linux/arm64",
        (layout(app=BOTH),),
    ),
    "a referrer for Docker": Provoked(
        "referrer-dropped",
        "convert oci:layout dir:new --to docker",
        (layout(app=OCI, _=referrer(OCI)),),
    ),
    "a signature of what changes": Provoked(
        "signature-orphaned", "convert oci:layout oci:new", (images(SIGNED),)
    ),
    "a list of signatures of what changes": Provoked(
        "referrer-dropped",
        "convert oci:layout oci:new",
        (images({"app": ONE, ONE.digest.replace(":", "-"): image_list([cosign_signature(ONE)])}),),
    ),
    "a signature that is left out": Provoked(
        "signature-dropped", "convert oci:layout oci:new --signatures drop", (images(SIGNED),)
    ),
    "a signature that is carried": Provoked(
        "signature-names-old-digest",
        "convert oci:layout oci:new --signatures keep",
        (images(SIGNED),),
    ),
    "a signature file of what changes": Provoked(
        "signature-orphaned",
        "convert dir:app oci:new",
        (folder(ONE), lambda: Path("app/signature-1").write_bytes(b"signed")),
    ),
    "an artifact of no type": Provoked(
        "missing-field",
        "verify oci:layout",
        (layout(app=manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"note")])),),
    ),
    "values that break the grammar": Provoked(
        "invalid-value",
        "verify oci:layout",
        (
            layout(
                app=oci_image(
                    [layer("a"), layer("b", media_type="layer", more={"urls": ["http://a b"]})]
                )
            ),
        ),
    ),
    "digests that Docker does not read": Provoked(
        "digest-algorithm-unsupported",
        "convert oci:layout oci:new --to docker",
        (layout(app=docker_image(algorithm="sha512")),),
    ),
    "a name with the digest of before": Provoked(
        "digest-in-name",
        "convert oci:layout oci:new",
        (layout(**{f"app:1@{ONE.digest}": ONE}),),
    ),
    "a name that is none for docker load": Provoked(
        "no-repository-name", "convert oci:layout docker-archive:new.tar", (layout(app=OCI),)
    ),
    "a subject that is not here": Provoked(
        "subject-not-carried",
        "convert oci:layout oci:new",
        (layout(app=docker_image(subject=OTHER.descriptor.triple())),),
    ),
    "types of both formats in one image": Provoked(
        "mixed-families",
        "verify oci:layout",
        (layout(app=oci_image([layer("a", media_type=DOCKER_LAYER)])),),
    ),
    "a subject that is not in the store": Provoked(
        "dangling-subject", "verify oci:layout", (layout(app=referrer(OCI)),)
    ),
    "a blob that belongs to nothing": Provoked(
        "orphan-blob",
        "verify oci:layout",
        (
            layout(app=OCI),
            lambda: Path(blob_file(ZSTD.digest)).write_bytes(ZSTD.manifest),
        ),
    ),
    "an image without a name": Provoked("untagged-image", "verify oci:layout", (layout(_=OCI),)),
    "files of a run that was killed": Provoked(
        "leftover",
        "verify oci:layout",
        (layout(app=OCI), lambda: write_files({"1/blob": b"x"}, Path("layout/.oci-convert"))),
    ),
    "an attestation beside images": Provoked(
        "not-compared",
        "diff oci:layout:app oci:layout:other",
        (layout(app=image_list([OCI, attestation(OCI)]), other=image_list([OCI])),),
    ),
    "a foreign layer in a comparison": Provoked(
        "layer-believed",
        "diff oci:layout:app oci:layout:app",
        (layout(app=docker_image([layer("f", foreign=True, present=False, more=URLS)])),),
    ),
    "two platforms for one image": Provoked(
        "platform-mismatch",
        "verify oci:layout",
        (
            layout(
                app=image_list([OCI.with_entry(platform={"os": "linux", "architecture": "arm64"})])
            ),
        ),
    ),
    "an attestation of what is not listed": Provoked(
        "dangling-reference",
        "verify oci:layout",
        (layout(app=image_list([OCI, attestation(ZSTD)])),),
    ),
    "a run that goes on": Provoked(
        "blob-missing",
        "convert oci:layout oci:new --keep-going --to oci",
        (
            layout(app=OCI, db=ZSTD),
            without(blob_file(ZSTD.layers[0].digest)),
        ),
    ),
}

SYSTEM: Final[dict[str, Provoked]] = {
    f"the system says {refusal.message}": Provoked(
        code,
        "convert oci:layout oci:new/app",
        (layout(app=OCI),),
        refusing(refusal.errnos[-1]),
    )
    for code, refusal in REFUSALS.items()
    if code != "not-found"  # nothing is wrong where a folder is yet to be made
} | {
    "the system says something else": Provoked(
        "system-error",
        "convert oci:layout oci:new/app",
        (layout(app=OCI),),
        refusing(errno.EDEADLK),
    ),
    "a file that is not there": Provoked("not-found", "translate a.json --to oci"),
}

PROVOKED: Final[dict[str, Provoked]] = {
    **REFERENCES,
    **DOORS,
    **CALLS,
    **TARGETS,
    **REFUSED,
    **RECORDS,
    **LIMITS,
    **FINDINGS,
    **SYSTEM,
}
