"""``dir:`` directories, as skopeo, podman and buildah write them (containers/image ``directory``).

One image a folder: ``manifest.json``, blobs under their bare hex (``sha512-<hex>`` for other
algorithms than SHA-256), manifests of a list under ``<hex>.manifest.json``, a file ``version``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from oci_convert.documents.document import type_of
from oci_convert.errors import OciConvertError, StoreError
from oci_convert.spec.digest import CANONICAL, Digest
from oci_convert.spec.models import Descriptor
from oci_convert.spec.names import annotations_for, called
from oci_convert.stores.base import Capabilities, Root
from oci_convert.stores.files import Files, WritableFiles
from oci_convert.stores.files_store import FilesSink, FilesSource
from oci_convert.text.wording import Wording

__all__ = ["ContainersDirSink", "ContainersDirSource"]

_MANIFEST: Final = "manifest.json"
_BLOB: Final = re.compile(r"(?:[a-z0-9]+-)?[0-9a-f]{64,128}(?:\.manifest\.json)?|version")
_SIGNATURE: Final = re.compile(r"(?:([0-9a-f]{64})\.)?signature-[0-9]+")
_VERSION: Final = "Directory Transport Version: {}\n"
_KNOWN_VERSIONS: Final = ("1.0", "1.1", "1.2")


def _file(digest: Digest) -> str:
    if digest.algorithm == CANONICAL:
        return digest.encoded
    return f"{digest.algorithm}-{digest.encoded}"


class ContainersDirSource(FilesSource):
    """The one image of a ``dir:`` directory; it has a name if whoever opens it knows one."""

    def __init__(self, files: Files, label: str, name: str | None = None) -> None:
        super().__init__(files, label)
        self._annotations = {} if name is None else annotations_for(name)
        self.faults: Sequence[tuple[OciConvertError, str]] = [
            (error, "") for error in self._faults_of_version()
        ]
        if files.size(_MANIFEST) is None:
            raise StoreError(
                "there is no manifest.json",
                code="not-an-image-store",
                store=label,
                remedy="it has no image, or an incomplete one; write it again",
            )
        raw = files.read(_MANIFEST)
        media_type = type_of(raw, f"{label}: {_MANIFEST}")
        self._top = Descriptor(media_type=media_type, digest=Digest.of(raw), size=len(raw))

    def _faults_of_version(self) -> Iterator[OciConvertError]:
        if self.files.size("version") is None:
            return
        text = self.files.read("version").decode("utf-8", "replace").strip()
        if text not in (_VERSION.format(version).strip() for version in _KNOWN_VERSIONS):
            yield StoreError(
                f"the directory has the version {text[:40]!r}",
                code="unknown-directory-version",
                store=self.label,
                remedy=f"supported: {', '.join(_KNOWN_VERSIONS)}",
            )

    def roots(self) -> Sequence[Root]:
        return [Root(self._top, self._annotations, called(self._annotations))]

    def signatures(self) -> Mapping[str, tuple[str, bytes]]:
        found = {}
        for name in sorted(self.files.names()):
            match = _SIGNATURE.fullmatch(name)
            if match is not None:
                digest = str(self._top.digest) if match[1] is None else f"{CANONICAL}:{match[1]}"
                found[name] = (digest, self.files.read(name))
        return found

    def name(self, digest: Digest) -> str:
        if digest == self._top.digest:
            return _MANIFEST
        name = _file(digest)
        manifest = f"{name}.{_MANIFEST}"
        return manifest if self.files.blob_size(manifest) is not None else name


class ContainersDirSink(FilesSink):
    """Writes one image into a directory that is empty, new, or an interrupted write.

    ``force`` replaces an image that is there; anything else in the directory is refused, always.
    """

    capabilities: Capabilities = Capabilities(
        many_images=False, referrers=False, names=False, entries=False, signatures=True
    )

    def __init__(self, files: WritableFiles, label: str, *, force: bool = False) -> None:
        super().__init__(files, label)
        self._others_digest = False
        self._signatures: dict[str, bytes] = {}
        self._force = force
        self._refuse_strangers()
        self._refuse_image()

    def _refuse_image(self) -> None:
        if self.holds_image() and not self._force:
            raise StoreError(
                "the directory already contains an image",
                code="target-exists",
                store=self.label,
                remedy=Wording("{force=True} replaces it"),
            )

    def _refuse_strangers(self) -> None:
        holds_image = self.holds_image()
        for name, is_file in self.files.top_level():
            if is_file and (_BLOB.fullmatch(name) or (holds_image and _belongs(name))):
                continue
            raise StoreError(
                f"the directory contains {name!r}, which is not part of an image",
                code="target-not-empty",
                store=self.label,
                remedy="choose an empty directory",
            )

    def name(self, digest: Digest, *, document: bool) -> str:
        self._others_digest |= digest.algorithm != CANONICAL
        return f"{_file(digest)}.{_MANIFEST}" if document else _file(digest)

    def holds_image(self) -> bool:
        return self.files.size(_MANIFEST) is not None

    def sign(self, name: str, data: bytes) -> None:
        self._signatures[name] = data

    def commit(self, roots: Sequence[Root]) -> None:
        (root,) = roots
        self.write("version", _VERSION.format("1.2" if self._others_digest else "1.1").encode())
        self.files.flush()
        with self.files.locked():
            self._refuse_image()  # another run may have been faster
            for name in list(self.files.names()):
                if _SIGNATURE.fullmatch(name):
                    self.files.remove(name)
            for name, data in self._signatures.items():
                self.write(name, data, durable=True)
            # The top manifest was put like any other; its last name makes the image appear.
            self.files.rename(self.name(root.descriptor.name, document=True), _MANIFEST)
            self.settle()


def _belongs(name: str) -> bool:
    return name == _MANIFEST or _SIGNATURE.fullmatch(name) is not None
