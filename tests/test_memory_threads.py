"""One ``Memory`` and many threads: nothing is lost, and failed runs take nothing from others."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from oci_convert import Memory, OciConvertError, convert, inspect, verify
from support.contract import fill, root_of
from support.images import Image, docker_image, layer, layout_files, oci_image

SHARED = layer("shared", size=3000)
IMAGES = {f"v{i}": docker_image([SHARED, layer(f"{i}")]) for i in range(40)}
SOURCES = {name: Memory(layout_files({name: image})) for name, image in IMAGES.items()}


@pytest.fixture(autouse=True)
def _impatient_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def broken(image: Image) -> Memory:
    """A store whose image has a layer with a wrong byte, which is found when it is moved."""
    files = layout_files({"broken": image})
    name = f"blobs/{image.layers[-1].digest.replace(':', '/')}"
    files[name] = files[name][:-1] + b"X"
    return Memory(files)


@pytest.mark.parametrize("attempt", range(5))
def test_all_images_of_many_threads_are_there(attempt: int) -> None:
    target = Memory()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: convert(SOURCES[name], target, jobs=1), IMAGES))
    assert {image.name for image in inspect(target).images} == set(IMAGES)
    assert verify(target).sound


def test_an_image_of_a_memory_shares_its_lock() -> None:
    target = Memory()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: convert(SOURCES[name], target.image(name), jobs=1), IMAGES))
    assert {image.name for image in inspect(target).images} == set(IMAGES)


def test_runs_that_fail_take_nothing_from_those_that_do_not() -> None:
    faulty = broken(docker_image([SHARED, layer("faulty")]))

    def run(number: int) -> None:
        if number % 4:
            with pytest.raises(OciConvertError):
                convert(faulty, target, jobs=1)
        else:
            convert(SOURCES[f"v{number}"], target, jobs=1)

    for _ in range(5):
        target = Memory()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(run, range(40)))
        assert len(inspect(target).images) == 10
        assert verify(target).sound


def test_a_memory_that_changes_can_be_read() -> None:
    target = Memory()
    convert(SOURCES["v0"], target)
    with ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(convert, SOURCES[name], target, jobs=1) for name in IMAGES]
        while not all(future.done() for future in writing):
            # Blobs of images that are not there yet are no fault, and are no image either.
            assert not [f for f in verify(target).findings if f.code != "orphan-blob"]
    assert len(inspect(target).images) == len(IMAGES)


def test_what_a_failed_run_wrote_stays_while_another_one_may_count_on_it() -> None:
    target, image = Memory(), oci_image()
    with target.sink() as living:
        living.begin()
        with target.sink() as failing:
            fill(failing, image)
            failing.abort()
        assert living.has(image.descriptor, document=True)
        living.commit([root_of(image)])
    assert verify(target).sound


def test_the_last_of_several_failed_runs_leaves_nothing() -> None:
    target, image = Memory(), oci_image()
    with target.sink() as living:
        living.begin()
        with target.sink() as failing:
            fill(failing, image)
            failing.abort()
        assert target.files
        living.abort()
    assert target.files == {}


def test_a_memory_can_be_copied_and_pickled() -> None:
    one = Memory(layout_files({"a": oci_image()}), "a")
    for other in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert (other.files, other.ref) == (one.files, "a")
        convert(SOURCES["v0"], other.image("b"))
        assert len(inspect(one).images) == 1
