from __future__ import annotations

import ast
import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import oci_convert
from oci_convert.errors import OciConvertError, StoreError
from oci_convert.fault_codes import FAULTS
from oci_convert.findings import CODES, Level
from oci_convert.progress import Progress
from oci_convert.spec.media_types import Compression, Family
from oci_convert.spec.models import Descriptor
from oci_convert.stores import Memory
from oci_convert.stores.base import Source
from oci_convert.stores.files.memory import MemoryFiles
from oci_convert.tree.reader import read_tree
from oci_convert.verification.verify import Verification, verify
from support.images import (
    DOCKER_LAYER,
    EMPTY,
    LAYERS,
    OCI,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Blob,
    Image,
    archive_of,
    attestation,
    cosign_signature,
    cosign_tag,
    digest_of,
    docker_config,
    docker_image,
    image_list,
    layer,
    layout_files,
    manifest,
    minimal_config,
    oci_image,
    rc2_files,
    referrer,
    save_tar,
    write_dir,
    write_files,
    write_layout,
)

IMAGE = oci_image()
ARM = oci_image((layer("base"), layer("arm")), platform="linux/arm64")


def check(image: Image) -> Verification:
    """Verify a layout that holds ``image`` alone."""
    return verify(Memory(layout_files({"app:1": image})))


def told(found: Verification, level: Level = Level.ERROR) -> list[tuple[str, str]]:
    """The findings of one level: codes and places."""
    return [(finding.code, finding.where) for finding in found.findings if finding.level is level]


def with_blob(image: Image, digest: str, data: bytes) -> Image:
    """The same image in a store that holds other bytes under a digest."""
    assert digest in image.blobs
    return replace(image, blobs={**image.blobs, digest: data})


def flipped(data: bytes, at: int = -20) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 0x10
    return bytes(changed)


def document(raw: bytes, media_type: str = OCI_MANIFEST) -> Image:
    """Whatever bytes as a document, truly described."""
    own = {digest_of(raw): raw}
    return Image(raw, media_type, own, own)


def rewritten(change: Callable[[dict[str, Any]], object]) -> Image:
    """``IMAGE`` with a changed manifest, truly described, over the same blobs."""
    body = IMAGE.json
    change(body)
    made = document(json.dumps(body).encode())
    return replace(made, blobs={**IMAGE.blobs, **made.blobs})


def with_config(config: bytes) -> Image:
    return oci_image(config=config)


def packed_as(data: bytes, media_type: str = OCI_LAYER) -> Image:
    """An image whose one layer is ``data``; its config speaks of a good one."""
    return manifest(Blob(OCI_CONFIG, minimal_config(LAYERS[:1])), [Blob(media_type, data)])


def nested(levels: int) -> Image:
    image = IMAGE.with_entry(platform=None)
    for _ in range(levels):
        image = image_list([image])
    return image


TOP, BASE, APP = "images[0]", LAYERS[0], LAYERS[1]
CONFIG_DIGEST = digest_of(IMAGE.config)
STEP = {"created_by": "RUN true"}

FAULTY: dict[str, tuple[Image, str, str]] = {
    "a layer has a wrong byte": (
        with_blob(IMAGE, APP.digest, flipped(APP.data)),
        "digest-mismatch",
        f"{TOP}.layers[1]",
    ),
    "a config has a wrong byte": (
        with_blob(IMAGE, CONFIG_DIGEST, flipped(IMAGE.config)),
        "digest-mismatch",
        f"{TOP}.config",
    ),
    "a manifest has a wrong byte": (
        with_blob(IMAGE, IMAGE.digest, flipped(IMAGE.manifest)),
        "digest-mismatch",
        TOP,
    ),
    "the first bytes of a layer are wrong": (
        with_blob(IMAGE, APP.digest, flipped(APP.data, 0)),
        "digest-mismatch",
        f"{TOP}.layers[1]",
    ),
    "a layer is cut off": (
        with_blob(IMAGE, APP.digest, APP.data[:-1]),
        "blob-truncated",
        f"{TOP}.layers[1]",
    ),
    "a layer is too long": (
        with_blob(IMAGE, APP.digest, APP.data + b"\0"),
        "wrong-size",
        f"{TOP}.layers[1]",
    ),
    "a layer is missing": (IMAGE.without(APP.digest), "blob-missing", f"{TOP}.layers[1]"),
    "a config is missing": (IMAGE.without(CONFIG_DIGEST), "blob-missing", f"{TOP}.config"),
    "a label lies": (
        oci_image([replace(BASE, media_type=f"{OCI}layer.v1.tar+zstd"), APP]),
        "mislabelled-layer",
        f"{TOP}.layers[0]",
    ),
    "a layer ends early under its own digest": (
        packed_as(BASE.data[:-4]),
        "corrupt-layer",
        f"{TOP}.layers[0]",
    ),
    "a layer is garbage": (packed_as(b"garbage"), "corrupt-layer", f"{TOP}.layers[0]"),
    "a layer needs too large a window": (
        packed_as(b"\x28\xb5\x2f\xfd\x00\xf8" + b"\x01\0\0", f"{OCI}layer.v1.tar+zstd"),
        "window-too-large",
        f"{TOP}.layers[0]",
    ),
    "a layer is another one": (packed_as(APP.data), "wrong-diff-id", f"{TOP}.layers[0]"),
    "a plain layer is another one": (
        packed_as(APP.tar, f"{OCI}layer.v1.tar"),
        "wrong-diff-id",
        f"{TOP}.layers[0]",
    ),
    "a diff_id is missing": (with_config(minimal_config(LAYERS[:1])), "count-mismatch", TOP),
    "the rootfs is empty": (
        with_config(minimal_config(LAYERS, rootfs={"type": "layers", "diff_ids": []})),
        "count-mismatch",
        TOP,
    ),
    "the history tells of more layers": (
        with_config(minimal_config(LAYERS, history=[STEP] * 3)),
        "count-mismatch",
        TOP,
    ),
    "an entry names another platform": (
        image_list([IMAGE.with_entry(platform=ARM.entry["platform"])]),
        "platform-mismatch",
        f"{TOP}.manifests[0]",
    ),
    "an attestation speaks of nobody": (
        image_list([IMAGE, attestation(ARM)]),
        "dangling-reference",
        f"{TOP}.manifests[1]",
    ),
    "embedded data is another blob's": (
        oci_image([replace(BASE, more={"data": base64.b64encode(b"x").decode()}), APP]),
        "wrong-data",
        f"{TOP}.layers[0]",
    ),
    "embedded data is no base64": (
        image_list([IMAGE.with_entry(data="?")]),
        "wrong-data",
        f"{TOP}.manifests[0]",
    ),
    "a digest is of an unknown algorithm": (
        oci_image([replace(BASE, algorithm="sha3_256"), APP]),
        "unsupported-algorithm",
        f"{TOP}.layers[0]",
    ),
    "a manifest is an index, too": (
        rewritten(lambda body: body.update(manifests=[])),
        "ambiguous-document",
        TOP,
    ),
    "a descriptor contradicts its document": (
        image_list([replace(IMAGE, media_type=OCI_INDEX)]),
        "contradictory-media-type",
        f"{TOP}.manifests[0]",
    ),
    "a digest leads elsewhere": (
        rewritten(lambda body: body["layers"][0].update(digest="sha256:../../etc/passwd")),
        "invalid-digest",
        f"{TOP}.layers[0]",
    ),
    "a size is text": (
        rewritten(lambda body: body["config"].update(size="7")),
        "invalid-document",
        f"{TOP}.config",
    ),
    "a manifest is no JSON": (document(b"{"), "invalid-json", TOP),
    "a manifest goes on": (document(IMAGE.manifest + b"{}"), "trailing-data", TOP),
    "a manifest begins with a mark": (
        document(b"\xef\xbb\xbf" + IMAGE.manifest),
        "byte-order-mark",
        TOP,
    ),
    "a manifest is not UTF-8": (document(b'{"\xff":1}'), "not-utf-8", TOP),
    "a manifest is nested deeply": (document(b'{"a":' + b"[" * 99), "too-deep", TOP),
    "a string is half a character": (document(b'{"a":"\\ud800"}'), "lone-surrogate", TOP),
    "a field appears twice in a config": (
        with_config(b'{"os":"linux","os":"plan9"}'),
        "duplicate-member",
        f"{TOP}.config",
    ),
    "a config is huge": (
        with_config(b'{"x":"' + b"x" * 2**22 + b'"}'),
        "document-too-large",
        f"{TOP}.config",
    ),
    "indexes are nested too deeply": (nested(18), "tree-too-deep", TOP + ".manifests[0]" * 17),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_single_fault_has_its_code_and_place(name: str) -> None:
    image, code, where = FAULTY[name]
    found = check(image)
    assert told(found) == [(code, where)]
    assert not found.sound
    assert told(found, Level.WARNING) == []


WARNED: dict[str, tuple[Image, str, str]] = {
    "a label of Docker in an OCI image": (
        oci_image([replace(BASE, media_type=DOCKER_LAYER), APP]),
        "mixed-families",
        TOP,
    ),
    "a Docker image in an index": (
        image_list([docker_image()], Family.OCI),
        "mixed-families",
        TOP,
    ),
    "a subject that is elsewhere": (referrer(ARM), "dangling-subject", f"{TOP}.subject"),
    "a created that is no text": (
        with_config(minimal_config(LAYERS, created=5)),
        "config-problem",
        f"{TOP}.config",
    ),
    "a history that tells of fewer layers": (
        with_config(minimal_config(LAYERS, history=[STEP])),
        "count-mismatch",
        TOP,
    ),
    "a variant that is not the config's": (
        image_list(
            [
                oci_image(platform="linux/arm/v7").with_entry(
                    platform={"os": "linux", "architecture": "arm", "variant": "v6"}
                )
            ]
        ),
        "platform-mismatch",
        f"{TOP}.manifests[0]",
    ),
}


@pytest.mark.parametrize("name", WARNED)
def test_a_warning_has_its_code_and_leaves_the_image_sound(name: str) -> None:
    image, code, where = WARNED[name]
    found = check(image)
    assert found.sound
    assert told(found, Level.WARNING) == [(code, where)]


def test_a_layer_without_any_known_magic_is_a_warning() -> None:
    odd = replace(layer(), tar=b"no tar", compression=Compression.NONE)
    found = check(oci_image([odd]))
    assert (found.sound, told(found, Level.WARNING)) == (
        True,
        [("unrecognised-layer", f"{TOP}.layers[0]")],
    )


ENCRYPTED = Blob(f"{OCI}layer.v1.tar+gzip+encrypted", b"secret")
SOUND: dict[str, Image] = {
    "docker": docker_image(),
    "oci": IMAGE,
    "no media type": oci_image(stated=False),
    "no layer": oci_image([]),
    "plain": oci_image([layer(compression=Compression.NONE)]),
    "zstd": oci_image([layer(compression=Compression.ZSTD)]),
    "sha512": oci_image([replace(BASE, algorithm="sha512")]),
    "a layer twice": oci_image([BASE, BASE]),
    "large": oci_image([layer(size=700_000)]),
    "manifest list": image_list([docker_image(), docker_image(platform="linux/arm64/v8")]),
    "entry with a variant": image_list(
        [ARM.with_entry(platform={"os": "linux", "architecture": "arm64", "variant": "v8"})]
    ),
    "attested": image_list([IMAGE, attestation(IMAGE)]),
    "nested": image_list([image_list([IMAGE]), ARM]),
    "artifact": manifest(Blob(EMPTY, b"{}"), [Blob("text/plain", b"note")], artifactType="a/b"),
    "signature": cosign_signature(IMAGE),
    "encrypted": manifest(Blob(OCI_CONFIG, minimal_config([BASE])), [ENCRYPTED]),
    "data": oci_image([replace(BASE, more={"data": base64.b64encode(BASE.data).decode()})]),
}


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_found_in_a_sound_image(name: str) -> None:
    found = check(SOUND[name])
    assert (found.sound, found.findings) == (True, ())
    assert found.totals.blobs == len(SOUND[name].blobs)
    assert found.totals.bytes_read == sum(map(len, SOUND[name].blobs.values()))


@given(st.data())
def test_every_changed_byte_of_every_blob_is_found(data: st.DataObject) -> None:
    image = image_list([IMAGE, ARM, attestation(IMAGE)])
    digest = data.draw(st.sampled_from(sorted(image.blobs)))
    content = image.blobs[digest]
    at = data.draw(st.integers(0, len(content) - 1))
    found = check(with_blob(image, digest, flipped(content, at)))
    assert {code for code, _ in told(found)} == {"digest-mismatch"}


@given(st.sampled_from(sorted(layout_files({"app:1": image_list([IMAGE, ARM])}))), st.binary())
def test_garbage_in_the_place_of_any_file_is_an_answer_and_no_crash(name: str, raw: bytes) -> None:
    assume(b"imageLayoutVersion" not in raw)  # no garbage: it says which version the layout has
    files = layout_files({"app:1": image_list([IMAGE, ARM])})
    assert not verify(Memory({**files, name: raw})).sound


def test_all_faults_of_a_tree_are_found() -> None:
    broken = with_blob(ARM, ARM.layers[1].digest, flipped(ARM.layers[1].data))
    tree = image_list([document(b"[]"), IMAGE.without(CONFIG_DIGEST), broken])
    assert told(check(tree)) == [
        ("invalid-document", f"{TOP}.manifests[0]"),
        ("blob-missing", f"{TOP}.manifests[1].config"),
        ("digest-mismatch", f"{TOP}.manifests[2].layers[1]"),
    ]


def test_places_are_in_the_order_of_numbers() -> None:
    layers = [layer(str(i)) for i in range(12)]
    image = oci_image(layers).without(layers[2].digest, layers[10].digest)
    assert [where for _, where in told(check(image))] == [f"{TOP}.layers[2]", f"{TOP}.layers[10]"]


def test_every_claim_on_a_shared_layer_is_judged() -> None:
    lying = oci_image(config=minimal_config([APP, APP], "linux/arm64"), platform="linux/arm64")
    worse = oci_image(config=minimal_config([BASE, BASE], "linux/s390x"), platform="linux/s390x")
    assert told(check(image_list([IMAGE, lying, worse]))) == [
        ("wrong-diff-id", f"{TOP}.manifests[1].layers[0]"),
        ("wrong-diff-id", f"{TOP}.manifests[2].layers[1]"),
    ]


def test_every_label_of_a_shared_layer_is_judged() -> None:
    lying = replace(BASE, media_type=f"{OCI}layer.v1.tar")
    image = image_list([IMAGE, oci_image([lying, APP]), oci_image([BASE, lying], config=b"{}")])
    assert ("mislabelled-layer", f"{TOP}.manifests[1].layers[0]") in told(check(image))


def test_wrong_data_is_found_beside_a_right_one() -> None:
    wrong = replace(BASE, more={"data": "eA=="})
    image = oci_image([BASE, wrong])
    assert told(check(image)) == [("wrong-data", f"{TOP}.layers[1]")]


# -- what may be absent, and what concerns the store --------------------------------------------


def test_an_absent_foreign_layer_is_information() -> None:
    foreign = layer(foreign=True, present=False, more={"urls": ["https://example.com/layer"]})
    found = check(docker_image([foreign, APP]))
    assert found.sound
    assert told(found, Level.INFO) == [("foreign-layer-absent", f"{TOP}.layers[0]")]


def test_a_present_foreign_layer_is_checked_by_its_digest_alone() -> None:
    foreign = layer(foreign=True)
    image = oci_image([foreign], config=minimal_config([APP]))
    assert check(image).sound
    broken = with_blob(image, foreign.digest, flipped(foreign.data))
    assert told(check(broken)) == [("digest-mismatch", f"{TOP}.layers[0]")]


def test_a_layout_tells_of_orphans_and_of_images_without_a_name() -> None:
    files = layout_files({"app:1": IMAGE, "": ARM, cosign_tag(IMAGE): cosign_signature(IMAGE)})
    stray = f"blobs/sha256/{'0' * 64}"
    found = verify(Memory({**files, stray: b"stray"}))
    assert found.sound
    assert told(found, Level.INFO) == [("untagged-image", "images[1]"), ("orphan-blob", stray)]
    assert [image.name for image in found.images] == ["app:1", None, cosign_tag(IMAGE)]


def test_orphans_are_not_guessed_where_a_document_cannot_be_read() -> None:
    found = check(with_blob(IMAGE, IMAGE.digest, flipped(IMAGE.manifest)))
    assert told(found, Level.INFO) == []


def test_a_referrer_needs_no_name_and_its_subject_no_entry() -> None:
    files = layout_files({"app:1": IMAGE, "": referrer(IMAGE)})
    assert verify(Memory(files)).findings == ()


def test_a_subject_of_another_size_is_wrong() -> None:
    subject = {**IMAGE.descriptor.triple(), "size": 1}
    lying = manifest(Blob(EMPTY, b"{}"), [], subject=subject)
    found = verify(Memory(layout_files({"app:1": IMAGE, "": lying})))
    assert told(found) == [("wrong-size", "images[1].subject")]


def test_leftovers_of_a_killed_run_are_information(tmp_path: Path) -> None:
    write_layout({"app:1": IMAGE}, tmp_path)
    write_files({".oci-convert/0123456789abcdef/1": b"half"}, tmp_path)
    found = verify(tmp_path)
    assert found.sound
    assert told(found, Level.INFO) == [("leftover", ".oci-convert")]


def test_a_reference_limits_what_is_verified(tmp_path: Path) -> None:
    broken = with_blob(ARM, ARM.digest, flipped(ARM.manifest))
    write_layout({"good": IMAGE, "bad": broken}, tmp_path)
    assert verify(f"oci:{tmp_path}:good").findings == ()
    assert not verify(f"oci:{tmp_path}:bad").sound
    assert not verify(f"oci:{tmp_path}").sound


# -- stores -------------------------------------------------------------------------------------


def test_every_store_is_verified(tmp_path: Path) -> None:
    image = docker_image()
    archive = tmp_path / "saved.tar"
    archive.write_bytes(save_tar({"example.com/app:1": image}))
    both = tmp_path / "layout.tar"
    both.write_bytes(archive_of(dict(layout_files({"app:1": image}))))
    write_files(rc2_files({"app": oci_image()}), tmp_path / "old")
    write_dir(image_list([image]), tmp_path / "folder")
    for name in ("saved.tar", "layout.tar", "old", "folder"):
        found = verify(tmp_path / name)
        assert (found.findings, len(found.images)) == ((), 1), name


def saved(change: Callable[[dict[str, bytes | str]], object], path: Path) -> str:
    """A docker-save archive, without a layout in it, after a change of its members."""
    members: dict[str, bytes | str] = {
        "manifest.json": json.dumps(
            [{"Config": "config.json", "RepoTags": ["app:1"], "Layers": ["a.tar", "b.tar"]}]
        ).encode(),
        "config.json": docker_config(LAYERS),
        "a.tar": BASE.tar,
        "b.tar": APP.tar,
    }
    change(members)
    archive = path / "saved.tar"
    archive.write_bytes(archive_of(members))
    return f"docker-archive:{archive}"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _: None, None),
        (lambda members: members.update({"b.tar": flipped(APP.tar)}), "wrong-diff-id"),
        (lambda members: members.update({"b.tar": BASE.data}), "wrong-diff-id"),
        (lambda members: members.pop("b.tar"), "member-missing"),
        (
            lambda members: members.update({"config.json": docker_config([])}),
            "inconsistent-archive",
        ),
        (
            lambda members: members.update(
                {"manifest.json": b'[{"Config": "../../etc/passwd", "Layers": []}]'}
            ),
            "path-outside",
        ),
    ],
)
def test_the_faults_of_an_archive(
    change: Callable[[dict[str, bytes | str]], object], code: str | None, tmp_path: Path
) -> None:
    found = verify(saved(change, tmp_path))
    # What follows is wrong with the rest of an image whose row does not fit.
    assert [finding.code for finding in found.findings][:1] == ([] if code is None else [code])


def test_an_archive_that_is_cut_off_is_a_fault(tmp_path: Path) -> None:
    archive = tmp_path / "saved.tar"
    archive.write_bytes(save_tar({"app:1": docker_image()})[:-4000].rstrip(b"\0"))
    found = verify(archive)
    assert [finding.code for finding in found.findings] == ["bad-archive"]
    assert found.images == ()


def test_a_partial_archive_is_sound_while_one_image_of_each_index_is_whole(tmp_path: Path) -> None:
    image, other = docker_image(), docker_image(platform="linux/arm64")
    names = [f"blobs/sha256/{digest[7:]}" for digest in image.blobs]
    row = {"Config": names[0], "RepoTags": ["app:1"], "Layers": names[1:3]}

    def partial(index: Image) -> Verification:
        files = layout_files({"app:1": image, "other": index.without(other.digest)})
        archive = tmp_path / "saved.tar"
        archive.write_bytes(archive_of({**files, "manifest.json": json.dumps([row]).encode()}))
        return verify(archive)

    found = partial(image_list([image, other]))
    assert found.sound
    assert told(found, Level.WARNING) == [("sparse-index", "images[1].manifests[1]")]
    assert told(partial(image_list([other]))) == [("blob-missing", "images[1].manifests[0]")]


def test_a_broken_index_json_is_a_fault_of_the_whole_store() -> None:
    found = verify(Memory({**layout_files({"app:1": IMAGE}), "index.json": b"[]"}))
    assert (found.sound, found.images) == (False, ())
    assert told(found) == [("invalid-document", "memory: index.json")]


@pytest.mark.parametrize("reference", ["oci:missing", "docker://app", "app:1", ""])
def test_a_store_that_is_not_there_is_an_error(reference: str, tmp_path: Path) -> None:
    with pytest.raises(OciConvertError):
        verify(reference)


def test_a_store_without_an_image_is_an_error() -> None:
    with pytest.raises(StoreError, match="no image"):
        verify(Memory(layout_files({})))


# -- reading ------------------------------------------------------------------------------------


def test_each_blob_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[str] = Counter()
    stream = Source.stream

    def counting(self: Source, descriptor: Descriptor) -> Iterator[bytes]:
        counts[descriptor.digest] += 1
        return stream(self, descriptor)

    monkeypatch.setattr(Source, "stream", counting)
    shared = [replace(BASE, media_type=DOCKER_LAYER), APP]
    image = image_list([IMAGE, oci_image(shared, platform="linux/arm64"), ARM])
    assert check(image).sound
    assert counts == dict.fromkeys(image.blobs, 1)


@pytest.mark.parametrize("when", [1, 2])
def test_a_blob_that_the_system_does_not_give_is_a_fault(
    when: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: Counter[str] = Counter()
    read = MemoryFiles.open

    def failing(self: MemoryFiles, name: str) -> BinaryIO:
        opened[name] += 1
        if name.endswith(APP.digest[7:]) and opened[name] == when:
            raise PermissionError(13, "Permission denied")
        return read(self, name)

    monkeypatch.setattr(MemoryFiles, "open", failing)
    found = check(IMAGE)
    assert told(found) == [("unreadable", f"{TOP}.layers[1]")]
    assert found.findings[0].message == "the blob cannot be read: Permission denied"


@pytest.mark.parametrize("jobs", [1, 3, None])
def test_progress_adds_up(jobs: int | None) -> None:
    steps: list[Progress] = []
    image = oci_image([layer(str(i), size=300_000) for i in range(5)])
    verify(Memory(layout_files({"app:1": image})), jobs=jobs, on_progress=steps.append)
    total = sum(len(each.data) for each in image.layers)
    assert [step.total for step in steps] == [total] * len(steps)
    assert sum(step.step for step in steps) == steps[-1].done == total


@pytest.mark.parametrize("error", [RuntimeError, BrokenPipeError, KeyboardInterrupt])
def test_what_on_progress_raises_ends_the_run(error: type[BaseException]) -> None:
    def stop(_: Progress) -> None:
        raise error

    with pytest.raises(error):
        verify(Memory(layout_files({"app:1": IMAGE})), on_progress=stop)


def test_a_strict_reader_still_raises_with_the_place_of_the_first_fault() -> None:
    broken = image_list([IMAGE.without(CONFIG_DIGEST), document(b"[]")])
    source = Memory(layout_files({"app:1": broken})).source()
    with pytest.raises(OciConvertError) as caught:
        read_tree(source, source.roots())
    assert (caught.value.code, caught.value.place) == (
        "invalid-document",
        f"memory: {TOP}.manifests[1]",
    )


# -- the answer ---------------------------------------------------------------------------------


def test_the_answer_as_plain_data() -> None:
    found = check(with_blob(IMAGE, APP.digest, flipped(APP.data)))
    data = json.loads(json.dumps(found.to_json()))
    assert data["totals"].pop("seconds") >= 0
    actual = digest_of(flipped(APP.data))[:19]
    assert data == {
        "version": 1,
        "source": "memory",
        "sound": False,
        "presence": {"images": 1, "here": 1},
        "images": [{"name": "app:1", **IMAGE.descriptor.triple()}],
        "findings": [
            {
                "code": "digest-mismatch",
                "level": "error",
                "where": f"{TOP}.layers[1]",
                "message": f"digest mismatch: expected {APP.digest[:19]}, found {actual}",
            }
        ],
        "totals": {"blobs": 4, "bytes_read": sum(map(len, IMAGE.blobs.values()))},
    }


def codes_of(path: Path) -> Iterator[str]:
    """The codes of the errors that a module raises over documents and blobs."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            for keyword in (
                node.keywords if name in ("DocumentError", "BlobError", "_error") else ()
            ):
                if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                    yield str(keyword.value.value)


def test_everything_that_can_be_wrong_with_an_image_has_a_meaning() -> None:
    package = Path(oci_convert.__file__).parent
    parts = ("spec", "documents", "layers", "stores")
    files = [path for part in parts for path in (package / part).rglob("*.py")]
    files += [package / "report.py", package / "tree/reader.py"]
    raised = {code for path in files for code in codes_of(path)}
    assert len(raised) > 20
    assert raised - {"not-a-report"} <= FAULTS.keys(), "what verify may report belongs there"
    assert all(CODES[code].level is Level.ERROR for code in FAULTS)
