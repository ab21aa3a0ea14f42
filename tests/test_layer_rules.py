"""What becomes of a layer: every media type, with any bytes, to every family.

The expectation is a small description of its own, written from the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import pytest

from oci_convert.errors import OciConvertError, RefusedError, UsageError
from oci_convert.spec.media_types import Compression, Family
from oci_convert.transform.layer_rules import (
    Compress,
    Layer,
    check_compress,
    packing_annotations,
    plan_layer,
)
from support.images import DOCKER, DOCKER_LAYER, IN_TOTO, OCI, OCI_LAYER

NAMES: Final = {
    # family, foreign: plain, gzip, zstd
    ("docker", False): ("diff.tar", "diff.tar.gzip", "diff.tar.zstd"),
    ("docker", True): ("foreign.diff.tar", "foreign.diff.tar.gzip", "foreign.diff.tar.zstd"),
    ("oci", False): ("layer.v1.tar", "layer.v1.tar+gzip", "layer.v1.tar+zstd"),
    ("oci", True): (
        "layer.nondistributable.v1.tar",
        "layer.nondistributable.v1.tar+gzip",
        "layer.nondistributable.v1.tar+zstd",
    ),
    ("oci-rc2", False): (None, "layer.v1.tar+gzip", None),
    ("oci-rc2", True): (None, "layer.nondistributable.v1.tar+gzip", None),
}
PACKINGS: Final = ("none", "gzip", "zstd")
LEGACY: Final = {
    f"{OCI}serialization.rootfs.tar.gzip": ("gzip", False),
    f"{OCI}rootfs.tar.gzip": ("gzip", False),
    f"{OCI}layer.tar+gzip": ("gzip", False),
    f"{OCI}layer.nondistributable.tar+gzip": ("gzip", True),
}
ENCRYPTED: Final = {
    f"{OCI}layer.v1.tar+encrypted": f"{OCI}layer.v1.tar+encrypted",
    f"{OCI_LAYER}+encrypted": f"{OCI_LAYER}+encrypted",
    f"{OCI}layer.nondistributable.v1.tar+zstd+encrypted": (
        f"{OCI}layer.nondistributable.v1.tar+zstd+encrypted"
    ),
    f"{DOCKER_LAYER}+encrypted": f"{OCI_LAYER}+encrypted",
}
"""What OCI calls an encrypted layer."""
OTHERS: Final = (IN_TOTO, "application/x-unknown", "text/plain", f"{DOCKER}ai.gguf.v3")


def name(family: str, packing: str, *, foreign: bool) -> str | None:
    """What a family calls a layer; ``None`` if it has no name."""
    if packing not in PACKINGS:
        return None
    found = NAMES[family, foreign][PACKINGS.index(packing)]
    prefix = f"{DOCKER}image.rootfs." if family == "docker" else OCI
    return None if found is None else prefix + found


LABELS: Final = {
    label: (packing, foreign)
    for family in ("docker", "oci")
    for foreign in (False, True)
    for packing in PACKINGS
    if (label := name(family, packing, foreign=foreign)) is not None
} | LEGACY


@dataclass(frozen=True)
class Outcome:
    """What should come of it: a type, perhaps another packing, findings; or an error."""

    media_type: str = ""
    recompress: str | None = None
    findings: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Case:
    """A layer, what it is asked to become, and what is known of it."""

    label: str
    actual: str | None
    family: str
    compress: str
    home: bool

    @property
    def packing(self) -> str:
        """How it is packed: the bytes win."""
        return self.actual or LABELS[self.label][0]

    @property
    def foreign(self) -> bool:
        return LABELS[self.label][1]

    @property
    def right(self) -> str | None:
        """What the family calls it as it is."""
        return name(self.family, self.packing, foreign=self.foreign)

    @property
    def unofficial(self) -> bool:
        return self.family == "docker" and self.packing == "zstd"

    @property
    def undisturbed(self) -> bool:
        return self.home and self.right == self.label

    @property
    def told(self) -> tuple[str, ...]:
        if self.actual is None:
            return ("unrecognised-layer",)
        return () if self.actual == LABELS[self.label][0] else ("mislabelled-layer",)


def expected(case: Case) -> Outcome:
    """The outcome as the documentation has it."""
    if case.label in ENCRYPTED:
        if case.family == "oci":
            return Outcome(ENCRYPTED[case.label])
        return Outcome(case.label) if case.home else Outcome(error="encrypted-layer")
    if case.label not in LABELS:
        refused = case.family == "docker" and not case.home and case.label != IN_TOTO
        return Outcome(error="unknown-layer") if refused else Outcome(case.label)
    return expected_of_foreign(case) if case.foreign else expected_of_layer(case)


def expected_of_foreign(case: Case) -> Outcome:
    if case.right is None:
        stays = case.family == "docker" or not case.label.startswith(DOCKER)
        if case.home and stays:
            return Outcome(case.label, None, (*case.told, *odd(case.label)))
        return Outcome(error="no-docker-type")
    if case.unofficial and case.compress != "keep" and not case.undisturbed:
        return Outcome(error="no-docker-type")
    return Outcome(case.right, None, (*case.told, *odd(case.right)))


def odd(media_type: str) -> tuple[str, ...]:
    """What is told of a name that Docker's schema does not have."""
    unofficial = media_type.startswith(DOCKER) and media_type.endswith(".zstd")
    return ("unofficial-media-type",) if unofficial else ()


def expected_of_layer(case: Case) -> Outcome:
    wanted = case.compress
    if wanted == "keep":
        wanted = case.packing
    elif wanted == "auto":
        as_it_is = case.undisturbed or (case.right is not None and not case.unofficial)
        wanted = case.packing if as_it_is else "gzip"
    new = name(case.family, wanted, foreign=False)
    if new is None:
        return Outcome(error="no-media-type")
    if wanted == case.packing:
        return Outcome(new, None, (*case.told, *odd(new)))
    return Outcome(new, wanted, (*case.told, "layer-repacked"))


def outcome(layer: Layer, family: Family, compress: Compress) -> Outcome:
    try:
        plan = plan_layer(layer, family, compress)
    except RefusedError as error:
        sound = error.where == layer.where and error.remedy and error.message
        return Outcome(error=error.code if sound else f"{error.code} without where or remedy")
    recompress = None if plan.recompress is None else plan.recompress.value
    return Outcome(plan.media_type, recompress, tuple(found.code for found in plan.findings))


@pytest.mark.parametrize("home", [False, True], ids=["changing", "at home"])
@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("label", [*LABELS, *ENCRYPTED, *OTHERS])
def test_every_label_with_any_bytes_becomes_what_the_documentation_says(
    label: str, family: Family, home: bool
) -> None:
    for actual, compress in product((None, *Compression), Compress):
        layer = Layer(label, actual, "layers[3]", at_home=home)
        packing = None if actual is None else actual.value
        case = Case(label, packing, family.value, compress.value, home)
        assert outcome(layer, family, compress) == expected(case), case


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("label", LABELS)
def test_a_layer_that_is_absent_is_believed_and_never_recompressed(
    label: str, family: Family
) -> None:
    for compress in Compress:
        layer = Layer(label, None, "layers[3]", present=False)
        found = outcome(layer, family, compress)
        assert found.recompress is None
        assert found.findings == odd(found.media_type)


@pytest.mark.parametrize("label", [*LABELS, *ENCRYPTED, *OTHERS])
def test_a_layer_of_an_artifact_is_never_touched(label: str) -> None:
    for family, actual, compress in product(
        (Family.OCI, Family.OCI_RC2), (None, *Compression), Compress
    ):
        layer = Layer(label, actual, "layers[3]", at_home=True, of_image=False)
        if label in ENCRYPTED and family is Family.OCI:
            assert outcome(layer, family, compress) == Outcome(ENCRYPTED[label])
        else:
            assert outcome(layer, family, compress) == Outcome(label)


@pytest.mark.parametrize("compress", Compress)
def test_a_layer_of_a_plugin_is_named_anew_and_not_recompressed(compress: Compress) -> None:
    for actual in (None, *Compression):
        layer = Layer(DOCKER_LAYER, actual, "layers[3]", of_image=False)
        assert outcome(layer, Family.OCI, compress) == Outcome(OCI_LAYER)


def test_only_plain_layers_of_a_daemon_are_packed_as_a_push_would_pack_them() -> None:
    for actual in (Compression.NONE, Compression.GZIP, Compression.ZSTD):
        label = name("docker", actual.value, foreign=False) or ""
        daemon = Layer(label, actual, "layers[3]", from_daemon=True)
        plan = plan_layer(daemon, Family.OCI, Compress.AUTO)
        assert plan.recompress == (Compression.GZIP if actual is Compression.NONE else None)
        assert plan_layer(daemon, Family.OCI, Compress.KEEP).recompress is None


@pytest.mark.parametrize(
    ("compress", "family", "possible"),
    [
        *((Compress.AUTO, family, True) for family in Family),
        *((Compress.KEEP, family, True) for family in Family),
        *((Compress.GZIP, family, True) for family in Family),
        (Compress.ZSTD, Family.OCI, True),
        (Compress.ZSTD, Family.DOCKER, False),
        (Compress.ZSTD, Family.OCI_RC2, False),
        (Compress.NONE, Family.OCI, True),
        (Compress.NONE, Family.DOCKER, True),
        (Compress.NONE, Family.OCI_RC2, False),
    ],
)
def test_a_compression_that_the_target_has_no_name_for_is_a_wrong_call(
    compress: Compress, family: Family, possible: bool
) -> None:
    refused: OciConvertError | None = None
    try:
        check_compress(compress, family)
    except UsageError as error:
        refused = error
    assert (refused is None) == possible
    assert refused is None or (refused.code == "no-media-type" and refused.remedy)


def test_annotations_that_describe_packed_bytes_are_known() -> None:
    packing = {
        "containerd.io/snapshot/stargz/toc.digest",
        "io.containers.estargz.uncompressed-size",
        "io.github.containers.zstd-chunked.manifest-position",
        "io.github.containers.compression.level",
        "com.amazon.soci.index",
    }
    assert packing_annotations({*packing, "org.opencontainers.image.title"}) == packing
