"""Strategies for documents: plain ones, and any that somebody might have written.

A document is drawn as Python data and spelled by :func:`spelled` in one of many ways: white space,
key order, escapes. Media types are spelled out here, not taken from the code under test.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from support.images import (
    DOCKER,
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    IN_TOTO,
    OCI,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    RC2_LIST,
)

FAMILIES: Final = {
    DOCKER_MANIFEST: ("docker",),
    DOCKER_LIST: ("docker",),
    DOCKER_CONFIG: ("docker",),
    **dict.fromkeys(
        (
            f"{DOCKER}image.rootfs.{kind}.tar{suffix}"
            for kind in ("diff", "foreign.diff")
            for suffix in ("", ".gzip", ".zstd")
        ),
        ("docker",),
    ),
    OCI_MANIFEST: ("oci", "oci-rc2"),
    OCI_CONFIG: ("oci", "oci-rc2"),
    OCI_INDEX: ("oci",),
    RC2_LIST: ("oci-rc2",),
    **dict.fromkeys(
        (
            f"{OCI}{kind}.v1.tar{suffix}"
            for kind in ("layer", "layer.nondistributable")
            for suffix in ("", "+gzip", "+zstd")
        ),
        ("oci",),
    ),
    OCI_LAYER: ("oci", "oci-rc2"),
    f"{OCI}layer.nondistributable.v1.tar+gzip": ("oci", "oci-rc2"),
}
"""The families in which a media type is current."""

DOCKER_LAYERS: Final = (
    DOCKER_LAYER,
    f"{DOCKER}image.rootfs.diff.tar",
    f"{DOCKER}image.rootfs.foreign.diff.tar.gzip",
    f"{DOCKER}image.rootfs.foreign.diff.tar",
)
DOCKER_GZIP_LAYERS: Final = (DOCKER_LAYERS[0], DOCKER_LAYERS[2])
OCI_LAYERS: Final = (
    OCI_LAYER,
    f"{OCI}layer.v1.tar",
    f"{OCI}layer.nondistributable.v1.tar+gzip",
    f"{OCI}layer.nondistributable.v1.tar",
)
ODD_LAYERS: Final = (
    f"{DOCKER}image.rootfs.diff.tar.zstd",
    f"{OCI}layer.v1.tar+zstd",
    f"{OCI}layer.nondistributable.v1.tar+zstd",
    f"{OCI}layer.v1.tar+gzip+encrypted",
    f"{OCI}rootfs.tar.gzip",
    IN_TOTO,
    "application/x-unknown",
)
ODD_CONFIGS: Final = (
    "application/octet-stream",
    "application/vnd.docker.plugin.v1+json",
    "application/vnd.oci.empty.v1+json",
    "application/x-unknown",
)
LISTED: Final = (DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX, RC2_LIST)
"""What an index can name."""

KNOWN: Final = frozenset(
    ("schemaversion", "mediatype", "artifacttype", "annotations", "subject", "manifests", "layers")
) | {"config", "fslayers", "digest", "size", "urls", "data", "platform"}
"""Names that mean something, in lower case."""

BACK: Final = {
    DOCKER_MANIFEST: "docker",
    DOCKER_LIST: "docker",
    OCI_MANIFEST: "oci",
    OCI_INDEX: "oci",
    RC2_LIST: "oci-rc2",
}
"""The family that a document came from."""


class Number(str):
    """A number as it is spelled: ``1.50``, ``-0``, ``1e400``."""

    __slots__ = ()


# -- values -------------------------------------------------------------------------------------

texts: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names: Final = texts.filter(lambda name: name.casefold() not in KNOWN)
scalars: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**60), 10**60)
    | st.sampled_from(["1.50", "-0", "0.0", "1e400", "1E+2", "2.0e-7"]).map(Number)
    | texts
)
values: Final[st.SearchStrategy[Any]] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
unknown: Final = st.dictionaries(names, values, max_size=2)
_SIZES: Final = (0, 1, 7, 10, 99, 527, 4096, 10**9, 2**31, 2**32, 2**53, 2**53 + 1, 2**63 - 1)


def _blob(number: int, algorithm: str) -> dict[str, Any]:
    """What a descriptor says of one of a few blobs."""
    encoded = hashlib.new(algorithm, bytes([number])).hexdigest()
    return {"digest": f"{algorithm}:{encoded}", "size": _SIZES[number]}


blobs: Final = st.builds(
    _blob, st.integers(0, len(_SIZES) - 1), st.sampled_from(["sha256", "sha256", "sha512"])
)
sizes: Final = st.sampled_from(_SIZES)
string_maps: Final = st.dictionaries(texts, texts, max_size=2)


@st.composite
def descriptors(draw: st.DrawFn, media_types: st.SearchStrategy[str]) -> dict[str, Any]:
    """A descriptor that holds no more than Docker's schema, and unknown members."""
    return {"mediaType": draw(media_types), **draw(blobs), **draw(unknown)}


@st.composite
def platforms(draw: st.DrawFn) -> dict[str, Any]:
    more = draw(unknown.map(lambda m: {k: v for k, v in m.items() if k.isupper()}))
    odd: dict[str, Any] = draw(
        st.sampled_from([{}, {"variant": "v8"}, {"os.version": "10.0"}, {"features": []}])
    )
    system = draw(st.sampled_from(["linux", "windows"]))
    return {"architecture": "arm64", "os": system, **odd, **more}


@st.composite
def plain_manifests(
    draw: st.DrawFn,
    layers: tuple[str, ...] = DOCKER_LAYERS,
    media_type: str = DOCKER_MANIFEST,
    config: str = DOCKER_CONFIG,
) -> dict[str, Any]:
    """A manifest of one family in which nothing has to be removed, added or corrected."""
    kinds = descriptors(st.sampled_from(layers))
    with_urls = st.builds(
        lambda layer, urls: {**layer, **urls},
        kinds,
        st.just({}) | st.lists(texts, max_size=2).map(lambda urls: {"urls": urls}),
    )
    return {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": draw(descriptors(st.just(config))),
        "layers": draw(st.lists(with_urls, max_size=4)),
        **draw(unknown),
    }


@st.composite
def plain_lists(
    draw: st.DrawFn, media_type: str = DOCKER_LIST, entry: str = DOCKER_MANIFEST
) -> dict[str, Any]:
    """A list of manifests of one family, each with its platform."""
    kinds = st.builds(
        lambda entry, platform: {**entry, "platform": platform},
        descriptors(st.just(entry)),
        platforms(),
    )
    return {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": draw(st.lists(kinds, max_size=4)),
        **draw(unknown),
    }


@st.composite
def _odd_descriptors(draw: st.DrawFn, media_types: st.SearchStrategy[str]) -> dict[str, Any]:
    """A descriptor with anything that a descriptor can hold."""
    made = draw(descriptors(media_types))
    if draw(st.booleans()):
        return made
    extras: list[Callable[[], dict[str, Any]]] = [
        lambda: {"urls": draw(st.none() | st.lists(texts, max_size=2))},
        lambda: {"annotations": draw(st.none() | string_maps)},
        lambda: {"artifactType": draw(st.none() | texts)},
        lambda: {"platform": draw(st.none() | platforms())},
        lambda: {"data": None},
        lambda: _embedded(draw(st.binary(max_size=4))),
        lambda: {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
    ]
    for extra in draw(st.lists(st.sampled_from(extras), max_size=2)):
        made |= extra()
    return made


def _embedded(content: bytes) -> dict[str, Any]:
    return {
        "data": base64.b64encode(content).decode(),
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "size": len(content),
    }


@st.composite
def odd_documents(draw: st.DrawFn) -> dict[str, Any]:
    """A manifest or an index with anything in it that somebody might have written."""
    made: dict[str, Any] = {"schemaVersion": 2}
    is_list = draw(st.booleans())
    docker = draw(st.booleans())
    if is_list:
        own = st.sampled_from([DOCKER_LIST] if docker else [OCI_INDEX, RC2_LIST])
        usual = st.just(DOCKER_MANIFEST if docker else OCI_MANIFEST)
        odd = st.sampled_from([*LISTED, "application/x-unknown", IN_TOTO])
        made["manifests"] = draw(_listed(usual | usual | odd))
    else:
        own = st.just(DOCKER_MANIFEST if docker else OCI_MANIFEST)
        right = st.just(DOCKER_CONFIG if docker else OCI_CONFIG)
        odd = st.sampled_from([DOCKER_CONFIG, OCI_CONFIG, *ODD_CONFIGS])
        made["config"] = draw(_odd_descriptors(right | right | odd))
        usual = st.sampled_from(DOCKER_LAYERS if docker else OCI_LAYERS)
        odd = st.sampled_from([*DOCKER_LAYERS, *OCI_LAYERS, *ODD_LAYERS])
        made["layers"] = draw(_listed(usual | usual | odd))
    made["mediaType"] = draw(own | own | own | st.sampled_from(["", None]))
    for name in ("mediaType", "layers", "manifests"):
        if name in made and draw(st.integers(0, 9)) == 0:
            del made[name]
    for name, strategy in (
        ("annotations", st.none() | string_maps),
        ("artifactType", st.none() | texts),
        ("subject", st.none() | _odd_descriptors(st.sampled_from(LISTED))),
    ):
        if draw(st.integers(0, 4)) == 0:
            made[name] = draw(strategy)
    return made | draw(unknown)


def _listed(media_types: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    lists = st.lists(_odd_descriptors(media_types), max_size=4)
    return st.one_of(lists, lists, lists, lists, st.none())


@st.composite
def digest_maps(draw: st.DrawFn, document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the entries of a list became: one new digest for each old one."""
    entries = [*(document.get("manifests") or ()), document.get("subject")]
    olds = dict.fromkeys(entry["digest"] for entry in entries if entry)
    return {
        old: {
            "mediaType": "application/x-any",
            "digest": f"sha256:{hashlib.sha256(f'new {old}'.encode()).hexdigest()}",
            "size": draw(sizes),
        }
        for old in olds
    }


# -- spelling -----------------------------------------------------------------------------------

_SPACES: Final = ("", "", " ", "\n", "\t", "\r\n", "  ")
_SHORT: Final = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "/": "\\/"}


class _Speller:
    """One way of writing JSON; ``seed`` 0 is the plain and compact one."""

    def __init__(self, seed: int, *, plus: str | None, escaped_types: bool):
        self._random = Random(seed)
        self._wild = seed != 0
        self._plus = plus
        self._escaped_types = escaped_types

    def _space(self) -> str:
        return self._random.choice(_SPACES) if self._wild else ""

    def _string(self, text: str) -> str:
        return '"' + "".join(map(self._character, text)) + '"'

    def _character(self, character: str) -> str:
        if character in '"\\' or ord(character) < 0x20:
            return json.dumps(character)[1:-1]
        if not self._wild or self._random.random() < 0.8:
            return character
        if character in _SHORT:
            return _SHORT[character]
        units = character.encode("utf-16-be").hex()
        code = units.upper() if self._random.random() < 0.5 else units
        return "".join(f"\\u{code[i : i + 4]}" for i in range(0, len(code), 4))

    def _label(self, text: str) -> str:
        """A media type or a digest: only its plus and its slash may be escaped."""
        if self._escaped_types:
            return self._string(text)
        plus = self._plus or (self._random.choice(["+", "\\u002B"]) if self._wild else "+")
        slash = self._random.choice(["/", "\\/"]) if self._wild else "/"
        return '"' + text.replace("/", slash).replace("+", plus) + '"'

    def write(self, value: Any) -> str:
        if isinstance(value, Number):
            return str(value)
        if isinstance(value, dict):
            members = list(value.items())
            if self._wild:
                self._random.shuffle(members)
            return self._bracketed("{", [self._member(*member) for member in members], "}")
        if isinstance(value, list):
            return self._bracketed("[", [self.write(item) for item in value], "]")
        return self._string(value) if isinstance(value, str) else json.dumps(value)

    def _member(self, name: str, value: Any) -> str:
        label = name in ("mediaType", "digest") and isinstance(value, str)
        text = self._label(value) if label else self.write(value)
        return f"{self._string(name)}{self._space()}:{self._space()}{text}"

    def _bracketed(self, left: str, parts: list[str], right: str) -> str:
        inner = ",".join(f"{self._space()}{part}{self._space()}" for part in parts)
        return f"{left}{inner or self._space()}{right}"


def spelled(
    document: Any, seed: int, *, plus: str | None = None, escaped_types: bool = False
) -> bytes:
    """``document`` as JSON in one of many spellings. ``plus`` is how a ``+`` is written in media
    types and digests; ``escaped_types`` escapes anything in them.
    """
    speller = _Speller(seed, plus=plus, escaped_types=escaped_types)
    return f"{speller._space()}{speller.write(document)}{speller._space()}".encode()


seeds: Final = st.integers(0, 2**32)


@st.composite
def mutated(draw: st.DrawFn, documents: st.SearchStrategy[bytes]) -> bytes:
    """Bytes that once were a document."""
    raw = draw(documents)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        length = draw(st.integers(0, 20))
        piece = draw(
            st.binary(max_size=4)
            | st.sampled_from(
                [b'"', b"null", b"{", b"]", b"-1", b"1e999", b'"layers":[],', b"[[]]", b"\\ud800"]
            )
            | st.just(raw[at : at + length])
        )
        raw = raw[:at] + piece + raw[at + length :]
    return raw
