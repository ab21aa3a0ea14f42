"""The examples do what they say, called as they say."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import tomllib
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from oci_convert import Compression, Memory, convert, open_images, translate, verify
from support import archives
from support.images import (
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_INDEX,
    Image,
    attestation,
    digest_of,
    docker_image,
    files_below,
    image_list,
    layer,
    layout_files,
    oci_image,
    save_tar,
    write_dir,
    write_files,
    write_layout,
)
from support.runs import platforms

PROJECT = Path(__file__).parent.parent
EXAMPLES = {path.stem: path for path in sorted((PROJECT / "examples").glob("*.py"))}
DOCSTRINGS = {
    name: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    for name, path in EXAMPLES.items()
}
LONGEST = 25
BASE, APP = layer("base", size=100_000), layer("app")
IMAGE = docker_image([BASE, APP])


def run(
    example: str, *arguments: str | Path, status: int = 0, stdin: bytes = b""
) -> tuple[bytes, str]:
    """What an example writes to standard output and to standard error, and that it ends so."""
    out, error = io.BytesIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", [example, *map(str, arguments)]),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
        redirect_stdout(io.TextIOWrapper(out, encoding="utf-8", write_through=True)),
        redirect_stderr(error),
    ):
        ended = _ended(EXAMPLES[example])
        data = out.getvalue()
    if isinstance(ended, str):  # a sentence is printed, and means 1
        error.write(f"{ended}\n")
        ended = 1
    assert (ended or 0) == status, error.getvalue()
    return data, error.getvalue()


def _ended(path: Path) -> str | int | None:
    """What a script gives to ``sys.exit``."""
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        return end.code
    return None


def lines(example: str, *arguments: str | Path, status: int = 0) -> list[str]:
    """The lines of standard output."""
    return run(example, *arguments, status=status)[0].decode().splitlines()


def saved(images: dict[str, Image], folder: Path, name: str) -> Path:
    """An archive of ``docker save``, in ``folder``."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(save_tar(images))
    return folder


def damaged(memory: dict[str, bytes], digest: str) -> dict[str, bytes]:
    """The same files, with another last byte in a blob."""
    name = f"blobs/{digest.replace(':', '/')}"
    return {**memory, name: memory[name][:-1] + bytes([memory[name][-1] ^ 1])}


# -- what they look like ---------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_is_short(example: str) -> None:
    text = EXAMPLES[example].read_text(encoding="utf-8")
    docstring = ast.parse(text).body[0].end_lineno or 0
    assert len(text.splitlines()[docstring:]) - 1 <= LONGEST


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_says_how_it_is_called(example: str) -> None:
    assert DOCSTRINGS[example].splitlines()[-1].startswith(f"python examples/{example}.py")


def test_the_readme_lists_them_all_and_nothing_else() -> None:
    listed = re.findall(
        r"^\| \[`(\w+)\.py`\]\((\w+)\.py\)",
        (PROJECT / "examples" / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert sorted(name for name, _ in listed) == list(EXAMPLES)
    assert all(name == link for name, link in listed)


def test_mypy_reads_them() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "examples" in settings["tool"]["mypy"]["files"]


def test_each_of_them_is_tested_here() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    called = set(re.findall(r"(?:run|lines)\(\s*\"(\w+)\"|EXAMPLES\[\"(\w+)\"\]", tests))
    called |= {(name, "") for name in ("processes", "in_asyncio")}
    assert {one or other for one, other in called} == set(EXAMPLES)


# -- converting many -------------------------------------------------------------------------------


def test_convert_folder(tmp_path: Path) -> None:
    folder = saved({"a:1": IMAGE}, tmp_path / "in", "a.tar")
    saved({"b:1": docker_image([BASE, layer("b")]), "b:2": IMAGE}, folder, "b.tar")
    layout = archives.containerd(archives.Saved(("c:1",)))
    (folder / "c.tar").write_bytes(archives.archive(layout))
    _, error = run("convert_folder", folder, tmp_path / "out", tmp_path / "digests.csv")
    assert error.splitlines() == ["1 of 3: a.tar", "2 of 3: b.tar", "3 of 3: c.tar"]
    with open(tmp_path / "digests.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["archive"] for row in rows} == {"a.tar", "b.tar", "c.tar"}
    there = {name.rpartition("/")[2] for name in files_below(tmp_path / "out")}
    assert {row["new digest"].partition(":")[2] for row in rows} <= there
    with open_images(tmp_path / "out") as images:
        assert {image.name for image in images} == {
            f"docker.io/library/{name}" for name in ("a:1", "b:1", "b:2", "c:1")
        }
    assert verify(tmp_path / "out").sound


def test_skip_done(tmp_path: Path) -> None:
    folder = saved({"a:1": IMAGE}, tmp_path / "in", "a.tar")
    saved({"b:1": docker_image([layer("b")])}, folder, "b.tar")
    arguments = (folder, tmp_path / "out", tmp_path / "state.json")
    assert lines("skip_done", *arguments) == ["a.tar: 1 converted", "b.tar: 1 converted"]
    before = files_below(tmp_path)
    assert lines("skip_done", *arguments) == ["a.tar: nothing to do", "b.tar: nothing to do"]
    assert files_below(tmp_path) == before
    saved({"b:1": docker_image([layer("new")])}, folder, "b.tar")
    assert lines("skip_done", *arguments) == ["a.tar: nothing to do", "b.tar: 1 converted"]
    index = tmp_path / "out" / "index.json"
    index.write_text('{"schemaVersion": 2, "manifests": []}')
    assert lines("skip_done", *arguments) == ["a.tar: 1 converted", "b.tar: 1 converted"]
    assert verify(tmp_path / "out").sound


def test_sheet_and_summary(tmp_path: Path) -> None:
    source = saved({"a:1": IMAGE}, tmp_path, "a.tar") / "a.tar"
    sheet, results = tmp_path / "fleet.csv", tmp_path / "results.jsonl"
    rows = [f"{source},oci:{tmp_path}/out,,linux/amd64", f"{tmp_path}/none,oci:{tmp_path}/x,,"]
    sheet.write_text("\n".join(["source,destination,to,platforms", *rows]) + "\n")
    found = lines("sheet", sheet, results, status=1)
    assert sorted(line.split()[0] for line in found) == ["done", "failed"]
    again = lines("sheet", sheet, results, status=1)
    assert sorted(line.split()[0] for line in again) == ["failed", "unchanged"]
    page = lines("summary", results)
    assert page[0].startswith("# 2 stores, ")
    assert "| failed | 1 |" in page
    assert page[-1].startswith(f"- {tmp_path}/none: ")


def test_only_docker(tmp_path: Path) -> None:
    docker = write_layout({"a": IMAGE}, tmp_path / "docker")
    oci = write_layout({"b": oci_image([APP])}, tmp_path / "oci")
    assert lines("only_docker", tmp_path / "out", docker, oci) == [
        f"{docker}: 1 converted, 0 losses",
        f"{oci}: is OCI already",
    ]


@pytest.mark.parametrize("example", ["processes", "in_asyncio"])
def test_side_by_side(example: str, tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    folder = tmp_path / "in"
    for name in names:
        saved({f"{name}:1": docker_image([layer(name)])}, folder, f"{name}.tar")
    archives = [str(folder / f"{name}.tar") for name in names]
    done = subprocess.run(
        [sys.executable, EXAMPLES[example], tmp_path / "out", *archives],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert sorted(done.stdout.splitlines()) == [f"{archive}: 1 images" for archive in archives]
    with open_images(tmp_path / "out") as images:
        assert {image.name for image in images} == {f"docker.io/library/{n}:1" for n in names}


def test_explain(tmp_path: Path) -> None:
    files = damaged(layout_files({"app": IMAGE}), BASE.digest)
    layout = write_files(files, tmp_path / "layout")
    out, _ = run("explain", layout, f"oci:{tmp_path}/out", status=3)
    said = json.loads(out)
    assert (said["store"], said["where"]) == (str(layout), "images[0].layers[0]")
    assert (said["digest"], said["expected"]) == (BASE.digest, BASE.digest)


def test_json_lines(tmp_path: Path) -> None:
    images = {f"app{i}": docker_image([BASE, layer(f"{i}")]) for i in range(100)}
    broken = images["app37"].layers[1].digest
    write_files(damaged(layout_files(images), broken), tmp_path / "many")
    folder = saved({"a:1": IMAGE}, tmp_path, "a.tar")
    (folder / "b.tar").write_bytes(b"no archive at all")
    sources = [tmp_path / "many", folder / "a.tar", folder / "b.tar"]
    found = [json.loads(line) for line in lines("json_lines", tmp_path / "out", *sources, status=1)]
    assert len(found) == 102
    failures = [it for it in found if not it["ok"]]
    assert [(it["code"], it["source"]) for it in failures] == [
        ("not-an-archive", str(folder / "b.tar")),
        ("digest-mismatch", str(tmp_path / "many")),
    ]
    assert failures[1]["where"].endswith("images[37].layers[1]")
    done = {it["name"]: it["new"]["digest"] for it in found if it["ok"]}
    with open_images(tmp_path / "out") as converted:
        assert {image.name: image.digest for image in converted} == done
    assert "app37" not in done
    assert lines("json_lines", tmp_path / "one", folder / "a.tar")


# -- ending a run ----------------------------------------------------------------------------------


def cancelling(*arguments: str | Path) -> subprocess.Popen[str]:
    """``cancel.py`` in a process of its own, as signals are for processes."""
    command = [sys.executable, "-W", "error", str(EXAMPLES["cancel"]), *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_cancel_after_some_time(tmp_path: Path) -> None:
    source, out = write_dir(IMAGE, tmp_path / "in"), tmp_path / "out"
    with cancelling(source, out, "0") as process:
        _, error = process.communicate(timeout=60)
    assert re.fullmatch(r"cancelled after \d+ of \d+ bytes; nothing of it is left\n", error)
    assert process.returncode == 1
    assert not out.exists()
    with cancelling(source, out, "600") as process:
        assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0
    assert verify(out).sound


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_cancel_by_the_button(tmp_path: Path) -> None:
    pipe, out = tmp_path / "app.tar", tmp_path / "out"
    os.mkfifo(pipe)
    with cancelling(pipe, out, "600") as process:
        with open(pipe, "wb") as file:  # it waits for the reader, who has set its button up by then
            process.send_signal(signal.SIGINT)
            file.write(save_tar({"app:1": IMAGE}))
        _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error.endswith("nothing of it is left\n")
    assert not out.exists()


# -- towards those who take less -------------------------------------------------------------------


def test_stop_on_losses(tmp_path: Path) -> None:
    source = write_layout({"app:1": oci_image(annotations={"a": "b"})}, tmp_path / "in")
    target = f"docker-archive:{tmp_path / 'out.tar'}"
    out, error = run("stop_on_losses", source, target, status=1)
    [line] = out.decode().splitlines()
    assert line.startswith("annotations-removed  images[0]: ")
    assert error == "1 losses; nothing was written\n"
    assert not (tmp_path / "out.tar").exists()
    [digest] = lines("stop_on_losses", source, target, "annotations-removed")
    with open_images(target) as images:
        assert images.find().digest == digest


def test_lambda_image(tmp_path: Path) -> None:
    amd64 = oci_image([BASE, layer("app", Compression.ZSTD)])
    index = image_list([amd64, attestation(amd64), *platforms("linux/arm64")])
    source = write_layout({"app:1": index}, tmp_path / "in")
    [line] = lines("lambda_image", source, tmp_path / "out")
    with open_images(tmp_path / "out") as images:
        [image] = images
        assert line == f"{DOCKER_MANIFEST} {image.digest}"
        assert [it.media_type for it in image.layers] == [DOCKER_LAYER] * 2
        assert [it.compression for it in image.layers] == [Compression.GZIP] * 2
        assert [it.diff_id for it in image.layers] == [it.diff_id for it in amd64.layers]
        assert image.config_bytes == amd64.config
    assert len(lines("lambda_image", source, tmp_path / "arm", "linux/arm64")) == 1
    with open_images(tmp_path / "arm") as images:
        assert str(images.find().platform) == "linux/arm64"


def test_in_memory() -> None:
    def zipped(files: dict[str, bytes]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("blobs/", b"")
            for name, data in files.items():
                archive.writestr(name, data)
        return buffer.getvalue()

    image = oci_image([BASE, APP])
    out, error = run("in_memory", stdin=zipped(layout_files({"app:1": image})))
    with zipfile.ZipFile(io.BytesIO(out)) as archive:
        target = Memory({name: archive.read(name) for name in archive.namelist()})
    with open_images(target) as images:
        found = images.find()
    assert found.media_type == DOCKER_MANIFEST
    assert found.config_bytes == image.config
    assert error == f"app:1 {found.digest}\n"
    assert verify(target).sound


def test_zip_store(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "layout.zip", "w") as archive:
        for name, data in layout_files({"app:1": IMAGE}).items():
            archive.writestr(name, data)
    [digest] = lines("zip_store", tmp_path / "layout.zip", f"oci:{tmp_path}/out")
    with open_images(tmp_path / "out") as images:
        assert images.find().digest == digest
    assert verify(tmp_path / "out").sound


def test_build_image(tmp_path: Path) -> None:
    folder = write_files({"etc/motd": b"hello"}, tmp_path / "in")
    target = f"docker-archive:{tmp_path}/app.tar:example.com/app:1"
    [digest] = lines("build_image", folder, target)
    with open_images(target) as images:
        image = images.find()
        assert (image.digest, image.files().read("etc/motd")) == (digest, b"hello")
    assert verify(target).sound


def test_fixtures() -> None:
    assert lines("fixtures") == ["digest-mismatch"]


# -- documents and pins ----------------------------------------------------------------------------


def test_relabel(tmp_path: Path) -> None:
    out, error = run("relabel", "oci", stdin=IMAGE.manifest)
    done = translate(IMAGE.manifest, to="oci")
    assert (out, error) == (done.raw, f"{done.media_type} {done.digest}\n")
    assert run("relabel", "docker", stdin=out)[0] == IMAGE.manifest
    index = image_list([IMAGE, docker_image([APP], platform="linux/arm64")])
    _, error = run("relabel", "oci", stdin=index.manifest, status=1)
    assert error.startswith("unknown-child: ")
    report = convert(Memory(layout_files({"app": index})), Memory(), to="oci")
    (tmp_path / "report.json").write_text(json.dumps(report.to_json()))
    out, error = run("relabel", "oci", tmp_path / "report.json", stdin=index.manifest)
    assert error == f"{OCI_INDEX} {report.images[0].new.digest}\n"
    _, error = run("relabel", "docker", stdin=oci_image(annotations={"a": "b"}).manifest)
    assert "loss annotations-removed: " in error


def test_update_pins(tmp_path: Path) -> None:
    report = convert(Memory(layout_files({"app": IMAGE})), Memory(), to="oci")
    (tmp_path / "report.json").write_text(json.dumps(report.to_json()))
    new, other = report.images[0].new.digest, "sha256:" + "0" * 64
    text = "# ä \udcff\nimage: registry.example.com/app@{}\nother: app@" + other + "\n"
    files = {
        "deploy/app.yaml": text.format(IMAGE.digest).encode("utf-8", "surrogateescape"),
        "Dockerfile": f"FROM app:1@{IMAGE.digest} AS base\n".encode(),
        "notes.txt": b"nothing here\n",
    }
    folder = write_files(files, tmp_path / "in")
    assert lines("update_pins", folder, tmp_path / "report.json") == [
        f"Dockerfile:1: app:1 rewritten {new}",
        f"app.yaml:2: registry.example.com/app rewritten {new}",
        f"app.yaml:3: app unknown {other}",
    ]
    assert files_below(folder) == {
        name: data.replace(IMAGE.digest.encode(), new.encode()) for name, data in files.items()
    }


# -- reading ---------------------------------------------------------------------------------------


def test_entrypoint(tmp_path: Path) -> None:
    folder = saved({"app:1": IMAGE}, tmp_path / "in", "app.tar")
    assert lines("entrypoint", folder / "app.tar") == ['["/bin/sh", "-c", "echo hello"]']
    index = image_list([IMAGE, *platforms("linux/arm64")])
    layout = write_layout({"app:1": index}, tmp_path / "layout")
    assert lines("entrypoint", layout, "linux/arm64") == ["[]"]


def test_list_files(tmp_path: Path) -> None:
    foreign = layer("windows", foreign=True, present=False)
    index = image_list([IMAGE, docker_image([foreign, APP], platform="windows/amd64")])
    layout = write_layout({"app:1": index}, tmp_path)
    out, error = run("list_files", layout)
    app, base = APP.digest[:19], BASE.digest[:19]
    assert [line.split() for line in out.decode().splitlines()] == [
        ["app:1", "(linux/amd64)"],
        ["directory", "0", app, "etc"],
        ["file", "4", app, "etc/motd"],
        ["file", "100000", base, "srv/data"],
        ["app:1", "(windows/amd64)"],
    ]
    assert "is missing" in error


def test_read_file(tmp_path: Path) -> None:
    layout = write_layout({"app": IMAGE}, tmp_path)
    assert run("read_file", layout, "/etc/motd", "linux/amd64")[0] == b"app\n"
    _, error = run("read_file", layout, "etc/mot", status=1)
    assert "did you mean etc/motd?" in error


def test_list_images(tmp_path: Path) -> None:
    amd64 = oci_image([APP])
    index = image_list([amd64, attestation(amd64)])
    broken = damaged(layout_files({"app:1": index, "bad": IMAGE}), IMAGE.digest)
    layout = write_files(broken, tmp_path / "layout")
    out, error = run("list_images", layout)
    [line, referrer] = [line.split() for line in out.decode().splitlines()]
    assert line[:2] == ["app:1", "linux/amd64"]
    assert referrer[1] == "attestation"
    assert "digest-mismatch" in error


def test_push_bytes(tmp_path: Path) -> None:
    layout = write_layout({"app": IMAGE}, tmp_path)
    found = [line.split()[1:] for line in lines("push_bytes", layout)]
    blobs = [*(it.data for it in IMAGE.layers), IMAGE.config, IMAGE.manifest]
    assert found == [[digest_of(data), str(len(data))] for data in blobs]


def test_find_zstd(tmp_path: Path) -> None:
    zstd = docker_image([BASE, layer("z", Compression.ZSTD, media_type=DOCKER_LAYER)])
    broken = oci_image([layer("x")])
    images = {"gzip": IMAGE, "zstd": image_list([IMAGE, zstd]), "broken": broken}
    layout = write_files(damaged(layout_files(images), broken.digest), tmp_path / "layout")
    directory = write_dir(zstd, tmp_path / "dir")
    out, error = run("find_zstd", layout, directory)
    assert out.decode().splitlines() == [
        f"{layout} zstd (linux/amd64) 1 of 2",
        f"{directory} images[0] 1 of 2",
    ]
    assert error.startswith(f"{layout}: {layout}: images[2]: digest mismatch")


# -- what is right and what is not -----------------------------------------------------------------


def test_fault_table(tmp_path: Path) -> None:
    files = layout_files({"app": IMAGE})
    write_files(files, tmp_path / "a-sound")
    (tmp_path / "empty").mkdir()
    assert lines("fault_table", tmp_path, status=3) == ["    1  not-an-image-store        empty"]
    (tmp_path / "empty").rmdir()
    assert lines("fault_table", tmp_path) == []
    write_files(damaged(files, BASE.digest), tmp_path / "b")
    write_files(damaged(files, APP.digest), tmp_path / "c")
    lacking = {name: data for name, data in files.items() if APP.digest[7:] not in name}
    write_files(lacking, tmp_path / "d")
    assert lines("fault_table", tmp_path, status=3) == [
        "    2  digest-mismatch           b: images[0].layers[0]",
        "    1  blob-missing              d: images[0].layers[1]",
    ]


def test_compare_copies(tmp_path: Path) -> None:
    source = write_dir(IMAGE, tmp_path / "docker")
    convert(source, f"oci:{tmp_path}/oci", compress="zstd")
    other = write_layout({"app": docker_image([BASE, layer("other")])}, tmp_path / "other")
    assert lines("compare_copies", source, source, tmp_path / "oci") == [
        f"{source}: equal",
        f"{tmp_path}/oci: format",
    ]
    found = lines("compare_copies", source, tmp_path / "oci", other, status=3)
    assert found[1] == f"{other}: different"
    assert any(line.startswith("  layer: images[0].layers[1]") for line in found)


def test_audit(tmp_path: Path) -> None:
    source = write_dir(IMAGE, tmp_path / "in")
    convert(source, f"oci:{tmp_path}/out")
    evidence = tmp_path / "evidence.json"
    found = lines("audit", tmp_path / "out", IMAGE.digest, evidence)
    assert [line.split()[:2] for line in found[:-1]] == [
        ["ok", link] for link in ("original", "manifest", "config", "layer", "layer")
    ]
    assert found[-1].split()[0] == "proved"
    proof: dict[str, Any] = json.loads(evidence.read_text())
    assert (proof["answer"], proof["original"]) == ("proved", IMAGE.digest)
    lines("audit", tmp_path / "out", docker_image([APP]).digest, evidence, status=3)
    assert json.loads(evidence.read_text())["answer"] == "not-proved"


def test_retag_renames_images_in_place(tmp_path: Path) -> None:
    names = ["old.example.com/app:1", "other.example.com/app:1"]
    layout = write_layout(dict.fromkeys(names, IMAGE), tmp_path / "layout")
    before = files_below(layout)
    out, _ = run("retag", layout, "old.example.com", "new.example.com")
    assert out.decode() == "old.example.com/app:1 → new.example.com/app:1\n"
    with open_images(layout) as images:
        assert [image.name for image in images] == ["new.example.com/app:1", names[1]]
    assert {**files_below(layout), "index.json": b""} == {**before, "index.json": b""}
