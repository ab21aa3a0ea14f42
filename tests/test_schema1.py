"""Schema 1 is read strictly and upgraded; so is what Docker saved before 1.10."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import (
    BlobError,
    Change,
    Compression,
    DocumentError,
    Kind,
    Level,
    Memory,
    OciConvertError,
    RefusedError,
    Report,
    StoreError,
    convert,
    inspect,
    translate,
)
from oci_convert.comparison.diff import same_as
from oci_convert.stores import upgrade
from oci_convert.stores.contents import is_docker_legacy
from oci_convert.stores.docker_legacy import DockerLegacySource
from oci_convert.stores.upgrade import measure
from oci_convert.transform.image_v1 import read_v1
from oci_convert.transform.schema1 import read_schema1
from oci_convert.verification.verify import verify
from support import schema1
from support.archives import archive, in_memory
from support.images import (
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    LAYERS,
    Layer,
    Spelling,
    digest_of,
    docker_image,
    layer,
    layout_files,
    write_files,
)
from support.schema1 import APP, BASE, STEPS, TOP, Version1, body, identity, pretty, sign, signature


def compact(value: object) -> bytes:
    return Spelling.COMPACT.write(value)


def refused(raw: bytes) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        read_schema1(raw, "doc")
    return caught.value


# -- signatures ---------------------------------------------------------------------------------

PAYLOAD = pretty(body())
SPELLINGS = {
    "indented as Docker's registry does": PAYLOAD,
    "compact as skopeo does": compact(body()),
    "with a newline at its end": PAYLOAD[:-1] + b"\n}",
}


@pytest.mark.parametrize("payload", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_the_payload_is_what_was_signed(payload: bytes) -> None:
    found = read_schema1(sign(payload))
    assert found.payload == payload
    assert found.media_type == schema1.SIGNED_TYPE


def test_several_signatures_sign_the_same() -> None:
    length = len(PAYLOAD) - 2
    signatures = [signature(length, b"\n}"), signature(length, b"\n}")]
    assert read_schema1(sign(PAYLOAD, signatures)).payload == PAYLOAD


@pytest.mark.parametrize("signatures", [..., [], None])
def test_without_signatures_the_document_is_the_payload(signatures: Any) -> None:
    raw = pretty(body(signatures=signatures))
    found = read_schema1(raw)
    assert found.payload == raw
    assert found.media_type == schema1.TYPE


LENGTH = len(PAYLOAD) - 2
BAD_SIGNATURES: dict[str, tuple[Any, str]] = {
    "no list": ({"a": 1}, "invalid-document"),
    "no object": (["a"], "invalid-document"),
    "without a protected header": ([{"signature": "c2ln"}], "invalid-document"),
    "not base64": ([{"protected": "!"}], "invalid-document"),
    "not base64 in its length": ([{"protected": "AAAAA"}], "invalid-document"),
    "not ASCII": ([{"protected": "ä"}], "invalid-document"),
    "a header that is not JSON": ([{"protected": schema1.base64url(b"{")}], "invalid-json"),
    "a header without formatTail": (
        [{"protected": schema1.base64url(b'{"formatLength":1}')}],
        "invalid-document",
    ),
    "a length of nothing": ([signature(0, b"\n}")], "invalid-document"),
    "a negative length": ([signature(-5, b"\n}")], "invalid-document"),
    "a length beyond the end": ([signature(10**9, b"\n}")], "invalid-document"),
    "lengths that differ": (
        [signature(LENGTH, b"\n}"), signature(LENGTH - 1, b"\n}")],
        "invalid-document",
    ),
    "tails that differ": (
        [signature(LENGTH, b"\n}"), signature(LENGTH, b"}")],
        "invalid-document",
    ),
    "something that is not JSON": ([signature(LENGTH - 3, b"\n}")], "invalid-json"),
    "a tail that adds a member": (
        [signature(LENGTH, b',"tag":"other"}')],
        "duplicate-member",
    ),
    "another document": ([signature(LENGTH, b',"x":1}')], "ambiguous-document"),
}


@pytest.mark.parametrize(("signatures", "code"), BAD_SIGNATURES.values(), ids=BAD_SIGNATURES.keys())
def test_a_signature_must_sign_this_document(signatures: Any, code: str) -> None:
    assert refused(sign(PAYLOAD, signatures)).code == code


def test_what_is_hidden_behind_the_signed_part_is_refused() -> None:
    raw = sign(PAYLOAD)
    assert refused(raw[:-1] + b',"name":"other"}').code == "duplicate-member"
    assert refused(raw[:-1] + b',"more":"other"}').code == "ambiguous-document"


# -- validity -----------------------------------------------------------------------------------


def v1(**members: Any) -> dict[str, str]:
    return {"v1Compatibility": json.dumps({"id": identity(1), **members})}


BLOB = {"blobSum": digest_of(STEPS[0].blob)}
BAD_BODIES: dict[str, tuple[dict[str, Any], str, str]] = {
    "a manifest of schema 2": ({"schemaVersion": 2}, "invalid-document", "doc"),
    "another type": ({"mediaType": DOCKER_MANIFEST}, "contradictory-media-type", "doc"),
    "a type that is no text": ({"mediaType": 1}, "contradictory-media-type", "doc"),
    "a member of an index": ({"manifests": []}, "ambiguous-document", "doc"),
    "a member of schema 2": ({"layers": None}, "ambiguous-document", "doc"),
    "a config": ({"config": {}}, "ambiguous-document", "doc"),
    "a member in another case": ({"FSLayers": []}, "ambiguous-document", "doc"),
    "no fsLayers": ({"fsLayers": ...}, "invalid-document", "doc"),
    "no history": ({"history": ...}, "invalid-document", "doc"),
    "no layers": ({"fsLayers": [], "history": []}, "invalid-document", "doc"),
    "fewer blobs": ({"fsLayers": [BLOB]}, "invalid-document", "doc"),
    "fewer entries": ({"history": [v1()]}, "invalid-document", "doc"),
    "a blob without digest": (
        {"fsLayers": [{}], "history": [v1()]},
        "invalid-document",
        "doc",
    ),
    "a blob of a wrong digest": (
        {"fsLayers": [{"blobSum": "sha256:../../etc"}], "history": [v1()]},
        "invalid-digest",
        "doc.fsLayers[0].blobSum",
    ),
}
AT_0, AT_1 = ("doc.history[0].v1Compatibility", "doc.history[1].v1Compatibility")
BAD_HISTORIES: dict[str, tuple[list[Any], str, str]] = {
    "an entry without JSON": ([{}], "invalid-document", "doc"),
    "an entry that is not JSON": ([{"v1Compatibility": "{"}], "invalid-json", AT_0),
    "an entry that is no object": ([{"v1Compatibility": "[]"}], "invalid-document", AT_0),
    "a member twice": ([{"v1Compatibility": '{"id":"a","id":"b"}'}], "duplicate-member", AT_0),
    "a member in another case": ([v1(Parent="")], "ambiguous-document", AT_0),
    "no id": ([{"v1Compatibility": "{}"}], "invalid-document", AT_0),
    "a short id": ([v1(id="1234")], "invalid-document", AT_0),
    "an id in capitals": ([v1(id="A" * 64)], "invalid-document", AT_0),
    "an id with a line end": ([v1(id="a" * 64 + "\n")], "invalid-document", AT_0),
    "an id that is a path": ([v1(id="../" * 21 + "a")], "invalid-document", AT_0),
    "a command that is no list": ([v1(container_config={"Cmd": 1})], "invalid-document", AT_0),
    "throwaway that is no boolean": ([v1(throwaway="yes")], "invalid-document", AT_0),
    "a base with a parent": ([v1(parent=identity(2))], "invalid-document", AT_0),
    "a parent that is not next": (
        [v1(id=identity(2), parent=identity(3)), v1()],
        "invalid-document",
        AT_0,
    ),
    "no parent where one comes next": ([v1(id=identity(2)), v1()], "invalid-document", AT_0),
    "one id in two places": (
        [v1(parent=identity(2)), v1(id=identity(2), parent=identity(1)), v1()],
        "invalid-document",
        AT_1,
    ),
    "a chain that goes round": (
        [v1(parent=identity(2)), v1(id=identity(2), parent=identity(1))],
        "invalid-document",
        AT_1,
    ),
}


@pytest.mark.parametrize(("members", "code", "where"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_manifest_that_breaks_the_rules_is_refused(
    members: dict[str, Any], code: str, where: str
) -> None:
    error = refused(pretty(body(**members)))
    assert (error.code, error.place) == (code, where)


@pytest.mark.parametrize(
    ("history", "code", "where"), BAD_HISTORIES.values(), ids=BAD_HISTORIES.keys()
)
def test_a_history_that_breaks_the_rules_is_refused(
    history: list[Any], code: str, where: str
) -> None:
    error = refused(pretty(body(history=history, fsLayers=[BLOB] * len(history))))
    assert (error.code, error.place) == (code, where)


def test_of_neighbours_with_one_id_the_lower_one_stays() -> None:
    blobs = [digest_of(bytes([i])) for i in range(5)]
    history = [
        v1(id=identity(2), parent=identity(9), comment="left out"),
        v1(id=identity(2), parent=identity(9), comment="left out"),
        v1(id=identity(2), parent=identity(1), comment="top"),
        v1(parent=identity(9), comment="left out"),
        v1(comment="base"),
    ]
    found = read_schema1(pretty(body(history=history, fsLayers=[{"blobSum": b} for b in blobs])))
    assert [image.history()["comment"] for image in found.images] == ["base", "top"]
    assert [layer.blob for layer in found.layers] == [blobs[4], blobs[2]]
    assert [layer.where for layer in found.layers] == ["fsLayers[4]", "fsLayers[2]"]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_manifest_or_an_error_of_ours(raw: bytes) -> None:
    for read in (read_schema1, read_v1):
        try:
            read(raw)
        except OciConvertError:
            continue


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
v1_values = st.fixed_dictionaries(
    {"id": st.sampled_from([identity(i) for i in range(3)])},
    optional=dict.fromkeys(
        ("parent", "created", "comment", "throwaway", "container_config", "x"), json_values
    ),
)


@given(
    st.lists(v1_values, max_size=3),
    st.dictionaries(st.sampled_from(["signatures", "mediaType", "fsLayers", "x"]), json_values),
    st.integers(0, 2**16),
)
def test_any_members_give_a_manifest_or_an_error_of_ours(
    values: list[Any], members: dict[str, Any], length: int
) -> None:
    history = [{"v1Compatibility": json.dumps(value)} for value in values]
    raw = pretty(body(history=history, fsLayers=[BLOB] * len(history)) | members)
    for document in (raw, sign(raw, [signature(length, b"}")])):
        try:
            assert read_schema1(document).layers
        except OciConvertError:
            continue


# -- the upgrade --------------------------------------------------------------------------------


def upgraded(
    manifest: bytes, path: Path, *, to: str = "docker", files: Mapping[str, bytes] | None = None
) -> tuple[Report, Memory]:
    """Convert a ``dir:`` that holds ``manifest`` and the layers of ``files``."""
    write_files(schema1.dir_files(manifest) if files is None else files, path)
    memory = Memory()
    return convert(f"dir:{path}", memory, to=to), memory


def blob(memory: Memory, digest: str) -> bytes:
    return memory.files[f"blobs/{digest.replace(':', '/')}"]


def documents(report: Report, memory: Memory) -> tuple[dict[str, Any], bytes]:
    """The manifest, and the bytes of its config."""
    found = json.loads(blob(memory, report.images[0].new.digest))
    return found, blob(memory, found["config"]["digest"])


CONFIG = (
    '{"architecture":"amd64","author":"Ada \\u003cada@example.com\\u003e",'
    '"config":{"Env":["PATH=/bin","GREETING=a \\u003cb\\u003e \\u0026 c"],"Cmd":["sh"],'
    '"Volumes":null},"container":"' + "2" * 64 + '",'
    '"container_config":{"Cmd":["/bin/sh","-c","make"]},'
    '"created":"2015-04-22T16:12:07.123456789Z","docker_version":"1.8.3","history":['
    '{"created":"2015-04-22T16:12:07.123456789Z","created_by":"/bin/sh -c #(nop) ADD base"},'
    '{"created":"2015-04-22T16:12:07.123456789Z","comment":"\\u003cnothing\\u003e",'
    '"empty_layer":true},'
    '{"created":"2015-04-22T16:12:07.123456789Z","author":"Ada \\u003cada@example.com\\u003e",'
    '"created_by":"/bin/sh -c make"}],"os":"linux",'
    f'"rootfs":{{"type":"layers","diff_ids":["{BASE.diff_id}","{APP.diff_id}"]}},'
    '"x-unknown":{"big":12345678901234567890,"nested":[null,true,1.5,"\\u2028"]}}'
).encode()


@pytest.mark.parametrize("raw", [sign(PAYLOAD), PAYLOAD], ids=["signed", "unsigned"])
def test_the_upgrade_is_what_docker_and_skopeo_make(raw: bytes, tmp_path: Path) -> None:
    manifest, config = documents(*upgraded(raw, tmp_path))
    assert config == CONFIG
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": digest_of(CONFIG),
            "size": len(CONFIG),
        },
        "layers": [
            {"mediaType": DOCKER_LAYER, "digest": each.digest, "size": len(each.data)}
            for each in (BASE, APP)
        ],
    }


def test_towards_oci_the_upgraded_image_is_converted(tmp_path: Path) -> None:
    report, memory = upgraded(sign(PAYLOAD), tmp_path, to="oci")
    manifest, config = documents(report, memory)
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert config == CONFIG
    assert [each["digest"] for each in manifest["layers"]] == [BASE.digest, APP.digest]


def test_the_report_knows_the_payload_and_keeps_it(tmp_path: Path) -> None:
    report, _ = upgraded(sign(PAYLOAD), tmp_path)
    old = report.images[0].old
    assert old is not None
    assert old.triple() == {
        "mediaType": schema1.SIGNED_TYPE,
        "digest": digest_of(PAYLOAD),
        "size": len(PAYLOAD),
    }
    row = report.map[0]
    assert (row.kind, row.old, row.new) == (Kind.MANIFEST, old, report.images[0].new)
    assert row.change is Change.EDITED
    assert row.platform == "linux/amd64"
    assert report.originals == {digest_of(PAYLOAD): PAYLOAD}
    assert [(f.code, f.where) for f in report.losses] == [("schema1-upgraded", "images[0]")]
    assert not report.reversible
    assert not report.images[0].reversible


def test_the_loss_can_be_refused(tmp_path: Path) -> None:
    write_files(schema1.dir_files(PAYLOAD), tmp_path / "in")
    with pytest.raises(RefusedError) as caught:
        convert(f"dir:{tmp_path}/in", f"oci:{tmp_path}/out", on_loss="fail")
    assert caught.value.code == "schema1-upgraded"
    assert not (tmp_path / "out").exists()


def test_it_cannot_be_converted_back(tmp_path: Path) -> None:
    report, memory = upgraded(sign(PAYLOAD), tmp_path, to="oci")
    record = report.dumps(originals=True).encode()
    with pytest.raises(RefusedError) as caught:
        convert(memory, Memory(), to="docker", restore=record)
    assert caught.value.code == "restore-schema-1"


def test_old_configs_keep_all_their_members(tmp_path: Path) -> None:
    """The others pass those of Docker before 1.8.3 through a struct."""
    steps = [Version1(BASE, {**TOP, "docker_version": "1.6.0", "parent": None, "created": ...})]
    raw = pretty(body(steps))
    _, config = documents(*upgraded(raw, tmp_path, files=schema1.dir_files(raw, steps)))
    found = json.loads(config)
    assert found["x-unknown"] == TOP["x-unknown"]
    assert found["config"] == TOP["config"]
    assert found["history"] == [{"created": "0001-01-01T00:00:00Z", "author": TOP["author"]}]
    assert not {"id", "parent", "Size", "created", "throwaway"} & set(found)


TIMES = {
    "2015-04-22T16:12:07.123456789Z": "2015-04-22T16:12:07.123456789Z",
    "2015-04-22T16:12:07.120+02:00": "2015-04-22T16:12:07.12+02:00",
    "2015-04-22T16:12:00.000Z": "2015-04-22T16:12:00Z",
    "2015-04-22T16:12:00+00:00": "2015-04-22T16:12:00Z",
    "": "0001-01-01T00:00:00Z",
    "yesterday": "yesterday",
}


@pytest.mark.parametrize(("written", "expected"), TIMES.items())
def test_times_in_the_history_are_spelled_as_go_spells_them(written: str, expected: str) -> None:
    image = read_v1(json.dumps({"id": identity(1), "created": written}).encode())
    assert image.history() == {"created": expected}


def test_empty_layers_that_are_not_thrown_away_stay(tmp_path: Path) -> None:
    steps = [STEPS[0], Version1(None)]
    raw = pretty(body(steps))
    report, memory = upgraded(raw, tmp_path, files=schema1.dir_files(raw, steps))
    manifest, config = documents(report, memory)
    assert [each["digest"] for each in manifest["layers"]] == [
        BASE.digest,
        digest_of(steps[1].blob),
    ]
    assert json.loads(config)["rootfs"]["diff_ids"][1] == digest_of(schema1.EMPTY_TAR)


def test_an_image_of_nothing_but_thrown_away_layers_has_none(tmp_path: Path) -> None:
    steps = [Version1(None, {"throwaway": True})]
    raw = pretty(body(steps))
    manifest, config = documents(*upgraded(raw, tmp_path))
    assert manifest["layers"] == []
    assert json.loads(config)["rootfs"]["diff_ids"] == []


PACKINGS = {
    Compression.NONE: "application/vnd.docker.image.rootfs.diff.tar",
    Compression.GZIP: DOCKER_LAYER,
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_layers_are_called_what_their_bytes_are(packing: Compression, tmp_path: Path) -> None:
    steps = [Version1(Layer(BASE.tar, packing))]
    raw = pretty(body(steps))
    report, memory = upgraded(raw, tmp_path, files=schema1.dir_files(raw, steps))
    manifest, config = documents(report, memory)
    assert manifest["layers"][0]["mediaType"] == PACKINGS[packing]
    assert json.loads(config)["rootfs"]["diff_ids"] == [BASE.diff_id]


def test_a_layer_in_a_packing_without_a_name_is_recompressed(tmp_path: Path) -> None:
    steps = [Version1(Layer(BASE.tar, Compression.XZ))]
    raw = pretty(body(steps))
    report, memory = upgraded(raw, tmp_path, files=schema1.dir_files(raw, steps))
    manifest, config = documents(report, memory)
    assert json.loads(config)["rootfs"]["diff_ids"] == [BASE.diff_id]
    assert manifest["layers"][0]["mediaType"] == DOCKER_LAYER
    assert "layer-repacked" in {finding.code for finding in report.findings}


def test_one_blob_may_be_several_layers_and_have_any_algorithm(tmp_path: Path) -> None:
    plain, packed = Layer(BASE.tar, Compression.NONE), BASE
    steps = [Version1(plain), Version1(packed), Version1(packed)]
    sums = [digest_of(each.data, "sha512") for each in (packed, packed, plain)]
    raw = pretty(body(steps, fsLayers=[{"blobSum": each} for each in sums]))
    files = {f"sha512-{each[7:]}": step.blob for each, step in zip(sums[::-1], steps, strict=True)}
    report, memory = upgraded(raw, tmp_path, files=files | {"manifest.json": raw})
    manifest, config = documents(report, memory)
    assert [each["digest"] for each in manifest["layers"]] == sums[::-1]
    assert json.loads(config)["rootfs"]["diff_ids"] == [BASE.diff_id] * 3


# -- faults -------------------------------------------------------------------------------------

GOOD = schema1.dir_files(sign(PAYLOAD))
BASE_NAME, EMPTY_NAME = BASE.digest[7:], digest_of(STEPS[1].blob)[7:]
BAD_BLOBS: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "blob-missing"),
    "another layer": (APP.data, "digest-mismatch"),
    "cut short": (BASE.data[:-20], "digest-mismatch"),
    "damaged": (BASE.data[:40] + b"\xff" + BASE.data[41:], "digest-mismatch"),
}


@pytest.mark.parametrize(("data", "code"), BAD_BLOBS.values(), ids=BAD_BLOBS.keys())
def test_every_layer_must_be_what_the_manifest_says(
    data: bytes | None, code: str, tmp_path: Path
) -> None:
    files = {name: content for name, content in GOOD.items() if name != BASE_NAME}
    write_files(files if data is None else {**files, BASE_NAME: data}, tmp_path / "in")
    with pytest.raises(BlobError) as caught:
        convert(f"dir:{tmp_path}/in", f"oci:{tmp_path}/out")
    assert caught.value.code == code
    assert caught.value.place == f"dir:{tmp_path}/in: images[0].fsLayers[2]"
    assert not (tmp_path / "out").exists()


def test_a_layer_that_cannot_be_unpacked_is_refused(tmp_path: Path) -> None:
    data = b"\x1f\x8b\x08 this is no gzip"
    raw = pretty(body([STEPS[0]], fsLayers=[{"blobSum": digest_of(data)}]))
    with pytest.raises(BlobError) as caught:
        upgraded(raw, tmp_path, files={"manifest.json": raw, digest_of(data)[7:]: data})
    assert caught.value.code == "corrupt-layer"


def test_thrown_away_layers_need_not_be_there(tmp_path: Path) -> None:
    files = {name: content for name, content in GOOD.items() if name != EMPTY_NAME}
    _, config = documents(*upgraded(b"", tmp_path, files=files))
    assert config == CONFIG


def test_a_directory_with_a_bad_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        upgraded(pretty(body(schemaVersion=2)), tmp_path)
    assert caught.value.place.startswith(f"dir:{tmp_path}: images[0]")


def test_a_document_alone_cannot_be_upgraded() -> None:
    with pytest.raises(DocumentError) as caught:
        translate(sign(PAYLOAD), "oci")
    assert caught.value.code == "schema-1"
    assert "layers" in caught.value.remedy


# -- layouts ------------------------------------------------------------------------------------


def layout(
    raw: bytes, *, media_type: str = schema1.SIGNED_TYPE, name: str | None = None
) -> dict[str, bytes]:
    """A layout with one image of schema 1; ``name`` is the digest that its entry states."""
    digest = name or digest_of(raw)
    blobs = {digest: raw, **{digest_of(step.blob): step.blob for step in STEPS}}
    entry = {"mediaType": media_type, "digest": digest, "size": len(raw)}
    annotated = {**entry, "annotations": {"org.opencontainers.image.ref.name": "old"}}
    index = {"schemaVersion": 2, "manifests": [annotated]}
    files = {f"blobs/{key.replace(':', '/')}": data for key, data in blobs.items()}
    return {**files, "index.json": compact(index), "oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}


LAYOUTS: dict[str, dict[str, bytes]] = {
    "signed, by the digest of its bytes": layout(sign(PAYLOAD)),
    "signed, by the digest of its payload": layout(sign(PAYLOAD), name=digest_of(PAYLOAD)),
    "unsigned": layout(PAYLOAD, media_type=schema1.TYPE),
}


@pytest.mark.parametrize("files", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_layout_may_hold_schema_1(files: dict[str, bytes]) -> None:
    memory = Memory()
    report = convert(Memory(files), memory, to="oci")
    _, config = documents(report, memory)
    assert config == CONFIG
    assert report.images[0].name == "old"
    assert report.images[0].old is not None
    assert report.images[0].old.digest == digest_of(PAYLOAD)


def test_a_layer_of_several_images_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counting(*arguments: Any) -> Any:
        calls.append(arguments)
        return measure(*arguments)

    monkeypatch.setattr(upgrade, "measure", counting)
    one, two = layout(sign(PAYLOAD)), layout(PAYLOAD, media_type=schema1.TYPE)
    entries = [json.loads(files["index.json"])["manifests"][0] for files in (one, two)]
    for entry, name in zip(entries, ("one", "two"), strict=True):
        entry["annotations"]["org.opencontainers.image.ref.name"] = name
    index = compact({"schemaVersion": 2, "manifests": entries})
    report = convert(Memory({**one, **two, "index.json": index}), Memory(), to="oci")
    assert [image.name for image in report.images] == ["one", "two"]
    assert len(calls) == 2


def test_a_manifest_must_match_its_descriptor() -> None:
    with pytest.raises(BlobError) as caught:
        convert(Memory(layout(sign(PAYLOAD), name=digest_of(b"other"))), Memory(), to="oci")
    assert caught.value.code == "digest-mismatch"


@pytest.mark.parametrize("to", ["docker", "oci"])
def test_a_list_may_name_schema_1(to: str) -> None:
    new, old = docker_image(LAYERS, platform="linux/arm64"), sign(PAYLOAD)
    entries = [
        {**new.descriptor.triple(), **new.entry},
        {
            "mediaType": schema1.SIGNED_TYPE,
            "digest": digest_of(old),
            "size": len(old),
            "platform": {"os": "linux", "architecture": "amd64"},
        },
    ]
    top = compact({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": entries})
    files = layout_files({"new": new}) | layout(old)
    files[f"blobs/{digest_of(top).replace(':', '/')}"] = top
    root = {"mediaType": DOCKER_LIST, "digest": digest_of(top), "size": len(top)}
    files["index.json"] = compact({"schemaVersion": 2, "manifests": [root]})
    memory = Memory()
    report = convert(Memory(files), memory, to=to)
    (_, entry) = json.loads(blob(memory, report.images[0].new.digest))["manifests"]
    assert entry["platform"] == {"os": "linux", "architecture": "amd64"}
    manifest = json.loads(blob(memory, entry["digest"]))
    assert entry["mediaType"] == manifest["mediaType"]
    assert manifest["schemaVersion"] == 2
    assert blob(memory, manifest["config"]["digest"]) == CONFIG
    assert report.digest_map[digest_of(PAYLOAD)].digest == entry["digest"]
    assert {f.code for f in report.losses} == {"schema1-upgraded"}


def test_inspect_shows_what_is_there_and_what_it_becomes(tmp_path: Path) -> None:
    write_files(GOOD, tmp_path)
    (image,) = inspect(f"dir:{tmp_path}").images
    assert image.descriptor.digest == digest_of(PAYLOAD)
    assert image.descriptor.media_type == schema1.SIGNED_TYPE
    assert image.notes[0].startswith("schema 1, becomes sha256:")
    assert [child.kind for child in image.children] == [Kind.CONFIG, Kind.LAYER, Kind.LAYER]


def test_what_is_there_is_sound_and_the_same_as_what_it_becomes(tmp_path: Path) -> None:
    write_files(GOOD, tmp_path / "in")
    convert(f"dir:{tmp_path}/in", f"oci:{tmp_path}/out", to="oci")
    assert verify(f"dir:{tmp_path}/in").sound
    assert same_as(f"dir:{tmp_path}/in", f"oci:{tmp_path}/out")
    (tmp_path / "in" / BASE_NAME).unlink()
    (fault,) = [f for f in verify(f"dir:{tmp_path}/in").findings if f.level is Level.ERROR]
    assert (fault.code, fault.where) == ("blob-missing", "images[0].fsLayers[2]")


# -- archives of Docker before 1.10 -------------------------------------------------------------

OTHER = (Version1(layer("other"), {"architecture": "arm", "os": "linux"}),)
TAGS = {"app": {"1": identity(3), "2": identity(3)}, "registry:5000/base": {"1": identity(1)}}
SAVED = schema1.saved(TAGS, STEPS, OTHER)


def _tar(files: Mapping[str, bytes], path: Path) -> str:
    (path / "old.tar").write_bytes(archive(files))
    return f"docker-archive:{path}/old.tar"


KINDS: dict[str, Callable[[Mapping[str, bytes], Path], str]] = {
    "a tar": _tar,
    "a tar, by its content": lambda files, path: _tar(files, path).partition(":")[2],
    "a folder": lambda files, path: f"docker-archive:{write_files(files, path / 'in')}",
    "a folder, by its content": lambda files, path: str(write_files(files, path / "in")),
}


@pytest.mark.parametrize("written", KINDS.values(), ids=KINDS.keys())
def test_an_archive_of_old_is_upgraded_as_schema_1_is(
    written: Callable[[Mapping[str, bytes], Path], str], tmp_path: Path
) -> None:
    memory = Memory()
    report = convert(written(SAVED, tmp_path), memory, to="oci")
    names = [image.name for image in report.images]
    full = "docker.io/library/app"
    assert names == [f"{full}:1", f"{full}:2", "registry:5000/base:1", None]
    assert report.images[0].new == report.images[1].new
    assert all(image.old is None and not image.reversible for image in report.images)
    assert {finding.code for finding in report.losses} == {"schema1-upgraded"}
    manifest, config = documents(report, memory)
    assert config == CONFIG
    assert all(each["mediaType"].endswith("tar+gzip") for each in manifest["layers"])


def test_of_an_archive_of_old_one_image_can_be_chosen(tmp_path: Path) -> None:
    report = convert(f"{_tar(SAVED, tmp_path)}:registry:5000/base:1", Memory(), to="oci")
    assert [image.name for image in report.images] == ["registry:5000/base:1"]


def test_layers_of_an_archive_of_old_may_be_packed(tmp_path: Path) -> None:
    files = {**SAVED, f"{identity(1)}/layer.tar": BASE.data}
    _, config = documents(*_converted(files, tmp_path))
    assert config == CONFIG


def test_images_without_names_are_saved_without_repositories(tmp_path: Path) -> None:
    files = schema1.saved({}, STEPS, OTHER)
    report, _ = _converted(files, tmp_path)
    assert [image.name for image in report.images] == [None, None]


def _converted(files: Mapping[str, bytes], path: Path) -> tuple[Report, Memory]:
    memory = Memory()
    return convert(_tar(files, path), memory, to="oci"), memory


LOOP = json.dumps({"id": identity(1), "parent": identity(3)}).encode()
STRANGER = json.dumps({"id": identity(7)}).encode()
BAD_ARCHIVES: dict[str, tuple[dict[str, bytes | None], str]] = {
    "an image that is not there": ({f"{identity(1)}/json": None}, "member-missing"),
    "a layer that is not there": ({f"{identity(1)}/layer.tar": None}, "member-missing"),
    "a chain that goes round": ({f"{identity(1)}/json": LOOP}, "inconsistent-archive"),
    "another id than its folder's": ({f"{identity(1)}/json": STRANGER}, "inconsistent-archive"),
    "an image that is not JSON": ({f"{identity(1)}/json": b"{"}, "invalid-json"),
    "names that are no object": ({"repositories": b"[]"}, "invalid-document"),
    "tags that are no object": ({"repositories": b'{"app":[]}'}, "invalid-document"),
    "a tag that is no text": ({"repositories": b'{"app":{"1":2}}'}, "invalid-document"),
    "a tag of nothing": ({"repositories": b'{"app":{"1":"../x"}}'}, "member-missing"),
    "a layer that cannot be unpacked": (
        {f"{identity(1)}/layer.tar": b"\x1f\x8b\x08 this is no gzip"},
        "corrupt-layer",
    ),
}


@pytest.mark.parametrize(("changes", "code"), BAD_ARCHIVES.values(), ids=BAD_ARCHIVES.keys())
def test_an_archive_of_old_that_is_not_whole_is_refused(
    changes: dict[str, bytes | None], code: str, tmp_path: Path
) -> None:
    files = {name: data for name, data in {**SAVED, **changes}.items() if data is not None}
    with pytest.raises(OciConvertError) as caught:
        _converted(files, tmp_path)
    assert caught.value.code == code
    assert caught.value.place.startswith(f"docker-archive:{tmp_path}/old.tar")


NOT_LEGACY = {
    "rows": {**SAVED, "manifest.json": b"[]"},
    "an index": {**SAVED, "index.json": b"{}"},
    "the config of a newer Docker": {**SAVED, f"{identity(1)}.json": b"{}"},
    "no images": {"repositories": b"{}"},
}


@pytest.mark.parametrize("files", NOT_LEGACY.values(), ids=NOT_LEGACY.keys())
def test_what_a_newer_docker_wrote_is_not_of_old(files: dict[str, bytes]) -> None:
    assert not is_docker_legacy(in_memory(files))
    assert is_docker_legacy(in_memory(SAVED))


def test_a_folder_without_names_is_not_looked_through(tmp_path: Path) -> None:
    write_files(schema1.saved({}, STEPS), tmp_path)
    with pytest.raises(StoreError):
        convert(str(tmp_path), Memory(), to="oci")


def test_a_blob_that_is_not_there_is_missing() -> None:
    source = DockerLegacySource(in_memory(SAVED), "docker-archive:old.tar")
    missing = source.roots()[0].descriptor.name.of(b"other")
    assert source.size(missing) is None
    with pytest.raises(BlobError) as caught:
        source.open(missing)
    assert caught.value.code == "blob-missing"
