"""Images made in code, for every test and for ``testdata/make.py``.

An :class:`Image` is bytes: its manifest, and every blob below it. ``*_files`` lays images out as
the files of a store, a ``dict[str, bytes]`` that a ``MemoryFiles`` takes as it is; ``write_files``
writes such a dict into a folder::

    write_files(dir_files(docker_image()), tmp_path / "app")
    MemoryFiles(layout_files({"app:1": image_list([oci_image(), docker_image()])}))

Media types are spelled out here, not taken from the code under test. Layers are packed without
compressing, byte by byte as the formats say, so that no digest in a test depends on the version of
a codec library.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

from oci_convert.spec.media_types import Compression, Family
from oci_convert.spec.models import Descriptor
from oci_convert.testing.images import packed
from oci_convert.testing.images import tar_of as tar_of  # noqa: PLC0414 - for whoever makes images

DOCKER: Final = "application/vnd.docker."
OCI: Final = "application/vnd.oci.image."

DOCKER_MANIFEST: Final = DOCKER + "distribution.manifest.v2+json"
DOCKER_LIST: Final = DOCKER + "distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = DOCKER + "container.image.v1+json"
DOCKER_LAYER: Final = DOCKER + "image.rootfs.diff.tar.gzip"
OCI_MANIFEST: Final = OCI + "manifest.v1+json"
OCI_INDEX: Final = OCI + "index.v1+json"
OCI_CONFIG: Final = OCI + "config.v1+json"
OCI_LAYER: Final = OCI + "layer.v1.tar+gzip"
RC2_LIST: Final = OCI + "manifest.list.v1+json"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
IN_TOTO: Final = "application/vnd.in-toto+json"
REF_NAME: Final = "org.opencontainers.image.ref.name"

MANIFEST_TYPES: Final = {
    Family.DOCKER: DOCKER_MANIFEST,
    Family.OCI: OCI_MANIFEST,
    Family.OCI_RC2: OCI_MANIFEST,
}
INDEX_TYPES: Final = {
    Family.DOCKER: DOCKER_LIST,
    Family.OCI: OCI_INDEX,
    Family.OCI_RC2: RC2_LIST,
}
CONFIG_TYPES: Final = {
    Family.DOCKER: DOCKER_CONFIG,
    Family.OCI: OCI_CONFIG,
    Family.OCI_RC2: OCI_CONFIG,
}
_SUFFIXES: Final = {Compression.NONE: "", Compression.GZIP: "gzip", Compression.ZSTD: "zstd"}


class Spelling(Enum):
    """How a tool writes documents: indentation, size before digest or not, what is escaped."""

    DOCKERD = (3, True, "<>&")
    SKOPEO = (None, True, "<>&")
    BUILDKIT = (2, False, "<>&")
    COMPACT = (None, False, "<>&")
    DOTNET = (2, False, "<>&+")

    def write(self, value: object) -> bytes:
        """``value`` as this tool spells it."""
        indent, _, escaped = self.value
        separators = (",", ":") if indent is None else (",", ": ")
        text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
        for character in escaped:
            code = f"{ord(character):04x}"
            text = text.replace(character, f"\\u{code.upper() if '+' in escaped else code}")
        return text.encode()

    def descriptor(self, media_type: str, digest: str, size: int, **more: Any) -> dict[str, Any]:
        """The members of a descriptor, in this tool's order."""
        _, size_first, _ = self.value
        names = {"size": size, "digest": digest} if size_first else {"digest": digest, "size": size}
        return {"mediaType": media_type, **names, **more}


# -- layers -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Blob:
    """The bytes that a descriptor names, and what the descriptor says beside digest and size."""

    media_type: str
    data: bytes
    more: Mapping[str, Any] = field(default_factory=dict)
    present: bool = True
    algorithm: str = "sha256"

    @property
    def digest(self) -> str:
        return digest_of(self.data, self.algorithm)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: a tar, and how it is packed and labelled."""

    tar: bytes
    compression: Compression = Compression.GZIP
    foreign: bool = False
    media_type: str | None = None
    """Another label than the right one."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further members of its descriptor: ``urls``, ``annotations``, ``data``."""
    present: bool = True
    """Whether the store holds it."""
    algorithm: str = "sha256"

    @property
    def data(self) -> bytes:
        return pack(self.tar, self.compression)

    @property
    def digest(self) -> str:
        return digest_of(self.data, self.algorithm)

    @property
    def diff_id(self) -> str:
        return digest_of(self.tar)

    def label(self, family: Family) -> str:
        """What ``family`` calls such a layer."""
        if self.media_type is not None:
            return self.media_type
        suffix = _SUFFIXES[self.compression]
        if family is Family.DOCKER:
            kind = "foreign.diff" if self.foreign else "diff"
            return f"{DOCKER}image.rootfs.{kind}.tar" + (f".{suffix}" if suffix else "")
        kind = "layer.nondistributable" if self.foreign else "layer"
        return f"{OCI}{kind}.v1.tar" + (f"+{suffix}" if suffix else "")

    def blob(self, family: Family) -> Blob:
        return Blob(self.label(family), self.data, self.more, self.present, self.algorithm)


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """The digest of ``data``."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def layer(
    text: str = "hello",
    compression: Compression = Compression.GZIP,
    *,
    size: int = 0,
    **options: Any,
) -> Layer:
    """A layer with a file that says ``text`` and, with ``size``, one of so many random bytes."""
    files: dict[str, str | bytes] = {"etc/": "", "etc/motd": f"{text}\n"}
    if size:
        files["srv/data"] = hashlib.shake_128(text.encode()).digest(size)
    return Layer(tar_of(files), compression, **options)


def pack(data: bytes, compression: Compression) -> bytes:
    """``data`` in a container of that format."""
    match compression:
        case Compression.BZIP2:
            return bz2.compress(data)
        case Compression.XZ:
            return lzma.compress(data)
        case _:
            return packed(data, compression)


# -- configs ------------------------------------------------------------------------------------


def docker_config(layers: Sequence[Layer], platform: str = "linux/amd64", **members: Any) -> bytes:
    """A config as ``docker build`` of dockerd 20.10 writes it, with all that OCI does not know."""
    runtime: dict[str, Any] = {
        "Hostname": "",
        "User": "0",
        "ExposedPorts": {"80/tcp": {}},
        "Env": ["PATH=/bin", "GREETING=a <b> & c"],
        "Cmd": ["echo hello"],
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5000000000, "Retries": 2},
        "Image": "sha256:" + "5" * 64,
        "Volumes": None,
        "WorkingDir": "/etc",
        "Entrypoint": ["/bin/sh", "-c"],
        "OnBuild": ["RUN echo onbuild"],
        "Labels": {"a": "1", "b": "zwei Wörter"},
        "StopSignal": "SIGINT",
        "StopTimeout": 7,
        "Shell": ["/bin/sh", "-ec"],
    }
    added = [
        {
            "created": f"2026-01-02T03:04:{i:02}.123456789Z",
            "created_by": f"/bin/sh -c #(nop) ADD {i}",
        }
        for i, _ in enumerate(layers)
    ]
    empty = {**_created(59), "created_by": "HEALTHCHECK <cmd> && true", "empty_layer": True}
    return Spelling.COMPACT.write(
        {
            **_platform(platform),
            "author": "Ada <ada@example.com>",
            "config": runtime,
            "container": "2" * 64,
            "container_config": {**runtime, "Cmd": ["/bin/sh", "-ec", "#(nop) ", "CMD [sh]"]},
            **_created(59),
            "docker_version": "20.10.24",
            "history": [*added, empty],
            "rootfs": _rootfs(layers),
            "x-unknown": {"big": 12345678901234567890, "nested": [None, True, 1.50]},
            **members,
        }
    )


def minimal_config(layers: Sequence[Layer], platform: str = "linux/amd64", **members: Any) -> bytes:
    """A config with no more than the specification asks for."""
    return Spelling.COMPACT.write(
        {**_platform(platform), "config": {}, "rootfs": _rootfs(layers), **members}
    )


def _created(second: int) -> dict[str, str]:
    return {"created": f"2026-01-02T03:04:{second:02}.120000000+01:00"}


def _rootfs(layers: Sequence[Layer]) -> dict[str, Any]:
    return {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}


def _platform(platform: str) -> dict[str, str]:
    """``linux/arm64/v8`` as the members that name it."""
    system, architecture, *variant = platform.split("/")
    return {
        "architecture": architecture,
        "os": system,
        **({"variant": variant[0]} if variant else {}),
    }


# -- images -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Image:
    """A manifest or an index, and everything below it."""

    manifest: bytes
    media_type: str
    blobs: Mapping[str, bytes]
    """Everything that is present, by digest: the document itself, configs, layers, children."""
    documents: Mapping[str, bytes]
    """The manifests and indexes among :attr:`blobs`."""
    config: bytes = b""
    layers: tuple[Layer, ...] = ()
    algorithm: str = "sha256"
    entry: Mapping[str, Any] = field(default_factory=dict)
    """What an index says of the image beside its descriptor: ``platform``, ``annotations``, …"""

    @property
    def digest(self) -> str:
        return digest_of(self.manifest, self.algorithm)

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor alone, without what an index adds."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=len(self.manifest))

    @property
    def json(self) -> Any:
        """The manifest, parsed."""
        return json.loads(self.manifest)

    def with_entry(self, **members: Any) -> Image:
        """The same image with other members in its entry; ``None`` removes one."""
        entry = {**self.entry, **members}
        return replace(
            self, entry={name: value for name, value in entry.items() if value is not None}
        )

    def without(self, *digests: str) -> Image:
        """The same image in a store that lacks some blobs."""
        return replace(
            self,
            blobs={digest: data for digest, data in self.blobs.items() if digest not in digests},
            documents={
                digest: data for digest, data in self.documents.items() if digest not in digests
            },
        )


LAYERS: Final = (layer("base"), layer("app"))
"""What an image has unless the test says otherwise."""


def docker_image(
    layers: Sequence[Layer] = LAYERS,
    spelling: Spelling = Spelling.DOCKERD,
    *,
    platform: str = "linux/amd64",
    config: bytes | None = None,
    **options: Any,
) -> Image:
    """A Docker image. Options are those of :func:`manifest`."""
    data = docker_config(layers, platform) if config is None else config
    return _image(Family.DOCKER, layers, data, platform, spelling, options)


def oci_image(
    layers: Sequence[Layer] = LAYERS,
    spelling: Spelling = Spelling.COMPACT,
    *,
    platform: str = "linux/amd64",
    config: bytes | None = None,
    **options: Any,
) -> Image:
    """An OCI image, also of 1.0.0-rc2. Options are those of :func:`manifest`."""
    data = minimal_config(layers, platform) if config is None else config
    return _image(Family.OCI, layers, data, platform, spelling, options)


def _image(
    family: Family,
    layers: Sequence[Layer],
    config: bytes,
    platform: str,
    spelling: Spelling,
    options: dict[str, Any],
) -> Image:
    config_type = options.pop("config_type", CONFIG_TYPES[family])
    made = manifest(
        Blob(config_type, config),
        [layer.blob(family) for layer in layers],
        family=family,
        spelling=spelling,
        **options,
    )
    return replace(made, layers=tuple(layers), entry={"platform": _platform(platform)})


def manifest(
    config: Blob,
    layers: Sequence[Blob],
    *,
    family: Family = Family.OCI,
    spelling: Spelling = Spelling.COMPACT,
    stated: bool = True,
    algorithm: str = "sha256",
    **members: Any,
) -> Image:
    """A manifest over any blobs, and so any artifact.

    ``stated=False`` leaves ``mediaType`` out of the body, as OCI 1.0 allows. ``members`` are
    ``annotations``, ``subject``, ``artifactType`` or anything else; where they stand is where Go
    writes them.
    """
    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPES[family],
        "artifactType": members.pop("artifactType", None),
        "config": _described(config, spelling),
        "layers": [_described(layer, spelling) for layer in layers],
        **members,
    }
    raw = _body(body, spelling, stated=stated)
    blobs = {blob.digest: blob.data for blob in (config, *layers) if blob.present}
    own = {digest_of(raw, algorithm): raw}
    return Image(raw, MANIFEST_TYPES[family], {**blobs, **own}, own, config.data, (), algorithm)


def _described(blob: Blob, spelling: Spelling) -> dict[str, Any]:
    return spelling.descriptor(blob.media_type, blob.digest, len(blob.data), **blob.more)


def _body(body: dict[str, Any], spelling: Spelling, *, stated: bool) -> bytes:
    return spelling.write(
        {
            name: value
            for name, value in body.items()
            if value is not None and (stated or name != "mediaType")
        }
    )


def image_list(
    images: Iterable[Image],
    family: Family | None = None,
    spelling: Spelling = Spelling.COMPACT,
    *,
    stated: bool = True,
    algorithm: str = "sha256",
    **members: Any,
) -> Image:
    """An index or a manifest list over ``images``, which may be lists themselves.

    Its family is that of the first image unless another is asked for.
    """
    children = list(images)
    docker = bool(children) and children[0].media_type in (DOCKER_MANIFEST, DOCKER_LIST)
    family = family or (Family.DOCKER if docker else Family.OCI)
    body = {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPES[family],
        "artifactType": members.pop("artifactType", None),
        "manifests": [_entry(child, spelling) for child in children],
        **members,
    }
    raw = _body(body, spelling, stated=stated)
    own = {digest_of(raw, algorithm): raw}
    return Image(
        raw,
        INDEX_TYPES[family],
        {**_union(child.blobs for child in children), **own},
        {**_union(child.documents for child in children), **own},
        algorithm=algorithm,
    )


def _entry(image: Image, spelling: Spelling = Spelling.COMPACT) -> dict[str, Any]:
    size = len(image.manifest)
    return spelling.descriptor(image.media_type, image.digest, size, **image.entry)


def _union(parts: Iterable[Mapping[str, bytes]]) -> dict[str, bytes]:
    return {digest: data for part in parts for digest, data in part.items()}


def attestation(image: Image, family: Family = Family.OCI) -> Image:
    """What BuildKit attaches to ``image``: a manifest around an in-toto statement."""
    statement = Spelling.COMPACT.write(
        {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v1",
            "subject": [{"name": "_", "digest": {"sha256": image.digest.partition(":")[2]}}],
            "predicate": {},
        }
    )
    rootfs = {"type": "layers", "diff_ids": [digest_of(statement)]}
    config = {"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": rootfs}
    made = manifest(
        Blob(CONFIG_TYPES[family], Spelling.COMPACT.write(config)),
        [
            Blob(
                IN_TOTO,
                statement,
                {"annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}},
            )
        ],
        family=family,
        spelling=Spelling.BUILDKIT,
    )
    return made.with_entry(
        annotations={
            "vnd.docker.reference.digest": image.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        },
        platform=_platform("unknown/unknown"),
    )


def opaque(content: bytes, media_type: str, blobs: Iterable[Blob] = ()) -> Image:
    """Something else in the place of a manifest, and the blobs that it names."""
    named = {blob.digest: blob.data for blob in blobs if blob.present}
    return Image(content, media_type, {**named, digest_of(content): content}, {})


def artifact_manifest(blobs: Sequence[Blob], **members: Any) -> Image:
    """The artifact manifest of OCI 1.1.0-rc1 and rc2, which later versions do not know."""
    media_type = "application/vnd.oci.artifact.manifest.v1+json"
    body = {
        "mediaType": media_type,
        "artifactType": "application/vnd.example.note",
        "blobs": [_described(blob, Spelling.COMPACT) for blob in blobs],
        **members,
    }
    return opaque(Spelling.COMPACT.write(body), media_type, blobs)


def mislabelled(image: Image, media_type: str) -> Image:
    """The same image under another media type, wherever it is listed."""
    return replace(image, media_type=media_type)


ODD_TYPES: Final = {
    "generic": "application/json",
    "with parameters": f"{OCI_MANIFEST}; charset=utf-8",
    "empty": "",
    "in upper case": OCI_MANIFEST.upper(),
    "in mixed case": "Application/vnd.OCI.image.manifest.v1+JSON",
    "no media type": "invalid",
    "binary": "application/octet-stream",
    "text": "text/plain; charset=utf-8",
    "unknown": "application/vnd.example.thing.v1+json",
    "between spaces": f" {OCI_MANIFEST} ",
}
"""What manifests are wrongly called, where that is no other thing's name."""


def referrer(subject: Image, text: str = "signed", **members: Any) -> Image:
    """An OCI 1.1 artifact that refers to ``subject``."""
    return manifest(
        Blob(EMPTY, b"{}"),
        [Blob("text/plain", text.encode())],
        artifactType="application/vnd.example.note",
        subject=subject.descriptor.triple(),
        **members,
    )


def cosign_signature(subject: Image) -> Image:
    """A signature in cosign's customary form; its tag is :func:`cosign_tag`."""
    payload = {"critical": {"image": {"docker-manifest-digest": subject.digest}}, "optional": None}
    return manifest(
        Blob(OCI_CONFIG, minimal_config([])),
        [
            Blob(
                "application/vnd.dev.cosign.simplesigning.v1+json",
                Spelling.COMPACT.write(payload),
                {"annotations": {"dev.cosignproject.cosign/signature": "c2lnbmVk"}},
            )
        ],
    )


def cosign_tag(subject: Image) -> str:
    """The tag under which cosign keeps the signature of ``subject``."""
    return subject.digest.replace(":", "-") + ".sig"


# -- stores -------------------------------------------------------------------------------------


def dir_files(image: Image) -> dict[str, bytes]:
    """The files of a ``dir:`` directory, as containers/image names them."""
    files = {"version": b"Directory Transport Version: 1.1\n"}
    for digest, data in image.blobs.items():
        algorithm, _, encoded = digest.partition(":")
        name = encoded if algorithm == "sha256" else f"{algorithm}-{encoded}"
        files[f"{name}.manifest.json" if digest in image.documents else name] = data
    top = next(name for name in files if name.endswith(f"{image.digest[7:]}.manifest.json"))
    files["manifest.json"] = files.pop(top)
    return files


def layout_files(
    images: Mapping[str, Image], spelling: Spelling = Spelling.COMPACT
) -> dict[str, bytes]:
    """The files of an OCI layout; an image under an empty name has none."""
    entries = []
    for name, image in images.items():
        annotations = {**image.entry.get("annotations", {}), **({REF_NAME: name} if name else {})}
        entry = image.with_entry(annotations=annotations or None, platform=None)
        entries.append(_entry(entry, spelling))
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return {**_blob_files(images), "index.json": spelling.write(index)}


def rc2_files(images: Mapping[str, Image]) -> dict[str, bytes]:
    """The files of a layout of 1.0.0-rc2, which has ``refs/`` and no ``index.json``."""
    refs = {
        f"refs/{name}": Spelling.COMPACT.write(_entry(replace(image, entry={})))
        for name, image in images.items()
    }
    return {**_blob_files(images), **refs}


def _blob_files(images: Mapping[str, Image]) -> dict[str, bytes]:
    blobs = _union(image.blobs for image in images.values())
    return {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        **{f"blobs/{digest.replace(':', '/')}": data for digest, data in blobs.items()},
    }


def save_tar(images: Mapping[str, Image]) -> bytes:
    """What ``docker save`` of dockerd 20.10 writes: plain layers, the second of two equal ones a
    link to the first, and no manifest."""
    rows: dict[str, dict[str, Any]] = {}
    repositories: dict[str, dict[str, str]] = {}
    members: dict[str, bytes | str] = {}
    first: dict[str, str] = {}
    for tag, image in images.items():
        paths, identity = [], ""
        for i, layer in enumerate(image.layers):
            last = i + 1 == len(image.layers)
            seed = f"{identity} {layer.diff_id} {image.config.hex() if last else ''}"
            parent = {"parent": identity} if identity else {}
            identity = hashlib.sha256(seed.encode()).hexdigest()
            paths.append(f"{identity}/layer.tar")
            if f"{identity}/" in members:
                continue
            members[f"{identity}/"] = b""
            members[f"{identity}/VERSION"] = b"1.0"
            members[f"{identity}/json"] = Spelling.COMPACT.write({"id": identity, **parent})
            twin = first.setdefault(layer.diff_id, paths[-1])
            members[paths[-1]] = layer.tar if twin == paths[-1] else f"../{twin}"
        config = f"{digest_of(image.config)[7:]}.json"
        members[config] = image.config
        row = rows.setdefault(config, {"Config": config, "RepoTags": [], "Layers": paths})
        row["RepoTags"].append(tag)
        repository, _, version = tag.rpartition(":")
        repositories.setdefault(repository, {})[version] = identity
    members["manifest.json"] = Spelling.COMPACT.write(list(rows.values())) + b"\n"
    members["repositories"] = Spelling.COMPACT.write(repositories) + b"\n"
    return archive_of(members)


def archive_of(members: Mapping[str, bytes | str]) -> bytes:
    """An archive of ``members``: bytes are a file, a string is a symbolic link to that target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name.rstrip("/"))
            if name.endswith("/"):
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
            else:
                member.size = len(content)
            data = content if isinstance(content, bytes) else b""
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def write_files(files: Mapping[str, bytes], path: Path) -> Path:
    """Write ``files`` below ``path``; returns ``path``."""
    for name, data in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path


def write_dir(image: Image, path: Path) -> Path:
    """Write ``image`` as a ``dir:`` directory; returns ``path``."""
    return write_files(dir_files(image), path)


def write_layout(images: Mapping[str, Image], path: Path) -> Path:
    """Write ``images`` as an OCI layout; returns ``path``."""
    return write_files(layout_files(images), path)


def files_below(path: Path) -> dict[str, bytes]:
    """What :func:`write_files` would have to be given to write ``path``."""
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }
