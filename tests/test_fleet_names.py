"""Names in registries that jobs of a run share: none has the image of another job than it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_convert import Job, JobResult, JobStatus, Options, UsageError, convert, convert_many
from registry import FakeRegistry
from support.images import docker_image, layer, oci_image, save_tar, write_layout
from support.registries import client, load, use

OCI = Options(to="oci")
FRESH = count()


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake, client() as ours:
        for name in ("a", "b"):
            for tag in ("1", "2"):
                load(fake, f"team/{name}", tag, docker_image([layer(name + tag)]))
        load(fake, "team/c", "3", docker_image([layer("c")]))
        load(fake, "team/copy", "1", docker_image([layer("a1")]))
        use(ours)
        yield fake
        use()


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names") / "in"
    write_layout({"1": oci_image([layer("x")]), "3": oci_image([layer("y")])}, folder)
    return folder


@pytest.fixture
def new(registry: FakeRegistry) -> str:
    return f"docker://{registry.host}/new{next(FRESH)}"


def now(fake: FakeRegistry, repository: str) -> dict[str, str]:
    """The tags of a repository that no run has kept an old image under."""
    name = repository.removeprefix(f"docker://{fake.host}/")
    tags = fake.content.repository(name).tags
    return {tag: digest for tag, digest in tags.items() if "-before-" not in tag}


def failures(results: Sequence[JobResult]) -> list[str]:
    return sorted("" if it.failure is None else it.failure.code for it in results)


TWINS = {
    "tags and tags": ("team/a:1 :1", "team/b:1 :1"),
    "a tag and a template": ("team/a:1 :1", "team/b:1 :{tag}"),
    "templates": ("team/a:1 :{tag}", "team/b:1 :{tag}"),
    "every tag and a tag": ("team/a:* :{tag}", "team/b:1 :1"),
    "a tag and every tag": ("team/b:2 :2", "team/a:* :{tag}"),
    "every tag twice": ("team/a:* :x-{tag}", "team/b:* :x-{tag}"),
    "every tag and what becomes one of them": ("team/a:* :{tag}", "team/c:3 :1"),
    "one image under another name": ("team/a:1 :1", "team/copy:1 :1"),
}


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("case", TWINS)
def test_the_second_job_for_a_name_is_refused_and_replaces_nothing(
    case: str, registry: FakeRegistry, new: str, *, force: bool, elsewhere: bool
) -> None:
    pairs = [text.split() for text in TWINS[case]]
    jobs = [
        Job(f"docker://{registry.host}/{source}", new + tag, OCI.but(force=force))
        for source, tag in pairs
    ]
    with ExitStack() as stack:
        executor = stack.enter_context(ThreadPoolExecutor(2)) if elsewhere else None
        results = list(convert_many(jobs, executor=executor, workers=2))
    assert failures(results) == ["", "same-name"]
    done = next(it for it in results if it.status.good)
    refused = next(it for it in results if not it.status.good)
    assert refused.failure is not None
    assert done.id in refused.failure.message
    assert now(registry, new) == {
        str(it.name).rpartition(":")[2]: it.new.digest for it in done.images
    }


def test_templates_with_different_tags_share_a_repository(registry: FakeRegistry, new: str) -> None:
    base = f"docker://{registry.host}/team"
    jobs = [Job(f"{base}/{name}:*", f"{new}:{{tag}}", OCI) for name in ("a", "c")]
    for status in (JobStatus.DONE, JobStatus.UNCHANGED):
        assert {it.status for it in convert_many(jobs)} == {status}
        assert sorted(now(registry, new)) == ["1", "2", "3"]


def test_a_job_that_is_there_twice_is_no_twin_of_itself(registry: FakeRegistry, new: str) -> None:
    job = Job(f"docker://{registry.host}/team/a:1", f"{new}:1", OCI)
    assert all(it.status.good for it in convert_many([job, job], workers=1))
    other = Job(job.source, job.destination, OCI.but(force=True, compress="zstd"))
    assert failures(list(convert_many([job, other]))) == ["", "same-name"]


def test_a_job_that_need_not_run_has_its_names(
    registry: FakeRegistry, layout: Path, new: str, tmp_path: Path
) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(save_tar({"app:1": docker_image([layer("z")])}))
    done = Job(str(archive), f"{new}:{{tag}}", OCI)
    other = Job(f"oci:{layout}:1", f"{new}:{{tag}}", OCI.but(force=True))
    list(convert_many([done], results=tmp_path / "r"))
    before = now(registry, new)
    again = {it.id: it for it in convert_many([done, other], workers=1, results=tmp_path / "r")}
    assert again[done.id].status is JobStatus.UNCHANGED
    assert failures([again[other.id]]) == ["same-name"]
    assert now(registry, new) == before


def test_images_of_one_job_do_not_replace_each_other(new: str, tmp_path: Path) -> None:
    archive = tmp_path / "two.tar"
    names = {f"{name}:1": docker_image([layer(name)]) for name in ("x", "y")}
    archive.write_bytes(save_tar(names))
    with pytest.raises(UsageError, match="would have the tag 1") as told:
        convert(archive, f"{new}:{{tag}}", to="oci", force=True)
    assert told.value.code == "same-name"


SOURCES = ("a:1", "a:2", "a:*", "b:1", "b:2", "b:*", "c:3", "copy:1", "", ":1", ":3")


@given(st.data())
def test_each_name_has_the_image_of_the_job_that_is_done_for_it(
    registry: FakeRegistry, layout: Path, data: st.DataObject
) -> None:
    new = f"docker://{registry.host}/new{next(FRESH)}"
    drawn = st.tuples(
        st.sampled_from(SOURCES), st.sampled_from(("1", "2", "{tag}", "{tag}")), st.booleans()
    )
    jobs = [
        Job(
            f"docker://{registry.host}/team/{source}"
            if source[:1].isalpha()
            else f"oci:{layout}{source}",
            f"{new}:{tag}",
            OCI.but(force=force),
            id=str(number),
        )
        for number, (source, tag, force) in enumerate(
            data.draw(st.lists(drawn, min_size=1, max_size=5))
        )
    ]
    workers, elsewhere = data.draw(st.integers(1, 4)), data.draw(st.booleans())
    with TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        executor = pool if elsewhere else None
        for order in (jobs, data.draw(st.permutations(jobs))):
            results = list(
                convert_many(order, executor=executor, workers=workers, results=f"{folder}/r")
            )
            assert sorted(it.id for it in results) == sorted(it.id for it in jobs)
            good = [it for it in results if it.status.good]
            done = [(str(image.name), image.new) for it in good for image in it.images]
            assert len({name for name, _ in done}) == len(done)
            tags = now(registry, new)
            for name, image in done:
                assert tags[name.rpartition(":")[2]] == image.digest
