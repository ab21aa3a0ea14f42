"""References with colons and slashes, and those that are spelled as for other tools."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import OciConvertError, UsageError, convert, inspect
from oci_convert.stores.references import Reference, parse, within
from support.images import docker_image, oci_image, save_tar, write_files, write_layout


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stores whose paths hold colons, and others that begin like them."""
    monkeypatch.chdir(tmp_path)
    for name in ("lay:1.0", "plain"):
        write_layout({"1.0": oci_image(), "app": docker_image()}, tmp_path / name)
    saved = save_tar({"app:1.0": docker_image()})
    write_files({"app:1.0.tar": saved, "app.tar": saved, "deep/app.tar": saved}, tmp_path)
    return tmp_path


LONGEST = {
    "oci:lay:1.0": ("lay:1.0", None),
    "oci:lay:1.0:app": ("lay:1.0", "app"),
    "oci:plain:1.0": ("plain", "1.0"),
    "oci:plain:example.com:5000/app:1": ("plain", "example.com:5000/app:1"),
    "docker-archive:app:1.0.tar": ("app:1.0.tar", None),
    "docker-archive:app:1.0.tar:app:1.0": ("app:1.0.tar", "app:1.0"),
    "docker-archive:app.tar:app:1.0": ("app.tar", "app:1.0"),
    "oci:plain:": ("plain", None),
    # What is not there ends at its first colon, as skopeo reads it.
    "oci:new:app:1": ("new", "app:1"),
    "oci:lay:2.0": ("lay", "2.0"),
    "dir:lay:1.0": ("lay:1.0", None),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", LONGEST)
@pytest.mark.parametrize("destination", [False, True])
def test_the_longest_path_that_is_there_wins(text: str, destination: bool) -> None:
    path, ref = LONGEST[text]
    assert parse(text, destination=destination) == Reference(text.partition(":")[0], path, ref)
    assert str(parse(text)) == text.removesuffix(":")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", ["oci:lay:1.0", "docker-archive:app:1.0.tar", "oci:lay:1.0:app"])
def test_a_store_with_a_colon_is_read(text: str) -> None:
    assert inspect(text).images


@pytest.mark.parametrize("text", [*LONGEST, "plain", "./lay:1.0", "deep/app.tar", "new:1"])
def test_a_reference_means_the_same_elsewhere(
    here: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    meant = parse(text)
    monkeypatch.chdir("deep")
    moved = parse(within(str(here), text))
    assert (moved.transport, moved.ref) == (meant.transport, meant.ref)
    assert Path(moved.path) == here / meant.path


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "oci:", "oci::app", "docker-archive:-", "docker://host/app:1", "ocii:plain"),
        *("oci:/plain:1.0", "oci:///plain", "/plain", "podman:app"),
    ],
)
def test_what_has_no_path_or_one_from_the_root_stays_as_it_is(text: str) -> None:
    assert within("/elsewhere", text) == text


def test_a_layout_with_a_colon_grows(here: Path) -> None:
    convert("app.tar", "oci:lay:1.0:new", fsync=False)
    assert {image.name for image in inspect("oci:lay:1.0").images} >= {"1.0", "app", "new"}
    assert not (here / "lay").exists()


@given(st.text(st.sampled_from("a:/.@"), min_size=1, max_size=12))
def test_a_reference_reads_as_it_is_shown(rest: str) -> None:
    try:
        found = parse(f"oci:{rest}")
    except UsageError:
        return
    assert parse(str(found)) == found


# -- two slashes --------------------------------------------------------------------------------

SLASHES = {
    "oci://plain": "oci:plain",
    "oci://plain:1.0": "oci:plain:1.0",
    "oci-archive://app.tar": "oci-archive:app.tar",
    "docker-archive://app.tar": "docker-archive:app.tar",
    "docker-archive://deep/app.tar:app:1.0": "docker-archive:deep/app.tar:app:1.0",
    "dir://new": "dir:new",
    "file://app.tar": "app.tar",
    "file:app.tar": "app.tar",
    "file://localhost/srv/app.tar": "/srv/app.tar",
    "file:///srv/my%20app%C3%A9.tar": "/srv/my appé.tar",
    "file:///srv/a%0Ab%FF.tar": "/srv/a%0Ab%FF.tar",
    "ocidir://plain:1.0": "oci:plain:1.0",
    "oci-dir:plain": "oci:plain",
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", SLASHES)
def test_two_slashes_get_the_right_spelling(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        inspect(text)
    assert caught.value.remedy.startswith(f"did you mean {SLASHES[text]}?")


@pytest.mark.parametrize("text", ["oci://", "dir://", "docker-archive://", "file://", "oci-dir://"])
def test_two_slashes_alone_are_no_path_to_suggest(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        inspect(text)
    assert "did you mean" not in caught.value.remedy
    assert "docker-archive:" in caught.value.remedy


@pytest.mark.usefixtures("here")
def test_a_percent_sign_of_a_name_stays() -> None:
    Path("a%20b.tar").write_bytes(Path("app.tar").read_bytes())
    with pytest.raises(UsageError) as caught:
        inspect("file:a%20b.tar")
    assert caught.value.remedy.startswith("did you mean a%20b.tar?")


@pytest.mark.parametrize("transport", ["oci", "dir", "docker-archive", "oci-archive", "file"])
def test_two_slashes_write_nothing_at_the_root_nor_here(here: Path, transport: str) -> None:
    before = sorted(here.iterdir()), sorted(Path("/").iterdir())
    with pytest.raises(UsageError, match=r"did you mean (\w|-)*:?new\?"):
        convert("app.tar", f"{transport}://new", to="oci")
    assert (sorted(here.iterdir()), sorted(Path("/").iterdir())) == before


def test_what_is_only_at_the_root_is_meant_there(here: Path) -> None:
    outside = str(here / "plain").lstrip("/")
    with pytest.raises(UsageError, match=f"did you mean oci:/{outside}"):
        inspect(f"oci://{outside}")


def test_three_slashes_are_a_path_from_the_root(here: Path) -> None:
    assert inspect(f"oci://{here}/plain").images
    with pytest.raises(UsageError) as caught:
        inspect(f"file://{here}/plain")
    assert caught.value.remedy.startswith(f"did you mean {here}/plain?")


# -- what a new archive is called ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["new:1.0.tar", "new:1.0.tar.gz", "new:a:1.TGZ"])
@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_a_name_that_would_be_cut_off_is_refused(here: Path, transport: str, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        convert("app.tar", f"{transport}:{name}")
    assert caught.value.code == "invalid-reference"
    said, _, option = caught.value.remedy.rpartition(" with to=")
    assert said.endswith(f"write ./{name}")
    assert not list(here.glob("new*"))
    convert("app.tar", f"./{name}", to=option.strip('"'), fsync=False)
    assert parse(f"{transport}:{name}").path == name


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_a_path_that_cannot_be_mistaken_stays_as_it_is(here: Path, transport: str) -> None:
    for path in (f"{here}/new:1.0.tar", "./new:1.0.tar"):
        with pytest.raises(UsageError) as caught:
            convert("app.tar", f"{transport}:{path}")
        spelled = caught.value.remedy.partition(" write ")[2].partition(" with ")[0]
        assert spelled == path
        convert("app.tar", spelled, to="docker", fsync=False)
        (here / "new:1.0.tar").unlink()


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
@pytest.mark.parametrize("name", ["new:1.0.tar", "new:a:1.TGZ", "./new:1.tar"])
@pytest.mark.parametrize("ref", ["b:2", "localhost:5000/b:2", "b"])
def test_a_name_that_would_be_cut_off_has_no_ref(
    here: Path, transport: str, name: str, ref: str
) -> None:
    with pytest.raises(UsageError) as caught:
        convert("app.tar", f"{transport}:{name}:{ref}")
    assert caught.value.code == "invalid-reference"
    assert f"write ./{name.removeprefix('./')} with to=" in caught.value.remedy
    assert caught.value.remedy.endswith(f"without {ref}, as it has no REF")
    assert not list(here.glob("new*"))


@pytest.mark.parametrize("ref", ["registry.example.br:5000/app:1", "app:1.0", "app"])
def test_a_host_is_no_end_of_a_name(ref: str) -> None:
    found = parse(f"docker-archive:new:{ref}", destination=True)
    assert found == Reference("docker-archive", "new", ref)


BARE_REFS = {
    "new.tar:app:1": "docker-archive:new.tar:app:1 or oci-archive:new.tar:app:1",
    "new.TGZ:app": "docker-archive:new.TGZ:app or oci-archive:new.TGZ:app",
    "plain:new": "oci:plain:new",
    "plain:new:1": "oci:plain:new:1",
}


@pytest.mark.parametrize("text", BARE_REFS)
def test_a_bare_path_of_a_destination_has_no_ref(here: Path, text: str) -> None:
    before = sorted(here.iterdir())
    with pytest.raises(UsageError) as caught:
        convert("app.tar", text, to="oci")
    assert caught.value.code == "invalid-reference"
    assert caught.value.remedy.startswith(f"did you mean {BARE_REFS[text]}?")
    assert sorted(here.iterdir()) == before
    convert("app.tar", f"./{text}", to="oci", fsync=False)
    assert (here / text).exists()
    assert inspect(text).images


def test_a_bare_path_from_the_root_gets_a_spelling_that_works(here: Path) -> None:
    with pytest.raises(UsageError) as caught:
        convert("app.tar", f"{here}/new.tar:1", to="oci")
    convert("app.tar", caught.value.remedy.rpartition(" write ")[2], to="oci", fsync=False)
    assert inspect("./new.tar:1").images


@pytest.mark.parametrize("transport", ["oci", "docker-archive", "oci-archive"])
def test_a_digest_of_a_path_gets_the_right_spelling(here: Path, transport: str) -> None:
    digest = f"sha256:{'0' * 64}"
    before = sorted(here.iterdir())
    with pytest.raises(UsageError) as caught:
        convert("app.tar", f"{transport}:new@{digest}", to="oci")
    assert caught.value.remedy == f"did you mean {transport}:new?"
    with pytest.raises(UsageError) as caught:
        inspect(f"{transport}:plain@{digest}")
    assert caught.value.remedy == f"did you mean {transport}:plain:@{digest}?"
    assert sorted(here.iterdir()) == before
    digest = inspect("plain").images[0].digest
    assert inspect(f"oci:plain:@{digest}").images[0].digest == digest


@pytest.mark.parametrize("store", ["oci:new", "oci:plain", "docker-archive:t.tar", "oci-archive:t"])
@pytest.mark.parametrize("at", ["", "@"])
@pytest.mark.parametrize("digest", [f"sha256:{'0' * 64}", f"sha512:{'a' * 128}"])
def test_a_digest_is_no_name_of_what_is_written(
    here: Path, store: str, at: str, digest: str
) -> None:
    before = sorted(here.rglob("*"))
    with pytest.raises(UsageError, match="a destination has no digest yet") as caught:
        convert("app.tar", f"{store}:{at}{digest}", to="oci")
    assert caught.value.code == "invalid-reference"
    assert caught.value.remedy == f"did you mean {store}?"
    assert sorted(here.rglob("*")) == before
    assert parse(f"{store}:{at}{digest}").ref == at + digest  # what is read is chosen by it


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["app", "app:1"])
def test_a_name_may_state_a_digest_of_what_is_written(name: str) -> None:
    ref = f"{name}@sha256:{'0' * 64}"
    assert parse(f"oci:new:{ref}", destination=True) == Reference("oci", "new", ref)


def test_a_tag_that_ends_so_is_one_behind_an_archive(here: Path) -> None:
    convert("app.tar", "docker-archive:new.tar:app:1.tar", fsync=False)
    assert inspect("docker-archive:new.tar:app:1.tar").images
    assert (here / "new.tar").is_file()


# -- what is not on disk ------------------------------------------------------------------------

ELSEWHERE = {
    "docker-daemon:app:1": (
        'docker save app:1 | convert("-", …)',
        'convert(…, "-", to="docker") | docker load',
    ),
    "containers-storage:[overlay@/var/lib]localhost/app:1": (
        'podman save localhost/app:1 | convert("-", …)',
        'convert(…, "-", to="docker") | podman load',
    ),
    "containerd:app": ("ctr image export - app |", "| ctr image import -"),
    "docker-daemon:": ("docker save IMAGE |", "| docker load"),
    "docker-daemon:a;b": ("docker save 'a;b' |", "| docker load"),
    "sif:app.sif": ("the image that it was built from", "docker-archive: or oci:"),
    "https://example.com/app.tar": ("download it first", "download it first"),
    "oras://example.com/app": ("download it first", "download it first"),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", ELSEWHERE)
def test_what_others_keep_is_told_with_the_pipe_that_works(text: str) -> None:
    read, written = ELSEWHERE[text]
    for call, said in ((("source", "oci:new"), read), (("app.tar", "target"), written)):
        arguments = [text if name in ("source", "target") else name for name in call]
        with pytest.raises(UsageError) as caught:
            convert(*arguments, to="oci")
        assert caught.value.code == "unknown-transport"
        assert said in caught.value.remedy


def test_what_a_url_says_of_its_user_is_not_repeated() -> None:
    with pytest.raises(OciConvertError) as caught:
        inspect("https://me:secret@example.com/app.tar")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["c:app", "ocidir:x", "oic:x", "https:x"])
def test_a_path_that_is_there_is_a_path(here: Path, name: str) -> None:
    (here / "app.tar").rename(here / name)
    assert inspect(name).images


ADDRESSES = ("localhost:5000/team/app", "registry.example.com/team/app:1", "host:443/app@sha256:00")


@pytest.mark.parametrize("text", ADDRESSES)
def test_the_address_of_a_registry_is_no_path_to_write_to(text: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean docker://{text}") as caught:
        parse(text, destination=True)
    assert caught.value.remedy.endswith(f"for a folder of that name write ./{text}")
    assert parse(text) == Reference(None, text)  # what is read is looked for first
    for meant in (f"./{text}", "new:1", "new/app:1", "new.d/app"):
        assert parse(meant, destination=True) == Reference(None, meant)
