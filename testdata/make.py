"""The recipe of the images in this folder: ``python testdata/make.py`` writes them again.

The same bytes on every machine, which
``tests/test_testdata.py`` checks. What each image shows is said in ``README.md``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from oci_convert.spec.media_types import Family  # noqa: E402 - the path comes first
from support.images import (  # noqa: E402 - likewise
    Image,
    Layer,
    Spelling,
    attestation,
    dir_files,
    docker_config,
    docker_image,
    image_list,
    layout_files,
    oci_image,
    rc2_files,
    save_tar,
    tar_of,
    write_files,
)

NAME = "example.com/greeting:1"

BASE = {
    "bin/": "",
    "bin/greet": '#!/bin/sh\nread -r line < /etc/motd\necho "$line"\n',
    "etc/": "",
    "etc/group": "root:x:0:\n",
    "etc/motd": "Good morning.\n",
    "etc/os-release": 'ID=tiny\nNAME="Tiny"\nVERSION_ID=1\n',
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "root/": "",
    "tmp/": "",
    "usr/share/doc/tiny/": "",
    "usr/share/doc/tiny/README": "A root file system that fits on a page.\n",
}
GREETING = {"etc/": "", "etc/motd": "Grüezi.\n", "srv/": "", "srv/greeting.txt": "Salü zäme.\n"}
# A file of the base is deleted; an empty layer, as WORKDIR of an existing folder makes it.
WHITEOUT = {"etc/": "", "etc/.wh.group": ""}
NOTHING: dict[str, str] = {}

PLATFORMS = ("linux/amd64", "linux/arm64/v8", "linux/arm/v7")


def layers(*roots: dict[str, str]) -> list[Layer]:
    """A layer of each set of files."""
    return [Layer(tar_of(files)) for files in roots]


def steps(*created_by: str) -> list[dict[str, object]]:
    """The history of a Dockerfile: what adds or removes a file made a layer."""
    return [
        {
            "created": f"2026-01-02T03:04:{second:02}.987654321Z",
            "created_by": f"/bin/sh -c {step}",
            **({} if step.startswith(("#(nop) ADD", "rm ")) else {"empty_layer": True}),
        }
        for second, step in enumerate(created_by)
    ]


def built() -> Image:
    """What ``docker build`` and ``docker push`` of dockerd 20.10 would make."""
    four = layers(BASE, GREETING, WHITEOUT, NOTHING)
    history = steps(
        "#(nop) ADD file:tiny in / ",
        "#(nop)  MAINTAINER Ada <ada@example.com>",
        "#(nop) ADD dir:greeting in / ",
        "rm /etc/group && echo '<gone>'",
        "#(nop) ADD multi:nothing in / ",
        '#(nop)  HEALTHCHECK &{["CMD-SHELL" "true"] "5s" "0s" "0s" \'\\x02\'}',
        "#(nop)  ONBUILD RUN echo onbuild",
        '#(nop)  CMD ["echo hello"]',
    )
    return docker_image(four, config=docker_config(four, history=history))


def multi_platform() -> Image:
    """What ``buildah manifest push --all`` would make: the layers but one are shared."""
    images = []
    for platform in PLATFORMS:
        own = {"etc/": "", "etc/platform": f"{platform}\n"}
        images.append(docker_image(layers(BASE, own), Spelling.SKOPEO, platform=platform))
    return image_list(images, spelling=Spelling.SKOPEO)


def attested() -> Image:
    """What ``docker buildx build --provenance`` would make."""
    image = oci_image(layers(BASE, GREETING), Spelling.BUILDKIT)
    return image_list([image, attestation(image)], spelling=Spelling.BUILDKIT).with_entry(
        annotations={"io.containerd.image.name": NAME}
    )


def of_rc2() -> Image:
    """An image of the days of 1.0.0-rc2, when an index was a manifest list."""
    return image_list([oci_image(layers(BASE))], Family.OCI_RC2)


def files() -> dict[str, bytes]:
    """Every file of this folder that the recipe makes."""
    image = built()
    twice = layers(BASE, GREETING, BASE)
    saved = save_tar({NAME: image, "greeting:twice": docker_image(twice)})
    stores = {
        "docker-dir": dir_files(image),
        "docker-list-dir": dir_files(multi_platform()),
        "oci-layout": layout_files({"1": attested()}),
        "oci-rc2": rc2_files({"v1.0": of_rc2()}),
    }
    return {
        f"{store}/{name}": data for store, made in stores.items() for name, data in made.items()
    } | {"docker-save.tar": saved}


def main() -> None:
    """Write the images."""
    made = files()
    for folder in {name.split("/")[0] for name in made if "/" in name}:
        shutil.rmtree(HERE / folder, ignore_errors=True)
    write_files(made, HERE)


if __name__ == "__main__":
    main()
